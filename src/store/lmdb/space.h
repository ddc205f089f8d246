/* SPDX-License-Identifier: MIT
 *
 * space.h - disk space that a commit can count on.
 *
 * Purpose    Find out that the disk is full before a commit begins, when the answer is still "no,
 *            and nothing happened"; and write what comes next over with zeros before it is needed,
 *            so that a commit's flush carries data alone and no news about the file.
 * Invariant  After either call the file owns its first used + needed bytes. Nothing before
 *            used_bytes is ever written.
 * Ownership  Borrows the descriptor of the data file.
 * Threads    One caller; and while a transaction writes, only space_own().
 * Errors     false: there is no room, errno says why. A file system that cannot reserve
 *            (EOPNOTSUPP) is trusted, and a full disk then shows as a failing commit.
 * Not here   LMDB's map size.
 */
#ifndef CREBITO_STORE_LMDB_SPACE_H
#define CREBITO_STORE_LMDB_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "must_check.h"

/* [0, used) LMDB's | [used, written) zeros | [written, reserved) owned by the file, never written
 * | [reserved, capacity) not owned yet */
struct space {
    int fd;
    uint64_t written_bytes, reserved_bytes;
    uint64_t capacity_bytes; /* the map: there is no use in more; a multiple of the page size */
};

/* `used_bytes`: the end of what the last commit uses. */
MUST_CHECK bool space_reserve(struct space *space, uint64_t used_bytes, uint64_t needed_bytes);
/* The same without the zeros: a transaction's pages stand behind used_bytes before its commit counts. */
MUST_CHECK bool space_own(struct space *space, uint64_t used_bytes, uint64_t needed_bytes);

#endif
