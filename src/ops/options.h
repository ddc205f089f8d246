/* SPDX-License-Identifier: MIT
 *
 * options.h - what an operator can choose, from the command line and the environment.
 *
 * Purpose    From words to a command and its settings. The command line beats the environment
 *            beats the default.
 * Invariant  After OPTIONS_RUN every member of struct options that the command has is within its
 *            range; the others are 0, and since_us INT64_MIN.
 * Ownership  Strings point into argv, environ or constants: they live as long as the process.
 * Threads    Before any is started.
 * Errors     OPTIONS_WRONG after a line on stderr that names the option, the value and the rule.
 * Not here   What addresses, databases and files mean: whoever uses them judges them. Which
 *            options there are: option_table.c.
 */
#ifndef CREBITO_OPS_OPTIONS_H
#define CREBITO_OPS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "must_check.h"

enum { LISTEN_MAX = 8 };

enum command { /* bits: an option may belong to several */
               COMMAND_SERVE = 1 << 0,
               COMMAND_INIT = 1 << 1,
               COMMAND_STATUS = 1 << 2,
               COMMAND_VERIFY = 1 << 3,
               COMMAND_BACKUP = 1 << 4,
               COMMAND_RESTORE = 1 << 5,
               COMMAND_EXPORT = 1 << 6,
               COMMAND_IMPORT = 1 << 7,
               COMMAND_CLIENT_ADD = 1 << 8,
               COMMAND_CLIENT_SET_LIMIT = 1 << 9,
               COMMAND_CLIENT_SHOW = 1 << 10,
};

enum export_format { EXPORT_JSONL, EXPORT_CSV };

struct options {
    enum command command;
    const char *listen[LISTEN_MAX];
    uint32_t listen_count;
    const char *database;
    const char *listen_source, *database_source; /* "--listen", "DATABASE_URL": for messages */
    unsigned socket_mode;                        /* permission bits */
    bool durable;
    uint64_t map_bytes; /* a multiple of 4096 */
    uint32_t connections_max;
    uint32_t pending_max;
    uint32_t threads;
    int64_t key_retention_us; /* at least 24 h */
    uint32_t connections;     /* PostgreSQL's */
    uint32_t connect_timeout_s, statement_timeout_s;

    const char *profile;      /* "durable" or "contest"; NULL: as the store is */
    const char *argument;     /* DEST, SOURCE, FILE; NULL: standard input */
    const char *clients_file; /* NULL: the clients that a new store has anyway */
    uint32_t client;          /* ID, --client; 0: every client */
    int64_t limit_cents, balance_cents;
    enum export_format format;
    int64_t since_us; /* Unix time; INT64_MIN: all the time there was */
    bool json;
};

enum options_result {
    OPTIONS_RUN,   /* carry out options.command */
    OPTIONS_DONE,  /* --help or --version was answered: exit 0 */
    OPTIONS_WRONG, /* exit 2 */
};

MUST_CHECK enum options_result options_read(struct options *ret, int argc, char **argv);

#endif
