/* SPDX-License-Identifier: MIT
 *
 * test_key_header.c - what is an idempotency key, and which key it is.
 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "http/key_header.h"

#define TEN      "0123456789"
#define SIXTY    TEN TEN TEN TEN TEN TEN
#define ESCAPED8 "\\\"\\\\\\\"\\\\\\\"\\\\\\\"\\\\"

/* The value in memory of its exact size, so that reading past it is seen. */
static uint8_t parse(const char *value, size_t bytes, char ret_key[KEY_BYTES_MAX])
{
    char *exact = malloc(bytes > 0 ? bytes : 1);
    assert_non_null(exact);
    memcpy(exact, value, bytes);
    uint8_t size = key_header_parse(exact, bytes, ret_key);
    free(exact);
    return size;
}

static void a_key_is_its_visible_characters_with_or_without_quotes(void **state)
{
    (void)state;
    static const struct {
        const char *value, *key;
    } cases[] = {
        {"a", "a"},
        {"\"a\"", "a"},
        {"!", "!"},
        {"~", "~"},
        {"8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"},
        {"\"8e03978e-40d5-43dd-bc93-6894a57f9324\"", "8e03978e-40d5-43dd-bc93-6894a57f9324"},
        {SIXTY "0123", SIXTY "0123"},
        {"\"" SIXTY "0123\"", SIXTY "0123"},
        {"\"a\\\"b\"", "a\"b"},
        {"\"a\\\\b\"", "a\\b"},
        {"\"\\\"\"", "\""},
        {"\"\\\\\"", "\\"},
        {"a\"b", "a\"b"},
        {"a\"", "a\""},
        {"a\\", "a\\"},
        {"a\\b", "a\\b"},
        {"'a'", "'a'"},
        {"a,b;c=d", "a,b;c=d"},
        {"\"a;b\"", "a;b"},
        {"\"" ESCAPED8 ESCAPED8 ESCAPED8 ESCAPED8 ESCAPED8 ESCAPED8 ESCAPED8 ESCAPED8 "\"",
         "\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\"
         "\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char key[KEY_BYTES_MAX];
        size_t expected = strlen(cases[i].key);
        uint8_t size = parse(cases[i].value, strlen(cases[i].value), key);
        if (size != expected || memcmp(key, cases[i].key, expected) != 0)
            FAIL("%s: read as \"%s\"", cases[i].value, shown(key, size));
    }
}

static void what_is_no_key_is_none(void **state)
{
    (void)state;
    static const char *const values[] = {
        "",
        "\"\"",
        "\"",
        "\"a",
        "\"\\\"",
        "\"a\\\"",
        "\"a\\b\"",
        "\"\\a\"",
        "\"a\"b\"",
        "\"a\"\"",
        "\"\"a\"",
        "\"a\";b=1",
        "\"a\", \"b\"",
        "a b",
        "\"a b\"",
        " a",
        "a\tb",
        "\"\t\"",
        "a\x01",
        "a\x1f",
        "a\x7f",
        "a\x80",
        "a\xff",
        "\"a\xff\"",
        "ação",
        "\"\\\t\"",
        SIXTY "01234",
        "\"" SIXTY "01234\"",
        "\"" SIXTY "0123\\\"\"",
        SIXTY SIXTY,
    };
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        char key[KEY_BYTES_MAX];
        if (parse(values[i], strlen(values[i]), key) != 0)
            FAIL("%s: is no key", shown(values[i], strlen(values[i])));
    }
}

static void a_nul_is_no_key(void **state)
{
    (void)state;
    char key[KEY_BYTES_MAX];
    assert_int_equal(parse("\0", 1, key), 0);
    assert_int_equal(parse("a\0", 2, key), 0);
    assert_int_equal(parse("\"a\0b\"", 5, key), 0);
    assert_int_equal(parse("\"\\\0\"", 4, key), 0);
}

static void every_single_byte_is_judged_by_whether_it_is_visible(void **state)
{
    (void)state;
    for (int byte = 0; byte <= 0xff; byte++) {
        char key[KEY_BYTES_MAX], bare = (char)byte;
        char quoted[3] = {'"', (char)byte, '"'};
        bool visible = byte >= 0x21 && byte <= 0x7e;
        assert_int_equal(parse(&bare, 1, key), visible && byte != '"');
        assert_int_equal(parse(quoted, 3, key), visible && byte != '"' && byte != '\\');
    }
}

static void random_values_never_write_past_the_key(void **state)
{
    (void)state;
    random_begin();
    for (int i = 0; i < 20000; i++) {
        static const char likely[] = "\"\\ab \x7f";
        char value[200], key[KEY_BYTES_MAX];
        size_t bytes = random_between(0, sizeof value);
        for (size_t j = 0; j < bytes; j++)
            value[j] = random_between(0, 9) ? likely[random_between(0, 3)]
                                            : likely[random_between(0, sizeof likely - 1)];
        uint8_t size = parse(value, bytes, key);
        assert_in_range(size, 0, KEY_BYTES_MAX);
        for (uint8_t j = 0; j < size; j++)
            assert_in_range(key[j], 0x21, 0x7e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_its_visible_characters_with_or_without_quotes),
        cmocka_unit_test(what_is_no_key_is_none),
        cmocka_unit_test(a_nul_is_no_key),
        cmocka_unit_test(every_single_byte_is_judged_by_whether_it_is_visible),
        cmocka_unit_test(random_values_never_write_past_the_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
