/* SPDX-License-Identifier: MIT
 *
 * test_archive_times.c - the times of a ledger that is built: they never go back, and those of one account
 * rise.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "ledger_fixture.h"
#include "store/archive.h"

static char path[FOLDER_BYTES_MAX], to[FOLDER_BYTES_MAX + 8], error[500];
static struct archive_build *build;
static struct archive_facts facts;
static struct task task;

static int setup(void **state)
{
    (void)state;
    temporary_make(path);
    snprintf(to, sizeof to, "lmdb:%s", path);
    memset(&task, 0, sizeof task);
    return archive_build_begin(&build, to, LEDGER_MAP, 1, error, sizeof error) == ARCHIVE_DONE ? 0
                                                                                               : -1;
}

static int teardown(void **state)
{
    (void)state;
    temporary_remove(path);
    return 0;
}

static enum archive_end add(uint64_t sequence, uint32_t client, enum journal_kind kind,
                            int64_t time_us)
{
    const struct archive_record record = {.journal = {.sequence = sequence,
                                                      .client = client,
                                                      .kind = kind,
                                                      .limit_cents = 9,
                                                      .entry.time_us = time_us}};
    return archive_build_add(build, &record, error, sizeof error);
}

static enum archive_end finish(void)
{
    return archive_build_finish(build, &task, &facts, error, sizeof error);
}

static void expect_says(const char *says)
{
    if (!strstr(error, says))
        FAIL("says \"%s\" and not \"%s\"", error, says);
}

static bool keep_time(void *context, const struct archive_record *record)
{
    int64_t *times = context;
    times[record->journal.sequence] = record->journal.entry.time_us;
    return true;
}

static bool no_beginning(void *context, int64_t created_us)
{
    (void)context;
    return created_us == 1;
}

/* They may have been booked at once, by a store that has several connections. */
static void two_accounts_may_have_records_of_one_time(void **state)
{
    (void)state;
    static const int64_t times[] = {0, 5, 5, 6, 6};
    const struct archive_range all = {.since_us = INT64_MIN};
    int64_t read[COUNT_OF(times)] = {0};
    const struct archive_sink sink = {no_beginning, keep_time, read};
    assert_int_equal(add(1, 1, JOURNAL_OPENING, times[1]), ARCHIVE_DONE);
    assert_int_equal(add(2, 2, JOURNAL_OPENING, times[2]), ARCHIVE_DONE);
    assert_int_equal(add(3, 1, JOURNAL_LIMIT, times[3]), ARCHIVE_DONE);
    assert_int_equal(add(4, 2, JOURNAL_LIMIT, times[4]), ARCHIVE_DONE);
    if (finish() != ARCHIVE_DONE)
        FAIL("%s", error);
    assert_int_equal(archive_read(to, &all, &sink, &task, error, sizeof error), ARCHIVE_DONE);
    assert_memory_equal(read, times, sizeof times);
}

static void one_account_has_no_two_records_of_one_time(void **state)
{
    (void)state;
    assert_int_equal(add(1, 1, JOURNAL_OPENING, 5), ARCHIVE_DONE);
    assert_int_equal(add(2, 2, JOURNAL_OPENING, 5), ARCHIVE_DONE);
    assert_int_equal(add(3, 1, JOURNAL_LIMIT, 5), ARCHIVE_DONE);
    assert_int_equal(finish(), ARCHIVE_WRONG);
    expect_says("journal record 3 (client 1): its time does not rise");
}

static void no_time_goes_back(void **state)
{
    (void)state;
    assert_int_equal(add(1, 1, JOURNAL_OPENING, 5), ARCHIVE_DONE);
    assert_int_equal(add(2, 2, JOURNAL_OPENING, 4), ARCHIVE_WRONG);
    expect_says("client 2: its time goes back");
    archive_build_abandon(build);
}

/* Nothing of it stays in the ledger, its time neither; nor does it make room for an earlier one. */
static void a_refused_record_moves_no_time(void **state)
{
    (void)state;
    assert_int_equal(add(1, 1, JOURNAL_OPENING, 5), ARCHIVE_DONE);
    assert_int_equal(add(2, 1, JOURNAL_OPENING, 9), ARCHIVE_WRONG);
    assert_int_equal(add(2, 1, JOURNAL_OPENING, 5), ARCHIVE_WRONG);
    if (add(2, 2, JOURNAL_OPENING, 6) != ARCHIVE_DONE)
        FAIL("%s", error);
    assert_int_equal(add(3, 2, JOURNAL_OPENING, 6), ARCHIVE_WRONG);
    assert_int_equal(add(3, 3, JOURNAL_OPENING, 5), ARCHIVE_WRONG);
    expect_says("its time goes back");
    archive_build_abandon(build);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(two_accounts_may_have_records_of_one_time),
        TEST(one_account_has_no_two_records_of_one_time),
        TEST(no_time_goes_back),
        TEST(a_refused_record_moves_no_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
