/* SPDX-License-Identifier: MIT
 *
 * test_wal.c - the write-ahead log: what was written is read back in order, and nothing else is.
 */
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/lmdb/bytes.h"
#include "store/lmdb/crc32c.h"
#include "wal_fixture.h"

enum { OTHER_CREATED_US = WAL_CREATED_US + 1 };

/* --- what is written is read ------------------------------------------------------------------ */

static void a_new_file_is_whole_private_and_has_nothing_to_book(void **state)
{
    (void)state;
    struct stat status;
    open_wal();
    expect_end();
    assert_int_equal(stat(wal_file, &status), 0);
    assert_int_equal(status.st_size, WAL_FILE_BYTES);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_true(fcntl(wal.fd, F_GETFL) & O_DSYNC);
    wal_close(&wal, 0);
    assert_false(wal_was_left(wal_path));
    assert_true(wal_open(&wal, wal_folder_fd, 0, false, WAL_CREATED_US));
    assert_false(fcntl(wal.fd, F_GETFL) & O_DSYNC);
    wal_close(&wal, 0);
}

static void a_lap_is_read_back_in_order_by_whoever_opens_it_next(void **state)
{
    (void)state;
    open_wal();
    write_lap(7, 20, 5);
    for (int reader = 0; reader < 3; reader++) {
        expect_lap(7, 20, 5);
        assert_int_equal(wal.lap, 7);
        assert_int_equal(wal.next, 107);
        assert_int_equal(wal.at, 5 * WAL_ALIGN_BYTES);
        wal_close(&wal, 0);
        open_wal();
    }
    expect_lap(7, 20, 5);
    write_block(107, 20); /* whoever has read it may go on */
    expect_lap(7, 20, 6);
    wal_close(&wal, 0);
}

static void the_largest_batch_of_the_largest_records_fits_and_as_many_as_fill_the_file(void **state)
{
    (void)state;
    uint32_t blocks = 0;
    largest = true;
    open_wal();
    for (; wal_has_room(&wal); blocks++)
        write_block(1 + (uint64_t)blocks * BATCH_OPS_MAX, BATCH_OPS_MAX);
    assert_int_equal(wal.at, (uint64_t)blocks * WAL_BLOCK_BYTES_MAX);
    assert_int_equal(blocks, WAL_BYTES / WAL_BLOCK_BYTES_MAX);
    expect_lap(1, BATCH_OPS_MAX, blocks);
    largest = false;
    assert_false(wal_has_room(&wal));
    assert_int_equal(file_bytes(), WAL_FILE_BYTES); /* no block has made it grow */
    wal_restart(&wal);
    assert_true(wal_has_room(&wal));
    wal_close(&wal, 0);
}

/* What was written there before it, or made in the same memory, is not between blocks. */
static void behind_a_block_there_are_zeros_up_to_the_next(void **state)
{
    (void)state;
    static const uint8_t zeros[WAL_ALIGN_BYTES];
    static uint8_t bytes[WAL_ALIGN_BYTES];
    open_wal();
    write_block(1, BATCH_OPS_MAX);
    wal_restart(&wal);
    write_block(1 + BATCH_OPS_MAX, 1);
    look_at(0, bytes, sizeof bytes);
    uint32_t size = u32_at(bytes + 4);
    assert_memory_equal(bytes + size, zeros, sizeof bytes - size);
    wal_close(&wal, 0);
}

/* Small blocks: there is room as long as the largest would have it. */
static void there_is_room_up_to_the_last_place_for_a_block(void **state)
{
    (void)state;
    uint32_t blocks = 0;
    open_wal();
    for (; wal_has_room(&wal); blocks++)
        write_block(1 + blocks, 1);
    assert_int_equal(blocks, (WAL_BYTES - WAL_BLOCK_BYTES_MAX) / WAL_ALIGN_BYTES + 1);
    expect_lap(1, 1, blocks);
    wal_close(&wal, 0);
}

static void try_to_write_without_room(const void *argument)
{
    (void)argument;
    wal.at = WAL_BYTES - WAL_BLOCK_BYTES_MAX + WAL_ALIGN_BYTES;
    (void)!try_block(wal.next, 1);
}

static void leave_a_gap(const void *argument)
{
    (void)argument;
    (void)!try_block(wal.next + 1, 1);
}

