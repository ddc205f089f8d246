/* SPDX-License-Identifier: MIT
 *
 * loop.h - one event loop: connections on one side, the store on the other.
 *
 * Purpose    Read, write and keep time for the connections that it is given; drain when it is told to.
 * Invariant  A connection stays with the loop that it was given to, and so do its ops. What the loops of
 *            a server share is peers.h and the store.
 * Ownership  loop_create() to loop_free(). Borrows the peers and the store; a peer is the loop's from
 *            when it is given until the loop gives it back to the peers.
 * Threads    loop_run() makes its thread the loop's. loop_send(), loop_drain(), loop_shut() and
 *            loop_load() are for any thread at any time, loop_take() for the loop's own or before it
 *            runs, all else for when it does not run.
 * Errors     False and a sentence; what goes wrong on one connection ends that connection.
 * Not here   Accepting, signals, and which loop gets whom: server.c. What requests mean: connection.h.
 */
#ifndef CREBITO_HTTP_LOOP_H
#define CREBITO_HTTP_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "http/peers.h"
#include "must_check.h"
#include "store/store.h"

struct loop;

/* `room`: a peer has been given back that was missed (peers.h); called on the loop's thread. */
MUST_CHECK bool loop_create(struct loop **ret, struct peers *peers, uint32_t pending_max,
                            void (*room)(void *context), void *context, char *error,
                            size_t error_size);
void loop_free(struct loop *loop); /* close the store first: it may still wake us */

/* For other handles on the same loop; what of them is still open is closed by loop_free(). */
uv_loop_t *loop_uv(struct loop *loop);

/* Serves until it has been shut and everybody has left. */
void loop_run(struct loop *loop, struct submitter *submitter);
/* For store_join(). */
void loop_wake(void *loop);

/* A connection that has been accepted, in its fd. */
void loop_take(struct loop *loop, struct peer *peer);
void loop_send(struct loop *loop, struct peer *peer);

/* The first time: let everybody end what has begun. The second time: without waiting for it. */
void loop_drain(struct loop *loop);

/* Nobody will be taken or sent any more. */
void loop_shut(struct loop *loop);

/* How many connections it has, less those that it is closing. */
uint32_t loop_load(const struct loop *loop);

#endif
