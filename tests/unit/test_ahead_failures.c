/* SPDX-License-Identifier: MIT
 *
 * test_ahead_failures.c - booking ahead where something fails: what was booked before is never
 * lost, what was refused is never booked, and a log that does not follow is not booked at all.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ahead_fixture.h"
#include "failing_calls.h"

#define C ENTRY_CREDIT
#define D ENTRY_DEBIT

/* A batch whose failure is tried; booked only once it succeeds. */
static struct op tried[5];

static enum ahead_end try_batch(int *ret_reason)
{
    const struct op ops[] = {entry_op(1, C, 10, NULL), entry_op(6, C, 1, NULL), limit_op(2, 80000),
                             entry_op(2, C, 5, NULL), entry_op(3, C, 1, "tried")};
    memcpy(tried, ops, sizeof tried);
    snprintf(tried[4].key, sizeof tried[4].key, "%05llu", (unsigned long long)booked % 100000);
    *ret_reason = 0;
    return twin_book(tried, COUNT_OF(tried), ret_reason);
}

static void it_was_booked(void)
{
    ledger_apply_ops(tried, COUNT_OF(tried));
    booked = ledger.batch.last_sequence;
    assert_int_equal(twin.batch.last_sequence, booked);
}

/* --- logs that do not go with the file -------------------------------------------------------- */

static void a_lap_that_goes_on_from_a_later_record_is_refused(void **state)
{
    (void)state;
    char expected[100];
    uint64_t first = ledger.batch.last_sequence;
    keep_file(FOLDER_DATA);
    for (int laps = 0; laps < 2; laps++) { /* the first is written over by a third */
        book(1, NULL);
        twin_checkpoint();
    }
    book(1, NULL);
    twin_crash();
    put_file_back(FOLDER_DATA); /* a copy from before */
    twin_open_environment(LEDGER_MAP);
    assert_false(twin_try_open());
    snprintf(expected, sizeof expected, "goes on from record %llu, and the journal ends at %llu",
             (unsigned long long)first + 1, (unsigned long long)first);
    if (!strstr(twin.error, "wal does not go with data.mdb") || !strstr(twin.error, expected))
        FAIL("%s", twin.error);
    assert_int_equal(twin_audited().sequences, first);
    assert_int_equal(unlinkat(twin.folder.fd, FOLDER_WAL, 0), 0);
    assert_true(twin_try_open());
}

/* A record that is whole, and that these ops do not make. */
struct forgery {
    const char *what;
    struct journal_record record;
    uint64_t sequence; /* that its checksum is for, less the next one */
    size_t cut;        /* bytes that its end lacks */
    const char *key;
    uint32_t key_client;
};

static void forge(const struct forgery *forgery)
{
    static struct wal wal;
    uint8_t value[JOURNAL_RECORD_BYTES_MAX], key[IDEMPOTENCY_KEY_BYTES_MAX];
    struct journal_record record = forgery->record;
    record.sequence = booked + 1 + forgery->sequence;
    size_t size = journal_record_encode(value, &record) - forgery->cut, key_bytes = 0;
    if (forgery->key)
        key_bytes = idempotency_key_encode(key, forgery->key_client, forgery->key,
                                           strlen(forgery->key));
    assert_true(wal_open(&wal, twin.folder.fd, 0, false, twin.environment.created_us));
    wal_begin(&wal);
    wal_add(&wal, value, size, key, key_bytes);
    assert_int_equal(wal_write(&wal, booked + 1), 0);
    wal_close(&wal, 0);
}

