/* SPDX-License-Identifier: MIT
 *
 * view.h - the ledger as the last commit left it: the reading side.
 *
 * Purpose    Answer "is there such a client" and "what is on its statement" without waiting for a
 *            commit.
 * Invariant  Shows no commit that is still being flushed. Accounts come and never go, so a client
 *            once seen exists, whatever has happened to the store.
 * Ownership  Owns a read transaction; borrows the environment.
 * Threads    The submitter's; view_committed() is the committer's.
 * Errors     Outcomes; an LMDB code from view_open().
 * Not here   Writing.
 */
#ifndef CREBITO_STORE_LMDB_VIEW_H
#define CREBITO_STORE_LMDB_VIEW_H

#include <lmdb.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "must_check.h"
#include "store/lmdb/environment.h"
#include "store/op.h"

enum { VIEW_CLIENTS = 1024 };

struct view {
    const struct environment *environment;
    MDB_txn *snapshot;            /* reset between uses */
    _Atomic size_t committed_txn; /* LMDB's number of the last commit that is on disk */
    /* Ids that exist, each in the place of its remainder; where two share one, the last seen.
     * all_known: every client of the store is in here, so that a miss is an answer too. */
    uint32_t known[VIEW_CLIENTS];
    bool all_known;
};

MUST_CHECK int view_open(struct view *view, const struct environment *environment);
void view_close(struct view *view);

/* OUTCOME_OK, OUTCOME_NO_CLIENT, or OUTCOME_DOWN or OUTCOME_CORRUPT where it cannot be told. */
MUST_CHECK enum outcome view_client(struct view *view, uint32_t client);

/* Fills in the answer of an OP_STATEMENT. `now_us`: Unix time. */
MUST_CHECK enum outcome view_statement(struct view *view, struct op *op, int64_t now_us);

/* The commit with this number is on disk. */
void view_committed(struct view *view, size_t txn_id);

#endif
