/* SPDX-License-Identifier: MIT
 *
 * test_batch_damage.c - batches on a ledger that is damaged or full: what is wrong is told and
 * spreads no further; and many random batches against a model that is simple enough to trust.
 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failing_calls.h"
#include "ledger_fixture.h"

#define C ENTRY_CREDIT
#define D ENTRY_DEBIT

/* --- damage --------------------------------------------------------------------------------- */

struct bytes {
    uint8_t at[600];
    size_t count;
};

static struct bytes get(MDB_dbi table, const void *key, size_t key_bytes)
{
    struct bytes bytes = {.count = 0};
    MDB_txn *txn = ledger_begin();
    MDB_val k = {key_bytes, (void *)key}, value;
    assert_int_equal(mdb_get(txn, table, &k, &value), MDB_SUCCESS);
    assert_true(value.mv_size <= sizeof bytes.at);
    memcpy(bytes.at, value.mv_data, value.mv_size);
    bytes.count = value.mv_size;
    mdb_txn_abort(txn);
    return bytes;
}

static void put(MDB_dbi table, const void *key, size_t key_bytes, const struct bytes *bytes)
{
    MDB_txn *txn = ledger_begin();
    MDB_val k = {key_bytes, (void *)key}, value = {bytes->count, (void *)bytes->at};
    assert_int_equal(mdb_put(txn, table, &k, &value, 0), MDB_SUCCESS);
    assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);
}

/* One bit of a record flipped; what it was. */
static struct bytes damage(MDB_dbi table, const void *key, size_t key_bytes)
{
    struct bytes whole = get(table, key, key_bytes), damaged = whole;
    damaged.at[damaged.count / 2] ^= 0x10;
    put(table, key, key_bytes, &damaged);
    return whole;
}

static void a_damaged_account_is_refused_and_no_other(void **state)
{
    (void)state;
    uint8_t key[CLIENT_KEY_BYTES];
    client_key_encode(key, 2);
    struct bytes whole = damage(ledger.environment.accounts, key, sizeof key);
    struct op ops[] = {entry_op(1, C, 1, NULL), entry_op(2, C, 1, "k"), entry_op(3, C, 1, NULL),
                       entry_op(2, C, 1, NULL), entry_op(1, C, 1, NULL)};
    ledger_apply_ops(ops, COUNT_OF(ops));
    for (size_t i = 0; i < COUNT_OF(ops); i++)
        assert_int_equal(ops[i].outcome, ops[i].client == 2 ? OUTCOME_CORRUPT : OUTCOME_OK);
    put(ledger.environment.accounts, key, sizeof key, &whole);
    assert_int_equal(ledger_book(2, C, 1, "k"), OUTCOME_OK);
    assert_int_equal(ledger_audited().balance_cents[1], 2);
}

static void an_account_under_anothers_key_is_refused(void **state)
{
    (void)state;
    uint8_t one[CLIENT_KEY_BYTES], two[CLIENT_KEY_BYTES];
    client_key_encode(one, 1);
    client_key_encode(two, 2);
    struct bytes first = get(ledger.environment.accounts, one, sizeof one);
    struct bytes second = get(ledger.environment.accounts, two, sizeof two);
    put(ledger.environment.accounts, two, sizeof two, &first);
    assert_int_equal(ledger_book(2, C, 1, NULL), OUTCOME_CORRUPT);
    put(ledger.environment.accounts, two, sizeof two, &second);
}

static void a_key_whose_records_are_damaged_is_refused(void **state)
{
    (void)state;
    uint8_t key[IDEMPOTENCY_KEY_BYTES_MAX], journal_key[SEQUENCE_KEY_BYTES];
    size_t key_bytes = idempotency_key_encode(key, 1, "k", 1);
    assert_int_equal(ledger_book(1, C, 1, "k"), OUTCOME_OK);
    sequence_key_encode(journal_key, ledger.batch.last_sequence);

    struct bytes whole = damage(ledger.environment.keys, key, key_bytes);
    assert_int_equal(ledger_book(1, C, 1, "k"), OUTCOME_CORRUPT);
    put(ledger.environment.keys, key, key_bytes, &whole);

    whole = damage(ledger.environment.journal, journal_key, sizeof journal_key);
    assert_int_equal(ledger_book(1, C, 1, "k"), OUTCOME_CORRUPT);
    put(ledger.environment.journal, journal_key, sizeof journal_key, &whole);
    assert_int_equal(ledger_book(1, C, 1, "k"), OUTCOME_OK);
}

