/* SPDX-License-Identifier: MIT
 *
 * test_lines.c - lines of any file come back whole, or it is said why not.
 */
#define _GNU_SOURCE /* memfd_create */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "asleep.h"
#include "exchange/lines.h"

enum { LINE_MAX_BYTES = 5000 };

static struct lines lines;
static struct task task;

static int file_of(const char *bytes, size_t size)
{
    int fd = memfd_create("lines", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static void begin(int fd, size_t line_bytes_max)
{
    memset(&task, 0, sizeof task);
    memset(&lines, 0xff, sizeof lines);
    lines_begin(&lines, fd, line_bytes_max, &task);
}

static void expect_line(uint64_t number, const char *text, size_t size, bool terminated)
{
    const char *line;
    size_t bytes;
    assert_int_equal(lines_next(&lines, &line, &bytes), LINES_LINE);
    if (bytes != size || memcmp(line, text, size) != 0)
        FAIL("line %d is\n%s\nshould be\n%s", (int)number, shown(line, bytes), shown(text, size));
    assert_int_equal(lines.number, number);
    assert_int_equal(lines.terminated, terminated);
}

static void expect_step(enum lines_step step, uint64_t number)
{
    const char *line;
    size_t bytes;
    assert_int_equal(lines_next(&lines, &line, &bytes), step);
    assert_int_equal(lines.number, number);
}

static void lines_are_split_at_newlines_and_at_the_end(void **state)
{
    (void)state;
    static const char text[] = "one\n\n\r\na\0b\nlast";
    int fd = file_of(text, sizeof text - 1);
    begin(fd, 10);
    expect_line(1, "one", 3, true);
    expect_line(2, "", 0, true);
    expect_line(3, "\r", 1, true);
    expect_line(4, "a\0b", 3, true);
    expect_line(5, "last", 4, false);
    expect_step(LINES_END, 5);
    expect_step(LINES_END, 5);
    close(fd);
}

static void an_empty_file_has_no_line_and_a_newline_is_one(void **state)
{
    (void)state;
    int fd = file_of("", 0);
    begin(fd, 10);
    expect_step(LINES_END, 0);
    close(fd);
    fd = file_of("\n", 1);
    begin(fd, 10);
    expect_line(1, "", 0, true);
    expect_step(LINES_END, 1);
    close(fd);
}

static void a_line_over_the_bound_is_told_and_passed_over(void **state)
{
    (void)state;
    static const char text[] = "0123456789\n0123456789a\nx\n0123456789\n0123456789a";
    int fd = file_of(text, sizeof text - 1);
    begin(fd, 10);
    expect_line(1, "0123456789", 10, true);
    expect_step(LINES_TOO_LONG, 2);
    expect_line(3, "x", 1, true);
    expect_line(4, "0123456789", 10, true);
    expect_step(LINES_TOO_LONG, 5);
    expect_step(LINES_END, 5);
    close(fd);
}

static void a_line_longer_than_the_buffer_is_one_line(void **state)
{
    (void)state;
    enum { SIZE = 3 * LINES_BUFFER_BYTES + 17 };
    char *text = malloc(SIZE + 3);
    assert_non_null(text);
    memset(text, 'x', SIZE);
    static const char end[] = {'\n', 'a', '\n'};
    memcpy(text + SIZE, end, sizeof end);
    int fd = file_of(text, SIZE + 3);
    begin(fd, LINES_BUFFER_BYTES - 1);
    expect_step(LINES_TOO_LONG, 1);
    expect_line(2, "a", 1, true);
    expect_step(LINES_END, 2);
    close(fd);
    free(text);
}

/* Its newline is the last byte of the buffer, the first of the next, or lies about there. */
static void a_line_may_stand_across_the_edge_of_the_buffer(void **state)
{
    (void)state;
    static char text[LINES_BUFFER_BYTES + 200];
    for (size_t first = LINES_BUFFER_BYTES - 120; first < LINES_BUFFER_BYTES + 3; first++) {
        memset(text, 'a', sizeof text);
        size_t start = 0;
        for (; start + 100 < first; start += 100)
            text[start + 99] = '\n';
        text[first] = '\n';
        memset(text + first + 1, 'b', 50);
        text[first + 51] = '\n';
        int fd = file_of(text, first + 52);
        begin(fd, 200);
        for (uint64_t number = 1; number <= start / 100; number++)
            expect_line(number, text, 99, true);
        expect_line(start / 100 + 1, text + start, first - start, true);
        expect_line(start / 100 + 2, text + first + 1, 50, true);
        expect_step(LINES_END, start / 100 + 2);
        close(fd);
    }
}

struct pipe_feed {
    int fd;
    const char *bytes;
    size_t size;
};

static void *feed(void *context)
{
    struct pipe_feed *from = context;
    uint64_t seed = from->size;
    for (size_t sent = 0; sent < from->size;) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        size_t piece = 1 + (seed >> 33) % 700;
        if (piece > from->size - sent)
            piece = from->size - sent;
        if (write(from->fd, from->bytes + sent, piece) != (ssize_t)piece)
            abort();
        sent += piece;
    }
    close(from->fd);
    return NULL;
}

static void random_lines_come_back_from_a_pipe_in_pieces(void **state)
{
    (void)state;
    enum { LINES = 400 };
    static char text[LINES * (LINE_MAX_BYTES + 1)];
    static size_t starts[LINES + 1];
    int ends[2];
    random_begin();
    for (int i = 0; i < LINES; i++) {
        size_t size = random_between(0, random_between(0, 3) ? 200 : LINE_MAX_BYTES);
        char *at = text + starts[i];
        random_fill(at, size);
        for (size_t j = 0; j < size; j++)
            if (at[j] == '\n')
                at[j] = ' ';
        at[size] = '\n';
        starts[i + 1] = starts[i] + size + 1;
    }
    assert_int_equal(pipe(ends), 0);
    struct pipe_feed from = {ends[1], text, starts[LINES]};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, feed, &from), 0);
    begin(ends[0], LINE_MAX_BYTES);
    for (int i = 0; i < LINES; i++)
        expect_line((uint64_t)i + 1, text + starts[i], starts[i + 1] - starts[i] - 1, true);
    expect_step(LINES_END, LINES);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(task.total_bytes, 0); /* a pipe's is not known */
    assert_int_equal(task.done_bytes, starts[LINES]);
    close(ends[0]);
}

