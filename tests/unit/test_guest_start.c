/* SPDX-License-Identifier: MIT
 *
 * test_guest_start.c - ops that a submitter's thread sends to the owner itself: all of them or none, and
 * never before the committer's, where those wait.
 */
#define _GNU_SOURCE
#include "unit.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest_fixture.h"
#include "owner_fixture.h"
#include "store/lmdb/serving.h"

static enum offered start(void *context, struct op **batch, uint32_t count)
{
    bool *started = context;
    *started = guest_start(&guest, batch, count);
    return *started ? OFFERED_TAKEN : OFFERED_IN_VAIN;
}

/* Those that are not started are with the committer now: give_back(). */
static bool start_ops(uint32_t first, uint32_t count, struct op kind)
{
    struct op *batch[BATCH_OPS_MAX];
    bool started = false;
    stage_ops(first, count, kind);
    assert_null(port_offer(&port, start, &started));
    if (started)
        return true;
    port_hand_over(&port);
    assert_int_equal(queue_take_batch(&queue, 0, batch, BATCH_OPS_MAX), count);
    return false;
}

static uint32_t places(void)
{
    pthread_mutex_lock(&guest.mutex);
    uint32_t count = guest.free_count;
    pthread_mutex_unlock(&guest.mutex);
    return count;
}

static void expect_not_started(uint32_t first, uint32_t count, struct op kind)
{
    uint32_t before = places();
    assert_false(start_ops(first, count, kind));
    assert_int_equal(places(), before);
    give_back(first, count);
}

static void the_owner_serves_many(uint32_t count)
{
    while (count-- > 0)
        owner_serves();
}

static void end_of_link(void)
{
    owner_closes();
    guest_listen(&guest);
}

/* --- started ---------------------------------------------------------------------------------- */

static void what_is_started_is_with_the_owner_and_comes_back(void **state)
{
    (void)state;
    struct op heard;
    link_played();
    assert_true(start_ops(0, 3, an_entry()));
    assert_true(start_ops(3, 2, a_statement()));
    expect_waiting(0, 5);
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t number = owner_hears(&heard);
        assert_int_equal(heard.entry.amount_cents, i + 1);
        owner_answers(heard, number);
    }
    the_owner_serves_many(2);
    end_of_link();
    expect_own_answers(0, 5);
}

static void the_link_ends_for_what_was_started_as_for_what_was_asked(void **state)
{
    (void)state;
    link_played();
    assert_true(start_ops(0, 3, an_entry()));
    assert_true(start_ops(3, 2, a_statement()));
    owner_serves();
    end_of_link();
    expect_own_answers(0, 1);
    expect_outcome(1, 2, OUTCOME_UNKNOWN);
    expect_waiting(3, 2);
    link_played();
    the_owner_serves_many(2);
    end_of_link();
    expect_own_answers(3, 2);
}

/* --- not started ------------------------------------------------------------------------------ */

static void without_a_link_nothing_is_started(void **state)
{
    (void)state;
    expect_not_started(0, 1, an_entry()); /* there was none yet */
    link_played();
    guest_hang_up(&guest);
    expect_not_started(1, 2, a_statement());
    guest_listen(&guest);
    owner_hears_the_end();
    expect_not_started(3, 1, an_entry());
    link_played();
    assert_true(start_ops(4, 1, an_entry()));
    end_of_link();
    expect_outcome(4, 1, OUTCOME_UNKNOWN);
    expect_not_started(5, 1, an_entry());
}

static void where_there_are_too_few_places_none_is_started(void **state)
{
    (void)state;
    link_played();
    expect_not_started(0, GUEST_OPS_MAX + 1, an_entry());
    assert_int_equal(ask_ops(0, 100, an_entry()), 100);
    expect_not_started(100, GUEST_OPS_MAX - 100 + 1, an_entry());
    assert_true(start_ops(300, GUEST_OPS_MAX - 100, an_entry()));
    expect_not_started(400, 1, a_statement());
    the_owner_serves_many(GUEST_OPS_MAX); /* and nothing else has come */
    end_of_link();
    expect_own_answers(0, 100);
    expect_own_answers(300, GUEST_OPS_MAX - 100);
}

