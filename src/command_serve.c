/* SPDX-License-Identifier: MIT
 *
 * command_serve.c - crebito serve: a store, a server in front of it, until a signal.
 */
#define _GNU_SOURCE /* SCHED_BATCH */
#include "commands.h"

#include <assert.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "http/server.h"
#include "ops/log.h"
#include "store/store.h"
#include "store/url.h"

enum {
    ERROR_BYTES_MAX = 512,
    REFUSALS_MAX = 64, /* connections past the limit that are being told so */
    /* Descriptors that are no client's: the event loop's own, listeners, the log; and the store's, */
    FOLDER_DESCRIPTORS = 50, /* files and peers, */
    SERVER_DESCRIPTORS = 30, /* or besides its connections what looking for a server takes. */
    LOOP_DESCRIPTORS = 8,    /* each further event loop's own */
};

static_assert((int)LISTEN_MAX == (int)SERVER_LISTENERS_MAX, "options are copied one to one");

static rlim_t other_descriptors(const struct options *options)
{
    const rlim_t loops = (rlim_t)LOOP_DESCRIPTORS * (options->threads - 1);
    return loops + (url_is_postgres(options->database) ? SERVER_DESCRIPTORS + options->connections
                                                       : FOLDER_DESCRIPTORS);
}

/* Each connection is a descriptor: ask for as many as we may have, and promise no more. False: there
 * are not even enough for one. */
static bool fit_connections(const struct options *options, struct server_options *server)
{
    struct rlimit limit;
    char text[16];
    const rlim_t others = other_descriptors(options);
    server->connections_max = options->connections_max;
    server->refusals_max = REFUSALS_MAX;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return true;
    rlim_t needed = (rlim_t)options->connections_max + REFUSALS_MAX + others;
    if (limit.rlim_cur < needed) {
        limit.rlim_cur = limit.rlim_max < needed ? limit.rlim_max : needed;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        (void)getrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur >= needed)
        return true;
    if (limit.rlim_cur <= others + 1)
        return false;
    uint32_t left = (uint32_t)(limit.rlim_cur - others);
    if (left < 2 * REFUSALS_MAX)
        server->refusals_max = left - left / 2;
    server->connections_max = left - server->refusals_max;
    snprintf(text, sizeof text, "%u", server->connections_max);
    log_line(LOG_WARN, "fewer connections than asked for: the limit on open files is low",
             "max_connections", text, NULL);
    return true;
}

static bool read_addresses(const struct options *options, struct server_options *server)
{
    char error[ERROR_BYTES_MAX];
    server->listen_count = options->listen_count;
    for (uint32_t i = 0; i < options->listen_count; i++)
        if (!address_parse(&server->listen[i], options->listen[i], error, sizeof error)) {
            fprintf(stderr, "crebito: %s: %s\n", options->listen_source, error);
            return false;
        }
    return true;
}

/* Threads that wake often and run shortly would each time push aside whoever runs, the load balancer in front of
 * us among them, which then finds one event at a time. Where all cores are busy we wait our turn, and find
 * several ourselves (sched(7), SCHED_BATCH; docs/decisions/0015-speed.md). Threads that are started from here on
 * inherit it. A policy that somebody has chosen for us stays. */
static void let_others_finish(void)
{
    const struct sched_param none = {0};
    if (sched_getscheduler(0) == SCHED_OTHER)
        (void)sched_setscheduler(0, SCHED_BATCH, &none); /* without it all works as well */
}

int command_serve(const struct options *options)
{
    char error[ERROR_BYTES_MAX];
    struct server *server;
    struct store *store;
    struct server_options server_options = {
        .socket_mode = options->socket_mode,
        .pending_max = options->pending_max,
        .threads = options->threads,
    };
    if (!read_addresses(options, &server_options))
        return EXIT_USAGE;
    if (!store_url_known(options->database, error, sizeof error)) {
        fprintf(stderr, "crebito: %s: %s\n", options->database_source, error);
        return EXIT_USAGE;
    }
    signal(SIGPIPE, SIG_IGN); /* a client that leaves is a write that fails */
    signal(SIGXFSZ, SIG_IGN); /* so is a file that may not grow */
    let_others_finish();
    if (!fit_connections(options, &server_options)) {
        snprintf(error, sizeof error, "the limit on open files (ulimit -n) is too low");
        goto failed;
    }
    if (!server_create(&server, &server_options, error, sizeof error))
        goto failed;

    struct store_options store_options = {
        .durable = options->durable,
        .serves = true,
        .map_bytes = options->map_bytes,
        .submitters = options->threads,
        .pending_max = options->pending_max,
        .key_retention_us = options->key_retention_us,
        .connections = options->connections,
        .connect_timeout_s = options->connect_timeout_s,
        .statement_timeout_s = options->statement_timeout_s,
    };
    if (!store_open(&store, options->database, &store_options, error, sizeof error))
        goto free_server;
    if (!options->durable) {
        char shown[URL_SHOWN_BYTES];
        url_show(shown, options->database);
        log_line(LOG_WARN, "durability is none: a crash of the machine may lose the whole ledger",
                 "database", shown, NULL);
    }
    bool served = server_run(server, store, error, sizeof error);
    store_close(store);
    server_free(server);
    if (!served)
        goto failed;
    log_line(LOG_INFO, "stopped", NULL);
    return EXIT_DONE;

free_server:
    server_free(server);
failed:
    log_line(LOG_ERROR, "cannot serve", "reason", error, NULL);
    return EXIT_FAILED;
}
