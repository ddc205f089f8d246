/* SPDX-License-Identifier: MIT
 *
 * queue.h - ops on their way to a committer and back.
 *
 * Purpose    Hand the ops of several submitters to other threads, in batches, and each submitter its
 *            own answers back. A submitter has a port: ops go in, answers come out. A queue has one
 *            lane or more, each with a committer: ops of one lane keep their order.
 * Invariant  [staged] submitter's side, unlocked | [waiting) its lane's next, of all ports | (answered]
 *            done; an op is in at most one of the three, or in a committer's batch, or with whoever
 *            took it when it was offered. A port's pending counts its ops in all five, and of all
 *            ports that share a pending_max it never passes it. queue_sane() and port_sane() under
 *            the lock.
 * Ownership  Ops belong to their submitter; the queue links them. A port, and what its wake needs,
 *            must outlive the committers: it may be woken for answers that it has taken already.
 * Threads    Submitter, each with a port of its own: port_*. Committer of a lane: queue_take_batch,
 *            queue_waiting, queue_answer. Whoever knows that nothing more will be handed over: queue_close.
 * Errors     A full port refuses.
 * Not here   What an op means.
 */
#ifndef CREBITO_STORE_QUEUE_H
#define CREBITO_STORE_QUEUE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "must_check.h"
#include "store/op.h"

struct op_list {
    struct op *head, *tail;
    uint32_t count;
};

struct lane {
    struct op_list waiting;
    pthread_cond_t not_empty;
};

struct queue {
    pthread_mutex_t mutex; /* over all that follows */
    struct lane lanes[LANES_MAX];
    uint32_t lane_count;
    bool closed;
};

struct port {
    struct queue *queue;

    /* The submitter's side. */
    struct op_list staged;
    uint32_t pending, pending_max;
    struct port *room; /* itself, or the one with which it shares its pending_max */

    /* Shared. */
    _Atomic uint32_t taken;  /* of pending_max, by all ports whose room it is */
    struct op_list answered; /* under the queue's mutex */
    bool expecting;          /* under it too: whoever takes them is at it, and needs no wake */

    void (*wake)(void *context); /* called on whose thread answers: they are waiting to be taken */
    void *wake_context;
};

void queue_init(struct queue *queue, uint32_t lane_count); /* 1 .. LANES_MAX */
void queue_free(struct queue *queue);
bool queue_sane(const struct queue *queue);
void queue_close(struct queue *queue); /* nothing more will be handed over */

/* Blocks until the lane has ops: their number, at most batch_max, in the order of their hand-over.
 * 0: closed, and the lane is empty. */
MUST_CHECK uint32_t queue_take_batch(struct queue *queue, uint32_t lane, struct op **batch,
                                     uint32_t batch_max);

/* Until the lane has ops or is closed, or so long. False: neither. */
MUST_CHECK bool queue_wait(struct queue *queue, uint32_t lane, uint32_t timeout_ms);

/* How many ops wait in the lane now. */
uint32_t queue_waiting(struct queue *queue, uint32_t lane);

/* Gives a batch of at most BATCH_OPS_MAX back, and wakes each submitter that has not been told of
 * answers yet. */
void queue_answer(struct queue *queue, struct op **batch, uint32_t count);

void port_init(struct port *port, struct queue *queue, uint32_t pending_max,
               void (*wake)(void *context), void *wake_context);
/* One more, for another submitter: `first`'s queue, and its pending_max is for both together. */
void port_init_beside(struct port *port, struct port *first, void (*wake)(void *context),
                      void *wake_context);
void port_free(struct port *port); /* nothing may be pending */
bool port_sane(const struct port *port);

/* False: full; the op stays the caller's. */
MUST_CHECK bool port_submit(struct port *port, struct op *op);
void port_hand_over(struct port *port);

/* What became of ops that were offered; of all of them alike. */
enum offered {
    OFFERED_IN_VAIN, /* they are staged as before */
    OFFERED_TAKEN,   /* until queue_answer(), which may have been already */
    OFFERED_DONE,    /* each has its outcome */
};

/* Offers what is staged to somebody who needs no committer for it, where that is BATCH_OPS_MAX ops or
 * fewer. Returns those that are done, linked through next: they have been taken back; or NULL. */
struct op *port_offer(struct port *port,
                      enum offered (*take)(void *context, struct op **ops, uint32_t count),
                      void *context);

/* Its submitter is about to take answers: until it has it is not woken for any. */
void port_expect(struct port *port);
struct op *port_take_answered(struct port *port); /* linked through next; may be NULL */

#endif
