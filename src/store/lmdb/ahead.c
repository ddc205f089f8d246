/* SPDX-License-Identifier: MIT
 *
 * ahead.c - see ahead.h.
 */
#include "store/lmdb/ahead.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/lmdb/serving.h"

enum {
    LONG_MS = 1000,        /* so old may be what the file lacks */
    KEYS_MAX = RECENT_MAX, /* each may have a page of its own in memory until the checkpoint */
    ACCOUNT_PAGES = 3,     /* a leaf, what it splits into, its share of the branches */
    KEY_PAGES = 4,         /* the same, and its share of the table by age */
    CHECKPOINT_PAGES = 64, /* roots, the branches of the first few, LMDB's own lists */
    PAGE_RECORDS = 16,     /* that a page of the journal holds at least */
};

bool ahead_has_room(const struct ahead *ahead, uint32_t ops)
{
    return wal_has_room(&ahead->wal) && ahead->recent.count + ops <= RECENT_MAX &&
           ahead->keys + ops <= KEYS_MAX;
}

bool ahead_is_long(const struct ahead *ahead, int64_t now_ms)
{
    return ahead->txn &&
           (now_ms - ahead->since_ms >= LONG_MS || !ahead_has_room(ahead, BATCH_OPS_MAX));
}

uint64_t ahead_pages(const struct ahead *ahead, uint32_t ops)
{
    return CHECKPOINT_PAGES + ((uint64_t)ahead->recent.count + ops) * ACCOUNT_PAGES +
           (ahead->keys + ops) * KEY_PAGES + (ahead->records + ops) / PAGE_RECORDS;
}

/* --- checkpoints ---------------------------------------------------------------------------- */

struct place {
    uint32_t client, index; /* into recent.accounts */
};

static int by_client(const void *one, const void *other)
{
    uint32_t a = ((const struct place *)one)->client, b = ((const struct place *)other)->client;
    return (a > b) - (a < b);
}

/* In the order of the table's pages. */
static int write_accounts(struct ahead *ahead)
{
    const struct recent *recent = &ahead->recent;
    struct place places[RECENT_MAX];
    int result = MDB_SUCCESS;
    for (uint32_t i = 0; i < recent->count; i++)
        places[i] = (struct place){recent->accounts[i].account.client, i};
    qsort(places, recent->count, sizeof places[0], by_client);
    for (uint32_t i = 0; result == MDB_SUCCESS && i < recent->count; i++)
        result = account_put(ahead->environment, ahead->txn, &recent->accounts[places[i].index]);
    return result;
}

static void drop(struct ahead *ahead)
{
    if (ahead->txn)
        mdb_txn_abort(ahead->txn);
    ahead->txn = NULL;
    ahead->records = ahead->keys = 0;
}

/* The transaction has ended, well or not. */
static int commit(struct ahead *ahead)
{
    size_t txn_id = mdb_txn_id(ahead->txn);
    assert(ahead->records > 0); /* else LMDB would not use up the number, and readers wait for it */
    int result = write_accounts(ahead);
    if (result == MDB_SUCCESS) {
        result = mdb_txn_commit(ahead->txn);
        ahead->txn = NULL; /* LMDB has freed it in any case */
    }
    drop(ahead);
    if (result != MDB_SUCCESS)
        return result;
    /* In this order, so that whoever finds an account no more here finds it there. */
    view_committed(ahead->committed, txn_id, false);
    recent_clear(&ahead->recent);
    wal_restart(&ahead->wal);
    return MDB_SUCCESS;
}

void ahead_passed_by(struct ahead *ahead)
{
    assert(!ahead->txn);
    ahead->wal.batches++;
}

/* --- a batch -------------------------------------------------------------------------------- */

static int begin(struct ahead *ahead)
{
    if (ahead->txn)
        return MDB_SUCCESS;
    ahead->since_ms = serving_clock_ms();
    return mdb_txn_begin(ahead->environment->env, NULL, 0, &ahead->txn);
}

static void count_records(struct ahead *ahead)
{
    const struct batch *batch = ahead->batch;
    ahead->records += batch->last_sequence - batch->undo_sequence;
    ahead->keys += batch->keys_stored + batch->keys_cleared;
}

