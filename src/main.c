/* SPDX-License-Identifier: MIT
 *
 * main.c - from the command line to a command.
 */
#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Started with a standard descriptor closed, the next file or socket would take its place, and
 * the log would be written to it. */
static void fill_standard_descriptors(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

static int run(const struct options *options)
{
    switch (options->command) {
    case COMMAND_SERVE: return command_serve(options);
    case COMMAND_INIT: return command_init(options);
    case COMMAND_STATUS: return command_status(options);
    case COMMAND_VERIFY: return command_verify(options);
    case COMMAND_BACKUP: return command_backup(options);
    case COMMAND_RESTORE: return command_restore(options);
    case COMMAND_EXPORT: return command_export(options);
    case COMMAND_IMPORT: return command_import(options);
    case COMMAND_CLIENT_ADD: return command_client_add(options);
    case COMMAND_CLIENT_SET_LIMIT: return command_client_set_limit(options);
    case COMMAND_CLIENT_SHOW: return command_client_show(options);
    }
    return EXIT_USAGE;
}

/* What was asked for and did not arrive was not done. */
static int written(int status)
{
    bool lost = ferror(stdout);
    errno = 0;
    if ((fflush(stdout) == 0 && !lost) || status != EXIT_DONE)
        return status;
    fprintf(stderr, "crebito: cannot write: %s\n", errno ? strerror(errno) : "an output error");
    return EXIT_FAILED;
}

int main(int argc, char **argv)
{
    struct options options;
    fill_standard_descriptors();
    switch (options_read(&options, argc, argv)) {
    case OPTIONS_DONE: return written(EXIT_DONE);
    case OPTIONS_WRONG: return EXIT_USAGE;
    case OPTIONS_RUN: break;
    }
    return written(run(&options));
}
