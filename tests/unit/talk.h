/* SPDX-License-Identifier: MIT
 *
 * talk.h - the server's half of a connection, for its tests: bytes in, bytes out, answers from the
 * fake store, as server.c does it and in whatever pieces a test wants.
 */
#ifndef CREBITO_TESTS_UNIT_TALK_H
#define CREBITO_TESTS_UNIT_TALK_H

#include "fake_store.h"
#include "http/connection.h"

enum { SAID_BYTES_MAX = 256 * 1024, TALK_OPS = 4 };

struct talk {
    struct connection connection;
    size_t gulp;     /* at most so many bytes are sent at once; 0: all */
    bool stuck;      /* nothing is sent at all */
    bool unanswered; /* ops wait until the test answers them */
    size_t said_bytes;
    char said[SAID_BYTES_MAX];
};

extern struct service service;

/* A store, a pool of TALK_OPS, and the clock at some time. Each test begins with it. */
int talk_setup(void **state);
int talk_teardown(void **state);

void talk_open(struct talk *talk);

/* The client sends. Returns how much of it was taken: less than all if there is no room. */
size_t talk_hear(struct talk *talk, const char *bytes, size_t count);
size_t talk_hear_text(struct talk *talk, const char *text);

/* Sends what is to be sent and answers what waits, until there is nothing to do. */
void talk_go_on(struct talk *talk);

/* The op that waits longest comes back, to its connection or to nobody. */
void talk_answer_next(void);

/* Moves the clock; expires the connection if its deadline has passed, as a sweep does. */
void talk_pass_ms(struct talk *talk, uint64_t ms);

/* What was said since talk_open() or the last talk_forget(), terminated, with the date of each reply
 * replaced by "DATE". */
const char *talk_said(const struct talk *talk);
void talk_forget(struct talk *talk);

/* The statuses of the replies: "200 404". */
const char *talk_statuses(const struct talk *talk);

#endif
