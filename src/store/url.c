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

size_t url_scheme_bytes(const char *url)
{
    size_t bytes = strspn(url, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return url[bytes] == ':' || url[bytes] == '\0' ? bytes : 0;
}

bool url_is_plain(const char *url)
{
    const char *at = strchr(url, '@');
    return !at || (strcspn(url + url_scheme_bytes(url) + 3, "/?#@") ==
                       (size_t)(at - url) - url_scheme_bytes(url) - 3 &&
                   !strchr(at + 1, '@'));
}

/* The user, the password and the parameters (which may repeat it) are left out; of a URL that is not
 * plain, where nobody can tell what is the password, all but the scheme. */
void url_show(char ret[URL_SHOWN_BYTES], const char *url)
{
    size_t scheme = url_scheme_bytes(url);
    if (url_lmdb_path(url)) {
        snprintf(ret, URL_SHOWN_BYTES, "%s", url);
        return;
    }
    if (strncmp(url + scheme, "://", 3) != 0 || !url_is_plain(url)) {
        snprintf(ret, URL_SHOWN_BYTES, "%.*s...", scheme > 0 ? (int)scheme + 1 : 0, url);
        return;
    }
    const char *at = strchr(url, '@');
    const char *shown = at ? at + 1 : url + scheme + 3;
    snprintf(ret, URL_SHOWN_BYTES, "%.*s://%.*s", (int)scheme, url, (int)strcspn(shown, "?#"),
             shown);
}
