/* SPDX-License-Identifier: MIT
 *
 * log.c - see log.h.
 */
#include "ops/log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct line {
    char text[LOG_LINE_BYTES_MAX];
    size_t bytes;
};

static void add_char(struct line *line, char c)
{
    if (line->bytes < sizeof line->text - 1) /* the last place is the newline's */
        line->text[line->bytes++] = c;
}

static void add_text(struct line *line, const char *text)
{
    for (; *text; text++)
        add_char(line, *text);
}

static void add_quoted(struct line *line, const char *value)
{
    add_char(line, '"');
    for (; *value; value++) {
        unsigned char c = (unsigned char)*value;
        if (c == '"' || c == '\\')
            add_char(line, '\\');
        add_char(line, c < 0x20 || c == 0x7f ? ' ' : (char)c);
    }
    add_char(line, '"');
}

static bool needs_quotes(const char *value)
{
    if (value[0] == '\0')
        return true;
    for (; *value; value++)
        if ((unsigned char)*value <= ' ' || *value == '"' || *value == '=' || *value == '\\' ||
            *value == '\x7f')
            return true;
    return false;
}

static void add_value(struct line *line, const char *value)
{
    if (needs_quotes(value))
        add_quoted(line, value);
    else
        add_text(line, value);
}

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_INFO: return "info";
    case LOG_WARN: return "warn";
    case LOG_ERROR: return "error";
    }
    return "error";
}

void log_line(enum log_level level, const char *message, ...)
{
    struct line line = {.bytes = 0};
    struct timespec now;
    struct tm utc;
    char stamp[32], millis[8];

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(stamp, sizeof stamp, "time=%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(millis, sizeof millis, ".%03dZ", (int)(now.tv_nsec / 1000000));
    add_text(&line, stamp);
    add_text(&line, millis);
    add_text(&line, " level=");
    add_text(&line, level_name(level));
    add_text(&line, " msg=");
    add_quoted(&line, message);

    va_list pairs;
    va_start(pairs, message);
    const char *name;
    while ((name = va_arg(pairs, const char *)) != NULL) {
        add_char(&line, ' ');
        add_text(&line, name);
        add_char(&line, '=');
        add_value(&line, va_arg(pairs, const char *));
    }
    va_end(pairs);
    line.text[line.bytes++] = '\n';

    /* Rather lose a line than wait for whoever reads stderr: the bank would wait with us. */
    struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT)) {
        ssize_t written = write(STDERR_FILENO, line.text, line.bytes);
        (void)written; /* there is nobody left to tell */
    }
}
