/* SPDX-License-Identifier: MIT
 *
 * owner.c - see owner.h. Opening and closing; reading is in view.c, writing in commit.c.
 */
#include "store/lmdb/owner.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

enum { LOOK_AROUND_MS = 1000 };

enum {
    OTHER_VIEWS = 2,     /* besides those of the submitters */
    OTHER_SNAPSHOTS = 1, /* besides those of the views */
};

static_assert(
    SUBMITTERS_MAX + OTHER_VIEWS + OTHER_SNAPSHOTS + 16 <= ENVIRONMENT_READERS_MAX,
    "other processes read too: audits, copies, exports, and those of them that were killed");

struct owner {
    struct folder folder;
    struct environment environment;
    char path[4096];
    bool durable;
    struct serving serving;
    struct committed committed;
    struct owner_socket *socket; /* NULL: there is none */
    struct view *late_view;      /* the committer's */
    struct view *socket_view;    /* the socket's thread's */

    _Atomic bool awaited;  /* the committer waits for the mutex, and comes before others */
    pthread_mutex_t mutex; /* over the next four; who is no committer only tries it */
    struct commit commit;
    struct ahead *ahead; /* NULL: each batch is a commit of LMDB's */
    int64_t looked_ms;   /* when the folder was last looked for */
    bool started;        /* a batch was, since it was last asked to settle */

    uint32_t views_count;
    struct view views[]; /* each submitter's, and those two */
};

/* --- answering ------------------------------------------------------------------------------ */

/* Whoever starts next would not find this ledger, and make another: two banks in one's place. */
static void look_for_folder(struct owner *owner)
{
    if (folder_was_moved(&owner->folder, owner->path))
        serving_down(&owner->serving, "its folder has been moved away or deleted");
}

static bool answered(struct op *op, enum outcome outcome)
{
    op->outcome = outcome;
    return true;
}

static bool answer_health(struct owner *owner, struct op *op)
{
    look_for_folder(owner);
    if (commit_stuck(&owner->commit))
        return answered(op, OUTCOME_DOWN);
    switch (serving_state(&owner->serving)) {
    case SERVING: return answered(op, OUTCOME_OK);
    case SERVING_FULL: return false; /* the committer looks whether there is room again */
    case SERVING_DOWN: return answered(op, OUTCOME_DOWN);
    }
    return false;
}

/* `view`: the thread's that asks. */
static bool answer_with(struct owner *owner, struct view *view, struct op *op)
{
    if (op->kind == OP_HEALTH)
        return answer_health(owner, op);
    if (op->kind == OP_SETTLE)
        return false;

    /* Whether there is such a client is judged before anything else, in every state. */
    if (op->kind != OP_OPEN) {
        enum outcome outcome = view_client(view, op->client);
        if (outcome != OUTCOME_OK || op->kind == OP_CLIENT)
            return answered(op, outcome);
    }
    if (serving_state(&owner->serving) == SERVING_DOWN)
        return answered(op, OUTCOME_DOWN);
    if (op_writes(op))
        return false;
    op->outcome = view_statement(view, op, commit_clock_us());
    if (op->outcome == OUTCOME_CORRUPT)
        serving_damage(&owner->serving, op->client);
    return true;
}

bool owner_answer_now(struct owner *owner, uint32_t submitter, struct op *op)
{
    return answer_with(owner, &owner->views[submitter], op);
}

static void look_around(struct owner *owner)
{
    int64_t now_ms = serving_clock_ms();
    if (now_ms - owner->looked_ms < LOOK_AROUND_MS)
        return;
    owner->looked_ms = now_ms;
    look_for_folder(owner);
}

/* The committer's. */
static void lock(struct owner *owner)
{
    atomic_store(&owner->awaited, true);
    pthread_mutex_lock(&owner->mutex);
    atomic_store(&owner->awaited, false);
}

void owner_commit(struct owner *owner, struct op **ops, uint32_t count)
{
    struct op *left[BATCH_OPS_MAX];
    uint32_t left_count = 0;
    /* Those that read are here only if they were asked before this process was the owner. */
    for (uint32_t i = 0; i < count; i++)
        if (op_writes(ops[i]) || !answer_with(owner, owner->late_view, ops[i]))
            left[left_count++] = ops[i];
    lock(owner);
    look_around(owner);
    if (left_count > 0)
        commit_ops(&owner->commit, left, left_count);
    pthread_mutex_unlock(&owner->mutex);
}

