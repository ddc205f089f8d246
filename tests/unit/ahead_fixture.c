/* SPDX-License-Identifier: MIT
 *
 * ahead_fixture.c - see ahead_fixture.h.
 */
#include "ahead_fixture.h"

#include <stdio.h>
#include <string.h>

#include "store/lmdb/replay.h"
#include "unit.h"

struct twin twin;

void twin_open_environment(uint64_t map_bytes)
{
    if (environment_open(&twin.environment, twin.path, map_bytes, MDB_NOSYNC, twin.error,
                         sizeof twin.error) != ENVIRONMENT_OPEN)
        FAIL("%s", twin.error);
    assert_int_equal(batch_open(&twin.batch, &twin.environment, DAY_US), MDB_SUCCESS);
    memset(&twin.committed, 0, sizeof twin.committed);
    memset(&twin.ahead, 0, sizeof twin.ahead);
    twin.ahead.environment = &twin.environment;
    twin.ahead.committed = &twin.committed;
    twin.ahead.batch = &twin.batch;
}

bool twin_try_open(void)
{
    if (!ahead_open(&twin.ahead, &twin.folder, false, twin.error, sizeof twin.error))
        return false;
    twin.committed.recent = &twin.ahead.recent;
    assert_int_equal(view_open(&twin.view, &twin.environment, &twin.committed), MDB_SUCCESS);
    return true;
}

void twin_open(void)
{
    twin_open_environment(LEDGER_MAP);
    if (twin_try_open())
        return;
    environment_close(&twin.environment);
    twin.environment.env = NULL; /* nothing for the teardown */
    FAIL("%s", twin.error);
}

void twin_crash(void)
{
    view_close(&twin.view);
    ahead_close(&twin.ahead, false);
    own_what_is_used(&twin.environment);
    environment_close(&twin.environment);
    twin.environment.env = NULL;
}

void twin_reopen(void)
{
    twin_crash();
    twin_open();
    ledger_reopen();
}

int twin_setup(void **state)
{
    static const struct opening openings[LEDGER_OPENINGS] = {
        {1, 100000, 0}, {2, 80000, 0}, {3, 1000000, 0}, {4, 0, CENTS_MAX - 10}, {5, 500000, -7},
    };
    if (ledger_setup(state) != 0)
        return -1;
    temporary_make(twin.path);
    if (!folder_take(&twin.folder, twin.path, twin.error, sizeof twin.error) ||
        !replay_openings(&twin.folder, twin.path, LEDGER_MAP, openings, LEDGER_OPENINGS,
                         ledger.now_us, twin.error, sizeof twin.error))
        return -1;
    twin_open();
    return 0;
}

int twin_teardown(void **state)
{
    if (twin.environment.env)
        twin_crash();
    folder_release(&twin.folder);
    temporary_remove(twin.path);
    return ledger_teardown(state);
}

/* --- booking ---------------------------------------------------------------------------------- */

void twin_checkpoint(void)
{
    int reason;
    assert_int_equal(ahead_checkpoint(&twin.ahead, &reason), AHEAD_DONE);
}

struct wal *twin_wal(void)
{
    return &twin.ahead.wals[twin.ahead.recent.young];
}

struct generation *twin_young(void)
{
    return recent_young(&twin.ahead.recent);
}

uint64_t booked;

void book(uint32_t client, const char *key)
{
    struct op op = entry_op(client, ENTRY_CREDIT, 1, key);
    both_book(&op, 1);
    booked = twin.batch.last_sequence;
}

void begin_with_some_booked(void)
{
    book(1, "old");
    book(2, NULL);
    book(1, "old");
}

void expect_undone(void)
{
    twin_checkpoint();
    assert_false(ahead_has_any(&twin.ahead));
    assert_int_equal(twin_young()->accounts_count, 0);
    assert_int_equal(twin.batch.last_sequence, booked);
    assert_int_equal(twin_audited().sequences, booked);
    expect_same_files();
}

enum ahead_end twin_book(struct op *ops, uint32_t count, int *ret_reason)
{
    struct op *pointers[BATCH_OPS_MAX];
    for (uint32_t i = 0; i < count; i++)
        pointers[i] = &ops[i];
    return ahead_book(&twin.ahead, pointers, count, ledger.now_us,
                      ledger.now_us - ledger.keys_behind_us, ret_reason);
}

