/* SPDX-License-Identifier: MIT
 *
 * test_accounts.c - every account of a build, however many there are.
 */
#include "unit.h"

#include <stdlib.h>

#include "store/postgres/accounts.h"

enum { MANY = 100000 };

static struct accounts accounts;

static int begin(void **state)
{
    (void)state;
    return accounts_open(&accounts) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    accounts_close(&accounts);
    return 0;
}

static void a_new_client_has_no_history(void **state)
{
    (void)state;
    const struct history *history = accounts_of(&accounts, 7);
    assert_int_equal(history->client, 7);
    assert_true(history_sane(history) && history->last_sequence == 0);
    assert_int_equal(accounts.count, 1);
}

static void the_same_client_has_the_same_history(void **state)
{
    (void)state;
    static const uint32_t clients[] = {1, 2, 1025, 2049, CLIENT_MAX, CLIENT_MAX - 1};
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        accounts_of(&accounts, clients[i])->last_sequence = i + 1;
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        assert_int_equal(accounts_of(&accounts, clients[i])->last_sequence, i + 1);
    assert_int_equal(accounts.count, COUNT_OF(clients));
}

/* Ids that come one after the other, far apart, or from anywhere. */
static uint32_t id_of(int manner, uint32_t number)
{
    switch (manner) {
    case 0: return number;
    case 1: return number * 16384;
    default: return (uint32_t)(1 + number * UINT64_C(2654435761) % CLIENT_MAX);
    }
}

static void histories_stay_when_the_table_grows(void **state)
{
    (void)state;
    for (int manner = 0; manner < 3; manner++) {
        accounts_close(&accounts);
        assert_true(accounts_open(&accounts));
        for (uint32_t i = 1; i <= MANY; i++)
            accounts_of(&accounts, id_of(manner, i))->last_sequence = i;
        assert_int_equal(accounts.count, MANY);
        assert_true(accounts.size / 4 * 3 >= MANY);
        for (uint32_t i = 1; i <= MANY; i++)
            assert_int_equal(accounts_of(&accounts, id_of(manner, i))->last_sequence, i);
        assert_int_equal(accounts.count, MANY);
    }
}

static void each_is_met_once_on_a_walk(void **state)
{
    (void)state;
    static bool met[MANY + 1];
    const struct history *history;
    uint64_t slot = 0, count = 0;
    for (uint32_t i = 1; i <= MANY; i++)
        accounts_of(&accounts, i)->last_sequence = 1;
    while ((history = accounts_next(&accounts, &slot)) != NULL) {
        assert_in_range(history->client, 1, MANY);
        assert_false(met[history->client]);
        met[history->client] = true;
        count++;
    }
    assert_int_equal(count, MANY);
}

static void nobody_is_met_where_nobody_is(void **state)
{
    (void)state;
    uint64_t slot = 0;
    assert_null(accounts_next(&accounts, &slot));
}

static void ask_for_nobody(const void *argument)
{
    (void)argument;
    (void)!accounts_of(&accounts, 0);
}

static void nobody_is_asked_for(void **state)
{
    (void)state;
    assert_true(asserts(ask_for_nobody, NULL));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_client_has_no_history),         TEST(the_same_client_has_the_same_history),
        TEST(histories_stay_when_the_table_grows), TEST(each_is_met_once_on_a_walk),
        TEST(nobody_is_met_where_nobody_is),       TEST(nobody_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
