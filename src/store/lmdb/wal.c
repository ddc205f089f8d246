/* SPDX-License-Identifier: MIT
 *
 * wal.c - see wal.h.
 *
 * A block: magic 3, version 1, its bytes 4, ledger's created_us 8, lap 8, sequence 8, number 8, records 4;
 * each record: value's size 1, key's size 1, value, key; CRC 4; zeros up to the next multiple of
 * WAL_ALIGN_BYTES. Where a half begins, and in its first block the places of magic, version and number of records,
 * are the same in every version.
 */
#define _GNU_SOURCE
#include "store/lmdb/wal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/lmdb/bytes.h"
#include "store/lmdb/crc32c.h"
#include "store/lmdb/folder.h"

enum {
    MAGIC = 0x415743 /* "CWA" */,
    MAGIC_BITS = 24,
    /* Another one takes another OP_WIRE_VERSION too: processes of both share no folder. */
    VERSION = 1,
    OURS = VERSION << MAGIC_BITS | MAGIC,
    MAGIC_BYTES = 4, /* with the version */
    RECORDS_AT = 40,
    HEADER_BYTES = 44,
    CRC_BYTES = 4,
    ZEROS_BYTES = 64 << 10,
    FILE_BYTES = WAL_HALVES * WAL_BYTES,
};

static_assert(HEADER_BYTES + BATCH_OPS_MAX * WAL_RECORD_BYTES_MAX + CRC_BYTES <=
                  WAL_BLOCK_BYTES_MAX,
              "a block holds a batch");
static_assert(WAL_BYTES % WAL_ALIGN_BYTES == 0 && WAL_BLOCK_BYTES_MAX % WAL_ALIGN_BYTES == 0,
              "whole pages");

/* --- the file ------------------------------------------------------------------------------- */

/* Written once, so that later writes change nothing but the bytes themselves. */
static bool fill(int fd, off_t from, off_t end)
{
    static const char zeros[ZEROS_BYTES];
    for (off_t at = from; at < end;) {
        size_t rest = (size_t)(end - at);
        ssize_t written = pwrite(fd, zeros, rest < sizeof zeros ? rest : sizeof zeros, at);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            errno = written < 0 ? errno : ENOSPC;
            return false;
        }
        at += written;
    }
    return fsync(fd) == 0;
}

/* Only what is missing: one that was cut short may begin with blocks. Where it does not fit, what has been
 * added goes again, for it would take room from the data file. */
static bool complete(int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return false;
    if (status.st_size >= FILE_BYTES || fill(fd, status.st_size, FILE_BYTES))
        return true;
    int reason = errno;
    (void)!ftruncate(fd, status.st_size);
    errno = reason;
    return false;
}

/* What says that it was closed goes last: without that, what is behind it would count. */
bool wal_wipe(struct wal *wal)
{
    const off_t begin = (off_t)wal->begin, rest = begin + WAL_ALIGN_BYTES;
    wal_restart(wal);
    return fill(wal->fd, rest, begin + WAL_BYTES) && fill(wal->fd, begin, rest);
}

/* What root makes beside somebody's data would lock them out of it. */
static void give_to_owner(int fd, int folder_fd)
{
    struct stat data;
    if (geteuid() == 0 && fstatat(folder_fd, FOLDER_DATA, &data, 0) == 0 && data.st_uid != 0)
        (void)!fchown(fd, data.st_uid, data.st_gid); /* else it is as it would be without this */
}

bool wal_open(struct wal *wal, int folder_fd, uint32_t half, bool durable, int64_t created_us)
{
    int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (durable ? O_DSYNC : 0);
    assert(half < WAL_HALVES);
    *wal = (struct wal){.fd = -1, .begin = (uint64_t)half * WAL_BYTES, .created_us = created_us};
    int fd = openat(folder_fd, FOLDER_WAL, flags, 0600);
    if (fd < 0)
        return false;
    if (!complete(fd) || fsync(folder_fd) != 0) {
        int reason = errno;
        close(fd);
        errno = reason;
        return false;
    }
    give_to_owner(fd, folder_fd);
    wal->fd = fd;
    return true;
}

/* --- making a block ------------------------------------------------------------------------- */

void wal_begin(struct wal *wal)
{
    wal->bytes = HEADER_BYTES;
    wal->records = 0;
}

void wal_add(struct wal *wal, const uint8_t *value, size_t value_bytes, const uint8_t *key,
             size_t key_bytes)
{
    struct bytes_out writer = {wal->block, wal->block + wal->bytes};
    assert(wal->records < BATCH_OPS_MAX && value_bytes <= JOURNAL_RECORD_BYTES_MAX &&
           key_bytes <= IDEMPOTENCY_KEY_BYTES_MAX);
    put_u8(&writer, (unsigned)value_bytes);
    put_u8(&writer, (unsigned)key_bytes);
    put_bytes(&writer, value, value_bytes);
    put_bytes(&writer, key, key_bytes);
    wal->bytes = (size_t)(writer.at - writer.start);
    wal->records++;
}

bool wal_has_room(const struct wal *wal)
{
    return wal->at + WAL_BLOCK_BYTES_MAX <= WAL_BYTES;
}

