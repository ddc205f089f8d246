/* SPDX-License-Identifier: MIT
 *
 * test_wal_file.c - the write-ahead log's file: writes that fail, opening and closing, and what is
 * told of it without its ledger.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failing_calls.h"
#include "wal_fixture.h"

/* --- writes that fail ------------------------------------------------------------------------- */

static void a_block_that_cannot_be_written_leaves_the_lap_and_its_place(void **state)
{
    (void)state;
    static const int errors[] = {ENOSPC, EDQUOT, EIO};
    open_wal();
    for (uint32_t i = 0; i < COUNT_OF(errors); i++) {
        write_block(1 + i, 1);
        fail_one("pwrite", 0, errors[i]);
        int result = try_block(2 + i, 5);
        assert_true(fail_none());
        assert_int_equal(result, errors[i]);
        assert_int_equal(wal.next, 2 + i);
        assert_int_equal(wal.batches, 1 + i);
        assert_int_equal(wal.at, (1 + i) * WAL_ALIGN_BYTES);
    }
    expect_lap(1, 1, COUNT_OF(errors));
    wal_close(&wal, 0);
}

static void a_lap_whose_first_block_fails_has_not_begun(void **state)
{
    (void)state;
    open_wal();
    write_lap(1, 1, 2);
    wal_restart(&wal);
    fail_one("pwrite", 0, ENOSPC);
    int result = try_block(3, 1);
    assert_true(fail_none());
    assert_int_equal(result, ENOSPC);
    write_block(5, 1); /* others may have been booked without it */
    write_block(6, 1);
    expect_lap(5, 1, 2);
    wal_close(&wal, 0);
}

/* The disk takes part of it, and then no more. */
static void a_block_that_was_written_in_part_is_written_over_by_the_next(void **state)
{
    (void)state;
    struct rlimit before, little;
    open_wal();
    write_lap(1, 60, 2);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    little = before;
    little.rlim_cur = wal.at + WAL_ALIGN_BYTES;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    int result = try_block(121, 60);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(result, EFBIG);
    assert_int_equal(wal.next, 121);
    uint64_t at = wal.at;
    expect_lap(1, 60, 2);
    assert_int_equal(wal.at, at);
    write_block(121, 60);
    expect_lap(1, 60, 3);
    wal_close(&wal, 0);
}

static void a_write_that_a_signal_interrupts_goes_on(void **state)
{
    (void)state;
    fail_one("pwrite", 3, EINTR);
    open_wal();
    assert_true(fail_none());
    fail_one("pwrite", 0, EINTR);
    write_block(1, 1);
    assert_true(fail_none());
    expect_lap(1, 1, 1);
    wal_close(&wal, 0);
}

/* --- opening and closing ---------------------------------------------------------------------- */

static void a_log_that_was_closed_has_nothing_to_book_and_one_that_was_not_has(void **state)
{
    (void)state;
    open_wal();
    write_lap(1, 1, 3);
    assert_true(wal_was_left(wal_path));
    wal_close(&wal, 0);
    assert_true(wal_was_left(wal_path));
    open_wal();
    expect_lap(1, 1, 3);
    wal_close(&wal, 4);
    assert_false(wal_was_left(wal_path));
    open_wal();
    struct wal_block block;
    assert_true(wal_next(&wal, &block));
    assert_int_equal(block.sequence, 4);
    assert_int_equal(block.records, 0);
    expect_end();
    wal_close(&wal, 0);
    assert_int_equal(wal.fd, -1);
    unsigned files = open_files();
    wal_close(&wal, 4); /* there is none any more */
    assert_int_equal(open_files(), files);
}

static void a_log_that_cannot_be_closed_is_one_that_was_left(void **state)
{
    (void)state;
    open_wal();
    write_lap(1, 1, 1);
    fail_all("pwrite", 0, ENOSPC);
    wal_close(&wal, 2);
    assert_true(fail_none());
    assert_int_equal(wal.fd, -1);
    assert_true(wal_was_left(wal_path));
}

/* What nobody can look at may be what nobody else has. */
static void a_log_that_cannot_be_read_is_one_that_was_left(void **state)
{
    (void)state;
    unsigned working = 0;
    open_wal();
    write_lap(1, BATCH_OPS_MAX, 2);
    wal_close(&wal, 1 + 2 * BATCH_OPS_MAX);
    assert_false(wal_was_left(wal_path));
    for (;; working++) {
        fail_one("pread", working, EIO);
        bool left = wal_was_left(wal_path);
        if (!fail_none())
            break;
        assert_true(left);
    }
    assert_true(working > 0);
    open_wal();
    for (uint32_t i = 0; i < 2; i++) { /* what it says of itself, then what is in it */
        fail_one("pread", i, EIO);
        (void)!wal_goes_beyond(&wal, 1);
        assert_true(fail_none());
        assert_int_equal(wal.error, EIO);
        wal.error = 0;
    }
    wal_close(&wal, 0);
}

