/* SPDX-License-Identifier: MIT
 *
 * test_entry_json.c - which bodies are JSON, and which JSON is a transaction.
 */
#include "unit.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bank/bounds.h"
#include "http/entry_json.h"

#define BODY(valor, tipo, descricao) \
    "{\"valor\":" valor ",\"tipo\":" tipo ",\"descricao\":" descricao "}"
#define REST "\"tipo\":\"c\",\"descricao\":\"x\""

/* A body with its size, which may hold a NUL. */
struct body {
    const char *text;
    size_t bytes;
};

#define TEXT(literal)                \
    {                                \
        literal, sizeof(literal) - 1 \
    }

static struct entry entry;
static struct json_arena arena;
static const char *detail;

/* From memory of exactly that size, so that reading past it is seen. */
static enum problem parse(const char *text, size_t bytes)
{
    char *exact = malloc(bytes > 0 ? bytes : 1);
    assert_non_null(exact);
    memcpy(exact, text, bytes);
    detail = NULL;
    enum problem problem = entry_json_parse(&arena, exact, bytes, &entry, &detail);
    free(exact);
    return problem;
}

static void expect(const char *text, size_t bytes, enum problem problem)
{
    enum problem is = parse(text, bytes);
    if (is != problem)
        FAIL("%s\nis problem %d, should be %d", shown(text, bytes), (int)is, (int)problem);
    if (problem != PROBLEM_NONE && !detail)
        FAIL("%s\nis refused without a detail", shown(text, bytes));
}

static void expect_all(const struct body *bodies, size_t count, enum problem problem)
{
    for (size_t i = 0; i < count; i++)
        expect(bodies[i].text, bodies[i].bytes, problem);
}

static void expect_accepted(const char *text, int64_t cents, enum entry_kind kind,
                            const char *description)
{
    expect(text, strlen(text), PROBLEM_NONE);
    if (entry.amount_cents != cents || entry.kind != kind ||
        entry.description_bytes != strlen(description) ||
        memcmp(entry.description, description, entry.description_bytes) != 0)
        FAIL("%s\nis read as %lld %c %s", text, (long long)entry.amount_cents, entry.kind,
             shown(entry.description, entry.description_bytes));
    assert_true(entry_sane(&entry));
}

static void the_three_fields_are_read_in_any_order(void **state)
{
    (void)state;
    expect_accepted(BODY("1000", "\"c\"", "\"descricao\""), 1000, ENTRY_CREDIT, "descricao");
    expect_accepted("{\"descricao\":\"x\",\"tipo\":\"d\",\"valor\":1}", 1, ENTRY_DEBIT, "x");
    expect_accepted(" \t\r\n{ \"valor\" : 7 ,\n\"tipo\":\t\"d\" , \"descricao\" : \"x\" }\r\n\t ",
                    7, ENTRY_DEBIT, "x");
    expect_accepted("{\"v\\u0061lor\":1,\"t\\u0069po\":\"\\u0063\",\"descricao\":\"\\u0078\"}", 1,
                    ENTRY_CREDIT, "x");
}

static void a_valor_is_an_integral_number_however_it_is_written(void **state)
{
    (void)state;
    static const struct {
        const char *written;
        int64_t cents;
    } cases[] = {
        {"1", 1},
        {"1000", 1000},
        {"1000.0", 1000},
        {"1e3", 1000},
        {"1E3", 1000},
        {"1e+3", 1000},
        {"1000e0", 1000},
        {"10000e-1", 1000},
        {"0.1e1", 1},
        {"1.5e1", 15},
        {"1.000000000000000000000", 1},
        {"9007199254740991", CENTS_MAX},
        {"9007199254740991.0", CENTS_MAX},
        {"9.007199254740991e15", CENTS_MAX},
        {"9007199254740990", CENTS_MAX - 1},
        /* As a double each of these is the integer. */
        {"0.99999999999999999999", 1},
        {"1.00000000000000000001", 1},
        {"9007199254740990.6", CENTS_MAX},
        {"9007199254740991.4", CENTS_MAX},
        {"0.000000000000000000001e21", 1},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char body[200];
        snprintf(body, sizeof body, "{\"valor\":%s," REST "}", cases[i].written);
        expect_accepted(body, cases[i].cents, ENTRY_CREDIT, "x");
    }
}

