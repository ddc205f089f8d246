/* SPDX-License-Identifier: MIT
 *
 * fake_store.h - a store that does what a test tells it to: the store_* functions of store.h for
 * the connection's tests, which link it in place of the real one.
 */
#ifndef CREBITO_TESTS_UNIT_FAKE_STORE_H
#define CREBITO_TESTS_UNIT_FAKE_STORE_H

#include "store/store.h"

enum { FAKE_CLIENTS = 5, FAKE_KEYS_MAX = 8, FAKE_WAITING_MAX = 64, FAKE_OP_KINDS = OP_HEALTH + 1 };

struct fake_store {
    /* What the test sets. */
    bool later[FAKE_OP_KINDS]; /* ops of this kind wait for fake_answer_next() */
    enum outcome outcome;      /* of every op that would be OUTCOME_OK otherwise */

    /* What the test may look at. */
    unsigned submitted[FAKE_OP_KINDS];
    struct op *waiting[FAKE_WAITING_MAX]; /* oldest first */
    unsigned waiting_count;
    struct account accounts[FAKE_CLIENTS + 1];

    struct {
        struct op op;
    } keys[FAKE_KEYS_MAX];
    unsigned keys_count;
    int64_t time_us;
};

extern struct fake_store fake;

/* The challenge's five clients, and times that begin anew. */
void fake_reset(void);

/* Answers the op that waits longest, and returns it. */
struct op *fake_answer_next(void);

#endif
