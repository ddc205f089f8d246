/* SPDX-License-Identifier: MIT
 *
 * lmdb_store.h - the embedded store: a ledger in one folder.
 *
 * Purpose    The backend behind lmdb:PATH. One write transaction for each batch; statements from
 *            snapshots that wait for no commit.
 * Invariant  What commit() answers OUTCOME_OK has passed both of LMDB's flushes (with durable). A snapshot shows
 *            no commit that is still being flushed. Nothing is half booked: journal, account, key
 *            and expiry records of an entry are one transaction. After a flush whose end is not
 *            known the store latches down: it answers OUTCOME_DOWN until it is opened anew.
 * Ownership  The backend owns the environment, the folder and its lock.
 * Threads    As backend.h says: answer_now() on one thread, commit() on another, and one that takes
 *            ops of other processes (owner_socket.h).
 * Errors     Opening: NULL and a sentence. Later: outcomes; full, mended and down are logged.
 * Not here   Queues, threads.
 */
#ifndef CREBITO_STORE_LMDB_LMDB_STORE_H
#define CREBITO_STORE_LMDB_LMDB_STORE_H

#include <stddef.h>

#include "must_check.h"
#include "store/backend.h"
#include "store/store.h"

MUST_CHECK struct backend *lmdb_store_open(const char *path, const struct store_options *options,
                                           char *error, size_t error_size);

MUST_CHECK bool lmdb_store_inspect(struct store_facts *ret, const char *path, char *error,
                                   size_t error_size);

#endif
