/* SPDX-License-Identifier: MIT
 *
 * command_todo.c - commands that are not written yet; the program links with them.
 */
#include "commands.h"

#include <stdio.h>

static int not_yet(const struct options *options)
{
    (void)options;
    fprintf(stderr, "crebito: not yet\n");
    return EXIT_FAILED;
}

int command_client_add(const struct options *options)
{
    return not_yet(options);
}

int command_client_set_limit(const struct options *options)
{
    return not_yet(options);
}

int command_client_show(const struct options *options)
{
    return not_yet(options);
}
