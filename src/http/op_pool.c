/* SPDX-License-Identifier: MIT
 *
 * op_pool.c - see op_pool.h.
 */
#include "http/op_pool.h"

#include <assert.h>
#include <stdlib.h>

bool op_pool_init(struct op_pool *pool, uint32_t size)
{
    *pool = (struct op_pool){.size = size, .ops = calloc(size, sizeof *pool->ops)};
    return pool->ops != NULL;
}

void op_pool_free(struct op_pool *pool)
{
    free(pool->ops);
}

struct op *op_pool_take(struct op_pool *pool)
{
    struct op *op = pool->free;
    if (op)
        pool->free = op->next;
    else if (pool->touched < pool->size)
        op = &pool->ops[pool->touched++];
    return op;
}

void op_pool_give_back(struct op_pool *pool, struct op *op)
{
    assert(op->state == OP_IDLE);
    op->context = NULL;
    op->next = pool->free;
    pool->free = op;
}
