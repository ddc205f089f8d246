/* SPDX-License-Identifier: MIT
 *
 * postgres_kind.c - what a module exports: the row of postgres:// in the table of kinds.
 */
#include "store/kind.h"
#include "store/module.h"
#include "store/postgres/postgres_store.h"

extern const struct store_kind MODULE_SYMBOL;

__attribute__((visibility("default"))) const struct store_kind MODULE_SYMBOL = {
    .version = CREBITO_VERSION,
    .open = postgres_store_open,
    .no_copy = "a bank on PostgreSQL is copied by pg_dump, or by crebito export and import",
};
