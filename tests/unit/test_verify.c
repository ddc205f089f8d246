/* SPDX-License-Identifier: MIT
 *
 * test_verify.c - the audit: a sound ledger passes, and each thing that can be wrong with one, with
 * every checksum right, is named.
 */
#include "unit.h"

#include <string.h>

#include "ledger_fixture.h"
#include "store/lmdb/verify.h"

#define C ENTRY_CREDIT
#define D ENTRY_DEBIT

static struct task task;
static struct archive_facts facts;
static char error[500];

static enum archive_end verify(void)
{
    memset(&task, 0, sizeof task);
    error[0] = '\0';
    return verify_environment(&ledger.environment, &task, &facts, error, sizeof error);
}

static void expect_sound(void)
{
    if (verify() != ARCHIVE_DONE)
        FAIL("not sound: %s", error);
}

static void expect_wrong(const char *says)
{
    enum archive_end end = verify();
    if (end != ARCHIVE_WRONG || !strstr(error, says))
        FAIL("ends with %d, says \"%s\" and not \"%s\"", end, error, says);
}

/* --- records, taken out, changed and put back with a right checksum --------------------------- */

static void put(MDB_dbi table, void *key, size_t key_bytes, void *value, size_t value_bytes)
{
    MDB_txn *txn = ledger_begin();
    MDB_val k = {key_bytes, key}, v = {value_bytes, value};
    assert_int_equal(mdb_put(txn, table, &k, &v, 0), MDB_SUCCESS);
    assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);
}

static void remove_key(MDB_dbi table, void *key, size_t key_bytes)
{
    MDB_txn *txn = ledger_begin();
    MDB_val k = {key_bytes, key};
    assert_int_equal(mdb_del(txn, table, &k, NULL), MDB_SUCCESS);
    assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);
}

static struct journal_record journal_at(uint64_t sequence)
{
    uint8_t bytes[SEQUENCE_KEY_BYTES];
    struct journal_record record;
    MDB_txn *txn = ledger_begin();
    MDB_val key = {sizeof bytes, bytes}, value;
    sequence_key_encode(bytes, sequence);
    assert_int_equal(mdb_get(txn, ledger.environment.journal, &key, &value), MDB_SUCCESS);
    assert_true(journal_record_decode(&record, sequence, value.mv_data, value.mv_size));
    mdb_txn_abort(txn);
    return record;
}

static void put_journal(const struct journal_record *record)
{
    uint8_t key[SEQUENCE_KEY_BYTES], value[JOURNAL_RECORD_BYTES_MAX];
    sequence_key_encode(key, record->sequence);
    put(ledger.environment.journal, key, sizeof key, value, journal_record_encode(value, record));
}

static struct account_record account_of(uint32_t client)
{
    uint8_t bytes[CLIENT_KEY_BYTES];
    struct account_record record;
    MDB_txn *txn = ledger_begin();
    MDB_val key = {sizeof bytes, bytes}, value;
    client_key_encode(bytes, client);
    assert_int_equal(mdb_get(txn, ledger.environment.accounts, &key, &value), MDB_SUCCESS);
    assert_true(account_record_decode(&record, client, value.mv_data, value.mv_size));
    mdb_txn_abort(txn);
    return record;
}

static void put_account(const struct account_record *record)
{
    uint8_t key[CLIENT_KEY_BYTES], value[ACCOUNT_RECORD_BYTES_MAX];
    client_key_encode(key, record->account.client);
    put(ledger.environment.accounts, key, sizeof key, value, account_record_encode(value, record));
}

/* --- a ledger with something of everything ---------------------------------------------------- */

/* Records 6 to 17 are client 1's, twelve credits of 1 to 12 cents; 18 is a debit of client 2 with
 * a key, 19 a change of its limit, 20 a credit of client 3 with a key. */
