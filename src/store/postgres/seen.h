/* SPDX-License-Identifier: MIT
 *
 * seen.h - which idempotency keys a build has met: "never" for sure, or "perhaps".
 *
 * Purpose    Spare the server a question for each key, in memory that does not grow with their number
 *            (a Bloom filter). After ten million keys one new one in 2,700 is asked about in vain, after
 *            a hundred million every third, which is slow and still right.
 * Invariant  What was added is seen.
 * Ownership  seen_open() allocates, seen_close() frees.
 * Threads    One.
 * Errors     False: no memory.
 * Not here   The answer: the server's table of keys.
 */
#ifndef CREBITO_STORE_POSTGRES_SEEN_H
#define CREBITO_STORE_POSTGRES_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "must_check.h"

struct seen {
    uint64_t *words;
};

MUST_CHECK bool seen_open(struct seen *seen);
void seen_close(struct seen *seen);

void seen_add(struct seen *seen, uint32_t client, const char *key, size_t bytes);
MUST_CHECK bool seen_maybe(const struct seen *seen, uint32_t client, const char *key, size_t bytes);

#endif
