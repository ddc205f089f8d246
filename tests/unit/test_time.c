/* SPDX-License-Identifier: MIT
 *
 * test_time.c - RFC 3339 read: what is an instant, which one, and what is none.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "text/text.h"
#include "text/time.h"

#define YEAR_0_S   INT64_C(-62167219200) /* 0000-01-01T00:00:00Z */
#define YEAR_10K_S INT64_C(253402300800) /* 10000-01-01T00:00:00Z */
#define SECOND_US  INT64_C(1000000)
#define UNTOUCHED  INT64_C(0x5a5a5a5a5a5a5a5a)

/* The text in memory of its own size, so that a look past its end is seen. */
static bool parse(const char *text, size_t bytes, int64_t *ret_us)
{
    char *copy = malloc(bytes ? bytes : 1);
    assert_non_null(copy);
    memcpy(copy, text, bytes);
    bool parsed = time_parse(copy, bytes, ret_us);
    free(copy);
    return parsed;
}

struct instant {
    const char *text;
    int64_t us;
};

static void check_instants(const struct instant *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int64_t us = UNTOUCHED;
        if (!parse(cases[i].text, strlen(cases[i].text), &us))
            FAIL("%s: refused", cases[i].text);
        if (us != cases[i].us)
            FAIL("%s: %lld, should be %lld", cases[i].text, (long long)us, (long long)cases[i].us);
    }
}

static void check_refused(const char *const *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int64_t us = UNTOUCHED;
        if (parse(cases[i], strlen(cases[i]), &us))
            FAIL("\"%s\": accepted as %lld", cases[i], (long long)us);
        if (us != UNTOUCHED)
            FAIL("\"%s\": refused, and yet %lld", cases[i], (long long)us);
    }
}

static void known_instants_are_read(void **state)
{
    (void)state;
    static const struct instant cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T00:00:00.000001Z", 1},
        {"1969-12-31T23:59:59.999999Z", -1},
        {"2024-01-17T02:34:41.217753Z", INT64_C(1705458881217753)},
        {"2026-11-23T10:00:00Z", INT64_C(1795428000000000)},
        {"2001-09-09T01:46:40Z", INT64_C(1000000000000000)},
        {"2038-01-19T03:14:08Z", INT64_C(2147483648000000)},
        {"0000-01-01T00:00:00Z", YEAR_0_S * SECOND_US},
        {"9999-12-31T23:59:59.999999Z", YEAR_10K_S * SECOND_US - 1},
        {"1985-04-12t23:20:50.52z", INT64_C(482196050520000)},
    };
    check_instants(cases, COUNT_OF(cases));
}

static void an_offset_is_taken_away(void **state)
{
    (void)state;
    static const struct instant cases[] = {
        {"1970-01-01T00:00:00+00:00", 0},
        {"1970-01-01T00:00:00-00:00", 0},
        {"1970-01-01T03:00:00+03:00", 0},
        {"1969-12-31T21:00:00-03:00", 0},
        {"1970-01-01T05:45:00.5+05:45", 500000},
        {"1970-01-01T23:59:00+23:59", 0},
        {"1969-12-31T00:01:00-23:59", 0},
        {"0000-01-01T23:59:00+23:59", YEAR_0_S * SECOND_US},
        {"9999-12-31T00:00:59-23:59", (YEAR_10K_S - 1) * SECOND_US},
    };
    check_instants(cases, COUNT_OF(cases));
}

static void an_offset_that_leaves_the_years_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "0000-01-01T00:00:00+00:01",
        "0000-01-01T00:00:00.999999+00:01",
        "9999-12-31T23:59:00-00:01",
        "9999-12-31T23:59:60Z",
    };
    check_refused(cases, COUNT_OF(cases));
}

static void digits_past_the_microsecond_are_cut_off(void **state)
{
    (void)state;
    static const struct instant cases[] = {
        {"1970-01-01T00:00:01.1Z", 1100000},
        {"1970-01-01T00:00:01.12Z", 1120000},
        {"1970-01-01T00:00:01.123Z", 1123000},
        {"1970-01-01T00:00:01.1234Z", 1123400},
        {"1970-01-01T00:00:01.12345Z", 1123450},
        {"1970-01-01T00:00:01.123456Z", 1123456},
        {"1970-01-01T00:00:01.1234569Z", 1123456},
        {"1970-01-01T00:00:01.99999999999999999999999999999999999999Z", 1999999},
        {"1969-12-31T23:59:59.9999999Z", -1},
        {"1970-01-01T00:00:01.000000Z", 1000000},
    };
    check_instants(cases, COUNT_OF(cases));
}

