/* SPDX-License-Identifier: MIT
 *
 * command_import.c - crebito import: a new store from the JSON Lines of an export.
 */
#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "exchange/jsonl_file.h"
#include "ops/task.h"
#include "store/archive.h"
#include "store/store.h"
#include "store/url.h"

enum { ERROR_BYTES_MAX = 512 };

static struct import {
    const struct options *options;
    const char *name; /* of the input */
    struct jsonl_file file;
} import;

static int say_input(struct task *task, enum jsonl_file_step step, const char *error)
{
    if (step == JSONL_FILE_STOPPED)
        return EXIT_FAILED;
    snprintf(task->words, sizeof task->words, "%s: %s", import.name, error);
    return step == JSONL_FILE_UNREADABLE ? EXIT_USAGE : EXIT_FAILED;
}

static int say_store(struct task *task, enum archive_end end, const char *error)
{
    if (end != ARCHIVE_STOPPED)
        snprintf(task->words, sizeof task->words, "%s", error);
    return end == ARCHIVE_UNREADABLE ? EXIT_USAGE : EXIT_FAILED;
}

static int say_record(struct task *task, const char *error)
{
    snprintf(task->words, sizeof task->words, "%s: line %llu: %s", import.name,
             (unsigned long long)import.file.lines.number, error);
    return EXIT_FAILED;
}

/* EXIT_DONE: every line is in the build, which otherwise the caller must abandon. */
static int add_records(struct task *task, struct archive_build *build)
{
    char error[ERROR_BYTES_MAX] = "";
    struct archive_record record;
    enum jsonl_file_step step;

    while ((step = jsonl_file_record(&import.file, &record, error, sizeof error)) ==
           JSONL_FILE_RECORD) {
        task->record = record.journal.sequence;
        enum archive_end end = archive_build_add(build, &record, error, sizeof error);
        if (end == ARCHIVE_WRONG)
            return say_record(task, error);
        if (end != ARCHIVE_DONE)
            return say_store(task, end, error);
    }
    return step == JSONL_FILE_END ? EXIT_DONE : say_input(task, step, error);
}

static int work(struct task *task, void *context)
{
    const int *fd = context;
    const struct options *options = import.options;
    char error[ERROR_BYTES_MAX] = "";
    struct archive_build *build;
    struct archive_facts facts;
    int64_t created_us;

    jsonl_file_begin(&import.file, *fd, task);
    enum jsonl_file_step step = jsonl_file_header(&import.file, &created_us, error, sizeof error);
    if (step != JSONL_FILE_RECORD)
        return say_input(task, step, error);
    enum archive_end end = archive_build_begin(&build, options->database, options->map_bytes,
                                               created_us, error, sizeof error);
    if (end != ARCHIVE_DONE)
        return say_store(task, end, error);
    int status = add_records(task, build);
    if (status != EXIT_DONE) {
        archive_build_abandon(build);
        return status;
    }
    task->record = 0;
    end = archive_build_finish(build, task, &facts, error, sizeof error);
    if (end != ARCHIVE_DONE)
        return say_store(task, end, error);
    char shown[URL_SHOWN_BYTES];
    url_show(shown, options->database);
    snprintf(task->words, sizeof task->words, "%s: ready, %llu accounts, %llu records", shown,
             (unsigned long long)facts.accounts, (unsigned long long)facts.records);
    return EXIT_DONE;
}

int command_import(const struct options *options)
{
    char error[ERROR_BYTES_MAX];
    int fd = STDIN_FILENO;
    if (!store_url_known(options->database, error, sizeof error)) {
        fprintf(stderr, "crebito: %s: %s\n", options->database_source, error);
        return EXIT_USAGE;
    }
    import.options = options;
    import.name = options->argument ? options->argument : "stdin";
    if (options->argument && (fd = open(options->argument, O_RDONLY | O_CLOEXEC)) < 0) {
        fprintf(stderr, "crebito: %s: %s\n", options->argument, strerror(errno));
        return EXIT_USAGE;
    }
    int status = task_run("import", TASK_HURRYING, work, &fd);
    if (status != EXIT_DONE)
        archive_clear(options->database);
    if (fd != STDIN_FILENO)
        close(fd);
    return status;
}
