/* SPDX-License-Identifier: MIT
 *
 * commit.h - from a batch to the disk, and the fate of each of its ops.
 *
 * Purpose    Make room, apply, flush: into the log where there is one and room is certain, else
 *            as a commit of LMDB's; and where one of these fails, find out for each op what is
 *            known. Say when it is time for a checkpoint. Readers of other processes that died are forgotten, so that their snapshots
 *            do not make the file grow. docs/decisions/0005-when-the-disk-fails.md has the table.
 * Invariant  OUTCOME_OK on an entry: the log's flush or both of LMDB's are done (unless they were
 *            opened without). Anything but OUTCOME_UNKNOWN: the op's end is certain. A batch
 *            that fails without a trace is halved until each op is judged by itself (but for want
 *            of memory, and after LMDB's own latch), so that one
 *            op's misfortune is not another's.
 * Ownership  Borrows the environment, what the readers see and the state.
 * Threads    One at a time: the committer's, and whoever else has owner.c's mutex; commit_end() when that has ended, commit_stuck() for any.
 * Errors     Outcomes; a change of state goes through serving.h, which logs it.
 * Not here   What an op does to the ledger: batch.h.
 */
#ifndef CREBITO_STORE_LMDB_COMMIT_H
#define CREBITO_STORE_LMDB_COMMIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "must_check.h"
#include "store/lmdb/ahead.h"
#include "store/lmdb/batch.h"
#include "store/lmdb/environment.h"
#include "store/lmdb/serving.h"
#include "store/lmdb/space.h"
#include "store/lmdb/view.h"

struct commit {
    const struct environment *environment;
    struct committed *committed; /* for the readers */
    struct serving *serving;
    struct ahead *ahead; /* NULL: each batch is a commit of LMDB's */
    struct batch batch;
    struct space space;
    bool map_full;             /* the last entry did not fit: only a commit disproves it */
    bool told_of_damaged_keys; /* the log was */
    int reason_not_to_go_on; /* of this batch: why a checkpoint before it found no way; 0: none did */
    bool clock_behind;       /* the journal's end lies ahead of the clock, and the log said so */
    int64_t opened_us;       /* the clock at opening, and a clock that is never set */
    int64_t opened_ms;
    int64_t readers_checked_ms; /* by serving_clock_ms() */
    _Atomic int64_t since_ms;   /* when the present batch began, 0 between batches */
};

/* The caller has filled in environment, committed and serving, and opened batch and space. */
void commit_begin(struct commit *commit);

/* Sets the outcome of every op. */
void commit_ops(struct commit *commit, struct op **ops, uint32_t count);

/* Without waiting for a checkpoint, nor for a flush if the store was opened without. True: every op has its outcome.
 * False: nothing has happened but to outcomes. */
bool commit_at_once(struct commit *commit, struct op **ops, uint32_t count);

/* Answers are out: do what can wait, without waiting for it. `idle`: nothing comes in. True: there is
 * something left for when nothing does. */
bool commit_settle(struct commit *commit, bool idle);

/* Nothing comes any more, and this may be on another thread. True: LMDB has all that was answered. */
MUST_CHECK bool commit_end(struct commit *commit);

/* Has a batch been under way for longer than anybody waits for its answers? */
bool commit_stuck(const struct commit *commit);

/* Unix time in microseconds. */
int64_t commit_clock_us(void);

#endif
