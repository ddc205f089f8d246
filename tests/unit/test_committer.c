/* SPDX-License-Identifier: MIT
 *
 * test_committer.c - the thread that commits: first the commit, then the answers, then the wake.
 */
#include "unit.h"

#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "store/committer.h"

enum { OPS = 2 * BATCH_OPS_MAX + 50 };

static struct queue queue;
static struct port port;
static struct op ops[OPS];
static sem_t began, go_on, wakes;
static atomic_int committing, woken_too_early;
static uint32_t batches, largest, smallest, committed;
static bool in_order, signals_blocked;

static bool commit(struct backend *backend, uint32_t lane, struct op **batch, uint32_t count)
{
    sigset_t blocked;
    (void)backend;
    (void)lane;
    atomic_store(&committing, 1);
    sem_post(&began);
    sem_wait(&go_on);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    signals_blocked = sigismember(&blocked, SIGTERM) == 1 && sigismember(&blocked, SIGINT) == 1;
    for (uint32_t i = 0; i < count; i++, committed++) {
        in_order = in_order && batch[i] == &ops[committed];
        batch[i]->outcome = OUTCOME_OK;
    }
    largest = count > largest ? count : largest;
    smallest = count < smallest ? count : smallest;
    batches++;
    atomic_store(&committing, 0);
    return true;
}

static void wake(void *context)
{
    if (atomic_load(&committing))
        atomic_fetch_add(&woken_too_early, 1);
    sem_post(context);
}

static const struct backend_calls calls = {.commit = commit};
static struct backend backend = {.calls = &calls, .lanes = 1};
static struct committer committer;

static int setup(void **state)
{
    (void)state;
    for (int i = 0; i < OPS; i++)
        ops[i] = (struct op){.kind = OP_ENTRY, .outcome = OUTCOME_UNKNOWN};
    sem_init(&began, 0, 0);
    sem_init(&go_on, 0, 0);
    sem_init(&wakes, 0, 0);
    atomic_store(&committing, 0);
    atomic_store(&woken_too_early, 0);
    batches = largest = committed = 0;
    smallest = UINT32_MAX;
    in_order = true;
    queue_init(&queue, 1);
    port_init(&port, &queue, OPS, wake, &wakes);
    committer = (struct committer){.queue = &queue, .backend = &backend};
    return committer_start(&committer) ? 0 : -1;
}

static void submit(int first, int count)
{
    for (int i = first; i < first + count; i++)
        assert_true(port_submit(&port, &ops[i]));
    port_hand_over(&port);
}

static void expect_soon(sem_t *semaphore)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    assert_int_equal(sem_timedwait(semaphore, &until), 0);
}

static void stop(void)
{
    port_hand_over(&port);
    queue_close(&queue);
    for (int i = 0; i < OPS; i++)
        sem_post(&go_on);
    committer_stop(&committer);
    (void)port_take_answered(&port);
    port_free(&port);
    queue_free(&queue);
    sem_destroy(&began);
    sem_destroy(&go_on);
    sem_destroy(&wakes);
}

static void nothing_is_answered_before_it_is_committed(void **state)
{
    (void)state;
    submit(0, 3);
    expect_soon(&began);
    const struct timespec a_while = {0, 20000000};
    nanosleep(&a_while, NULL);
    assert_null(port_take_answered(&port));
    assert_int_not_equal(sem_trywait(&wakes), 0);
    sem_post(&go_on);
    expect_soon(&wakes);
    int count = 0;
    for (struct op *op = port_take_answered(&port); op; op = op->next, count++)
        assert_int_equal(op->outcome, OUTCOME_OK);
    assert_int_equal(count, 3);
    stop();
    assert_int_equal(atomic_load(&woken_too_early), 0);
}

static void what_comes_during_a_commit_shares_the_next_ones(void **state)
{
    (void)state;
    submit(0, 1);
    expect_soon(&began);
    for (int i = 1; i < OPS; i++)
        submit(i, 1); /* each in a turn of its own */
    stop();
    assert_int_equal(committed, OPS);
    assert_int_equal(batches, 4); /* 1, 256, 256, and the rest */
    assert_int_equal(largest, BATCH_OPS_MAX);
    assert_int_equal(smallest, 1);
    assert_true(in_order);
}

static void stopping_commits_what_was_submitted(void **state)
{
    (void)state;
    submit(0, 10);
    for (int i = 10; i < 20; i++)
        assert_true(port_submit(&port, &ops[i])); /* not handed over */
    stop();
    assert_int_equal(committed, 20);
    for (int i = 0; i < 20; i++)
        assert_int_equal(ops[i].outcome, OUTCOME_OK);
}

static void signals_are_left_to_the_main_thread(void **state)
{
    (void)state;
    sigset_t before, after;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    submit(0, 1);
    stop();
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_true(signals_blocked);
    assert_int_equal(sigismember(&after, SIGTERM), 0);
    assert_int_equal(sigismember(&before, SIGTERM), 0);
}

/* --- a store that gathers ------------------------------------------------------------------- */

enum { GATHER_US = 400000 };

