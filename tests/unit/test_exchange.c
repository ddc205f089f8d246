/* SPDX-License-Identifier: MIT
 *
 * test_exchange.c - however a conversation with the server goes, and wherever it breaks off, it has the
 * end that exchange.h says, in time, and nothing leaks. fake_libpq.h explains the scripts.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "fake_libpq.h"
#include "store/postgres/exchange.h"

enum { CALLS = 3, TIMEOUT_MS = 10000 };

static struct op ops[CALLS], *batch[CALLS];
static struct call calls[CALLS + 1]; /* one that is never sent */
static struct refusal refusal;

static int setup(void **state)
{
    (void)state;
    memset(&refusal, 0x55, sizeof refusal);
    for (int i = 0; i < CALLS; i++) {
        ops[i] = (struct op){.kind = OP_STATEMENT, .client = 1};
        batch[i] = &ops[i];
        calls[i] = (struct call){.kind = CALL_STATEMENT, .ops = &batch[i], .count = 1};
        calls[i].result = (PGresult *)&calls[i]; /* of an earlier life, and nobody's */
    }
    calls[CALLS].result = (PGresult *)&calls[CALLS];
    return 0;
}

static enum exchange_end talk(uint32_t count)
{
    return exchange((PGconn *)&fake_libpq, calls, count, TIMEOUT_MS, &refusal);
}

static enum exchange_end follow(const char *script, uint32_t count)
{
    (void)setup(NULL);
    (void)fake_libpq_begin(script);
    return talk(count);
}

/* Call it once, after whatever else is expected. */
static void expect_all_cleared(uint32_t count)
{
    exchange_clear(calls, count);
    assert_int_equal(fake_libpq.cleared, fake_libpq.made);
    for (uint32_t i = 0; i < count; i++)
        assert_null(calls[i].result);
    assert_ptr_equal(calls[CALLS].result, &calls[CALLS]);
}

/* --- ends ------------------------------------------------------------------------------------- */

static void with_every_result_and_the_synchronization_it_is_done(void **state)
{
    (void)state;
    static const char *const scripts[] = {"TN TN TN S", "wTN TN wTwN wwS", "wwwTNTNTNwS"};
    for (size_t i = 0; i < COUNT_OF(scripts); i++) {
        assert_int_equal(follow(scripts[i], 3), EXCHANGE_DONE);
        assert_int_equal(fake_libpq.sends, 3);
        assert_int_equal(fake_libpq.synced, 1);
        for (int j = 0; j < 3; j++)
            assert_int_equal(fake_libpq_letter(calls[j].result), 'T');
        assert_true(calls[0].result != calls[1].result && calls[1].result != calls[2].result);
        expect_all_cleared(3);
    }
}

static void an_error_at_a_call_is_a_refusal_that_names_it(void **state)
{
    (void)state;
    static const struct {
        const char *script;
        uint32_t call;
    } cases[] = {{"EN AN AN S", 0}, {"TN EN AN S", 1}, {"TN TN wEN wS", 2}, {"TN TEN AN S", 1}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(follow(cases[i].script, 3), EXCHANGE_REFUSED);
        assert_int_equal(refusal.call, cases[i].call);
        assert_string_equal(refusal.state, "57014");
        assert_string_equal(refusal.words, "ERROR: it is not to be DETAIL: Ever.");
        expect_all_cleared(3);
    }
}

static void an_error_at_the_commit_is_a_refusal_of_no_call(void **state)
{
    (void)state;
    static const char *const scripts[] = {"TN TN TN EN S", "TN TN TN wEN wS", "TN TN TN ES"};
    for (size_t i = 0; i < COUNT_OF(scripts); i++) {
        assert_int_equal(follow(scripts[i], 3), EXCHANGE_REFUSED);
        assert_int_equal(refusal.call, 3);
        assert_string_equal(refusal.state, "57014");
        expect_all_cleared(3);
    }
}

static void the_first_error_is_the_one_that_is_told(void **state)
{
    (void)state;
    assert_int_equal(follow("TN EN EN EN S", 3), EXCHANGE_REFUSED);
    assert_int_equal(refusal.call, 1);
    expect_all_cleared(3);
}

