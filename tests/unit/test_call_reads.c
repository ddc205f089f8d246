/* SPDX-License-Identifier: MIT
 *
 * test_call_reads.c - rows of what only reads become answers: a statement, who exists, health. What
 * cannot be is corrupt, and nobody's money.
 */
#include "unit.h"

#include <string.h>

#include "postgres_result.h"
#include "store/postgres/call.h"
#include "store/postgres/wire.h"

enum { OPS = 4, CLIENT = 9, COLUMNS = 7 };

#define SNAPSHOT_US INT64_C(1705458881217753)

static struct op ops[OPS], *batch[OPS];
static struct known known;
static struct call call;

static int setup(void **state)
{
    (void)state;
    memset(&known, 0, sizeof known);
    for (uint32_t i = 0; i < OPS; i++) {
        ops[i] = (struct op){.kind = OP_STATEMENT, .client = CLIENT + i, .outcome = OUTCOME_BUSY};
        memset(&ops[i].account, 0x55, sizeof ops[i].account);
        batch[i] = &ops[i];
    }
    call = (struct call){.kind = CALL_STATEMENT, .ops = batch, .count = 1};
    return 0;
}

static enum outcome answer(PGresult *result)
{
    call.result = result;
    call_answer(&call, &known);
    PQclear(result);
    call.result = NULL;
    return ops[0].outcome;
}

/* --- a statement ------------------------------------------------------------------------------ */

/* One of its rows; every value of which is as it should be. */
static void good_row(struct result_value ret[COLUMNS], int number)
{
    ret[0] = result_int8(-2500);
    ret[1] = result_int8(100000);
    ret[2] = result_time(SNAPSHOT_US);
    ret[3] = result_int8(100 + number);
    ret[4] = result_text(number % 2 ? "d" : "c");
    ret[5] = result_text("ol\xc3\xa1");
    ret[6] = result_time(SNAPSHOT_US - number);
}

static void put_row(PGresult *result, int row, const struct result_value values[COLUMNS])
{
    for (int i = 0; i < COLUMNS; i++)
        result_put(result, row, i, values[i]);
}

static PGresult *good_rows(int count)
{
    PGresult *result = result_new(COLUMNS);
    for (int i = 0; i < count; i++) {
        struct result_value values[COLUMNS];
        good_row(values, i);
        put_row(result, i, values);
    }
    return result;
}

static void a_statement_is_the_account_and_up_to_ten_entries(void **state)
{
    (void)state;
    for (int count = 1; count <= STATEMENT_ENTRIES_MAX; count++) {
        (void)setup(NULL);
        assert_int_equal(answer(good_rows(count)), OUTCOME_OK);
        const struct account *account = &ops[0].account;
        assert_int_equal(account->client, CLIENT);
        assert_int_equal(account->balance_cents, -2500);
        assert_int_equal(account->limit_cents, 100000);
        assert_int_equal(ops[0].snapshot_us, SNAPSHOT_US);
        assert_int_equal(account->recent_count, count);
        for (int i = 0; i < count; i++) {
            const struct entry *entry = &account->recent[i];
            assert_int_equal(entry->amount_cents, 100 + i);
            assert_int_equal(entry->kind, i % 2 ? ENTRY_DEBIT : ENTRY_CREDIT);
            assert_int_equal(entry->description_bytes, 4);
            assert_memory_equal(entry->description, "ol\xc3\xa1", 4);
            assert_int_equal(entry->time_us, SNAPSHOT_US - i);
        }
        assert_true(known_has(&known, CLIENT));
    }
}

static void an_account_without_entries_is_one_row_of_nulls_for_them(void **state)
{
    (void)state;
    struct result_value values[COLUMNS];
    PGresult *result = result_new(COLUMNS);
    good_row(values, 0);
    for (int i = 3; i < COLUMNS; i++)
        values[i] = RESULT_NULL;
    put_row(result, 0, values);
    assert_int_equal(answer(result), OUTCOME_OK);
    assert_int_equal(ops[0].account.recent_count, 0);
    assert_int_equal(ops[0].account.balance_cents, -2500);
    assert_true(known_has(&known, CLIENT));
}

static void no_row_is_no_client(void **state)
{
    (void)state;
    assert_int_equal(answer(result_new(COLUMNS)), OUTCOME_NO_CLIENT);
    assert_false(known_has(&known, CLIENT));
}

