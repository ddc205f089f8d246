/* SPDX-License-Identifier: MIT
 *
 * audit.h - is the ledger on the server what its own history makes it?
 *
 * Purpose    Follow each account's records from its first by the ledger's own rule, then hold the
 *            account against them, then each key.
 * Invariant  Writes nothing. One walk in the order of clients, so that memory is that of one account.
 *            Asserts nothing of what the server holds: constraints may have been dropped.
 * Ownership  Borrows the query, which is in a transaction whose snapshot does not change.
 * Threads    One.
 * Errors     ARCHIVE_WRONG names the first client that is wrong and of it the first record, or else
 *            the account; if none is, the first key. The server's indexes are not looked at.
 * Not here   The transaction: postgres_archive.h.
 */
#ifndef CREBITO_STORE_POSTGRES_AUDIT_H
#define CREBITO_STORE_POSTGRES_AUDIT_H

#include "must_check.h"
#include "store/archive.h"
#include "store/postgres/query.h"

/* Adds its work to the task's total. */
MUST_CHECK enum archive_end audit(struct query *query, struct task *task,
                                  struct archive_facts *ret_facts);

#endif
