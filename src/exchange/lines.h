/* SPDX-License-Identifier: MIT
 *
 * lines.h - the lines of a file or a pipe, each within a bound.
 *
 * Purpose    Reading text of any length in memory of one size, with an end to the wait for a pipe
 *            that says nothing, and with the file's progress told.
 * Invariant  start <= end <= LINES_BUFFER_BYTES; see the picture below.
 * Ownership  The caller owns the struct and the descriptor. A line is the struct's until the next
 *            call.
 * Threads    One for each struct.
 * Errors     enum lines_step.
 * Not here   What a line means.
 */
#ifndef CREBITO_EXCHANGE_LINES_H
#define CREBITO_EXCHANGE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "must_check.h"
#include "ops/task.h"

enum { LINES_BUFFER_BYTES = 1 << 16 };

struct lines {
    int fd;
    int error;        /* errno, after LINES_UNREADABLE */
    uint64_t number;  /* of the line at hand, from 1; at the end, of the last */
    bool terminated;  /* did a newline end the line at hand? Only the last may lack it */
    bool is_skipping; /* the rest of a line that was too long */
    bool has_ended;   /* there is no more to read */
    size_t line_bytes_max;
    struct task *task;

    /* [start, end) read, and not yet returned | [end, LINES_BUFFER_BYTES) room */
    size_t start, end;
    char buffer[LINES_BUFFER_BYTES];
};

enum lines_step {
    LINES_LINE,
    LINES_TOO_LONG, /* longer than line_bytes_max; the next call returns what follows it */
    LINES_END,
    LINES_UNREADABLE,
    LINES_STOPPED, /* task_stopped() */
};

/* line_bytes_max is less than the buffer. Tells `task` the file's size, and how much was read. */
void lines_begin(struct lines *lines, int fd, size_t line_bytes_max, struct task *task);

/* Without its newline. */
MUST_CHECK enum lines_step lines_next(struct lines *lines, const char **ret_line,
                                      size_t *ret_bytes);

#endif