static void a_block_without_room_or_after_a_gap_is_our_mistake(void **state)
{
    (void)state;
    open_wal();
    write_block(1, 1);
    assert_true(asserts(try_to_write_without_room, NULL));
    assert_true(asserts(leave_a_gap, NULL));
    wal_close(&wal, 0);
}

static void a_block_is_the_same_as_one_of_the_same_records_only(void **state)
{
    (void)state;
    struct wal_block block;
    open_wal();
    write_block(7, 3);
    wal_rewind(&wal);
    assert_true(wal_next(&wal, &block));
    make_block(7, 3);
    assert_true(wal_same(&wal, &block));
    make_block(8, 3);
    assert_false(wal_same(&wal, &block));
    make_block(7, 2);
    assert_false(wal_same(&wal, &block));
    make_block(7, 4);
    assert_false(wal_same(&wal, &block));
    for (size_t i = 0; i < 3; i++) {
        make_block(7, 3);
        wal.block[wal.bytes - 1 - 40 * i] ^= 1;
        assert_false(wal_same(&wal, &block));
    }
    make_block(7, 3);
    block.end--;
    assert_false(wal_same(&wal, &block));
    block.end++;
    assert_true(wal_same(&wal, &block));
    block.records = 2; /* the bytes agree, and what is said of them does not */
    assert_false(wal_same(&wal, &block));
    wal_close(&wal, 0);
}

/* --- torn, older, another's ------------------------------------------------------------------- */

/* The third of three blocks, as it is in the wal_file, and how much of it counts. */
static uint64_t third_at;
static size_t third_bytes;
static uint8_t third[WAL_BLOCK_BYTES_MAX];

static void write_three(void)
{
    open_wal();
    write_lap(1, 60, 2);
    third_at = wal.at;
    write_block(121, 60);
    assert_true(wal.at - third_at > WAL_ALIGN_BYTES); /* more than one write of a disk's */
    look_at(third_at, third, (size_t)(wal.at - third_at));
    third_bytes = u32_at(third + 4);
    expect_lap(1, 60, 3);
}

static void a_byte_that_is_wrong_anywhere_ends_the_lap_before_its_block(void **state)
{
    (void)state;
    write_three();
    for (size_t at = 0; at < third_bytes; at++)
        for (unsigned flip = 1; flip <= 0x80; flip *= 0x80) {
            uint8_t byte = third[at] ^ (uint8_t)flip;
            change(third_at + at, &byte, 1);
            expect_lap(1, 60, 2);
            change(third_at + at, &third[at], 1);
        }
    uint8_t byte = 1; /* behind its end it may be as it will */
    change(third_at + third_bytes, &byte, 1);
    expect_lap(1, 60, 3);
    wal_close(&wal, 0);
}

static void a_block_whose_end_did_not_arrive_ends_the_lap_before_it(void **state)
{
    (void)state;
    static const uint8_t zeros[WAL_BLOCK_BYTES_MAX];
    write_three();
    for (size_t bytes = 0; bytes <= third_bytes; bytes++) {
        uint32_t whole = bytes < third_bytes ? 2 : 3;
        assert_int_equal(truncate(wal_file, (off_t)(third_at + bytes)), 0);
        expect_lap(1, 60, whole);
        assert_int_equal(truncate(wal_file, WAL_FILE_BYTES), 0);
        bool ends_in_zero = bytes < third_bytes &&
                            memcmp(third + bytes, zeros, third_bytes - bytes) == 0;
        expect_lap(1, 60, ends_in_zero ? 3 : whole);
        change(third_at, third, third_bytes);
    }
    wal_close(&wal, 0);
}

static void a_first_block_that_is_torn_leaves_no_lap(void **state)
{
    (void)state;
    uint8_t byte = 0;
    open_wal();
    write_lap(1, 1, 3);
    change(0, &byte, 1);
    expect_lap(1, 1, 0);
    wal_close(&wal, 0);
    assert_true(wal_was_left(wal_path)); /* others of it are there: whoever opens it judges */
}

static void blocks_of_an_older_lap_are_not_taken(void **state)
{
    (void)state;
    open_wal();
    write_lap(1, 1, 5);
    wal_restart(&wal);
    write_block(6, 1);
    write_block(7, 1);
    expect_lap(6, 1, 2);
    wal_close(&wal, 0);
}

/* What follows is by its number the next one. */
static void an_older_laps_block_that_would_go_on_is_not_taken(void **state)
{
    (void)state;
    open_wal();
    write_lap(1, 1, 3);
    wal_restart(&wal);
    write_block(2, 0);
    wal_rewind(&wal);
    expect_block(2, 0);
    expect_end();
    wal_close(&wal, 0);
}

