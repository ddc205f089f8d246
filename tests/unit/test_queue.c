/* SPDX-License-Identifier: MIT
 *
 * test_queue.c - ops go to the committer and come back to whoever submitted them: all of
 * them, in order, once.
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

static struct queue queue;
static struct port port, other; /* of two submitters */
static int woken, other_woken;

static void count_wake(void *context)
{
    ++*(int *)context;
}

static int setup(void **state)
{
    (void)state;
    memset(ops, 0, sizeof ops);
    woken = other_woken = 0;
    queue_init(&queue, 1);
    port_init(&port, &queue, OPS, count_wake, &woken);
    port_init(&other, &queue, OPS, count_wake, &other_woken);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    port_free(&port);
    port_free(&other);
    queue_free(&queue);
    return 0;
}

static void submit_through(struct port *through, int first, int count)
{
    for (int i = first; i < first + count; i++) {
        assert_true(port_submit(through, &ops[i]));
        assert_int_equal(ops[i].state, OP_QUEUED);
    }
    port_hand_over(through);
}

static void submit(int first, int count)
{
    submit_through(&port, first, count);
}

static void commit(uint32_t count, uint32_t batch_max)
{
    struct op *batch[OPS];
    assert_int_equal(queue_take_batch(&queue, 0, batch, batch_max), count);
    queue_answer(&queue, batch, count);
}

static const char *answered(void)
{
    return numbers(port_take_answered(&port));
}

static void ops_come_in_the_order_of_submission(void **state)
{
    (void)state;
    struct op *batch[OPS];
    submit(0, 3);
    submit(3, 2);
    assert_int_equal(queue_take_batch(&queue, 0, batch, OPS), 5);
    for (int i = 0; i < 5; i++) {
        assert_ptr_equal(batch[i], &ops[i]);
        assert_int_equal(ops[i].state, OP_COMMITTING);
    }
    queue_answer(&queue, batch, 5);
    assert_int_equal(ops[4].state, OP_ANSWERED);
    assert_string_equal(answered(), "0 1 2 3 4");
    for (int i = 0; i < 5; i++)
        assert_int_equal(ops[i].state, OP_IDLE);
    assert_true(queue_sane(&queue));
    assert_true(port_sane(&port));
}

static void a_batch_takes_no_more_than_it_was_told_to(void **state)
{
    (void)state;
    struct op *batch[OPS];
    submit(0, 7);
    for (uint32_t taken = 0; taken < 7; taken += 3) {
        uint32_t expected = taken < 6 ? 3 : 1;
        assert_int_equal(queue_take_batch(&queue, 0, batch, 3), expected);
        assert_ptr_equal(batch[0], &ops[taken]);
        queue_answer(&queue, batch, expected);
    }
    assert_string_equal(answered(), "0 1 2 3 4 5 6");
}

static void nothing_moves_before_it_is_handed_over(void **state)
{
    (void)state;
    submit(0, 1);
    assert_true(port_submit(&port, &ops[1]));
    commit(1, OPS);
    assert_string_equal(answered(), "0");
    assert_int_equal(ops[1].state, OP_QUEUED);
    port_hand_over(&port);
    commit(1, OPS);
    assert_string_equal(answered(), "1");
}

static void a_full_port_refuses_and_the_op_stays_the_callers(void **state)
{
    (void)state;
    struct op *batch[OPS];
    port_init(&port, &queue, 2, count_wake, &woken);
    assert_true(port_submit(&port, &ops[0]));
    assert_true(port_submit(&port, &ops[1]));
    assert_false(port_submit(&port, &ops[2]));
    assert_int_equal(ops[2].state, OP_IDLE);
    port_hand_over(&port);
    assert_false(port_submit(&port, &ops[2])); /* waiting counts */
    assert_int_equal(queue_take_batch(&queue, 0, batch, OPS), 2);
    assert_false(port_submit(&port, &ops[2])); /* committing counts */
    queue_answer(&queue, batch, 2);
    assert_false(port_submit(&port, &ops[2])); /* answered and not taken back counts */
    assert_string_equal(answered(), "0 1");
    submit(2, 2);
    assert_false(port_submit(&port, &ops[4]));
    commit(2, OPS);
    assert_string_equal(answered(), "2 3");
}

