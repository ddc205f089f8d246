/* SPDX-License-Identifier: MIT
 *
 * target.c - see target.h.
 */
#include "store/lmdb/target.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/lmdb/wal.h"

static bool in_place(const struct target *target)
{
    return strcmp(target->path, target->working) == 0;
}

/* PATH without trailing slashes, and PATH.partial. */
static bool name_both(struct target *target, const char *path)
{
    size_t bytes = strlen(path);
    while (bytes > 1 && path[bytes - 1] == '/')
        bytes--;
    if (bytes + sizeof TARGET_SUFFIX > sizeof target->working)
        return false;
    snprintf(target->path, sizeof target->path, "%.*s", (int)bytes, path);
    snprintf(target->working, sizeof target->working, "%.*s" TARGET_SUFFIX, (int)bytes, path);
    return true;
}

bool target_was_interrupted(const char *path, char *ret_beside, size_t size)
{
    struct target target;
    if (!name_both(&target, path) || access(target.working, F_OK) != 0)
        return false;
    snprintf(ret_beside, size, "%s", target.working);
    return true;
}

/* --- where it may be made ------------------------------------------------------------------- */

static bool refuse(const char *path, const char *why, char *error, size_t error_size)
{
    snprintf(error, error_size, "%s: %s", path, why);
    return false;
}

static bool is_in_a_store(const struct target *target)
{
    char parent[TARGET_PATH_BYTES], data[TARGET_PATH_BYTES + sizeof FOLDER_DATA];
    memcpy(parent, target->path, sizeof parent);
    snprintf(data, sizeof data, "%s/" FOLDER_DATA, dirname(parent));
    return access(data, F_OK) == 0;
}

static bool ends_in_dots(const char *path)
{
    const char *slash = strrchr(path, '/'), *last = slash ? slash + 1 : path;
    return strcmp(last, ".") == 0 || strcmp(last, "..") == 0;
}

/* In the folder that is there; or beside the one that is not. */
static bool choose(struct target *target, const char *path, char *error, size_t error_size)
{
    struct stat status;
    if (!name_both(target, path))
        return refuse("the path", "it is too long", error, error_size);
    if (is_in_a_store(target))
        return refuse(target->path, "it would be inside a store's folder", error, error_size);
    if (stat(target->path, &status) == 0) {
        memcpy(target->working, target->path, sizeof target->working);
        return true;
    }
    if (errno != ENOENT || lstat(target->path, &status) == 0 || ends_in_dots(target->path))
        return refuse(target->path, strerror(errno ? errno : ENOENT), error, error_size);
    return true;
}

/* A store in the working folder is somebody's, whatever the folder is called. */
static bool is_vacant(const struct target *target, char *error, size_t error_size)
{
    if (folder_has_store(&target->folder))
        return refuse(target->working, "there is a store already; nothing is overwritten", error,
                      error_size);
    if (wal_was_left(target->working))
        return refuse(target->working,
                      "there is a " FOLDER_WAL " of a store that is gone: move it away; nothing is "
                      "overwritten",
                      error, error_size);
    /* One that was closed would be taken for what the copy has lost. */
    if (unlinkat(target->folder.fd, FOLDER_WAL, 0) == 0 || errno == ENOENT)
        return true;
    return refuse(target->working, strerror(errno), error, error_size);
}

bool target_begin(struct target *ret, const char *path, uint64_t map_bytes, int64_t created_us,
                  char *error, size_t error_size)
{
    struct target target;
    if (!choose(&target, path, error, error_size) ||
        !folder_take(&target.folder, target.working, error, error_size))
        return false;
    if (!is_vacant(&target, error, error_size) ||
        !environment_create(&target.environment, &target.folder, target.working,
                            FOLDER_DATA_PARTIAL, map_bytes, created_us, error, error_size)) {
        folder_release(&target.folder);
        return false;
    }
    *ret = target;
    return true;
}

/* --- how it ends ---------------------------------------------------------------------------- */

/* What is ours of a folder that we have made; the folder too. */
static void clear_away(struct target *target)
{
    if (!in_place(target)) {
        (void)unlinkat(target->folder.fd, FOLDER_OWNER, 0);
        if (rmdir(target->working) != 0)
            (void)rmdir(target->path); /* it had its name already */
    }
    folder_release(&target->folder);
}

void target_clear(const char *path)
{
    struct target target;
    struct stat status;
    char ignored[2 * TARGET_PATH_BYTES];
    if (!choose(&target, path, ignored, sizeof ignored) || stat(target.working, &status) != 0 ||
        !folder_take(&target.folder, target.working, ignored, sizeof ignored))
        return;
    if (folder_has_store(&target.folder) || !folder_has_partial(&target.folder)) {
        folder_release(&target.folder);
        return;
    }
    (void)unlinkat(target.folder.fd, FOLDER_DATA_PARTIAL, 0);
    clear_away(&target);
}

static bool sync_parent(const struct target *target)
{
    int parent = openat(target->folder.fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0)
        return errno == EACCES; /* a parent that is not ours to read: the name may be lost */
    bool synced = fsync(parent) == 0;
    close(parent);
    return synced;
}

/* The folder gets its name while the file in it has none: so a store never lies in a folder that
 * somebody could take for what a killed process has left. rename(2) replaces an empty folder and no
 * other. */
bool target_finish(struct target *target, char *error, size_t error_size)
{
    int result = mdb_env_sync(target->environment.env, 1); /* so that the rest is a moment */
    if (result == MDB_SUCCESS && !in_place(target) && rename(target->working, target->path) != 0)
        result = errno;
    if (result != MDB_SUCCESS) {
        snprintf(error, error_size, "%s: cannot give it its name: %s", target->path,
                 environment_write_error(result));
        target_abandon(target);
        return false;
    }
    if (!environment_name(&target->environment, &target->folder, target->path, FOLDER_DATA_PARTIAL,
                          error, error_size)) {
        clear_away(target);
        return false;
    }
    if (!in_place(target) && !sync_parent(target)) {
        snprintf(error, error_size, "%s: cannot flush its name: %s", target->path, strerror(errno));
        (void)unlinkat(target->folder.fd, FOLDER_DATA, 0);
        clear_away(target);
        return false;
    }
    folder_release(&target->folder);
    return true;
}

void target_abandon(struct target *target)
{
    environment_discard(&target->environment, &target->folder, FOLDER_DATA_PARTIAL);
    clear_away(target);
}
