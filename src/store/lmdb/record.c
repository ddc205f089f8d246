/* SPDX-License-Identifier: MIT
 *
 * record.c - see record.h.
 */
#include "store/lmdb/record.h"

#include <assert.h>
#include <string.h>

#include "store/lmdb/bytes.h"
#include "store/lmdb/crc32c.h"

enum { RECORD_VERSION = 1, CRC_BYTES = 4 };

static const uint8_t meta_magic[8] = "crebito";
static const char meta_key[] = META_KEY;

/* Of a value under its key. */
static uint32_t checksum(const void *key, size_t key_bytes, const uint8_t *value, size_t size)
{
    return crc32c_extend(crc32c_extend(0, key, key_bytes), value, size);
}

/* --- frames of records --------------------------------------------------------------------- */

/* Version, three bytes that the record may use, and so everything after them aligned. */
static struct bytes_out begin(uint8_t *value, unsigned first, unsigned second)
{
    struct bytes_out writer = {value, value};
    put_u8(&writer, RECORD_VERSION);
    put_u8(&writer, first);
    put_u8(&writer, second);
    put_u8(&writer, 0);
    return writer;
}

static size_t seal(struct bytes_out *writer, const void *key, size_t key_bytes)
{
    put_u32(writer, checksum(key, key_bytes, writer->start, (size_t)(writer->at - writer->start)));
    return (size_t)(writer->at - writer->start);
}

/* False unless the checksum is right; then the reader stands at the first byte. */
static bool unseal(struct bytes_in *reader, const void *key, size_t key_bytes, const uint8_t *value,
                   size_t size)
{
    size_t body_bytes = size - CRC_BYTES;
    if (size < CRC_BYTES ||
        checksum(key, key_bytes, value, body_bytes) != u32_at(value + body_bytes))
        return false;
    *reader = (struct bytes_in){.at = value, .end = value + body_bytes};
    return true;
}

/* As unseal(), for the records that begin() began: the reader stands at the second byte. */
static bool open_record(struct bytes_in *reader, const void *key, size_t key_bytes,
                        const uint8_t *value, size_t size)
{
    return unseal(reader, key, key_bytes, value, size) && get_u8(reader) == RECORD_VERSION;
}

/* --- keys --------------------------------------------------------------------------------- */

void sequence_key_encode(uint8_t key[SEQUENCE_KEY_BYTES], uint64_t sequence)
{
    for (int i = SEQUENCE_KEY_BYTES - 1; i >= 0; i--, sequence >>= 8)
        key[i] = (uint8_t)sequence;
}

uint64_t sequence_key_decode(const uint8_t key[SEQUENCE_KEY_BYTES])
{
    uint64_t sequence = 0;
    for (int i = 0; i < SEQUENCE_KEY_BYTES; i++)
        sequence = sequence << 8 | key[i];
    return sequence;
}

void client_key_encode(uint8_t key[CLIENT_KEY_BYTES], uint32_t client)
{
    for (int i = CLIENT_KEY_BYTES - 1; i >= 0; i--, client >>= 8)
        key[i] = (uint8_t)client;
}

uint32_t client_key_decode(const uint8_t key[CLIENT_KEY_BYTES])
{
    uint32_t client = 0;
    for (int i = 0; i < CLIENT_KEY_BYTES; i++)
        client = client << 8 | key[i];
    return client;
}

size_t idempotency_key_encode(uint8_t key[IDEMPOTENCY_KEY_BYTES_MAX], uint32_t client,
                              const char *text, size_t text_bytes)
{
    assert(text_bytes >= 1 && text_bytes <= KEY_BYTES_MAX);
    client_key_encode(key, client);
    memcpy(key + CLIENT_KEY_BYTES, text, text_bytes);
    return CLIENT_KEY_BYTES + text_bytes;
}

/* --- meta: magic 8, layout 4, created_us 8 ------------------------------------------------ */

size_t meta_record_encode(uint8_t value[META_RECORD_BYTES], const struct meta_record *meta)
{
    struct bytes_out writer = {value, value};
    put_bytes(&writer, meta_magic, sizeof meta_magic);
    put_u32(&writer, meta->layout);
    put_i64(&writer, meta->created_us);
    return seal(&writer, meta_key, sizeof meta_key - 1);
}

