/* SPDX-License-Identifier: MIT
 *
 * look.h - what a store holds, for an operator's eyes.
 *
 * Purpose    Look at a folder, whoever has it open.
 * Invariant  Takes no lock and writes nothing. The numbers belong to one commit.
 * Ownership  Nothing outlives the call.
 * Threads    No shared state.
 * Errors     False and a sentence that names the folder.
 * Not here   Reading what is in it: reader.h.
 */
#ifndef CREBITO_STORE_LMDB_LOOK_H
#define CREBITO_STORE_LMDB_LOOK_H

#include <stddef.h>

#include "must_check.h"
#include "store/store.h"

MUST_CHECK bool lmdb_look(struct store_facts *ret, const char *path, char *error,
                          size_t error_size);

#endif