/* Client 1 has a balance of 1 and a limit of 100000, and the key "k". */
static void a_record_that_does_not_follow_is_refused(void **state)
{
    (void)state;
    book(1, "k");
    const uint64_t previous = booked;
    const int64_t time_us = twin.batch.last_time_us + 1;
    const struct journal_record right = {
        .previous_sequence = previous,
        .client = 1,
        .kind = JOURNAL_CREDIT,
        .limit_cents = 100000,
        .balance_cents = 3,
        .entry = {.amount_cents = 2,
                  .time_us = time_us,
                  .kind = C,
                  .description_bytes = 1,
                  .description = "x"},
    };
    struct forgery forgeries[] = {
        {.what = "another balance", right},
        {.what = "another limit", right},
        {.what = "another previous", right},
        {.what = "nobody's", right},
        {.what = "too early", right},
        {.what = "over the limit", right},
        {.what = "an opening", right},
        {.what = "a limit below the debt", right},
        {.what = "another's key", right},
        {.what = "a key again", right},
        {.what = "another place", right},
        {.what = "cut", right},
        {.what = "right", right},
    };
    forgeries[0].record.balance_cents++;
    forgeries[1].record.limit_cents++;
    forgeries[2].record.previous_sequence--;
    forgeries[3].record.client = 6;
    forgeries[4].record.entry.time_us = time_us - 2; /* that of the one before may be had */
    forgeries[5].record = right;
    forgeries[5].record.kind = JOURNAL_DEBIT;
    forgeries[5].record.entry.kind = D;
    forgeries[5].record.entry.amount_cents = 100002;
    forgeries[5].record.balance_cents = -100000;
    forgeries[6].record.kind = JOURNAL_OPENING;
    forgeries[6].record.client = 7;
    forgeries[6].record.previous_sequence = 0;
    forgeries[6].record.entry = (struct entry){.time_us = time_us};
    forgeries[7].record.kind = JOURNAL_LIMIT;
    forgeries[7].record.client = 5;
    forgeries[7].record.balance_cents = -5;
    forgeries[7].record.limit_cents = 6;
    forgeries[7].record.entry = (struct entry){.time_us = time_us};
    forgeries[8].key = "new";
    forgeries[8].key_client = 2;
    forgeries[9].key = "k";
    forgeries[9].key_client = 1;
    forgeries[10].sequence = 1;
    forgeries[11].cut = 1;
    twin_checkpoint();
    twin_crash();
    for (size_t i = 0; i < COUNT_OF(forgeries); i++) {
        twin_open_environment(LEDGER_MAP);
        forge(&forgeries[i]);
        bool taken = twin_try_open();
        if (taken != (strcmp(forgeries[i].what, "right") == 0))
            FAIL("%s: %s", forgeries[i].what, taken ? "taken" : twin.error);
        if (taken)
            break;
        if (!strstr(twin.error, "wal does not follow from data.mdb"))
            FAIL("%s: %s", forgeries[i].what, twin.error);
        assert_int_equal(twin_audited().sequences, booked);
        environment_close(&twin.environment);
        twin.environment.env = NULL;
    }
    assert_int_equal(twin_audited().sequences, booked + 1);
}

/* --- a batch that fails ----------------------------------------------------------------------- */

static void a_batch_that_fails_anywhere_loses_nothing_of_what_was_booked(void **state)
{
    (void)state;
    static const int errors[] = {MDB_MAP_FULL, MDB_CORRUPTED, MDB_TXN_FULL, ENOMEM};
    for (size_t i = 0; i < COUNT_OF(errors); i++)
        for (unsigned calls = 0;; calls++) {
            int reason;
            begin_with_some_booked();
            fail_one("mdb_", calls, errors[i]);
            enum ahead_end end = try_batch(&reason);
            if (!fail_none()) {
                assert_int_equal(end, AHEAD_DONE);
                assert_in_range(calls, 3, 100);
                it_was_booked();
                twin_reopen();
                expect_undone();
                break;
            }
            assert_int_equal(end, AHEAD_UNDONE);
            assert_int_equal(reason, errors[i]);
            expect_undone();
            if (calls % 3 == 0)
                twin_reopen();
            expect_undone();
        }
}

/* Without any that were booked before, there is nothing to be booked again. */
static void a_first_batch_that_fails_leaves_nothing(void **state)
{
    (void)state;
    booked = ledger.batch.last_sequence;
    size_t txn = twin_last_txn();
    for (unsigned calls = 0;; calls++) {
        int reason;
        fail_one("mdb_", calls, MDB_MAP_FULL);
        enum ahead_end end = try_batch(&reason);
        if (!fail_none()) {
            assert_int_equal(end, AHEAD_DONE);
            break;
        }
        assert_int_equal(end, AHEAD_UNDONE);
        assert_int_equal(reason, MDB_MAP_FULL);
        assert_int_equal(twin_last_txn(), txn);
        expect_undone();
    }
    it_was_booked();
    twin_reopen();
    expect_undone();
}

