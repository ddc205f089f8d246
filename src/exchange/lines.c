/* SPDX-License-Identifier: MIT
 *
 * lines.c - see lines.h.
 */
#include "exchange/lines.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOOK_UP_MS = 100 }; /* how late it may be noticed that somebody wants us to end */

static bool lines_sane(const struct lines *lines)
{
    return lines->start <= lines->end && lines->end <= sizeof lines->buffer &&
           lines->line_bytes_max < sizeof lines->buffer;
}

void lines_begin(struct lines *lines, int fd, size_t line_bytes_max, struct task *task)
{
    struct stat facts;
    off_t at = lseek(fd, 0, SEEK_CUR);

    lines->fd = fd;
    lines->error = 0;
    lines->number = 0;
    lines->terminated = true;
    lines->is_skipping = lines->has_ended = false;
    lines->line_bytes_max = line_bytes_max;
    lines->task = task;
    lines->start = lines->end = 0;
    if (fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_size > at)
        task->total_bytes = (uint64_t)(facts.st_size - at);
    assert(lines_sane(lines));
}

/* LINES_LINE: there is more in the buffer, or the end has come. */
static enum lines_step read_more(struct lines *lines)
{
    struct pollfd wait = {.fd = lines->fd, .events = POLLIN};

    memmove(lines->buffer, lines->buffer + lines->start, lines->end - lines->start);
    lines->end -= lines->start;
    lines->start = 0;
    for (;;) {
        if (task_stopped(lines->task))
            return LINES_STOPPED;
        /* A file is always ready. A pipe or a terminal may never be. */
        if (poll(&wait, 1, LOOK_UP_MS) < 1)
            continue;
        ssize_t bytes = read(lines->fd, lines->buffer + lines->end,
                             sizeof lines->buffer - lines->end);
        if (bytes < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (bytes < 0) {
            lines->error = errno;
            return LINES_UNREADABLE;
        }
        lines->has_ended = bytes == 0;
        lines->end += (size_t)bytes;
        lines->task->done_bytes += (uint64_t)bytes;
        return LINES_LINE;
    }
}

/* Takes `bytes` of the buffer and the newline behind them, if there is one. */
static void take(struct lines *lines, size_t bytes, bool terminated)
{
    lines->start += bytes + terminated;
    lines->terminated = terminated;
}

enum lines_step lines_next(struct lines *lines, const char **ret_line, size_t *ret_bytes)
{
    assert(lines_sane(lines));
    for (;;) {
        const char *line = lines->buffer + lines->start;
        size_t held = lines->end - lines->start;
        const char *newline = memchr(line, '\n', held);
        size_t bytes = newline ? (size_t)(newline - line) : held;

        if (lines->is_skipping) {
            lines->is_skipping = !newline;
            take(lines, bytes, newline != NULL);
            if (newline)
                continue;
        } else if (bytes > lines->line_bytes_max) {
            lines->number++;
            lines->is_skipping = true;
            return LINES_TOO_LONG;
        } else if (newline || (lines->has_ended && held > 0)) {
            lines->number++;
            take(lines, bytes, newline != NULL);
            *ret_line = line;
            *ret_bytes = bytes;
            return LINES_LINE;
        }
        if (lines->has_ended)
            return LINES_END;
        enum lines_step step = read_more(lines);
        if (step != LINES_LINE)
            return step;
    }
}
