/* SPDX-License-Identifier: MIT
 *
 * test_queue.c - ops go to the committer and come back: all of them, in order, once.
 */
#include "unit.h"

#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <time.h>

#include "store/queue.h"

enum { OPS = 8 };

static struct op ops[OPS];

/* The numbers of the ops in a list, as text: "0 1 2". */
static const char *numbers(const struct op *list)
{
    static char text[4 * OPS + 1];
    char *at = text;
    for (; list; list = list->next) {
        if (at > text)
            *at++ = ' ';
        *at++ = (char)('0' + (list - ops));
    }
    *at = '\0';
    return text;
}

static int fresh_ops(void **state)
{
    (void)state;
    memset(ops, 0, sizeof ops);
    return 0;
}

static void submit(struct queue *queue, int first, int count)
{
    for (int i = first; i < first + count; i++) {
        assert_true(queue_submit(queue, &ops[i]));
        assert_int_equal(ops[i].state, OP_QUEUED);
    }
    queue_hand_over(queue);
}

static void ops_come_in_the_order_of_submission(void **state)
{
    (void)state;
    struct queue queue;
    struct op *batch[OPS];
    queue_init(&queue, OPS);
    submit(&queue, 0, 3);
    submit(&queue, 3, 2);
    assert_int_equal(queue_take_batch(&queue, batch, OPS), 5);
    for (int i = 0; i < 5; i++) {
        assert_ptr_equal(batch[i], &ops[i]);
        assert_int_equal(ops[i].state, OP_COMMITTING);
    }
    assert_true(queue_answer(&queue, batch, 5));
    assert_int_equal(ops[4].state, OP_ANSWERED);
    assert_string_equal(numbers(queue_take_answered(&queue)), "0 1 2 3 4");
    for (int i = 0; i < 5; i++)
        assert_int_equal(ops[i].state, OP_IDLE);
    assert_true(queue_sane(&queue));
    queue_free(&queue);
}

static void a_batch_takes_no_more_than_it_was_told_to(void **state)
{
    (void)state;
    struct queue queue;
    struct op *batch[OPS];
    queue_init(&queue, OPS);
    submit(&queue, 0, 7);
    for (uint32_t taken = 0; taken < 7; taken += 3) {
        uint32_t expected = taken < 6 ? 3 : 1;
        assert_int_equal(queue_take_batch(&queue, batch, 3), expected);
        assert_ptr_equal(batch[0], &ops[taken]);
        assert_int_equal(queue_answer(&queue, batch, expected), taken == 0);
    }
    assert_string_equal(numbers(queue_take_answered(&queue)), "0 1 2 3 4 5 6");
    queue_free(&queue);
}

static void nothing_moves_before_it_is_handed_over(void **state)
{
    (void)state;
    struct queue queue;
    struct op *batch[OPS];
    queue_init(&queue, OPS);
    submit(&queue, 0, 1);
    assert_true(queue_submit(&queue, &ops[1]));
    assert_int_equal(queue_take_batch(&queue, batch, OPS), 1);
    assert_true(queue_answer(&queue, batch, 1));
    assert_string_equal(numbers(queue_take_answered(&queue)), "0");
    assert_int_equal(ops[1].state, OP_QUEUED);
    queue_hand_over(&queue);
    assert_int_equal(queue_take_batch(&queue, batch, OPS), 1);
    assert_ptr_equal(batch[0], &ops[1]);
    assert_true(queue_answer(&queue, batch, 1));
    assert_string_equal(numbers(queue_take_answered(&queue)), "1");
    queue_free(&queue);
}

