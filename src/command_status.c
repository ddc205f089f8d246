/* SPDX-License-Identifier: MIT
 *
 * command_status.c - crebito status: is the server well, and what does its store hold?
 */
#include "commands.h"

#include <stdio.h>

#include "http/probe.h"
#include "store/store.h"

enum { PROBE_TIMEOUT_MS = 2000 };

static void print_facts(const struct options *options, const struct store_facts *facts)
{
    double used = (double)facts->used_bytes, capacity = (double)facts->capacity_bytes;
    printf("store     %s, layout %u\n", options->database, facts->layout);
    printf("owner     %s\n", facts->owner[0] ? facts->owner : "nobody");
    printf("accounts  %llu\n", (unsigned long long)facts->accounts);
    printf("entries   %llu\n", (unsigned long long)facts->entries);
    printf("keys      %llu\n", (unsigned long long)facts->keys);
    printf("space     %.2f MiB used of %.0f MiB (%.2f %%)\n", used / (1 << 20),
           capacity / (1 << 20), 100 * used / capacity);
}

int command_status(const struct options *options)
{
    char error[512], answer[128];
    struct address addresses[LISTEN_MAX];
    struct store_facts facts;

    for (uint32_t i = 0; i < options->listen_count; i++)
        if (!address_parse(&addresses[i], options->listen[i], error, sizeof error)) {
            fprintf(stderr, "crebito: %s: %s\n", options->listen_source, error);
            return EXIT_USAGE;
        }
    if (!store_url_known(options->database, error, sizeof error)) {
        fprintf(stderr, "crebito: %s: %s\n", options->database_source, error);
        return EXIT_USAGE;
    }
    if (!store_inspect(&facts, options->database, error, sizeof error)) {
        fprintf(stderr, "crebito: %s\n", error);
        return EXIT_USAGE;
    }
    bool healthy = probe_health(&addresses[0], PROBE_TIMEOUT_MS, answer, sizeof answer);
    printf("server    %s: %s\n", options->listen[0], answer);
    print_facts(options, &facts);
    return healthy ? EXIT_DONE : EXIT_FAILED;
}
