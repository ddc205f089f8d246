/* SPDX-License-Identifier: MIT
 *
 * space.h - disk space that a commit can count on.
 *
 * Purpose    Find out that the disk is full before a commit begins, when the answer is still "no,
 *            and nothing happened", and spare a commit from growing the file while it flushes.
 * Invariant  After space_reserve() the file owns its first used + needed bytes.
 * Ownership  Borrows the descriptor of the data file.
 * Threads    One caller.
 * Errors     false: there is no room, errno says why. A file system that cannot reserve
 *            (EOPNOTSUPP) is trusted, and a full disk then shows as a failing commit.
 * Not here   LMDB's map size.
 */
#ifndef CREBITO_STORE_LMDB_SPACE_H
#define CREBITO_STORE_LMDB_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "must_check.h"

struct space {
    int fd;
    uint64_t reserved_bytes; /* from the start of the file; never past capacity_bytes */
    uint64_t capacity_bytes; /* the map: there is no use in reserving more */
};

MUST_CHECK bool space_reserve(struct space *space, uint64_t used_bytes, uint64_t needed_bytes);

#endif
