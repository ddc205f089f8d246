/* SPDX-License-Identifier: MIT
 *
 * test_worker.c - a batch and its outcomes: whatever an exchange comes to, each op has the one that is
 * true, and nothing is sent twice that may have happened.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "worker_fixture.h"

/* --- when all is well ------------------------------------------------------------------------- */

static void the_first_batch_connects_and_learns_who_there_is(void **state)
{
    (void)state;
    static const uint32_t clients[] = {1, 2, 0};
    fake_exchange.learned = clients;
    fake_exchange.learned_all = true;
    commit("B1");
    fake_exchange_sent("K;B1x1");
    expect_outcomes("+");
    assert_true(known_has(&workers.known, 2));
    assert_true(workers.known.all);
    commit("B1");
    fake_exchange_sent("B1x1"); /* and the second does neither */
    assert_int_equal(fake_exchange.opened, 1);
}

static void a_batch_is_a_call_for_each_client_and_then_what_reads(void **state)
{
    (void)state;
    connect_first();
    commit("S2 B3 H0 B1 C5 L3 B1 O4 S1 C6 B3");
    fake_exchange_sent("B1x2 B3x1 L3 B3x1 O4;S2 S1 Cx2 Hx1");
    expect_outcomes("+++++++++++");
}

static void what_only_reads_or_only_writes_is_one_exchange(void **state)
{
    (void)state;
    connect_first();
    commit("S1 S2");
    fake_exchange_sent("S1 S2");
    commit("B1 B2");
    fake_exchange_sent("B1x1 B2x1");
    commit("");
    fake_exchange_sent("");
}

static void a_full_batch_of_as_many_clients_is_as_many_calls(void **state)
{
    (void)state;
    char words[BATCH_OPS_MAX * 6] = "", letters[BATCH_OPS_MAX + 1];
    for (int i = 0; i < BATCH_OPS_MAX; i++)
        snprintf(words + strlen(words), 6, i == 0 ? "B%d" : " B%d", BATCH_OPS_MAX - i);
    memset(letters, '+', BATCH_OPS_MAX);
    letters[BATCH_OPS_MAX] = '\0';
    connect_first();
    fake_exchange_refuse(BATCH_OPS_MAX - 1, "57014"); /* with the hurry there are as many again */
    commit(words);
    letters[0] = '-'; /* the first of the ops is of the last of the clients */
    expect_outcomes(letters);
    assert_memory_equal(fake_exchange.sent, "B1x1 B2x1 ", 10);
    assert_non_null(strstr(fake_exchange.sent, " B256x1;! B1x1 B2x1 "));
    assert_string_equal(fake_exchange.sent + strlen(fake_exchange.sent) - 7, " B255x1");
}

static void a_full_batch_that_reads_is_one_exchange(void **state)
{
    (void)state;
    char words[BATCH_OPS_MAX * 3 + 1] = "", letters[BATCH_OPS_MAX + 1] = "";
    for (int i = 0; i < BATCH_OPS_MAX; i++) {
        snprintf(words + strlen(words), 4, i == 0 ? "S1" : " S1");
        letters[i] = i == 0 ? 'c' : '+';
    }
    connect_first();
    fake_exchange_refuse(0, "22003");
    commit(words);
    expect_outcomes(letters);
}

/* --- refused ---------------------------------------------------------------------------------- */

static void refused_calls_are_taken_out_one_by_one(void **state)
{
    (void)state;
    connect_first();
    fake_exchange_refuse(1, "23514");
    fake_exchange_refuse(2, "40P01");
    fake_exchange_refuse(0, "XX000");
    commit("B1 B2 B3 B4 B2");
    fake_exchange_sent("B1x1 B2x2 B3x1 B4x1;B1x1 B3x1 B4x1;B1x1 B3x1;B3x1");
    expect_outcomes("-c+bc");
    assert_int_equal(fake_exchange.opened, 1);
}

static void when_all_are_refused_nothing_is_sent_any_more(void **state)
{
    (void)state;
    connect_first();
    fake_exchange_refuse(1, "40001");
    fake_exchange_refuse(0, "53200");
    commit("L1 O2");
    fake_exchange_sent("L1 O2;L1");
    expect_outcomes("bb");
}

static void a_commit_that_is_refused_is_refused_for_all(void **state)
{
    (void)state;
    connect_first();
    fake_exchange_refuse(2, "53100");
    commit("B1 B2 S1");
    fake_exchange_sent("B1x1 B2x1;S1");
    expect_outcomes("ss+");
}

static void what_reads_is_refused_alone_as_well(void **state)
{
    (void)state;
    connect_first();
    fake_exchange_end(EXCHANGE_DONE);
    fake_exchange_refuse(0, "57014"); /* nobody is held for that */
    commit("S1 S2 B1 C1 H0");
    fake_exchange_sent("B1x1;S1 S2 Cx1 Hx1;S2 Cx1 Hx1");
    expect_outcomes("-++++");
    commit("B1 B2");
    fake_exchange_sent("B1x1 B2x1");
}

