/* SPDX-License-Identifier: MIT
 *
 * command_init.c - crebito init: a store with its clients, if there is none yet.
 */
#include "commands.h"

#include <stdio.h>
#include <string.h>

#include "store/store.h"
#include "store/url.h"

static enum store_profile profile_of(const struct options *options)
{
    if (!options->profile)
        return PROFILE_AS_IT_IS;
    return strcmp(options->profile, "contest") == 0 ? PROFILE_CONTEST : PROFILE_DURABLE;
}

static bool create(const struct options *options, char *error, size_t error_size)
{
    const struct store_options store_options = {
        .durable = true,
        .map_bytes = options->map_bytes,
        .profile = profile_of(options),
    };
    return store_init(options->database, &store_options, error, error_size);
}

int command_init(const struct options *options)
{
    char error[512];
    struct store_facts facts;
    if (!store_url_known(options->database, error, sizeof error)) {
        fprintf(stderr, "crebito: %s: %s\n", options->database_source, error);
        return EXIT_USAGE;
    }
    if (options->profile && !url_is_postgres(options->database)) {
        fprintf(stderr, "crebito: init: --profile is for PostgreSQL, and this is %s\n",
                options->database);
        return EXIT_USAGE;
    }
    bool was_there = store_inspect(&facts, options->database, error, sizeof error);
    if (!was_there && options->clients_file) {
        int status = command_init_clients(options);
        /* Then it is there, and takes the profile as any other. */
        if (status == EXIT_DONE && options->profile && !create(options, error, sizeof error)) {
            fprintf(stderr, "crebito: %s\n", error);
            return EXIT_FAILED;
        }
        return status;
    }
    if (!create(options, error, sizeof error) ||
        !store_inspect(&facts, options->database, error, sizeof error)) {
        fprintf(stderr, "crebito: %s\n", error);
        return EXIT_FAILED;
    }
    char shown[URL_SHOWN_BYTES];
    url_show(shown, options->database);
    printf("%s: ready, %llu accounts, %llu records%s%s\n", shown,
           (unsigned long long)facts.accounts, (unsigned long long)facts.records,
           options->clients_file ? "; it was there already, and nothing was read from " : "",
           options->clients_file ? options->clients_file : "");
    return EXIT_DONE;
}
