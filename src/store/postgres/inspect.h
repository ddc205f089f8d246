/* SPDX-License-Identifier: MIT
 *
 * inspect.h - what a bank on PostgreSQL holds, and how safe it is there.
 *
 * Purpose    As store_inspect(): for an operator's eyes.
 * Invariant  Writes nothing. As owner it names the server, whether what it acknowledges would survive
 *            a crash, and if not, why.
 * Ownership  Borrows the URL.
 * Threads    One.
 * Errors     False and a sentence.
 * Not here   Whether any of it is right: audit.h.
 */
#ifndef CREBITO_STORE_POSTGRES_INSPECT_H
#define CREBITO_STORE_POSTGRES_INSPECT_H

#include <stdbool.h>
#include <stddef.h>

#include "must_check.h"
#include "store/store.h"

MUST_CHECK bool inspect(struct store_facts *ret_facts, const char *url, char *error,
                        size_t error_size);

#endif
