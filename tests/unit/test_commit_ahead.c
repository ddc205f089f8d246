/* SPDX-License-Identifier: MIT
 *
 * test_commit_ahead.c - commits ahead of the file: when the file gets what the log has, and that
 * each op has the same fate as with a commit for each batch where there is no room or no disk.
 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commit_fixture.h"
#include "failing_calls.h"
#include "flush_gate.h"

#define C ENTRY_CREDIT
#define D ENTRY_DEBIT

/* What is on its way to the file is there. */
static void settle_what_is_under_way(void)
{
    while (ahead.is_checkpointing)
        (void)commit_settle(&commit, false);
}

/* All that was acknowledged is in the file now. */
static void expect_in_file(uint64_t entries)
{
    assert_false(ahead_has_any(&ahead));
    assert_int_equal(ledger_audited().entries, entries);
    assert_int_equal(atomic_load(&committed.txn), last_txn());
}

/* --- when the file gets it -------------------------------------------------------------------- */

static void an_entry_is_seen_before_the_file_has_it(void **state)
{
    (void)state;
    size_t txn = last_txn();
    struct op ops[] = {entry_op(1, D, 10, "k"), entry_op(1, D, 1000000, NULL),
                       entry_op(6, C, 1, NULL), limit_op(2, 7)};
    static const enum outcome expected[] = {OUTCOME_OK, OUTCOME_LIMIT_EXCEEDED, OUTCOME_NO_CLIENT,
                                            OUTCOME_OK};
    run(ops, COUNT_OF(ops));
    for (size_t i = 0; i < COUNT_OF(ops); i++)
        assert_int_equal(ops[i].outcome, expected[i]);
    assert_int_equal(balance_seen(1), -10);
    assert_int_equal(last_txn(), txn);
    assert_int_equal(ledger_audited().entries, 0);
    struct op again = entry_op(1, D, 10, "k");
    run(&again, 1);
    assert_true(again.outcome == OUTCOME_OK && again.replayed);
    assert_true(commit_settle(&commit, false));
    assert_int_equal(last_txn(), txn);
    settle(true);
    assert_int_equal(last_txn(), txn + 1);
    expect_in_file(1);
    assert_int_equal(balance_seen(1), -10);
}

static void there_is_something_to_settle_while_the_file_lacks_something(void **state)
{
    (void)state;
    assert_false(commit_settle(&commit, false));
    assert_false(commit_settle(&commit, true));
    assert_int_equal(run_one(entry_op(1, D, 1000000, NULL)), OUTCOME_LIMIT_EXCEEDED);
    assert_false(commit_settle(&commit, false)); /* that was nothing */
    book(1);
    assert_true(commit_settle(&commit, false));
    assert_true(commit_settle(&commit, false));
    assert_false(ahead.is_checkpointing);
    ahead.since_ms -= 1000; /* it has been so for long */
    settle(false);
    expect_in_file(1);
    assert_int_equal(atomic_load(&commit.since_ms), 0);
    commit.ahead = NULL;
    book(1);
    assert_false(commit_settle(&commit, true)); /* without a log there never is */
    expect_in_file(2);
}

/* Readers of other processes, and those that ask who there is, look at the file. */
static void openings_and_whoever_asks_for_it_have_the_file_hold_all(void **state)
{
    (void)state;
    struct op open = open_op(7, 50, -10), taken = open_op(1, 50, 0);
    book(1);
    book(1);
    assert_int_equal(run_one((struct op){.kind = OP_SETTLE}), OUTCOME_OK);
    expect_in_file(2);
    book(2);
    assert_int_equal(run_one(open), OUTCOME_OK);
    expect_in_file(3);
    assert_int_equal(view_client(&view, 7), OUTCOME_OK);
    book(3);
    assert_int_equal(run_one(taken), OUTCOME_CLIENT_EXISTS);
    expect_in_file(4);
    book(7);
    struct op ops[] = {entry_op(1, C, 1, NULL), {.kind = OP_SETTLE}, entry_op(1, C, 1, NULL)};
    run(ops, COUNT_OF(ops));
    for (size_t i = 0; i < COUNT_OF(ops); i++)
        assert_int_equal(ops[i].outcome, OUTCOME_OK);
    expect_in_file(7);
    assert_int_equal(balance_seen(7), -9);
}