static void more_than_ten_entries_or_other_columns_are_corrupt(void **state)
{
    (void)state;
    assert_int_equal(answer(good_rows(STATEMENT_ENTRIES_MAX + 1)), OUTCOME_CORRUPT);
    for (int columns = 1; columns < 10; columns++) {
        PGresult *result = result_new(columns);
        struct result_value values[10];
        good_row(values, 0);
        values[7] = values[8] = values[9] = result_int8(1);
        for (int i = 0; i < columns; i++)
            result_put(result, 0, i, values[i]);
        assert_int_equal(answer(result), columns == COLUMNS ? OUTCOME_OK : OUTCOME_CORRUPT);
    }
}

/* The last of three rows, or the first, has this value in this column. */
static enum outcome answer_with(int column, struct result_value value, int row)
{
    struct result_value values[COLUMNS];
    (void)setup(NULL);
    PGresult *result = good_rows(3);
    struct result_value kept = value.count > 0 ? result_bytes(value.bytes, value.count) : value;
    good_row(values, row);
    values[column] = kept;
    put_row(result, row, values);
    enum outcome outcome = answer(result);
    assert_int_equal(known_has(&known, CLIENT), outcome == OUTCOME_OK);
    return outcome;
}

static void a_value_that_is_null_or_of_another_length_is_corrupt(void **state)
{
    (void)state;
    static const char bytes[DESCRIPTION_BYTES_MAX + 1] = "cccccccccccccccccccccccccccccccccccccccc";
    for (int column = 0; column < COLUMNS; column++) {
        int row = column < 3 ? 0 : 2;
        assert_int_equal(answer_with(column, RESULT_NULL, row), OUTCOME_CORRUPT);
        for (int count = 0; count <= DESCRIPTION_BYTES_MAX + 1; count++) {
            bool fits = column == 5   ? count >= 1 && count <= DESCRIPTION_BYTES_MAX
                        : column == 4 ? count == 1
                                      : count == 8;
            if (fits && column != 4 && column != 5)
                continue; /* that is of the right length, and of no sense */
            if (answer_with(column, (struct result_value){bytes, count}, row) !=
                (fits ? OUTCOME_OK : OUTCOME_CORRUPT))
                FAIL("column %d with %d bytes", column, count);
        }
    }
}

static void a_row_of_nulls_among_others_is_corrupt(void **state)
{
    (void)state;
    for (int row = 0; row < 3; row++)
        assert_int_equal(answer_with(3, RESULT_NULL, row), OUTCOME_CORRUPT);
}

static void amounts_kinds_and_times_that_cannot_be_are_corrupt(void **state)
{
    (void)state;
    static const int64_t amounts[] = {0, -1, CENTS_MAX + 1, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < COUNT_OF(amounts); i++)
        assert_int_equal(answer_with(3, result_int8(amounts[i]), 1), OUTCOME_CORRUPT);
    static const char *const kinds[] = {"o", "l", "C", "D", "x", "\x01"};
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        assert_int_equal(answer_with(4, result_text(kinds[i]), 1), OUTCOME_CORRUPT);
    static const int64_t infinities[] = {INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < COUNT_OF(infinities); i++) {
        assert_int_equal(answer_with(2, result_int8(infinities[i]), 0), OUTCOME_CORRUPT);
        assert_int_equal(answer_with(6, result_int8(infinities[i]), 2), OUTCOME_CORRUPT);
    }
}

static void a_balance_or_a_limit_that_cannot_be_is_corrupt(void **state)
{
    (void)state;
    static const int64_t balances[] = {-100001, CENTS_MAX + 1, INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < COUNT_OF(balances); i++)
        assert_int_equal(answer_with(0, result_int8(balances[i]), 0), OUTCOME_CORRUPT);
    static const int64_t limits[] = {2499, -1, CENTS_MAX + 1, INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < COUNT_OF(limits); i++)
        assert_int_equal(answer_with(1, result_int8(limits[i]), 0), OUTCOME_CORRUPT);
    assert_int_equal(answer_with(0, result_int8(-100000), 0), OUTCOME_OK);
    assert_int_equal(answer_with(1, result_int8(2500), 0), OUTCOME_OK);
}

