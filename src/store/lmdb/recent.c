/* SPDX-License-Identifier: MIT
 *
 * recent.c - see recent.h.
 */
#include "store/lmdb/recent.h"

#include <assert.h>
#include <string.h>

/* Open addressing, twice as many slots as accounts, so that a search ends: the slot that has the
 * client, or would. */
static uint32_t slot_of(const struct recent *recent, uint32_t client)
{
    uint32_t slot = (client * UINT32_C(2654435761)) %
                    RECENT_SLOTS; /* Knuth's multiplicative hash */
    while (recent->slots[slot] != 0 &&
           recent->accounts[recent->slots[slot] - 1].account.client != client)
        slot = (slot + 1) % RECENT_SLOTS;
    return slot;
}

void recent_init(struct recent *recent)
{
    pthread_mutex_init(&recent->mutex, NULL);
}

void recent_free(struct recent *recent)
{
    pthread_mutex_destroy(&recent->mutex);
}

const struct account_record *recent_find(const struct recent *recent, uint32_t client)
{
    uint16_t place = recent->slots[slot_of(recent, client)];
    return place == 0 ? NULL : &recent->accounts[place - 1];
}

void recent_lock(struct recent *recent)
{
    pthread_mutex_lock(&recent->mutex);
}

void recent_unlock(struct recent *recent)
{
    pthread_mutex_unlock(&recent->mutex);
}

void recent_put(struct recent *recent, const struct account_record *record)
{
    uint32_t slot = slot_of(recent, record->account.client);
    if (recent->slots[slot] == 0) {
        assert(recent->count < RECENT_MAX);
        recent->slots[slot] = (uint16_t)++recent->count;
    }
    recent->accounts[recent->slots[slot] - 1] = *record;
}

void recent_clear(struct recent *recent)
{
    recent_lock(recent);
    recent->count = 0;
    memset(recent->slots, 0, sizeof recent->slots);
    recent_unlock(recent);
}

bool recent_read(struct recent *recent, uint32_t client, struct account *ret)
{
    recent_lock(recent);
    const struct account_record *record = recent_find(recent, client);
    if (record)
        *ret = record->account;
    recent_unlock(recent);
    return record != NULL;
}
