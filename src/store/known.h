/* SPDX-License-Identifier: MIT
 *
 * known.h - the clients that are known to exist.
 *
 * Purpose    Answer "is there such a client?" without asking the process or the server that has the
 *            ledger, and even while it is away.
 * Invariant  Accounts come and never go, so an id that was added stays. At most KNOWN_MAX are kept.
 * Ownership  Plain memory, zeroed by its owner.
 * Threads    Any may look and add at the same time.
 * Errors     None: what does not fit is not kept.
 * Not here   Asking.
 */
#ifndef CREBITO_STORE_KNOWN_H
#define CREBITO_STORE_KNOWN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    KNOWN_MAX = 1024,
    KNOWN_SLOTS = 2 * KNOWN_MAX, /* half of them stay free, so that a search ends soon */
};

struct known {
    _Atomic uint32_t slots[KNOWN_SLOTS]; /* 0: free; an id stands at its remainder or after it */
    _Atomic uint32_t count;
    _Atomic bool all; /* when somebody looked last, these were all that there were */
};

bool known_has(const struct known *known, uint32_t client);
void known_add(struct known *known, uint32_t client);

#endif