static void stale_statements_are_prepared_anew_for_the_others(void **state)
{
    (void)state;
    static const char *const states[] = {"26000", "0A000", "42P01", "42501", "25006", "3F000"};
    connect_first();
    for (size_t i = 0; i < COUNT_OF(states); i++) {
        fake_exchange_refuse(0, states[i]);
        commit("B1 B2");
        fake_exchange_sent("B1x1 B2x1;K;B2x1");
        expect_outcomes("-+");
        assert_int_equal(fake_exchange.opened, 2 + i);
    }
}

static void a_schema_that_is_gone_for_good_ends_in_down(void **state)
{
    (void)state;
    connect_first();
    fake_exchange_refuse(0, "42P01");
    fake_exchange_open(SESSION_REFUSED, 3);
    commit("B1 B2 S1");
    fake_exchange_sent("B1x1 B2x1");
    expect_outcomes("---");
    assert_int_equal(fake_exchange.open_now, 0);
    assert_non_null(strstr(fake_exchange.log, "cannot be reached|database=postgres://host/name|"
                                              "reason=nobody there\n"));
}

static void refusals_are_told_once_a_second_and_name_the_client(void **state)
{
    (void)state;
    fake_exchange.clock_ms = 10; /* of a machine that has just come up */
    connect_first();
    for (int i = 0; i < 3; i++) {
        fake_exchange_refuse(1, "23514");
        fake_exchange_end(EXCHANGE_DONE);
    }
    commit("B7 B8");
    assert_string_equal(fake_exchange.log,
                        "1 the database refuses a call|database=postgres://host/name|"
                        "client=8|sqlstate=23514|reason=its words\n");
    fake_exchange.log[0] = '\0';
    fake_exchange.clock_ms += 999;
    commit("B7 B8");
    assert_string_equal(fake_exchange.log, "");
    fake_exchange.clock_ms += 1;
    commit("B7 B9");
    assert_non_null(strstr(fake_exchange.log, "|client=9|"));
    fake_exchange.log[0] = '\0';
    fake_exchange.clock_ms += 1000;
    fake_exchange_refuse(2, "53100");
    commit("B7 B9");
    assert_non_null(strstr(fake_exchange.log, "|client=several|sqlstate=53100|"));
}

/* --- lost and unsent -------------------------------------------------------------------------- */

static void what_was_sent_and_is_lost_is_unknown_and_not_sent_again(void **state)
{
    (void)state;
    connect_first();
    fake_exchange_end(EXCHANGE_LOST);
    commit("B1 L2 O3 B1");
    fake_exchange_sent("B1x2 L2 O3");
    expect_outcomes("????");
    assert_int_equal(fake_exchange.open_now, 0);
    commit("B1");
    fake_exchange_sent("K;B1x1");
    expect_outcomes("+");
}

static void what_was_refused_before_the_loss_is_not_unknown(void **state)
{
    (void)state;
    connect_first();
    fake_exchange_refuse(1, "23514");
    fake_exchange_end(EXCHANGE_LOST);
    commit("B1 B2 B3");
    fake_exchange_sent("B1x1 B2x1 B3x1;B1x1 B3x1");
    expect_outcomes("?c?");
}

static void what_was_not_sent_is_sent_again_once(void **state)
{
    (void)state;
    connect_first();
    fake_exchange_end(EXCHANGE_UNSENT);
    commit("B1 B2");
    fake_exchange_sent("B1x1 B2x1;K;B1x1 B2x1");
    expect_outcomes("++");
    fake_exchange_end(EXCHANGE_UNSENT);
    fake_exchange_end(EXCHANGE_UNSENT);
    commit("B1 B2");
    fake_exchange_sent("B1x1 B2x1;K;B1x1 B2x1");
    expect_outcomes("--");
    assert_int_equal(fake_exchange.open_now, 0);
}

static void what_was_not_sent_at_first_and_then_is_lost_is_unknown(void **state)
{
    (void)state;
    connect_first();
    fake_exchange_end(EXCHANGE_UNSENT);
    fake_exchange_end(EXCHANGE_LOST);
    commit("B1 B2");
    fake_exchange_sent("B1x1 B2x1;K;B1x1 B2x1");
    expect_outcomes("??");
}

static void what_reads_is_asked_again_once_and_never_unknown(void **state)
{
    (void)state;
    connect_first();
    fake_exchange_end(EXCHANGE_LOST);
    commit("S1 C2 H0");
    fake_exchange_sent("S1 Cx1 Hx1;K;S1 Cx1 Hx1");
    expect_outcomes("+++");
    fake_exchange_end(EXCHANGE_LOST);
    fake_exchange_end(EXCHANGE_UNSENT);
    commit("S1 C2 H0");
    fake_exchange_sent("S1 Cx1 Hx1;K;S1 Cx1 Hx1");
    expect_outcomes("---");
}

