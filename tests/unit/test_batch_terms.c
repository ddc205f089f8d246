/* SPDX-License-Identifier: MIT
 *
 * test_batch_terms.c - accounts opened and limits changed, in one order with the entries; and
 * batches taken step by step. Every test ends with a walk over all records.
 */
#include "unit.h"

#include <string.h>

#include "ledger_fixture.h"

#define C ENTRY_CREDIT
#define D ENTRY_DEBIT

static struct op apply_one(struct op op)
{
    ledger_apply_ops(&op, 1);
    return op;
}

/* Each op's outcome, and after an OUTCOME_OK what the account is said to be. */
struct expected {
    enum outcome outcome;
    int64_t limit, balance;
};

static void expect_answers(struct op *ops, const struct expected *expected, uint32_t count)
{
    ledger_apply_ops(ops, count);
    for (uint32_t i = 0; i < count; i++) {
        if (ops[i].outcome != expected[i].outcome)
            FAIL("op %u: outcome %d", i, (int)ops[i].outcome);
        if (ops[i].outcome == OUTCOME_OK) {
            assert_true(ops[i].limit_cents == expected[i].limit);
            assert_true(ops[i].balance_cents == expected[i].balance);
        }
    }
}

/* --- openings ------------------------------------------------------------------------------- */

static void an_account_that_is_opened_takes_entries_at_once(void **state)
{
    (void)state;
    struct op ops[] = {open_op(7, 50, -10), entry_op(7, D, 40, NULL), entry_op(7, D, 1, NULL),
                       entry_op(7, C, 60, NULL)};
    static const struct expected expected[] = {{OUTCOME_OK, 50, -10},
                                               {OUTCOME_OK, 50, -50},
                                               {OUTCOME_LIMIT_EXCEEDED, 0, 0},
                                               {OUTCOME_OK, 50, 10}};
    expect_answers(ops, expected, COUNT_OF(ops));
    struct audit audit = ledger_audited();
    assert_int_equal(audit.sequences, LEDGER_OPENINGS + 3);
    assert_int_equal(audit.entries, 2);
    assert_int_equal(audit.balance_cents[7], 10);
    ledger_reopen();
    assert_int_equal(ledger_book(7, D, 60, NULL), OUTCOME_OK);
    assert_int_equal(ledger_book(7, D, 1, NULL), OUTCOME_LIMIT_EXCEEDED);
}

static void an_account_is_opened_once(void **state)
{
    (void)state;
    struct op ops[] = {open_op(7, 50, -10), open_op(7, 60, 0), open_op(1, 1, 1)};
    static const struct expected expected[] = {
        {OUTCOME_OK, 50, -10}, {OUTCOME_CLIENT_EXISTS, 0, 0}, {OUTCOME_CLIENT_EXISTS, 0, 0}};
    expect_answers(ops, expected, COUNT_OF(ops));
    for (int round = 0; round < 2; round++) {
        assert_int_equal(apply_one(open_op(7, 50, -10)).outcome, OUTCOME_CLIENT_EXISTS);
        assert_false(batch_changed(&ledger.batch));
        ledger_reopen();
    }
    struct audit audit = ledger_audited();
    assert_int_equal(audit.sequences, LEDGER_OPENINGS + 1);
    assert_int_equal(audit.balance_cents[7], -10);
    assert_int_equal(audit.balance_cents[1], 0);
}

static void what_comes_before_the_opening_finds_no_client(void **state)
{
    (void)state;
    struct op ops[] = {entry_op(7, C, 1, "k"), limit_op(7, 10), open_op(7, 50, 0),
                       entry_op(7, C, 1, "k")};
    static const struct expected expected[] = {{OUTCOME_NO_CLIENT, 0, 0},
                                               {OUTCOME_NO_CLIENT, 0, 0},
                                               {OUTCOME_OK, 50, 0},
                                               {OUTCOME_OK, 50, 1}};
    expect_answers(ops, expected, COUNT_OF(ops));
    assert_false(ops[3].replayed);
    assert_int_equal(ledger_audited().keys, 1);
}

