/* SPDX-License-Identifier: MIT
 *
 * asleep.h - whoever waits for a pipe is asked to end, once it waits.
 */
#ifndef CREBITO_TESTS_UNIT_ASLEEP_H
#define CREBITO_TESTS_UNIT_ASLEEP_H

#include "ops/task.h"

/* From another thread: as soon as the caller sleeps in the kernel, the task is stopped. */
void stop_when_asleep(struct task *task);

/* After the caller has woken. */
void stop_end(void);

#endif
