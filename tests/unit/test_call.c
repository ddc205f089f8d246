/* SPDX-License-Identifier: MIT
 *
 * test_call.c - a batch of ops becomes calls, and a call becomes a prepared statement's parameters, of
 * which each byte is looked at here.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/postgres/call.h"
#include "store/postgres/session.h"
#include "store/postgres/wire.h"

/* --- what was sent ---------------------------------------------------------------------------- */

enum { PARAMETERS_MAX = 5, PARAMETER_BYTES_MAX = 1 << 16 };

static struct {
    char statement[20];
    int count;
    char *values[PARAMETERS_MAX]; /* NULL: NULL; as large as they are, for the sanitizers */
    int lengths[PARAMETERS_MAX];
    int sends, answer;
} sent;

/* NOLINTBEGIN(bugprone-reserved-identifier) */
__typeof__(PQsendQueryPrepared) __wrap_PQsendQueryPrepared;
int __wrap_PQsendQueryPrepared(PGconn *conn, const char *statement, int count,
                               const char *const *values, const int *lengths, const int *formats,
                               int result_format)
{
    assert_ptr_equal(conn, &sent);
    assert_int_equal(result_format, 1);
    assert_in_range(count, 0, PARAMETERS_MAX);
    assert_in_range(strlen(statement), 1, sizeof sent.statement - 1);
    snprintf(sent.statement, sizeof sent.statement, "%s", statement);
    sent.count = count;
    sent.sends++;
    for (int i = 0; i < count; i++) {
        free(sent.values[i]);
        sent.values[i] = NULL;
        assert_int_equal(formats[i], 1);
        assert_in_range(lengths[i], 0, PARAMETER_BYTES_MAX);
        sent.lengths[i] = lengths[i];
        if (values[i]) {
            sent.values[i] = malloc((size_t)lengths[i]);
            assert_non_null(sent.values[i]);
            memcpy(sent.values[i], values[i], (size_t)lengths[i]);
        }
    }
    return sent.answer;
}
/* NOLINTEND(bugprone-reserved-identifier) */

static void expect_int4(int parameter, int32_t expected)
{
    int32_t value;
    assert_true(wire_get_int4(sent.values[parameter], sent.lengths[parameter], &value));
    assert_int_equal(value, expected);
}

static void expect_int8(int parameter, int64_t expected)
{
    int64_t value;
    assert_true(wire_get_int8(sent.values[parameter], sent.lengths[parameter], &value));
    assert_int_equal(value, expected);
}

static struct wire_array array_at(int parameter, enum wire_type type, uint32_t count)
{
    struct wire_array array;
    assert_true(wire_get_array(&array, type, sent.values[parameter], sent.lengths[parameter]));
    assert_int_equal(array.left, count);
    struct wire_array all = array;
    const char *value;
    int bytes;
    bool has_null = false;
    while (wire_next(&all, &value, &bytes))
        has_null = has_null || !value;
    assert_int_equal(sent.values[parameter][7], has_null); /* it says so, or that there is none */
    return array;
}

/* The next element is these bytes; NULL: is NULL. */
static void expect_element(struct wire_array *array, const char *expected, size_t count)
{
    const char *value;
    int bytes;
    assert_true(wire_next(array, &value, &bytes));
    if (!expected) {
        assert_null(value);
        return;
    }
    assert_non_null(value);
    assert_int_equal(bytes, count);
    assert_memory_equal(value, expected, count);
}

static void expect_int8_element(struct wire_array *array, int64_t expected)
{
    const char *value;
    int bytes;
    int64_t number;
    assert_true(wire_next(array, &value, &bytes));
    assert_true(wire_get_int8(value, bytes, &number));
    assert_int_equal(number, expected);
}

static void expect_end(const struct wire_array *array)
{
    assert_int_equal(array->left, 0);
    assert_ptr_equal(array->at, array->end);
}

/* --- the ops ---------------------------------------------------------------------------------- */

static struct op ops[BATCH_OPS_MAX], *batch[BATCH_OPS_MAX];
static struct call calls[BATCH_OPS_MAX];

