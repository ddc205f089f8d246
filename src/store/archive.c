/* SPDX-License-Identifier: MIT
 *
 * archive.c - see archive.h.
 */
#include "store/archive.h"

#include <stdio.h>

#include "store/kind.h"

enum archive_end archive_verify(const char *url, struct task *task, struct archive_facts *ret_facts,
                                char *error, size_t error_size)
{
    const char *place;
    const struct store_kind *kind = store_kind_of(url, &place, error, error_size);
    if (!kind)
        return ARCHIVE_UNREADABLE;
    return kind->verify(place, task, ret_facts, error, error_size);
}

enum archive_end archive_copy(const char *from_url, const char *to_url, struct task *task,
                              struct archive_facts *ret_facts, char *error, size_t error_size)
{
    const char *from, *to;
    const struct store_kind *from_kind = store_kind_of(from_url, &from, error, error_size);
    if (!from_kind)
        return ARCHIVE_UNREADABLE;
    const struct store_kind *to_kind = store_kind_of(to_url, &to, error, error_size);
    if (!to_kind)
        return ARCHIVE_UNREADABLE;
    if (!from_kind->copy || !to_kind->copy) {
        snprintf(error, error_size, "%s", from_kind->copy ? to_kind->no_copy : from_kind->no_copy);
        return ARCHIVE_UNREADABLE;
    }
    return from_kind->copy(from, to, task, ret_facts, error, error_size);
}

void archive_clear(const char *url)
{
    char ignored[256];
    const char *place;
    const struct store_kind *kind = store_kind_of(url, &place, ignored, sizeof ignored);
    if (kind && kind->clear)
        kind->clear(place);
}

enum archive_end archive_read(const char *url, const struct archive_range *range,
                              const struct archive_sink *sink, struct task *task, char *error,
                              size_t error_size)
{
    const char *place;
    const struct store_kind *kind = store_kind_of(url, &place, error, error_size);
    if (!kind)
        return ARCHIVE_UNREADABLE;
    return kind->read(place, range, sink, task, error, error_size);
}

enum archive_end archive_build_begin(struct archive_build **ret_build, const char *url,
                                     uint64_t map_bytes, int64_t created_us, char *error,
                                     size_t error_size)
{
    const char *place;
    const struct store_kind *kind = store_kind_of(url, &place, error, error_size);
    if (!kind)
        return ARCHIVE_FAILED;
    return kind->build_begin(ret_build, place, map_bytes, created_us, error, error_size);
}

enum archive_end archive_build_add(struct archive_build *build, const struct archive_record *record,
                                   char *error, size_t error_size)
{
    return build->kind->build_add(build, record, error, error_size);
}

enum archive_end archive_build_finish(struct archive_build *build, struct task *task,
                                      struct archive_facts *ret_facts, char *error,
                                      size_t error_size)
{
    return build->kind->build_finish(build, task, ret_facts, error, error_size);
}

void archive_build_abandon(struct archive_build *build)
{
    build->kind->build_abandon(build);
}
