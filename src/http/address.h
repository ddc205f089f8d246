/* SPDX-License-Identifier: MIT
 *
 * address.h - where a server listens, and a client finds it.
 *
 * Purpose    "127.0.0.1:9999", "localhost:9999", "[::1]:9999" and "unix:/path" to socket addresses
 *            and back. Hosts are numeric: a bank's start should not hang on a name server.
 * Invariant  What address_parse() accepts can be given to bind(2) and connect(2).
 * Ownership  Plain values.
 * Threads    No shared state.
 * Errors     False and a sentence.
 * Not here   Sockets.
 */
#ifndef CREBITO_HTTP_ADDRESS_H
#define CREBITO_HTTP_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "must_check.h"

enum { ADDRESS_TEXT_BYTES_MAX = sizeof "unix:" + sizeof(((struct sockaddr_un *)0)->sun_path) };

struct address {
    struct sockaddr_storage storage;
    socklen_t bytes;
};

MUST_CHECK bool address_parse(struct address *ret, const char *text, char *error,
                              size_t error_size);

bool address_is_unix(const struct address *address);
const char *address_path(const struct address *address); /* of a Unix socket */
void address_format(const struct address *address, char ret[ADDRESS_TEXT_BYTES_MAX]);

#endif
