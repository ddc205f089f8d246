/* SPDX-License-Identifier: MIT
 *
 * ledger_fixture.h - a ledger in a temporary folder, one batch at a time, for the batch's tests.
 */
#ifndef CREBITO_TESTS_UNIT_LEDGER_FIXTURE_H
#define CREBITO_TESTS_UNIT_LEDGER_FIXTURE_H

#include "ledger_audit.h"
#include "store/lmdb/batch.h"

#define DAY_US          INT64_C(86400000000)
#define LEDGER_START_US INT64_C(1705458881000000)
#define LEDGER_MAP      (UINT64_C(64) << 20)

/* Clients, limits, balances: 1: 100000, 0. 2: 80000, 0. 3: 1000000, 0. 4: 0, CENTS_MAX - 10.
 * 5: 500000, -7. */
enum { LEDGER_OPENINGS = 5 };

struct ledger {
    char path[FOLDER_BYTES_MAX];
    struct folder folder;
    struct environment environment;
    struct batch batch;
    int64_t now_us;
    int64_t keys_behind_us; /* by how much the clock of keys is behind now_us */
};

extern struct ledger ledger;

int ledger_setup(void **state);
int ledger_teardown(void **state); /* audits, unless the ledger was closed */
void ledger_open(uint64_t map_bytes);
/* Pages that LMDB has taken and not written may stand at the end: a bank reserves them (commit.c), and
 * without them the file counts as cut short. */
void own_what_is_used(const struct environment *environment);
void ledger_close(void);
void ledger_reopen(void);

struct audit ledger_audited(void);

MDB_txn *ledger_begin(void);
/* Applies a batch, and leaves the transaction to the test. */
int ledger_try(MDB_txn *txn, struct op *ops, uint32_t count);
/* One batch; committed if it changed anything. */
void ledger_apply_ops(struct op *ops, uint32_t count);
/* A batch of one entry; its outcome. */
enum outcome ledger_book(uint32_t client, enum entry_kind kind, int64_t cents, const char *key);

#endif
