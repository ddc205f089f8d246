/* SPDX-License-Identifier: MIT
 *
 * test_task.c - long work in a child process: how it ends, and what the parent makes of it.
 */
#define _GNU_SOURCE /* RTLD_NEXT, memfd_create */
#include "task_runner.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAGE = 4096 };

/* --- the system's calls, which a test can make fail ------------------------------------------ */

static bool fork_fails, map_fails;

pid_t fork(void)
{
    pid_t (*real)(void) = (pid_t(*)(void))dlsym(RTLD_NEXT, "fork");
    if (!fork_fails)
        return real();
    errno = EAGAIN;
    return -1;
}

void *mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    if (!map_fails)
        return (void *)syscall(SYS_mmap, at, bytes, protection, flags, fd, offset); // NOLINT
    errno = ENOMEM;
    return MAP_FAILED;
}

/* --- works ------------------------------------------------------------------------------------ */

static int fill_words(struct task *task, void *context)
{
    (void)context;
    memset(task->words, 'w', sizeof task->words);
    atomic_store(&task->stop, true); /* the byte after them */
    return 1;
}

struct death {
    int signal_number;
    uint64_t record;
};

static int die(struct task *task, void *context)
{
    const struct death *death = context;
    atomic_store(&task->record, death->record);
    raise(death->signal_number);
    return 77; /* it did not kill us */
}

/* A page of a file that is shorter than its mapping. */
static int touch_lost_page(struct task *task, void *context)
{
    int fd = memfd_create("lost", 0);
    (void)context;
    if (fd < 0 || ftruncate(fd, PAGE) != 0)
        return 78;
    volatile char *page = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED || ftruncate(fd, 0) != 0)
        return 79;
    atomic_store(&task->record, 12);
    return page[0];
}

static int touch_no_page(struct task *task, void *context)
{
    (void)task;
    (void)context;
    volatile char *page = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? 79 : page[0];
}

/* --- tests: a work that ends ------------------------------------------------------------------- */

