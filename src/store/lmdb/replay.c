/* SPDX-License-Identifier: MIT
 *
 * replay.c - see replay.h.
 */
#include "store/lmdb/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Each may rewrite an account's page, which LMDB keeps in memory until the commit. */
enum { TXN_OPS_MAX = 4 * BATCH_OPS_MAX };

static enum archive_end failed(char *error, size_t error_size, int result)
{
    snprintf(error, error_size, "cannot write the new store: %s", environment_write_error(result));
    return ARCHIVE_FAILED;
}

void replay_begin(struct replay *replay, const struct environment *environment)
{
    memset(replay, 0, sizeof *replay);
    replay->environment = environment;
    batch_new(&replay->batch, environment);
}

/* --- transactions --------------------------------------------------------------------------- */

static int finish_batch(struct replay *replay)
{
    replay->batch_ops = 0;
    return batch_finish(&replay->batch, replay->txn);
}

static int finish_txn(struct replay *replay)
{
    if (!replay->txn)
        return MDB_SUCCESS;
    int result = finish_batch(replay);
    if (result == MDB_SUCCESS)
        result = mdb_txn_commit(replay->txn);
    else
        mdb_txn_abort(replay->txn);
    replay->txn = NULL;
    return result;
}

/* Room for one more op. */
static int make_ready(struct replay *replay)
{
    int result = MDB_SUCCESS;
    if (replay->txn_ops == TXN_OPS_MAX)
        result = finish_txn(replay);
    else if (replay->batch_ops == BATCH_OPS_MAX)
        result = finish_batch(replay);
    if (result == MDB_SUCCESS && !replay->txn) {
        replay->txn_ops = 0;
        result = mdb_txn_begin(replay->environment->env, NULL, 0, &replay->txn);
    }
    if (result == MDB_SUCCESS && replay->batch_ops == 0)
        batch_begin(&replay->batch);
    replay->batch_ops++;
    replay->txn_ops++;
    return result;
}

/* --- a record ------------------------------------------------------------------------------- */

static struct op op_of(const struct archive_record *record)
{
    const struct journal_record *journal = &record->journal;
    struct op op = {
        .client = journal->client,
        .limit_cents = journal->limit_cents,
        .balance_cents = journal->balance_cents,
    };
    switch (journal->kind) {
    case JOURNAL_OPENING: op.kind = OP_OPEN; break;
    case JOURNAL_LIMIT: op.kind = OP_LIMIT; break;
    case JOURNAL_CREDIT:
    case JOURNAL_DEBIT:
        op.kind = OP_ENTRY;
        op.entry = journal->entry;
        op.key_bytes = record->key_bytes;
        memcpy(op.key, record->key, record->key_bytes);
        break;
    }
    return op;
}

/* It is not the record that is at fault. */
static bool storage_failed(enum outcome outcome)
{
    return outcome >= OUTCOME_BUSY;
}

/* NULL: the ledger has booked it as the record says. */
static const char *disagreement(const struct replay *replay, const struct op *op,
                                const struct journal_record *journal)
{
    switch (op->outcome) {
    case OUTCOME_OK: break;
    case OUTCOME_NO_CLIENT: return "its account has not been opened";
    case OUTCOME_CLIENT_EXISTS: return "the account is there already";
    case OUTCOME_LIMIT_EXCEEDED:
        return op->kind == OP_LIMIT ? "the limit would be less than the debt"
                                    : "it takes the balance below the limit";
    case OUTCOME_BALANCE_MAX: return "it takes the balance past the largest there is";
    case OUTCOME_KEY_REUSED: return "its key belongs to another of the client's entries";
    case OUTCOME_BUSY:
    case OUTCOME_NO_SPACE:
    case OUTCOME_DOWN:
    case OUTCOME_CORRUPT:
    case OUTCOME_UNKNOWN: break; /* not these: storage_failed() */
    }
    if (op->replayed)
        return "its key belongs to another of the client's entries";
    if (replay->batch.last_sequence != journal->sequence)
        return "its sequence is not the next one";
    if (replay->batch.last_time_us != journal->entry.time_us)
        return "its time goes back";
    if (op->balance_cents != journal->balance_cents)
        return "its balance is not the one before it and its amount";
    if (op->limit_cents != journal->limit_cents)
        return "its limit is not the one that was in force";
    return NULL;
}