static void a_key_that_names_no_entry_of_its_client_is_refused(void **state)
{
    (void)state;
    uint8_t key[IDEMPOTENCY_KEY_BYTES_MAX];
    size_t key_bytes = idempotency_key_encode(key, 1, "k", 1);
    assert_int_equal(ledger_book(2, C, 1, NULL), OUTCOME_OK);
    uint64_t others = ledger.batch.last_sequence;
    struct op raised = limit_op(1, 200000);
    ledger_apply_ops(&raised, 1);
    uint64_t limit = ledger.batch.last_sequence;
    assert_int_equal(ledger_book(1, C, 1, "k"), OUTCOME_OK);
    struct bytes whole = get(ledger.environment.keys, key, key_bytes);
    /* Another client's, an opening, a change of the limit, and none at all. */
    const uint64_t wrong[] = {others, 1, limit, 0, others + 100};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct bytes other = {.count = 0};
        other.count = key_record_encode(other.at, key, key_bytes, wrong[i]);
        put(ledger.environment.keys, key, key_bytes, &other);
        assert_int_equal(ledger_book(1, C, 1, "k"), OUTCOME_CORRUPT);
    }
    put(ledger.environment.keys, key, key_bytes, &whole);
}

static void a_damaged_expiry_record_is_stepped_over_and_left(void **state)
{
    (void)state;
    uint8_t key[SEQUENCE_KEY_BYTES];
    assert_int_equal(ledger_book(1, C, 1, "j"), OUTCOME_OK);
    assert_int_equal(ledger_book(1, C, 1, "k"), OUTCOME_OK);
    sequence_key_encode(key, ledger.batch.last_sequence);
    assert_int_equal(ledger_book(1, C, 1, "l"), OUTCOME_OK);
    struct bytes whole = damage(ledger.environment.expiry, key, sizeof key);
    ledger.now_us += 2 * DAY_US;
    for (int i = 0; i < 3; i++)
        assert_int_equal(ledger_book(1, C, 1, i == 1 ? "m" : NULL), OUTCOME_OK);
    put(ledger.environment.expiry, key, sizeof key, &whole);
    assert_int_equal(ledger_audited().keys, 2); /* the one behind it was cleared as well */
    ledger_reopen();
    assert_int_equal(ledger_book(1, C, 1, NULL), OUTCOME_OK);
    assert_int_equal(ledger_audited().keys, 1);
}

static void a_key_that_is_gone_already_is_cleared_with_the_others(void **state)
{
    (void)state;
    uint8_t key[IDEMPOTENCY_KEY_BYTES_MAX];
    MDB_val name = {idempotency_key_encode(key, 1, "j", 1), key};
    assert_int_equal(ledger_book(1, C, 1, "j"), OUTCOME_OK);
    assert_int_equal(ledger_book(1, C, 1, "k"), OUTCOME_OK);
    MDB_txn *txn = ledger_begin();
    assert_int_equal(mdb_del(txn, ledger.environment.keys, &name, NULL), MDB_SUCCESS);
    assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);
    ledger.now_us += 2 * DAY_US;
    assert_int_equal(ledger_book(1, C, 1, NULL), OUTCOME_OK);
    assert_int_equal(ledger_audited().keys, 0);
}

/* A foreign key at one end of a table: it is nothing of ours. */
static void a_record_under_a_key_of_another_size_is_damage(void **state)
{
    (void)state;
    static struct batch fresh;
    const uint8_t low[3] = {0}, high[9] = {0xff};
    struct bytes any = {.count = 30};
    assert_int_equal(ledger_book(1, C, 1, "k"), OUTCOME_OK);
    put(ledger.environment.expiry, low, sizeof low, &any);
    put(ledger.environment.journal, high, sizeof high, &any);
    assert_int_equal(batch_open(&fresh, &ledger.environment, DAY_US), MDB_CORRUPTED);
    ledger.now_us += 2 * DAY_US;
    MDB_txn *txn = ledger_begin();
    MDB_val key = {sizeof high, (void *)high};
    assert_int_equal(mdb_del(txn, ledger.environment.journal, &key, NULL), MDB_SUCCESS);
    assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);
    assert_int_equal(ledger_book(1, C, 1, NULL), OUTCOME_OK);
    txn = ledger_begin();
    key = (MDB_val){sizeof low, (void *)low};
    assert_int_equal(mdb_del(txn, ledger.environment.expiry, &key, NULL), MDB_SUCCESS);
    assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);
    assert_int_equal(ledger_audited().keys, 0); /* the one behind it was cleared */
}

