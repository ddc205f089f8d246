/* SPDX-License-Identifier: MIT
 *
 * lmdb_store.c - see lmdb_store.h.
 *
 *   opened ─► OWNER                       (the folder was free; for good)
 *   opened ─► GUEST ─► SEEKING ─► OWNER   (the owner went, and we were first)
 *               ▲         │ ▲
 *               └─────────┘ └─► ABSENT    (somebody else was; nobody was, for too long)
 */
#include "store/lmdb/lmdb_store.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ops/log.h"
#include "store/lmdb/guest.h"
#include "store/lmdb/owner.h"
#include "store/lmdb/owner_meet.h"
#include "store/lmdb/serving.h"
#include "store/thread.h"

enum {
    OPEN_PATIENCE_MS = 5000, /* for an owner that does not listen yet, as it makes the store */
    PATIENCE_MS = 1000,      /* between two owners, ops wait so long */
    SEEK_PAUSE_MS = 5,
    ABSENT_PAUSE_MS = 100,
};

enum role {
    OWNER,   /* books itself */
    GUEST,   /* hands ops to the owner */
    SEEKING, /* between two owners: ops wait */
    ABSENT,  /* and still none: ops are refused */
    CLOSED,  /* dismissed before it found one */
};

struct lmdb_store {
    struct backend backend;
    char path[4096];
    struct store_options options;
    struct folder_place place; /* the folder that we began with */
    struct known known;
    struct guest guest; /* only of a process that came second */
    bool came_second;
    struct queue *queue;
    char asked[128];          /* the owner, as it describes itself */
    _Atomic bool told_silent; /* the log has it that the owner does not answer */
    pthread_t steward;
    bool has_steward;

    _Atomic(struct owner *) owner; /* once it is there it stays */

    pthread_mutex_t mutex; /* over all that follows */
    pthread_cond_t changed;
    enum role role;
    uint64_t roles; /* how many it has had */
    bool closing;
};

static struct lmdb_store *store_of(struct backend *backend)
{
    return (struct lmdb_store *)backend; /* its first member */
}

/* --- roles ---------------------------------------------------------------------------------- */

static void enter(struct lmdb_store *store, enum role role)
{
    pthread_mutex_lock(&store->mutex);
    store->role = role;
    store->roles++;
    pthread_cond_broadcast(&store->changed);
    pthread_mutex_unlock(&store->mutex);
}

/* The role that comes after `*seen`, and is one to act in. */
static enum role next_role(struct lmdb_store *store, uint64_t *seen)
{
    pthread_mutex_lock(&store->mutex);
    while (store->roles == *seen || store->role == SEEKING)
        pthread_cond_wait(&store->changed, &store->mutex);
    *seen = store->roles;
    enum role role = store->role;
    pthread_mutex_unlock(&store->mutex);
    return role;
}

static bool is_closing(struct lmdb_store *store)
{
    pthread_mutex_lock(&store->mutex);
    bool closing = store->closing;
    pthread_mutex_unlock(&store->mutex);
    return closing;
}

/* --- ops ------------------------------------------------------------------------------------ */

/* Asked by health checks, which come again and again. */
static bool owner_is_silent(struct lmdb_store *store)
{
    bool silent = guest_stuck(&store->guest);
    if (atomic_exchange(&store->told_silent, silent) != silent)
        log_line(silent ? LOG_ERROR : LOG_INFO,
                 silent ? "the owner of the store does not answer" : "the owner answers again",
                 "store", store->path, NULL);
    return silent;
}

static bool answer_now(struct backend *backend, uint32_t submitter, struct op *op)
{
    struct lmdb_store *store = store_of(backend);
    struct owner *owner = atomic_load(&store->owner);
    if (owner)
        return owner_answer_now(owner, submitter, op);
    if (op->kind == OP_CLIENT && known_has(&store->known, op->client))
        op->outcome = OUTCOME_OK;
    else if (op->kind == OP_HEALTH && owner_is_silent(store))
        op->outcome = OUTCOME_DOWN;
    else
        return false;
    return true;
}

static void refuse(struct op **ops, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        ops[i]->outcome = OUTCOME_DOWN;
}

