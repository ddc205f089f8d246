/* SPDX-License-Identifier: MIT
 *
 * guest_fixture.h - a guest with ops to ask, and an owner that is played by hand and keeps to no rule.
 */
#ifndef CREBITO_TESTS_UNIT_GUEST_FIXTURE_H
#define CREBITO_TESTS_UNIT_GUEST_FIXTURE_H

#include "store/lmdb/guest.h"
#include "store/lmdb/op_wire.h"

enum { GUEST_OPS = 1000 };

#define UNTOUCHED ((enum outcome)77)

extern struct guest guest;
extern struct port port;
extern struct queue queue;
extern struct known known;
extern struct op ops[GUEST_OPS];
extern pthread_t listener;
extern int played_owner; /* the other end of the link; -1: it has closed */

int guest_setup(void **state);
int guest_teardown(void **state);
void link_played(void);
void begin_to_listen(void); /* on a thread, until the link ends */

/* Submitted, and not handed over. Who is who can be told by the amount, or the client: its place in ops, and 1. */
void stage_ops(uint32_t from, uint32_t count, struct op kind);

/* The committer's part. */
void fill_batch(struct op **batch, uint32_t from, uint32_t count, struct op kind);
uint32_t ask_ops(uint32_t from, uint32_t count, struct op kind);
/* What guest_ask() has left to its caller goes back unanswered. */
void give_back(uint32_t from, uint32_t count);
uint32_t take_lost(void); /* how many */

void expect_outcome(uint32_t from, uint32_t count, enum outcome outcome);
void expect_own_answers(uint32_t from, uint32_t count); /* those of owner_answers() */
void expect_waiting(uint32_t from, uint32_t count);

/* The question's number; which op it is, is filled in. */
uint32_t owner_hears(struct op *ret);
void owner_hears_the_end(void);
size_t answer_to(uint8_t *frame, struct op op, uint32_t number);
void owner_answers(struct op op, uint32_t number);
void owner_serves(void); /* one */
void owner_closes(void);

#endif
