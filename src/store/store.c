/* SPDX-License-Identifier: MIT
 *
 * store.c - see store.h.
 *
 * A store is a backend, a queue in front of it with two ports for each submitter, and a committer for each
 * lane between the two.
 */
#include "store/store.h"

#include <assert.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "store/committer.h"
#include "store/kind.h"
#include "store/queue.h"

struct submitter {
    struct store *store;
    uint32_t number;
    struct port writing, reading; /* apart, so that a full one does not refuse the other's */
};

struct store {
    struct backend *backend;
    struct queue queue;
    struct submitter submitters[SUBMITTERS_MAX]; /* [0, joined) have come */
    uint32_t joined, announced;
    uint32_t pending_max;
    struct committer committers[LANES_MAX]; /* one for each lane */
    uint32_t committers_started;
};

bool store_url_known(const char *url, char *error, size_t error_size)
{
    const char *place;
    return store_kind_of(url, &place, error, error_size) != NULL;
}

static bool start_committers(struct store *store)
{
    for (uint32_t lane = 0; lane < store->backend->lanes; lane++) {
        store->committers[lane] = (struct committer){
            .queue = &store->queue,
            .backend = store->backend,
            .lane = lane,
        };
        if (!committer_start(&store->committers[lane]))
            return false;
        store->committers_started++;
    }
    return true;
}

/* The queue is closed first, so that they end. */
static void stop_committers(struct store *store)
{
    queue_close(&store->queue);
    while (store->committers_started > 0)
        committer_stop(&store->committers[--store->committers_started]);
}

bool store_open(struct store **ret_store, const char *url, const struct store_options *options,
                char *error, size_t error_size)
{
    const char *place;
    const struct store_kind *kind = store_kind_of(url, &place, error, error_size);
    if (!kind)
        return false;

    assert(options->submitters >= 1 && options->submitters <= SUBMITTERS_MAX);
    struct store *store = calloc(1, sizeof *store);
    if (!store) {
        snprintf(error, error_size, "out of memory");
        return false;
    }
    store->announced = options->submitters;
    store->pending_max = options->pending_max;
    store->backend = kind->open(place, options, error, error_size);
    if (!store->backend)
        goto free_store;

    queue_init(&store->queue, store->backend->lanes);
    if (!start_committers(store)) {
        snprintf(error, error_size, "cannot start the committer thread");
        goto close_backend;
    }
    if (store->backend->calls->admit)
        store->backend->calls->admit(store->backend, &store->queue);
    *ret_store = store;
    return true;

close_backend:
    stop_committers(store);
    queue_free(&store->queue);
    store->backend->calls->close(store->backend);
free_store:
    free(store);
    return false;
}

void store_close(struct store *store)
{
    if (store->backend->calls->dismiss)
        store->backend->calls->dismiss(store->backend);
    for (uint32_t i = 0; i < store->joined; i++)
        (void)store_hand_over(&store->submitters[i]);
    stop_committers(store);
    for (uint32_t i = 0; i < store->joined; i++) {
        struct submitter *submitter = &store->submitters[i];
        (void)store_take_answered(submitter); /* nobody is left to care */
        port_free(&submitter->writing);
        port_free(&submitter->reading);
    }
    queue_free(&store->queue);
    store->backend->calls->close(store->backend);
    free(store);
}

struct submitter *store_join(struct store *store, void (*wake)(void *context), void *wake_context)
{
    assert(store->joined < store->announced);
    struct submitter *first = &store->submitters[0];
    struct submitter *submitter = &store->submitters[store->joined];
    submitter->store = store;
    submitter->number = store->joined++;
    if (submitter == first) {
        port_init(&submitter->writing, &store->queue, store->pending_max, wake, wake_context);
        port_init(&submitter->reading, &store->queue, store->pending_max, wake, wake_context);
    } else {
        port_init_beside(&submitter->writing, &first->writing, wake, wake_context);
        port_init_beside(&submitter->reading, &first->reading, wake, wake_context);
    }
    return submitter;
}

bool store_submit(struct submitter *submitter, struct op *op)
{
    struct backend *backend = submitter->store->backend;
    if (backend->calls->answer_now(backend, submitter->number, op))
        return true;
    op->lane = backend->calls->lane_of ? backend->calls->lane_of(backend, op) : 0;
    if (port_submit(op_writes(op) ? &submitter->writing : &submitter->reading, op))
        return false;
    op->outcome = OUTCOME_BUSY;
    return true;
}

/* One list after the other. */
static struct op *both(struct op *first, struct op *second)
{
    struct op **end = &first;
    while (*end)
        end = &(*end)->next;
    *end = second;
    return first;
}

