/* SPDX-License-Identifier: MIT
 *
 * lmdb_store.c - see lmdb_store.h. Opening, closing, looking on; reading is in view.c, writing in
 * commit.c.
 */
#include "store/lmdb/lmdb_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "ops/log.h"
#include "store/lmdb/commit.h"
#include "store/lmdb/environment.h"
#include "store/lmdb/folder.h"
#include "store/lmdb/owner_socket.h"
#include "store/lmdb/replay.h"
#include "store/lmdb/serving.h"
#include "store/lmdb/target.h"
#include "store/lmdb/view.h"

/* The challenge's five (docs/contract.md, "Routes"). */
static const struct opening challenge_clients[] = {
    {1, 100000, 0}, {2, 80000, 0}, {3, 1000000, 0}, {4, 10000000, 0}, {5, 500000, 0},
};

enum { CLIENTS = sizeof challenge_clients / sizeof challenge_clients[0] };

enum { TAKE_TIMES = 20, TAKE_PAUSE_MS = 50 };

enum { LOOKS = 10 }; /* how often a look at a busy store is tried */

struct lmdb_store {
    struct backend backend;
    struct folder folder;
    struct environment environment;
    char path[256]; /* for the log */
    struct serving serving;
    struct committed committed;
    struct view view;            /* the submitter's */
    struct commit commit;        /* the committer's */
    struct owner_socket *socket; /* NULL: there is none */
    struct view socket_view;     /* its thread's */
};

static struct lmdb_store *store_of(struct backend *backend)
{
    return (struct lmdb_store *)backend; /* its first member */
}

/* --- answering ------------------------------------------------------------------------------ */

static bool answered(struct op *op, enum outcome outcome)
{
    op->outcome = outcome;
    return true;
}

static bool answer_health(struct lmdb_store *store, struct op *op)
{
    if (commit_stuck(&store->commit))
        return answered(op, OUTCOME_DOWN);
    switch (serving_state(&store->serving)) {
    case SERVING: return answered(op, OUTCOME_OK);
    case SERVING_FULL: return false; /* the committer looks whether there is room again */
    case SERVING_DOWN: return answered(op, OUTCOME_DOWN);
    }
    return false;
}

/* `view`: the thread's that asks. */
static bool answer_with(struct lmdb_store *store, struct view *view, struct op *op)
{
    if (op->kind == OP_HEALTH)
        return answer_health(store, op);

    /* Whether there is such a client is judged before anything else, in every state. */
    if (op->kind != OP_OPEN) {
        enum outcome outcome = view_client(view, op->client);
        if (outcome != OUTCOME_OK || op->kind == OP_CLIENT)
            return answered(op, outcome);
    }
    if (serving_state(&store->serving) == SERVING_DOWN)
        return answered(op, OUTCOME_DOWN);
    if (op_writes(op))
        return false;
    op->outcome = view_statement(view, op, commit_clock_us());
    if (op->outcome == OUTCOME_CORRUPT)
        serving_damage(&store->serving, op->client);
    return true;
}

static bool answer_now(struct backend *backend, struct op *op)
{
    struct lmdb_store *store = store_of(backend);
    return answer_with(store, &store->view, op);
}

static void commit(struct backend *backend, uint32_t lane, struct op **ops, uint32_t count)
{
    (void)lane; /* there is one */
    commit_ops(&store_of(backend)->commit, ops, count);
}

/* --- ops of other processes ----------------------------------------------------------------- */

static bool answer_other(void *context, struct op *op)
{
    struct lmdb_store *store = context;
    return answer_with(store, &store->socket_view, op);
}

static void admit(struct backend *backend, struct queue *queue)
{
    struct lmdb_store *store = store_of(backend);
    char error[200];
    int result = view_open(&store->socket_view, &store->environment, &store->committed);
    if (result != MDB_SUCCESS) {
        snprintf(error, sizeof error, "%s", mdb_strerror(result));
    } else if (!owner_socket_open(&store->socket, &store->folder, queue, answer_other, store, error,
                                  sizeof error)) {
        view_close(&store->socket_view);
        store->socket = NULL;
    }
    if (!store->socket)
        log_line(LOG_WARN, "commands on this store will not work while it is served", "store",
                 store->path, "reason", error, NULL);
}

static void dismiss(struct backend *backend)
{
    struct lmdb_store *store = store_of(backend);
    if (store->socket)
        owner_socket_end(store->socket);
}

