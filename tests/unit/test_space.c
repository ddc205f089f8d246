/* SPDX-License-Identifier: MIT
 *
 * test_space.c - room is made ahead of use, never at the cost of what is there.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failing_calls.h"
#include "store/lmdb/space.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)

enum { USED = 100 * 1024, NEEDED = 50 * 1024 };

static int fd;

static int setup(void **state)
{
    char name[] = "/tmp/crebito-unit-XXXXXX", used[1024];
    (void)state;
    fd = mkstemp(name);
    memset(used, 'u', sizeof used);
    for (int i = 0; i < USED; i += (int)sizeof used)
        if (write(fd, used, sizeof used) != (ssize_t)sizeof used)
            return -1;
    return unlink(name);
}

static int teardown(void **state)
{
    (void)state;
    return close(fd);
}

static uint64_t file_bytes(void)
{
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    return (uint64_t)status.st_size;
}

/* `what` in all of [from, to). */
static void expect_content(uint64_t from, uint64_t to, char what)
{
    char bytes[1024];
    for (; from < to; from += sizeof bytes) {
        size_t count = to - from < sizeof bytes ? (size_t)(to - from) : sizeof bytes;
        assert_int_equal(pread(fd, bytes, count, (off_t)from), count);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(bytes[i], what);
    }
}

static void the_file_owns_what_is_needed_and_what_is_used_stays(void **state)
{
    (void)state;
    struct space space = {.fd = fd, .capacity_bytes = 1024 * MIB};
    assert_true(space_reserve(&space, USED, NEEDED));
    assert_true(space.reserved_bytes >= USED + NEEDED);
    assert_true(file_bytes() >= USED + NEEDED);
    assert_true(space.written_bytes >= USED && space.written_bytes <= space.reserved_bytes);
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    assert_true((uint64_t)status.st_blocks * 512 >= USED + NEEDED);
    expect_content(0, USED, 'u');
    expect_content(USED, USED + NEEDED, '\0');
}

static void what_was_used_since_is_not_written_over(void **state)
{
    (void)state;
    struct space space = {.fd = fd, .capacity_bytes = 1024 * MIB};
    uint64_t used = USED;
    char page[4096];
    memset(page, 'u', sizeof page);
    while (used < 3 * MIB) {
        assert_true(space_reserve(&space, used, NEEDED));
        for (int pages = 0; pages < 7; pages++, used += sizeof page)
            assert_int_equal(pwrite(fd, page, sizeof page, (off_t)used), sizeof page);
    }
    assert_true(space_reserve(&space, used, NEEDED));
    expect_content(0, used, 'u');
}

static void no_more_than_the_map_is_taken(void **state)
{
    (void)state;
    struct space space = {.fd = fd, .capacity_bytes = USED + 64 * KIB};
    assert_true(space_reserve(&space, USED, NEEDED));
    assert_true(
        space_reserve(&space, USED + 32 * KIB, NEEDED)); /* the map's end is LMDB's to tell */
    assert_true(space_reserve(&space, USED + 64 * KIB, NEEDED));
    assert_int_equal(space.reserved_bytes, USED + 64 * KIB);
    assert_int_equal(file_bytes(), USED + 64 * KIB);
}

static void without_room_for_more_what_is_needed_is_enough_and_else_it_says_no(void **state)
{
    (void)state;
    struct space space = {.fd = fd, .capacity_bytes = 1024 * MIB};
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = USED + NEEDED;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    bool fits = space_reserve(&space, USED, NEEDED);
    uint64_t reserved = space.reserved_bytes;
    errno = 0;
    bool more = space_reserve(&space, USED, NEEDED + 4096);
    int reason = errno;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(fits);
    assert_int_equal(reserved, USED + NEEDED);
    assert_false(more);
    assert_int_equal(reason, EFBIG);
    assert_true(space_reserve(&space, USED, NEEDED + 4096)); /* there is room again */
    expect_content(0, USED, 'u');
}

static void an_interrupted_call_is_made_again(void **state)
{
    (void)state;
    static const char *const calls[] = {"fallocate", "pwrite"};
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        struct space space = {.fd = fd, .capacity_bytes = 1024 * MIB};
        fail_one(calls[i], 0, EINTR);
        assert_true(space_reserve(&space, USED, NEEDED));
        assert_true(fail_none());
        assert_true(space.written_bytes > USED);
        expect_content(USED, USED + NEEDED, '\0');
    }
}

/* There the zeros that are written ahead are all that can be had. */
static void a_file_system_that_cannot_reserve_is_no_full_one(void **state)
{
    (void)state;
    static const int cannot[] = {EOPNOTSUPP, ENOSYS};
    for (size_t i = 0; i < COUNT_OF(cannot); i++) {
        struct space space = {.fd = fd, .capacity_bytes = 1024 * MIB};
        fail_all("fallocate", 0, cannot[i]);
        assert_true(space_reserve(&space, USED, NEEDED));
        assert_true(fail_none());
        expect_content(USED, USED + NEEDED, '\0');
    }
}

static void a_disk_that_takes_no_more_has_no_room(void **state)
{
    (void)state;
    static const char *const calls[] = {"fallocate", "pwrite"};
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        struct space space = {.fd = fd, .capacity_bytes = 1024 * MIB};
        fail_all(calls[i], 0, ENOSPC);
        errno = 0;
        assert_false(space_reserve(&space, USED, NEEDED));
        assert_int_equal(errno, ENOSPC);
        assert_true(fail_none());
        expect_content(0, USED, 'u');
        assert_true(space_reserve(&space, USED, NEEDED));
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_file_owns_what_is_needed_and_what_is_used_stays),
        TEST(what_was_used_since_is_not_written_over),
        TEST(no_more_than_the_map_is_taken),
        TEST(without_room_for_more_what_is_needed_is_enough_and_else_it_says_no),
        TEST(an_interrupted_call_is_made_again),
        TEST(a_file_system_that_cannot_reserve_is_no_full_one),
        TEST(a_disk_that_takes_no_more_has_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
