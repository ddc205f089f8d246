/* SPDX-License-Identifier: MIT
 *
 * command_copy.c - crebito backup and crebito restore: the same copy, in two directions.
 */
#include "commands.h"

#include <stdio.h>
#include <string.h>

#include "ops/task.h"
#include "store/archive.h"

enum { URL_BYTES_MAX = 1100 };

struct job {
    const char *from, *to;
};

static int copy(struct task *task, void *context)
{
    const struct job *job = context;
    struct archive_facts facts;
    char error[512] = "";
    enum archive_end end = archive_copy(job->from, job->to, task, &facts, error, sizeof error);
    if (end != ARCHIVE_DONE) {
        snprintf(task->words, sizeof task->words, "%s", error);
        return end == ARCHIVE_UNREADABLE ? EXIT_USAGE : EXIT_FAILED;
    }
    snprintf(task->words, sizeof task->words,
             "%s: copied and audited: %llu accounts, %llu entries, %llu keys, %.1f MiB", job->to,
             (unsigned long long)facts.accounts, (unsigned long long)facts.entries,
             (unsigned long long)facts.keys, (double)facts.bytes / (1 << 20));
    return EXIT_DONE;
}

/* A copy is a folder like any other store; `crebito backup /mnt/tuesday` is enough to say. */
static bool url_of_folder(char url[URL_BYTES_MAX], const char *folder)
{
    static const char scheme[] = "lmdb:";
    const char *given = strncmp(folder, scheme, sizeof scheme - 1) == 0 ? "" : scheme;
    return snprintf(url, URL_BYTES_MAX, "%s%s", given, folder) < URL_BYTES_MAX;
}

static int run(const char *name, enum task_manner manner, const char *folder, struct job *job,
               char url[URL_BYTES_MAX])
{
    if (!url_of_folder(url, folder)) {
        fprintf(stderr, "crebito: %s: the path is too long\n", name);
        return EXIT_USAGE;
    }
    int status = task_run(name, manner, copy, job);
    if (status != EXIT_DONE)
        archive_clear(job->to); /* it may have died of a damaged page */
    return status;
}

int command_backup(const struct options *options)
{
    char url[URL_BYTES_MAX];
    struct job job = {.from = options->database, .to = url};
    return run("backup", TASK_YIELDING, options->argument, &job, url);
}

int command_restore(const struct options *options)
{
    char url[URL_BYTES_MAX];
    struct job job = {.from = url, .to = options->database};
    return run("restore", TASK_HURRYING, options->argument, &job, url);
}
