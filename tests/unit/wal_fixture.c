/* SPDX-License-Identifier: MIT
 *
 * wal_fixture.c - see wal_fixture.h.
 */
#include "wal_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/lmdb/folder.h"
#include "unit.h"

char wal_path[FOLDER_BYTES_MAX], wal_file[FOLDER_BYTES_MAX + 8];
int wal_folder_fd;
struct wal wal;
bool largest;

int wal_setup(void **state)
{
    (void)state;
    (void)signal(SIGXFSZ, SIG_IGN);
    temporary_make(wal_path);
    snprintf(wal_file, sizeof wal_file, "%s/" FOLDER_WAL, wal_path);
    if (mkdir(wal_path, 0700) != 0)
        return -1;
    wal_folder_fd = open(wal_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return wal_folder_fd >= 0 ? 0 : -1;
}

int wal_teardown(void **state)
{
    (void)state;
    close(wal_folder_fd);
    temporary_remove(wal_path);
    return 0;
}

void open_wal(void)
{
    assert_true(wal_open(&wal, wal_folder_fd, 0, true, WAL_CREATED_US));
    wal_rewind(&wal);
}

/* --- blocks with contents that their numbers tell --------------------------------------------- */

/* Sizes of a record's value and key, from nothing to the largest, and what is in them. */
struct content {
    uint8_t value[JOURNAL_RECORD_BYTES_MAX], key[IDEMPOTENCY_KEY_BYTES_MAX];
    size_t value_bytes, key_bytes;
};

static struct content content_of(uint64_t sequence)
{
    struct content content;
    content.value_bytes = largest ? sizeof content.value : 1 + sequence * 7 % sizeof content.value;
    content.key_bytes = largest             ? sizeof content.key
                        : sequence % 3 == 0 ? 0
                                            : sequence * 5 % (sizeof content.key + 1);
    memset(content.value, (int)(sequence % 251), sizeof content.value);
    memset(content.key, (int)(sequence % 241), sizeof content.key);
    return content;
}

void make_block(uint64_t sequence, uint32_t records)
{
    wal_begin(&wal);
    for (uint32_t i = 0; i < records; i++) {
        struct content content = content_of(sequence + i);
        wal_add(&wal, content.value, content.value_bytes, content.key, content.key_bytes);
    }
}

int try_block(uint64_t sequence, uint32_t records)
{
    make_block(sequence, records);
    return wal_write(&wal, sequence);
}

void write_block(uint64_t sequence, uint32_t records)
{
    assert_int_equal(try_block(sequence, records), 0);
}

void expect_records(struct wal_block block)
{
    struct wal_record record;
    for (uint32_t i = 0; i < block.records; i++) {
        struct content content = content_of(block.sequence + i);
        assert_true(wal_record(&block, &record));
        assert_int_equal(record.value_bytes, content.value_bytes);
        assert_int_equal(record.key_bytes, content.key_bytes);
        assert_memory_equal(record.value, content.value, content.value_bytes);
        if (content.key_bytes > 0)
            assert_memory_equal(record.key, content.key, content.key_bytes);
    }
    assert_false(wal_record(&block, &record));
}

void expect_block(uint64_t sequence, uint32_t records)
{
    struct wal_block block;
    assert_true(wal_next(&wal, &block));
    assert_int_equal(block.sequence, sequence);
    assert_int_equal(block.records, records);
    expect_records(block);
}

void expect_end(void)
{
    struct wal_block block;
    assert_false(wal_next(&wal, &block));
}

/* `blocks` of `records` each, from `sequence` on. */
void write_lap(uint64_t sequence, uint32_t records, uint32_t blocks)
{
    for (uint32_t i = 0; i < blocks; i++)
        write_block(sequence + (uint64_t)i * records, records);
}

void expect_lap(uint64_t sequence, uint32_t records, uint32_t blocks)
{
    wal_rewind(&wal);
    for (uint32_t i = 0; i < blocks; i++)
        expect_block(sequence + (uint64_t)i * records, records);
    expect_end();
}

/* The file as somebody else would change it. */
void change(uint64_t at, const void *bytes, size_t size)
{
    int fd = open(wal_file, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, size, (off_t)at), size);
    close(fd);
}

void look_at(uint64_t at, void *bytes, size_t size)
{
    assert_int_equal(pread(wal.fd, bytes, size, (off_t)at), size);
}

off_t file_bytes(void)
{
    struct stat status;
    assert_int_equal(stat(wal_file, &status), 0);
    return status.st_size;
}
