/* SPDX-License-Identifier: MIT
 *
 * test_worker_away.c - a server that is away: when it is asked again, what is answered meanwhile, what
 * the log says; when a worker is in trouble; and when old keys are forgotten.
 */
#include "unit.h"

#include <pthread.h>
#include <string.h>

#include "worker_fixture.h"

/* --- connecting again ------------------------------------------------------------------------- */

static void the_pauses_between_two_tries_grow_to_two_seconds(void **state)
{
    (void)state;
    static const int64_t pauses_ms[] = {100, 200, 400, 800, 1600, 2000, 2000, 2000};
    fake_exchange_open(SESSION_ABSENT, COUNT_OF(pauses_ms));
    for (size_t i = 0; i < COUNT_OF(pauses_ms); i++) {
        commit("B1");
        assert_int_equal(fake_exchange.opened, i + 1);
        fake_exchange.clock_ms += pauses_ms[i] - 1;
        commit("B1 S1"); /* too early */
        assert_int_equal(fake_exchange.opened, i + 1);
        expect_outcomes("--");
        fake_exchange.clock_ms += 1;
    }
    commit("B1");
    fake_exchange_sent("K;B1x1");
    expect_outcomes("+");
}

static void after_a_connection_they_begin_anew(void **state)
{
    (void)state;
    fake_exchange_open(SESSION_ABSENT, 4);
    for (int i = 0; i < 5; i++) {
        commit("B1");
        fake_exchange.clock_ms += 2000;
    }
    expect_outcomes("+");
    assert_int_equal(fake_exchange.opened, 5);
    fake_exchange.gone = true;
    fake_exchange_open(SESSION_REFUSED, 1);
    commit("B1");
    expect_outcomes("-");
    fake_exchange.clock_ms += 99;
    commit("B1");
    assert_int_equal(fake_exchange.opened, 6);
    fake_exchange.clock_ms += 1;
    commit("B1");
    assert_int_equal(fake_exchange.opened, 7);
    expect_outcomes("+");
}

static void a_lost_connection_is_tried_again_at_once(void **state)
{
    (void)state;
    connect_first();
    fake_exchange_end(EXCHANGE_LOST);
    commit("B1");
    commit("B1");
    fake_exchange_sent("B1x1;K;B1x1");
    expect_outcomes("+");
}

static void each_worker_has_its_own_pauses(void **state)
{
    (void)state;
    fake_exchange_open(SESSION_ABSENT, 1);
    commit("B1");
    expect_outcomes("-");
    commit_by(&worker[1], "B1");
    expect_outcomes("+");
    commit("B1");
    expect_outcomes("-");
}

static void a_connection_that_cannot_be_had_is_none_and_says_why(void **state)
{
    (void)state;
    char error[100];
    fake_exchange_open(SESSION_ABSENT, 1);
    fake_exchange_open(SESSION_REFUSED, 1);
    assert_int_equal(worker_connect(&worker[0], error, sizeof error), SESSION_ABSENT);
    assert_null(worker[0].conn);
    assert_string_equal(error, "nobody there");
    assert_int_equal(worker_connect(&worker[0], error, sizeof error), SESSION_REFUSED);
    assert_null(worker[0].conn);
    worker_close(&worker[0]); /* as often as one likes */
    worker_close(&worker[0]);
}

/* --- what is answered meanwhile --------------------------------------------------------------- */

static void who_is_known_is_there_and_nothing_can_be_done(void **state)
{
    (void)state;
    static const uint32_t clients[] = {1, 2, 0};
    fake_exchange.learned = clients;
    connect_first();
    fake_exchange.gone = true;
    fake_exchange_open(SESSION_ABSENT, 1);
    commit("B1 L1 S1 C1 O1 H0 B1 C1 C2 C3 B2 B2");
    expect_outcomes("---+---++---");
}

static void of_who_is_not_known_nothing_is_said_unless_all_are(void **state)
{
    (void)state;
    static const uint32_t clients[] = {1, 2, 0};
    fake_exchange.learned = clients;
    for (int all = 0; all < 2; all++) {
        fake_exchange.learned_all = all;
        connect_first();
        fake_exchange_open(SESSION_ABSENT, 1);
        fake_exchange.gone = true;
        commit("B3 L3 S3 C3 O3 H0");
        expect_outcomes(all ? "nnnn--" : "------");
    }
}