static void a_journal_whose_end_is_damaged_is_not_continued(void **state)
{
    (void)state;
    uint8_t key[SEQUENCE_KEY_BYTES];
    struct batch fresh;
    assert_int_equal(ledger_book(1, C, 1, NULL), OUTCOME_OK);
    sequence_key_encode(key, ledger.batch.last_sequence);
    struct bytes whole = damage(ledger.environment.journal, key, sizeof key);
    assert_int_equal(batch_open(&fresh, &ledger.environment, DAY_US), MDB_CORRUPTED);
    put(ledger.environment.journal, key, sizeof key, &whole);
}

/* --- a full map ----------------------------------------------------------------------------- */

static int try_batch(struct op *ops, uint32_t count)
{
    MDB_txn *txn = ledger_begin();
    int result = ledger_try(txn, ops, count);
    if (result != MDB_SUCCESS)
        mdb_txn_abort(txn);
    else
        result = mdb_txn_commit(txn);
    if (result != MDB_SUCCESS)
        batch_undo(&ledger.batch);
    return result;
}

static void a_batch_that_does_not_fit_the_map_leaves_the_ledger_as_it_was(void **state)
{
    (void)state;
    static struct op ops[BATCH_OPS_MAX];
    uint64_t booked = 0;
    unsigned batches = 0, full = 0;
    ledger_close();
    ledger_open(UINT64_C(512) * 1024);
    for (uint32_t size = BATCH_OPS_MAX; size > 0; size /= 4) {
        for (;;) {
            char key[32];
            snprintf(key, sizeof key, "%u-%u", batches++, size);
            for (uint32_t i = 0; i < size; i++)
                ops[i] = entry_op(1 + i % 3, C, 1, i == 0 ? key : NULL);
            int result = try_batch(ops, size);
            if (result != MDB_SUCCESS) {
                assert_int_equal(result, MDB_MAP_FULL);
                full++;
                break;
            }
            booked += size;
        }
        struct audit audit = ledger_audited();
        assert_int_equal(audit.entries, booked);
        assert_int_equal(audit.sequences, ledger.batch.last_sequence);
    }
    assert_int_equal(full, 5);
    /* With more room it goes on where it was. */
    ledger_reopen();
    assert_int_equal(ledger_book(1, C, 1, NULL), OUTCOME_OK);
    assert_int_equal(ledger_audited().entries, booked + 1);
}

/* --- LMDB's calls fail ---------------------------------------------------------------------- */

/* Whichever of its calls fails, a batch says so, and undone it has left nothing. */
static void a_batch_in_which_any_call_fails_leaves_the_ledger_as_it_was(void **state)
{
    (void)state;
    assert_int_equal(ledger_book(1, C, 1, "old"), OUTCOME_OK);
    assert_int_equal(ledger_book(1, C, 1, "older"), OUTCOME_OK);
    ledger.now_us += 2 * DAY_US;
    ledger.keys_behind_us = 2 * DAY_US;
    assert_int_equal(ledger_book(1, C, 1, "new"), OUTCOME_OK);
    ledger.keys_behind_us = 0; /* the first two are past their time */
    struct audit before = ledger_audited();
    for (unsigned calls = 0;; calls++) {
        struct op ops[] = {open_op(7, 10, 0), entry_op(7, D, 10, "k"), entry_op(1, C, 1, "new"),
                           limit_op(2, 5),    entry_op(2, D, 5, NULL), entry_op(6, C, 1, NULL)};
        MDB_txn *txn = ledger_begin();
        fail_one("mdb_", calls, EIO);
        int result = ledger_try(txn, ops, COUNT_OF(ops));
        if (!fail_none()) {
            assert_int_equal(result, MDB_SUCCESS);
            assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);
            assert_in_range(calls, 20, 200);
            break;
        }
        assert_int_equal(result, EIO);
        mdb_txn_abort(txn);
        batch_undo(&ledger.batch);
        struct audit after = ledger_audited();
        assert_int_equal(after.sequences, before.sequences);
        assert_int_equal(after.keys, before.keys);
        assert_int_equal(ledger.batch.last_sequence, before.sequences);
    }
    struct audit after = ledger_audited();
    assert_int_equal(after.sequences, before.sequences + 4);
    assert_int_equal(after.keys, 2); /* the old ones are gone */
    assert_false(ledger.batch.expiry_damaged);
}

