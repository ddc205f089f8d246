/* SPDX-License-Identifier: MIT
 *
 * lmdb_archive.h - store/archive.h for folders: where the path is, and who may read it.
 *
 * Purpose    Open source and target, and let verify.h, copy.h, reader.h and replay.h do the work.
 * Invariant  As archive.h: a source is read beside its owner; a target has none yet.
 * Ownership  As archive.h.
 * Threads    As archive.h.
 * Errors     As archive.h; sentences name the path.
 * Not here   URLs.
 */
#ifndef CREBITO_STORE_LMDB_ARCHIVE_H
#define CREBITO_STORE_LMDB_ARCHIVE_H

#include "store/archive.h"

MUST_CHECK enum archive_end lmdb_archive_verify(const char *path, struct task *task,
                                                struct archive_facts *ret_facts, char *error,
                                                size_t error_size);

MUST_CHECK enum archive_end lmdb_archive_copy(const char *from, const char *to, struct task *task,
                                              struct archive_facts *ret_facts, char *error,
                                              size_t error_size);

MUST_CHECK enum archive_end lmdb_archive_read(const char *path, const struct archive_range *range,
                                              const struct archive_sink *sink, struct task *task,
                                              char *error, size_t error_size);

MUST_CHECK enum archive_end lmdb_build_begin(struct archive_build **ret, const char *path,
                                             uint64_t map_bytes, int64_t created_us, char *error,
                                             size_t error_size);
MUST_CHECK enum archive_end lmdb_build_add(struct archive_build *build,
                                           const struct archive_record *record, char *error,
                                           size_t error_size);
MUST_CHECK enum archive_end lmdb_build_finish(struct archive_build *build, struct task *task,
                                              struct archive_facts *ret_facts, char *error,
                                              size_t error_size);
void lmdb_build_abandon(struct archive_build *build);

#endif
