/* SPDX-License-Identifier: MIT
 *
 * schema.h - the tables and procedures of a bank: are they there, and of which version; making them.
 *
 * Purpose    Run the files of sql/, for `crebito init` and for a store that is built.
 * Invariant  Whoever makes or changes a schema holds a lock of the database meanwhile: two that
 *            begin at once do it one after the other. A schema that is newer than ours is not touched.
 * Ownership  Borrows the query.
 * Threads    One.
 * Errors     As query.h; sentences name the command that mends it. What the server warns of goes to
 *            stderr, as `crebito: warning: ...`.
 * Not here   What is in the tables: load.h, audit.h.
 */
#ifndef CREBITO_STORE_POSTGRES_SCHEMA_H
#define CREBITO_STORE_POSTGRES_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "must_check.h"
#include "store/postgres/query.h"
#include "store/store.h"

enum {
    SCHEMA_NONE = -1,
    SCHEMA_FIRST = 0, /* the challenge's first bank, which had no version */
    SCHEMA_OURS = 1,  /* sql/60-version.sql */
};

/* What is wrong with a version that is not ours, and what to do. */
void schema_complain(char *error, size_t error_size, const char *place, int32_t version);

MUST_CHECK enum archive_end schema_version(struct query *query, int32_t *ret);

/* ARCHIVE_DONE: it is of our version. */
MUST_CHECK enum archive_end schema_check(struct query *query);

/* Within a transaction at READ COMMITTED, which is to be committed. `with_clients`: the five of the
 * challenge, if there is nobody yet. */
MUST_CHECK enum archive_end schema_install(struct query *query, bool with_clients,
                                           enum store_profile profile);

/* The same within the same lock, where there is none of any version; else ARCHIVE_FAILED. */
MUST_CHECK enum archive_end schema_install_new(struct query *query);

/* As store_init(). */
MUST_CHECK bool schema_init(const char *url, const struct store_options *options, char *error,
                            size_t error_size);

#endif
