/* SPDX-License-Identifier: MIT
 *
 * task.c - see task.h. What the terminal shows is in progress.c.
 */
#include "ops/task.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ops/progress.h"

enum { TICK_MS = 250, STATUS_FAILED = 1, STATUS_SIGNAL = 128 };

/* ioprio_set(2), for which not every C library has a header. */
enum { IOPRIO_WHO_SELF = 1, IOPRIO_LAST = (2 << 13) | 7 }; /* best effort, the lowest of it */

/* A tenth of what the bank beside us gets of a busy CPU. Less, as the idle class gives, and we would be
 * kept waiting in the middle of a snapshot, for which the ledger grows. */
enum { NICENESS = 10 };

/* What asks for an end. */
static const int stop_signals[] = {SIGINT, SIGTERM, SIGHUP};

/* What ends a process that touches a page it should not have, whoever handles these now. */
static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGPIPE};

enum {
    STOP_SIGNALS = sizeof stop_signals / sizeof stop_signals[0],
    FATAL_SIGNALS = sizeof fatal_signals / sizeof fatal_signals[0],
};

/* --- the child ------------------------------------------------------------------------------ */

static void set_signals(const sigset_t *mask)
{
    for (size_t i = 0; i < STOP_SIGNALS; i++)
        signal(stop_signals[i], SIG_IGN); /* the parent hears them, and tells us */
    for (size_t i = 0; i < FATAL_SIGNALS; i++)
        signal(fatal_signals[i], SIG_DFL);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a write that fails */
    sigprocmask(SIG_SETMASK, mask, NULL);
}

/* Where the system refuses one of these, the work is done all the same. */
static void step_back(void)
{
    (void)setpriority(PRIO_PROCESS, 0, NICENESS);
    (void)syscall(SYS_ioprio_set, IOPRIO_WHO_SELF, 0, IOPRIO_LAST);
}

/* Did what was printed arrive? False with words; the worker's own failure comes before. */
static bool flush_output(char *words, size_t size)
{
    bool failed_before = ferror(stdout);
    errno = 0;
    if (fflush(stdout) == 0 && !failed_before)
        return true;
    snprintf(words, size, "cannot write: %s", errno ? strerror(errno) : "an output error");
    return false;
}

static _Noreturn void run_child(struct task *task, enum task_manner manner, task_work *work,
                                void *context, pid_t parent, const sigset_t *mask)
{
    const struct rlimit no_core = {0, 0}; /* a damaged page is an answer, not a crash to study */
    /* First ask to die with the parent, then look whether it has died already. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(STATUS_FAILED);
    set_signals(mask);
    (void)setrlimit(RLIMIT_CORE, &no_core);
    if (manner == TASK_YIELDING)
        step_back();
    int status = work(task, context);
    char words[TASK_WORDS_BYTES];
    if (!flush_output(words, sizeof words) && status == 0) {
        memcpy(task->words, words, sizeof words);
        status = STATUS_FAILED;
    }
    /* Not _exit(): leak checkers and coverage have their say at the end of a process. */
    exit(status);
}

/* --- the parent ----------------------------------------------------------------------------- */

struct watch {
    struct task *task;
    pid_t child;
    sigset_t signals;              /* that we wait for, and that are blocked meanwhile */
    sigset_t mask;                 /* before */
    struct sigaction child_action; /* before: SIGCHLD's */
    int stopped_by;                /* the first signal; 0: none */
    bool child_killed;             /* by us */
};

/* A signal that was ignored before (nohup, a script's background job) stays ignored; but SIGCHLD, or
 * how the child ends would be lost. */
