/* SPDX-License-Identifier: MIT
 *
 * accounts.c - see accounts.h.
 */
#include "store/postgres/accounts.h"

#include <assert.h>
#include <stdlib.h>

enum { FIRST_SIZE = 1024 };

bool accounts_open(struct accounts *accounts)
{
    *accounts = (struct accounts){.size = FIRST_SIZE};
    accounts->slots = calloc(FIRST_SIZE, sizeof *accounts->slots);
    return accounts->slots != NULL;
}

void accounts_close(struct accounts *accounts)
{
    free(accounts->slots);
    accounts->slots = NULL;
}

/* The client's slot, or the free one where it would be. */
static struct history *search(const struct accounts *accounts, uint32_t client)
{
    const uint64_t mask = accounts->size - 1;
    uint64_t slot = (client * UINT64_C(11400714819323198485)) >> 32 & mask; /* Fibonacci's */
    while (accounts->slots[slot].client != 0 && accounts->slots[slot].client != client)
        slot = (slot + 1) & mask;
    return &accounts->slots[slot];
}

static bool grow(struct accounts *accounts)
{
    struct accounts larger = {.size = 2 * accounts->size, .count = accounts->count};
    larger.slots = calloc(larger.size, sizeof *larger.slots);
    if (!larger.slots)
        return false;
    for (uint64_t i = 0; i < accounts->size; i++)
        if (accounts->slots[i].client != 0)
            *search(&larger, accounts->slots[i].client) = accounts->slots[i];
    free(accounts->slots);
    *accounts = larger;
    return true;
}

struct history *accounts_of(struct accounts *accounts, uint32_t client)
{
    assert(client != 0);
    struct history *history = search(accounts, client);
    if (history->client != 0)
        return history;
    if (accounts->count == accounts->size / 4 * 3) {
        if (!grow(accounts))
            return NULL;
        history = search(accounts, client);
    }
    accounts->count++;
    history->client = client;
    return history;
}

const struct history *accounts_next(const struct accounts *accounts, uint64_t *slot)
{
    while (*slot < accounts->size) {
        const struct history *history = &accounts->slots[(*slot)++];
        if (history->client != 0)
            return history;
    }
    return NULL;
}
