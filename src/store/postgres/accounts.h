/* SPDX-License-Identifier: MIT
 *
 * accounts.h - every account of a ledger that is being built.
 *
 * Purpose    One history for each client, found by its id, however many there are: 56 bytes each, and
 *            as much again for what the table grows by.
 * Invariant  accounts_of() gives the same history for the same client, at an address that the next
 *            call may change. At most three quarters of the slots are taken, so a search ends soon.
 * Ownership  accounts_open() allocates, accounts_close() frees.
 * Threads    One.
 * Errors     False, NULL: no memory.
 * Not here   What a history says: bank/journal.h. Bounded memory: an audit's affair.
 */
#ifndef CREBITO_STORE_POSTGRES_ACCOUNTS_H
#define CREBITO_STORE_POSTGRES_ACCOUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "bank/journal.h"
#include "must_check.h"

struct accounts {
    struct history *slots; /* client 0: free */
    uint64_t size;         /* a power of two */
    uint64_t count;
};

MUST_CHECK bool accounts_open(struct accounts *accounts);
void accounts_close(struct accounts *accounts);

/* The client's, which a first call makes (history->last_sequence is 0 then). */
MUST_CHECK struct history *accounts_of(struct accounts *accounts, uint32_t client);

/* All of them, in no order: *slot begins as 0. NULL: no more. */
const struct history *accounts_next(const struct accounts *accounts, uint64_t *slot);

#endif
