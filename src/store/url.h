/* SPDX-License-Identifier: MIT
 *
 * url.h - which kind of store a URL means.
 *
 * Purpose    One place that knows the schemes.
 * Invariant  url_lmdb_path() is asked only about a URL that url_known() knows.
 * Ownership  Borrows the URL; what is returned points into it.
 * Threads    No shared state.
 * Errors     False and a sentence, in which a password is not repeated.
 * Not here   Opening anything.
 */
#ifndef CREBITO_STORE_URL_H
#define CREBITO_STORE_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "must_check.h"

MUST_CHECK bool url_known(const char *url, char *error, size_t error_size);

/* lmdb:PATH's PATH. */
const char *url_lmdb_path(const char *url);

#endif