static void a_leap_second_is_the_second_after_it(void **state)
{
    (void)state;
    static const struct instant cases[] = {
        {"2016-12-31T23:59:60Z", INT64_C(1483228800000000)},
        {"2016-12-31T23:59:60.5Z", INT64_C(1483228800500000)},
        {"2016-12-31T20:59:60-03:00", INT64_C(1483228800000000)},
        {"2017-01-01T05:44:60+05:45", INT64_C(1483228800000000)},
    };
    static const char *const refused[] = {
        "2016-12-31T23:59:61Z", "2016-12-31T23:58:60Z",      "2016-12-31T22:59:60Z",
        "2016-12-31T00:00:60Z", "2016-12-31T23:59:60-03:00", "2016-12-31T20:59:60+03:00",
    };
    check_instants(cases, COUNT_OF(cases));
    check_refused(refused, COUNT_OF(refused));
}

static void february_has_29_days_in_leap_years_only(void **state)
{
    (void)state;
    static const struct instant cases[] = {
        {"2024-02-29T00:00:00Z", INT64_C(1709164800000000)},
        {"2000-02-29T00:00:00Z", INT64_C(951782400000000)},
        {"2000-03-01T00:00:00Z", INT64_C(951868800000000)},
        {"1900-02-28T00:00:00Z", INT64_C(-2203977600000000)},
        {"1900-03-01T00:00:00Z", INT64_C(-2203891200000000)},
        {"0000-02-29T00:00:00Z", INT64_C(-62162121600000000)},
    };
    static const char *const refused[] = {
        "2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2100-02-29T00:00:00Z",
        "2024-02-30T00:00:00Z", "2024-04-31T00:00:00Z", "2024-06-31T00:00:00Z",
        "2024-09-31T00:00:00Z", "2024-11-31T00:00:00Z", "2024-01-32T00:00:00Z",
    };
    check_instants(cases, COUNT_OF(cases));
    check_refused(refused, COUNT_OF(refused));
}

static void what_is_no_instant_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "Z",
        "now",
        "2026",
        "2026-11-23",
        "2026-11-23T",
        "2026-11-23T10:00Z",
        "2026-11-23T10:00:00",
        "2026-11-23 10:00:00Z",
        "2026-11-23T10:00:00 Z",
        " 2026-11-23T10:00:00Z",
        "2026-11-23T10:00:00Z ",
        "2026-11-23T10:00:00ZZ",
        "2026-11-23T10:00:00Z\n",
        "2026-11-23T10:00:00.Z",
        "2026-11-23T10:00:00,5Z",
        "2026-11-23T10:00:00.-5Z",
        "2026-11-23T10:00:00.5",
        "2026-11-23T24:00:00Z",
        "2026-11-23T25:00:00Z",
        "2026-11-23T10:60:00Z",
        "2026-11-23T10:00:99Z",
        "2026-00-23T10:00:00Z",
        "2026-13-23T10:00:00Z",
        "2026-11-00T10:00:00Z",
        "2026-1-23T10:00:00Z",
        "2026-11-3T10:00:00Z",
        "02026-11-23T10:00:00Z",
        "+2026-11-23T10:00:00Z",
        "-2026-11-23T10:00:00Z",
        "10000-01-01T00:00:00Z",
        "2026-11-23T1:00:00Z",
        "2026-11-23T10:00:00+3:00",
        "2026-11-23T10:00:00+0300",
        "2026-11-23T10:00:00+03",
        "2026-11-23T10:00:00+24:00",
        "2026-11-23T10:00:00+03:60",
        "2026-11-23T10:00:00Z+03:00",
        "2026/11/23T10:00:00Z",
        "20261123T100000Z",
        "2026-W48-1T10:00:00Z",
        "١٩٧٠-01-01T00:00:00Z",
    };
    check_refused(cases, COUNT_OF(cases));
}