static void an_error_without_a_state_has_an_empty_one_and_a_long_one_is_cut(void **state)
{
    (void)state;
    PGconn *conn = fake_libpq_begin("EN S");
    fake_libpq.state = NULL;
    assert_int_equal(exchange(conn, calls, 1, TIMEOUT_MS, &refusal), EXCHANGE_REFUSED);
    assert_string_equal(refusal.state, "");
    expect_all_cleared(1);
    conn = fake_libpq_begin("EN S");
    fake_libpq.state = "12345678";
    assert_int_equal(exchange(conn, calls, 1, TIMEOUT_MS, &refusal), EXCHANGE_REFUSED);
    assert_string_equal(refusal.state, "12345");
    expect_all_cleared(1);
}

static void a_fatal_error_is_a_loss_wherever_it_comes(void **state)
{
    (void)state;
    static const char *const scripts[] = {"F",        "TN F",    "TN TN TN F", "EN F",      "L",
                                          "TN TN wL", "TN EN L", "C",          "TN TN TN L"};
    for (size_t i = 0; i < COUNT_OF(scripts); i++) {
        assert_int_equal(follow(scripts[i], 3), EXCHANGE_LOST);
        assert_string_not_equal(refusal.words, "");
        expect_all_cleared(3);
    }
}

static void an_error_on_a_connection_that_is_gone_is_a_loss(void **state)
{
    (void)state;
    PGconn *conn = fake_libpq_begin("EN S");
    fake_libpq.gone = true;
    assert_int_equal(exchange(conn, calls, 1, TIMEOUT_MS, &refusal), EXCHANGE_LOST);
    expect_all_cleared(1);
}

static void a_connection_that_ends_is_a_loss_wherever_it_ends(void **state)
{
    (void)state;
    static const char whole[] = "TN TN TN ";
    for (size_t length = 0; length < sizeof whole; length++) {
        char script[20];
        snprintf(script, sizeof script, "%.*sxS", (int)length, whole);
        assert_int_equal(follow(script, 3), EXCHANGE_LOST);
        assert_string_equal(refusal.words,
                            "server closed the connection unexpectedly This is all.");
        assert_int_equal(fake_libpq.clock_ms, 1000000); /* at once */
        expect_all_cleared(3);
    }
    assert_int_equal(follow("TN EN AN xS", 3), EXCHANGE_LOST);
    assert_string_equal(refusal.words, "ERROR: it is not to be DETAIL: Ever."); /* that says more */
    expect_all_cleared(3);
}

static void without_an_answer_it_is_a_loss_when_the_time_is_over(void **state)
{
    (void)state;
    static const char *const scripts[] = {"",       "T",          "TN",       "TN TN TN",  "wTN",
                                          "EN AN ", "wTN wEN wA", "iiTNiiTN", "TN TN TN E"};
    for (size_t i = 0; i < COUNT_OF(scripts); i++) {
        assert_int_equal(follow(scripts[i], 3), EXCHANGE_LOST);
        assert_int_equal(fake_libpq.clock_ms, 1000000 + TIMEOUT_MS);
        if (!strchr(scripts[i], 'E'))
            assert_string_equal(refusal.words, "no answer in time");
        expect_all_cleared(3);
    }
}

/* Each piece comes in time, and all of them do not. */
static void an_answer_that_trickles_is_not_waited_for_any_longer(void **state)
{
    (void)state;
    char waits[102], script[120];
    memset(waits, 'w', sizeof waits);
    snprintf(script, sizeof script, "%.99sTN TN TN S", waits);
    assert_int_equal(follow(script, 3), EXCHANGE_DONE);
    expect_all_cleared(3);
    snprintf(script, sizeof script, "%.101sTN TN TN S", waits);
    assert_int_equal(follow(script, 3), EXCHANGE_LOST);
    assert_int_equal(fake_libpq.clock_ms, 1000000 + TIMEOUT_MS);
    expect_all_cleared(3);
}

static void signals_in_between_change_nothing(void **state)
{
    (void)state;
    assert_int_equal(follow("iwiTN iTiN wTN iS", 3), EXCHANGE_DONE);
    expect_all_cleared(3);
}