static void before_anybody_was_learned_nobody_is_said_to_be_missing(void **state)
{
    (void)state;
    fake_exchange_open(SESSION_ABSENT, 1);
    commit("B1 S1 C1 H0");
    expect_outcomes("----");
}

/* --- the log ---------------------------------------------------------------------------------- */

static void that_it_is_away_and_back_is_told_once_for_all_workers(void **state)
{
    (void)state;
    fake_exchange_open(SESSION_ABSENT, 4);
    for (int i = 0; i < 2; i++) {
        commit_by(&worker[0], "B1");
        commit_by(&worker[1], "B1");
        fake_exchange.clock_ms += 5000;
    }
    assert_string_equal(fake_exchange.log, "2 the database cannot be reached|"
                                           "database=postgres://host/name|reason=nobody there\n");
    fake_exchange.log[0] = '\0';
    commit_by(&worker[1], "B1");
    commit_by(&worker[0], "B1");
    assert_string_equal(fake_exchange.log,
                        "0 the database is back|database=postgres://host/name\n");
}

static void a_loss_is_told_once_with_the_reason(void **state)
{
    (void)state;
    char error[100];
    connect_first();
    assert_int_equal(worker_connect(&worker[1], error, sizeof error), SESSION_OPEN);
    fake_exchange_end(EXCHANGE_LOST);
    fake_exchange_end(EXCHANGE_LOST);
    commit_by(&worker[0], "B1");
    assert_string_not_equal(fake_exchange.log, "");
    commit_by(&worker[1], "B1");
    assert_string_equal(fake_exchange.log, "2 the connection to the database is lost|"
                                           "database=postgres://host/name|reason=its words\n");
    fake_exchange.log[0] = '\0';
    commit_by(&worker[1], "B1");
    assert_string_equal(fake_exchange.log,
                        "0 the database is back|database=postgres://host/name\n");
}

static void a_first_connection_is_no_news(void **state)
{
    (void)state;
    commit("B1");
    assert_string_equal(fake_exchange.log, "");
}

/* --- health ----------------------------------------------------------------------------------- */

static void a_worker_without_trouble_and_a_server_that_answers_are_healthy(void **state)
{
    (void)state;
    commit("H0 H0");
    expect_outcomes("++");
    assert_false(worker_troubled(&worker[0]));
    assert_false(worker_troubled(&worker[1]));
}

static void trouble_of_another_worker_speaks_for_five_seconds_or_until_it_works(void **state)
{
    (void)state;
    connect_first();
    fake_exchange_end(EXCHANGE_LOST);
    commit_by(&worker[1], "B1");
    assert_true(worker_troubled(&worker[1]));
    fake_exchange.clock_ms += 4999;
    commit("H0 S1");
    expect_outcomes("-+");
    fake_exchange.clock_ms += 1;
    assert_false(worker_troubled(&worker[1]));
    commit("H0 S1");
    expect_outcomes("++");
    fake_exchange_end(EXCHANGE_LOST);
    commit_by(&worker[1], "B1");
    commit("H0");
    expect_outcomes("-");
    commit_by(&worker[1], "B1");
    assert_false(worker_troubled(&worker[1]));
    commit("H0");
    expect_outcomes("+");
    fake_exchange_end(EXCHANGE_LOST);
    commit("B1");
    commit_by(&worker[1], "H0"); /* and the other way round */
    expect_outcomes("-");
}

static void trouble_of_its_own_is_over_when_the_server_answers(void **state)
{
    (void)state;
    connect_first();
    fake_exchange_end(EXCHANGE_LOST);
    commit("B1");
    assert_true(worker_troubled(&worker[0]));
    commit("H0");
    expect_outcomes("+");
    assert_false(worker_troubled(&worker[0]));
}

static void a_disk_that_is_full_is_trouble(void **state)
{
    (void)state;
    connect_first();
    commit_by(&worker[1], "B1");
    assert_false(worker_troubled(&worker[1]));
    fake_exchange_refuse(0, "53100");
    commit_by(&worker[1], "B1");
    expect_outcomes("s");
    commit("H0");
    expect_outcomes("-");
    fake_exchange.clock_ms += 5000;
    fake_exchange_refuse(0, "23514"); /* what is only that entry's is not */
    commit_by(&worker[1], "B1");
    commit("H0");
    expect_outcomes("+");
}

