/* SPDX-License-Identifier: MIT
 *
 * output.h - text on its way to a file, a pipe or a terminal.
 *
 * Purpose    Many small pieces written as few large ones, with an end to the wait for a reader
 *            that does not read.
 * Invariant  used <= OUTPUT_BUFFER_BYTES. After a failure nothing more is written.
 * Ownership  The caller owns the struct and the descriptor.
 * Threads    One for each struct.
 * Errors     False; then `error` is the errno, or 0 if task_stopped(). SIGPIPE and SIGXFSZ must be
 *            ignored for EPIPE and EFBIG to be seen.
 * Not here   What is written.
 */
#ifndef CREBITO_EXCHANGE_OUTPUT_H
#define CREBITO_EXCHANGE_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "must_check.h"
#include "ops/task.h"

enum {
    OUTPUT_BUFFER_BYTES = 1 << 18,
    OUTPUT_PIECE_BYTES_MAX = 4096, /* what output_room() has room for */
};

struct output {
    int fd;
    int error;
    bool has_failed;
    size_t write_bytes_max; /* that a ready descriptor takes without making us wait */
    const struct task *task;

    /* [0, used) not yet written | [used, OUTPUT_BUFFER_BYTES) room */
    size_t used;
    char buffer[OUTPUT_BUFFER_BYTES];
};

void output_begin(struct output *output, int fd, const struct task *task);

/* Where the next OUTPUT_PIECE_BYTES_MAX may be put; NULL after a failure. */
MUST_CHECK char *output_room(struct output *output);
/* So many were put there. */
void output_added(struct output *output, size_t bytes);

MUST_CHECK bool output_flush(struct output *output);

#endif
