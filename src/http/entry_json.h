/* SPDX-License-Identifier: MIT
 *
 * entry_json.h - a transaction's JSON, read.
 *
 * Purpose    Judge a body as docs/contract.md says: first whether it is one JSON text, then its
 *            fields.
 * Invariant  entry_sane() holds for what is accepted. Numbers are read as IEEE 754 doubles.
 * Ownership  Borrows the body, which it may change (numbers past any double are blanked), and an
 *            arena for the values, which each call begins anew.
 * Threads    Any, each with an arena of its own, after entry_json_init() on one.
 * Errors     PROBLEM_JSON, PROBLEM_FIELD, or PROBLEM_BUSY when the arena is too small; *ret_detail
 *            names the field and its rule.
 * Not here   The limit, the key, writing JSON (reply.h).
 */
#ifndef CREBITO_HTTP_ENTRY_JSON_H
#define CREBITO_HTTP_ENTRY_JSON_H

#include <stdalign.h>
#include <stddef.h>

#include "bank/ledger.h"
#include "http/problem.h"
#include "must_check.h"

struct json_arena {
    alignas(max_align_t) char bytes[JSON_ARENA_BYTES];
};

/* Before the first call of the other. */
void entry_json_init(void);

/* PROBLEM_NONE: *ret has amount, kind and description; its time is not set. Otherwise nothing in
 * *ret means anything. */
MUST_CHECK enum problem entry_json_parse(struct json_arena *arena, char *body, size_t bytes,
                                         struct entry *ret, const char **ret_detail);

#endif
