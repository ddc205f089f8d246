/* SPDX-License-Identifier: MIT
 *
 * test_entry_json_memory.c - no body that we accept the size of is too much for the arena, and none
 * takes more time or harm than it should.
 */
#include "unit.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bank/bounds.h"
#include "http/entry_json.h"

static json_malloc_t arena_take;
static struct json_arena arena;
static size_t arena_most; /* the most of it that has been taken */

static void *take_and_look(size_t bytes)
{
    char *taken = arena_take(bytes);
    if (taken && (size_t)(taken - arena.bytes) + bytes > arena_most)
        arena_most = (size_t)(taken - arena.bytes) + bytes;
    return taken;
}

/* A body of BODY_BYTES_MAX: `open`, then `repeat` (a % in it is its number) as often as it fits,
 * `middle`, `close` as often as `repeat`, and `end`. */
struct shape {
    const char *name, *open, *repeat, *middle, *close, *end;
    enum problem problem;
};

static size_t build(char body[BODY_BYTES_MAX + 64], const struct shape *shape)
{
    size_t used = strlen(shape->open), closing = 0;
    size_t tail = strlen(shape->middle) + strlen(shape->end);
    memcpy(body, shape->open, used);
    for (unsigned number = 0;; number++) {
        char piece[64];
        const char *hole = strchr(shape->repeat, '%');
        size_t bytes = hole ? (size_t)snprintf(piece, sizeof piece, "%.*s%03x%s",
                                               (int)(hole - shape->repeat), shape->repeat, number,
                                               hole + 1)
                            : (size_t)snprintf(piece, sizeof piece, "%s", shape->repeat);
        if (used + bytes + closing + strlen(shape->close) + tail > BODY_BYTES_MAX)
            break;
        memcpy(body + used, piece, bytes);
        used += bytes;
        closing += strlen(shape->close);
    }
    memcpy(body + used, shape->middle, strlen(shape->middle));
    used += strlen(shape->middle);
    while (closing > 0) {
        memcpy(body + used, shape->close, strlen(shape->close));
        used += strlen(shape->close);
        closing -= strlen(shape->close);
    }
    memcpy(body + used, shape->end, strlen(shape->end));
    used += strlen(shape->end);
    while (used < BODY_BYTES_MAX)
        body[used++] = ' ';
    return used;
}

static enum problem parse(const char *text, size_t bytes)
{
    struct entry entry;
    const char *detail;
    char *exact = malloc(bytes > 0 ? bytes : 1);
    assert_non_null(exact);
    memcpy(exact, text, bytes);
    enum problem problem = entry_json_parse(&arena, exact, bytes, &entry, &detail);
    free(exact);
    return problem;
}

static const struct shape shapes[] = {
    {"arrays in arrays", "", "[", "", "]", "", PROBLEM_FIELD},
    {"arrays never closed", "", "[", "", "", "", PROBLEM_JSON},
    {"empty arrays", "[0", ",[]", "", "", "]", PROBLEM_FIELD},
    {"empty objects", "[0", ",{}", "", "", "]", PROBLEM_FIELD},
    {"objects in objects", "", "{\"\":", "1", "}", "", PROBLEM_FIELD},
    {"objects of one in an array", "[0", ",{\"\":0}", "", "", "]", PROBLEM_FIELD},
    {"objects with an empty object in an array", "[0", ",{\"\":{}}", "", "", "]", PROBLEM_FIELD},
    {"objects never closed", "", "{\"\":", "", "", "", PROBLEM_JSON},
    {"members", "{\"x\":1", ",\"%\":1", "", "", "}", PROBLEM_FIELD},
    {"members that are empty arrays", "{\"x\":1", ",\"%\":[]", "", "", "}", PROBLEM_FIELD},
    {"members that are empty objects", "{\"x\":1", ",\"%\":{}", "", "", "}", PROBLEM_FIELD},
    {"ones", "[1", ",1", "", "", "]", PROBLEM_FIELD},
    {"reals", "[1", ",1e1", "", "", "]", PROBLEM_FIELD},
    {"booleans", "[true", ",true", "", "", "]", PROBLEM_FIELD},
    {"empty strings", "[\"\"", ",\"\"", "", "", "]", PROBLEM_FIELD},
    {"short strings", "[\"\"", ",\"a\"", "", "", "]", PROBLEM_FIELD},
    {"strings of 16", "[\"\"", ",\"0123456789abcdef\"", "", "", "]", PROBLEM_FIELD},
    {"strings of 17", "[\"\"", ",\"0123456789abcdefg\"", "", "", "]", PROBLEM_FIELD},
    {"one long string", "\"", "a", "", "", "\"", PROBLEM_FIELD},
    {"one string of escapes", "\"", "\\u0000", "", "", "\"", PROBLEM_FIELD},
    {"one long number", "1", "0", "", "", "", PROBLEM_FIELD},
    {"one long fraction", "0.", "1", "", "", "", PROBLEM_FIELD},
    {"numbers past every double", "[1", ",1e999", "", "", "]", PROBLEM_FIELD},
    {"empty objects, then a number past every double", "[0", ",{}", "", "", ",1e999]",
     PROBLEM_FIELD},
    {"arrays and members", "{\"x\":1", ",\"%\":[[[]]]", "", "", "}", PROBLEM_FIELD},
    {"arrays of pairs", "[0", ",[0,0]", "", "", "]", PROBLEM_FIELD},
    {"white space", "7", " ", "", "", "", PROBLEM_FIELD},
};

