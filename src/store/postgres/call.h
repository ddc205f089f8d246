/* SPDX-License-Identifier: MIT
 *
 * call.h - from ops to calls of the stored procedures, and from their results to answers.
 *
 * Purpose    A batch becomes one call for each client, carrying all of its entries in arrays: the group
 *            commit of SQL. What reads is one query for each statement, and one for all the rest.
 * Invariant  Calls come in the order of their clients' ids, whatever order the ops came in, so that
 *            banks that put several into one transaction lock rows in one order and never deadlock. Ops
 *            of one client keep their order.
 * Ownership  A call borrows a run of the batch; its result is the caller's to clear.
 * Threads    No shared state, but struct known.
 * Errors     call_send() returns false when libpq has no memory or no connection. An answer that makes no
 *            sense is OUTCOME_CORRUPT, or OUTCOME_UNKNOWN where it is committed already.
 * Not here   Waiting: exchange.h.
 */
#ifndef CREBITO_STORE_POSTGRES_CALL_H
#define CREBITO_STORE_POSTGRES_CALL_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "must_check.h"
#include "store/known.h"
#include "store/op.h"

enum call_kind {
    CALL_BOOK,
    CALL_OPEN,
    CALL_LIMIT,
    CALL_STATEMENT,
    CALL_CLIENTS,
    CALL_HEALTH,
    CALL_FORGET, /* old keys; answers no op, as the next two */
    CALL_LEARN,  /* which clients there are */
    CALL_HURRY,  /* what follows in this transaction waits for no lock */
};

struct call {
    enum call_kind kind;
    struct op **ops; /* [0, count) of one client, or such that nothing tells them apart */
    uint32_t count;
    int64_t age_us, now_us; /* CALL_FORGET: what is older than that, where this is the time */
    int32_t forget_max;     /* CALL_FORGET */
    PGresult *result;
};

/* Sorts the ops, and returns how many calls they make: at most as many as there are ops. All of them
 * change the ledger, or none does. */
uint32_t call_make(struct call *calls, struct op **ops, uint32_t count);

MUST_CHECK bool call_send(PGconn *conn, const struct call *call);

/* The call has its result, and is committed. */
void call_answer(const struct call *call, struct known *known);

/* Is it to change an account? */
static inline bool call_writes(const struct call *call)
{
    return call->kind == CALL_BOOK || call->kind == CALL_OPEN || call->kind == CALL_LIMIT;
}

/* Every op of it has this outcome. */
void call_end(const struct call *call, enum outcome outcome);

#endif
