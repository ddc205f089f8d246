/* SPDX-License-Identifier: MIT
 *
 * test_reply.c - replies, byte for byte.
 */
#define _GNU_SOURCE /* memmem */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bank/bounds.h"
#include "http/reply.h"

#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"

static const struct reply_head plain = {.date = DATE};

static char out[OUTPUT_BYTES_MAX];

static void expect(size_t bytes, const char *expected)
{
    if (bytes != strlen(expected) || memcmp(out, expected, bytes) != 0)
        FAIL("is        %s\nshould be %s", shown(out, bytes), shown(expected, strlen(expected)));
}

/* The body, after checking that Content-Length is its size. Terminated. */
static char *body_of(size_t bytes)
{
    static char text[OUTPUT_BYTES_MAX + 1];
    memcpy(text, out, bytes);
    text[bytes] = '\0';
    char *end = strstr(text, "\r\n\r\n"), *length = strstr(text, "\r\nContent-Length: ");
    assert_non_null(end);
    assert_non_null(length);
    assert_true(length < end);
    assert_int_equal(strtoul(length + strlen("\r\nContent-Length: "), NULL, 10),
                     bytes - (size_t)(end + 4 - text));
    return end + 4;
}

static void continue_is_a_status_line_and_no_more(void **state)
{
    (void)state;
    expect(reply_continue(out), "HTTP/1.1 100 Continue\r\n\r\n");
}

static void healthy_says_so_as_plain_text(void **state)
{
    (void)state;
    expect(reply_healthy(out, &plain), "HTTP/1.1 200 OK\r\n"
                                       "Date: " DATE "\r\n"
                                       "Content-Type: text/plain\r\n"
                                       "Content-Length: 7\r\n"
                                       "\r\n"
                                       "Healthy");
}

static void an_entry_is_answered_with_limit_and_balance(void **state)
{
    (void)state;
    expect(reply_entry(out, &plain, 100000, -9098, false), "HTTP/1.1 200 OK\r\n"
                                                           "Date: " DATE "\r\n"
                                                           "Content-Type: application/json\r\n"
                                                           "Content-Length: 31\r\n"
                                                           "\r\n"
                                                           "{\"limite\":100000,\"saldo\":-9098}");
}

static void a_replayed_entry_says_so_and_has_the_same_body(void **state)
{
    (void)state;
    expect(reply_entry(out, &plain, 100000, -9098, true), "HTTP/1.1 200 OK\r\n"
                                                          "Date: " DATE "\r\n"
                                                          "Content-Type: application/json\r\n"
                                                          "Idempotency-Replayed: true\r\n"
                                                          "Content-Length: 31\r\n"
                                                          "\r\n"
                                                          "{\"limite\":100000,\"saldo\":-9098}");
}

