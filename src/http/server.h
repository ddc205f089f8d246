/* SPDX-License-Identifier: MIT
 *
 * server.h - the event loops, and the way in to them.
 *
 * Purpose    Listen, accept, share the connections out among the loops; drain on SIGTERM, SIGINT or
 *            SIGHUP.
 * Invariant  At most connections_max connections are served, by all loops together; each further one
 *            gets a 503 or waits in the kernel's backlog. A new one goes to a loop that has fewest.
 *            Connections and ops are allocated by server_create().
 * Ownership  server_create() to server_free(); the store is borrowed during server_run().
 * Threads    One calls all of it; it is the first loop's, which accepts and hears signals. server_run()
 *            starts those of the others, and ends them.
 * Errors     False and a sentence.
 * Not here   One loop: loop.h. What requests mean: connection.h.
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
    uint32_t threads;      /* loops, 1 .. SUBMITTERS_MAX */
};

MUST_CHECK bool server_create(struct server **ret_server, const struct server_options *options,
                              char *error, size_t error_size);
void server_free(struct server *server); /* close the store first: it may still wake us */

/* Listens, serves until a signal, drains. The store has announced a submitter for each thread. True:
 * drained; false: could not listen, not watch for signals, or not start the threads. */
MUST_CHECK bool server_run(struct server *server, struct store *store, char *error,
                           size_t error_size);

#endif