static void any_other_valor_is_422_and_named(void **state)
{
    (void)state;
    static const char *const values[] = {
        "0",
        "-0",
        "0.0",
        "-1",
        "-1000",
        "1.2",
        "0.5",
        "0.9999999",
        "1.5",
        "1e-1",
        "1e-400",

        "true",
        "false",
        "null",
        "\"1000\"",
        "\"\"",
        "[]",
        "[1]",
        "{}",
        "9007199254740992",
        "9007199254740993",
        "9007199254740991.5",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551616",
        "-9223372036854775809",
        "1e16",
        "1e308",
        "1e309",
        "1e400",
        "-1e400",
        "1e99999999999999999999",
        "123456789012345678901234567890e400",
    };
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        char body[200];
        int bytes = snprintf(body, sizeof body, "{\"valor\":%s," REST "}", values[i]);
        expect(body, (size_t)bytes, PROBLEM_FIELD);
        assert_non_null(strstr(detail, "valor must"));
    }
}

static void any_other_tipo_is_422_and_named(void **state)
{
    (void)state;
    static const char *const values[] = {
        "\"C\"",  "\"D\"", "\"cd\"",       "\"\"",        "\"x\"",     "\"c \"",
        "\" c\"", "\"o\"", "\"c\\u0000\"", "\"\\u0000\"", "\"ç\"",     "null",
        "true",   "0",     "99",           "[\"c\"]",     "{\"c\":1}",
    };
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        char body[200];
        int bytes = snprintf(body, sizeof body, "{\"valor\":1,\"tipo\":%s,\"descricao\":\"x\"}",
                             values[i]);
        expect(body, (size_t)bytes, PROBLEM_FIELD);
        assert_non_null(strstr(detail, "tipo must"));
    }
}

static void a_descricao_is_one_to_ten_code_points_of_any_script(void **state)
{
    (void)state;
    static const struct {
        const char *written, *text;
    } cases[] = {
        {"x", "x"},
        {"0123456789", "0123456789"},
        {"ação 😀", "ação 😀"},
        {"😀😀😀😀😀😀😀😀😀😀", "😀😀😀😀😀😀😀😀😀😀"},
        {"日本語のテキスト", "日本語のテキスト"},
        {"مرحبا", "مرحبا"},
        {"e\xcc\x81", "e\xcc\x81"}, /* two code points, one letter */
        {"\\ud83d\\ude00", "😀"},
        {"\\u00e7", "ç"},
        {"\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t"},
        {"\\u0001\\u001f", "\x01\x1f"},
        {"\x7f", "\x7f"},
        {" ", " "},
        {"\xef\xbf\xbf", "\xef\xbf\xbf"},               /* U+FFFF: no character, but a code point */
        {"\\uffff\\ufeff", "\xef\xbf\xbf\xef\xbb\xbf"}, /* and a BOM inside a string is one */
        {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},       /* U+10FFFF */
        {"\\udbff\\udfff", "\xf4\x8f\xbf\xbf"},
        {"\\u20ac\\u20AC", "€€"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char body[300];
        snprintf(body, sizeof body, BODY("1", "\"d\"", "\"%s\""), cases[i].written);
        expect_accepted(body, 1, ENTRY_DEBIT, cases[i].text);
    }
}

static void any_other_descricao_is_422_and_named(void **state)
{
    (void)state;
    static const char *const values[] = {
        "\"\"",
        "\"01234567890\"",
        "\"😀😀😀😀😀😀😀😀😀😀😀\"",
        "\"ççççççççççç\"",
        "\"0123456789\\u0301\"",
        "\"\\ud83d\\ude00123456789x\"",
        "\"\\u0000\"",
        "\"a\\u0000\"",
        "\"a\\u0000b\"",
        "\"\\u0000abc\"",
        "null",
        "1",
        "1.5",
        "true",
        "[\"x\"]",
        "{}",
        "\"0123456789012345678901234567890123456789\"",
        "\"01234567890123456789012345678901234567890\"",
    };
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        char body[300];
        int bytes = snprintf(body, sizeof body, BODY("1", "\"c\"", "%s"), values[i]);
        expect(body, (size_t)bytes, PROBLEM_FIELD);
        assert_non_null(strstr(detail, "descricao must"));
    }
}

