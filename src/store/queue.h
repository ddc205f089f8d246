/* SPDX-License-Identifier: MIT
 *
 * queue.h - ops on their way to the committer and back.
 *
 * Purpose    Hand the ops of several submitters to another thread in one order, in batches, and
 *            each submitter its own answers back. A submitter has a port: ops go in, answers
 *            come out.
 * Invariant  [staged] submitter's side, unlocked | [waiting) committer's next, of all ports | (answered]
 *            done; an op is in at most one of the three, or in the committer's batch. A port's
 *            pending counts its ops in all four and never passes pending_max. queue_sane() and
 *            port_sane() under the lock.
 * Ownership  Ops belong to their submitter; the queue links them. A port, and what its wake needs,
 *            must outlive the committer: it may be woken for answers that it has taken already.
 * Threads    Submitter, each with a port of its own: port_*. Committer: queue_take_batch,
 *            queue_answer. Whoever knows that nothing more will be handed over: queue_close.
 * Errors     A full port refuses.
 * Not here   What an op means.
 */
#ifndef CREBITO_STORE_QUEUE_H
#define CREBITO_STORE_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "must_check.h"
#include "store/op.h"

struct op_list {
    struct op *head, *tail;
    uint32_t count;
};

struct queue {
    pthread_mutex_t mutex;
    pthread_cond_t not_empty;
    struct op_list waiting; /* under mutex */
    bool closed;            /* under mutex */
};

struct port {
    struct queue *queue;

    /* The submitter's side. */
    struct op_list staged;
    uint32_t pending, pending_max;

    /* Shared. */
    struct op_list answered; /* under the queue's mutex */

    /* The committer's side. */
    void (*wake)(void *context); /* called on its thread: answers are waiting to be taken */
    void *wake_context;
    struct port *next_to_wake;
};

void queue_init(struct queue *queue);
void queue_free(struct queue *queue);
bool queue_sane(const struct queue *queue);
void queue_close(struct queue *queue); /* nothing more will be handed over */

/* Blocks until there are ops: their number, at most batch_max, in the order of their hand-over.
 * 0: closed and empty. */
MUST_CHECK uint32_t queue_take_batch(struct queue *queue, struct op **batch, uint32_t batch_max);

/* Gives a batch back, and wakes each submitter that has not been told of answers yet. */
void queue_answer(struct queue *queue, struct op **batch, uint32_t count);

void port_init(struct port *port, struct queue *queue, uint32_t pending_max,
               void (*wake)(void *context), void *wake_context);
void port_free(struct port *port); /* nothing may be pending */
bool port_sane(const struct port *port);

/* False: full; the op stays the caller's. */
MUST_CHECK bool port_submit(struct port *port, struct op *op);
void port_hand_over(struct port *port);
struct op *port_take_answered(struct port *port); /* linked through next; may be NULL */

#endif
