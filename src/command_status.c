/* SPDX-License-Identifier: MIT
 *
 * command_status.c - crebito status: is the server well, what does its store hold, and how far is
 * it from its limits?
 */
#include "commands.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/probe.h"
#include "store/store.h"
#include "store/url.h"

enum { PROBE_TIMEOUT_MS = 2000 };

struct health {
    bool healthy;
    char answer[128];
};

static double mib(uint64_t bytes)
{
    return (double)bytes / (1 << 20);
}

static void print_text(const struct options *options, const struct health *health,
                       const struct store_facts *facts)
{
    char shown[URL_SHOWN_BYTES];
    url_show(shown, options->database);
    printf("server    %s: %s\n", options->listen[0], health->answer);
    printf("store     %s, layout %u\n", shown, facts->layout);
    printf("owner     %s\n", facts->owner[0] ? facts->owner : "nobody");
    printf("accounts  %llu\n", (unsigned long long)facts->accounts);
    printf("records   %llu\n", (unsigned long long)facts->records);
    printf("keys      %llu\n", (unsigned long long)facts->keys);
    if (facts->commits != 0)
        printf("commits   %llu, %llu of the data file\n", (unsigned long long)facts->commits,
               (unsigned long long)facts->checkpoints);
    if (facts->capacity_bytes == 0) {
        printf("space     %.2f MiB used\n", mib(facts->used_bytes));
        return;
    }
    printf("space     %.2f MiB used of %.0f MiB (%.2f %%)\n", mib(facts->used_bytes),
           mib(facts->capacity_bytes),
           100 * (double)facts->used_bytes / (double)facts->capacity_bytes);
    printf("disk      %.0f MiB free\n", mib(facts->free_bytes));
}

/* What is not UTF-8 (the name of a folder may be anything) is shown in ASCII, other bytes as '?'. */
static json_t *json_text(const char *text)
{
    json_t *value = json_string(text);
    char *ascii;
    if (value || !(ascii = strdup(text)))
        return value;
    for (char *c = ascii; *c; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    value = json_string(ascii);
    free(ascii);
    return value;
}

static json_t *number(uint64_t number)
{
    return json_integer((json_int_t)number);
}

static bool print_json(const struct options *options, const struct health *health,
                       const struct store_facts *facts)
{
    bool bounded = facts->capacity_bytes != 0;
    char shown[URL_SHOWN_BYTES];
    url_show(shown, options->database);
    const struct {
        const char *part, *name;
        json_t *value;
    } members[] = {
        {"server", "address", json_text(options->listen[0])},
        {"server", "healthy", json_boolean(health->healthy)},
        {"server", "answer", json_text(health->answer)},
        {"store", "database", json_text(shown)},
        {"store", "layout", number(facts->layout)},
        {"store", "owner", facts->owner[0] ? json_text(facts->owner) : json_null()},
        {"store", "accounts", number(facts->accounts)},
        {"store", "records", number(facts->records)},
        {"store", "keys", number(facts->keys)},
        {"store", "commits", facts->commits != 0 ? number(facts->commits) : json_null()},
        {"store", "checkpoints", facts->commits != 0 ? number(facts->checkpoints) : json_null()},
        {"store", "used_bytes", number(facts->used_bytes)},
        {"store", "capacity_bytes", bounded ? number(facts->capacity_bytes) : json_null()},
        {"store", "free_bytes", bounded ? number(facts->free_bytes) : json_null()},
    };
    json_t *all = json_pack("{s:{}, s:{}}", "server", "store");
    bool whole = all != NULL;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (json_object_set_new(json_object_get(all, members[i].part), members[i].name,
                                members[i].value) != 0)
            whole = false;
    bool printed = whole && json_dumpf(all, stdout, JSON_COMPACT) == 0 && putchar('\n') != EOF;
    json_decref(all);
    return printed;
}

int command_status(const struct options *options)
{
    char error[512];
    struct address addresses[LISTEN_MAX];
    struct store_facts facts;
    struct health health;

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
    health.healthy = probe_health(&addresses[0], PROBE_TIMEOUT_MS, health.answer,
                                  sizeof health.answer);
    if (!options->json) {
        print_text(options, &health, &facts);
    } else if (!print_json(options, &health, &facts)) {
        fprintf(stderr, "crebito: status: cannot write JSON\n");
        return EXIT_FAILED;
    }
    return health.healthy ? EXIT_DONE : EXIT_FAILED;
}