static void a_missing_field_or_another_kind_of_value_is_422(void **state)
{
    (void)state;
    static const struct body bodies[] = {
        TEXT("{}"),
        TEXT("[]"),
        TEXT("7"),
        TEXT("-0.5e-3"),
        TEXT("\"valor\""),
        TEXT("\"\""),
        TEXT("null"),
        TEXT("true"),
        TEXT(" false "),
        TEXT("[{\"valor\":1," REST "}]"),
        TEXT("{" REST "}"),
        TEXT("{\"valor\":1,\"descricao\":\"x\"}"),
        TEXT("{\"valor\":1,\"tipo\":\"c\"}"),
        TEXT("{\"Valor\":1," REST "}"),
        TEXT("{\"valor \":1," REST "}"),
        TEXT("{\"valor\":1,\"Tipo\":\"c\",\"descricao\":\"x\"}"),
        TEXT("{\"valor\":1,\"tipo\":\"c\",\"descri\xc3\xa7\xc3\xa3o\":\"x\"}"),
        TEXT("{\"a\":{\"valor\":1," REST "}}"),
        TEXT("1e400"),
        TEXT("-1e400"),
    };
    expect_all(bodies, COUNT_OF(bodies), PROBLEM_FIELD);
}

static void other_members_are_ignored(void **state)
{
    (void)state;
    static const char *const members[] = {
        "\"a\":1",
        "\"\":null",
        "\"a\":[1,2,{\"valor\":2}]",
        "\"Valor\":2,\"VALOR\":3",
        "\"valor\\t\":2",
        "\"a\":\"\\u0000\"",
        "\"a\":\"0123456789012345678901234567890123456789\"",
        "\"a\":1e400",
        "\"a\":-1e400,\"b\":[1e999,{\"c\":1E+400}]",
        "\"a\":123456789012345678901234567890",
        "\"a\":\"1e400\",\"b\":1e400",
        "\"a\":\"\\\"1e400\\\\\",\"b\":1e400",
        "\"1e400\":1e400,\"1e401\":1",
        "\"a\":[1e400,1e400, 1e400 ,-1e400]",
    };
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        char body[400];
        snprintf(body, sizeof body, "{%s,\"valor\":5," REST "}", members[i]);
        expect_accepted(body, 5, ENTRY_CREDIT, "x");
        snprintf(body, sizeof body, "{\"valor\":5," REST ",%s}", members[i]);
        expect_accepted(body, 5, ENTRY_CREDIT, "x");
    }
}

static void a_number_past_every_double_harms_no_other_field(void **state)
{
    (void)state;
    expect_accepted("{\"x\":1e400,\"valor\":5,\"tipo\":\"c\",\"descricao\":\"1e400\"}", 5,
                    ENTRY_CREDIT, "1e400");
    char body[2000], digits[401];
    memset(digits, '9', sizeof digits - 1);
    digits[sizeof digits - 1] = '\0';
    snprintf(body, sizeof body, "{\"x\":%s,\"valor\":5," REST "}", digits);
    expect_accepted(body, 5, ENTRY_CREDIT, "x");
    int bytes = snprintf(body, sizeof body, "{\"valor\":%s," REST "}", digits);
    expect(body, (size_t)bytes, PROBLEM_FIELD);
    bytes = snprintf(body, sizeof body, "{\"valor\":1,\"tipo\":1e400,\"descricao\":\"x\"}");
    expect(body, (size_t)bytes, PROBLEM_FIELD);
}

