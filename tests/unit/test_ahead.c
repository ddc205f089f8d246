/* SPDX-License-Identifier: MIT
 *
 * test_ahead.c - a ledger that is booked ahead of its file, and crashes, is the one that a commit
 * for each batch would have made.
 */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ahead_fixture.h"

#define C ENTRY_CREDIT
#define D ENTRY_DEBIT

static void book_some(void)
{
    struct op ops[] = {entry_op(1, D, 10, "first"),  entry_op(1, D, 1000000, NULL),
                       entry_op(6, C, 1, NULL),      entry_op(2, C, 7, NULL),
                       limit_op(2, 90000),           entry_op(1, D, 10, "first"),
                       entry_op(1, D, 11, "first"),  limit_op(5, 1),
                       entry_op(3, D, 1000000, "k"), entry_op(4, C, 11, NULL),
                       entry_op(5, C, 9, "another")};
    both_book(ops, COUNT_OF(ops));
}

static void book_one(uint32_t client, const char *key)
{
    struct op op = entry_op(client, C, 1, key);
    both_book(&op, 1);
}

static void expect_settled(void)
{
    assert_false(ahead_has_any(&twin.ahead));
    assert_int_equal(twin_young()->accounts_count, 0);
    assert_int_equal(twin_wal()->at, 0);
    assert_int_equal(atomic_load(&twin.committed.txn), twin_last_txn());
    assert_int_equal(twin.batch.last_sequence, ledger.batch.last_sequence);
    expect_same_files();
}

static void what_was_booked_is_in_the_file_after_a_crash(void **state)
{
    (void)state;
    book_some();
    book_some(); /* the keys are known now */
    ledger.now_us += 1000;
    book_one(1, "second");
    twin_reopen();
    expect_settled();
    assert_true(twin.batch.last_time_us == ledger.batch.last_time_us);
    twin_reopen();
    expect_settled();
    book_one(1, "second"); /* known */
    book_one(1, "third");
    twin_reopen();
    expect_settled();
}

static void before_a_checkpoint_the_file_has_nothing_and_the_readers_have_all(void **state)
{
    (void)state;
    struct op statement = {.kind = OP_STATEMENT, .client = 1};
    struct audit before = twin_audited();
    size_t txn = twin_last_txn();
    book_some();
    book_one(1, NULL);
    assert_int_equal(twin_last_txn(), txn);
    assert_int_equal(twin_audited().sequences, before.sequences);
    assert_int_equal(view_statement(&twin.view, &statement, 1), OUTCOME_OK);
    assert_int_equal(statement.account.balance_cents, -9);
    assert_int_equal(statement.account.recent_count, 2);
    twin_checkpoint();
    assert_int_equal(twin_last_txn(), txn + 1);
    expect_settled();
    assert_int_equal(view_statement(&twin.view, &statement, 1), OUTCOME_OK);
    assert_int_equal(statement.account.balance_cents, -9);
    twin_checkpoint(); /* there is nothing to do */
    assert_int_equal(twin_last_txn(), txn + 1);
}

static void rejections_and_replays_write_nothing(void **state)
{
    (void)state;
    struct op ops[] = {entry_op(1, D, 1000000, NULL), entry_op(6, C, 1, NULL)};
    both_book(ops, COUNT_OF(ops));
    assert_false(ahead_has_any(&twin.ahead));
    book_one(1, "k");
    uint64_t at = twin_wal()->at;
    both_book(ops, COUNT_OF(ops));
    book_one(1, "k");
    assert_int_equal(twin_wal()->at, at);
    assert_true(ahead_has_any(&twin.ahead)); /* what was booked before is still there */
    twin_reopen();
    expect_settled();
}

/* A checkpoint, and no new lap: the log that is found has nothing that the file has not. */
static void a_lap_that_the_file_has_is_not_booked_again(void **state)
{
    (void)state;
    book_some();
    book_some();
    twin_checkpoint();
    size_t txn = twin_last_txn();
    twin_reopen();
    assert_int_equal(twin_last_txn(), txn);
    expect_settled();
    book_one(1, NULL);
    twin_checkpoint();
    book_one(2, NULL);
    twin_reopen();
    assert_int_equal(twin_last_txn(), txn + 2);
    expect_settled();
}

