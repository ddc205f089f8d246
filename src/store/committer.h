/* SPDX-License-Identifier: MIT
 *
 * committer.h - the thread that commits.
 *
 * Purpose    Group commit: take whatever ops are waiting, commit them as one batch, answer them.
 *            While a batch is being flushed the next one gathers, so batches grow with the load.
 *            Only after a batch of several, and only if the backend asks for it, are others waited for
 *            (gather_us). What can wait until answers are out, or nobody asks, comes then (settle()).
 * Invariant  One batch at a time of its lane, in the order of submission; answered only after
 *            commit().
 * Ownership  Borrows the queue and the backend until committer_stop() returns.
 * Threads    It is one.
 * Errors     A thread that cannot be started is a false from committer_start().
 * Not here   What a commit is.
 */
#ifndef CREBITO_STORE_COMMITTER_H
#define CREBITO_STORE_COMMITTER_H

#include <pthread.h>
#include <stdbool.h>

#include "must_check.h"
#include "store/backend.h"
#include "store/queue.h"

enum { SETTLE_IDLE_MS = 50 }; /* a pause, and not the time between two requests of a busy hour */

struct committer {
    pthread_t thread;
    struct queue *queue;
    struct backend *backend;
    uint32_t lane;
};

/* The caller has filled in all but `thread`. */
MUST_CHECK bool committer_start(struct committer *committer);

/* Close the queue first. Returns when every op has been answered. */
void committer_stop(struct committer *committer);

#endif
