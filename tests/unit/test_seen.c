/* SPDX-License-Identifier: MIT
 *
 * test_seen.c - which keys a build has met.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "bank/bounds.h"
#include "store/postgres/seen.h"

enum { KEYS = 50000 };

static struct seen seen;

static int begin(void **state)
{
    (void)state;
    return seen_open(&seen) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    seen_close(&seen);
    return 0;
}

static size_t key_of(char key[KEY_BYTES_MAX], int number)
{
    return (size_t)snprintf(key, KEY_BYTES_MAX, "key-%d", number);
}

static void nothing_is_seen_at_first(void **state)
{
    (void)state;
    assert_false(seen_maybe(&seen, 1, "k", 1));
}

static void what_was_added_is_seen_and_hardly_anything_else(void **state)
{
    (void)state;
    char key[KEY_BYTES_MAX];
    int strangers = 0;
    for (int i = 0; i < KEYS; i++)
        seen_add(&seen, (uint32_t)i % 5 + 1, key, key_of(key, i));
    for (int i = 0; i < KEYS; i++)
        assert_true(seen_maybe(&seen, (uint32_t)i % 5 + 1, key, key_of(key, i)));
    for (int i = KEYS; i < 2 * KEYS; i++)
        strangers += seen_maybe(&seen, (uint32_t)i % 5 + 1, key, key_of(key, i));
    assert_in_range(strangers, 0, 3); /* of each, one in 3 * 10^12 */
}

static void another_clients_key_is_another_key(void **state)
{
    (void)state;
    int strangers = 0;
    seen_add(&seen, 1, "k", 1);
    for (uint32_t client = 2; client < 10000; client++)
        strangers += seen_maybe(&seen, client, "k", 1);
    assert_int_equal(strangers, 0);
}

static void each_byte_of_a_key_counts(void **state)
{
    (void)state;
    char key[KEY_BYTES_MAX];
    memset(key, 'x', sizeof key);
    seen_add(&seen, 1, key, sizeof key);
    for (size_t i = 0; i < sizeof key; i++) {
        key[i] = 'y';
        assert_false(seen_maybe(&seen, 1, key, sizeof key));
        key[i] = 'x';
        assert_false(seen_maybe(&seen, 1, key, i));
    }
    assert_true(seen_maybe(&seen, 1, key, sizeof key));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_seen_at_first),
        TEST(what_was_added_is_seen_and_hardly_anything_else),
        TEST(another_clients_key_is_another_key),
        TEST(each_byte_of_a_key_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
