/* SPDX-License-Identifier: MIT
 *
 * failing_calls.c - see failing_calls.h.
 */
#define _GNU_SOURCE /* fallocate */
#include "failing_calls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    const char *name; /* NULL: all work */
    unsigned working;
    int error;
    bool all, met;
} failing;

static void arm(const char *name, unsigned working, int error, bool all)
{
    failing.name = name;
    failing.working = working;
    failing.error = error;
    failing.all = all;
    failing.met = false;
}

void fail_one(const char *name, unsigned working, int error)
{
    arm(name, working, error, false);
}

void fail_all(const char *name, unsigned working, int error)
{
    arm(name, working, error, true);
}

bool fail_none(void)
{
    failing.name = NULL;
    return failing.met;
}

static bool fails(const char *call)
{
    if (!failing.name || strncmp(call, failing.name, strlen(failing.name)) != 0)
        return false;
    if (failing.working > 0) {
        failing.working--;
        return false;
    }
    if (failing.met && !failing.all)
        return false;
    failing.met = true;
    errno = failing.error;
    return true;
}

/* What the linker makes of a wrapped call: __wrap_X is called for X, and __real_X is X.
 * NOLINTBEGIN(bugprone-reserved-identifier,bugprone-macro-parentheses,cert-dcl37-c,cert-dcl51-cpp) */