static void what_the_owner_would_not_hear_is_not_started(void **state)
{
    (void)state;
    link_played();
    assert_true(start_ops(0, 2, an_entry()));
    assert_int_equal(shutdown(played_owner, SHUT_RD), 0);
    expect_not_started(2, 3, an_entry());
    int64_t silent_since_ms = serving_clock_ms() - 1000;
    atomic_store(&guest.silent_since_ms, silent_since_ms);
    expect_not_started(
        5, 1, a_statement()); /* it is not tried again, nor does that make the owner speak */
    assert_int_equal(atomic_load(&guest.silent_since_ms), silent_since_ms);
    the_owner_serves_many(2); /* these it had */
    owner_hears_the_end();
    end_of_link();
    expect_own_answers(0, 2);
    assert_int_equal(take_lost(), 0);
}

/* --- and those of the committer ---------------------------------------------------------------- */

struct asker {
    pthread_t thread;
    struct op *batch[BATCH_OPS_MAX];
    uint32_t count, asked;
};

static void *ask_them_all(void *context)
{
    struct asker *asker = context;
    asker->asked = guest_ask(&guest, asker->batch, asker->count);
    return NULL;
}

static bool somebody_waits(void)
{
    pthread_mutex_lock(&guest.mutex);
    bool waits = guest.waited_for;
    pthread_mutex_unlock(&guest.mutex);
    return waits;
}

/* From here on there is one more place than is waited for; until guest_ask() has had its own, that is nobody's. */
static void nothing_is_started_while_the_committer_waits_for_places(void **state)
{
    (void)state;
    enum { MORE = 10 };
    struct asker asker = {.count = GUEST_OPS_MAX + MORE};
    uint32_t next = GUEST_OPS_MAX + MORE;
    link_played();
    begin_to_listen();
    assert_false(somebody_waits());
    fill_batch(asker.batch, 0, asker.count, an_entry());
    assert_int_equal(pthread_create(&asker.thread, NULL, ask_them_all, &asker), 0);
    while (!somebody_waits())
        usleep(100);
    pthread_mutex_lock(&guest.mutex); /* answers, that it does not hear of yet */
    guest.free_count += 2;
    pthread_mutex_unlock(&guest.mutex);
    expect_not_started(next, 1, an_entry());
    assert_true(somebody_waits());
    pthread_mutex_lock(&guest.mutex);
    guest.free_count -= 2;
    pthread_mutex_unlock(&guest.mutex);
    the_owner_serves_many(MORE);
    assert_int_equal(pthread_join(asker.thread, NULL), 0);
    assert_int_equal(asker.asked, asker.count);
    assert_false(somebody_waits());
    owner_serves();
    while (places() == 0)
        usleep(100);
    next++;
    assert_true(start_ops(next, 1, an_entry())); /* now it is anybody's */
    the_owner_serves_many(GUEST_OPS_MAX);
    owner_closes();
    assert_int_equal(pthread_join(listener, NULL), 0);
    expect_own_answers(0, asker.count);
    expect_own_answers(next, 1);
}

static void who_waits_in_vain_keeps_nobody_from_starting_on_the_next_link(void **state)
{
    (void)state;
    struct asker asker = {.count = GUEST_OPS_MAX + 1};
    link_played();
    fill_batch(asker.batch, 0, asker.count, an_entry());
    assert_int_equal(pthread_create(&asker.thread, NULL, ask_them_all, &asker), 0);
    while (!somebody_waits())
        usleep(100);
    guest_hang_up(&guest);
    guest_listen(&guest);
    assert_int_equal(pthread_join(asker.thread, NULL), 0);
    assert_int_equal(asker.asked, GUEST_OPS_MAX);
    give_back(GUEST_OPS_MAX, 1);
    link_played();
    assert_true(start_ops(200, 1, an_entry()));
    owner_serves();
    end_of_link();
    expect_own_answers(200, 1);
}

/* --- several submitters, and a committer ------------------------------------------------------ */

