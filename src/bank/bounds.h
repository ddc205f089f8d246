/* SPDX-License-Identifier: MIT
 *
 * bounds.h - every bound of the bank, in one place, with its reason.
 *
 * Purpose    One table to read before asking "how large can this get?".
 * Invariant  The static asserts at the end relate the bounds to each other.
 * Ownership  Constants only.
 * Threads    Constants only.
 * Errors     A broken relation does not compile.
 * Not here   What an operator chooses (ops/options.c), file names.
 */
#ifndef CREBITO_BANK_BOUNDS_H
#define CREBITO_BANK_BOUNDS_H

#include <assert.h>
#include <stdint.h>

/* --- money: centavos ------------------------------------------------------------------- */

/* 2^53 - 1: the largest integer that every JSON reader keeps exact in a double. It bounds a
 * single amount, a balance and a credit limit, so no sum of two of them leaves int64_t. */
#define CENTS_MAX INT64_C(9007199254740991)

/* --- accounts and entries -------------------------------------------------------------- */

#define CLIENT_MAX 2147483647u /* ids are 1 .. 2^31 - 1, what an int4 column holds */

enum {
    STATEMENT_ENTRIES_MAX = 10,     /* "the last ten": the challenge's statement */
    DESCRIPTION_POINTS_MAX = 10,    /* Unicode code points: the challenge's rule */
    DESCRIPTION_BYTES_MAX = 4 * 10, /* UTF-8 takes at most 4 bytes for a code point */
    KEY_BYTES_MAX = 64,             /* idempotency key: a UUID with room for a prefix */
};

/* --- HTTP: what one client may make us hold --------------------------------------------- */

enum {
    BODY_BYTES_MAX = 4096,    /* fifty times a transaction; beyond it 413 */
    FRAMING_BYTES_MAX = 8192, /* all of a message that is not body; beyond it 431 */
    TARGET_BYTES_MAX = 512,   /* request target less its query; a longer one is no route of ours */
    HEADER_NAME_BYTES_MAX = 32,   /* the longest name we look at is "transfer-encoding" */
    HEADER_VALUE_BYTES_MAX = 160, /* a quoted key with every character escaped, and white space */
    INPUT_BYTES_MAX = 4096,       /* read from the socket and not yet parsed */
    OUTPUT_BYTES_MAX = 4096,      /* one reply, head and body: see the assert below */
    REPLY_HEAD_BYTES_MAX = 512,   /* status line and our fixed set of headers */
    JSON_ARENA_BYTES =
        1 << 20, /* jansson's values for one body; the worst that was found takes 0.3 */
};

/* A statement's entry: fixed text and numbers under 120 bytes, and a description in which each
 * byte may need an escape of six ("\u001f") - but such a byte is a whole code point. */
enum { STATEMENT_ENTRY_JSON_BYTES_MAX = 120 + 6 * DESCRIPTION_POINTS_MAX };

/* --- time ------------------------------------------------------------------------------- */

enum {
    REQUEST_TIMEOUT_MS = 15 * 1000, /* first byte to last, which trickling does not extend */
    IDLE_TIMEOUT_MS = 75 * 1000,    /* a keep-alive connection between requests */
    ANSWER_TIMEOUT_MS = 10 * 1000,  /* hand-over to answer; then the outcome is unknown */
    SEND_TIMEOUT_MS = 15 * 1000,    /* a client that does not read its reply */
    LINGER_TIMEOUT_MS = 5 * 1000,   /* reading on after the last reply, so that it arrives */
    DRAIN_IDLE_MS = 250,            /* on SIGTERM: a request already on the wire still counts */
    DRAIN_ACCEPT_MS = 20,           /* on SIGTERM: whoever has connected already is accepted */
    DRAIN_TIMEOUT_MS = 45 * 1000,   /* on SIGTERM: a request, its answer and its reply, and more */
    SWEEP_INTERVAL_MS = 250,        /* how late a deadline may be noticed */
    RETRY_AFTER_S = 1,              /* what a 503 asks of its client */
};

/* --- the store --------------------------------------------------------------------------- */

enum {
    BATCH_OPS_MAX = 256, /* ops in one commit: past it the price of a flush is spread thin enough */
    LANES_MAX =
        64, /* commits at the same time, where a store can do that: one bit each of a word */
};

static_assert(CENTS_MAX <= INT64_MAX / 2, "the sum of two amounts stays inside int64_t");
static_assert(DESCRIPTION_BYTES_MAX == 4 * DESCRIPTION_POINTS_MAX, "UTF-8");
static_assert(HEADER_VALUE_BYTES_MAX >= 2 * KEY_BYTES_MAX + 2, "an escaped key fits, in quotes");
static_assert(OUTPUT_BYTES_MAX >= REPLY_HEAD_BYTES_MAX + 200 +
                                      STATEMENT_ENTRIES_MAX * STATEMENT_ENTRY_JSON_BYTES_MAX,
              "the largest statement fits one reply");
static_assert(DRAIN_TIMEOUT_MS > REQUEST_TIMEOUT_MS + ANSWER_TIMEOUT_MS + SEND_TIMEOUT_MS,
              "a drain waits for whatever is in flight");

#endif