/* --- who exists ------------------------------------------------------------------------------- */

static PGresult *ids(const uint32_t *clients, int count)
{
    PGresult *result = result_new(1);
    for (int i = 0; i < count; i++)
        result_put(result, i, 0, result_int4((int32_t)clients[i]));
    return result;
}

static void who_is_in_the_rows_exists_and_the_others_do_not(void **state)
{
    (void)state;
    static const uint32_t there[] = {CLIENT + 2, CLIENT, 1234};
    call = (struct call){.kind = CALL_CLIENTS, .ops = batch, .count = OPS};
    ops[3].client = CLIENT; /* asked for twice */
    answer(ids(there, 3));
    assert_int_equal(ops[0].outcome, OUTCOME_OK);
    assert_int_equal(ops[1].outcome, OUTCOME_NO_CLIENT);
    assert_int_equal(ops[2].outcome, OUTCOME_OK);
    assert_int_equal(ops[3].outcome, OUTCOME_OK);
    for (size_t i = 0; i < COUNT_OF(there); i++)
        assert_true(known_has(&known, there[i]));
    assert_false(known_has(&known, CLIENT + 1));
}

static void nobody_in_the_rows_is_nobody(void **state)
{
    (void)state;
    call = (struct call){.kind = CALL_CLIENTS, .ops = batch, .count = OPS};
    answer(ids(NULL, 0));
    for (int i = 0; i < OPS; i++)
        assert_int_equal(ops[i].outcome, OUTCOME_NO_CLIENT);
}

/* Nobody is told that there is no such client because of an answer that makes no sense. */
static void ids_that_cannot_be_read_say_nothing_of_who_is_missing(void **state)
{
    (void)state;
    static const struct result_value wrong[] = {
        {NULL, -1}, {"", 0}, {"abc", 3}, {"12345678", 8}, {"\0\0\0\0", 4}, {"\xff\xff\xff\xff", 4}};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        (void)setup(NULL);
        call = (struct call){.kind = CALL_CLIENTS, .ops = batch, .count = OPS};
        PGresult *result = ids((const uint32_t[]){CLIENT}, 1);
        result_put(result, 1, 0, wrong[i]);
        result_put(result, 2, 0, result_int4(1234));
        answer(result);
        assert_int_equal(ops[0].outcome, OUTCOME_OK); /* who can be read is there */
        assert_true(known_has(&known, 1234));
        for (int j = 1; j < OPS; j++)
            assert_int_equal(ops[j].outcome, OUTCOME_CORRUPT);
    }
    (void)setup(NULL);
    call = (struct call){.kind = CALL_CLIENTS, .ops = batch, .count = OPS};
    PGresult *wide = result_new(2);
    result_put(wide, 0, 0, result_int4(CLIENT));
    answer(wide);
    for (int j = 0; j < OPS; j++)
        assert_int_equal(ops[j].outcome, OUTCOME_CORRUPT);
}

/* --- all there are ---------------------------------------------------------------------------- */

static void learn(int count, uint32_t factor)
{
    PGresult *result = result_new(1);
    for (int i = 0; i < count; i++) {
        char id[4] = {0};
        uint32_t client = (uint32_t)(i + 1) * factor;
        for (int j = 0; j < 4; j++)
            id[j] = (char)(client >> (24 - 8 * j));
        result_put(result, i, 0, (struct result_value){id, 4});
    }
    call = (struct call){.kind = CALL_LEARN};
    call.result = result;
    call_answer(&call, &known);
    PQclear(result);
}

static void as_many_as_can_be_known_are_all_that_there_are(void **state)
{
    (void)state;
    static const int counts[] = {0, 1, 5, KNOWN_MAX};
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        (void)setup(NULL);
        learn(counts[i], 3);
        assert_true(known.all);
        assert_int_equal(known.count, counts[i]);
        assert_int_equal(known_has(&known, 3), counts[i] > 0);
        assert_false(known_has(&known, 4));
    }
}

static void of_more_the_first_are_known_and_they_are_not_all(void **state)
{
    (void)state;
    known.all = true;
    learn(KNOWN_MAX + 1, 1);
    assert_false(known.all);
    assert_int_equal(known.count, KNOWN_MAX);
    assert_true(known_has(&known, KNOWN_MAX));
    assert_false(known_has(&known, KNOWN_MAX + 1));
    learn(7, 1); /* there are fewer now, whoever took them away */
    assert_true(known.all);
}

