/* SPDX-License-Identifier: MIT
 *
 * main.c - from the command line to a command.
 */
#include "commands.h"

int main(int argc, char **argv)
{
    struct options options;
    switch (options_read(&options, argc, argv)) {
    case OPTIONS_DONE: return EXIT_DONE;
    case OPTIONS_WRONG: return EXIT_USAGE;
    case OPTIONS_RUN: break;
    }
    switch (options.command) {
    case COMMAND_SERVE: return command_serve(&options);
    case COMMAND_INIT: return command_init(&options);
    case COMMAND_STATUS: return command_status(&options);
    }
    return EXIT_USAGE;
}