/* The link says all that there is to know of a guest's role: it is there as long as an owner hears us. */
static enum offered start(struct backend *backend, struct op **ops, uint32_t count)
{
    struct lmdb_store *store = store_of(backend);
    struct owner *owner = atomic_load(&store->owner);
    if (owner)
        return owner_start(owner, ops, count) ? OFFERED_DONE : OFFERED_IN_VAIN;
    return store->came_second && guest_start(&store->guest, ops, count) ? OFFERED_TAKEN
                                                                        : OFFERED_IN_VAIN;
}

static bool commit(struct backend *backend, uint32_t lane, struct op **ops, uint32_t count)
{
    struct lmdb_store *store = store_of(backend);
    uint32_t asked = 0; /* of the owner, who answers them */
    uint64_t seen = 0;
    (void)lane; /* there is one */
    for (;;) {
        struct op **rest = ops + asked;
        uint32_t rest_count = count - asked;
        switch (next_role(store, &seen)) {
        case GUEST:
            asked += guest_ask(&store->guest, rest, rest_count);
            if (asked == count)
                return false;
            continue; /* that owner hears no more */
        case OWNER: owner_commit(atomic_load(&store->owner), rest, rest_count); break;
        case SEEKING: assert(!"waited for");
        case ABSENT:
        case CLOSED: refuse(rest, rest_count); break;
        }
        if (asked == 0)
            return true;
        queue_answer(store->queue, rest, rest_count);
        return false;
    }
}

static bool settle(struct backend *backend, uint32_t lane, bool idle)
{
    struct owner *owner = atomic_load(&store_of(backend)->owner);
    (void)lane;
    return owner && owner_settle(owner, idle);
}

/* --- an owner, or becoming it --------------------------------------------------------------- */

enum finding {
    FOUND_NOBODY, /* this process owns the folder now */
    FOUND_OWNER,  /* and is connected to it */
    FOUND_BUSY,   /* somebody has the folder whom we cannot join: just coming, or going */
    FOUND_WRONG,  /* to try again helps only if something changes */
};

struct found {
    struct owner *owner; /* FOUND_NOBODY */
    int fd;              /* FOUND_OWNER */
    char error[512];     /* FOUND_BUSY, FOUND_WRONG */
};

/* `place`: in this very folder; NULL: in whichever is there. */
static bool in_place(const struct lmdb_store *store, const struct folder_place *place,
                     struct found *found)
{
    struct folder_place there;
    if (!place)
        return true;
    if (!folder_find(&there, store->path))
        snprintf(found->error, sizeof found->error, "%.256s: no store there any more", store->path);
    else if (!folder_same(&there, place))
        snprintf(found->error, sizeof found->error,
                 "%.256s: another folder has come into its place", store->path);
    else
        return true;
    return false;
}

static bool may_join(const struct lmdb_store *store, bool durable, struct found *found)
{
    if (durable == store->options.durable)
        return true;
    snprintf(found->error, sizeof found->error,
             "%.256s: it is served with --durability %s: serve it the same way here", store->path,
             durable ? "full" : "none");
    return false;
}

static enum finding join_owner(const struct lmdb_store *store, const struct folder_place *place,
                               int timeout_ms, struct found *found)
{
    struct owner_call call = {
        .path = store->path,
        .deadline_ms = serving_clock_ms() + timeout_ms,
        .error = found->error,
        .error_size = sizeof found->error,
    };
    switch (owner_meet(&call)) {
    case OWNER_ANSWERED: break;
    case OWNER_NONE:
    case OWNER_DEAF: return FOUND_BUSY;
    case OWNER_REFUSED: return FOUND_WRONG;
    }
    if (!in_place(store, place, found)) {
        close(call.fd);
        return FOUND_WRONG;
    }
    if (!may_join(store, call.durable, found)) {
        close(call.fd);
        return FOUND_BUSY; /* it may be a command, which is always durable, and soon ends */
    }
    found->fd = call.fd;
    return FOUND_OWNER;
}

/* `timeout_ms`: how long an owner has to greet us. */
static enum finding find(const struct lmdb_store *store, const struct folder_place *place,
                         int timeout_ms, struct found *found)
{
    /* Before its lock is tried for: somebody else's folder would find it held now and then. */
    if (!in_place(store, place, found))
        return FOUND_WRONG;
    switch (owner_open(&found->owner, store->path, &store->options, place, found->error,
                       sizeof found->error)) {
    case OWNER_OPENED: return FOUND_NOBODY;
    case OWNER_NOT_OPENED: return FOUND_WRONG;
    case OWNER_HELD: return join_owner(store, place, timeout_ms, found);
    }
    return FOUND_WRONG;
}