static void fill(void)
{
    for (int64_t cents = 1; cents <= 12; cents++)
        assert_int_equal(ledger_book(1, C, cents, NULL), OUTCOME_OK);
    assert_int_equal(ledger_book(2, D, 500, "one"), OUTCOME_OK);
    struct op limit = {.kind = OP_LIMIT, .client = 2, .limit_cents = 600};
    ledger_apply_ops(&limit, 1);
    assert_int_equal(limit.outcome, OUTCOME_OK);
    assert_int_equal(ledger_book(3, C, 7, "two"), OUTCOME_OK);
}

/* The ledger is left damaged: the fixture's own audit would fail on it. */
static int setup(void **state)
{
    int result = ledger_setup(state);
    fill();
    return result;
}

static int teardown(void **state)
{
    ledger_close();
    return ledger_teardown(state);
}

static void a_sound_ledger_passes_and_is_counted(void **state)
{
    (void)state;
    expect_sound();
    assert_int_equal(facts.records, 20);
    assert_int_equal(facts.entries, 14);
    assert_int_equal(facts.accounts, 5);
    assert_int_equal(facts.keys, 2);
    assert_true(facts.created_us == LEDGER_START_US);
    assert_true(task.total_bytes > 0 && task.done_bytes == task.total_bytes);
}

static void it_ends_when_it_is_told_to(void **state)
{
    (void)state;
    memset(&task, 0, sizeof task);
    atomic_store(&task.stop, true);
    assert_int_equal(verify_environment(&ledger.environment, &task, &facts, error, sizeof error),
                     ARCHIVE_STOPPED);
}

/* --- the journal ------------------------------------------------------------------------------ */

static void a_flipped_bit_in_a_record_is_named(void **state)
{
    (void)state;
    struct journal_record record = journal_at(9);
    uint8_t key[SEQUENCE_KEY_BYTES], value[JOURNAL_RECORD_BYTES_MAX];
    sequence_key_encode(key, 9);
    size_t size = journal_record_encode(value, &record);
    value[20] ^= 1;
    put(ledger.environment.journal, key, sizeof key, value, size);
    expect_wrong("journal record 9: its bytes");
}

static void a_missing_record_is_named(void **state)
{
    (void)state;
    uint8_t key[SEQUENCE_KEY_BYTES];
    sequence_key_encode(key, 11);
    remove_key(ledger.environment.journal, key, sizeof key);
    expect_wrong("journal record 11 is missing");
}

static void a_missing_first_record_is_named(void **state)
{
    (void)state;
    uint8_t key[SEQUENCE_KEY_BYTES];
    sequence_key_encode(key, 1);
    remove_key(ledger.environment.journal, key, sizeof key);
    expect_wrong("journal record 1 is missing");
}

static void an_empty_journal_is_wrong(void **state)
{
    (void)state;
    MDB_txn *txn = ledger_begin();
    assert_int_equal(mdb_drop(txn, ledger.environment.journal, 0), MDB_SUCCESS);
    assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);
    expect_wrong("the journal is empty");
}

static void a_key_that_is_no_sequence_is_wrong(void **state)
{
    (void)state;
    char key[] = "x", value[] = "y";
    put(ledger.environment.journal, key, 1, value, 1);
    expect_wrong("journal record 21 is missing");
}

static void time_that_goes_back_is_named(void **state)
{
    (void)state;
    struct journal_record record = journal_at(12);
    record.entry.time_us = journal_at(11).entry.time_us - 1;
    put_journal(&record);
    expect_wrong("journal record 12 (client 1): its time goes back");
}

static void time_that_stands_still_within_an_account_is_named(void **state)
{
    (void)state;
    struct journal_record record = journal_at(12), before = journal_at(11);
    assert_int_equal(before.client, record.client);
    record.entry.time_us = before.entry.time_us;
    put_journal(&record);
    expect_wrong("journal record 12 (client 1): its time does not rise");
}

