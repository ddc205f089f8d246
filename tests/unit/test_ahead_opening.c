/* SPDX-License-Identifier: MIT
 *
 * test_ahead_opening.c - what an opening finds in the log that is of no use any more, or that it cannot
 * read: nothing that was booked is lost, and nothing stays in the next one's way.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "ahead_fixture.h"
#include "failing_calls.h"

/* --- what is of no use goes ------------------------------------------------------------------- */

static void close_ledger(void)
{
    view_close(&twin.view);
    ahead_close(&twin.ahead, true);
    own_what_is_used(&twin.environment);
    environment_close(&twin.environment);
    twin.environment.env = NULL;
}

/* Closed, and then its file replaced with an older one: whenever that stops, the next opening goes on. */
static void what_an_older_file_lacks_goes_or_is_closed_still(void **state)
{
    (void)state;
    const uint64_t first = booked = twin.batch.last_sequence;
    keep_file(FOLDER_DATA);
    for (int half = 0; half < WAL_HALVES; half++) {
        for (int i = 0; i < 40; i++) /* more than is written at once */
            book(1, NULL);
        twin_checkpoint();
    }
    close_ledger();
    put_file_back(FOLDER_DATA);
    for (unsigned working = 0;; working++) {
        twin_open_environment(LEDGER_MAP);
        fail_all("pwrite", working, EIO);
        bool opened = twin_try_open();
        if (!fail_none()) {
            assert_true(opened);
            assert_true(working > 2 * WAL_HALVES);
            break;
        }
        assert_false(opened);
        assert_non_null(strstr(twin.error, "cannot be wiped"));
        environment_close(&twin.environment);
        twin.environment.env = NULL;
    }
    assert_int_equal(twin.batch.last_sequence, first);
    for (int half = 0; half < WAL_HALVES; half++)
        assert_false(wal_goes_beyond(&twin.ahead.wals[half], 1));
}

/* The blocks of another ledger's log that was closed are not what a torn block uncovers. */
static void what_another_ledger_left_is_not_found_behind_a_torn_block(void **state)
{
    (void)state;
    static struct wal foreign;
    static const uint8_t value[] = "x";
    close_ledger();
    for (uint32_t half = 0; half < WAL_HALVES; half++) {
        assert_true(
            wal_open(&foreign, twin.folder.fd, half, false, twin.environment.created_us + 1));
        for (uint64_t sequence = 1; sequence <= 3; sequence++) {
            wal_begin(&foreign);
            wal_add(&foreign, value, sizeof value, value, 0);
            assert_int_equal(wal_write(&foreign, sequence), 0);
        }
        wal_close(&foreign, 4);
    }
    twin_open();
    ledger_reopen();
    for (int half = 0; half < WAL_HALVES; half++) {
        uint64_t begin = twin_wal()->begin;
        book(1, NULL);
        twin_checkpoint();
        twin_crash();
        int fd = openat(twin.folder.fd, FOLDER_WAL, O_WRONLY | O_CLOEXEC);
        assert_int_equal(pwrite(fd, "torn", 4, (off_t)begin), 4);
        close(fd);
        twin_open();
        ledger_reopen();
        expect_undone();
        book(2, NULL); /* in either half next */
        twin_checkpoint();
    }
}

/* --- opening fails ---------------------------------------------------------------------------- */

static void an_opening_that_fails_says_why_and_the_next_one_has_all(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned step; /* of thousands, not each */
    } calls[] = {{"mdb_", 0}, {"openat", 0}, {"fstat", 0}, {"fsync", 0}, {"pread", 1}};
    begin_with_some_booked();
    twin_crash();
    for (size_t i = 0; i < COUNT_OF(calls); i++)
        for (unsigned working = 0;; working += 1 + calls[i].step * working / 8) {
            twin_open_environment(LEDGER_MAP);
            twin.error[0] = '\0';
            unsigned files = open_files();
            fail_all(calls[i].name, working, EIO);
            bool opened = ahead_open(&twin.ahead, &twin.folder, false, twin.error,
                                     sizeof twin.error);
            if (!fail_none()) {
                assert_true(opened);
                ahead_close(&twin.ahead, false);
                environment_close(&twin.environment);
                assert_true(working > 0);
                break;
            }
            if (opened) { /* a number was not to be had */
                ahead_close(&twin.ahead, false);
            } else {
                assert_int_equal(open_files(), files);
                assert_non_null(strstr(twin.error, FOLDER_WAL));
                assert_non_null(strstr(twin.error, "Input/output error"));
            }
            environment_close(&twin.environment);
        }
    twin_open();
    ledger_reopen();
    expect_undone();
}

/* Where it is one page that cannot be read, all else says that there is nothing to book. */
static void no_log_is_judged_by_a_part_of_it(void **state)
{
    (void)state;
    begin_with_some_booked();
    twin_crash();
    for (unsigned working = 0;; working += 1 + working / 8) {
        twin_open_environment(LEDGER_MAP);
        fail_one("pread", working, EIO);
        bool opened = ahead_open(&twin.ahead, &twin.folder, false, twin.error, sizeof twin.error);
        bool failed = fail_none();
        assert_int_equal(opened, !failed);
        if (opened)
            ahead_close(&twin.ahead, false);
        environment_close(&twin.environment);
        if (!failed)
            break;
        assert_non_null(strstr(twin.error, "Input/output error"));
    }
    twin_open();
    ledger_reopen();
    expect_undone();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, twin_setup, twin_teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_an_older_file_lacks_goes_or_is_closed_still),
        TEST(what_another_ledger_left_is_not_found_behind_a_torn_block),
        TEST(an_opening_that_fails_says_why_and_the_next_one_has_all),
        TEST(no_log_is_judged_by_a_part_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
