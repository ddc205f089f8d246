/* SPDX-License-Identifier: MIT
 *
 * test_batch.c - what batches do to the ledger. Every test ends with a walk over all records.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger_fixture.h"

#define C ENTRY_CREDIT
#define D ENTRY_DEBIT

enum { EXPIRED_PER_BATCH = 32 };

static void a_new_ledger_holds_its_openings(void **state)
{
    (void)state;
    struct audit audit = ledger_audited();
    assert_int_equal(audit.sequences, LEDGER_OPENINGS);
    assert_int_equal(audit.entries, 0);
    assert_true(audit.last_time_us == LEDGER_START_US);
    assert_true(audit.balance_cents[4] == CENTS_MAX - 10);
    assert_int_equal(audit.balance_cents[5], -7);
    assert_int_equal(ledger.batch.last_sequence, LEDGER_OPENINGS);
    assert_true(ledger.batch.last_time_us == LEDGER_START_US);
}

static void an_entry_is_in_the_journal_and_in_its_account(void **state)
{
    (void)state;
    struct op op = entry_op(1, D, 700, NULL);
    op.replayed = true; /* left from an earlier use */
    ledger_apply_ops(&op, 1);
    assert_int_equal(op.outcome, OUTCOME_OK);
    assert_false(op.replayed);
    assert_int_equal(op.limit_cents, 100000);
    assert_int_equal(op.balance_cents, -700);
    struct audit audit = ledger_audited();
    assert_int_equal(audit.sequences, LEDGER_OPENINGS + 1);
    assert_int_equal(audit.balance_cents[1], -700);
    assert_int_equal(audit.keys, 0);
}

static void the_ops_of_a_batch_take_effect_in_their_order(void **state)
{
    (void)state;
    struct op ops[] = {
        entry_op(2, D, 80000, NULL),  entry_op(2, D, 1, NULL),          entry_op(2, C, 5, NULL),
        entry_op(1, D, 100001, NULL), entry_op(2, D, 6, NULL),          entry_op(2, D, 5, NULL),
        entry_op(4, C, 11, NULL),     entry_op(4, C, 10, NULL),         entry_op(4, C, 1, NULL),
        entry_op(6, C, 1, NULL),      entry_op(CLIENT_MAX, C, 1, NULL),
    };
    static const struct {
        enum outcome outcome;
        int64_t balance;
    } expected[] = {
        {OUTCOME_OK, -80000},        {OUTCOME_LIMIT_EXCEEDED, 0}, {OUTCOME_OK, -79995},
        {OUTCOME_LIMIT_EXCEEDED, 0}, {OUTCOME_LIMIT_EXCEEDED, 0}, {OUTCOME_OK, -80000},
        {OUTCOME_BALANCE_MAX, 0},    {OUTCOME_OK, CENTS_MAX},     {OUTCOME_BALANCE_MAX, 0},
        {OUTCOME_NO_CLIENT, 0},      {OUTCOME_NO_CLIENT, 0},
    };
    ledger_apply_ops(ops, COUNT_OF(ops));
    for (size_t i = 0; i < COUNT_OF(ops); i++) {
        assert_int_equal(ops[i].outcome, expected[i].outcome);
        if (ops[i].outcome == OUTCOME_OK)
            assert_true(ops[i].balance_cents == expected[i].balance);
    }
    assert_int_equal(ledger_audited().entries, 4);
}

static void a_batch_of_rejections_changes_nothing(void **state)
{
    (void)state;
    struct op ops[] = {entry_op(1, D, 100001, "a"), entry_op(6, C, 1, "b"),
                       entry_op(4, C, 11, NULL)};
    ledger_apply_ops(ops, COUNT_OF(ops));
    assert_false(batch_changed(&ledger.batch));
    struct audit audit = ledger_audited();
    assert_int_equal(audit.sequences, LEDGER_OPENINGS);
    assert_int_equal(audit.keys, 0);
}