static void a_lap_that_is_full_is_followed_by_another(void **state)
{
    (void)state;
    const uint32_t half = ahead.recent.young;
    const size_t txn = last_txn();
    uint64_t booked = 0;
    for (; ahead.recent.young == half; booked++)
        book(1);
    assert_true(booked > (WAL_BYTES - WAL_BLOCK_BYTES_MAX) / WAL_ALIGN_BYTES);
    assert_int_equal(balance_seen(1), booked);
    settle_what_is_under_way();
    assert_int_equal(last_txn(), txn + 1);
    assert_int_equal(ledger_audited().entries, booked - 1);
    reopen(LEDGER_MAP);
    expect_in_file(booked);
}

static void after_a_crash_the_next_one_has_all_that_was_answered(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= 20; i++) {
        book(1 + i % 3);
        if (i % 5 == 0)
            (void)commit_settle(&commit, i % 2 == 0);
        if (i % 7 == 0) {
            reopen(LEDGER_MAP);
            expect_in_file(i);
        }
    }
    reopen(LEDGER_MAP);
    expect_in_file(20);
}

/* --- beside a checkpoint ---------------------------------------------------------------------- */

/* Pages of the journal, more than zeros are written ahead for. */
static uint64_t book_much(void)
{
    enum { BATCHES = 40 };
    static struct op ops[BATCH_OPS_MAX];
    for (int batch = 0; batch < BATCHES; batch++) {
        for (uint32_t i = 0; i < BATCH_OPS_MAX; i++)
            ops[i] = entry_op(1 + i % 3, C, 1, NULL);
        run(ops, BATCH_OPS_MAX);
        assert_int_equal(ops[BATCH_OPS_MAX - 1].outcome, OUTCOME_OK);
    }
    return (uint64_t)BATCHES * BATCH_OPS_MAX;
}

static void what_a_checkpoint_has_written_is_not_written_over_before_it_counts(void **state)
{
    (void)state;
    assert_int_equal(mdb_env_set_flags(ledger.environment.env, MDB_NOSYNC, 0), MDB_SUCCESS);
    const size_t first = last_txn() + 1;
    uint64_t entries = book_much();
    close_gate();
    assert_true(commit_settle(&commit, true));
    wait_at_gate();
    assert_true(commit_settle(&commit, true)); /* nobody waits for it */
    assert_true(ahead.is_checkpointing);
    entries += book_much();
    open_gate();
    while (last_txn() < first)
        continue;
    close_gate();
    while (atomic_load(&committed.txn) < first) /* and once that is known the second begins */
        assert_true(commit_settle(&commit, true));
    wait_at_gate();
    book(1);
    open_gate();
    assert_true(commit_end(&commit));
    assert_int_equal(last_txn(), first + 2);
    expect_in_file(entries + 1);
}

/* --- no room ---------------------------------------------------------------------------------- */

/* What is said on the way is not looked at. */
static void run_failing(struct op *ops, uint32_t count, const char *call, unsigned working,
                        int error)
{
    capture_begin(STDERR_FILENO);
    fail_all(call, working, error);
    run(ops, count);
    bool failed = fail_none();
    (void)capture_end();
    assert_true(failed);
}

static void expect_outcomes_without_room(const struct op *ops, size_t count)
{
    static const enum outcome expected[] = {
        OUTCOME_OK,       OUTCOME_KEY_REUSED, OUTCOME_LIMIT_EXCEEDED, OUTCOME_NO_CLIENT,
        OUTCOME_NO_SPACE, OUTCOME_NO_SPACE,   OUTCOME_NO_SPACE};
    assert_int_equal(count, COUNT_OF(expected));
    for (size_t i = 0; i < count; i++)
        if (ops[i].outcome != expected[i])
            FAIL("op %zu: outcome %d", i, (int)ops[i].outcome);
    assert_true(ops[0].replayed);
    assert_int_equal(serving_state(&serving), SERVING_FULL);
}

