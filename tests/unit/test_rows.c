/* SPDX-License-Identifier: MIT
 *
 * test_rows.c - a row of "Transacoes" as a record, whatever the server sends in its place.
 */
#include "unit.h"

#include <string.h>

#include "postgres_result.h"
#include "store/postgres/rows.h"
#include "store/postgres/wire.h"

#define TIME_US INT64_C(1705458881000001)

static struct query query;
static struct result_value values[ROWS_COUNT];

/* A debit of 10: what each test changes. */
static int begin(void **state)
{
    (void)state;
    query.row = result_new(ROWS_COUNT);
    values[ROWS_CLIENT] = result_int4(3);
    values[ROWS_ID] = result_int8(5);
    values[ROWS_KIND] = result_text("d");
    values[ROWS_AMOUNT] = result_int8(10);
    values[ROWS_BALANCE] = result_int8(-10);
    values[ROWS_LIMIT] = result_int8(100);
    values[ROWS_TIME] = result_time(TIME_US);
    values[ROWS_DESCRIPTION] = result_text("bread");
    return 0;
}

static int end(void **state)
{
    (void)state;
    PQclear(query.row);
    query.row = NULL;
    return 0;
}

static const char *read_row(struct journal_record *ret)
{
    for (int i = 0; i < ROWS_COUNT; i++)
        result_put(query.row, 0, i, values[i]);
    return rows_record(&query, ret);
}

static void expect_wrong(const char *sentence)
{
    struct journal_record record;
    const char *wrong = read_row(&record);
    if (!wrong || !strstr(wrong, sentence))
        FAIL("says \"%s\" and not \"%s\"", wrong ? wrong : "nothing", sentence);
}

static struct journal_record expect_record(void)
{
    struct journal_record record;
    const char *wrong = read_row(&record);
    if (wrong)
        FAIL("refused: %s", wrong);
    assert_true(journal_record_sane(&record));
    return record;
}

static void a_row_becomes_a_record(void **state)
{
    (void)state;
    struct journal_record record = expect_record();
    assert_int_equal(record.client, 3);
    assert_int_equal(record.sequence, 5);
    assert_int_equal(record.previous_sequence, 4);
    assert_int_equal(record.kind, JOURNAL_DEBIT);
    assert_int_equal(record.balance_cents, -10);
    assert_int_equal(record.limit_cents, 100);
    assert_int_equal(record.entry.amount_cents, 10);
    assert_int_equal(record.entry.kind, ENTRY_DEBIT);
    assert_true(record.entry.time_us == TIME_US);
    assert_int_equal(record.entry.description_bytes, 5);
    assert_memory_equal(record.entry.description, "bread", 5);
}

static void each_kind_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum journal_kind kind;
        int64_t amount;
    } kinds[] = {{"o", JOURNAL_OPENING, 0},
                 {"l", JOURNAL_LIMIT, 0},
                 {"c", JOURNAL_CREDIT, CENTS_MAX},
                 {"d", JOURNAL_DEBIT, 1}};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        values[ROWS_KIND] = result_text(kinds[i].text);
        values[ROWS_AMOUNT] = result_int8(kinds[i].amount);
        values[ROWS_DESCRIPTION] = result_text(kinds[i].amount > 0 ? "x" : "");
        assert_int_equal(expect_record().kind, kinds[i].kind);
    }
}

static void no_other_kind_is_read(void **state)
{
    (void)state;
    static const char *const kinds[] = {"", "x", "C", "cd", "debit", "\xc3\xa9"};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        values[ROWS_KIND] = result_text(kinds[i]);
        expect_wrong("it is of no known kind");
    }
}

static void each_value_must_be_there(void **state)
{
    (void)state;
    for (int i = 0; i < ROWS_COUNT; i++) {
        struct result_value sane = values[i];
        values[i] = RESULT_NULL;
        expect_wrong("a value is missing");
        values[i] = sane;
    }
}

static void each_number_must_have_its_size(void **state)
{
    (void)state;
    static const int numbers[] = {ROWS_CLIENT,  ROWS_ID,    ROWS_AMOUNT,
                                  ROWS_BALANCE, ROWS_LIMIT, ROWS_TIME};
    static const char zeros[9];
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        struct result_value sane = values[numbers[i]];
        for (int size = 0; size <= (int)sizeof zeros; size++) {
            if (size == sane.count)
                continue;
            values[numbers[i]] = result_bytes(zeros, size);
            expect_wrong("a value is missing");
        }
        values[numbers[i]] = sane;
    }
}

