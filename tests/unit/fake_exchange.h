/* SPDX-License-Identifier: MIT
 *
 * fake_exchange.h - a server for a worker, seen from above exchange.h and session.h: what is sent is
 * written down, and how it ends stands in a list. With it a clock that moves when it is told to, and a
 * log that is kept. A program that links this has those calls wrapped (meson.build).
 */
#ifndef CREBITO_TESTS_UNIT_FAKE_EXCHANGE_H
#define CREBITO_TESTS_UNIT_FAKE_EXCHANGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/postgres/exchange.h"
#include "store/postgres/session.h"
#include "store/postgres/worker.h"

enum { FAKE_ENDS_MAX = 40, FAKE_TEXT_BYTES = 8000 };

/* Of an exchange that is not for learning the clients. */
struct fake_end {
    enum exchange_end end;
    uint32_t call; /* EXCHANGE_REFUSED: which one */
    const char *state;
};

struct fake_exchange {
    struct fake_end ends[FAKE_ENDS_MAX]; /* those past the last are EXCHANGE_DONE */
    unsigned next, count;
    enum exchange_end learn_end;
    const char *learn_state; /* EXCHANGE_REFUSED: the SQLSTATE */
    const uint32_t *learned; /* ended by 0; NULL: nothing is learned */
    bool learned_all;

    enum session_end opens[FAKE_ENDS_MAX]; /* those past the last are SESSION_OPEN */
    unsigned opened, opens_next, opens_count;
    bool ill;           /* what it says when it is asked for its health */
    struct call forget; /* the last one that was sent */
    bool gone;          /* the connection that there is turns out to be of no use */

    _Atomic int64_t clock_ms;
    void (*during)(void); /* called in each exchange but learning */

    /* What was sent: exchanges are separated by ';', calls by ' ': B1x2 two entries of client 1, O1
     * an opening, L1 a limit, S1 a statement, Cx3 and Hx2 questions for clients and for health, F33
     * forget at most 33 keys, K learn the clients, ! hurry. */
    char sent[FAKE_TEXT_BYTES];
    char log[FAKE_TEXT_BYTES]; /* lines: message|name=value|... */
    unsigned open_now;         /* connections */
    unsigned made, cleared;    /* results */
    bool misused;              /* one that was closed, or lost, was used */
};

extern struct fake_exchange fake_exchange;

void fake_exchange_begin(void);
void fake_exchange_end(enum exchange_end end);
void fake_exchange_refuse(uint32_t call, const char *state);
void fake_exchange_open(enum session_end end, unsigned times);

/* It was this, since the last time somebody looked. */
void fake_exchange_sent(const char *expected);

#endif
