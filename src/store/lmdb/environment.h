/* SPDX-License-Identifier: MIT
 *
 * environment.h - the LMDB environment of a store, and its five tables.
 *
 * Purpose    Create, open and judge data.mdb: whoever opens it through here has a whole store of
 *            a layout that this program knows.
 * Invariant  data.mdb appears in its folder complete, flushed and with its accounts, or not at all.
 * Ownership  environment_open() fills a struct that environment_close() empties.
 * Threads    LMDB's rules: one write transaction at a time, MDB_NOTLS readers.
 * Errors     False, or another end than ENVIRONMENT_OPEN, and a sentence that names the folder.
 * Not here   Who may open it (folder.h), what happens in transactions (batch.c, view.c), what a new
 *            store is filled with (replay.c, copy.c).
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

enum { ENVIRONMENT_READERS_MAX = 64 }; /* snapshots at once, of all processes */

struct environment {
    MDB_env *env;
    MDB_dbi meta;
    MDB_dbi journal;  /* sequence -> journal_record */
    MDB_dbi accounts; /* client -> account_record */
    MDB_dbi keys;     /* client, key -> sequence */
    MDB_dbi expiry;   /* sequence -> expiry_record, of entries that came with a key */
    uint32_t page_bytes;
    uint64_t map_bytes;
    int64_t created_us; /* the store, Unix time */
};

enum environment_end {
    ENVIRONMENT_OPEN,
    ENVIRONMENT_DAMAGED, /* it is not as it was written */
    ENVIRONMENT_REFUSED, /* not there, not ours to read, not crebito's, or of another layout */
};

/* `map_bytes` 0: the largest it was opened with. `flags`: LMDB's. MDB_RDONLY reads beside an owner;
 * with MDB_NOLOCK it only looks on (lmdb_store.c). */
MUST_CHECK enum environment_end environment_open(struct environment *ret, const char *path,
                                                 uint64_t map_bytes, unsigned flags, char *error,
                                                 size_t error_size);
void environment_close(struct environment *environment);

/* A new store, to be filled and named: `file` is FOLDER_DATA_NEW or FOLDER_DATA_PARTIAL, and one
 * that was left there goes. Nothing in it is flushed before environment_name(). */
MUST_CHECK bool environment_create(struct environment *ret, const struct folder *folder,
                                   const char *path, const char *file, uint64_t map_bytes,
                                   int64_t created_us, char *error, size_t error_size);

/* Flushes it, closes it and renames it to FOLDER_DATA. In any case it is closed. */
MUST_CHECK bool environment_name(struct environment *environment, const struct folder *folder,
                                 const char *path, const char *file, char *error,
                                 size_t error_size);

/* Closes it and removes it, unnamed. */
void environment_discard(struct environment *environment, const struct folder *folder,
                         const char *file);

/* LMDB maps FOLDER_LOCK and writes to it: with no room behind it that would be a SIGBUS. Makes it if
 * there is none. False: errno says why it cannot be used. */
MUST_CHECK bool environment_reserve_lock(const char *path);

/* What a write to a new store has failed with, in words. */
const char *environment_write_error(int result);

/* Bytes of the data file in use, as of the last commit. */
uint64_t environment_used_bytes(const struct environment *environment);

#endif
