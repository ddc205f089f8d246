/* SPDX-License-Identifier: MIT
 *
 * option_help.c - see option_help.h.
 */
#include "ops/option_help.h"

#include <stdio.h>
#include <string.h>

enum { COLUMNS = 80, LIST_COLUMN = 24, OPTION_COLUMN = 28, LABEL_BYTES_MAX = 64 };

/* Begins at `column`, and there begins each further line, with as many words as fit. */
static void print_wrapped(const char *text, int column)
{
    for (int at = column; *text;) {
        int word = (int)strcspn(text, " \n");
        if (at > column && at + 1 + word > COLUMNS) {
            printf("\n%*s", column, "");
            at = column;
        } else if (at > column) {
            putchar(' ');
            at++;
        }
        printf("%.*s", word, text);
        at += word;
        text += word;
        if (*text == ' ')
            text++;
        int lines = (int)strspn(text, "\n");
        if (lines > 0) {
            printf("%.*s%*s", lines, text, column, "");
            text += lines;
            at = column;
        }
    }
    putchar('\n');
}

/* A label and what is said of it, in two columns. */
static void print_pair(const char *label, const char *text, int column)
{
    printf("  %-*s", column - 2, label);
    print_wrapped(text, column);
}

static void print_named(const char *name, const char *text)
{
    char line[256];
    snprintf(line, sizeof line, "%s: %s", name, text);
    printf("%*s", OPTION_COLUMN, "");
    print_wrapped(line, OPTION_COLUMN);
}

/* " DEST", " [FILE]" or nothing. */
static void add_argument(char *label, size_t size, const struct argument_row *argument)
{
    size_t bytes = strlen(label);
    if (argument->name)
        snprintf(label + bytes, size - bytes, argument->required ? " %s" : " [%s]", argument->name);
}

void option_help_commands(const char *group)
{
    if (group)
        printf("Usage: crebito %s COMMAND [OPTION]...\n", group);
    else
        puts("crebito - a bank over HTTP: accounts with a credit limit, every 200 durable.\n\n"
             "Usage: crebito COMMAND [OPTION]...");
    for (size_t i = 0; i < COMMAND_ROWS; i++) {
        const struct command_row *command = &command_rows[i];
        char label[LABEL_BYTES_MAX];
        if (group && !command_in_group(command, group))
            continue;
        if (command->heading)
            printf("\n%s:\n", command->heading);
        snprintf(label, sizeof label, "%s", command->name);
        add_argument(label, sizeof label, &command->argument);
        print_pair(label, command->brief, LIST_COLUMN);
    }
    puts("\n`crebito COMMAND --help` shows a command's options.\n"
         "`crebito --version` shows the version.");
}

static void print_option(const struct option_row *row)
{
    char label[LABEL_BYTES_MAX], variable[128];
    snprintf(label, sizeof label, "%s%s%s", row->flag, row->value ? " " : "",
             row->value ? row->value : "");
    putchar('\n');
    print_pair(label, row->help, OPTION_COLUMN);
    print_named(row->value ? "Values" : "Values of the variable", row->rule);
    if (option_required(row))
        print_named("Default", "none, it is required");
    else
        print_named("Default", row->fallback ? row->fallback : row->without);
    snprintf(variable, sizeof variable, "%s%s%s", row->environment,
             row->environment_too ? ", then " : "",
             row->environment_too ? row->environment_too : "");
    print_named("Variable", variable);
}

void option_help_command(const struct command_row *command)
{
    char usage[COLUMNS + 1];
    snprintf(usage, sizeof usage, "%s", command->name);
    add_argument(usage, sizeof usage, &command->argument);
    printf("Usage: crebito %s", usage);
    for (size_t i = 0; i < OPTION_ROWS; i++)
        if (option_belongs(&option_rows[i], command) && option_required(&option_rows[i]))
            printf(" %s %s", option_rows[i].flag, option_rows[i].value);
    printf(" [OPTION]...\n\n");
    print_wrapped(command->brief, 0);
    if (command->more) {
        putchar('\n');
        print_wrapped(command->more, 0);
    }
    putchar('\n');
    print_wrapped("Options, each of which may be given in a variable of the environment instead:",
                  0);
    for (size_t i = 0; i < OPTION_ROWS; i++)
        if (option_belongs(&option_rows[i], command))
            print_option(&option_rows[i]);
    putchar('\n');
    print_pair("--help", "Show this and exit.", OPTION_COLUMN);
}