#define WRAP(name, parameters, arguments)                              \
    __typeof__(name) __real_##name, __wrap_##name;                     \
    int __wrap_##name parameters                                       \
    {                                                                  \
        return fails(#name) ? failing.error : __real_##name arguments; \
    }

WRAP(mdb_env_create, (MDB_env * *env), (env))
WRAP(mdb_env_set_maxdbs, (MDB_env * env, MDB_dbi count), (env, count))
WRAP(mdb_env_set_maxreaders, (MDB_env * env, unsigned count), (env, count))
WRAP(mdb_env_set_mapsize, (MDB_env * env, size_t size), (env, size))
WRAP(mdb_env_open, (MDB_env * env, const char *path, unsigned flags, mdb_mode_t mode),
     (env, path, flags, mode))
WRAP(mdb_env_stat, (MDB_env * env, MDB_stat *stat), (env, stat))
WRAP(mdb_env_sync, (MDB_env * env, int force), (env, force))
WRAP(mdb_env_get_fd, (MDB_env * env, mdb_filehandle_t *fd), (env, fd))
WRAP(mdb_txn_begin, (MDB_env * env, MDB_txn *parent, unsigned flags, MDB_txn **txn),
     (env, parent, flags, txn))
WRAP(mdb_txn_renew, (MDB_txn * txn), (txn))
WRAP(mdb_dbi_open, (MDB_txn * txn, const char *name, unsigned flags, MDB_dbi *table),
     (txn, name, flags, table))
WRAP(mdb_stat, (MDB_txn * txn, MDB_dbi table, MDB_stat *stat), (txn, table, stat))
WRAP(mdb_get, (MDB_txn * txn, MDB_dbi table, MDB_val *key, MDB_val *value),
     (txn, table, key, value))
WRAP(mdb_put, (MDB_txn * txn, MDB_dbi table, MDB_val *key, MDB_val *value, unsigned flags),
     (txn, table, key, value, flags))
WRAP(mdb_del, (MDB_txn * txn, MDB_dbi table, MDB_val *key, MDB_val *value),
     (txn, table, key, value))
WRAP(mdb_cursor_open, (MDB_txn * txn, MDB_dbi table, MDB_cursor **cursor), (txn, table, cursor))
WRAP(mdb_cursor_get, (MDB_cursor * cursor, MDB_val *key, MDB_val *value, MDB_cursor_op op),
     (cursor, key, value, op))
WRAP(mdb_cursor_del, (MDB_cursor * cursor, unsigned flags), (cursor, flags))

WRAP(pthread_create,
     (pthread_t * thread, const pthread_attr_t *attributes, void *(*main)(void *), void *argument),
     (thread, attributes, main, argument))

/* It ends the transaction also where it fails. */
__typeof__(mdb_txn_commit) __real_mdb_txn_commit, __wrap_mdb_txn_commit;
int __wrap_mdb_txn_commit(MDB_txn *txn)
{
    if (!fails("mdb_txn_commit"))
        return __real_mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return failing.error;
}

/* As if the commit that is asked for had not been seen yet. */
__typeof__(mdb_txn_id) __real_mdb_txn_id, __wrap_mdb_txn_id;
size_t __wrap_mdb_txn_id(MDB_txn *txn)
{
    return fails("mdb_txn_id") ? 0 : __real_mdb_txn_id(txn);
}

/* With 64 bits of offset, which all of ours have, some calls have another name in the C library. */
#define WRAP_SYSTEM(name, parameters, arguments)            \
    int __real_##name parameters;                           \
    int __wrap_##name parameters;                           \
    int __wrap_##name parameters                            \
    {                                                       \
        return fails(#name) ? -1 : __real_##name arguments; \
    }                                                       \
    int __wrap_##name##64 parameters;                       \
    int __wrap_##name##64 parameters                        \
    {                                                       \
        return __wrap_##name arguments;                     \
    }

WRAP_SYSTEM(fsync, (int fd), (fd))
WRAP_SYSTEM(fstat, (int fd, struct stat *status), (fd, status))
WRAP_SYSTEM(statx,
            (int folder_fd, const char *name, int flags, unsigned mask, struct statx *status),
            (folder_fd, name, flags, mask, status))
WRAP_SYSTEM(ftruncate, (int fd, off_t size), (fd, size))
WRAP_SYSTEM(fallocate, (int fd, int mode, off_t from, off_t size), (fd, mode, from, size))
WRAP_SYSTEM(unlinkat, (int fd, const char *name, int flags), (fd, name, flags))
WRAP_SYSTEM(renameat, (int from, const char *name, int to, const char *new_name),
            (from, name, to, new_name))
WRAP_SYSTEM(rename, (const char *name, const char *new_name), (name, new_name))
WRAP_SYSTEM(openat, (int fd, const char *name, int flags, mode_t mode), (fd, name, flags, mode))
WRAP_SYSTEM(fcntl, (int fd, int command, void *argument), (fd, command, argument))

__typeof__(pread) __real_pread, __wrap_pread, __wrap_pread64;
ssize_t __wrap_pread(int fd, void *bytes, size_t size, off_t at)
{
    return fails("pread") ? -1 : __real_pread(fd, bytes, size, at);
}
ssize_t __wrap_pread64(int fd, void *bytes, size_t size, off_t at)
{
    return __wrap_pread(fd, bytes, size, at);
}

__typeof__(pwrite) __real_pwrite, __wrap_pwrite, __wrap_pwrite64;
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t size, off_t at)
{
    return fails("pwrite") ? -1 : __real_pwrite(fd, bytes, size, at);
}
ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t size, off_t at)
{
    return __wrap_pwrite(fd, bytes, size, at);
}

__typeof__(fdopendir) __real_fdopendir, __wrap_fdopendir;
DIR *__wrap_fdopendir(int fd)
{
    return fails("fdopendir") ? NULL : __real_fdopendir(fd);
}

__typeof__(calloc) __real_calloc, __wrap_calloc;
void *__wrap_calloc(size_t count, size_t size)
{
    return fails("calloc") ? NULL : __real_calloc(count, size);
}

__typeof__(malloc) __real_malloc, __wrap_malloc;
void *__wrap_malloc(size_t size)
{
    return fails("malloc") ? NULL : __real_malloc(size);
}
/* NOLINTEND(bugprone-reserved-identifier,bugprone-macro-parentheses,cert-dcl37-c,cert-dcl51-cpp) */
