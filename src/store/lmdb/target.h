/* SPDX-License-Identifier: MIT
 *
 * target.h - the place where a copy becomes a store.
 *
 * Purpose    Let a backup, a restore or an import work for minutes and still appear at once, whole.
 * Invariant  Under the final name there is nothing, or an empty folder, until target_finish(). A
 *            folder that is missing is made beside it, as PATH.partial, and renamed; in either,
 *            and in one that is there already (a mounted volume), the data file is
 *            FOLDER_DATA_PARTIAL until the end. No FOLDER_DATA is ever removed, but one that was
 *            named a moment before.
 * Ownership  target_begin() fills a struct that target_finish() or target_abandon() empties; what a
 *            killed process left is taken over by the next target_begin() of the same path.
 * Threads    One.
 * Errors     False and a sentence that names the path.
 * Not here   What is written into it.
 */
#ifndef CREBITO_STORE_LMDB_TARGET_H
#define CREBITO_STORE_LMDB_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "must_check.h"
#include "store/lmdb/environment.h"
#include "store/lmdb/folder.h"

#define TARGET_SUFFIX ".partial"

enum { TARGET_PATH_BYTES = 1024 };

struct target {
    char path[TARGET_PATH_BYTES];    /* the final name */
    char working[TARGET_PATH_BYTES]; /* where it is made: `path`, or beside it */
    struct folder folder;            /* `working` */
    struct environment environment;  /* to be filled */
};

MUST_CHECK bool target_begin(struct target *ret, const char *path, uint64_t map_bytes,
                             int64_t created_us, char *error, size_t error_size);
MUST_CHECK bool target_finish(struct target *target, char *error, size_t error_size);
void target_abandon(struct target *target);

/* Is there a PATH.partial, which somebody is making or has left unfinished? Its name. */
bool target_was_interrupted(const char *path, char *ret_beside, size_t size);

/* Removes what a killed process has left of a copy to `path`; not what another is writing. */
void target_clear(const char *path);

#endif