static int setup_gathering(void **state)
{
    backend.gather_us = GATHER_US;
    return setup(state);
}

static int teardown_gathering(void **state)
{
    (void)state;
    backend.gather_us = 0;
    return 0;
}

/* One after the other, each when the one before is answered; how many batches these are. */
static uint32_t batches_of(const int *counts, int turns)
{
    const struct timespec a_while = {0, 20000000};
    uint32_t before = batches;
    int first = 0;
    for (int i = 0; i < turns; i++) {
        submit(first, counts[i]);
        first += counts[i];
        sem_post(&go_on);
        nanosleep(&a_while, NULL);
    }
    stop();
    return batches - before;
}

static void after_a_batch_of_several_more_are_waited_for(void **state)
{
    (void)state;
    static const int counts[] = {2, 1, 1, 1};
    assert_int_equal(batches_of(counts, COUNT_OF(counts)), 2);
    assert_int_equal(committed, 5);
}

static void a_lone_op_waits_for_nobody(void **state)
{
    (void)state;
    static const int counts[] = {1, 1, 1, 1};
    assert_int_equal(batches_of(counts, COUNT_OF(counts)), 4);
}

static void where_many_wait_already_nobody_else_is_waited_for(void **state)
{
    (void)state;
    struct timespec began_at, ended_at;
    submit(0, 2);
    expect_soon(&began);
    submit(2, 100);
    clock_gettime(CLOCK_MONOTONIC, &began_at);
    sem_post(&go_on);
    expect_soon(&began); /* the hundred, at once */
    clock_gettime(CLOCK_MONOTONIC, &ended_at);
    stop();
    int64_t waited_us = (ended_at.tv_sec - began_at.tv_sec) * INT64_C(1000000) +
                        (ended_at.tv_nsec - began_at.tv_nsec) / 1000;
    assert_true(waited_us < GATHER_US);
}

/* --- two lanes ------------------------------------------------------------------------------ */

static atomic_int of_lane[2], wrong_lane;
static sem_t lane_go_on[2];

static bool commit_in_lane(struct backend *of, uint32_t lane, struct op **batch, uint32_t count)
{
    (void)of;
    sem_post(&began);
    sem_wait(&lane_go_on[lane]);
    for (uint32_t i = 0; i < count; i++) {
        if (batch[i]->lane != lane)
            atomic_fetch_add(&wrong_lane, 1);
        batch[i]->outcome = OUTCOME_OK;
    }
    atomic_fetch_add(&of_lane[lane], (int)count);
    return true;
}

static void a_commit_of_one_lane_does_not_wait_for_that_of_another(void **state)
{
    (void)state;
    static const struct backend_calls lane_calls = {.commit = commit_in_lane};
    static struct backend two = {.calls = &lane_calls, .lanes = 2};
    static struct committer each[2];
    sem_init(&began, 0, 0);
    sem_init(&wakes, 0, 0);
    queue_init(&queue, 2);
    port_init(&port, &queue, OPS, wake, &wakes);
    for (uint32_t lane = 0; lane < 2; lane++) {
        sem_init(&lane_go_on[lane], 0, 0);
        each[lane] = (struct committer){.queue = &queue, .backend = &two, .lane = lane};
        assert_true(committer_start(&each[lane]));
    }
    for (int i = 0; i < 10; i++) {
        ops[i] = (struct op){.kind = OP_ENTRY, .outcome = OUTCOME_UNKNOWN, .lane = i % 5 == 0};
        assert_true(port_submit(&port, &ops[i]));
    }
    port_hand_over(&port);
    expect_soon(&began);
    expect_soon(&began); /* both are at it */
    sem_post(&lane_go_on[1]);
    expect_soon(&wakes);
    const struct op *answered = port_take_answered(&port);
    assert_ptr_equal(answered, &ops[0]);
    assert_ptr_equal(answered->next, &ops[5]);
    assert_null(answered->next->next);
    assert_int_equal(atomic_load(&of_lane[0]), 0);
    queue_close(&queue);
    sem_post(&lane_go_on[0]);
    for (int lane = 0; lane < 2; lane++)
        committer_stop(&each[lane]);
    assert_int_equal(atomic_load(&of_lane[0]), 8);
    assert_int_equal(atomic_load(&of_lane[1]), 2);
    assert_int_equal(atomic_load(&wrong_lane), 0);
    (void)port_take_answered(&port);
    port_free(&port);
    queue_free(&queue);
    for (int lane = 0; lane < 2; lane++)
        sem_destroy(&lane_go_on[lane]);
    sem_destroy(&began);
    sem_destroy(&wakes);
}

/* --- what can wait ---------------------------------------------------------------------------- */

/* What happened, in order: a commit, a wake, and settle() after a batch or when idle. */
static struct {
    char text[32];
    atomic_int count;
    bool left, left_when_idle; /* what it says */
    sem_t settling, settle_on, idle;
} events;

static void note(char event)
{
    events.text[atomic_fetch_add(&events.count, 1)] = event;
}