static void what_the_work_returns_is_returned_and_its_words_are_told(void **state)
{
    (void)state;
    static const struct {
        struct answer answer;
        const char *out, *err;
    } cases[] = {
        {{0, "", ""}, "", ""},
        {{0, "", "all is well"}, "all is well\n", ""},
        {{0, "", "all is well\n"}, "all is well\n", ""},
        {{0, "", "one\ntwo"}, "one\ntwo\n", ""},
        {{0, "data\n", "made"}, "data\nmade\n", ""},
        {{1, "", "it is not"}, "", "crebito: it is not\n"},
        {{2, "", "one\n\ntwo\n"}, "", "crebito: one\ncrebito: \ncrebito: two\n"},
        {{1, "data\n", ""}, "data\n", ""},
        {{42, "", ""}, "", ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct answer given = cases[i].answer;
        int status = run_to_end(answer, &given);
        check((int)i, status, given.status, cases[i].out, cases[i].err);
    }
}

static void words_without_an_end_are_cut_at_the_end_of_their_memory(void **state)
{
    (void)state;
    assert_int_equal(run_to_end(fill_words, NULL), 1);
    assert_int_equal(strlen(run.errs), strlen("crebito: ") + TASK_WORDS_BYTES + 1);
    assert_int_equal(strspn(run.errs + strlen("crebito: "), "w"), TASK_WORDS_BYTES);
}

static void print_before(void)
{
    printf("before\n"); /* stays in the buffer of a pipe */
}

static void what_was_printed_before_is_not_printed_twice(void **state)
{
    (void)state;
    struct answer given = {0, "data\n", "done"};
    before_task = print_before;
    int status = run_to_end(answer, &given);
    CHECK(status, 0, "before\ndata\ndone\n", "");
}

static void fill_stdout(void)
{
    int full = open("/dev/full", O_WRONLY);
    if (dup2(full, STDOUT_FILENO) < 0)
        _exit(99);
}

static void output_that_cannot_be_written_is_a_failure(void **state)
{
    (void)state;
    static const char words[] = "crebito: cannot write: No space left on device\n";
    struct answer prints = {0, "data\n", "made"}, speaks = {0, "", "made"},
                  fails = {3, "data\n", "it was wrong"};
    before_task = fill_stdout;
    int status = run_to_end(answer, &prints);
    CHECK(status, 1, "", words);
    status = run_to_end(answer, &speaks);
    CHECK(status, 1, "", words);
    status = run_to_end(answer, &fails);
    CHECK(status, 3, "", "crebito: it was wrong\n");
}

/* stdio forgets what a full buffer's write said. */
static int print_much(struct task *task, void *context)
{
    (void)task;
    (void)context;
    for (int i = 0; i < 1000; i++)
        printf("%0100d\n", i);
    fflush(stdout);
    return 0;
}

static void output_that_was_lost_on_the_way_is_a_failure(void **state)
{
    (void)state;
    before_task = fill_stdout;
    assert_int_equal(run_to_end(print_much, NULL), 1);
    assert_int_equal(strncmp(run.errs, "crebito: cannot write: ", 23), 0);
}

/* --- tests: a work that dies ------------------------------------------------------------------- */

static void ignore_everything(void)
{
    for (int i = 1; i < 32; i++)
        signal(i, SIG_IGN);
}

static void caught(int number)
{
    (void)number;
    _exit(55);
}

static void catch_everything(void)
{
    for (int i = 1; i < 32; i++)
        if (i != SIGCHLD)
            signal(i, caught);
}

static void death_by_a_signal_is_an_answer(void **state)
{
    (void)state;
    static const struct {
        struct death death;
        int status;
        const char *err;
    } cases[] = {
        {{SIGBUS, 4711},
         1,
         "crebito: test: damaged: a page of the ledger cannot be read, near journal record 4711\n"},
        {{SIGSEGV, 1},
         1,
         "crebito: test: damaged: a page of the ledger cannot be read, near journal record 1\n"},
        {{SIGSEGV, 0}, 1, "crebito: test: damaged: a page of the ledger cannot be read\n"},
        {{SIGABRT, 3},
         1,
         "crebito: test: damaged: a page of the ledger cannot be read (SIGABRT), near journal "
         "record 3\n"},
        {{SIGILL, 0}, 1, "crebito: test: damaged: a page of the ledger cannot be read (SIGILL)\n"},
        {{SIGFPE, 0}, 1, "crebito: test: damaged: a page of the ledger cannot be read (SIGFPE)\n"},
        {{SIGKILL, 9}, 1, "crebito: test: was killed (out of memory?)\n"},
        {{SIGPIPE, 9}, 128 + SIGPIPE, ""},
        {{SIGQUIT, 9}, 1, "crebito: test: was ended by signal 3\n"},
    };
    static void (*const befores[])(void) = {NULL, ignore_everything, catch_everything};
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (size_t b = 0; b < COUNT_OF(befores); b++) {
            struct death given = cases[i].death;
            if (given.signal_number == SIGQUIT && befores[b])
                continue; /* not ours to judge */
            before_task = befores[b];
            int status = run_to_end(die, &given);
            check((int)(10 * i + b), status, cases[i].status, "", cases[i].err);
        }
}

static void a_page_that_is_lost_is_an_answer_and_no_crash(void **state)
{
    (void)state;
    static void (*const befores[])(void) = {NULL, ignore_everything, catch_everything};
    for (size_t b = 0; b < COUNT_OF(befores); b++) {
        before_task = befores[b];
        int status = run_to_end(touch_lost_page, NULL);
        CHECK(status, 1, "",
              "crebito: test: damaged: a page of the ledger cannot be read, near journal record "
              "12\n");
        status = run_to_end(touch_no_page, NULL);
        CHECK(status, 1, "", "crebito: test: damaged: a page of the ledger cannot be read\n");
    }
}

/* --- tests: surroundings ------------------------------------------------------------------------- */

static void a_child_that_cannot_be_had_is_said(void **state)
{
    (void)state;
    struct answer given = {0, "", "made"};
    fork_fails = true;
    capture_begin(STDERR_FILENO);
    int status = task_run("test", TASK_YIELDING, answer, &given);
    const char *said = capture_end();
    fork_fails = false;
    assert_int_equal(status, 1);
    assert_string_equal(said, "crebito: test: cannot start: Resource temporarily unavailable\n");
}

static void memory_that_cannot_be_had_is_said(void **state)
{
    (void)state;
    struct answer given = {0, "", "made"};
    capture_begin(STDERR_FILENO);
    map_fails = true;
    int status = task_run("test", TASK_YIELDING, answer, &given);
    map_fails = false;
    const char *said = capture_end();
    assert_int_equal(status, 1);
    assert_string_equal(said, "crebito: test: out of memory\n");
}

static void signals_are_afterwards_as_they_were_before(void **state)
{
    (void)state;
    sigset_t before, after, none;
    struct sigaction action;
    struct answer given = {1, "", ""};
    sigemptyset(&before);
    sigaddset(&before, SIGUSR1);
    sigaddset(&before, SIGTERM);
    sigprocmask(SIG_SETMASK, &before, NULL);
    signal(SIGCHLD, SIG_IGN); /* children then leave no status behind */
    int status = task_run("test", TASK_YIELDING, answer, &given);
    sigaction(SIGCHLD, NULL, &action);
    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, &after);
    assert_int_equal(status, 1);
    assert_true(action.sa_handler == SIG_IGN);
    for (int i = 1; i < 32; i++)
        assert_int_equal(sigismember(&after, i), i == SIGUSR1 || i == SIGTERM);
}