static void ops_of_other_kinds_are_left_alone(void **state)
{
    (void)state;
    struct op ops[] = {entry_op(1, C, 1, NULL), {.kind = OP_HEALTH, .outcome = OUTCOME_UNKNOWN}};
    ledger_apply_ops(ops, COUNT_OF(ops));
    assert_int_equal(ops[0].outcome, OUTCOME_OK);
    assert_int_equal(ops[1].outcome, OUTCOME_UNKNOWN);
}

static void a_batch_of_256_unknown_clients_ends(void **state)
{
    (void)state;
    static struct op ops[BATCH_OPS_MAX];
    for (uint32_t i = 0; i < BATCH_OPS_MAX; i++)
        ops[i] = entry_op(1000 + i * BATCH_SLOTS, C, 1, NULL); /* all with one hash */
    ledger_apply_ops(ops, BATCH_OPS_MAX);
    for (uint32_t i = 0; i < BATCH_OPS_MAX; i++)
        assert_int_equal(ops[i].outcome, OUTCOME_NO_CLIENT);
}

/* --- keys ----------------------------------------------------------------------------------- */

static void a_repeated_key_gets_the_first_answer_and_books_nothing(void **state)
{
    (void)state;
    assert_int_equal(ledger_book(1, D, 10, "k"), OUTCOME_OK);
    assert_int_equal(ledger_book(1, D, 5, NULL), OUTCOME_OK);
    for (int i = 0; i < 3; i++) {
        struct op again = entry_op(1, D, 10, "k");
        if (i == 2)
            ledger_reopen();
        ledger_apply_ops(&again, 1);
        assert_int_equal(again.outcome, OUTCOME_OK);
        assert_true(again.replayed);
        assert_int_equal(again.balance_cents, -10);
        assert_int_equal(again.limit_cents, 100000);
    }
    struct audit audit = ledger_audited();
    assert_int_equal(audit.entries, 2);
    assert_int_equal(audit.balance_cents[1], -15);
    assert_int_equal(audit.keys, 1);
}

static void a_key_repeated_within_a_batch_is_booked_once(void **state)
{
    (void)state;
    struct op ops[] = {entry_op(1, D, 10, "k"), entry_op(1, C, 1, NULL), entry_op(1, D, 10, "k"),
                       entry_op(1, D, 11, "k"), entry_op(2, D, 10, "k"), entry_op(1, D, 10, "K")};
    static const bool replayed[] = {false, false, true, false, false, false};
    ledger_apply_ops(ops, COUNT_OF(ops));
    for (size_t i = 0; i < COUNT_OF(ops); i++) {
        assert_int_equal(ops[i].outcome, i == 3 ? OUTCOME_KEY_REUSED : OUTCOME_OK);
        assert_int_equal(ops[i].replayed, replayed[i]);
    }
    assert_int_equal(ops[2].balance_cents, -10);
    struct audit audit = ledger_audited();
    assert_int_equal(audit.balance_cents[1], -19);
    assert_int_equal(audit.balance_cents[2], -10);
    assert_int_equal(audit.keys, 3);
}

static void a_key_used_for_another_payload_is_refused(void **state)
{
    (void)state;
    assert_int_equal(ledger_book(1, D, 10, "k"), OUTCOME_OK);
    struct op others[] = {entry_op(1, D, 9, "k"), entry_op(1, C, 10, "k"), entry_op(1, D, 10, "k"),
                          entry_op(1, D, 10, "k")};
    others[2].entry.description[3] = 'T';
    others[3].entry.description_bytes = 3;
    ledger_apply_ops(others, COUNT_OF(others));
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_int_equal(others[i].outcome, OUTCOME_KEY_REUSED);
    /* It is judged before the limit. */
    assert_int_equal(ledger_book(1, D, 1000000, "k"), OUTCOME_KEY_REUSED);
    assert_int_equal(ledger_audited().entries, 1);
}

