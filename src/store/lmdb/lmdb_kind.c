/* SPDX-License-Identifier: MIT
 *
 * lmdb_kind.c - see lmdb_kind.h.
 */
#include "store/lmdb/lmdb_kind.h"

#include "store/lmdb/lmdb_archive.h"
#include "store/lmdb/lmdb_store.h"
#include "store/lmdb/look.h"
#include "store/lmdb/owner_ask.h"
#include "store/lmdb/target.h"

const struct store_kind lmdb_kind = {
    .version = CREBITO_VERSION,
    .open = lmdb_store_open,
    .inspect = lmdb_look,
    .ask_owner = owner_ask,
    .verify = lmdb_archive_verify,
    .read = lmdb_archive_read,
    .copy = lmdb_archive_copy,
    .clear = target_clear,
    .build_begin = lmdb_build_begin,
    .build_add = lmdb_build_add,
    .build_finish = lmdb_build_finish,
    .build_abandon = lmdb_build_abandon,
};
