/* SPDX-License-Identifier: MIT
 *
 * test_call_answer.c - what the procedures say of entries, openings and limits becomes answers. It is
 * committed by then: whatever cannot be read is unknown, and never guessed.
 */
#include "unit.h"

#include <string.h>

#include "postgres_result.h"
#include "store/postgres/call.h"
#include "store/postgres/wire.h"

enum { OPS = 4, CLIENT = 9 };

static struct op ops[OPS], *batch[OPS];
static struct known known;
static struct call call;

static int setup(void **state)
{
    (void)state;
    memset(&known, 0, sizeof known);
    for (int i = 0; i < OPS; i++) {
        ops[i] = (struct op){.kind = OP_ENTRY, .client = CLIENT, .outcome = OUTCOME_BUSY};
        ops[i].limit_cents = ops[i].balance_cents = 77;
        batch[i] = &ops[i];
    }
    call = (struct call){.kind = CALL_BOOK, .ops = batch, .count = 3};
    return 0;
}

static void answer(PGresult *result)
{
    call.result = result;
    call_answer(&call, &known);
    PQclear(result);
    call.result = NULL;
}

static void expect_outcomes(enum outcome first, enum outcome second, enum outcome third)
{
    const enum outcome expected[] = {first, second, third};
    for (int i = 0; i < 3; i++)
        if (ops[i].outcome != expected[i])
            FAIL("op %d has outcome %d, not %d", i, (int)ops[i].outcome, (int)expected[i]);
    assert_int_equal(ops[3].outcome, OUTCOME_BUSY); /* it is of no call */
}

/* --- entries ---------------------------------------------------------------------------------- */

/* A row of InsertTransacoes(): words, and balances and limits, where INT64_MIN is NULL. */
static PGresult *row(const char *const *words, const int64_t *balances, const int64_t *limits,
                     int count)
{
    struct result_value of_words[OPS], of_balances[OPS], of_limits[OPS];
    PGresult *result = result_new(3);
    for (int i = 0; i < count; i++) {
        of_words[i] = words[i] ? result_text(words[i]) : RESULT_NULL;
        of_balances[i] = balances[i] == INT64_MIN ? RESULT_NULL : result_int8(balances[i]);
        of_limits[i] = limits[i] == INT64_MIN ? RESULT_NULL : result_int8(limits[i]);
    }
    result_put(result, 0, 0, result_array(WIRE_TEXT, of_words, count));
    result_put(result, 0, 1, result_array(WIRE_INT8, of_balances, count));
    result_put(result, 0, 2, result_array(WIRE_INT8, of_limits, count));
    return result;
}

static const char *const good_words[] = {"ok", "repetida", "limite", "ok"};
static const int64_t good_balances[] = {-100, 25, INT64_MIN, 0};
static const int64_t good_limits[] = {100, 0, 100, 0};

static void each_entry_has_its_word_its_balance_and_its_limit(void **state)
{
    (void)state;
    answer(row(good_words, good_balances, good_limits, 3));
    expect_outcomes(OUTCOME_OK, OUTCOME_OK, OUTCOME_LIMIT_EXCEEDED);
    assert_false(ops[0].replayed);
    assert_true(ops[1].replayed);
    assert_int_equal(ops[0].balance_cents, -100);
    assert_int_equal(ops[0].limit_cents, 100);
    assert_int_equal(ops[1].balance_cents, 25);
    assert_int_equal(ops[1].limit_cents, 0);
    assert_true(known_has(&known, CLIENT));
}

