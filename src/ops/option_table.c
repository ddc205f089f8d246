/* SPDX-License-Identifier: MIT
 *
 * option_table.c - see option_table.h.
 */
#include "ops/option_table.h"

#include <stdlib.h>
#include <string.h>

#include "text/time.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)
#define GIB (KIB * MIB)

/* As the bank has them, which this part does not know; tests/unit/test_option_commands.c compares. */
#define CENTS_MOST  UINT64_C(9007199254740991)
#define CLIENT_MOST UINT64_C(2147483647)

#define CONNECTIONS_MOST 64
#define THREADS_MOST     32

#define DIGITS "0123456789"

/* --- setters -------------------------------------------------------------------------------- */

static bool whole_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
    size_t digits = strspn(text, DIGITS);
    if (digits == 0 || text[digits] != '\0')
        return false;
    uint64_t number = strtoull(text, NULL, 10);
    if (number < min || number > max)
        return false;
    *ret = number;
    return true;
}

static bool set_number(uint32_t *ret, const char *value, uint64_t max)
{
    uint64_t number;
    if (!whole_number(value, 1, max, &number))
        return false;
    *ret = (uint32_t)number;
    return true;
}

static bool set_text(const char **ret, const char *value)
{
    *ret = value;
    return value[0] != '\0';
}

static bool set_listen(struct options *options, const char *value)
{
    return options->listen_count < LISTEN_MAX &&
           set_text(&options->listen[options->listen_count++], value);
}

static bool set_database(struct options *options, const char *value)
{
    return set_text(&options->database, value);
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
    size_t digits = strspn(value, DIGITS);
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
    return set_number(&options->connections_max, value, 65536);
}

static bool set_pending_max(struct options *options, const char *value)
{
    return set_number(&options->pending_max, value, 65536);
}

static bool set_threads(struct options *options, const char *value)
{
    return set_number(&options->threads, value, THREADS_MOST);
}

static bool set_key_retention(struct options *options, const char *value)
{
    uint64_t hours = 0;
    bool valid = whole_number(value, 24, 87840, &hours);
    options->key_retention_us = (int64_t)hours * 3600 * 1000000;
    return valid;
}

static bool set_connections(struct options *options, const char *value)
{
    return set_number(&options->connections, value, CONNECTIONS_MOST);
}

static bool set_connect_timeout(struct options *options, const char *value)
{
    return set_number(&options->connect_timeout_s, value, 60);
}

static bool set_statement_timeout(struct options *options, const char *value)
{
    return set_number(&options->statement_timeout_s, value, 9);
}

static bool set_profile(struct options *options, const char *value)
{
    options->profile = value;
    return strcmp(value, "durable") == 0 || strcmp(value, "contest") == 0;
}

static bool set_clients(struct options *options, const char *value)
{
    return set_text(&options->clients_file, value);
}

static bool set_limit(struct options *options, const char *value)
{
    uint64_t cents = 0;
    bool valid = whole_number(value, 0, CENTS_MOST, &cents);
    options->limit_cents = (int64_t)cents;
    return valid;
}

static bool set_balance(struct options *options, const char *value)
{
    uint64_t cents = 0;
    bool negative = value[0] == '-';
    bool valid = whole_number(value + negative, 0, CENTS_MOST, &cents);
    options->balance_cents = negative ? -(int64_t)cents : (int64_t)cents;
    return valid;
}

static bool set_format(struct options *options, const char *value)
{
    options->format = strcmp(value, "csv") == 0 ? EXPORT_CSV : EXPORT_JSONL;
    return options->format == EXPORT_CSV || strcmp(value, "jsonl") == 0;
}

static bool set_client(struct options *options, const char *value)
{
    return set_number(&options->client, value, CLIENT_MOST);
}