static enum offered start(void *context, struct op **ops, uint32_t count)
{
    struct backend *backend = context;
    return backend->calls->start(backend, ops, count);
}

/* What is started here overtakes what waits in a lane, of the same client too. Nobody can tell: neither has
 * been answered, so both are under way at once, and either may take effect first. Who asks for one after the
 * other's answer submits it after that. */
struct op *store_hand_over(struct submitter *submitter)
{
    struct backend *backend = submitter->store->backend;
    struct op *done = NULL;
    if (backend->calls->start) {
        done = port_offer(&submitter->writing, start, backend);
        done = both(done, port_offer(&submitter->reading, start, backend));
    }
    port_hand_over(&submitter->writing);
    port_hand_over(&submitter->reading);
    return done;
}

struct op *store_take_answered(struct submitter *submitter)
{
    struct op *answered = port_take_answered(&submitter->writing);
    return both(answered, port_take_answered(&submitter->reading));
}

int store_pollable(const struct submitter *submitter)
{
    struct backend *backend = submitter->store->backend;
    bool is_first = submitter->number == 0;
    return is_first && backend->calls->pollable ? backend->calls->pollable(backend) : -1;
}

struct op *store_look(struct submitter *submitter)
{
    struct backend *backend = submitter->store->backend;
    port_expect(&submitter->writing);
    port_expect(&submitter->reading);
    backend->calls->look(backend);
    return store_take_answered(submitter);
}

/* --- without ops ---------------------------------------------------------------------------- */

bool store_init(const char *url, const struct store_options *options, char *error,
                size_t error_size)
{
    const char *place;
    struct store *store;
    struct store_facts facts;
    const struct store_kind *kind = store_kind_of(url, &place, error, error_size);
    if (!kind)
        return false;
    if (kind->init)
        return kind->init(place, options, error, error_size);
    if (kind->inspect(&facts, place, error, error_size))
        return true;
    struct store_options quiet = *options;
    quiet.submitters = 1;
    quiet.pending_max = 1;
    if (!store_open(&store, url, &quiet, error, error_size))
        return false;
    store_close(store);
    return true;
}

/* --- one op of a process that has not opened the store --------------------------------------- */

/* An owner that is coming or going is soon there or gone. */
enum { ASK_TIMES = 100, ASK_PAUSE_MS = 20, OPEN_TIMES = 10 };

/* No key is forgotten: how long they are kept is for the bank that serves them. */
#define KEEP_ALL_KEYS_US (INT64_MAX / 2)

static void post(void *context)
{
    sem_post(context);
}

static bool ask_here(const char *url, struct op *op, char *error, size_t error_size)
{
    struct store *store;
    sem_t answered;
    const struct store_options options = {
        .must_exist = true,
        .durable = true,
        .submitters = 1,
        .pending_max = 1,
        .connections = 1,
        .key_retention_us = KEEP_ALL_KEYS_US,
    };
    sem_init(&answered, 0, 0);
    bool opened = store_open(&store, url, &options, error, error_size);
    if (opened) {
        struct submitter *submitter = store_join(store, post, &answered);
        if (!store_submit(submitter, op)) {
            while (!store_hand_over(submitter) && sem_wait(&answered) != 0)
                continue; /* a signal came in between */
        }
        store_close(store);
    }
    sem_destroy(&answered);
    return opened;
}

bool store_ask(const char *url, struct op *op, char *error, size_t error_size)
{
    static const struct timespec pause = {0, ASK_PAUSE_MS * 1000000L};
    const char *place;
    assert(op_sane(op));
    const struct store_kind *kind = store_kind_of(url, &place, error, error_size);
    if (!kind)
        return false;
    if (!kind->ask_owner)
        return ask_here(url, op, error, error_size);
    int opens = 0; /* in vain, with nobody else there before nor after */
    for (int times = 0; times < ASK_TIMES && opens < OPEN_TIMES; times++) {
        switch (kind->ask_owner(place, op, ANSWER_TIMEOUT_MS, error, error_size)) {
        case OWNER_ANSWERED: return true;
        case OWNER_REFUSED: return false;
        case OWNER_NONE:
            if (ask_here(url, op, error, error_size))
                return true;
            opens++;
            break;
        case OWNER_DEAF: opens = 0; break;
        }
        nanosleep(&pause, NULL);
    }
    return false;
}

bool store_inspect(struct store_facts *ret_facts, const char *url, char *error, size_t error_size)
{
    const char *place;
    const struct store_kind *kind = store_kind_of(url, &place, error, error_size);
    return kind && kind->inspect(ret_facts, place, error, error_size);
}
