/* SPDX-License-Identifier: MIT
 *
 * copy.c - see copy.h.
 */
#include "store/lmdb/copy.h"

#include <stdio.h>
#include <time.h>

#include "store/lmdb/reader.h"

/* A disk that is given much at once makes the bank beside us wait for its own flushes: so little at
 * a time, and then a rest of some times what that took. */
#define FLUSH_BYTES        (UINT64_C(16) << 20)
#define BESIDE_FLUSH_BYTES (UINT64_C(256) << 10)

enum { REST_TIMES = 3 };

struct copy {
    struct reader reader;
    const struct environment *to;
    MDB_txn *txn; /* of `to` */
    bool beside_a_bank;
    struct task *task;
    char *error;
    size_t error_size;
    uint64_t sequence;   /* of the last journal record copied */
    uint32_t in_txn;     /* records */
    uint64_t used_bytes; /* of the copy, when it was last flushed */
    uint64_t done_before, bytes_total, last_sequence;
};

static enum archive_end cannot_read(struct copy *copy, int result)
{
    snprintf(copy->error, copy->error_size, "cannot be read after record %llu: %s",
             (unsigned long long)copy->sequence, mdb_strerror(result));
    return result < 0 && result != MDB_MAP_RESIZED ? ARCHIVE_WRONG : ARCHIVE_UNREADABLE;
}

static enum archive_end cannot_write(struct copy *copy, int result)
{
    snprintf(copy->error, copy->error_size, "cannot write the copy: %s",
             environment_write_error(result));
    return ARCHIVE_FAILED;
}

/* --- writing -------------------------------------------------------------------------------- */

static int finish_txn(struct copy *copy)
{
    if (!copy->txn)
        return MDB_SUCCESS;
    int result = mdb_txn_commit(copy->txn);
    copy->txn = NULL;
    copy->in_txn = 0;
    return result;
}

