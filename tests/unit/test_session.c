/* SPDX-License-Identifier: MIT
 *
 * test_session.c - a connection is a session only if the server, the schema and its durability are what a
 * bank needs; else it is closed, and a sentence says what is wrong and what to do. The server and libpq
 * are ours here.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "fake_server.h"
#include "store/postgres/session.h"

#define URL   "postgres://user:QXZ@host:5432/name?sslmode=require"
#define PLACE "postgres://host:5432/name"

/* --- its user --------------------------------------------------------------------------------- */

static char error[500];
static PGconn *conn;
static int64_t clock_us;

/* All is as it should be. */
static int setup(void **state)
{
    (void)state;
    fake_server_reset();
    clock_us = 7;
    error[0] = '\0';
    conn = NULL;
    return 0;
}

static enum session_end open_with(bool durable)
{
    const struct session_options options = {
        .url = URL,
        .connect_timeout_s = 7,
        .statement_timeout_s = 3,
        .durable = durable,
        .serves = true,
    };
    enum session_end end = session_open(&conn, &clock_us, &options, error, sizeof error);
    assert_int_equal(server.cleared, server.made);
    return end;
}

/* It is not opened, and closed again; it says this. */
static void expect_end(enum session_end expected, const char *sentence)
{
    enum session_end end = open_with(true);
    if (end != expected || strcmp(error, sentence) != 0)
        FAIL("end %d: %s", (int)end, error);
    assert_null(conn);
    assert_false(server.open);
    assert_null(strstr(error, "QXZ"));
}

#define NOT_TODAY PLACE ": FATAL: not today"

static void a_sound_server_and_bank_are_a_session(void **state)
{
    (void)state;
    assert_int_equal(open_with(true), SESSION_OPEN);
    assert_ptr_equal(conn, &server);
    assert_true(server.open);
    assert_int_equal(server.asked_durability, 1);
    assert_string_equal(server.log, "");
    assert_int_equal(clock_us, INT64_C(1705458881217753));
    assert_int_equal(server.context, PQSHOW_CONTEXT_NEVER); /* a refusal is one line */
}

static void it_is_asked_for_by_the_url_with_our_timeouts_before_it(void **state)
{
    (void)state;
    assert_int_equal(open_with(true), SESSION_OPEN);
    assert_non_null(strstr(server.names, "connect_timeout "));
    assert_true(strstr(server.names, "connect_timeout ") < strstr(server.names, "dbname "));
    assert_true(strstr(server.names, "tcp_user_timeout ") < strstr(server.names, "dbname "));
    assert_non_null(strstr(server.names, "fallback_application_name client_encoding "));
    assert_memory_equal(server.values, "7 ", 2);
    assert_non_null(strstr(server.values, " " URL " crebito UTF8 "));
}

static void every_statement_is_prepared_under_its_name(void **state)
{
    (void)state;
    static const char *const names[] = {STATEMENT_BOOK,      STATEMENT_OPEN,    STATEMENT_LIMIT,
                                        STATEMENT_STATEMENT, STATEMENT_CLIENTS, STATEMENT_LEARN,
                                        STATEMENT_HEALTH,    STATEMENT_HURRY,   STATEMENT_FORGET};
    assert_int_equal(open_with(true), SESSION_OPEN);
    assert_int_equal(server.prepared_count, COUNT_OF(names));
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        int found = 0;
        for (size_t j = 0; j < COUNT_OF(names); j++)
            found += strcmp(server.prepared[j], names[i]) == 0;
        assert_int_equal(found, 1);
    }
}

static void its_settings_are_those_of_the_options(void **state)
{
    (void)state;
    assert_int_equal(open_with(true), SESSION_OPEN);
    assert_non_null(strstr(server.set_up_sql, "statement_timeout = '3s'"));
    assert_non_null(strstr(server.set_up_sql, "'read committed'"));
    assert_non_null(strstr(server.set_up_sql, "set_config('synchronous_commit', 'on', false)"));
    (void)setup(NULL);
    assert_int_equal(open_with(false), SESSION_OPEN);
    assert_non_null(strstr(server.set_up_sql, "set_config('synchronous_commit', 'off', false)"));
    (void)setup(NULL);
    server.set_up.rows = 0; /* it does not tell its time: then no key is old */
    assert_int_equal(open_with(true), SESSION_OPEN);
    assert_int_equal(clock_us, 7);
}

/* --- connecting ------------------------------------------------------------------------------- */

static void a_server_that_does_not_answer_is_absent(void **state)
{
    (void)state;
    server.refused = true;
    expect_end(SESSION_ABSENT, NOT_TODAY);
    assert_int_equal(server.finished, 1);
}

