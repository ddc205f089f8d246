/* SPDX-License-Identifier: MIT
 *
 * progress.c - see progress.h.
 */
#include "ops/progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES = 256, COLUMNS_UNKNOWN = 80, LEFT_S_MAX = 100 * 3600 };

static uint64_t clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void format_bytes(char *ret, size_t size, double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    for (; bytes >= 1024 && unit < sizeof units / sizeof units[0] - 1; unit++)
        bytes /= 1024;
    snprintf(ret, size, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
}

static void add_left(char *line, size_t size, double left_s)
{
    size_t bytes = strlen(line);
    if (!(left_s < LEFT_S_MAX)) /* nobody waits that long, or nothing moves */
        return;
    unsigned seconds = (unsigned)left_s;
    if (seconds >= 3600)
        snprintf(line + bytes, size - bytes, ", %u:%02u:%02u left", seconds / 3600,
                 seconds / 60 % 60, seconds % 60);
    else
        snprintf(line + bytes, size - bytes, ", %u:%02u left", seconds / 60, seconds % 60);
}

void progress_line(char *ret, size_t size, const char *name, uint64_t done_bytes,
                   uint64_t total_bytes, uint64_t elapsed_ms)
{
    char done[24], total[24], rate[24];
    double per_second = elapsed_ms == 0 ? 0 : 1000 * (double)done_bytes / (double)elapsed_ms;
    format_bytes(done, sizeof done, (double)done_bytes);
    format_bytes(rate, sizeof rate, per_second);
    if (total_bytes == 0) {
        snprintf(ret, size, "%s  %s, %s/s", name, done, rate);
        return;
    }
    if (total_bytes < done_bytes)
        total_bytes = done_bytes; /* a ledger that is served grows */
    format_bytes(total, sizeof total, (double)total_bytes);
    snprintf(ret, size, "%s  %s of %s (%.0f %%), %s/s", name, done, total,
             100 * (double)done_bytes / (double)total_bytes, rate);
    add_left(ret, size, (double)(total_bytes - done_bytes) / per_second);
}

/* A job in the background leaves the terminal to the one in front. */
static bool in_front(void)
{
    pid_t front = tcgetpgrp(STDERR_FILENO);
    return front < 0 || front == getpgrp(); /* not our controlling terminal: nobody else's turn */
}

static size_t columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return COLUMNS_UNKNOWN;
    return size.ws_col;
}

/* Over what stands there, with blanks, which every terminal understands. The cursor goes back to the
 * start: whatever is written there next, by whomever, begins a line. */
static void put(struct progress *progress, const char *line)
{
    char text[2 * LINE_BYTES];
    size_t fitting = columns() - 1; /* in the last column some terminals begin a new line */
    size_t bytes = strnlen(line, fitting);
    size_t blanks = progress->shown > bytes ? progress->shown - bytes : 0;
    if (blanks > fitting - bytes)
        blanks = fitting - bytes; /* the terminal became narrower */
    int length = snprintf(text, sizeof text, "\r%.*s%*s\r", (int)bytes, line, (int)blanks, "");
    ssize_t written = write(STDERR_FILENO, text, (size_t)length);
    (void)written; /* there is nobody left to tell */
    progress->shown = bytes;
}

void progress_begin(struct progress *progress, const char *name)
{
    *progress = (struct progress){
        .name = name,
        .terminal = isatty(STDERR_FILENO),
        .began_ms = clock_ms(),
    };
}

void progress_draw(struct progress *progress, const struct task *task)
{
    char line[LINE_BYTES];
    if (!progress->terminal || !in_front() || (atomic_load(&task->prints) && isatty(STDOUT_FILENO)))
        return;
    progress_line(line, sizeof line, progress->name, atomic_load(&task->done_bytes),
                  atomic_load(&task->total_bytes), clock_ms() - progress->began_ms);
    put(progress, line);
}

void progress_end(struct progress *progress)
{
    if (progress->shown > 0 && in_front())
        put(progress, "");
}
