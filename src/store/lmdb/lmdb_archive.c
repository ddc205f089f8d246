/* SPDX-License-Identifier: MIT
 *
 * lmdb_archive.c - see lmdb_archive.h.
 */
#include "store/lmdb/lmdb_archive.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/lmdb/copy.h"
#include "store/lmdb/extract.h"
#include "store/lmdb/lmdb_kind.h"
#include "store/lmdb/replay.h"
#include "store/lmdb/settle.h"
#include "store/lmdb/target.h"
#include "store/lmdb/verify.h"

enum { REASON_BYTES = 400 };

/* "PATH: reason", for ends whose sentence does not name the path. */
static enum archive_end of_path(enum archive_end end, const char *path, const char *reason,
                                char *error, size_t error_size)
{
    if (end == ARCHIVE_STOPPED)
        snprintf(error, error_size, "%s: stopped", path);
    else if (end != ARCHIVE_DONE)
        snprintf(error, error_size, "%s: %s", path, reason);
    return end;
}

/* --- a source ------------------------------------------------------------------------------- */

/* LMDB keeps readers and owner apart through lock.mdb, which a reader writes to. A copy on a
 * medium that is read-only to us has no owner, and needs none of it. */
static bool may_lock(const char *path)
{
    char name[4096];
    snprintf(name, sizeof name, "%s/" FOLDER_DATA, path);
    return access(name, F_OK) != 0 || environment_reserve_lock(path); /* no store: leave no trace */
}

static enum archive_end open_source(struct environment *ret, const char *path, char *error,
                                    size_t error_size)
{
    unsigned flags = MDB_RDONLY;
    int dead;
    if (!settle_folder(path, ANSWER_TIMEOUT_MS, error, error_size))
        return ARCHIVE_UNREADABLE;
    if (!may_lock(path)) {
        int reason = errno;
        char owner[128];
        folder_owner(path, owner, sizeof owner);
        if (owner[0]) {
            snprintf(error, error_size,
                     "%s: in use by %s, and its " FOLDER_LOCK " cannot be used: %s", path, owner,
                     strerror(reason));
            return ARCHIVE_UNREADABLE;
        }
        flags |= MDB_NOLOCK;
    }
    switch (environment_open(ret, path, 0, flags, error, error_size)) {
    case ENVIRONMENT_OPEN:
        (void)mdb_reader_check(ret->env, &dead); /* an owner at rest does not look for these */
        return ARCHIVE_DONE;
    case ENVIRONMENT_DAMAGED: return ARCHIVE_WRONG;
    case ENVIRONMENT_REFUSED: break;
    }
    return ARCHIVE_UNREADABLE;
}

enum archive_end lmdb_archive_verify(const char *path, struct task *task,
                                     struct archive_facts *ret_facts, char *error,
                                     size_t error_size)
{
    struct environment environment;
    char reason[REASON_BYTES];
    enum archive_end end = open_source(&environment, path, error, error_size);
    if (end != ARCHIVE_DONE)
        return end;
    end = verify_environment(&environment, task, ret_facts, reason, sizeof reason);
    environment_close(&environment);
    return of_path(end, path, reason, error, error_size);
}

enum archive_end lmdb_archive_read(const char *path, const struct archive_range *range,
                                   const struct archive_sink *sink, struct task *task, char *error,
                                   size_t error_size)
{
    struct environment environment;
    struct archive_facts facts;
    char reason[REASON_BYTES];
    enum archive_end end = open_source(&environment, path, error, error_size);
    if (end != ARCHIVE_DONE)
        return end;
    end = extract(&environment, range, sink, task, reason, sizeof reason);
    /* Damage can hide a key from a walk, and no record would miss it. */
    if (end == ARCHIVE_DONE && range->client == 0 && range->since_us == INT64_MIN)
        end = verify_environment(&environment, task, &facts, reason, sizeof reason);
    environment_close(&environment);
    return of_path(end, path, reason, error, error_size);
}

/* --- a target ------------------------------------------------------------------------------- */

static enum archive_end finish(struct target *target, char *error, size_t error_size)
{
    return target_finish(target, error, error_size) ? ARCHIVE_DONE : ARCHIVE_FAILED;
}

/* The source is open. */
static enum archive_end copy_to(const struct environment *from, const char *from_path,
                                const char *to_path, struct task *task,
                                struct archive_facts *ret_facts, char *error, size_t error_size)
{
    struct target target;
    char reason[REASON_BYTES], owner[128];
    if (!target_begin(&target, to_path, from->map_bytes, from->created_us, error, error_size))
        return ARCHIVE_FAILED;
    folder_owner(from_path, owner, sizeof owner);
    enum archive_end end = copy_environment(from, &target.environment, owner[0] != '\0', task,
                                            reason, sizeof reason);
    if (end == ARCHIVE_DONE) {
        /* What was copied faithfully may have been wrong before. */
        end = verify_environment(&target.environment, task, ret_facts, reason, sizeof reason);
        if (end == ARCHIVE_DONE)
            return finish(&target, error, error_size);
    }
    target_abandon(&target);
    return of_path(end, end == ARCHIVE_FAILED ? to_path : from_path, reason, error, error_size);
}

enum archive_end lmdb_archive_copy(const char *from, const char *to, struct task *task,
                                   struct archive_facts *ret_facts, char *error, size_t error_size)
{
    struct environment environment;
    enum archive_end end = open_source(&environment, from, error, error_size);
    if (end != ARCHIVE_DONE)
        return end;
    end = copy_to(&environment, from, to, task, ret_facts, error, error_size);
    environment_close(&environment);
    return end;
}

/* --- building ------------------------------------------------------------------------------- */

struct lmdb_build {
    struct archive_build build; /* its first member */
    struct target target;
    struct replay replay;
};

enum archive_end lmdb_build_begin(struct archive_build **ret, const char *path, uint64_t map_bytes,
                                  int64_t created_us, char *error, size_t error_size)
{
    struct lmdb_build *build = malloc(sizeof *build);
    if (!build) {
        snprintf(error, error_size, "out of memory");
        return ARCHIVE_FAILED;
    }
    if (!target_begin(&build->target, path, map_bytes, created_us, error, error_size)) {
        free(build);
        return ARCHIVE_FAILED;
    }
    build->build.kind = &lmdb_kind;
    replay_begin(&build->replay, &build->target.environment);
    *ret = &build->build;
    return ARCHIVE_DONE;
}

static struct lmdb_build *build_of(struct archive_build *build)
{
    return (struct lmdb_build *)build; /* its first member */
}

enum archive_end lmdb_build_add(struct archive_build *build, const struct archive_record *record,
                                char *error, size_t error_size)
{
    return replay_add(&build_of(build)->replay, record, error, error_size);
}

enum archive_end lmdb_build_finish(struct archive_build *archive_build, struct task *task,
                                   struct archive_facts *ret_facts, char *error, size_t error_size)
{
    struct lmdb_build *build = build_of(archive_build);
    struct target *target = &build->target;
    char reason[REASON_BYTES];
    enum archive_end end = replay_end(&build->replay, reason, sizeof reason);
    if (end == ARCHIVE_DONE)
        end = verify_environment(&target->environment, task, ret_facts, reason, sizeof reason);
    if (end == ARCHIVE_DONE) {
        end = finish(target, error, error_size);
    } else {
        (void)of_path(end, target->path, reason, error, error_size);
        target_abandon(target);
    }
    free(build);
    return end;
}

void lmdb_build_abandon(struct archive_build *archive_build)
{
    struct lmdb_build *build = build_of(archive_build);
    replay_abandon(&build->replay);
    target_abandon(&build->target);
    free(build);
}
