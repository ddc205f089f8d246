/* SPDX-License-Identifier: MIT
 *
 * test_connection_time.c - what a connection does when time passes, when a client leaves, when the
 * server drains, and when there are too many.
 */
#include "unit.h"

#include <string.h>

#include "talk.h"

#define HEALTH    "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
#define STATEMENT "GET /clientes/1/extrato HTTP/1.1\r\nHost: a\r\n\r\n"
#define HEAD      "POST /clientes/1/transacoes HTTP/1.1\r\nHost: a\r\nContent-Length: 38\r\n"
#define BODY      "{\"valor\":1,\"tipo\":\"d\",\"descricao\":\"x\"}"
#define DEBIT     HEAD "\r\n" BODY

static struct talk talk;

static void expect_state(enum connection_state state, uint64_t timeout_ms)
{
    assert_int_equal(talk.connection.state, state);
    assert_int_equal(talk.connection.deadline_ms, service.now_ms + timeout_ms);
}

/* --- reading -------------------------------------------------------------------------------- */

static void an_idle_connection_is_closed_after_75_s_without_a_word(void **state)
{
    (void)state;
    talk_open(&talk);
    expect_state(CONNECTION_READING, 75000);
    talk_pass_ms(&talk, 74999);
    assert_int_equal(talk.connection.state, CONNECTION_READING);
    talk_pass_ms(&talk, 1);
    assert_int_equal(talk.connection.state, CONNECTION_CLOSED);
    assert_string_equal(talk_said(&talk), "");
}

static void each_reply_gives_75_s_anew(void **state)
{
    (void)state;
    talk_open(&talk);
    for (int i = 0; i < 3; i++) {
        talk_pass_ms(&talk, 70000);
        talk_hear_text(&talk, HEALTH);
        expect_state(CONNECTION_READING, 75000);
    }
    assert_string_equal(talk_statuses(&talk), "200 200 200");
}

static void empty_lines_are_no_request_and_no_sign_of_life(void **state)
{
    (void)state;
    talk_open(&talk);
    for (int i = 0; i < 7; i++) {
        talk_pass_ms(&talk, 10000);
        talk_hear_text(&talk, "\r\n");
    }
    assert_int_equal(talk.connection.state, CONNECTION_READING);
    talk_pass_ms(&talk, 5000);
    assert_int_equal(talk.connection.state, CONNECTION_CLOSED);
    assert_string_equal(talk_said(&talk), "");
}

static void a_request_not_complete_after_15_s_is_408_also_when_it_trickles(void **state)
{
    (void)state;
    static const char raw[] = DEBIT;
    for (size_t stop = 1; stop < sizeof raw - 1; stop += 7) {
        talk_open(&talk);
        talk_pass_ms(&talk, 60000); /* before the first byte */
        for (size_t at = 0; at < stop; at++) {
            talk_hear(&talk, raw + at, 1);
            talk_pass_ms(&talk, 14999 / stop);
        }
        assert_int_equal(talk.connection.state, CONNECTION_READING);
        assert_string_equal(talk_said(&talk), "");
        talk_pass_ms(&talk, 15000 - 14999 / stop * stop);
        assert_string_equal(talk_statuses(&talk), "408");
        assert_non_null(strstr(talk_said(&talk), "\r\nConnection: close\r\n"));
        assert_non_null(strstr(talk_said(&talk), "\"tempo-esgotado\""));
        expect_state(CONNECTION_LINGERING, 5000);
        talk_hear_text(&talk, raw + stop); /* too late */
        assert_string_equal(talk_statuses(&talk), "408");
        assert_int_equal(fake.submitted[OP_ENTRY], 0);
    }
}

