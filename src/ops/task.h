/* SPDX-License-Identifier: MIT
 *
 * task.h - long work: done in a child process, watched from the parent.
 *
 * Purpose    Progress on a terminal (silence in a pipe), a clean end on SIGINT, SIGTERM and SIGHUP,
 *            and an answer in place of a crash: a damaged page of a memory-mapped file ends the
 *            child with a signal, and the parent says near which record that was.
 * Invariant  The child does the work, and writes what was asked for to stdout; the parent alone
 *            writes to the terminal. One of them dying does not leave the other behind. The child
 *            runs when nobody else wants the processor or the disk: a bank beside it comes first.
 * Ownership  task_run() makes and frees the task, in memory that both processes share.
 * Threads    The process has one thread when task_run() is called.
 * Errors     The exit status that task_run() returns, after a line or more on stderr.
 * Not here   What the work is.
 */
#ifndef CREBITO_OPS_TASK_H
#define CREBITO_OPS_TASK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "must_check.h"

enum { TASK_WORDS_BYTES = 4096 };

struct task {
    /* The worker's, for whoever looks on. */
    _Atomic uint64_t done_bytes, total_bytes; /* total 0: not known */
    _Atomic uint64_t record;                  /* the journal record at hand; 0: none */
    _Atomic bool prints;          /* to stdout, as it goes: a terminal is that output's then */
    char words[TASK_WORDS_BYTES]; /* one line or more: stdout if it went well, else stderr */

    _Atomic bool stop; /* somebody wants it to end */
};

/* To be asked now and then: has somebody asked us to end? A second signal kills. */
static inline bool task_stopped(const struct task *task)
{
    return atomic_load_explicit(&task->stop, memory_order_relaxed);
}

/* Returns an exit status, and leaves its last words, if any, in task->words: what else it changes in
 * memory goes with the child. What it prints to stdout is flushed, and that is checked, after it. */
typedef int task_work(struct task *task, void *context);

enum task_manner {
    TASK_YIELDING, /* beside a bank, which comes first: niceness 10, the disk last */
    TASK_HURRYING, /* there is no bank before it is done */
};

/* `name` begins the line of progress and stands in messages. Returns what `work` returned; 1 if it
 * died, or if what it printed could not be written; 128 + the signal if a signal stopped it before
 * it was done: its words are then not shown. Work that returns 0 is done, stopped or not. */
MUST_CHECK int task_run(const char *name, enum task_manner manner, task_work *work, void *context);

#endif
