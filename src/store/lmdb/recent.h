/* SPDX-License-Identifier: MIT
 *
 * recent.h - accounts as they are now, where the last checkpoint does not have them yet.
 *
 * Purpose    Between two checkpoints an account is changed here, and not once for each batch in LMDB's
 *            pages; statements find it here.
 * Invariant  Each client at most once. What is here is durable, and newer than what any snapshot shows.
 * Ownership  Owns copies.
 * Threads    recent_read() on any; all else is the committer's.
 * Errors     None: the committer sees to it that there is room.
 * Not here   Writing to LMDB: ahead.h.
 */
#ifndef CREBITO_STORE_LMDB_RECENT_H
#define CREBITO_STORE_LMDB_RECENT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/lmdb/record.h"

enum { RECENT_MAX = 8192, RECENT_SLOTS = 2 * RECENT_MAX };

struct recent {
    pthread_mutex_t mutex; /* for writing, and for reading on other threads */
    uint32_t count;
    struct account_record accounts[RECENT_MAX]; /* [0, count) */
    uint16_t slots[RECENT_SLOTS];               /* 0: free; else 1 + index into accounts */
};

void recent_init(struct recent *recent); /* all zeros before */
void recent_free(struct recent *recent);

/* NULL: it is not here. Lasts until recent_put() or recent_clear(). */
const struct account_record *recent_find(const struct recent *recent, uint32_t client);
/* In place of what it had of the client. */
void recent_put(struct recent *recent, const struct account_record *record);
void recent_lock(struct recent *recent); /* around one recent_put() or several */
void recent_unlock(struct recent *recent);
void recent_clear(struct recent *recent);

/* False: it is not here, and a snapshot that begins now has it. */
bool recent_read(struct recent *recent, uint32_t client, struct account *ret);

#endif
