/* SPDX-License-Identifier: MIT
 *
 * listener.c - see listener.h.
 */
#define _GNU_SOURCE /* accept4 */
#include "http/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

/* Remove a socket that a dead process left behind, and nothing else. */
static int clear_stale_socket(const struct address *address)
{
    struct stat status;
    const char *path = address_path(address);
    if (lstat(path, &status) != 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(status.st_mode))
        return -EEXIST;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    bool alive = connect(fd, (const struct sockaddr *)&address->storage, address->bytes) == 0 ||
                 errno == EAGAIN; /* its backlog is full, but somebody has it */
    int result = alive ? -EADDRINUSE : -errno;
    close(fd);
    if (result != -ECONNREFUSED)
        return result;
    return unlink(path) == 0 ? 0 : -errno;
}

static int remember_file(struct listener *listener, const char *path)
{
    struct stat status;
    if (lstat(path, &status) != 0)
        return -errno;
    listener->device = status.st_dev;
    listener->inode = status.st_ino;
    return 0;
}

static int bind_unix(struct listener *listener, const struct address *address, unsigned socket_mode,
                     int fd)
{
    /* The mode first, then listen: nobody connects in between. */
    mode_t before = umask(0777);
    int result = bind(fd, (const struct sockaddr *)&address->storage, address->bytes);
    umask(before);
    if (result != 0)
        return -errno;
    result = chmod(address_path(address), socket_mode) == 0 ? 0 : -errno;
    if (result == 0)
        result = remember_file(listener, address_path(address));
    if (result != 0)
        (void)unlink(address_path(address));
    return result;
}

static int open_unix(struct listener *listener, const struct address *address, unsigned socket_mode)
{
    int result = clear_stale_socket(address);
    return result != 0 ? result : bind_unix(listener, address, socket_mode, listener->fd);
}

static int open_tcp(struct listener *listener, const struct address *address)
{
    const int on = 1, off = 0;
    struct address bound = {.bytes = sizeof bound.storage};
    const struct sockaddr *wanted = (const struct sockaddr *)&address->storage;
    /* The port of a process that has just ended is free; and [::] means IPv4 too. */
    if (setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        (wanted->sa_family == AF_INET6 &&
         setsockopt(listener->fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0) ||
        bind(listener->fd, wanted, address->bytes) != 0 ||
        getsockname(listener->fd, (struct sockaddr *)&bound.storage, &bound.bytes) != 0)
        return -errno;
    address_format(&bound, listener->text);
    return 0;
}

static void forget_file(const struct listener *listener)
{
    struct stat status;
    const char *path = listener->text + strlen("unix:");
    if (listener->is_unix && lstat(path, &status) == 0 && status.st_dev == listener->device &&
        status.st_ino == listener->inode)
        (void)unlink(path);
}

/* The address is bound. */
static int begin_to_listen(struct listener *listener, uv_loop_t *loop, uv_poll_cb on_waiting)
{
    if (listen(listener->fd, BACKLOG) != 0)
        return -errno;
    int result = uv_poll_init(loop, &listener->poll, listener->fd);
    if (result != 0)
        return result;
    listener->on_waiting = on_waiting;
    listener_go_on(listener);
    return 0;
}

static int open_socket(struct listener *listener, uv_loop_t *loop, const struct address *address,
                       unsigned socket_mode, uv_poll_cb on_waiting)
{
    listener->fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                          0);
    if (listener->fd < 0)
        return -errno;
    int result = listener->is_unix ? open_unix(listener, address, socket_mode)
                                   : open_tcp(listener, address);
    if (result != 0)
        goto close_fd;
    result = begin_to_listen(listener, loop, on_waiting);
    if (result == 0)
        return 0;
    forget_file(listener);
close_fd:
    close(listener->fd);
    return result;
}

bool listener_open(struct listener *listener, uv_loop_t *loop, const struct address *address,
                   unsigned socket_mode, uv_poll_cb on_waiting, void *data, char *error,
                   size_t error_size)
{
    listener->is_unix = address_is_unix(address);
    address_format(address, listener->text);
    int result = open_socket(listener, loop, address, socket_mode, on_waiting);
    listener->poll.data = data;
    if (result != 0)
        snprintf(error, error_size, "cannot listen on %s: %s", listener->text, uv_strerror(result));
    return result == 0;
}

int listener_accept(struct listener *listener)
{
    for (;;) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0)
            return fd;
        switch (errno) {
        case EAGAIN: return LISTENER_NOBODY;
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM: return LISTENER_NO_MEANS;
        default: break; /* that one has gone again */
        }
    }
}

void listener_pause(struct listener *listener)
{
    (void)uv_poll_stop(&listener->poll);
}

void listener_go_on(struct listener *listener)
{
    (void)uv_poll_start(&listener->poll, UV_READABLE, listener->on_waiting);
}

void listener_close(struct listener *listener)
{
    forget_file(listener);
    uv_close((uv_handle_t *)&listener->poll, NULL);
    close(listener->fd);
}
