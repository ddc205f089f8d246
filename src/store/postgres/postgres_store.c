/* SPDX-License-Identifier: MIT
 *
 * postgres_store.c - see postgres_store.h.
 */
#include "store/postgres/postgres_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ops/log.h"
#include "store/postgres/wait.h"
#include "store/postgres/worker.h"

enum { /* where the caller of store_open() has no opinion */
       CONNECT_TIMEOUT_S = 5,
       STATEMENT_TIMEOUT_S = 4,
};

enum { KNOCK_PAUSE_MS = 100 };

enum { GATHER_US = 2000 }; /* docs/decisions/0013: a call for each client costs what many ops do */

enum { READING_LANE = 0 };

struct postgres_store {
    struct backend backend;
    struct workers workers;
};

static struct postgres_store *store_of(struct backend *backend)
{
    return (struct postgres_store *)backend; /* its first member */
}

/* --- ops -------------------------------------------------------------------------------------- */

static uint32_t lane_of(const struct backend *backend, const struct op *op)
{
    const struct known *known = &((const struct postgres_store *)backend)->workers.known;
    if (backend->lanes == 1 || !op_writes(op))
        return READING_LANE;
    /* Where all are known, this one does not exist, or was opened a moment ago: that is found out, and
     * done, without waiting for anybody's commit. */
    if (atomic_load(&known->all) && !known_has(known, op->client))
        return READING_LANE;
    return 1 + op->client % (backend->lanes - 1);
}

static bool answer_now(struct backend *backend, uint32_t submitter, struct op *op)
{
    const struct postgres_store *store = store_of(backend);
    (void)submitter; /* what is known is known to all */
    if (op->kind != OP_CLIENT || !known_has(&store->workers.known, op->client))
        return false;
    op->outcome = OUTCOME_OK;
    return true;
}

static bool commit(struct backend *backend, uint32_t lane, struct op **ops, uint32_t count)
{
    worker_commit(&store_of(backend)->workers.each[lane], ops, count);
    return true;
}

/* --- opening and closing ---------------------------------------------------------------------- */

static void close_store(struct backend *backend)
{
    struct postgres_store *store = store_of(backend);
    for (uint32_t i = 0; i < store->workers.count; i++)
        worker_close(&store->workers.each[i]);
    free(store->workers.each);
    free(store);
}

static const struct backend_calls calls = {
    .answer_now = answer_now,
    .lane_of = lane_of,
    .commit = commit,
    .close = close_store,
};

/* A server that was started together with us is given some time. */
static bool knock(struct workers *workers, char *error, size_t error_size)
{
    static const struct timespec pause = {0, KNOCK_PAUSE_MS * 1000000L};
    int64_t give_up_ms = wait_clock_ms() + 1000 * (int64_t)workers->session.connect_timeout_s;
    for (;;) {
        switch (worker_connect(&workers->each[READING_LANE], error, error_size)) {
        case SESSION_OPEN: return true;
        case SESSION_REFUSED: return false;
        case SESSION_ABSENT: break;
        }
        if (wait_clock_ms() >= give_up_ms)
            return false;
        nanosleep(&pause, NULL);
    }
}

static uint32_t or_usual(uint32_t value, uint32_t usual)
{
    return value > 0 ? value : usual;
}

struct backend *postgres_store_open(const char *url, const struct store_options *options,
                                    char *error, size_t error_size)
{
    struct postgres_store *store = calloc(1, sizeof *store);
    uint32_t lanes = or_usual(options->connections, 1);
    struct worker *workers = calloc(lanes, sizeof *workers);
    if (!store || !workers) {
        snprintf(error, error_size, "out of memory");
        goto free_all;
    }
    store->backend = (struct backend){.calls = &calls, .lanes = lanes, .gather_us = GATHER_US};
    store->workers.session = (struct session_options){
        .url = url,
        .connect_timeout_s = or_usual(options->connect_timeout_s, CONNECT_TIMEOUT_S),
        .statement_timeout_s = or_usual(options->statement_timeout_s, STATEMENT_TIMEOUT_S),
        .durable = options->durable,
        .serves = options->serves,
    };
    url_show(store->workers.place, url);
    store->workers.key_retention_us = options->key_retention_us;
    store->workers.each = workers;
    store->workers.count = lanes;
    for (uint32_t i = 0; i < lanes; i++)
        workers[i].all = &store->workers;
    if (!knock(&store->workers, error, error_size))
        goto free_all;
    return &store->backend;

free_all:
    free(workers);
    free(store);
    return NULL;
}
