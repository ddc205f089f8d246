/* SPDX-License-Identifier: MIT
 *
 * recent.h - accounts and keys as they are now, where LMDB does not have them yet.
 *
 * Purpose    Between two checkpoints what batches book is here, and not in LMDB's pages: the committer judges
 *            by it, statements show it, a checkpoint writes it.
 * Invariant  Two generations. The young one takes what is booked; the old one does not change and is what a checkpoint
 *            brings to LMDB meanwhile, or it is empty. In each a client and a key are at most once. What
 *            is here is durable, and newer than what any snapshot shows until recent_forget().
 * Ownership  Owns copies.
 * Threads    recent_read() on any; a checkpoint's may read the old generation; all else is for one at a time (owner.c).
 * Errors     None: the committer sees to it that there is room.
 * Not here   Writing to LMDB: checkpoint.h.
 */
#ifndef CREBITO_STORE_LMDB_RECENT_H
#define CREBITO_STORE_LMDB_RECENT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bank/journal.h"
#include "store/lmdb/record.h"

enum {
    RECENT_ACCOUNTS_MAX = 32768, /* of a generation; their places fit 16 bits */
    RECENT_KEYS_MAX = 16384,     /* each costs a checkpoint more pages than an account does */
    RECENT_ACCOUNT_SLOTS = 2 * RECENT_ACCOUNTS_MAX,
    RECENT_KEY_SLOTS = 2 * RECENT_KEYS_MAX,
};

struct recent_key {
    struct journal_record record; /* that was booked under it */
    uint8_t key_bytes;
    uint8_t key[IDEMPOTENCY_KEY_BYTES_MAX];
};

struct generation {
    uint64_t records; /* of the journal, booked in it; 0: it is empty */
    uint32_t accounts_count, keys_count;
    struct account_record accounts[RECENT_ACCOUNTS_MAX]; /* [0, accounts_count) */
    struct recent_key keys[RECENT_KEYS_MAX];             /* [0, keys_count), as they were booked */
    uint16_t account_slots[RECENT_ACCOUNT_SLOTS];        /* 0: free; else 1 + index into accounts */
    uint16_t key_slots[RECENT_KEY_SLOTS];
    uint64_t seed; /* of the keys' places */
};

struct recent {
    pthread_mutex_t mutex; /* for changing anything, and for reading on other threads */
    uint32_t young;        /* which of them it is */
    struct generation generations[2];
};

void recent_init(struct recent *recent); /* all zeros before */
void recent_free(struct recent *recent);

struct generation *recent_young(struct recent *recent);
struct generation *recent_old(struct recent *recent);

/* NULL: it is not here. Last until the next change. */
const struct account_record *recent_find(const struct recent *recent, uint32_t client);
const struct recent_key *recent_find_key(const struct recent *recent, const uint8_t *key,
                                         size_t key_bytes);

/* Around any number of the two that follow. */
void recent_lock(struct recent *recent);
void recent_unlock(struct recent *recent);
/* In place of what the young generation had of the client. */
void recent_put(struct recent *recent, const struct account_record *record);
void recent_put_key(struct recent *recent, const struct recent_key *key);

/* The young generation becomes the old one, which must be empty. */
void recent_turn(struct recent *recent);
/* LMDB has the old generation. */
void recent_forget(struct recent *recent);

/* False: it is not here, and a snapshot that begins now has it. */
bool recent_read(struct recent *recent, uint32_t client, struct account *ret);

#endif
