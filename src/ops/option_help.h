/* SPDX-License-Identifier: MIT
 *
 * option_help.h - what --help says.
 *
 * Purpose    Show the rows of option_table.h to people.
 * Invariant  No line is longer than 80 columns.
 * Ownership  Borrows the rows.
 * Threads    None.
 * Errors     None: what stdout does not take is lost.
 * Not here   Messages about what is wrong: options.c.
 */
#ifndef CREBITO_OPS_OPTION_HELP_H
#define CREBITO_OPS_OPTION_HELP_H

#include "ops/option_table.h"

/* Every command; those of a group, if `group` ("client") is not NULL. */
void option_help_commands(const char *group);

void option_help_command(const struct command_row *command);

#endif
