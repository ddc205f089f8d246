/* SPDX-License-Identifier: MIT
 *
 * space.c - see space.h.
 */
#define _GNU_SOURCE
#include "store/lmdb/space.h"

#include <errno.h>
#include <fcntl.h>

/* One reservation lasts for some 50,000 transactions, and is little to lose on a small disk. */
#define RESERVE_STEP_BYTES (UINT64_C(16) << 20)

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

bool space_reserve(struct space *space, uint64_t used_bytes, uint64_t needed_bytes)
{
    if (used_bytes + needed_bytes <= space->reserved_bytes)
        return true;
    return reserve_to(space, used_bytes + needed_bytes + RESERVE_STEP_BYTES) ||
           reserve_to(space, used_bytes + needed_bytes);
}
