/* SPDX-License-Identifier: MIT
 *
 * task_runner.c - see task_runner.h.
 */
#include "task_runner.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct run run;
void (*before_task)(void);
enum task_manner manner_of_task;

int nothing_before(void **state)
{
    (void)state;
    before_task = NULL;
    manner_of_task = TASK_YIELDING;
    return 0;
}

static void become_task(int out, int err, task_work *work, void *context)
{
    close(run.from_work[0]);
    close(run.to_work[1]);
    if (dup2(out, STDOUT_FILENO) < 0 || dup2(err, STDERR_FILENO) < 0)
        _exit(99);
    signal(SIGINT, SIG_DFL); /* whatever the tests were started with */
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    if (before_task)
        before_task();
    _exit(task_run("test", manner_of_task, work, context));
}

void start_on(int terminal, task_work *work, void *context)
{
    int out[2] = {-1, terminal}, err[2] = {-1, terminal};
    if (pipe(run.from_work) || pipe(run.to_work) || (!terminal && (pipe(out) || pipe(err))))
        abort();
    fflush(NULL);
    run.pid = fork();
    assert_true(run.pid >= 0);
    if (run.pid == 0)
        become_task(out[1], err[1], work, context);
    close(out[1]);
    if (!terminal)
        close(err[1]);
    close(run.from_work[1]);
    close(run.to_work[0]);
    run.out = out[0];
    run.err = err[0];
}

void start(task_work *work, void *context)
{
    start_on(0, work, context);
}

static void read_all(int fd, char *ret)
{
    size_t bytes = 0;
    ssize_t got;
    while (bytes < OUTPUT_BYTES - 1 && (got = read(fd, ret + bytes, OUTPUT_BYTES - 1 - bytes)) > 0)
        bytes += (size_t)got;
    ret[bytes] = '\0';
    close(fd);
}

int ended(void)
{
    int status;
    if (run.out >= 0) {
        read_all(run.out, run.outs);
        read_all(run.err, run.errs);
    }
    close(run.from_work[0]);
    close(run.to_work[1]);
    assert_int_equal(waitpid(run.pid, &status, 0), run.pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

int run_to_end(task_work *work, void *context)
{
    start(work, context);
    return ended();
}

void check(int line, int status, int wanted, const char *out, const char *err)
{
    if (status != wanted || strcmp(run.outs, out) != 0 || strcmp(run.errs, err) != 0)
        FAIL("line %d: status %d, should be %d\nstdout \"%s\"\nstderr \"%s\"", line, status, wanted,
             run.outs, run.errs);
}

bool ready(void)
{
    char byte;
    return read(run.from_work[0], &byte, 1) == 1;
}

void say_ready(void)
{
    if (write(run.from_work[1], "r", 1) != 1)
        abort();
}

void wait_for_go(void)
{
    char byte;
    if (read(run.to_work[0], &byte, 1) != 1)
        abort();
}

void go(void)
{
    if (write(run.to_work[1], "g", 1) != 1)
        abort();
}

int answer(struct task *task, void *context)
{
    const struct answer *answer = context;
    snprintf(task->words, sizeof task->words, "%s", answer->words);
    printf("%s", answer->prints);
    return answer->status;
}
