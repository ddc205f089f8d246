/* SPDX-License-Identifier: MIT
 *
 * record.h - the ledger's records, as bytes.
 *
 * Purpose    Encode and decode what LMDB keeps. docs/decisions/0004-journal-layout.md has the
 *            layout in words and why it is so.
 * Invariant  decode(encode(x)) == x. Integers are little-endian in values, big-endian in keys (so
 *            that LMDB's byte order is numeric order). Each value ends in the CRC-32C of its key
 *            and all before it, so a value found under another's key is as wrong as a flipped bit.
 * Ownership  Callers own structs and buffers; nothing is allocated or kept.
 * Threads    No shared state.
 * Errors     Decoding returns false for anything that encoding could not have written; *ret is
 *            then untouched. Encoding asserts: it is given what the ledger has checked.
 * Not here   LMDB, transactions, files.
 */
#ifndef CREBITO_STORE_LMDB_RECORD_H
#define CREBITO_STORE_LMDB_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bank/journal.h"
#include "must_check.h"

enum { LAYOUT_VERSION = 1 };

#define META_KEY "layout" /* the key of the meta record, without the terminator */

enum { /* sizes in bytes */
       META_RECORD_BYTES = 24,
       SEQUENCE_KEY_BYTES = 8,
       CLIENT_KEY_BYTES = 4,
       IDEMPOTENCY_KEY_BYTES_MAX = CLIENT_KEY_BYTES + KEY_BYTES_MAX,
       JOURNAL_RECORD_BYTES_MAX = 52 + DESCRIPTION_BYTES_MAX,
       ACCOUNT_RECORD_BYTES_MAX = 48 + STATEMENT_ENTRIES_MAX * (18 + DESCRIPTION_BYTES_MAX),
       KEY_RECORD_BYTES = 16,
       EXPIRY_RECORD_BYTES_MAX = 16 + IDEMPOTENCY_KEY_BYTES_MAX,
};

/* meta: one record, written when the store is created. */
struct meta_record {
    uint32_t layout;    /* LAYOUT_VERSION; another one is decoded, and for the caller to refuse */
    int64_t created_us; /* Unix time */
};

/* journal: one struct journal_record (bank/journal.h) for each change, in commit order. */

/* accounts: one record for each client. */
struct account_record {
    struct account account;
    int64_t opening_balance_cents;
    uint64_t entries;       /* how many were ever booked */
    uint64_t last_sequence; /* of this client's newest journal record */
};

/* expiry: which key was booked when, in journal order, so that the oldest are found first. */
struct expiry_record {
    int64_t time_us;
    uint8_t key_bytes; /* of idempotency_key, as idempotency_key_encode() made it */
    uint8_t idempotency_key[IDEMPOTENCY_KEY_BYTES_MAX];
};

void sequence_key_encode(uint8_t key[SEQUENCE_KEY_BYTES], uint64_t sequence);
uint64_t sequence_key_decode(const uint8_t key[SEQUENCE_KEY_BYTES]);
void client_key_encode(uint8_t key[CLIENT_KEY_BYTES], uint32_t client);
uint32_t client_key_decode(const uint8_t key[CLIENT_KEY_BYTES]);
/* The key of the keys table: the client's own name space. Returns its size. */
size_t idempotency_key_encode(uint8_t key[IDEMPOTENCY_KEY_BYTES_MAX], uint32_t client,
                              const char *text, size_t text_bytes);

/* Each returns the number of bytes written. */
size_t meta_record_encode(uint8_t value[META_RECORD_BYTES], const struct meta_record *meta);
size_t journal_record_encode(uint8_t value[JOURNAL_RECORD_BYTES_MAX],
                             const struct journal_record *record);
size_t account_record_encode(uint8_t value[ACCOUNT_RECORD_BYTES_MAX],
                             const struct account_record *record);
size_t key_record_encode(uint8_t value[KEY_RECORD_BYTES], const uint8_t *key, size_t key_bytes,
                         uint64_t sequence);
size_t expiry_record_encode(uint8_t value[EXPIRY_RECORD_BYTES_MAX], uint64_t sequence,
                            const struct expiry_record *record);

MUST_CHECK bool meta_record_decode(struct meta_record *ret, const uint8_t *value, size_t size);
MUST_CHECK bool journal_record_decode(struct journal_record *ret, uint64_t sequence,
                                      const uint8_t *value, size_t size);
MUST_CHECK bool account_record_decode(struct account_record *ret, uint32_t client,
                                      const uint8_t *value, size_t size);
MUST_CHECK bool key_record_decode(uint64_t *ret_sequence, const uint8_t *key, size_t key_bytes,
                                  const uint8_t *value, size_t size);
MUST_CHECK bool expiry_record_decode(struct expiry_record *ret, uint64_t sequence,
                                     const uint8_t *value, size_t size);

#endif
