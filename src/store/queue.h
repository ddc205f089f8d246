/* SPDX-License-Identifier: MIT
 *
 * queue.h - ops on their way to the committer and back.
 *
 * Purpose    Hand ops to another thread in order, in batches, and their answers back.
 * Invariant  [staged] submitter's side, unlocked | [waiting) committer's next | (answered] done;
 *            an op is in at most one of the three, or in the committer's batch. pending counts all
 *            four and never passes pending_max. queue_sane() under the lock.
 * Ownership  Ops belong to their submitter; the queue links them.
 * Threads    Submitter: queue_submit, queue_hand_over, queue_take_answered, queue_close.
 *            Committer: queue_take_batch, queue_answer.
 * Errors     A full queue refuses.
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
    /* The submitter's side. */
    struct op_list staged;
    uint32_t pending, pending_max;

    /* Shared. */
    pthread_mutex_t mutex;
    pthread_cond_t not_empty;
    struct op_list waiting, answered; /* under mutex */
    bool closed;                      /* under mutex */
};

void queue_init(struct queue *queue, uint32_t pending_max);
void queue_free(struct queue *queue); /* nothing may be pending */
bool queue_sane(const struct queue *queue);

/* False: full; the op stays the caller's. */
MUST_CHECK bool queue_submit(struct queue *queue, struct op *op);
void queue_hand_over(struct queue *queue);
struct op *queue_take_answered(struct queue *queue); /* linked through next; may be NULL */
void queue_close(struct queue *queue);               /* nothing more will be submitted */

/* Blocks until there are ops: their number, at most batch_max, in the order of submission.
 * 0: closed and empty. */
MUST_CHECK uint32_t queue_take_batch(struct queue *queue, struct op **batch, uint32_t batch_max);

/* Gives a batch back. True: the submitter has not been told of answers yet, so wake it. */
MUST_CHECK bool queue_answer(struct queue *queue, struct op **batch, uint32_t count);

#endif