/* Two clients of one hash, and a place that was another's in the batch before. */
static void who_is_not_there_is_taken_for_nobody_else(void **state)
{
    (void)state;
    assert_int_equal(ledger_book(1, C, 1, NULL), OUTCOME_OK);
    struct op ops[] = {entry_op(1 + BATCH_SLOTS, C, 1, NULL), entry_op(1, C, 1, NULL),
                       entry_op(1 + BATCH_SLOTS, C, 1, NULL)};
    static const struct expected expected[] = {
        {OUTCOME_NO_CLIENT, 0, 0}, {OUTCOME_OK, 100000, 2}, {OUTCOME_NO_CLIENT, 0, 0}};
    expect_answers(ops, expected, COUNT_OF(ops));
}

static void a_batch_may_be_all_openings(void **state)
{
    (void)state;
    static struct op ops[BATCH_OPS_MAX];
    for (uint32_t i = 0; i < BATCH_OPS_MAX; i++)
        ops[i] = open_op(1000 + i * BATCH_SLOTS, i, 0); /* all with one hash */
    ledger_apply_ops(ops, BATCH_OPS_MAX);
    for (uint32_t i = 0; i < BATCH_OPS_MAX; i++)
        assert_int_equal(ops[i].outcome, OUTCOME_OK);
    assert_int_equal(ledger_audited().sequences, LEDGER_OPENINGS + BATCH_OPS_MAX);
    ledger_apply_ops(ops, BATCH_OPS_MAX);
    for (uint32_t i = 0; i < BATCH_OPS_MAX; i++)
        assert_int_equal(ops[i].outcome, OUTCOME_CLIENT_EXISTS);
}

static void the_widest_terms_can_be_opened(void **state)
{
    (void)state;
    struct op ops[] = {open_op(CLIENT_MAX, CENTS_MAX, -CENTS_MAX), open_op(6, 0, CENTS_MAX),
                       entry_op(CLIENT_MAX, D, 1, NULL), entry_op(6, C, 1, NULL),
                       entry_op(CLIENT_MAX, C, CENTS_MAX, NULL)};
    static const struct expected expected[] = {{OUTCOME_OK, CENTS_MAX, -CENTS_MAX},
                                               {OUTCOME_OK, 0, CENTS_MAX},
                                               {OUTCOME_LIMIT_EXCEEDED, 0, 0},
                                               {OUTCOME_BALANCE_MAX, 0, 0},
                                               {OUTCOME_OK, CENTS_MAX, 0}};
    expect_answers(ops, expected, COUNT_OF(ops));
}

static void an_opening_that_is_undone_can_be_made_again(void **state)
{
    (void)state;
    struct op ops[] = {open_op(7, 50, 0), entry_op(7, C, 1, NULL)};
    for (int round = 0; round < 2; round++) {
        MDB_txn *txn = ledger_begin();
        assert_int_equal(ledger_try(txn, ops, COUNT_OF(ops)), MDB_SUCCESS);
        assert_int_equal(ops[0].outcome, OUTCOME_OK);
        assert_int_equal(ops[1].outcome, OUTCOME_OK);
        mdb_txn_abort(txn);
        batch_undo(&ledger.batch);
        assert_int_equal(ledger_book(7, C, 1, NULL), OUTCOME_NO_CLIENT);
    }
    assert_int_equal(apply_one(open_op(7, 50, 0)).outcome, OUTCOME_OK);
    assert_int_equal(ledger_audited().sequences, LEDGER_OPENINGS + 1);
}

/* --- limits --------------------------------------------------------------------------------- */

static void a_limit_is_lowered_to_exactly_the_debt_and_no_further(void **state)
{
    (void)state;
    struct op ops[] = {entry_op(1, D, 600, NULL),
                       limit_op(1, 599),
                       limit_op(1, 600),
                       entry_op(1, D, 1, NULL),
                       limit_op(1, 0),
                       entry_op(1, C, 600, NULL),
                       limit_op(1, 0),
                       limit_op(6, 1)};
    static const struct expected expected[] = {{OUTCOME_OK, 100000, -600},
                                               {OUTCOME_LIMIT_EXCEEDED, 0, 0},
                                               {OUTCOME_OK, 600, -600},
                                               {OUTCOME_LIMIT_EXCEEDED, 0, 0},
                                               {OUTCOME_LIMIT_EXCEEDED, 0, 0},
                                               {OUTCOME_OK, 600, 0},
                                               {OUTCOME_OK, 0, 0},
                                               {OUTCOME_NO_CLIENT, 0, 0}};
    expect_answers(ops, expected, COUNT_OF(ops));
    struct audit audit = ledger_audited();
    assert_int_equal(audit.sequences, LEDGER_OPENINGS + 4);
    assert_int_equal(audit.entries, 2);
}

