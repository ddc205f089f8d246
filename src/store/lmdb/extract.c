/* SPDX-License-Identifier: MIT
 *
 * extract.c - see extract.h.
 */
#include "store/lmdb/extract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/lmdb/reader.h"

struct extract {
    struct reader reader;
    const struct archive_range *range;
    struct task *task;
    char *error;
    size_t error_size;
    uint64_t sequence, first_sequence, last_sequence; /* read so far; to be read: (first, last] */
    uint64_t bytes_total;
    MDB_cursor *keys; /* of the expiry table, at or after `sequence` */
    uint64_t key_sequence;
    struct expiry_record key; /* of key_sequence */
    uint32_t count;
    struct archive_record records[READER_SLICE];
};

static enum archive_end cannot_read(struct extract *extract, int result)
{
    snprintf(extract->error, extract->error_size, "cannot be read after record %llu: %s",
             (unsigned long long)extract->sequence, mdb_strerror(result));
    return result < 0 && result != MDB_MAP_RESIZED ? ARCHIVE_WRONG : ARCHIVE_UNREADABLE;
}

static enum archive_end wrong(struct extract *extract, const char *what)
{
    snprintf(extract->error, extract->error_size, "record %llu: %s",
             (unsigned long long)extract->sequence, what);
    return ARCHIVE_WRONG;
}

/* --- keys, which lie beside the journal in the same order ------------------------------------ */

/* The first key at or after the sequence that comes next; UINT64_MAX: there is none. */
static enum archive_end seek_key(struct extract *extract, MDB_cursor_op how)
{
    uint8_t bytes[SEQUENCE_KEY_BYTES];
    MDB_val key = {sizeof bytes, bytes}, value;
    sequence_key_encode(bytes, extract->sequence + 1);
    int result = mdb_cursor_get(extract->keys, &key, &value, how);
    if (result == MDB_NOTFOUND) {
        extract->key_sequence = UINT64_MAX;
        return ARCHIVE_DONE;
    }
    if (result != MDB_SUCCESS)
        return cannot_read(extract, result);
    if (key.mv_size != SEQUENCE_KEY_BYTES)
        return wrong(extract, "the key after it belongs to no record");
    extract->key_sequence = sequence_key_decode(key.mv_data);
    return expiry_record_decode(&extract->key, extract->key_sequence, value.mv_data, value.mv_size)
               ? ARCHIVE_DONE
               : wrong(extract, "the bytes of a key after it are not those that were written");
}

static enum archive_end add_key(struct extract *extract, struct archive_record *record)
{
    if (extract->key_sequence != record->journal.sequence)
        return ARCHIVE_DONE;
    record->key_bytes = (uint8_t)(extract->key.key_bytes - CLIENT_KEY_BYTES);
    memcpy(record->key, extract->key.idempotency_key + CLIENT_KEY_BYTES, record->key_bytes);
    return seek_key(extract, MDB_NEXT);
}

/* --- a slice -------------------------------------------------------------------------------- */

static bool is_wanted(const struct extract *extract, const struct journal_record *journal)
{
    return extract->range->client == 0 || extract->range->client == journal->client;
}

static enum archive_end take_record(struct extract *extract, const MDB_val *value)
{
    struct archive_record *record = &extract->records[extract->count];
    record->key_bytes = 0;
    if (!journal_record_decode(&record->journal, extract->sequence, value->mv_data, value->mv_size))
        return wrong(extract, "its bytes are not those that were written");
    enum archive_end end = add_key(extract, record);
    if (is_wanted(extract, &record->journal))
        extract->count++;
    return end;
}

static enum archive_end read_slice(struct extract *extract)
{
    struct journal_walk walk;
    MDB_val value;
    int result = mdb_cursor_open(extract->reader.snapshot, extract->reader.environment->expiry,
                                 &extract->keys);
    if (result != MDB_SUCCESS)
        return cannot_read(extract, result);
    result = journal_walk_begin(&walk, &extract->reader, extract->sequence);
    if (result != MDB_SUCCESS) {
        mdb_cursor_close(extract->keys);
        return cannot_read(extract, result);
    }
    enum archive_end end = seek_key(extract, MDB_SET_RANGE);
    extract->count = 0;
    for (int i = 0; end == ARCHIVE_DONE && i < READER_SLICE; i++) {
        if (extract->sequence == extract->last_sequence)
            break;
        result = journal_next(&walk, &value);
        if (result != MDB_SUCCESS) {
            end = cannot_read(extract, result);
            break;
        }
        extract->sequence = walk.sequence;
        atomic_store(&extract->task->record, extract->sequence);
        end = take_record(extract, &value);
    }
    journal_walk_end(&walk);
    mdb_cursor_close(extract->keys);
    return end;
}