static int flush_now_and_then(struct copy *copy)
{
    uint64_t used = environment_used_bytes(copy->to);
    if (used - copy->used_bytes < (copy->beside_a_bank ? BESIDE_FLUSH_BYTES : FLUSH_BYTES))
        return MDB_SUCCESS;
    copy->used_bytes = used;
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    int result = mdb_env_sync(copy->to->env, 1);
    clock_gettime(CLOCK_MONOTONIC, &after);
    if (copy->beside_a_bank) {
        int64_t took_ns = (int64_t)(after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec -
                          before.tv_nsec;
        int64_t rest_ns = REST_TIMES * took_ns;
        const struct timespec rest = {(time_t)(rest_ns / 1000000000), (long)(rest_ns % 1000000000)};
        (void)nanosleep(&rest, NULL);
    }
    return result;
}

static enum archive_end append(struct copy *copy, MDB_dbi table, MDB_val *key, MDB_val *value)
{
    int result = MDB_SUCCESS;
    if (copy->in_txn == READER_SLICE)
        result = finish_txn(copy);
    if (result == MDB_SUCCESS && !copy->txn)
        result = mdb_txn_begin(copy->to->env, NULL, 0, &copy->txn);
    if (result == MDB_SUCCESS)
        result = mdb_put(copy->txn, table, key, value, MDB_APPEND);
    copy->in_txn++;
    if (result == MDB_KEYEXIST) { /* its key does not come after the one before it */
        snprintf(copy->error, copy->error_size, "damaged: a table is out of order near record %llu",
                 (unsigned long long)copy->sequence);
        return ARCHIVE_WRONG;
    }
    return result == MDB_SUCCESS ? ARCHIVE_DONE : cannot_write(copy, result);
}

/* --- the journal ---------------------------------------------------------------------------- */

/* At most `max` records; *ret_end: there are no more. */
static enum archive_end copy_slice(struct copy *copy, uint64_t max, bool *ret_end)
{
    struct journal_walk walk;
    MDB_val value;
    enum archive_end end = ARCHIVE_DONE;
    int result = journal_walk_begin(&walk, &copy->reader, copy->sequence);
    if (result != MDB_SUCCESS)
        return cannot_read(copy, result);
    for (; max > 0 && end == ARCHIVE_DONE; max--) {
        uint8_t bytes[SEQUENCE_KEY_BYTES];
        MDB_val key = {sizeof bytes, bytes};
        result = journal_next(&walk, &value);
        if (result != MDB_SUCCESS)
            break;
        copy->sequence = walk.sequence;
        atomic_store(&copy->task->record, copy->sequence);
        sequence_key_encode(bytes, copy->sequence);
        end = append(copy, copy->to->journal, &key, &value);
    }
    journal_walk_end(&walk);
    *ret_end = result == MDB_NOTFOUND;
    if (result != MDB_SUCCESS && result != MDB_NOTFOUND)
        end = cannot_read(copy, result);
    return end;
}

static enum archive_end tell(struct copy *copy)
{
    uint64_t done = copy->sequence < copy->last_sequence ? copy->sequence : copy->last_sequence;
    atomic_store(&copy->task->done_bytes,
                 copy->done_before + (uint64_t)((double)copy->bytes_total * (double)done /
                                                (double)copy->last_sequence));
    return task_stopped(copy->task) ? ARCHIVE_STOPPED : ARCHIVE_DONE;
}

static enum archive_end copy_journal(struct copy *copy)
{
    enum archive_end end = ARCHIVE_DONE;
    bool at_end = false;
    while (end == ARCHIVE_DONE && !at_end) {
        int result = reader_look(&copy->reader);
        if (result != MDB_SUCCESS)
            return cannot_read(copy, result);
        end = copy_slice(copy, READER_SLICE, &at_end);
        reader_rest(&copy->reader);
        if (end == ARCHIVE_DONE && (result = finish_txn(copy)) == MDB_SUCCESS)
            result = flush_now_and_then(copy);
        if (end == ARCHIVE_DONE)
            end = result == MDB_SUCCESS ? tell(copy) : cannot_write(copy, result);
    }
    return end;
}

/* --- what is derived from it ---------------------------------------------------------------- */

static enum archive_end copy_table(struct copy *copy, MDB_dbi from, MDB_dbi to)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    enum archive_end end = ARCHIVE_DONE;
    int result = mdb_cursor_open(copy->reader.snapshot, from, &cursor);
    if (result != MDB_SUCCESS)
        return cannot_read(copy, result);
    result = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    while (result == MDB_SUCCESS && end == ARCHIVE_DONE) {
        end = append(copy, to, &key, &value);
        if (end == ARCHIVE_DONE && task_stopped(copy->task))
            end = ARCHIVE_STOPPED;
        if (end == ARCHIVE_DONE)
            result = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return result == MDB_SUCCESS || result == MDB_NOTFOUND ? end : cannot_read(copy, result);
}

/* The ledger as it is in one snapshot: the journal's last records, and all else. */
static enum archive_end copy_rest(struct copy *copy)
{
    const struct environment *from = copy->reader.environment, *to = copy->to;
    bool at_end;
    int result = reader_look(&copy->reader);
    if (result != MDB_SUCCESS)
        return cannot_read(copy, result);
    enum archive_end end = copy_slice(copy, UINT64_MAX, &at_end);
    if (end == ARCHIVE_DONE)
        end = copy_table(copy, from->accounts, to->accounts);
    if (end == ARCHIVE_DONE)
        end = copy_table(copy, from->keys, to->keys);
    if (end == ARCHIVE_DONE)
        end = copy_table(copy, from->expiry, to->expiry);
    reader_rest(&copy->reader);
    if (end == ARCHIVE_DONE && (result = finish_txn(copy)) != MDB_SUCCESS)
        end = cannot_write(copy, result);
    return end;
}

static enum archive_end run(struct copy *copy)
{
    int result = reader_look(&copy->reader);
    if (result != MDB_SUCCESS)
        return cannot_read(copy, result);
    result = reader_last(&copy->reader, &copy->last_sequence);
    reader_rest(&copy->reader);
    if (result == MDB_SUCCESS && copy->last_sequence == 0)
        result = MDB_NOTFOUND;
    if (result != MDB_SUCCESS)
        return cannot_read(copy, result);
    enum archive_end end = copy_journal(copy);
    return end == ARCHIVE_DONE ? copy_rest(copy) : end;
}

enum archive_end copy_environment(const struct environment *from, const struct environment *to,
                                  bool beside_a_bank, struct task *task, char *error,
                                  size_t error_size)
{
    struct copy copy = {
        .to = to,
        .beside_a_bank = beside_a_bank,
        .task = task,
        .error = error,
        .error_size = error_size,
        .done_before = atomic_load(&task->done_bytes),
        .bytes_total = environment_used_bytes(from),
    };
    /* The copy is audited next, which is as much again. */
    atomic_store(&task->total_bytes, copy.done_before + 2 * copy.bytes_total);
    int result = reader_open(&copy.reader, from);
    if (result != MDB_SUCCESS)
        return cannot_read(&copy, result);
    enum archive_end end = run(&copy);
    if (copy.txn)
        mdb_txn_abort(copy.txn);
    reader_close(&copy.reader);
    return end;
}
