/* SPDX-License-Identifier: MIT
 *
 * commit_fixture.h - a ledger of ledger_fixture.h with a log, and what commits to it.
 */
#ifndef CREBITO_TESTS_UNIT_COMMIT_FIXTURE_H
#define CREBITO_TESTS_UNIT_COMMIT_FIXTURE_H

#include "ledger_fixture.h"
#include "store/lmdb/commit.h"

extern struct serving serving;
extern struct committed committed;
extern struct view view;
extern struct commit commit;
extern struct ahead ahead;

int commit_setup(void **state);
int commit_teardown(void **state);
void reopen(uint64_t map_bytes); /* after a crash */

void run(struct op *ops, uint32_t count);
enum outcome run_one(struct op op);
void book(uint32_t client);
void settle(bool idle); /* as long as there is something to be done, as the committer would */

size_t last_txn(void); /* of the file */
int64_t balance_seen(uint32_t client);

#endif
