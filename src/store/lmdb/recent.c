/* SPDX-License-Identifier: MIT
 *
 * recent.c - see recent.h.
 */
#include "store/lmdb/recent.h"

#include <assert.h>
#include <string.h>
#include <sys/random.h>

/* Open addressing, twice as many slots as there may be of each, so that a search ends: the slot that has
 * it, or would. */
static uint32_t account_slot(const struct generation *generation, uint32_t client)
{
    uint32_t slot = (client * UINT32_C(2654435761)) %
                    RECENT_ACCOUNT_SLOTS; /* Knuth's multiplicative hash */
    while (generation->account_slots[slot] != 0 &&
           generation->accounts[generation->account_slots[slot] - 1].account.client != client)
        slot = (slot + 1) % RECENT_ACCOUNT_SLOTS;
    return slot;
}

static bool key_is(const struct recent_key *has, const uint8_t *key, size_t key_bytes)
{
    return has->key_bytes == key_bytes && memcmp(has->key, key, key_bytes) == 0;
}

/* FNV-1a, from a begin that nobody knows who could choose keys that meet. */
static uint32_t key_slot(const struct generation *generation, const uint8_t *key, size_t key_bytes)
{
    uint64_t hash = generation->seed;
    for (size_t i = 0; i < key_bytes; i++)
        hash = (hash ^ key[i]) * UINT64_C(0x100000001b3);
    uint32_t slot = (uint32_t)(hash >> 32) % RECENT_KEY_SLOTS;
    while (generation->key_slots[slot] != 0 &&
           !key_is(&generation->keys[generation->key_slots[slot] - 1], key, key_bytes))
        slot = (slot + 1) % RECENT_KEY_SLOTS;
    return slot;
}

static const struct account_record *find_account(const struct generation *generation,
                                                 uint32_t client)
{
    uint16_t place = generation->account_slots[account_slot(generation, client)];
    return place == 0 ? NULL : &generation->accounts[place - 1];
}

static const struct recent_key *find_key(const struct generation *generation, const uint8_t *key,
                                         size_t key_bytes)
{
    uint16_t place = generation->key_slots[key_slot(generation, key, key_bytes)];
    return place == 0 ? NULL : &generation->keys[place - 1];
}

/* --- both generations ----------------------------------------------------------------------- */

void recent_init(struct recent *recent)
{
    pthread_mutex_init(&recent->mutex, NULL);
    for (int i = 0; i < 2; i++) /* without it all is as right, and slower for who is attacked */
        (void)!getrandom(&recent->generations[i].seed, sizeof recent->generations[i].seed,
                         GRND_NONBLOCK);
}

void recent_free(struct recent *recent)
{
    pthread_mutex_destroy(&recent->mutex);
}

struct generation *recent_young(struct recent *recent)
{
    return &recent->generations[recent->young];
}

struct generation *recent_old(struct recent *recent)
{
    return &recent->generations[1 - recent->young];
}

const struct account_record *recent_find(const struct recent *recent, uint32_t client)
{
    const struct account_record *young = find_account(&recent->generations[recent->young], client);
    return young ? young : find_account(&recent->generations[1 - recent->young], client);
}

const struct recent_key *recent_find_key(const struct recent *recent, const uint8_t *key,
                                         size_t key_bytes)
{
    const struct recent_key *young = find_key(&recent->generations[recent->young], key, key_bytes);
    return young ? young : find_key(&recent->generations[1 - recent->young], key, key_bytes);
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
    struct generation *young = recent_young(recent);
    uint32_t slot = account_slot(young, record->account.client);
    if (young->account_slots[slot] == 0) {
        assert(young->accounts_count < RECENT_ACCOUNTS_MAX);
        young->account_slots[slot] = (uint16_t)++young->accounts_count;
    }
    young->accounts[young->account_slots[slot] - 1] = *record;
}

void recent_put_key(struct recent *recent, const struct recent_key *key)
{
    struct generation *young = recent_young(recent);
    uint32_t slot = key_slot(young, key->key, key->key_bytes);
    assert(young->key_slots[slot] == 0 && young->keys_count < RECENT_KEYS_MAX);
    young->key_slots[slot] = (uint16_t)++young->keys_count;
    young->keys[young->key_slots[slot] - 1] = *key;
}

void recent_turn(struct recent *recent)
{
    assert(recent_old(recent)->records == 0);
    recent_lock(recent);
    recent->young = 1 - recent->young;
    recent_unlock(recent);
}

void recent_forget(struct recent *recent)
{
    struct generation *old = recent_old(recent);
    recent_lock(recent);
    old->records = 0;
    old->accounts_count = old->keys_count = 0;
    memset(old->account_slots, 0, sizeof old->account_slots);
    memset(old->key_slots, 0, sizeof old->key_slots);
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