bool meta_record_decode(struct meta_record *ret, const uint8_t *value, size_t size)
{
    struct bytes_in reader = {.at = value, .end = value + size};
    if (memcmp(get_bytes(&reader, sizeof meta_magic), meta_magic, sizeof meta_magic) != 0)
        return false;
    /* A newer layout may have a longer record: only its magic and number are promised. */
    struct meta_record meta = {.layout = get_u32(&reader)};
    if (reader.wrong)
        return false;
    if (meta.layout == LAYOUT_VERSION) {
        if (!unseal(&reader, meta_key, sizeof meta_key - 1, value, size))
            return false;
        (void)get_bytes(&reader, sizeof meta_magic + 4);
        meta.created_us = get_i64(&reader);
        if (!finished(&reader))
            return false;
    }
    *ret = meta;
    return true;
}

/* --- journal: version, kind, description's size, 0, client 4, amount 8, balance 8, limit 8,
 *     time_us 8, previous sequence 8, description ------------------------------------------- */

size_t journal_record_encode(uint8_t value[JOURNAL_RECORD_BYTES_MAX],
                             const struct journal_record *record)
{
    const struct entry *entry = &record->entry;
    assert(journal_record_sane(record));

    uint8_t key[SEQUENCE_KEY_BYTES];
    sequence_key_encode(key, record->sequence);
    struct bytes_out writer = begin(value, record->kind, entry->description_bytes);
    put_u32(&writer, record->client);
    put_i64(&writer, entry->amount_cents);
    put_i64(&writer, record->balance_cents);
    put_i64(&writer, record->limit_cents);
    put_i64(&writer, entry->time_us);
    put_u64(&writer, record->previous_sequence);
    put_bytes(&writer, entry->description, entry->description_bytes);
    return seal(&writer, key, sizeof key);
}

bool journal_record_decode(struct journal_record *ret, uint64_t sequence, const uint8_t *value,
                           size_t size)
{
    uint8_t key[SEQUENCE_KEY_BYTES];
    sequence_key_encode(key, sequence);
    struct bytes_in reader;
    if (!open_record(&reader, key, sizeof key, value, size))
        return false;

    struct journal_record record = {.sequence = sequence};
    record.kind = get_u8(&reader);
    record.entry.kind = (enum entry_kind)record.kind;
    record.entry.description_bytes = get_u8(&reader);
    get_zeros(&reader, 1);
    record.client = get_u32(&reader);
    record.entry.amount_cents = get_i64(&reader);
    record.balance_cents = get_i64(&reader);
    record.limit_cents = get_i64(&reader);
    record.entry.time_us = get_i64(&reader);
    record.previous_sequence = get_u64(&reader);
    if (record.entry.description_bytes > DESCRIPTION_BYTES_MAX)
        return false;
    memcpy(record.entry.description, get_bytes(&reader, record.entry.description_bytes),
           record.entry.description_bytes);
    if (!finished(&reader) || !journal_record_sane(&record))
        return false;
    *ret = record;
    return true;
}

/* --- accounts: version, number of recent entries, 0, 0, limit 8, balance 8, opening balance 8,
 *     entries 8, last sequence 8, then each recent entry, newest first: amount 8, time_us 8,
 *     kind, description's size, description -------------------------------------------------- */

size_t account_record_encode(uint8_t value[ACCOUNT_RECORD_BYTES_MAX],
                             const struct account_record *record)
{
    const struct account *account = &record->account;
    /* Check both sides of storage: what is wrong must not become what is stored. */
    assert(account_sane(account));

    uint8_t key[CLIENT_KEY_BYTES];
    client_key_encode(key, account->client);
    struct bytes_out writer = begin(value, account->recent_count, 0);
    put_i64(&writer, account->limit_cents);
    put_i64(&writer, account->balance_cents);
    put_i64(&writer, record->opening_balance_cents);
    put_u64(&writer, record->entries);
    put_u64(&writer, record->last_sequence);
    for (uint32_t i = 0; i < account->recent_count; i++) {
        const struct entry *entry = &account->recent[i];
        put_i64(&writer, entry->amount_cents);
        put_i64(&writer, entry->time_us);
        put_u8(&writer, entry->kind);
        put_u8(&writer, entry->description_bytes);
        put_bytes(&writer, entry->description, entry->description_bytes);
    }
    return seal(&writer, key, sizeof key);
}

