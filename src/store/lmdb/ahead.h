/* SPDX-License-Identifier: MIT
 *
 * ahead.h - booking ahead of LMDB: batches in the log, many of them in one transaction.
 *
 * Purpose    Between two checkpoints one LMDB transaction stays open. A batch adds its journal records and keys to
 *            it, its accounts to recent.h, and is durable once the log has it. A checkpoint
 *            writes the accounts and commits: then the file has all, and the log begins again.
 * Invariant  What the open transaction and recent.h hold is what the lap of the log says, and no more.
 *            No transaction: the file has all, and the lap is empty.
 * Ownership  Borrows environment, batch and what the readers see; owns the log, the accounts and the transaction.
 * Threads    The committer's, but for recent_read(); LMDB wants begin and commit on one thread.
 * Errors     Ends, and with them LMDB's codes and errno as in batch.h. What fails is taken back by booking the lap
 *            anew, from the log, without it. A checkpoint that fails has lost nothing.
 * Not here   When: commit.c.
 */
#ifndef CREBITO_STORE_LMDB_AHEAD_H
#define CREBITO_STORE_LMDB_AHEAD_H

#include <lmdb.h>
#include <stdbool.h>
#include <stdint.h>

#include "must_check.h"
#include "store/lmdb/batch.h"
#include "store/lmdb/environment.h"
#include "store/lmdb/folder.h"
#include "store/lmdb/recent.h"
#include "store/lmdb/view.h"
#include "store/lmdb/wal.h"

struct ahead {
    const struct environment *environment;
    struct committed *committed;
    struct batch *batch;
    MDB_txn *txn;           /* NULL: nothing has been booked since the last checkpoint */
    int64_t since_ms;       /* when that transaction began, by serving_clock_ms() */
    uint64_t records, keys; /* in it */
    struct recent recent;
    struct wal wal;
};

/* The caller has filled in the first three, all else is zero. Books what a crash has left in the
 * log, and checkpoints it. False, and a sentence. */
MUST_CHECK bool ahead_open(struct ahead *ahead, const struct folder *folder, bool durable,
                           char *error, size_t error_size);
/* `whole`: there is no transaction, and the file is to be trusted. */
void ahead_close(struct ahead *ahead, bool whole);

/* Is there room in the lap and among the accounts for a batch of `ops`? */
bool ahead_has_room(const struct ahead *ahead, uint32_t ops);
/* Is it time for a checkpoint, when there is nobody to wait for it? */
bool ahead_is_long(const struct ahead *ahead, int64_t now_ms);
/* Pages that a checkpoint after `ops` more may take; an estimate from above. */
uint64_t ahead_pages(const struct ahead *ahead, uint32_t ops);

/* A batch was committed without us. */
void ahead_passed_by(struct ahead *ahead);

enum ahead_end {
    AHEAD_DONE,    /* booked: durable, and to be seen in every statement */
    AHEAD_UNDONE,  /* as if it had not been tried; *ret_reason says why */
    AHEAD_UNKNOWN, /* the log may have it, or not, and no way leads on but opening anew */
    AHEAD_LOST, /* nothing happened, what was booked before is in the log alone, and no way leads on */
};

/* As batch_apply(); also of ops that change nothing. */
MUST_CHECK enum ahead_end ahead_book(struct ahead *ahead, struct op **ops, uint32_t count,
                                     int64_t now_us, int64_t key_now_us, int *ret_reason);
/* What would become of the op, which is not booked. */
MUST_CHECK enum ahead_end ahead_judge(struct ahead *ahead, struct op *op, int64_t now_us,
                                      int64_t key_now_us, int *ret_reason);

/* All of it to the file. */
MUST_CHECK enum ahead_end ahead_checkpoint(struct ahead *ahead, int *ret_reason);

#endif
