/* SPDX-License-Identifier: MIT
 *
 * test_option_commands.c - each command's words: names of one word and of two, its argument, its
 * own options.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bank/bounds.h"
#include "option_words.h"

enum { WORDS_MAX = 8 };

static void every_command_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *words[WORDS_MAX];
        enum command command;
    } cases[] = {
        {{"serve"}, COMMAND_SERVE},
        {{"init"}, COMMAND_INIT},
        {{"status"}, COMMAND_STATUS},
        {{"verify"}, COMMAND_VERIFY},
        {{"backup", "d"}, COMMAND_BACKUP},
        {{"restore", "s"}, COMMAND_RESTORE},
        {{"export"}, COMMAND_EXPORT},
        {{"import"}, COMMAND_IMPORT},
        {{"client", "add", "1", "--limit", "0"}, COMMAND_CLIENT_ADD},
        {{"client", "set-limit", "1", "--limit", "0"}, COMMAND_CLIENT_SET_LIMIT},
        {{"client", "show", "1"}, COMMAND_CLIENT_SHOW},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum options_result result = option_words(2, cases[i].words);
        if (result != OPTIONS_RUN || options.command != cases[i].command || *said)
            FAIL("%s: result %d, command %d, says %s", cases[i].words[0], (int)result,
                 (int)options.command, said);
        if (strcmp(options.database, "lmdb:./data") != 0)
            FAIL("%s: database %s", cases[i].words[0], options.database);
    }
}

static void what_a_command_does_not_have_is_zero(void **state)
{
    (void)state;
    assert_int_equal(READ("verify"), OPTIONS_RUN);
    assert_null(options.argument);
    assert_null(options.clients_file);
    assert_int_equal(options.listen_count, 0);
    assert_int_equal(options.map_bytes, 0);
    assert_int_equal(options.client, 0);
    assert_false(options.json);
    assert_true(options.since_us == INT64_MIN);
}

static void an_argument_is_taken_before_after_and_between_options(void **state)
{
    (void)state;
    assert_int_equal(READ("backup", "/dest", "--database", "lmdb:/b"), OPTIONS_RUN);
    assert_string_equal(options.argument, "/dest");
    assert_string_equal(options.database, "lmdb:/b");
    assert_int_equal(READ("restore", "--database", "lmdb:/b", "/source"), OPTIONS_RUN);
    assert_string_equal(options.argument, "/source");
    assert_int_equal(READ("client", "add", "--balance", "3", "7", "--limit", "5"), OPTIONS_RUN);
    assert_int_equal(options.client, 7);
    assert_int_equal(options.limit_cents, 5);
    assert_int_equal(options.balance_cents, 3);
    assert_int_equal(READ("backup", "--", "--strange"), OPTIONS_RUN);
    assert_string_equal(options.argument, "--strange");
}

static void import_reads_standard_input_unless_a_file_is_named(void **state)
{
    (void)state;
    assert_int_equal(READ("import"), OPTIONS_RUN);
    assert_null(options.argument);
    assert_int_equal(READ("import", "-"), OPTIONS_RUN);
    assert_null(options.argument);
    assert_int_equal(READ("import", "ledger.jsonl"), OPTIONS_RUN);
    assert_string_equal(options.argument, "ledger.jsonl");
}

static void what_makes_no_sense_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *words[WORDS_MAX];
        const char *says;
    } cases[] = {
        {{"client"}, "crebito: client: which command? `crebito client --help` shows them\n"},
        {{"client", ""}, "crebito: client: which command? `crebito client --help` shows them\n"},
        {{"client", "bogus"},
         "crebito: unknown command \"client bogus\"; `crebito client --help` shows them\n"},
        {{"client", "--limit", "1"}, "unknown command \"client --limit\""},
        {{"client", "--version"}, "unknown command \"client --version\""},
        {{"client", "ad", "1", "--limit", "1"}, "unknown command \"client ad\""},
        {{"client", "adds", "1", "--limit", "1"}, "unknown command \"client adds\""},
        {{"clients", "add", "1"}, "unknown command \"clients\""},
        {{"clien", "add", "1"}, "unknown command \"clien\""},
        {{"client add", "1"}, "unknown command \"client add\""},
        {{"c", "add"}, "unknown command \"c\""},
        {{"add", "1"}, "unknown command \"add\""},
        {{"backup"}, "crebito: backup: DEST is missing: a folder, missing or empty\n"},
        {{"restore"}, "crebito: restore: SOURCE is missing: the folder of a backup\n"},
        {{"backup", ""}, "crebito: backup: DEST: \"\" is not valid: a folder, missing or empty\n"},
        {{"import", ""}, "crebito: import: FILE: \"\" is not valid"},
        {{"backup", "a", "b"}, "crebito: backup: unexpected argument \"b\"\n"},
        {{"import", "a", "b"}, "crebito: import: unexpected argument \"b\"\n"},
        {{"import", "-", "-"}, "crebito: import: unexpected argument \"-\"\n"},
        {{"verify", "a"}, "crebito: verify: unexpected argument \"a\"\n"},
        {{"export", "a"}, "crebito: export: unexpected argument \"a\"\n"},
        {{"client", "add"}, "crebito: client add: ID is missing: 1 to 2147483647\n"},
        {{"client", "add", "--limit", "1"}, "crebito: client add: ID is missing"},
        {{"client", "add", "1"},
         "crebito: client add: --limit CENTS is missing: 0 to 9007199254740991 cents\n"},
        {{"client", "set-limit", "1"}, "crebito: client set-limit: --limit CENTS is missing"},
        {{"client", "show", "x"},
         "crebito: client show: ID: \"x\" is not valid: 1 to 2147483647\n"},
        {{"client", "show", "1", "2"}, "crebito: client show: unexpected argument \"2\"\n"},
        {{"client", "show", "1", "--limit", "1"}, "crebito client show: "},
        {{"client", "set-limit", "1", "--balance", "1"}, "--balance"},
        {{"backup", "a", "--map-size", "1GiB"}, "--map-size"},
        {{"serve", "--clients", "a"}, "--clients"},
        {{"export", "--json"}, "--json"},
        {{"status", "--json=yes"}, "--json"},
        {{"status", "--json", "yes"}, "unexpected argument \"yes\""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum options_result result = option_words(2, cases[i].words);
        if (result != OPTIONS_WRONG || !strstr(said, cases[i].says))
            FAIL("case %zu, %s: result %d, says %s", i, cases[i].says, (int)result, said);
    }
}

static void an_id_is_from_1_to_the_largest_int4(void **state)
{
    (void)state;
    static const struct {
        const char *id;
        uint32_t client; /* 0: refused */
    } cases[] = {
        {"1", 1},    {"2147483647", CLIENT_MAX},
        {"0", 0},    {"2147483648", 0},
        {"", 0},     {"+1", 0},
        {"1.0", 0},  {" 1", 0},
        {"1 ", 0},   {"0x1", 0},
        {"eins", 0}, {"4294967297", 0},
        {"1e3", 0},  {"18446744073709551617", 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum options_result wanted = cases[i].client ? OPTIONS_RUN : OPTIONS_WRONG;
        if (READ("client", "show", cases[i].id) != wanted ||
            (cases[i].client && options.client != cases[i].client))
            FAIL("client show \"%s\": says %s", cases[i].id, said);
        if (READ("export", "--client", cases[i].id) != wanted ||
            (cases[i].client && options.client != cases[i].client))
            FAIL("export --client \"%s\": says %s", cases[i].id, said);
    }
    assert_int_equal(READ("export"), OPTIONS_RUN);
    assert_int_equal(options.client, 0);
}

