/* SPDX-License-Identifier: MIT
 *
 * url.h - what a store's URL says, and what of it may be shown.
 *
 * Purpose    One place that knows the schemes.
 * Invariant  What url_show() writes has no password in it.
 * Ownership  Borrows the URL; what is returned points into it.
 * Threads    No shared state.
 * Errors     NULL.
 * Not here   Opening anything: kind.h.
 */
#ifndef CREBITO_STORE_URL_H
#define CREBITO_STORE_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "must_check.h"

enum { URL_SHOWN_BYTES = 1100 };

/* The PATH of lmdb:PATH; NULL if it is no such URL. */
MUST_CHECK const char *url_lmdb_path(const char *url);

/* Does it begin with postgres:// or postgresql://? */
MUST_CHECK bool url_is_postgres(const char *url);

/* The letters before its first ':', or all of it; 0 if there is anything else before that. */
size_t url_scheme_bytes(const char *url);

/* Is it plain which part is the password? Not where one has an '@' or a '/' that is not
 * percent-encoded. The URL is SCHEME://... */
MUST_CHECK bool url_is_plain(const char *url);

/* For a log or a terminal: lmdb:PATH as it is, of any other scheme SCHEME://HOST:PORT/NAME at most. */
void url_show(char ret[URL_SHOWN_BYTES], const char *url);

#endif
