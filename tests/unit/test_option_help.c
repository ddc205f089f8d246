/* SPDX-License-Identifier: MIT
 *
 * test_option_help.c - what --help shows of the commands, and of each one's options.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "ops/option_table.h"
#include "option_words.h"

enum { COLUMNS = 80 };

static const char *const help_words[] = {"--help", "-h", "help"};

/* `crebito NAME --help`; the name may be two words. */
static void ask_for_help(const char *name)
{
    static char words[2][32];
    int count = sscanf(name, "%31s %31s", words[0], words[1]);
    enum options_result result = count == 2 ? ASK(words[0], words[1], "--help")
                                            : ASK(words[0], "--help");
    if (result != OPTIONS_DONE)
        FAIL("%s --help: result %d", name, (int)result);
}

static void check_lines(const char *name)
{
    int indented = 0;
    for (const char *line = said; *line;) {
        size_t columns = strcspn(line, "\n");
        if (columns > COLUMNS)
            FAIL("%s: %zu columns: %.*s", name, columns, (int)columns, line);
        if (columns > 0 && line[columns - 1] == ' ')
            FAIL("%s: ends with a blank: \"%.*s\"", name, (int)columns, line);
        indented += *line == ' ';
        line += columns + (line[columns] == '\n');
    }
    if (indented == 0 || said[strlen(said) - 1] != '\n')
        FAIL("%s: no list, or no end: %s", name, said);
}

static void the_help_of_all_shows_every_command_in_one_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(help_words); i++) {
        assert_int_equal(ASK(help_words[i]), OPTIONS_DONE);
        check_lines("crebito");
        for (size_t c = 0; c < COMMAND_ROWS; c++) {
            char line[COLUMNS];
            snprintf(line, sizeof line, "\n  %s", command_rows[c].name);
            const char *found = strstr(said, line), *brief = strstr(said, command_rows[c].brief);
            if (!found || !brief || memchr(found + 1, '\n', (size_t)(brief - found - 1)))
                FAIL("%s is not shown in one line:\n%s", command_rows[c].name, said);
        }
    }
}

static void the_help_of_a_group_shows_its_commands_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(help_words); i++) {
        assert_int_equal(ASK("client", help_words[i]), OPTIONS_DONE);
        check_lines("crebito client");
        assert_non_null(strstr(said, "Usage: crebito client COMMAND"));
        for (size_t c = 0; c < COMMAND_ROWS; c++) {
            char line[COLUMNS];
            snprintf(line, sizeof line, "\n  %s", command_rows[c].name);
            bool of_group = strncmp(command_rows[c].name, "client ", 7) == 0;
            if ((strstr(said, line) != NULL) != of_group)
                FAIL("%s: %s", command_rows[c].name, said);
        }
    }
}

static void the_help_of_a_command_shows_its_options_only(void **state)
{
    (void)state;
    for (size_t c = 0; c < COMMAND_ROWS; c++) {
        const struct command_row *command = &command_rows[c];
        ask_for_help(command->name);
        check_lines(command->name);
        for (size_t i = 0; i < OPTION_ROWS; i++) {
            char line[COLUMNS];
            snprintf(line, sizeof line, "\n  %s ", option_rows[i].flag);
            bool shown = strstr(said, line) && strstr(said, option_rows[i].environment);
            if (shown != option_belongs(&option_rows[i], command))
                FAIL("%s: %s: %s", command->name, option_rows[i].flag, said);
        }
        if (!strstr(said, "\n  --help "))
            FAIL("%s: --help is not shown: %s", command->name, said);
    }
}

static void usage_names_what_must_be_given(void **state)
{
    (void)state;
    static const struct {
        const char *name, *usage;
    } cases[] = {
        {"serve", "Usage: crebito serve [OPTION]...\n"},
        {"verify", "Usage: crebito verify [OPTION]...\n"},
        {"backup", "Usage: crebito backup DEST [OPTION]...\n"},
        {"restore", "Usage: crebito restore SOURCE [OPTION]...\n"},
        {"export", "Usage: crebito export [OPTION]...\n"},
        {"import", "Usage: crebito import [FILE] [OPTION]...\n"},
        {"client add", "Usage: crebito client add ID --limit CENTS [OPTION]...\n"},
        {"client set-limit", "Usage: crebito client set-limit ID --limit CENTS [OPTION]...\n"},
        {"client show", "Usage: crebito client show ID [OPTION]...\n"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ask_for_help(cases[i].name);
        if (strncmp(said, cases[i].usage, strlen(cases[i].usage)) != 0)
            FAIL("%s: %s", cases[i].name, said);
    }
}

static void help_says_what_holds_without_an_option(void **state)
{
    (void)state;
    ask_for_help("export");
    assert_non_null(strstr(said, "Default: every client\n"));
    assert_non_null(strstr(said, "Default: jsonl\n"));
    ask_for_help("client add");
    assert_non_null(strstr(said, "Default: none, it is required\n"));
    assert_non_null(strstr(said, "Default: 0\n"));
    ask_for_help("status");
    assert_non_null(strstr(said, "Values of the variable: yes or no\n"));
    assert_non_null(strstr(said, "Variable: CREBITO_DATABASE, then DATABASE_URL\n"));
}

/* "Every option is also a variable": its name is the flag's. */
static void a_variable_is_named_after_its_flag(void **state)
{
    (void)state;
    for (size_t i = 0; i < OPTION_ROWS; i++) {
        char name[64] = "CREBITO_";
        size_t at = strlen(name);
        for (const char *c = option_rows[i].flag + 2; *c; c++)
            name[at++] = *c == '-' ? '_' : (char)(*c - 'a' + 'A');
        assert_string_equal(option_rows[i].environment, name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_help_of_all_shows_every_command_in_one_line, bare_environment),
        cmocka_unit_test_setup(the_help_of_a_group_shows_its_commands_only, bare_environment),
        cmocka_unit_test_setup(the_help_of_a_command_shows_its_options_only, bare_environment),
        cmocka_unit_test_setup(usage_names_what_must_be_given, bare_environment),
        cmocka_unit_test_setup(help_says_what_holds_without_an_option, bare_environment),
        cmocka_unit_test_setup(a_variable_is_named_after_its_flag, bare_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
