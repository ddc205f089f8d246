/* SPDX-License-Identifier: MIT
 *
 * ahead.h - booking ahead of LMDB: batches in the log and in memory, and LMDB gets many of them at once.
 *
 * Purpose    A batch is judged by recent.h and, for what is not there, by a snapshot of LMDB; it is durable once
 *            the log has it. A checkpoint brings the young generation of what was booked to LMDB, in a thread of
 *            its own, while batches go on in the other half of the log.
 * Invariant  What a generation holds is what the lap of its half of the log says, and no more. An empty one
 *            has an empty lap. What LMDB has, the old generation and the young one follow each other.
 * Ownership  Borrows environment, batch and what the readers see; owns the log, the generations, a snapshot
 *            and the checkpoint's thread.
 * Threads    One at a time (owner.c), but for recent_read(). While a checkpoint is under way nobody may have a write
 *            transaction.
 * Errors     Ends, and with them LMDB's codes and errno as in batch.h. A batch that fails has changed nothing.
 *            A checkpoint that fails has lost nothing.
 * Not here   When: commit.c. What a checkpoint writes: checkpoint.h.
 */
#ifndef CREBITO_STORE_LMDB_AHEAD_H
#define CREBITO_STORE_LMDB_AHEAD_H

#include <lmdb.h>
#include <stdbool.h>
#include <stdint.h>

#include "must_check.h"
#include "store/lmdb/batch.h"
#include "store/lmdb/checkpoint.h"
#include "store/lmdb/environment.h"
#include "store/lmdb/folder.h"
#include "store/lmdb/recent.h"
#include "store/lmdb/view.h"
#include "store/lmdb/wal.h"

struct ahead {
    const struct environment *environment;
    struct committed *committed;
    struct batch *batch;
    MDB_txn *snapshot; /* reset between uses */
    struct recent recent;
    struct wal wals[WAL_HALVES]; /* each that of the generation with its index */
    struct checkpoint checkpoint;
    bool is_checkpointing; /* the old generation is on its way */
    bool has_failed;       /* the last one that ended found no way */
    int64_t failed_ms;     /* and ended then */
    int64_t since_ms; /* when the young generation got its first batch, by serving_clock_ms() */
    int64_t clear_until_us; /* keys as old as that are past their time */
};

/* The caller has filled in the first three, all else is zero. Books what a crash has left in the
 * log, and checkpoints it. False, and a sentence. */
MUST_CHECK bool ahead_open(struct ahead *ahead, const struct folder *folder, bool durable,
                           char *error, size_t error_size);
/* `whole`: LMDB has all, and its file is to be trusted. */
void ahead_close(struct ahead *ahead, bool whole);

/* Is there anything that LMDB does not have? */
bool ahead_has_any(const struct ahead *ahead);
/* Is there room in the lap, and among accounts and keys, for a batch of `ops`? */
bool ahead_has_room(const struct ahead *ahead, uint32_t ops);
/* Is it time for a checkpoint, when there is nobody to wait for it? */
bool ahead_is_long(const struct ahead *ahead, int64_t now_ms);
/* Can a batch of `ops` be booked now, and is there nothing that should be done first? */
bool ahead_is_ready(const struct ahead *ahead, uint32_t ops, int64_t now_ms);
/* Has one found no way so lately that it would find none now? */
bool ahead_is_resting(const struct ahead *ahead, int64_t now_ms);
/* Pages that checkpoints of what there is and `ops` more may take; an estimate from above. */
uint64_t ahead_pages(const struct ahead *ahead, uint32_t ops);
/* The log's file, for whoever wants to know whether it is still there. */
int ahead_file(const struct ahead *ahead);

/* How many batches the ledger has had. */
uint64_t ahead_batches(const struct ahead *ahead);
/* One was committed without us. */
void ahead_passed_by(struct ahead *ahead);

enum ahead_end {
    AHEAD_DONE,   /* a batch: it is durable, and to be seen in every statement */
    AHEAD_UNDONE, /* as if it had not been tried; *ret_reason says why */
    AHEAD_UNKNOWN, /* of a batch: the log may have it, or not, and no way leads on but opening anew */
    AHEAD_LOST,    /* of a checkpoint: what was booked is in the log alone, and no way leads on */
};

/* As batch_apply(); also of ops that change nothing. There is room. */
MUST_CHECK enum ahead_end ahead_book(struct ahead *ahead, struct op **ops, uint32_t count,
                                     int64_t now_us, int64_t key_now_us, int *ret_reason);
/* What would become of the op, which is not booked. False: it cannot be told. */
MUST_CHECK bool ahead_judge(struct ahead *ahead, struct op *op, int64_t now_us, int64_t key_now_us);

/* Without waiting: a checkpoint that has ended is over, and if one is `due` and there is anything left
 * another begins. */
MUST_CHECK enum ahead_end ahead_advance(struct ahead *ahead, bool due, int *ret_reason);
/* Until there is room for a batch of `ops`. */
MUST_CHECK enum ahead_end ahead_make_room(struct ahead *ahead, uint32_t ops, int *ret_reason);
/* Until LMDB has all. */
MUST_CHECK enum ahead_end ahead_checkpoint(struct ahead *ahead, int *ret_reason);

#endif
