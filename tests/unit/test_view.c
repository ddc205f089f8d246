/* SPDX-License-Identifier: MIT
 *
 * test_view.c - the reading side: who is a client, and what is on a statement.
 */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "failing_calls.h"
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

enum { MANY = 3 * VIEW_CLIENTS };

/* Another store: clients 2, 4, 6 ... 2 * MANY. */
static void begin_with_many_clients(void)
{
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
}

/* More clients than are remembered, and several to one place. */
static void clients_are_told_apart_also_where_they_are_many(void **state)
{
    (void)state;
    begin_with_many_clients();
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

/* --- accounts that are opened meanwhile ----------------------------------------------------- */

static void open_accounts(const uint32_t *clients, size_t count)
{
    MDB_txn *txn = ledger_begin();
    size_t id = mdb_txn_id(txn);
    for (size_t i = 0; i < count; i++) {
        struct op op = open_op(clients[i], 100, -(int64_t)i);
        assert_int_equal(ledger_try(txn, &op, 1), MDB_SUCCESS);
        assert_int_equal(op.outcome, OUTCOME_OK);
    }
    assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);
    view_committed(&committed, id, true);
}

static void a_client_exists_once_its_opening_is_on_disk(void **state)
{
    (void)state;
    static const uint32_t first[] = {6}, more[] = {7, CLIENT_MAX};
    struct op op = {.kind = OP_STATEMENT, .client = CLIENT_MAX};
    assert_int_equal(open_view(), MDB_SUCCESS);
    assert_int_equal(view_client(&view, 6), OUTCOME_NO_CLIENT);
    open_accounts(first, COUNT_OF(first));
    assert_int_equal(view_client(&view, 6), OUTCOME_OK);
    assert_int_equal(view_client(&view, 7), OUTCOME_NO_CLIENT);
    open_accounts(more, COUNT_OF(more));
    assert_int_equal(view_client(&view, 8), OUTCOME_NO_CLIENT);
    for (uint32_t client = 1; client <= 7; client++)
        assert_int_equal(view_client(&view, client), OUTCOME_OK);
    assert_int_equal(view_statement(&view, &op, 1), OUTCOME_OK);
    assert_int_equal(op.account.limit_cents, 100);
    assert_int_equal(op.account.balance_cents, -1);
    assert_int_equal(view_client(&view, CLIENT_MAX), OUTCOME_OK);
    view_close(&view);
}

/* Not only those that share no place with an older one. */
static void a_client_that_takes_anothers_place_leaves_that_one_known(void **state)
{
    (void)state;
    static const uint32_t clients[] = {VIEW_CLIENTS + 1, 2 * VIEW_CLIENTS + 1};
    assert_int_equal(open_view(), MDB_SUCCESS);
    assert_int_equal(view_client(&view, clients[0]), OUTCOME_NO_CLIENT);
    open_accounts(clients, COUNT_OF(clients));
    for (int round = 0; round < 2; round++) {
        assert_int_equal(view_client(&view, 1), OUTCOME_OK);
        assert_int_equal(view_client(&view, clients[0]), OUTCOME_OK);
        assert_int_equal(view_client(&view, clients[1]), OUTCOME_OK);
        assert_int_equal(view_client(&view, 3 * VIEW_CLIENTS + 1), OUTCOME_NO_CLIENT);
    }
    view_close(&view);
}

static void many_clients_may_become_more(void **state)
{
    (void)state;
    static const uint32_t clients[] = {7, 2 * MANY + 1};
    begin_with_many_clients();
    assert_int_equal(open_view(), MDB_SUCCESS);
    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        assert_int_equal(view_client(&view, clients[i]), OUTCOME_NO_CLIENT);
        open_accounts(&clients[i], 1);
        assert_int_equal(view_client(&view, clients[i]), OUTCOME_OK);
    }
    assert_int_equal(view_client(&view, 9), OUTCOME_NO_CLIENT);
    view_close(&view);
    ledger_close(); /* more accounts than the audit knows */
}

static void each_view_learns_of_openings_by_itself(void **state)
{
    (void)state;
    static const uint32_t clients[] = {6};
    struct view other;
    assert_int_equal(open_view(), MDB_SUCCESS);
    assert_int_equal(view_open(&other, &ledger.environment, &committed), MDB_SUCCESS);
    open_accounts(clients, COUNT_OF(clients));
    assert_int_equal(view_client(&view, 6), OUTCOME_OK);
    assert_int_equal(view_client(&other, 6), OUTCOME_OK);
    view_close(&other);
    view_close(&view);
}

/* --- what cannot be read -------------------------------------------------------------------- */