/* A flush is waited for, and by nobody who has others to answer. */
bool owner_start(struct owner *owner, struct op **ops, uint32_t count)
{
    if (owner->durable || atomic_load(&owner->awaited) || pthread_mutex_trylock(&owner->mutex) != 0)
        return false;
    look_around(owner);
    bool done = commit_at_once(&owner->commit, ops, count);
    owner->started |= done;
    pthread_mutex_unlock(&owner->mutex);
    return done;
}

bool owner_settle(struct owner *owner, bool idle)
{
    lock(owner);
    bool unsettled = commit_settle(&owner->commit, idle && !owner->started);
    owner->started = false;
    pthread_mutex_unlock(&owner->mutex);
    return unsettled;
}

/* --- ops of other processes ----------------------------------------------------------------- */

static bool answer_other(void *context, struct op *op)
{
    struct owner *owner = context;
    return answer_with(owner, owner->socket_view, op);
}

static bool start_other(void *context, struct op **ops, uint32_t count)
{
    return owner_start(context, ops, count);
}

static void close_ahead(struct owner *owner, bool whole)
{
    if (!owner->ahead)
        return;
    ahead_close(owner->ahead, whole);
    free(owner->ahead);
    owner->ahead = owner->commit.ahead = NULL;
    owner->committed.recent = NULL;
}

/* Nothing has been booked yet. Who cannot ask us to settle finds all in the file at any time. */
void owner_admit(struct owner *owner, struct queue *queue)
{
    char error[200];
    if (!owner_socket_open(&owner->socket, &owner->folder, queue, owner->durable, answer_other,
                           start_other, owner, error, sizeof error)) {
        owner->socket = NULL;
        log_line(LOG_WARN, "no other process can use this store while it is served", "store",
                 owner->path, "reason", error, NULL);
        close_ahead(owner, true);
    }
}

void owner_dismiss(struct owner *owner)
{
    if (owner->socket)
        owner_socket_end(owner->socket);
}

/* --- opening and closing -------------------------------------------------------------------- */

static void close_views(struct owner *owner)
{
    for (uint32_t i = 0; i < owner->views_count; i++)
        view_close(&owner->views[i]);
}

void owner_close(struct owner *owner)
{
    if (owner->socket)
        owner_socket_free(owner->socket);
    close_views(owner);
    /* Only durable = false has left anything to flush. */
    bool whole = commit_end(&owner->commit) &&
                 mdb_env_sync(owner->environment.env, 1) == MDB_SUCCESS;
    close_ahead(owner, whole);
    environment_close(&owner->environment);
    folder_release(&owner->folder);
    pthread_mutex_destroy(&owner->mutex);
    free(owner);
}

/* A log that was left has to be booked. Without one, a bank makes its own, and does without where
 * that cannot be. */
static bool open_ahead(struct owner *owner, const struct store_options *options, char *error,
                       size_t error_size)
{
    char reason[300] = "out of memory";
    bool was_left = wal_was_left(owner->path);
    if (!was_left && !options->serves)
        return true;
    owner->ahead = calloc(1, sizeof *owner->ahead);
    if (owner->ahead) {
        owner->ahead->environment = &owner->environment;
        owner->ahead->committed = &owner->committed;
        owner->ahead->batch = &owner->commit.batch;
    }
    if (owner->ahead &&
        ahead_open(owner->ahead, &owner->folder, options->durable, reason, sizeof reason)) {
        owner->committed.recent = &owner->ahead->recent;
        owner->commit.ahead = owner->ahead;
        return true;
    }
    free(owner->ahead);
    owner->ahead = NULL;
    if (was_left) {
        snprintf(error, error_size, "%s: %s", owner->path, reason);
        return false;
    }
    log_line(LOG_WARN, "serving without a log: each batch takes two flushes", "store", owner->path,
             "reason", reason, NULL);
    return true;
}

