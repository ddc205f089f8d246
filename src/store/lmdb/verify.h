/* SPDX-License-Identifier: MIT
 *
 * verify.h - the audit: is the ledger what its own history makes it?
 *
 * Purpose    Follow the journal from its first record by the ledger's own rule, then hold against
 *            it everything that is derived from it: accounts, their last entries, keys.
 * Invariant  Writes nothing. Memory is bounded (histories.h), however many accounts there are.
 *            Each comparison is made within one snapshot, in which the journal was followed to its
 *            end first; so a ledger that is being served is audited as well as one at rest.
 * Ownership  Borrows the environment.
 * Threads    One.
 * Errors     ARCHIVE_WRONG names the first journal record that is wrong; if none is, the first
 *            account, or the first key. LMDB's own lists of free pages are not looked at.
 * Not here   Surviving a damaged page: ops/task.h.
 */
#ifndef CREBITO_STORE_LMDB_VERIFY_H
#define CREBITO_STORE_LMDB_VERIFY_H

#include <stddef.h>

#include "must_check.h"
#include "store/archive.h"
#include "store/lmdb/environment.h"

/* Adds its work to the task's total. */
MUST_CHECK enum archive_end verify_environment(const struct environment *environment,
                                               struct task *task, struct archive_facts *ret_facts,
                                               char *error, size_t error_size);

#endif