static void batches_are_counted_over_laps_and_openings(void **state)
{
    (void)state;
    open_wal();
    unsigned files = open_files();
    assert_int_equal(wal_batches(wal_path), 0);
    write_lap(1, 10, 3);
    assert_int_equal(wal_batches(wal_path), 3);
    assert_true(wal_was_left(wal_path));
    assert_int_equal(open_files(), files);
    wal_restart(&wal);
    wal.batches += 5; /* that were not written here */
    write_block(51, 1);
    assert_int_equal(wal_batches(wal_path), 9);
    wal_close(&wal, 52);
    assert_int_equal(wal_batches(wal_path), 9); /* that was none */
    open_wal();
    wal_rewind(&wal);
    struct wal_block block;
    while (wal_next(&wal, &block))
        continue;
    assert_int_equal(wal.batches, 9);
    wal_restart(&wal);
    write_block(52, 1);
    assert_int_equal(wal_batches(wal_path), 10);
    wal_close(&wal, 0);
}

/* --- two halves ------------------------------------------------------------------------------- */

static struct wal other_half;

static void expect_no_lap(struct wal *half)
{
    struct wal_block block;
    wal_rewind(half);
    assert_false(wal_next(half, &block));
}

static void open_halves(void)
{
    open_wal();
    assert_true(wal_open(&other_half, wal_folder_fd, 1, true, WAL_CREATED_US));
    expect_no_lap(&other_half);
}

static void write_other(uint64_t sequence)
{
    static const uint8_t value[] = "x";
    wal_begin(&other_half);
    wal_add(&other_half, value, sizeof value, value, 0);
    assert_int_equal(wal_write(&other_half, sequence), 0);
}

/* Also where one is full. */
static void what_is_in_one_half_is_not_in_the_other(void **state)
{
    (void)state;
    uint32_t blocks = 0;
    open_halves();
    for (; wal_has_room(&wal); blocks++)
        write_block(1 + blocks, 1);
    expect_no_lap(&other_half);
    assert_false(wal_goes_beyond(&other_half, 1));
    write_other(1 + blocks);
    expect_lap(1, 1, blocks);
    assert_false(wal_goes_beyond(&wal, 1 + blocks));
    assert_true(wal_wipe(&wal));
    expect_lap(1, 1, 0);
    struct wal_block block;
    wal_rewind(&other_half);
    assert_true(wal_next(&other_half, &block));
    assert_int_equal(block.sequence, 1 + blocks);
    assert_true(wal_wipe(&other_half));
    expect_no_lap(&other_half);
    assert_int_equal(file_bytes(), WAL_FILE_BYTES);
    wal_close(&wal, 0);
    wal_close(&other_half, 0);
}

/* A checksum that happens to be right does not make its block go on in the other half. */
static void a_block_ends_with_its_half(void **state)
{
    (void)state;
    static uint8_t bytes[WAL_BLOCK_BYTES_MAX];
    open_halves();
    largest = true;
    write_block(1, BATCH_OPS_MAX);
    largest = false;
    look_at(0, bytes, sizeof bytes);
    assert_true(wal_wipe(&wal));
    change(WAL_BYTES - WAL_ALIGN_BYTES, bytes, sizeof bytes);
    assert_false(wal_goes_beyond(&wal, 1));
    change(WAL_BYTES - WAL_BLOCK_BYTES_MAX, bytes, sizeof bytes);
    assert_true(wal_goes_beyond(&wal, 1));
    wal_close(&wal, 0);
    wal_close(&other_half, 0);
}

static void a_log_was_left_if_one_of_its_halves_was(void **state)
{
    (void)state;
    open_halves();
    write_block(1, 1);
    write_other(2);
    write_block(2, 1);
    assert_int_equal(wal_batches(wal_path), 2);
    other_half.batches = 5;
    write_other(3);
    assert_int_equal(wal_batches(wal_path), 6);
    wal_close(&wal, 4);
    assert_true(wal_was_left(wal_path));
    wal_close(&other_half, 4);
    assert_false(wal_was_left(wal_path));
    assert_int_equal(wal_batches(wal_path), 6);
    open_wal();
    wal_restart(&wal);
    write_block(4, 1);
    wal_close(&wal, 0);
    assert_true(wal_was_left(wal_path));
}

/* Only what a half begins with tells, and not what an older one of ours left behind it. */
static void a_half_of_another_version_was_left_if_its_first_block_has_records(void **state)
{
    (void)state;
    static const uint8_t zeros[WAL_HALVES * 4], one[4] = {1};
    for (uint64_t half = 0; half < WAL_HALVES; half++) {
        const uint64_t begin = half * WAL_BYTES, version_at = begin + 3, records_at = begin + 40;
        uint8_t version, other;
        open_halves();
        struct wal *here = half == 0 ? &wal : &other_half;
        write_lap(1, 1, 3);
        write_other(4);
        write_other(5);
        wal_close(&wal, 6);
        wal_close(&other_half, 6);
        assert_false(wal_was_left(wal_path));
        open_wal();
        assert_true(wal_open(&other_half, wal_folder_fd, 1, true, WAL_CREATED_US));
        look_at(version_at, &version, 1);
        for (unsigned changed = 0; changed <= UINT8_MAX; changed++) {
            other = (uint8_t)changed;
            change(version_at, &other, 1);
            change(records_at, zeros, 4);
            assert_int_equal(wal_other_version(here),
                             other == version ? WAL_NO_OTHER : WAL_OTHER_CLOSED);
            assert_false(other != version && wal_was_left(wal_path));
            change(records_at, one, 4);
            assert_int_equal(wal_other_version(here),
                             other == version ? WAL_NO_OTHER : WAL_OTHER_LEFT);
            assert_true(wal_was_left(wal_path));
        }
        wal_close(&wal, 0);
        wal_close(&other_half, 0);
        assert_int_equal(unlink(wal_file), 0);
    }
}

