/* SPDX-License-Identifier: MIT
 *
 * ahead.c - see ahead.h.
 */
#include "store/lmdb/ahead.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/lmdb/serving.h"

enum {
    LONG_MS = 1000,         /* so old may be what the file lacks */
    OF_FEW_RECORDS = 40960, /* some 3 MiB of pages */
    OF_FEW_TIMES = 4,       /* that each account was asked for, on average */
    ACCOUNT_PAGES = 3,      /* a leaf, what it splits into, its share of the branches */
    KEY_PAGES = 4,          /* the same, and its share of the table by age */
    CHECKPOINT_PAGES = 64,  /* roots, the branches of the first few, LMDB's own lists */
    PAGE_RECORDS = 16,      /* that a page of the journal holds at least */
};

static const struct generation *young_of(const struct ahead *ahead)
{
    return &ahead->recent.generations[ahead->recent.young];
}

static const struct generation *old_of(const struct ahead *ahead)
{
    return &ahead->recent.generations[1 - ahead->recent.young];
}

/* The half that batches go to. */
static struct wal *wal_of_young(struct ahead *ahead)
{
    return &ahead->wals[ahead->recent.young];
}

static struct wal *wal_of_old(struct ahead *ahead)
{
    return &ahead->wals[1 - ahead->recent.young];
}

bool ahead_has_any(const struct ahead *ahead)
{
    return young_of(ahead)->records + old_of(ahead)->records > 0;
}

bool ahead_has_room(const struct ahead *ahead, uint32_t ops)
{
    const struct generation *young = young_of(ahead);
    return wal_has_room(&ahead->wals[ahead->recent.young]) &&
           young->accounts_count + ops <= RECENT_ACCOUNTS_MAX &&
           young->keys_count + ops <= RECENT_KEYS_MAX;
}

bool ahead_is_resting(const struct ahead *ahead, int64_t now_ms)
{
    return ahead->has_failed && now_ms - ahead->failed_ms < LONG_MS;
}

/* As long as other accounts come, a later checkpoint has fewer pages for each; with the same ones over and over
 * only memory grows, by the journal's pages. */
static bool is_of_few(const struct generation *young)
{
    return young->records >= OF_FEW_RECORDS &&
           young->accounts_count < young->records / OF_FEW_TIMES;
}

bool ahead_is_long(const struct ahead *ahead, int64_t now_ms)
{
    const struct generation *young = young_of(ahead);
    return young->records > 0 && (now_ms - ahead->since_ms >= LONG_MS || is_of_few(young) ||
                                  !ahead_has_room(ahead, BATCH_OPS_MAX));
}

/* The first batch, and one that comes when it is time for a checkpoint, are for who makes those. */
bool ahead_is_ready(const struct ahead *ahead, uint32_t ops, int64_t now_ms)
{
    return ahead_has_any(ahead) && !ahead->has_failed && ahead_has_room(ahead, ops) &&
           (ahead->is_checkpointing || !ahead_is_long(ahead, now_ms));
}

static uint64_t pages_of(const struct generation *generation, uint32_t ops)
{
    uint64_t keys = generation->keys_count + ops;
    return CHECKPOINT_PAGES + ((uint64_t)generation->accounts_count + ops) * ACCOUNT_PAGES +
           (keys + keys + CHECKPOINT_CLEARS) * KEY_PAGES +
           (generation->records + ops) / PAGE_RECORDS;
}

uint64_t ahead_pages(const struct ahead *ahead, uint32_t ops)
{
    return pages_of(young_of(ahead), ops) + pages_of(old_of(ahead), 0);
}

int ahead_file(const struct ahead *ahead)
{
    return ahead->wals[0].fd;
}

uint64_t ahead_batches(const struct ahead *ahead)
{
    return ahead->wals[ahead->recent.young].batches;
}

void ahead_passed_by(struct ahead *ahead)
{
    assert(!ahead_has_any(ahead));
    wal_of_young(ahead)->batches++;
}

