/* SPDX-License-Identifier: MIT
 *
 * task.h - long work: done in a child process, watched from the parent.
 *
 * Purpose    Progress on a terminal (silence in a pipe), a clean end on SIGINT and SIGTERM, and an
 *            answer in place of a crash: a damaged page of a memory-mapped file ends the child
 *            with a signal, and the parent says near which record that was.
 * Invariant  The child does the work, and writes what was asked for to stdout; the parent alone
 *            writes to the terminal. One of them dying does not leave the other behind.
 * Ownership  task_run() makes and frees the task, in memory that both processes share.
 * Threads    The process has one thread when task_run() is called.
 * Errors     The exit status that task_run() returns; it prints the last words of the work.
 * Not here   What the work is.
 */
#ifndef CREBITO_OPS_TASK_H
#define CREBITO_OPS_TASK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "must_check.h"

enum { TASK_WORDS_BYTES = 1024 };

struct task {
    /* The worker's, for whoever looks on. */
    _Atomic uint64_t done_bytes, total_bytes; /* total 0: not known */
    _Atomic uint64_t record;                  /* the journal record at hand; 0: none */
    char words[TASK_WORDS_BYTES]; /* one line or more: stdout if it went well, else stderr */

    _Atomic bool stop; /* somebody wants it to end */
};

/* To be asked now and then: has somebody asked us to end? */
static inline bool task_stopped(const struct task *task)
{
    return atomic_load_explicit(&task->stop, memory_order_relaxed);
}

/* Returns an exit status. The words are in task->words. */
typedef int task_work(struct task *task, void *context);

/* `name` begins the line of progress. Returns what `work` returned; 1 if it died; 130 or 143
 * (128 + the signal) if SIGINT or SIGTERM stopped it. */
MUST_CHECK int task_run(const char *name, task_work *work, void *context);

#endif
