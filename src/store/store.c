/* SPDX-License-Identifier: MIT
 *
 * store.c - see store.h.
 *
 * A store is a backend, a queue in front of it, and the committer between the two.
 */
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/committer.h"
#include "store/lmdb/lmdb_store.h"
#include "store/queue.h"
#include "store/url.h"

struct store {
    struct backend *backend;
    struct queue queue;
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

    queue_init(&store->queue, options->pending_max);
    store->committer = (struct committer){
        .queue = &store->queue,
        .backend = store->backend,
        .wake = options->wake,
        .wake_context = options->wake_context,
    };
    if (!committer_start(&store->committer)) {
        snprintf(error, error_size, "cannot start the committer thread");
        goto close_backend;
    }
    *ret_store = store;
    return true;

close_backend:
    queue_free(&store->queue);
    store->backend->calls->close(store->backend);
free_store:
    free(store);
    return false;
}

void store_close(struct store *store)
{
    queue_close(&store->queue);
    committer_stop(&store->committer);
    (void)queue_take_answered(&store->queue); /* nobody is left to care */
    queue_free(&store->queue);
    store->backend->calls->close(store->backend);
    free(store);
}

bool store_submit(struct store *store, struct op *op)
{
    if (store->backend->calls->answer_now(store->backend, op))
        return true;
    if (queue_submit(&store->queue, op))
        return false;
    op->outcome = OUTCOME_BUSY;
    return true;
}

void store_hand_over(struct store *store)
{
    queue_hand_over(&store->queue);
}

struct op *store_take_answered(struct store *store)
{
    return queue_take_answered(&store->queue);
}

bool store_inspect(struct store_facts *ret_facts, const char *url, char *error, size_t error_size)
{
    return url_known(url, error, error_size) &&
           lmdb_store_inspect(ret_facts, url_lmdb_path(url), error, error_size);
}
