/* SPDX-License-Identifier: MIT
 *
 * test_checkpoint.c - a generation is brought to the file in a thread beside us: all of it or nothing,
 * once for each job, and none is waited for unless that is asked.
 */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "failing_calls.h"
#include "flush_gate.h"
#include "ledger_fixture.h"
#include "store/lmdb/checkpoint.h"

static struct checkpoint checkpoint;
static struct generation generation;
static struct wal wal;
static struct checkpoint_job job;

/* --- a generation, and its lap ------------------------------------------------------------------ */

/* One block of three records: clients 3, 1 and 2, each with a key. */
static void make_generation(int64_t time_us)
{
    static const uint32_t clients[] = {3, 1, 2};
    static const int64_t limits[] = {1000000, 100000, 80000};
    memset(&generation, 0, sizeof generation);
    wal_begin(&wal);
    for (uint32_t i = 0; i < COUNT_OF(clients); i++) {
        uint8_t value[JOURNAL_RECORD_BYTES_MAX];
        struct recent_key *key = &generation.keys[i];
        const struct entry entry = {.amount_cents = 5,
                                    .time_us = time_us + i,
                                    .kind = ENTRY_CREDIT,
                                    .description_bytes = 1,
                                    .description = "x"};
        key->record = (struct journal_record){
            .sequence = LEDGER_OPENINGS + 1 + i,
            .previous_sequence = clients[i],
            .client = clients[i],
            .kind = JOURNAL_CREDIT,
            .limit_cents = limits[i],
            .balance_cents = 5,
            .entry = entry,
        };
        key->key_bytes = (uint8_t)idempotency_key_encode(key->key, clients[i], "k", 1);
        generation.accounts[i] = (struct account_record){
            .account = {.client = clients[i],
                        .limit_cents = limits[i],
                        .balance_cents = 5,
                        .recent_count = 1,
                        .recent = {entry}},
            .entries = 1,
            .last_sequence = key->record.sequence,
        };
        wal_add(&wal, value, journal_record_encode(value, &key->record), key->key, key->key_bytes);
    }
    assert_int_equal(wal_write(&wal, LEDGER_OPENINGS + 1), 0);
    generation.records = generation.accounts_count = generation.keys_count = COUNT_OF(clients);
    job = (struct checkpoint_job){
        .environment = &ledger.environment,
        .wal = &wal,
        .generation = &generation,
        .clear_until_us = INT64_MIN,
        .oldest_key_time_us = INT64_MAX,
        .result = -1,
    };
}

static int setup(void **state)
{
    if (ledger_setup(state) != 0 || !checkpoint_start(&checkpoint) ||
        !wal_open(&wal, ledger.folder.fd, 0, false, ledger.environment.created_us))
        return -1;
    make_generation(ledger.now_us + 1);
    return 0;
}

static int teardown(void **state)
{
    checkpoint_stop(&checkpoint);
    wal_close(&wal, 0);
    return ledger_teardown(state);
}

static size_t last_txn(void)
{
    MDB_envinfo info;
    assert_int_equal(mdb_env_info(ledger.environment.env, &info), MDB_SUCCESS);
    return info.me_last_txnid;
}

/* Whole, or not there. */
static void expect_in_file(bool there)
{
    struct audit audit = ledger_audited();
    const uint64_t records = there ? generation.records : 0;
    assert_int_equal(audit.sequences, LEDGER_OPENINGS + records);
    assert_int_equal(audit.entries, records);
    assert_int_equal(audit.keys, records);
}

static void run(struct checkpoint_job *ret)
{
    checkpoint_begin(&checkpoint, &job);
    assert_true(checkpoint_poll(&checkpoint, true, ret));
}

/* --- jobs ----------------------------------------------------------------------------------------- */

static void a_job_brings_all_of_its_generation_in_one_transaction(void **state)
{
    (void)state;
    struct checkpoint_job ended;
    const size_t txn = last_txn();
    const uint64_t at = wal.at;
    run(&ended);
    assert_int_equal(ended.result, MDB_SUCCESS);
    assert_int_equal(ended.txn_id, txn + 1);
    assert_int_equal(last_txn(), txn + 1);
    assert_true(ended.oldest_key_time_us == ledger.now_us + 1); /* of the first */
    assert_false(ended.expiry_damaged);
    assert_int_equal(wal.at, at); /* the lap is the caller's to end */
    expect_in_file(true);
}

static void a_job_is_told_of_once_and_not_waited_for_unless_asked(void **state)
{
    (void)state;
    struct checkpoint_job ended = {.result = 4711};
    assert_false(checkpoint_poll(&checkpoint, false, &ended)); /* of which? */
    assert_false(checkpoint_poll(&checkpoint, true, &ended));
    assert_int_equal(mdb_env_set_flags(ledger.environment.env, MDB_NOSYNC, 0), MDB_SUCCESS);
    close_gate();
    checkpoint_begin(&checkpoint, &job);
    wait_at_gate();
    assert_false(checkpoint_poll(&checkpoint, false, &ended));
    assert_int_equal(ended.result, 4711);
    expect_in_file(false);
    open_gate();
    assert_true(checkpoint_poll(&checkpoint, true, &ended));
    assert_int_equal(ended.result, MDB_SUCCESS);
    expect_in_file(true);
    assert_false(checkpoint_poll(&checkpoint, false, &ended));
    assert_false(checkpoint_poll(&checkpoint, true, &ended));
}

static void begin_again(const void *argument)
{
    (void)argument;
    checkpoint_begin(&checkpoint, &job);
}

