/* SPDX-License-Identifier: MIT
 *
 * task_runner.h - a process that runs a task, whose output is read and whose work waits for us.
 */
#ifndef CREBITO_TESTS_UNIT_TASK_RUNNER_H
#define CREBITO_TESTS_UNIT_TASK_RUNNER_H

#include "unit.h"

#include <sys/types.h>

#include "ops/task.h"

enum { OUTPUT_BYTES = 8192 };

extern struct run {
    pid_t pid;
    int out, err;     /* we read what it writes */
    int from_work[2]; /* the work tells: ready */
    int to_work[2];   /* the work waits for: go on */
    char outs[OUTPUT_BYTES], errs[OUTPUT_BYTES];
} run;

/* In that process, before task_run(); NULL: nothing. */
extern void (*before_task)(void);
extern enum task_manner manner_of_task;
/* A setup: nothing, and TASK_YIELDING. */
int nothing_before(void **state);

/* Instead of pipes, `terminal` is its stdout and stderr; 0: pipes. */
void start_on(int terminal, task_work *work, void *context);
void start(task_work *work, void *context);
/* True when the work has said that it is ready; false if nobody is left who could. */
bool ready(void);
void go(void);
/* The exit status, 1000 and the signal if it was killed; what it wrote is then in run.outs and
 * run.errs. */
int ended(void);
int run_to_end(task_work *work, void *context);

#define CHECK(status, wanted, out, err) check(__LINE__, status, wanted, out, err)
void check(int line, int status, int wanted, const char *out, const char *err);

/* For the work. */
void say_ready(void);
void wait_for_go(void);

/* A work that ends at once, as it is told. */
struct answer {
    int status;
    const char *prints, *words;
};
int answer(struct task *task, void *context);

#endif