/* --- opening and closing -------------------------------------------------------------------- */

static void close_store(struct backend *backend)
{
    struct lmdb_store *store = store_of(backend);
    if (store->socket) {
        owner_socket_free(store->socket);
        view_close(&store->socket_view);
    }
    view_close(&store->view);
    if (serving_state(&store->serving) != SERVING_DOWN)
        (void)mdb_env_sync(store->environment.env, 1); /* only durable = false left anything */
    environment_close(&store->environment);
    folder_release(&store->folder);
    free(store);
}

static const struct backend_calls calls = {
    .answer_now = answer_now,
    .commit = commit,
    .admit = admit,
    .dismiss = dismiss,
    .close = close_store,
};

static bool open_commit(struct lmdb_store *store, const struct store_options *options)
{
    struct commit *commit = &store->commit;
    int fd;
    commit->environment = &store->environment;
    commit->committed = &store->committed;
    commit->serving = &store->serving;
    if (batch_open(&commit->batch, &store->environment, options->key_retention_us) != MDB_SUCCESS ||
        mdb_env_get_fd(store->environment.env, &fd) != MDB_SUCCESS)
        return false;
    commit->space = (struct space){.fd = fd, .capacity_bytes = store->environment.map_bytes};
    commit_begin(commit);
    return true;
}

/* Beside a copy that is being made, or was interrupted, no bank is created: one with other people's
 * accounts would be served in place of the one that somebody means to restore. */
static bool refuse_unfinished(const char *path, const char *maker, const char *left, char *error,
                              size_t error_size)
{
    if (maker[0])
        snprintf(error, error_size, "%s: a copy to it is being made by %s", path, maker);
    else
        snprintf(error, error_size,
                 "%s: a copy to it was interrupted: repeat that, or remove what it left, %s", path,
                 left);
    return false;
}

/* Asked before the folder is taken, which would make it. */
static bool nothing_unfinished(const char *path, char *error, size_t error_size)
{
    char name[4096], beside[TARGET_PATH_BYTES], maker[128];
    snprintf(name, sizeof name, "%s/" FOLDER_DATA, path);
    if (access(name, F_OK) == 0 || !target_was_interrupted(path, beside, sizeof beside))
        return true;
    folder_owner(beside, maker, sizeof maker);
    return refuse_unfinished(path, maker, beside, error, error_size);
}

static bool create_store(const struct folder *folder, const char *path, uint64_t map_bytes,
                         char *error, size_t error_size)
{
    if (folder_has_partial(folder))
        return refuse_unfinished(path, "", FOLDER_DATA_PARTIAL, error, error_size);
    return replay_openings(folder, path, map_bytes, challenge_clients, CLIENTS, commit_clock_us(),
                           error, error_size);
}

/* Asked before the folder is taken, which would make it. */
static bool store_is_there(const char *path, char *error, size_t error_size)
{
    char name[4096];
    snprintf(name, sizeof name, "%s/" FOLDER_DATA, path);
    if (access(name, F_OK) == 0)
        return true;
    snprintf(error, error_size, "%s: no store there: %s", path, strerror(errno));
    return false;
}

/* There is a store, or it is made. */
static bool ensure_store(const struct folder *folder, const char *path,
                         const struct store_options *options, char *error, size_t error_size)
{
    if (folder_has_store(folder))
        return true;
    if (options->must_exist) {
        snprintf(error, error_size, "%s: no store there any more", path);
        return false;
    }
    return create_store(folder, path, options->map_bytes, error, error_size);
}

/* A command that changes one account holds a folder that nobody serves for a few milliseconds: that
 * is no reason not to start. (Such a command asks again by itself: store_ask().) */
static bool take_folder(struct lmdb_store *store, const char *path, bool at_once, char *error,
                        size_t error_size)
{
    static const struct timespec pause = {0, TAKE_PAUSE_MS * 1000000L};
    for (int times = at_once ? TAKE_TIMES : 1;; times++) {
        char owner[128];
        if (folder_take(&store->folder, path, error, error_size))
            return true;
        folder_owner(path, owner, sizeof owner);
        if (times >= TAKE_TIMES || owner[0] == '\0')
            return false;
        nanosleep(&pause, NULL);
    }
}

