/* SPDX-License-Identifier: MIT
 *
 * unit.h - what the unit tests share: cmocka, bytes made readable, and randomness that can be had
 * again (UNIT_SEED in the environment; each run prints its seed).
 */
#ifndef CREBITO_TESTS_UNIT_UNIT_H
#define CREBITO_TESTS_UNIT_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* As fail_msg(), but what it says comes with the failing test and not before it. */
#define FAIL(...) fail_at(__FILE__, __LINE__, __VA_ARGS__)
__attribute__((format(printf, 3, 4), noreturn)) void fail_at(const char *file, int line,
                                                             const char *format, ...);

/* Starts the sequence and prints the seed that starts it again. */
void random_begin(void);
uint64_t random_next(void);
/* min .. max, both possible. */
uint64_t random_between(uint64_t min, uint64_t max);
void random_fill(void *bytes, size_t size);

/* The bytes as a C programmer would write them, cut after some; the next call but seven reuses the
 * memory. */
const char *shown(const void *bytes, size_t size);

/* Does it end in a failed assertion? It is tried in a process of its own, silently. */
bool asserts(void (*act)(const void *argument), const void *argument);

/* What is written to a descriptor (1 or 2) from begin to end, terminated, in memory that the next
 * end reuses. In between nothing should be asserted: a failure would be told into it. */
void capture_begin(int fd);
const char *capture_end(void);

/* A number that is the same as long as no descriptor is opened or closed. */
unsigned open_files(void);

#endif
