/* SPDX-License-Identifier: MIT
 *
 * test_options.c - the command line, the environment and the defaults, in this order.
 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "option_words.h"

#define HOUR_US INT64_C(3600000000)
#define MIB     (UINT64_C(1) << 20)

static void without_any_word_the_defaults_hold(void **state)
{
    (void)state;
    assert_int_equal(READ("serve"), OPTIONS_RUN);
    assert_int_equal(options.command, COMMAND_SERVE);
    assert_int_equal(options.listen_count, 1);
    assert_string_equal(options.listen[0], "127.0.0.1:9999");
    assert_string_equal(options.database, "lmdb:./data");
    assert_int_equal(options.socket_mode, 0660);
    assert_true(options.durable);
    assert_int_equal(options.map_bytes, 65536 * MIB);
    assert_int_equal(options.connections_max, 4096);
    assert_int_equal(options.pending_max, 4096);
    assert_int_equal(options.key_retention_us, 24 * HOUR_US);
    assert_string_equal(said, "");
}

static void every_option_is_read_from_the_command_line(void **state)
{
    (void)state;
    assert_int_equal(READ("serve", "--listen", "unix:/a", "--listen=[::1]:1", "--database",
                          "lmdb:/b", "--socket-mode", "0600", "--max-connections", "7",
                          "--max-pending", "8", "--map-size", "2GiB", "--key-retention", "48",
                          "--durability", "none"),
                     OPTIONS_RUN);
    assert_int_equal(options.listen_count, 2);
    assert_string_equal(options.listen[0], "unix:/a");
    assert_string_equal(options.listen[1], "[::1]:1");
    assert_string_equal(options.database, "lmdb:/b");
    assert_int_equal(options.socket_mode, 0600);
    assert_false(options.durable);
    assert_int_equal(options.map_bytes, 2048 * MIB);
    assert_int_equal(options.connections_max, 7);
    assert_int_equal(options.pending_max, 8);
    assert_int_equal(options.key_retention_us, 48 * HOUR_US);
}

static void every_option_is_read_from_the_environment(void **state)
{
    (void)state;
    setenv("CREBITO_LISTEN", "unix:/a,[::1]:1, 127.0.0.1:2", 1);
    setenv("CREBITO_DATABASE", "lmdb:/b", 1);
    setenv("CREBITO_SOCKET_MODE", "777", 1);
    setenv("CREBITO_MAX_CONNECTIONS", "7", 1);
    setenv("CREBITO_MAX_PENDING", "8", 1);
    setenv("CREBITO_MAP_SIZE", "1TiB", 1);
    setenv("CREBITO_KEY_RETENTION", "25", 1);
    setenv("CREBITO_DURABILITY", "none", 1);
    assert_int_equal(READ("serve"), OPTIONS_RUN);
    assert_int_equal(options.listen_count, 3);
    assert_string_equal(options.listen[0], "unix:/a");
    assert_string_equal(options.listen[1], "[::1]:1");
    assert_string_equal(options.listen[2], "127.0.0.1:2");
    assert_string_equal(options.database, "lmdb:/b");
    assert_int_equal(options.socket_mode, 0777);
    assert_int_equal(options.connections_max, 7);
    assert_int_equal(options.pending_max, 8);
    assert_int_equal(options.map_bytes, (UINT64_C(1) << 20) * MIB);
    assert_int_equal(options.key_retention_us, 25 * HOUR_US);
    assert_false(options.durable);
}

static void the_command_line_beats_the_environment(void **state)
{
    (void)state;
    setenv("CREBITO_LISTEN", "unix:/a,unix:/b", 1);
    setenv("CREBITO_MAX_PENDING", "no number at all", 1);
    assert_int_equal(READ("serve", "--listen", "unix:/c", "--max-pending", "1"), OPTIONS_RUN);
    assert_int_equal(options.listen_count, 1);
    assert_string_equal(options.listen[0], "unix:/c");
    assert_int_equal(options.pending_max, 1);
}

static void an_empty_variable_is_as_none(void **state)
{
    (void)state;
    setenv("CREBITO_LISTEN", "", 1);
    setenv("CREBITO_DATABASE", "", 1);
    setenv("CREBITO_MAP_SIZE", "", 1);
    assert_int_equal(READ("serve"), OPTIONS_RUN);
    assert_string_equal(options.listen[0], "127.0.0.1:9999");
    assert_string_equal(options.database, "lmdb:./data");
    assert_int_equal(options.map_bytes, 65536 * MIB);
}

static void database_url_is_read_after_the_own_variable(void **state)
{
    (void)state;
    setenv("DATABASE_URL", "lmdb:/theirs", 1);
    assert_int_equal(READ("init"), OPTIONS_RUN);
    assert_string_equal(options.database, "lmdb:/theirs");
    setenv("CREBITO_DATABASE", "lmdb:/ours", 1);
    assert_int_equal(READ("init"), OPTIONS_RUN);
    assert_string_equal(options.database, "lmdb:/ours");
    assert_int_equal(READ("init", "--database", "lmdb:/given"), OPTIONS_RUN);
    assert_string_equal(options.database, "lmdb:/given");
}

static void eight_addresses_are_the_most(void **state)
{
    (void)state;
    setenv("CREBITO_LISTEN", "a,b,c,d,e,f,g,h", 1);
    assert_int_equal(READ("serve"), OPTIONS_RUN);
    assert_int_equal(options.listen_count, LISTEN_MAX);
    assert_string_equal(options.listen[7], "h");
    setenv("CREBITO_LISTEN", "a,b,c,d,e,f,g,h,i", 1);
    assert_int_equal(READ("serve"), OPTIONS_WRONG);
    assert_non_null(strstr(said, "CREBITO_LISTEN: \"i\""));
}

/* "After OPTIONS_RUN every member is within its range": a server that listens nowhere is none. */
static void a_variable_of_separators_only_is_refused(void **state)
{
    (void)state;
    static const char *const values[] = {",", " ", ", ,", ",,,,"};
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        setenv("CREBITO_LISTEN", values[i], 1);
        if (READ("serve") == OPTIONS_RUN && options.listen_count == 0)
            FAIL("CREBITO_LISTEN=\"%s\": run, and listen nowhere", values[i]);
    }
}