static bool commit_at_once(struct backend *of, uint32_t lane, struct op **batch, uint32_t count)
{
    (void)of;
    (void)lane;
    for (uint32_t i = 0; i < count; i++)
        batch[i]->outcome = OUTCOME_OK;
    note('c');
    return true;
}

static bool settle(struct backend *of, uint32_t lane, bool idle)
{
    (void)of;
    (void)lane;
    if (!idle) {
        sem_post(&events.settling);
        sem_wait(&events.settle_on);
    }
    note(idle ? 'i' : 's');
    if (idle)
        sem_post(&events.idle);
    return idle ? events.left_when_idle : events.left;
}

static void note_wake(void *context)
{
    note('w');
    sem_post(context);
}

static const struct backend_calls settling_calls = {.commit = commit_at_once, .settle = settle};
static struct backend settling_backend = {.calls = &settling_calls, .lanes = 1};

static void begin_settling(bool left, bool left_when_idle)
{
    for (int i = 0; i < OPS; i++)
        ops[i] = (struct op){.kind = OP_ENTRY, .outcome = OUTCOME_UNKNOWN};
    memset(events.text, 0, sizeof events.text);
    atomic_store(&events.count, 0);
    events.left = left;
    events.left_when_idle = left_when_idle;
    sem_init(&events.settling, 0, 0);
    sem_init(&events.settle_on, 0, 0);
    sem_init(&events.idle, 0, 0);
    sem_init(&wakes, 0, 0);
    queue_init(&queue, 1);
    port_init(&port, &queue, OPS, note_wake, &wakes);
    committer = (struct committer){.queue = &queue, .backend = &settling_backend};
    assert_true(committer_start(&committer));
}

static void take_back(void)
{
    expect_soon(&wakes);
    (void)port_take_answered(&port);
}

static void expect_events(const char *expected)
{
    queue_close(&queue);
    sem_post(&events.settle_on);
    committer_stop(&committer);
    (void)port_take_answered(&port);
    assert_string_equal(events.text, expected);
    port_free(&port);
    queue_free(&queue);
    sem_destroy(&events.settling);
    sem_destroy(&events.settle_on);
    sem_destroy(&events.idle);
    sem_destroy(&wakes);
}

/* Longer than the pause after which nobody asks. */
static void wait_for_more_than_a_pause(void)
{
    const struct timespec pause = {0, 3L * SETTLE_IDLE_MS * 1000000};
    nanosleep(&pause, NULL);
}

static void what_can_wait_is_done_after_the_answers_of_each_batch(void **state)
{
    (void)state;
    begin_settling(false, false);
    for (int i = 0; i < 2; i++) {
        submit(i, 1);
        take_back();
        expect_soon(&events.settling);
        sem_post(&events.settle_on);
    }
    wait_for_more_than_a_pause(); /* nothing is left */
    expect_events("cwscws");
}

static void what_is_left_is_done_when_nobody_asks_and_once(void **state)
{
    (void)state;
    begin_settling(true, false);
    submit(0, 1);
    take_back();
    sem_post(&events.settle_on);
    expect_soon(&events.idle);
    wait_for_more_than_a_pause();
    expect_events("cwsi");
}

static void while_there_are_ops_nothing_is_idle(void **state)
{
    (void)state;
    begin_settling(true, false);
    submit(0, 1);
    take_back();
    expect_soon(&events.settling);
    submit(1, 1);
    sem_post(&events.settle_on);
    take_back();
    sem_post(&events.settle_on);
    expect_soon(&events.idle);
    expect_events("cwscwsi");
}

/* It may be under way, or find no room yet. */
static void what_could_not_be_done_when_idle_is_tried_again(void **state)
{
    (void)state;
    begin_settling(true, true);
    submit(0, 1);
    take_back();
    sem_post(&events.settle_on);
    for (int i = 0; i < 3; i++)
        expect_soon(&events.idle);
    queue_close(&queue);
    committer_stop(&committer);
    assert_memory_equal(events.text, "cwsiii", 6);
    expect_events(events.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_is_answered_before_it_is_committed, setup),
        cmocka_unit_test_setup(what_comes_during_a_commit_shares_the_next_ones, setup),
        cmocka_unit_test_setup(stopping_commits_what_was_submitted, setup),
        cmocka_unit_test_setup(signals_are_left_to_the_main_thread, setup),
        cmocka_unit_test_setup_teardown(after_a_batch_of_several_more_are_waited_for,
                                        setup_gathering, teardown_gathering),
        cmocka_unit_test_setup_teardown(a_lone_op_waits_for_nobody, setup_gathering,
                                        teardown_gathering),
        cmocka_unit_test_setup_teardown(where_many_wait_already_nobody_else_is_waited_for,
                                        setup_gathering, teardown_gathering),
        cmocka_unit_test(a_commit_of_one_lane_does_not_wait_for_that_of_another),
        cmocka_unit_test(what_can_wait_is_done_after_the_answers_of_each_batch),
        cmocka_unit_test(what_is_left_is_done_when_nobody_asks_and_once),
        cmocka_unit_test(while_there_are_ops_nothing_is_idle),
        cmocka_unit_test(what_could_not_be_done_when_idle_is_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
