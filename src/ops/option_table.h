/* SPDX-License-Identifier: MIT
 *
 * option_table.h - every command and every option, each in one row.
 *
 * Purpose    Parsing, environment, defaults, ranges and --help agree because they read these rows.
 * Invariant  A row's fallback is a value that its setter accepts.
 * Ownership  Constants. Setters keep pointers to values, not copies.
 * Threads    None.
 * Errors     A setter returns false for a value that breaks the row's rule, and says nothing.
 * Not here   Where values come from, and messages: options.c. What --help looks like: option_help.c.
 */
#ifndef CREBITO_OPS_OPTION_TABLE_H
#define CREBITO_OPS_OPTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "must_check.h"
#include "ops/options.h"

typedef bool option_setter(struct options *options, const char *value);

struct option_row {
    const char *flag;            /* with its two dashes */
    const char *environment;     /* the variable; a list with commas if the option is `repeated` */
    const char *environment_too; /* one that others use, read after it; or NULL */
    const char *value;           /* what --help calls it; NULL: the flag says it all, "yes" */
    const char *fallback;        /* NULL: the setter is not called; `without` says what holds */
    const char *without;         /* NULL besides: the option is required */
    unsigned commands;           /* enum command */
    bool repeated;
    option_setter *set;
    const char *rule; /* what a value must be: for --help, and for the message when it is not */
    const char *help;
};

/* What a command's other word is. */
struct argument_row {
    const char *name; /* NULL: it has none */
    bool required;
    option_setter *set;
    const char *rule;
};

struct command_row {
    enum command command;
    const char *name;    /* one word, or a group and a word: "client add" */
    const char *heading; /* before this command in a list of all; or NULL */
    const char *brief;   /* one line */
    const char *more;    /* or NULL */
    struct argument_row argument;
};

enum { OPTION_ROWS = 20, COMMAND_ROWS = 11 };

extern const struct option_row option_rows[OPTION_ROWS];
extern const struct command_row command_rows[COMMAND_ROWS];

/* Is its name `group` and a word more? */
bool command_in_group(const struct command_row *command, const char *group);

static inline bool option_belongs(const struct option_row *row, const struct command_row *command)
{
    return row->commands & (unsigned)command->command;
}

static inline bool option_required(const struct option_row *row)
{
    return !row->fallback && !row->without;
}

/* `source` is what messages may call the origin of `value`: "--listen", "CREBITO_LISTEN". */
MUST_CHECK bool option_set(struct options *options, const struct option_row *row,
                           const char *source, const char *value);

#endif