/* It has the lap's number, and is not the one that follows. */
static void a_block_that_leaves_a_gap_is_not_taken(void **state)
{
    (void)state;
    open_wal();
    write_lap(1, 1, 3);
    wal_restart(&wal);
    write_block(1, 2);
    expect_lap(1, 2, 1);
    wal_close(&wal, 0);
}

static void a_lap_whose_first_block_is_not_its_first_is_none(void **state)
{
    (void)state;
    uint8_t second[WAL_ALIGN_BYTES];
    open_wal();
    write_lap(1, 1, 3);
    look_at(WAL_ALIGN_BYTES, second, sizeof second);
    change(0, second, sizeof second);
    expect_lap(1, 1, 0);
    wal_close(&wal, 0);
}

static void another_ledgers_blocks_are_not_taken(void **state)
{
    (void)state;
    open_wal();
    write_lap(1, 1, 3);
    wal_close(&wal, 0);
    assert_true(wal_open(&wal, wal_folder_fd, 0, true, OTHER_CREATED_US));
    expect_lap(1, 1, 0);
    wal_rewind(&wal);
    write_block(1, 1); /* what was written over by it ends where the other's begins */
    expect_lap(1, 1, 1);
    wal_close(&wal, 0);
}

/* --- anything at all -------------------------------------------------------------------------- */

enum { LAP_BLOCKS = 5, LAP_RECORDS = 40, LAP_BYTES = 2 * LAP_BLOCKS * WAL_ALIGN_BYTES };

static uint8_t lap_bytes[LAP_BYTES], mutated[LAP_BYTES];

static void mutate(void)
{
    memcpy(mutated, lap_bytes, LAP_BYTES);
    for (uint64_t times = random_between(1, 6); times > 0; times--) {
        size_t at = random_between(0, LAP_BYTES - 1), from = random_between(0, LAP_BYTES - 1);
        size_t further = at > from ? at : from;
        size_t size = random_between(1, random_between(0, 1) ? 8 : LAP_BYTES);
        if (size > LAP_BYTES - further)
            size = LAP_BYTES - further;
        switch (random_between(0, 4)) {
        case 0: mutated[at] ^= (uint8_t)(1 << random_between(0, 7)); break;
        case 1: random_fill(mutated + at, size); break;
        case 2: memmove(mutated + at, mutated + from, size); break;
        case 3: memset(mutated + at, random_between(0, 1) ? 0 : 0xff, size); break;
        default: /* whole pages change their places, or a header's numbers change */
            at -= at % WAL_ALIGN_BYTES;
            from -= from % WAL_ALIGN_BYTES;
            if (random_between(0, 1))
                memmove(mutated + at, mutated + from, WAL_ALIGN_BYTES);
            else
                mutated[at + random_between(0, WAL_HEADER_BYTES - 1)] = (uint8_t)random_next();
        }
    }
}

/* Whatever has become of the file: what is taken is a beginning of the lap as it was. */
static void a_file_with_anything_in_it_gives_what_was_written_or_nothing(void **state)
{
    (void)state;
    unsigned whole = 0, none = 0;
    open_wal();
    write_lap(1, LAP_RECORDS, LAP_BLOCKS);
    assert_true(wal.at <= LAP_BYTES);
    look_at(0, lap_bytes, sizeof lap_bytes);
    random_begin();
    for (int round = 0; round < 3000; round++) {
        struct wal_block block;
        uint32_t blocks = 0;
        mutate();
        change(0, mutated, sizeof mutated);
        wal_rewind(&wal);
        for (; wal_next(&wal, &block); blocks++) {
            assert_int_equal(block.sequence, 1 + (uint64_t)blocks * LAP_RECORDS);
            assert_int_equal(block.records, LAP_RECORDS);
            expect_records(block);
        }
        whole += blocks == LAP_BLOCKS;
        none += blocks == 0;
        (void)wal_was_left(wal_path);
        (void)wal_batches(wal_path);
    }
    assert_in_range(none, 1, 2999);
    assert_in_range(whole, 1, 2999);
    wal_close(&wal, 0);
}

static void checksum(uint8_t *bytes, uint32_t size)
{
    struct bytes_out writer = {bytes, bytes + 4};
    put_u32(&writer, size);
    writer.at = bytes + size - 4;
    put_u32(&writer, crc32c_extend(0, bytes, size - 4));
}