static bool open_commit(struct owner *owner, const struct store_options *options, char *error,
                        size_t error_size)
{
    struct commit *commit = &owner->commit;
    int fd;
    commit->environment = &owner->environment;
    commit->committed = &owner->committed;
    commit->serving = &owner->serving;
    if (batch_open(&commit->batch, &owner->environment, options->key_retention_us) != MDB_SUCCESS ||
        mdb_env_get_fd(owner->environment.env, &fd) != MDB_SUCCESS) {
        snprintf(error, error_size, "%s: " FOLDER_DATA " is damaged: the journal has no sound end",
                 owner->path);
        return false;
    }
    if (!open_ahead(owner, options, error, error_size))
        return false;
    commit->space = (struct space){.fd = fd, .capacity_bytes = owner->environment.map_bytes};
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
    if (wal_was_left(path)) {
        snprintf(error, error_size,
                 "%s: " FOLDER_DATA " is gone, and " FOLDER_WAL
                 " goes on from it: bring it back, or "
                 "move " FOLDER_WAL " away",
                 path);
        return false;
    }
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

/* All of them, or none. */
static int open_views(struct owner *owner)
{
    for (uint32_t i = 0; i < owner->views_count; i++) {
        int result = view_open(&owner->views[i], &owner->environment, &owner->committed);
        if (result != MDB_SUCCESS) {
            while (i > 0)
                view_close(&owner->views[--i]);
            return result;
        }
    }
    return MDB_SUCCESS;
}

/* The folder is ours. */
static bool open_ledger(struct owner *owner, const struct store_options *options, char *error,
                        size_t error_size)
{
    int dead;
    const char *path = owner->path;
    if (!ensure_store(&owner->folder, path, options, error, error_size))
        return false;
    if (environment_open(&owner->environment, path, options->map_bytes,
                         options->durable ? 0 : MDB_NOSYNC, error, error_size) != ENVIRONMENT_OPEN)
        return false;
    (void)mdb_reader_check(owner->environment.env, &dead); /* slots of a process that was killed */
    /* Whoever had it before may have died before its last flush, or never made one. */
    int result = options->durable ? mdb_env_sync(owner->environment.env, 1) : MDB_SUCCESS;
    if (result != MDB_SUCCESS) {
        snprintf(error, error_size, "%s: cannot flush it: %s", path, mdb_strerror(result));
        goto close_environment;
    }
    result = open_views(owner);
    if (result != MDB_SUCCESS) {
        snprintf(error, error_size, "%s: cannot read the accounts: %s", path, mdb_strerror(result));
        goto close_environment;
    }
    if (!open_commit(owner, options, error, error_size))
        goto close_views;
    return true;

close_views:
    close_views(owner);
close_environment:
    environment_close(&owner->environment);
    return false;
}

static enum owner_opening take_folder(struct owner *owner, const struct folder_place *place,
                                      char *error, size_t error_size)
{
    switch (folder_try(&owner->folder, owner->path, error, error_size)) {
    case FOLDER_HELD: return OWNER_HELD;
    case FOLDER_REFUSED: return OWNER_NOT_OPENED;
    case FOLDER_TAKEN: break;
    }
    if (!place || folder_is(&owner->folder, place))
        return OWNER_OPENED;
    snprintf(error, error_size, "%s: another folder has come into its place", owner->path);
    folder_release(&owner->folder);
    return OWNER_NOT_OPENED;
}

enum owner_opening owner_open(struct owner **ret, const char *path,
                              const struct store_options *options, const struct folder_place *place,
                              char *error, size_t error_size)
{
    uint32_t views = options->submitters + OTHER_VIEWS;
    struct owner *owner = calloc(1, sizeof *owner + views * sizeof owner->views[0]);
    enum owner_opening end = OWNER_NOT_OPENED;
    if (!owner) {
        snprintf(error, error_size, "out of memory");
        return end;
    }
    pthread_mutex_init(&owner->mutex, NULL);
    owner->views_count = views;
    owner->late_view = &owner->views[options->submitters];
    owner->socket_view = owner->late_view + 1;
    owner->serving.path = owner->path;
    owner->durable = options->durable;
    snprintf(owner->path, sizeof owner->path, "%s", path);
    if (options->must_exist ? !store_is_there(path, error, error_size)
                            : !nothing_unfinished(path, error, error_size))
        goto free_owner;
    end = take_folder(owner, place, error, error_size);
    if (end != OWNER_OPENED)
        goto free_owner;
    if (!open_ledger(owner, options, error, error_size)) {
        end = OWNER_NOT_OPENED;
        goto release_folder;
    }
    *ret = owner;
    return OWNER_OPENED;

release_folder:
    folder_release(&owner->folder);
free_owner:
    pthread_mutex_destroy(&owner->mutex);
    free(owner);
    return end;
}
