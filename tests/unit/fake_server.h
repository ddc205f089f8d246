/* SPDX-License-Identifier: MIT
 *
 * fake_server.h - a server of ours behind libpq, for test_session.c: what it says to each question, and
 * what it was asked. libpq's calls are wrapped by the linker.
 */
#ifndef FAKE_SERVER_H
#define FAKE_SERVER_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

enum { PREPARED_MAX = 20 };

/* What it says to one question. */
struct reply {
    ExecStatusType status;
    const char *state; /* SQLSTATE of an error */
    const char *values[4];
    int rows;
    bool gone; /* and the connection with it */
};

struct fake_server {
    bool no_memory, refused, needs_password, no_pipeline, blocking, hangs;
    int64_t clock_ms;
    PGresult *coming; /* what PQgetResult() returns next */
    int version;
    const char *encoding, *words;
    struct reply set_up, schema, durability;
    int prepare_fails_at;
    struct reply prepare;

    bool open, gone;
    const char *state;
    char names[200], values[600], set_up_sql[500], prepared[PREPARED_MAX][20], log[1000];
    int prepared_count, asked_durability, finished, made, cleared;
    PGContextVisibility context;
    PQnoticeProcessor notices;
};

extern struct fake_server server;

/* All is as it should be. */
void fake_server_reset(void);

#endif
