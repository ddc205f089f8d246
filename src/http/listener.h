/* SPDX-License-Identifier: MIT
 *
 * listener.h - a socket that accepts, TCP or Unix.
 *
 * Purpose    From an address to a listening socket, and from that to connections.
 * Invariant  Nobody else has the address: a TCP port is bound without SO_REUSEPORT, a Unix socket never
 *            replaces one that somebody listens on, nor a file that is no socket; it has its mode
 *            before anybody can connect. Its file is removed at the end, unless somebody has put
 *            another in its place.
 * Ownership  The caller owns the struct, which must not move once open, and closes it.
 * Threads    One, the event loop's.
 * Errors     False and a sentence.
 * Not here   What is done with connections, and whose they are.
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
    uv_poll_t poll; /* first: libuv hands it to callbacks */
    uv_poll_cb on_waiting;
    int fd;
    bool is_unix;
    dev_t device;                      /* of a Unix socket's file, */
    ino_t inode;                       /* to know it again at the end */
    char text[ADDRESS_TEXT_BYTES_MAX]; /* the address, with the port that port 0 became */
};

/* `on_waiting`: somebody wants to be accepted; in its poll's data is `data`. */
MUST_CHECK bool listener_open(struct listener *listener, uv_loop_t *loop,
                              const struct address *address, unsigned socket_mode,
                              uv_poll_cb on_waiting, void *data, char *error, size_t error_size);

enum { LISTENER_NOBODY = -1, LISTENER_NO_MEANS = -2 };

/* A connection's descriptor; or nobody waits; or one does, but there is no descriptor or memory left. */
MUST_CHECK int listener_accept(struct listener *listener);

/* Whoever comes waits in the kernel; and is looked for again. */
void listener_pause(struct listener *listener);
void listener_go_on(struct listener *listener);

void listener_close(struct listener *listener);

#endif
