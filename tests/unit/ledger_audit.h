/* SPDX-License-Identifier: MIT
 *
 * ledger_audit.h - a folder to keep a store in, and a look at every record in it.
 */
#ifndef CREBITO_TESTS_UNIT_LEDGER_AUDIT_H
#define CREBITO_TESTS_UNIT_LEDGER_AUDIT_H

#include "store/lmdb/environment.h"
#include "store/op.h"

enum { FOLDER_BYTES_MAX = 200 };

/* A path in a new temporary folder, which temporary_remove() takes away with all that is in it. */
void temporary_make(char ret_path[FOLDER_BYTES_MAX]);
void temporary_remove(const char *path);

/* What a ledger holds. */
struct audit {
    uint64_t sequences; /* of the journal; the last one's number too */
    uint64_t entries;   /* of them, those that moved money */
    uint64_t keys;
    int64_t last_time_us;
    int64_t balance_cents[8]; /* of clients 1 to 7 */
};

/* Fails unless sequences have no gap, times rise, each account is what its journal makes it, with
 * its last ten entries, and keys and expiry records are those of journal entries. */
void audit_environment(struct audit *ret, const struct environment *environment);
void audit_folder(struct audit *ret, const char *path);

/* Ops for a batch or a store. `key` NULL: none. */
struct op entry_op(uint32_t client, enum entry_kind kind, int64_t amount_cents, const char *key);
struct op open_op(uint32_t client, int64_t limit_cents, int64_t balance_cents);
struct op limit_op(uint32_t client, int64_t limit_cents);

#endif
