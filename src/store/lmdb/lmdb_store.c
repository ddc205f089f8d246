/* SPDX-License-Identifier: MIT
 *
 * lmdb_store.c - see lmdb_store.h. Opening, reading, and the fate of a batch; what a batch does to
 * the ledger is in batch.c.
 */
#include "store/lmdb/lmdb_store.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ops/log.h"
#include "store/lmdb/batch.h"
#include "store/lmdb/environment.h"
#include "store/lmdb/folder.h"
#include "store/lmdb/record.h"
#include "store/lmdb/space.h"

/* The challenge's five (docs/contract.md, "Clients"). */
static const struct opening challenge_clients[] = {
    {1, 100000, 0}, {2, 80000, 0}, {3, 1000000, 0}, {4, 10000000, 0}, {5, 500000, 0},
};

/* Pages that a batch is given room for. In each of accounts and keys an op rewrites a leaf and a
 * few branches of its own, twice over where they split; the journal's and the roots are shared. An
 * estimate: were it too low, a full disk would show at the commit, which copes as well. */
enum { OP_PAGES = 16, COMMIT_PAGES = 64 };

enum { KNOWN_CLIENTS = 1024 };

enum serving {
    SERVING,      /* as it should be */
    SERVING_FULL, /* no room for entries; statements are answered; mends itself */
    SERVING_DOWN, /* latched: what the disk holds is no longer known */
};

struct lmdb_store {
    struct backend backend;
    struct folder folder;
    struct environment environment;
    char path[256]; /* for the log */
    _Atomic enum serving serving;
    _Atomic int64_t damage_told_us; /* when the log last said that a record is damaged */
    _Atomic size_t committed_txn;   /* LMDB's number of the last commit that is on disk */

    /* The submitter's. */
    MDB_txn *snapshot; /* reset between uses */
    uint32_t
        known_clients[KNOWN_CLIENTS]; /* ids that exist, each at its hash; the last one stays */

    /* The committer's. */
    struct batch batch;
    struct space space;
    bool map_full; /* the last batch did not fit the map: nothing but a commit disproves it */
};