static void a_journal_that_cannot_be_read_is_not_continued(void **state)
{
    (void)state;
    static struct batch fresh;
    for (unsigned calls = 0;; calls++) {
        fail_one("mdb_", calls, EIO);
        int result = batch_open(&fresh, &ledger.environment, DAY_US);
        if (!fail_none()) {
            assert_int_equal(result, MDB_SUCCESS);
            assert_int_equal(calls, 3);
            break;
        }
        assert_int_equal(result, EIO);
        assert_int_equal(fresh.last_sequence, 0);
    }
}

/* A page of theirs is wrong. Then no later batch looks at them. */
static void old_keys_that_cannot_be_cleared_are_left_alone_from_then_on(void **state)
{
    (void)state;
    static const char *const calls[] = {"mdb_cursor_open", "mdb_cursor_get", "mdb_cursor_del",
                                        "mdb_del"};
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        struct op op = entry_op(1, C, 1, "k");
        op.key[0] = (char)('a' + i);
        ledger.batch.expiry_damaged = false;
        ledger_apply_ops(&op, 1);
        ledger.now_us += 2 * DAY_US;
        MDB_txn *txn = ledger_begin();
        op = entry_op(2, C, 1, NULL);
        fail_one(calls[i], 0, MDB_CORRUPTED);
        assert_int_equal(ledger_try(txn, &op, 1), MDB_CORRUPTED);
        assert_true(fail_none());
        mdb_txn_abort(txn);
        batch_undo(&ledger.batch);
        assert_true(ledger.batch.expiry_damaged);
        fail_all(calls[i], 0, MDB_CORRUPTED);
        assert_int_equal(ledger_book(2, C, 1, NULL), OUTCOME_OK);
        assert_false(fail_none());
        assert_int_equal(ledger_audited().keys, 1);
    }
}

/* Want of room is no damage. */
static void old_keys_for_which_there_is_no_room_are_cleared_later(void **state)
{
    (void)state;
    static const int reasons[] = {MDB_MAP_FULL, MDB_TXN_FULL, ENOSPC};
    assert_int_equal(ledger_book(1, C, 1, "k"), OUTCOME_OK);
    ledger.now_us += 2 * DAY_US;
    for (size_t i = 0; i < COUNT_OF(reasons); i++) {
        struct op op = entry_op(2, C, 1, NULL);
        MDB_txn *txn = ledger_begin();
        fail_one("mdb_cursor_del", 0, reasons[i]);
        assert_int_equal(ledger_try(txn, &op, 1), reasons[i]);
        assert_true(fail_none());
        mdb_txn_abort(txn);
        batch_undo(&ledger.batch);
        assert_false(ledger.batch.expiry_damaged);
    }
    assert_int_equal(ledger_book(2, C, 1, NULL), OUTCOME_OK);
    assert_int_equal(ledger_audited().keys, 0);
}

/* --- random batches against a model --------------------------------------------------------- */

enum { MODEL_CLIENTS = 7, MODEL_KEYS = 40, MODEL_BATCHES = 400 };

struct model {
    struct account accounts[MODEL_CLIENTS];
    struct {
        bool used;
        struct op first;
    } keys[MODEL_CLIENTS][MODEL_KEYS];
    uint64_t entries;
};

static void model_begin(struct model *model)
{
    memset(model, 0, sizeof *model);
    static const int64_t limits[] = {0, 100000, 80000, 1000000, 0, 500000};
    for (uint32_t client = 1; client <= LEDGER_OPENINGS; client++)
        model->accounts[client] = (struct account){.client = client, .limit_cents = limits[client]};
    model->accounts[4].balance_cents = CENTS_MAX - 10;
    model->accounts[5].balance_cents = -7;
}

/* What `op` should come to, in *ret. */
static void model_apply(struct model *model, const struct op *op, int key, struct op *ret)
{
    struct account *account = &model->accounts[op->client];
    struct op *first = key < 0 ? NULL : &model->keys[op->client][key].first;
    *ret = *op;
    ret->replayed = false;
    if (op->kind == OP_OPEN) {
        ret->outcome = account->client == 0 ? OUTCOME_OK : OUTCOME_CLIENT_EXISTS;
        if (account->client == 0)
            *account = (struct account){.client = op->client,
                                        .limit_cents = op->limit_cents,
                                        .balance_cents = op->balance_cents};
    } else if (account->client == 0) {
        ret->outcome = OUTCOME_NO_CLIENT;
    } else if (op->kind == OP_LIMIT) {
        bool covered = -account->balance_cents <= op->limit_cents;
        ret->outcome = covered ? OUTCOME_OK : OUTCOME_LIMIT_EXCEEDED;
        ret->balance_cents = account->balance_cents;
        if (covered)
            account->limit_cents = op->limit_cents;
    } else if (first && model->keys[op->client][key].used) {
        bool same = entry_same_request(&first->entry, &op->entry);
        if (same)
            *ret = *first;
        ret->replayed = same;
        ret->outcome = same ? OUTCOME_OK : OUTCOME_KEY_REUSED;
    } else {
        ret->outcome = ledger_apply(account, &op->entry);
        ret->balance_cents = account->balance_cents;
        ret->limit_cents = account->limit_cents;
        model->entries += ret->outcome == OUTCOME_OK;
        if (ret->outcome == OUTCOME_OK && first) {
            model->keys[op->client][key].used = true;
            *first = *ret;
        }
    }
}

