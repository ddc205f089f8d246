/* SPDX-License-Identifier: MIT
 *
 * space.c - see space.h.
 */
#define _GNU_SOURCE
#include "store/lmdb/space.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* One reservation lasts for some 50,000 transactions, and is little to lose on a small disk. */
#define RESERVE_STEP_BYTES (UINT64_C(16) << 20)

/* Zeros for some 900 transactions: little enough that the flush that carries them is not slow. */
enum { WRITE_STEP_BYTES = 256 << 10, ZEROS_BYTES = 64 << 10 };

static bool reserve_to(struct space *space, uint64_t end)
{
    if (end > space->capacity_bytes)
        end = space->capacity_bytes;
    if (end <= space->reserved_bytes)
        return true;
    int result;
    do
        result = fallocate(space->fd, 0, (off_t)space->reserved_bytes,
                           (off_t)(end - space->reserved_bytes));
    while (result != 0 && errno == EINTR);
    if (result != 0 && errno != EOPNOTSUPP && errno != ENOSYS)
        return false;
    space->reserved_bytes = end;
    return true;
}

/* Reserved blocks are marked as never written; changing that is metadata, which fdatasync must
 * flush as well. Done here it is done once for each step and not once for each commit. */
static bool write_ahead(struct space *space, uint64_t used_bytes)
{
    static char zeros[ZEROS_BYTES];
    if (space->written_bytes < used_bytes)
        space->written_bytes = used_bytes;
    uint64_t end = used_bytes + UINT64_C(2) * WRITE_STEP_BYTES;
    if (end > space->reserved_bytes)
        end = space->reserved_bytes;
    if (space->written_bytes >= used_bytes + WRITE_STEP_BYTES)
        return true;
    while (space->written_bytes < end) {
        uint64_t left = end - space->written_bytes;
        ssize_t written = pwrite(space->fd, zeros, left < ZEROS_BYTES ? left : ZEROS_BYTES,
                                 (off_t)space->written_bytes);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        space->written_bytes += (uint64_t)written;
    }
    return true;
}

bool space_own(struct space *space, uint64_t used_bytes, uint64_t needed_bytes)
{
    uint64_t end = used_bytes + needed_bytes;
    return end <= space->reserved_bytes || reserve_to(space, end + RESERVE_STEP_BYTES) ||
           reserve_to(space, end);
}

bool space_reserve(struct space *space, uint64_t used_bytes, uint64_t needed_bytes)
{
    return space_own(space, used_bytes, needed_bytes) && write_ahead(space, used_bytes);
}
