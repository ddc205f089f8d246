/* SPDX-License-Identifier: MIT
 *
 * known.c - see known.h.
 */
#include "store/known.h"

/* The slot it is in, or the free one where it would be. */
static uint32_t find(const struct known *known, uint32_t client)
{
    uint32_t at = client % KNOWN_SLOTS;
    for (;;) {
        uint32_t there = atomic_load_explicit(&known->slots[at], memory_order_relaxed);
        if (there == client || there == 0)
            return at;
        at = (at + 1) % KNOWN_SLOTS;
    }
}

bool known_has(const struct known *known, uint32_t client)
{
    uint32_t at = find(known, client);
    return atomic_load_explicit(&known->slots[at], memory_order_relaxed) == client;
}

void known_add(struct known *known, uint32_t client)
{
    if (known_has(known, client))
        return;
    if (atomic_fetch_add(&known->count, 1) >= KNOWN_MAX) {
        atomic_fetch_sub(&known->count, 1);
        atomic_store(&known->all, false);
        return;
    }
    for (;;) {
        uint32_t none = 0;
        uint32_t at = find(known, client);
        if (atomic_compare_exchange_strong(&known->slots[at], &none, client))
            return;
        if (none == client) { /* somebody added it meanwhile */
            atomic_fetch_sub(&known->count, 1);
            return;
        }
    }
}