bool account_record_decode(struct account_record *ret, uint32_t client, const uint8_t *value,
                           size_t size)
{
    uint8_t key[CLIENT_KEY_BYTES];
    client_key_encode(key, client);
    struct bytes_in reader;
    if (!open_record(&reader, key, sizeof key, value, size))
        return false;

    struct account_record record = {.account.client = client};
    struct account *account = &record.account;
    account->recent_count = get_u8(&reader);
    get_zeros(&reader, 2);
    account->limit_cents = get_i64(&reader);
    account->balance_cents = get_i64(&reader);
    record.opening_balance_cents = get_i64(&reader);
    record.entries = get_u64(&reader);
    record.last_sequence = get_u64(&reader);
    if (account->recent_count > STATEMENT_ENTRIES_MAX)
        return false;
    for (uint32_t i = 0; i < account->recent_count; i++) {
        struct entry *entry = &account->recent[i];
        entry->amount_cents = get_i64(&reader);
        entry->time_us = get_i64(&reader);
        entry->kind = get_u8(&reader);
        entry->description_bytes = get_u8(&reader);
        if (entry->description_bytes > DESCRIPTION_BYTES_MAX)
            return false;
        memcpy(entry->description, get_bytes(&reader, entry->description_bytes),
               entry->description_bytes);
    }
    if (!finished(&reader) || !account_sane(account))
        return false;
    *ret = record;
    return true;
}

/* --- keys: version, 0, 0, 0, sequence 8 ---------------------------------------------------- */

size_t key_record_encode(uint8_t value[KEY_RECORD_BYTES], const uint8_t *key, size_t key_bytes,
                         uint64_t sequence)
{
    struct bytes_out writer = begin(value, 0, 0);
    put_u64(&writer, sequence);
    return seal(&writer, key, key_bytes);
}

bool key_record_decode(uint64_t *ret_sequence, const uint8_t *key, size_t key_bytes,
                       const uint8_t *value, size_t size)
{
    struct bytes_in reader;
    if (!open_record(&reader, key, key_bytes, value, size))
        return false;
    get_zeros(&reader, 3);
    uint64_t sequence = get_u64(&reader);
    if (!finished(&reader))
        return false;
    *ret_sequence = sequence;
    return true;
}

/* --- expiry: version, key's size, 0, 0, time_us 8, key ------------------------------------- */

size_t expiry_record_encode(uint8_t value[EXPIRY_RECORD_BYTES_MAX], uint64_t sequence,
                            const struct expiry_record *record)
{
    uint8_t key[SEQUENCE_KEY_BYTES];
    sequence_key_encode(key, sequence);
    struct bytes_out writer = begin(value, record->key_bytes, 0);
    put_i64(&writer, record->time_us);
    put_bytes(&writer, record->idempotency_key, record->key_bytes);
    return seal(&writer, key, sizeof key);
}

bool expiry_record_decode(struct expiry_record *ret, uint64_t sequence, const uint8_t *value,
                          size_t size)
{
    uint8_t key[SEQUENCE_KEY_BYTES];
    sequence_key_encode(key, sequence);
    struct bytes_in reader;
    if (!open_record(&reader, key, sizeof key, value, size))
        return false;
    struct expiry_record record = {.key_bytes = get_u8(&reader)};
    get_zeros(&reader, 2);
    record.time_us = get_i64(&reader);
    if (record.key_bytes <= CLIENT_KEY_BYTES || record.key_bytes > IDEMPOTENCY_KEY_BYTES_MAX ||
        reader.wrong || (size_t)(reader.end - reader.at) != record.key_bytes)
        return false;
    memcpy(record.idempotency_key, reader.at, record.key_bytes);
    *ret = record;
    return true;
}
