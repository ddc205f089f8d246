/* SPDX-License-Identifier: MIT
 *
 * address.c - see address.h.
 */
#include "http/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNIX_PREFIX "unix:"

enum { HOST_BYTES_MAX = 64, PORT_MAX = 65535 };

static struct sockaddr_un *unix_of(const struct address *address)
{
    return (struct sockaddr_un *)&address->storage;
}

static bool parse_unix(struct address *ret, const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    size_t bytes = strlen(path);
    if (bytes == 0 || bytes >= sizeof name.sun_path)
        return false;
    memcpy(name.sun_path, path, bytes);
    memcpy(&ret->storage, &name, sizeof name);
    ret->bytes = sizeof name;
    return true;
}

static bool parse_port(const char *text, in_port_t *ret)
{
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return false;
    long port = strtol(text, &end, 10);
    if (*end != '\0' || port > PORT_MAX)
        return false;
    *ret = htons((uint16_t)port);
    return true;
}

static bool parse_ipv4(struct address *ret, const char *host, in_port_t port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = port};
    if (inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, &name.sin_addr) !=
        1)
        return false;
    memcpy(&ret->storage, &name, sizeof name);
    ret->bytes = sizeof name;
    return true;
}

static bool parse_ipv6(struct address *ret, const char *host, in_port_t port)
{
    struct sockaddr_in6 name = {.sin6_family = AF_INET6, .sin6_port = port};
    if (inet_pton(AF_INET6, host, &name.sin6_addr) != 1)
        return false;
    memcpy(&ret->storage, &name, sizeof name);
    ret->bytes = sizeof name;
    return true;
}

static bool parse_tcp(struct address *ret, const char *text)
{
    char host[HOST_BYTES_MAX];
    in_port_t port;
    const char *colon = strrchr(text, ':');
    if (!colon || !parse_port(colon + 1, &port))
        return false;
    size_t bytes = (size_t)(colon - text);
    if (bytes == 0 || bytes >= sizeof host)
        return false;
    memcpy(host, text, bytes);
    host[bytes] = '\0';
    if (host[0] != '[')
        return parse_ipv4(ret, host, port);
    if (host[bytes - 1] != ']')
        return false;
    host[bytes - 1] = '\0';
    return parse_ipv6(ret, host + 1, port);
}

bool address_parse(struct address *ret, const char *text, char *error, size_t error_size)
{
    struct address address;
    memset(&address, 0, sizeof address);
    size_t prefix = strlen(UNIX_PREFIX);
    bool is_unix = strncmp(text, UNIX_PREFIX, prefix) == 0;
    if (is_unix ? !parse_unix(&address, text + prefix) : !parse_tcp(&address, text)) {
        snprintf(error, error_size, "\"%s\" is no address: write %s", text,
                 is_unix ? "unix: and a path of at most 107 characters"
                         : "127.0.0.1:9999, [::1]:9999 or unix:/path");
        return false;
    }
    *ret = address;
    return true;
}

bool address_is_unix(const struct address *address)
{
    return address->storage.ss_family == AF_UNIX;
}

const char *address_path(const struct address *address)
{
    return unix_of(address)->sun_path;
}

void address_format(const struct address *address, char ret[ADDRESS_TEXT_BYTES_MAX])
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (address_is_unix(address)) {
        snprintf(ret, ADDRESS_TEXT_BYTES_MAX, UNIX_PREFIX "%s", address_path(address));
    } else if (address->storage.ss_family == AF_INET6) {
        const struct sockaddr_in6 *name = (const struct sockaddr_in6 *)&address->storage;
        inet_ntop(AF_INET6, &name->sin6_addr, host, sizeof host);
        snprintf(ret, ADDRESS_TEXT_BYTES_MAX, "[%s]:%u", host, ntohs(name->sin6_port));
    } else {
        const struct sockaddr_in *name = (const struct sockaddr_in *)&address->storage;
        inet_ntop(AF_INET, &name->sin_addr, host, sizeof host);
        snprintf(ret, ADDRESS_TEXT_BYTES_MAX, "%s:%u", host, ntohs(name->sin_port));
    }
}