static void a_worker_without_a_connection_is_in_trouble(void **state)
{
    (void)state;
    connect_first();
    fake_exchange_open(SESSION_ABSENT, 1);
    commit_by(&worker[1], "B1");
    assert_true(worker_troubled(&worker[1]));
    commit("H0");
    expect_outcomes("-");
    fake_exchange.clock_ms += 2000;
    commit_by(&worker[1], "B1");
    expect_outcomes("+");
    assert_false(worker_troubled(&worker[1]));
    commit("H0");
    expect_outcomes("+");
}

/* A session that is read-only stays so when its server is promoted. */
static void a_server_that_is_not_well_is_looked_at_anew(void **state)
{
    (void)state;
    connect_first();
    fake_exchange.ill = true;
    commit("S1 H0");
    fake_exchange_sent("S1 Hx1");
    expect_outcomes("+-");
    assert_int_equal(fake_exchange.open_now, 0);
    fake_exchange.ill = false;
    commit("S1 H0 H0");
    fake_exchange_sent("K;S1 Hx2");
    expect_outcomes("+++");
    commit("H0");
    fake_exchange_sent("Hx1"); /* and then it is kept */
}

static bool stuck_is_troubled[2];

static void look_at_the_stuck(void)
{
    fake_exchange.clock_ms += ANSWER_TIMEOUT_MS;
    stuck_is_troubled[0] = worker_troubled(&worker[1]);
    fake_exchange.clock_ms += 1;
    stuck_is_troubled[1] = worker_troubled(&worker[1]);
}

static void who_waits_for_longer_than_anybody_waits_for_it_is_in_trouble(void **state)
{
    (void)state;
    fake_exchange.during = look_at_the_stuck;
    commit_by(&worker[1], "B1");
    assert_false(stuck_is_troubled[0]);
    assert_true(stuck_is_troubled[1]);
    assert_false(worker_troubled(&worker[1])); /* it was answered after all */
}

/* It looks late, and it looks well. */
static void a_late_answer_of_its_own_is_an_answer(void **state)
{
    (void)state;
    fake_exchange.during = look_at_the_stuck;
    commit("H0");
    expect_outcomes("+");
}

static void without_a_server_it_is_not_healthy(void **state)
{
    (void)state;
    fake_exchange_open(SESSION_ABSENT, 1);
    commit("H0");
    expect_outcomes("-");
}

enum { LOOKS = 20000 };

static void *look_again_and_again(void *context)
{
    for (int i = 0; i < LOOKS; i++)
        if (worker_troubled(context))
            return context;
    return NULL;
}

static void any_thread_may_look_whether_a_worker_is_in_trouble(void **state)
{
    (void)state;
    pthread_t thread;
    void *troubled;
    connect_first();
    assert_int_equal(pthread_create(&thread, NULL, look_again_and_again, &worker[0]), 0);
    for (int i = 0; i < 300; i++) {
        commit("B1 S1");
        fake_exchange.sent[0] = '\0';
    }
    assert_int_equal(pthread_join(thread, &troubled), 0);
    assert_null(troubled);
}

/* --- old keys --------------------------------------------------------------------------------- */

static void old_keys_are_forgotten_as_new_ones_come_and_ten_times_a_second(void **state)
{
    (void)state;
    connect_first();
    commit("B1k B2 B1k B2k");
    fake_exchange_sent("B1x2 B2x2;! F35"); /* as many as came, and 32 more */
    commit("B1k B2k");
    fake_exchange_sent("B1x1 B2x1");
    fake_exchange.clock_ms += 99;
    commit("B1k S1");
    fake_exchange_sent("B1x1;S1");
    fake_exchange.clock_ms += 1;
    commit("B1k S1");
    fake_exchange_sent("B1x1;! F36;S1"); /* for those of the whole time */
    fake_exchange.clock_ms += 100;
    commit("B1k");
    fake_exchange_sent("B1x1;! F33");
}

