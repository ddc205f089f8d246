/* SPDX-License-Identifier: MIT
 *
 * exchange.h - calls to the server and back, as one transaction.
 *
 * Purpose    Send some calls at once, with one synchronization behind them (a pipeline, the manual's
 *            34.5), which makes them one implicit transaction; wait for all that comes back.
 * Invariant  EXCHANGE_DONE: every call has its result, and the server has said that they are
 *            committed. EXCHANGE_REFUSED: it has said that they are rolled back.
 *            EXCHANGE_UNSENT: nothing has happened. EXCHANGE_LOST: it may have happened or not. After
 *            these two the connection is of no more use.
 * Ownership  Results are the caller's, also after a refusal: exchange_clear().
 * Threads    One for each connection.
 * Errors     An end; struct refusal says what the server said.
 * Not here   What the calls are, what becomes of their ops.
 */
#ifndef CREBITO_STORE_POSTGRES_EXCHANGE_H
#define CREBITO_STORE_POSTGRES_EXCHANGE_H

#include <libpq-fe.h>
#include <stdint.h>

#include "must_check.h"
#include "store/postgres/call.h"

enum exchange_end {
    EXCHANGE_DONE,
    EXCHANGE_REFUSED,
    EXCHANGE_UNSENT,
    EXCHANGE_LOST,
};

struct refusal {
    uint32_t call;   /* which one; their number: the commit itself */
    char state[6];   /* SQLSTATE; empty if there is none */
    char words[300]; /* one line */
};

/* Is the connection of some use? One whose server has gone away meanwhile is not. */
MUST_CHECK bool exchange_possible(PGconn *conn);

MUST_CHECK enum exchange_end exchange(PGconn *conn, struct call *calls, uint32_t count,
                                      int timeout_ms, struct refusal *ret);

void exchange_clear(struct call *calls, uint32_t count);

#endif
