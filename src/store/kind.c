/* SPDX-License-Identifier: MIT
 *
 * kind.c - see kind.h.
 */
#include "store/kind.h"

#include <stdio.h>
#include <string.h>

#include "store/lmdb/lmdb_kind.h"
#include "store/module.h"
#include "store/url.h"

const struct store_kind *store_kind_of(const char *url, const char **ret_place, char *error,
                                       size_t error_size)
{
    const char *path = url_lmdb_path(url);
    if (path) {
        *ret_place = path;
        return &lmdb_kind;
    }
    if (url_is_postgres(url)) {
        *ret_place = url;
        return module_kind("postgres", error, error_size);
    }
    /* Only the scheme: what follows may hold a password. */
    snprintf(error, error_size,
             "\"%.*s\" is no database that this build knows; write lmdb:FOLDER or "
             "postgres://USER@HOST/NAME",
             (int)url_scheme_bytes(url), url);
    return NULL;
}