/* Returns how many bytes to write. */
static size_t seal(struct wal *wal, uint64_t sequence)
{
    size_t bytes = wal->bytes + CRC_BYTES;
    size_t whole = (bytes + WAL_ALIGN_BYTES - 1) / WAL_ALIGN_BYTES * WAL_ALIGN_BYTES;
    struct bytes_out writer = {wal->block, wal->block};
    put_u32(&writer, OURS);
    put_u32(&writer, (uint32_t)bytes);
    put_i64(&writer, wal->created_us);
    put_u64(&writer, wal->at == 0 ? sequence : wal->lap);
    put_u64(&writer, sequence);
    put_u64(&writer, wal->batches + (wal->records > 0));
    put_u32(&writer, wal->records);
    writer.at = wal->block + wal->bytes;
    put_u32(&writer, crc32c_extend(0, wal->block, wal->bytes));
    memset(writer.at, 0, whole - bytes);
    return whole;
}

int wal_write(struct wal *wal, uint64_t sequence)
{
    size_t bytes = seal(wal, sequence), done = 0;
    assert(wal_has_room(wal) && (wal->at == 0 || sequence == wal->next));
    while (done < bytes) {
        ssize_t written = pwrite(wal->fd, wal->block + done, bytes - done,
                                 (off_t)(wal->begin + wal->at + done));
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return written < 0 ? errno : EIO;
        done += (size_t)written;
    }
    if (wal->at == 0)
        wal->lap = sequence;
    wal->next = sequence + wal->records;
    wal->at += bytes;
    wal->batches += wal->records > 0;
    return 0;
}

/* To `read`, no more than `size` and what the half has; returns how many bytes there are. */
static size_t read_at(struct wal *wal, uint64_t at, size_t size)
{
    uint64_t rest = WAL_BYTES - at;
    ssize_t got;
    if (size > rest)
        size = (size_t)rest;
    if (size > sizeof wal->read)
        size = sizeof wal->read;
    do
        got = pread(wal->fd, wal->read, size, (off_t)(wal->begin + at));
    while (got < 0 && errno == EINTR);
    if (got < 0)
        wal->error = errno;
    return got > 0 ? (size_t)got : 0;
}

/* The same, as much as the block says that it has: most are small. */
static size_t read_block(struct wal *wal, uint64_t at)
{
    size_t size = read_at(wal, at, WAL_ALIGN_BYTES);
    struct bytes_in reader = {.at = wal->read, .end = wal->read + size};
    bool ours = get_u32(&reader) == OURS;
    uint32_t bytes = get_u32(&reader);
    return !reader.wrong && ours && bytes > size ? read_at(wal, at, bytes) : size;
}

bool wal_has_it(struct wal *wal)
{
    size_t bytes = wal->bytes + CRC_BYTES;
    return read_at(wal, wal->at, bytes) >= bytes && memcmp(wal->read, wal->block, bytes) == 0;
}

void wal_restart(struct wal *wal)
{
    wal->at = 0;
}

void wal_close(struct wal *wal, uint64_t sequence)
{
    if (wal->fd < 0)
        return;
    if (sequence > 0) {
        wal_begin(wal);
        wal_restart(wal);
        /* Else somebody of this version looks at it, and finds nothing to book. */
        (void)!wal_write(wal, sequence);
    }
    close(wal->fd);
    wal->fd = -1;
}

/* --- reading -------------------------------------------------------------------------------- */

/* What a block says of itself, when it is whole. */
struct header {
    size_t bytes;
    int64_t created_us;
    uint64_t lap, number;
};

/* `bytes`, at most WAL_BLOCK_BYTES_MAX, have been read from where a block may begin. */
static bool decode(struct wal_block *ret, struct header *ret_header, const uint8_t *bytes,
                   size_t size)
{
    struct bytes_in reader = {.at = bytes, .end = bytes + size};
    struct wal_block block;
    struct header header;
    bool ours = get_u32(&reader) == OURS;
    header.bytes = get_u32(&reader);
    header.created_us = get_i64(&reader);
    header.lap = get_u64(&reader);
    block.sequence = get_u64(&reader);
    header.number = get_u64(&reader);
    block.records = get_u32(&reader);
    if (reader.wrong || !ours || header.bytes < HEADER_BYTES + CRC_BYTES || header.bytes > size ||
        block.records > BATCH_OPS_MAX)
        return false;
    block.at = reader.at;
    block.end = bytes + header.bytes - CRC_BYTES;
    *ret = block;
    *ret_header = header;
    return u32_at(block.end) == crc32c_extend(0, bytes, header.bytes - CRC_BYTES);
}

void wal_rewind(struct wal *wal)
{
    wal->at = 0;
    wal->lap = 0;
}

