/* SPDX-License-Identifier: MIT
 *
 * histories.h - what an audit remembers of each account while it reads the journal.
 *
 * Purpose    One history for each client, found by its id, in a bounded piece of memory. More
 *            accounts than fit are audited in several passes, each over a share of the clients.
 * Invariant  histories_find() always gives the same history for the same client, until
 *            histories_clear(). At most HISTORIES_MAX of HISTORIES_SLOTS are taken, so a search ends.
 * Ownership  histories_open() allocates, histories_close() frees.
 * Threads    One.
 * Errors     NULL: no memory, or the table is full.
 * Not here   What a history says: bank/journal.h.
 */
#ifndef CREBITO_STORE_LMDB_HISTORIES_H
#define CREBITO_STORE_LMDB_HISTORIES_H

#include <stdbool.h>
#include <stdint.h>

#include "bank/journal.h"
#include "must_check.h"

#ifndef HISTORIES_SLOTS           /* a test makes it small */
#define HISTORIES_SLOTS (1 << 19) /* 28 MiB, of which only what is used is touched */
#endif

enum {
    HISTORIES_MAX = HISTORIES_SLOTS / 8 * 7,        /* past it searches grow long */
    HISTORIES_PER_PASS = HISTORIES_SLOTS / 16 * 13, /* room is left for accounts opened meanwhile */
};

struct histories {
    struct history *slots; /* client 0: free */
    bool *compared;        /* of each slot: the account has been held against it */
    uint32_t count;
};

MUST_CHECK bool histories_open(struct histories *histories);
void histories_close(struct histories *histories);
void histories_clear(struct histories *histories);

/* The client's, which a first call makes (history->last_sequence is 0 then). */
MUST_CHECK struct history *histories_of(struct histories *histories, uint32_t client);

/* NULL: no record of it has been seen. */
struct history *histories_find(const struct histories *histories, uint32_t client);
void histories_compared(struct histories *histories, const struct history *history);

/* Those not compared yet, one call for each: *slot begins as 0. NULL: no more. */
struct history *histories_left(const struct histories *histories, uint32_t *slot);

#endif
