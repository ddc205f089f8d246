/* SPDX-License-Identifier: MIT
 *
 * postgres_store.h - the store on a PostgreSQL server.
 *
 * Purpose    The backend behind postgres://. A lane reads, the others write, each for its share of the
 *            clients and on a connection of its own; the stored procedures judge under a row lock.
 * Invariant  What commit() answers OUTCOME_OK the server has said to be committed: on its disk, with
 *            durable. Ops of one client that write always take the same lane, but for the first of a new client, so
 *            that a batch of them is one call. A statement is one snapshot, and waits for no commit.
 * Ownership  The backend owns its workers and their connections.
 * Threads    As backend.h says.
 * Errors     Opening: NULL and a sentence. Later: outcomes; that the server is gone, or back, is logged.
 * Not here   Making the schema.
 */
#ifndef CREBITO_STORE_POSTGRES_STORE_H
#define CREBITO_STORE_POSTGRES_STORE_H

#include <stddef.h>

#include "must_check.h"
#include "store/backend.h"
#include "store/store.h"

MUST_CHECK struct backend *postgres_store_open(const char *url, const struct store_options *options,
                                               char *error, size_t error_size);

#endif
