/* SPDX-License-Identifier: MIT
 *
 * jsonl.h - one line of a ledger as text: JSON, format 1.
 *
 * Purpose    Writing a ledger's lines, and reading them back strictly: a member that is missing,
 *            unknown, out of its range or of another type is an error that names it.
 * Invariant  A record that is read is journal_record_sane() and sane text (record_text.h); written
 *            again it reads the same. Its previous_sequence is not in the text, and 0.
 * Ownership  Writes the caller's memory. What jansson allocates is freed before each call returns.
 * Threads    No shared state but jansson's.
 * Errors     Reading: false and a sentence. Writing: none; what is written has been judged
 *            (record_text.h), and the bound is asserted.
 * Not here   The order of lines (jsonl_file.h), whether a record follows (bank/journal.h).
 */
#ifndef CREBITO_EXCHANGE_JSONL_H
#define CREBITO_EXCHANGE_JSONL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "must_check.h"
#include "store/archive.h"

enum {
    JSONL_FORMAT = 1,
    JSONL_WRITTEN_BYTES_MAX = 1024,
    JSONL_LINE_BYTES_MAX = 4096, /* to be read: others may space and escape more than we do */
};

enum jsonl_kind {
    JSONL_HEADER,
    JSONL_RECORD,
    JSONL_END,
};

struct jsonl_line {
    enum jsonl_kind kind;
    int64_t created_us;           /* JSONL_HEADER: the store */
    bool complete;                /* JSONL_HEADER: every record of it is here */
    struct archive_record record; /* JSONL_RECORD */
    uint64_t records;             /* JSONL_END: how many lines of them there were */
};

/* Each returns how many bytes it wrote, its newline included. */
size_t jsonl_write_header(char to[JSONL_WRITTEN_BYTES_MAX], int64_t created_us, bool complete);
size_t jsonl_write_record(char to[JSONL_WRITTEN_BYTES_MAX], const struct archive_record *record);
size_t jsonl_write_end(char to[JSONL_WRITTEN_BYTES_MAX], uint64_t records);

/* A line without its newline. */
MUST_CHECK bool jsonl_read_line(const char *line, size_t bytes, struct jsonl_line *ret, char *error,
                                size_t error_size);

#endif
