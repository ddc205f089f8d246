/* SPDX-License-Identifier: MIT
 *
 * test_entry_plain.c - the shortcut takes the usual body, as the whole way does, and leaves every
 * other to it.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/entry_json.h"
#include "http/entry_plain.h"

static struct entry entry;
static struct json_arena arena;

/* From memory of exactly that size, so that reading past it is seen. */
static bool reads(const char *text, size_t bytes)
{
    char *exact = malloc(bytes > 0 ? bytes : 1);
    assert_non_null(exact);
    memcpy(exact, text, bytes);
    bool plain = entry_plain_read(exact, bytes, &entry);
    free(exact);
    return plain;
}

static void the_usual_body_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        int64_t cents;
        enum entry_kind kind;
        const char *description;
    } cases[] = {
        {"{\"valor\":1000,\"tipo\":\"c\",\"descricao\":\"descricao\"}", 1000, ENTRY_CREDIT,
         "descricao"},
        {"{\"valor\": 1, \"tipo\": \"d\", \"descricao\": \"x\"}", 1, ENTRY_DEBIT, "x"},
        {"{\"descricao\":\"0123456789\",\"tipo\":\"c\",\"valor\":9007199254740991}", CENTS_MAX,
         ENTRY_CREDIT, "0123456789"},
        {" \t\r\n{ \"tipo\" : \"c\" ,\n\"valor\"\t:\r2 , \"descricao\" : \" ~/\" } \n", 2,
         ENTRY_CREDIT, " ~/"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (!reads(cases[i].body, strlen(cases[i].body)))
            FAIL("%s\nis not read", cases[i].body);
        assert_true(entry_sane(&entry));
        assert_true(entry.amount_cents == cases[i].cents);
        assert_int_equal(entry.kind, cases[i].kind);
        assert_int_equal(entry.description_bytes, strlen(cases[i].description));
        assert_memory_equal(entry.description, cases[i].description, entry.description_bytes);
    }
}

static void whatever_is_less_plain_is_left(void **state)
{
    (void)state;
#define REST "\"tipo\":\"c\",\"descricao\":\"x\"}"
    static const char *const bodies[] = {
        "",
        "{",
        "{}",
        "[]",
        "7",
        "{\"valor\":1.0," REST,
        "{\"valor\":1e3," REST,
        "{\"valor\":-1," REST,
        "{\"valor\":0," REST,
        "{\"valor\":01," REST,
        "{\"valor\":," REST,
        "{\"valor\":9007199254740992," REST,
        "{\"valor\":10000000000000000," REST,
        "{\"valor\":18446744073709551617," REST,
        "{\"valor\":\"1\"," REST,
        "{\"valor\":1 0," REST,
        "{\"valor\":1,\"valor\":1," REST,
        "{\"valor\":1,\"a\":1," REST,
        "{\"valor\":1," REST "x",
        "{\"valor\":1," REST "}",
        "{\"valor\":1,\"tipo\":\"c\",\"descricao\":\"x\",}",
        "{,\"valor\":1," REST,
        "{\"valor\":1 " REST,
        "{\"valor\" 1," REST,
        "{\"valor\":1,\"tipo\":\"c\"}",
        "{\"valor\":1,\"tipo\":\"C\",\"descricao\":\"x\"}",
        "{\"valor\":1,\"tipo\":\"cd\",\"descricao\":\"x\"}",
        "{\"valor\":1,\"tipo\":\"\",\"descricao\":\"x\"}",
        "{\"valor\":1,\"tipo\":\"c\",\"descricao\":\"\"}",
        "{\"valor\":1,\"tipo\":\"c\",\"descricao\":\"01234567890\"}",
        "{\"valor\":1,\"tipo\":\"c\",\"descricao\":\"a\\n\"}",
        "{\"valor\":1,\"tipo\":\"c\",\"descricao\":\"a\tb\"}",
        "{\"valor\":1,\"tipo\":\"c\",\"descricao\":\"\x7f\"}",
        "{\"valor\":1,\"tipo\":\"c\",\"descricao\":\"ç\"}",
        "{\"valor\":1,\"tipo\":\"c\",\"descricao\":\"\xff\"}",
        "{\"valor\":1,\"tipo\":\"c\",\"descricao\":null}",
        "{\"v\\u0061lor\":1," REST,
        "\v{\"valor\":1," REST,
    };
    for (size_t i = 0; i < COUNT_OF(bodies); i++)
        if (reads(bodies[i], strlen(bodies[i])))
            FAIL("%s\nis read", bodies[i]);
}

static void a_body_cut_short_anywhere_is_left(void **state)
{
    (void)state;
    static const char body[] = "{\"valor\": 10,\"tipo\":\"d\" ,\"descricao\":\"abc\"}";
    for (size_t bytes = 0; bytes < sizeof body - 1; bytes++)
        assert_false(reads(body, bytes));
    assert_true(reads(body, sizeof body - 1));
    assert_false(reads(body, sizeof body)); /* a NUL behind it */
}

/* The shortcut takes nothing that the whole way, forced by one more member, would not take or would
 * read otherwise. */
static void the_shortcut_agrees_with_the_whole_way(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "\"valor\":",
        "\"tipo\":",
        "\"descricao\":",
        "1",
        "10",
        "9007199254740991",
        "9007199254740992",
        "0",
        "01",
        "-1",
        "1.0",
        "99999999999999999",
        "\"c\"",
        "\"d\"",
        "\"x\"",
        "\"\"",
        "\"0123456789\"",
        "\"01234567890\"",
        "\"\x7f\"",
        "\"\\n\"",
        "\"\x1f\"",
        "\"ç\"",
        "null",
        "valor",
        "\"a\":",
    };
    unsigned agreed = 0;
    random_begin();
    for (int i = 0; i < 400000; i++) {
        char body[300] = "{";
        size_t bytes = 1;
        size_t turn = random_between(0, 2);
        for (size_t member = 0; member < 3; member++) {
            /* Mostly what fits, now and then anything. */
            size_t name = random_between(0, 15) ? (member + turn) % 3
                                                : random_between(0, COUNT_OF(pieces) - 1);
            static const size_t values[][2] = {{3, 11}, {12, 13}, {14, 20}};
            size_t value = name < 3 && random_between(0, 15)
                               ? random_between(values[name][0], values[name][1])
                               : random_between(3, COUNT_OF(pieces) - 1);
            static const char *const spaces[] = {"", "", "", " ", "\t\r\n ", "\v"};
            bytes += (size_t)snprintf(body + bytes, sizeof body - bytes, "%s%s%s%s%s",
                                      member == 0 ? "" : ",",
                                      spaces[random_between(0, random_between(0, 15) ? 4 : 5)],
                                      pieces[name], spaces[random_between(0, 4)], pieces[value]);
        }
        struct entry plain;
        body[bytes++] = '}';
        if (!entry_plain_read(body, bytes, &plain))
            continue;
        bytes += (size_t)snprintf(body + bytes - 1, sizeof body - bytes, ",\"~\":0}") - 1;
        const char *detail = "";
        if (entry_json_parse(&arena, body, bytes, &entry, &detail) != PROBLEM_NONE)
            FAIL("%s\nis read, but %s", shown(body, bytes), detail);
        assert_true(entry_same_request(&plain, &entry));
        agreed++;
    }
    assert_in_range(agreed, 1000, 400000);
}

int main(void)
{
    entry_json_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_usual_body_is_read),
        cmocka_unit_test(whatever_is_less_plain_is_left),
        cmocka_unit_test(a_body_cut_short_anywhere_is_left),
        cmocka_unit_test(the_shortcut_agrees_with_the_whole_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