static void a_raised_limit_holds_for_what_comes_after_it(void **state)
{
    (void)state;
    struct op ops[] = {entry_op(1, D, 100001, NULL), limit_op(1, 100001),
                       entry_op(1, D, 100001, NULL), limit_op(1, CENTS_MAX),
                       entry_op(1, D, CENTS_MAX - 100001, NULL)};
    static const struct expected expected[] = {{OUTCOME_LIMIT_EXCEEDED, 0, 0},
                                               {OUTCOME_OK, 100001, 0},
                                               {OUTCOME_OK, 100001, -100001},
                                               {OUTCOME_OK, CENTS_MAX, -100001},
                                               {OUTCOME_OK, CENTS_MAX, -CENTS_MAX}};
    expect_answers(ops, expected, COUNT_OF(ops));
    ledger_reopen();
    assert_int_equal(ledger_book(1, D, 1, NULL), OUTCOME_LIMIT_EXCEEDED);
}

static void a_refused_change_of_the_limit_changes_nothing(void **state)
{
    (void)state;
    assert_int_equal(ledger_book(1, D, 600, NULL), OUTCOME_OK);
    assert_int_equal(apply_one(limit_op(1, 599)).outcome, OUTCOME_LIMIT_EXCEEDED);
    assert_false(batch_changed(&ledger.batch));
    assert_int_equal(apply_one(limit_op(6, 599)).outcome, OUTCOME_NO_CLIENT);
    assert_false(batch_changed(&ledger.batch));
    assert_int_equal(ledger_audited().sequences, LEDGER_OPENINGS + 1);
    assert_int_equal(ledger_book(1, D, 100000 - 600, NULL), OUTCOME_OK);
}

static void a_retry_after_a_change_of_the_limit_gets_the_first_answer(void **state)
{
    (void)state;
    assert_int_equal(ledger_book(1, D, 600, "k"), OUTCOME_OK);
    static const int64_t limits[] = {200000, 600, 700};
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        assert_int_equal(apply_one(limit_op(1, limits[i])).outcome, OUTCOME_OK);
        struct op again = apply_one(entry_op(1, D, 600, "k"));
        assert_int_equal(again.outcome, OUTCOME_OK);
        assert_true(again.replayed);
        assert_int_equal(again.limit_cents, 100000);
        assert_int_equal(again.balance_cents, -600);
        assert_int_equal(ledger_book(1, D, 601, "k"), OUTCOME_KEY_REUSED);
    }
    assert_int_equal(ledger_audited().entries, 1);
}

static void neither_an_opening_nor_a_limit_stands_among_the_last_ten(void **state)
{
    (void)state;
    struct account_record record;
    assert_int_equal(apply_one(open_op(7, 50, 0)).outcome, OUTCOME_OK);
    for (int i = 0; i < 12; i++) {
        assert_int_equal(apply_one(limit_op(7, 60 + i)).outcome, OUTCOME_OK);
        if (i % 4 == 0)
            assert_int_equal(ledger_book(7, C, 1 + i, NULL), OUTCOME_OK);
    }
    MDB_txn *txn = ledger_begin();
    uint8_t client_key[CLIENT_KEY_BYTES];
    client_key_encode(client_key, 7);
    MDB_val key = {sizeof client_key, client_key}, value;
    assert_int_equal(mdb_get(txn, ledger.environment.accounts, &key, &value), MDB_SUCCESS);
    assert_true(account_record_decode(&record, 7, value.mv_data, value.mv_size));
    mdb_txn_abort(txn);
    assert_int_equal(record.account.recent_count, 3);
    assert_int_equal(record.account.recent[0].amount_cents, 9);
    assert_int_equal(record.account.limit_cents, 71);
    assert_int_equal(record.entries, 3);
    assert_int_equal(record.last_sequence, ledger.batch.last_sequence);
}

/* --- the order ------------------------------------------------------------------------------ */