static int setup(void **state)
{
    (void)state;
    memset(ops, 0, sizeof ops);
    memset(calls, 0, sizeof calls);
    for (int i = 0; i < BATCH_OPS_MAX; i++)
        batch[i] = &ops[i];
    sent.sends = 0;
    sent.answer = 1;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < PARAMETERS_MAX; i++) {
        free(sent.values[i]);
        sent.values[i] = NULL;
    }
    return 0;
}

static void entry(int i, uint32_t client, enum entry_kind kind, int64_t amount_cents,
                  const char *description, const char *key)
{
    struct op *op = &ops[i];
    *op = (struct op){.kind = OP_ENTRY, .client = client};
    op->entry.kind = kind;
    op->entry.amount_cents = amount_cents;
    op->entry.description_bytes = (uint8_t)strlen(description);
    memcpy(op->entry.description, description, strlen(description));
    op->key_bytes = (uint8_t)strlen(key);
    memcpy(op->key, key, strlen(key));
}

static bool send_call(const struct call *call)
{
    return call_send((PGconn *)&sent, call);
}

/* --- from ops to calls ------------------------------------------------------------------------ */

static void the_entries_of_a_client_are_one_call_in_their_order(void **state)
{
    (void)state;
    static const uint32_t clients[] = {3, 1, 3, 2, 1, 3};
    for (int i = 0; i < 6; i++)
        entry(i, clients[i], ENTRY_CREDIT, 1, "x", "");
    assert_int_equal(call_make(calls, batch, 6), 3);
    static const struct {
        uint32_t client, count;
        int order[3];
    } expected[] = {{1, 2, {1, 4}}, {2, 1, {3}}, {3, 3, {0, 2, 5}}};
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        assert_int_equal(calls[i].kind, CALL_BOOK);
        assert_int_equal(calls[i].count, expected[i].count);
        assert_null(calls[i].result);
        for (uint32_t j = 0; j < calls[i].count; j++) {
            assert_int_equal(calls[i].ops[j]->client, expected[i].client);
            assert_ptr_equal(calls[i].ops[j], &ops[expected[i].order[j]]);
        }
    }
}

static void limits_and_openings_are_calls_of_their_own_in_their_clients_order(void **state)
{
    (void)state;
    entry(0, 2, ENTRY_CREDIT, 1, "x", "");
    ops[1] = (struct op){.kind = OP_LIMIT, .client = 2};
    ops[2] = (struct op){.kind = OP_OPEN, .client = 1};
    entry(3, 2, ENTRY_CREDIT, 1, "x", "");
    entry(4, 1, ENTRY_CREDIT, 1, "x", "");
    ops[5] = (struct op){.kind = OP_LIMIT, .client = 2};
    entry(6, 2, ENTRY_CREDIT, 1, "x", "");
    entry(7, 2, ENTRY_CREDIT, 1, "x", "");
    static const struct {
        enum call_kind kind;
        int first;
        uint32_t count;
    } expected[] = {{CALL_OPEN, 2, 1}, {CALL_BOOK, 4, 1},  {CALL_BOOK, 0, 1}, {CALL_LIMIT, 1, 1},
                    {CALL_BOOK, 3, 1}, {CALL_LIMIT, 5, 1}, {CALL_BOOK, 6, 2}};
    assert_int_equal(call_make(calls, batch, 8), COUNT_OF(expected));
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        assert_int_equal(calls[i].kind, expected[i].kind);
        assert_ptr_equal(calls[i].ops[0], &ops[expected[i].first]);
        assert_int_equal(calls[i].count, expected[i].count);
    }
}

static void what_reads_is_a_call_for_each_statement_and_one_for_each_other_kind(void **state)
{
    (void)state;
    static const struct {
        enum op_kind kind;
        uint32_t client;
    } reading[] = {{OP_HEALTH, 0},    {OP_STATEMENT, 9}, {OP_CLIENT, 5}, {OP_STATEMENT, 9},
                   {OP_STATEMENT, 1}, {OP_CLIENT, 2},    {OP_HEALTH, 0}, {OP_CLIENT, 5}};
    for (int i = 0; i < 8; i++)
        ops[i] = (struct op){.kind = reading[i].kind, .client = reading[i].client};
    assert_int_equal(call_make(calls, batch, 8), 5);
    static const int statements[] = {1, 3, 4}, clients[] = {2, 5, 7}, healths[] = {0, 6};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(calls[i].kind, CALL_STATEMENT);
        assert_int_equal(calls[i].count, 1);
        assert_ptr_equal(calls[i].ops[0], &ops[statements[i]]);
        assert_ptr_equal(calls[3].ops[i], &ops[clients[i]]);
    }
    assert_int_equal(calls[3].kind, CALL_CLIENTS);
    assert_int_equal(calls[3].count, 3);
    assert_int_equal(calls[4].kind, CALL_HEALTH);
    assert_int_equal(calls[4].count, 2);
    for (int i = 0; i < 2; i++)
        assert_ptr_equal(calls[4].ops[i], &ops[healths[i]]);
}

