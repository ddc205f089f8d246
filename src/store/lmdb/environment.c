/* SPDX-License-Identifier: MIT
 *
 * environment.c - see environment.h.
 */
#include "store/lmdb/environment.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TABLES = 5, LOCK_BYTES = 8192 /* more than LMDB needs for the readers */ };

static void say(char *error, size_t error_size, const char *path, const char *what, int result)
{
    snprintf(error, error_size, "%s: %s: %s", path, what, mdb_strerror(result));
}

static int open_tables(struct environment *environment, MDB_txn *txn, unsigned flags)
{
    struct {
        const char *name;
        MDB_dbi *table;
    } tables[TABLES] = {
        {"meta", &environment->meta},         {"journal", &environment->journal},
        {"accounts", &environment->accounts}, {"keys", &environment->keys},
        {"expiry", &environment->expiry},
    };
    int result = MDB_SUCCESS;
    for (size_t i = 0; result == MDB_SUCCESS && i < TABLES; i++)
        result = mdb_dbi_open(txn, tables[i].name, flags, tables[i].table);
    return result;
}

/* --- creating ----------------------------------------------------------------------------- */

static int write_meta(struct environment *environment)
{
    const struct meta_record meta = {.layout = LAYOUT_VERSION,
                                     .created_us = environment->created_us};
    char name[] = META_KEY;
    uint8_t bytes[META_RECORD_BYTES];
    MDB_val key = {sizeof name - 1, name}, value = {meta_record_encode(bytes, &meta), bytes};
    MDB_txn *txn;

    int result = mdb_txn_begin(environment->env, NULL, 0, &txn);
    if (result != MDB_SUCCESS)
        return result;
    result = open_tables(environment, txn, MDB_CREATE);
    if (result == MDB_SUCCESS)
        result = mdb_put(txn, environment->meta, &key, &value, 0);
    if (result != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        return result;
    }
    return mdb_txn_commit(txn);
}

/* Page size and map are LMDB's to choose; ours to know. */
static int measure(struct environment *environment)
{
    MDB_stat stat;
    MDB_envinfo info;
    int result = mdb_env_stat(environment->env, &stat);
    if (result == MDB_SUCCESS)
        result = mdb_env_info(environment->env, &info);
    if (result == MDB_SUCCESS) {
        environment->page_bytes = stat.ms_psize;
        environment->map_bytes = info.me_mapsize;
    }
    return result;
}

bool environment_create(struct environment *ret, const struct folder *folder, const char *path,
                        const char *file, uint64_t map_bytes, int64_t created_us, char *error,
                        size_t error_size)
{
    struct environment environment = {.created_us = created_us};
    char name[4096];

    /* What a crash may have left of an earlier attempt. */
    if (unlinkat(folder->fd, file, 0) != 0 && errno != ENOENT) {
        say(error, error_size, path, "cannot remove what an earlier attempt left", errno);
        return false;
    }
    snprintf(name, sizeof name, "%s/%s", path, file);
    int result = mdb_env_create(&environment.env);
    if (result == MDB_SUCCESS)
        result = mdb_env_set_maxdbs(environment.env, TABLES);
    if (result == MDB_SUCCESS)
        result = mdb_env_set_mapsize(environment.env, map_bytes);
    if (result == MDB_SUCCESS)
        result = mdb_env_open(environment.env, name,
                              MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOTLS | MDB_NOSYNC, 0600);
    if (result == MDB_SUCCESS)
        result = measure(&environment);
    if (result == MDB_SUCCESS)
        result = write_meta(&environment);
    if (result != MDB_SUCCESS) {
        say(error, error_size, path, "cannot create the store", result);
        environment_discard(&environment, folder, file);
        return false;
    }
    *ret = environment;
    return true;
}

bool environment_name(struct environment *environment, const struct folder *folder,
                      const char *path, const char *file, char *error, size_t error_size)
{
    int result = mdb_env_sync(environment->env, 1);
    /* The data is on disk; now its name. */
    if (result == MDB_SUCCESS && renameat(folder->fd, file, folder->fd, FOLDER_DATA) != 0)
        result = errno;
    if (result == MDB_SUCCESS && fsync(folder->fd) != 0) {
        result = errno;
        file = FOLDER_DATA; /* by now */
    }
    if (result != MDB_SUCCESS) {
        snprintf(error, error_size, "%s: cannot create the store: %s", path,
                 environment_write_error(result));
        environment_discard(environment, folder, file);
        return false;
    }
    environment_close(environment);
    return true;
}