static void a_rejected_entry_leaves_its_key_free(void **state)
{
    (void)state;
    assert_int_equal(ledger_book(1, D, 100001, "k"), OUTCOME_LIMIT_EXCEEDED);
    assert_int_equal(ledger_audited().keys, 0);
    assert_int_equal(ledger_book(1, C, 1, NULL), OUTCOME_OK);
    struct op again = entry_op(1, D, 100001, "k");
    ledger_apply_ops(&again, 1);
    assert_int_equal(again.outcome, OUTCOME_OK);
    assert_false(again.replayed);
}

static void keys_of_every_length_are_told_apart(void **state)
{
    (void)state;
    char key[KEY_BYTES_MAX + 1];
    memset(key, 'k', sizeof key);
    for (size_t bytes = 1; bytes <= KEY_BYTES_MAX; bytes++) {
        key[bytes] = '\0';
        assert_int_equal(ledger_book(3, D, (int64_t)bytes, key), OUTCOME_OK);
        key[bytes] = 'k';
    }
    assert_int_equal(ledger_audited().keys, KEY_BYTES_MAX);
}

/* --- the passing of time -------------------------------------------------------------------- */

static void times_are_the_clocks_and_rise_within_a_batch(void **state)
{
    (void)state;
    struct op ops[] = {entry_op(1, C, 1, NULL), entry_op(2, C, 1, NULL), entry_op(1, C, 1, NULL)};
    ledger.now_us = LEDGER_START_US + 5000;
    ledger_apply_ops(ops, COUNT_OF(ops));
    for (int i = 0; i < 3; i++)
        assert_true(ops[i].entry.time_us == ledger.now_us + i);
}

static void times_rise_also_when_the_clock_stands_still_or_steps_back(void **state)
{
    (void)state;
    static const int64_t clock[] = {0, 0, -1, -DAY_US, 5, -1000000, 3};
    int64_t last = LEDGER_START_US;
    for (size_t i = 0; i < COUNT_OF(clock); i++) {
        struct op ops[] = {entry_op(1, C, 1, NULL), entry_op(1, C, 1, NULL)};
        ledger.now_us = LEDGER_START_US + clock[i];
        if (i % 2)
            ledger_reopen(); /* the journal's end is where it was */
        ledger_apply_ops(ops, COUNT_OF(ops));
        assert_true(ops[0].entry.time_us > last && ops[1].entry.time_us > ops[0].entry.time_us);
        assert_true(ops[0].entry.time_us <= last + 6);
        last = ops[1].entry.time_us;
    }
    assert_true(ledger_audited().last_time_us == last);
}

static void a_key_is_kept_for_its_time_and_then_cleared(void **state)
{
    (void)state;
    assert_int_equal(ledger_book(1, D, 10, "k"), OUTCOME_OK);
    int64_t booked = ledger_audited().last_time_us;
    ledger.now_us = booked + DAY_US - 1;
    assert_int_equal(ledger_book(2, C, 1, NULL), OUTCOME_OK);
    assert_int_equal(ledger_audited().keys, 1);
    assert_int_equal(ledger_book(1, D, 11, "k"), OUTCOME_KEY_REUSED);
    ledger.now_us = booked + DAY_US;
    assert_int_equal(ledger_book(2, C, 1, NULL), OUTCOME_OK);
    assert_int_equal(ledger_audited().keys, 0);
    /* It is anybody's again, with its whole time before it. */
    struct op again = entry_op(1, D, 11, "k");
    ledger_apply_ops(&again, 1);
    assert_int_equal(again.outcome, OUTCOME_OK);
    assert_false(again.replayed);
    ledger.now_us += DAY_US - 1;
    assert_int_equal(ledger_book(1, D, 11, "k"), OUTCOME_OK);
    assert_int_equal(ledger_audited().entries, 4);
}