static void with_a_full_disk_only_what_would_be_booked_finds_no_room(void **state)
{
    (void)state;
    static const char *const calls[] = {"fallocate", "pwrite"};
    uint64_t entries = 0;
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        char key[2] = {(char)('a' + i), '\0'};
        assert_int_equal(run_one(entry_op(1, D, 10, key)), OUTCOME_OK);
        entries++;
        struct op ops[] = {
            entry_op(1, D, 10, key), entry_op(1, D, 11, key),   entry_op(1, D, 1000000, NULL),
            entry_op(6, C, 1, NULL), entry_op(1, D, 10, "new"), entry_op(2, C, 1, NULL),
            {.kind = OP_HEALTH}};
        commit.space.reserved_bytes = commit.space.written_bytes = 0;
        run_failing(ops, COUNT_OF(ops), calls[i], 0, ENOSPC);
        expect_outcomes_without_room(ops, COUNT_OF(ops));
        expect_in_file(entries);
        book(2);
        entries++;
        expect_in_file(entries); /* a commit for each batch, until it has gone well for a while */
        atomic_store(&serving.refused_ms, serving_clock_ms() - 1001);
        book(2);
        entries++;
        assert_int_equal(serving_state(&serving), SERVING);
        book(2);
        entries++;
        assert_true(ahead_has_any(&ahead)); /* ahead again */
        reopen(LEDGER_MAP);
        expect_in_file(entries);
    }
}

/* The log alone finds none: those that write to the file themselves are booked. */
static void a_log_that_finds_no_room_costs_no_answer_that_was_given(void **state)
{
    (void)state;
    book(1);
    book(2);
    struct op ops[] = {entry_op(1, C, 1, NULL), entry_op(1, D, 1000000, NULL)};
    capture_begin(STDERR_FILENO);
    fail_one("pwrite", 0, ENOSPC);
    run(ops, COUNT_OF(ops));
    bool failed = fail_none();
    (void)capture_end();
    assert_true(failed);
    assert_int_equal(ops[0].outcome, OUTCOME_OK); /* tried again by itself */
    assert_int_equal(ops[1].outcome, OUTCOME_LIMIT_EXCEEDED);
    assert_int_equal(serving_state(&serving), SERVING);
    reopen(LEDGER_MAP);
    expect_in_file(3);
}

static void near_the_maps_end_each_batch_is_committed(void **state)
{
    (void)state;
    enum { SMALL_MAP = 6 << 20, FEW_OPS = 16 };
    static struct op ops[64];
    uint64_t booked = 0;
    bool was_ahead = false;
    reopen(SMALL_MAP);
    capture_begin(STDERR_FILENO);
    for (bool full = false; !full && serving_state(&serving) != SERVING_DOWN;) {
        uint32_t count = was_ahead && !ahead_has_any(&ahead) ? COUNT_OF(ops) : FEW_OPS;
        for (uint32_t i = 0; i < count; i++)
            ops[i] = entry_op(1 + i % 3, C, 1, NULL);
        run(ops, count);
        was_ahead = was_ahead || ahead_has_any(&ahead);
        for (uint32_t i = 0; i < count; i++) {
            booked += ops[i].outcome == OUTCOME_OK;
            full = full || ops[i].outcome == OUTCOME_NO_SPACE;
        }
    }
    enum outcome health = run_one((struct op){.kind = OP_HEALTH});
    enum outcome refused = run_one(entry_op(1, D, 1000000000, NULL));
    (void)capture_end();
    assert_true(was_ahead);
    assert_int_equal(health, OUTCOME_NO_SPACE);
    assert_int_equal(refused, OUTCOME_LIMIT_EXCEEDED);
    assert_int_equal(serving_state(&serving), SERVING_FULL);
    expect_in_file(booked);
    reopen(LEDGER_MAP);
    expect_in_file(booked);
    book(1);
}

/* --- no disk ---------------------------------------------------------------------------------- */

static void after_a_log_that_failed_nothing_is_certain_and_nothing_is_taken(void **state)
{
    (void)state;
    book(1);
    struct op ops[] = {entry_op(1, D, 10, "k"), entry_op(2, C, 1, NULL)};
    run_failing(ops, COUNT_OF(ops), "pwrite", 0, EIO);
    assert_int_equal(ops[0].outcome, OUTCOME_UNKNOWN);
    assert_int_equal(ops[1].outcome, OUTCOME_UNKNOWN);
    assert_int_equal(serving_state(&serving), SERVING_DOWN);
    assert_int_equal(run_one(entry_op(1, D, 10, "k")), OUTCOME_DOWN);
    assert_false(commit_settle(&commit, true));
    assert_false(ahead.is_checkpointing);
    reopen(LEDGER_MAP);
    expect_in_file(1);
}