static void every_number_is_written_exactly(void **state)
{
    (void)state;
    static const struct {
        int64_t limit, balance;
        const char *body;
    } cases[] = {
        {0, 0, "{\"limite\":0,\"saldo\":0}"},
        {1, -1, "{\"limite\":1,\"saldo\":-1}"},
        {10, 9, "{\"limite\":10,\"saldo\":9}"},
        {CENTS_MAX, -CENTS_MAX, "{\"limite\":9007199254740991,\"saldo\":-9007199254740991}"},
        {0, CENTS_MAX, "{\"limite\":0,\"saldo\":9007199254740991}"},
        {INT64_MAX, INT64_MIN, "{\"limite\":9223372036854775807,\"saldo\":-9223372036854775808}"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_string_equal(
            body_of(reply_entry(out, &plain, cases[i].limit, cases[i].balance, false)),
            cases[i].body);
}

static void a_connection_says_whether_it_ends(void **state)
{
    (void)state;
    const struct reply_head closing = {.date = DATE, .close = true, .keep_alive = true};
    const struct reply_head staying = {.date = DATE, .keep_alive = true};
    expect(reply_healthy(out, &closing), "HTTP/1.1 200 OK\r\n"
                                         "Date: " DATE "\r\n"
                                         "Content-Type: text/plain\r\n"
                                         "Connection: close\r\n"
                                         "Content-Length: 7\r\n"
                                         "\r\n"
                                         "Healthy");
    expect(reply_healthy(out, &staying), "HTTP/1.1 200 OK\r\n"
                                         "Date: " DATE "\r\n"
                                         "Content-Type: text/plain\r\n"
                                         "Connection: keep-alive\r\n"
                                         "Content-Length: 7\r\n"
                                         "\r\n"
                                         "Healthy");
}

static void a_problem_is_problem_json(void **state)
{
    (void)state;
    expect(reply_problem(out, &plain, PROBLEM_LIMIT, NULL, NULL),
           "HTTP/1.1 422 Unprocessable Content\r\n"
           "Date: " DATE "\r\n"
           "Content-Type: application/problem+json\r\n"
           "Content-Length: 131\r\n"
           "\r\n"
           "{\"type\":\"limite-excedido\",\"title\":\"Credit limit exceeded\",\"status\":422,"
           "\"detail\":\"valor: this debit would take saldo below -limite\"}");
}

static void a_problem_takes_a_more_exact_detail_and_escapes_it(void **state)
{
    (void)state;
    const char *body = body_of(reply_problem(out, &plain, PROBLEM_FIELD, "a \"b\" \\ \t", NULL));
    assert_string_equal(body, "{\"type\":\"campo-invalido\",\"title\":\"A field is not valid\","
                              "\"status\":422,\"detail\":\"a \\\"b\\\" \\\\ \\u0009\"}");
}

static void a_method_not_allowed_names_the_allowed_ones(void **state)
{
    (void)state;
    const struct reply_head head = {.date = DATE, .head_only = true};
    expect(reply_problem(out, &head, PROBLEM_METHOD_NOT_ALLOWED, NULL, "GET, HEAD"),
           "HTTP/1.1 405 Method Not Allowed\r\n"
           "Date: " DATE "\r\n"
           "Content-Type: application/problem+json\r\n"
           "Allow: GET, HEAD\r\n"
           "Content-Length: 140\r\n"
           "\r\n");
}

static void a_503_asks_for_a_retry_after_a_second(void **state)
{
    (void)state;
    const struct reply_head head = {.date = DATE, .head_only = true, .close = true};
    expect(reply_problem(out, &head, PROBLEM_BUSY, NULL, NULL),
           "HTTP/1.1 503 Service Unavailable\r\n"
           "Date: " DATE "\r\n"
           "Content-Type: application/problem+json\r\n"
           "Retry-After: 1\r\n"
           "Connection: close\r\n"
           "Content-Length: 119\r\n"
           "\r\n");
}

static void every_problem_fits_and_has_the_length_it_says(void **state)
{
    (void)state;
    const struct reply_head head = {.date = DATE, .close = true};
    for (int problem = PROBLEM_MALFORMED; problem <= PROBLEM_UNKNOWN; problem++) {
        const struct problem_text *text = problem_text((enum problem)problem);
        size_t bytes = reply_problem(out, &head, (enum problem)problem, NULL, "GET, HEAD");
        assert_memory_equal(out + strlen("HTTP/1.1 "), text->status, strlen(text->status));
        const char *body = body_of(bytes);
        assert_non_null(strstr(body, text->type));
        assert_non_null(strstr(body, text->title));
    }
}

/* --- statements ----------------------------------------------------------------------------- */

static struct entry entry_of(enum entry_kind kind, int64_t cents, int64_t time_us, const char *text)
{
    struct entry entry = {.amount_cents = cents, .time_us = time_us, .kind = kind};
    entry.description_bytes = (uint8_t)strlen(text);
    memcpy(entry.description, text, strlen(text));
    return entry;
}

static void a_statement_of_a_new_account_has_no_entries(void **state)
{
    (void)state;
    const struct account account = {.client = 1, .limit_cents = 100000};
    expect(reply_statement(out, &plain, &account, INT64_C(1705458881217753)),
           "HTTP/1.1 200 OK\r\n"
           "Date: " DATE "\r\n"
           "Content-Type: application/json\r\n"
           "Content-Length: 106\r\n"
           "\r\n"
           "{\"saldo\":{\"total\":0,\"data_extrato\":\"2024-01-17T02:34:41.217753Z\","
           "\"limite\":100000},\"ultimas_transacoes\":[]}");
}

static void a_statement_shows_its_entries_newest_first(void **state)
{
    (void)state;
    struct account account = {
        .client = 1, .limit_cents = 100000, .balance_cents = -9098, .recent_count = 2};
    account.recent[0] = entry_of(ENTRY_CREDIT, 10, INT64_C(1705458878543030), "descricao");
    account.recent[1] = entry_of(ENTRY_DEBIT, 9108, INT64_C(1705458878000001), "ação 😀");
    assert_string_equal(
        body_of(reply_statement(out, &plain, &account, INT64_C(1705458881217753))),
        "{\"saldo\":{\"total\":-9098,\"data_extrato\":\"2024-01-17T02:34:41.217753Z\","
        "\"limite\":100000},\"ultimas_transacoes\":["
        "{\"valor\":10,\"tipo\":\"c\",\"descricao\":\"descricao\","
        "\"realizada_em\":\"2024-01-17T02:34:38.543030Z\"},"
        "{\"valor\":9108,\"tipo\":\"d\",\"descricao\":\"ação 😀\","
        "\"realizada_em\":\"2024-01-17T02:34:38.000001Z\"}]}");
}

/* One description of one character: what it is in JSON. */
static void expect_written(unsigned char c, const char *expected)
{
    char wanted[64];
    struct account account = {.client = 1, .recent_count = 1};
    account.recent[0] = entry_of(ENTRY_CREDIT, 1, 0, "?");
    account.recent[0].description[0] = (char)c;
    snprintf(wanted, sizeof wanted, "\"descricao\":\"%s\",", expected);
    const char *body = body_of(reply_statement(out, &plain, &account, 0));
    if (!strstr(body, wanted))
        FAIL("0x%02x is not written as %s: %s", c, expected, body);
}

static void what_json_cannot_hold_is_escaped(void **state)
{
    (void)state;
    for (unsigned c = 1; c < 0x80; c++) {
        char expected[8];
        if (c < 0x20)
            snprintf(expected, sizeof expected, "\\u%04x", c);
        else if (c == '"' || c == '\\')
            snprintf(expected, sizeof expected, "\\%c", (char)c);
        else
            snprintf(expected, sizeof expected, "%c", (char)c);
        expect_written((unsigned char)c, expected);
    }
}

static struct account largest_account(size_t description_bytes, char c)
{
    struct account account = {.client = CLIENT_MAX,
                              .limit_cents = CENTS_MAX,
                              .balance_cents = -CENTS_MAX,
                              .recent_count = STATEMENT_ENTRIES_MAX};
    for (uint32_t i = 0; i < STATEMENT_ENTRIES_MAX; i++) {
        struct entry *entry = &account.recent[i];
        *entry = entry_of(ENTRY_DEBIT, CENTS_MAX, INT64_C(253402300799999999), "");
        entry->description_bytes = (uint8_t)description_bytes;
        memset(entry->description, c, description_bytes);
    }
    return account;
}

static void the_largest_statement_fits(void **state)
{
    (void)state;
    const struct reply_head head = {.date = DATE, .close = true, .keep_alive = true};
    struct account account = largest_account(DESCRIPTION_POINTS_MAX, '\x1f');
    size_t bytes = reply_statement(out, &head, &account, INT64_C(253402300799999999));
    assert_in_range(bytes, 1, OUTPUT_BYTES_MAX);
    assert_non_null(strstr(body_of(bytes), "\"9999-12-31T23:59:59.999999Z\"},"));

    /* No client can send this one, but a damaged disk could. */
    account = largest_account(DESCRIPTION_BYTES_MAX, '\x1f');
    account.recent[0].time_us = INT64_MAX;
    bytes = reply_statement(out, &head, &account, INT64_MAX);
    assert_in_range(bytes, 1, OUTPUT_BYTES_MAX);
    (void)body_of(bytes);
}

static void a_reply_to_head_is_the_same_without_the_body(void **state)
{
    (void)state;
    const struct reply_head whole = {.date = DATE, .close = true};
    const struct reply_head head_only = {.date = DATE, .close = true, .head_only = true};
    const struct account account = largest_account(10, 'x');
    for (int kind = 0; kind < 4; kind++) {
        size_t sizes[2];
        char kept[OUTPUT_BYTES_MAX];
        for (int i = 0; i < 2; i++) {
            const struct reply_head *head = i == 0 ? &whole : &head_only;
            sizes[i] = kind == 0   ? reply_healthy(out, head)
                       : kind == 1 ? reply_entry(out, head, 1, 2, true)
                       : kind == 2 ? reply_statement(out, head, &account, 0)
                                   : reply_problem(out, head, PROBLEM_ROUTE, NULL, NULL);
            if (i == 0)
                memcpy(kept, out, sizes[0]);
        }
        assert_true(sizes[1] < sizes[0]);
        assert_memory_equal(out, kept, sizes[1]);
        assert_memory_equal(out + sizes[1] - 4, "\r\n\r\n", 4);
        assert_null(memmem(out, sizes[1] - 4, "\r\n\r\n", 4));
    }
}

/* --- times ---------------------------------------------------------------------------------- */

static void times_are_rfc_3339_in_utc_with_microseconds(void **state)
{
    (void)state;
    static const struct {
        int64_t time_us;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000000Z"},
        {1, "1970-01-01T00:00:00.000001Z"},
        {999999, "1970-01-01T00:00:00.999999Z"},
        {INT64_C(951782399999999), "2000-02-28T23:59:59.999999Z"},
        {INT64_C(951782400000000), "2000-02-29T00:00:00.000000Z"},
        {INT64_C(1709164800000000), "2024-02-29T00:00:00.000000Z"},
        {INT64_C(1704067199999999), "2023-12-31T23:59:59.999999Z"},
        {INT64_C(1704067200000000), "2024-01-01T00:00:00.000000Z"},
        {INT64_C(1735689599999999), "2024-12-31T23:59:59.999999Z"},
        {INT64_C(2147483648000000), "2038-01-19T03:14:08.000000Z"},
        {INT64_C(4107542400000000), "2100-03-01T00:00:00.000000Z"},
    };
    const struct account account = {.client = 1};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char wanted[64];
        snprintf(wanted, sizeof wanted, "\"data_extrato\":\"%s\",", cases[i].text);
        const char *body = body_of(reply_statement(out, &plain, &account, cases[i].time_us));
        if (!strstr(body, wanted))
            FAIL("%s is written as %s", cases[i].text, body);
    }
}

static void dates_are_imf_fixdates(void **state)
{
    (void)state;
    static const struct {
        int64_t unix_s;
        const char *text;
    } cases[] = {
        {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
        {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},
        {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
        {1704067199, "Sun, 31 Dec 2023 23:59:59 GMT"},
        {1704067200, "Mon, 01 Jan 2024 00:00:00 GMT"},
        {1709164800, "Thu, 29 Feb 2024 00:00:00 GMT"},
        {1709251199, "Thu, 29 Feb 2024 23:59:59 GMT"},
        {1735689599, "Tue, 31 Dec 2024 23:59:59 GMT"},
        {1711886400, "Sun, 31 Mar 2024 12:00:00 GMT"},
        {1712836800, "Thu, 11 Apr 2024 12:00:00 GMT"},
        {1714564800, "Wed, 01 May 2024 12:00:00 GMT"},
        {1718971200, "Fri, 21 Jun 2024 12:00:00 GMT"},
        {1721476800, "Sat, 20 Jul 2024 12:00:00 GMT"},
        {1724155200, "Tue, 20 Aug 2024 12:00:00 GMT"},
        {1726833600, "Fri, 20 Sep 2024 12:00:00 GMT"},
        {1729425600, "Sun, 20 Oct 2024 12:00:00 GMT"},
        {2147483648, "Tue, 19 Jan 2038 03:14:08 GMT"},
        {253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char date[REPLY_DATE_BYTES + 1];
        reply_date(date, cases[i].unix_s);
        assert_string_equal(date, cases[i].text);
    }
}

static void the_zone_of_the_machine_changes_nothing(void **state)
{
    (void)state;
    char date[REPLY_DATE_BYTES + 1];
    setenv("TZ", "BRT+3", 1);
    tzset();
    reply_date(date, 1709164800);
    assert_string_equal(date, "Thu, 29 Feb 2024 00:00:00 GMT");
    const struct account account = {.client = 1};
    assert_non_null(strstr(body_of(reply_statement(out, &plain, &account, 0)),
                           "\"1970-01-01T00:00:00.000000Z\""));
    unsetenv("TZ");
    tzset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(continue_is_a_status_line_and_no_more),
        cmocka_unit_test(healthy_says_so_as_plain_text),
        cmocka_unit_test(an_entry_is_answered_with_limit_and_balance),
        cmocka_unit_test(a_replayed_entry_says_so_and_has_the_same_body),
        cmocka_unit_test(every_number_is_written_exactly),
        cmocka_unit_test(a_connection_says_whether_it_ends),
        cmocka_unit_test(a_problem_is_problem_json),
        cmocka_unit_test(a_problem_takes_a_more_exact_detail_and_escapes_it),
        cmocka_unit_test(a_method_not_allowed_names_the_allowed_ones),
        cmocka_unit_test(a_503_asks_for_a_retry_after_a_second),
        cmocka_unit_test(every_problem_fits_and_has_the_length_it_says),
        cmocka_unit_test(a_statement_of_a_new_account_has_no_entries),
        cmocka_unit_test(a_statement_shows_its_entries_newest_first),
        cmocka_unit_test(what_json_cannot_hold_is_escaped),
        cmocka_unit_test(the_largest_statement_fits),
        cmocka_unit_test(a_reply_to_head_is_the_same_without_the_body),
        cmocka_unit_test(times_are_rfc_3339_in_utc_with_microseconds),
        cmocka_unit_test(dates_are_imf_fixdates),
        cmocka_unit_test(the_zone_of_the_machine_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