static void two_accounts_may_have_records_of_one_time(void **state)
{
    (void)state;
    struct journal_record record = journal_at(2);
    assert_true(record.client != journal_at(1).client);
    record.entry.time_us = journal_at(1).entry.time_us;
    put_journal(&record);
    expect_sound();
}

static void a_record_that_does_not_follow_is_named_with_the_reason(void **state)
{
    (void)state;
    struct journal_record sound = journal_at(10), record = sound;
    record.balance_cents++;
    put_journal(&record);
    expect_wrong("journal record 10 (client 1): its balance");
    record = sound;
    record.limit_cents++;
    put_journal(&record);
    expect_wrong("journal record 10 (client 1): its limit");
    record = sound;
    record.previous_sequence--;
    put_journal(&record);
    expect_wrong("journal record 10 (client 1): its link");
    record = sound;
    record.entry.amount_cents++;
    put_journal(&record);
    expect_wrong("journal record 10 (client 1): its balance");
    put_journal(&sound);
    expect_sound();
}

static void a_debit_past_the_limit_is_named_though_all_sums_agree(void **state)
{
    (void)state;
    /* Client 2's limit was lower all along: the debit of 500 should have been refused. */
    struct journal_record record = journal_at(2);
    record.limit_cents = 499;
    put_journal(&record);
    record = journal_at(18);
    record.limit_cents = 600;
    put_journal(&record);
    expect_wrong("journal record 18 (client 2): its limit");
}

/* --- accounts --------------------------------------------------------------------------------- */

static void an_account_that_is_not_its_history_is_named(void **state)
{
    (void)state;
    struct account_record sound = account_of(2), record = sound;
    record.account.balance_cents++;
    put_account(&record);
    expect_wrong("account 2: its balance is -499, and its history makes it -500");
    record = sound;
    record.account.limit_cents++;
    put_account(&record);
    expect_wrong("account 2: its limit is 601");
    record = sound;
    record.opening_balance_cents++;
    put_account(&record);
    expect_wrong("account 2: its opening balance is 1");
    record = sound;
    record.entries++;
    put_account(&record);
    expect_wrong("account 2: its number of entries is 2");
    record = sound;
    record.last_sequence--;
    put_account(&record);
    expect_wrong("account 2: its last record is 18");
    put_account(&sound);
    expect_sound();
}

static void last_entries_that_are_not_the_journals_are_named(void **state)
{
    (void)state;
    struct account_record sound = account_of(1), record = sound;
    record.account.recent[3].amount_cents++;
    put_account(&record);
    expect_wrong("account 1: its last entry no. 4 is not journal record 14");
    record = sound;
    record.account.recent[9].time_us++;
    put_account(&record);
    expect_wrong("account 1: its last entry no. 10 is not journal record 8");
    record = sound;
    record.account.recent_count = 9;
    put_account(&record);
    expect_wrong("account 1: it shows 9 last entries of 12");
    put_account(&sound);
    expect_sound();
}

static void an_account_that_is_missing_is_named(void **state)
{
    (void)state;
    uint8_t key[CLIENT_KEY_BYTES];
    client_key_encode(key, 3);
    remove_key(ledger.environment.accounts, key, sizeof key);
    expect_wrong("account 3 cannot be found where it belongs");
}

static void an_account_without_history_is_named(void **state)
{
    (void)state;
    const struct account_record record = {.account = {.client = 77}, .last_sequence = 20};
    put_account(&record);
    expect_wrong("account 77: no journal record opens it");
}

static void an_account_with_a_flipped_bit_is_named(void **state)
{
    (void)state;
    struct account_record record = account_of(4);
    uint8_t key[CLIENT_KEY_BYTES], value[ACCOUNT_RECORD_BYTES_MAX];
    client_key_encode(key, 4);
    size_t size = account_record_encode(value, &record);
    value[5] ^= 1;
    put(ledger.environment.accounts, key, sizeof key, value, size);
    expect_wrong("account 4: its bytes");
}

