/* SPDX-License-Identifier: MIT
 *
 * postgres_kind.c - what a module exports: the row of postgres:// in the table of kinds.
 */
#include "store/kind.h"
#include "store/module.h"
#include "store/postgres/inspect.h"
#include "store/postgres/postgres_archive.h"
#include "store/postgres/postgres_store.h"
#include "store/postgres/schema.h"

extern const struct store_kind MODULE_SYMBOL;

static enum archive_end build_begin(struct archive_build **ret, const char *url, uint64_t map_bytes,
                                    int64_t created_us, char *error, size_t error_size)
{
    (void)map_bytes; /* a folder's */
    return postgres_build_begin(ret, &MODULE_SYMBOL, url, created_us, error, error_size);
}

__attribute__((visibility("default"))) const struct store_kind MODULE_SYMBOL = {
    .version = CREBITO_VERSION,
    .open = postgres_store_open,
    .inspect = inspect,
    .init = schema_init,
    .verify = postgres_archive_verify,
    .read = postgres_archive_read,
    .no_copy = "a bank on PostgreSQL is copied by pg_dump, or by crebito export and import",
    .build_begin = build_begin,
    .build_add = postgres_build_add,
    .build_finish = postgres_build_finish,
    .build_abandon = postgres_build_abandon,
};
