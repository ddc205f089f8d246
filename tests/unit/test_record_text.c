/* SPDX-License-Identifier: MIT
 *
 * test_record_text.c - which descriptions, keys, times and kinds text can say.
 */
#include "unit.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "exchange/record_text.h"

/* From memory of exactly that size, so that reading past it is seen. */
static bool is_sane(bool (*judge)(const char *, size_t), const char *text, size_t bytes)
{
    char *exact = malloc(bytes > 0 ? bytes : 1);
    assert_non_null(exact);
    memcpy(exact, text, bytes);
    bool sane = judge(exact, bytes);
    free(exact);
    return sane;
}

static void a_description_is_one_to_ten_code_points_of_utf_8(void **state)
{
    (void)state;
    static const char *const good[] = {
        "x",
        "0123456789",
        "ação 😀",
        "😀😀😀😀😀😀😀😀😀😀",
        "\x01\x7f\"\\\n",
        "\xc2\x80\xdf\xbf",
        "\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf",
        "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
    };
    static const char *const bad[] = {
        "",
        "01234567890",
        "ççççççççççç",
        "😀😀😀😀😀😀😀😀😀😀x",
        "\x80",             /* a continuation alone */
        "\xc1\xbf",         /* overlong */
        "\xc0\x80",         /* overlong U+0000 */
        "\xe0\x9f\xbf",     /* overlong */
        "\xf0\x8f\xbf\xbf", /* overlong */
        "\xed\xa0\x80",     /* a surrogate */
        "\xed\xbf\xbf",     /* a surrogate */
        "\xf4\x90\x80\x80", /* past U+10FFFF */
        "\xf5\x80\x80\x80",
        "\xff",
        "\xc3", /* cut short */
        "\xe2\x82",
        "\xf0\x9f\x98",
        "\xf0\x9f\x98x",
        "\xe2x\xac",
        "x\xc3\xa7\xff",
    };
    for (size_t i = 0; i < COUNT_OF(good); i++)
        if (!is_sane(description_sane, good[i], strlen(good[i])))
            FAIL("%s\nis refused", shown(good[i], strlen(good[i])));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (is_sane(description_sane, bad[i], strlen(bad[i])))
            FAIL("%s\nis accepted", shown(bad[i], strlen(bad[i])));
    assert_false(is_sane(description_sane, "\0", 1));
    assert_false(is_sane(description_sane, "a\0b", 3));
}

static void utf_8_is_what_jansson_takes_for_it(void **state)
{
    (void)state;
    static const uint8_t near[] = {0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0,
                                   0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee,
                                   0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5};
    unsigned sane = 0;
    random_begin();
    for (int i = 0; i < 200000; i++) {
        char text[8] = "[\"";
        size_t bytes = random_between(1, 4);
        for (size_t j = 0; j < bytes; j++)
            text[2 + j] = (char)(random_between(0, 3) ? near[random_between(0, COUNT_OF(near) - 1)]
                                                      : random_between(0x80, 0xff));
        text[2 + bytes] = '"';
        text[3 + bytes] = ']';
        json_t *value = json_loadb(text, bytes + 4, 0, NULL);
        bool is_utf_8 = value != NULL;
        json_decref(value);
        if (is_sane(description_sane, text + 2, bytes) != is_utf_8)
            FAIL("%s\nis %ssane", shown(text + 2, bytes), is_utf_8 ? "not " : "");
        sane += is_utf_8;
    }
    assert_in_range(sane, 1000, 190000);
}

static void a_key_is_1_to_64_visible_ascii_characters(void **state)
{
    (void)state;
    char key[KEY_BYTES_MAX + 1];
    memset(key, '~', sizeof key);
    assert_true(is_sane(key_sane, "!", 1));
    assert_true(is_sane(key_sane, key, KEY_BYTES_MAX));
    assert_false(is_sane(key_sane, key, KEY_BYTES_MAX + 1));
    assert_false(is_sane(key_sane, "", 0));
    for (int c = 0; c < 256; c++) {
        key[1] = (char)c;
        assert_int_equal(is_sane(key_sane, key, 3), c > 0x20 && c < 0x7f);
    }
}