static struct op random_op(int *ret_key)
{
    static const int64_t amounts[] = {1, 2, 5, 1000, 70000, 100000, 500000, CENTS_MAX};
    char text[16];
    uint32_t client = (uint32_t)random_between(1, MODEL_CLIENTS - 1);
    *ret_key = -1;
    if (random_between(0, 19) == 0)
        return limit_op(client, amounts[random_between(0, COUNT_OF(amounts) - 1)]);
    if (random_between(0, 199) == 0)
        return open_op(client, 1000, -(int64_t)random_between(0, 1000));
    *ret_key = random_between(0, 1) ? (int)random_between(0, MODEL_KEYS - 1) : -1;
    snprintf(text, sizeof text, "key-%d", *ret_key);
    return entry_op(client, random_between(0, 1) ? C : D,
                    amounts[random_between(0, random_between(0, 9) ? 4 : COUNT_OF(amounts) - 1)],
                    *ret_key < 0 ? NULL : text);
}

static void random_batches_agree_with_a_model(void **state)
{
    (void)state;
    static struct model model, before;
    static struct op ops[BATCH_OPS_MAX], expected[BATCH_OPS_MAX];
    model_begin(&model);
    random_begin();
    for (int round = 0; round < MODEL_BATCHES; round++) {
        uint32_t count = (uint32_t)random_between(1, random_between(0, 9) ? 20 : BATCH_OPS_MAX);
        before = model;
        for (uint32_t i = 0; i < count; i++) {
            int key;
            ops[i] = random_op(&key);
            model_apply(&model, &ops[i], key, &expected[i]);
        }
        ledger.now_us += (int64_t)random_between(0, 2000) - 500;
        if (random_between(0, 9) == 0) { /* thrown away */
            MDB_txn *txn = ledger_begin();
            assert_int_equal(ledger_try(txn, ops, count), MDB_SUCCESS);
            mdb_txn_abort(txn);
            batch_undo(&ledger.batch);
            model = before;
        } else {
            ledger_apply_ops(ops, count);
        }
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(ops[i].outcome, expected[i].outcome);
            assert_int_equal(ops[i].replayed, expected[i].replayed);
            if (ops[i].outcome == OUTCOME_OK) {
                assert_true(ops[i].balance_cents == expected[i].balance_cents);
                assert_true(ops[i].limit_cents == expected[i].limit_cents);
            }
        }
        if (random_between(0, 19) == 0)
            ledger_reopen();
    }
    struct audit audit = ledger_audited();
    assert_int_equal(audit.entries, model.entries);
    for (uint32_t client = 1; client < MODEL_CLIENTS; client++)
        assert_true(audit.balance_cents[client] == model.accounts[client].balance_cents);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, ledger_setup, ledger_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_damaged_account_is_refused_and_no_other),
        TEST(an_account_under_anothers_key_is_refused),
        TEST(a_key_whose_records_are_damaged_is_refused),
        TEST(a_key_that_names_no_entry_of_its_client_is_refused),
        TEST(a_damaged_expiry_record_is_stepped_over_and_left),
        TEST(a_key_that_is_gone_already_is_cleared_with_the_others),
        TEST(a_record_under_a_key_of_another_size_is_damage),
        TEST(a_journal_whose_end_is_damaged_is_not_continued),
        TEST(a_batch_that_does_not_fit_the_map_leaves_the_ledger_as_it_was),
        TEST(a_batch_in_which_any_call_fails_leaves_the_ledger_as_it_was),
        TEST(a_journal_that_cannot_be_read_is_not_continued),
        TEST(old_keys_that_cannot_be_cleared_are_left_alone_from_then_on),
        TEST(old_keys_for_which_there_is_no_room_are_cleared_later),
        TEST(random_batches_agree_with_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
