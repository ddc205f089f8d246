/* SPDX-License-Identifier: MIT
 *
 * crc32c.h - the checksum of every record on disk.
 *
 * Purpose    CRC-32C (Castagnoli, RFC 3720 section 12.1): catches a record that a disk, a stray
 *            write or a bug has changed, since LMDB 0.9 checks no pages.
 * Invariant  The same value on every machine; on disk, so it never changes.
 * Ownership  Borrows the bytes.
 * Threads    No shared state.
 * Errors     None.
 * Not here   Protection against somebody who can compute a checksum.
 */
#ifndef CREBITO_STORE_LMDB_CRC32C_H
#define CREBITO_STORE_LMDB_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of some bytes after others, whose checksum is `crc`; 0 where there are none, so
 * that extend(extend(0, "ab"), "cd") == extend(0, "abcd"). */
uint32_t crc32c_extend(uint32_t crc, const void *bytes, size_t size);

#endif
