/* SPDX-License-Identifier: MIT
 *
 * entry_plain.h - the shortcut for the body that nearly every client sends.
 *
 * Purpose    Read {"valor":1000,"tipo":"c","descricao":"compra"} without building values: the three
 *            members once each, in any order, a plain integer, plain ASCII strings, white space.
 *            docs/decisions/0006-json.md has what that saves.
 * Invariant  What it accepts, jansson accepts with the same entry (tests/unit/test_entry_plain.c
 *            compares the two). What it does not take may still be valid: it never refuses.
 * Ownership  Borrows the body.
 * Threads    No shared state.
 * Errors     False: let entry_json.c judge.
 * Not here   Saying what is wrong with a body.
 */
#ifndef CREBITO_HTTP_ENTRY_PLAIN_H
#define CREBITO_HTTP_ENTRY_PLAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "bank/ledger.h"
#include "must_check.h"

/* *ret is not to be used unless true. */
MUST_CHECK bool entry_plain_read(const char *body, size_t bytes, struct entry *ret);

#endif
