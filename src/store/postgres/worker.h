/* SPDX-License-Identifier: MIT
 *
 * worker.h - one lane's connection, and what becomes of its batches.
 *
 * Purpose    Answer every op of a batch, whatever the server does: connect when there is something to
 *            do, and again when the connection is lost, with growing pauses in between.
 *            A client whose row somebody else keeps locked is taken aside, so that it makes the others
 *            wait once and not each time.
 * Invariant  OUTCOME_UNKNOWN: the calls were sent, and the server has not said what became of them. For
 *            every other outcome but OUTCOME_OK it has said that they are rolled back, or they were
 *            never sent. What only reads is never unknown: it is asked again, once.
 * Ownership  Owns its connection; borrows struct workers, which all of a store share.
 * Threads    A worker belongs to its lane's committer; worker_troubled() is for any.
 * Errors     Outcomes. That the server is gone, or back, is logged once for all workers.
 * Not here   Which op goes to which worker: postgres_store.c.
 */
#ifndef CREBITO_STORE_POSTGRES_WORKER_H
#define CREBITO_STORE_POSTGRES_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "must_check.h"
#include "store/known.h"
#include "store/postgres/call.h"
#include "store/postgres/session.h"
#include "store/url.h"

enum { HELD_MAX = 32 };

struct worker {
    struct workers *all;
    PGconn *conn; /* NULL: none */
    struct call calls[BATCH_OPS_MAX];
    int64_t retry_at_ms; /* no connection is tried before */
    int64_t pause_ms;    /* after the next failure */
    char told[500];      /* why it was refused a connection, as the log says; empty: it was not */
    uint32_t held[HELD_MAX]; /* clients whose last call ran out of time; 0: none */
    uint32_t held_next;      /* the place that is used next */
    uint32_t keyed;          /* entries with a key since old ones were last forgotten */
    int64_t forgot_ms;
    int64_t complained_ms;
    _Atomic int64_t since_ms;    /* when the present batch began; 0 between batches */
    _Atomic int64_t troubled_ms; /* when the server last failed it; 0: it works */
};

struct workers {
    struct session_options session;
    char place[URL_SHOWN_BYTES]; /* for the log */
    int64_t key_retention_us;
    int64_t opened_us, opened_ms; /* when the server was first met: its clock, and a steady one */
    struct known known;
    _Atomic bool away; /* the server, and the log says so */
    struct worker *each;
    uint32_t count;
};

/* A first connection. SESSION_ABSENT: it may work later. */
MUST_CHECK enum session_end worker_connect(struct worker *worker, char *error, size_t error_size);

/* Sets the outcome of every op; may change their order in the array. */
void worker_commit(struct worker *worker, struct op **ops, uint32_t count);

/* Has the server failed it of late, or does it wait for longer than anybody waits for answers? */
bool worker_troubled(const struct worker *worker);

void worker_close(struct worker *worker);

#endif