static void a_key_booked_after_all_others_were_cleared_has_its_time_too(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        assert_int_equal(ledger_book(1, D, 10, "k"), OUTCOME_OK);
        assert_int_equal(ledger_audited().keys, 1);
        ledger.now_us += 2 * DAY_US;
        assert_int_equal(ledger_book(2, C, 1, NULL), OUTCOME_OK);
        assert_int_equal(ledger_audited().keys, 0);
    }
}

static void a_clock_that_is_set_forward_clears_no_key(void **state)
{
    (void)state;
    assert_int_equal(ledger_book(1, D, 10, "k"), OUTCOME_OK);
    ledger.now_us += 30 * DAY_US;
    ledger.keys_behind_us = 30 * DAY_US;
    assert_int_equal(ledger_book(2, C, 1, NULL), OUTCOME_OK);
    assert_int_equal(ledger_audited().keys, 1);
    assert_int_equal(ledger_book(1, D, 11, "k"), OUTCOME_KEY_REUSED);
    ledger.keys_behind_us = 28 * DAY_US;
    assert_int_equal(ledger_book(2, C, 1, NULL), OUTCOME_OK);
    assert_int_equal(ledger_audited().keys, 0);
}

static void keys_are_cleared_a_bounded_number_at_a_time_oldest_first(void **state)
{
    (void)state;
    enum { KEYS = 100 };
    for (int i = 0; i < KEYS; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        ledger.now_us += 1000;
        assert_int_equal(ledger_book(3, C, 1, key), OUTCOME_OK);
    }
    ledger.now_us += 2 * DAY_US;
    uint64_t left = KEYS;
    for (int round = 0; left > 0; round++) {
        assert_in_range(round, 0, 10);
        if (round == 1)
            ledger_reopen();
        assert_int_equal(ledger_book(2, C, 1, NULL), OUTCOME_OK);
        uint64_t keys = ledger_audited().keys;
        assert_in_range(left - keys, 1, EXPIRED_PER_BATCH + 1);
        left = keys;
        if (round == 0) { /* the oldest are gone, the newest are not */
            struct op first = entry_op(3, C, 1, "k0"), last = entry_op(3, C, 1, "k99");
            ledger_apply_ops(&last, 1);
            assert_true(last.replayed);
            ledger_apply_ops(&first, 1);
            assert_false(first.replayed);
            left = ledger_audited().keys;
            ledger.now_us += 2 * DAY_US;
        }
    }
}

static void keys_of_different_ages_go_one_after_the_other(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        ledger.now_us += INT64_C(3600000000);
        assert_int_equal(ledger_book(3, C, 1, key), OUTCOME_OK);
    }
    int64_t last = ledger.now_us;
    for (int i = 9; i >= 0; i--) {
        ledger.now_us = last + DAY_US - INT64_C(3600000000) * i;
        assert_int_equal(ledger_book(2, C, 1, NULL), OUTCOME_OK);
        assert_int_equal(ledger_audited().keys, i);
    }
}

static void more_keys_are_cleared_than_are_added(void **state)
{
    (void)state;
    static struct op ops[BATCH_OPS_MAX];
    char key[32];
    for (int round = 0; round < 6; round++) {
        for (int i = 0; i < BATCH_OPS_MAX; i++) {
            snprintf(key, sizeof key, "r%d-%d", round, i);
            ops[i] = entry_op(3, C, 1, key);
        }
        ledger_apply_ops(ops, BATCH_OPS_MAX);
        ledger.now_us += 2 * DAY_US; /* each round's keys are past their time in the next */
    }
    assert_int_equal(ledger_audited().keys, BATCH_OPS_MAX);
}

/* --- batches that are not committed --------------------------------------------------------- */