static void hold_signals(struct watch *watch)
{
    const struct sigaction by_default = {.sa_handler = SIG_DFL};
    sigaction(SIGCHLD, &by_default, &watch->child_action);
    sigemptyset(&watch->signals);
    sigaddset(&watch->signals, SIGCHLD);
    for (size_t i = 0; i < STOP_SIGNALS; i++) {
        struct sigaction before;
        if (sigaction(stop_signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaddset(&watch->signals, stop_signals[i]);
    }
    sigprocmask(SIG_BLOCK, &watch->signals, &watch->mask);
}

static void release_signals(const struct watch *watch)
{
    sigprocmask(SIG_SETMASK, &watch->mask, NULL);
    sigaction(SIGCHLD, &watch->child_action, NULL);
}

static void heard(struct watch *watch, int signal_number)
{
    if (!watch->stopped_by) {
        watch->stopped_by = signal_number;
        atomic_store(&watch->task->stop, true);
    } else if (signal_number != SIGHUP) { /* a terminal that goes away may say so twice */
        watch->child_killed = true;
        kill(watch->child, SIGKILL);
    }
}

/* Returns the child's wait status. Looks at the child itself at every turn: SIGCHLD is only what
 * wakes us early. */
static int wait_for_child(struct watch *watch, struct progress *progress)
{
    const struct timespec tick = {.tv_nsec = TICK_MS * 1000000L};
    int status = STATUS_FAILED << 8;
    while (waitpid(watch->child, &status, WNOHANG) == 0) {
        int signal_number = sigtimedwait(&watch->signals, NULL, &tick);
        if (signal_number == SIGCHLD)
            continue;
        if (signal_number > 0)
            heard(watch, signal_number);
        progress_draw(progress, watch->task);
    }
    return status;
}

/* --- what is said in the end ---------------------------------------------------------------- */

static int unreadable(const char *name, const char *why, uint64_t record)
{
    char near[48] = "";
    if (record > 0)
        snprintf(near, sizeof near, ", near journal record %llu", (unsigned long long)record);
    fprintf(stderr, "crebito: %s: damaged: a page of the ledger cannot be read%s%s\n", name, why,
            near);
    return STATUS_FAILED;
}

static int died(const char *name, int signal_number, uint64_t record)
{
    switch (signal_number) {
    case SIGPIPE: return STATUS_SIGNAL + SIGPIPE; /* `| head` has seen enough: no news */
    case SIGSEGV:
    case SIGBUS: return unreadable(name, "", record);
    case SIGABRT: return unreadable(name, " (SIGABRT)", record);
    case SIGILL: return unreadable(name, " (SIGILL)", record);
    case SIGFPE: return unreadable(name, " (SIGFPE)", record);
    case SIGKILL: fprintf(stderr, "crebito: %s: was killed (out of memory?)\n", name); break;
    default: fprintf(stderr, "crebito: %s: was ended by signal %d\n", name, signal_number); break;
    }
    return STATUS_FAILED;
}

/* On stderr each line begins with who says it. */
static int say_words(const struct task *task, int status)
{
    size_t left = strnlen(task->words, sizeof task->words);
    for (const char *line = task->words; left > 0;) {
        const char *newline = memchr(line, '\n', left);
        size_t bytes = newline ? (size_t)(newline - line) : left;
        fprintf(status == 0 ? stdout : stderr, "%s%.*s\n",
                status == 0 ? "" : "crebito: ", (int)bytes, line);
        bytes += newline != NULL;
        line += bytes;
        left -= bytes;
    }
    char words[TASK_WORDS_BYTES];
    if (flush_output(words, sizeof words) || status != 0)
        return status;
    fprintf(stderr, "crebito: %s\n", words);
    return STATUS_FAILED;
}

static int report(const char *name, const struct watch *watch, int status)
{
    bool done = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    bool died_of_its_own = WIFSIGNALED(status) && !watch->child_killed;
    if (watch->stopped_by && !done && !died_of_its_own) {
        fprintf(stderr, "crebito: %s: stopped\n", name);
        return STATUS_SIGNAL + watch->stopped_by;
    }
    if (WIFSIGNALED(status))
        return died(name, WTERMSIG(status), atomic_load(&watch->task->record));
    return say_words(watch->task, WEXITSTATUS(status));
}

int task_run(const char *name, enum task_manner manner, task_work *work, void *context)
{
    struct watch watch = {.child = -1};
    struct progress progress;
    int status = STATUS_FAILED;
    watch.task = mmap(NULL, sizeof *watch.task, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                      -1, 0);
    if (watch.task == MAP_FAILED) {
        fprintf(stderr, "crebito: %s: out of memory\n", name);
        return STATUS_FAILED;
    }
    /* What is in stdio's buffers would be written by both. */
    fflush(stdout);
    fflush(stderr);
    hold_signals(&watch);
    progress_begin(&progress, name);
    pid_t parent = getpid();
    watch.child = fork();
    if (watch.child == 0)
        run_child(watch.task, manner, work, context, parent, &watch.mask);
    if (watch.child > 0) {
        int ended = wait_for_child(&watch, &progress);
        progress_end(&progress);
        status = report(name, &watch, ended);
    } else {
        fprintf(stderr, "crebito: %s: cannot start: %s\n", name, strerror(errno));
    }
    release_signals(&watch);
    munmap(watch.task, sizeof *watch.task);
    return status;
}