/* What jansson refuses after a number was blanked is refused as before. */
static void a_number_past_every_double_hides_no_other_fault(void **state)
{
    (void)state;
    static const struct body bodies[] = {
        TEXT("{\"a\":1e400,\"valor\":5," REST),
        TEXT("{\"a\":1e400,\"a\":2,\"valor\":5," REST "}"),
        TEXT("{\"a\":01e400,\"valor\":5," REST "}"),
        TEXT("{\"a\":+1e400,\"valor\":5," REST "}"),
        TEXT("{\"a\":1e400.5,\"valor\":5," REST "}"),
        TEXT("{\"a\":1e400e5,\"valor\":5," REST "}"),
        TEXT("{\"a\":1e400-1,\"valor\":5," REST "}"),
        TEXT("{\"a\":--1e400,\"valor\":5," REST "}"),
        TEXT("{\"a\":1.e400,\"valor\":5," REST "}"),
        TEXT("{\"a\":.1e400,\"valor\":5," REST "}"),
        TEXT("{\"a\":1e400x,\"valor\":5," REST "}"),
        TEXT("{\"a\":1e400 1e400,\"valor\":5," REST "}"),
        TEXT("{1e400:1,\"valor\":5," REST "}"),
        TEXT("1e400 1e400"),
        TEXT("1e400}"),
        TEXT("[1e400,]"),
        TEXT("[1e400,01]"),
        TEXT("[1e400,\"\xff\"]"),
        TEXT("[1e400,\"\\ud800\"]"),
        TEXT("[1e400,\"]"),
        TEXT("[1e400,\"\\\"]"),
    };
    expect_all(bodies, COUNT_OF(bodies), PROBLEM_JSON);
}

static void what_is_no_json_text_is_400(void **state)
{
    (void)state;
    static const struct body bodies[] = {
        TEXT(""),
        TEXT(" "),
        TEXT("\r\n\t"),
        TEXT("{"),
        TEXT("}"),
        TEXT("[}"),
        TEXT("{\"valor\":1," REST),
        TEXT("{\"valor\":1," REST ",}"),
        TEXT("{,\"valor\":1," REST "}"),
        TEXT("{\"valor\" 1," REST "}"),
        TEXT("{\"valor\":1 \"tipo\":\"c\",\"descricao\":\"x\"}"),
        TEXT("{valor:1," REST "}"),
        TEXT("{'valor':1," REST "}"),
        TEXT("{\"valor\":1," REST "} x"),
        TEXT("{\"valor\":1," REST "}{}"),
        TEXT("{\"valor\":1," REST "},"),
        TEXT("{\"valor\":1," REST "}\0"),
        TEXT("\0"),
        TEXT("7\0"),
        TEXT("null\0"),
        TEXT("1e3 \0"),
        TEXT("\0{\"valor\":1," REST "}"),
        TEXT("{\"valor\":1,\0" REST "}"),
        TEXT("{\"valor\":1," REST "} \0 x"),
        TEXT("{\"valor\":01," REST "}"),
        TEXT("{\"valor\":+1," REST "}"),
        TEXT("{\"valor\":1.," REST "}"),
        TEXT("{\"valor\":.5," REST "}"),
        TEXT("{\"valor\":1e," REST "}"),
        TEXT("{\"valor\":1e+," REST "}"),
        TEXT("{\"valor\":-," REST "}"),
        TEXT("{\"valor\":0x10," REST "}"),
        TEXT("{\"valor\":1_000," REST "}"),
        TEXT("{\"valor\":1 000," REST "}"),
        TEXT("{\"valor\":NaN," REST "}"),
        TEXT("{\"valor\":Infinity," REST "}"),
        TEXT("{\"valor\":-Infinity," REST "}"),
        TEXT("{\"valor\":undefined," REST "}"),
        TEXT("{\"valor\":True," REST "}"),
        TEXT("{\"valor\":nul," REST "}"),
        TEXT("nullx"),
        TEXT("{\"valor\":," REST "}"),
        TEXT("/* comment */{\"valor\":1," REST "}"),
        TEXT("{\"valor\":1,// comment\n" REST "}"),
        TEXT("\x0b{\"valor\":1," REST "}"),
        TEXT("\x0c{\"valor\":1," REST "}"),
        TEXT("\xc2\xa0{\"valor\":1," REST "}"),
        TEXT("\xef\xbb\xbf{\"valor\":1," REST "}"), /* a byte order mark */
        TEXT("\xff\xfe{\0}\0"),
        TEXT("\xef\xbb\xbf"),
        TEXT("{\"valor\":1,\"tipo\":\"c\",\"descricao\":\"a\tb\"}"), /* bare control characters */
        TEXT("{\"valor\":1,\"tipo\":\"c\",\"descricao\":\"a\nb\"}"),
        TEXT("{\"valor\":1,\"tipo\":\"c\",\"descricao\":\"a\0b\"}"),
        TEXT("{\"valor\":1,\"tipo\":\"c\",\"descricao\":\"\x1f\"}"),
        TEXT("{\"valor\":1,\"tipo\":\"c\",\"descricao\":\"\\x41\"}"),
        TEXT("{\"valor\":1,\"tipo\":\"c\",\"descricao\":\"\\'\"}"),
        TEXT("{\"valor\":1,\"tipo\":\"c\",\"descricao\":\"\\u12\"}"),
        TEXT("{\"valor\":1,\"tipo\":\"c\",\"descricao\":\"\\u123g\"}"),
        TEXT("{\"valor\":1,\"tipo\":\"c\",\"descricao\":\"\\U0041\"}"),
        TEXT("{\"valor\":1,\"tipo\":\"c\",\"descricao\":\"x}"),
        TEXT("{\"valor\":1,\"tipo\":\"c\",\"descricao\":\"\\\"}"),
        TEXT("valor=1&tipo=c&descricao=x"),
    };
    expect_all(bodies, COUNT_OF(bodies), PROBLEM_JSON);
}

