/* SPDX-License-Identifier: MIT
 *
 * peers.h - places for connections, with their sockets, of all the event loops.
 *
 * Purpose    Decide who is served, who is told that there is no room, and who must wait, by one count for
 *            all loops; and keep the memory of all three at what it takes.
 * Invariant  At most served_max places are of connections that are served, and refused_max more of ones
 *            that are refused. peers_init() allocates; which loop a place serves does not matter to it.
 * Ownership  A place is free, or whoever's that took it, until it is given back.
 * Threads    Any may take and give back. What is in a place is its owner's.
 * Errors     NULL when all are taken.
 * Not here   What is done with a connection: loop.h.
 */
#ifndef CREBITO_HTTP_PEERS_H
#define CREBITO_HTTP_PEERS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "http/connection.h"
#include "must_check.h"

/* A connection and its socket. */
struct peer {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    };
    uv_write_t write;
    uv_shutdown_t shutdown;
    uint32_t write_bytes; /* handed to uv_write, not yet sent */
    bool reading, writing, shut, closing;
    bool refused; /* past the connection limit: only here to be told so */
    bool resting; /* has had its share of this turn */
    bool is_unix;
    int fd; /* until a loop has it */
    struct peer *next_resting;
    struct peer *next, *previous; /* among the open ones of its loop; `next` in other lists too */
    struct loop *loop;
    struct connection connection;
};

struct peers {
    pthread_mutex_t mutex; /* over all that follows */
    struct peer *all;      /* [0, touched) used before | memory not touched yet */
    struct peer *free;
    uint32_t touched, size;
    uint32_t served_max;
    uint32_t taken_count, refused_count; /* all that are taken; those among them that are refused */
    bool missed;                         /* none was free, and none has been given back since */
};

MUST_CHECK bool peers_init(struct peers *peers, uint32_t served_max, uint32_t refused_max);
void peers_free(struct peers *peers); /* none may be taken */

/* All but its connection is 0, and `refused` is decided. NULL: none is free. */
struct peer *peers_take(struct peers *peers);

/* True: peers_take() has been NULL since the last time that this was true. */
bool peers_give_back(struct peers *peers, struct peer *peer);

#endif
