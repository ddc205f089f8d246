/* SPDX-License-Identifier: MIT
 *
 * tables.h - records on their way into LMDB's tables.
 *
 * Purpose    Each as its table wants it, for whoever has a write transaction: a batch that is a commit by
 *            itself, a checkpoint.
 * Invariant  A key goes with its expiry record.
 * Ownership  Borrows all.
 * Threads    The transaction's.
 * Errors     LMDB's codes and errno; the caller must abort the transaction.
 * Not here   Whether a record should be written: batch.h. Reading.
 */
#ifndef CREBITO_STORE_LMDB_TABLES_H
#define CREBITO_STORE_LMDB_TABLES_H

#include <lmdb.h>
#include <stdbool.h>
#include <stdint.h>

#include "must_check.h"
#include "store/lmdb/environment.h"
#include "store/lmdb/record.h"

/* `value`: as journal_record_encode() made it; no record has a higher sequence yet. */
MUST_CHECK int tables_put_journal(const struct environment *environment, MDB_txn *txn,
                                  uint64_t sequence, const uint8_t *value, size_t value_bytes);

/* Is it for good, and not for want of room? */
bool tables_are_damaged(int result);

MUST_CHECK int tables_put_account(const struct environment *environment, MDB_txn *txn,
                                  const struct account_record *record);

/* `key`: as idempotency_key_encode() made it, and not there yet; booked as `sequence`. */
MUST_CHECK int tables_put_key(const struct environment *environment, MDB_txn *txn,
                              const uint8_t *key, size_t key_bytes, uint64_t sequence);
/* Without this it is never forgotten. `sequence`: above all before. */
MUST_CHECK int tables_put_expiry(const struct environment *environment, MDB_txn *txn,
                                 const uint8_t *key, size_t key_bytes, uint64_t sequence,
                                 int64_t time_us);

/* Forgets keys as old as `until_us`, looking at no more than `max` of the oldest. *oldest_us: no key is older;
 * INT64_MIN if not known, INT64_MAX if there is none. A damaged record is left for an audit. */
MUST_CHECK int tables_clear_keys(const struct environment *environment, MDB_txn *txn,
                                 int64_t until_us, uint32_t max, int64_t *oldest_us);

#endif
