/* SPDX-License-Identifier: MIT
 *
 * jsonl_file.h - a whole ledger as text: a header, its records, an end.
 *
 * Purpose    What makes lines a ledger: the header comes first and says that nothing was left out,
 *            sequences are 1, 2, 3 ..., times never go back, the end says how many records there were, and
 *            nothing follows it. A file that was cut short anywhere is found out.
 * Invariant  `sequence` records were returned.
 * Ownership  The caller owns the struct, which holds the buffer.
 * Threads    One for each struct.
 * Errors     JSONL_FILE_WRONG, and a sentence that begins with "line N: ".
 * Not here   Whether a record follows from those before it (bank/journal.h).
 */
#ifndef CREBITO_EXCHANGE_JSONL_FILE_H
#define CREBITO_EXCHANGE_JSONL_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "exchange/lines.h"
#include "must_check.h"
#include "store/archive.h"

struct jsonl_file {
    uint64_t sequence; /* of the last record */
    int64_t time_us;   /* its time */
    struct lines lines;
};

enum jsonl_file_step {
    JSONL_FILE_RECORD, /* the header, or one record more */
    JSONL_FILE_END,
    JSONL_FILE_WRONG,
    JSONL_FILE_UNREADABLE,
    JSONL_FILE_STOPPED, /* task_stopped() */
};

void jsonl_file_begin(struct jsonl_file *file, int fd, struct task *task);

/* First the one, until JSONL_FILE_RECORD; then the other, until it returns something else. */
MUST_CHECK enum jsonl_file_step jsonl_file_header(struct jsonl_file *file, int64_t *ret_created_us,
                                                  char *error, size_t error_size);
MUST_CHECK enum jsonl_file_step jsonl_file_record(struct jsonl_file *file,
                                                  struct archive_record *ret, char *error,
                                                  size_t error_size);

#endif