static void none_begins_before_the_one_before_it_was_told_of(void **state)
{
    (void)state;
    struct checkpoint_job ended;
    checkpoint_begin(&checkpoint, &job);
    assert_true(asserts(begin_again, NULL));
    assert_true(checkpoint_poll(&checkpoint, true, &ended));
    assert_int_equal(ended.result, MDB_SUCCESS);
}

static void a_stop_waits_for_the_job(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) { /* most often before the thread has looked */
        fail_all("mdb_txn_begin", i < 99 ? 0 : 1, EIO);
        checkpoint_begin(&checkpoint, &job);
        checkpoint_stop(&checkpoint);
        bool failed = fail_none();
        assert_int_equal(checkpoint.state, CHECKPOINT_ENDED);
        assert_true(failed == (i < 99));
        assert_int_equal(checkpoint.job.result, failed ? EIO : MDB_SUCCESS);
        assert_true(checkpoint_start(&checkpoint));
    }
    expect_in_file(true);
}

static void without_a_thread_there_is_none(void **state)
{
    (void)state;
    static struct checkpoint other;
    fail_one("pthread_create", 0, EAGAIN);
    bool started = checkpoint_start(&other);
    assert_true(fail_none());
    assert_false(started);
}

/* --- jobs that fail ------------------------------------------------------------------------------- */

static void a_job_that_fails_anywhere_leaves_nothing_and_can_be_done_again(void **state)
{
    (void)state;
    static const int errors[] = {EIO, ENOSPC, MDB_MAP_FULL};
    static const struct {
        const char *name;
        unsigned working;
    } calls_that_fail[] = {
        {"mdb_txn_begin", 0}, {"mdb_put", 0},  {"mdb_put", 2},
        {"mdb_put", 3},       {"mdb_put", 4},  {"mdb_put", 8},
        {"mdb_put", 9},       {"mdb_put", 11}, {"mdb_txn_commit", 0},
    };
    struct checkpoint_job ended;
    const uint64_t at = wal.at;
    for (unsigned i = 0; i < COUNT_OF(errors); i++)
        for (unsigned calls = 0; calls < COUNT_OF(calls_that_fail); calls++) {
            const size_t txn = last_txn();
            job.clear_until_us = ledger.now_us; /* all are younger */
            job.oldest_key_time_us = INT64_MIN;
            fail_one(calls_that_fail[calls].name, calls_that_fail[calls].working, errors[i]);
            run(&ended);
            assert_true(fail_none());
            assert_int_equal(ended.result, errors[i]);
            assert_true(ended.oldest_key_time_us == INT64_MIN); /* to be looked for */
            assert_false(ended.expiry_damaged);
            assert_int_equal(last_txn(), txn);
            assert_int_equal(wal.at, at);
            expect_in_file(false);
        }
    run(&ended);
    assert_int_equal(ended.result, MDB_SUCCESS);
    expect_in_file(true);
}

static void a_damaged_page_of_old_keys_costs_a_second_try_and_no_entry(void **state)
{
    (void)state;
    struct checkpoint_job ended;
    const size_t txn = last_txn();
    job.oldest_key_time_us = INT64_MIN;
    fail_one("mdb_cursor_get", 0, MDB_CORRUPTED);
    run(&ended);
    assert_true(fail_none());
    assert_int_equal(ended.result, MDB_SUCCESS);
    assert_true(ended.expiry_damaged);
    assert_int_equal(last_txn(), txn + 1);
    expect_in_file(true);
}

/* Both halves of that: the job says which keys are not looked at, and what is damaged stays so. */
static void what_is_known_to_be_damaged_is_not_looked_at(void **state)
{
    (void)state;
    struct checkpoint_job ended;
    job.oldest_key_time_us = INT64_MIN;
    job.expiry_damaged = true;
    fail_all("mdb_cursor_open", 0, MDB_CORRUPTED);
    run(&ended);
    assert_false(fail_none());
    assert_int_equal(ended.result, MDB_SUCCESS);
    assert_true(ended.expiry_damaged);
    expect_in_file(true);
}

/* A lap that ends too early, or a block that lacks records, is none of this generation's. */
static void a_lap_that_is_not_all_there_is_not_brought_in_part(void **state)
{
    (void)state;
    struct checkpoint_job ended;
    const uint64_t at = wal.at;
    wal.at += WAL_ALIGN_BYTES; /* there should be another */
    run(&ended);
    assert_int_equal(ended.result, MDB_CORRUPTED);
    assert_int_equal(wal.at, at + WAL_ALIGN_BYTES);
    expect_in_file(false);
    wal_restart(&wal);
    wal_begin(&wal);
    wal.records = 1;
    assert_int_equal(wal_write(&wal, LEDGER_OPENINGS + 1), 0);
    run(&ended);
    assert_int_equal(ended.result, MDB_CORRUPTED);
    expect_in_file(false);
}

static void a_lap_that_cannot_be_read_says_why(void **state)
{
    (void)state;
    struct checkpoint_job ended;
    const int fd = wal.fd;
    wal.fd = -1;
    run(&ended);
    wal.fd = fd;
    assert_int_equal(ended.result, EBADF);
    expect_in_file(false);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_job_brings_all_of_its_generation_in_one_transaction),
        TEST(a_job_is_told_of_once_and_not_waited_for_unless_asked),
        TEST(none_begins_before_the_one_before_it_was_told_of),
        TEST(a_stop_waits_for_the_job),
        TEST(without_a_thread_there_is_none),
        TEST(a_job_that_fails_anywhere_leaves_nothing_and_can_be_done_again),
        TEST(a_damaged_page_of_old_keys_costs_a_second_try_and_no_entry),
        TEST(what_is_known_to_be_damaged_is_not_looked_at),
        TEST(a_lap_that_is_not_all_there_is_not_brought_in_part),
        TEST(a_lap_that_cannot_be_read_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