/* The batch's accounts and records count now. */
static void keep(struct ahead *ahead)
{
    const struct batch *batch = ahead->batch;
    recent_lock(&ahead->recent);
    for (uint32_t i = 0; i < batch->accounts_count; i++)
        if (batch->accounts[i].changed)
            recent_put(&ahead->recent, &batch->accounts[i].record);
    recent_unlock(&ahead->recent);
    count_records(ahead);
}

/* Batches go to the log and to recent.h from here on, or to neither. */
static void lead(struct ahead *ahead, bool yes)
{
    ahead->batch->wal = yes ? &ahead->wal : NULL;
    ahead->batch->recent = yes ? &ahead->recent : NULL;
}

/* Batches are what the log has: they go to LMDB, accounts too, while readers keep what they have. */
static void follow(struct ahead *ahead, bool yes)
{
    ahead->batch->wal = yes ? &ahead->wal : NULL;
}

/* --- booking what the log says -------------------------------------------------------------- */

static bool op_of(struct op *ret, const struct wal_record *record, uint64_t sequence,
                  int64_t *ret_time_us)
{
    struct journal_record journal;
    if (!journal_record_decode(&journal, sequence, record->value, record->value_bytes) ||
        journal.kind == JOURNAL_OPENING || record->key_bytes > IDEMPOTENCY_KEY_BYTES_MAX ||
        (record->key_bytes > 0 && record->key_bytes <= CLIENT_KEY_BYTES))
        return false;
    *ret = (struct op){.client = journal.client, .limit_cents = journal.limit_cents};
    *ret_time_us = journal.entry.time_us;
    if (!journal_moves_money(journal.kind)) {
        ret->kind = OP_LIMIT;
        return true;
    }
    ret->kind = OP_ENTRY;
    ret->entry = journal.entry;
    if (record->key_bytes > 0) {
        ret->key_bytes = (uint8_t)(record->key_bytes - CLIENT_KEY_BYTES);
        memcpy(ret->key, record->key + CLIENT_KEY_BYTES, ret->key_bytes);
    }
    return true;
}

/* MDB_CORRUPTED: the same ops do not give the same block. */
static int book_block(struct ahead *ahead, const struct wal_block *block)
{
    struct batch *batch = ahead->batch;
    struct wal_block rest = *block;
    struct wal_record record;
    batch_begin(batch);
    for (uint32_t i = 0; i < block->records && wal_record(&rest, &record); i++) {
        struct op op;
        int64_t time_us;
        if (!op_of(&op, &record, batch->last_sequence + 1, &time_us))
            return MDB_CORRUPTED;
        batch_time(batch, time_us);
        int result = batch_one(batch, ahead->txn, &op);
        if (result != MDB_SUCCESS)
            return result;
        if (op.outcome != OUTCOME_OK)
            return MDB_CORRUPTED;
    }
    if (!wal_same(&ahead->wal, block))
        return MDB_CORRUPTED;
    int result = batch_finish(batch, ahead->txn);
    if (result == MDB_SUCCESS)
        result = batch_clear(batch, ahead->txn, block->clear_until_us, block->clear_max);
    count_records(ahead);
    return result;
}

static int try_lap(struct ahead *ahead, uint64_t end)
{
    struct wal_block block;
    int result = batch_rewind(ahead->batch);
    if (result == MDB_SUCCESS)
        result = begin(ahead);
    follow(ahead, true);
    wal_rewind(&ahead->wal);
    while (result == MDB_SUCCESS && ahead->wal.at < end && wal_next(&ahead->wal, &block))
        result = book_block(ahead, &block);
    follow(ahead, false);
    if (result == MDB_SUCCESS && ahead->wal.at < end)
        result = MDB_CORRUPTED;
    if (result != MDB_SUCCESS)
        drop(ahead);
    return result;
}

/* The lap up to `end`, in bytes, in a new transaction. Where old keys cannot be cleared any more they
 * stay: that decides no entry's fate. */
