/* SPDX-License-Identifier: MIT
 *
 * options.c - see options.h.
 */
#include "ops/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)
#define GIB (KIB * MIB)

enum { VALUE_BYTES_MAX = 1024, HELP_COLUMN = 28 };

/* Each setter judges one value; false if it is out of range. */
typedef bool setter(struct options *options, const char *value);

static bool whole_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
    char *end;
    if (text[0] < '0' || text[0] > '9' || strlen(text) > 18)
        return false;
    unsigned long long number = strtoull(text, &end, 10);
    if (*end != '\0' || number < min || number > max)
        return false;
    *ret = number;
    return true;
}

static bool set_listen(struct options *options, const char *value)
{
    if (options->listen_count == LISTEN_MAX || value[0] == '\0')
        return false;
    options->listen[options->listen_count++] = value;
    return true;
}

static bool set_database(struct options *options, const char *value)
{
    options->database = value;
    return value[0] != '\0';
}

static bool set_socket_mode(struct options *options, const char *value)
{
    char *end;
    if (value[0] < '0' || value[0] > '7')
        return false;
    unsigned long mode = strtoul(value, &end, 8);
    options->socket_mode = (unsigned)mode;
    return *end == '\0' && mode <= 0777;
}

static bool set_durability(struct options *options, const char *value)
{
    options->durable = strcmp(value, "full") == 0;
    return options->durable || strcmp(value, "none") == 0;
}

static bool set_map_size(struct options *options, const char *value)
{
    static const struct {
        const char *name;
        uint64_t bytes;
    } units[] = {{"MiB", MIB}, {"GiB", GIB}, {"TiB", GIB * KIB}};
    char number[20];
    size_t digits = strspn(value, "0123456789");
    if (digits >= sizeof number)
        return false;
    memcpy(number, value, digits);
    number[digits] = '\0';
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        uint64_t count;
        if (strcmp(value + digits, units[i].name) == 0 &&
            whole_number(number, 1, 16 * KIB * GIB / units[i].bytes, &count)) {
            options->map_bytes = count * units[i].bytes;
            return true;
        }
    }
    return false;
}

static bool set_connections_max(struct options *options, const char *value)
{
    uint64_t number = 0;
    bool valid = whole_number(value, 1, 65536, &number);
    options->connections_max = (uint32_t)number;
    return valid;
}

static bool set_pending_max(struct options *options, const char *value)
{
    uint64_t number = 0;
    bool valid = whole_number(value, 1, 65536, &number);
    options->pending_max = (uint32_t)number;
    return valid;
}

static bool set_key_retention(struct options *options, const char *value)
{
    uint64_t hours = 0;
    bool valid = whole_number(value, 24, 87840, &hours);
    options->key_retention_us = (int64_t)hours * 3600 * 1000000;
    return valid;
}

