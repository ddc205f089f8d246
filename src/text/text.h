/* SPDX-License-Identifier: MIT
 *
 * text.h - text built piece by piece in memory of a known size.
 *
 * Purpose    What replies and exported records are written with: numbers, times, JSON strings.
 * Invariant  [start, at) written | [at, end) room. Not terminated.
 * Ownership  Borrows the memory.
 * Threads    No shared state.
 * Errors     Asserts that the room suffices: callers have added up the worst case (bank/bounds.h).
 * Not here   Reading any of it back.
 */
#ifndef CREBITO_TEXT_TEXT_H
#define CREBITO_TEXT_TEXT_H

#include <stddef.h>
#include <stdint.h>

enum { TEXT_TIME_BYTES = 27 }; /* 2024-01-17T02:34:41.217753Z */

struct text {
    char *start, *at, *end;
};

struct text text_in(char *start, size_t size);
size_t text_bytes(const struct text *text);

void text_add_bytes(struct text *text, const char *bytes, size_t size);
void text_add(struct text *text, const char *string);
void text_add_number(struct text *text, int64_t number);

/* Unix time as RFC 3339 has it: UTC, microseconds, years 0 to 9999. */
void text_add_time(struct text *text, int64_t time_us);

/* RFC 8259 section 7, quotes included: quotes, backslashes and control characters are escaped,
 * UTF-8 is not. At most 6 bytes for each byte, and 2. */
void text_add_json(struct text *text, const char *bytes, size_t size);

#endif