/* --- checkpoints ---------------------------------------------------------------------------- */

static void turn(struct ahead *ahead)
{
    uint64_t batches = ahead_batches(ahead);
    recent_turn(&ahead->recent);
    wal_of_young(ahead)->batches = batches;
}

/* The old generation, or if that is empty the young one, which is old from now on. */
static void begin_checkpoint(struct ahead *ahead)
{
    assert(!ahead->is_checkpointing && ahead_has_any(ahead));
    if (old_of(ahead)->records == 0)
        turn(ahead);
    const struct checkpoint_job job = {
        .environment = ahead->environment,
        .wal = wal_of_old(ahead),
        .generation = old_of(ahead),
        .clear_until_us = ahead->clear_until_us,
        .oldest_key_time_us = ahead->batch->oldest_key_time_us,
        .expiry_damaged = ahead->batch->expiry_damaged,
    };
    checkpoint_begin(&ahead->checkpoint, &job);
    ahead->is_checkpointing = true;
}

/* It wanted room or memory, and nothing that was written counts. Else there is damage in the way, or a flush
 * has left pages in doubt (0005). */
static bool is_temporary(int result)
{
    switch (result) {
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
    case ENOMEM:
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return true;
    default: return false;
    }
}

/* Of a checkpoint, if one was under way and has ended. */
static enum ahead_end collect(struct ahead *ahead, bool wait, int *ret_reason)
{
    struct checkpoint_job job;
    if (!ahead->is_checkpointing || !checkpoint_poll(&ahead->checkpoint, wait, &job))
        return AHEAD_DONE;
    ahead->is_checkpointing = false;
    ahead->batch->oldest_key_time_us = job.oldest_key_time_us;
    ahead->batch->expiry_damaged = job.expiry_damaged;
    ahead->has_failed = job.result != MDB_SUCCESS;
    if (ahead->has_failed) {
        ahead->failed_ms = serving_clock_ms();
        *ret_reason = job.result;
        return is_temporary(job.result) ? AHEAD_UNDONE : AHEAD_LOST;
    }
    /* In this order, so that whoever finds an account no more here finds it there. */
    view_committed(ahead->committed, job.txn_id, false);
    recent_forget(&ahead->recent);
    wal_restart(wal_of_old(ahead));
    return AHEAD_DONE;
}

enum ahead_end ahead_advance(struct ahead *ahead, bool due, int *ret_reason)
{
    enum ahead_end end = collect(ahead, false, ret_reason);
    if (end == AHEAD_DONE && due && !ahead->is_checkpointing && ahead_has_any(ahead))
        begin_checkpoint(ahead);
    return end;
}

enum ahead_end ahead_make_room(struct ahead *ahead, uint32_t ops, int *ret_reason)
{
    enum ahead_end end = AHEAD_DONE;
    while (end == AHEAD_DONE && !ahead_has_room(ahead, ops)) {
        end = collect(ahead, true, ret_reason);
        if (end == AHEAD_DONE)
            begin_checkpoint(ahead);
    }
    return end;
}

enum ahead_end ahead_checkpoint(struct ahead *ahead, int *ret_reason)
{
    enum ahead_end end = AHEAD_DONE;
    while (end == AHEAD_DONE && ahead_has_any(ahead)) {
        if (!ahead->is_checkpointing)
            begin_checkpoint(ahead);
        end = collect(ahead, true, ret_reason);
    }
    return end;
}

/* --- a batch -------------------------------------------------------------------------------- */

/* The batch's accounts and keys are booked now. */
static void keep(struct ahead *ahead)
{
    const struct batch *batch = ahead->batch;
    struct generation *young = recent_young(&ahead->recent);
    if (young->records == 0)
        ahead->since_ms = serving_clock_ms();
    recent_lock(&ahead->recent);
    for (uint32_t i = 0; i < batch->accounts_count; i++)
        if (batch->accounts[i].changed)
            recent_put(&ahead->recent, &batch->accounts[i].record);
    for (uint32_t i = 0; i < batch->keys_count; i++)
        recent_put_key(&ahead->recent, &batch->keys[i]);
    recent_unlock(&ahead->recent);
    young->records += batch->last_sequence - batch->undo_sequence;
}

