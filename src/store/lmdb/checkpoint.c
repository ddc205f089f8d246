/* SPDX-License-Identifier: MIT
 *
 * checkpoint.c - see checkpoint.h.
 */
#include "store/lmdb/checkpoint.h"

#include <assert.h>
#include <stdlib.h>

#include "store/lmdb/tables.h"
#include "store/thread.h"

/* --- what it writes ------------------------------------------------------------------------- */

static int write_block(const struct checkpoint_job *job, MDB_txn *txn, struct wal_block *block)
{
    struct wal_record record;
    uint64_t sequence = block->sequence;
    int result = MDB_SUCCESS;
    while (result == MDB_SUCCESS && wal_record(block, &record))
        result = tables_put_journal(job->environment, txn, sequence++, record.value,
                                    record.value_bytes);
    bool whole = sequence == block->sequence + block->records;
    return result == MDB_SUCCESS && !whole ? MDB_CORRUPTED : result;
}

/* From the log, which has them as the journal wants them. */
static int write_journal(const struct checkpoint_job *job, MDB_txn *txn)
{
    struct wal *wal = job->wal;
    struct wal_block block;
    const uint64_t end = wal->at;
    int result = MDB_SUCCESS;
    wal_rewind(wal);
    while (result == MDB_SUCCESS && wal->at < end && wal_next(wal, &block))
        result = write_block(job, txn, &block);
    if (result == MDB_SUCCESS && wal->at < end)
        result = wal->error != 0 ? wal->error : MDB_CORRUPTED;
    wal->at = end;
    return result;
}

static int write_expiry(struct checkpoint_job *job, MDB_txn *txn, const struct recent_key *key)
{
    int64_t time_us = key->record.entry.time_us;
    if (job->skips_expiry)
        return MDB_SUCCESS;
    if (time_us < job->oldest_key_time_us)
        job->oldest_key_time_us = time_us;
    int result = tables_put_expiry(job->environment, txn, key->key, key->key_bytes,
                                   key->record.sequence, time_us);
    job->skips_expiry = tables_are_damaged(result);
    return result;
}

static int write_keys(struct checkpoint_job *job, MDB_txn *txn)
{
    const struct generation *generation = job->generation;
    int result = MDB_SUCCESS;
    for (uint32_t i = 0; result == MDB_SUCCESS && i < generation->keys_count; i++) {
        const struct recent_key *key = &generation->keys[i];
        result = tables_put_key(job->environment, txn, key->key, key->key_bytes,
                                key->record.sequence);
        if (result == MDB_SUCCESS)
            result = write_expiry(job, txn, key);
    }
    return result;
}

struct place {
    uint32_t client, index; /* into generation->accounts */
};

static int by_client(const void *one, const void *other)
{
    uint32_t a = ((const struct place *)one)->client, b = ((const struct place *)other)->client;
    return (a > b) - (a < b);
}

/* In the order of the table's pages. */
static int write_accounts(const struct checkpoint_job *job, MDB_txn *txn)
{
    const struct generation *generation = job->generation;
    struct place places[RECENT_ACCOUNTS_MAX];
    int result = MDB_SUCCESS;
    for (uint32_t i = 0; i < generation->accounts_count; i++)
        places[i] = (struct place){generation->accounts[i].account.client, i};
    qsort(places, generation->accounts_count, sizeof places[0], by_client);
    for (uint32_t i = 0; result == MDB_SUCCESS && i < generation->accounts_count; i++)
        result = tables_put_account(job->environment, txn, &generation->accounts[places[i].index]);
    return result;
}

static int clear_keys(struct checkpoint_job *job, MDB_txn *txn)
{
    if (job->expiry_damaged)
        return MDB_SUCCESS;
    int result = tables_clear_keys(job->environment, txn, job->clear_until_us,
                                   job->generation->keys_count + CHECKPOINT_CLEARS,
                                   &job->oldest_key_time_us);
    job->expiry_damaged = tables_are_damaged(result);
    return result;
}

