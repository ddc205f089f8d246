/* SPDX-License-Identifier: MIT
 *
 * url.c - see url.h.
 */
#include "store/url.h"

#include <stdio.h>
#include <string.h>

static const char lmdb_scheme[] = "lmdb:";

const char *url_lmdb_path(const char *url)
{
    return url + sizeof lmdb_scheme - 1;
}

bool url_known(const char *url, char *error, size_t error_size)
{
    if (strncmp(url, lmdb_scheme, sizeof lmdb_scheme - 1) == 0 && *url_lmdb_path(url) != '\0')
        return true;
    /* Only the scheme: what follows may hold a password. */
    snprintf(error, error_size, "\"%.*s\" is no database that this build knows; write lmdb:FOLDER",
             (int)strcspn(url, ":"), url);
    return false;
}