static void a_time_is_from_1970_to_the_end_of_9999(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool valid;
        int64_t time_us;
    } cases[] = {
        {"1970-01-01T00:00:00.000000Z", true, 0},
        {"2024-02-29T12:34:56.789012Z", true, INT64_C(1709210096789012)},
        {"2024-02-29T12:34:56.789012+00:00", true, INT64_C(1709210096789012)},
        {"9999-12-31T23:59:59.999999Z", true, INT64_C(253402300799999999)},
        {"1969-12-31T23:59:59.999999Z", false, 0},
        {"0000-01-01T00:00:00.000000Z", false, 0},
        {"2023-02-29T00:00:00.000000Z", false, 0},
        {"2024-02-29", false, 0},
        {"", false, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t time_us = 0;
        if (time_read(cases[i].text, strlen(cases[i].text), &time_us) != cases[i].valid)
            FAIL("%s\nshould be %s", cases[i].text, cases[i].valid ? "read" : "refused");
        if (time_us != cases[i].time_us)
            FAIL("%s\nis read as %lld", cases[i].text, (long long)time_us);
    }
    assert_true(time_sane(0));
    assert_true(time_sane(INT64_C(253402300799999999)));
    assert_false(time_sane(-1));
    assert_false(time_sane(INT64_C(253402300800000000)));
    assert_false(time_sane(INT64_MAX));
    assert_false(time_sane(INT64_MIN));
}

static void every_kind_has_a_name_that_is_read_back(void **state)
{
    (void)state;
    unsigned named = 0;
    for (int kind = 0; kind < 256; kind++) {
        const char *name = kind_name((enum journal_kind)kind);
        enum journal_kind read;
        if (!name)
            continue;
        named++;
        assert_true(kind_read(name, &read));
        assert_int_equal(read, kind);
    }
    assert_int_equal(named, 4);
    enum journal_kind read;
    assert_false(kind_read("", &read));
    assert_false(kind_read("Credit", &read));
    assert_false(kind_read("creditx", &read));
}

static void a_record_that_text_cannot_say_is_told_by_what_is_wrong(void **state)
{
    (void)state;
    const struct archive_record good = {
        .journal = {.sequence = 1,
                    .client = 1,
                    .kind = JOURNAL_CREDIT,
                    .balance_cents = 1,
                    .entry = {1, 7, ENTRY_CREDIT, 1, "x"}},
        .key_bytes = 1,
        .key = "k",
    };
    struct archive_record bad = good;
    assert_null(record_text_wrong(&good));

    bad.journal.entry.time_us = -1;
    assert_non_null(strstr(record_text_wrong(&bad), "time"));
    bad = good;
    bad.journal.entry.description[0] = '\xff';
    assert_non_null(strstr(record_text_wrong(&bad), "description"));
    bad = good;
    bad.key[0] = ' ';
    assert_non_null(strstr(record_text_wrong(&bad), "key"));
    bad = good;
    bad.journal.kind = JOURNAL_LIMIT;
    bad.journal.entry = (struct entry){.time_us = 7};
    assert_non_null(strstr(record_text_wrong(&bad), "key"));
    bad.key_bytes = 0;
    assert_null(record_text_wrong(&bad));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_description_is_one_to_ten_code_points_of_utf_8),
        cmocka_unit_test(utf_8_is_what_jansson_takes_for_it),
        cmocka_unit_test(a_key_is_1_to_64_visible_ascii_characters),
        cmocka_unit_test(a_time_is_from_1970_to_the_end_of_9999),
        cmocka_unit_test(every_kind_has_a_name_that_is_read_back),
        cmocka_unit_test(a_record_that_text_cannot_say_is_told_by_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