static bool set_since(struct options *options, const char *value)
{
    static const char midnight[] = "T00:00:00Z";
    enum { DATE_BYTES = 10 };
    char instant[DATE_BYTES + sizeof midnight];
    size_t bytes = strlen(value);
    if (bytes == DATE_BYTES) {
        memcpy(instant, value, DATE_BYTES);
        memcpy(instant + DATE_BYTES, midnight, sizeof midnight);
        value = instant;
        bytes = sizeof instant - 1;
    }
    return time_parse(value, bytes, &options->since_us);
}

static bool set_json(struct options *options, const char *value)
{
    options->json = strcmp(value, "yes") == 0;
    return options->json || strcmp(value, "no") == 0;
}

static bool set_argument(struct options *options, const char *value)
{
    return set_text(&options->argument, value);
}

static bool set_input(struct options *options, const char *value)
{
    return strcmp(value, "-") == 0 || set_argument(options, value);
}

bool command_in_group(const struct command_row *command, const char *group)
{
    size_t bytes = strlen(group);
    return strncmp(command->name, group, bytes) == 0 && command->name[bytes] == ' ';
}

bool option_set(struct options *options, const struct option_row *row, const char *source,
                const char *value)
{
    if (row->set == set_listen)
        options->listen_source = source;
    if (row->set == set_database)
        options->database_source = source;
    return row->set(options, value);
}

/* --- rows ----------------------------------------------------------------------------------- */

enum {
    EVERY_COMMAND = (1 << COMMAND_ROWS) - 1,
    NEW_STORE = COMMAND_INIT | COMMAND_IMPORT,
};

