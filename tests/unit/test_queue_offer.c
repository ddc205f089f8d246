/* SPDX-License-Identifier: MIT
 *
 * test_queue_offer.c - what is staged is offered to somebody who needs no committer: all of it is taken, or
 * done at once, or left as it was. And who takes answers by itself is not woken for them.
 */
#include "unit.h"

#include <pthread.h>
#include <string.h>

#include "store/queue.h"

enum { OPS = BATCH_OPS_MAX + 1 };

static struct op ops[OPS];
static struct queue queue;
static struct port port;
static int woken;

static void count_wake(void *context)
{
    ++*(int *)context;
}

static int setup(void **state)
{
    (void)state;
    memset(ops, 0, sizeof ops);
    woken = 0;
    queue_init(&queue, 1);
    port_init(&port, &queue, OPS, count_wake, &woken);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    port_free(&port);
    queue_free(&queue);
    return 0;
}

static void stage(uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++)
        assert_true(port_submit(&port, &ops[i]));
}

/* --- who is offered them ---------------------------------------------------------------------- */

struct taker {
    bool takes, answers; /* answers: before it says that it has taken them */
    bool does;           /* and gives them back with their outcomes */
    int offers;
    uint32_t count;
    struct op *ops[BATCH_OPS_MAX];
};

static void *answer(void *context)
{
    struct taker *taker = context;
    queue_answer(&queue, taker->ops, taker->count);
    return NULL;
}