static void a_request_that_waited_behind_another_has_15_s_from_its_turn(void **state)
{
    (void)state;
    fake.later[OP_ENTRY] = true;
    talk_open(&talk);
    talk.unanswered = true;
    talk_hear_text(&talk, DEBIT HEAD);
    talk_pass_ms(&talk, 9000);
    talk_answer_next();
    talk_go_on(&talk);
    expect_state(CONNECTION_READING, 15000);
    talk_pass_ms(&talk, 15000);
    assert_string_equal(talk_statuses(&talk), "200 408");
}

static void the_15_s_go_on_while_the_client_is_told_to_continue(void **state)
{
    (void)state;
    talk_open(&talk);
    talk_hear_text(&talk, HEAD);
    talk_pass_ms(&talk, 4000);
    talk.stuck = true;
    talk_hear_text(&talk, "Expect: 100-continue\r\n\r\n");
    expect_state(CONNECTION_SENDING, 15000);
    talk_pass_ms(&talk, 3000);
    talk.stuck = false;
    talk_go_on(&talk);
    assert_string_equal(talk_statuses(&talk), "100");
    expect_state(CONNECTION_READING, 8000);
    talk_pass_ms(&talk, 8000);
    assert_string_equal(talk_statuses(&talk), "100 408");
}

/* --- waiting for the store ------------------------------------------------------------------ */

static void an_entry_unanswered_for_10_s_is_504_and_its_op_comes_back_to_nobody(void **state)
{
    (void)state;
    fake.later[OP_ENTRY] = true;
    talk_open(&talk);
    talk.unanswered = true;
    talk_hear_text(&talk, DEBIT);
    expect_state(CONNECTION_WAITING, 10000);
    struct op *op = talk.connection.op;
    assert_ptr_equal(op->context, &talk.connection);
    talk_pass_ms(&talk, 9999);
    assert_string_equal(talk_said(&talk), "");
    talk_pass_ms(&talk, 1);
    assert_string_equal(talk_statuses(&talk), "504");
    assert_non_null(strstr(talk_said(&talk), "\"resultado-desconhecido\""));
    assert_null(strstr(talk_said(&talk), "Retry-After"));
    assert_null(op->context);

    /* It goes on as if nothing had been; the late answer is nobody's. */
    expect_state(CONNECTION_READING, 75000);
    talk_hear_text(&talk, HEALTH DEBIT);
    assert_string_equal(talk_statuses(&talk), "504 200");
    assert_int_equal(fake.waiting_count, 2);
    talk_answer_next();
    talk_go_on(&talk);
    assert_string_equal(talk_statuses(&talk), "504 200");
    talk_answer_next();
    talk_go_on(&talk);
    assert_string_equal(talk_statuses(&talk), "504 200 200");
    assert_non_null(strstr(talk_said(&talk), "\"saldo\":-2}"));
}

static void any_other_question_unanswered_for_10_s_is_503(void **state)
{
    (void)state;
    static const char *const requests[] = {
        STATEMENT,
        HEALTH,
        "POST /clientes/1/transacoes HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n{",
        HEAD "Expect: 100-continue\r\n\r\n",
    };
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        fake_reset();
        for (int kind = 0; kind < FAKE_OP_KINDS; kind++)
            fake.later[kind] = true;
        talk_open(&talk);
        talk.unanswered = true;
        talk_hear_text(&talk, requests[i]);
        expect_state(CONNECTION_WAITING, 10000);
        talk_pass_ms(&talk, 10000);
        assert_string_equal(talk_statuses(&talk), "503");
        assert_non_null(strstr(talk_said(&talk), "\r\nRetry-After: 1\r\n"));
        talk_answer_next();
    }
}

static void ops_that_came_back_to_nobody_can_be_used_again(void **state)
{
    (void)state;
    fake.later[OP_ENTRY] = true;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < TALK_OPS; i++) {
            talk_open(&talk);
            talk.unanswered = true;
            talk_hear_text(&talk, DEBIT);
            talk_pass_ms(&talk, 10000);
            assert_string_equal(talk_statuses(&talk), "504");
        }
        talk_open(&talk);
        talk_hear_text(&talk, HEALTH); /* no op is left */
        assert_string_equal(talk_statuses(&talk), "503");
        while (fake.waiting_count > 0)
            talk_answer_next();
    }
    talk_hear_text(&talk, HEALTH);
    assert_string_equal(talk_statuses(&talk), "503 200");
}

