/* SPDX-License-Identifier: MIT
 *
 * ledger_fixture.c - see ledger_fixture.h.
 */
#include "ledger_fixture.h"

#include <sys/stat.h>
#include <unistd.h>

#include "store/lmdb/replay.h"
#include "unit.h"

struct ledger ledger;

void ledger_open(uint64_t map_bytes)
{
    char error[300];
    if (environment_open(&ledger.environment, ledger.path, map_bytes, MDB_NOSYNC, error,
                         sizeof error) != ENVIRONMENT_OPEN)
        FAIL("%s", error);
    assert_int_equal(batch_open(&ledger.batch, &ledger.environment, DAY_US), MDB_SUCCESS);
}

void own_what_is_used(const struct environment *environment)
{
    int fd;
    struct stat status;
    uint64_t used = environment_used_bytes(environment);
    assert_int_equal(mdb_env_get_fd(environment->env, &fd), MDB_SUCCESS);
    assert_int_equal(fstat(fd, &status), 0);
    if ((uint64_t)status.st_size < used)
        assert_int_equal(ftruncate(fd, (off_t)used), 0);
}

void ledger_close(void)
{
    own_what_is_used(&ledger.environment);
    environment_close(&ledger.environment);
    ledger.environment.env = NULL;
}

void ledger_reopen(void)
{
    ledger_close();
    ledger_open(LEDGER_MAP);
}

int ledger_setup(void **state)
{
    static const struct opening openings[LEDGER_OPENINGS] = {
        {1, 100000, 0}, {2, 80000, 0}, {3, 1000000, 0}, {4, 0, CENTS_MAX - 10}, {5, 500000, -7},
    };
    char error[300];
    (void)state;
    ledger.now_us = LEDGER_START_US;
    ledger.keys_behind_us = 0;
    temporary_make(ledger.path);
    if (!folder_take(&ledger.folder, ledger.path, error, sizeof error) ||
        !replay_openings(&ledger.folder, ledger.path, LEDGER_MAP, openings, LEDGER_OPENINGS,
                         ledger.now_us, error, sizeof error))
        return -1;
    ledger_open(LEDGER_MAP);
    return 0;
}

int ledger_teardown(void **state)
{
    (void)state;
    if (ledger.environment.env) {
        (void)ledger_audited();
        ledger_close();
    }
    folder_release(&ledger.folder);
    temporary_remove(ledger.path);
    return 0;
}

struct audit ledger_audited(void)
{
    struct audit audit;
    audit_environment(&audit, &ledger.environment);
    return audit;
}

MDB_txn *ledger_begin(void)
{
    MDB_txn *txn;
    assert_int_equal(mdb_txn_begin(ledger.environment.env, NULL, 0, &txn), MDB_SUCCESS);
    return txn;
}

int ledger_try(MDB_txn *txn, struct op *ops, uint32_t count)
{
    struct op *pointers[BATCH_OPS_MAX];
    for (uint32_t i = 0; i < count; i++)
        pointers[i] = &ops[i];
    return batch_apply(&ledger.batch, txn, pointers, count, ledger.now_us,
                       ledger.now_us - ledger.keys_behind_us);
}

void ledger_apply_ops(struct op *ops, uint32_t count)
{
    MDB_txn *txn = ledger_begin();
    assert_int_equal(ledger_try(txn, ops, count), MDB_SUCCESS);
    if (batch_changed(&ledger.batch))
        assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);
    else
        mdb_txn_abort(txn);
}

enum outcome ledger_book(uint32_t client, enum entry_kind kind, int64_t cents, const char *key)
{
    struct op op = entry_op(client, kind, cents, key);
    ledger_apply_ops(&op, 1);
    return op.outcome;
}