static void every_word_means_what_it_means(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        enum outcome outcome;
    } cases[] = {
        {"ok", OUTCOME_OK},
        {"repetida", OUTCOME_OK},
        {"limite", OUTCOME_LIMIT_EXCEEDED},
        {"maximo", OUTCOME_BALANCE_MAX},
        {"chave", OUTCOME_KEY_REUSED},
        {"cliente", OUTCOME_NO_CLIENT},
        /* and no other word means anything */
        {"", OUTCOME_UNKNOWN},
        {"o", OUTCOME_UNKNOWN},
        {"okk", OUTCOME_UNKNOWN},
        {"OK", OUTCOME_UNKNOWN},
        {"ok ", OUTCOME_UNKNOWN},
        {"repetid", OUTCOME_UNKNOWN},
        {"limites", OUTCOME_UNKNOWN},
        {"desconhecido", OUTCOME_UNKNOWN},
        {NULL, OUTCOME_UNKNOWN},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *const words[] = {"ok", cases[i].word, "ok"};
        static const int64_t balances[] = {1, 2, 3}, limits[] = {0, 0, 0};
        (void)setup(NULL);
        answer(row(words, balances, limits, 3));
        enum outcome last = cases[i].outcome == OUTCOME_UNKNOWN ? OUTCOME_UNKNOWN : OUTCOME_OK;
        expect_outcomes(OUTCOME_OK, cases[i].outcome, last);
        assert_int_equal(ops[1].replayed, cases[i].word && strcmp(cases[i].word, "repetida") == 0);
        assert_int_equal(known_has(&known, CLIENT), last == OUTCOME_OK);
    }
}

static void a_client_that_is_not_there_has_words_and_no_balances(void **state)
{
    (void)state;
    const struct result_value words[] = {result_text("cliente"), result_text("cliente"),
                                         result_text("cliente")};
    PGresult *result = result_new(3);
    result_put(result, 0, 0, result_array(WIRE_TEXT, words, 3));
    result_put(result, 0, 1, RESULT_NULL);
    result_put(result, 0, 2, RESULT_NULL);
    answer(result);
    expect_outcomes(OUTCOME_NO_CLIENT, OUTCOME_NO_CLIENT, OUTCOME_NO_CLIENT);
    assert_false(known_has(&known, CLIENT));
}

static void a_booked_entry_without_a_balance_is_unknown(void **state)
{
    (void)state;
    const struct result_value words[] = {result_text("ok"), result_text("cliente"),
                                         result_text("repetida")};
    PGresult *result = result_new(3);
    result_put(result, 0, 0, result_array(WIRE_TEXT, words, 3));
    result_put(result, 0, 1, RESULT_NULL);
    result_put(result, 0, 2, RESULT_NULL);
    answer(result);
    expect_outcomes(OUTCOME_UNKNOWN, OUTCOME_UNKNOWN, OUTCOME_UNKNOWN);
    assert_false(known_has(&known, CLIENT));
}