static void no_op_is_no_call(void **state)
{
    (void)state;
    assert_int_equal(call_make(calls, batch, 0), 0);
}

static void mix(const void *argument)
{
    const enum op_kind *kinds = argument;
    ops[0].kind = kinds[0];
    ops[1].kind = kinds[1];
    ops[0].client = ops[1].client = 1;
    (void)call_make(calls, batch, 2);
}

static void what_reads_and_what_writes_in_one_is_our_mistake(void **state)
{
    (void)state;
    const enum op_kind mixed[] = {OP_ENTRY, OP_STATEMENT}, alike[] = {OP_ENTRY, OP_LIMIT};
    assert_true(asserts(mix, mixed));
    assert_false(asserts(mix, alike));
}

static void a_full_batch_is_sorted_and_none_is_lost(void **state)
{
    (void)state;
    random_begin();
    for (uint32_t clients = 1; clients <= 4096; clients *= 4) {
        bool seen[BATCH_OPS_MAX] = {false};
        uint32_t total = 0, made;
        for (int i = 0; i < BATCH_OPS_MAX; i++) {
            entry(i, 1 + (uint32_t)random_between(0, clients - 1), ENTRY_DEBIT, 1, "x", "");
            ops[i].kind = random_next() % 8 == 0 ? OP_LIMIT : OP_ENTRY;
            batch[i] = &ops[i];
        }
        made = call_make(calls, batch, BATCH_OPS_MAX);
        assert_in_range(made, 1, BATCH_OPS_MAX);
        for (uint32_t i = 0; i < made; i++) {
            assert_ptr_equal(calls[i].ops, &batch[total]); /* a run of the batch */
            for (uint32_t j = 0; j < calls[i].count; j++, total++) {
                assert_false(seen[batch[total] - ops]);
                seen[batch[total] - ops] = true;
                assert_int_equal(batch[total]->client, calls[i].ops[0]->client);
                if (total > 0)
                    assert_true(batch[total - 1]->client < batch[total]->client ||
                                (batch[total - 1]->client == batch[total]->client &&
                                 batch[total - 1] < batch[total]));
            }
        }
        assert_int_equal(total, BATCH_OPS_MAX);
    }
}

/* --- sending ---------------------------------------------------------------------------------- */

static void entries_are_sent_as_a_client_and_four_arrays(void **state)
{
    (void)state;
    entry(0, 7, ENTRY_CREDIT, 1, "a", "k");
    entry(1, 7, ENTRY_DEBIT, CENTS_MAX, "ol\xc3\xa1", "other key");
    const struct call call = {.kind = CALL_BOOK, .ops = batch, .count = 2};
    assert_true(send_call(&call));
    assert_string_equal(sent.statement, STATEMENT_BOOK);
    assert_int_equal(sent.count, 5);
    expect_int4(0, 7);
    struct wire_array amounts = array_at(1, WIRE_INT8, 2), kinds = array_at(2, WIRE_TEXT, 2),
                      descriptions = array_at(3, WIRE_TEXT, 2), keys = array_at(4, WIRE_TEXT, 2);
    expect_int8_element(&amounts, 1);
    expect_int8_element(&amounts, CENTS_MAX);
    expect_element(&kinds, "c", 1);
    expect_element(&kinds, "d", 1);
    expect_element(&descriptions, "a", 1);
    expect_element(&descriptions, "ol\xc3\xa1", 4);
    expect_element(&keys, "k", 1);
    expect_element(&keys, "other key", 9);
    expect_end(&amounts);
    expect_end(&kinds);
    expect_end(&descriptions);
    expect_end(&keys);
}