static void a_checkpoint_that_fails_is_the_end_and_loses_nothing(void **state)
{
    (void)state;
    struct op ask = {.kind = OP_SETTLE}, entry = entry_op(1, C, 1, NULL), open = open_op(7, 1, 0);
    book(1);
    capture_begin(STDERR_FILENO);
    fail_all("mdb_txn_commit", 0, EIO);
    settle(true);
    bool failed = fail_none();
    const char *said = capture_end();
    assert_true(failed);
    assert_non_null(strstr(said, "the store is down"));
    assert_int_equal(serving_state(&serving), SERVING_DOWN);
    assert_int_equal(balance_seen(1), 1);
    assert_false(commit_end(&commit));
    reopen(LEDGER_MAP);
    expect_in_file(1);
    struct op *const forcing[] = {&ask, &open};
    for (size_t i = 0; i < COUNT_OF(forcing); i++) {
        book(1);
        run_failing(forcing[i], 1, "mdb_txn_commit", 0, EIO);
        assert_int_equal(forcing[i]->outcome, OUTCOME_DOWN); /* it has not been tried */
        assert_int_equal(run_one(entry), OUTCOME_DOWN);
        assert_false(commit_settle(&commit, true));
        reopen(LEDGER_MAP);
        expect_in_file(2 + i);
    }
}

/* No room is no reason to stop, and none to go on as if there were some. */
static void after_a_checkpoint_without_room_comes_another_before_anything_is_taken(void **state)
{
    (void)state;
    book(1);
    capture_begin(STDERR_FILENO);
    fail_all("mdb_txn_commit", 0, ENOSPC);
    while (!ahead.has_failed)
        (void)commit_settle(&commit, true);
    bool begun = ahead.is_checkpointing;
    enum serving_state before = serving_state(&serving);
    enum outcome outcome = run_one(entry_op(2, C, 1, NULL));
    bool failed = fail_none();
    (void)capture_end();
    assert_true(failed);
    assert_false(begun); /* at once it would find none again */
    assert_int_equal(before, SERVING);
    assert_int_equal(outcome, OUTCOME_NO_SPACE);
    serving.state = SERVING;
    book(2);
    assert_int_equal(ledger_audited().entries, 1);
    assert_true(ahead_has_any(&ahead)); /* the second is ahead of it again */
}

static void damaged_keys_that_a_checkpoint_meets_are_told_of_once(void **state)
{
    (void)state;
    book(1);
    capture_begin(STDERR_FILENO);
    fail_all("mdb_cursor_open", 0, MDB_CORRUPTED);
    settle(true);
    (void)run_one(entry_op(1, C, 1, NULL));
    settle(true);
    bool failed = fail_none();
    const char *said = capture_end();
    assert_true(failed);
    const char *line = strstr(said, "old keys are no longer cleared");
    assert_non_null(line);
    assert_null(strstr(line + 1, "old keys are no longer cleared"));
    expect_in_file(2);
}

static void each_batch_is_counted_however_it_was_booked(void **state)
{
    (void)state;
    const uint64_t before = ahead_batches(&ahead);
    book(1);
    assert_int_equal(run_one(open_op(7, 50, 0)), OUTCOME_OK);
    book(1);
    assert_int_equal(ahead_batches(&ahead), before + 3);
    assert_int_equal(unlinkat(ledger.folder.fd, FOLDER_WAL, 0), 0);
    book(1); /* a log that is deleted is of no use */
    expect_in_file(3);
    assert_int_equal(ahead_batches(&ahead), before + 4);
}

static void at_the_end_the_file_has_all(void **state)
{
    (void)state;
    assert_true(commit_end(&commit)); /* it has nothing to wait for */
    book(1);
    assert_true(commit_settle(&commit, true));
    book(2);
    assert_true(commit_end(&commit));
    expect_in_file(2);
    book(3);
    capture_begin(STDERR_FILENO);
    fail_all("mdb_txn_commit", 0, ENOSPC);
    bool whole = commit_end(&commit);
    bool failed = fail_none();
    (void)capture_end();
    assert_true(failed);
    assert_false(whole);
    commit.ahead = NULL;
    assert_true(commit_end(&commit));
}