static void addresses_longer_than_any_are_refused(void **state)
{
    (void)state;
    char value[3000];
    memset(value, 'a', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    setenv("CREBITO_LISTEN", value, 1);
    assert_int_equal(READ("serve"), OPTIONS_WRONG);
}

static void values_at_the_edges_of_their_ranges(void **state)
{
    (void)state;
    static const struct {
        const char *option, *value;
        bool valid;
    } cases[] = {
        {"--max-connections", "1", true},
        {"--max-connections", "65536", true},
        {"--max-connections", "0", false},
        {"--max-connections", "65537", false},
        {"--max-connections", "-1", false},
        {"--max-connections", "+1", false},
        {"--max-connections", " 1", false},
        {"--max-connections", "1 ", false},
        {"--max-connections", "1x", false},
        {"--max-connections", "0x10", false},
        {"--max-connections", "1.0", false},
        {"--max-connections", "", false},
        {"--max-connections", "4294967297", false},
        {"--max-connections", "18446744073709551617", false},
        {"--max-pending", "1", true},
        {"--max-pending", "65536", true},
        {"--max-pending", "0", false},
        {"--max-pending", "65537", false},
        {"--threads", "1", true},
        {"--threads", "32", true},
        {"--threads", "0", false},
        {"--threads", "33", false},
        {"--key-retention", "24", true},
        {"--key-retention", "87840", true},
        {"--key-retention", "23", false},
        {"--key-retention", "0", false},
        {"--key-retention", "87841", false},
        {"--key-retention", "24h", false},
        {"--map-size", "1MiB", true},
        {"--map-size", "16777216MiB", true},
        {"--map-size", "16384GiB", true},
        {"--map-size", "16TiB", true},
        {"--map-size", "0MiB", false},
        {"--map-size", "16777217MiB", false},
        {"--map-size", "16385GiB", false},
        {"--map-size", "17TiB", false},
        {"--map-size", "18446744073709551616MiB", false},
        {"--map-size", "99999999999999999999999999GiB", false},
        {"--map-size", "1", false},
        {"--map-size", "1048576", false},
        {"--map-size", "MiB", false},
        {"--map-size", "1mib", false},
        {"--map-size", "1MB", false},
        {"--map-size", "1 MiB", false},
        {"--map-size", "1MiB ", false},
        {"--map-size", "1.5GiB", false},
        {"--map-size", "-1GiB", false},
        {"--socket-mode", "0", true},
        {"--socket-mode", "0777", true},
        {"--socket-mode", "660", true},
        {"--socket-mode", "01000", false},
        {"--socket-mode", "1777", false},
        {"--socket-mode", "8", false},
        {"--socket-mode", "0o660", false},
        {"--socket-mode", "-1", false},
        {"--socket-mode", "rw", false},
        {"--socket-mode", "", false},
        {"--socket-mode", "7777777777777777777777777777", false},
        {"--durability", "full", true},
        {"--durability", "none", true},
        {"--durability", "Full", false},
        {"--durability", "fulll", false},
        {"--durability", "", false},
        {"--listen", "", false},
        {"--database", "", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum options_result result = READ("serve", cases[i].option, cases[i].value);
        if (result != (cases[i].valid ? OPTIONS_RUN : OPTIONS_WRONG))
            FAIL("%s \"%s\": result %d", cases[i].option, cases[i].value, (int)result);
        if (cases[i].valid)
            continue;
        /* The message names the option and the value. */
        if (!strstr(said, cases[i].option) || !strstr(said, cases[i].value))
            FAIL("%s \"%s\": only says %s", cases[i].option, cases[i].value, said);
    }
}

static void a_wrong_variable_is_named(void **state)
{
    (void)state;
    setenv("CREBITO_KEY_RETENTION", "1", 1);
    assert_int_equal(READ("serve"), OPTIONS_WRONG);
    assert_string_equal(said, "crebito: CREBITO_KEY_RETENTION: \"1\" is not valid: 24 to 87840\n");
}

static void a_wrong_command_line_leaves_the_options_untouched(void **state)
{
    (void)state;
    struct options untouched;
    memset(&untouched, 0x5a, sizeof untouched);
    assert_int_equal(READ("serve", "--max-pending", "0"), OPTIONS_WRONG);
    assert_memory_equal(&options, &untouched, sizeof options);
}

static void what_makes_no_sense_is_a_usage_error_with_a_message(void **state)
{
    (void)state;
    static const struct {
        const char *words[4];
        const char *says;
    } cases[] = {
        {{NULL}, "which command?"},
        {{""}, "which command?"},
        {{"fly"}, "unknown command \"fly\""},
        {{"Serve"}, "unknown command \"Serve\""},
        {{"--listen", "x"}, "unknown command \"--listen\""},
        {{"serve", "extra"}, "unexpected argument \"extra\""},
        {{"serve", "--", "extra"}, "unexpected argument \"extra\""},
        {{"serve", "--wings"}, "--wings"},
        {{"serve", "-x"}, "'x'"},
        {{"serve", "--listen"}, "requires an argument"},
        {{"init", "--listen", "unix:/a"}, "--listen"},
        {{"init", "--max-pending", "1"}, "--max-pending"},
        {{"status", "--durability", "none"}, "--durability"},
        {{"status", "--map-size", "1MiB"}, "--map-size"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum options_result result = option_words(2, cases[i].words);
        if (result != OPTIONS_WRONG || !strstr(said, cases[i].says))
            FAIL("case %zu: result %d, says %s", i, (int)result, said);
    }
}

static void a_variable_of_another_command_is_not_judged(void **state)
{
    (void)state;
    setenv("CREBITO_LISTEN", "a,b,c,d,e,f,g,h,i", 1);
    setenv("CREBITO_MAX_PENDING", "0", 1);
    assert_int_equal(READ("init"), OPTIONS_RUN);
    assert_int_equal(options.command, COMMAND_INIT);
    assert_int_equal(options.listen_count, 0);
}

static void status_listens_to_what_serve_does(void **state)
{
    (void)state;
    setenv("CREBITO_LISTEN", "unix:/a", 1);
    assert_int_equal(READ("status"), OPTIONS_RUN);
    assert_int_equal(options.command, COMMAND_STATUS);
    assert_string_equal(options.listen[0], "unix:/a");
}

static void version_says_which(void **state)
{
    (void)state;
    assert_int_equal(ASK("--version"), OPTIONS_DONE);
    assert_string_equal(said, "crebito " CREBITO_VERSION "\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(without_any_word_the_defaults_hold, bare_environment),
        cmocka_unit_test_setup(every_option_is_read_from_the_command_line, bare_environment),
        cmocka_unit_test_setup(every_option_is_read_from_the_environment, bare_environment),
        cmocka_unit_test_setup(the_command_line_beats_the_environment, bare_environment),
        cmocka_unit_test_setup(an_empty_variable_is_as_none, bare_environment),
        cmocka_unit_test_setup(database_url_is_read_after_the_own_variable, bare_environment),
        cmocka_unit_test_setup(eight_addresses_are_the_most, bare_environment),
        cmocka_unit_test_setup(a_variable_of_separators_only_is_refused, bare_environment),
        cmocka_unit_test_setup(addresses_longer_than_any_are_refused, bare_environment),
        cmocka_unit_test_setup(values_at_the_edges_of_their_ranges, bare_environment),
        cmocka_unit_test_setup(a_wrong_variable_is_named, bare_environment),
        cmocka_unit_test_setup(a_wrong_command_line_leaves_the_options_untouched, bare_environment),
        cmocka_unit_test_setup(what_makes_no_sense_is_a_usage_error_with_a_message,
                               bare_environment),
        cmocka_unit_test_setup(a_variable_of_another_command_is_not_judged, bare_environment),
        cmocka_unit_test_setup(status_listens_to_what_serve_does, bare_environment),
        cmocka_unit_test_setup(version_says_which, bare_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