const struct option_row option_rows[OPTION_ROWS] = {
    {
        .flag = "--listen",
        .environment = "CREBITO_LISTEN",
        .value = "ADDRESS",
        .fallback = "127.0.0.1:9999",
        .commands = COMMAND_SERVE | COMMAND_STATUS,
        .repeated = true,
        .set = set_listen,
        .rule = "127.0.0.1:9999, [::1]:9999 or unix:/path, at most 8 of them",
        .help =
            "Where to serve, or whom to ask. May be repeated; in the environment, separate with "
            "commas.",
    },
    {
        .flag = "--database",
        .environment = "CREBITO_DATABASE",
        .environment_too = "DATABASE_URL",
        .value = "URL",
        .fallback = "lmdb:./data",
        .commands = EVERY_COMMAND,
        .set = set_database,
        .rule = "lmdb:FOLDER or postgres://USER@HOST:PORT/NAME",
        .help = "Which store.",
    },
    {
        .flag = "--map-size",
        .environment = "CREBITO_MAP_SIZE",
        .value = "SIZE",
        .fallback = "64GiB",
        .commands = COMMAND_SERVE | NEW_STORE,
        .set = set_map_size,
        .rule = "1MiB to 16TiB, in MiB, GiB or TiB",
        .help = "LMDB: the largest the ledger may become. Costs address space only.",
    },
    {
        .flag = "--connections",
        .environment = "CREBITO_CONNECTIONS",
        .value = "N",
        .fallback = "2",
        .commands = COMMAND_SERVE,
        .set = set_connections,
        .rule = "1 to 64",
        .help =
            "PostgreSQL: connections at most. One reads, each of the others books for its share "
            "of the clients; they are opened when they are needed.",
    },
    {
        .flag = "--connect-timeout",
        .environment = "CREBITO_CONNECT_TIMEOUT",
        .value = "SECONDS",
        .fallback = "5",
        .commands = COMMAND_SERVE,
        .set = set_connect_timeout,
        .rule = "1 to 60",
        .help = "PostgreSQL: how long to wait for a connection, and at the start for the server.",
    },
    {
        .flag = "--statement-timeout",
        .environment = "CREBITO_STATEMENT_TIMEOUT",
        .value = "SECONDS",
        .fallback = "4",
        .commands = COMMAND_SERVE,
        .set = set_statement_timeout,
        .rule = "1 to 9",
        .help = "PostgreSQL: how long a call may take, locks that others hold included; then it is "
                "rolled back, and a 503.",
    },
    {
        .flag = "--socket-mode",
        .environment = "CREBITO_SOCKET_MODE",
        .value = "MODE",
        .fallback = "0660",
        .commands = COMMAND_SERVE,
        .set = set_socket_mode,
        .rule = "octal permission bits, 0 to 0777",
        .help = "Permissions of Unix sockets.",
    },
    {
        .flag = "--max-connections",
        .environment = "CREBITO_MAX_CONNECTIONS",
        .value = "N",
        .fallback = "4096",
        .commands = COMMAND_SERVE,
        .set = set_connections_max,
        .rule = "1 to 65536",
        .help = "Connections served at once; further ones get a 503.",
    },
    {
        .flag = "--max-pending",
        .environment = "CREBITO_MAX_PENDING",
        .value = "N",
        .fallback = "4096",
        .commands = COMMAND_SERVE,
        .set = set_pending_max,
        .rule = "1 to 65536",
        .help = "Transactions waiting for a commit at once; further ones get a 503.",
    },
    {
        .flag = "--threads",
        .environment = "CREBITO_THREADS",
        .value = "N",
        .fallback = "1",
        .commands = COMMAND_SERVE,
        .set = set_threads,
        .rule = "1 to 32",
        .help = "Threads that read requests and write answers, each for its share of the "
                "connections. More than one is for machines with cores to spare.",
    },
    {
        .flag = "--key-retention",
        .environment = "CREBITO_KEY_RETENTION",
        .value = "HOURS",
        .fallback = "24",
        .commands = COMMAND_SERVE,
        .set = set_key_retention,
        .rule = "24 to 87840",
        .help = "How long an Idempotency-Key is remembered, at least.",
    },
    {
        .flag = "--durability",
        .environment = "CREBITO_DURABILITY",
        .value = "LEVEL",
        .fallback = "full",
        .commands = COMMAND_SERVE,
        .set = set_durability,
        .rule = "full or none",
        .help =
            "none answers before the disk has the transaction: for benchmarks, never for money.",
    },
    {
        .flag = "--profile",
        .environment = "CREBITO_PROFILE",
        .value = "PROFILE",
        .without = "durable if the store is new, or else as it is",
        .commands = COMMAND_INIT,
        .set = set_profile,
        .rule = "durable or contest",
        .help =
            "PostgreSQL: contest makes the tables UNLOGGED, so that a crash of the server empties "
            "them: for benchmarks, never for money.",
    },
    {
        .flag = "--clients",
        .environment = "CREBITO_CLIENTS",
        .value = "FILE",
        .without = "the five clients of the challenge",
        .commands = COMMAND_INIT,
        .set = set_clients,
        .rule = "the name of a CSV file",
        .help = "The clients of the store, one in each line: id,limit,balance in cents, where the "
                "balance may be missing. There must be no store yet.",
    },
    {
        .flag = "--limit",
        .environment = "CREBITO_LIMIT",
        .value = "CENTS",
        .commands = COMMAND_CLIENT_ADD | COMMAND_CLIENT_SET_LIMIT,
        .set = set_limit,
        .rule = "0 to 9007199254740991 cents",
        .help = "The credit limit: how far below zero the balance may go.",
    },
    {
        .flag = "--balance",
        .environment = "CREBITO_BALANCE",
        .value = "CENTS",
        .fallback = "0",
        .commands = COMMAND_CLIENT_ADD,
        .set = set_balance,
        .rule = "-9007199254740991 to 9007199254740991 cents",
        .help = "The opening balance; a debt must be within the limit.",
    },
    {
        .flag = "--format",
        .environment = "CREBITO_FORMAT",
        .value = "FORMAT",
        .fallback = "jsonl",
        .commands = COMMAND_EXPORT,
        .set = set_format,
        .rule = "jsonl or csv",
        .help = "JSON Lines can be imported again, CSV is for spreadsheets.",
    },
    {
        .flag = "--client",
        .environment = "CREBITO_CLIENT",
        .value = "ID",
        .without = "every client",
        .commands = COMMAND_EXPORT,
        .set = set_client,
        .rule = "1 to 2147483647",
        .help = "Only the records of this client.",
    },
    {
        .flag = "--since",
        .environment = "CREBITO_SINCE",
        .value = "TIME",
        .without = "from the beginning",
        .commands = COMMAND_EXPORT,
        .set = set_since,
        .rule = "2026-11-23T10:00:00Z, with a fraction or an offset if need be, or 2026-11-23 "
                "(midnight UTC)",
        .help = "Only the records of this time and later.",
    },
    {
        .flag = "--json",
        .environment = "CREBITO_JSON",
        .fallback = "no",
        .commands = COMMAND_STATUS | COMMAND_CLIENT_SHOW,
        .set = set_json,
        .rule = "yes or no",
        .help = "Answer with one JSON object.",
    },
};