/* From here on the batch's records go to the log, or to LMDB. */
static void lead(struct ahead *ahead, bool yes)
{
    ahead->batch->wal = yes ? wal_of_young(ahead) : NULL;
    ahead->batch->recent = yes ? &ahead->recent : NULL;
}

static int judge(struct ahead *ahead, struct op **ops, uint32_t count, int64_t now_us,
                 int64_t key_now_us)
{
    int result = mdb_txn_renew(ahead->snapshot);
    if (result != MDB_SUCCESS) {
        batch_begin(ahead->batch); /* so that there is something to undo */
        return result;
    }
    lead(ahead, true);
    result = batch_apply(ahead->batch, ahead->snapshot, ops, count, now_us, key_now_us);
    lead(ahead, false);
    mdb_txn_reset(ahead->snapshot);
    return result;
}

static enum ahead_end write_down(struct ahead *ahead, int *ret_reason)
{
    struct wal *wal = wal_of_young(ahead);
    int result = wal_write(wal, ahead->batch->undo_sequence + 1);
    if (result == 0) {
        keep(ahead);
        return AHEAD_DONE;
    }
    *ret_reason = result;
    batch_undo(ahead->batch);
    /* Or it was the flush that had no room: the block is there, and a crash now would have it booked. */
    bool no_room = result == ENOSPC || result == EDQUOT || result == EFBIG;
    return no_room && !wal_has_it(wal) ? AHEAD_UNDONE : AHEAD_UNKNOWN;
}

enum ahead_end ahead_book(struct ahead *ahead, struct op **ops, uint32_t count, int64_t now_us,
                          int64_t key_now_us, int *ret_reason)
{
    assert(ahead_has_room(ahead, count));
    int result = judge(ahead, ops, count, now_us, key_now_us);
    if (result != MDB_SUCCESS) {
        batch_undo(ahead->batch);
        *ret_reason = result;
        return AHEAD_UNDONE;
    }
    ahead->clear_until_us = key_now_us - ahead->batch->key_retention_us;
    return batch_changed(ahead->batch) ? write_down(ahead, ret_reason) : AHEAD_DONE;
}

bool ahead_judge(struct ahead *ahead, struct op *op, int64_t now_us, int64_t key_now_us)
{
    int result = judge(ahead, &op, 1, now_us, key_now_us);
    batch_undo(ahead->batch);
    return result == MDB_SUCCESS;
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
    if (young_of(ahead)->accounts_count + block->records > RECENT_ACCOUNTS_MAX ||
        young_of(ahead)->keys_count + block->records > RECENT_KEYS_MAX)
        return MDB_CORRUPTED; /* no batch of ours would have been written */
    batch_begin(batch);
    for (uint32_t i = 0; i < block->records && wal_record(&rest, &record); i++) {
        struct op op;
        int64_t time_us;
        if (!op_of(&op, &record, batch->last_sequence + 1, &time_us))
            return MDB_CORRUPTED;
        batch_time(batch, time_us);
        int result = batch_one(batch, ahead->snapshot, &op);
        if (result != MDB_SUCCESS)
            return result;
        if (op.outcome != OUTCOME_OK)
            return MDB_CORRUPTED;
    }
    if (!wal_same(wal_of_young(ahead), block))
        return MDB_CORRUPTED;
    keep(ahead);
    return MDB_SUCCESS;
}

