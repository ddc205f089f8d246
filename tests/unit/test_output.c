/* SPDX-License-Identifier: MIT
 *
 * test_output.c - what is added is written, in its order, or it is said why not.
 */
#define _GNU_SOURCE /* memfd_create */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "asleep.h"
#include "exchange/output.h"

enum { SENT_BYTES = 3 * OUTPUT_BUFFER_BYTES + 12345 };

static struct output output;
static struct task task;
static char sent[SENT_BYTES + 1], received[SENT_BYTES + 1];

static void begin(int fd)
{
    memset(&task, 0, sizeof task);
    memset(&output, 0xff, sizeof output);
    output_begin(&output, fd, &task);
}

static bool add(const char *bytes, size_t size)
{
    char *room = output_room(&output);
    if (!room)
        return false;
    memcpy(room, bytes, size);
    output_added(&output, size);
    return true;
}

/* All of `sent`, in pieces of any size. */
static bool add_all(void)
{
    for (size_t at = 0; at < SENT_BYTES;) {
        size_t size = random_between(0, OUTPUT_PIECE_BYTES_MAX);
        if (size > SENT_BYTES - at)
            size = SENT_BYTES - at;
        if (!add(sent + at, size))
            return false;
        at += size;
    }
    return output_flush(&output);
}

static size_t receive(int fd)
{
    size_t bytes = 0;
    ssize_t more;
    while ((more = read(fd, received + bytes, sizeof received - bytes)) > 0)
        bytes += (size_t)more;
    return bytes;
}

static void *receiver(void *context)
{
    static size_t bytes;
    bytes = receive(*(int *)context);
    return &bytes;
}

static void what_is_added_stands_in_the_file_in_its_order(void **state)
{
    (void)state;
    int fd = memfd_create("output", MFD_CLOEXEC);
    random_begin();
    random_fill(sent, SENT_BYTES);
    begin(fd);
    assert_true(add_all());
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(receive(fd), SENT_BYTES);
    assert_memory_equal(sent, received, SENT_BYTES);
    close(fd);
}

static void what_is_added_comes_out_of_a_pipe_in_its_order(void **state)
{
    (void)state;
    int ends[2];
    pthread_t thread;
    void *bytes;
    assert_int_equal(pipe(ends), 0);
    random_begin();
    random_fill(sent, SENT_BYTES);
    assert_int_equal(pthread_create(&thread, NULL, receiver, &ends[0]), 0);
    begin(ends[1]);
    assert_true(add_all());
    close(ends[1]);
    assert_int_equal(pthread_join(thread, &bytes), 0);
    assert_int_equal(*(size_t *)bytes, SENT_BYTES);
    assert_memory_equal(sent, received, SENT_BYTES);
    close(ends[0]);
}

static void nothing_is_written_before_there_is_much_of_it(void **state)
{
    (void)state;
    int fd = memfd_create("output", MFD_CLOEXEC);
    begin(fd);
    assert_true(add("abc", 3));
    assert_true(add("def", 3));
    assert_int_equal(lseek(fd, 0, SEEK_END), 0);
    assert_true(output_flush(&output));
    assert_int_equal(lseek(fd, 0, SEEK_END), 6);
    assert_true(output_flush(&output));
    assert_int_equal(lseek(fd, 0, SEEK_END), 6);
    close(fd);
}

static void a_disk_that_is_full_is_told_and_ends_it(void **state)
{
    (void)state;
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    random_begin();
    begin(fd);
    assert_false(add_all());
    assert_int_equal(output.error, ENOSPC);
    close(fd);

    fd = memfd_create("output", MFD_CLOEXEC);
    output.fd = fd; /* there would be room now */
    assert_null(output_room(&output));
    assert_false(output_flush(&output));
    assert_int_equal(lseek(fd, 0, SEEK_END), 0);
    assert_int_equal(output.error, ENOSPC);
    close(fd);
}

static void a_reader_that_left_is_told(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    begin(ends[1]);
    assert_true(add("abc", 3));
    assert_false(output_flush(&output));
    assert_int_equal(output.error, EPIPE);
    close(ends[1]);
}

static void who_waits_for_a_reader_can_be_stopped(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    random_begin();
    begin(ends[1]);
    stop_when_asleep(&task);
    assert_false(add_all());
    stop_end();
    assert_int_equal(output.error, 0);
    assert_null(output_room(&output));
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_added_stands_in_the_file_in_its_order),
        cmocka_unit_test(what_is_added_comes_out_of_a_pipe_in_its_order),
        cmocka_unit_test(nothing_is_written_before_there_is_much_of_it),
        cmocka_unit_test(a_disk_that_is_full_is_told_and_ends_it),
        cmocka_unit_test(a_reader_that_left_is_told),
        cmocka_unit_test(who_waits_for_a_reader_can_be_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
