/* SPDX-License-Identifier: MIT
 *
 * copy.h - all records of a ledger, as they are, into a new one.
 *
 * Purpose    Backup and restore: the journal in short snapshots while the bank serves, then what is
 *            derived from it, and the journal's last records, from one snapshot.
 * Invariant  The copy is the ledger as that last snapshot had it. Records are appended in the order
 *            of their keys, so pages are full: the copy is compact.
 * Ownership  Borrows both environments.
 * Threads    One.
 * Errors     ARCHIVE_WRONG: the source cannot be read. ARCHIVE_FAILED: the copy cannot be written.
 * Not here   Judging the records (verify.h), names (target.h).
 */
#ifndef CREBITO_STORE_LMDB_COPY_H
#define CREBITO_STORE_LMDB_COPY_H

#include <stdbool.h>
#include <stddef.h>

#include "must_check.h"
#include "store/archive.h"
#include "store/lmdb/environment.h"

/* Adds its work to the task's total. `beside_a_bank`: leaves the disk to it for most of the time. */
MUST_CHECK enum archive_end copy_environment(const struct environment *from,
                                             const struct environment *to, bool beside_a_bank,
                                             struct task *task, char *error, size_t error_size);

#endif
