/* SPDX-License-Identifier: MIT
 *
 * load.h - a new ledger on the server, filled record by record.
 *
 * Purpose    Let the ledger's rule judge each record as the bank would have judged it, and COPY what
 *            follows into the tables.
 * Invariant  One transaction, from an empty database to an audited ledger: nobody sees any of it before
 *            load_finish() is done, and nothing of it stays if that never comes. The tables hold
 *            exactly the records that load_add() answered with ARCHIVE_DONE.
 * Ownership  load_begin() makes what load_finish() or load_abandon() ends.
 * Threads    One.
 * Errors     As archive_build_...(); memory grows with the number of accounts only.
 * Not here   Where records come from.
 */
#ifndef CREBITO_STORE_POSTGRES_LOAD_H
#define CREBITO_STORE_POSTGRES_LOAD_H

#include <stddef.h>
#include <stdint.h>

#include "must_check.h"
#include "store/archive.h"

struct load;

MUST_CHECK enum archive_end load_begin(struct load **ret, const char *url, int64_t created_us,
                                       char *error, size_t error_size);
MUST_CHECK enum archive_end load_add(struct load *load, const struct archive_record *record,
                                     char *error, size_t error_size);
MUST_CHECK enum archive_end load_finish(struct load *load, struct task *task,
                                        struct archive_facts *ret_facts, char *error,
                                        size_t error_size);
void load_abandon(struct load *load);

#endif