static void a_key_that_is_no_client_is_wrong(void **state)
{
    (void)state;
    char key[] = "\0\0\0\2x", value[] = "y";
    put(ledger.environment.accounts, key, 5, value, 1);
    expect_wrong("the account after 2 has a key that is none");
}

static void a_wrong_record_comes_before_a_wrong_account(void **state)
{
    (void)state;
    struct account_record account = account_of(1);
    account.account.balance_cents++;
    put_account(&account);
    struct journal_record record = journal_at(20);
    record.balance_cents++;
    put_journal(&record);
    expect_wrong("journal record 20");
}

/* --- keys ------------------------------------------------------------------------------------- */

static struct expiry_record expiry_of(uint32_t client, const char *text, int64_t time_us)
{
    struct expiry_record record = {.time_us = time_us};
    record.key_bytes = (uint8_t)idempotency_key_encode(record.idempotency_key, client, text,
                                                       strlen(text));
    return record;
}

static void put_expiry(uint64_t sequence, const struct expiry_record *record)
{
    uint8_t key[SEQUENCE_KEY_BYTES], value[EXPIRY_RECORD_BYTES_MAX];
    sequence_key_encode(key, sequence);
    put(ledger.environment.expiry, key, sizeof key, value,
        expiry_record_encode(value, sequence, record));
}

static void put_key(uint32_t client, const char *text, uint64_t sequence)
{
    uint8_t key[IDEMPOTENCY_KEY_BYTES_MAX], value[KEY_RECORD_BYTES];
    size_t bytes = idempotency_key_encode(key, client, text, strlen(text));
    put(ledger.environment.keys, key, bytes, value, key_record_encode(value, key, bytes, sequence));
}

static void a_key_that_a_retry_would_not_find_is_named(void **state)
{
    (void)state;
    uint8_t key[IDEMPOTENCY_KEY_BYTES_MAX];
    size_t bytes = idempotency_key_encode(key, 2, "one", 3);
    remove_key(ledger.environment.keys, key, bytes);
    expect_wrong("key of record 18: a retry would not find it");
    put_key(9, "one", 18); /* as many again, and still not that one */
    expect_wrong("key of record 18: a retry would not find it");
}

static void a_key_that_would_never_end_is_named(void **state)
{
    (void)state;
    uint8_t key[SEQUENCE_KEY_BYTES];
    sequence_key_encode(key, 18);
    remove_key(ledger.environment.expiry, key, sizeof key);
    expect_wrong("key of record 18 (client 2): when it ends is not known");
    struct expiry_record record = expiry_of(2, "one", journal_at(18).entry.time_us);
    put_expiry(18, &record);
    expect_sound();
    put_key(2, "on", 18); /* ends before, and after, that of the record */
    expect_wrong("key of record 18 (client 2): when it ends is not known");
}

static void a_key_of_other_bytes_is_named(void **state)
{
    (void)state;
    put_key(2, "other", 18);
    expect_wrong("key of record 18 (client 2): when it ends is not known");
    uint8_t key[IDEMPOTENCY_KEY_BYTES_MAX];
    char nothing[] = "nothing";
    size_t bytes = idempotency_key_encode(key, 2, "other", 5);
    put(ledger.environment.keys, key, bytes, nothing, sizeof nothing);
    expect_wrong("a key of client 2: its bytes are not those that were written");
}

static void a_key_of_nobody_is_wrong(void **state)
{
    (void)state;
    char key[] = "\0\0\0\2", value[] = "y";
    put(ledger.environment.keys, key, 4, value, 1);
    expect_wrong("is none");
}

static void a_key_that_leads_elsewhere_is_named(void **state)
{
    (void)state;
    put_key(2, "one", 20);
    expect_wrong("key of record 18: a retry would not find that record");
}

static void a_key_of_another_clients_entry_is_named(void **state)
{
    (void)state;
    struct expiry_record record = expiry_of(1, "one", journal_at(18).entry.time_us);
    put_expiry(18, &record);
    expect_wrong("key of record 18: the journal has no such entry");
}

