/* SPDX-License-Identifier: MIT
 *
 * owner_meet.h - a connection to the process that owns a store.
 *
 * Purpose    The other end of owner_socket.h: connect, and hear the greeting.
 * Invariant  Nothing is asked before the owner has said that it is of our version.
 * Ownership  The descriptor of OWNER_ANSWERED is the caller's; no other outlives the call.
 * Threads    None; the caller waits.
 * Errors     An end, and a sentence for all but OWNER_ANSWERED.
 * Not here   Questions: owner_ask.h for one, guest.h for many.
 */
#ifndef CREBITO_STORE_LMDB_OWNER_MEET_H
#define CREBITO_STORE_LMDB_OWNER_MEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "must_check.h"
#include "store/kind.h"

struct owner_call {
    const char *path;
    int64_t deadline_ms; /* by serving_clock_ms() */
    char *error;
    size_t error_size;
    int fd;       /* connected */
    bool durable; /* as the owner says of itself */
};

/* OWNER_ANSWERED: it has greeted us; fd and durable are filled in. */
MUST_CHECK enum owner_end owner_meet(struct owner_call *call);

/* The size of the next frame; 0: whoever was there has gone; -1: nothing within the time. */
MUST_CHECK ssize_t owner_hear(const struct owner_call *call, uint8_t *frame, size_t size);

/* Ends, with their sentences: there is an owner, but it is no use asking; and nobody listens. */
enum owner_end owner_refuses(const struct owner_call *call, const char *why);
enum owner_end owner_is_deaf(const struct owner_call *call);

#endif