static void a_wait_that_fails_is_a_loss(void **state)
{
    (void)state;
    assert_int_equal(follow("TN pTN TN S", 3), EXCHANGE_LOST);
    expect_all_cleared(3);
}

/* --- sending ---------------------------------------------------------------------------------- */

static void what_cannot_be_sent_is_unsent_and_not_synchronized(void **state)
{
    (void)state;
    for (int at = 0; at < 3; at++) {
        (void)setup(NULL);
        (void)fake_libpq_begin("TN TN TN S");
        fake_libpq.send_fails_at = at;
        assert_int_equal(talk(3), EXCHANGE_UNSENT);
        assert_int_equal(fake_libpq.sends, at + 1); /* none after it */
        assert_int_equal(fake_libpq.synced, 0);
        assert_int_equal(refusal.call, 3);
        assert_string_equal(refusal.words,
                            "server closed the connection unexpectedly This is all.");
        expect_all_cleared(3);
        assert_int_equal(fake_libpq.made, 0);
    }
}

static void a_synchronization_that_fails_is_a_loss(void **state)
{
    (void)state;
    (void)fake_libpq_begin("TN TN TN S");
    fake_libpq.sync_fails = true;
    assert_int_equal(talk(3), EXCHANGE_LOST);
    assert_int_equal(fake_libpq.made, 0);
    assert_string_not_equal(refusal.words, "");
    expect_all_cleared(3);
}

static void what_does_not_leave_at_once_leaves_as_the_socket_takes_it(void **state)
{
    (void)state;
    (void)fake_libpq_begin("oowoTN wTN TN wS");
    fake_libpq.flushes = 3;
    assert_int_equal(talk(3), EXCHANGE_DONE);
    assert_int_equal(fake_libpq.flushes, 0);
    expect_all_cleared(3);
}

/* Answers of the first calls come while the last are still to be sent: both ends would wait. */
static void answers_are_read_while_there_is_more_to_send(void **state)
{
    (void)state;
    (void)fake_libpq_begin("wTN wTN ooTN wS");
    fake_libpq.flushes = 2;
    assert_int_equal(talk(3), EXCHANGE_DONE);
    expect_all_cleared(3);
}

static void a_flush_that_fails_is_a_loss(void **state)
{
    (void)state;
    for (int at = 0; at < 3; at++) {
        (void)setup(NULL);
        (void)fake_libpq_begin("wTN wTN wTN wS");
        fake_libpq.flush_fails_at = at;
        assert_int_equal(talk(3), EXCHANGE_LOST);
        expect_all_cleared(3);
    }
}

static void what_never_leaves_is_a_loss_in_time(void **state)
{
    (void)state;
    (void)fake_libpq_begin("");
    fake_libpq.flushes = 1;
    assert_int_equal(talk(3), EXCHANGE_LOST);
    assert_int_equal(fake_libpq.clock_ms, 1000000 + TIMEOUT_MS);
    expect_all_cleared(3);
}

/* --- what no server should do ----------------------------------------------------------------- */

static void it_is_not_done_before_every_call_has_its_result(void **state)
{
    (void)state;
    static const char *const scripts[] = {"S",       "TN S",    "TN TN N S",
                                          "N N N S", "TN TN S", "TN AN AN S"};
    for (size_t i = 0; i < COUNT_OF(scripts); i++) {
        if (follow(scripts[i], 3) != EXCHANGE_LOST)
            FAIL("%s is no loss", scripts[i]);
        expect_all_cleared(3);
    }
}

static void results_beyond_those_of_the_calls_are_cleared(void **state)
{
    (void)state;
    (void)follow("TTTN TN TN T S", 3);
    expect_all_cleared(3);
    static const char *const scripts[] = {"TN TN TN N S", "TN TN TN EN N S", "TN EN AN N N S"};
    for (size_t i = 0; i < COUNT_OF(scripts); i++) { /* nothing more was to come */
        assert_int_equal(follow(scripts[i], 3), EXCHANGE_LOST);
        expect_all_cleared(3);
    }
}

