/* SPDX-License-Identifier: MIT
 *
 * store.c - see store.h.
 *
 * A store is a backend, a queue in front of it with a port for our submitter, and the committer
 * between the two.
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

bool store_inspect(struct store_facts *ret_facts, const char *url, char *error, size_t error_size)
{
    return url_known(url, error, error_size) &&
           lmdb_store_inspect(ret_facts, url_lmdb_path(url), error, error_size);
}