static void a_balance_that_no_account_can_have_is_unknown(void **state)
{
    (void)state;
    static const struct {
        int64_t balance, limit;
        bool possible;
    } cases[] = {
        {-100, 100, true},
        {-101, 100, false},
        {CENTS_MAX, 0, true},
        {CENTS_MAX + 1, 0, false},
        {-CENTS_MAX, CENTS_MAX, true},
        {0, CENTS_MAX + 1, false},
        {0, -1, false},
        {0, INT64_MAX, false},
        {INT64_MAX, 0, false},
        {INT64_MIN, 0, false}, /* NULL */
        {0, INT64_MIN, false},
        {-CENTS_MAX - 1, CENTS_MAX, false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const int64_t balances[] = {0, cases[i].balance, 0}, limits[] = {0, cases[i].limit, 0};
        static const char *const words[] = {"ok", "ok", "ok"};
        (void)setup(NULL);
        answer(row(words, balances, limits, 3));
        enum outcome rest = cases[i].possible ? OUTCOME_OK : OUTCOME_UNKNOWN;
        expect_outcomes(OUTCOME_OK, rest, rest);
    }
}

static void arrays_that_are_too_short_leave_the_rest_unknown(void **state)
{
    (void)state;
    for (int count = 0; count <= 3; count++)
        for (int which = 0; which < 3; which++) {
            struct result_value words[3], balances[3], limits[3];
            (void)setup(NULL);
            PGresult *result = result_new(3);
            for (int i = 0; i < 3; i++) {
                words[i] = result_text("ok");
                balances[i] = limits[i] = result_int8(5);
            }
            result_put(result, 0, 0, result_array(WIRE_TEXT, words, which == 0 ? count : 3));
            result_put(result, 0, 1, result_array(WIRE_INT8, balances, which == 1 ? count : 3));
            result_put(result, 0, 2, result_array(WIRE_INT8, limits, which == 2 ? count : 3));
            answer(result);
            expect_outcomes(count > 0 ? OUTCOME_OK : OUTCOME_UNKNOWN,
                            count > 1 ? OUTCOME_OK : OUTCOME_UNKNOWN,
                            count > 2 ? OUTCOME_OK : OUTCOME_UNKNOWN);
            assert_int_equal(known_has(&known, CLIENT), count == 3);
        }
}

static void arrays_that_are_cut_off_leave_the_rest_unknown(void **state)
{
    (void)state;
    const struct result_value elements[] = {result_int8(5), result_int8(5), result_int8(5)};
    const struct result_value whole = result_array(WIRE_INT8, elements, 3);
    for (int bytes = 0; bytes <= whole.count; bytes++) {
        static const char *const words[] = {"ok", "ok", "ok"};
        static const int64_t fives[] = {5, 5, 5};
        (void)setup(NULL);
        PGresult *result = row(words, fives, fives, 3);
        result_put(result, 0, 1, (struct result_value){whole.bytes, bytes});
        answer(result);
        for (int i = 0; i < 3; i++)
            assert_int_equal(ops[i].outcome,
                             bytes >= 20 + 12 * (i + 1) ? OUTCOME_OK : OUTCOME_UNKNOWN);
    }
}

static void a_result_of_another_shape_is_unknown(void **state)
{
    (void)state;
    static const struct {
        int rows, columns;
    } shapes[] = {{0, 3}, {2, 3}, {1, 1}, {1, 2}, {1, 4}, {0, 1}};
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        (void)setup(NULL);
        struct result_value words[3], numbers[3];
        PGresult *result = result_new(shapes[i].columns);
        for (int j = 0; j < 3; j++) {
            words[j] = result_text("ok");
            numbers[j] = result_int8(1);
        }
        for (int r = 0; r < shapes[i].rows; r++)
            for (int c = 0; c < shapes[i].columns; c++)
                result_put(result, r, c,
                           c == 0 ? result_array(WIRE_TEXT, words, 3)
                                  : result_array(WIRE_INT8, numbers, 3));
        answer(result);
        expect_outcomes(OUTCOME_UNKNOWN, OUTCOME_UNKNOWN, OUTCOME_UNKNOWN);
        assert_false(known_has(&known, CLIENT));
    }
}

static void columns_of_another_type_are_unknown(void **state)
{
    (void)state;
    static const enum wire_type types[] = {WIRE_TEXT, WIRE_INT8, WIRE_INT8},
                                others[] = {WIRE_INT4, WIRE_INT4, WIRE_TEXT};
    for (int wrong = 0; wrong < 6; wrong++) {
        struct result_value words[3], numbers[3];
        (void)setup(NULL);
        PGresult *result = result_new(3);
        for (int j = 0; j < 3; j++) {
            words[j] = result_text("ok");
            numbers[j] = result_int8(1);
        }
        for (int c = 0; c < 3; c++)
            if (wrong == c)
                result_put(result, 0, c, result_array(others[c], c == 0 ? words : numbers, 3));
            else if (wrong == c + 3) /* no array at all */
                result_put(result, 0, c, c == 0 ? result_text("ok") : result_int8(1));
            else
                result_put(result, 0, c, result_array(types[c], c == 0 ? words : numbers, 3));
        answer(result);
        expect_outcomes(OUTCOME_UNKNOWN, OUTCOME_UNKNOWN, OUTCOME_UNKNOWN);
        assert_false(known_has(&known, CLIENT));
    }
}

