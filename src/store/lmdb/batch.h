/* SPDX-License-Identifier: MIT
 *
 * batch.h - what a batch of ops does to the ledger.
 *
 * Purpose    Apply ops in order: the key, the rule, the journal; each account once, however many of
 *            the batch's ops were its own. Either inside one LMDB transaction, or ahead of LMDB: then the
 *            records go to the log, and accounts and keys stay here for the caller to keep.
 * Invariant  Journal sequences have no gap and times rise strictly, over restarts too,
 *            unless they were brought along (batch_time()). After
 *            batch_undo() the next batch begins where this one did.
 * Ownership  Borrows the transaction and the ops during batch_apply().
 * Threads    One at a time.
 * Errors     An outcome for what concerns one op (no client, limit, a record that is wrong); an
 *            LMDB or errno code for what concerns the transaction, which the caller must abort.
 * Not here   Beginning, flushing, giving up: commit.c and ahead.c.
 */
#ifndef CREBITO_STORE_LMDB_BATCH_H
#define CREBITO_STORE_LMDB_BATCH_H

#include <lmdb.h>
#include <stdbool.h>
#include <stdint.h>

#include "must_check.h"
#include "store/lmdb/environment.h"
#include "store/lmdb/recent.h"
#include "store/lmdb/record.h"
#include "store/lmdb/wal.h"
#include "store/op.h"

/* Accounts that the batch has met, found by client: open addressing, twice as many slots as ops,
 * so that a search ends. */
enum { BATCH_SLOTS = 2 * BATCH_OPS_MAX };

struct batch_account {
    struct account_record record;
    enum outcome found; /* OUTCOME_OK, OUTCOME_NO_CLIENT or OUTCOME_CORRUPT */
    bool changed;
};

struct batch {
    const struct environment *environment;
    int64_t key_retention_us;
    struct wal *wal;       /* NULL, or where records go instead of to LMDB, and then */
    struct recent *recent; /* what LMDB does not have yet */

    /* Where the ledger ends. */
    uint64_t last_sequence;
    int64_t last_time_us;
    bool expiry_damaged;        /* a page of it cannot be read: no key is cleared any more */
    int64_t oldest_key_time_us; /* no key is older: INT64_MIN if not known, INT64_MAX if none */

    /* As they were before this batch, for batch_undo(). */
    uint64_t undo_sequence;
    int64_t undo_time_us;

    uint32_t accounts_count;
    struct batch_account accounts[BATCH_OPS_MAX];
    uint16_t slots[BATCH_SLOTS]; /* 0: free; else 1 + index into accounts */

    uint32_t keys_count; /* booked ahead by this batch */
    struct recent_key keys[BATCH_OPS_MAX];
};

/* For a store that holds nothing yet. */
void batch_new(struct batch *batch, const struct environment *environment);

/* Finds the journal's end. MDB_CORRUPTED: it cannot be read. */
MUST_CHECK int batch_open(struct batch *batch, const struct environment *environment,
                          int64_t key_retention_us);
/* `txn`: ahead of LMDB it is only read. `now_us` is for the journal, `key_now_us` for how old keys are; Unix time both.
 * Sets the outcome of every op that op_writes() and leaves the others alone; count <= BATCH_OPS_MAX. */
MUST_CHECK int batch_apply(struct batch *batch, MDB_txn *txn, struct op **ops, uint32_t count,
                           int64_t now_us, int64_t key_now_us);

/* The same in steps, for whoever brings the times along: begin, then for each op its time (which may
 * be that of the record before; an earlier one is not taken) and the op, then finish. No key is
 * cleared. At most BATCH_OPS_MAX ops between begin and finish. */
void batch_begin(struct batch *batch);
void batch_time(struct batch *batch, int64_t time_us);
MUST_CHECK int batch_one(struct batch *batch, MDB_txn *txn, struct op *op);
MUST_CHECK int batch_finish(struct batch *batch, MDB_txn *txn);

/* Did the last batch write anything? */
bool batch_changed(const struct batch *batch);

void batch_undo(struct batch *batch);

#endif