static void what_reads_beside_a_write_that_is_lost_is_asked_for_all_the_same(void **state)
{
    (void)state;
    connect_first();
    fake_exchange_end(EXCHANGE_LOST);
    commit("S1 B1");
    fake_exchange_sent("B1x1;K;S1");
    expect_outcomes("+?");
}

static void a_server_that_went_away_between_two_batches_does_no_harm(void **state)
{
    (void)state;
    connect_first();
    fake_exchange.gone = true;
    commit("B1");
    fake_exchange_sent("K;B1x1");
    expect_outcomes("+");
    assert_int_equal(fake_exchange.open_now, 1);
    fake_exchange.gone = true;
    fake_exchange_open(SESSION_ABSENT, 1);
    commit("B1");
    fake_exchange_sent("");
    expect_outcomes("-"); /* and not unknown */
}

/* --- learning --------------------------------------------------------------------------------- */

static void a_connection_on_which_learning_was_lost_is_not_used(void **state)
{
    (void)state;
    static const enum exchange_end ends[] = {EXCHANGE_LOST, EXCHANGE_UNSENT};
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        char error[100] = "";
        assert_int_equal(worker_setup(NULL), 0);
        fake_exchange.learn_end = ends[i];
        commit("B1 S1");
        expect_outcomes("--");
        assert_null(strstr(fake_exchange.sent, "B"));
        assert_false(fake_exchange.misused);
        assert_int_equal(fake_exchange.open_now, 0);
        assert_int_equal(worker_connect(&worker[0], error, sizeof error), SESSION_ABSENT);
        assert_string_not_equal(error, "");
    }
}

static void whoever_may_not_read_who_there_is_has_no_connection(void **state)
{
    (void)state;
    static const uint32_t clients[] = {1, 0};
    fake_exchange.learn_end = EXCHANGE_REFUSED;
    fake_exchange.learn_state = "42501"; /* insufficient_privilege */
    fake_exchange.learned = clients;
    commit("B1");
    fake_exchange_sent("K");
    expect_outcomes("-");
    assert_false(known_has(&workers.known, 1));
    char error[100];
    assert_int_equal(worker_connect(&worker[0], error, sizeof error), SESSION_REFUSED);
    assert_string_equal(error, "postgres://host/name: its words");
    assert_int_equal(fake_exchange.open_now, 0);
    fake_exchange.learn_state = "57014"; /* a timeout: that may pass */
    assert_int_equal(worker_connect(&worker[0], error, sizeof error), SESSION_ABSENT);
    assert_int_equal(fake_exchange.open_now, 0);
}

/* There may be no room to remember whoever is found: what was found counts. */
static void a_stranger_is_asked_for_and_booked_once_found(void **state)
{
    (void)state;
    static const uint32_t clients[] = {1, 0};
    fake_exchange.learned = clients;
    fake_exchange.learned_all = true;
    connect_first();
    commit("B1 B2");
    fake_exchange_sent("Cx1;B1x1 B2x1");
    expect_outcomes("++");
    assert_false(known_has(&workers.known, 2));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, worker_setup, worker_teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_first_batch_connects_and_learns_who_there_is),
        TEST(a_batch_is_a_call_for_each_client_and_then_what_reads),
        TEST(what_only_reads_or_only_writes_is_one_exchange),
        TEST(a_full_batch_of_as_many_clients_is_as_many_calls),
        TEST(a_full_batch_that_reads_is_one_exchange),
        TEST(refused_calls_are_taken_out_one_by_one),
        TEST(when_all_are_refused_nothing_is_sent_any_more),
        TEST(a_commit_that_is_refused_is_refused_for_all),
        TEST(what_reads_is_refused_alone_as_well),
        TEST(stale_statements_are_prepared_anew_for_the_others),
        TEST(a_schema_that_is_gone_for_good_ends_in_down),
        TEST(refusals_are_told_once_a_second_and_name_the_client),
        TEST(what_was_sent_and_is_lost_is_unknown_and_not_sent_again),
        TEST(what_was_refused_before_the_loss_is_not_unknown),
        TEST(what_was_not_sent_is_sent_again_once),
        TEST(what_was_not_sent_at_first_and_then_is_lost_is_unknown),
        TEST(what_reads_is_asked_again_once_and_never_unknown),
        TEST(what_reads_beside_a_write_that_is_lost_is_asked_for_all_the_same),
        TEST(a_server_that_went_away_between_two_batches_does_no_harm),
        TEST(a_connection_on_which_learning_was_lost_is_not_used),
        TEST(whoever_may_not_read_who_there_is_has_no_connection),
        TEST(a_stranger_is_asked_for_and_booked_once_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