static void words_or_limits_that_are_null_as_a_whole_are_unknown(void **state)
{
    (void)state;
    static const int columns[] = {0, 2};
    for (size_t i = 0; i < COUNT_OF(columns); i++) {
        (void)setup(NULL);
        PGresult *result = row(good_words, good_balances, good_limits, 3);
        PGresult *nulled = result_new(3);
        for (int c = 0; c < 3; c++)
            result_put(nulled, 0, c,
                       c == columns[i]
                           ? RESULT_NULL
                           : result_bytes(PQgetvalue(result, 0, c), PQgetlength(result, 0, c)));
        PQclear(result);
        answer(nulled);
        expect_outcomes(OUTCOME_UNKNOWN, OUTCOME_UNKNOWN, OUTCOME_UNKNOWN);
    }
}

static void balances_of_other_lengths_are_unknown(void **state)
{
    (void)state;
    static const int lengths[] = {0, 1, 4, 7, 9, 16, 0, 1, 4, 7, 9, 16};
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        static const char zeros[16];
        static const char *const words[] = {"ok", "ok", "ok"};
        static const int64_t fives[] = {5, 5, 5};
        (void)setup(NULL);
        PGresult *result = row(words, fives, fives, 3);
        const struct result_value elements[] = {
            result_int8(5), {zeros, lengths[i]}, result_int8(5)};
        result_put(result, 0, i < COUNT_OF(lengths) / 2 ? 1 : 2,
                   result_array(WIRE_INT8, elements, 3));
        answer(result);
        expect_outcomes(OUTCOME_OK, OUTCOME_UNKNOWN, OUTCOME_UNKNOWN);
    }
}

static void one_entry_is_answered_alone_and_its_client_is_known(void **state)
{
    (void)state;
    call.count = 1;
    ops[1].client = CLIENT + 1;
    answer(row(good_words, good_balances, good_limits, 1));
    expect_outcomes(OUTCOME_OK, OUTCOME_BUSY, OUTCOME_BUSY);
    assert_true(known_has(&known, CLIENT));
    assert_false(known_has(&known, CLIENT + 1));
}

/* --- openings and limits ---------------------------------------------------------------------- */

static PGresult *terms(struct result_value word, struct result_value balance)
{
    PGresult *result = result_new(call.kind == CALL_OPEN ? 1 : 2);
    result_put(result, 0, 0, word);
    if (call.kind == CALL_LIMIT)
        result_put(result, 0, 1, balance);
    return result;
}

static void one_op(enum call_kind kind)
{
    (void)setup(NULL);
    call.kind = kind;
    call.count = 1;
    ops[0].kind = kind == CALL_OPEN ? OP_OPEN : OP_LIMIT;
    ops[0].limit_cents = 1000;
    ops[0].balance_cents = -7;
}

static void an_opening_is_done_or_there_was_one(void **state)
{
    (void)state;
    one_op(CALL_OPEN);
    answer(terms(RESULT_NULL, RESULT_NULL));
    assert_int_equal(ops[0].outcome, OUTCOME_UNKNOWN);
    assert_false(known_has(&known, CLIENT));
    answer(terms(result_text("existe"), RESULT_NULL));
    assert_int_equal(ops[0].outcome, OUTCOME_CLIENT_EXISTS);
    answer(terms(result_text("ok"), RESULT_NULL));
    assert_int_equal(ops[0].outcome, OUTCOME_OK);
    assert_int_equal(ops[0].limit_cents, 1000); /* as they were asked for */
    assert_int_equal(ops[0].balance_cents, -7);
    assert_true(known_has(&known, CLIENT));
}

