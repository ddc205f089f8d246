/* SPDX-License-Identifier: MIT
 *
 * options.h - what an operator can choose, from the command line and the environment.
 *
 * Purpose    One table of options: parsing, environment, defaults, ranges and --help agree because
 *            they read the same rows. The command line beats the environment beats the default.
 * Invariant  After OPTIONS_RUN every member of struct options is within its range.
 * Ownership  Strings point into argv, environ or constants: they live as long as the process.
 * Threads    Before any is started.
 * Errors     OPTIONS_WRONG after a line on stderr that names the option, the value and the rule.
 * Not here   What addresses and databases mean: whoever uses them judges them.
 */
#ifndef CREBITO_OPS_OPTIONS_H
#define CREBITO_OPS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "must_check.h"

enum { LISTEN_MAX = 8 };

enum command { /* bits: an option may belong to several */
               COMMAND_SERVE = 1,
               COMMAND_INIT = 2,
               COMMAND_STATUS = 4,
};

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
    int64_t key_retention_us; /* at least 24 h */
};

enum options_result {
    OPTIONS_RUN,   /* carry out options.command */
    OPTIONS_DONE,  /* --help or --version was answered: exit 0 */
    OPTIONS_WRONG, /* exit 2 */
};

MUST_CHECK enum options_result options_read(struct options *ret, int argc, char **argv);

#endif