static void a_client_that_leaves_while_waiting_leaves_its_op_to_nobody(void **state)
{
    (void)state;
    fake.later[OP_ENTRY] = true;
    talk_open(&talk);
    talk.unanswered = true;
    talk_hear_text(&talk, DEBIT);
    struct op *op = talk.connection.op;
    connection_abandon(&talk.connection);
    assert_null(op->context);
    assert_null(talk.connection.op);
    talk_answer_next();
    talk_open(&talk);
    connection_abandon(&talk.connection); /* with nothing to leave */
    assert_int_equal(fake.accounts[1].balance_cents, -1);
}

/* --- sending and lingering ------------------------------------------------------------------ */

static void a_client_that_does_not_read_is_closed_after_15_s(void **state)
{
    (void)state;
    talk_open(&talk);
    talk.stuck = true;
    talk_hear_text(&talk, STATEMENT);
    expect_state(CONNECTION_SENDING, 15000);
    talk.stuck = false;
    talk.gulp = 10;
    for (int second = 1; second < 15; second++) {
        service.now_ms += 1000;
        const char *bytes;
        assert_in_range(connection_output(&talk.connection, &bytes), 11, OUTPUT_BYTES_MAX);
        connection_sent(&talk.connection, 10); /* reading slowly gives no more time */
        assert_int_equal(talk.connection.state, CONNECTION_SENDING);
    }
    talk.stuck = true;
    talk_pass_ms(&talk, 1000);
    assert_int_equal(talk.connection.state, CONNECTION_CLOSED);
}

static void after_the_last_reply_the_input_is_thrown_away_for_5_s(void **state)
{
    (void)state;
    talk_open(&talk);
    talk_hear_text(&talk, "GET / HTTP/2.0\r\n\r\n");
    assert_string_equal(talk_statuses(&talk), "400");
    expect_state(CONNECTION_LINGERING, 5000);
    static char more[20000];
    assert_int_equal(talk_hear(&talk, more, sizeof more), sizeof more);
    talk_hear_text(&talk, HEALTH);
    assert_string_equal(talk_statuses(&talk), "400");
    talk_pass_ms(&talk, 4999);
    assert_int_equal(talk.connection.state, CONNECTION_LINGERING);
    talk_pass_ms(&talk, 1);
    assert_int_equal(talk.connection.state, CONNECTION_CLOSED);
}

static void a_client_that_has_read_the_last_reply_ends_the_lingering(void **state)
{
    (void)state;
    talk_open(&talk);
    talk_hear_text(&talk, "GET / HTTP/2.0\r\n\r\n");
    connection_input_ended(&talk.connection);
    assert_int_equal(talk.connection.state, CONNECTION_CLOSED);

    talk_open(&talk);
    talk.stuck = true;
    talk_hear_text(&talk, "GET / HTTP/2.0\r\n\r\n");
    connection_input_ended(&talk.connection);
    assert_int_equal(talk.connection.state, CONNECTION_SENDING);
    talk.stuck = false;
    talk_go_on(&talk);
    assert_string_equal(talk_statuses(&talk), "400");
    assert_int_equal(talk.connection.state, CONNECTION_CLOSED);
}

/* --- the end of the input ------------------------------------------------------------------- */

static void a_client_that_says_no_more_is_still_answered(void **state)
{
    (void)state;
    for (int later = 0; later < 2; later++) {
        fake_reset();
        fake.later[OP_ENTRY] = later;
        talk_open(&talk);
        talk.unanswered = true;
        talk.stuck = !later;
        talk_hear_text(&talk, DEBIT HEALTH DEBIT);
        connection_input_ended(&talk.connection);
        assert_string_equal(talk_said(&talk), "");
        talk.unanswered = talk.stuck = false;
        talk_go_on(&talk);
        assert_string_equal(talk_statuses(&talk), "200 200 200");
        assert_int_equal(talk.connection.state, CONNECTION_CLOSED);
    }
}

