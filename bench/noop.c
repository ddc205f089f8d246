/* SPDX-License-Identifier: MIT
 *
 * noop.c - the floor that the bank is measured against: `noop PORT`, or `noop unix:PATH`.
 *
 * Purpose    What one thread pays for the sockets alone: accept, wait, read, write. It parses
 *            nothing and answers whatever a read brought with one fixed reply, of the same
 *            bytes as the bank's to an accepted transaction. Where the first header is
 *            `Connection: close` it says so too, and closes.
 * Invariant  One read, one reply; so a client must neither pipeline nor split a request.
 * Ownership  A connection is its descriptor; whoever sees it end closes it.
 * Threads    One.
 * Errors     Of a connection: it is closed. Of the start: perror and exit 1.
 * Not here   Anything a real server needs, or that removes its socket. For benchmarks, on the loopback only.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    EVENTS_MAX = 256,  /* per wait: as many as the benchmark has connections */
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

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int listen_on(const struct sockaddr *address, socklen_t length)
{
    const int yes = 1;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket");
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0)
        die("setsockopt");
    if (bind(fd, address, length) < 0)
        die("bind");
    if (listen(fd, BACKLOG) < 0)
        die("listen");
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
        fprintf(stderr, "noop: too long a path\n");
        exit(2);
    }
    memcpy(address.sun_path, path, length);
    return listen_on((const struct sockaddr *)&address, sizeof address);
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll_ctl");
}

static void accept_all(int epoll, int listener)
{
    const int yes = 1;
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        watch(epoll, fd);
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

static void answer(int fd)
{
    char request[READ_BYTES];
    ssize_t got = read(fd, request, sizeof request);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    bool last = got > 0 && is_last(request, (size_t)got);
    const char *text = last ? last_reply : reply;
    size_t size = (last ? sizeof last_reply : sizeof reply) - 1;
    /* The socket's buffer is empty at each reply, so a short write is a broken client. */
    if (got <= 0 || send(fd, text, size, MSG_NOSIGNAL) != (ssize_t)size || last)
        close(fd);
}

int main(int argc, char **argv)
{
    static const char scheme[] = "unix:";
    const struct sched_param none = {0};
    char *end = NULL;
    int listener;
    (void)sched_setscheduler(0, SCHED_BATCH, &none); /* as the bank: or it would be no limit */
    if (argc == 2 && strncmp(argv[1], scheme, sizeof scheme - 1) == 0) {
        listener = listen_on_path(argv[1] + sizeof scheme - 1);
    } else {
        long port = argc == 2 ? strtol(argv[1], &end, 10) : 0;
        if (port < 1 || port > UINT16_MAX || *end != '\0') {
            fprintf(stderr, "usage: noop PORT | unix:PATH\n");
            return 2;
        }
        listener = listen_on_port((uint16_t)port);
    }
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        die("epoll_create1");
    watch(epoll, listener);

    struct epoll_event events[EVENTS_MAX];
    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.fd == listener)
                accept_all(epoll, listener);
            else
                answer(events[i].data.fd);
        }
    }
}