static void every_prefix_of_an_instant_is_refused(void **state)
{
    (void)state;
    static const char text[] = "2024-01-17T02:34:41.217753+01:30";
    int64_t us = UNTOUCHED;
    for (size_t bytes = 0; bytes < sizeof text - 1; bytes++)
        if (parse(text, bytes, &us))
            FAIL("\"%.*s\": accepted", (int)bytes, text);
    assert_int_equal(us, UNTOUCHED);
    assert_true(parse(text, sizeof text - 1, &us));
}

/* What text_add_time() writes of `us`, and is it a time that all C libraries write? */
static void check_there_and_back(int64_t us)
{
    char written[TEXT_TIME_BYTES + 1] = "", expected[100];
    struct text text = text_in(written, TEXT_TIME_BYTES);
    text_add_time(&text, us);
    int64_t fraction_us = (us % SECOND_US + SECOND_US) % SECOND_US;
    time_t seconds = (time_t)((us - fraction_us) / SECOND_US);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    snprintf(expected, sizeof expected, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", utc.tm_year + 1900,
             utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, (int)fraction_us);
    if (text_bytes(&text) != TEXT_TIME_BYTES || strcmp(written, expected) != 0)
        FAIL("%lld is written as %s, should be %s", (long long)us, written, expected);
    int64_t back = UNTOUCHED;
    if (!parse(written, TEXT_TIME_BYTES, &back) || back != us)
        FAIL("%s: read as %lld, should be %lld", written, (long long)back, (long long)us);
}

static void what_text_writes_comes_back(void **state)
{
    (void)state;
    random_begin();
    static const int64_t edges[] = {
        0, 1, -1, SECOND_US, -SECOND_US, SECOND_US - 1, -SECOND_US - 1,
    };
    for (size_t i = 0; i < COUNT_OF(edges); i++)
        check_there_and_back(edges[i]);
    check_there_and_back(YEAR_0_S * SECOND_US);
    check_there_and_back(YEAR_10K_S * SECOND_US - 1);
    for (int i = 0; i < 50000; i++)
        check_there_and_back(
            (int64_t)random_between(0, (uint64_t)(YEAR_10K_S - YEAR_0_S) * SECOND_US - 1) +
            YEAR_0_S * SECOND_US);
}

static void every_day_of_ten_thousand_years_is_read(void **state)
{
    (void)state;
    for (int64_t day = YEAR_0_S / 86400; day < YEAR_10K_S / 86400; day += 7)
        check_there_and_back(day * 86400 * SECOND_US + SECOND_US / 2);
    for (int64_t day = 18000; day < 18000 + 366 * 401; day++)
        check_there_and_back(day * 86400 * SECOND_US);
}

/* Any change of one byte is refused, or is a time that is written in that very way. */
static void a_changed_byte_is_never_read_as_something_else(void **state)
{
    (void)state;
    random_begin();
    for (int i = 0; i < 50000; i++) {
        char text[] = "2024-01-17T02:34:41.217753Z", written[TEXT_TIME_BYTES];
        text[random_between(0, TEXT_TIME_BYTES - 1)] = (char)random_between(0, 255);
        int64_t us;
        if (!parse(text, TEXT_TIME_BYTES, &us))
            continue;
        struct text again = text_in(written, sizeof written);
        text_add_time(&again, us);
        if (text[10] == 't')
            text[10] = 'T';
        if (text[26] == 'z')
            text[26] = 'Z';
        if (memcmp(text, written, TEXT_TIME_BYTES) != 0)
            FAIL("%s: read as %s", shown(text, TEXT_TIME_BYTES), shown(written, TEXT_TIME_BYTES));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_instants_are_read),
        cmocka_unit_test(an_offset_is_taken_away),
        cmocka_unit_test(an_offset_that_leaves_the_years_is_refused),
        cmocka_unit_test(digits_past_the_microsecond_are_cut_off),
        cmocka_unit_test(a_leap_second_is_the_second_after_it),
        cmocka_unit_test(february_has_29_days_in_leap_years_only),
        cmocka_unit_test(what_is_no_instant_is_refused),
        cmocka_unit_test(every_prefix_of_an_instant_is_refused),
        cmocka_unit_test(what_text_writes_comes_back),
        cmocka_unit_test(every_day_of_ten_thousand_years_is_read),
        cmocka_unit_test(a_changed_byte_is_never_read_as_something_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
