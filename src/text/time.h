/* SPDX-License-Identifier: MIT
 *
 * time.h - instants as RFC 3339 writes them, read.
 *
 * Purpose    What an operator types and what an export holds: 2026-11-23T10:00:00.5-03:00.
 * Invariant  Whatever text_add_time() can write comes back as the same microsecond, and only what
 *            it can write is accepted: after its offset is taken away, an instant is within the
 *            years 0000 to 9999.
 * Ownership  Borrows the text.
 * Threads    No shared state.
 * Errors     False for anything else than one instant and nothing more; *ret_us is untouched.
 * Not here   Writing (text.h), the clock, time zones with names, days without a time.
 */
#ifndef CREBITO_TEXT_TIME_H
#define CREBITO_TEXT_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "must_check.h"

/* Unix time in microseconds; further digits are cut off. A leap second, 23:59:60 UTC on any day, is
 * the second after it, as Unix time has it. 24:00 is not in RFC 3339. */
MUST_CHECK bool time_parse(const char *text, size_t bytes, int64_t *ret_us);

#endif
