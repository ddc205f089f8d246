/* SPDX-License-Identifier: MIT
 *
 * histories.c - see histories.h.
 */
#include "store/lmdb/histories.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

bool histories_open(struct histories *histories)
{
    histories->count = 0;
    histories->slots = calloc(HISTORIES_SLOTS, sizeof *histories->slots);
    histories->compared = calloc(HISTORIES_SLOTS, sizeof *histories->compared);
    if (histories->slots && histories->compared)
        return true;
    histories_close(histories);
    return false;
}

void histories_close(struct histories *histories)
{
    free(histories->slots);
    free(histories->compared);
}

void histories_clear(struct histories *histories)
{
    if (histories->count == 0)
        return; /* and what was never touched takes no memory */
    memset(histories->slots, 0, HISTORIES_SLOTS * sizeof *histories->slots);
    memset(histories->compared, 0, HISTORIES_SLOTS * sizeof *histories->compared);
    histories->count = 0;
}

/* The client's slot, or the free one where it would be. */
static uint32_t search(const struct histories *histories, uint32_t client)
{
    uint32_t slot = (client * UINT32_C(2654435761)) % HISTORIES_SLOTS; /* Knuth's */
    while (histories->slots[slot].client != 0 && histories->slots[slot].client != client)
        slot = (slot + 1) % HISTORIES_SLOTS;
    return slot;
}

struct history *histories_of(struct histories *histories, uint32_t client)
{
    assert(client != 0);
    struct history *history = &histories->slots[search(histories, client)];
    if (history->client == 0) {
        if (histories->count == HISTORIES_MAX)
            return NULL;
        histories->count++;
        history->client = client;
    }
    return history;
}

struct history *histories_find(const struct histories *histories, uint32_t client)
{
    struct history *history = &histories->slots[search(histories, client)];
    return history->client == 0 ? NULL : history;
}

void histories_compared(struct histories *histories, const struct history *history)
{
    histories->compared[history - histories->slots] = true;
}

struct history *histories_left(const struct histories *histories, uint32_t *slot)
{
    while (*slot < HISTORIES_SLOTS) {
        struct history *history = &histories->slots[*slot];
        bool left = history->client != 0 && !histories->compared[*slot];
        ++*slot;
        if (left)
            return history;
    }
    return NULL;
}