static void with_a_map_that_is_full_all_that_was_booked_is_in_it_or_in_the_log(void **state)
{
    (void)state;
    static struct op ops[BATCH_OPS_MAX];
    int reason = 0;
    enum ahead_end end = AHEAD_DONE;
    twin_crash();
    twin_open_environment(UINT64_C(512) * 1024);
    assert_true(twin_try_open());
    while (end == AHEAD_DONE) {
        booked = twin.batch.last_sequence;
        for (uint32_t i = 0; i < BATCH_OPS_MAX; i++)
            ops[i] = entry_op(1 + i % 3, C, 1, NULL);
        end = ahead_make_room(&twin.ahead, BATCH_OPS_MAX, &reason);
        if (end == AHEAD_DONE)
            end = twin_book(ops, BATCH_OPS_MAX, &reason);
        ledger_apply_ops(ops, end == AHEAD_DONE ? BATCH_OPS_MAX : 0);
    }
    assert_int_equal(end, AHEAD_UNDONE);
    assert_int_equal(reason, MDB_MAP_FULL);
    assert_true(twin.ahead.has_failed);
    assert_true(booked > BATCH_OPS_MAX);
    assert_int_equal(ahead_checkpoint(&twin.ahead, &reason), AHEAD_UNDONE); /* as before */
    assert_int_equal(twin.batch.last_sequence, booked);
    twin_reopen();
    expect_undone();
}

/* --- the log fails ---------------------------------------------------------------------------- */

static void a_log_without_room_is_as_if_the_batch_had_not_been_tried(void **state)
{
    (void)state;
    static const int errors[] = {ENOSPC, EDQUOT, EFBIG};
    for (size_t i = 0; i < 2 * COUNT_OF(errors); i++) {
        int error = errors[i / 2], reason;
        if (i % 2)
            begin_with_some_booked();
        booked = ledger.batch.last_sequence;
        fail_one("pwrite", 0, error);
        enum ahead_end end = try_batch(&reason);
        assert_true(fail_none());
        assert_int_equal(end, AHEAD_UNDONE);
        assert_int_equal(reason, error);
        expect_undone();
        book(3, NULL);
        twin_reopen();
        expect_undone();
    }
}

/* Somebody has changed the file meanwhile. */
static void a_lap_that_is_not_there_any_more_is_not_booked_in_part(void **state)
{
    (void)state;
    int reason;
    begin_with_some_booked();
    struct audit before = twin_audited();
    int fd = openat(twin.folder.fd, FOLDER_WAL, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "torn", 4, WAL_ALIGN_BYTES), 4);
    close(fd);
    assert_int_equal(ahead_checkpoint(&twin.ahead, &reason), AHEAD_LOST);
    assert_int_equal(reason, MDB_CORRUPTED);
    assert_int_equal(twin_audited().sequences, before.sequences);
    assert_true(ahead_has_any(&twin.ahead));
}

static void after_a_log_that_fails_otherwise_nobody_knows(void **state)
{
    (void)state;
    int reason;
    struct op statement = {.kind = OP_STATEMENT, .client = 1};
    begin_with_some_booked();
    fail_one("pwrite", 0, EIO);
    enum ahead_end end = try_batch(&reason);
    assert_true(fail_none());
    assert_int_equal(end, AHEAD_UNKNOWN);
    assert_int_equal(reason, EIO);
    assert_int_equal(view_statement(&twin.view, &statement, 1), OUTCOME_OK);
    assert_int_equal(statement.account.balance_cents, 1); /* and what was known is known still */
    twin_reopen();
    expect_undone();
}

/* --- opening again ---------------------------------------------------------------------------- */

static void a_damaged_page_of_old_keys_is_in_no_recoverys_way(void **state)
{
    (void)state;
    begin_with_some_booked();
    twin_crash();
    twin_open_environment(LEDGER_MAP);
    fail_one("mdb_cursor_open", 0, MDB_CORRUPTED);
    bool opened = twin_try_open();
    assert_true(fail_none());
    if (!opened) {
        environment_close(&twin.environment);
        twin.environment.env = NULL; /* nothing for the teardown */
        FAIL("%s", twin.error);
    }
    assert_true(twin.batch.expiry_damaged);
    expect_undone();
}

/* --- a checkpoint fails ----------------------------------------------------------------------- */

