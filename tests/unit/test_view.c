/* SPDX-License-Identifier: MIT
 *
 * test_view.c - the reading side: who is a client, and what is on a statement.
 */
#include "unit.h"

#include <string.h>

#include "ledger_fixture.h"
#include "store/lmdb/replay.h"
#include "store/lmdb/view.h"

static struct committed committed;
static struct view view;

static int open_view(void)
{
    memset(&committed, 0, sizeof committed);
    return view_open(&view, &ledger.environment, &committed);
}

static void clients_that_exist_are_known_and_no_others(void **state)
{
    (void)state;
    static const uint32_t others[] = {
        0, 6, VIEW_CLIENTS, VIEW_CLIENTS + 1, 2 * VIEW_CLIENTS + 5, CLIENT_MAX};
    assert_int_equal(open_view(), MDB_SUCCESS);
    for (int round = 0; round < 2; round++) {
        for (uint32_t client = 1; client <= LEDGER_OPENINGS; client++)
            assert_int_equal(view_client(&view, client), OUTCOME_OK);
        for (size_t i = 1; i < COUNT_OF(others); i++)
            assert_int_equal(view_client(&view, others[i]), OUTCOME_NO_CLIENT);
    }
    view_close(&view);
}

/* More clients than are remembered, and several to one place. */
static void clients_are_told_apart_also_where_they_are_many(void **state)
{
    (void)state;
    enum { MANY = 3 * VIEW_CLIENTS };
    static struct opening openings[MANY];
    char error[300];
    for (uint32_t i = 0; i < MANY; i++)
        openings[i] = (struct opening){.client = 2 * (i + 1), .limit_cents = i};
    ledger_close();
    folder_release(&ledger.folder);
    temporary_remove(ledger.path);
    temporary_make(ledger.path);
    assert_true(folder_take(&ledger.folder, ledger.path, error, sizeof error));
    assert_true(replay_openings(&ledger.folder, ledger.path, LEDGER_MAP, openings, MANY,
                                LEDGER_START_US, error, sizeof error));
    ledger_open(LEDGER_MAP);
    assert_int_equal(open_view(), MDB_SUCCESS);
    for (int round = 0; round < 2; round++)
        for (uint32_t client = 1; client <= 2 * MANY + 2; client++) {
            bool exists = client % 2 == 0 && client <= 2 * MANY;
            if (view_client(&view, client) != (exists ? OUTCOME_OK : OUTCOME_NO_CLIENT))
                FAIL("client %u, round %d", client, round);
        }
    struct op op = {.kind = OP_STATEMENT, .client = 2 * MANY};
    assert_int_equal(view_statement(&view, &op, 1), OUTCOME_OK);
    assert_int_equal(op.account.limit_cents, MANY - 1);
    view_close(&view);
    ledger_close(); /* more accounts than the audit knows */
}

static void a_statement_shows_what_was_committed_last(void **state)
{
    (void)state;
    struct op op = {.kind = OP_STATEMENT, .client = 1};
    assert_int_equal(open_view(), MDB_SUCCESS);
    assert_int_equal(view_statement(&view, &op, 4711), OUTCOME_OK);
    assert_int_equal(op.account.balance_cents, 0);
    assert_int_equal(op.snapshot_us, 4711);
    for (int i = 1; i <= 5; i++) {
        MDB_txn *txn = ledger_begin();
        struct op entry = entry_op(1, ENTRY_DEBIT, 10, NULL);
        size_t id = mdb_txn_id(txn);
        assert_int_equal(ledger_try(txn, &entry, 1), MDB_SUCCESS);
        assert_int_equal(view_statement(&view, &op, LEDGER_START_US + 1000), OUTCOME_OK);
        assert_int_equal(op.account.balance_cents, -10 * (i - 1)); /* not while it is uncommitted */
        assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);
        view_committed(&committed, id, false);
        assert_int_equal(view_statement(&view, &op, LEDGER_START_US + 1000), OUTCOME_OK);
        assert_int_equal(op.account.balance_cents, -10 * i);
        assert_int_equal(op.account.recent_count, i);
    }
    view_close(&view);
}

static void no_statement_is_older_than_what_stands_on_it(void **state)
{
    (void)state;
    struct op op = {.kind = OP_STATEMENT, .client = 1};
    assert_int_equal(ledger_book(1, ENTRY_CREDIT, 1, NULL), OUTCOME_OK);
    assert_int_equal(open_view(), MDB_SUCCESS);
    assert_int_equal(view_statement(&view, &op, LEDGER_START_US - DAY_US), OUTCOME_OK);
    assert_true(op.snapshot_us == op.account.recent[0].time_us);
    assert_int_equal(view_statement(&view, &op, LEDGER_START_US + DAY_US), OUTCOME_OK);
    assert_true(op.snapshot_us == LEDGER_START_US + DAY_US);
    view_close(&view);
}

static void a_statement_of_nobody_is_none_and_of_a_damaged_account_is_refused(void **state)
{
    (void)state;
    struct op op = {.kind = OP_STATEMENT, .client = 6};
    uint8_t client_key[CLIENT_KEY_BYTES], garbage[] = "garbage";
    client_key_encode(client_key, 2);
    MDB_val key = {sizeof client_key, client_key}, value, wrong = {sizeof garbage, garbage};
    uint8_t kept[ACCOUNT_RECORD_BYTES_MAX];
    MDB_txn *txn = ledger_begin();
    assert_int_equal(mdb_get(txn, ledger.environment.accounts, &key, &value), MDB_SUCCESS);
    MDB_val whole = {value.mv_size, kept};
    memcpy(kept, value.mv_data, value.mv_size);
    assert_int_equal(mdb_put(txn, ledger.environment.accounts, &key, &wrong, 0), MDB_SUCCESS);
    assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);

    assert_int_equal(open_view(), MDB_SUCCESS);
    assert_int_equal(view_statement(&view, &op, 1), OUTCOME_NO_CLIENT);
    op.client = 2;
    assert_int_equal(view_statement(&view, &op, 1), OUTCOME_CORRUPT);
    assert_int_equal(view_client(&view, 2), OUTCOME_OK); /* it is there */
    op.client = 3;
    assert_int_equal(view_statement(&view, &op, 1), OUTCOME_OK);
    view_close(&view);

    txn = ledger_begin();
    assert_int_equal(mdb_put(txn, ledger.environment.accounts, &key, &whole, 0), MDB_SUCCESS);
    assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, ledger_setup, ledger_teardown)
    const struct CMUnitTest tests[] = {
        TEST(clients_that_exist_are_known_and_no_others),
        TEST(clients_are_told_apart_also_where_they_are_many),
        TEST(a_statement_shows_what_was_committed_last),
        TEST(no_statement_is_older_than_what_stands_on_it),
        TEST(a_statement_of_nobody_is_none_and_of_a_damaged_account_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
