/* SPDX-License-Identifier: MIT
 *
 * environment.h - the LMDB environment of a store, and its five tables.
 *
 * Purpose    Create, open and judge data.mdb: whoever opens it through here has a whole store of
 *            a layout that this program knows.
 * Invariant  data.mdb appears in its folder complete, with its accounts, or not at all.
 * Ownership  environment_open() fills a struct that environment_close() empties.
 * Threads    LMDB's rules: one write transaction at a time, MDB_NOTLS readers.
 * Errors     False and a sentence that names the folder.
 * Not here   Who may open it (folder.h), what happens in transactions (batch.c, view.c).
 */
#ifndef CREBITO_STORE_LMDB_ENVIRONMENT_H
#define CREBITO_STORE_LMDB_ENVIRONMENT_H

#include <lmdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "must_check.h"
#include "store/lmdb/folder.h"
#include "store/lmdb/record.h"

struct environment {
    MDB_env *env;
    MDB_dbi meta;
    MDB_dbi journal;  /* sequence -> journal_record */
    MDB_dbi accounts; /* client -> account_record */
    MDB_dbi keys;     /* client, key -> sequence */
    MDB_dbi expiry;   /* sequence -> expiry_record, of entries that came with a key */
    uint32_t page_bytes;
    uint64_t map_bytes;
};

/* The accounts that a new store starts with. */
struct opening {
    uint32_t client;
    int64_t limit_cents;
    int64_t balance_cents;
};

/* Writes a whole store under FOLDER_DATA_NEW and renames it to FOLDER_DATA. */
MUST_CHECK bool environment_create(const struct folder *folder, const char *path,
                                   uint64_t map_bytes, const struct opening *openings,
                                   uint32_t count, int64_t now_us, char *error, size_t error_size);

/* `map_bytes` 0: the largest it was opened with. `flags`: LMDB's; MDB_RDONLY | MDB_NOLOCK looks on
 * beside an owner. */
MUST_CHECK bool environment_open(struct environment *ret, const char *path, uint64_t map_bytes,
                                 unsigned flags, char *error, size_t error_size);
void environment_close(struct environment *environment);

/* Bytes of the data file in use, as of the last commit. */
uint64_t environment_used_bytes(const struct environment *environment);

#endif
