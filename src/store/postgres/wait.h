/* SPDX-License-Identifier: MIT
 *
 * wait.h - waiting for a server, and for no longer than that.
 *
 * Purpose    What libpq's own PQexec() lacks: a deadline.
 * Invariant  Returns at its deadline at the latest, whatever the server does.
 * Ownership  Borrows the connection; results are the caller's.
 * Threads    Any; a connection belongs to one.
 * Errors     False, NULL: the connection is of no more use.
 * Not here   What is asked.
 */
#ifndef CREBITO_STORE_POSTGRES_WAIT_H
#define CREBITO_STORE_POSTGRES_WAIT_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "must_check.h"

/* Of a clock that is never set. */
int64_t wait_clock_ms(void);

/* Sends what is left to send, until PQgetResult() can be called without waiting. */
MUST_CHECK bool wait_for_result(PGconn *conn, int64_t deadline_ms);

/* Takes all that comes back for what was sent outside a pipeline, and returns the last of it. `sent`:
 * what PQsendQuery() or PQsendPrepare() returned. */
MUST_CHECK PGresult *wait_for_last(PGconn *conn, int sent, int64_t deadline_ms);

#endif
