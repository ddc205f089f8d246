/* SPDX-License-Identifier: MIT
 *
 * command_init.c - crebito init: a store with its clients, if there is none yet.
 */
#include "commands.h"

#include <stdio.h>

#include "store/store.h"

static void nobody_waits(void *context)
{
    (void)context;
}

int command_init(const struct options *options)
{
    char error[512];
    struct store *store;
    struct store_facts facts;
    const struct store_options store_options = {
        .durable = true,
        .map_bytes = options->map_bytes,
        .pending_max = 1,
        .key_retention_us = INT64_MAX / 2, /* forget nothing */
        .wake = nobody_waits,
    };
    if (!store_url_known(options->database, error, sizeof error)) {
        fprintf(stderr, "crebito: %s: %s\n", options->database_source, error);
        return EXIT_USAGE;
    }
    if (!store_open(&store, options->database, &store_options, error, sizeof error)) {
        fprintf(stderr, "crebito: %s\n", error);
        return EXIT_FAILED;
    }
    store_close(store);
    if (!store_inspect(&facts, options->database, options->map_bytes, error, sizeof error)) {
        fprintf(stderr, "crebito: %s\n", error);
        return EXIT_FAILED;
    }
    printf("%s: ready, %llu accounts, %llu entries\n", options->database,
           (unsigned long long)facts.accounts, (unsigned long long)facts.entries);
    return EXIT_DONE;
}
