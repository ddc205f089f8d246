/* SPDX-License-Identifier: MIT
 *
 * listener.h - a socket that accepts, TCP or Unix.
 *
 * Purpose    From an address to a listening libuv handle.
 * Invariant  A Unix socket never replaces one that somebody listens on, nor a file that is no
 *            socket; it has its mode before anybody can connect. Its file is removed at the end,
 *            unless somebody has put another in its place.
 * Ownership  The caller owns the struct, which must not move once open, and closes it.
 * Threads    One, the event loop's.
 * Errors     False and a sentence.
 * Not here   What is done with connections.
 */
#ifndef CREBITO_HTTP_LISTENER_H
#define CREBITO_HTTP_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <uv.h>

#include "http/address.h"
#include "must_check.h"

struct listener {
    union { /* first: libuv hands the stream to callbacks */
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    };
    bool is_unix;
    bool backlogged;                   /* a connection waits that could not be accepted yet */
    dev_t device;                      /* of a Unix socket's file, */
    ino_t inode;                       /* to know it again at the end */
    char text[ADDRESS_TEXT_BYTES_MAX]; /* the address, with the port that port 0 became */
};

/* stream.data becomes `data`. */
MUST_CHECK bool listener_open(struct listener *listener, uv_loop_t *loop,
                              const struct address *address, unsigned socket_mode,
                              uv_connection_cb on_connection, void *data, char *error,
                              size_t error_size);

void listener_close(struct listener *listener);

#endif