static void a_block_of_no_kind_of_ours_or_without_a_header_is_not_taken(void **state)
{
    (void)state;
    static uint8_t bytes[WAL_ALIGN_BYTES], changed[WAL_ALIGN_BYTES];
    open_wal();
    write_block(1, 1);
    look_at(0, bytes, sizeof bytes);
    uint32_t size = u32_at(bytes + 4);
    bytes[0]++;
    checksum(bytes, size);
    change(0, bytes, sizeof bytes);
    expect_lap(1, 1, 0);
    bytes[0]--;
    for (uint32_t short_by = 0; size - short_by >= 8; short_by++) {
        memcpy(changed, bytes, sizeof bytes);
        checksum(changed, size - short_by);
        change(0, changed, sizeof changed);
        struct wal_block block;
        wal_rewind(&wal);
        bool taken = wal_next(&wal, &block);
        assert_int_equal(taken, size - short_by >= WAL_HEADER_BYTES + 4);
    }
    wal_close(&wal, 0);
}

/* The checksum is made right again: then a block may be taken, and is never read past its end. */
static void a_block_of_anything_with_a_right_checksum_is_read_within_its_bounds(void **state)
{
    (void)state;
    struct wal *own = malloc(sizeof *own); /* whose end the sanitizer knows */
    unsigned taken = 0;
    assert_non_null(own);
    open_wal();
    largest = true;
    write_block(1, BATCH_OPS_MAX);
    largest = false;
    static uint8_t bytes[WAL_BLOCK_BYTES_MAX], changed[WAL_BLOCK_BYTES_MAX];
    look_at(0, bytes, sizeof bytes);
    random_begin();
    wal_close(&wal, 0);
    assert_true(wal_open(own, wal_folder_fd, 0, false, WAL_CREATED_US));
    for (int round = 0; round < 3000; round++) {
        struct wal_block block;
        struct wal_record record;
        memcpy(changed, bytes, sizeof bytes);
        uint32_t size = (uint32_t)random_between(WAL_HEADER_BYTES, sizeof bytes);
        if (random_between(0, 3) > 0) { /* where a value ends is told wrongly */
            size_t at = random_between(WAL_HEADER_BYTES, size);
            random_fill(changed + at, size - at < 200 ? size - at : 200);
        } else {
            changed[random_between(0, WAL_HEADER_BYTES - 1)] = (uint8_t)random_next();
        }
        checksum(changed, size);
        change(0, changed, sizeof changed);
        wal_rewind(own);
        if (!wal_next(own, &block))
            continue;
        taken++;
        assert_true(block.records <= BATCH_OPS_MAX);
        while (wal_record(&block, &record))
            assert_true(record.value >= own->read &&
                        record.key + record.key_bytes <= own->read + size - 4);
    }
    assert_in_range(taken, 1000, 3000);
    wal_close(own, 0);
    free(own);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, wal_setup, wal_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_new_file_is_whole_private_and_has_nothing_to_book),
        TEST(a_lap_is_read_back_in_order_by_whoever_opens_it_next),
        TEST(the_largest_batch_of_the_largest_records_fits_and_as_many_as_fill_the_file),
        TEST(behind_a_block_there_are_zeros_up_to_the_next),
        TEST(there_is_room_up_to_the_last_place_for_a_block),
        TEST(a_block_without_room_or_after_a_gap_is_our_mistake),
        TEST(a_block_is_the_same_as_one_of_the_same_records_only),
        TEST(a_byte_that_is_wrong_anywhere_ends_the_lap_before_its_block),
        TEST(a_block_whose_end_did_not_arrive_ends_the_lap_before_it),
        TEST(a_first_block_that_is_torn_leaves_no_lap),
        TEST(blocks_of_an_older_lap_are_not_taken),
        TEST(an_older_laps_block_that_would_go_on_is_not_taken),
        TEST(a_block_that_leaves_a_gap_is_not_taken),
        TEST(a_lap_whose_first_block_is_not_its_first_is_none),
        TEST(another_ledgers_blocks_are_not_taken),
        TEST(a_file_with_anything_in_it_gives_what_was_written_or_nothing),
        TEST(a_block_of_no_kind_of_ours_or_without_a_header_is_not_taken),
        TEST(a_block_of_anything_with_a_right_checksum_is_read_within_its_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
