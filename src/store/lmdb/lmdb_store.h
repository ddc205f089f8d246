/* SPDX-License-Identifier: MIT
 *
 * lmdb_store.h - the embedded store: a ledger in one folder, for one process or for several.
 *
 * Purpose    The backend behind lmdb:PATH. The first process on a folder owns it (owner.h); others hand
 *            their ops to it (guest.h); when it goes, one of them takes its place.
 * Invariant  At most one process has a folder's ledger open, on this machine, across PID namespaces.
 *            What an owner that died may have booked without an answer is OUTCOME_UNKNOWN; all else
 *            waits for the next owner, for PATIENCE_MS, and is then refused until there is one.
 *            A process only ever joins, and follows, an owner that is as durable as itself, in the folder
 *            that it began with.
 * Ownership  The backend owns whichever of the two it is.
 * Threads    As backend.h says, and a steward from admit() to dismiss(), who listens to the owner and
 *            looks for the next.
 * Errors     Opening: NULL and a sentence. Later: outcomes; every change of owner is logged.
 * Not here   Queues, committers.
 */
#ifndef CREBITO_STORE_LMDB_LMDB_STORE_H
#define CREBITO_STORE_LMDB_LMDB_STORE_H

#include <stddef.h>

#include "must_check.h"
#include "store/backend.h"
#include "store/store.h"

MUST_CHECK struct backend *lmdb_store_open(const char *path, const struct store_options *options,
                                           char *error, size_t error_size);

#endif