static void a_key_of_another_time_is_named(void **state)
{
    (void)state;
    struct expiry_record record = expiry_of(2, "one", journal_at(18).entry.time_us + 1);
    put_expiry(18, &record);
    expect_wrong("key of record 18: the journal has no such entry");
}

static void a_key_of_a_record_that_moved_no_money_is_named(void **state)
{
    (void)state;
    struct expiry_record record = expiry_of(2, "lim", journal_at(19).entry.time_us);
    put_expiry(19, &record);
    put_key(2, "lim", 19);
    expect_wrong("key of record 19: the journal has no such entry");
}

static void a_key_of_no_record_is_named(void **state)
{
    (void)state;
    struct expiry_record record = expiry_of(2, "far", 1);
    put_expiry(99, &record);
    put_key(2, "far", 99);
    expect_wrong("key of record 99: the journal has no such entry");
}

static void a_keys_record_with_a_flipped_bit_is_named(void **state)
{
    (void)state;
    struct expiry_record record = expiry_of(2, "one", journal_at(18).entry.time_us);
    uint8_t key[SEQUENCE_KEY_BYTES], value[EXPIRY_RECORD_BYTES_MAX];
    sequence_key_encode(key, 18);
    size_t size = expiry_record_encode(value, 18, &record);
    value[8] ^= 1;
    put(ledger.environment.expiry, key, sizeof key, value, size);
    expect_wrong("key of record 18: its bytes");
}

static void an_expiry_key_that_is_no_sequence_is_wrong(void **state)
{
    (void)state;
    char key[] = "\0\0\0\0\0\0\0\x13x", other[] = "x", value[] = "y";
    put(ledger.environment.expiry, key, 9, value, 1);
    put(ledger.environment.keys, other, 1, value, 1);
    expect_wrong("the key after that of record 18 belongs to no record");
}

#define DAMAGED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DAMAGED(a_sound_ledger_passes_and_is_counted),
        DAMAGED(it_ends_when_it_is_told_to),
        DAMAGED(a_flipped_bit_in_a_record_is_named),
        DAMAGED(a_missing_record_is_named),
        DAMAGED(a_missing_first_record_is_named),
        DAMAGED(an_empty_journal_is_wrong),
        DAMAGED(a_key_that_is_no_sequence_is_wrong),
        DAMAGED(time_that_goes_back_is_named),
        DAMAGED(time_that_stands_still_within_an_account_is_named),
        DAMAGED(two_accounts_may_have_records_of_one_time),
        DAMAGED(a_record_that_does_not_follow_is_named_with_the_reason),
        DAMAGED(a_debit_past_the_limit_is_named_though_all_sums_agree),
        DAMAGED(an_account_that_is_not_its_history_is_named),
        DAMAGED(last_entries_that_are_not_the_journals_are_named),
        DAMAGED(an_account_that_is_missing_is_named),
        DAMAGED(an_account_without_history_is_named),
        DAMAGED(an_account_with_a_flipped_bit_is_named),
        DAMAGED(a_key_that_is_no_client_is_wrong),
        DAMAGED(a_wrong_record_comes_before_a_wrong_account),
        DAMAGED(a_key_that_a_retry_would_not_find_is_named),
        DAMAGED(a_key_that_would_never_end_is_named),
        DAMAGED(a_key_of_other_bytes_is_named),
        DAMAGED(a_key_of_nobody_is_wrong),
        DAMAGED(a_key_that_leads_elsewhere_is_named),
        DAMAGED(a_key_of_another_clients_entry_is_named),
        DAMAGED(a_key_of_another_time_is_named),
        DAMAGED(a_key_of_a_record_that_moved_no_money_is_named),
        DAMAGED(a_key_of_no_record_is_named),
        DAMAGED(a_keys_record_with_a_flipped_bit_is_named),
        DAMAGED(an_expiry_key_that_is_no_sequence_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
