/* SPDX-License-Identifier: MIT
 *
 * reader.c - see reader.h.
 */
#include "store/lmdb/reader.h"

int reader_open(struct reader *reader, const struct environment *environment)
{
    reader->environment = environment;
    int result = mdb_txn_begin(environment->env, NULL, MDB_RDONLY, &reader->snapshot);
    if (result == MDB_SUCCESS)
        mdb_txn_reset(reader->snapshot);
    return result;
}

void reader_close(struct reader *reader)
{
    mdb_txn_abort(reader->snapshot);
}

int reader_look(struct reader *reader)
{
    return mdb_txn_renew(reader->snapshot);
}

void reader_rest(struct reader *reader)
{
    mdb_txn_reset(reader->snapshot);
}

int reader_count(const struct reader *reader, MDB_dbi table, uint64_t *ret)
{
    MDB_stat stat;
    int result = mdb_stat(reader->snapshot, table, &stat);
    if (result == MDB_SUCCESS)
        *ret = stat.ms_entries;
    return result;
}

int reader_last(const struct reader *reader, uint64_t *ret_sequence)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    int result = mdb_cursor_open(reader->snapshot, reader->environment->journal, &cursor);
    if (result != MDB_SUCCESS)
        return result;
    result = mdb_cursor_get(cursor, &key, &value, MDB_LAST);
    mdb_cursor_close(cursor);
    if (result == MDB_NOTFOUND)
        *ret_sequence = 0;
    else if (result == MDB_SUCCESS && key.mv_size == SEQUENCE_KEY_BYTES)
        *ret_sequence = sequence_key_decode(key.mv_data);
    else
        return result == MDB_SUCCESS ? MDB_CORRUPTED : result;
    return MDB_SUCCESS;
}

int reader_record(const struct reader *reader, uint64_t sequence, struct journal_record *ret)
{
    uint8_t bytes[SEQUENCE_KEY_BYTES];
    MDB_val key = {sizeof bytes, bytes}, value;
    sequence_key_encode(bytes, sequence);
    int result = mdb_get(reader->snapshot, reader->environment->journal, &key, &value);
    if (result == MDB_SUCCESS &&
        !journal_record_decode(ret, sequence, value.mv_data, value.mv_size))
        result = MDB_CORRUPTED;
    return result;
}

int journal_walk_begin(struct journal_walk *walk, const struct reader *reader, uint64_t sequence)
{
    walk->sequence = sequence;
    walk->begun = false;
    return mdb_cursor_open(reader->snapshot, reader->environment->journal, &walk->cursor);
}

int journal_next(struct journal_walk *walk, MDB_val *ret_value)
{
    uint8_t bytes[SEQUENCE_KEY_BYTES];
    MDB_val key = {sizeof bytes, bytes};
    sequence_key_encode(bytes, walk->sequence + 1);
    int result = mdb_cursor_get(walk->cursor, &key, ret_value,
                                walk->begun ? MDB_NEXT : MDB_SET_RANGE);
    if (result != MDB_SUCCESS)
        return result;
    walk->begun = true;
    walk->sequence++;
    return key.mv_size == SEQUENCE_KEY_BYTES && sequence_key_decode(key.mv_data) == walk->sequence
               ? MDB_SUCCESS
               : MDB_CORRUPTED;
}

void journal_walk_end(struct journal_walk *walk)
{
    mdb_cursor_close(walk->cursor);
}