static void a_checkpoint_without_room_is_made_when_there_is_room(void **state)
{
    (void)state;
    struct op ask = {.kind = OP_SETTLE}, entry = entry_op(1, C, 1, NULL);
    struct op refused = entry_op(1, D, 1000000, NULL), open = open_op(7, 1, 0);
    struct op *const forcing[] = {&ask, &open, &ask, &open};
    static const int errors[] = {ENOSPC, ENOSPC, MDB_MAP_FULL, MDB_MAP_FULL};
    for (int64_t i = 0; i < (int64_t)COUNT_OF(forcing); i++) {
        book(1);
        run_failing(forcing[i], 1, "mdb_txn_commit", 0, errors[i]);
        assert_int_equal(forcing[i]->outcome, OUTCOME_NO_SPACE);
        assert_int_equal(serving_state(&serving), SERVING_FULL);
        assert_int_equal(balance_seen(1), 3 * i + 1);
        fail_all("mdb_txn_commit", 0, errors[i]);
        assert_true(commit_settle(&commit, true)); /* and so it is tried again */
        assert_int_equal(run_one(refused), OUTCOME_LIMIT_EXCEEDED);
        assert_int_equal(run_one(entry), OUTCOME_NO_SPACE);
        assert_true(fail_none());
        assert_true(commit_settle(&commit, true)); /* for a while nothing is tried without need */
        assert_false(ahead.is_checkpointing);
        ahead.failed_ms -= 1000;
        assert_true(commit_settle(&commit, true));
        assert_true(ahead.is_checkpointing);
        assert_int_equal(run_one(entry), OUTCOME_OK);
        assert_int_equal(run_one(entry), OUTCOME_OK);
        serving.state = SERVING; /* it takes a second */
        assert_int_equal(balance_seen(1), 3 * i + 3);
    }
    reopen(LEDGER_MAP);
    expect_in_file(3 * COUNT_OF(forcing));
}

/* A page is wrong that the op needs. */
static void an_entry_that_meets_damage_is_refused_by_itself(void **state)
{
    (void)state;
    book(1);
    struct op ops[] = {entry_op(2, C, 1, NULL), entry_op(1, C, 1, NULL)};
    run_failing(ops, COUNT_OF(ops), "mdb_get", 0, MDB_CORRUPTED);
    assert_int_equal(ops[0].outcome, OUTCOME_CORRUPT);
    assert_int_equal(ops[1].outcome, OUTCOME_OK); /* it is in memory */
    assert_int_equal(serving_state(&serving), SERVING);
    reopen(LEDGER_MAP);
    expect_in_file(2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, commit_setup, commit_teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_entry_is_seen_before_the_file_has_it),
        TEST(there_is_something_to_settle_while_the_file_lacks_something),
        TEST(openings_and_whoever_asks_for_it_have_the_file_hold_all),
        TEST(a_lap_that_is_full_is_followed_by_another),
        TEST(after_a_crash_the_next_one_has_all_that_was_answered),
        TEST(what_a_checkpoint_has_written_is_not_written_over_before_it_counts),
        TEST(with_a_full_disk_only_what_would_be_booked_finds_no_room),
        TEST(a_log_that_finds_no_room_costs_no_answer_that_was_given),
        TEST(near_the_maps_end_each_batch_is_committed),
        TEST(after_a_log_that_failed_nothing_is_certain_and_nothing_is_taken),
        TEST(a_checkpoint_that_fails_is_the_end_and_loses_nothing),
        TEST(a_checkpoint_without_room_is_made_when_there_is_room),
        TEST(after_a_checkpoint_without_room_comes_another_before_anything_is_taken),
        TEST(damaged_keys_that_a_checkpoint_meets_are_told_of_once),
        TEST(each_batch_is_counted_however_it_was_booked),
        TEST(at_the_end_the_file_has_all),
        TEST(an_entry_that_meets_damage_is_refused_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
