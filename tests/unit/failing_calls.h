/* SPDX-License-Identifier: MIT
 *
 * failing_calls.h - calls of ours to LMDB and to the system that fail on command. A program that
 * links this has them wrapped (meson.build); what LMDB itself calls is not touched.
 */
#ifndef CREBITO_TESTS_UNIT_FAILING_CALLS_H
#define CREBITO_TESTS_UNIT_FAILING_CALLS_H

#include <stdbool.h>

/* Of the calls whose names begin with `name`, `working` work; the next one, or every one from there
 * on, fails with `error`. The system's calls fail with -1 and errno, or with NULL. */
void fail_one(const char *name, unsigned working, int error);
void fail_all(const char *name, unsigned working, int error);

/* From now on all work again. Has one failed? */
bool fail_none(void);

#endif
