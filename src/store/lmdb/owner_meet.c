/* SPDX-License-Identifier: MIT
 *
 * owner_meet.c - see owner_meet.h.
 */
#define _GNU_SOURCE /* O_PATH */
#include "store/lmdb/owner_meet.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "store/lmdb/folder.h"
#include "store/lmdb/op_wire.h"
#include "store/lmdb/owner_socket.h"
#include "store/lmdb/serving.h"

enum owner_end owner_refuses(const struct owner_call *call, const char *why)
{
    char owner[128];
    folder_owner(call->path, owner, sizeof owner);
    snprintf(call->error, call->error_size, "%s: in use by %s, %s", call->path,
             owner[0] ? owner : "another process", why);
    return OWNER_REFUSED;
}

enum owner_end owner_is_deaf(const struct owner_call *call)
{
    char owner[128];
    folder_owner(call->path, owner, sizeof owner);
    snprintf(call->error, call->error_size, "%s: in use by %s, which takes no commands", call->path,
             owner);
    return owner[0] ? OWNER_DEAF : OWNER_NONE;
}

ssize_t owner_hear(const struct owner_call *call, uint8_t *frame, size_t size)
{
    for (;;) {
        int64_t left_ms = call->deadline_ms - serving_clock_ms();
        struct pollfd ready = {.fd = call->fd, .events = POLLIN};
        int count = poll(&ready, 1, left_ms > 0 ? (int)left_ms : 0);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return -1;
        ssize_t received = recv(call->fd, frame, size, MSG_DONTWAIT);
        if (received < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        return received < 0 ? 0 : received;
    }
}

static enum owner_end hear_greeting(struct owner_call *call)
{
    uint8_t frame[OP_GREETING_BYTES + 1]; /* what fills it is too long */
    ssize_t size = owner_hear(call, frame, sizeof frame);
    if (size == 0)
        return owner_is_deaf(call);
    if (size < 0)
        return owner_refuses(call, "which does not answer");
    if (!op_greeting_decode(&call->durable, frame, (size_t)size))
        return owner_refuses(call, "which is another version of crebito: use the one that serves "
                                   "it");
    return OWNER_ANSWERED;
}

/* A listener whose queue of newcomers is full lets us wait so long. */
static struct timeval time_left(const struct owner_call *call)
{
    int64_t left_ms = call->deadline_ms - serving_clock_ms();
    if (left_ms < 1)
        left_ms = 1; /* 0 would be for ever */
    return (struct timeval){left_ms / 1000, left_ms % 1000 * 1000};
}

enum owner_end owner_meet(struct owner_call *call)
{
    enum owner_end end;
    const struct timeval timeout = time_left(call);
    int folder_fd = open(call->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder_fd < 0)
        return owner_is_deaf(call);
    struct sockaddr_un address = owner_socket_address(folder_fd);
    call->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (call->fd < 0) {
        end = owner_refuses(call, strerror(errno));
    } else if (setsockopt(call->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) == 0 &&
               connect(call->fd, (struct sockaddr *)&address, sizeof address) == 0) {
        end = hear_greeting(call);
    } else if (errno == ENOENT || errno == ECONNREFUSED) {
        end = owner_is_deaf(call);
    } else {
        char why[100];
        snprintf(why, sizeof why, "which cannot be asked: %s", strerror(errno));
        end = owner_refuses(call, why);
    }
    if (call->fd >= 0 && end != OWNER_ANSWERED)
        close(call->fd);
    close(folder_fd);
    return end;
}
