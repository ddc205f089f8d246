/* SPDX-License-Identifier: MIT
 *
 * test_progress.c - the line of progress: what it says, and where it may stand.
 */
#include "unit.h"

#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ops/progress.h"

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)
#define GIB (KIB * MIB)

static void the_line_has_bytes_a_rate_and_the_time_left(void **state)
{
    (void)state;
    static const struct {
        uint64_t done_bytes, total_bytes, elapsed_ms;
        const char *line;
    } cases[] = {
        {0, 0, 0, "backup  0 B, 0 B/s"},
        {0, 0, 1000, "backup  0 B, 0 B/s"},
        {1023, 0, 1000, "backup  1023 B, 1023 B/s"},
        {1024, 0, 500, "backup  1.0 KiB, 2.0 KiB/s"},
        {3 * GIB, 0, 1000, "backup  3.0 GiB, 3.0 GiB/s"},
        {0, MIB, 1000, "backup  0 B of 1.0 MiB (0 %), 0 B/s"},
        {MIB / 2, MIB, 1000, "backup  512.0 KiB of 1.0 MiB (50 %), 512.0 KiB/s, 0:01 left"},
        {100 * MIB, GIB, 1000, "backup  100.0 MiB of 1.0 GiB (10 %), 100.0 MiB/s, 0:09 left"},
        {MIB, 61 * MIB, 1000, "backup  1.0 MiB of 61.0 MiB (2 %), 1.0 MiB/s, 1:00 left"},
        {MIB, 3600 * MIB, 1000, "backup  1.0 MiB of 3.5 GiB (0 %), 1.0 MiB/s, 59:59 left"},
        {MIB, 3601 * MIB, 1000, "backup  1.0 MiB of 3.5 GiB (0 %), 1.0 MiB/s, 1:00:00 left"},
        {MIB, 90062 * MIB, 1000, "backup  1.0 MiB of 88.0 GiB (0 %), 1.0 MiB/s, 25:01:01 left"},
        {MIB, MIB, 0, "backup  1.0 MiB of 1.0 MiB (100 %), 0 B/s"},
        {1, MIB, 1000, "backup  1 B of 1.0 MiB (0 %), 1 B/s"},
        {MIB, MIB, 2000, "backup  1.0 MiB of 1.0 MiB (100 %), 512.0 KiB/s, 0:00 left"},
        {2 * MIB, MIB, 2000, "backup  2.0 MiB of 2.0 MiB (100 %), 1.0 MiB/s, 0:00 left"},
        {5000 * KIB * GIB, 0, 1000, "backup  5000.0 TiB, 5000.0 TiB/s"},
        {UINT64_MAX, UINT64_MAX, 1,
         "backup  16777216.0 TiB of 16777216.0 TiB (100 %), 16777216000.0 TiB/s, 0:00 left"},
        {UINT64_MAX, 0, UINT64_MAX, "backup  16777216.0 TiB, 1000 B/s"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char line[256];
        progress_line(line, sizeof line, "backup", cases[i].done_bytes, cases[i].total_bytes,
                      cases[i].elapsed_ms);
        if (strcmp(line, cases[i].line) != 0)
            FAIL("\"%s\", should be \"%s\"", line, cases[i].line);
    }
}

static void a_line_longer_than_its_memory_is_cut(void **state)
{
    (void)state;
    for (size_t size = 1; size < 80; size++) {
        char line[80];
        memset(line, '~', sizeof line);
        progress_line(line, size, "backup", MIB, 3601 * MIB, 1000);
        assert_true(strlen(line) < size);
        for (size_t i = size; i < sizeof line; i++)
            assert_int_equal(line[i], '~');
    }
}

/* --- a terminal of our own --------------------------------------------------------------------- */

static int master, before[2];

static void stand_in(int fd, int kept, int by)
{
    before[kept] = dup(fd);
    if (before[kept] < 0 || dup2(by, fd) < 0)
        abort();
}

/* stderr is a terminal, and so is stdout if `both`. */
static void terminal_begin(unsigned short columns, bool both)
{
    const struct winsize size = {.ws_row = 24, .ws_col = columns};
    int slave;
    if (openpty(&master, &slave, NULL, NULL, &size) != 0)
        abort();
    fflush(stdout);
    stand_in(STDOUT_FILENO, 0, both ? slave : STDOUT_FILENO);
    stand_in(STDERR_FILENO, 1, slave);
    close(slave);
}

/* What was written to it so far. It comes in its own time, so a mark is sent after it. */
static const char *terminal_text(int slave)
{
    static char text[1 << 16];
    size_t bytes = 0;
    ssize_t got;
    if (write(slave, "\x01", 1) != 1)
        abort();
    while (bytes == 0 || text[bytes - 1] != '\x01') {
        got = read(master, text + bytes, sizeof text - bytes);
        if (got <= 0)
            abort();
        bytes += (size_t)got;
    }
    text[bytes - 1] = '\0';
    return text;
}

static const char *terminal_end(void)
{
    const char *text = terminal_text(STDERR_FILENO);
    if (dup2(before[0], STDOUT_FILENO) < 0 || dup2(before[1], STDERR_FILENO) < 0)
        abort();
    close(before[0]);
    close(before[1]);
    close(master);
    return text;
}

/* What stands in the line after all that, on a terminal that has `columns`. NULL: it was wider. */
static const char *screen(const char *text, size_t columns)
{
    static char line[512];
    size_t at = 0, end = 0;
    memset(line, ' ', sizeof line);
    for (; *text; text++) {
        if (*text == '\r') {
            at = 0;
            continue;
        }
        if (at + 1 >= columns || *text < ' ')
            return NULL;
        line[at++] = *text;
    }
    for (size_t i = 0; i < sizeof line - 1; i++)
        if (line[i] != ' ')
            end = i + 1;
    line[end] = '\0';
    return line;
}

static void draw(struct progress *progress, uint64_t done_bytes, uint64_t total_bytes)
{
    static struct task task;
    atomic_store(&task.done_bytes, done_bytes);
    atomic_store(&task.total_bytes, total_bytes);
    progress_draw(progress, &task);
}

static void a_terminal_shows_the_last_line_only(void **state)
{
    (void)state;
    struct progress progress;
    terminal_begin(80, false);
    progress_begin(&progress, "backup");
    progress.began_ms = 0;
    draw(&progress, 5 * MIB, 1000 * MIB);
    draw(&progress, 0, 0);
    const char *text = terminal_end();
    const char *line = screen(text, 80);
    if (!line || strcmp(line, "backup  0 B, 0 B/s") != 0)
        FAIL("the terminal shows \"%s\" of %s", line ? line : "more than a line",
             shown(text, strlen(text)));
    assert_non_null(strstr(text, "\rbackup  5.0 MiB of 1000.0 MiB (0 %), "));
}

static void in_the_end_the_line_is_gone(void **state)
{
    (void)state;
    struct progress progress;
    terminal_begin(80, false);
    progress_begin(&progress, "backup");
    draw(&progress, 5 * MIB, 1000 * MIB);
    progress_end(&progress);
    const char *text = terminal_end();
    assert_non_null(strstr(text, "backup"));
    assert_string_equal(screen(text, 80), "");
    assert_int_equal(text[strlen(text) - 1], '\r'); /* what comes next begins a line */
}

static void the_line_is_never_wider_than_the_terminal(void **state)
{
    (void)state;
    for (unsigned short columns = 1; columns < 80; columns++) {
        struct progress progress;
        terminal_begin(columns, false);
        progress_begin(&progress, "backup");
        draw(&progress, 123 * MIB, 1000 * MIB);
        draw(&progress, 5 * MIB, 1000 * MIB);
        progress_end(&progress);
        const char *text = terminal_end();
        const char *line = screen(text, columns);
        if (!line || *line)
            FAIL("%d columns: %s", columns, shown(text, strlen(text)));
    }
}

static void a_terminal_that_becomes_narrower_is_not_overrun(void **state)
{
    (void)state;
    const struct winsize narrow = {.ws_row = 24, .ws_col = 20};
    struct progress progress;
    terminal_begin(80, false);
    progress_begin(&progress, "backup");
    draw(&progress, 123 * MIB, 1000 * MIB);
    assert_true(strlen(terminal_text(STDERR_FILENO)) > 20);
    ioctl(master, TIOCSWINSZ, &narrow);
    draw(&progress, 5 * MIB, 1000 * MIB);
    progress_end(&progress);
    const char *text = terminal_end();
    if (!screen(text, 20))
        FAIL("20 columns: %s", shown(text, strlen(text)));
}

static void a_terminal_of_no_size_is_taken_for_80_columns(void **state)
{
    (void)state;
    struct progress progress;
    terminal_begin(0, false);
    progress_begin(&progress, "a name that is longer than sixty characters, as no command's is, ");
    draw(&progress, 123 * MIB, 1000 * MIB);
    const char *text = terminal_end();
    assert_int_equal(strlen(text), 79 + 2);
}

static void nothing_is_drawn_where_there_is_no_terminal(void **state)
{
    (void)state;
    struct progress progress;
    capture_begin(STDERR_FILENO);
    progress_begin(&progress, "backup");
    draw(&progress, 123 * MIB, 1000 * MIB);
    progress_end(&progress);
    assert_string_equal(capture_end(), "");
}

static void nothing_is_drawn_into_output_on_the_same_terminal(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        static struct task task;
        struct progress progress;
        bool both = i & 1;
        atomic_store(&task.prints, i & 2);
        terminal_begin(80, both);
        progress_begin(&progress, "export");
        progress_draw(&progress, &task);
        progress_end(&progress);
        const char *text = terminal_end();
        if ((*text == '\0') != (i == 3))
            FAIL("stdout is%s a terminal, task.prints %d: %s", both ? "" : " not", task.prints,
                 shown(text, strlen(text)));
    }
}