static void ports_that_share_their_room_are_full_together(void **state)
{
    (void)state;
    struct op *batch[OPS];
    port_init(&port, &queue, 3, count_wake, &woken);
    port_init_beside(&other, &port, count_wake, &other_woken);
    assert_true(port_submit(&other, &ops[0]));
    assert_true(port_submit(&port, &ops[1]));
    assert_true(port_submit(&other, &ops[2]));
    assert_false(port_submit(&port, &ops[3]));
    assert_false(port_submit(&other, &ops[3]));
    assert_int_equal(ops[3].state, OP_IDLE);
    port_hand_over(&other);
    port_hand_over(&port);
    assert_int_equal(queue_take_batch(&queue, 0, batch, OPS), 3);
    queue_answer(&queue, batch, 3);
    assert_int_equal(woken, 1);
    assert_int_equal(other_woken, 1);
    assert_string_equal(numbers(port_take_answered(&other)), "0 2");
    assert_true(port_submit(&port, &ops[3])); /* what one has given back the other may take */
    assert_true(port_submit(&port, &ops[4]));
    assert_false(port_submit(&other, &ops[5]));
    assert_string_equal(answered(), "1");
    assert_true(port_submit(&other, &ops[5]));
    port_hand_over(&port);
    port_hand_over(&other);
    commit(3, OPS);
    assert_string_equal(answered(), "3 4");
    assert_string_equal(numbers(port_take_answered(&other)), "5");
}

static void the_submitter_is_woken_once_until_it_has_looked(void **state)
{
    (void)state;
    submit(0, 3);
    assert_int_equal(woken, 0);
    commit(1, 1);
    assert_int_equal(woken, 1);
    commit(1, 1);
    assert_int_equal(woken, 1); /* it has been told, and has not looked yet */
    assert_string_equal(answered(), "0 1");
    commit(1, 1);
    assert_int_equal(woken, 2);
    assert_string_equal(answered(), "2");
}

static void with_nothing_answered_there_is_nothing_to_take(void **state)
{
    (void)state;
    assert_null(port_take_answered(&port));
    port_hand_over(&port);
    assert_null(port_take_answered(&port));
}

static void a_closed_queue_still_gives_what_was_handed_over(void **state)
{
    (void)state;
    struct op *batch[OPS];
    submit(0, 3);
    queue_close(&queue);
    commit(2, 2);
    commit(1, 2);
    assert_int_equal(queue_take_batch(&queue, 0, batch, 2), 0);
    assert_int_equal(queue_take_batch(&queue, 0, batch, 2), 0);
    assert_string_equal(answered(), "0 1 2");
}

static void each_submitter_gets_its_own_answers_from_a_shared_batch(void **state)
{
    (void)state;
    struct op *batch[OPS];
    submit(0, 2);
    submit_through(&other, 2, 2);
    submit(4, 1);
    assert_int_equal(queue_take_batch(&queue, 0, batch, OPS), 5);
    for (int i = 0; i < 5; i++)
        assert_ptr_equal(batch[i], &ops[i]); /* one order, that of the hand-over */
    queue_answer(&queue, batch, 5);
    assert_int_equal(woken, 1);
    assert_int_equal(other_woken, 1);
    assert_string_equal(numbers(port_take_answered(&other)), "2 3");
    assert_string_equal(answered(), "0 1 4");
    assert_null(port_take_answered(&other));
}

static void only_who_has_answers_is_woken_and_only_once_told(void **state)
{
    (void)state;
    submit_through(&other, 0, 1);
    commit(1, OPS);
    assert_int_equal(woken, 0);
    assert_int_equal(other_woken, 1);
    submit(1, 1);
    submit_through(&other, 2, 1);
    commit(2, OPS);
    assert_int_equal(woken, 1);
    assert_int_equal(other_woken, 1); /* it has not looked yet */
    assert_string_equal(numbers(port_take_answered(&other)), "0 2");
    assert_string_equal(answered(), "1");
}

static void a_full_port_is_no_other_submitters_concern(void **state)
{
    (void)state;
    submit(0, OPS);
    struct op one = {.kind = OP_ENTRY}, *batch[OPS + 1];
    assert_false(port_submit(&port, &one));
    assert_true(port_submit(&other, &one));
    port_hand_over(&other);
    assert_int_equal(queue_take_batch(&queue, 0, batch, OPS + 1), OPS + 1);
    assert_ptr_equal(batch[OPS], &one);
    queue_answer(&queue, batch, OPS + 1);
    assert_ptr_equal(port_take_answered(&other), &one);
    assert_string_equal(answered(), "0 1 2 3 4 5 6 7");
}