static void an_input_that_ends_between_or_within_requests_closes(void **state)
{
    (void)state;
    static const char *const inputs[] = {"", "\r\n", "GET /hea", HEAD, HEAD "\r\n{", HEALTH "GET"};
    for (size_t i = 0; i < COUNT_OF(inputs); i++) {
        talk_open(&talk);
        talk_hear_text(&talk, inputs[i]);
        connection_input_ended(&talk.connection);
        talk_go_on(&talk);
        assert_int_equal(talk.connection.state, CONNECTION_CLOSED);
        assert_string_equal(talk_statuses(&talk), i == COUNT_OF(inputs) - 1 ? "200" : "");
    }
}

static void a_client_that_expects_and_says_no_more_is_closed(void **state)
{
    (void)state;
    fake.later[OP_CLIENT] = true;
    talk_open(&talk);
    talk.unanswered = true;
    talk_hear_text(&talk, HEAD "Expect: 100-continue\r\n\r\n");
    connection_input_ended(&talk.connection);
    talk.unanswered = false;
    talk_go_on(&talk);
    assert_int_equal(talk.connection.state, CONNECTION_CLOSED);
    assert_int_equal(fake.submitted[OP_ENTRY], 0);
}

/* --- draining, and the limit ---------------------------------------------------------------- */

static void begin_to_drain(void)
{
    service.draining = true;
    connection_drain(&talk.connection);
}

static void an_idle_connection_closes_soon_when_draining(void **state)
{
    (void)state;
    talk_open(&talk);
    talk_hear_text(&talk, HEALTH);
    begin_to_drain();
    expect_state(CONNECTION_READING, 250);
    talk_pass_ms(&talk, 250);
    assert_int_equal(talk.connection.state, CONNECTION_CLOSED);
    assert_string_equal(talk_statuses(&talk), "200");
}

static void a_request_on_the_wire_is_served_when_draining_and_is_the_last(void **state)
{
    (void)state;
    talk_open(&talk);
    begin_to_drain();
    talk_pass_ms(&talk, 249);
    talk_hear_text(&talk, DEBIT DEBIT);
    assert_string_equal(talk_statuses(&talk), "200");
    assert_non_null(strstr(talk_said(&talk), "\r\nConnection: close\r\n"));
    expect_state(CONNECTION_LINGERING, 5000);
    assert_int_equal(fake.submitted[OP_ENTRY], 1);
}

static void a_request_that_has_begun_keeps_its_time_when_draining(void **state)
{
    (void)state;
    talk_open(&talk);
    talk_hear_text(&talk, HEAD);
    uint64_t deadline_ms = talk.connection.deadline_ms;
    begin_to_drain();
    assert_int_equal(talk.connection.deadline_ms, deadline_ms);
    talk_pass_ms(&talk, 10000);
    talk_hear_text(&talk, "\r\n" BODY);
    assert_string_equal(talk_statuses(&talk), "200");
    assert_int_equal(talk.connection.state, CONNECTION_LINGERING);
}

static void a_request_that_waits_is_answered_when_draining(void **state)
{
    (void)state;
    fake.later[OP_ENTRY] = true;
    talk_open(&talk);
    talk.unanswered = true;
    talk_hear_text(&talk, DEBIT HEALTH);
    begin_to_drain();
    expect_state(CONNECTION_WAITING, 10000);
    talk_answer_next();
    talk_go_on(&talk);
    assert_string_equal(talk_statuses(&talk), "200");
    assert_non_null(strstr(talk_said(&talk), "\r\nConnection: close\r\n"));
    assert_int_equal(talk.connection.state, CONNECTION_LINGERING);
}

