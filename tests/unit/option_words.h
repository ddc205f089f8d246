/* SPDX-License-Identifier: MIT
 *
 * option_words.h - a command line read, as if the process began with it.
 */
#ifndef CREBITO_TESTS_UNIT_OPTION_WORDS_H
#define CREBITO_TESTS_UNIT_OPTION_WORDS_H

#include "unit.h"

#include "ops/options.h"

extern struct options options; /* every byte 0x5a unless the result is OPTIONS_RUN */
extern const char *said;       /* on stderr; ASK(): on stdout */

/* The words after "crebito", ended by NULL; what is said on `fd` is captured. */
enum options_result option_words(int fd, const char *const *words);

#define READ(...) option_words(2, (const char *const[]){__VA_ARGS__, NULL})
#define ASK(...)  option_words(1, (const char *const[]){__VA_ARGS__, NULL})

/* A setup: no variable says anything. */
int bare_environment(void **state);

#endif
