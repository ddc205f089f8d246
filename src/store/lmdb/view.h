/* SPDX-License-Identifier: MIT
 *
 * view.h - the ledger as the last commit left it: the reading side.
 *
 * Purpose    Answer "is there such a client" and "what is on its statement" without waiting for a
 *            commit.
 * Invariant  Shows no commit that is still being flushed. Accounts come and never go, so a client
 *            once seen exists, whatever has happened to the store.
 * Ownership  Owns a read transaction; borrows the environment and struct committed.
 * Threads    Each view belongs to one thread; view_committed() is the committer's.
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
#include "store/lmdb/recent.h"
#include "store/op.h"

enum { VIEW_CLIENTS = 1024 };

/* What the committer tells the readers. */
struct committed {
    _Atomic size_t txn;        /* LMDB's number of the last commit that is on disk */
    _Atomic uint32_t openings; /* commits so far that opened accounts */
    struct recent *recent; /* accounts that are newer than that commit's; NULL: there are none */
};

struct view {
    const struct environment *environment;
    const struct committed *committed;
    MDB_txn *snapshot; /* reset between uses */
    /* Ids that exist, each in the place of its remainder; where two share one, the last seen.
     * all_known: every client of the store is in here, so that a miss is an answer too, unless
     * more have been opened since. */
    uint32_t known[VIEW_CLIENTS];
    bool all_known;
    uint32_t openings;
};

/* The first one to be opened sets *committed to where the store is. */
MUST_CHECK int view_open(struct view *view, const struct environment *environment,
                         struct committed *committed);
void view_close(struct view *view);

/* OUTCOME_OK, OUTCOME_NO_CLIENT, or OUTCOME_DOWN or OUTCOME_CORRUPT where it cannot be told. */
MUST_CHECK enum outcome view_client(struct view *view, uint32_t client);

/* Fills in the answer of an OP_STATEMENT. `now_us`: Unix time. */
MUST_CHECK enum outcome view_statement(struct view *view, struct op *op, int64_t now_us);

/* The commit with this number is on disk. */
void view_committed(struct committed *committed, size_t txn_id, bool opened);

#endif