static void without_any_key_there_is_no_array_of_them(void **state)
{
    (void)state;
    entry(0, 1, ENTRY_CREDIT, 1, "a", "");
    entry(1, 1, ENTRY_CREDIT, 1, "b", "");
    const struct call call = {.kind = CALL_BOOK, .ops = batch, .count = 2};
    assert_true(send_call(&call));
    assert_int_equal(sent.count, 5);
    assert_null(sent.values[4]);
}

static void where_some_have_a_key_the_others_have_null(void **state)
{
    (void)state;
    static const char *const keys[] = {"", "one", "", "two"};
    for (int i = 0; i < 4; i++)
        entry(i, 1, ENTRY_CREDIT, 1, "a", keys[i]);
    const struct call call = {.kind = CALL_BOOK, .ops = batch, .count = 4};
    assert_true(send_call(&call));
    struct wire_array array = array_at(4, WIRE_TEXT, 4);
    for (int i = 0; i < 4; i++)
        expect_element(&array, keys[i][0] ? keys[i] : NULL, strlen(keys[i]));
    expect_end(&array);
}

static void the_largest_batch_fits(void **state)
{
    (void)state;
    char descriptions[BATCH_OPS_MAX][DESCRIPTION_BYTES_MAX + 1] = {{0}};
    char keys[BATCH_OPS_MAX][KEY_BYTES_MAX + 1] = {{0}};
    for (int i = 0; i < BATCH_OPS_MAX; i++) {
        memset(descriptions[i], 'a' + i % 26, DESCRIPTION_BYTES_MAX);
        memset(keys[i], 'A' + i % 26, KEY_BYTES_MAX);
        entry(i, CLIENT_MAX, ENTRY_DEBIT, CENTS_MAX - i, descriptions[i], keys[i]);
    }
    assert_int_equal(call_make(calls, batch, BATCH_OPS_MAX), 1);
    assert_true(send_call(&calls[0]));
    expect_int4(0, INT32_MAX);
    struct wire_array arrays[] = {
        array_at(1, WIRE_INT8, BATCH_OPS_MAX), array_at(2, WIRE_TEXT, BATCH_OPS_MAX),
        array_at(3, WIRE_TEXT, BATCH_OPS_MAX), array_at(4, WIRE_TEXT, BATCH_OPS_MAX)};
    for (int i = 0; i < BATCH_OPS_MAX; i++) {
        expect_int8_element(&arrays[0], CENTS_MAX - i);
        expect_element(&arrays[1], "d", 1);
        expect_element(&arrays[2], descriptions[i], DESCRIPTION_BYTES_MAX);
        expect_element(&arrays[3], keys[i], KEY_BYTES_MAX);
    }
    for (size_t i = 0; i < COUNT_OF(arrays); i++)
        expect_end(&arrays[i]);
}

static void an_opening_is_sent_with_its_terms_and_a_limit_with_the_new_one(void **state)
{
    (void)state;
    ops[0] = (struct op){.kind = OP_OPEN, .client = 6, .limit_cents = 500, .balance_cents = -400};
    struct call call = {.kind = CALL_OPEN, .ops = batch, .count = 1};
    assert_true(send_call(&call));
    assert_string_equal(sent.statement, STATEMENT_OPEN);
    assert_int_equal(sent.count, 3);
    expect_int4(0, 6);
    expect_int8(1, 500);
    expect_int8(2, -400);
    ops[0] = (struct op){.kind = OP_LIMIT, .client = 6, .limit_cents = CENTS_MAX};
    call.kind = CALL_LIMIT;
    assert_true(send_call(&call));
    assert_string_equal(sent.statement, STATEMENT_LIMIT);
    assert_int_equal(sent.count, 2);
    expect_int4(0, 6);
    expect_int8(1, CENTS_MAX);
}