/* The half's lap, as it was read, becomes the young generation. */
static int book_lap(struct ahead *ahead, uint32_t half)
{
    struct wal *wal = &ahead->wals[half];
    struct wal_block block;
    const uint64_t end = wal->at;
    ahead->recent.young = half;
    int result = mdb_txn_renew(ahead->snapshot);
    if (result != MDB_SUCCESS)
        return result;
    lead(ahead, true);
    wal_rewind(wal);
    while (result == MDB_SUCCESS && wal->at < end && wal_next(wal, &block))
        result = book_block(ahead, &block);
    lead(ahead, false);
    mdb_txn_reset(ahead->snapshot);
    return result == MDB_SUCCESS && wal->at < end ? MDB_CORRUPTED : result;
}

/* --- opening and closing -------------------------------------------------------------------- */

static bool cannot(const char *what, int result, char *error, size_t error_size)
{
    snprintf(error, error_size, FOLDER_WAL " %s: %s", what, environment_write_error(result));
    return false;
}

/* Those that were made without this log were LMDB's. */
static void count_batches(struct ahead *ahead)
{
    MDB_envinfo info;
    uint64_t batches = 0;
    for (uint32_t half = 0; half < WAL_HALVES; half++)
        if (ahead->wals[half].batches > batches)
            batches = ahead->wals[half].batches;
    if (mdb_env_info(ahead->environment->env, &info) == MDB_SUCCESS && batches < info.me_last_txnid)
        batches = info.me_last_txnid;
    for (uint32_t half = 0; half < WAL_HALVES; half++)
        ahead->wals[half].batches = batches;
}

enum lap {
    LAP_NONE,    /* the file has all */
    LAP_TO_BOOK, /* it goes on where the file ends */
    LAP_WRONG,   /* it may have what the file lacks, and cannot be booked */
};

/* `last`: of the file, and of the laps before. A lap that begins in what the file has is old: each checkpoint
 * ends one. (What stands in it past the file's end was never acknowledged.) */