static int64_t time_of(uint64_t sequence)
{
    struct journal_record record;
    uint8_t sequence_key[SEQUENCE_KEY_BYTES];
    sequence_key_encode(sequence_key, sequence);
    MDB_val key = {sizeof sequence_key, sequence_key}, value;
    MDB_txn *txn = ledger_begin();
    assert_int_equal(mdb_get(txn, ledger.environment.journal, &key, &value), MDB_SUCCESS);
    assert_true(journal_record_decode(&record, sequence, value.mv_data, value.mv_size));
    mdb_txn_abort(txn);
    return record.entry.time_us;
}

static void times_rise_over_records_of_every_kind(void **state)
{
    (void)state;
    static const int64_t clock[] = {5000, 5000, -1000, 0, 9000};
    uint64_t first = LEDGER_OPENINGS + 1;
    int64_t last = LEDGER_START_US;
    for (uint32_t i = 0; i < COUNT_OF(clock); i++) {
        struct op ops[] = {limit_op(1, 100 + i), open_op(10 + i, 0, 0), entry_op(1, C, 1, "k"),
                           limit_op(10 + i, 1), open_op(20 + i, 0, 0)};
        ops[2].key[0] = (char)('a' + i);
        ledger.now_us = LEDGER_START_US + clock[i];
        ledger_apply_ops(ops, COUNT_OF(ops));
        for (uint64_t j = 0; j < COUNT_OF(ops); j++) {
            int64_t expected = j == 0 && ledger.now_us > last ? ledger.now_us : last + 1;
            last = time_of(first + j);
            assert_true(last == expected);
        }
        first += COUNT_OF(ops);
    }
    assert_true(ledger.batch.last_time_us == last);
}

/* --- damage --------------------------------------------------------------------------------- */

static void an_account_that_cannot_be_read_is_neither_opened_nor_changed(void **state)
{
    (void)state;
    uint8_t client_key[CLIENT_KEY_BYTES], whole[ACCOUNT_RECORD_BYTES_MAX], damaged[sizeof whole];
    client_key_encode(client_key, 2);
    MDB_val key = {sizeof client_key, client_key}, value;
    MDB_txn *txn = ledger_begin();
    assert_int_equal(mdb_get(txn, ledger.environment.accounts, &key, &value), MDB_SUCCESS);
    MDB_val before = {value.mv_size, whole}, wrong = {value.mv_size, damaged};
    memcpy(whole, value.mv_data, value.mv_size);
    memcpy(damaged, whole, sizeof damaged);
    damaged[5] ^= 1;
    assert_int_equal(mdb_put(txn, ledger.environment.accounts, &key, &wrong, 0), MDB_SUCCESS);
    assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);

    /* Its place among the batch's accounts was another's in the batch before. */
    assert_int_equal(apply_one(open_op(2 + BATCH_SLOTS, 1, 1)).outcome, OUTCOME_OK);
    struct op ops[] = {open_op(2, 1, 1), limit_op(2, 1), open_op(7, 1, 1),
                       entry_op(2 + BATCH_SLOTS, C, 1, NULL)};
    ledger_apply_ops(ops, COUNT_OF(ops));
    assert_int_equal(ops[3].outcome, OUTCOME_OK);
    assert_int_equal(ops[0].outcome, OUTCOME_CORRUPT);
    assert_int_equal(ops[1].outcome, OUTCOME_CORRUPT);
    assert_int_equal(ops[2].outcome, OUTCOME_OK);

    txn = ledger_begin();
    assert_int_equal(mdb_put(txn, ledger.environment.accounts, &key, &before, 0), MDB_SUCCESS);
    assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);
}

/* --- step by step --------------------------------------------------------------------------- */