static void cents_are_what_the_bank_can_hold(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        bool limit, balance;
        int64_t cents;
    } cases[] = {
        {"0", true, true, 0},
        {"1", true, true, 1},
        {"9007199254740991", true, true, CENTS_MAX},
        {"9007199254740992", false, false, 0},
        {"-1", false, true, -1},
        {"-0", false, true, 0},
        {"-9007199254740991", false, true, -CENTS_MAX},
        {"-9007199254740992", false, false, 0},
        {"", false, false, 0},
        {"-", false, false, 0},
        {"--1", false, false, 0},
        {"+1", false, false, 0},
        {"1.5", false, false, 0},
        {"1,00", false, false, 0},
        {"1e3", false, false, 0},
        {" 1", false, false, 0},
        {"- 1", false, false, 0},
        {"18446744073709551616", false, false, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum options_result limit = READ("client", "add", "1", "--limit", cases[i].value);
        if (limit != (cases[i].limit ? OPTIONS_RUN : OPTIONS_WRONG) ||
            (cases[i].limit && options.limit_cents != cases[i].cents))
            FAIL("--limit \"%s\": result %d, says %s", cases[i].value, (int)limit, said);
        enum options_result balance = READ("client", "add", "1", "--limit", "0", "--balance",
                                           cases[i].value);
        if (balance != (cases[i].balance ? OPTIONS_RUN : OPTIONS_WRONG) ||
            (cases[i].balance && options.balance_cents != cases[i].cents))
            FAIL("--balance \"%s\": result %d, says %s", cases[i].value, (int)balance, said);
    }
    assert_int_equal(READ("client", "add", "1", "--limit", "0"), OPTIONS_RUN);
    assert_int_equal(options.balance_cents, 0);
}

