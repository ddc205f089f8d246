/* SPDX-License-Identifier: MIT
 *
 * route.h - which resource a request target names.
 *
 * Purpose    The three routes of docs/contract.md, and the methods that each knows.
 * Invariant  Only the canonical spelling of a route is that route: no trailing slash, no other
 *            case, no percent-encoding, no sign or leading zero in an id.
 * Ownership  Borrows the target.
 * Threads    No shared state.
 * Errors     ROUTE_NONE.
 * Not here   Whether the client exists.
 */
#ifndef CREBITO_HTTP_ROUTE_H
#define CREBITO_HTTP_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <llhttp.h>

enum route {
    ROUTE_NONE,
    ROUTE_HEALTH,    /* /healthz */
    ROUTE_ENTRIES,   /* /clientes/{id}/transacoes */
    ROUTE_STATEMENT, /* /clientes/{id}/extrato */
};

/* `target`: a path without its query. *ret_client is set where the route has one. */
enum route route_find(const char *target, size_t bytes, uint32_t *ret_client);

bool route_allows(enum route route, llhttp_method_t method);
const char *route_methods(enum route route); /* for the Allow field */

#endif
