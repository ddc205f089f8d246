/* SPDX-License-Identifier: MIT
 *
 * test_known.c - the clients that are known: what was added is found, what was not is not, and what does
 * not fit is not kept.
 */
#include "unit.h"

#include <pthread.h>
#include <string.h>

#include "bank/bounds.h"
#include "store/known.h"

static struct known known;

static int setup(void **state)
{
    (void)state;
    memset(&known, 0, sizeof known);
    return 0;
}

static void nobody_is_known_at_first(void **state)
{
    (void)state;
    static const uint32_t clients[] = {1, 2, KNOWN_SLOTS, KNOWN_SLOTS + 1, CLIENT_MAX};
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        assert_false(known_has(&known, clients[i]));
}

static void who_was_added_is_known_and_nobody_else(void **state)
{
    (void)state;
    for (uint32_t client = 1; client <= 99; client += 2)
        known_add(&known, client);
    for (uint32_t client = 1; client <= 100; client++)
        assert_int_equal(known_has(&known, client), client % 2);
    assert_int_equal(known.count, 50);
}

static void who_is_added_twice_counts_once(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        known_add(&known, CLIENT_MAX);
    assert_int_equal(known.count, 1);
    assert_true(known_has(&known, CLIENT_MAX));
}

static void clients_of_one_slot_stand_one_after_another(void **state)
{
    (void)state;
    enum { SAME = 20 };
    for (uint32_t i = 0; i < SAME; i++) {
        assert_false(known_has(&known, 7 + i * KNOWN_SLOTS));
        known_add(&known, 7 + i * KNOWN_SLOTS);
    }
    known_add(&known, 8); /* whose slot is taken by one of them */
    for (uint32_t i = 0; i < SAME; i++)
        assert_true(known_has(&known, 7 + i * KNOWN_SLOTS));
    assert_true(known_has(&known, 8));
    assert_false(known_has(&known, 7 + SAME * KNOWN_SLOTS));
    assert_false(known_has(&known, 9));
}

static void those_of_the_last_slot_go_on_at_the_first(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 4; i++)
        known_add(&known, KNOWN_SLOTS - 1 + i * KNOWN_SLOTS);
    for (uint32_t i = 0; i < 4; i++)
        assert_true(known_has(&known, KNOWN_SLOTS - 1 + i * KNOWN_SLOTS));
    assert_int_equal(known.slots[0], 2 * KNOWN_SLOTS - 1);
    assert_false(known_has(&known, KNOWN_SLOTS));
}

static void a_thousand_and_twenty_four_are_kept_and_one_more_is_not(void **state)
{
    (void)state;
    known.all = true;
    for (uint32_t i = 1; i <= KNOWN_MAX; i++)
        known_add(&known, 3 * i);
    assert_int_equal(known.count, KNOWN_MAX);
    assert_true(known.all);
    known_add(&known, 3 * KNOWN_MAX); /* again */
    assert_true(known.all);
    for (int i = 0; i < 3; i++) {
        known_add(&known, 3 * KNOWN_MAX + 1);
        assert_false(known_has(&known, 3 * KNOWN_MAX + 1));
        assert_int_equal(known.count, KNOWN_MAX);
        assert_false(known.all); /* there is somebody whom we do not know */
    }
    for (uint32_t i = 1; i <= KNOWN_MAX; i++) {
        assert_true(known_has(&known, 3 * i));
        assert_false(known_has(&known, 3 * i + 1));
    }
}

static void the_worst_ids_all_of_one_slot_are_kept_as_well(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < KNOWN_MAX; i++)
        known_add(&known, 1 + i * KNOWN_SLOTS);
    for (uint32_t i = 0; i < KNOWN_MAX; i++)
        assert_true(known_has(&known, 1 + i * KNOWN_SLOTS));
    assert_false(known_has(&known, 1 + KNOWN_MAX * KNOWN_SLOTS));
}

/* --- threads -------------------------------------------------------------------------------- */

enum { THREADS = 4, ROUNDS = 40, SHARED = KNOWN_MAX - THREADS };

static uint32_t client_of(uint32_t number)
{
    return 1 + number % 3 + number * 977; /* some share a slot */
}

/* All add the same clients, each from another one on, and look for what they have added. */
static void *add_all(void *context)
{
    uint32_t begin = *(uint32_t *)context;
    for (uint32_t i = 0; i < SHARED; i++) {
        uint32_t client = client_of((begin + i) % SHARED);
        known_add(&known, client);
        if (!known_has(&known, client))
            return &known;
    }
    return NULL;
}

static void several_threads_that_add_the_same_add_each_once(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t threads[THREADS];
        uint32_t begins[THREADS];
        void *missed;
        memset(&known, 0, sizeof known);
        for (uint32_t i = 0; i < THREADS; i++) {
            begins[i] = i / 2 * SHARED / 2; /* two and two begin with the same */
            assert_int_equal(pthread_create(&threads[i], NULL, add_all, &begins[i]), 0);
        }
        bool found = true;
        for (int i = 0; i < THREADS; i++) {
            assert_int_equal(pthread_join(threads[i], &missed), 0);
            found = found && !missed;
        }
        uint32_t used = 0;
        for (uint32_t i = 0; i < KNOWN_SLOTS; i++)
            used += known.slots[i] != 0;
        assert_true(found);
        assert_int_equal(used, SHARED);
        assert_int_equal(known.count, SHARED);
        for (uint32_t i = 0; i < SHARED; i++)
            assert_true(known_has(&known, client_of(i)));
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(nobody_is_known_at_first),
        TEST(who_was_added_is_known_and_nobody_else),
        TEST(who_is_added_twice_counts_once),
        TEST(clients_of_one_slot_stand_one_after_another),
        TEST(those_of_the_last_slot_go_on_at_the_first),
        TEST(a_thousand_and_twenty_four_are_kept_and_one_more_is_not),
        TEST(the_worst_ids_all_of_one_slot_are_kept_as_well),
        TEST(several_threads_that_add_the_same_add_each_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
