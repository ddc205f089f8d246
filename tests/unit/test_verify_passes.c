/* SPDX-License-Identifier: MIT
 *
 * test_verify_passes.c - the audit of more accounts than it remembers at once, with a table made
 * small enough to need many passes.
 */
#define HISTORIES_SLOTS 16

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger_fixture.h"
#include "store/lmdb/replay.h"

/* The library's own copies, with the table's usual size, are not linked into this program.
 * NOLINTBEGIN(bugprone-suspicious-include) */
#include "store/lmdb/histories.c"
#include "store/lmdb/verify.c"
/* NOLINTEND(bugprone-suspicious-include) */

enum { MANY = 200 };

static struct task task;
static struct archive_facts facts;
static char error[500];

static int setup(void **state)
{
    static struct opening openings[MANY];
    (void)state;
    for (uint32_t i = 0; i < MANY; i++)
        openings[i] = (struct opening){.client = 7 * (i + 1), .limit_cents = i};
    ledger.now_us = LEDGER_START_US;
    temporary_make(ledger.path);
    if (!folder_take(&ledger.folder, ledger.path, error, sizeof error) ||
        !replay_openings(&ledger.folder, ledger.path, LEDGER_MAP, openings, MANY, ledger.now_us,
                         error, sizeof error))
        return -1;
    ledger_open(LEDGER_MAP);
    for (uint32_t i = 0; i < 3 * MANY; i++)
        (void)ledger_book(7 * (i % MANY + 1), ENTRY_CREDIT, 1 + i % 5, NULL);
    return 0;
}

static int teardown(void **state)
{
    ledger_close();
    return ledger_teardown(state);
}

static enum archive_end run_verify(void)
{
    memset(&task, 0, sizeof task);
    return verify_environment(&ledger.environment, &task, &facts, error, sizeof error);
}

static void put(MDB_dbi table, void *key, size_t key_bytes, void *value, size_t value_bytes)
{
    MDB_txn *txn = ledger_begin();
    MDB_val k = {key_bytes, key}, v = {value_bytes, value};
    assert_int_equal(mdb_put(txn, table, &k, &v, 0), MDB_SUCCESS);
    assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);
}

static void put_balance_of_record(uint64_t sequence, int64_t more_cents)
{
    uint8_t bytes[SEQUENCE_KEY_BYTES], encoded[JOURNAL_RECORD_BYTES_MAX];
    struct journal_record record;
    MDB_val key = {sizeof bytes, bytes}, value;
    MDB_txn *txn = ledger_begin();
    sequence_key_encode(bytes, sequence);
    assert_int_equal(mdb_get(txn, ledger.environment.journal, &key, &value), MDB_SUCCESS);
    assert_true(journal_record_decode(&record, sequence, value.mv_data, value.mv_size));
    mdb_txn_abort(txn);
    record.balance_cents += more_cents;
    put(ledger.environment.journal, bytes, sizeof bytes, encoded,
        journal_record_encode(encoded, &record));
}

static void all_of_it_is_counted_once(void **state)
{
    (void)state;
    if (run_verify() != ARCHIVE_DONE)
        FAIL("%s", error);
    assert_int_equal(facts.records, 4 * MANY);
    assert_int_equal(facts.entries, 3 * MANY);
    assert_int_equal(facts.accounts, MANY);
    assert_true(task.done_bytes == task.total_bytes);
}

/* Two records are wrong, of clients that different passes look at: the first of them is named,
 * whichever pass finds which. */
static void the_first_wrong_record_is_named_whichever_pass_finds_it(void **state)
{
    char says[40];
    (void)state;
    for (uint64_t one = MANY + 1; one < MANY + 40; one += 3) {
        uint64_t two = one + 17;
        put_balance_of_record(one, 1);
        put_balance_of_record(two, 1);
        assert_int_equal(run_verify(), ARCHIVE_WRONG);
        snprintf(says, sizeof says, "journal record %llu ", (unsigned long long)one);
        if (!strstr(error, says))
            FAIL("says \"%s\" and not \"%s\"", error, says);
        put_balance_of_record(one, -1);
        put_balance_of_record(two, -1);
    }
    assert_int_equal(run_verify(), ARCHIVE_DONE);
}

static void a_wrong_record_comes_before_a_wrong_account_of_an_earlier_pass(void **state)
{
    (void)state;
    uint8_t key[CLIENT_KEY_BYTES], value[ACCOUNT_RECORD_BYTES_MAX];
    for (uint32_t client = 7; client <= 7 * 20; client += 7) {
        const struct account_record record = {.account = {.client = client + 1}};
        client_key_encode(key, client + 1); /* an account that no record opens */
        put(ledger.environment.accounts, key, sizeof key, value,
            account_record_encode(value, &record));
    }
    assert_int_equal(run_verify(), ARCHIVE_WRONG);
    assert_non_null(strstr(error, "no journal record opens it"));
    put_balance_of_record(800, 1);
    assert_int_equal(run_verify(), ARCHIVE_WRONG);
    assert_non_null(strstr(error, "journal record 800"));
}

/* As if the others had been opened since the accounts were counted. */
static void more_accounts_than_were_counted_are_no_fault_of_the_ledgers(void **state)
{
    (void)state;
    MDB_txn *txn = ledger_begin();
    assert_int_equal(mdb_drop(txn, ledger.environment.accounts, 0), MDB_SUCCESS);
    assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);
    assert_int_equal(run_verify(), ARCHIVE_UNREADABLE);
    assert_non_null(strstr(error, "faster than they can be audited"));
}

static void a_key_of_another_size_is_none(void **state)
{
    (void)state;
    static char key[] = "\xff\xff", long_key[IDEMPOTENCY_KEY_BYTES_MAX + 1];
    char nothing[] = "nothing";
    memset(long_key, 1, sizeof long_key);
    put(ledger.environment.keys, key, 2, nothing, sizeof nothing);
    assert_int_equal(run_verify(), ARCHIVE_WRONG);
    assert_non_null(strstr(error, "is none"));
    put(ledger.environment.keys, long_key, sizeof long_key, nothing, sizeof nothing);
    assert_int_equal(run_verify(), ARCHIVE_WRONG);
    assert_non_null(strstr(error, "is none"));
}

static void a_table_that_is_full_is_told(void **state)
{
    struct histories histories;
    (void)state;
    if (!histories_open(&histories))
        FAIL("out of memory");
    for (uint32_t i = 1; i <= HISTORIES_MAX; i++)
        assert_non_null(histories_of(&histories, i * 16));
    assert_null(histories_of(&histories, 5));
    assert_non_null(histories_of(&histories, 16));
    assert_non_null(histories_find(&histories, 16 * HISTORIES_MAX));
    assert_null(histories_find(&histories, 5));
    histories_close(&histories);
}

#define LEDGER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEDGER(all_of_it_is_counted_once),
        LEDGER(the_first_wrong_record_is_named_whichever_pass_finds_it),
        LEDGER(a_wrong_record_comes_before_a_wrong_account_of_an_earlier_pass),
        LEDGER(more_accounts_than_were_counted_are_no_fault_of_the_ledgers),
        LEDGER(a_key_of_another_size_is_none),
        cmocka_unit_test(a_table_that_is_full_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