/* The leader of a session has the terminal; a process of another group draws. */
static void draw_in_the_background(int slave)
{
    setsid();
    if (ioctl(slave, TIOCSCTTY, 0) != 0 || dup2(slave, STDERR_FILENO) < 0)
        _exit(2);
    signal(SIGTTOU, SIG_IGN);
    pid_t child = fork();
    if (child == 0) {
        struct progress progress;
        setpgid(0, 0);
        progress_begin(&progress, "backup");
        draw(&progress, 123 * MIB, 1000 * MIB);
        progress.shown = 10; /* it was in front when it began */
        progress_end(&progress);
        tcsetpgrp(STDERR_FILENO, getpid());
        draw(&progress, 5 * MIB, 1000 * MIB);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    _exit(status == 0 ? 0 : 3);
}

static void a_job_in_the_background_leaves_the_terminal_alone(void **state)
{
    (void)state;
    int slave, status;
    if (openpty(&master, &slave, NULL, NULL, NULL) != 0)
        abort();
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        draw_in_the_background(slave);
    waitpid(pid, &status, 0);
    const char *text = terminal_text(slave);
    close(slave);
    close(master);
    assert_int_equal(status, 0);
    if (strncmp(text, "\rbackup  5.0 MiB", 16) != 0) /* once it came to the front */
        FAIL("the terminal got %s", shown(text, strlen(text)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_line_has_bytes_a_rate_and_the_time_left),
        cmocka_unit_test(a_line_longer_than_its_memory_is_cut),
        cmocka_unit_test(a_terminal_shows_the_last_line_only),
        cmocka_unit_test(in_the_end_the_line_is_gone),
        cmocka_unit_test(the_line_is_never_wider_than_the_terminal),
        cmocka_unit_test(a_terminal_that_becomes_narrower_is_not_overrun),
        cmocka_unit_test(a_terminal_of_no_size_is_taken_for_80_columns),
        cmocka_unit_test(nothing_is_drawn_where_there_is_no_terminal),
        cmocka_unit_test(nothing_is_drawn_into_output_on_the_same_terminal),
        cmocka_unit_test(a_job_in_the_background_leaves_the_terminal_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