enum { STARTERS = 3, TURNS = 400, AT_ONCE = 60 };

static struct starter {
    pthread_t thread;
    struct port port;
    sem_t wakes;
    struct op ops[AT_ONCE];
    uint32_t started, unanswered;
    int64_t sum; /* each answer has a number of its own */
} starters[STARTERS];

static void post(void *context)
{
    sem_post(context);
}

static void *start_again_and_again(void *context)
{
    struct starter *starter = context;
    for (uint32_t turn = 0; turn < TURNS; turn++) {
        uint32_t count = turn % AT_ONCE + 1;
        bool started = false;
        for (uint32_t i = 0; i < count; i++) {
            starter->ops[i] = an_entry();
            starter->ops[i].outcome = UNTOUCHED;
            starter->unanswered += !port_submit(&starter->port, &starter->ops[i]);
        }
        assert_null(port_offer(&starter->port, start, &started));
        port_hand_over(&starter->port);
        starter->started += started;
        for (uint32_t taken = 0; taken < count;) {
            while (sem_wait(&starter->wakes) != 0)
                continue;
            for (const struct op *op = port_take_answered(&starter->port); op; op = op->next) {
                starter->unanswered += op->outcome != OUTCOME_OK;
                starter->sum += op->balance_cents;
                taken++;
            }
        }
    }
    return NULL;
}

static void *ask_what_is_left(void *context)
{
    struct op *batch[BATCH_OPS_MAX];
    uint32_t count, *asked = context;
    while ((count = queue_take_batch(&queue, 0, batch, BATCH_OPS_MAX)) > 0) {
        if (guest_ask(&guest, batch, count) != count)
            break;
        *asked += count;
    }
    return NULL;
}

static void with_several_submitters_and_a_committer_each_op_is_answered_once(void **state)
{
    pthread_t committer;
    uint32_t asked = 0;
    int64_t sum = 0, count = 0;
    assert_int_equal(owner_setup(state), 0);
    guest_link(&guest, peer_greeted());
    begin_to_listen();
    assert_int_equal(pthread_create(&committer, NULL, ask_what_is_left, &asked), 0);
    for (int i = 0; i < STARTERS; i++) {
        struct starter *starter = &starters[i];
        *starter = (struct starter){0};
        sem_init(&starter->wakes, 0, 0);
        port_init(&starter->port, &queue, AT_ONCE, post, &starter->wakes);
        assert_int_equal(pthread_create(&starter->thread, NULL, start_again_and_again, starter), 0);
    }
    for (int i = 0; i < STARTERS; i++) {
        assert_int_equal(pthread_join(starters[i].thread, NULL), 0);
        assert_int_equal(starters[i].unanswered, 0);
        assert_true(starters[i].started > 0);
        sum += starters[i].sum;
    }
    queue_close(&queue);
    assert_int_equal(pthread_join(committer, NULL), 0);
    guest_hang_up(&guest);
    assert_int_equal(pthread_join(listener, NULL), 0);
    for (int i = 0; i < STARTERS; i++) {
        port_free(&starters[i].port);
        sem_destroy(&starters[i].wakes);
    }
    count = gate_committed();
    assert_int_equal(count, STARTERS * (int64_t)(TURNS / AT_ONCE * (AT_ONCE * (AT_ONCE + 1) / 2) +
                                                 TURNS % AT_ONCE * (TURNS % AT_ONCE + 1) / 2));
    assert_int_equal(sum, count * (count + 1) / 2);
    assert_true(asked < count);
    assert_int_equal(owner_teardown(state), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_is_started_is_with_the_owner_and_comes_back),
        TEST(the_link_ends_for_what_was_started_as_for_what_was_asked),
        TEST(without_a_link_nothing_is_started),
        TEST(where_there_are_too_few_places_none_is_started),
        TEST(what_the_owner_would_not_hear_is_not_started),
        TEST(nothing_is_started_while_the_committer_waits_for_places),
        TEST(who_waits_in_vain_keeps_nobody_from_starting_on_the_next_link),
        TEST(with_several_submitters_and_a_committer_each_op_is_answered_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