static void what_time_does_not_mend_is_refused(void **state)
{
    (void)state;
    server.refused = server.needs_password = true;
    expect_end(SESSION_REFUSED, NOT_TODAY);
    static const char *const words[] = {
        "FATAL:  password authentication failed for user \"me\"",
        "FATAL:  database \"name\" does not exist",
        "FATAL:  no pg_hba.conf entry for host",
        "FATAL:  permission denied for database \"name\"",
        "FATAL:  role \"me\" is not permitted to log in",
        "server certificate for \"other\" does not match host name \"host\"",
    };
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        (void)setup(NULL);
        server.refused = true;
        server.words = words[i];
        assert_int_equal(open_with(true), SESSION_REFUSED);
    }
}

static void without_memory_there_is_no_session(void **state)
{
    (void)state;
    server.no_memory = true;
    expect_end(SESSION_ABSENT, "out of memory");
    assert_int_equal(server.finished, 0);
}

static void an_old_server_is_refused(void **state)
{
    (void)state;
    server.version = 139999;
    expect_end(SESSION_REFUSED, PLACE ": its server is older than PostgreSQL 14");
    (void)setup(NULL);
    server.version = 140000;
    assert_int_equal(open_with(true), SESSION_OPEN);
}

static void a_database_in_another_encoding_is_refused(void **state)
{
    (void)state;
    server.encoding = "SQL_ASCII";
    expect_end(SESSION_REFUSED, PLACE ": the database must be in UTF8, and is in SQL_ASCII");
    (void)setup(NULL);
    server.encoding = NULL;
    expect_end(SESSION_REFUSED,
               PLACE ": the database must be in UTF8, and is in an encoding it does not name");
}

static void a_url_whose_password_is_not_plain_is_refused_before_libpq_sees_it(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "postgres://user:Q@X@host/name", "postgres://user:Q/X@host/name",
        "postgres://user:Q?X@host/name", "postgres://host/name?password=Q@X"};
    for (size_t i = 0; i < COUNT_OF(urls); i++) {
        assert_int_equal(session_connect(&conn, urls[i], 5, error, sizeof error), SESSION_REFUSED);
        assert_null(conn);
        assert_null(strpbrk(error, "QXZ"));
        assert_non_null(
            strstr(error, "a password whose % @ : / ? # are not written %25 %40 %3A %2F %3F %23"));
        assert_string_equal(server.names, "");
    }
}

static void a_plain_connection_asks_nothing_of_the_database(void **state)
{
    (void)state;
    server.schema = (struct reply){.status = PGRES_FATAL_ERROR, .state = "42P01"};
    assert_int_equal(session_connect(&conn, URL, 5, error, sizeof error), SESSION_OPEN);
    assert_ptr_equal(conn, &server);
    assert_int_equal(server.prepared_count, 0);
    assert_string_equal(server.set_up_sql, "");
}

/* --- the database ----------------------------------------------------------------------------- */

static void a_question_that_fails_is_a_refusal_and_one_that_breaks_it_off_an_absence(void **state)
{
    (void)state;
    struct reply *const replies[] = {&server.set_up, &server.schema, &server.durability,
                                     &server.prepare};
    for (size_t i = 0; i < COUNT_OF(replies); i++)
        for (int gone = 0; gone < 2; gone++) {
            (void)setup(NULL);
            server.prepare_fails_at = 3;
            server.prepare.status = PGRES_COMMAND_OK;
            *replies[i] = (struct reply){
                .status = PGRES_FATAL_ERROR, .state = "53200", .gone = gone};
            expect_end(gone ? SESSION_ABSENT : SESSION_REFUSED, NOT_TODAY);
            assert_int_equal(server.finished, 1);
        }
}

static void a_schema_of_another_version_or_none_is_refused_with_what_to_do(void **state)
{
    (void)state;
    server.schema.values[0] = "2";
    expect_end(SESSION_REFUSED, PLACE ": its schema has version 2, and this crebito knows 1: use a "
                                      "newer one");
    (void)setup(NULL);
    server.schema.values[0] = "0";
    expect_end(SESSION_REFUSED, PLACE ": its schema is older than this crebito: run `crebito init "
                                      "--database URL`");
    (void)setup(NULL);
    server.schema.rows = 0;
    expect_end(SESSION_REFUSED, PLACE ": its schema is older than this crebito: run `crebito init "
                                      "--database URL`");
    (void)setup(NULL);
    server.schema = (struct reply){.status = PGRES_FATAL_ERROR, .state = "42P01"};
    expect_end(SESSION_REFUSED, PLACE ": there is no bank in this database: run `crebito init "
                                      "--database URL`");
    (void)setup(NULL);
    server.schema = (struct reply){.status = PGRES_FATAL_ERROR};
    expect_end(SESSION_REFUSED, NOT_TODAY);
}