static void progress_is_that_of_the_file_from_where_it_stands(void **state)
{
    (void)state;
    int fd = file_of("skipped\nab\ncd\n", 14);
    assert_int_equal(lseek(fd, 8, SEEK_SET), 8);
    begin(fd, 10);
    assert_int_equal(task.total_bytes, 6);
    assert_int_equal(task.done_bytes, 0);
    expect_line(1, "ab", 2, true);
    expect_line(2, "cd", 2, true);
    expect_step(LINES_END, 2);
    assert_int_equal(task.done_bytes, 6);
    assert_int_equal(lseek(fd, 99, SEEK_SET), 99); /* behind the end */
    begin(fd, 10);
    assert_int_equal(task.total_bytes, 0);
    expect_step(LINES_END, 0);
    close(fd);
}

static void what_cannot_be_read_is_told_with_its_errno(void **state)
{
    (void)state;
    int fd = open(".", O_RDONLY | O_CLOEXEC);
    begin(fd, 10);
    expect_step(LINES_UNREADABLE, 0);
    assert_int_equal(lines.error, EISDIR);
    close(fd);
    begin(fd, 10);
    expect_step(LINES_UNREADABLE, 0);
    assert_int_equal(lines.error, EBADF);
}

static void who_waits_for_a_silent_pipe_can_be_stopped(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "one\ntw", 6), 6);
    begin(ends[0], 10);
    expect_line(1, "one", 3, true);
    stop_when_asleep(&task);
    expect_step(LINES_STOPPED, 1);
    stop_end();
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_split_at_newlines_and_at_the_end),
        cmocka_unit_test(an_empty_file_has_no_line_and_a_newline_is_one),
        cmocka_unit_test(a_line_over_the_bound_is_told_and_passed_over),
        cmocka_unit_test(a_line_longer_than_the_buffer_is_one_line),
        cmocka_unit_test(a_line_may_stand_across_the_edge_of_the_buffer),
        cmocka_unit_test(random_lines_come_back_from_a_pipe_in_pieces),
        cmocka_unit_test(progress_is_that_of_the_file_from_where_it_stands),
        cmocka_unit_test(what_cannot_be_read_is_told_with_its_errno),
        cmocka_unit_test(who_waits_for_a_silent_pipe_can_be_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