static void rest(int pause_ms)
{
    const struct timespec pause = {0, pause_ms * 1000000L};
    nanosleep(&pause, NULL);
}

/* --- the steward ---------------------------------------------------------------------------- */

static void refuse_lost(struct lmdb_store *store)
{
    struct op *lost[GUEST_OPS_MAX];
    uint32_t count = guest_take_lost(&store->guest, lost);
    refuse(lost, count);
    queue_answer(store->queue, lost, count);
}

/* Before anybody else uses the owner, and any submitter's view. What was lost and can be asked again only reads. */
static void answer_lost(struct lmdb_store *store, struct owner *owner)
{
    struct op *lost[GUEST_OPS_MAX];
    uint32_t count = guest_take_lost(&store->guest, lost);
    for (uint32_t i = 0; i < count; i++)
        if (!owner_answer_now(owner, 0, lost[i]))
            lost[i]->outcome = OUTCOME_NO_SPACE; /* a question for health, and it is not sure */
    queue_answer(store->queue, lost, count);
}

/* A command is no bank, and its user has not asked. */
static void log_role(const struct lmdb_store *store, const char *what, const char *owner)
{
    if (store->options.serves)
        log_line(LOG_INFO, what, "store", store->path, "owner", owner, NULL);
}

/* True: the one that we had. It has hung up since it has too many guests, and will again. */
static bool note_owner(struct lmdb_store *store)
{
    char owner[sizeof store->asked];
    folder_owner(store->path, owner, sizeof owner);
    if (strcmp(owner, store->asked) == 0)
        return true;
    memcpy(store->asked, owner, sizeof owner);
    log_role(store, "another process owns the store, and serves this one", owner);
    return false;
}

static void become_owner(struct lmdb_store *store, struct owner *owner)
{
    char self[sizeof store->asked];
    folder_owner(store->path, self, sizeof self);
    answer_lost(store, owner);
    owner_admit(owner, store->queue);
    log_role(store, "this process owns the store now", self);
    atomic_store(&store->owner, owner);
    enter(store, OWNER);
}

static void become_guest(struct lmdb_store *store, int fd)
{
    if (note_owner(store))
        rest(ABSENT_PAUSE_MS);
    guest_link(&store->guest, fd);
    enter(store, GUEST);
}

static void become_absent(struct lmdb_store *store, const char *reason)
{
    log_line(LOG_ERROR, "nobody owns the store: everything is refused until somebody does", "store",
             store->path, "reason", reason, NULL);
    enter(store, ABSENT);
    refuse_lost(store);
}

/* The owner has gone. */
static void seek(struct lmdb_store *store)
{
    struct found found;
    int64_t give_up_ms = serving_clock_ms() + PATIENCE_MS;
    bool absent = false;
    enter(store, SEEKING);
    while (!is_closing(store)) {
        switch (find(store, &store->place, PATIENCE_MS, &found)) {
        case FOUND_NOBODY: become_owner(store, found.owner); return;
        case FOUND_OWNER: become_guest(store, found.fd); return;
        case FOUND_BUSY:
        case FOUND_WRONG: break;
        }
        if (!absent && serving_clock_ms() >= give_up_ms) {
            absent = true;
            become_absent(store, found.error);
        }
        rest(absent ? ABSENT_PAUSE_MS : SEEK_PAUSE_MS);
    }
    enter(store, CLOSED);
    refuse_lost(store);
}

static void *steward(void *context)
{
    struct lmdb_store *store = context;
    while (store->role == GUEST) { /* no other thread changes it now */
        if (is_closing(store))     /* and who said so may have missed the last link */
            guest_hang_up(&store->guest);
        guest_listen(&store->guest);
        seek(store);
    }
    return NULL;
}

static void admit(struct backend *backend, struct queue *queue)
{
    struct lmdb_store *store = store_of(backend);
    store->queue = store->guest.queue = queue;
    if (!store->came_second) {
        owner_admit(atomic_load(&store->owner), queue);
        return;
    }
    store->has_steward = thread_start(&store->steward, steward, store);
    if (store->has_steward)
        return;
    guest_hang_up(&store->guest);
    enter(store, CLOSED);
    log_line(LOG_ERROR, "cannot start a thread: everything is refused until a restart", "store",
             store->path, NULL);
}

