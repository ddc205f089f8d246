/* SPDX-License-Identifier: MIT
 *
 * command_export.c - crebito export: the journal as text, to stdout.
 */
#include "commands.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "exchange/csv.h"
#include "exchange/jsonl.h"
#include "exchange/output.h"
#include "exchange/record_text.h"
#include "ops/task.h"
#include "store/archive.h"
#include "store/store.h"
#include "store/url.h"

static_assert((int)JSONL_WRITTEN_BYTES_MAX <= (int)OUTPUT_PIECE_BYTES_MAX, "a line is one piece");
static_assert((int)CSV_ROW_BYTES_MAX <= (int)OUTPUT_PIECE_BYTES_MAX, "so is a row");

static struct export
{
    const struct options *options;
    struct archive_range range;
    uint64_t records;
    char wrong[256]; /* what cannot be said as text; empty: nothing */
    struct output output;
}
export;

static bool write_begin(void *context, int64_t created_us)
{
    (void)context;
    char *room = output_room(&export.output);
    bool complete = export.range.client == 0 && export.range.since_us == INT64_MIN;
    if (!room)
        return false;
    if (!time_sane(created_us)) {
        snprintf(export.wrong, sizeof export.wrong, "it was created before 1970, or after 9999");
        return false;
    }
    output_added(&export.output, export.options->format == EXPORT_CSV
                                     ? csv_write_names(room)
                                     : jsonl_write_header(room, created_us, complete));
    return true;
}

static bool write_record(void *context, const struct archive_record *record)
{
    (void)context;
    char *room = output_room(&export.output);
    const char *wrong = record_text_wrong(record);
    if (!room)
        return false;
    if (wrong) {
        snprintf(export.wrong, sizeof export.wrong, "record %llu: %s",
                 (unsigned long long)record->journal.sequence, wrong);
        return false;
    }
    output_added(&export.output, export.options->format == EXPORT_CSV
                                     ? csv_write_record(room, record)
                                     : jsonl_write_record(room, record));
    export.records++;
    return true;
}

/* What came before it is an export only with this behind it. */
static bool write_end(void)
{
    char *room = output_room(&export.output);
    if (room && export.options->format == EXPORT_JSONL)
        output_added(&export.output, jsonl_write_end(room, export.records));
    return room && output_flush(&export.output);
}

static int work(struct task *task, void *context)
{
    (void)context;
    char error[512] = "";
    const struct archive_sink sink = {.begin = write_begin, .record = write_record};

    signal(SIGPIPE, SIG_IGN); /* a reader that leaves is a write that fails */
    task->prints = true;
    output_begin(&export.output, STDOUT_FILENO, task);
    enum archive_end end = archive_read(export.options->database, &export.range, &sink, task, error,
                                        sizeof error);
    if (end == ARCHIVE_DONE && write_end())
        return EXIT_DONE;
    if (export.output.has_failed) {
        /* `crebito export | head`: whoever had enough needs no message, but it was not all. */
        if (export.output.error != 0 && export.output.error != EPIPE)
            snprintf(task->words, sizeof task->words, "stdout: %s", strerror(export.output.error));
        return EXIT_FAILED;
    }
    if (export.wrong[0] != '\0') {
        char shown[URL_SHOWN_BYTES];
        url_show(shown, export.options->database);
        snprintf(task->words, sizeof task->words, "%s: %s", shown, export.wrong);
        return EXIT_FAILED;
    }
    if (end != ARCHIVE_STOPPED)
        snprintf(task->words, sizeof task->words, "%s", error);
    return end == ARCHIVE_UNREADABLE ? EXIT_USAGE : EXIT_FAILED;
}

int command_export(const struct options *options)
{
    char error[512];
    if (!store_url_known(options->database, error, sizeof error)) {
        fprintf(stderr, "crebito: %s: %s\n", options->database_source, error);
        return EXIT_USAGE;
    }
    export.options = options;
    export.range = (struct archive_range){options->client, options->since_us};
    return task_run("export", TASK_YIELDING, work, NULL);
}
