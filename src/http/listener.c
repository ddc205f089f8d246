/* SPDX-License-Identifier: MIT
 *
 * listener.c - see listener.h.
 */
#include "http/listener.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

static int open_tcp(struct listener *listener, uv_loop_t *loop, const struct address *address,
                    uv_connection_cb on_connection)
{
    struct address bound = {.bytes = sizeof bound.storage};
    int bytes = sizeof bound.storage;
    int result = uv_tcp_init(loop, &listener->tcp);
    if (result != 0)
        return result;
    result = uv_tcp_bind(&listener->tcp, (const struct sockaddr *)&address->storage, 0);
    if (result == 0)
        result = uv_listen(&listener->stream, BACKLOG, on_connection);
    if (result == 0)
        result = uv_tcp_getsockname(&listener->tcp, (struct sockaddr *)&bound.storage, &bytes);
    if (result == 0)
        address_format(&bound, listener->text);
    else
        uv_close(&listener->handle, NULL);
    return result;
}

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

/* Bound here and not by libuv, which would remove at the end whatever then has the name. */
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

static int open_unix(struct listener *listener, uv_loop_t *loop, const struct address *address,
                     unsigned socket_mode, uv_connection_cb on_connection)
{
    int result = clear_stale_socket(address);
    if (result != 0)
        return result;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    result = bind_unix(listener, address, socket_mode, fd);
    if (result == 0)
        result = uv_pipe_init(loop, &listener->pipe, 0);
    if (result != 0) {
        close(fd);
        return result;
    }
    result = uv_pipe_open(&listener->pipe, fd);
    if (result == 0)
        result = uv_listen(&listener->stream, BACKLOG, on_connection);
    if (result != 0)
        listener_close(listener);
    return result;
}

void listener_close(struct listener *listener)
{
    struct stat status;
    const char *path = listener->text + strlen("unix:");
    if (listener->is_unix && lstat(path, &status) == 0 && status.st_dev == listener->device &&
        status.st_ino == listener->inode)
        (void)unlink(path);
    uv_close(&listener->handle, NULL);
}

bool listener_open(struct listener *listener, uv_loop_t *loop, const struct address *address,
                   unsigned socket_mode, uv_connection_cb on_connection, void *data, char *error,
                   size_t error_size)
{
    listener->is_unix = address_is_unix(address);
    listener->backlogged = false;
    address_format(address, listener->text);
    int result = listener->is_unix ? open_unix(listener, loop, address, socket_mode, on_connection)
                                   : open_tcp(listener, loop, address, on_connection);
    listener->stream.data = data;
    if (result != 0)
        snprintf(error, error_size, "cannot listen on %s: %s", listener->text, uv_strerror(result));
    return result == 0;
}