static void since_is_an_instant_or_a_day(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        int64_t us;
    } cases[] = {
        {"2026-11-23T10:00:00Z", INT64_C(1795428000000000)},
        {"2026-11-23T10:00:00.25Z", INT64_C(1795428000250000)},
        {"2026-11-23T07:00:00-03:00", INT64_C(1795428000000000)},
        {"2026-11-23", INT64_C(1795392000000000)},
        {"1970-01-01", 0},
        {"1969-12-31", INT64_C(-86400000000)},
    };
    static const char *const wrong[] = {
        "",
        "now",
        "yesterday",
        "2026-02-30",
        "2026-11-2",
        "2026-11-23T",
        "2026-11-23Z",
        "1795428000",
        "2026-11-23T10:00:00",
        "23.11.2026",
        "2026-11-23 10:00:00Z",
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (READ("export", "--since", cases[i].value) != OPTIONS_RUN ||
            options.since_us != cases[i].us)
            FAIL("--since \"%s\": %lld, says %s", cases[i].value, (long long)options.since_us,
                 said);
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        if (READ("export", "--since", wrong[i]) != OPTIONS_WRONG || !strstr(said, "--since: ") ||
            !strstr(said, "midnight UTC"))
            FAIL("--since \"%s\": says %s", wrong[i], said);
    assert_int_equal(READ("export"), OPTIONS_RUN);
    assert_true(options.since_us == INT64_MIN);
}

static void a_format_is_jsonl_or_csv(void **state)
{
    (void)state;
    assert_int_equal(READ("export"), OPTIONS_RUN);
    assert_int_equal(options.format, EXPORT_JSONL);
    assert_int_equal(READ("export", "--format=csv"), OPTIONS_RUN);
    assert_int_equal(options.format, EXPORT_CSV);
    assert_int_equal(READ("export", "--format=jsonl"), OPTIONS_RUN);
    assert_int_equal(options.format, EXPORT_JSONL);
    assert_int_equal(READ("export", "--format=json"), OPTIONS_WRONG);
    assert_string_equal(said, "crebito: --format: \"json\" is not valid: jsonl or csv\n");
}