static enum archive_end give_slice(const struct extract *extract, const struct archive_sink *sink)
{
    for (uint32_t i = 0; i < extract->count; i++)
        if (!sink->record(sink->context, &extract->records[i]))
            return ARCHIVE_STOPPED;
    return ARCHIVE_DONE;
}

static enum archive_end tell(struct extract *extract)
{
    double done = (double)(extract->sequence - extract->first_sequence);
    double all = (double)(extract->last_sequence - extract->first_sequence);
    atomic_store(&extract->task->done_bytes, (uint64_t)((double)extract->bytes_total * done / all));
    return task_stopped(extract->task) ? ARCHIVE_STOPPED : ARCHIVE_DONE;
}

/* --- where to begin and to end -------------------------------------------------------------- */

/* Times never go back: halve until the last record before since_us is found. */
static int find_since(struct extract *extract)
{
    uint64_t before = 0, from = extract->last_sequence + 1; /* `before` is too old, `from` is not */
    while (from - before > 1) {
        struct journal_record record;
        uint64_t middle = before + (from - before) / 2;
        int result = reader_record(&extract->reader, middle, &record);
        if (result != MDB_SUCCESS)
            return result;
        if (record.entry.time_us < extract->range->since_us)
            before = middle;
        else
            from = middle;
    }
    extract->sequence = extract->first_sequence = before;
    return MDB_SUCCESS;
}

static enum archive_end find_ends(struct extract *extract)
{
    int result = reader_look(&extract->reader);
    if (result != MDB_SUCCESS)
        return cannot_read(extract, result);
    result = reader_last(&extract->reader, &extract->last_sequence);
    if (result == MDB_SUCCESS && extract->range->since_us != INT64_MIN)
        result = find_since(extract);
    reader_rest(&extract->reader);
    if (result != MDB_SUCCESS)
        return cannot_read(extract, result);
    uint64_t used = environment_used_bytes(extract->reader.environment);
    if (extract->last_sequence > 0)
        extract->bytes_total = (uint64_t)((double)used *
                                          (double)(extract->last_sequence - extract->sequence) /
                                          (double)extract->last_sequence);
    atomic_store(&extract->task->total_bytes, extract->bytes_total);
    return ARCHIVE_DONE;
}

static enum archive_end run(struct extract *extract, const struct archive_sink *sink)
{
    enum archive_end end = find_ends(extract);
    if (end == ARCHIVE_DONE && !sink->begin(sink->context, extract->reader.environment->created_us))
        end = ARCHIVE_STOPPED;
    while (end == ARCHIVE_DONE && extract->sequence < extract->last_sequence) {
        int result = reader_look(&extract->reader);
        if (result != MDB_SUCCESS)
            return cannot_read(extract, result);
        end = read_slice(extract);
        reader_rest(&extract->reader);
        /* A record that is wrong does not take those before it along. */
        enum archive_end given = give_slice(extract, sink);
        if (end == ARCHIVE_DONE)
            end = given == ARCHIVE_DONE ? tell(extract) : given;
    }
    return end;
}

enum archive_end extract(const struct environment *environment, const struct archive_range *range,
                         const struct archive_sink *sink, struct task *task, char *error,
                         size_t error_size)
{
    struct extract *extract = calloc(1, sizeof *extract);
    if (!extract) {
        snprintf(error, error_size, "out of memory");
        return ARCHIVE_UNREADABLE;
    }
    extract->range = range;
    extract->task = task;
    extract->error = error;
    extract->error_size = error_size;
    enum archive_end end;
    int result = reader_open(&extract->reader, environment);
    if (result == MDB_SUCCESS) {
        end = run(extract, sink);
        reader_close(&extract->reader);
    } else {
        end = cannot_read(extract, result);
    }
    free(extract);
    return end;
}
