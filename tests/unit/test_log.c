/* SPDX-License-Identifier: MIT
 *
 * test_log.c - one call, one line of logfmt.
 */
#include "unit.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ops/log.h"

/* What comes after the time, which is checked for its shape. */
static const char *after_time(const char *line)
{
    static const char shape[] = "time=dddd-dd-ddTdd:dd:dd.dddZ ";
    for (size_t i = 0; i < sizeof shape - 1; i++) {
        bool digit = line[i] >= '0' && line[i] <= '9';
        if (shape[i] == 'd' ? !digit : line[i] != shape[i])
            FAIL("no time where it should be: %s", line);
    }
    return line + sizeof shape - 1;
}

static void a_line_has_time_level_message_and_pairs(void **state)
{
    (void)state;
    capture_begin(STDERR_FILENO);
    log_line(LOG_INFO, "listening", "address", "127.0.0.1:9999", "other", "x", NULL);
    const char *line = capture_end();
    assert_string_equal(after_time(line),
                        "level=info msg=\"listening\" address=127.0.0.1:9999 other=x\n");
}

static void each_level_has_its_name(void **state)
{
    (void)state;
    static const char *const names[] = {"level=info ", "level=warn ", "level=error "};
    for (int level = LOG_INFO; level <= LOG_ERROR; level++) {
        capture_begin(STDERR_FILENO);
        log_line((enum log_level)level, "x", NULL);
        const char *line = capture_end();
        assert_memory_equal(after_time(line), names[level], strlen(names[level]));
    }
}

static void values_are_quoted_where_they_need_it(void **state)
{
    (void)state;
    static const struct {
        const char *value, *written;
    } cases[] = {
        {"plain", "v=plain\n"},
        {"a/b-c_d.e:1", "v=a/b-c_d.e:1\n"},
        {"", "v=\"\"\n"},
        {"a b", "v=\"a b\"\n"},
        {"a=b", "v=\"a=b\"\n"},
        {"say \"hi\"", "v=\"say \\\"hi\\\"\"\n"},
        {"back\\slash", "v=\"back\\\\slash\"\n"},
        {"two\nlines", "v=\"two lines\"\n"},
        {"a\r\tb", "v=\"a  b\"\n"},
        {"ação", "v=ação\n"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        capture_begin(STDERR_FILENO);
        log_line(LOG_INFO, "m", "v", cases[i].value, NULL);
        const char *line = capture_end();
        assert_string_equal(strstr(after_time(line), "v="), cases[i].written);
    }
}

/* Readers split lines at more than a line feed, and a terminal obeys an escape. */
static void no_control_character_reaches_the_log(void **state)
{
    (void)state;
    for (char c = 1; c < 0x20; c++) {
        const char value[] = {'a', c, 'b', '\0'};
        for (int place = 0; place < 2; place++) {
            capture_begin(STDERR_FILENO);
            log_line(LOG_INFO, place == 0 ? value : "m", "v", place == 0 ? "x" : value, NULL);
            const char *line = capture_end();
            for (const char *at = line; at[0] && at[1]; at++)
                if (*at > 0 && *at < 0x20)
                    FAIL("0x%02x in the %s is written as it is", (unsigned)c,
                         place == 0 ? "message" : "value");
        }
    }
}

static void a_line_too_long_is_cut_and_still_one_line(void **state)
{
    (void)state;
    char value[2 * LOG_LINE_BYTES_MAX + 1];
    for (size_t bytes = LOG_LINE_BYTES_MAX - 100; bytes < sizeof value; bytes += 1 + bytes / 500) {
        memset(value, bytes % 2 ? 'x' : '"', bytes);
        value[bytes] = '\0';
        capture_begin(STDERR_FILENO);
        log_line(LOG_WARN, "long", "v", value, "more", "x", NULL);
        const char *line = capture_end();
        assert_in_range(strlen(line), 1, LOG_LINE_BYTES_MAX);
        assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
        (void)after_time(line);
    }
}

enum { THREADS = 4, LINES = 500 };

static void *log_much(void *name)
{
    for (int i = 0; i < LINES; i++)
        log_line(LOG_INFO, "from a thread", "name", (const char *)name, NULL);
    return NULL;
}

static void lines_of_several_threads_do_not_mix(void **state)
{
    (void)state;
    static char names[THREADS][60];
    pthread_t threads[THREADS];
    int lines = 0;
    capture_begin(STDERR_FILENO);
    for (int i = 0; i < THREADS; i++) {
        memset(names[i], 'a' + i, sizeof names[i] - 1);
        (void)pthread_create(&threads[i], NULL, log_much, names[i]);
    }
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    const char *text = capture_end();
    static const char wanted[] = "level=info msg=\"from a thread\" name=";
    for (const char *at = text; *at; lines++) {
        at = after_time(at);
        assert_memory_equal(at, wanted, sizeof wanted - 1);
        at += sizeof wanted - 1;
        assert_in_range(at[0], 'a', 'a' + THREADS - 1);
        assert_memory_equal(at, names[at[0] - 'a'], sizeof names[0] - 1);
        at += sizeof names[0] - 1;
        assert_int_equal(*at++, '\n');
    }
    assert_int_equal(lines, THREADS * LINES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_time_level_message_and_pairs),
        cmocka_unit_test(each_level_has_its_name),
        cmocka_unit_test(values_are_quoted_where_they_need_it),
        cmocka_unit_test(no_control_character_reaches_the_log),
        cmocka_unit_test(a_line_too_long_is_cut_and_still_one_line),
        cmocka_unit_test(lines_of_several_threads_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
