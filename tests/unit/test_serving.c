/* SPDX-License-Identifier: MIT
 *
 * test_serving.c - the state of the store, and what its changes say in the log.
 */
#include "unit.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "store/lmdb/serving.h"

static struct serving serving;
static const char *said;

/* What was said in all, and how often that one thing. */
static unsigned lines(const char *what)
{
    unsigned count = 0;
    for (const char *at = said; (at = strstr(at, what)); at++)
        count++;
    return count;
}

static int fresh(void **state)
{
    (void)state;
    memset(&serving, 0, sizeof serving);
    serving.path = "some/where";
    return 0;
}

static void sleep_ms(long ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static void a_store_without_room_says_so_once_and_goes_on_after_a_quiet_second(void **state)
{
    (void)state;
    enum serving_state full, soon, later;
    capture_begin(STDERR_FILENO);
    serving_committed(&serving); /* nothing new */
    for (int i = 0; i < 3; i++)
        serving_no_room(&serving, "no room at all");
    full = serving_state(&serving);
    serving_committed(&serving);
    soon = serving_state(&serving);
    sleep_ms(1100);
    serving_committed(&serving);
    serving_committed(&serving);
    later = serving_state(&serving);
    said = capture_end();
    assert_int_equal(full, SERVING_FULL);
    assert_int_equal(soon, SERVING_FULL); /* at the brink it would be said at every other entry */
    assert_int_equal(later, SERVING);
    assert_int_equal(lines("the store has no room"), 1);
    assert_int_equal(lines("reason=\"no room at all\""), 1);
    assert_int_equal(lines("takes entries again"), 1);
    assert_int_equal(lines("store=some/where"), 2);
    assert_int_equal(lines("\n"), 2);
}

static void a_store_that_is_down_stays_down(void **state)
{
    (void)state;
    capture_begin(STDERR_FILENO);
    for (int i = 0; i < 3; i++)
        serving_down(&serving, "a reason");
    serving_no_room(&serving, "full");
    sleep_ms(1100);
    serving_committed(&serving);
    said = capture_end();
    assert_int_equal(serving_state(&serving), SERVING_DOWN);
    assert_int_equal(lines("the store is down"), 1);
    assert_int_equal(lines("\n"), 1);
}

static void a_full_store_may_go_down(void **state)
{
    (void)state;
    capture_begin(STDERR_FILENO);
    serving_no_room(&serving, "full");
    serving_down(&serving, "a reason");
    said = capture_end();
    assert_int_equal(serving_state(&serving), SERVING_DOWN);
    assert_int_equal(lines("\n"), 2);
}

static void damage_is_told_at_most_once_a_second(void **state)
{
    (void)state;
    capture_begin(STDERR_FILENO);
    for (int i = 0; i < 1000; i++)
        serving_damage(&serving, 4711);
    sleep_ms(1100);
    serving_damage(&serving, 5);
    said = capture_end();
    assert_int_equal(lines("client=4711"), 1);
    assert_int_equal(lines("client=5\n"), 1);
    assert_int_equal(lines("\n"), 2);
    assert_int_equal(serving_state(&serving), SERVING); /* every other account is served */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_store_without_room_says_so_once_and_goes_on_after_a_quiet_second,
                               fresh),
        cmocka_unit_test_setup(a_store_that_is_down_stays_down, fresh),
        cmocka_unit_test_setup(a_full_store_may_go_down, fresh),
        cmocka_unit_test_setup(damage_is_told_at_most_once_a_second, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
