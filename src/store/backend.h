/* SPDX-License-Identifier: MIT
 *
 * backend.h - what a kind of store provides; store.c does the rest.
 *
 * Purpose    The inside of the seam: a table of calls, one table for each kind of store.
 * Invariant  Every op of a commit() gets its outcome, and OUTCOME_OK only for what is durable by then.
 * Ownership  A backend is made by its own open function and freed by close().
 * Threads    lane_of(), answer_now(), start() and look() run on the submitters' threads, commit() on the committer's
 *            of that lane, all at the same time; what admit() starts is the backend's own. close() runs
 *            when all are done.
 * Errors     Outcomes; a backend logs when its ability to serve changes.
 * Not here   Queues, threads, requests.
 */
#ifndef CREBITO_STORE_BACKEND_H
#define CREBITO_STORE_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include "store/op.h"
#include "store/queue.h"

struct backend {
    const struct backend_calls *calls;
    uint32_t lanes; /* how many commits it can make at the same time, 1 .. LANES_MAX */
    /* After a batch of several, with few waiting: how long more are waited for. For a store in which a batch
     * costs much more than an op. */
    uint32_t gather_us;
};

struct backend_calls {
    /* True if the op could be answered without a commit, and now is. `submitter`: whose op it is, 0 or
     * more and less than store_options.submitters; each is one thread. */
    bool (*answer_now)(struct backend *backend, uint32_t submitter, struct op *op);

    /* In which lane the op must wait: ops that depend on each other's order share one. NULL: there is
     * one lane. */
    uint32_t (*lane_of)(const struct backend *backend, const struct op *op);

    /* What a submitter hands over, before a committer is woken for it. OFFERED_DONE: every op has its outcome, as of
     * commit(). OFFERED_TAKEN, but not after dismiss(): it is on its way, and the backend itself answers it.
     * OFFERED_IN_VAIN: it goes to its lanes, as it must where it would have to wait here, or could keep ops
     * of commit() waiting for ever. NULL: there is no shorter way. */
    enum offered (*start)(struct backend *backend, struct op **ops, uint32_t count);

    /* Apply the ops in order and make them durable. True: every op has its outcome. False: they are on
     * their way, and the backend itself answers them, through queue_answer() on the queue of
     * admit(). */
    bool (*commit)(struct backend *backend, uint32_t lane, struct op **batch, uint32_t count);

    /* The batch's answers are out, or (`idle`) nothing has come since for SETTLE_IDLE_MS: do what can
     * wait. True: there is something left for the next time, or for close(). NULL: there
     * never is. */
    bool (*settle)(struct backend *backend, uint32_t lane, bool idle);

    /* The queue is there. Take ops of other processes too, through a port of the backend's own. Where
     * that cannot be, it is logged, and the store serves without. NULL, both: other processes need
     * nobody. */
    void (*admit)(struct backend *backend, struct queue *queue);

    /* No more of them, and those that were asked are answered. */
    void (*dismiss)(struct backend *backend);

    /* Answers come by a descriptor, which is the backend's and stays the same: readable, look() is called on the
     * thread of the first submitter, takes them, and waits for nothing. Who never calls look() gets them
     * as well, by a thread more. NULL, both, or -1: there is none. */
    int (*pollable)(struct backend *backend);
    void (*look)(struct backend *backend);

    void (*close)(struct backend *backend);
};

#endif