static void an_insane_list_is_seen(void **state)
{
    (void)state;
    struct {
        struct op_list *list;
        bool in_port;
    } const lists[] = {
        {&queue.lanes[0].waiting, false}, {&port.staged, true}, {&port.answered, true}};
    assert_true(queue_sane(&queue));
    assert_true(port_sane(&port));
    port.pending = 2;
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        const struct op_list wrong[] = {
            {&ops[0], NULL, 1}, {NULL, &ops[0], 1}, {&ops[0], &ops[0], 0}, {NULL, NULL, 1}};
        for (size_t j = 0; j < COUNT_OF(wrong); j++) {
            *lists[i].list = wrong[j];
            assert_int_equal(queue_sane(&queue), lists[i].in_port);
            assert_int_equal(port_sane(&port), !lists[i].in_port);
        }
        *lists[i].list = (struct op_list){&ops[0], &ops[1], 2};
        assert_true(queue_sane(&queue));
        assert_true(port_sane(&port));
        if (lists[i].in_port) {
            port.pending = 1; /* fewer than there are */
            assert_false(port_sane(&port));
            port.pending = OPS + 1; /* more than there may be */
            assert_false(port_sane(&port));
            port.pending = 2;
        }
        *lists[i].list = (struct op_list){0};
    }
    port.pending = 0;
}

/* --- waiting for ops without taking them ------------------------------------------------------ */

static int64_t clock_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

static void a_wait_in_vain_lasts_as_long_as_it_was_told_to(void **state)
{
    (void)state;
    static const uint32_t timeouts_ms[] = {0, 1, 30, 999, 1001}; /* seconds are carried */
    for (size_t i = 0; i < COUNT_OF(timeouts_ms); i++) {
        int64_t before_us = clock_us();
        assert_false(queue_wait(&queue, 0, timeouts_ms[i]));
        assert_true(clock_us() - before_us >= timeouts_ms[i] * INT64_C(1000));
    }
}

static void a_wait_ends_at_once_where_ops_are_or_none_will_come(void **state)
{
    (void)state;
    submit(0, 2);
    assert_true(queue_wait(&queue, 0, UINT32_MAX));
    assert_int_equal(queue_waiting(&queue, 0), 2); /* they were not taken */
    commit(2, OPS);
    assert_string_equal(answered(), "0 1");
    assert_false(queue_wait(&queue, 0, 0));
    queue_close(&queue);
    assert_true(queue_wait(&queue, 0, UINT32_MAX));
}

static void ops_of_another_lane_end_no_wait(void **state)
{
    (void)state;
    struct op *batch[1], op = {.kind = OP_ENTRY, .lane = 1};
    struct queue two;
    queue_init(&two, 2);
    port_init(&port, &two, OPS, count_wake, &woken);
    assert_true(port_submit(&port, &op));
    port_hand_over(&port);
    assert_false(queue_wait(&two, 0, 5));
    assert_true(queue_wait(&two, 1, UINT32_MAX));
    assert_int_equal(queue_take_batch(&two, 1, batch, 1), 1);
    queue_answer(&two, batch, 1);
    (void)port_take_answered(&port);
    queue_free(&two);
}

static void *wait_long(void *context)
{
    bool *ready = context;
    *ready = queue_wait(&queue, 0, 20000);
    return NULL;
}

static void who_waits_is_woken_by_ops_and_by_the_end(void **state)
{
    (void)state;
    for (int close = 0; close < 2; close++) {
        pthread_t waiter;
        bool ready = false;
        int64_t before_us = clock_us();
        assert_int_equal(pthread_create(&waiter, NULL, wait_long, &ready), 0);
        const struct timespec a_while = {0, 20000000}; /* most likely it waits by then */
        nanosleep(&a_while, NULL);
        if (close)
            queue_close(&queue);
        else
            submit(0, 1);
        assert_int_equal(pthread_join(waiter, NULL), 0);
        assert_true(ready);
        assert_true(clock_us() - before_us < 20000000); /* and not because the time was over */
        if (close)
            break;
        commit(1, OPS);
        assert_string_equal(answered(), "0");
    }
}

/* --- threads -------------------------------------------------------------------------------- */

enum { MANY = 100000, PENDING = 97, BATCH = 16, SUBMITTERS = 2 };

/* One that submits from a pool of its own, and counts what comes back. */
struct submitter {
    struct port port;
    sem_t wakes;
    struct op pool[PENDING], *free_ops;
    uint32_t submitted, returned;
    bool in_order, lost;
    uint64_t random;
};

static struct crossing {
    struct queue queue;
    struct submitter submitters[SUBMITTERS];
    uint32_t committed[SUBMITTERS], largest;
    bool in_order;
} crossing;

static void post_wake(void *context)
{
    sem_post(context);
}