static void expect_same_answer(const struct op *one, const struct op *other)
{
    assert_int_equal(one->outcome, other->outcome);
    if (one->outcome != OUTCOME_OK)
        return;
    assert_int_equal(one->replayed, other->replayed);
    assert_true(one->balance_cents == other->balance_cents);
    assert_true(one->limit_cents == other->limit_cents);
    assert_true(one->kind != OP_ENTRY || one->replayed ||
                one->entry.time_us == other->entry.time_us);
}

void both_book(const struct op *ops, uint32_t count)
{
    static struct op plain[BATCH_OPS_MAX], ahead[BATCH_OPS_MAX];
    int reason = 0;
    memcpy(plain, ops, count * sizeof ops[0]);
    memcpy(ahead, ops, count * sizeof ops[0]);
    if (!ahead_has_room(&twin.ahead, count))
        twin_checkpoint();
    ledger_apply_ops(plain, count);
    enum ahead_end end = twin_book(ahead, count, &reason);
    assert_int_equal(end, AHEAD_DONE);
    for (uint32_t i = 0; i < count; i++)
        expect_same_answer(&plain[i], &ahead[i]);
}

/* --- what the files have ---------------------------------------------------------------------- */

static MDB_cursor *cursor_on(const struct environment *environment, MDB_dbi table)
{
    MDB_txn *txn;
    MDB_cursor *cursor;
    assert_int_equal(mdb_txn_begin(environment->env, NULL, MDB_RDONLY, &txn), MDB_SUCCESS);
    assert_int_equal(mdb_cursor_open(txn, table, &cursor), MDB_SUCCESS);
    return cursor;
}

static void end_cursor(MDB_cursor *cursor)
{
    MDB_txn *txn = mdb_cursor_txn(cursor);
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
}

static void expect_same_table(MDB_dbi plain, MDB_dbi ahead)
{
    MDB_cursor *one = cursor_on(&ledger.environment, plain);
    MDB_cursor *other = cursor_on(&twin.environment, ahead);
    MDB_val key, value, other_key, other_value;
    for (;;) {
        int result = mdb_cursor_get(one, &key, &value, MDB_NEXT);
        assert_int_equal(mdb_cursor_get(other, &other_key, &other_value, MDB_NEXT), result);
        if (result != MDB_SUCCESS)
            break;
        assert_int_equal(key.mv_size, other_key.mv_size);
        assert_memory_equal(key.mv_data, other_key.mv_data, key.mv_size);
        assert_int_equal(value.mv_size, other_value.mv_size);
        assert_memory_equal(value.mv_data, other_value.mv_data, value.mv_size);
    }
    end_cursor(one);
    end_cursor(other);
}

void expect_same_files(void)
{
    const struct environment *one = &ledger.environment, *other = &twin.environment;
    expect_same_table(one->journal, other->journal);
    expect_same_table(one->accounts, other->accounts);
    expect_same_table(one->keys, other->keys);
    expect_same_table(one->expiry, other->expiry);
    expect_same_table(one->meta, other->meta);
}

struct audit twin_audited(void)
{
    struct audit audit;
    audit_environment(&audit, &twin.environment);
    return audit;
}

size_t twin_last_txn(void)
{
    MDB_envinfo info;
    assert_int_equal(mdb_env_info(twin.environment.env, &info), MDB_SUCCESS);
    return info.me_last_txnid;
}

static void copy_file(const char *from, const char *to)
{
    static char bytes[1 << 16];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "r+b"); /* in place, where it is open */
    size_t count;
    if (!out)
        out = fopen(to, "wb");
    assert_true(in && out);
    while ((count = fread(bytes, 1, sizeof bytes, in)) > 0)
        assert_int_equal(fwrite(bytes, 1, count, out), count);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

/* Beside the folder, in which no other file may be. */
static void move_bytes(const char *name, bool back)
{
    char inside[FOLDER_BYTES_MAX + 20], beside[FOLDER_BYTES_MAX + 20];
    snprintf(inside, sizeof inside, "%s/%s", twin.path, name);
    snprintf(beside, sizeof beside, "%s.%s", twin.path, name);
    copy_file(back ? beside : inside, back ? inside : beside);
}

void keep_file(const char *name)
{
    move_bytes(name, false);
}

void put_file_back(const char *name)
{
    move_bytes(name, true);
}