static int try_all(struct checkpoint_job *job)
{
    MDB_txn *txn;
    int result = mdb_txn_begin(job->environment->env, NULL, 0, &txn);
    if (result != MDB_SUCCESS)
        return result;
    job->txn_id = mdb_txn_id(txn);
    result = write_journal(job, txn);
    if (result == MDB_SUCCESS)
        result = write_keys(job, txn);
    if (result == MDB_SUCCESS)
        result = write_accounts(job, txn);
    if (result == MDB_SUCCESS)
        result = clear_keys(job, txn);
    if (result == MDB_SUCCESS)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return result;
}

/* Keys by age decide no entry's fate: what cannot be done with them is left out. */
static void work(struct checkpoint_job *job)
{
    bool damaged_before, skipped_before;
    assert(job->generation->records > 0); /* else LMDB would not use up the number */
    do {
        damaged_before = job->expiry_damaged;
        skipped_before = job->skips_expiry;
        job->result = try_all(job);
    } while (job->expiry_damaged != damaged_before || job->skips_expiry != skipped_before);
    if (job->result != MDB_SUCCESS)
        job->oldest_key_time_us = INT64_MIN; /* look again */
}

/* --- the thread ----------------------------------------------------------------------------- */

static void *checkpoint_main(void *context)
{
    struct checkpoint *checkpoint = context;
    pthread_mutex_lock(&checkpoint->mutex);
    for (;;) {
        while (checkpoint->state != CHECKPOINT_WORKING && !checkpoint->stopping)
            pthread_cond_wait(&checkpoint->changed, &checkpoint->mutex);
        if (checkpoint->state != CHECKPOINT_WORKING)
            break;
        pthread_mutex_unlock(&checkpoint->mutex);
        work(&checkpoint->job);
        pthread_mutex_lock(&checkpoint->mutex);
        checkpoint->state = CHECKPOINT_ENDED;
        pthread_cond_broadcast(&checkpoint->changed);
    }
    pthread_mutex_unlock(&checkpoint->mutex);
    return NULL;
}

bool checkpoint_start(struct checkpoint *checkpoint)
{
    pthread_mutex_init(&checkpoint->mutex, NULL);
    pthread_cond_init(&checkpoint->changed, NULL);
    checkpoint->state = CHECKPOINT_RESTING;
    checkpoint->stopping = false;
    if (thread_start(&checkpoint->thread, checkpoint_main, checkpoint))
        return true;
    pthread_cond_destroy(&checkpoint->changed);
    pthread_mutex_destroy(&checkpoint->mutex);
    return false;
}

void checkpoint_stop(struct checkpoint *checkpoint)
{
    pthread_mutex_lock(&checkpoint->mutex);
    checkpoint->stopping = true;
    pthread_cond_broadcast(&checkpoint->changed);
    pthread_mutex_unlock(&checkpoint->mutex);
    pthread_join(checkpoint->thread, NULL);
    pthread_cond_destroy(&checkpoint->changed);
    pthread_mutex_destroy(&checkpoint->mutex);
}

void checkpoint_begin(struct checkpoint *checkpoint, const struct checkpoint_job *job)
{
    pthread_mutex_lock(&checkpoint->mutex);
    assert(checkpoint->state == CHECKPOINT_RESTING);
    checkpoint->job = *job;
    checkpoint->state = CHECKPOINT_WORKING;
    pthread_cond_broadcast(&checkpoint->changed);
    pthread_mutex_unlock(&checkpoint->mutex);
}

bool checkpoint_poll(struct checkpoint *checkpoint, bool wait, struct checkpoint_job *ret)
{
    pthread_mutex_lock(&checkpoint->mutex);
    while (wait && checkpoint->state == CHECKPOINT_WORKING)
        pthread_cond_wait(&checkpoint->changed, &checkpoint->mutex);
    bool ended = checkpoint->state == CHECKPOINT_ENDED;
    if (ended) {
        *ret = checkpoint->job;
        checkpoint->state = CHECKPOINT_RESTING;
    }
    pthread_mutex_unlock(&checkpoint->mutex);
    return ended;
}
