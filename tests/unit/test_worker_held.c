/* SPDX-License-Identifier: MIT
 *
 * test_worker_held.c - a client whose row somebody else keeps locked makes the others wait once, and not
 * each time; and is back among them when the lock is gone.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "worker_fixture.h"

static int setup(void **state)
{
    int failed = worker_setup(state);
    connect_first();
    return failed;
}

/* Client 2 is held: its last call ran out of time. */
static void hold_client_2(void)
{
    fake_exchange_refuse(0, "57014");
    commit("B2");
    fake_exchange_sent("B2x1");
    expect_outcomes("-");
}

static void who_ran_out_of_time_is_taken_out_and_the_others_hurry(void **state)
{
    (void)state;
    fake_exchange_refuse(1, "57014");
    commit("B1 B2 B3 B2");
    fake_exchange_sent("B1x1 B2x2 B3x1;! B1x1 B3x1");
    expect_outcomes("+-+-");
}

static void a_lock_timeout_of_the_servers_own_is_one_as_well(void **state)
{
    (void)state;
    fake_exchange_refuse(0, "55P03");
    commit("L1 B2");
    fake_exchange_sent("L1 B2x1;! B2x1");
    expect_outcomes("-+");
}

static void each_that_is_locked_too_is_taken_out_of_those_in_a_hurry(void **state)
{
    (void)state;
    fake_exchange_refuse(3, "57014");
    fake_exchange_refuse(1, "55P03");
    fake_exchange_refuse(2, "55P03");
    commit("B1 B2 B3 B4");
    fake_exchange_sent("B1x1 B2x1 B3x1 B4x1;! B1x1 B2x1 B3x1;! B2x1 B3x1;! B2x1");
    expect_outcomes("-+--");
}

static void nobody_hurries_alone(void **state)
{
    (void)state;
    hold_client_2();
    fake_exchange_refuse(1, "57014");
    fake_exchange_refuse(1, "55P03");
    commit("B1 B3");
    fake_exchange_sent("B1x1 B3x1;! B1x1");
    expect_outcomes("--");
}

static void another_refusal_among_those_in_a_hurry_is_only_taken_out(void **state)
{
    (void)state;
    fake_exchange_refuse(0, "57014");
    fake_exchange_refuse(1, "23514");
    commit("B1 B2 B3");
    fake_exchange_sent("B1x1 B2x1 B3x1;! B2x1 B3x1;! B3x1");
    expect_outcomes("-c+");
    commit("B1 B2 B3"); /* and client 2 is not held for it */
    fake_exchange_sent("B2x1 B3x1;! B1x1");
}

static void who_is_held_comes_after_the_others_and_alone(void **state)
{
    (void)state;
    hold_client_2();
    commit("B2 B1 B3 B2");
    fake_exchange_sent("B1x1 B3x1;! B2x2");
    expect_outcomes("++++");
}

static void who_has_worked_is_held_no_more(void **state)
{
    (void)state;
    hold_client_2();
    commit("B2");
    fake_exchange_sent("! B2x1");
    commit("B2 B1");
    fake_exchange_sent("B1x1 B2x1");
    expect_outcomes("++");
}

static void who_still_waits_is_still_held(void **state)
{
    (void)state;
    hold_client_2();
    for (int i = 0; i < 3; i++) {
        fake_exchange_end(EXCHANGE_DONE);
        fake_exchange_refuse(1, "55P03");
        commit("B2 B1");
        fake_exchange_sent("B1x1;! B2x1");
        expect_outcomes("-+");
    }
}

static void several_that_are_held_are_each_alone_and_what_one_asks_keeps_its_order(void **state)
{
    (void)state;
    hold_client_2();
    fake_exchange_refuse(0, "57014");
    commit("L5");
    fake_exchange_sent("L5");
    fake_exchange_refuse(1, "55P03");
    commit("B5 B2 L2 B2");
    fake_exchange_sent("! B2x1;! L2;! B2x1;! B5x1");
    expect_outcomes("+-++");
    commit("B2 B5"); /* 2 was held again for a moment, and worked after that */
    fake_exchange_sent("B2x1 B5x1");
}

