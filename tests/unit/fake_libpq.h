/* SPDX-License-Identifier: MIT
 *
 * fake_libpq.h - a server, and libpq in front of it, that do what a script says; and a clock that moves
 * only while somebody waits. A program that links this has those calls wrapped (meson.build).
 */
#ifndef CREBITO_TESTS_UNIT_FAKE_LIBPQ_H
#define CREBITO_TESTS_UNIT_FAKE_LIBPQ_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

/* What comes, letter by letter; blanks are for the reader. Results, which libpq has at once:
 *     T  rows
 *     N  the end of one call's results (NULL)
 *     S  the synchronization: it is committed, or rolled back
 *     A  not done, after an error (PIPELINE_ABORTED)
 *     E  an ERROR of the server, of fake_libpq.state
 *     F  a FATAL one
 *     C  no rows where some should be (COMMAND_OK)
 *     L  an error of libpq's own: without a severity
 * and what happens before the next of them:
 *     w  100 ms pass, then bytes come
 *     o  the socket takes more bytes
 *     i  a signal comes (EINTR)
 *     x  the connection ends
 *     p  poll() fails
 * After the last letter nothing comes any more. */
struct fake_libpq {
    const char *script;
    const char *state; /* NULL: none */
    int sends;         /* calls of PQsendQueryPrepared */
    int send_fails_at; /* -1: never */
    bool sync_fails;
    int flushes;        /* that do not get everything out */
    int flush_fails_at; /* -1: never */
    int synced;
    bool gone; /* the connection's status is bad */
    int64_t clock_ms;
    unsigned made, cleared; /* results */
};

extern struct fake_libpq fake_libpq;

/* A connection that works, and a script. */
PGconn *fake_libpq_begin(const char *script);

/* The letter of a result of ours. */
char fake_libpq_letter(const PGresult *result);

#endif
