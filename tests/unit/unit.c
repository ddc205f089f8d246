/* SPDX-License-Identifier: MIT
 *
 * unit.c - see unit.h.
 */
#define _GNU_SOURCE /* memfd_create */
#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* cmocka's, which keeps what it is told for the diagnosis of the running test; in its header only
 * since 1.1.6. */
void cm_print_error(const char *const format, ...);

static uint64_t random_state;

void random_begin(void)
{
    const char *given = getenv("UNIT_SEED");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed = given ? strtoull(given, NULL, 0)
                          : (uint64_t)now.tv_sec * 1000000007 + (uint64_t)now.tv_nsec;
    random_state = seed;
    print_message("# UNIT_SEED=%llu\n", (unsigned long long)seed);
    cm_print_error("UNIT_SEED=%llu\n", (unsigned long long)seed); /* told if the test fails */
}

/* SplitMix64. */
uint64_t random_next(void)
{
    uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t random_between(uint64_t min, uint64_t max)
{
    uint64_t span = max - min + 1; /* 0: all of uint64_t */
    return span == 0 ? random_next() : min + random_next() % span;
}

void random_fill(void *bytes, size_t size)
{
    uint8_t *at = bytes;
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)random_next();
}

void fail_at(const char *file, int line, const char *format, ...)
{
    char message[2000];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    cm_print_error("%s\n", message);
    _fail(file, line);
    abort(); /* not reached */
}

const char *shown(const void *bytes, size_t size)
{
    enum { TEXTS = 8, SHOWN_MAX = 160, TEXT_BYTES = 4 * SHOWN_MAX + 32 };
    static char texts[TEXTS][TEXT_BYTES];
    static unsigned next;
    char *text = texts[next++ % TEXTS];
    const unsigned char *at = bytes;
    size_t used = 0;

    for (size_t i = 0; i < size && i < SHOWN_MAX; i++) {
        if (at[i] == '\r' || at[i] == '\n')
            used += (size_t)snprintf(text + used, 5, "\\%c", at[i] == '\r' ? 'r' : 'n');
        else if (at[i] < 0x20 || at[i] > 0x7e || at[i] == '\\')
            used += (size_t)snprintf(text + used, 5, "\\x%02x", at[i]);
        else
            text[used++] = (char)at[i];
    }
    snprintf(text + used, 32, size > SHOWN_MAX ? "... (%zu bytes)" : "", size);
    return text;
}

bool asserts(void (*act)(const void *argument), const void *argument)
{
    fflush(stdout);
    pid_t child = fork();
    if (child < 0)
        abort();
    if (child == 0) {
        const struct rlimit no_core = {0, 0};
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (null < 0 || dup2(null, STDERR_FILENO) < 0 || setrlimit(RLIMIT_CORE, &no_core) != 0)
            _exit(1);
        (void)signal(SIGABRT, SIG_DFL);
        act(argument);
        _exit(0);
    }
    int status;
    if (waitpid(child, &status, 0) != child)
        abort();
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static struct {
    int fd, before, file;
} captured;

void capture_begin(int fd)
{
    fflush(stdout);
    captured.fd = fd;
    captured.file = memfd_create("captured", MFD_CLOEXEC);
    captured.before = dup(fd);
    /* Appending, for threads that write at once: such a file's position has no lock. */
    if (captured.file < 0 || fcntl(captured.file, F_SETFL, O_APPEND) != 0 || captured.before < 0 ||
        dup2(captured.file, fd) < 0)
        abort();
}

const char *capture_end(void)
{
    static char text[1 << 20];
    fflush(stdout);
    ssize_t bytes = pread(captured.file, text, sizeof text - 1, 0);
    if (bytes < 0 || dup2(captured.before, captured.fd) < 0)
        abort();
    text[bytes] = '\0';
    close(captured.before);
    close(captured.file);
    return text;
}

unsigned open_files(void)
{
    unsigned count = 0;
    DIR *listing = opendir("/proc/self/fd");
    assert_non_null(listing);
    while (readdir(listing))
        count++;
    closedir(listing);
    return count;
}