bool wal_next(struct wal *wal, struct wal_block *ret)
{
    struct wal_block block;
    struct header header;
    size_t size = read_block(wal, wal->at);
    if (!decode(&block, &header, wal->read, size) || header.created_us != wal->created_us ||
        block.sequence != (wal->at == 0 ? header.lap : wal->next) ||
        (wal->at > 0 && header.lap != wal->lap))
        return false;
    wal->lap = header.lap;
    wal->next = block.sequence + block.records;
    wal->batches = header.number;
    wal->at += (header.bytes + WAL_ALIGN_BYTES - 1) / WAL_ALIGN_BYTES * WAL_ALIGN_BYTES;
    *ret = block;
    return true;
}

bool wal_record(struct wal_block *block, struct wal_record *ret)
{
    struct bytes_in reader = {.at = block->at, .end = block->end};
    if (block->at == block->end)
        return false;
    ret->value_bytes = get_u8(&reader);
    ret->key_bytes = get_u8(&reader);
    ret->value = reader.at;
    ret->key = reader.at + ret->value_bytes;
    if (reader.wrong || reader.end - reader.at < ret->value_bytes + ret->key_bytes)
        return false; /* only a checksum that happens to be right lets this be */
    block->at = ret->key + ret->key_bytes;
    return true;
}

bool wal_same(const struct wal *wal, const struct wal_block *block)
{
    size_t bytes = wal->bytes - HEADER_BYTES;
    return (size_t)(block->end - block->at) == bytes && wal->records == block->records &&
           memcmp(block->at, wal->block + HEADER_BYTES, bytes) == 0;
}

/* The next whole block from *at on, whosever it is and of whichever lap; *at is behind its begin then. */
static bool find(struct wal *wal, uint64_t *at, struct wal_block *ret, struct header *ret_header)
{
    while (*at < WAL_BYTES) {
        uint64_t here = *at;
        *at += WAL_ALIGN_BYTES;
        if (read_at(wal, here, MAGIC_BYTES) == MAGIC_BYTES && u32_at(wal->read) == OURS &&
            decode(ret, ret_header, wal->read, read_block(wal, here)))
            return true;
    }
    return false;
}

bool wal_is_foreign(struct wal *wal)
{
    struct wal_block block;
    struct header header;
    uint64_t at = 0;
    return find(wal, &at, &block, &header) && header.created_us != wal->created_us &&
           block.records > 0;
}

bool wal_has_foreign(struct wal *wal)
{
    struct wal_block block;
    struct header header;
    for (uint64_t at = 0; find(wal, &at, &block, &header);)
        if (header.created_us != wal->created_us && block.records > 0)
            return true;
    return false;
}

bool wal_goes_beyond(struct wal *wal, uint64_t sequence)
{
    struct wal_block block;
    struct header header;
    for (uint64_t at = 0; find(wal, &at, &block, &header);)
        if (header.created_us == wal->created_us && block.records > 0 && block.sequence >= sequence)
            return true;
    return false;
}

enum wal_other wal_other_version(struct wal *wal)
{
    if (read_at(wal, 0, HEADER_BYTES) < HEADER_BYTES)
        return WAL_NO_OTHER;
    uint32_t begin = u32_at(wal->read);
    if (begin == OURS || (begin & ((1U << MAGIC_BITS) - 1)) != MAGIC)
        return WAL_NO_OTHER;
    return u32_at(wal->read + RECORDS_AT) > 0 ? WAL_OTHER_LEFT : WAL_OTHER_CLOSED;
}

/* --- without its ledger --------------------------------------------------------------------- */

static int open_alone(const char *folder)
{
    char name[4096];
    snprintf(name, sizeof name, "%s/" FOLDER_WAL, folder);
    return open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

/* The first block of a half that is whole, whosever it is. */
static bool look(int fd, uint32_t half, struct wal *wal, struct wal_block *ret)
{
    struct header header;
    uint64_t at = 0;
    *wal = (struct wal){.fd = fd, .begin = (uint64_t)half * WAL_BYTES};
    bool found = find(wal, &at, ret, &header);
    if (found)
        wal->created_us = header.created_us;
    return found;
}

static bool half_was_left(int fd, uint32_t half)
{
    struct wal wal;
    struct wal_block block;
    bool found = look(fd, half, &wal, &block);
    enum wal_other other = wal_other_version(&wal);
    if (wal.error != 0)
        return wal.error != EISDIR && wal.error != ESPIPE; /* those are no file of ours */
    return other == WAL_OTHER_LEFT || (other == WAL_NO_OTHER && found && block.records > 0);
}

bool wal_was_left(const char *folder)
{
    bool left = false;
    int fd = open_alone(folder);
    if (fd < 0)
        return errno != ENOENT; /* whoever may read it is the one to say */
    for (uint32_t half = 0; half < WAL_HALVES; half++)
        left = left || half_was_left(fd, half);
    close(fd);
    return left;
}

uint64_t wal_batches(const char *folder)
{
    struct wal wal;
    struct wal_block block;
    uint64_t batches = 0;
    int fd = open_alone(folder);
    if (fd < 0)
        return 0;
    for (uint32_t half = 0; half < WAL_HALVES; half++) {
        if (!look(fd, half, &wal, &block))
            continue;
        wal_rewind(&wal);
        while (wal_next(&wal, &block))
            continue;
        if (wal.batches > batches)
            batches = wal.batches;
    }
    close(fd);
    return batches;
}