static void a_batch_in_steps_takes_the_times_it_is_given_unless_they_go_back(void **state)
{
    (void)state;
    struct op ops[] = {open_op(7, 100, 5), entry_op(7, D, 10, "k"), limit_op(7, 50),
                       entry_op(7, D, 46, NULL)};
    static const int64_t given[] = {1000, 1000, 500, 2000}, times[] = {1000, 1000, 1001, 2000};
    MDB_txn *txn = ledger_begin();
    batch_begin(&ledger.batch);
    for (uint32_t i = 0; i < COUNT_OF(ops); i++) {
        batch_time(&ledger.batch, LEDGER_START_US + given[i]);
        assert_int_equal(batch_one(&ledger.batch, txn, &ops[i]), MDB_SUCCESS);
        assert_int_equal(ops[i].outcome, i == 3 ? OUTCOME_LIMIT_EXCEEDED : OUTCOME_OK);
    }
    ops[3] = entry_op(7, D, 45, NULL);
    assert_int_equal(batch_one(&ledger.batch, txn, &ops[3]), MDB_SUCCESS);
    assert_int_equal(ops[3].balance_cents, -50);
    assert_int_equal(batch_finish(&ledger.batch, txn), MDB_SUCCESS);
    assert_true(batch_changed(&ledger.batch));
    assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);
    for (uint32_t i = 0; i < COUNT_OF(times); i++)
        assert_true(time_of(LEDGER_OPENINGS + 1 + i) == LEDGER_START_US + times[i]);
    struct audit audit = ledger_audited();
    assert_int_equal(audit.balance_cents[7], -50);
    assert_int_equal(audit.keys, 1);
}

static void a_batch_in_steps_clears_no_key(void **state)
{
    (void)state;
    assert_int_equal(ledger_book(1, C, 1, "k"), OUTCOME_OK);
    struct op op = entry_op(2, C, 1, NULL);
    MDB_txn *txn = ledger_begin();
    batch_begin(&ledger.batch);
    batch_time(&ledger.batch, ledger.now_us + 30 * DAY_US);
    assert_int_equal(batch_one(&ledger.batch, txn, &op), MDB_SUCCESS);
    assert_int_equal(batch_finish(&ledger.batch, txn), MDB_SUCCESS);
    assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);
    assert_int_equal(ledger_audited().keys, 1);
}

/* --- mistakes of ours ----------------------------------------------------------------------- */

static void apply_so_many(const void *argument)
{
    static struct op ops[BATCH_OPS_MAX + 1], *pointers[COUNT_OF(ops)];
    for (uint32_t i = 0; i < COUNT_OF(ops); i++) {
        ops[i] = entry_op(1, C, 1, NULL);
        pointers[i] = &ops[i];
    }
    (void)!batch_apply(&ledger.batch, ledger_begin(), pointers, *(const uint32_t *)argument,
                       ledger.now_us, ledger.now_us);
}

static void meet_so_many(const void *argument)
{
    MDB_txn *txn = ledger_begin();
    batch_begin(&ledger.batch);
    for (uint32_t i = 0; i < *(const uint32_t *)argument; i++) {
        struct op op = entry_op(100 + i, C, 1, NULL);
        (void)!batch_one(&ledger.batch, txn, &op);
    }
}

static void no_batch_is_larger_than_it_may_be(void **state)
{
    (void)state;
    static const uint32_t most = BATCH_OPS_MAX, more = BATCH_OPS_MAX + 1;
    assert_false(asserts(apply_so_many, &most));
    assert_true(asserts(apply_so_many, &more));
    assert_false(asserts(meet_so_many, &most));
    assert_true(asserts(meet_so_many, &more));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, ledger_setup, ledger_teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_account_that_is_opened_takes_entries_at_once),
        TEST(an_account_is_opened_once),
        TEST(what_comes_before_the_opening_finds_no_client),
        TEST(who_is_not_there_is_taken_for_nobody_else),
        TEST(a_batch_may_be_all_openings),
        TEST(the_widest_terms_can_be_opened),
        TEST(an_opening_that_is_undone_can_be_made_again),
        TEST(a_limit_is_lowered_to_exactly_the_debt_and_no_further),
        TEST(a_raised_limit_holds_for_what_comes_after_it),
        TEST(a_refused_change_of_the_limit_changes_nothing),
        TEST(a_retry_after_a_change_of_the_limit_gets_the_first_answer),
        TEST(neither_an_opening_nor_a_limit_stands_among_the_last_ten),
        TEST(times_rise_over_records_of_every_kind),
        TEST(an_account_that_cannot_be_read_is_neither_opened_nor_changed),
        TEST(a_batch_in_steps_takes_the_times_it_is_given_unless_they_go_back),
        TEST(a_batch_in_steps_clears_no_key),
        TEST(no_batch_is_larger_than_it_may_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