static void a_log_that_was_closed_is_of_no_concern(void **state)
{
    (void)state;
    book_some();
    twin_checkpoint();
    view_close(&twin.view);
    ahead_close(&twin.ahead, true);
    environment_close(&twin.environment);
    assert_false(wal_was_left(twin.path));
    size_t batches = wal_batches(twin.path);
    twin_open();
    ledger_reopen();
    assert_int_equal(ahead_batches(&twin.ahead), batches);
    assert_int_equal(wal_batches(twin.path), batches); /* it was not wiped for that */
    expect_settled();
    book_one(1, NULL);
    twin_reopen();
    expect_settled();
}

static void batches_are_counted_with_those_that_others_committed(void **state)
{
    (void)state;
    uint64_t before = twin_last_txn(); /* each was a batch */
    assert_int_equal(ahead_batches(&twin.ahead), before);
    book_one(1, NULL);
    book_one(1, NULL);
    twin_checkpoint();
    ahead_passed_by(&twin.ahead);
    book_one(1, NULL);
    assert_int_equal(wal_batches(twin.path), before + 4);
    twin_reopen();
    assert_int_equal(ahead_batches(&twin.ahead), before + 4);
}

/* Also where the last of them was a while ago, in either half. */
static void batches_are_counted_whichever_half_had_the_last(void **state)
{
    (void)state;
    const uint64_t before = ahead_batches(&twin.ahead);
    for (uint64_t laps = 1; laps <= 3; laps++) {
        for (uint64_t lap = 0; lap < laps; lap++) {
            for (int i = 0; i < 5; i++)
                book_one(1, NULL);
            twin_checkpoint();
        }
        twin_reopen();
        assert_int_equal(ahead_batches(&twin.ahead), before + laps * (laps + 1) / 2 * 5);
    }
}

static void keys_that_are_past_their_time_are_forgotten_at_a_checkpoint(void **state)
{
    (void)state;
    enum { OLD = 2 * CHECKPOINT_CLEARS + 10 };
    char key[16];
    struct op again = entry_op(1, C, 5, "key-0"), plain = entry_op(3, C, 1, NULL);
    int reason;
    for (int i = 0; i < OLD; i++) {
        snprintf(key, sizeof key, "key-%d", i);
        book_one(1 + (uint32_t)i % 3, key);
    }
    twin_checkpoint();
    assert_int_equal(twin_audited().keys, OLD);
    ledger.now_us += DAY_US - OLD - 10;
    assert_int_equal(twin_book(&plain, 1, &reason), AHEAD_DONE);
    twin_checkpoint();
    assert_int_equal(twin_audited().keys, OLD); /* none is a day old */
    ledger.now_us += DAY_US;
    assert_int_equal(twin_book(&again, 1, &reason), AHEAD_DONE);
    assert_int_equal(again.outcome, OUTCOME_KEY_REUSED); /* it is there still */
    assert_int_equal(twin_book(&plain, 1, &reason), AHEAD_DONE);
    twin_checkpoint(); /* not so many at once that it would take long */
    assert_int_equal(twin_audited().keys, OLD - CHECKPOINT_CLEARS);
    assert_int_equal(twin_book(&again, 1, &reason), AHEAD_DONE);
    assert_int_equal(again.outcome, OUTCOME_OK);
    twin_checkpoint(); /* one more than came */
    assert_int_equal(twin_audited().keys, OLD - 2 * CHECKPOINT_CLEARS);
    assert_int_equal(twin_book(&plain, 1, &reason), AHEAD_DONE);
    twin_reopen(); /* a recovery forgets none: it does not know how old they may become */
    assert_int_equal(twin_audited().keys, OLD - 2 * CHECKPOINT_CLEARS);
    assert_int_equal(twin_book(&plain, 1, &reason), AHEAD_DONE);
    twin_checkpoint();
    assert_int_equal(twin_audited().keys, 1); /* the one that came again */
    assert_int_equal(twin_book(&again, 1, &reason), AHEAD_DONE);
    assert_true(again.outcome == OUTCOME_OK && again.replayed);
}

