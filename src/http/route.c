/* SPDX-License-Identifier: MIT
 *
 * route.c - see route.h.
 */
#include "http/route.h"

#include <string.h>

#include "bank/bounds.h"

#define CLIENTS "/clientes/"

static bool is(const char *text, size_t bytes, const char *expected)
{
    return bytes == strlen(expected) && memcmp(text, expected, bytes) == 0;
}

/* The number of bytes of the id, 0 if it is not one. */
static size_t parse_client(const char *text, size_t bytes, uint32_t *ret_client)
{
    uint64_t client = 0;
    size_t i = 0;
    for (; i < bytes && text[i] >= '0' && text[i] <= '9'; i++) {
        client = client * 10 + (uint64_t)(text[i] - '0');
        if (client == 0 || client > CLIENT_MAX)
            return 0; /* a leading zero, or too large */
    }
    if (i > 0)
        *ret_client = (uint32_t)client;
    return i;
}

enum route route_find(const char *target, size_t bytes, uint32_t *ret_client)
{
    size_t prefix = strlen(CLIENTS);
    if (is(target, bytes, "/healthz"))
        return ROUTE_HEALTH;
    if (bytes < prefix || memcmp(target, CLIENTS, prefix) != 0)
        return ROUTE_NONE;

    size_t id = parse_client(target + prefix, bytes - prefix, ret_client);
    const char *rest = target + prefix + id;
    size_t rest_bytes = bytes - prefix - id;
    if (id > 0 && is(rest, rest_bytes, "/transacoes"))
        return ROUTE_ENTRIES;
    if (id > 0 && is(rest, rest_bytes, "/extrato"))
        return ROUTE_STATEMENT;
    return ROUTE_NONE;
}

bool route_allows(enum route route, llhttp_method_t method)
{
    switch (route) {
    case ROUTE_NONE: return false;
    case ROUTE_ENTRIES: return method == HTTP_POST;
    case ROUTE_HEALTH:
    case ROUTE_STATEMENT: return method == HTTP_GET || method == HTTP_HEAD;
    }
    return false;
}

const char *route_methods(enum route route)
{
    return route == ROUTE_ENTRIES ? "POST" : "GET, HEAD";
}