/* All the scripts of so many letters, and what must be true of each. */
static void try_all(char *script, size_t at, size_t length)
{
    static const char letters[] = "TNSAEFx";
    if (at < length) {
        for (size_t i = 0; i < sizeof letters - 1; i++) {
            script[at] = letters[i];
            try_all(script, at + 1, length);
        }
        return;
    }
    enum exchange_end end = follow(script, 2);
    size_t read = (size_t)(fake_libpq.script - script);
    char last = read > 0 ? script[read - 1] : '\0';
    bool refused = memchr(script, 'E', read) != NULL;
    bool broken = memchr(script, 'F', read) || memchr(script, 'x', read);
    bool wrong = true;
    switch (end) {
    case EXCHANGE_DONE:
        wrong = last != 'S' || refused || broken || !calls[0].result || !calls[1].result;
        break;
    case EXCHANGE_REFUSED: wrong = last != 'S' || !refused || broken; break;
    case EXCHANGE_UNSENT: break; /* all of it was sent */
    case EXCHANGE_LOST: wrong = refusal.words[0] == '\0'; break;
    }
    if (wrong || fake_libpq.clock_ms > 1000000 + TIMEOUT_MS)
        FAIL("%s has end %d after %zu letters", script, (int)end, read);
    expect_all_cleared(2);
}

static void of_all_conversations_none_has_another_end(void **state)
{
    (void)state;
    char script[7] = "";
    for (size_t length = 0; length < sizeof script; length++)
        try_all(script, 0, length);
}

/* --- between exchanges ------------------------------------------------------------------------ */

static void a_connection_on_which_nothing_came_is_of_use(void **state)
{
    (void)state;
    assert_true(exchange_possible(fake_libpq_begin("")));
    assert_true(exchange_possible(fake_libpq_begin("w"))); /* a notice */
    assert_true(exchange_possible(fake_libpq_begin("wwwwwwwww")));
    assert_int_equal(fake_libpq.clock_ms, 1000000); /* and nobody waited */
}

static void one_that_ended_or_does_not_end_to_speak_is_of_none(void **state)
{
    (void)state;
    assert_false(exchange_possible(fake_libpq_begin("x")));
    assert_false(exchange_possible(fake_libpq_begin("wx"))); /* a farewell, and the end */
    PGconn *conn = fake_libpq_begin("");
    fake_libpq.gone = true;
    assert_false(exchange_possible(conn));
    assert_false(exchange_possible(fake_libpq_begin("wwwwwwwwww")));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(with_every_result_and_the_synchronization_it_is_done),
        TEST(an_error_at_a_call_is_a_refusal_that_names_it),
        TEST(an_error_at_the_commit_is_a_refusal_of_no_call),
        TEST(the_first_error_is_the_one_that_is_told),
        TEST(an_error_without_a_state_has_an_empty_one_and_a_long_one_is_cut),
        TEST(a_fatal_error_is_a_loss_wherever_it_comes),
        TEST(an_error_on_a_connection_that_is_gone_is_a_loss),
        TEST(a_connection_that_ends_is_a_loss_wherever_it_ends),
        TEST(without_an_answer_it_is_a_loss_when_the_time_is_over),
        TEST(an_answer_that_trickles_is_not_waited_for_any_longer),
        TEST(signals_in_between_change_nothing),
        TEST(a_wait_that_fails_is_a_loss),
        TEST(what_cannot_be_sent_is_unsent_and_not_synchronized),
        TEST(a_synchronization_that_fails_is_a_loss),
        TEST(what_does_not_leave_at_once_leaves_as_the_socket_takes_it),
        TEST(answers_are_read_while_there_is_more_to_send),
        TEST(a_flush_that_fails_is_a_loss),
        TEST(what_never_leaves_is_a_loss_in_time),
        TEST(it_is_not_done_before_every_call_has_its_result),
        TEST(results_beyond_those_of_the_calls_are_cleared),
        TEST(of_all_conversations_none_has_another_end),
        TEST(a_connection_on_which_nothing_came_is_of_use),
        TEST(one_that_ended_or_does_not_end_to_speak_is_of_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