static void no_body_of_the_largest_size_is_too_much_for_the_arena(void **state)
{
    (void)state;
    size_t worst = 0;
    const char *worst_name = "";
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        char body[BODY_BYTES_MAX + 64];
        size_t bytes = build(body, &shapes[i]);
        assert_int_equal(bytes, BODY_BYTES_MAX);
        arena_most = 0;
        enum problem problem = parse(body, bytes);
        if (problem != shapes[i].problem)
            FAIL("%s: problem %d, took %zu bytes: %s", shapes[i].name, (int)problem, arena_most,
                 shown(body, bytes));
        if (arena_most > worst) {
            worst = arena_most;
            worst_name = shapes[i].name;
        }
    }
    print_message("# the arena's worst: %zu bytes, %s\n", worst, worst_name);
    assert_in_range(worst, 1, JSON_ARENA_BYTES);
}

static void what_one_body_took_the_next_has_again(void **state)
{
    (void)state;
    char body[BODY_BYTES_MAX + 64];
    size_t bytes = build(body, &shapes[3]);
    for (int i = 0; i < 50; i++)
        assert_int_equal(parse(body, bytes), PROBLEM_FIELD);
    static const char good[] = "{\"valor\":1,\"tipo\":\"c\",\"descricao\":\"x\"}";
    assert_int_equal(parse(good, sizeof good - 1), PROBLEM_NONE);
}

/* Names that meet in one bucket of a hash table would take quadratic time; the seed is random. */
static void the_worst_body_takes_milliseconds(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        char body[BODY_BYTES_MAX + 64];
        size_t bytes = build(body, &shapes[i]);
        clock_t before = clock();
        (void)parse(body, bytes);
        double ms = 1000.0 * (double)(clock() - before) / CLOCKS_PER_SEC;
        if (ms > 100)
            FAIL("%s: %.1f ms", shapes[i].name, ms);
    }
}

static void random_bytes_are_judged_without_harm(void **state)
{
    (void)state;
    random_begin();
    for (int i = 0; i < 5000; i++) {
        char body[BODY_BYTES_MAX];
        size_t bytes = random_between(0, random_between(0, 9) ? 64 : sizeof body);
        random_fill(body, bytes);
        enum problem problem = parse(body, bytes);
        assert_true(problem == PROBLEM_JSON || problem == PROBLEM_FIELD);
    }
}

/* Pieces of JSON in any order: much of it comes far. */
static void random_pieces_of_json_are_judged_without_harm(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\\",
        "\"valor\":",
        "\"tipo\":\"c\"",
        "\"descricao\":",
        "\"a\"",
        "1",
        "0",
        "-",
        ".",
        "e",
        "1e400",
        "1e308",
        "true",
        "null",
        "\\u0000",
        "\\ud83d",
        "\\ude00",
        "\xf0\x9f\x98\x80",
        "\xff",
        " ",
        "\n",
        "{\"valor\":1,",
        "}}}}",
        "[[[[",
    };
    random_begin();
    for (int i = 0; i < 60000; i++) {
        char body[BODY_BYTES_MAX];
        size_t bytes = 0;
        for (uint64_t count = random_between(1, 40); count > 0; count--) {
            const char *piece = pieces[random_between(0, COUNT_OF(pieces) - 1)];
            bytes += (size_t)snprintf(body + bytes, sizeof body - bytes, "%s", piece);
        }
        enum problem problem = parse(body, bytes);
        assert_true(problem == PROBLEM_JSON || problem == PROBLEM_FIELD || problem == PROBLEM_NONE);
    }
}

static void a_good_body_with_one_byte_changed_is_judged_without_harm(void **state)
{
    (void)state;
    static const char good[] = "{\"valor\":10,\"tipo\":\"d\",\"descricao\":\"a\\u00e7\xc3\xa3o\"}";
    for (size_t at = 0; at < sizeof good - 1; at++) {
        for (int byte = 0; byte <= 0xff; byte++) {
            char body[sizeof good];
            memcpy(body, good, sizeof good);
            body[at] = (char)byte;
            enum problem problem = parse(body, sizeof good - 1);
            assert_true(problem != PROBLEM_BUSY);
        }
    }
}

int main(void)
{
    json_free_t arena_leave;
    entry_json_init();
    json_get_alloc_funcs(&arena_take, &arena_leave);
    json_set_alloc_funcs(take_and_look, arena_leave);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_body_of_the_largest_size_is_too_much_for_the_arena),
        cmocka_unit_test(what_one_body_took_the_next_has_again),
        cmocka_unit_test(the_worst_body_takes_milliseconds),
        cmocka_unit_test(random_bytes_are_judged_without_harm),
        cmocka_unit_test(random_pieces_of_json_are_judged_without_harm),
        cmocka_unit_test(a_good_body_with_one_byte_changed_is_judged_without_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
