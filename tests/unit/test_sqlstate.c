/* SPDX-License-Identifier: MIT
 *
 * test_sqlstate.c - what each error of the server means.
 */
#include "unit.h"

#include <stdio.h>

#include "store/postgres/sqlstate.h"

static const struct {
    const char *state;
    enum outcome outcome;
    bool stale;
} cases[] = {
    /* One alone of its class. */
    {"53100", OUTCOME_NO_SPACE, false}, /* disk_full */
    {"53000", OUTCOME_BUSY, false},     /* insufficient_resources */
    {"53200", OUTCOME_BUSY, false},     /* out_of_memory */
    {"53300", OUTCOME_BUSY, false},     /* too_many_connections */
    {"53400", OUTCOME_BUSY, false},     /* configuration_limit_exceeded */
    {"40001", OUTCOME_BUSY, false},     /* serialization_failure */
    {"40P01", OUTCOME_BUSY, false},     /* deadlock_detected */
    {"23505", OUTCOME_CORRUPT, false},  /* unique_violation */
    {"23514", OUTCOME_CORRUPT, false},  /* check_violation */
    {"22003", OUTCOME_CORRUPT, false},  /* numeric_value_out_of_range */
    {"22P03", OUTCOME_CORRUPT, false},  /* invalid_binary_representation */
    {"XX000", OUTCOME_DOWN, false},     /* internal_error */
    {"XX001", OUTCOME_CORRUPT, false},  /* data_corrupted */
    {"XX002", OUTCOME_CORRUPT, false},  /* index_corrupted */
    {"57014", OUTCOME_DOWN, false},     /* query_canceled */
    {"55P03", OUTCOME_DOWN, false},     /* lock_not_available */
    {"25006", OUTCOME_DOWN, true},      /* read_only_sql_transaction */
    {"26000", OUTCOME_DOWN, true},      /* invalid_sql_statement_name */
    {"0A000", OUTCOME_DOWN, true},      /* feature_not_supported */
    {"3F000", OUTCOME_DOWN, true},      /* invalid_schema_name */
    {"42P01", OUTCOME_DOWN, true},      /* undefined_table */
    {"42883", OUTCOME_DOWN, true},      /* undefined_function */
    {"42501", OUTCOME_DOWN, true},      /* insufficient_privilege */
    /* What the table does not know of. */
    {"57P01", OUTCOME_DOWN, false}, /* admin_shutdown */
    {"25P02", OUTCOME_DOWN, false}, /* in_failed_sql_transaction */
    {"08006", OUTCOME_DOWN, false}, /* connection_failure */
    {"P0001", OUTCOME_DOWN, false}, /* raise_exception */
    {"00000", OUTCOME_DOWN, false}, /* and what is none */
    {"", OUTCOME_DOWN, false},
    {"4", OUTCOME_DOWN, false},
    {"5310", OUTCOME_BUSY, false}, /* of a class, and none of its own */
    {"XX00", OUTCOME_DOWN, false},
    {"a42P0", OUTCOME_DOWN, false},
    {"0A00", OUTCOME_DOWN, false},
    {"xx001", OUTCOME_DOWN, false},
};

static void each_state_has_its_outcome(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (sqlstate_outcome(cases[i].state) != cases[i].outcome)
            FAIL("%s: %d", cases[i].state, (int)sqlstate_outcome(cases[i].state));
}

static void some_say_that_what_we_know_of_the_schema_is_stale(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (sqlstate_is_stale(cases[i].state) != cases[i].stale)
            FAIL("%s", cases[i].state);
}

static void without_a_state_it_is_down_and_not_stale(void **state)
{
    (void)state;
    assert_int_equal(sqlstate_outcome(NULL), OUTCOME_DOWN);
    assert_false(sqlstate_is_stale(NULL));
}

/* Somebody else keeps a row locked, for longer than the statement's time or ours. */
static void two_states_are_timeouts(void **state)
{
    (void)state;
    assert_true(sqlstate_is_timeout("57014"));
    assert_true(sqlstate_is_timeout("55P03"));
    static const char *const others[] = {"", "57", "5701", "57P01", "55006", "40P01", "42P01"};
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_false(sqlstate_is_timeout(others[i]));
    assert_false(sqlstate_is_timeout(NULL));
}

/* The server has answered: so nothing has happened, and that is known. */
static void no_state_means_ok_or_unknown_or_what_a_word_of_the_procedures_means(void **state)
{
    (void)state;
    static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (size_t i = 0; i < sizeof letters - 1; i++)
        for (size_t j = 0; j < sizeof letters - 1; j++) {
            static const char *const rests[] = {"000", "001", "006", "014", "100", "P01", "P03"};
            for (size_t k = 0; k < COUNT_OF(rests); k++) {
                char text[6];
                snprintf(text, sizeof text, "%c%c%s", letters[i], letters[j], rests[k]);
                enum outcome outcome = sqlstate_outcome(text);
                assert_true(outcome == OUTCOME_DOWN || outcome == OUTCOME_BUSY ||
                            outcome == OUTCOME_NO_SPACE || outcome == OUTCOME_CORRUPT);
                assert_true(!sqlstate_is_stale(text) || outcome == OUTCOME_DOWN);
            }
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_state_has_its_outcome),
        cmocka_unit_test(some_say_that_what_we_know_of_the_schema_is_stale),
        cmocka_unit_test(two_states_are_timeouts),
        cmocka_unit_test(without_a_state_it_is_down_and_not_stale),
        cmocka_unit_test(no_state_means_ok_or_unknown_or_what_a_word_of_the_procedures_means),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
