/* SPDX-License-Identifier: MIT
 *
 * session.h - a connection to the server, set up for what it will be used for.
 *
 * Purpose    From a URL to a PGconn that can be trusted: a server of a version that we know, a database
 *            in UTF-8; for a bank also our schema, our settings, nothing that would lose money, and
 *            every statement prepared.
 * Invariant  What is returned open has passed all of that. A bank's session commits at READ COMMITTED
 *            and, if it is to be durable, with synchronous_commit on.
 * Ownership  The caller ends a session with PQfinish().
 * Threads    Any; a session belongs to one.
 * Errors     An end and a sentence of one line, in which no password is.
 * Not here   Trying again: worker.h. Making the schema.
 */
#ifndef CREBITO_STORE_POSTGRES_SESSION_H
#define CREBITO_STORE_POSTGRES_SESSION_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "must_check.h"

enum session_end {
    SESSION_OPEN,
    SESSION_ABSENT,  /* no server answers, or it takes no connections now: that may pass */
    SESSION_REFUSED, /* it answers, and somebody must do something: password, schema, durability */
};

struct session_options {
    const char *url;
    uint32_t connect_timeout_s;
    uint32_t statement_timeout_s;
    bool durable;
    bool serves; /* if it is to be durable, a server that is not is refused */
};

/* The prepared statements: their names, and what they are (session.c). */
#define STATEMENT_BOOK      "book"      /* client, amounts, kinds, descriptions, keys */
#define STATEMENT_OPEN      "open"      /* client, limit, balance */
#define STATEMENT_LIMIT     "limit"     /* client, limit */
#define STATEMENT_STATEMENT "statement" /* client */
#define STATEMENT_CLIENTS   "clients"   /* ids: which of them exist */
#define STATEMENT_LEARN     "learn"     /* how many ids at most */
#define STATEMENT_HEALTH    "health"
#define STATEMENT_HURRY     "hurry"
#define STATEMENT_FORGET    "forget" /* age in us, how many keys at most, what time it is in us */

/* Connected, with client_encoding UTF8 and our name; nothing else is set or asked. */
MUST_CHECK enum session_end session_connect(PGconn **ret, const char *url,
                                            uint32_t connect_timeout_s, char *error,
                                            size_t error_size);

/* For a bank, in pipeline mode and non-blocking; and what time it is there, Unix time. */
MUST_CHECK enum session_end session_open(PGconn **ret, int64_t *ret_clock_us,
                                         const struct session_options *options, char *error,
                                         size_t error_size);

/* What libpq or the server said, in one line; `place` is where, and may be NULL. */
void session_sentence(char *error, size_t error_size, const char *place, const char *words);

#endif