static int look_around(struct task *task, void *context)
{
    struct rlimit core;
    sigset_t blocked;
    (void)context;
    getrlimit(RLIMIT_CORE, &core);
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    snprintf(task->words, sizeof task->words, "nice %d, io %d, core %d, blocked %d",
             getpriority(PRIO_PROCESS, 0), (int)syscall(SYS_ioprio_get, 1, 0), (int)core.rlim_cur,
             sigismember(&blocked, SIGINT) || sigismember(&blocked, SIGCHLD));
    return 0;
}

static void want_cores(void)
{
    struct rlimit core;
    getrlimit(RLIMIT_CORE, &core);
    core.rlim_cur = core.rlim_max;
    setrlimit(RLIMIT_CORE, &core);
}

static void the_child_steps_back_and_leaves_no_core(void **state)
{
    (void)state;
    before_task = want_cores;
    char wanted[80];
    snprintf(wanted, sizeof wanted, "nice 10, io %d, core 0, blocked 0\n", (2 << 13) | 7);
    int status = run_to_end(look_around, NULL);
    CHECK(status, 0, wanted, "");
}

static void a_child_in_a_hurry_does_not_step_back(void **state)
{
    (void)state;
    before_task = want_cores;
    manner_of_task = TASK_HURRYING;
    char wanted[80];
    snprintf(wanted, sizeof wanted, "nice %d, io %d, core 0, blocked 0\n",
             getpriority(PRIO_PROCESS, 0), (int)syscall(SYS_ioprio_get, 1, 0));
    int status = run_to_end(look_around, NULL);
    CHECK(status, 0, wanted, "");
}

static int show_progress(struct task *task, void *context)
{
    (void)context;
    atomic_store(&task->total_bytes, 1 << 20);
    atomic_store(&task->done_bytes, 1 << 19);
    wait_for_go();
    snprintf(task->words, sizeof task->words, "made");
    return 0;
}

static void the_terminal_shows_how_far_it_is_and_then_nothing(void **state)
{
    (void)state;
    int master, slave;
    size_t bytes = 0;
    ssize_t got;
    bool gone_on = false;
    if (openpty(&master, &slave, NULL, NULL, NULL))
        abort();
    start_on(slave, show_progress, NULL);
    while ((got = read(master, run.outs + bytes, OUTPUT_BYTES - 1 - bytes)) > 0) {
        bytes += (size_t)got;
        run.outs[bytes] = '\0';
        if (!gone_on && strstr(run.outs, "test  512.0 KiB of 1.0 MiB (50 %), ")) {
            gone_on = true;
            go(); /* once something stands there */
        }
    }
    close(master);
    assert_int_equal(ended(), 0);
    /* Drawn over with blanks, and the words are the first on their line. */
    static const char end[] = "        \rmade\r\n";
    if (bytes < sizeof end || strcmp(run.outs + bytes - (sizeof end - 1), end) != 0)
        FAIL("the terminal got %s", shown(run.outs, bytes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_the_work_returns_is_returned_and_its_words_are_told,
                               nothing_before),
        cmocka_unit_test_setup(words_without_an_end_are_cut_at_the_end_of_their_memory,
                               nothing_before),
        cmocka_unit_test_setup(what_was_printed_before_is_not_printed_twice, nothing_before),
        cmocka_unit_test_setup(output_that_cannot_be_written_is_a_failure, nothing_before),
        cmocka_unit_test_setup(output_that_was_lost_on_the_way_is_a_failure, nothing_before),
        cmocka_unit_test_setup(death_by_a_signal_is_an_answer, nothing_before),
        cmocka_unit_test_setup(a_page_that_is_lost_is_an_answer_and_no_crash, nothing_before),
        cmocka_unit_test_setup(a_child_that_cannot_be_had_is_said, nothing_before),
        cmocka_unit_test_setup(memory_that_cannot_be_had_is_said, nothing_before),
        cmocka_unit_test_setup(signals_are_afterwards_as_they_were_before, nothing_before),
        cmocka_unit_test_setup(the_child_steps_back_and_leaves_no_core, nothing_before),
        cmocka_unit_test_setup(a_child_in_a_hurry_does_not_step_back, nothing_before),
        cmocka_unit_test_setup(the_terminal_shows_how_far_it_is_and_then_nothing, nothing_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
