/* SPDX-License-Identifier: MIT
 *
 * guest.h - ops of a process that does not own its folder, on their way to the owner and back.
 *
 * Purpose    Carry many ops at a time over one connection to the owner, and the next owner's after that.
 * Invariant  An op is in the table from guest_ask() or guest_start() until queue_answer(). One that
 *            writes and that the owner may have heard is asked once: where the link ends before its
 *            answer, its outcome is OUTCOME_UNKNOWN. One that only reads is asked again.
 *            free [0, free_count) | in asked[], which is what the owner may still answer.
 *            While guest_ask() waits for places nobody else is given any: what it has comes first.
 *            Once anybody looks for answers, guest_listen() leaves them to guest_look().
 * Ownership  Owns the connection; borrows the queue, and the ops of the table.
 * Threads    guest_ask() is the committer's; guest_start(), guest_look(), guest_stuck() and guest_hang_up() are
 *            for any; all else is for the thread that listens.
 * Errors     A link that ends is a false, or a smaller number.
 * Not here   Finding an owner, becoming one: lmdb_store.c.
 */
#ifndef CREBITO_STORE_LMDB_GUEST_H
#define CREBITO_STORE_LMDB_GUEST_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "must_check.h"
#include "store/known.h"
#include "store/lmdb/owner_socket.h"
#include "store/queue.h"

enum { GUEST_OPS_MAX = OWNER_PEER_OPS_MAX }; /* so that none of them waits in the owner's socket */

struct guest_packets; /* memory for what is sent and heard */

struct guest {
    struct queue *queue;
    struct known *known; /* clients that the owner has answered for */
    struct guest_packets *packets;

    int readable; /* an epoll: the link's end has something for guest_look() */

    pthread_mutex_t mutex; /* over all that follows */
    pthread_cond_t moved;  /* a place is free, or the owner listens no more: guest_ask() */
    pthread_cond_t over;   /* the link has ended: guest_listen() */
    int fd;                /* -1: none */
    bool linked;           /* the owner still listens */
    bool ended;            /* nothing comes from it any more */
    bool looked_for;       /* somebody looks for answers beside guest_listen() */
    bool waited_for;       /* guest_ask() waits for places */
    uint32_t free_count;
    uint8_t free[GUEST_OPS_MAX];
    struct op *asked[GUEST_OPS_MAX];

    _Atomic int64_t silent_since_ms; /* with ops asked, by serving_clock_ms(); 0: none is */
};

/* False, with errno. */
MUST_CHECK bool guest_init(struct guest *guest, struct known *known);
void guest_free(struct guest *guest); /* nothing may be asked any more */

/* A connection on which an owner has greeted us: what was asked before and lost is asked again. */
void guest_link(struct guest *guest, int fd);

/* How many of these ops are with the owner now: less than `count` if it listens no more. */
MUST_CHECK uint32_t guest_ask(struct guest *guest, struct op **ops, uint32_t count);

/* Without waiting: all of these ops are with the owner now, or none. */
MUST_CHECK bool guest_start(struct guest *guest, struct op **ops, uint32_t count);

/* Waits until the link ends, and takes answers if nobody looks for them; then answers what is unknown. */
void guest_listen(struct guest *guest);

/* A descriptor that is readable when there are answers, and stays the same over all links. */
int guest_pollable(const struct guest *guest);
/* Without waiting: takes answers, if there are any. */
void guest_look(struct guest *guest);

/* What was asked and lost, and may be asked of somebody else: at most GUEST_OPS_MAX. */
uint32_t guest_take_lost(struct guest *guest, struct op **ret);

/* Ends the link. */
void guest_hang_up(struct guest *guest);

/* Has the owner said nothing for longer than anybody waits? */
bool guest_stuck(const struct guest *guest);

#endif