enum archive_end replay_add(struct replay *replay, const struct archive_record *record, char *error,
                            size_t error_size)
{
    const struct journal_record *journal = &record->journal;
    const int64_t last_time_us = replay->batch.last_time_us;
    struct op op = op_of(record);

    int result = make_ready(replay);
    if (result == MDB_SUCCESS) {
        batch_time(&replay->batch, journal->entry.time_us);
        result = batch_one(&replay->batch, replay->txn, &op);
    }
    if (result != MDB_SUCCESS) {
        replay->broken = true;
        return failed(error, error_size, result);
    }
    if (storage_failed(op.outcome)) {
        replay->broken = true;
        return failed(error, error_size, MDB_CORRUPTED);
    }
    const char *wrong = disagreement(replay, &op, journal);
    if (!wrong)
        return ARCHIVE_DONE;
    if (op.outcome == OUTCOME_OK)
        replay->broken = true;
    replay->batch.last_time_us = last_time_us; /* of it nothing stays */
    snprintf(error, error_size, "client %u: %s", journal->client, wrong);
    return ARCHIVE_WRONG;
}

enum archive_end replay_end(struct replay *replay, char *error, size_t error_size)
{
    if (replay->broken) {
        replay_abandon(replay);
        snprintf(error, error_size, "a record before did not follow");
        return ARCHIVE_WRONG;
    }
    int result = finish_txn(replay);
    return result == MDB_SUCCESS ? ARCHIVE_DONE : failed(error, error_size, result);
}

void replay_abandon(struct replay *replay)
{
    if (replay->txn)
        mdb_txn_abort(replay->txn);
    replay->txn = NULL;
}

/* --- a store of accounts alone -------------------------------------------------------------- */

static enum archive_end add_openings(struct replay *replay, const struct opening *openings,
                                     uint32_t count, int64_t now_us, char *error, size_t error_size)
{
    enum archive_end end = ARCHIVE_DONE;
    for (uint32_t i = 0; end == ARCHIVE_DONE && i < count; i++) {
        const struct archive_record record = {
            .journal =
                {
                    .sequence = i + 1,
                    .client = openings[i].client,
                    .kind = JOURNAL_OPENING,
                    .limit_cents = openings[i].limit_cents,
                    .balance_cents = openings[i].balance_cents,
                    .entry.time_us = now_us - (count - 1 - i), /* they rise, and end now */
                },
        };
        end = replay_add(replay, &record, error, error_size);
    }
    return end;
}

bool replay_openings(const struct folder *folder, const char *path, uint64_t map_bytes,
                     const struct opening *openings, uint32_t count, int64_t now_us, char *error,
                     size_t error_size)
{
    struct environment environment;
    char reason[200];
    struct replay *replay = malloc(sizeof *replay);
    if (!replay) {
        snprintf(error, error_size, "out of memory");
        return false;
    }
    if (!environment_create(&environment, folder, path, FOLDER_DATA_NEW, map_bytes, now_us, error,
                            error_size)) {
        free(replay);
        return false;
    }
    replay_begin(replay, &environment);
    enum archive_end end = add_openings(replay, openings, count, now_us, reason, sizeof reason);
    if (end == ARCHIVE_DONE)
        end = replay_end(replay, reason, sizeof reason);
    else
        replay_abandon(replay);
    free(replay);
    if (end == ARCHIVE_DONE)
        return environment_name(&environment, folder, path, FOLDER_DATA_NEW, error, error_size);
    snprintf(error, error_size, "%s: cannot create the store: %s", path, reason);
    environment_discard(&environment, folder, FOLDER_DATA_NEW);
    return false;
}