static void a_flag_needs_no_value_and_its_variable_is_yes_or_no(void **state)
{
    (void)state;
    static const char *const wrong[] = {"1", "true", "YES", "ye", "yesno", "on"};
    assert_int_equal(READ("status"), OPTIONS_RUN);
    assert_false(options.json);
    assert_int_equal(READ("status", "--json"), OPTIONS_RUN);
    assert_true(options.json);
    assert_int_equal(READ("client", "show", "--json", "1"), OPTIONS_RUN);
    assert_true(options.json);
    setenv("CREBITO_JSON", "yes", 1);
    assert_int_equal(READ("status"), OPTIONS_RUN);
    assert_true(options.json);
    setenv("CREBITO_JSON", "no", 1);
    assert_int_equal(READ("status"), OPTIONS_RUN);
    assert_false(options.json);
    assert_int_equal(READ("status", "--json"), OPTIONS_RUN);
    assert_true(options.json);
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        setenv("CREBITO_JSON", wrong[i], 1);
        assert_int_equal(READ("status"), OPTIONS_WRONG);
        assert_non_null(strstr(said, "crebito: CREBITO_JSON: \""));
        assert_non_null(strstr(said, "yes or no"));
        assert_int_equal(READ("backup", "a"), OPTIONS_RUN); /* not its variable */
    }
}

static void every_option_of_the_commands_is_read_from_the_environment(void **state)
{
    (void)state;
    setenv("CREBITO_CLIENTS", "clients.csv", 1);
    setenv("CREBITO_LIMIT", "5", 1);
    setenv("CREBITO_BALANCE", "-3", 1);
    setenv("CREBITO_FORMAT", "csv", 1);
    setenv("CREBITO_CLIENT", "7", 1);
    setenv("CREBITO_SINCE", "1970-01-02", 1);
    setenv("CREBITO_MAP_SIZE", "2MiB", 1);
    assert_int_equal(READ("init"), OPTIONS_RUN);
    assert_string_equal(options.clients_file, "clients.csv");
    assert_int_equal(options.map_bytes, 2 << 20);
    assert_int_equal(READ("client", "add", "9"), OPTIONS_RUN);
    assert_int_equal(options.client, 9);
    assert_int_equal(options.limit_cents, 5);
    assert_int_equal(options.balance_cents, -3);
    assert_int_equal(READ("client", "set-limit", "9", "--limit", "6"), OPTIONS_RUN);
    assert_int_equal(options.limit_cents, 6);
    assert_int_equal(READ("export"), OPTIONS_RUN);
    assert_int_equal(options.format, EXPORT_CSV);
    assert_int_equal(options.client, 7);
    assert_true(options.since_us == INT64_C(86400000000));
    assert_int_equal(READ("import"), OPTIONS_RUN);
    assert_int_equal(options.map_bytes, 2 << 20);
}

static void an_empty_variable_of_a_required_option_is_as_none(void **state)
{
    (void)state;
    setenv("CREBITO_LIMIT", "", 1);
    assert_int_equal(READ("client", "add", "1"), OPTIONS_WRONG);
    assert_non_null(strstr(said, "--limit CENTS is missing"));
    setenv("CREBITO_LIMIT", "x", 1);
    assert_int_equal(READ("client", "add", "1"), OPTIONS_WRONG);
    assert_non_null(strstr(said, "crebito: CREBITO_LIMIT: \"x\" is not valid"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_command_is_read, bare_environment),
        cmocka_unit_test_setup(what_a_command_does_not_have_is_zero, bare_environment),
        cmocka_unit_test_setup(an_argument_is_taken_before_after_and_between_options,
                               bare_environment),
        cmocka_unit_test_setup(import_reads_standard_input_unless_a_file_is_named,
                               bare_environment),
        cmocka_unit_test_setup(what_makes_no_sense_is_said, bare_environment),
        cmocka_unit_test_setup(an_id_is_from_1_to_the_largest_int4, bare_environment),
        cmocka_unit_test_setup(cents_are_what_the_bank_can_hold, bare_environment),
        cmocka_unit_test_setup(since_is_an_instant_or_a_day, bare_environment),
        cmocka_unit_test_setup(a_format_is_jsonl_or_csv, bare_environment),
        cmocka_unit_test_setup(a_flag_needs_no_value_and_its_variable_is_yes_or_no,
                               bare_environment),
        cmocka_unit_test_setup(every_option_of_the_commands_is_read_from_the_environment,
                               bare_environment),
        cmocka_unit_test_setup(an_empty_variable_of_a_required_option_is_as_none, bare_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
