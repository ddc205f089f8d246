/* SPDX-License-Identifier: MIT
 *
 * op_pool.h - the ops of a server, allocated once.
 *
 * Purpose    An op outlives its connection when the client leaves or its deadline passes; so ops
 *            live here and not in connections.
 * Invariant  An op is either free or taken; size is the most that can be taken at once.
 * Ownership  The pool owns the memory; op_pool_free() when none is taken or the store is closed.
 * Threads    One, the event loop's.
 * Errors     NULL when all are taken.
 * Not here   What is in an op.
 */
#ifndef CREBITO_HTTP_OP_POOL_H
#define CREBITO_HTTP_OP_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "must_check.h"
#include "store/op.h"

struct op_pool {
    struct op *ops;  /* [0, touched) used before | [touched, size) memory not touched yet */
    struct op *free; /* linked through next; most recently used first, for the cache's sake */
    uint32_t touched, size;
};

MUST_CHECK bool op_pool_init(struct op_pool *pool, uint32_t size);
void op_pool_free(struct op_pool *pool);

/* The op's state is OP_IDLE; the rest of it is whatever it was. */
struct op *op_pool_take(struct op_pool *pool);
void op_pool_give_back(struct op_pool *pool, struct op *op);

#endif
