/* SPDX-License-Identifier: MIT
 *
 * settle.h - a folder as others may read it.
 *
 * Purpose    What a bank has acknowledged may be in the log alone (ahead.h). Whoever is about to read
 *            the file has it brought there first: by the owner, or, where nobody owns the folder, by
 *            being its owner for a moment.
 * Invariant  After a true the file has all that was acknowledged before the call.
 * Ownership  Keeps nothing.
 * Threads    None; the caller waits.
 * Errors     False, and a sentence; the file is then older than the log, and sound.
 * Not here   Reading.
 */
#ifndef CREBITO_STORE_LMDB_SETTLE_H
#define CREBITO_STORE_LMDB_SETTLE_H

#include <stdbool.h>
#include <stddef.h>

#include "must_check.h"

/* `timeout_ms`: how long an owner has. A folder without a store is settled. */
MUST_CHECK bool settle_folder(const char *path, int timeout_ms, char *error, size_t error_size);

#endif
