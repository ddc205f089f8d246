/* SPDX-License-Identifier: MIT
 *
 * output.c - see output.h.
 */
#include "exchange/output.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOOK_UP_MS = 100 }; /* how late it may be noticed that somebody wants us to end */

void output_begin(struct output *output, int fd, const struct task *task)
{
    struct stat facts;
    bool is_file = fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode);

    output->fd = fd;
    output->error = 0;
    output->has_failed = false;
    /* A pipe that is ready has room for PIPE_BUF; asked to take more it may wait for a reader. */
    output->write_bytes_max = is_file ? sizeof output->buffer : PIPE_BUF;
    output->task = task;
    output->used = 0;
}

static bool fail(struct output *output, int error)
{
    output->has_failed = true;
    output->error = error;
    return false;
}

bool output_flush(struct output *output)
{
    struct pollfd wait = {.fd = output->fd, .events = POLLOUT};

    for (size_t sent = 0; !output->has_failed && sent < output->used;) {
        size_t bytes = output->used - sent;
        if (bytes > output->write_bytes_max)
            bytes = output->write_bytes_max;
        if (task_stopped(output->task))
            return fail(output, 0);
        if (poll(&wait, 1, LOOK_UP_MS) < 1)
            continue;
        ssize_t written = write(output->fd, output->buffer + sent, bytes);
        if (written >= 0)
            sent += (size_t)written;
        else if (errno != EINTR && errno != EAGAIN)
            return fail(output, errno);
    }
    output->used = 0;
    return !output->has_failed;
}

char *output_room(struct output *output)
{
    if (sizeof output->buffer - output->used < OUTPUT_PIECE_BYTES_MAX && !output_flush(output))
        return NULL;
    return output->has_failed ? NULL : output->buffer + output->used;
}

void output_added(struct output *output, size_t bytes)
{
    assert(bytes <= OUTPUT_PIECE_BYTES_MAX);
    output->used += bytes;
}
