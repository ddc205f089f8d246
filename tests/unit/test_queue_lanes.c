/* SPDX-License-Identifier: MIT
 *
 * test_queue_lanes.c - a queue of several lanes: each op goes to its own, keeps its order there, and
 * comes back to its submitter from whichever it was in.
 */
#include "unit.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "store/queue.h"

enum { OPS = 16, LANES = 3 };

static struct op ops[OPS];
static struct queue queue;
static struct port port, other;
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
    queue_init(&queue, LANES);
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

/* The ops from `first` on, each in the lane that its letter of `lanes` names: 'a' is lane 0. */
static void submit(struct port *through, int first, const char *lanes)
{
    for (int i = 0; lanes[i]; i++) {
        ops[first + i].lane = (uint32_t)(lanes[i] - 'a');
        assert_true(port_submit(through, &ops[first + i]));
    }
    port_hand_over(through);
}

/* A batch of the lane is what the numbers say: "0 3 4". */
static void expect_batch(uint32_t lane, struct op **batch, uint32_t batch_max, const char *numbers)
{
    char text[4 * OPS + 1] = "";
    uint32_t count = queue_take_batch(&queue, lane, batch, batch_max);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(batch[i]->state, OP_COMMITTING);
        snprintf(text + strlen(text), sizeof text - strlen(text), i == 0 ? "%d" : " %d",
                 (int)(batch[i] - ops));
    }
    assert_string_equal(text, numbers);
}

static void commit(uint32_t lane, const char *numbers)
{
    struct op *batch[OPS];
    expect_batch(lane, batch, OPS, numbers);
    uint32_t count = 0;
    for (const char *at = numbers; at; at = strchr(at + 1, ' '))
        count++;
    queue_answer(&queue, batch, count);
}

static void expect_answers(struct port *of, const char *numbers)
{
    char text[4 * OPS + 1] = "";
    for (const struct op *op = port_take_answered(of); op; op = op->next)
        snprintf(text + strlen(text), sizeof text - strlen(text), text[0] ? " %d" : "%d",
                 (int)(op - ops));
    assert_string_equal(text, numbers);
}

static void each_op_goes_to_its_lane(void **state)
{
    (void)state;
    submit(&port, 0, "abc");
    assert_int_equal(queue.lanes[0].waiting.count, 1);
    commit(2, "2");
    commit(0, "0");
    commit(1, "1");
    expect_answers(&port, "2 0 1");
    for (int i = 0; i < 3; i++)
        assert_int_equal(ops[i].state, OP_IDLE);
}

static void within_a_lane_ops_keep_their_order(void **state)
{
    (void)state;
    submit(&port, 0, "cacaab");
    submit(&port, 6, "acb");
    commit(0, "1 3 4 6");
    commit(1, "5 8");
    commit(2, "0 2 7");
    expect_answers(&port, "1 3 4 6 5 8 0 2 7");
}

static void a_lane_gives_no_more_than_a_batch_and_leaves_the_others_alone(void **state)
{
    (void)state;
    struct op *batch[OPS];
    submit(&port, 0, "abababa");
    expect_batch(0, batch, 3, "0 2 4");
    queue_answer(&queue, batch, 3);
    assert_int_equal(queue.lanes[1].waiting.count, 3);
    commit(0, "6");
    commit(1, "1 3 5");
    expect_answers(&port, "0 2 4 6 1 3 5");
}

static void answers_of_several_lanes_come_back_to_each_port_and_wake_it_once(void **state)
{
    (void)state;
    submit(&port, 0, "ab");
    submit(&other, 2, "ba");
    submit(&port, 4, "a");
    commit(1, "1 2");
    assert_int_equal(woken, 1);
    assert_int_equal(other_woken, 1);
    commit(0, "0 3 4");
    assert_int_equal(woken, 1); /* told already, and it has not looked yet */
    assert_int_equal(other_woken, 1);
    expect_answers(&other, "2 3");
    expect_answers(&port, "1 0 4");
}

static void a_batch_that_is_out_is_answered_after_a_later_one_of_another_lane(void **state)
{
    (void)state;
    struct op *slow[OPS], *quick[OPS];
    submit(&port, 0, "aab");
    expect_batch(0, slow, OPS, "0 1");
    submit(&port, 3, "b");
    expect_batch(1, quick, OPS, "2 3");
    queue_answer(&queue, quick, 2);
    expect_answers(&port, "2 3");
    assert_int_equal(ops[0].state, OP_COMMITTING);
    queue_answer(&queue, slow, 2);
    expect_answers(&port, "0 1");
    assert_int_equal(woken, 2);
}