/* By what has passed since the first connection; the server's clock may be set meanwhile. */
static void how_old_they_are_goes_by_the_time_that_has_passed(void **state)
{
    (void)state;
    connect_first();
    fake_exchange.clock_ms += 7000;
    commit("B1k");
    assert_int_equal(fake_exchange.forget.age_us, workers.key_retention_us);
    assert_int_equal(fake_exchange.forget.now_us, INT64_C(1705458881217753) + 7000000);
    fake_exchange.clock_ms += 86400000;
    fake_exchange.gone = true; /* another connection is no other time */
    commit_by(&worker[1], "B1k");
    commit("B1k");
    assert_int_equal(fake_exchange.forget.now_us, INT64_C(1705458881217753) + 86407000000);
}

static void without_new_keys_none_is_looked_for(void **state)
{
    (void)state;
    connect_first();
    for (int i = 0; i < 3; i++) {
        commit("B1 L2 O3 S1");
        fake_exchange_sent("B1x1 L2 O3;S1");
        fake_exchange.clock_ms += 10000;
    }
}

static void keys_are_forgotten_in_a_later_batch_without_any_as_well(void **state)
{
    (void)state;
    connect_first();
    commit("B1k");
    commit("B1k");
    fake_exchange.clock_ms += 1000;
    fake_exchange.sent[0] = '\0';
    commit("B1");
    fake_exchange_sent("B1x1;! F33");
}

static void whatever_becomes_of_forgetting_no_answer_changes(void **state)
{
    (void)state;
    static const struct fake_end ends[] = {
        {.end = EXCHANGE_LOST},
        {.end = EXCHANGE_UNSENT},
        {.end = EXCHANGE_REFUSED, .call = 1, .state = "55P03"},
        {.end = EXCHANGE_REFUSED, .call = 2, .state = "53100"},
        {.end = EXCHANGE_REFUSED, .call = 1, .state = "42883"},
    };
    connect_first();
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        fake_exchange.clock_ms += 10000;
        fake_exchange_end(EXCHANGE_DONE);
        fake_exchange.ends[fake_exchange.count++] = ends[i];
        commit("B1k S1");
        expect_outcomes("++");
    }
    fake_exchange_sent(
        "B1x1;! F33;K;! F33;S1;B1x1;! F33;K;! F33;S1;B1x1;! F33;S1;B1x1;! F33;S1;B1x1;! F33;K;S1");
    fake_exchange.clock_ms += 10000;
    fake_exchange_end(EXCHANGE_LOST);
    fake_exchange_open(SESSION_ABSENT, 1);
    commit("B1k B2");
    fake_exchange_sent("B1x1 B2x1"); /* and not where there is no server */
    expect_outcomes("??");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, worker_setup, worker_teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_pauses_between_two_tries_grow_to_two_seconds),
        TEST(after_a_connection_they_begin_anew),
        TEST(a_lost_connection_is_tried_again_at_once),
        TEST(each_worker_has_its_own_pauses),
        TEST(a_connection_that_cannot_be_had_is_none_and_says_why),
        TEST(who_is_known_is_there_and_nothing_can_be_done),
        TEST(of_who_is_not_known_nothing_is_said_unless_all_are),
        TEST(before_anybody_was_learned_nobody_is_said_to_be_missing),
        TEST(that_it_is_away_and_back_is_told_once_for_all_workers),
        TEST(a_loss_is_told_once_with_the_reason),
        TEST(a_first_connection_is_no_news),
        TEST(a_worker_without_trouble_and_a_server_that_answers_are_healthy),
        TEST(trouble_of_another_worker_speaks_for_five_seconds_or_until_it_works),
        TEST(trouble_of_its_own_is_over_when_the_server_answers),
        TEST(a_disk_that_is_full_is_trouble),
        TEST(a_worker_without_a_connection_is_in_trouble),
        TEST(a_server_that_is_not_well_is_looked_at_anew),
        TEST(who_waits_for_longer_than_anybody_waits_for_it_is_in_trouble),
        TEST(a_late_answer_of_its_own_is_an_answer),
        TEST(without_a_server_it_is_not_healthy),
        TEST(any_thread_may_look_whether_a_worker_is_in_trouble),
        TEST(old_keys_are_forgotten_as_new_ones_come_and_ten_times_a_second),
        TEST(how_old_they_are_goes_by_the_time_that_has_passed),
        TEST(without_new_keys_none_is_looked_for),
        TEST(keys_are_forgotten_in_a_later_batch_without_any_as_well),
        TEST(whatever_becomes_of_forgetting_no_answer_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