/* Wherever the log ends: the batches up to there, and not one more. */
static void a_log_that_was_torn_gives_the_batches_before(void **state)
{
    (void)state;
    enum { BATCHES = 6 };
    uint64_t ends[BATCHES + 1], at[BATCHES + 1];
    keep_file(FOLDER_DATA);
    for (int i = 0; i <= BATCHES; i++) {
        ends[i] = ledger.batch.last_sequence;
        at[i] = twin_wal()->at;
        if (i < BATCHES)
            book_some();
    }
    twin_crash();
    keep_file(FOLDER_WAL);
    for (int i = BATCHES; i >= 0; i--) {
        put_file_back(FOLDER_DATA);
        put_file_back(FOLDER_WAL);
        int fd = openat(twin.folder.fd, FOLDER_WAL, O_WRONLY | O_CLOEXEC);
        assert_int_equal(ftruncate(fd, (off_t)at[i]), 0); /* there were none after it yet */
        assert_int_equal(pwrite(fd, "torn", 4, (off_t)at[i]), 4);
        close(fd);
        twin_open();
        assert_int_equal(twin.batch.last_sequence, ends[i]);
        assert_int_equal(twin_audited().sequences, ends[i]);
        twin_crash();
    }
    twin_open();
}

/* A process, and the end of it, whatever it was doing. */
static void a_process_that_is_killed_has_lost_nothing(void **state)
{
    (void)state;
    struct op op = entry_op(1, C, 1, "k");
    twin_crash();
    folder_release(&twin.folder);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int reason;
        if (!folder_take(&twin.folder, twin.path, twin.error, sizeof twin.error))
            _exit(1);
        twin_open();
        _exit(twin_book(&op, 1, &reason) == AHEAD_DONE ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_true(folder_take(&twin.folder, twin.path, twin.error, sizeof twin.error));
    ledger_apply_ops(&op, 1);
    twin_open();
    ledger_reopen();
    expect_settled();
}

/* --- beside a checkpoint ---------------------------------------------------------------------- */

static void expect_balance(uint32_t client, int64_t cents)
{
    struct op statement = {.kind = OP_STATEMENT, .client = client};
    assert_int_equal(view_statement(&twin.view, &statement, 1), OUTCOME_OK);
    assert_true(statement.account.balance_cents == cents);
}

static void advance(bool due)
{
    int reason;
    assert_int_equal(ahead_advance(&twin.ahead, due, &reason), AHEAD_DONE);
}

/* Before it has ended, as far as we know: what it brings is seen, and judged by, all the same. */
static void batches_go_on_while_a_checkpoint_is_under_way(void **state)
{
    (void)state;
    book_one(1, "k");
    book_one(2, NULL);
    advance(false); /* it is not time */
    assert_false(twin.ahead.is_checkpointing);
    advance(true);
    assert_true(twin.ahead.is_checkpointing);
    uint32_t half = twin.ahead.recent.young;
    book_one(1, "k"); /* known, from the old generation */
    assert_int_equal(twin_young()->records, 0);
    book_one(1, "l");
    book_one(1, "l"); /* known, from the young one */
    book_one(3, NULL);
    assert_int_equal(twin_young()->records, 2);
    expect_balance(1, 2);
    expect_balance(2, 1);
    expect_balance(3, 1);
    while (twin.ahead.is_checkpointing)
        advance(false);
    assert_int_equal(twin_audited().entries, 2);
    assert_int_equal(twin_young()->records, 2); /* no other has begun */
    assert_int_equal(twin.ahead.recent.young, half);
    expect_balance(1, 2);
    expect_balance(2, 1);
    twin_checkpoint();
    expect_settled();
}

/* What was there before the crash: nothing, either half, both of them, the file with one of them. */
static void after_a_crash_beside_a_checkpoint_both_laps_are_booked(void **state)
{
    (void)state;
    for (int round = 0; round < 6; round++) {
        keep_file(FOLDER_DATA);
        book_one(1, "before");
        book_some();
        advance(true);
        book_some();
        book_one(2, "after");
        int reason;
        assert_int_equal(ahead_make_room(&twin.ahead, 1, &reason), AHEAD_DONE); /* there is */
        if (round % 2) { /* as if it had not got to the file */
            twin_crash();
            put_file_back(FOLDER_DATA);
            twin_open();
            ledger_reopen();
        } else {
            twin_reopen();
        }
        expect_settled();
    }
}

/* Both halves are full, and the checkpoint has to be waited for. */
static void with_no_room_left_a_batch_waits_for_the_checkpoint(void **state)
{
    (void)state;
    int reason;
    for (int round = 0; round < 4; round++) {
        char key[] = "of round 0";
        key[sizeof key - 2] = (char)('0' + round);
        book_one(1, NULL);
        advance(true);
        book_one(2, key); /* so that there is no room for as many keys as there may be */
        assert_int_equal(ahead_make_room(&twin.ahead, RECENT_KEYS_MAX, &reason), AHEAD_DONE);
        assert_true(ahead_has_room(&twin.ahead, RECENT_KEYS_MAX));
        assert_int_equal(twin_young()->records, 0);
    }
    twin_checkpoint();
    expect_settled();
}

/* --- when it is time for a checkpoint --------------------------------------------------------- */

static void there_is_room_for_as_many_accounts_keys_and_blocks_as_there_is(void **state)
{
    (void)state;
    assert_true(ahead_has_room(&twin.ahead, BATCH_OPS_MAX));
    twin_young()->accounts_count = RECENT_ACCOUNTS_MAX - 3;
    assert_true(ahead_has_room(&twin.ahead, 3));
    assert_false(ahead_has_room(&twin.ahead, 4));
    twin_young()->accounts_count = 0;
    twin_young()->keys_count = RECENT_KEYS_MAX - 3;
    assert_true(ahead_has_room(&twin.ahead, 3));
    assert_false(ahead_has_room(&twin.ahead, 4));
    twin_young()->keys_count = 0;
    twin_wal()->at = WAL_BYTES - WAL_BLOCK_BYTES_MAX;
    assert_true(ahead_has_room(&twin.ahead, 1));
    twin_wal()->at += WAL_ALIGN_BYTES;
    assert_false(ahead_has_room(&twin.ahead, 1));
    twin_wal()->at = 0;
}

static void it_is_time_after_a_while_or_when_the_next_batch_might_not_fit(void **state)
{
    (void)state;
    assert_false(ahead_is_long(&twin.ahead, INT64_MAX / 2)); /* of what? */
    book_one(1, NULL);
    twin.ahead.since_ms -= 100;
    int64_t since_ms = twin.ahead.since_ms;
    book_one(2, NULL); /* it is the first that is waited for */
    assert_int_equal(twin.ahead.since_ms, since_ms);
    assert_false(ahead_is_long(&twin.ahead, since_ms + 999));
    assert_true(ahead_is_long(&twin.ahead, since_ms + 1000));
    uint32_t count = twin_young()->accounts_count;
    twin_young()->accounts_count = RECENT_ACCOUNTS_MAX - BATCH_OPS_MAX;
    assert_false(ahead_is_long(&twin.ahead, since_ms));
    twin_young()->accounts_count++;
    assert_true(ahead_is_long(&twin.ahead, since_ms));
    twin_young()->accounts_count = count;
    uint64_t records = twin_young()->records;
    twin_young()->records = 40959; /* of few accounts */
    assert_false(ahead_is_long(&twin.ahead, since_ms));
    twin_young()->records = 40960;
    assert_true(ahead_is_long(&twin.ahead, since_ms));
    twin_young()->accounts_count = 40960 / 4;
    assert_false(ahead_is_long(&twin.ahead, since_ms));
    twin_young()->accounts_count--;
    assert_true(ahead_is_long(&twin.ahead, since_ms));
    twin_young()->accounts_count = count;
    twin_young()->records = records;
}

static size_t pages_in_use(void)
{
    return environment_used_bytes(&twin.environment) / twin.environment.page_bytes;
}

/* It is what the room for a checkpoint is judged by. */
static void a_checkpoint_takes_no_more_pages_than_was_said(void **state)
{
    (void)state;
    static struct op ops[BATCH_OPS_MAX];
    const uint64_t at_rest = ahead_pages(&twin.ahead, 0);
    assert_in_range(at_rest, 1, 1200);
    for (uint32_t batch = 0; batch < 10; batch++) {
        for (uint32_t i = 0; i < BATCH_OPS_MAX; i++) {
            char key[KEY_BYTES_MAX + 1];
            snprintf(key, sizeof key, "%u-%057u", i * 7919 % 1000, batch * BATCH_OPS_MAX + i);
            ops[i] = entry_op(1 + i % 5, C, 1, batch % 2 ? key : NULL);
            ops[i].entry.description_bytes = 40;
        }
        size_t before = pages_in_use();
        uint64_t said = ahead_pages(&twin.ahead, BATCH_OPS_MAX);
        int reason;
        assert_int_equal(twin_book(ops, BATCH_OPS_MAX, &reason), AHEAD_DONE);
        assert_true(ahead_pages(&twin.ahead, 0) <= said);
        said = ahead_pages(&twin.ahead, 0);
        if (batch % 3 == 0)
            continue;
        twin_checkpoint();
        assert_true(pages_in_use() <= before + said);
        assert_int_equal(ahead_pages(&twin.ahead, 0), at_rest); /* it begins again */
    }
}

/* What is on its way, too, until it is there. */
static void both_generations_take_pages(void **state)
{
    (void)state;
    const uint64_t at_rest = ahead_pages(&twin.ahead, 0);
    for (int i = 0; i < 30; i++)
        book_one(1 + (uint32_t)i % 3, i % 2 ? NULL : (const char[]){'a', (char)('a' + i), 0});
    const uint64_t one = ahead_pages(&twin.ahead, 0);
    assert_true(one > at_rest);
    advance(true);
    assert_int_equal(ahead_pages(&twin.ahead, 0), one);
    book_one(1, "z");
    assert_true(ahead_pages(&twin.ahead, 0) > one);
    twin_checkpoint();
    assert_int_equal(ahead_pages(&twin.ahead, 0), at_rest);
}

static uint64_t pages_more(const struct op *op)
{
    static struct op ops[BATCH_OPS_MAX];
    int reason;
    uint64_t before = ahead_pages(&twin.ahead, 0);
    assert_true(ahead_pages(&twin.ahead, BATCH_OPS_MAX) >= before + BATCH_OPS_MAX);
    for (uint32_t i = 0; i < BATCH_OPS_MAX; i++) {
        ops[i] = *op;
        if (op->key_bytes > 0)
            snprintf(ops[i].key, sizeof ops[i].key, "%04u", i);
    }
    assert_int_equal(twin_book(ops, BATCH_OPS_MAX, &reason), AHEAD_DONE);
    return ahead_pages(&twin.ahead, 0) - before;
}

/* What each of them takes at least, were it alone on its page. */
static void records_keys_and_accounts_all_take_pages(void **state)
{
    (void)state;
    struct op first = entry_op(1, C, 1, NULL), other = entry_op(2, C, 1, NULL);
    struct op with_key = entry_op(1, C, 1, "1234");
    (void)pages_more(&first);
    uint64_t records = pages_more(&first);
    assert_true(records >= BATCH_OPS_MAX * JOURNAL_RECORD_BYTES_MAX / 4096);
    assert_true(pages_more(&other) > records);
    /* a key's, and those of one that is forgotten for it */
    assert_true(pages_more(&with_key) >= records + UINT64_C(5) * BATCH_OPS_MAX);
}

/* --- random histories ------------------------------------------------------------------------- */

enum { ROUNDS = 600, CLIENTS = 6, KEYS = 60 };

static struct op random_op(void)
{
    static const int64_t amounts[] = {1, 2, 5, 1000, 70000, 100000, 500000, CENTS_MAX};
    char text[16];
    uint32_t client = (uint32_t)random_between(1, CLIENTS);
    int64_t amount = amounts[random_between(0, random_between(0, 9) ? 4 : COUNT_OF(amounts) - 1)];
    if (random_between(0, 9) == 0)
        return limit_op(client, amounts[random_between(0, COUNT_OF(amounts) - 1)]);
    if (random_between(0, 19) == 0)
        return (struct op){.kind = OP_HEALTH, .outcome = OUTCOME_UNKNOWN};
    snprintf(text, sizeof text, "key-%d", (int)random_between(0, KEYS - 1));
    return entry_op(client, random_between(0, 1) ? C : D, amount,
                    random_between(0, 1) ? text : NULL);
}

static void expect_same_statement(uint32_t client)
{
    struct op op = {.kind = OP_STATEMENT, .client = client};
    struct committed committed = {0};
    struct view view;
    assert_int_equal(view_open(&view, &ledger.environment, &committed), MDB_SUCCESS);
    struct op plain = op;
    enum outcome outcome = view_statement(&view, &plain, 1);
    view_close(&view);
    assert_int_equal(view_statement(&twin.view, &op, 1), outcome);
    if (outcome != OUTCOME_OK)
        return;
    assert_true(op.account.balance_cents == plain.account.balance_cents);
    assert_true(op.account.limit_cents == plain.account.limit_cents);
    assert_int_equal(op.account.recent_count, plain.account.recent_count);
    for (uint32_t i = 0; i < op.account.recent_count; i++)
        assert_true(op.account.recent[i].time_us == plain.account.recent[i].time_us);
}

static void random_histories_with_crashes_are_those_of_a_plain_ledger(void **state)
{
    (void)state;
    static struct op ops[BATCH_OPS_MAX];
    unsigned crashes = 0, checkpoints = 0;
    random_begin();
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t count = (uint32_t)random_between(1, random_between(0, 19) ? 12 : BATCH_OPS_MAX);
        for (uint32_t i = 0; i < count; i++)
            ops[i] = random_op();
        ledger.now_us += (int64_t)random_between(0, 2000) - 500;
        if (random_between(0, 9) ==
            0) /* no key becomes a day old: when one is forgotten may differ */
            ledger.now_us += (int64_t)random_between(0, DAY_US / ROUNDS);
        both_book(ops, count);
        expect_same_statement((uint32_t)random_between(1, CLIENTS));
        if (random_between(0, 19) == 0) {
            checkpoints++;
            twin_checkpoint();
            expect_settled();
        }
        if (random_between(0, 9) == 0)
            advance(random_between(0, 1) == 0);
        if (random_between(0, 29) == 0) {
            crashes++;
            twin_reopen();
            expect_settled();
        }
    }
    twin_reopen();
    expect_settled();
    assert_true(crashes > 0 && checkpoints > 0);
    assert_int_equal(twin_audited().sequences, ledger_audited().sequences);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, twin_setup, twin_teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_was_booked_is_in_the_file_after_a_crash),
        TEST(before_a_checkpoint_the_file_has_nothing_and_the_readers_have_all),
        TEST(rejections_and_replays_write_nothing),
        TEST(a_lap_that_the_file_has_is_not_booked_again),
        TEST(a_log_that_was_closed_is_of_no_concern),
        TEST(batches_are_counted_with_those_that_others_committed),
        TEST(batches_are_counted_whichever_half_had_the_last),
        TEST(keys_that_are_past_their_time_are_forgotten_at_a_checkpoint),
        TEST(a_log_that_was_torn_gives_the_batches_before),
        TEST(a_process_that_is_killed_has_lost_nothing),
        TEST(batches_go_on_while_a_checkpoint_is_under_way),
        TEST(after_a_crash_beside_a_checkpoint_both_laps_are_booked),
        TEST(with_no_room_left_a_batch_waits_for_the_checkpoint),
        TEST(there_is_room_for_as_many_accounts_keys_and_blocks_as_there_is),
        TEST(it_is_time_after_a_while_or_when_the_next_batch_might_not_fit),
        TEST(a_checkpoint_takes_no_more_pages_than_was_said),
        TEST(both_generations_take_pages),
        TEST(records_keys_and_accounts_all_take_pages),
        TEST(random_histories_with_crashes_are_those_of_a_plain_ledger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