void environment_discard(struct environment *environment, const struct folder *folder,
                         const char *file)
{
    if (environment->env)
        mdb_env_close(environment->env);
    (void)unlinkat(folder->fd, file, 0);
}

/* --- opening ------------------------------------------------------------------------------ */

/* LMDB would begin a new environment in an empty file, and wait for a pipe. */
static enum environment_end judge_file(const char *path, char *error, size_t error_size)
{
    char name[4096];
    struct stat status;
    snprintf(name, sizeof name, "%s/" FOLDER_DATA, path);
    if (stat(name, &status) != 0)
        return ENVIRONMENT_OPEN; /* LMDB says what is wrong */
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
        snprintf(error, error_size, "%s: " FOLDER_DATA " is no regular file", path);
        return ENVIRONMENT_REFUSED;
    }
    if (status.st_size > 0)
        return ENVIRONMENT_OPEN;
    snprintf(error, error_size, "%s: " FOLDER_DATA " is damaged: it is empty", path);
    return ENVIRONMENT_DAMAGED;
}

bool environment_reserve_lock(const char *path)
{
    char name[4096];
    snprintf(name, sizeof name, "%s/" FOLDER_LOCK, path);
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
    if (fd < 0)
        return false;
    static const char zeros[LOCK_BYTES];
    struct stat status;
    ssize_t written = 0;
    bool known = fstat(fd, &status) == 0;
    if (known && status.st_size == 0) /* what is there has its blocks */
        written = pwrite(fd, zeros, sizeof zeros, 0);
    int reason = written < 0 || !known ? errno : ENOSPC;
    close(fd);
    errno = reason;
    return known && (status.st_size > 0 || written == (ssize_t)sizeof zeros);
}

/* LMDB prints and aborts when it finds a page that cannot be. Where that is an answer, one line says
 * it (ops/task.c). */
static void abort_quietly(MDB_env *env, const char *what)
{
    (void)env;
    (void)what;
    abort();
}

/* LMDB maps the file and trusts it: reading past its end would be a SIGBUS. */
static bool file_is_whole(const struct environment *environment)
{
    struct stat status;
    int fd;
    return mdb_env_get_fd(environment->env, &fd) == MDB_SUCCESS && fstat(fd, &status) == 0 &&
           (uint64_t)status.st_size >= environment_used_bytes(environment);
}

/* LMDB's own codes (negative) are about the file; an errno is about the way to it. */
static enum environment_end cannot(const char *what, int result, const char *path, char *error,
                                   size_t error_size)
{
    if (result == MDB_READERS_FULL)
        snprintf(error, error_size, "%s: as many read it as may at once: try again", path);
    else if (result == EAGAIN)
        snprintf(
            error, error_size,
            "%s: a process of the same number reads it, in another PID namespace: try again, or "
            "share the namespace",
            path);
    else if (result < 0 && result != MDB_MAP_RESIZED && result != MDB_BAD_RSLOT) {
        say(error, error_size, path, FOLDER_DATA " is damaged", result);
        return ENVIRONMENT_DAMAGED;
    } else
        say(error, error_size, path, what, result);
    return ENVIRONMENT_REFUSED;
}

/* The layout's number first: another layout may have other tables. */
static enum environment_end judge(struct environment *environment, MDB_txn *txn, const char *path,
                                  char *error, size_t error_size)
{
    char name[] = META_KEY;
    MDB_val key = {sizeof name - 1, name}, value;
    MDB_dbi table;
    struct meta_record meta;

    int result = mdb_dbi_open(txn, "meta", 0, &table);
    if (result == MDB_SUCCESS)
        result = mdb_get(txn, table, &key, &value);
    if (result == MDB_NOTFOUND || result == MDB_INCOMPATIBLE) {
        snprintf(error, error_size, "%s: " FOLDER_DATA " is an LMDB file, but not one of crebito's",
                 path);
        return ENVIRONMENT_REFUSED;
    }
    if (result != MDB_SUCCESS)
        return cannot("cannot read " FOLDER_DATA, result, path, error, error_size);
    if (!meta_record_decode(&meta, value.mv_data, value.mv_size)) {
        snprintf(error, error_size, "%s: " FOLDER_DATA " is damaged: its meta record is wrong",
                 path);
        return ENVIRONMENT_DAMAGED;
    }
    if (meta.layout != LAYOUT_VERSION) {
        snprintf(error, error_size,
                 "%s: the store has layout %u, and this crebito knows only layout %d: export it "
                 "with the version that wrote it, and import it with this one",
                 path, meta.layout, LAYOUT_VERSION);
        return ENVIRONMENT_REFUSED;
    }
    environment->created_us = meta.created_us;
    return ENVIRONMENT_OPEN;
}

