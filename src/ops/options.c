/* SPDX-License-Identifier: MIT
 *
 * options.c - see options.h.
 */
#include "ops/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/option_help.h"
#include "ops/option_table.h"

enum { VALUE_BYTES_MAX = 1024 };

static bool wrong(const char *source, const char *value, const char *rule)
{
    fprintf(stderr, "crebito: %s: \"%s\" is not valid: %s\n", source, value, rule);
    return false;
}

static bool set(struct options *options, const struct option_row *row, const char *source,
                const char *value)
{
    return option_set(options, row, source, value) || wrong(source, value, row->rule);
}

/* A repeated option takes one value; its variable takes several. The pieces live as long as we
 * do; only one option is repeated. */
static bool set_each(struct options *options, const struct option_row *row, const char *source,
                     const char *values)
{
    static char pieces[VALUE_BYTES_MAX];
    if (!row->repeated)
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

/* The first of the row's variables that says anything. */
static const char *variable_of(const struct option_row *row, const char **ret_source)
{
    const char *const names[] = {row->environment, row->environment_too};
    for (size_t i = 0; i < 2 && names[i]; i++) {
        const char *value = getenv(names[i]);
        if (value && *value) {
            *ret_source = names[i];
            return value;
        }
    }
    *ret_source = "default";
    return NULL;
}

static bool fill_from_environment(struct options *options, const struct command_row *command,
                                  const bool given[OPTION_ROWS])
{
    for (size_t i = 0; i < OPTION_ROWS; i++) {
        const struct option_row *row = &option_rows[i];
        if (given[i] || !option_belongs(row, command))
            continue;
        const char *source, *value = variable_of(row, &source);
        if (!value && option_required(row)) {
            fprintf(stderr, "crebito: %s: %s %s is missing: %s\n", command->name, row->flag,
                    row->value, row->rule);
            return false;
        }
        if (!value)
            value = row->fallback;
        if (value && !set_each(options, row, source, value))
            return false;
    }
    return true;
}

static bool read_argument(struct options *options, const struct command_row *command, int argc,
                          char **argv)
{
    const struct argument_row *argument = &command->argument;
    int known = argument->name ? 1 : 0;
    if (argc > known) {
        fprintf(stderr, "crebito: %s: unexpected argument \"%s\"\n", command->name, argv[known]);
        return false;
    }
    if (argc == 0 && argument->required) {
        fprintf(stderr, "crebito: %s: %s is missing: %s\n", command->name, argument->name,
                argument->rule);
        return false;
    }
    if (argc == 0 || argument->set(options, argv[0]))
        return true;
    char source[64];
    snprintf(source, sizeof source, "%s: %s", command->name, argument->name);
    return wrong(source, argv[0], argument->rule);
}

static enum options_result read_words(struct options *options, const struct command_row *command,
                                      int argc, char **argv)
{
    struct option known[OPTION_ROWS + 2] = {{0}};
    size_t row_of[OPTION_ROWS];
    int count = 0, option, which;
    bool given[OPTION_ROWS] = {false};
    static char name[32]; /* getopt keeps it */

    snprintf(name, sizeof name, "crebito %s", command->name);
    argv[0] = name; /* getopt's messages begin with it */
    for (size_t i = 0; i < OPTION_ROWS; i++) {
        if (!option_belongs(&option_rows[i], command))
            continue;
        int has_value = option_rows[i].value ? required_argument : no_argument;
        known[count] = (struct option){option_rows[i].flag + 2, has_value, NULL, 1};
        row_of[count++] = i;
    }
    known[count] = (struct option){"help", no_argument, NULL, 'h'};

    while ((option = getopt_long(argc, argv, "h", known, &which)) != -1) {
        if (option == 'h') {
            option_help_command(command);
            return OPTIONS_DONE;
        }
        if (option != 1) { /* getopt has said what is wrong */
            fprintf(stderr, "crebito: `crebito %s --help` shows the options\n", command->name);
            return OPTIONS_WRONG;
        }
        const struct option_row *row = &option_rows[row_of[which]];
        given[row_of[which]] = true;
        if (!set(options, row, row->flag, row->value ? optarg : "yes"))
            return OPTIONS_WRONG;
    }
    if (!read_argument(options, command, argc - optind, argv + optind) ||
        !fill_from_environment(options, command, given))
        return OPTIONS_WRONG;
    return OPTIONS_RUN;
}

/* How many of the words are the command's name; 0: they are not. */
static int words_of(const char *name, int argc, char **argv)
{
    const char *space = strchr(name, ' ');
    if (!space)
        return strcmp(argv[0], name) == 0 ? 1 : 0;
    size_t first = (size_t)(space - name);
    if (argc < 2 || strlen(argv[0]) != first || strncmp(argv[0], name, first) != 0)
        return 0;
    return strcmp(argv[1], space + 1) == 0 ? 2 : 0;
}

static bool is_group(const char *word)
{
    for (size_t i = 0; i < COMMAND_ROWS; i++)
        if (command_in_group(&command_rows[i], word))
            return true;
    return false;
}

static bool asks_for_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

/* No command: the words ask something else, or nothing that makes sense. `group` is NULL, or a
 * word that some commands begin with, and then `word` is the one after it. */
static enum options_result read_other(const char *group, const char *word)
{
    if (asks_for_help(word)) {
        option_help_commands(group);
        return OPTIONS_DONE;
    }
    if (!group && strcmp(word, "--version") == 0) {
        puts("crebito " CREBITO_VERSION);
        return OPTIONS_DONE;
    }
    const char *space = group ? " " : "", *prefix = group ? group : "";
    if (word[0] == '\0')
        fprintf(stderr, "crebito: %s%swhich command? `crebito %s%s--help` shows them\n", prefix,
                group ? ": " : "", prefix, space);
    else
        fprintf(stderr, "crebito: unknown command \"%s%s%s\"; `crebito %s%s--help` shows them\n",
                prefix, space, word, prefix, space);
    return OPTIONS_WRONG;
}

enum options_result options_read(struct options *ret, int argc, char **argv)
{
    struct options options = {.since_us = INT64_MIN};
    if (argc < 2)
        return read_other(NULL, "");
    for (size_t i = 0; i < COMMAND_ROWS; i++) {
        const struct command_row *command = &command_rows[i];
        int words = words_of(command->name, argc - 1, argv + 1);
        if (words == 0)
            continue;
        options.command = command->command;
        enum options_result result = read_words(&options, command, argc - words, argv + words);
        if (result == OPTIONS_RUN)
            *ret = options;
        return result;
    }
    if (is_group(argv[1]))
        return read_other(argv[1], argc > 2 ? argv[2] : "");
    return read_other(NULL, argv[1]);
}
