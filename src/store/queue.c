/* SPDX-License-Identifier: MIT
 *
 * queue.c - see queue.h.
 */
#include "store/queue.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>

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

/* --- the committer's side ------------------------------------------------------------------- */

bool queue_sane(const struct queue *queue)
{
    if (queue->lane_count < 1 || queue->lane_count > LANES_MAX)
        return false;
    for (uint32_t i = 0; i < queue->lane_count; i++)
        if (!list_sane(&queue->lanes[i].waiting))
            return false;
    return true;
}

void queue_init(struct queue *queue, uint32_t lane_count)
{
    assert(lane_count >= 1 && lane_count <= LANES_MAX);
    memset(queue, 0, sizeof *queue);
    queue->lane_count = lane_count;
    pthread_mutex_init(&queue->mutex, NULL);
    pthread_condattr_t steady; /* the clock that is never set: for queue_wait() */
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    for (uint32_t i = 0; i < lane_count; i++)
        pthread_cond_init(&queue->lanes[i].not_empty, &steady);
    pthread_condattr_destroy(&steady);
}

void queue_free(struct queue *queue)
{
    for (uint32_t i = 0; i < queue->lane_count; i++) {
        assert(queue->lanes[i].waiting.count == 0);
        pthread_cond_destroy(&queue->lanes[i].not_empty);
    }
    pthread_mutex_destroy(&queue->mutex);
}

void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->closed = true;
    pthread_mutex_unlock(&queue->mutex);
    for (uint32_t i = 0; i < queue->lane_count; i++)
        pthread_cond_signal(&queue->lanes[i].not_empty);
}

uint32_t queue_take_batch(struct queue *queue, uint32_t lane_number, struct op **batch,
                          uint32_t batch_max)
{
    struct lane *lane = &queue->lanes[lane_number];
    uint32_t count = 0;
    assert(lane_number < queue->lane_count);
    pthread_mutex_lock(&queue->mutex);
    while (!lane->waiting.head && !queue->closed)
        pthread_cond_wait(&lane->not_empty, &queue->mutex);
    while (lane->waiting.head && count < batch_max) {
        struct op *op = list_take_first(&lane->waiting);
        assert(op->state == OP_QUEUED);
        op->state = OP_COMMITTING;
        batch[count++] = op;
    }
    assert(queue_sane(queue));
    pthread_mutex_unlock(&queue->mutex);
    return count;
}

bool queue_wait(struct queue *queue, uint32_t lane_number, uint32_t timeout_ms)
{
    struct lane *lane = &queue->lanes[lane_number];
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&queue->mutex);
    int result = 0;
    while (!lane->waiting.head && !queue->closed && result != ETIMEDOUT)
        result = pthread_cond_timedwait(&lane->not_empty, &queue->mutex, &until);
    bool ready = lane->waiting.head || queue->closed;
    pthread_mutex_unlock(&queue->mutex);
    return ready;
}

uint32_t queue_waiting(struct queue *queue, uint32_t lane)
{
    pthread_mutex_lock(&queue->mutex);
    uint32_t count = queue->lanes[lane].waiting.count;
    pthread_mutex_unlock(&queue->mutex);
    return count;
}

void queue_answer(struct queue *queue, struct op **batch, uint32_t count)
{
    struct port *to_wake[BATCH_OPS_MAX];
    uint32_t to_wake_count = 0;
    assert(count <= BATCH_OPS_MAX);
    pthread_mutex_lock(&queue->mutex);
    for (uint32_t i = 0; i < count; i++) {
        struct port *port = batch[i]->port;
        assert(batch[i]->state == OP_COMMITTING);
        batch[i]->state = OP_ANSWERED;
        if (!port->answered.head &&
            !port->expecting) /* else it has been told, or looks by itself */
            to_wake[to_wake_count++] = port;
        list_append(&port->answered, batch[i]);
    }
    pthread_mutex_unlock(&queue->mutex);
    for (uint32_t i = 0; i < to_wake_count; i++)
        to_wake[i]->wake(to_wake[i]->wake_context);
}

/* --- a submitter's side --------------------------------------------------------------------- */

bool port_sane(const struct port *port)
{
    return list_sane(&port->staged) && list_sane(&port->answered) &&
           (uint64_t)port->staged.count + port->answered.count <= port->pending &&
           port->pending <= port->pending_max;
}