/* What root makes beside somebody's data would lock them out of it. */
static void give_lock_to_owner(const char *path)
{
    char name[4096];
    struct stat data;
    if (geteuid() != 0)
        return;
    snprintf(name, sizeof name, "%s/" FOLDER_DATA, path);
    if (stat(name, &data) != 0 || data.st_uid == 0)
        return;
    static const char *const files[] = {FOLDER_LOCK, FOLDER_OWNER};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(name, sizeof name, "%s/%s", path, files[i]);
        if (lchown(name, data.st_uid, data.st_gid) != 0)
            return; /* then it is as it would have been without us */
    }
}

static enum environment_end open_ours(struct environment *environment, const char *path,
                                      char *error, size_t error_size)
{
    MDB_txn *txn;
    int result = mdb_txn_begin(environment->env, NULL, MDB_RDONLY, &txn);
    if (result != MDB_SUCCESS)
        return cannot("cannot read " FOLDER_DATA, result, path, error, error_size);
    enum environment_end end = judge(environment, txn, path, error, error_size);
    if (end != ENVIRONMENT_OPEN) {
        mdb_txn_abort(txn);
        return end;
    }
    result = open_tables(environment, txn, 0);
    if (result == MDB_SUCCESS)
        result = mdb_txn_commit(txn); /* keeps the tables' handles */
    else
        mdb_txn_abort(txn);
    return result == MDB_SUCCESS
               ? ENVIRONMENT_OPEN
               : cannot("cannot read " FOLDER_DATA, result, path, error, error_size);
}

enum environment_end environment_open(struct environment *ret, const char *path, uint64_t map_bytes,
                                      unsigned flags, char *error, size_t error_size)
{
    struct environment environment = {.env = NULL};
    enum environment_end end;

    end = judge_file(path, error, error_size);
    if (end != ENVIRONMENT_OPEN)
        return end;
    if (!(flags & (MDB_NOLOCK | MDB_RDONLY)) && !environment_reserve_lock(path)) {
        say(error, error_size, path, "cannot use " FOLDER_LOCK, errno);
        return ENVIRONMENT_REFUSED;
    }
    int result = mdb_env_create(&environment.env);
    if (result == MDB_SUCCESS)
        result = mdb_env_set_maxdbs(environment.env, TABLES);
    if (result == MDB_SUCCESS)
        result = mdb_env_set_maxreaders(environment.env, ENVIRONMENT_READERS_MAX);
    if (result == MDB_SUCCESS && map_bytes > 0)
        result = mdb_env_set_mapsize(environment.env, map_bytes);
    if (result == MDB_SUCCESS && (flags & MDB_RDONLY))
        result = mdb_env_set_assert(environment.env, abort_quietly);
    if (result == MDB_SUCCESS)
        result = mdb_env_open(environment.env, path, flags | MDB_NOTLS, 0600);
    if (result == MDB_SUCCESS)
        result = measure(&environment);
    if (result != MDB_SUCCESS) {
        end = cannot("cannot open " FOLDER_DATA, result, path, error, error_size);
    } else if (!file_is_whole(&environment)) {
        snprintf(error, error_size, "%s: " FOLDER_DATA " is damaged: it has been cut short", path);
        end = ENVIRONMENT_DAMAGED;
    } else {
        end = open_ours(&environment, path, error, error_size);
    }
    give_lock_to_owner(path);
    if (end == ENVIRONMENT_OPEN)
        *ret = environment;
    else if (environment.env)
        mdb_env_close(environment.env);
    return end;
}

void environment_close(struct environment *environment)
{
    mdb_env_close(environment->env);
}

const char *environment_write_error(int result)
{
    if (result == EIO) /* LMDB's word for a write that fell short as well */
        return "Input/output error: is the disk full?";
    if (result == MDB_MAP_FULL)
        return "it is larger than --map-size allows";
    return mdb_strerror(result);
}

uint64_t environment_used_bytes(const struct environment *environment)
{
    MDB_envinfo info;
    int result = mdb_env_info(environment->env, &info);
    /* Only for a NULL environment: a mistake of ours, and with a wrong number room would be made over
     * what is in use. */
    assert(result == MDB_SUCCESS);
    (void)result;
    return ((uint64_t)info.me_last_pgno + 1) * environment->page_bytes;
}
