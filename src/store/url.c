/* SPDX-License-Identifier: MIT
 *
 * url.c - see url.h.
 */
#include "store/url.h"

#include <stdio.h>
#include <string.h>

static const char lmdb_scheme[] = "lmdb:";
static const char *const postgres_schemes[] = {"postgres://", "postgresql://"};

static bool begins_with(const char *text, const char *beginning)
{
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

const char *url_lmdb_path(const char *url)
{
    const char *path = url + sizeof lmdb_scheme - 1;
    return begins_with(url, lmdb_scheme) && *path != '\0' ? path : NULL;
}

bool url_is_postgres(const char *url)
{
    return begins_with(url, postgres_schemes[0]) || begins_with(url, postgres_schemes[1]);
}

/* The user, the password and the parameters (which may repeat it) are left out. A password may hold
 * a bare '@' or '/', which it should not: so what is shown begins after the last '@' there is. */
void url_show(char ret[URL_SHOWN_BYTES], const char *url)
{
    const char *authority = strstr(url, "://");
    if (url_lmdb_path(url) || !authority) {
        snprintf(ret, URL_SHOWN_BYTES, "%s", url);
        return;
    }
    authority += 3;
    const char *at = strrchr(authority, '@');
    const char *shown = at ? at + 1 : authority;
    snprintf(ret, URL_SHOWN_BYTES, "%.*s%.*s", (int)(authority - url), url,
             (int)strcspn(shown, "?#"), shown);
}