static void *commit_all(void *context)
{
    struct op *batch[BATCH];
    uint32_t count;
    (void)context;
    while ((count = queue_take_batch(&crossing.queue, 0, batch, BATCH)) > 0) {
        for (uint32_t i = 0; i < count; i++) {
            uint32_t *next = &crossing.committed[batch[i]->key_bytes]; /* whose op it is */
            crossing.in_order = crossing.in_order && batch[i]->client == *next;
            batch[i]->balance_cents = (*next)++;
        }
        if (count > crossing.largest)
            crossing.largest = count;
        queue_answer(&crossing.queue, batch, count);
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

static uint32_t up_to(struct submitter *submitter, uint32_t max)
{
    submitter->random = submitter->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(submitter->random >> 33) % (max + 1);
}

static void take_back(struct submitter *submitter)
{
    struct op *op = port_take_answered(&submitter->port), *next;
    for (; op; op = next) {
        next = op->next;
        submitter->in_order = submitter->in_order && op->client == submitter->returned &&
                              op->balance_cents == submitter->returned;
        submitter->returned++;
        op->next = submitter->free_ops;
        submitter->free_ops = op;
    }
}

static void *submit_many(void *context)
{
    struct submitter *submitter = context;
    while (submitter->returned < MANY && !submitter->lost) {
        for (uint32_t turn = 1 + up_to(submitter, 2 * BATCH);
             turn > 0 && submitter->free_ops && submitter->submitted < MANY; turn--) {
            struct op *op = submitter->free_ops;
            submitter->free_ops = op->next;
            op->client = submitter->submitted++;
            submitter->lost = submitter->lost || !port_submit(&submitter->port, op);
        }
        port_hand_over(&submitter->port);
        if (submitter->submitted < MANY && submitter->free_ops && up_to(submitter, 3) > 0)
            continue; /* more before the answers are looked at */
        submitter->lost = submitter->lost || !wait_for_wake(&submitter->wakes);
        take_back(submitter);
    }
    return NULL;
}

static void a_hundred_thousand_ops_of_each_submitter_cross_in_order_and_once(void **state)
{
    (void)state;
    pthread_t committer, submitters[SUBMITTERS];
    random_begin();
    crossing.in_order = true;
    queue_init(&crossing.queue, 1);
    for (int i = 0; i < SUBMITTERS; i++) {
        struct submitter *submitter = &crossing.submitters[i];
        port_init(&submitter->port, &crossing.queue, PENDING, post_wake, &submitter->wakes);
        sem_init(&submitter->wakes, 0, 0);
        submitter->in_order = true;
        submitter->random = random_next();
        for (int j = 0; j < PENDING; j++) {
            submitter->pool[j].key_bytes = (uint8_t)i;
            submitter->pool[j].next = submitter->free_ops;
            submitter->free_ops = &submitter->pool[j];
        }
    }
    assert_int_equal(pthread_create(&committer, NULL, commit_all, NULL), 0);
    for (int i = 0; i < SUBMITTERS; i++)
        assert_int_equal(pthread_create(&submitters[i], NULL, submit_many, &crossing.submitters[i]),
                         0);
    for (int i = 0; i < SUBMITTERS; i++)
        assert_int_equal(pthread_join(submitters[i], NULL), 0);
    queue_close(&crossing.queue);
    assert_int_equal(pthread_join(committer, NULL), 0);

    assert_true(crossing.in_order);
    assert_in_range(crossing.largest, 1, BATCH);
    for (int i = 0; i < SUBMITTERS; i++) {
        struct submitter *submitter = &crossing.submitters[i];
        if (submitter->lost)
            FAIL("submitter %d: refused, or no wake for 20 s; %u of %u came back", i,
                 submitter->returned, submitter->submitted);
        assert_true(submitter->in_order);
        assert_int_equal(submitter->returned, MANY);
        assert_int_equal(crossing.committed[i], MANY);
        assert_null(port_take_answered(&submitter->port));
        sem_destroy(&submitter->wakes);
        port_free(&submitter->port);
    }
    queue_free(&crossing.queue);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(ops_come_in_the_order_of_submission),
        TEST(a_batch_takes_no_more_than_it_was_told_to),
        TEST(nothing_moves_before_it_is_handed_over),
        TEST(a_full_port_refuses_and_the_op_stays_the_callers),
        TEST(ports_that_share_their_room_are_full_together),
        TEST(the_submitter_is_woken_once_until_it_has_looked),
        TEST(with_nothing_answered_there_is_nothing_to_take),
        TEST(a_closed_queue_still_gives_what_was_handed_over),
        TEST(each_submitter_gets_its_own_answers_from_a_shared_batch),
        TEST(only_who_has_answers_is_woken_and_only_once_told),
        TEST(a_full_port_is_no_other_submitters_concern),
        TEST(an_insane_list_is_seen),
        TEST(a_wait_in_vain_lasts_as_long_as_it_was_told_to),
        TEST(a_wait_ends_at_once_where_ops_are_or_none_will_come),
        TEST(ops_of_another_lane_end_no_wait),
        TEST(who_waits_is_woken_by_ops_and_by_the_end),
        cmocka_unit_test(a_hundred_thousand_ops_of_each_submitter_cross_in_order_and_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
