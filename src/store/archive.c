/* SPDX-License-Identifier: MIT
 *
 * archive.c - see archive.h.
 *
 * There is one kind of store so far; where there are more, the URL tells them apart here.
 */
#include "store/archive.h"

#include "store/lmdb/lmdb_archive.h"
#include "store/lmdb/target.h"
#include "store/url.h"

enum archive_end archive_verify(const char *url, struct task *task, struct archive_facts *ret_facts,
                                char *error, size_t error_size)
{
    if (!url_known(url, error, error_size))
        return ARCHIVE_UNREADABLE;
    return lmdb_archive_verify(url_lmdb_path(url), task, ret_facts, error, error_size);
}

enum archive_end archive_copy(const char *from_url, const char *to_url, struct task *task,
                              struct archive_facts *ret_facts, char *error, size_t error_size)
{
    if (!url_known(from_url, error, error_size) || !url_known(to_url, error, error_size))
        return ARCHIVE_UNREADABLE;
    return lmdb_archive_copy(url_lmdb_path(from_url), url_lmdb_path(to_url), task, ret_facts, error,
                             error_size);
}

void archive_clear(const char *url)
{
    char ignored[256];
    if (url_known(url, ignored, sizeof ignored))
        target_clear(url_lmdb_path(url));
}

enum archive_end archive_read(const char *url, const struct archive_range *range,
                              const struct archive_sink *sink, struct task *task, char *error,
                              size_t error_size)
{
    if (!url_known(url, error, error_size))
        return ARCHIVE_UNREADABLE;
    return lmdb_archive_read(url_lmdb_path(url), range, sink, task, error, error_size);
}

enum archive_end archive_build_begin(struct archive_build **ret_build, const char *url,
                                     uint64_t map_bytes, int64_t created_us, char *error,
                                     size_t error_size)
{
    if (!url_known(url, error, error_size))
        return ARCHIVE_FAILED;
    return lmdb_build_begin(ret_build, url_lmdb_path(url), map_bytes, created_us, error,
                            error_size);
}

enum archive_end archive_build_add(struct archive_build *build, const struct archive_record *record,
                                   char *error, size_t error_size)
{
    return lmdb_build_add(build, record, error, error_size);
}

enum archive_end archive_build_finish(struct archive_build *build, struct task *task,
                                      struct archive_facts *ret_facts, char *error,
                                      size_t error_size)
{
    return lmdb_build_finish(build, task, ret_facts, error, error_size);
}

void archive_build_abandon(struct archive_build *build)
{
    lmdb_build_abandon(build);
}