/* Two lists that overlap little, of a database that has become another: not all that fits is all. */
static void those_that_did_not_fit_beside_others_are_missing(void **state)
{
    (void)state;
    learn(KNOWN_MAX, 1);
    learn(2, KNOWN_MAX);
    assert_false(known_has(&known, 2 * KNOWN_MAX));
    assert_false(known.all);
}

static void an_id_that_cannot_be_read_is_missing(void **state)
{
    (void)state;
    static const struct result_value wrong[] = {{"abc", 3}, {"\0\0\0\0", 4}, {NULL, -1}};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        (void)setup(NULL);
        PGresult *result = ids((const uint32_t[]){5, 6}, 2);
        result_put(result, 2, 0, wrong[i]);
        call = (struct call){.kind = CALL_LEARN, .result = result};
        call_answer(&call, &known);
        PQclear(result);
        assert_true(known_has(&known, 6));
        assert_int_equal(known.count, 2);
        assert_false(known.all);
    }
}

/* --- health, and what answers nobody ---------------------------------------------------------- */

static void healthy_is_what_says_true_in_one_row(void **state)
{
    (void)state;
    static const struct {
        int rows, columns, count;
        char byte;
        enum outcome outcome;
    } cases[] = {
        {1, 1, 1, 1, OUTCOME_OK},     {1, 1, 1, 0, OUTCOME_DOWN}, {1, 1, -1, 0, OUTCOME_DOWN},
        {1, 1, 1, 't', OUTCOME_DOWN}, {1, 1, 2, 1, OUTCOME_DOWN}, {1, 1, 0, 0, OUTCOME_DOWN},
        {0, 1, 1, 1, OUTCOME_DOWN},   {2, 1, 1, 1, OUTCOME_DOWN}, {1, 2, 1, 1, OUTCOME_DOWN},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char value[] = {cases[i].byte, cases[i].byte};
        (void)setup(NULL);
        call = (struct call){.kind = CALL_HEALTH, .ops = batch, .count = 3};
        PGresult *result = result_new(cases[i].columns);
        for (int r = 0; r < cases[i].rows; r++)
            for (int c = 0; c < cases[i].columns; c++)
                result_put(result, r, c, (struct result_value){value, cases[i].count});
        answer(result);
        for (int j = 0; j < 3; j++)
            if (ops[j].outcome != cases[i].outcome)
                FAIL("case %zu: %d", i, (int)ops[j].outcome);
        assert_int_equal(ops[3].outcome, OUTCOME_BUSY);
    }
}

static void what_answers_nobody_answers_nobody(void **state)
{
    (void)state;
    static const enum call_kind kinds[] = {CALL_FORGET, CALL_HURRY};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        call = (struct call){.kind = kinds[i]};
        answer(ids((const uint32_t[]){5}, 1));
        for (int j = 0; j < OPS; j++)
            assert_int_equal(ops[j].outcome, OUTCOME_BUSY);
        assert_false(known_has(&known, 5));
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(a_statement_is_the_account_and_up_to_ten_entries),
        TEST(an_account_without_entries_is_one_row_of_nulls_for_them),
        TEST(no_row_is_no_client),
        TEST(more_than_ten_entries_or_other_columns_are_corrupt),
        TEST(a_value_that_is_null_or_of_another_length_is_corrupt),
        TEST(a_row_of_nulls_among_others_is_corrupt),
        TEST(amounts_kinds_and_times_that_cannot_be_are_corrupt),
        TEST(a_balance_or_a_limit_that_cannot_be_is_corrupt),
        TEST(who_is_in_the_rows_exists_and_the_others_do_not),
        TEST(nobody_in_the_rows_is_nobody),
        TEST(ids_that_cannot_be_read_say_nothing_of_who_is_missing),
        TEST(as_many_as_can_be_known_are_all_that_there_are),
        TEST(of_more_the_first_are_known_and_they_are_not_all),
        TEST(those_that_did_not_fit_beside_others_are_missing),
        TEST(an_id_that_cannot_be_read_is_missing),
        TEST(healthy_is_what_says_true_in_one_row),
        TEST(what_answers_nobody_answers_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
