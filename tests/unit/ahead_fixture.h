/* SPDX-License-Identifier: MIT
 *
 * ahead_fixture.h - two ledgers that begin alike: `ledger` (ledger_fixture.h), which is booked with
 * a commit for each batch, and one that is booked ahead, and may crash.
 */
#ifndef CREBITO_TESTS_UNIT_AHEAD_FIXTURE_H
#define CREBITO_TESTS_UNIT_AHEAD_FIXTURE_H

#include "ledger_fixture.h"
#include "store/lmdb/ahead.h"

struct twin {
    char path[FOLDER_BYTES_MAX];
    struct folder folder;
    struct environment environment;
    struct batch batch;
    struct committed committed;
    struct view view;
    struct ahead ahead;
    char error[300];
};

extern struct twin twin;

int twin_setup(void **state);
int twin_teardown(void **state);

/* Of its folder only, or with a log and all; twin.error says why not. */
void twin_open_environment(uint64_t map_bytes);
bool twin_try_open(void);
void twin_open(void);
/* As if the process had been killed: what is in memory alone is gone. */
void twin_crash(void);
/* And somebody opens it again. Then `ledger` is opened anew as well. */
void twin_reopen(void);

/* The same batch to both; they must agree. */
void both_book(const struct op *ops, uint32_t count);
/* An entry by itself, to both; `key` may be NULL. */
extern uint64_t booked; /* what has been acknowledged so, as the journal's last number */
void book(uint32_t client, const char *key);
void begin_with_some_booked(void);
/* After a checkpoint the twin has what was booked, and nothing else. */
void expect_undone(void);
/* To the twin alone. */
enum ahead_end twin_book(struct op *ops, uint32_t count, int *ret_reason);

/* It succeeds. */
void twin_checkpoint(void);

/* The half of the log, and the generation, that the next batch goes to. */
struct wal *twin_wal(void);
struct generation *twin_young(void);

/* Every record of every table, byte by byte, as the two files have them. */
void expect_same_files(void);
struct audit twin_audited(void);
size_t twin_last_txn(void);

/* data.mdb or the log, as it is now, and back to that. */
void keep_file(const char *name);
void put_file_back(const char *name);

#endif