static int book_lap(struct ahead *ahead, uint64_t end)
{
    bool damaged_before = ahead->batch->expiry_damaged;
    int result = try_lap(ahead, end);
    if (result != MDB_SUCCESS && ahead->batch->expiry_damaged && !damaged_before)
        result = try_lap(ahead, end);
    return result;
}

/* The transaction has had part of a batch: begin again from the file, to the lap's end. recent.h is as it
 * was before that batch, and stays what readers see. */
static int forget(struct ahead *ahead)
{
    uint64_t end = ahead->wal.at;
    drop(ahead);
    int result = end > 0 ? book_lap(ahead, end) : batch_rewind(ahead->batch);
    ahead->wal.at = end;
    return result;
}

static enum ahead_end undo(struct ahead *ahead, int reason, int *ret_reason)
{
    *ret_reason = reason;
    int result = forget(ahead);
    if (result == MDB_SUCCESS)
        return AHEAD_UNDONE;
    *ret_reason = result;
    return AHEAD_LOST;
}

/* --- a batch -------------------------------------------------------------------------------- */

static enum ahead_end write_down(struct ahead *ahead, int *ret_reason)
{
    const struct batch *batch = ahead->batch;
    const struct wal_block block = {
        .sequence = batch->undo_sequence + 1,
        .clear_until_us = batch->clear_until_us,
        .clear_max = batch->clear_max,
    };
    int result = wal_write(&ahead->wal, &block);
    if (result == 0) {
        keep(ahead);
        return AHEAD_DONE;
    }
    /* It was the flush that had no room: the block is there, and a crash now would have it booked. */
    bool no_room = result == ENOSPC || result == EDQUOT || result == EFBIG;
    if (no_room && !wal_has_it(&ahead->wal))
        return undo(ahead, result, ret_reason);
    *ret_reason = result;
    batch_undo(ahead->batch);
    drop(ahead);
    return AHEAD_UNKNOWN;
}

static int apply(struct ahead *ahead, struct op **ops, uint32_t count, int64_t now_us,
                 int64_t key_now_us)
{
    lead(ahead, true);
    int result = batch_apply(ahead->batch, ahead->txn, ops, count, now_us, key_now_us);
    lead(ahead, false);
    return result;
}

enum ahead_end ahead_book(struct ahead *ahead, struct op **ops, uint32_t count, int64_t now_us,
                          int64_t key_now_us, int *ret_reason)
{
    assert(ahead_has_room(ahead, count));
    int result = begin(ahead);
    if (result != MDB_SUCCESS) {
        *ret_reason = result;
        return AHEAD_UNDONE;
    }
    result = apply(ahead, ops, count, now_us, key_now_us);
    if (result != MDB_SUCCESS)
        return undo(ahead, result, ret_reason);
    if (batch_changed(ahead->batch))
        return write_down(ahead, ret_reason);
    if (ahead->wal.at == 0)
        drop(ahead);
    return AHEAD_DONE;
}

enum ahead_end ahead_judge(struct ahead *ahead, struct op *op, int64_t now_us, int64_t key_now_us,
                           int *ret_reason)
{
    int result = begin(ahead);
    if (result == MDB_SUCCESS)
        result = apply(ahead, &op, 1, now_us, key_now_us);
    enum ahead_end end = undo(ahead, result, ret_reason);
    return end == AHEAD_UNDONE && result == MDB_SUCCESS ? AHEAD_DONE : end;
}

enum ahead_end ahead_checkpoint(struct ahead *ahead, int *ret_reason)
{
    if (!ahead->txn)
        return AHEAD_DONE;
    int result = commit(ahead);
    if (result == MDB_SUCCESS)
        return AHEAD_DONE;
    *ret_reason = result;
    /* A flush that failed leaves pages in doubt (0005); all else has written nothing that counts. */
    bool certain = result < 0 || result == ENOSPC || result == EDQUOT || result == EFBIG;
    return certain ? undo(ahead, result, ret_reason) : AHEAD_LOST;
}

/* --- opening and closing -------------------------------------------------------------------- */

static bool cannot(const char *what, int result, char *error, size_t error_size)
{
    snprintf(error, error_size, FOLDER_WAL " %s: %s", what, environment_write_error(result));
    return false;
}

