/* SPDX-License-Identifier: MIT
 *
 * command_serve.c - crebito serve: a store, a server in front of it, until a signal.
 */
#include "commands.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "http/server.h"
#include "ops/log.h"
#include "store/store.h"
#include "store/url.h"

enum {
    ERROR_BYTES_MAX = 512,
    OTHER_DESCRIPTORS = 50, /* the store's files and peers, the event loop's own, listeners */
};

static_assert((int)LISTEN_MAX == (int)SERVER_LISTENERS_MAX, "options are copied one to one");

/* Each connection is a descriptor: ask for as many as we may have, and promise no more. 0: there
 * are not even enough for one. */
static uint32_t fit_connections(uint32_t wanted)
{
    struct rlimit limit;
    char text[16];
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return wanted;
    rlim_t needed = (rlim_t)wanted + SERVER_REFUSALS_MAX + OTHER_DESCRIPTORS;
    if (limit.rlim_cur < needed) {
        limit.rlim_cur = limit.rlim_max < needed ? limit.rlim_max : needed;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        (void)getrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur >= needed)
        return wanted;
    if (limit.rlim_cur <= OTHER_DESCRIPTORS + 1)
        return 0;
    uint32_t left = (uint32_t)limit.rlim_cur - OTHER_DESCRIPTORS;
    uint32_t fitting = left > 2 * SERVER_REFUSALS_MAX ? left - SERVER_REFUSALS_MAX : left / 2;
    snprintf(text, sizeof text, "%u", fitting);
    log_line(LOG_WARN, "fewer connections than asked for: the limit on open files is low",
             "max_connections", text, NULL);
    return fitting;
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

int command_serve(const struct options *options)
{
    char error[ERROR_BYTES_MAX];
    struct server *server;
    struct store *store;
    struct server_options server_options = {
        .socket_mode = options->socket_mode,
        .pending_max = options->pending_max,
    };
    if (!read_addresses(options, &server_options))
        return EXIT_USAGE;
    if (!store_url_known(options->database, error, sizeof error)) {
        fprintf(stderr, "crebito: %s: %s\n", options->database_source, error);
        return EXIT_USAGE;
    }
    signal(SIGPIPE, SIG_IGN); /* a client that leaves is a write that fails */
    signal(SIGXFSZ, SIG_IGN); /* so is a file that may not grow */
    server_options.connections_max = fit_connections(options->connections_max);
    if (server_options.connections_max == 0) {
        snprintf(error, sizeof error, "the limit on open files (ulimit -n) is too low");
        goto failed;
    }
    if (!server_create(&server, &server_options, error, sizeof error))
        goto failed;

    struct store_options store_options = {
        .durable = options->durable,
        .map_bytes = options->map_bytes,
        .pending_max = options->pending_max,
        .key_retention_us = options->key_retention_us,
        .connections = options->connections,
        .connect_timeout_s = options->connect_timeout_s,
        .statement_timeout_s = options->statement_timeout_s,
        .wake = server_wake,
        .wake_context = server,
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
