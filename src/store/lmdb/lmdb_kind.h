/* SPDX-License-Identifier: MIT
 *
 * lmdb_kind.h - what lmdb:PATH means.
 *
 * Purpose    The embedded store's row in the table of kinds.
 * Invariant  A place is the path of a folder.
 * Ownership  A constant.
 * Threads    A constant.
 * Errors     As kind.h says.
 * Not here   Each call: lmdb_store.h, lmdb_archive.h, owner_ask.h.
 */
#ifndef CREBITO_STORE_LMDB_KIND_H
#define CREBITO_STORE_LMDB_KIND_H

#include "store/kind.h"

extern const struct store_kind lmdb_kind;

#endif