static void a_full_queue_refuses_and_the_op_stays_the_callers(void **state)
{
    (void)state;
    struct queue queue;
    struct op *batch[OPS];
    queue_init(&queue, 2);
    assert_true(queue_submit(&queue, &ops[0]));
    assert_true(queue_submit(&queue, &ops[1]));
    assert_false(queue_submit(&queue, &ops[2]));
    assert_int_equal(ops[2].state, OP_IDLE);
    queue_hand_over(&queue);
    assert_false(queue_submit(&queue, &ops[2])); /* waiting counts */
    assert_int_equal(queue_take_batch(&queue, batch, OPS), 2);
    assert_false(queue_submit(&queue, &ops[2])); /* committing counts */
    assert_true(queue_answer(&queue, batch, 2));
    assert_false(queue_submit(&queue, &ops[2])); /* answered and not taken back counts */
    assert_string_equal(numbers(queue_take_answered(&queue)), "0 1");
    submit(&queue, 2, 2);
    assert_false(queue_submit(&queue, &ops[4]));
    assert_int_equal(queue_take_batch(&queue, batch, OPS), 2);
    assert_true(queue_answer(&queue, batch, 2));
    assert_string_equal(numbers(queue_take_answered(&queue)), "2 3");
    queue_free(&queue);
}

static void the_submitter_is_woken_once_until_it_has_looked(void **state)
{
    (void)state;
    struct queue queue;
    struct op *batch[OPS];
    queue_init(&queue, OPS);
    submit(&queue, 0, 3);
    assert_int_equal(queue_take_batch(&queue, batch, 1), 1);
    assert_true(queue_answer(&queue, batch, 1));
    assert_int_equal(queue_take_batch(&queue, batch, 1), 1);
    assert_false(queue_answer(&queue, batch, 1)); /* it has been told, and has not looked yet */
    assert_string_equal(numbers(queue_take_answered(&queue)), "0 1");
    assert_int_equal(queue_take_batch(&queue, batch, 1), 1);
    assert_true(queue_answer(&queue, batch, 1));
    assert_string_equal(numbers(queue_take_answered(&queue)), "2");
    queue_free(&queue);
}

static void with_nothing_answered_there_is_nothing_to_take(void **state)
{
    (void)state;
    struct queue queue;
    queue_init(&queue, 1);
    assert_null(queue_take_answered(&queue));
    queue_hand_over(&queue);
    assert_null(queue_take_answered(&queue));
    queue_free(&queue);
}

static void a_closed_queue_still_gives_what_was_submitted(void **state)
{
    (void)state;
    struct queue queue;
    struct op *batch[OPS];
    queue_init(&queue, OPS);
    submit(&queue, 0, 2);
    assert_true(queue_submit(&queue, &ops[2])); /* closing hands it over */
    queue_close(&queue);
    assert_int_equal(queue_take_batch(&queue, batch, 2), 2);
    assert_true(queue_answer(&queue, batch, 2));
    assert_int_equal(queue_take_batch(&queue, batch, 2), 1);
    assert_ptr_equal(batch[0], &ops[2]);
    assert_false(queue_answer(&queue, batch, 1));
    assert_int_equal(queue_take_batch(&queue, batch, 2), 0);
    assert_int_equal(queue_take_batch(&queue, batch, 2), 0);
    assert_string_equal(numbers(queue_take_answered(&queue)), "0 1 2");
    queue_free(&queue);
}

static void an_insane_list_is_seen(void **state)
{
    (void)state;
    struct queue queue;
    queue_init(&queue, OPS);
    assert_true(queue_sane(&queue));
    struct op_list *const lists[] = {&queue.waiting, &queue.answered};
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        const struct op_list wrong[] = {
            {&ops[0], NULL, 1}, {NULL, &ops[0], 1}, {&ops[0], &ops[0], 0}, {NULL, NULL, 1}};
        for (size_t j = 0; j < COUNT_OF(wrong); j++) {
            *lists[i] = wrong[j];
            assert_false(queue_sane(&queue));
        }
        *lists[i] = (struct op_list){&ops[0], &ops[1], 2};
        assert_true(queue_sane(&queue));
        *lists[i] = (struct op_list){0};
    }
    queue_free(&queue);
}

