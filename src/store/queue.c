/* SPDX-License-Identifier: MIT
 *
 * queue.c - see queue.h.
 */
#include "store/queue.h"

#include <assert.h>
#include <string.h>

static void list_append(struct op_list *list, struct op *op)
{
    op->next = NULL;
    if (list->tail)
        list->tail->next = op;
    else
        list->head = op;
    list->tail = op;
    list->count++;
}

static void list_move_all(struct op_list *to, struct op_list *from)
{
    if (!from->head)
        return;
    if (to->tail)
        to->tail->next = from->head;
    else
        to->head = from->head;
    to->tail = from->tail;
    to->count += from->count;
    *from = (struct op_list){0};
}

static struct op *list_take_first(struct op_list *list)
{
    struct op *op = list->head;
    list->head = op->next;
    if (!list->head)
        list->tail = NULL;
    list->count--;
    op->next = NULL;
    return op;
}

static bool list_sane(const struct op_list *list)
{
    return (list->head == NULL) == (list->tail == NULL) &&
           (list->head == NULL) == (list->count == 0);
}

bool queue_sane(const struct queue *queue)
{
    return list_sane(&queue->waiting) && list_sane(&queue->answered);
}

void queue_init(struct queue *queue, uint32_t pending_max)
{
    assert(pending_max > 0);
    memset(queue, 0, sizeof *queue);
    queue->pending_max = pending_max;
    pthread_mutex_init(&queue->mutex, NULL);
    pthread_cond_init(&queue->not_empty, NULL);
}

void queue_free(struct queue *queue)
{
    assert(queue->pending == 0);
    pthread_cond_destroy(&queue->not_empty);
    pthread_mutex_destroy(&queue->mutex);
}

bool queue_submit(struct queue *queue, struct op *op)
{
    assert(op->state == OP_IDLE);
    if (queue->pending == queue->pending_max)
        return false;
    queue->pending++;
    op->state = OP_QUEUED;
    list_append(&queue->staged, op);
    return true;
}

void queue_hand_over(struct queue *queue)
{
    if (queue->staged.count == 0)
        return;
    pthread_mutex_lock(&queue->mutex);
    list_move_all(&queue->waiting, &queue->staged);
    assert(queue_sane(queue));
    pthread_mutex_unlock(&queue->mutex);
    pthread_cond_signal(&queue->not_empty);
}

struct op *queue_take_answered(struct queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    struct op_list taken = queue->answered;
    queue->answered = (struct op_list){0};
    pthread_mutex_unlock(&queue->mutex);

    for (struct op *op = taken.head; op; op = op->next) {
        assert(op->state == OP_ANSWERED);
        op->state = OP_IDLE;
    }
    assert(queue->pending >= taken.count);
    queue->pending -= taken.count;
    return taken.head;
}

void queue_close(struct queue *queue)
{
    queue_hand_over(queue);
    pthread_mutex_lock(&queue->mutex);
    queue->closed = true;
    pthread_mutex_unlock(&queue->mutex);
    pthread_cond_signal(&queue->not_empty);
}

uint32_t queue_take_batch(struct queue *queue, struct op **batch, uint32_t batch_max)
{
    uint32_t count = 0;
    pthread_mutex_lock(&queue->mutex);
    while (!queue->waiting.head && !queue->closed)
        pthread_cond_wait(&queue->not_empty, &queue->mutex);
    while (queue->waiting.head && count < batch_max) {
        struct op *op = list_take_first(&queue->waiting);
        assert(op->state == OP_QUEUED);
        op->state = OP_COMMITTING;
        batch[count++] = op;
    }
    assert(queue_sane(queue));
    pthread_mutex_unlock(&queue->mutex);
    return count;
}

bool queue_answer(struct queue *queue, struct op **batch, uint32_t count)
{
    pthread_mutex_lock(&queue->mutex);
    bool first = queue->answered.head == NULL;
    for (uint32_t i = 0; i < count; i++) {
        assert(batch[i]->state == OP_COMMITTING);
        batch[i]->state = OP_ANSWERED;
        list_append(&queue->answered, batch[i]);
    }
    assert(queue_sane(queue));
    pthread_mutex_unlock(&queue->mutex);
    return first;
}
