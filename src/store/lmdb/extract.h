/* SPDX-License-Identifier: MIT
 *
 * extract.h - the journal, read out record by record.
 *
 * Purpose    Give a sink each record with its key, while the bank may be serving.
 * Invariant  No snapshot is open while the sink has a record: it may take as long as it likes.
 * Ownership  Borrows everything; a record is the sink's to look at during its call.
 * Threads    One.
 * Errors     ARCHIVE_WRONG: a record is missing, or not as it was written. The audit is not run.
 * Not here   Formats.
 */
#ifndef CREBITO_STORE_LMDB_EXTRACT_H
#define CREBITO_STORE_LMDB_EXTRACT_H

#include <stddef.h>

#include "must_check.h"
#include "store/archive.h"
#include "store/lmdb/environment.h"

/* Adds its work to the task's total. */
MUST_CHECK enum archive_end extract(const struct environment *environment,
                                    const struct archive_range *range,
                                    const struct archive_sink *sink, struct task *task, char *error,
                                    size_t error_size);

#endif
