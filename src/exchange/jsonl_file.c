/* SPDX-License-Identifier: MIT
 *
 * jsonl_file.c - see jsonl_file.h.
 */
#include "exchange/jsonl_file.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "exchange/jsonl.h"

enum { REASON_BYTES = 512 };

void jsonl_file_begin(struct jsonl_file *file, int fd, struct task *task)
{
    file->sequence = 0;
    file->time_us = INT64_MIN;
    lines_begin(&file->lines, fd, JSONL_LINE_BYTES_MAX, task);
}

__attribute__((format(printf, 4, 5))) static enum jsonl_file_step wrong(
    const struct jsonl_file *file, char *error, size_t error_size, const char *format, ...)
{
    char reason[2 * REASON_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    snprintf(error, error_size, "line %llu: %s", (unsigned long long)file->lines.number, reason);
    return JSONL_FILE_WRONG;
}

/* One line of whatever kind; JSONL_FILE_END is the end of the file, not the line that says so. */
static enum jsonl_file_step next(struct jsonl_file *file, struct jsonl_line *ret, char *error,
                                 size_t error_size)
{
    char reason[REASON_BYTES];
    const char *line;
    size_t bytes;

    switch (lines_next(&file->lines, &line, &bytes)) {
    case LINES_LINE: break;
    case LINES_TOO_LONG:
        return wrong(file, error, error_size, "longer than %d bytes", JSONL_LINE_BYTES_MAX);
    case LINES_END: return JSONL_FILE_END;
    case LINES_UNREADABLE:
        snprintf(error, error_size, "%s", strerror(file->lines.error));
        return JSONL_FILE_UNREADABLE;
    case LINES_STOPPED: snprintf(error, error_size, "stopped"); return JSONL_FILE_STOPPED;
    }
    if (jsonl_read_line(line, bytes, ret, reason, sizeof reason))
        return JSONL_FILE_RECORD;
    if (!file->lines.terminated)
        return wrong(file, error, error_size, "cut short: it is the last line, and unfinished (%s)",
                     reason);
    return wrong(file, error, error_size, "%s", reason);
}

enum jsonl_file_step jsonl_file_header(struct jsonl_file *file, int64_t *ret_created_us,
                                       char *error, size_t error_size)
{
    struct jsonl_line line = {0};
    enum jsonl_file_step step = next(file, &line, error, error_size);
    if (step == JSONL_FILE_END) {
        snprintf(error, error_size, "empty: not even the header of an export is there");
        return JSONL_FILE_WRONG;
    }
    if (step != JSONL_FILE_RECORD)
        return step;
    if (line.kind != JSONL_HEADER)
        return wrong(file, error, error_size, "the header, of kind \"ledger\", must come first");
    if (!line.complete)
        return wrong(file, error, error_size,
                     "a filtered export cannot be imported (\"complete\" is false)");
    *ret_created_us = line.created_us;
    return JSONL_FILE_RECORD;
}

static enum jsonl_file_step end(struct jsonl_file *file, uint64_t records, char *error,
                                size_t error_size)
{
    struct jsonl_line line = {0};
    if (records != file->sequence)
        return wrong(file, error, error_size, "the end speaks of %llu records, and %llu were here",
                     (unsigned long long)records, (unsigned long long)file->sequence);
    enum jsonl_file_step step = next(file, &line, error, error_size);
    if (step == JSONL_FILE_RECORD || step == JSONL_FILE_WRONG)
        return wrong(file, error, error_size, "there is more after the end");
    return step;
}

enum jsonl_file_step jsonl_file_record(struct jsonl_file *file, struct archive_record *ret,
                                       char *error, size_t error_size)
{
    struct jsonl_line line = {0};
    enum jsonl_file_step step = next(file, &line, error, error_size);
    if (step == JSONL_FILE_END)
        return wrong(file, error, error_size, "cut short: it is the last line, and not an end");
    if (step != JSONL_FILE_RECORD)
        return step;
    if (line.kind == JSONL_HEADER)
        return wrong(file, error, error_size, "a second header");
    if (line.kind == JSONL_END)
        return end(file, line.records, error, error_size);

    const struct journal_record *journal = &line.record.journal;
    if (journal->sequence != file->sequence + 1)
        return wrong(file, error, error_size, "sequence must be %llu, and is %llu",
                     (unsigned long long)file->sequence + 1, (unsigned long long)journal->sequence);
    if (journal->entry.time_us < file->time_us)
        return wrong(file, error, error_size, "time must not be before that of the record before");
    file->sequence++;
    file->time_us = journal->entry.time_us;
    *ret = line.record;
    return JSONL_FILE_RECORD;
}