static void dismiss(struct backend *backend)
{
    struct lmdb_store *store = store_of(backend);
    pthread_mutex_lock(&store->mutex);
    store->closing = true;
    pthread_mutex_unlock(&store->mutex);
    if (store->has_steward) {
        guest_hang_up(&store->guest);
        pthread_join(store->steward, NULL);
    }
    struct owner *owner = atomic_load(&store->owner);
    if (owner)
        owner_dismiss(owner);
}

/* --- opening and closing -------------------------------------------------------------------- */

static void close_store(struct backend *backend)
{
    struct lmdb_store *store = store_of(backend);
    struct owner *owner = atomic_load(&store->owner);
    if (owner)
        owner_close(owner);
    if (store->came_second)
        guest_free(&store->guest);
    pthread_cond_destroy(&store->changed);
    pthread_mutex_destroy(&store->mutex);
    free(store);
}

static int pollable(struct backend *backend)
{
    const struct lmdb_store *store = store_of(backend);
    return store->came_second ? guest_pollable(&store->guest) : -1;
}

static void look(struct backend *backend)
{
    guest_look(&store_of(backend)->guest);
}

/* Of who books and flushes itself: there is no shorter way, and nobody asks for one. */
static const struct backend_calls calls_of_durable = {
    .answer_now = answer_now,
    .commit = commit,
    .settle = settle,
    .admit = admit,
    .dismiss = dismiss,
    .close = close_store,
};

static const struct backend_calls calls = {
    .answer_now = answer_now,
    .start = start,
    .commit = commit,
    .settle = settle,
    .admit = admit,
    .dismiss = dismiss,
    .pollable = pollable,
    .look = look,
    .close = close_store,
};

/* Whoever may create the store waits for an owner that is just doing so, or is about to end; a command
 * asks again by itself (store_ask()). */
static enum finding find_first(const struct lmdb_store *store, struct found *found)
{
    int64_t patience_ms = store->options.must_exist ? 0 : OPEN_PATIENCE_MS;
    int64_t give_up_ms = serving_clock_ms() + patience_ms;
    enum finding finding;
    while ((finding = find(store, NULL, OPEN_PATIENCE_MS, found)) == FOUND_BUSY &&
           serving_clock_ms() < give_up_ms)
        rest(SEEK_PAUSE_MS);
    return finding;
}

static bool begin_as_guest(struct lmdb_store *store, int fd)
{
    store->came_second = guest_init(&store->guest, &store->known);
    if (!store->came_second) {
        close(fd);
        return false;
    }
    /* Whoever looks for this folder again does not make it. */
    store->options.must_exist = true;
    store->backend.calls = &calls;
    guest_link(&store->guest, fd);
    store->role = GUEST;
    (void)note_owner(store);
    return true;
}

struct backend *lmdb_store_open(const char *path, const struct store_options *options, char *error,
                                size_t error_size)
{
    struct found found;
    struct lmdb_store *store = calloc(1, sizeof *store);
    if (!store) {
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    store->backend = (struct backend){
        .calls = options->durable ? &calls_of_durable : &calls,
        .lanes = 1,
    };
    store->options = *options;
    store->roles = 1;
    snprintf(store->path, sizeof store->path, "%s", path);
    pthread_mutex_init(&store->mutex, NULL);
    pthread_cond_init(&store->changed, NULL);
    switch (find_first(store, &found)) {
    case FOUND_NOBODY:
        atomic_store(&store->owner, found.owner);
        store->role = OWNER;
        break;
    case FOUND_OWNER:
        if (begin_as_guest(store, found.fd))
            break;
        snprintf(found.error, sizeof found.error, "out of memory");
        /* fall through */
    case FOUND_BUSY:
    case FOUND_WRONG:
        snprintf(error, error_size, "%s", found.error);
        close_store(&store->backend);
        return NULL;
    }
    if (!folder_find(&store->place, path))
        log_line(LOG_WARN, "the folder of the store is not to be found", "store", path, NULL);
    return &store->backend;
}