static void what_reads_is_sent_as_ids(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        ops[i] = (struct op){.kind = OP_CLIENT, .client = 10 + i};
    struct call call = {.kind = CALL_CLIENTS, .ops = batch, .count = 3};
    assert_true(send_call(&call));
    assert_string_equal(sent.statement, STATEMENT_CLIENTS);
    assert_int_equal(sent.count, 1);
    struct wire_array ids = array_at(0, WIRE_INT4, 3);
    for (int i = 0; i < 3; i++) {
        const char id[] = {0, 0, 0, (char)(10 + i)};
        expect_element(&ids, id, sizeof id);
    }
    expect_end(&ids);
    ops[0].kind = OP_STATEMENT;
    call = (struct call){.kind = CALL_STATEMENT, .ops = batch, .count = 1};
    assert_true(send_call(&call));
    assert_string_equal(sent.statement, STATEMENT_STATEMENT);
    assert_int_equal(sent.count, 1);
    expect_int4(0, 10);
    call.kind = CALL_HEALTH;
    assert_true(send_call(&call));
    assert_string_equal(sent.statement, STATEMENT_HEALTH);
    assert_int_equal(sent.count, 0);
}

static void what_answers_no_op_is_sent_without_any(void **state)
{
    (void)state;
    struct call call = {.kind = CALL_FORGET,
                        .age_us = INT64_C(86400000000),
                        .now_us = INT64_C(1705458881217753),
                        .forget_max = 33};
    assert_true(send_call(&call));
    assert_string_equal(sent.statement, STATEMENT_FORGET);
    assert_int_equal(sent.count, 3);
    expect_int8(0, INT64_C(86400000000));
    expect_int4(1, 33);
    expect_int8(2, INT64_C(1705458881217753));
    call = (struct call){.kind = CALL_LEARN};
    assert_true(send_call(&call));
    assert_string_equal(sent.statement, STATEMENT_LEARN);
    assert_int_equal(sent.count, 1);
    expect_int4(0, KNOWN_MAX + 1); /* so that more than can be known are seen */
    call = (struct call){.kind = CALL_HURRY};
    assert_true(send_call(&call));
    assert_string_equal(sent.statement, STATEMENT_HURRY);
    assert_int_equal(sent.count, 0);
}

static void what_libpq_cannot_send_is_not_sent(void **state)
{
    (void)state;
    ops[0] = (struct op){.kind = OP_HEALTH};
    const struct call call = {.kind = CALL_HEALTH, .ops = batch, .count = 1};
    sent.answer = 0;
    assert_false(send_call(&call));
    assert_int_equal(sent.sends, 1);
}

static void every_op_of_a_call_has_the_end_it_is_given(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        ops[i].outcome = OUTCOME_CORRUPT;
    const struct call call = {.kind = CALL_BOOK, .ops = &batch[1], .count = 2};
    call_end(&call, OUTCOME_DOWN);
    for (int i = 0; i < 4; i++)
        assert_int_equal(ops[i].outcome, i == 1 || i == 2 ? OUTCOME_DOWN : OUTCOME_CORRUPT);
}

static void some_calls_change_an_account(void **state)
{
    (void)state;
    static const enum call_kind writing[] = {CALL_BOOK, CALL_OPEN, CALL_LIMIT},
                                others[] = {CALL_STATEMENT, CALL_CLIENTS, CALL_HEALTH,
                                            CALL_FORGET,    CALL_LEARN,   CALL_HURRY};
    for (size_t i = 0; i < COUNT_OF(writing); i++)
        assert_true(call_writes(&(struct call){.kind = writing[i]}));
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_false(call_writes(&(struct call){.kind = others[i]}));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_entries_of_a_client_are_one_call_in_their_order),
        TEST(limits_and_openings_are_calls_of_their_own_in_their_clients_order),
        TEST(what_reads_is_a_call_for_each_statement_and_one_for_each_other_kind),
        TEST(no_op_is_no_call),
        TEST(what_reads_and_what_writes_in_one_is_our_mistake),
        TEST(a_full_batch_is_sorted_and_none_is_lost),
        TEST(entries_are_sent_as_a_client_and_four_arrays),
        TEST(without_any_key_there_is_no_array_of_them),
        TEST(where_some_have_a_key_the_others_have_null),
        TEST(the_largest_batch_fits),
        TEST(an_opening_is_sent_with_its_terms_and_a_limit_with_the_new_one),
        TEST(what_reads_is_sent_as_ids),
        TEST(what_answers_no_op_is_sent_without_any),
        TEST(what_libpq_cannot_send_is_not_sent),
        TEST(every_op_of_a_call_has_the_end_it_is_given),
        TEST(some_calls_change_an_account),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