static enum lap judge_lap(struct wal *wal, uint64_t last, char *error, size_t error_size)
{
    uint64_t known = wal->at > 0 && wal->next - 1 > last ? wal->next - 1 : last;
    enum wal_other other = wal_other_version(wal);
    bool is_foreign = wal_is_foreign(wal), goes_on = wal_goes_beyond(wal, known + 1);
    if (wal->error != 0) {
        (void)cannot("cannot be read", wal->error, error, error_size);
        return LAP_WRONG;
    }
    if (other == WAL_OTHER_LEFT) {
        snprintf(error, error_size,
                 FOLDER_WAL " was left by another version of crebito: start that one, and stop it; "
                            "without it the journal ends at %llu",
                 (unsigned long long)last);
        return LAP_WRONG;
    }
    if (other == WAL_OTHER_CLOSED)
        return LAP_NONE; /* and what is behind that is older */
    if (is_foreign) {    /* to be written over it has to be closed */
        snprintf(error, error_size,
                 FOLDER_WAL " is another ledger's and may have what that one lacks: move it away");
        return LAP_WRONG;
    }
    if (wal->at > 0 && wal->next == wal->lap)
        return LAP_NONE; /* closed */
    /* A block is begun when the one before it is on disk: what a crash tears is the last. */
    if (goes_on) {
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

static bool book_left(struct ahead *ahead, uint32_t half, char *error, size_t error_size)
{
    int result = book_lap(ahead, half);
    if (result == MDB_CORRUPTED)
        return cannot("does not follow from " FOLDER_DATA, result, error, error_size);
    if (result == MDB_SUCCESS && ahead_checkpoint(ahead, &result) == AHEAD_DONE)
        return true;
    return cannot("cannot be booked", result, error, error_size);
}

/* Somebody has replaced a file that was closed with an older one, or with another ledger's: what the log has
 * beyond, or of that one, would be in the way of the next recovery. */
static bool wipe_what_is_of_no_use(struct ahead *ahead, char *error, size_t error_size)
{
    for (uint32_t half = 0; half < WAL_HALVES; half++) {
        struct wal *wal = &ahead->wals[half];
        wal_restart(wal);
        bool in_the_way = wal_other_version(wal) != WAL_NO_OTHER ||
                          wal_goes_beyond(wal, ahead->batch->last_sequence + 1) ||
                          wal_has_foreign(wal);
        if (wal->error != 0)
            return cannot("cannot be read", wal->error, error, error_size);
        if (in_the_way && !wal_wipe(wal))
            return cannot("cannot be wiped", errno, error, error_size);
    }
    return true;
}

/* Nothing is booked before all has been judged. */
static bool recover(struct ahead *ahead, char *error, size_t error_size)
{
    enum lap laps[WAL_HALVES];
    uint64_t last = ahead->batch->last_sequence;
    for (uint32_t half = 0; half < WAL_HALVES; half++) {
        struct wal_block block;
        wal_rewind(&ahead->wals[half]);
        while (wal_next(&ahead->wals[half], &block))
            continue;
    }
    count_batches(ahead);
    const uint32_t first = ahead->wals[0].lap > ahead->wals[1].lap ? 1 : 0;
    const uint32_t order[WAL_HALVES] = {first, 1 - first};
    for (uint32_t i = 0; i < WAL_HALVES; i++) {
        struct wal *wal = &ahead->wals[order[i]];
        laps[i] = judge_lap(wal, last, error, error_size);
        if (laps[i] == LAP_WRONG)
            return false;
        if (laps[i] == LAP_TO_BOOK)
            last = wal->next - 1;
    }
    for (uint32_t i = 0; i < WAL_HALVES; i++)
        if (laps[i] == LAP_TO_BOOK && !book_left(ahead, order[i], error, error_size))
            return false;
    return wipe_what_is_of_no_use(ahead, error, error_size);
}

static void close_log(struct ahead *ahead, uint64_t sequence)
{
    for (uint32_t half = 0; half < WAL_HALVES; half++)
        wal_close(&ahead->wals[half], sequence);
}

static bool open_log(struct ahead *ahead, const struct folder *folder, bool durable, char *error,
                     size_t error_size)
{
    for (uint32_t half = 0; half < WAL_HALVES; half++)
        ahead->wals[half].fd = -1;
    for (uint32_t half = 0; half < WAL_HALVES; half++)
        if (!wal_open(&ahead->wals[half], folder->fd, half, durable,
                      ahead->environment->created_us)) {
            snprintf(error, error_size, "cannot make " FOLDER_WAL ": %s", strerror(errno));
            close_log(ahead, 0);
            return false;
        }
    return true;
}

static int open_snapshot(struct ahead *ahead)
{
    int result = mdb_txn_begin(ahead->environment->env, NULL, MDB_RDONLY, &ahead->snapshot);
    if (result == MDB_SUCCESS)
        mdb_txn_reset(ahead->snapshot);
    return result;
}

bool ahead_open(struct ahead *ahead, const struct folder *folder, bool durable, char *error,
                size_t error_size)
{
    if (!open_log(ahead, folder, durable, error, error_size))
        return false;
    int result = open_snapshot(ahead);
    if (result != MDB_SUCCESS) {
        (void)cannot("is of no use, the ledger cannot be read", result, error, error_size);
        goto close_files;
    }
    if (!checkpoint_start(&ahead->checkpoint)) {
        snprintf(error, error_size, "cannot start its thread");
        goto close_snapshot;
    }
    recent_init(&ahead->recent);
    ahead->clear_until_us = INT64_MIN;
    if (recover(ahead, error, error_size))
        return true;
    ahead_close(ahead, false);
    return false;

close_snapshot:
    mdb_txn_abort(ahead->snapshot);
close_files:
    close_log(ahead, 0);
    return false;
}

void ahead_close(struct ahead *ahead, bool whole)
{
    checkpoint_stop(&ahead->checkpoint);
    mdb_txn_abort(ahead->snapshot);
    close_log(ahead, whole ? ahead->batch->last_sequence + 1 : 0);
    recent_free(&ahead->recent);
}
