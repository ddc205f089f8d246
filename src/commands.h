/* SPDX-License-Identifier: MIT
 *
 * commands.h - what `crebito COMMAND` does.
 *
 * Purpose    One function for each command, given valid options.
 * Invariant  stdout is for what was asked for, stderr for the log and for what went wrong.
 * Ownership  Borrows the options.
 * Threads    The main thread; command_serve() starts the store's.
 * Errors     The process's exit status: 0 done, 1 could not, 2 the request makes no sense (and,
 *            for status and verify: the store cannot be read).
 * Not here   Reading options: ops/options.h.
 */
#ifndef CREBITO_COMMANDS_H
#define CREBITO_COMMANDS_H

#include "must_check.h"
#include "ops/options.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

MUST_CHECK int command_serve(const struct options *options);
MUST_CHECK int command_init(const struct options *options);
/* As init does where there is no store yet and --clients names a table. */
MUST_CHECK int command_init_clients(const struct options *options);
MUST_CHECK int command_status(const struct options *options);
MUST_CHECK int command_verify(const struct options *options);
MUST_CHECK int command_backup(const struct options *options);
MUST_CHECK int command_restore(const struct options *options);
MUST_CHECK int command_export(const struct options *options);
MUST_CHECK int command_import(const struct options *options);
MUST_CHECK int command_client_add(const struct options *options);
MUST_CHECK int command_client_set_limit(const struct options *options);
MUST_CHECK int command_client_show(const struct options *options);

#endif
