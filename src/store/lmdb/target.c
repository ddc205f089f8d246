/* SPDX-License-Identifier: MIT
 *
 * target.c - see target.h.
 */
#include "store/lmdb/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

bool target_was_interrupted(const char *path)
{
    struct target target;
    return name_both(&target, path) && access(target.working, F_OK) == 0;
}

static bool is_vacant(const struct target *target, char *error, size_t error_size)
{
    if (!folder_has_store(&target->folder))
        return true;
    snprintf(error, error_size, "%s: there is a store already; nothing is overwritten",
             target->path);
    return false;
}

bool target_begin(struct target *ret, const char *path, uint64_t map_bytes, int64_t created_us,
                  char *error, size_t error_size)
{
    struct target target;
    struct stat status;

    if (!name_both(&target, path)) {
        snprintf(error, error_size, "%.100s...: the path is too long", path);
        return false;
    }
    if (stat(target.path, &status) == 0) {
        memcpy(target.working, target.path, sizeof target.working);
    } else if (errno != ENOENT) {
        snprintf(error, error_size, "%s: %s", target.path, strerror(errno));
        return false;
    }
    if (!folder_take(&target.folder, target.working, error, error_size))
        return false;
    /* Killed between its two names, a copy is whole; but nobody was told so. */
    if (!in_place(&target))
        (void)unlinkat(target.folder.fd, FOLDER_DATA, 0);
    if (!is_vacant(&target, error, error_size) ||
        !environment_create(&target.environment, &target.folder, target.working,
                            FOLDER_DATA_PARTIAL, map_bytes, created_us, error, error_size)) {
        folder_release(&target.folder);
        return false;
    }
    *ret = target;
    return true;
}

/* rename(2) replaces an empty folder and no other. */
static bool rename_folder(const struct target *target)
{
    int parent;
    if (rename(target->working, target->path) != 0)
        return false;
    parent = openat(target->folder.fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0)
        return errno == EACCES; /* a parent that is not ours to read: the name may be lost */
    bool synced = fsync(parent) == 0;
    close(parent);
    return synced;
}

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
    char ignored[256];
    if (!name_both(&target, path))
        return;
    if (stat(target.working, &status) != 0)
        memcpy(target.working, target.path, sizeof target.working);
    if (stat(target.working, &status) != 0 ||
        !folder_take(&target.folder, target.working, ignored, sizeof ignored))
        return;
    (void)unlinkat(target.folder.fd, FOLDER_DATA_PARTIAL, 0);
    if (!in_place(&target))
        (void)unlinkat(target.folder.fd, FOLDER_DATA, 0);
    clear_away(&target);
}

bool target_finish(struct target *target, char *error, size_t error_size)
{
    if (!environment_name(&target->environment, &target->folder, target->working,
                          FOLDER_DATA_PARTIAL, error, error_size)) {
        clear_away(target);
        return false;
    }
    if (!in_place(target) && !rename_folder(target)) {
        snprintf(error, error_size, "%s: cannot give it its name: %s", target->path,
                 strerror(errno));
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
