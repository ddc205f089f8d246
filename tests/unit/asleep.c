/* SPDX-License-Identifier: MIT
 *
 * asleep.c - see asleep.h.
 */
#include "asleep.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_t thread;
static char stat_file[64];

static bool is_asleep(void)
{
    char text[256] = "";
    FILE *file = fopen(stat_file, "r");
    if (!file)
        abort();
    size_t bytes = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[bytes] = '\0';
    const char *name_end = strrchr(text, ')'); /* "4711 (test_lines) S 1 ..." */
    return name_end && strncmp(name_end, ") S", 3) == 0;
}

static void *watch(void *context)
{
    struct task *task = context;
    while (!is_asleep())
        sched_yield();
    task->stop = true;
    return NULL;
}

void stop_when_asleep(struct task *task)
{
    snprintf(stat_file, sizeof stat_file, "/proc/self/task/%ld/stat", (long)syscall(SYS_gettid));
    if (pthread_create(&thread, NULL, watch, task) != 0)
        abort();
}

void stop_end(void)
{
    if (pthread_join(thread, NULL) != 0)
        abort();
}