static void a_port_is_full_however_its_ops_are_spread_over_the_lanes(void **state)
{
    (void)state;
    port_init(&port, &queue, 3, count_wake, &woken);
    submit(&port, 0, "abc");
    ops[3].lane = 1;
    assert_false(port_submit(&port, &ops[3]));
    assert_int_equal(ops[3].state, OP_IDLE);
    commit(1, "1");
    assert_false(port_submit(&port, &ops[3]));
    expect_answers(&port, "1");
    assert_true(port_submit(&port, &ops[3]));
    port_hand_over(&port);
    commit(0, "0");
    commit(1, "3");
    commit(2, "2");
    expect_answers(&port, "0 3 2");
}

static void a_closed_queue_empties_each_lane_and_then_ends_each(void **state)
{
    (void)state;
    struct op *batch[OPS];
    submit(&port, 0, "acca");
    queue_close(&queue);
    assert_int_equal(queue_take_batch(&queue, 1, batch, OPS), 0);
    commit(2, "1 2");
    assert_int_equal(queue_take_batch(&queue, 2, batch, OPS), 0);
    commit(0, "0 3");
    for (uint32_t lane = 0; lane < LANES; lane++)
        assert_int_equal(queue_take_batch(&queue, lane, batch, OPS), 0);
    expect_answers(&port, "1 2 0 3");
}

static void an_insane_lane_is_seen_whichever_it_is(void **state)
{
    (void)state;
    for (uint32_t lane = 0; lane < LANES; lane++) {
        queue.lanes[lane].waiting.count = 1;
        assert_false(queue_sane(&queue));
        queue.lanes[lane].waiting.count = 0;
        assert_true(queue_sane(&queue));
    }
    static const uint32_t wrong[] = {0, LANES_MAX + 1, UINT32_MAX};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        queue.lane_count = wrong[i];
        assert_false(queue_sane(&queue));
    }
    queue.lane_count = LANES;
}

static void submit_to_no_lane(const void *argument)
{
    struct op op = {.lane = *(const uint32_t *)argument};
    if (!port_submit(&port, &op))
        return;
}

static void a_lane_that_is_not_there_is_our_mistake(void **state)
{
    (void)state;
    const uint32_t last = LANES - 1, beyond = LANES;
    assert_false(asserts(submit_to_no_lane, &last));
    assert_true(asserts(submit_to_no_lane, &beyond));
}

static void the_last_of_64_lanes_is_as_good_as_the_first(void **state)
{
    (void)state;
    static struct queue wide;
    static struct port through;
    struct op *batch[OPS], first = {.lane = 0}, last = {.lane = LANES_MAX - 1};
    queue_init(&wide, LANES_MAX);
    port_init(&through, &wide, OPS, count_wake, &woken);
    assert_true(port_submit(&through, &last));
    assert_true(port_submit(&through, &first));
    port_hand_over(&through);
    assert_int_equal(queue_take_batch(&wide, LANES_MAX - 1, batch, OPS), 1);
    assert_ptr_equal(batch[0], &last);
    queue_answer(&wide, batch, 1);
    assert_int_equal(queue_take_batch(&wide, 0, batch, OPS), 1);
    queue_answer(&wide, batch, 1);
    assert_ptr_equal(port_take_answered(&through), &last);
    port_free(&through);
    queue_free(&wide);
}

/* --- threads -------------------------------------------------------------------------------- */

enum { MANY = 50000, PENDING = 97, BATCH = 16, CROSSING_LANES = 4, SUBMITTERS = 2 };

struct submitter {
    struct port port;
    sem_t wakes;
    struct op pool[PENDING], *free_ops;
    uint32_t numbers[CROSSING_LANES], returned_of[CROSSING_LANES]; /* of each lane */
    uint32_t submitted, returned;
    bool in_order, lost;
    uint64_t random;
};

static struct crossing {
    struct queue queue;
    struct submitter submitters[SUBMITTERS];
    struct lane_end {
        uint32_t next[SUBMITTERS];
        bool in_order, own;
    } ends[CROSSING_LANES];
} crossing;

static void post_wake(void *context)
{
    sem_post(context);
}

static uint32_t numbers[CROSSING_LANES] = {0, 1, 2, 3};

static void *commit_lane(void *context)
{
    uint32_t lane = *(const uint32_t *)context, count;
    struct lane_end *end = &crossing.ends[lane];
    struct op *batch[BATCH];
    while ((count = queue_take_batch(&crossing.queue, lane, batch, BATCH)) > 0) {
        for (uint32_t i = 0; i < count; i++) {
            uint32_t *next = &end->next[batch[i]->key_bytes]; /* whose op it is */
            end->own = end->own && batch[i]->lane == lane;
            end->in_order = end->in_order && batch[i]->client == *next;
            batch[i]->balance_cents = (*next)++;
        }
        queue_answer(&crossing.queue, batch, count);
    }
    return NULL;
}