/* --- two threads ---------------------------------------------------------------------------- */

enum { MANY = 100000, PENDING = 97, BATCH = 16 };

struct committer_thread {
    struct queue queue;
    sem_t wakes;
    uint32_t committed, largest;
    bool in_order;
};

static void *commit_all(void *argument)
{
    struct committer_thread *thread = argument;
    struct op *batch[BATCH];
    uint32_t count;
    while ((count = queue_take_batch(&thread->queue, batch, BATCH)) > 0) {
        for (uint32_t i = 0; i < count; i++) {
            thread->in_order = thread->in_order && batch[i]->client == thread->committed;
            batch[i]->balance_cents = thread->committed++;
        }
        if (count > thread->largest)
            thread->largest = count;
        if (queue_answer(&thread->queue, batch, count))
            sem_post(&thread->wakes);
    }
    return NULL;
}

static bool wait_for_wake(sem_t *wakes)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    return sem_timedwait(wakes, &until) == 0;
}

static void a_hundred_thousand_ops_cross_two_threads_in_order_and_once(void **state)
{
    (void)state;
    static struct committer_thread thread;
    static struct op pool[PENDING];
    struct op *free_ops = NULL;
    pthread_t id;

    random_begin();
    thread.in_order = true;
    queue_init(&thread.queue, PENDING);
    sem_init(&thread.wakes, 0, 0);
    for (int i = 0; i < PENDING; i++) {
        pool[i].next = free_ops;
        free_ops = &pool[i];
    }
    assert_int_equal(pthread_create(&id, NULL, commit_all, &thread), 0);
    uint32_t submitted = 0, returned = 0;
    while (returned < MANY) {
        uint64_t turn = random_between(1, UINT64_C(2) * BATCH);
        for (; turn > 0 && free_ops && submitted < MANY; turn--) {
            struct op *op = free_ops;
            free_ops = op->next;
            op->client = submitted++;
            assert_true(queue_submit(&thread.queue, op));
        }
        queue_hand_over(&thread.queue);
        if (submitted < MANY && free_ops && random_between(0, 3) > 0)
            continue; /* more before the answers are looked at */
        if (!wait_for_wake(&thread.wakes))
            FAIL("no wake for 20 s; %u of %u came back", returned, submitted);
        struct op *op = queue_take_answered(&thread.queue), *next;
        for (; op; op = next) {
            next = op->next;
            assert_int_equal(op->client, returned);
            assert_int_equal(op->balance_cents, returned);
            returned++;
            op->next = free_ops;
            free_ops = op;
        }
    }
    queue_close(&thread.queue);
    assert_int_equal(pthread_join(id, NULL), 0);
    assert_true(thread.in_order);
    assert_int_equal(thread.committed, MANY);
    assert_in_range(thread.largest, 1, BATCH);
    assert_null(queue_take_answered(&thread.queue));
    sem_destroy(&thread.wakes);
    queue_free(&thread.queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(ops_come_in_the_order_of_submission, fresh_ops),
        cmocka_unit_test_setup(a_batch_takes_no_more_than_it_was_told_to, fresh_ops),
        cmocka_unit_test_setup(nothing_moves_before_it_is_handed_over, fresh_ops),
        cmocka_unit_test_setup(a_full_queue_refuses_and_the_op_stays_the_callers, fresh_ops),
        cmocka_unit_test_setup(the_submitter_is_woken_once_until_it_has_looked, fresh_ops),
        cmocka_unit_test_setup(with_nothing_answered_there_is_nothing_to_take, fresh_ops),
        cmocka_unit_test_setup(a_closed_queue_still_gives_what_was_submitted, fresh_ops),
        cmocka_unit_test_setup(an_insane_list_is_seen, fresh_ops),
        cmocka_unit_test(a_hundred_thousand_ops_cross_two_threads_in_order_and_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