#define CLIENT_ARGUMENT                                                              \
    {                                                                                \
        .name = "ID", .required = true, .set = set_client, .rule = "1 to 2147483647" \
    }

const struct command_row command_rows[COMMAND_ROWS] = {
    {
        .command = COMMAND_SERVE,
        .heading = "A bank",
        .name = "serve",
        .brief = "Serve the bank over HTTP; make its store if need be.",
        .more = "SIGTERM and SIGINT end it once what is in flight has been answered.",
    },
    {
        .command = COMMAND_INIT,
        .name = "init",
        .brief = "Create the store and its clients.",
        .more = "Where there is a store already, it is left as it is, and the table of "
                "--clients is not read.",
    },
    {
        .command = COMMAND_STATUS,
        .name = "status",
        .brief = "Say whether the server is well and what its store holds.",
        .more = "Exits 0 if it is well, 1 if not, 2 if the store cannot be read.",
    },
    {
        .command = COMMAND_CLIENT_ADD,
        .heading = "Its clients, also while it serves",
        .name = "client add",
        .brief = "Open an account.",
        .argument = CLIENT_ARGUMENT,
    },
    {
        .command = COMMAND_CLIENT_SET_LIMIT,
        .name = "client set-limit",
        .brief = "Raise or lower an account's credit limit.",
        .more = "Never below the present debt: that is refused.",
        .argument = CLIENT_ARGUMENT,
    },
    {
        .command = COMMAND_CLIENT_SHOW,
        .name = "client show",
        .brief = "Show an account.",
        .argument = CLIENT_ARGUMENT,
    },
    {
        .command = COMMAND_VERIFY,
        .heading = "Its ledger, also while it serves",
        .name = "verify",
        .brief = "Audit the ledger; name the first record that is wrong.",
        .more = "Every balance is the opening balance plus its history, the limit was kept at each "
                "step, the journal is unbroken and its checksums are right, the last entries and "
                "the idempotency keys agree with it. Nothing is written to.\n\n"
                "Exits 0 if the ledger is sound, 1 if it is wrong, 2 if it cannot be read.",
    },
    {
        .command = COMMAND_BACKUP,
        .name = "backup",
        .brief = "Copy the ledger: consistent, compact, verified.",
        .more = "DEST is a folder, missing or empty. The copy appears in it when it is whole, and "
                "is a store itself: it can be verified, restored and served.",
        .argument = {"DEST", true, set_argument, "a folder, missing or empty"},
    },
    {
        .command = COMMAND_EXPORT,
        .name = "export",
        .brief = "Write the journal to standard output.",
        .more = "One record in each line, in the order in which they were booked.",
    },
    {
        .command = COMMAND_RESTORE,
        .heading = "A new store, where there is none",
        .name = "restore",
        .brief = "Make a store from a backup.",
        .more = "SOURCE is the folder of the backup. Nothing is ever overwritten.",
        .argument = {"SOURCE", true, set_argument, "the folder of a backup"},
    },
    {
        .command = COMMAND_IMPORT,
        .name = "import",
        .brief = "Make a store from the JSON Lines of an export.",
        .more = "Without FILE, or with -, they are read from standard input. Every record is "
                "replayed by the ledger's rule. Nothing is ever overwritten.",
        .argument = {"FILE", false, set_input, "the name of a file, or - for standard input"},
    },
};
