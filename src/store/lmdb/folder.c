/* SPDX-License-Identifier: MIT
 *
 * folder.c - see folder.h.
 */
#define _GNU_SOURCE /* F_OFD_SETLK */
#include "store/lmdb/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { OWNER_BYTES_MAX = 128 };

static bool ours(const char *name)
{
    static const char *const names[] = {
        ".",        "..",        FOLDER_DATA,  FOLDER_DATA_NEW, FOLDER_DATA_PARTIAL,
        FOLDER_WAL, FOLDER_LOCK, FOLDER_OWNER, FOLDER_SOCKET,   "lost+found"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static bool only_ours(int fd, const char *path, char *error, size_t error_size)
{
    int listing = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = listing < 0 ? NULL : fdopendir(listing);
    if (!stream) {
        snprintf(error, error_size, "%s: cannot list it: %s", path, strerror(errno));
        if (listing >= 0)
            close(listing);
        return false;
    }
    bool clean = true;
    struct dirent *item;
    while (clean && (item = readdir(stream)) != NULL) {
        clean = ours(item->d_name);
        if (!clean)
            snprintf(error, error_size,
                     "%s: not a store: it holds \"%.100s\"; give an empty or a missing folder",
                     path, item->d_name);
    }
    closedir(stream);
    return clean;
}

static void read_owner(int lock_fd, char *ret_owner, size_t owner_size)
{
    ssize_t bytes = pread(lock_fd, ret_owner, owner_size - 1, 0);
    ret_owner[bytes > 0 ? bytes : 0] = '\0';
    ret_owner[strcspn(ret_owner, "\n")] = '\0';
    if (ret_owner[0] == '\0')
        snprintf(ret_owner, owner_size, "another process");
}

/* For the next one who wants the folder. That it could not be written is no reason to fail. */
static void write_owner(int lock_fd)
{
    char owner[OWNER_BYTES_MAX], host[64] = "", since[32];
    time_t now = time(NULL);
    struct tm utc;
    gethostname(host, sizeof host - 1);
    gmtime_r(&now, &utc);
    strftime(since, sizeof since, "%Y-%m-%dT%H:%M:%SZ", &utc);
    int bytes = snprintf(owner, sizeof owner, "process %ld on %s since %s\n", (long)getpid(), host,
                         since);
    if (ftruncate(lock_fd, 0) != 0 || pwrite(lock_fd, owner, (size_t)bytes, 0) != bytes)
        return;
}

static struct flock whole_file(void)
{
    return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
}

static enum folder_end take_lock(struct folder *folder, const char *path, char *error,
                                 size_t error_size)
{
    enum folder_end end = FOLDER_REFUSED;
    folder->lock_fd = openat(folder->fd, FOLDER_OWNER, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (folder->lock_fd < 0) {
        snprintf(error, error_size, "%s: cannot write to it: %s", path, strerror(errno));
        return end;
    }
    struct flock lock = whole_file();
    if (fcntl(folder->lock_fd, F_OFD_SETLK, &lock) != 0) {
        if (errno == EAGAIN || errno == EACCES) {
            char owner[OWNER_BYTES_MAX];
            read_owner(folder->lock_fd, owner, sizeof owner);
            snprintf(error, error_size, "%s: in use by %s", path, owner);
            end = FOLDER_HELD;
        } else {
            snprintf(error, error_size, "%s: cannot lock it: %s", path, strerror(errno));
        }
        close(folder->lock_fd);
        return end;
    }
    write_owner(folder->lock_fd);
    return FOLDER_TAKEN;
}

/* The names of the folder and of what is in it must survive a power cut, or all that is committed
 * goes with them. Whoever made them may have died before this; so each owner does it. */
static bool sync_names(int fd)
{
    int parent = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0)
        return errno == EACCES && fsync(fd) == 0; /* a parent that is not ours to read */
    bool synced = fsync(fd) == 0 && fsync(parent) == 0;
    close(parent);
    return synced;
}

enum folder_end folder_try(struct folder *ret, const char *path, char *error, size_t error_size)
{
    struct folder folder;
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        snprintf(error, error_size, "%s: cannot create it: %s", path, strerror(errno));
        return FOLDER_REFUSED;
    }
    folder.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder.fd < 0) {
        snprintf(error, error_size, "%s: cannot open it: %s", path, strerror(errno));
        return FOLDER_REFUSED;
    }
    /* Look before the lock file is made: a folder of somebody else's stays as it is. */
    enum folder_end end = FOLDER_REFUSED;
    if (only_ours(folder.fd, path, error, error_size))
        end = take_lock(&folder, path, error, error_size);
    if (end != FOLDER_TAKEN) {
        close(folder.fd);
        return end;
    }
    if (!sync_names(folder.fd)) {
        snprintf(error, error_size, "%s: cannot flush its name: %s", path, strerror(errno));
        folder_release(&folder);
        return FOLDER_REFUSED;
    }
    *ret = folder;
    return FOLDER_TAKEN;
}

bool folder_take(struct folder *ret, const char *path, char *error, size_t error_size)
{
    return folder_try(ret, path, error, error_size) == FOLDER_TAKEN;
}

void folder_release(struct folder *folder)
{
    close(folder->lock_fd); /* and with it the lock; what it says of us no longer counts */
    close(folder->fd);
}

static struct folder_place place_of(const struct stat *status)
{
    return (struct folder_place){status->st_dev, status->st_ino};
}

bool folder_find(struct folder_place *ret, const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return false;
    *ret = place_of(&status);
    return true;
}

bool folder_same(const struct folder_place *one, const struct folder_place *other)
{
    return one->device == other->device && one->number == other->number;
}

bool folder_is(const struct folder *folder, const struct folder_place *place)
{
    struct stat status;
    if (fstat(folder->fd, &status) != 0)
        return false;
    const struct folder_place here = place_of(&status);
    return folder_same(&here, place);
}

bool folder_was_moved(const struct folder *folder, const char *path)
{
    struct folder_place there;
    if (folder_find(&there, path))
        return !folder_is(folder, &there);
    return errno == ENOENT || errno == ENOTDIR;
}

bool folder_has_store(const struct folder *folder)
{
    return faccessat(folder->fd, FOLDER_DATA, F_OK, 0) == 0;
}

bool folder_has_partial(const struct folder *folder)
{
    return faccessat(folder->fd, FOLDER_DATA_PARTIAL, F_OK, 0) == 0;
}

void folder_owner(const char *path, char *ret_owner, size_t owner_size)
{
    char name[4096];
    ret_owner[0] = '\0';
    snprintf(name, sizeof name, "%s/%s", path, FOLDER_OWNER);
    int lock_fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (lock_fd < 0)
        return;
    /* Ask, never take: a look must not get in the way of somebody who is starting. */
    struct flock lock = whole_file();
    if (fcntl(lock_fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
        read_owner(lock_fd, ret_owner, owner_size);
    close(lock_fd);
}
