/* SPDX-License-Identifier: MIT
 *
 * server.h - the event loop: sockets on one side, the store on the other.
 *
 * Purpose    Accept, read, write, keep time; drain on SIGTERM, SIGINT or SIGHUP.
 * Invariant  At most connections_max connections are served; each further one gets a 503 or waits
 *            in the kernel's backlog. Connections and ops are allocated by server_create().
 * Ownership  server_create() to server_free(); the store is borrowed during server_run().
 * Threads    One thread calls all of it, but server_wake(), which any thread may.
 * Errors     False and a sentence; what goes wrong on one connection ends that connection.
 * Not here   What requests mean: connection.h.
 */
#ifndef CREBITO_HTTP_SERVER_H
#define CREBITO_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/address.h"
#include "must_check.h"
#include "store/store.h"

enum { SERVER_LISTENERS_MAX = 8 };

struct server;

struct server_options {
    struct address listen[SERVER_LISTENERS_MAX];
    uint32_t listen_count;
    unsigned socket_mode; /* of Unix sockets */
    uint32_t connections_max;
    uint32_t refusals_max; /* connections past that which are being told so; the rest wait */
    uint32_t pending_max;  /* as the store's */
};

MUST_CHECK bool server_create(struct server **ret_server, const struct server_options *options,
                              char *error, size_t error_size);
void server_free(struct server *server); /* close the store first: it may still wake us */

/* For store_options.wake: `server` is the context. */
void server_wake(void *server);

/* Listens, serves until a signal, drains. True: drained; false: could not listen, or not watch for
 * signals. */
MUST_CHECK bool server_run(struct server *server, struct store *store, char *error,
                           size_t error_size);

#endif
