/* SPDX-License-Identifier: MIT
 *
 * test_task_stop.c - long work that somebody stops, or whose other half is gone.
 */
#include "task_runner.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The child's own call, for a test in which the parent is faster. */
static bool parent_dies_before_prctl;

int prctl(int option, ...)
{
    va_list arguments;
    va_start(arguments, option);
    unsigned long value = va_arg(arguments, unsigned long);
    va_end(arguments);
    if (option == PR_SET_PDEATHSIG && parent_dies_before_prctl) {
        pid_t parent = getppid();
        kill(parent, SIGKILL);
        while (getppid() == parent)
            sched_yield();
    }
    return (int)syscall(SYS_prctl, option, value, 0, 0, 0);
}

/* --- works ------------------------------------------------------------------------------------ */

/* Works until it is told to stop; ends with what it is given. */
static int work_until_stopped(struct task *task, void *context)
{
    say_ready();
    while (!task_stopped(task))
        usleep(1000);
    return answer(task, context);
}

/* The same, but sees it and goes on until we let it. */
static int see_stop_and_go_on(struct task *task, void *context)
{
    say_ready();
    while (!task_stopped(task))
        usleep(1000);
    say_ready();
    wait_for_go();
    return answer(task, context);
}

static int hang(struct task *task, void *context)
{
    (void)task;
    (void)context;
    say_ready();
    while (pause() != 0) {
    }
    return 0;
}

/* --- tests: a work that is stopped -------------------------------------------------------------- */

static void a_signal_asks_the_work_to_end(void **state)
{
    (void)state;
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        struct answer given = {1, "part\n", "was stopped at record 7"};
        start(work_until_stopped, &given);
        assert_true(ready());
        kill(run.pid, signals[i]);
        int status = ended();
        CHECK(status, 128 + signals[i], "part\n", "crebito: test: stopped\n");
    }
}

static void work_that_is_done_when_it_is_stopped_is_done(void **state)
{
    (void)state;
    struct answer given = {0, "", "all is made"};
    start(work_until_stopped, &given);
    assert_true(ready());
    kill(run.pid, SIGINT);
    int status = ended();
    CHECK(status, 0, "all is made\n", "");
}

static void lead_a_group(void)
{
    setpgid(0, 0);
}

/* As a terminal does it: the child gets the signal as well, and leaves it to the parent. */
static void a_signal_to_the_whole_group_lets_the_work_end(void **state)
{
    (void)state;
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        struct answer given = {0, "", "all is made"};
        before_task = lead_a_group;
        start(work_until_stopped, &given);
        assert_true(ready());
        kill(-run.pid, signals[i]);
        int status = ended();
        CHECK(status, 0, "all is made\n", "");
    }
}

static void a_second_signal_kills_a_work_that_hangs(void **state)
{
    (void)state;
    static const int seconds[] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < COUNT_OF(seconds); i++) {
        struct answer given = {0, "", ""};
        start(see_stop_and_go_on, &given);
        assert_true(ready());
        kill(run.pid, SIGINT);
        assert_true(ready()); /* it has seen the first */
        kill(run.pid, seconds[i]);
        int status = ended();
        CHECK(status, 128 + SIGINT, "", "crebito: test: stopped\n");
    }
}

/* Is a signal waiting to be taken by the process? */
static bool pending(pid_t pid, int number)
{
    char path[64], line[256];
    unsigned long long shared = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "ShdPnd:", 7) == 0)
            shared = strtoull(line + 7, NULL, 16);
    if (file)
        fclose(file);
    return shared >> (number - 1) & 1;
}

static void a_terminal_that_goes_away_twice_kills_nobody(void **state)
{
    (void)state;
    struct answer given = {0, "", "all is made"};
    start(see_stop_and_go_on, &given);
    assert_true(ready());
    kill(run.pid, SIGHUP);
    assert_true(ready());
    kill(run.pid, SIGHUP);
    while (pending(run.pid, SIGHUP))
        usleep(1000);
    go();
    int status = ended();
    CHECK(status, 0, "all is made\n", "");
}

static void ignore_interrupts(void)
{
    signal(SIGINT, SIG_IGN);
}

static void a_signal_that_was_ignored_stays_ignored(void **state)
{
    (void)state;
    struct answer given = {1, "", ""};
    before_task = ignore_interrupts;
    start(work_until_stopped, &given);
    assert_true(ready());
    kill(run.pid, SIGINT);
    kill(run.pid, SIGTERM);
    int status = ended();
    CHECK(status, 128 + SIGTERM, "", "crebito: test: stopped\n");
}

static void a_work_that_dies_of_its_own_while_it_is_stopped_has_died(void **state)
{
    (void)state;
    struct answer given = {0, "", ""};
    start(see_stop_and_go_on, &given);
    close(run.to_work[1]); /* which it takes for the end of the world */
    run.to_work[1] = open("/dev/null", O_WRONLY);
    assert_true(ready());
    kill(run.pid, SIGTERM);
    (void)ready();
    int status = ended();
    CHECK(status, 1, "", "crebito: test: damaged: a page of the ledger cannot be read (SIGABRT)\n");
}

/* --- tests: one of them is gone ------------------------------------------------------------------ */

static void the_child_dies_with_the_parent(void **state)
{
    (void)state;
    start(hang, NULL);
    assert_true(ready());
    kill(run.pid, SIGKILL);
    assert_false(ready()); /* the end: nobody holds the other side any more */
    assert_int_equal(ended(), 1000 + SIGKILL);
}

static void the_child_ends_if_the_parent_died_before_it_could_ask(void **state)
{
    (void)state;
    parent_dies_before_prctl = true;
    start(hang, NULL);
    parent_dies_before_prctl = false;
    assert_false(ready());
    assert_int_equal(ended(), 1000 + SIGKILL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_signal_asks_the_work_to_end, nothing_before),
        cmocka_unit_test_setup(work_that_is_done_when_it_is_stopped_is_done, nothing_before),
        cmocka_unit_test_setup(a_signal_to_the_whole_group_lets_the_work_end, nothing_before),
        cmocka_unit_test_setup(a_second_signal_kills_a_work_that_hangs, nothing_before),
        cmocka_unit_test_setup(a_terminal_that_goes_away_twice_kills_nobody, nothing_before),
        cmocka_unit_test_setup(a_signal_that_was_ignored_stays_ignored, nothing_before),
        cmocka_unit_test_setup(a_work_that_dies_of_its_own_while_it_is_stopped_has_died,
                               nothing_before),
        cmocka_unit_test_setup(the_child_dies_with_the_parent, nothing_before),
        cmocka_unit_test_setup(the_child_ends_if_the_parent_died_before_it_could_ask,
                               nothing_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
