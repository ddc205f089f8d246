/* SPDX-License-Identifier: MIT
 *
 * store.c - see store.h.
 *
 * A store is a backend, a queue in front of it with a port for our submitter, and the committer
 * between the two.
 */
#include "store/store.h"

#include <assert.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "store/committer.h"
#include "store/lmdb/lmdb_store.h"
#include "store/lmdb/owner_ask.h"
#include "store/queue.h"
#include "store/url.h"

struct store {
    struct backend *backend;
    struct queue queue;
    struct port port;
    struct committer committer;
};

bool store_url_known(const char *url, char *error, size_t error_size)
{
    return url_known(url, error, error_size);
}

bool store_open(struct store **ret_store, const char *url, const struct store_options *options,
                char *error, size_t error_size)
{
    if (!url_known(url, error, error_size))
        return false;

    struct store *store = calloc(1, sizeof *store);
    if (!store) {
        snprintf(error, error_size, "out of memory");
        return false;
    }
    store->backend = lmdb_store_open(url_lmdb_path(url), options, error, error_size);
    if (!store->backend)
        goto free_store;

    queue_init(&store->queue);
    port_init(&store->port, &store->queue, options->pending_max, options->wake,
              options->wake_context);
    store->committer = (struct committer){.queue = &store->queue, .backend = store->backend};
    if (!committer_start(&store->committer)) {
        snprintf(error, error_size, "cannot start the committer thread");
        goto close_backend;
    }
    store->backend->calls->admit(store->backend, &store->queue);
    *ret_store = store;
    return true;

close_backend:
    port_free(&store->port);
    queue_free(&store->queue);
    store->backend->calls->close(store->backend);
free_store:
    free(store);
    return false;
}

void store_close(struct store *store)
{
    store->backend->calls->dismiss(store->backend);
    port_hand_over(&store->port);
    queue_close(&store->queue);
    committer_stop(&store->committer);
    (void)port_take_answered(&store->port); /* nobody is left to care */
    port_free(&store->port);
    queue_free(&store->queue);
    store->backend->calls->close(store->backend);
    free(store);
}

bool store_submit(struct store *store, struct op *op)
{
    if (store->backend->calls->answer_now(store->backend, op))
        return true;
    if (port_submit(&store->port, op))
        return false;
    op->outcome = OUTCOME_BUSY;
    return true;
}

void store_hand_over(struct store *store)
{
    port_hand_over(&store->port);
}

struct op *store_take_answered(struct store *store)
{
    return port_take_answered(&store->port);
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
        .pending_max = 1,
        .key_retention_us = KEEP_ALL_KEYS_US,
        .wake = post,
        .wake_context = &answered,
    };
    sem_init(&answered, 0, 0);
    bool opened = store_open(&store, url, &options, error, error_size);
    if (opened) {
        if (!store_submit(store, op)) {
            store_hand_over(store);
            while (sem_wait(&answered) != 0) /* a signal came in between */
                continue;
        }
        store_close(store);
    }
    sem_destroy(&answered);
    return opened;
}

bool store_ask(const char *url, struct op *op, char *error, size_t error_size)
{
    static const struct timespec pause = {0, ASK_PAUSE_MS * 1000000L};
    assert(op_sane(op));
    if (!url_known(url, error, error_size))
        return false;
    int opens = 0; /* in vain, with nobody else there before nor after */
    for (int times = 0; times < ASK_TIMES && opens < OPEN_TIMES; times++) {
        switch (owner_ask(url_lmdb_path(url), op, ANSWER_TIMEOUT_MS, error, error_size)) {
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
    return url_known(url, error, error_size) &&
           lmdb_store_inspect(ret_facts, url_lmdb_path(url), error, error_size);
}