/* Those that were made without this log were LMDB's. */
static void count_commits(struct ahead *ahead)
{
    MDB_envinfo info;
    if (mdb_env_info(ahead->environment->env, &info) == MDB_SUCCESS &&
        ahead->wal.batches < info.me_last_txnid)
        ahead->wal.batches = info.me_last_txnid;
}

enum lap {
    LAP_NONE,    /* the file has all */
    LAP_TO_BOOK, /* it goes on where the file ends */
    LAP_WRONG,   /* it may have what the file lacks, and cannot be booked */
};

/* `last`: of the file. A lap that begins in what the file has is old: each checkpoint ends one. (What
 * stands in it past the file's end was never acknowledged.) */
static enum lap judge_lap(struct wal *wal, uint64_t last, char *error, size_t error_size)
{
    uint64_t known = wal->at > 0 && wal->next - 1 > last ? wal->next - 1 : last;
    if (wal->error != 0) {
        (void)cannot("cannot be read", wal->error, error, error_size);
        return LAP_WRONG;
    }
    if (wal_is_foreign(wal)) { /* to be written over it has to be closed */
        snprintf(error, error_size,
                 FOLDER_WAL " is another ledger's and may have what that one lacks: move it away");
        return LAP_WRONG;
    }
    if (wal->at > 0 && wal->next == wal->lap)
        return LAP_NONE; /* closed */
    /* A block is begun when the one before it is on disk: what a crash tears is the last. */
    if (wal_goes_beyond(wal, known + 1)) {
        snprintf(error, error_size,
                 FOLDER_WAL " is damaged: it has entries further on, and none that follows record "
                            "%llu; without it the journal ends at %llu",
                 (unsigned long long)known, (unsigned long long)last);
        return LAP_WRONG;
    }
    if (wal->at == 0 || wal->lap <= last)
        return LAP_NONE;
    if (wal->lap == last + 1)
        return LAP_TO_BOOK;
    snprintf(error, error_size,
             FOLDER_WAL " does not go with " FOLDER_DATA
                        ": it goes on from record %llu, and the journal ends at %llu",
             (unsigned long long)wal->lap - 1, (unsigned long long)last);
    return LAP_WRONG;
}

static bool book_left(struct ahead *ahead, uint64_t end, char *error, size_t error_size)
{
    int result = book_lap(ahead, end);
    if (result == MDB_SUCCESS)
        result = commit(ahead);
    if (result == MDB_CORRUPTED)
        return cannot("does not follow from " FOLDER_DATA, result, error, error_size);
    return result == MDB_SUCCESS || cannot("cannot be booked", result, error, error_size);
}

static bool recover(struct ahead *ahead, char *error, size_t error_size)
{
    struct wal *wal = &ahead->wal;
    struct wal_block block;
    uint64_t last = ahead->batch->last_sequence;
    wal_rewind(wal);
    while (wal_next(wal, &block))
        continue;
    count_commits(ahead);
    switch (judge_lap(wal, last, error, error_size)) {
    case LAP_NONE: wal_restart(wal); break;
    case LAP_TO_BOOK: return book_left(ahead, wal->at, error, error_size);
    case LAP_WRONG: return false;
    }
    /* Somebody has replaced a file that was closed with an older one: what this one has beyond would
     * be in the way of the next recovery. */
    return !wal_goes_beyond(wal, last + 1) || wal_wipe(wal) ||
           cannot("cannot be wiped", errno, error, error_size);
}

bool ahead_open(struct ahead *ahead, const struct folder *folder, bool durable, char *error,
                size_t error_size)
{
    if (!wal_open(&ahead->wal, folder->fd, durable, ahead->environment->created_us)) {
        snprintf(error, error_size, "cannot make " FOLDER_WAL ": %s", strerror(errno));
        return false;
    }
    recent_init(&ahead->recent);
    if (recover(ahead, error, error_size))
        return true;
    ahead_close(ahead, false);
    return false;
}

void ahead_close(struct ahead *ahead, bool whole)
{
    drop(ahead);
    wal_close(&ahead->wal, whole ? ahead->batch->last_sequence + 1 : 0);
    recent_free(&ahead->recent);
}