static void what_would_lose_money_is_refused_unless_it_was_asked_for(void **state)
{
    (void)state;
    static const struct {
        const char *fsync_off, *unlogged, *what;
    } cases[] = {
        {"t", "f", "the server's fsync is off"},
        {"f", "t", "its tables are UNLOGGED"},
        {"t", "t", "the server's fsync is off, its tables are UNLOGGED"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char sentence[500];
        (void)setup(NULL);
        server.durability.values[0] = cases[i].fsync_off;
        server.durability.values[1] = cases[i].unlogged;
        snprintf(sentence, sizeof sentence,
                 PLACE " would lose what it has acknowledged: %s; make it durable (`crebito init "
                       "--profile durable`, the server's settings) or say --durability none",
                 cases[i].what);
        expect_end(SESSION_REFUSED, sentence);
        assert_int_equal(open_with(false), SESSION_OPEN);
        assert_int_equal(server.asked_durability, 1); /* the first time */
    }
}

static void torn_pages_are_warned_of(void **state)
{
    (void)state;
    server.durability.values[2] = "t";
    assert_int_equal(open_with(true), SESSION_OPEN);
    assert_string_equal(server.log, "1 full_page_writes is off: safe only where the file system "
                                    "never tears a page|database=" PLACE);
}

static void a_standby_is_absent_until_it_is_promoted(void **state)
{
    (void)state;
    server.durability.values[3] = "t";
    expect_end(SESSION_ABSENT, PLACE ": the server is a standby, which books nothing");
}

static void without_an_answer_on_durability_nothing_is_believed(void **state)
{
    (void)state;
    server.durability.rows = 0;
    expect_end(SESSION_REFUSED, PLACE ": the server does not say whether it is durable");
}

static void a_server_that_stops_answering_is_not_waited_for_any_longer(void **state)
{
    (void)state;
    server.hangs = true;
    server.words = "";
    expect_end(SESSION_ABSENT, PLACE ": no answer in time");
    assert_int_equal(server.clock_ms, 7000);
}

static void without_pipelines_there_is_no_session(void **state)
{
    (void)state;
    server.blocking = true;
    expect_end(SESSION_ABSENT, NOT_TODAY);
    (void)setup(NULL);
    server.no_pipeline = true;
    expect_end(SESSION_ABSENT, NOT_TODAY);
}

/* --- sentences -------------------------------------------------------------------------------- */

static void notices_go_to_the_log_as_one_line(void **state)
{
    (void)state;
    assert_int_equal(open_with(true), SESSION_OPEN);
    server.notices(NULL, "WARNING:  there is\nno transaction  in progress\n");
    assert_string_equal(server.log, "1 notice from the database server|notice=WARNING: there is no "
                                    "transaction in progress");
}

static void words_become_one_line(void **state)
{
    (void)state;
    static const struct {
        const char *place, *words, *sentence;
    } cases[] = {
        {NULL, "", ""},
        {NULL, "one", "one"},
        {NULL, "a\tb\n", "a b"},
        {NULL, "  one\n\ttwo   three \n\n", "one two three"},
        {NULL, "\n", ""},
        {"here", "one\n", "here: one"},
        {"here", "  \n one", "here: one"},
        {"here", "", "here:"},
        {"", "one", ": one"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        session_sentence(error, sizeof error, cases[i].place, cases[i].words);
        assert_string_equal(error, cases[i].sentence);
    }
}

static void a_sentence_is_cut_where_there_is_no_more_room(void **state)
{
    (void)state;
    static const char whole[] = "here: one two three";
    for (size_t size = 1; size < sizeof whole + 3; size++) {
        char small[40];
        size_t expected = size - 1 < sizeof whole - 1 ? size - 1 : sizeof whole - 1;
        memset(small, '#', sizeof small);
        session_sentence(small, size, "here", "one two\n three\n");
        if (expected > 0 && whole[expected - 1] == ' ')
            expected--; /* no blank at the end */
        assert_int_equal(strlen(small), expected);
        assert_memory_equal(small, whole, expected);
        assert_int_equal(small[size], '#');
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(a_sound_server_and_bank_are_a_session),
        TEST(it_is_asked_for_by_the_url_with_our_timeouts_before_it),
        TEST(every_statement_is_prepared_under_its_name),
        TEST(its_settings_are_those_of_the_options),
        TEST(a_server_that_does_not_answer_is_absent),
        TEST(what_time_does_not_mend_is_refused),
        TEST(without_memory_there_is_no_session),
        TEST(an_old_server_is_refused),
        TEST(a_database_in_another_encoding_is_refused),
        TEST(a_url_whose_password_is_not_plain_is_refused_before_libpq_sees_it),
        TEST(a_plain_connection_asks_nothing_of_the_database),
        TEST(a_question_that_fails_is_a_refusal_and_one_that_breaks_it_off_an_absence),
        TEST(a_schema_of_another_version_or_none_is_refused_with_what_to_do),
        TEST(what_would_lose_money_is_refused_unless_it_was_asked_for),
        TEST(torn_pages_are_warned_of),
        TEST(a_standby_is_absent_until_it_is_promoted),
        TEST(without_an_answer_on_durability_nothing_is_believed),
        TEST(a_server_that_stops_answering_is_not_waited_for_any_longer),
        TEST(without_pipelines_there_is_no_session),
        TEST(notices_go_to_the_log_as_one_line),
        TEST(words_become_one_line),
        TEST(a_sentence_is_cut_where_there_is_no_more_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