static void a_checkpoint_that_fails_anywhere_has_lost_nothing(void **state)
{
    (void)state;
    for (unsigned calls = 0;; calls++) {
        struct op statement = {.kind = OP_STATEMENT, .client = 2};
        begin_with_some_booked();
        size_t txn = twin_last_txn();
        fail_one("mdb_", calls, EIO);
        int reason = 0;
        enum ahead_end end = ahead_checkpoint(&twin.ahead, &reason);
        if (!fail_none()) {
            assert_int_equal(end, AHEAD_DONE);
            assert_in_range(calls, 3, 20);
            expect_undone();
            break;
        }
        if (end == AHEAD_DONE) /* a number was not to be had */
            continue;
        assert_int_equal(end, AHEAD_LOST);
        assert_int_equal(reason, EIO);
        assert_true(ahead_has_any(&twin.ahead));
        assert_int_equal(twin_last_txn(), txn);
        assert_int_equal(view_statement(&twin.view, &statement, 1), OUTCOME_OK);
        assert_true(statement.account.recent[0].time_us == ledger.batch.last_time_us);
        twin_reopen();
        expect_undone();
    }
}

/* It is tried again, and entries go on meanwhile as far as there is room. */
static void a_checkpoint_without_room_is_made_later(void **state)
{
    (void)state;
    static const int errors[] = {MDB_MAP_FULL, MDB_TXN_FULL, ENOMEM, ENOSPC, EDQUOT, EFBIG};
    for (size_t i = 0; i < COUNT_OF(errors); i++)
        for (unsigned calls = 0;; calls++) {
            int reason = 0;
            begin_with_some_booked();
            fail_one("mdb_", calls, errors[i]);
            enum ahead_end end = ahead_checkpoint(&twin.ahead, &reason);
            if (!fail_none()) {
                assert_int_equal(end, AHEAD_DONE);
                break;
            }
            if (end == AHEAD_DONE) /* a number was not to be had */
                continue;
            assert_int_equal(end, AHEAD_UNDONE);
            assert_int_equal(reason, errors[i]);
            assert_true(twin.ahead.has_failed);
            assert_true(ahead_has_any(&twin.ahead));
            book(3, NULL);
            if (calls % 3 == 0)
                twin_reopen();
            expect_undone();
            assert_false(twin.ahead.has_failed);
        }
}

static void keys_on_a_damaged_page_are_in_no_checkpoints_way(void **state)
{
    (void)state;
    begin_with_some_booked();
    fail_one("mdb_cursor_open", 0, MDB_CORRUPTED);
    twin_checkpoint();
    assert_true(fail_none());
    assert_true(twin.batch.expiry_damaged);
    expect_undone();
    book(1, "more");
    fail_all("mdb_cursor_open", 0, MDB_CORRUPTED); /* it is not asked for any more */
    twin_checkpoint();
    assert_false(fail_none());
    expect_undone();
}

/* Then a key is there for good, and is known as ever. */
static void where_keys_by_age_cannot_be_written_entries_are_booked_all_the_same(void **state)
{
    (void)state;
    enum { EXPIRY = 3 }; /* after two records and the key */
    size_t txn = twin_last_txn();
    begin_with_some_booked();
    fail_one("mdb_put", EXPIRY, MDB_CORRUPTED);
    twin_checkpoint();
    assert_true(fail_none());
    assert_int_equal(twin_last_txn(), txn + 1);
    assert_false(twin.batch.expiry_damaged);
    book(1, "old"); /* known */
    book(1, "new");
    twin_checkpoint();
    twin_reopen();
    assert_int_equal(twin.batch.last_sequence, booked);
    book(1, "old");
    book(1, "new");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, twin_setup, twin_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_lap_that_goes_on_from_a_later_record_is_refused),
        TEST(a_record_that_does_not_follow_is_refused),
        TEST(a_batch_that_fails_anywhere_loses_nothing_of_what_was_booked),
        TEST(a_first_batch_that_fails_leaves_nothing),
        TEST(with_a_map_that_is_full_all_that_was_booked_is_in_it_or_in_the_log),
        TEST(a_log_without_room_is_as_if_the_batch_had_not_been_tried),
        TEST(a_lap_that_is_not_there_any_more_is_not_booked_in_part),
        TEST(after_a_log_that_fails_otherwise_nobody_knows),
        TEST(a_damaged_page_of_old_keys_is_in_no_recoverys_way),
        TEST(a_checkpoint_that_fails_anywhere_has_lost_nothing),
        TEST(a_checkpoint_without_room_is_made_later),
        TEST(keys_on_a_damaged_page_are_in_no_checkpoints_way),
        TEST(where_keys_by_age_cannot_be_written_entries_are_booked_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
