/* SPDX-License-Identifier: MIT
 *
 * option_words.c - see option_words.h.
 */
#define _GNU_SOURCE /* environ */
#include "option_words.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 24 };

struct options options;
const char *said;

int bare_environment(void **state)
{
    char name[64];
    (void)state;
    unsetenv("DATABASE_URL");
    for (char **variable = environ; *variable;) {
        size_t bytes = strcspn(*variable, "=");
        if (strncmp(*variable, "CREBITO_", 8) == 0 && bytes < sizeof name) {
            memcpy(name, *variable, bytes);
            name[bytes] = '\0';
            unsetenv(name); /* the next one takes its place */
        } else {
            variable++;
        }
    }
    return 0;
}

enum options_result option_words(int fd, const char *const *words)
{
    char *argv[ARGUMENTS_MAX + 2] = {(char *)"crebito"};
    int argc = 1;
    for (; *words; words++) {
        assert_true(argc < ARGUMENTS_MAX);
        argv[argc++] = (char *)*words;
    }
    memset(&options, 0x5a, sizeof options);
    optind = 0; /* glibc's way to begin anew */
    capture_begin(fd);
    enum options_result result = options_read(&options, argc, argv);
    said = capture_end();
    return result;
}