static void a_reply_on_its_way_arrives_when_draining_and_one_more_request_may_come(void **state)
{
    (void)state;
    talk_open(&talk);
    talk.stuck = true;
    talk_hear_text(&talk, HEALTH);
    begin_to_drain();
    talk.stuck = false;
    talk_go_on(&talk);
    expect_state(CONNECTION_READING, 250);
    talk_hear_text(&talk, HEALTH);
    assert_string_equal(talk_statuses(&talk), "200 200");
    assert_int_equal(talk.connection.state, CONNECTION_LINGERING);
}

static void past_the_limit_a_connection_gets_a_503_and_is_not_read(void **state)
{
    (void)state;
    talk_open(&talk);
    connection_open_refused(&talk.connection, &service);
    expect_state(CONNECTION_SENDING, 15000);
    talk_hear_text(&talk, DEBIT HEALTH);
    assert_string_equal(talk_said(&talk),
                        "HTTP/1.1 503 Service Unavailable\r\n"
                        "Date: DATE\r\n"
                        "Content-Type: application/problem+json\r\n"
                        "Retry-After: 1\r\n"
                        "Connection: close\r\n"
                        "Content-Length: 128\r\n"
                        "\r\n"
                        "{\"type\":\"indisponivel\",\"title\":\"Too many connections\","
                        "\"status\":503,\"detail\":\"the connection limit is reached; nothing "
                        "happened\"}");
    expect_state(CONNECTION_LINGERING, 5000);
    assert_int_equal(fake.submitted[OP_ENTRY] + fake.submitted[OP_HEALTH], 0);
}

static void each_closed_connection_stays_closed(void **state)
{
    (void)state;
    talk_open(&talk);
    talk_pass_ms(&talk, 75000);
    assert_int_equal(talk.connection.state, CONNECTION_CLOSED);
    connection_expired(&talk.connection);
    connection_drain(&talk.connection);
    connection_input_ended(&talk.connection);
    connection_abandon(&talk.connection);
    assert_int_equal(talk.connection.state, CONNECTION_CLOSED);
    const char *bytes;
    assert_int_equal(connection_output(&talk.connection, &bytes), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, talk_setup, talk_teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_idle_connection_is_closed_after_75_s_without_a_word),
        TEST(each_reply_gives_75_s_anew),
        TEST(empty_lines_are_no_request_and_no_sign_of_life),
        TEST(a_request_not_complete_after_15_s_is_408_also_when_it_trickles),
        TEST(a_request_that_waited_behind_another_has_15_s_from_its_turn),
        TEST(the_15_s_go_on_while_the_client_is_told_to_continue),
        TEST(an_entry_unanswered_for_10_s_is_504_and_its_op_comes_back_to_nobody),
        TEST(any_other_question_unanswered_for_10_s_is_503),
        TEST(ops_that_came_back_to_nobody_can_be_used_again),
        TEST(a_client_that_leaves_while_waiting_leaves_its_op_to_nobody),
        TEST(a_client_that_does_not_read_is_closed_after_15_s),
        TEST(after_the_last_reply_the_input_is_thrown_away_for_5_s),
        TEST(a_client_that_has_read_the_last_reply_ends_the_lingering),
        TEST(a_client_that_says_no_more_is_still_answered),
        TEST(an_input_that_ends_between_or_within_requests_closes),
        TEST(a_client_that_expects_and_says_no_more_is_closed),
        TEST(an_idle_connection_closes_soon_when_draining),
        TEST(a_request_on_the_wire_is_served_when_draining_and_is_the_last),
        TEST(a_request_that_has_begun_keeps_its_time_when_draining),
        TEST(a_request_that_waits_is_answered_when_draining),
        TEST(a_reply_on_its_way_arrives_when_draining_and_one_more_request_may_come),
        TEST(past_the_limit_a_connection_gets_a_503_and_is_not_read),
        TEST(each_closed_connection_stays_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
