/* SPDX-License-Identifier: MIT
 *
 * checkpoint.h - a thread that brings a generation of what was booked ahead into LMDB.
 *
 * Purpose    A checkpoint writes and flushes a page for each account that it has; the committer goes on in the
 *            other half of the log meanwhile.
 * Invariant  One at a time. It is one LMDB transaction: all of the generation, or nothing.
 * Ownership  Borrows what the job names until the job has ended; none of it may change until then.
 * Threads    It is one, and no other may have a write transaction while it has a job. begin, poll and stop are
 *            for one other.
 * Errors     The job's result: LMDB's codes and errno. Whether anything was written is the caller's to
 *            find out.
 * Not here   When, and what becomes of a failure: ahead.h.
 */
#ifndef CREBITO_STORE_LMDB_CHECKPOINT_H
#define CREBITO_STORE_LMDB_CHECKPOINT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "must_check.h"
#include "store/lmdb/environment.h"
#include "store/lmdb/recent.h"
#include "store/lmdb/wal.h"

/* Keys that a checkpoint clears at most, beside one for each that it adds: so old ones never pile
 * up, and none takes long. */
enum { CHECKPOINT_CLEARS = 128 };

struct checkpoint_job {
    const struct environment *environment;
    struct wal *wal;                     /* whose lap has the journal's records */
    const struct generation *generation; /* accounts and keys; not empty */
    int64_t clear_until_us;              /* keys as old as that are forgotten */
    int64_t oldest_key_time_us;          /* as in batch.h, before and after */
    bool expiry_damaged;                 /* the same: none is forgotten any more */

    bool skips_expiry; /* keys by age cannot be written: these are never forgotten */

    /* When it has ended. */
    int result;    /* MDB_SUCCESS: LMDB has it, flushed */
    size_t txn_id; /* LMDB's number of it */
};

enum checkpoint_state { CHECKPOINT_RESTING, CHECKPOINT_WORKING, CHECKPOINT_ENDED };

struct checkpoint {
    pthread_t thread;
    struct checkpoint_job job;

    pthread_mutex_t mutex; /* over what follows */
    pthread_cond_t changed;
    enum checkpoint_state state;
    bool stopping;
};

/* False: there is no thread to be had. */
MUST_CHECK bool checkpoint_start(struct checkpoint *checkpoint);
/* Waits for the job's end. */
void checkpoint_stop(struct checkpoint *checkpoint);

/* None may be under way, or have ended and not been polled. */
void checkpoint_begin(struct checkpoint *checkpoint, const struct checkpoint_job *job);

/* Has a job ended, of which was not told yet? `wait`: for one that is under way. */
MUST_CHECK bool checkpoint_poll(struct checkpoint *checkpoint, bool wait,
                                struct checkpoint_job *ret);

#endif
