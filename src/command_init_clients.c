/* SPDX-License-Identifier: MIT
 *
 * command_init_clients.c - crebito init --clients: a new store with the accounts of a table.
 */
#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "exchange/clients_csv.h"
#include "ops/task.h"
#include "store/archive.h"
#include "store/url.h"

enum {
    ERROR_BYTES_MAX = 512,
    NAMED_MAX = 20,            /* bad rows that are named; the rest are counted */
    LAST_LINE_BYTES_MAX = 256, /* kept for the sentence after them */
};

static struct init {
    const struct options *options;
    uint64_t rows;       /* in the build */
    uint64_t bad, named; /* rows that are not */
    size_t words_bytes;
    int64_t time_us; /* of the last row */
    struct lines lines;
} init;

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* One line more, if it leaves `keep` bytes of room; the last one is cut if need be. */
__attribute__((format(printf, 3, 4))) static bool add_line(struct task *task, size_t keep,
                                                           const char *format, ...)
{
    char line[TASK_WORDS_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    bool is_first = init.words_bytes == 0;
    size_t room = sizeof task->words - init.words_bytes;
    if (strlen(line) + keep >= room && keep > 0)
        return false;
    int bytes = snprintf(task->words + init.words_bytes, room, "%s%s", is_first ? "" : "\n", line);
    init.words_bytes += bytes > 0 ? (size_t)bytes : 0;
    return true;
}

static void name_bad_row(struct task *task, const char *error)
{
    init.bad++;
    if (init.named == init.bad - 1 && init.named < NAMED_MAX)
        init.named += add_line(task, LAST_LINE_BYTES_MAX, "%s:%llu: %s", init.options->clients_file,
                               (unsigned long long)init.lines.number, error);
}

static enum archive_end add_row(struct archive_build *build, const struct client_row *row,
                                char *error, size_t error_size)
{
    int64_t now = now_us();
    struct archive_record record = {
        .journal =
            {
                .sequence = init.rows + 1,
                .client = row->client,
                .kind = JOURNAL_OPENING,
                .limit_cents = row->limit_cents,
                .balance_cents = row->balance_cents,
                .entry = {.kind = (enum entry_kind)JOURNAL_OPENING},
            },
    };
    /* Times rise strictly, also where the clock stands still. */
    record.journal.entry.time_us = now > init.time_us ? now : init.time_us + 1;
    enum archive_end end = archive_build_add(build, &record, error, error_size);
    if (end == ARCHIVE_DONE) {
        init.time_us = record.journal.entry.time_us;
        init.rows++;
    }
    return end;
}

/* EXIT_DONE: every row is in the build, which otherwise the caller must abandon. After a bad row
 * reading goes on, so that all of them are known. */
static int add_rows(struct task *task, struct archive_build *build)
{
    const char *file = init.options->clients_file;
    char error[ERROR_BYTES_MAX] = "";
    struct client_row row;
    enum clients_step step;

    while ((step = clients_csv_next(&init.lines, &row, error, sizeof error)) == CLIENTS_ROW ||
           step == CLIENTS_BAD) {
        enum archive_end end = ARCHIVE_WRONG;
        if (step == CLIENTS_ROW)
            end = add_row(build, &row, error, sizeof error);
        if (end == ARCHIVE_WRONG) {
            name_bad_row(task, error);
        } else if (end != ARCHIVE_DONE) {
            if (end != ARCHIVE_STOPPED)
                add_line(task, 0, "%s", error);
            return end == ARCHIVE_UNREADABLE ? EXIT_USAGE : EXIT_FAILED;
        }
    }
    if (step == CLIENTS_STOPPED)
        return EXIT_FAILED;
    if (step == CLIENTS_UNREADABLE) {
        add_line(task, 0, "%s: %s", file, error);
        return EXIT_USAGE;
    }
    if (init.bad > 0) {
        uint64_t all = init.bad + init.rows;
        add_line(task, 0, "no store was created: %llu of %llu rows are wrong%s",
                 (unsigned long long)init.bad, (unsigned long long)all,
                 init.named < init.bad ? ", of which the first stand above" : "");
        return EXIT_FAILED;
    }
    if (init.rows == 0) {
        add_line(task, 0, "%s: there is not one row in it", file);
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}

static int work(struct task *task, void *context)
{
    const int *fd = context;
    const struct options *options = init.options;
    char error[ERROR_BYTES_MAX] = "";
    struct archive_build *build;
    struct archive_facts facts;

    lines_begin(&init.lines, *fd, CLIENTS_LINE_BYTES_MAX, task);
    enum archive_end end = archive_build_begin(&build, options->database, options->map_bytes,
                                               now_us(), error, sizeof error);
    if (end == ARCHIVE_DONE) {
        int status = add_rows(task, build);
        if (status != EXIT_DONE) {
            archive_build_abandon(build);
            return status;
        }
        end = archive_build_finish(build, task, &facts, error, sizeof error);
    }
    if (end == ARCHIVE_DONE) {
        char shown[URL_SHOWN_BYTES];
        url_show(shown, options->database);
        add_line(task, 0, "%s: ready, %llu accounts, %llu records", shown,
                 (unsigned long long)facts.accounts, (unsigned long long)facts.records);
        return EXIT_DONE;
    }
    if (end != ARCHIVE_STOPPED)
        add_line(task, 0, "%s", error);
    return end == ARCHIVE_UNREADABLE ? EXIT_USAGE : EXIT_FAILED;
}

int command_init_clients(const struct options *options)
{
    int fd = open(options->clients_file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        fprintf(stderr, "crebito: %s: %s\n", options->clients_file, strerror(errno));
        return EXIT_USAGE;
    }
    init.options = options;
    int status = task_run("init", TASK_HURRYING, work, &fd);
    close(fd);
    if (status != EXIT_DONE)
        archive_clear(options->database);
    return status;
}
