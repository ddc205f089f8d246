/* SPDX-License-Identifier: MIT
 *
 * module.h - kinds of stores that are loaded only when they are asked for.
 *
 * Purpose    Keep the libraries of one kind of store out of the processes that use another: the
 *            embedded bank maps no libpq.
 * Invariant  A module is taken only from beside the executable or from the installation's own folder,
 *            never by way of the environment, and only if it is of our version.
 * Ownership  A module stays loaded.
 * Threads    The main thread, before there are others.
 * Errors     NULL and a sentence.
 * Not here   What is in a module: kind.h.
 */
#ifndef CREBITO_STORE_MODULE_H
#define CREBITO_STORE_MODULE_H

#include <stddef.h>

#include "must_check.h"

struct store_kind;

/* The name of the const struct store_kind that a module exports. */
#define MODULE_SYMBOL crebito_store_kind

MUST_CHECK const struct store_kind *module_kind(const char *name, char *error, size_t error_size);

#endif