static void infinity_is_no_time(void **state)
{
    (void)state;
    values[ROWS_TIME] = result_int8(INT64_MAX);
    expect_wrong("out of every range");
}

static void clients_and_records_are_counted_from_one(void **state)
{
    (void)state;
    static const int64_t numbers[] = {0, -1, INT32_MIN};
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        values[ROWS_CLIENT] = result_int4((int32_t)numbers[i]);
        expect_wrong("do not begin at 1");
        values[ROWS_CLIENT] = result_int4(3);
        values[ROWS_ID] = result_int8(numbers[i]);
        expect_wrong("do not begin at 1");
        values[ROWS_ID] = result_int8(5);
    }
    values[ROWS_CLIENT] = result_int4(INT32_MAX);
    values[ROWS_ID] = result_int8(INT64_MAX);
    assert_true(expect_record().sequence == INT64_MAX);
}

static void a_description_has_one_to_ten_characters(void **state)
{
    (void)state;
    static const char *const long_ones[] = {"12345678901", "ações ações", "😀😀😀😀😀😀😀😀😀😀😀"};
    values[ROWS_DESCRIPTION] = result_text("😀😀😀😀😀😀😀😀😀😀");
    assert_int_equal(expect_record().entry.description_bytes, 40);
    values[ROWS_DESCRIPTION] = result_text("");
    expect_wrong("its description is empty");
    for (size_t i = 0; i < COUNT_OF(long_ones); i++) {
        values[ROWS_DESCRIPTION] = result_text(long_ones[i]);
        expect_wrong("longer than 10 characters");
    }
}

/* Ten of them may still not be ten code points of UTF-8, where a server does not see to it. */
static void no_description_runs_over_its_room(void **state)
{
    (void)state;
    char bytes[DESCRIPTION_BYTES_MAX + 1];
    memset(bytes, 0x80, sizeof bytes);
    values[ROWS_DESCRIPTION] = result_bytes(bytes, sizeof bytes);
    expect_wrong("longer than 10 characters");
}

static void what_moves_no_money_has_no_description(void **state)
{
    (void)state;
    values[ROWS_KIND] = result_text("l");
    values[ROWS_AMOUNT] = result_int8(0);
    expect_wrong("it has a description");
}

static void a_record_that_no_ledger_has_is_refused(void **state)
{
    (void)state;
    static const struct {
        int column;
        int64_t value;
    } cases[] = {{ROWS_AMOUNT, 0},          {ROWS_AMOUNT, -1},    {ROWS_AMOUNT, CENTS_MAX + 1},
                 {ROWS_AMOUNT, INT64_MIN},  {ROWS_BALANCE, -101}, {ROWS_BALANCE, CENTS_MAX + 1},
                 {ROWS_BALANCE, INT64_MIN}, {ROWS_LIMIT, -1},     {ROWS_LIMIT, CENTS_MAX + 1},
                 {ROWS_LIMIT, INT64_MAX}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct result_value sane = values[cases[i].column];
        values[cases[i].column] = result_int8(cases[i].value);
        expect_wrong("is none that a ledger has");
        values[cases[i].column] = sane;
    }
}

static void a_time_that_is_written_is_read_again(void **state)
{
    (void)state;
    static const int64_t times[] = {0, 1, -1, TIME_US, INT64_C(253402300799999999)};
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        char bytes[8];
        int64_t read;
        struct wire_out out = {bytes, 0, sizeof bytes};
        wire_put_time(&out, times[i]);
        assert_true(wire_get_time(bytes, sizeof bytes, &read));
        assert_true(read == times[i]);
    }
}

static void the_beginning_of_time_is_minus_infinity(void **state)
{
    (void)state;
    char bytes[8];
    int64_t number;
    struct wire_out out = {bytes, 0, sizeof bytes};
    wire_put_time(&out, INT64_MIN);
    assert_true(wire_get_int8(bytes, sizeof bytes, &number));
    assert_true(number == INT64_MIN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_row_becomes_a_record),
        TEST(each_kind_is_read),
        TEST(no_other_kind_is_read),
        TEST(each_value_must_be_there),
        TEST(each_number_must_have_its_size),
        TEST(infinity_is_no_time),
        TEST(clients_and_records_are_counted_from_one),
        TEST(a_description_has_one_to_ten_characters),
        TEST(no_description_runs_over_its_room),
        TEST(what_moves_no_money_has_no_description),
        TEST(a_record_that_no_ledger_has_is_refused),
        cmocka_unit_test(a_time_that_is_written_is_read_again),
        cmocka_unit_test(the_beginning_of_time_is_minus_infinity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
