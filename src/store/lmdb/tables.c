/* SPDX-License-Identifier: MIT
 *
 * tables.c - see tables.h.
 */
#include "store/lmdb/tables.h"

#include <string.h>

bool tables_are_damaged(int result)
{
    return result < 0 && result != MDB_MAP_FULL && result != MDB_TXN_FULL;
}

int tables_put_journal(const struct environment *environment, MDB_txn *txn, uint64_t sequence,
                       const uint8_t *value, size_t value_bytes)
{
    uint8_t sequence_key[SEQUENCE_KEY_BYTES];
    sequence_key_encode(sequence_key, sequence);
    MDB_val key = {sizeof sequence_key, sequence_key}, data = {value_bytes, (void *)value};
    return mdb_put(txn, environment->journal, &key, &data, MDB_APPEND);
}

int tables_put_account(const struct environment *environment, MDB_txn *txn,
                       const struct account_record *record)
{
    uint8_t client_key[CLIENT_KEY_BYTES], bytes[ACCOUNT_RECORD_BYTES_MAX];
    client_key_encode(client_key, record->account.client);
    MDB_val key = {sizeof client_key, client_key};
    MDB_val value = {account_record_encode(bytes, record), bytes};
    return mdb_put(txn, environment->accounts, &key, &value, 0);
}

/* --- keys ----------------------------------------------------------------------------------- */

int tables_put_key(const struct environment *environment, MDB_txn *txn, const uint8_t *key,
                   size_t key_bytes, uint64_t sequence)
{
    uint8_t bytes[KEY_RECORD_BYTES];
    MDB_val name = {key_bytes, (void *)key};
    MDB_val value = {key_record_encode(bytes, key, key_bytes, sequence), bytes};
    return mdb_put(txn, environment->keys, &name, &value, MDB_NOOVERWRITE);
}

int tables_put_expiry(const struct environment *environment, MDB_txn *txn, const uint8_t *key,
                      size_t key_bytes, uint64_t sequence, int64_t time_us)
{
    uint8_t sequence_key[SEQUENCE_KEY_BYTES], bytes[EXPIRY_RECORD_BYTES_MAX];
    struct expiry_record record = {.time_us = time_us, .key_bytes = (uint8_t)key_bytes};
    memcpy(record.idempotency_key, key, key_bytes);
    sequence_key_encode(sequence_key, sequence);
    MDB_val name = {sizeof sequence_key, sequence_key};
    MDB_val value = {expiry_record_encode(bytes, sequence, &record), bytes};
    return mdb_put(txn, environment->expiry, &name, &value, MDB_APPEND);
}

static bool decode_expiry(const MDB_val *key, const MDB_val *value, struct expiry_record *ret)
{
    return key->mv_size == SEQUENCE_KEY_BYTES &&
           expiry_record_decode(ret, sequence_key_decode(key->mv_data), value->mv_data,
                                value->mv_size);
}

static int forget_key(const struct environment *environment, MDB_txn *txn, MDB_cursor *cursor,
                      struct expiry_record *record)
{
    MDB_val key = {record->key_bytes, record->idempotency_key};
    int result = mdb_del(txn, environment->keys, &key, NULL);
    if (result != MDB_SUCCESS && result != MDB_NOTFOUND)
        return result;
    return mdb_cursor_del(cursor, 0);
}

static int clear_oldest(const struct environment *environment, MDB_txn *txn, MDB_cursor *cursor,
                        int64_t until_us, uint32_t max, int64_t *oldest_us)
{
    MDB_val key, value;
    int result = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    for (; result == MDB_SUCCESS && max > 0; max--) {
        struct expiry_record record;
        if (decode_expiry(&key, &value, &record)) {
            *oldest_us = record.time_us;
            if (record.time_us > until_us)
                break;
            result = forget_key(environment, txn, cursor, &record);
        }
        if (result == MDB_SUCCESS)
            result = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    return result;
}

int tables_clear_keys(const struct environment *environment, MDB_txn *txn, int64_t until_us,
                      uint32_t max, int64_t *oldest_us)
{
    MDB_cursor *cursor;
    if (*oldest_us > until_us)
        return MDB_SUCCESS;
    int result = mdb_cursor_open(txn, environment->expiry, &cursor);
    if (result != MDB_SUCCESS)
        return result;
    result = clear_oldest(environment, txn, cursor, until_us, max, oldest_us);
    mdb_cursor_close(cursor);
    if (result != MDB_NOTFOUND)
        return result;
    *oldest_us = INT64_MAX; /* there is none left */
    return MDB_SUCCESS;
}
