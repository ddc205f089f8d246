/* SPDX-License-Identifier: MIT
 *
 * floor.c - see floor.h.
 */
#include "floor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    BACKLOG = 1024,    /* all of them may connect at once */
    READ_BYTES = 8192, /* far more than any request of the benchmark */
};

#define HEAD                                  \
    "HTTP/1.1 200 OK\r\n"                     \
    "Date: Wed, 17 Jan 2024 02:34:41 GMT\r\n" \
    "Content-Type: application/json\r\n"      \
    "Content-Length: 31\r\n"
#define BODY "\r\n{\"limite\":100000,\"saldo\":-9098}"

static const char reply[] = HEAD BODY;
static const char last_reply[] = HEAD "Connection: close\r\n" BODY;

void floor_die(const char *what)
{
    perror(what);
    exit(1);
}

void floor_schedule(void)
{
    const struct sched_param none = {0};
    (void)sched_setscheduler(0, SCHED_BATCH, &none);
}

static int listen_on(const struct sockaddr *address, socklen_t length)
{
    const int yes = 1;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        floor_die("socket");
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0)
        floor_die("setsockopt");
    if (bind(fd, address, length) < 0)
        floor_die("bind");
    if (listen(fd, BACKLOG) < 0)
        floor_die("listen");
    return fd;
}

static int listen_on_port(uint16_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    return listen_on((const struct sockaddr *)&address, sizeof address);
}

static int listen_on_path(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        floor_die(path);
    }
    memcpy(address.sun_path, path, length);
    return listen_on((const struct sockaddr *)&address, sizeof address);
}

int floor_listen(const char *address)
{
    static const char scheme[] = "unix:";
    char *end;
    if (strncmp(address, scheme, sizeof scheme - 1) == 0)
        return listen_on_path(address + sizeof scheme - 1);
    long port = strtol(address, &end, 10);
    return port < 1 || port > UINT16_MAX || *end ? -1 : listen_on_port((uint16_t)port);
}

void floor_watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        floor_die("epoll_ctl");
}

void floor_accept(int epoll, int listener)
{
    const int yes = 1;
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        floor_watch(epoll, fd);
    }
}

/* The line after the first: no further, for that would be parsing. */
static bool is_last(const char *request, size_t size)
{
    static const char line[] = "\nConnection: close\r";
    const char *end = memchr(request, '\n', size);
    return end && size - (size_t)(end - request) >= sizeof line - 1 &&
           memcmp(end, line, sizeof line - 1) == 0;
}

bool floor_asked(int fd, bool *last)
{
    char request[READ_BYTES];
    ssize_t got = read(fd, request, sizeof request);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (got <= 0) {
        close(fd);
        return false;
    }
    *last = is_last(request, (size_t)got);
    return true;
}

void floor_reply(int fd, bool last)
{
    const char *text = last ? last_reply : reply;
    size_t size = (last ? sizeof last_reply : sizeof reply) - 1;
    /* The socket's buffer is empty at each reply, so a short write is a broken client. */
    if (send(fd, text, size, MSG_NOSIGNAL) != (ssize_t)size || last)
        close(fd);
}
