/* SPDX-License-Identifier: MIT
 *
 * owner_ask.h - one op, put to the process that owns a store.
 *
 * Purpose    The other end of owner_socket.h.
 * Invariant  Nothing is asked before the owner has said that it is of our version. What was asked
 *            and not answered is OUTCOME_UNKNOWN, if it would change the ledger; in every other
 *            case nothing has happened.
 * Ownership  Borrows everything; no descriptor outlives the call.
 * Threads    None; the caller waits.
 * Errors     An end, and a sentence for all but OWNER_ANSWERED.
 * Not here   Asking again: store.c.
 */
#ifndef CREBITO_STORE_LMDB_OWNER_ASK_H
#define CREBITO_STORE_LMDB_OWNER_ASK_H

#include <stddef.h>

#include "must_check.h"
#include "store/kind.h"

MUST_CHECK enum owner_end owner_ask(const char *path, struct op *op, int timeout_ms, char *error,
                                    size_t error_size);

#endif
