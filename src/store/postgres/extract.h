/* SPDX-License-Identifier: MIT
 *
 * extract.h - the ledger on the server, read out record by record.
 *
 * Purpose    Give a sink each record with its key, in one order over all accounts: by time, client and
 *            number within the client, counted 1, 2, 3 ...
 * Invariant  The order of a client's records is that of its own numbers. A record has the same number
 *            whichever others are left out. Its previous_sequence is 0: nobody asks for it.
 * Ownership  Borrows the query, which is in a transaction whose snapshot does not change; a record is
 *            the sink's to look at during its call.
 * Threads    One.
 * Errors     ARCHIVE_WRONG: a record is not what a record can be. The audit is not run.
 * Not here   Formats.
 */
#ifndef CREBITO_STORE_POSTGRES_EXTRACT_H
#define CREBITO_STORE_POSTGRES_EXTRACT_H

#include "must_check.h"
#include "store/archive.h"
#include "store/postgres/query.h"

/* Adds its work to the task's total. */
MUST_CHECK enum archive_end extract(struct query *query, const struct archive_range *range,
                                    const struct archive_sink *sink, struct task *task);

#endif