void port_init(struct port *port, struct queue *queue, uint32_t pending_max,
               void (*wake)(void *context), void *wake_context)
{
    assert(pending_max > 0);
    *port = (struct port){
        .queue = queue,
        .pending_max = pending_max,
        .room = port,
        .wake = wake,
        .wake_context = wake_context,
    };
}

void port_init_beside(struct port *port, struct port *first, void (*wake)(void *context),
                      void *wake_context)
{
    port_init(port, first->queue, first->pending_max, wake, wake_context);
    port->room = first;
}

void port_free(struct port *port)
{
    assert(port->pending == 0);
}

bool port_submit(struct port *port, struct op *op)
{
    assert(op->state == OP_IDLE && op->lane < port->queue->lane_count);
    _Atomic uint32_t *taken = &port->room->taken; /* a count and no more: it orders nothing */
    if (atomic_fetch_add_explicit(taken, 1, memory_order_relaxed) >= port->pending_max) {
        atomic_fetch_sub_explicit(taken, 1, memory_order_relaxed);
        return false;
    }
    port->pending++;
    op->state = OP_QUEUED;
    op->port = port;
    list_append(&port->staged, op);
    return true;
}

/* Each to the end of its lane; returns a bit for each lane that got any. */
static uint64_t sort_into_lanes(struct queue *queue, struct op_list *staged)
{
    uint64_t filled = 0;
    if (queue->lane_count == 1) {
        list_move_all(&queue->lanes[0].waiting, staged);
        return 1;
    }
    while (staged->head) {
        struct op *op = list_take_first(staged);
        list_append(&queue->lanes[op->lane].waiting, op);
        filled |= UINT64_C(1) << op->lane;
    }
    return filled;
}

void port_hand_over(struct port *port)
{
    struct queue *queue = port->queue;
    if (port->staged.count == 0)
        return;
    pthread_mutex_lock(&queue->mutex);
    assert(!queue->closed);
    uint64_t filled = sort_into_lanes(queue, &port->staged);
    assert(queue_sane(queue) && port_sane(port));
    pthread_mutex_unlock(&queue->mutex);
    for (uint32_t i = 0; filled; i++, filled >>= 1)
        if (filled & 1)
            pthread_cond_signal(&queue->lanes[i].not_empty);
}

/* They are the submitter's own again, and make room. */
static struct op *take_back(struct port *port, struct op_list taken, enum op_state state)
{
    for (struct op *op = taken.head; op; op = op->next) {
        assert(op->state == state);
        op->state = OP_IDLE;
    }
    port->pending -= taken.count;
    atomic_fetch_sub_explicit(&port->room->taken, taken.count, memory_order_relaxed);
    (void)state;
    return taken.head;
}

struct op *port_offer(struct port *port,
                      enum offered (*take)(void *context, struct op **ops, uint32_t count),
                      void *context)
{
    struct op *ops[BATCH_OPS_MAX];
    const struct op_list staged = port->staged;
    uint32_t count = 0;
    if (staged.count == 0 || staged.count > BATCH_OPS_MAX)
        return NULL;
    for (struct op *op = staged.head; op; op = op->next) {
        assert(op->state == OP_QUEUED);
        op->state = OP_COMMITTING;
        ops[count++] = op;
    }
    enum offered end = take(context, ops, count);
    if (end == OFFERED_IN_VAIN) {
        for (uint32_t i = 0; i < count; i++)
            ops[i]->state = OP_QUEUED;
        return NULL;
    }
    port->staged = (struct op_list){0};
    /* What is taken is not touched any more: its answers may have been quicker. */
    return end == OFFERED_DONE ? take_back(port, staged, OP_COMMITTING) : NULL;
}

void port_expect(struct port *port)
{
    pthread_mutex_lock(&port->queue->mutex);
    port->expecting = true;
    pthread_mutex_unlock(&port->queue->mutex);
}

struct op *port_take_answered(struct port *port)
{
    pthread_mutex_lock(&port->queue->mutex);
    assert(port_sane(port));
    struct op_list taken = port->answered;
    port->answered = (struct op_list){0};
    port->expecting = false;
    pthread_mutex_unlock(&port->queue->mutex);
    return take_back(port, taken, OP_ANSWERED);
}