static enum offered take(void *context, struct op **offered, uint32_t count)
{
    struct taker *taker = context;
    pthread_t thread;
    taker->offers++;
    taker->count = count;
    assert_in_range(count, 1, BATCH_OPS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        taker->ops[i] = offered[i];
        assert_int_equal(offered[i]->state, OP_COMMITTING);
    }
    if (taker->answers) {
        assert_int_equal(pthread_create(&thread, NULL, answer, taker), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
    return taker->does ? OFFERED_DONE : taker->takes ? OFFERED_TAKEN : OFFERED_IN_VAIN;
}

static void expect_offered(const struct taker *taker, uint32_t first, uint32_t count)
{
    assert_int_equal(taker->count, count);
    for (uint32_t i = 0; i < count; i++)
        assert_ptr_equal(taker->ops[i], &ops[first + i]);
}

static void expect_answered(uint32_t first, uint32_t count)
{
    const struct op *op = port_take_answered(&port);
    for (uint32_t i = first; i < first + count; i++, op = op->next) {
        assert_ptr_equal(op, &ops[i]);
        assert_int_equal(op->state, OP_IDLE);
    }
    assert_null(op);
}

static void what_is_taken_goes_to_no_committer_and_comes_back(void **state)
{
    (void)state;
    struct taker taker = {.takes = true};
    stage(0, 3);
    assert_null(port_offer(&port, take, &taker));
    expect_offered(&taker, 0, 3);
    assert_int_equal(port.pending, 3);
    assert_true(port_sane(&port));
    stage(3, 2); /* nothing of it hangs on to what is taken */
    port_hand_over(&port);
    assert_int_equal(queue_waiting(&queue, 0), 2);
    struct op *batch[OPS];
    assert_int_equal(queue_take_batch(&queue, 0, batch, BATCH_OPS_MAX), 2);
    queue_answer(&queue, batch, 2);
    expect_answered(3, 2);
    assert_int_equal(port.pending, 3);
    assert_int_equal(woken, 1);
    (void)answer(&taker);
    assert_int_equal(woken, 2);
    expect_answered(0, 3);
    assert_int_equal(port.pending, 0);
}

static void answers_may_be_quicker_than_whoever_takes(void **state)
{
    (void)state;
    struct taker taker = {.takes = true, .answers = true};
    for (uint32_t i = 0; i < 9; i += 3) {
        stage(i, 3);
        assert_null(port_offer(&port, take, &taker));
        expect_offered(&taker, i, 3);
    }
    assert_int_equal(taker.offers, 3);
    assert_int_equal(port.staged.count, 0);
    assert_int_equal(woken, 1);
    expect_answered(0, 9);
    assert_int_equal(port.pending, 0);
}

static void what_is_left_goes_its_usual_way_in_order(void **state)
{
    (void)state;
    struct taker taker = {0};
    struct op *batch[OPS];
    stage(0, 3);
    for (int i = 1; i <= 2; i++) {
        assert_null(port_offer(&port, take, &taker));
        assert_int_equal(taker.offers, i);
        expect_offered(&taker, 0, 3);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(ops[i].state, OP_QUEUED);
    stage(3, 2);
    assert_null(port_offer(&port, take, &taker));
    expect_offered(&taker, 0, 5);
    assert_int_equal(queue_waiting(&queue, 0), 0);
    assert_int_equal(port.pending, 5);
    port_hand_over(&port);
    assert_int_equal(queue_take_batch(&queue, 0, batch, BATCH_OPS_MAX), 5);
    queue_answer(&queue, batch, 5);
    expect_answered(0, 5);
}

static void what_is_done_is_given_back_at_once_and_makes_room(void **state)
{
    (void)state;
    struct taker taker = {.does = true};
    struct op *batch[OPS];
    for (uint32_t i = 0; i < OPS; i++) { /* more in all than may be pending */
        stage(i, 1);
        stage((i + 1) % OPS, 1);
        const struct op *op = port_offer(&port, take, &taker);
        assert_int_equal(taker.count, 2);
        assert_ptr_equal(op, &ops[i]);
        assert_int_equal(op->state, OP_IDLE);
        assert_ptr_equal(op->next, &ops[(i + 1) % OPS]);
        assert_int_equal(op->next->state, OP_IDLE);
        assert_null(op->next->next);
        assert_int_equal(port.pending, 0);
        assert_int_equal(atomic_load(&port.taken), 0);
    }
    assert_int_equal(woken, 0);
    assert_null(port_take_answered(&port));
    taker.does = false; /* and nothing of it is left in the way of the next */
    stage(0, 1);
    assert_null(port_offer(&port, take, &taker));
    port_hand_over(&port);
    assert_int_equal(queue_take_batch(&queue, 0, batch, BATCH_OPS_MAX), 1);
    queue_answer(&queue, batch, 1);
    expect_answered(0, 1);
}

static void who_takes_answers_by_itself_is_not_woken_until_it_has(void **state)
{
    (void)state;
    struct taker taker = {.takes = true};
    stage(0, 1);
    assert_null(port_offer(&port, take, &taker));
    port_expect(&port);
    (void)answer(&taker);
    assert_int_equal(woken, 0);
    expect_answered(0, 1);
    stage(1, 1);
    assert_null(port_offer(&port, take, &taker));
    (void)answer(&taker);
    assert_int_equal(woken, 1);
    expect_answered(1, 1);
}

static void nothing_is_not_offered_nor_more_than_a_batch(void **state)
{
    (void)state;
    struct taker taker = {.takes = true};
    struct op *batch[OPS];
    assert_null(port_offer(&port, take, &taker));
    assert_int_equal(taker.offers, 0);
    stage(0, BATCH_OPS_MAX);
    assert_null(port_offer(&port, take, &taker));
    assert_int_equal(taker.offers, 1);
    expect_offered(&taker, 0, BATCH_OPS_MAX);
    assert_null(port_offer(&port, take, &taker));
    assert_int_equal(taker.offers, 1);
    (void)answer(&taker);
    expect_answered(0, BATCH_OPS_MAX);
    stage(0, BATCH_OPS_MAX + 1);
    assert_null(port_offer(&port, take, &taker));
    assert_int_equal(taker.offers, 1);
    port_hand_over(&port);
    for (uint32_t left = BATCH_OPS_MAX + 1; left > 0;) {
        uint32_t count = queue_take_batch(&queue, 0, batch, BATCH_OPS_MAX);
        queue_answer(&queue, batch, count);
        left -= count;
    }
    expect_answered(0, BATCH_OPS_MAX + 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_is_taken_goes_to_no_committer_and_comes_back),
        TEST(answers_may_be_quicker_than_whoever_takes),
        TEST(what_is_left_goes_its_usual_way_in_order),
        TEST(what_is_done_is_given_back_at_once_and_makes_room),
        TEST(who_takes_answers_by_itself_is_not_woken_until_it_has),
        TEST(nothing_is_not_offered_nor_more_than_a_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
