/* SPDX-License-Identifier: MIT
 *
 * progress.h - how far a task is, on one line of a terminal.
 *
 * Purpose    `backup  123.4 MiB of 1.2 GiB (10 %), 85.3 MiB/s, 0:12 left`, drawn over and over.
 * Invariant  Nothing is written unless stderr is a terminal that is ours to write to; the line is
 *            narrower than it, and gone in the end.
 * Ownership  Borrows the name.
 * Threads    One at a time.
 * Errors     A line that cannot be written is lost.
 * Not here   When to draw.
 */
#ifndef CREBITO_OPS_PROGRESS_H
#define CREBITO_OPS_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ops/task.h"

struct progress {
    const char *name;
    bool terminal;
    uint64_t began_ms;
    size_t shown; /* columns of the line that stands there */
};

void progress_begin(struct progress *progress, const char *name);
void progress_draw(struct progress *progress, const struct task *task);
void progress_end(struct progress *progress);

/* The line, without an end; terminated. */
void progress_line(char *ret, size_t size, const char *name, uint64_t done_bytes,
                   uint64_t total_bytes, uint64_t elapsed_ms);

#endif