static struct lmdb_store *store_of(struct backend *backend)
{
    return (struct lmdb_store *)backend; /* its first member */
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* A damaged record refuses its own account and no other. Said at most once a second: a client that
 * retries must not fill the log. */
static void tell_damage(struct lmdb_store *store, const struct op *op)
{
    char client[16];
    int64_t now = now_us();
    if (op->outcome != OUTCOME_CORRUPT || now - atomic_load(&store->damage_told_us) < 1000000)
        return;
    atomic_store(&store->damage_told_us, now);
    snprintf(client, sizeof client, "%u", op->client);
    log_line(LOG_ERROR, "a record is damaged: its account is refused", "store", store->path,
             "client", client, NULL);
}

/* --- the submitter's side: snapshots -------------------------------------------------------- */

/* LMDB takes the number of the last commit first and copies that commit's roots after; they stay
 * put until the second commit from then begins to flush. Were this thread held up in between for
 * that long, the roots would be of a commit that is not on disk yet; so look again. */
static int begin_snapshot(struct lmdb_store *store)
{
    for (;;) {
        int result = mdb_txn_renew(store->snapshot);
        if (result != MDB_SUCCESS ||
            mdb_txn_id(store->snapshot) >= atomic_load(&store->committed_txn))
            return result;
        mdb_txn_reset(store->snapshot);
    }
}

static int get_account(struct lmdb_store *store, uint32_t client, MDB_val *ret)
{
    uint8_t client_key[CLIENT_KEY_BYTES];
    MDB_val key = {sizeof client_key, client_key};
    client_key_encode(client_key, client);
    return mdb_get(store->snapshot, store->environment.accounts, &key, ret);
}

/* Accounts come and never go: one that was seen exists, and nothing needs to be read. Works in
 * every state of the store, since a bad request is refused as such in each. */
static enum outcome find_client(struct lmdb_store *store, uint32_t client)
{
    uint32_t *known = &store->known_clients[client % KNOWN_CLIENTS];
    MDB_val value;
    if (*known == client)
        return OUTCOME_OK;
    if (begin_snapshot(store) != MDB_SUCCESS)
        return OUTCOME_DOWN;
    int result = get_account(store, client, &value);
    mdb_txn_reset(store->snapshot);
    if (result == MDB_NOTFOUND)
        return OUTCOME_NO_CLIENT;
    if (result != MDB_SUCCESS)
        return OUTCOME_CORRUPT;
    *known = client;
    return OUTCOME_OK;
}

static enum outcome read_statement(struct lmdb_store *store, struct op *op)
{
    struct account_record record;
    MDB_val value;
    if (begin_snapshot(store) != MDB_SUCCESS)
        return OUTCOME_DOWN;
    int result = get_account(store, op->client, &value);
    bool sound = result == MDB_SUCCESS &&
                 account_record_decode(&record, op->client, value.mv_data, value.mv_size);
    mdb_txn_reset(store->snapshot);
    if (result == MDB_NOTFOUND)
        return OUTCOME_NO_CLIENT;
    if (!sound)
        return OUTCOME_CORRUPT;
    op->account = record.account;
    op->snapshot_us = now_us();
    return OUTCOME_OK;
}

static bool answered(struct op *op, enum outcome outcome)
{
    op->outcome = outcome;
    return true;
}

static bool answer_now(struct backend *backend, struct op *op)
{
    struct lmdb_store *store = store_of(backend);
    enum serving serving = atomic_load(&store->serving);

    if (op->kind == OP_HEALTH) {
        if (serving == SERVING_FULL)
            return false; /* the committer looks whether there is room again */
        return answered(op, serving == SERVING ? OUTCOME_OK : OUTCOME_DOWN);
    }
    enum outcome outcome = find_client(store, op->client);
    if (outcome != OUTCOME_OK || op->kind == OP_CLIENT)
        return answered(op, outcome);
    if (serving == SERVING_DOWN)
        return answered(op, OUTCOME_DOWN);
    if (op->kind == OP_ENTRY)
        return false;
    op->outcome = read_statement(store, op);
    tell_damage(store, op);
    return true;
}

/* --- the committer's side ------------------------------------------------------------------- */

static void now_serving(struct lmdb_store *store, enum serving serving, const char *reason)
{
    enum serving before = atomic_exchange(&store->serving, serving);
    if (before == serving)
        return;
    switch (serving) {
    case SERVING:
        log_line(LOG_INFO, "the store takes entries again", "store", store->path, NULL);
        break;
    case SERVING_FULL:
        log_line(LOG_ERROR, "the store is full: entries are refused, statements are served",
                 "store", store->path, "reason", reason, NULL);
        break;
    case SERVING_DOWN:
        log_line(LOG_ERROR, "the store is down: a flush failed; restart once the disk is well",
                 "store", store->path, "reason", reason, NULL);
        break;
    }
}

static bool disk_full(int result)
{
    return result == ENOSPC || result == EDQUOT || result == EFBIG;
}

static void answer_all(struct op **ops, uint32_t count, enum outcome outcome)
{
    for (uint32_t i = 0; i < count; i++)
        ops[i]->outcome = outcome;
}

static bool reserve(struct lmdb_store *store, uint32_t ops)
{
    uint64_t pages = COMMIT_PAGES + (uint64_t)ops * OP_PAGES;
    if (space_reserve(&store->space, environment_used_bytes(&store->environment),
                      pages * store->environment.page_bytes))
        return true;
    now_serving(store, SERVING_FULL, strerror(errno));
    return false;
}

/* The batch was rolled back before anything was written. */
static enum outcome outcome_of_rollback(struct lmdb_store *store, int result)
{
    if (result == MDB_PANIC) { /* LMDB's own latch */
        now_serving(store, SERVING_DOWN, mdb_strerror(result));
        return OUTCOME_DOWN;
    }
    if (result == MDB_MAP_FULL) {
        store->map_full = true;
        now_serving(store, SERVING_FULL, "the map is full: restart with a larger --map-size");
        return OUTCOME_NO_SPACE;
    }
    if (result == ENOMEM)
        return OUTCOME_BUSY;
    log_line(LOG_ERROR, "a batch was refused", "store", store->path, "reason", mdb_strerror(result),
             NULL);
    return OUTCOME_CORRUPT;
}

/* mdb_txn_commit() has failed: at writing the pages, at flushing them, or at the meta page that
 * makes them count. After the last LMDB refuses every further transaction with MDB_PANIC. */
static enum outcome outcome_of_failed_commit(struct lmdb_store *store, int result)
{
    MDB_txn *probe;
    if (result < 0 && result != MDB_PANIC)
        return outcome_of_rollback(store, result); /* LMDB's own codes come before any writing */
    if (disk_full(result) &&
        mdb_txn_begin(store->environment.env, NULL, 0, &probe) == MDB_SUCCESS) {
        /* No meta page was written, so nothing points at the pages that were: they are free
         * still, and the next commit writes them anew. Nothing happened. */
        mdb_txn_abort(probe);
        now_serving(store, SERVING_FULL, mdb_strerror(result));
        return OUTCOME_NO_SPACE;
    }
    /* The page cache may now hold what the disk lacks: trust nothing until a restart. */
    now_serving(store, SERVING_DOWN, mdb_strerror(result));
    return OUTCOME_UNKNOWN;
}

/* There was room for a transaction; unless the map is known to be full that mends the store. */
static void answer_health(struct lmdb_store *store, struct op **ops, uint32_t count)
{
    if (!store->map_full)
        now_serving(store, SERVING, NULL);
    for (uint32_t i = 0; i < count; i++)
        if (ops[i]->kind == OP_HEALTH)
            ops[i]->outcome = store->map_full ? OUTCOME_NO_SPACE : OUTCOME_OK;
}

static void commit(struct backend *backend, struct op **ops, uint32_t count)
{
    struct lmdb_store *store = store_of(backend);
    MDB_txn *txn;

    if (atomic_load(&store->serving) == SERVING_DOWN) {
        answer_all(ops, count, OUTCOME_DOWN);
        return;
    }
    if (!reserve(store, count)) {
        answer_all(ops, count, OUTCOME_NO_SPACE);
        return;
    }
    int result = mdb_txn_begin(store->environment.env, NULL, 0, &txn);
    if (result != MDB_SUCCESS) {
        answer_all(ops, count, outcome_of_rollback(store, result));
        return;
    }
    size_t txn_id = mdb_txn_id(txn);
    result = batch_apply(&store->batch, txn, ops, count, now_us());
    if (result != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        batch_undo(&store->batch);
        answer_all(ops, count, outcome_of_rollback(store, result));
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        tell_damage(store, ops[i]);
    if (!batch_changed(&store->batch)) {
        mdb_txn_abort(txn); /* only rejections and replays: what they saw is on disk already */
        answer_health(store, ops, count);
        return;
    }
    result = mdb_txn_commit(txn);
    if (result != MDB_SUCCESS) {
        batch_undo(&store->batch);
        answer_all(ops, count, outcome_of_failed_commit(store, result));
        return;
    }
    atomic_store(&store->committed_txn, txn_id);
    store->map_full = false;
    answer_health(store, ops, count);
}

/* --- opening and closing -------------------------------------------------------------------- */

static void close_store(struct backend *backend)
{
    struct lmdb_store *store = store_of(backend);
    mdb_txn_abort(store->snapshot);
    if (atomic_load(&store->serving) != SERVING_DOWN)
        (void)mdb_env_sync(store->environment.env, 1); /* only durable = false left anything */
    environment_close(&store->environment);
    folder_release(&store->folder);
    free(store);
}

static const struct backend_calls calls = {
    .answer_now = answer_now,
    .commit = commit,
    .close = close_store,
};

struct backend *lmdb_store_open(const char *path, const struct store_options *options, char *error,
                                size_t error_size)
{
    struct lmdb_store *store = calloc(1, sizeof *store);
    int fd, dead;
    if (!store) {
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    store->backend.calls = &calls;
    snprintf(store->path, sizeof store->path, "%s", path);
    if (!folder_take(&store->folder, path, error, error_size))
        goto free_store;
    if (!folder_has_store(&store->folder) &&
        !environment_create(&store->folder, path, challenge_clients,
                            sizeof challenge_clients / sizeof challenge_clients[0], now_us(), error,
                            error_size))
        goto release_folder;
    if (!environment_open(&store->environment, path, options->map_bytes,
                          options->durable ? 0 : MDB_NOSYNC, error, error_size))
        goto release_folder;

    (void)mdb_reader_check(store->environment.env, &dead); /* slots of a process that was killed */
    int result = mdb_txn_begin(store->environment.env, NULL, MDB_RDONLY, &store->snapshot);
    if (result == MDB_SUCCESS) {
        result = batch_init(&store->batch, &store->environment, store->snapshot,
                            options->key_retention_us);
        atomic_store(&store->committed_txn, mdb_txn_id(store->snapshot));
        mdb_txn_reset(store->snapshot);
    }
    if (result == MDB_SUCCESS)
        result = mdb_env_get_fd(store->environment.env, &fd);
    if (result != MDB_SUCCESS) {
        snprintf(error, error_size, "%s: cannot read the journal's end: %s", path,
                 mdb_strerror(result));
        goto close_environment;
    }
    store->space = (struct space){.fd = fd, .capacity_bytes = options->map_bytes};
    (void)reserve(store, 1); /* a full disk should show now, not at the first entry */
    return &store->backend;

close_environment:
    if (store->snapshot)
        mdb_txn_abort(store->snapshot);
    environment_close(&store->environment);
release_folder:
    folder_release(&store->folder);
free_store:
    free(store);
    return NULL;
}

bool lmdb_store_inspect(struct store_facts *ret, const char *path, uint64_t map_bytes, char *error,
                        size_t error_size)
{
    struct environment environment;
    struct store_facts facts = {.layout = LAYOUT_VERSION, .capacity_bytes = map_bytes};
    MDB_txn *txn;
    MDB_stat journal, accounts, keys;

    if (!environment_open(&environment, path, map_bytes, MDB_RDONLY | MDB_NOLOCK, error,
                          error_size))
        return false;
    int result = mdb_txn_begin(environment.env, NULL, MDB_RDONLY, &txn);
    if (result == MDB_SUCCESS) {
        /* The counts stand in the tables' roots, which the transaction has copied. */
        if ((result = mdb_stat(txn, environment.journal, &journal)) == MDB_SUCCESS &&
            (result = mdb_stat(txn, environment.accounts, &accounts)) == MDB_SUCCESS)
            result = mdb_stat(txn, environment.keys, &keys);
        mdb_txn_abort(txn);
    }
    if (result == MDB_SUCCESS) {
        facts.accounts = accounts.ms_entries;
        facts.entries = journal.ms_entries - accounts.ms_entries; /* less the openings */
        facts.keys = keys.ms_entries;
        facts.used_bytes = environment_used_bytes(&environment);
        folder_owner(path, facts.owner, sizeof facts.owner);
        *ret = facts;
    } else {
        snprintf(error, error_size, "%s: cannot read it: %s", path, mdb_strerror(result));
    }
    environment_close(&environment);
    return result == MDB_SUCCESS;
}
