/* SPDX-License-Identifier: MIT
 *
 * command_verify.c - crebito verify: is the ledger what its history makes it?
 */
#include "commands.h"

#include <stdio.h>

#include "ops/task.h"
#include "store/archive.h"
#include "store/url.h"

static int verify(struct task *task, void *context)
{
    const struct options *options = context;
    struct archive_facts facts;
    char error[512] = "", shown[URL_SHOWN_BYTES];
    url_show(shown, options->database);
    switch (archive_verify(options->database, task, &facts, error, sizeof error)) {
    case ARCHIVE_DONE:
        snprintf(task->words, sizeof task->words,
                 "%s: sound: %llu accounts, %llu entries, %llu keys; %llu records followed", shown,
                 (unsigned long long)facts.accounts, (unsigned long long)facts.entries,
                 (unsigned long long)facts.keys, (unsigned long long)facts.records);
        return EXIT_DONE;
    case ARCHIVE_WRONG:
    case ARCHIVE_STOPPED:
        snprintf(task->words, sizeof task->words, "%s", error);
        return EXIT_FAILED;
    case ARCHIVE_UNREADABLE:
    case ARCHIVE_FAILED: break;
    }
    snprintf(task->words, sizeof task->words, "%s", error);
    return EXIT_USAGE;
}

int command_verify(const struct options *options)
{
    return task_run("verify", TASK_YIELDING, verify, (void *)options);
}