static void a_folder_without_a_log_or_with_what_is_none_has_nothing_to_book(void **state)
{
    (void)state;
    static const char text[] = "what is this?";
    unsigned files = open_files();
    assert_false(wal_was_left(wal_path));
    assert_int_equal(wal_batches(wal_path), 0);
    assert_false(wal_was_left("/nowhere/at/all"));
    int fd = open(wal_file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    for (int i = 0; i < 2; i++) { /* empty, then text */
        assert_false(wal_was_left(wal_path));
        assert_int_equal(wal_batches(wal_path), 0);
        assert_int_equal(pwrite(fd, text, sizeof text, 0), sizeof text);
    }
    close(fd);
    assert_int_equal(unlink(wal_file), 0);
    assert_int_equal(mkfifo(wal_file, 0600), 0); /* nobody is waited for */
    assert_false(wal_was_left(wal_path));
    assert_int_equal(unlink(wal_file), 0);
    assert_int_equal(mkdir(wal_file, 0700), 0);
    assert_false(wal_was_left(wal_path));
    assert_int_equal(wal_batches(wal_path), 0);
    assert_int_equal(open_files(), files);
}

static void what_is_no_file_of_ours_is_not_opened(void **state)
{
    (void)state;
    char target[FOLDER_BYTES_MAX + 20];
    unsigned files = open_files();
    snprintf(target, sizeof target, "%s/elsewhere", wal_path);
    assert_int_equal(symlink(target, wal_file), 0);
    assert_false(wal_open(&wal, wal_folder_fd, 0, true, WAL_CREATED_US));
    assert_int_equal(errno, ELOOP);
    assert_int_equal(wal.fd, -1);
    assert_int_equal(unlink(wal_file), 0);
    assert_int_equal(mkdir(wal_file, 0700), 0);
    assert_false(wal_open(&wal, wal_folder_fd, 0, true, WAL_CREATED_US));
    assert_int_equal(errno, EISDIR);
    assert_int_equal(wal.fd, -1);
    assert_int_equal(open_files(), files);
}

static void a_file_that_cannot_be_made_says_why_and_is_completed_later(void **state)
{
    (void)state;
    static const struct {
        const char *call;
        unsigned working;
        int error;
    } failures[] = {{"openat", 0, EACCES}, {"fstat", 0, EIO}, {"pwrite", 0, ENOSPC},
                    {"pwrite", 3, ENOSPC}, {"fsync", 0, EIO}, {"fsync", 1, EIO}};
    for (size_t i = 0; i < COUNT_OF(failures); i++) {
        unsigned files = open_files();
        (void)unlink(wal_file);
        fail_one(failures[i].call, failures[i].working, failures[i].error);
        bool opened = wal_open(&wal, wal_folder_fd, 0, true, WAL_CREATED_US);
        int reason = errno;
        assert_true(fail_none());
        assert_false(opened);
        assert_int_equal(reason, failures[i].error);
        assert_int_equal(wal.fd, -1);
        assert_int_equal(open_files(), files);
        open_wal();
        assert_int_equal(file_bytes(), WAL_FILE_BYTES);
        expect_end();
        write_lap(1, 1, 2);
        expect_lap(1, 1, 2);
        wal_close(&wal, 0);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, wal_setup, wal_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_block_that_cannot_be_written_leaves_the_lap_and_its_place),
        TEST(a_lap_whose_first_block_fails_has_not_begun),
        TEST(a_block_that_was_written_in_part_is_written_over_by_the_next),
        TEST(a_write_that_a_signal_interrupts_goes_on),
        TEST(a_log_that_was_closed_has_nothing_to_book_and_one_that_was_not_has),
        TEST(a_log_that_cannot_be_closed_is_one_that_was_left),
        TEST(a_log_that_cannot_be_read_is_one_that_was_left),
        TEST(batches_are_counted_over_laps_and_openings),
        TEST(what_is_in_one_half_is_not_in_the_other),
        TEST(a_block_ends_with_its_half),
        TEST(a_log_was_left_if_one_of_its_halves_was),
        TEST(a_half_of_another_version_was_left_if_its_first_block_has_records),
        TEST(a_folder_without_a_log_or_with_what_is_none_has_nothing_to_book),
        TEST(what_is_no_file_of_ours_is_not_opened),
        TEST(a_file_that_cannot_be_made_says_why_and_is_completed_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
