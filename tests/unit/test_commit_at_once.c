/* SPDX-License-Identifier: MIT
 *
 * test_commit_at_once.c - batches that are booked without waiting for anything: which those are, and that any
 * other is left as if it had not been tried.
 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "commit_fixture.h"
#include "failing_calls.h"
#include "flush_gate.h"

#define C ENTRY_CREDIT
#define D ENTRY_DEBIT

static bool at_once(struct op *ops, uint32_t count)
{
    struct op *pointers[BATCH_OPS_MAX];
    for (uint32_t i = 0; i < count; i++)
        pointers[i] = &ops[i];
    return commit_at_once(&commit, pointers, count);
}

static bool book_at_once(uint32_t client)
{
    struct op op = entry_op(client, C, 1, NULL);
    bool booked = at_once(&op, 1);
    assert_true(!booked || op.outcome == OUTCOME_OK);
    return booked;
}

static void expect_left(uint32_t client)
{
    int64_t balance = balance_seen(client);
    uint64_t last = commit.batch.last_sequence;
    assert_false(book_at_once(client));
    assert_int_equal(balance_seen(client), balance);
    assert_int_equal(commit.batch.last_sequence, last);
}

/* --- what is ---------------------------------------------------------------------------------- */

static void what_comes_after_the_first_is_booked_and_seen_and_survives(void **state)
{
    (void)state;
    struct op ops[] = {entry_op(1, C, 10, "k"), entry_op(1, C, 10, "k"), entry_op(2, D, 1, NULL)};
    expect_left(1); /* the first is for who will have to make the checkpoint */
    book(1);
    const size_t txn = last_txn();
    for (int64_t i = 2; i < 100; i++) {
        assert_true(book_at_once(1));
        assert_int_equal(balance_seen(1), i);
    }
    assert_true(at_once(ops, 3));
    assert_int_equal(ops[0].outcome, OUTCOME_OK);
    assert_true(ops[1].replayed);
    assert_int_equal(ops[2].balance_cents, -1);
    struct op too_much = entry_op(1, D, 1000000,
                                  NULL); /* a client's limit is a thousand times less */
    assert_true(at_once(&too_much, 1));
    assert_int_equal(too_much.outcome, OUTCOME_LIMIT_EXCEEDED);
    assert_int_equal(last_txn(), txn);
    reopen(0);
    assert_int_equal(balance_seen(1), 109);
    assert_int_equal(balance_seen(2), -1);
}

static void beside_a_checkpoint_it_goes_on(void **state)
{
    (void)state;
    assert_int_equal(mdb_env_set_flags(ledger.environment.env, MDB_NOSYNC, 0), MDB_SUCCESS);
    book(1);
    close_gate();
    assert_true(commit_settle(&commit, true));
    wait_at_gate();
    assert_true(book_at_once(1));
    ahead.since_ms -= 10000; /* the next one is due, and cannot begin */
    assert_true(book_at_once(1));
    open_gate();
    settle(true);
    assert_int_equal(balance_seen(1), 3);
}

/* --- what is not ------------------------------------------------------------------------------ */

static void not_when_a_checkpoint_is_due(void **state)
{
    (void)state;
    book(1);
    assert_true(book_at_once(1));
    ahead.since_ms -= 10000;
    expect_left(1);
    assert_true(commit_settle(&commit, false)); /* it has begun */
    settle(true);
    expect_left(1);
}

static void not_without_room_in_memory(void **state)
{
    (void)state;
    static struct op ops[BATCH_OPS_MAX];
    book(1);
    recent_young(&ahead.recent)->keys_count += RECENT_KEYS_MAX - BATCH_OPS_MAX + 1;
    for (uint32_t i = 0; i < BATCH_OPS_MAX; i++)
        ops[i] = entry_op(1, C, 1, NULL);
    assert_false(at_once(ops, BATCH_OPS_MAX));
    recent_young(&ahead.recent)->keys_count -= RECENT_KEYS_MAX - BATCH_OPS_MAX + 1;
    assert_true(at_once(ops, BATCH_OPS_MAX));
    assert_int_equal(balance_seen(1), 1 + BATCH_OPS_MAX);
}

static void not_without_room_in_the_log_while_the_other_half_is_busy(void **state)
{
    (void)state;
    book(1);
    uint64_t *at = &ahead.wals[ahead.recent.young].at, before = *at;
    ahead.is_checkpointing = true; /* as if one were under way, so that none is due */
    *at = WAL_BYTES;
    expect_left(1);
    *at = before;
    assert_true(book_at_once(1));
    ahead.is_checkpointing = false;
}

static void not_what_opens_accounts_or_asks(void **state)
{
    (void)state;
    book(1);
    struct op others[] = {
        {.kind = OP_OPEN, .client = 77, .limit_cents = 5},
        {.kind = OP_SETTLE},
        {.kind = OP_HEALTH},
    };
    for (int i = 0; i < 3; i++) {
        struct op ops[] = {entry_op(1, C, 1, NULL), others[i]};
        assert_false(at_once(ops, 2));
        assert_false(at_once(&others[i], 1));
    }
    struct op limit = {.kind = OP_LIMIT, .client = 1, .limit_cents = 3};
    assert_true(at_once(&limit, 1));
    assert_int_equal(limit.outcome, OUTCOME_OK);
    assert_int_equal(balance_seen(1), 1);
}

static void not_while_it_does_not_serve(void **state)
{
    (void)state;
    book(1);
    serving_no_room(&serving, "a test");
    expect_left(1);
    atomic_store(&serving.refused_ms, 0);
    book(1); /* finds out that there is room */
    book(1);
    assert_true(book_at_once(1));
    serving_down(&serving, "a test");
    expect_left(1);
}

static void not_after_a_checkpoint_that_failed(void **state)
{
    (void)state;
    book(1);
    ahead.has_failed = true;
    expect_left(1);
    ahead.has_failed = false;
    assert_true(book_at_once(1));
}

static void what_the_disk_has_no_room_for_is_left_and_booked_later(void **state)
{
    (void)state;
    book(1);
    fail_all("pwrite", 0, ENOSPC);
    expect_left(1);
    assert_true(fail_none());
    assert_true(book_at_once(1));
    assert_int_equal(balance_seen(1), 2);
    reopen(0);
    assert_int_equal(balance_seen(1), 2);
}

static void not_into_a_file_that_has_been_deleted(void **state)
{
    (void)state;
    char name[FOLDER_BYTES_MAX + 20];
    book(1);
    assert_true(book_at_once(1));
    snprintf(name, sizeof name, "%s/" FOLDER_DATA, ledger.path);
    assert_int_equal(unlink(name), 0);
    expect_left(1);
}

static void not_without_a_log(void **state)
{
    (void)state;
    book(1);
    commit.ahead = NULL;
    struct op op = entry_op(1, C, 1, NULL);
    assert_false(at_once(&op, 1));
    commit.ahead = &ahead;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, commit_setup, commit_teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_comes_after_the_first_is_booked_and_seen_and_survives),
        TEST(beside_a_checkpoint_it_goes_on),
        TEST(not_when_a_checkpoint_is_due),
        TEST(not_without_room_in_memory),
        TEST(not_without_room_in_the_log_while_the_other_half_is_busy),
        TEST(not_what_opens_accounts_or_asks),
        TEST(not_while_it_does_not_serve),
        TEST(not_after_a_checkpoint_that_failed),
        TEST(what_the_disk_has_no_room_for_is_left_and_booked_later),
        TEST(not_into_a_file_that_has_been_deleted),
        TEST(not_without_a_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