static const struct option_row {
    const char *flag, *environment, *argument, *fallback;
    unsigned commands;
    setter *set;
    const char *rule; /* what a value must be: for --help and for the message when it is not */
    const char *help;
} rows[] = {
    {"--listen", "CREBITO_LISTEN", "ADDRESS", "127.0.0.1:9999", COMMAND_SERVE | COMMAND_STATUS,
     set_listen, "127.0.0.1:9999, [::1]:9999 or unix:/path, at most 8 of them",
     "Where to serve, or whom to ask. May be repeated;\nin the environment, separate with commas."},
    {"--database", "CREBITO_DATABASE", "URL", "lmdb:./data",
     COMMAND_SERVE | COMMAND_INIT | COMMAND_STATUS, set_database, "lmdb:FOLDER",
     "Which store. DATABASE_URL in the environment is\nread too, after CREBITO_DATABASE."},
    {"--socket-mode", "CREBITO_SOCKET_MODE", "MODE", "0660", COMMAND_SERVE, set_socket_mode,
     "octal permission bits, 0 to 0777", "Permissions of Unix sockets."},
    {"--max-connections", "CREBITO_MAX_CONNECTIONS", "N", "4096", COMMAND_SERVE,
     set_connections_max, "1 to 65536", "Connections served at once; further ones get a\n503."},
    {"--max-pending", "CREBITO_MAX_PENDING", "N", "4096", COMMAND_SERVE, set_pending_max,
     "1 to 65536", "Transactions waiting for a commit at once;\nfurther ones get a 503."},
    {"--map-size", "CREBITO_MAP_SIZE", "SIZE", "64GiB",
     COMMAND_SERVE | COMMAND_INIT | COMMAND_STATUS, set_map_size,
     "1MiB to 16TiB, in MiB, GiB or TiB",
     "The largest the ledger may become. Costs address\nspace only."},
    {"--key-retention", "CREBITO_KEY_RETENTION", "HOURS", "24", COMMAND_SERVE, set_key_retention,
     "24 to 87840", "How long an Idempotency-Key is remembered, at\nleast."},
    {"--durability", "CREBITO_DURABILITY", "LEVEL", "full", COMMAND_SERVE, set_durability,
     "full or none",
     "none answers before the disk has the transaction:\nfor benchmarks, never for money."},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

static const struct {
    enum command command;
    const char *name, *help;
} commands[] = {
    {COMMAND_SERVE, "serve", "Serve the bank over HTTP; create the store if there is none."},
    {COMMAND_INIT, "init", "Create the store and its clients; leave an existing one as it is."},
    {COMMAND_STATUS, "status",
     "Say whether the server is well and what its store holds.\n"
     "Exits 0 if it is well, 1 if not, 2 if the store cannot be read."},
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

/* --- help ----------------------------------------------------------------------------------- */

static void print_wrapped(const char *text)
{
    for (; *text; text++) {
        putchar(*text);
        if (*text == '\n')
            printf("%*s", HELP_COLUMN, "");
    }
    putchar('\n');
}

static void print_help(void)
{
    puts("crebito - a bank over HTTP: accounts with a credit limit, every 200 durable.\n\n"
         "Usage: crebito COMMAND [OPTION]...\n\nCommands:");
    for (size_t i = 0; i < COMMANDS; i++) {
        printf("  %-8s", commands[i].name);
        for (const char *c = commands[i].help; *c; c++) {
            putchar(*c);
            if (*c == '\n')
                printf("%*s", 10, "");
        }
        putchar('\n');
    }
    puts("\n`crebito COMMAND --help` shows a command's options. `crebito --version` says which.");
}

static void print_command_help(size_t index)
{
    printf(
        "Usage: crebito %s [OPTION]...\n\n%s\n\nOptions, each of which may be given in a variable of "
        "the environment instead:\n",
        commands[index].name, commands[index].help);
    for (size_t i = 0; i < ROWS; i++) {
        char left[64];
        if (!(rows[i].commands & commands[index].command))
            continue;
        snprintf(left, sizeof left, "%s %s", rows[i].flag, rows[i].argument);
        printf("\n  %-*s", HELP_COLUMN - 2, left);
        print_wrapped(rows[i].help);
        printf("%*sValues: %s\n%*sDefault: %s\n%*sVariable: %s\n", HELP_COLUMN, "", rows[i].rule,
               HELP_COLUMN, "", rows[i].fallback, HELP_COLUMN, "", rows[i].environment);
    }
    printf("\n  %-*s%s\n", HELP_COLUMN - 2, "--help", "Show this and exit.");
}

/* --- reading -------------------------------------------------------------------------------- */

static bool set(struct options *options, const struct option_row *row, const char *source,
                const char *value)
{
    if (row->set == set_listen)
        options->listen_source = source;
    if (row->set == set_database)
        options->database_source = source;
    if (row->set(options, value))
        return true;
    fprintf(stderr, "crebito: %s: \"%s\" is not valid: %s\n", source, value, row->rule);
    return false;
}

/* --listen takes one address; its variable takes several. The pieces live as long as we do. */
static bool set_each(struct options *options, const struct option_row *row, const char *source,
                     const char *values)
{
    static char pieces[VALUE_BYTES_MAX];
    if (row->set != set_listen)
        return set(options, row, source, values);
    if (strlen(values) >= sizeof pieces)
        return set(options, row, source, ""); /* cannot hold valid addresses: refused */
    snprintf(pieces, sizeof pieces, "%s", values);
    char *piece = strtok(pieces, ", ");
    if (!piece)
        return set(options, row, source, ""); /* separators only: refused */
    for (; piece; piece = strtok(NULL, ", "))
        if (!set(options, row, source, piece))
            return false;
    return true;
}

static bool fill_from_environment(struct options *options, const bool given[ROWS])
{
    for (size_t i = 0; i < ROWS; i++) {
        const struct option_row *row = &rows[i];
        const char *source = row->environment, *value = getenv(source);
        if (given[i] || !(row->commands & (unsigned)options->command))
            continue;
        if ((!value || !*value) && row->set == set_database)
            value = getenv(source = "DATABASE_URL");
        if (!value || !*value) {
            source = "default";
            value = row->fallback;
        }
        if (!set_each(options, row, source, value))
            return false;
    }
    return true;
}

static enum options_result read_arguments(struct options *options, size_t index, int argc,
                                          char **argv)
{
    struct option known[ROWS + 2] = {{0}};
    int row_of[ROWS], count = 0, which;
    bool given[ROWS] = {false};
    static char name[32]; /* getopt keeps it */

    snprintf(name, sizeof name, "crebito %s", commands[index].name);
    argv[0] = name; /* getopt's messages begin with it */
    for (int i = 0; i < ROWS; i++) {
        if (!(rows[i].commands & (unsigned)options->command))
            continue;
        known[count] = (struct option){rows[i].flag + 2, required_argument, NULL, 1};
        row_of[count++] = i;
    }
    known[count] = (struct option){"help", no_argument, NULL, 'h'};

    int option;
    while ((option = getopt_long(argc, argv, "h", known, &which)) != -1) {
        if (option == 'h') {
            print_command_help(index);
            return OPTIONS_DONE;
        }
        if (option != 1) { /* getopt has said what is wrong */
            fprintf(stderr, "crebito: `crebito %s --help` shows the options\n",
                    commands[index].name);
            return OPTIONS_WRONG;
        }
        int row = row_of[which];
        given[row] = true;
        if (!set(options, &rows[row], rows[row].flag, optarg))
            return OPTIONS_WRONG;
    }
    if (optind < argc) {
        fprintf(stderr, "crebito: %s: unexpected argument \"%s\"\n", commands[index].name,
                argv[optind]);
        return OPTIONS_WRONG;
    }
    return fill_from_environment(options, given) ? OPTIONS_RUN : OPTIONS_WRONG;
}

enum options_result options_read(struct options *ret, int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    struct options options = {0};

    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        print_help();
        return OPTIONS_DONE;
    }
    if (strcmp(word, "--version") == 0) {
        puts("crebito " CREBITO_VERSION);
        return OPTIONS_DONE;
    }
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(word, commands[i].name) != 0)
            continue;
        options.command = commands[i].command;
        enum options_result result = read_arguments(&options, i, argc - 1, argv + 1);
        if (result == OPTIONS_RUN)
            *ret = options;
        return result;
    }
    if (word[0] == '\0')
        fprintf(stderr, "crebito: which command? `crebito --help` shows them\n");
    else
        fprintf(stderr, "crebito: unknown command \"%s\"; `crebito --help` shows them\n", word);
    return OPTIONS_WRONG;
}
