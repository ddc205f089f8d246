/* SPDX-License-Identifier: MIT
 *
 * fault.c - a disk and a clock that misbehave on command.
 *
 * Purpose    Loaded with LD_PRELOAD; makes chosen calls fail, take long, hang, or tell another
 *            time. The file named in CREBITO_FAULT says which, one fault a line, read anew at
 *            each call, so that a test can change its mind while the server runs:
 *                fdatasync error EIO        fails with that errno
 *                fdatasync sleep_ms 12000   takes that much longer, then works
 *                fdatasync wait             hangs until the line is gone, then works
 *                dsync_write error EIO      any of the writing calls, on a descriptor that flushes
 *                                           what it writes (O_DSYNC): done, but not flushed yet
 *                clock_gettime add_s 90000  CLOCK_REALTIME, and no other, is that far ahead, also
 *                                           where it is asked for with gettimeofday
 * Invariant  Without the variable, the file, or a line for it, a call does what it always does.
 *            Files only: sockets, pipes, event descriptors and stderr never fail.
 * Ownership  Nothing is kept between calls.
 * Threads    Safe; a fault delays only the thread that meets it.
 * Errors     Each name that met a fault is appended to the file CREBITO_FAULT + ".met".
 * Not here   Torn writes and power cuts.
 */
#define _GNU_SOURCE /* fallocate, pwritev, off64_t */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
    CONTROL_BYTES_MAX = 4096,
    WAIT_STEP_MS = 5,
};

/* The kernel is called directly: looking up the next definition of a function is not safe
 * while the sanitizers, which need some of these, are still starting. */
static bool read_fault(const char *call, char verb[static 16], char value[static 32])
{
    const char *path = getenv("CREBITO_FAULT");
    long fd = path == NULL ? -1 : syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    char text[CONTROL_BYTES_MAX];
    long got = syscall(SYS_read, (int)fd, text, sizeof text - 1);
    syscall(SYS_close, (int)fd);
    text[got > 0 ? got : 0] = '\0';

    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        char name[32];
        value[0] = '\0';
        if (sscanf(line, "%31s %15s %31s", name, verb, value) >= 2 && strcmp(name, call) == 0)
            return true;
    }
    return false;
}

static void tell(const char *call)
{
    char text[512];
    int length = snprintf(text, sizeof text, "%s.met", getenv("CREBITO_FAULT"));
    if (length < 0 || (size_t)length >= sizeof text)
        return;
    long fd = syscall(SYS_openat, AT_FDCWD, text, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    length = snprintf(text, sizeof text, "%s\n", call);
    syscall(SYS_write, (int)fd, text, (size_t)length);
    syscall(SYS_close, (int)fd);
}

static void sleep_ms(long ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

static int errno_named(const char *name)
{
    static const struct {
        const char *name;
        int number;
    } errors[] = {
        {"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EROFS", EROFS}, {"EINTR", EINTR},
    };
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (strcmp(name, errors[i].name) == 0)
            return errors[i].number;
    return EINVAL;
}

/* Returns 0 when the call may go on, else the errno it fails with. */
static int meet_fault(const char *call, int fd)
{
    char verb[16];
    char value[32];
    struct stat file;
    if (fd == STDERR_FILENO || !read_fault(call, verb, value) || fstat(fd, &file) != 0 ||
        !S_ISREG(file.st_mode))
        return 0;
    tell(call);
    if (strcmp(verb, "error") == 0)
        return errno_named(value);
    if (strcmp(verb, "sleep_ms") == 0)
        sleep_ms(atol(value));
    while (strcmp(verb, "wait") == 0 && read_fault(call, verb, value))
        sleep_ms(WAIT_STEP_MS);
    return 0;
}

static long fail(int error)
{
    errno = error;
    return -1;
}

int fdatasync(int fd)
{
    int error = meet_fault("fdatasync", fd);
    return (int)(error != 0 ? fail(error) : syscall(SYS_fdatasync, fd));
}

int fsync(int fd)
{
    int error = meet_fault("fsync", fd);
    return (int)(error != 0 ? fail(error) : syscall(SYS_fsync, fd));
}

/* A write with O_DSYNC is a write and a flush: the page cache has it when the flush goes wrong. */
static long flush_written(int fd, long written)
{
    if (written < 0 || (syscall(SYS_fcntl, fd, F_GETFL) & O_DSYNC) == 0)
        return written;
    int error = meet_fault("dsync_write", fd);
    return error != 0 ? fail(error) : written;
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    int error = meet_fault("write", fd);
    return error != 0 ? fail(error) : flush_written(fd, syscall(SYS_write, fd, bytes, length));
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    int error = meet_fault("pwrite", fd);
    return error != 0 ? fail(error)
                      : flush_written(fd, syscall(SYS_pwrite64, fd, bytes, length, offset));
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset)
{
    return pwrite(fd, bytes, length, offset);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    int error = meet_fault("pwritev", fd);
    return error != 0 ? fail(error)
                      : flush_written(fd, syscall(SYS_pwritev, fd, parts, count, offset, 0));
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset)
{
    return pwritev(fd, parts, count, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    int error = meet_fault("writev", fd);
    return error != 0 ? fail(error) : flush_written(fd, syscall(SYS_writev, fd, parts, count));
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
    int error = meet_fault("fallocate", fd);
    return (int)(error != 0 ? fail(error) : syscall(SYS_fallocate, fd, mode, offset, length));
}

int fallocate64(int fd, int mode, off64_t offset, off64_t length)
{
    return fallocate(fd, mode, offset, length);
}

/* This one returns its error. */
int posix_fallocate(int fd, off_t offset, off_t length)
{
    return fallocate(fd, 0, offset, length) == 0 ? 0 : errno;
}

int posix_fallocate64(int fd, off64_t offset, off64_t length)
{
    return posix_fallocate(fd, offset, length);
}

static long seconds_ahead(void)
{
    char verb[16];
    char value[32];
    bool ahead = read_fault("clock_gettime", verb, value) && strcmp(verb, "add_s") == 0;
    return ahead ? atol(value) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *ret_now)
{
    long failed = syscall(SYS_clock_gettime, clock, ret_now);
    if (failed == 0 && clock == CLOCK_REALTIME)
        ret_now->tv_sec += seconds_ahead();
    return (int)failed;
}

int gettimeofday(struct timeval *restrict ret_now, void *restrict zone)
{
    long failed = syscall(SYS_gettimeofday, ret_now, zone);
    if (failed == 0)
        ret_now->tv_sec += seconds_ahead();
    return (int)failed;
}