static uint32_t up_to(struct submitter *submitter, uint32_t max)
{
    submitter->random = submitter->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(submitter->random >> 33) % (max + 1);
}

static bool wait_for_wake(sem_t *wakes)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    return sem_timedwait(wakes, &until) == 0;
}

/* Between lanes there is no order; within each there is. */
static void take_back(struct submitter *submitter)
{
    struct op *op = port_take_answered(&submitter->port), *next;
    for (; op; op = next) {
        next = op->next;
        uint32_t *expected = &submitter->returned_of[op->lane];
        submitter->in_order = submitter->in_order && op->client == *expected &&
                              op->balance_cents == *expected;
        ++*expected;
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
            op->lane = up_to(submitter, CROSSING_LANES - 1);
            op->client = submitter->numbers[op->lane]++;
            submitter->submitted++;
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

static void begin_submitter(int i)
{
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

static void end_submitter(int i)
{
    struct submitter *submitter = &crossing.submitters[i];
    if (submitter->lost)
        FAIL("submitter %d: refused, or no wake for 20 s; %u of %u came back", i,
             submitter->returned, submitter->submitted);
    assert_true(submitter->in_order);
    assert_int_equal(submitter->returned, MANY);
    for (int lane = 0; lane < CROSSING_LANES; lane++)
        assert_int_equal(crossing.ends[lane].next[i], submitter->numbers[lane]);
    assert_null(port_take_answered(&submitter->port));
    sem_destroy(&submitter->wakes);
    port_free(&submitter->port);
}

static void committers_of_four_lanes_answer_two_ports_at_once(void **state)
{
    (void)state;
    pthread_t committers[CROSSING_LANES], submitters[SUBMITTERS];
    random_begin();
    queue_init(&crossing.queue, CROSSING_LANES);
    for (int i = 0; i < SUBMITTERS; i++)
        begin_submitter(i);
    for (int i = 0; i < CROSSING_LANES; i++) {
        crossing.ends[i].in_order = crossing.ends[i].own = true;
        assert_int_equal(pthread_create(&committers[i], NULL, commit_lane, &numbers[i]), 0);
    }
    for (int i = 0; i < SUBMITTERS; i++)
        assert_int_equal(pthread_create(&submitters[i], NULL, submit_many, &crossing.submitters[i]),
                         0);
    for (int i = 0; i < SUBMITTERS; i++)
        assert_int_equal(pthread_join(submitters[i], NULL), 0);
    queue_close(&crossing.queue);
    for (int i = 0; i < CROSSING_LANES; i++) {
        assert_int_equal(pthread_join(committers[i], NULL), 0);
        assert_true(crossing.ends[i].own);
        assert_true(crossing.ends[i].in_order);
    }
    for (int i = 0; i < SUBMITTERS; i++)
        end_submitter(i);
    queue_free(&crossing.queue);
}

static void *wait_in_lane(void *context)
{
    struct op *batch[OPS];
    uint32_t lane = *(const uint32_t *)context;
    return queue_take_batch(&queue, lane, batch, OPS) == 0 ? &queue : NULL;
}

static void closing_ends_every_lane_that_waits(void **state)
{
    (void)state;
    pthread_t waiting[LANES];
    void *ended;
    static const struct timespec a_while = {0, 20000000};
    for (int i = 0; i < LANES; i++)
        assert_int_equal(pthread_create(&waiting[i], NULL, wait_in_lane, &numbers[i]), 0);
    nanosleep(&a_while, NULL);
    queue_close(&queue);
    for (int i = 0; i < LANES; i++) {
        assert_int_equal(pthread_join(waiting[i], &ended), 0);
        assert_ptr_equal(ended, &queue);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_op_goes_to_its_lane),
        TEST(within_a_lane_ops_keep_their_order),
        TEST(a_lane_gives_no_more_than_a_batch_and_leaves_the_others_alone),
        TEST(answers_of_several_lanes_come_back_to_each_port_and_wake_it_once),
        TEST(a_batch_that_is_out_is_answered_after_a_later_one_of_another_lane),
        TEST(a_port_is_full_however_its_ops_are_spread_over_the_lanes),
        TEST(a_closed_queue_empties_each_lane_and_then_ends_each),
        TEST(an_insane_lane_is_seen_whichever_it_is),
        TEST(a_lane_that_is_not_there_is_our_mistake),
        TEST(the_last_of_64_lanes_is_as_good_as_the_first),
        TEST(closing_ends_every_lane_that_waits),
        cmocka_unit_test(committers_of_four_lanes_answer_two_ports_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
