/* SPDX-License-Identifier: MIT
 *
 * worker_fixture.h - two workers of a store on the server of fake_exchange.h, and a batch for one of
 * them.
 */
#ifndef CREBITO_TESTS_UNIT_WORKER_FIXTURE_H
#define CREBITO_TESTS_UNIT_WORKER_FIXTURE_H

#include "fake_exchange.h"

enum { WORKERS = 2 };

extern struct workers workers;
extern struct worker worker[WORKERS];
extern struct op ops[BATCH_OPS_MAX];

int worker_setup(void **state);
int worker_teardown(
    void **state); /* fails if a connection was used, or anything kept, as it must not be */

/* The worker commits these: as fake_exchange.sent writes them down, one op each; with k it has a key:
 * "B1 B1k O3 L1 S1 C2 H". They are ops[0 ..]. */
void commit_by(struct worker *by, const char *words);
void commit(const char *words); /* by worker[0] */

/* Their outcomes, a letter each: + OK, ? UNKNOWN, - DOWN, b BUSY, n NO_CLIENT, c CORRUPT, s NO_SPACE. */
void expect_outcomes(const char *letters);

/* Connects worker[0], and forgets what was sent for that. */
void connect_first(void);

#endif
