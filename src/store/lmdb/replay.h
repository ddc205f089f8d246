/* SPDX-License-Identifier: MIT
 *
 * replay.h - a new store, filled record by record by the rule that fills a serving one.
 *
 * Purpose    Turn each journal record back into the op it came from, let the ledger judge it, and
 *            hold what comes out against what the record says.
 * Invariant  What replay_end() has answered with ARCHIVE_DONE holds exactly the records given.
 * Ownership  Borrows the environment; replay_end() and replay_abandon() end what replay_begin() did.
 * Threads    One.
 * Errors     ARCHIVE_WRONG: the record does not follow. Where the ledger refused it the replay can
 *            go on without it; else it cannot end well. ARCHIVE_FAILED: no room, or no memory.
 * Not here   Where records come from, what the store is called: archive.h, target.h.
 */
#ifndef CREBITO_STORE_LMDB_REPLAY_H
#define CREBITO_STORE_LMDB_REPLAY_H

#include <lmdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "must_check.h"
#include "store/archive.h"
#include "store/lmdb/batch.h"
#include "store/lmdb/environment.h"
#include "store/lmdb/folder.h"

struct replay {
    const struct environment *environment;
    struct batch batch;
    MDB_txn *txn;       /* NULL: none is open */
    uint32_t batch_ops; /* since batch_begin() */
    uint32_t txn_ops;
    bool broken; /* the store now holds what no record says */
};

/* `environment`: as environment_create() made it. */
void replay_begin(struct replay *replay, const struct environment *environment);
MUST_CHECK enum archive_end replay_add(struct replay *replay, const struct archive_record *record,
                                       char *error, size_t error_size);
MUST_CHECK enum archive_end replay_end(struct replay *replay, char *error, size_t error_size);
void replay_abandon(struct replay *replay);

/* The accounts that a new store starts with. */
struct opening {
    uint32_t client;
    int64_t limit_cents;
    int64_t balance_cents;
};

/* A store of these accounts, complete and named, in a folder that has none. */
MUST_CHECK bool replay_openings(const struct folder *folder, const char *path, uint64_t map_bytes,
                                const struct opening *openings, uint32_t count, int64_t now_us,
                                char *error, size_t error_size);

#endif