static void a_duplicate_name_is_400_at_any_depth(void **state)
{
    (void)state;
    static const struct body bodies[] = {
        TEXT("{\"valor\":1,\"valor\":1," REST "}"),
        TEXT("{\"valor\":1," REST ",\"tipo\":\"d\"}"),
        TEXT("{\"valor\":1," REST ",\"a\":1,\"a\":2}"),
        TEXT("{\"valor\":1," REST ",\"a\":{\"b\":1,\"b\":1}}"),
        TEXT("{\"valor\":1," REST ",\"a\":[{\"b\":1,\"b\":1}]}"),
        TEXT("{\"valor\":1," REST ",\"\":1,\"\":2}"),
        TEXT("{\"valor\":1,\"v\\u0061lor\":2," REST "}"),
        TEXT("[{\"a\":1,\"a\":1}]"),
    };
    expect_all(bodies, COUNT_OF(bodies), PROBLEM_JSON);
}

static void a_nul_in_a_name_is_400(void **state)
{
    (void)state;
    static const struct body bodies[] = {
        TEXT("{\"\\u0000\":1,\"valor\":1," REST "}"),
        TEXT("{\"valor\\u0000\":1," REST "}"),
        TEXT("{\"valor\":1," REST ",\"a\":{\"b\\u0000c\":1}}"),
    };
    expect_all(bodies, COUNT_OF(bodies), PROBLEM_JSON);
}