static void a_limit_is_changed_or_not(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        int64_t balance;
        enum outcome outcome;
    } cases[] = {
        {"ok", -1000, OUTCOME_OK},
        {"ok", CENTS_MAX, OUTCOME_OK},
        {"limite", -2000, OUTCOME_LIMIT_EXCEEDED},
        {"cliente", INT64_MIN, OUTCOME_NO_CLIENT},
        {"ok", INT64_MIN, OUTCOME_UNKNOWN}, /* NULL */
        {"", 0, OUTCOME_UNKNOWN},
        {"sim", 0, OUTCOME_UNKNOWN},
        {NULL, 0, OUTCOME_UNKNOWN},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        one_op(CALL_LIMIT);
        answer(terms(cases[i].word ? result_text(cases[i].word) : RESULT_NULL,
                     cases[i].balance == INT64_MIN ? RESULT_NULL : result_int8(cases[i].balance)));
        assert_int_equal(ops[0].outcome, cases[i].outcome);
        if (cases[i].outcome == OUTCOME_OK)
            assert_int_equal(ops[0].balance_cents, cases[i].balance);
        assert_int_equal(ops[0].limit_cents, 1000);
        assert_int_equal(known_has(&known, CLIENT), cases[i].outcome == OUTCOME_OK);
    }
}

static void a_new_limit_with_a_balance_that_cannot_be_is_unknown(void **state)
{
    (void)state;
    static const int64_t balances[] = {-1001, CENTS_MAX + 1, INT64_MAX, INT64_MIN + 1};
    for (size_t i = 0; i < COUNT_OF(balances); i++) {
        one_op(CALL_LIMIT);
        answer(terms(result_text("ok"), result_int8(balances[i])));
        assert_int_equal(ops[0].outcome, OUTCOME_UNKNOWN);
    }
    one_op(CALL_LIMIT);
    answer(terms(result_text("ok"), result_int4(5)));
    assert_int_equal(ops[0].outcome, OUTCOME_UNKNOWN);
}

static void an_opening_or_a_limit_without_a_row_or_with_two_is_unknown(void **state)
{
    (void)state;
    static const enum call_kind kinds[] = {CALL_OPEN, CALL_LIMIT};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        one_op(kinds[i]);
        capture_begin(2); /* libpq says a word about the row that is not there */
        answer(result_new(kinds[i] == CALL_OPEN ? 1 : 2));
        (void)capture_end();
        assert_int_equal(ops[0].outcome, OUTCOME_UNKNOWN);
        one_op(kinds[i]);
        PGresult *two = terms(result_text("ok"), result_int8(1));
        result_put(two, 1, 0, result_text("ok"));
        answer(two);
        assert_int_equal(ops[0].outcome, OUTCOME_UNKNOWN);
    }
    one_op(CALL_LIMIT);
    PGresult *narrow = result_new(1);
    result_put(narrow, 0, 0, result_text("ok"));
    capture_begin(2);
    answer(narrow);
    (void)capture_end();
    assert_int_equal(ops[0].outcome, OUTCOME_UNKNOWN);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(each_entry_has_its_word_its_balance_and_its_limit),
        TEST(every_word_means_what_it_means),
        TEST(a_client_that_is_not_there_has_words_and_no_balances),
        TEST(a_booked_entry_without_a_balance_is_unknown),
        TEST(a_balance_that_no_account_can_have_is_unknown),
        TEST(arrays_that_are_too_short_leave_the_rest_unknown),
        TEST(arrays_that_are_cut_off_leave_the_rest_unknown),
        TEST(a_result_of_another_shape_is_unknown),
        TEST(columns_of_another_type_are_unknown),
        TEST(words_or_limits_that_are_null_as_a_whole_are_unknown),
        TEST(balances_of_other_lengths_are_unknown),
        TEST(one_entry_is_answered_alone_and_its_client_is_known),
        TEST(an_opening_is_done_or_there_was_one),
        TEST(a_limit_is_changed_or_not),
        TEST(a_new_limit_with_a_balance_that_cannot_be_is_unknown),
        TEST(an_opening_or_a_limit_without_a_row_or_with_two_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