static void what_is_lost_alone_is_unknown_alone(void **state)
{
    (void)state;
    hold_client_2();
    fake_exchange_end(EXCHANGE_DONE);
    fake_exchange_end(EXCHANGE_LOST);
    commit("B1 B2 S2");
    fake_exchange_sent("B1x1;! B2x1;K;S2");
    expect_outcomes("+?+");
    commit("B2"); /* nobody knows of the lock: it is held as before */
    fake_exchange_sent("! B2x1");
}

static void what_was_not_sent_in_a_hurry_is_sent_again_in_one(void **state)
{
    (void)state;
    hold_client_2();
    fake_exchange_end(EXCHANGE_UNSENT);
    commit("B2");
    fake_exchange_sent("! B2x1;K;! B2x1");
    expect_outcomes("+");
}

static void when_the_server_is_away_the_held_have_their_answer_too(void **state)
{
    (void)state;
    hold_client_2();
    fake_exchange.gone = true;
    fake_exchange_open(SESSION_ABSENT, 3);
    commit("B1 B2");
    fake_exchange_sent("");
    expect_outcomes("--");
}

static void a_hurry_that_is_refused_is_done_without(void **state)
{
    (void)state;
    hold_client_2();
    fake_exchange.clock_ms += 1000; /* it complains again */
    fake_exchange_refuse(0, "26000");
    commit("B2");
    fake_exchange_sent("! B2x1;K;B2x1");
    expect_outcomes("+");
    assert_non_null(strstr(fake_exchange.log, "|client=several|sqlstate=26000|"));
}

static void a_commit_that_is_refused_in_a_hurry_is_refused_for_all_in_it(void **state)
{
    (void)state;
    fake_exchange_refuse(0, "57014");
    fake_exchange_refuse(3, "40001");
    commit("B1 B2 B3");
    fake_exchange_sent("B1x1 B2x1 B3x1;! B2x1 B3x1");
    expect_outcomes("-bb");
}

static void what_reads_is_not_held(void **state)
{
    (void)state;
    hold_client_2();
    commit("S2 C2 B1");
    fake_exchange_sent("B1x1;S2 Cx1");
    expect_outcomes("+++");
    fake_exchange_refuse(1, "57014");
    commit("S3 S4");
    fake_exchange_sent("S3 S4;S3");
    commit("B3 B4");
    fake_exchange_sent("B3x1 B4x1");
}

static void of_more_than_can_be_held_the_oldest_is_let_go(void **state)
{
    (void)state;
    char word[10];
    for (int i = 0; i <= HELD_MAX; i++) {
        fake_exchange_refuse(0, "57014");
        snprintf(word, sizeof word, "B%d", 100 + i);
        commit(word);
        expect_outcomes("-");
        if (i % 2 == 0) { /* to be held twice is to be held once */
            fake_exchange_refuse(1, "55P03");
            commit(word);
        }
        fake_exchange.next = fake_exchange.count = 0;
    }
    fake_exchange.sent[0] = '\0';
    commit("B100 B101 B102 B131 B132");
    fake_exchange_sent("B100x1;! B101x1;! B102x1;! B131x1;! B132x1");
}

static void each_worker_holds_its_own(void **state)
{
    (void)state;
    hold_client_2();
    commit_by(&worker[1], "B2 B3");
    fake_exchange_sent("K;B2x1 B3x1");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, worker_teardown)
    const struct CMUnitTest tests[] = {
        TEST(who_ran_out_of_time_is_taken_out_and_the_others_hurry),
        TEST(a_lock_timeout_of_the_servers_own_is_one_as_well),
        TEST(each_that_is_locked_too_is_taken_out_of_those_in_a_hurry),
        TEST(nobody_hurries_alone),
        TEST(another_refusal_among_those_in_a_hurry_is_only_taken_out),
        TEST(who_is_held_comes_after_the_others_and_alone),
        TEST(who_has_worked_is_held_no_more),
        TEST(who_still_waits_is_still_held),
        TEST(several_that_are_held_are_each_alone_and_what_one_asks_keeps_its_order),
        TEST(what_is_lost_alone_is_unknown_alone),
        TEST(what_was_not_sent_in_a_hurry_is_sent_again_in_one),
        TEST(when_the_server_is_away_the_held_have_their_answer_too),
        TEST(a_hurry_that_is_refused_is_done_without),
        TEST(a_commit_that_is_refused_in_a_hurry_is_refused_for_all_in_it),
        TEST(what_reads_is_not_held),
        TEST(of_more_than_can_be_held_the_oldest_is_let_go),
        TEST(each_worker_holds_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