struct backend *lmdb_store_open(const char *path, const struct store_options *options, char *error,
                                size_t error_size)
{
    struct lmdb_store *store = calloc(1, sizeof *store);
    int dead;
    if (!store) {
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    store->backend = (struct backend){.calls = &calls, .lanes = 1};
    store->serving.path = store->path;
    snprintf(store->path, sizeof store->path, "%s", path);
    if (options->must_exist ? !store_is_there(path, error, error_size)
                            : !nothing_unfinished(path, error, error_size))
        goto free_store;
    if (!take_folder(store, path, options->must_exist, error, error_size))
        goto free_store;
    if (!ensure_store(&store->folder, path, options, error, error_size))
        goto release_folder;
    if (environment_open(&store->environment, path, options->map_bytes,
                         options->durable ? 0 : MDB_NOSYNC, error, error_size) != ENVIRONMENT_OPEN)
        goto release_folder;
    (void)mdb_reader_check(store->environment.env, &dead); /* slots of a process that was killed */
    int result = view_open(&store->view, &store->environment, &store->committed);
    if (result != MDB_SUCCESS) {
        snprintf(error, error_size, "%s: cannot read the accounts: %s", path, mdb_strerror(result));
        goto close_environment;
    }
    if (!open_commit(store, options)) {
        snprintf(error, error_size, "%s: " FOLDER_DATA " is damaged: the journal has no sound end",
                 path);
        goto close_view;
    }
    return &store->backend;

close_view:
    view_close(&store->view);
close_environment:
    environment_close(&store->environment);
release_folder:
    folder_release(&store->folder);
free_store:
    free(store);
    return NULL;
}

/* --- looking on ----------------------------------------------------------------------------- */

/* Beside an owner, without a lock: nothing keeps the pages under this snapshot from being used
 * again once the third commit after it has begun, and the counts stand on such pages. */
static bool undisturbed(const struct environment *environment, size_t txn_id)
{
    MDB_envinfo info;
    return mdb_env_info(environment->env, &info) == MDB_SUCCESS && info.me_last_txnid <= txn_id + 1;
}

/* What a process without privileges may still write where the folder is. */
static int look_at_disk(uint64_t *ret_free_bytes, const char *path)
{
    struct statvfs disk;
    int result;
    do
        result = statvfs(path, &disk);
    while (result != 0 && errno == EINTR);
    if (result != 0)
        return errno;
    *ret_free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    return MDB_SUCCESS;
}

static bool look(struct store_facts *ret, const char *path, char *error, size_t error_size)
{
    struct environment environment;
    struct store_facts facts = {.layout = LAYOUT_VERSION};
    MDB_txn *txn;
    MDB_stat journal, accounts, keys;

    if (environment_open(&environment, path, 0, MDB_RDONLY | MDB_NOLOCK, error, error_size) !=
        ENVIRONMENT_OPEN)
        return false;
    int result = mdb_txn_begin(environment.env, NULL, MDB_RDONLY, &txn);
    if (result == MDB_SUCCESS) {
        size_t txn_id = mdb_txn_id(txn);
        if ((result = mdb_stat(txn, environment.journal, &journal)) == MDB_SUCCESS &&
            (result = mdb_stat(txn, environment.accounts, &accounts)) == MDB_SUCCESS)
            result = mdb_stat(txn, environment.keys, &keys);
        mdb_txn_abort(txn);
        if (result == MDB_SUCCESS && !undisturbed(&environment, txn_id))
            result = MDB_BAD_TXN;
    }
    if (result == MDB_SUCCESS)
        result = look_at_disk(&facts.free_bytes, path);
    if (result == MDB_SUCCESS) {
        facts.accounts = accounts.ms_entries;
        facts.records = journal.ms_entries;
        facts.keys = keys.ms_entries;
        facts.capacity_bytes = environment.map_bytes;
        facts.used_bytes = environment_used_bytes(&environment);
        folder_owner(path, facts.owner, sizeof facts.owner);
        *ret = facts;
    } else {
        snprintf(error, error_size, "%s: cannot read it: %s", path, mdb_strerror(result));
    }
    environment_close(&environment);
    return result == MDB_SUCCESS;
}

bool lmdb_store_inspect(struct store_facts *ret, const char *path, char *error, size_t error_size)
{
    for (int i = 0; i < LOOKS; i++)
        if (look(ret, path, error, error_size))
            return true;
    return false;
}