static void a_view_that_cannot_be_opened_says_why_and_leaves_nothing(void **state)
{
    (void)state;
    for (unsigned calls = 0;; calls++) {
        fail_one("mdb_", calls, EIO);
        int result = open_view();
        if (!fail_none()) {
            assert_int_equal(result, MDB_SUCCESS);
            assert_in_range(calls, 3, 100); /* more than none could fail */
            view_close(&view);
            return;
        }
        if (result == MDB_SUCCESS)
            view_close(&view); /* a number was not to be had: then it is asked for later */
        else
            assert_int_equal(result, EIO);
    }
}

static void a_table_of_accounts_with_a_foreign_key_is_damaged(void **state)
{
    (void)state;
    uint8_t bytes[] = "12345";
    MDB_val key = {5, bytes}, value = {1, bytes};
    MDB_txn *txn = ledger_begin();
    assert_int_equal(mdb_put(txn, ledger.environment.accounts, &key, &value, 0), MDB_SUCCESS);
    assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);
    assert_int_equal(open_view(), MDB_CORRUPTED);
    txn = ledger_begin();
    assert_int_equal(mdb_del(txn, ledger.environment.accounts, &key, NULL), MDB_SUCCESS);
    assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);
}

static void without_a_snapshot_nothing_is_known_but_what_was_known(void **state)
{
    (void)state;
    static const uint32_t clients[] = {6};
    struct op op = {.kind = OP_STATEMENT, .client = 1};
    assert_int_equal(open_view(), MDB_SUCCESS);
    fail_all("mdb_txn_renew", 0, ENOMEM);
    assert_int_equal(view_statement(&view, &op, 1), OUTCOME_DOWN);
    assert_int_equal(view_client(&view, 1), OUTCOME_OK);
    assert_int_equal(view_client(&view, 6), OUTCOME_NO_CLIENT);
    assert_true(fail_none());
    open_accounts(clients, COUNT_OF(clients));
    static const char *const calls[] = {"mdb_txn_renew", "mdb_cursor_open", "mdb_cursor_get"};
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        fail_all(calls[i], 0, ENOMEM);
        assert_int_equal(view_client(&view, 7), OUTCOME_DOWN);
        assert_true(fail_none());
    }
    assert_int_equal(view_client(&view, 6), OUTCOME_OK);
    assert_int_equal(view_client(&view, 7), OUTCOME_NO_CLIENT);
    assert_int_equal(view_statement(&view, &op, 1), OUTCOME_OK);
    view_close(&view);
}

static void with_many_clients_one_that_cannot_be_looked_up_is_not_denied(void **state)
{
    (void)state;
    begin_with_many_clients();
    assert_int_equal(open_view(), MDB_SUCCESS);
    fail_all("mdb_txn_renew", 0, ENOMEM);
    assert_int_equal(view_client(&view, 9), OUTCOME_DOWN);
    fail_all("mdb_get", 0, MDB_CORRUPTED);
    assert_int_equal(view_client(&view, 9), OUTCOME_CORRUPT);
    assert_true(fail_none());
    assert_int_equal(view_client(&view, 9), OUTCOME_NO_CLIENT);
    view_close(&view);
    ledger_close();
}

/* LMDB has said which commit is the last, but its roots are not those yet. */
static void a_snapshot_from_before_the_last_commit_is_taken_again(void **state)
{
    (void)state;
    struct op op = {.kind = OP_STATEMENT, .client = 1};
    assert_int_equal(open_view(), MDB_SUCCESS);
    for (unsigned earlier = 0; earlier < 3; earlier++) {
        fail_one("mdb_txn_id", earlier, 0);
        assert_int_equal(view_statement(&view, &op, 1), OUTCOME_OK);
        assert_int_equal(fail_none(), earlier == 0);
    }
    view_close(&view);
}

/* --- statements ----------------------------------------------------------------------------- */

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
        TEST(a_client_exists_once_its_opening_is_on_disk),
        TEST(a_client_that_takes_anothers_place_leaves_that_one_known),
        TEST(many_clients_may_become_more),
        TEST(each_view_learns_of_openings_by_itself),
        TEST(a_view_that_cannot_be_opened_says_why_and_leaves_nothing),
        TEST(a_table_of_accounts_with_a_foreign_key_is_damaged),
        TEST(without_a_snapshot_nothing_is_known_but_what_was_known),
        TEST(with_many_clients_one_that_cannot_be_looked_up_is_not_denied),
        TEST(a_snapshot_from_before_the_last_commit_is_taken_again),
        TEST(a_statement_shows_what_was_committed_last),
        TEST(no_statement_is_older_than_what_stands_on_it),
        TEST(a_statement_of_nobody_is_none_and_of_a_damaged_account_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
