/* SPDX-License-Identifier: MIT
 *
 * commit_fixture.c - see commit_fixture.h.
 */
#include "commit_fixture.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

struct serving serving;
struct committed committed;
struct view view;
struct commit commit;
struct ahead ahead;

static void begin(void)
{
    char error[300];
    int data_fd;
    memset(&serving, 0, sizeof serving);
    memset(&committed, 0, sizeof committed);
    memset(&commit, 0, sizeof commit);
    memset(&ahead, 0, sizeof ahead);
    serving.path = ledger.path;
    commit.environment = &ledger.environment;
    commit.committed = &committed;
    commit.serving = &serving;
    assert_int_equal(batch_open(&commit.batch, &ledger.environment, DAY_US), MDB_SUCCESS);
    ahead.environment = &ledger.environment;
    ahead.committed = &committed;
    ahead.batch = &commit.batch;
    if (!ahead_open(&ahead, &ledger.folder, false, error, sizeof error))
        FAIL("%s", error);
    committed.recent = &ahead.recent;
    commit.ahead = &ahead;
    assert_int_equal(mdb_env_get_fd(ledger.environment.env, &data_fd), MDB_SUCCESS);
    assert_int_equal(view_open(&view, &ledger.environment, &committed), MDB_SUCCESS);
    commit.space = (struct space){.fd = data_fd, .capacity_bytes = ledger.environment.map_bytes};
    commit_begin(&commit);
}

static void end(void)
{
    view_close(&view);
    ahead_close(&ahead, false); /* what is not in the file is in the log alone */
}

int commit_setup(void **state)
{
    if (ledger_setup(state) != 0)
        return -1;
    begin();
    return 0;
}

int commit_teardown(void **state)
{
    end();
    return ledger_teardown(state);
}

void reopen(uint64_t map_bytes)
{
    end();
    ledger_close();
    ledger_open(map_bytes);
    begin();
}

void run(struct op *ops, uint32_t count)
{
    struct op *pointers[BATCH_OPS_MAX];
    for (uint32_t i = 0; i < count; i++) {
        pointers[i] = &ops[i];
        ops[i].outcome = (enum outcome) - 1;
    }
    commit_ops(&commit, pointers, count);
}

enum outcome run_one(struct op op)
{
    run(&op, 1);
    return op.outcome;
}

void book(uint32_t client)
{
    assert_int_equal(run_one(entry_op(client, ENTRY_CREDIT, 1, NULL)), OUTCOME_OK);
}

/* As long as there is something to be done, as the committer would. */
void settle(bool idle)
{
    while (commit_settle(&commit, idle))
        continue;
}

size_t last_txn(void)
{
    MDB_envinfo info;
    assert_int_equal(mdb_env_info(ledger.environment.env, &info), MDB_SUCCESS);
    return info.me_last_txnid;
}

int64_t balance_seen(uint32_t client)
{
    struct op statement = {.kind = OP_STATEMENT, .client = client};
    assert_int_equal(view_statement(&view, &statement, 1), OUTCOME_OK);
    return statement.account.balance_cents;
}
