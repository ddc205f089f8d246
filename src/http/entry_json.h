/* SPDX-License-Identifier: MIT
 *
 * entry_json.h - a transaction's JSON, read.
 *
 * Purpose    Judge a body as docs/contract.md says: first whether it is one JSON text, then its
 *            fields.
 * Invariant  entry_sane() holds for what is accepted. Numbers are read as IEEE 754 doubles.
 * Ownership  Borrows the body, which it may change (numbers past any double are blanked). Values
 *            live in an arena that each call begins anew.
 * Threads    One: the arena and jansson's allocator are static.
 * Errors     PROBLEM_JSON, PROBLEM_FIELD, or PROBLEM_BUSY when the arena is too small; *ret_detail
 *            names the field and its rule.
 * Not here   The limit, the key, writing JSON (reply.h).
 */
#ifndef CREBITO_HTTP_ENTRY_JSON_H
#define CREBITO_HTTP_ENTRY_JSON_H

#include <stddef.h>

#include "bank/ledger.h"
#include "http/problem.h"
#include "must_check.h"

/* Once, before the first call of the other. */
void entry_json_init(void);

/* PROBLEM_NONE: *ret has amount, kind and description; its time is not set. Otherwise nothing in
 * *ret means anything. */
MUST_CHECK enum problem entry_json_parse(char *body, size_t bytes, struct entry *ret,
                                         const char **ret_detail);

#endif