static void what_is_not_committed_is_not_seen(void **state)
{
    (void)state;
    struct op op = entry_op(1, D, 10, "k");
    MDB_txn *txn = ledger_begin();
    assert_int_equal(ledger_try(txn, &op, 1), MDB_SUCCESS);
    struct audit audit = ledger_audited(); /* a snapshot beside it */
    assert_int_equal(audit.balance_cents[1], 0);
    assert_int_equal(audit.sequences, LEDGER_OPENINGS);
    assert_int_equal(audit.keys, 0);
    assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);
    audit = ledger_audited();
    assert_int_equal(audit.balance_cents[1], -10);
    assert_int_equal(audit.keys, 1);
}

static void after_an_undone_batch_the_next_begins_where_it_did(void **state)
{
    (void)state;
    assert_int_equal(ledger_book(1, D, 1, "before"), OUTCOME_OK);
    for (int round = 0; round < 3; round++) {
        struct op ops[] = {entry_op(1, D, 10, "k"), entry_op(2, C, 7, "before"),
                           entry_op(1, D, 10, "k")};
        MDB_txn *txn = ledger_begin();
        ledger.now_us += 1000000;
        assert_int_equal(ledger_try(txn, ops, COUNT_OF(ops)), MDB_SUCCESS);
        ledger.now_us -= 1000000;
        mdb_txn_abort(txn);
        batch_undo(&ledger.batch);
        assert_int_equal(ledger.batch.last_sequence, LEDGER_OPENINGS + 1);
        assert_int_equal(ledger_audited().sequences, LEDGER_OPENINGS + 1);
    }
    struct op op = entry_op(1, D, 10, "k");
    ledger_apply_ops(&op, 1);
    assert_int_equal(op.outcome, OUTCOME_OK);
    assert_false(op.replayed);
    assert_int_equal(op.balance_cents, -11);
    assert_true(op.entry.time_us < ledger.now_us + 1000);
    assert_int_equal(ledger_audited().sequences, LEDGER_OPENINGS + 2);
}

static void an_undone_clearing_of_keys_is_made_again(void **state)
{
    (void)state;
    assert_int_equal(ledger_book(1, D, 10, "k"), OUTCOME_OK);
    ledger.now_us += 2 * DAY_US;
    struct op op = entry_op(1, C, 1, NULL);
    MDB_txn *txn = ledger_begin();
    assert_int_equal(ledger_try(txn, &op, 1), MDB_SUCCESS);
    mdb_txn_abort(txn);
    batch_undo(&ledger.batch);
    assert_int_equal(ledger_audited().keys, 1);
    assert_int_equal(ledger_book(1, C, 1, NULL), OUTCOME_OK);
    assert_int_equal(ledger_audited().keys, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, ledger_setup, ledger_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_new_ledger_holds_its_openings),
        TEST(an_entry_is_in_the_journal_and_in_its_account),
        TEST(the_ops_of_a_batch_take_effect_in_their_order),
        TEST(a_batch_of_rejections_changes_nothing),
        TEST(ops_of_other_kinds_are_left_alone),
        TEST(a_batch_of_256_unknown_clients_ends),
        TEST(a_repeated_key_gets_the_first_answer_and_books_nothing),
        TEST(a_key_repeated_within_a_batch_is_booked_once),
        TEST(a_key_used_for_another_payload_is_refused),
        TEST(a_rejected_entry_leaves_its_key_free),
        TEST(keys_of_every_length_are_told_apart),
        TEST(times_are_the_clocks_and_rise_within_a_batch),
        TEST(times_rise_also_when_the_clock_stands_still_or_steps_back),
        TEST(a_key_is_kept_for_its_time_and_then_cleared),
        TEST(a_key_booked_after_all_others_were_cleared_has_its_time_too),
        TEST(a_clock_that_is_set_forward_clears_no_key),
        TEST(keys_are_cleared_a_bounded_number_at_a_time_oldest_first),
        TEST(keys_of_different_ages_go_one_after_the_other),
        TEST(more_keys_are_cleared_than_are_added),
        TEST(what_is_not_committed_is_not_seen),
        TEST(after_an_undone_batch_the_next_begins_where_it_did),
        TEST(an_undone_clearing_of_keys_is_made_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