static void what_is_no_utf_8_is_400_in_a_value_in_a_name_and_elsewhere(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "\x80", /* a continuation alone */
        "\xbf",
        "\xc3", /* cut short */
        "\xe2\x82",
        "\xf0\x9f\x98",
        "\xc3\x28", /* a continuation missing */
        "\xc0\x80", /* overlong */
        "\xc1\xbf",
        "\xe0\x80\x80",
        "\xe0\x9f\xbf",
        "\xf0\x80\x80\x80",
        "\xf0\x8f\xbf\xbf",
        "\xed\xa0\x80", /* a surrogate */
        "\xed\xbf\xbf",
        "\xed\xa0\xbd\xed\xb8\x80",
        "\xf4\x90\x80\x80", /* past U+10FFFF */
        "\xf5\x80\x80\x80",
        "\xf8\x88\x80\x80\x80",
        "\xfe",
        "\xff",
        "\xe7\xe3o", /* Latin-1 */
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        char body[200];
        static const char *const places[] = {
            BODY("1", "\"c\"", "\"%s\""),      BODY("1", "\"c\"", "\"a%sb\""),
            "{\"valor\":1," REST ",\"%s\":1}", "{\"valor\":1," REST ",\"a\":[\"%s\"]}",
            "{\"valor\":1," REST "%s}",        "%s{\"valor\":1," REST "}",
        };
        for (size_t j = 0; j < COUNT_OF(places); j++) {
            const char *hole = strstr(places[j], "%s");
            int bytes = snprintf(body, sizeof body, "%.*s%s%s", (int)(hole - places[j]), places[j],
                                 wrong[i], hole + 2);
            expect(body, (size_t)bytes, PROBLEM_JSON);
        }
    }
}

static void a_lone_surrogate_is_400(void **state)
{
    (void)state;
    static const char *const escapes[] = {
        "\\ud800",        "\\udbff",          "\\udc00",    "\\udfff",        "\\ud83d",
        "\\ude00",        "\\ud83dx",         "\\ud83d\\n", "\\ud83d\\u0041", "\\ud83d\\ud83d",
        "\\ude00\\ud83d", "\\ud83d\\\\ude00", "\\uD83D",    "\\ud83d\\ude0",  "a\\udc00b",
    };
    for (size_t i = 0; i < COUNT_OF(escapes); i++) {
        char body[200];
        int bytes = snprintf(body, sizeof body, BODY("1", "\"c\"", "\"%s\""), escapes[i]);
        expect(body, (size_t)bytes, PROBLEM_JSON);
        bytes = snprintf(body, sizeof body, "{\"valor\":1," REST ",\"%s\":1}", escapes[i]);
        expect(body, (size_t)bytes, PROBLEM_JSON);
    }
}

static void the_first_wrong_field_is_named_and_json_comes_before_fields(void **state)
{
    (void)state;
    static const struct body no_valor = TEXT("{\"descricao\":1,\"tipo\":1,\"valor\":\"\"}");
    static const struct body no_tipo = TEXT("{\"descricao\":1,\"tipo\":1,\"valor\":1}");
    static const struct body no_json = TEXT("{\"valor\":0,\"tipo\":1,\"descricao\":1,}");
    expect_all(&no_valor, 1, PROBLEM_FIELD);
    assert_non_null(strstr(detail, "valor must"));
    expect_all(&no_tipo, 1, PROBLEM_FIELD);
    assert_non_null(strstr(detail, "tipo must"));
    expect_all(&no_json, 1, PROBLEM_JSON);
    expect("", 0, PROBLEM_JSON);
    assert_non_null(strstr(detail, "a body is required"));
}

int main(void)
{
    entry_json_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_three_fields_are_read_in_any_order),
        cmocka_unit_test(a_valor_is_an_integral_number_however_it_is_written),
        cmocka_unit_test(any_other_valor_is_422_and_named),
        cmocka_unit_test(any_other_tipo_is_422_and_named),
        cmocka_unit_test(a_descricao_is_one_to_ten_code_points_of_any_script),
        cmocka_unit_test(any_other_descricao_is_422_and_named),
        cmocka_unit_test(a_missing_field_or_another_kind_of_value_is_422),
        cmocka_unit_test(other_members_are_ignored),
        cmocka_unit_test(a_number_past_every_double_harms_no_other_field),
        cmocka_unit_test(a_number_past_every_double_hides_no_other_fault),
        cmocka_unit_test(what_is_no_json_text_is_400),
        cmocka_unit_test(a_duplicate_name_is_400_at_any_depth),
        cmocka_unit_test(a_nul_in_a_name_is_400),
        cmocka_unit_test(what_is_no_utf_8_is_400_in_a_value_in_a_name_and_elsewhere),
        cmocka_unit_test(a_lone_surrogate_is_400),
        cmocka_unit_test(the_first_wrong_field_is_named_and_json_comes_before_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
