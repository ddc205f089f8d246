/* SPDX-License-Identifier: MIT
 *
 * owner_ask.c - see owner_ask.h.
 */
#define _GNU_SOURCE /* O_PATH */
#include "store/lmdb/owner_ask.h"

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

struct call {
    const char *path;
    int fd; /* connected */
    int64_t deadline_ms;
    char *error;
    size_t error_size;
};

static enum owner_end refused(const struct call *call, const char *why)
{
    char owner[128];
    folder_owner(call->path, owner, sizeof owner);
    snprintf(call->error, call->error_size, "%s: in use by %s, %s", call->path,
             owner[0] ? owner : "another process", why);
    return OWNER_REFUSED;
}

static enum owner_end deaf_or_none(const struct call *call)
{
    char owner[128];
    folder_owner(call->path, owner, sizeof owner);
    snprintf(call->error, call->error_size, "%s: in use by %s, which takes no commands", call->path,
             owner);
    return owner[0] ? OWNER_DEAF : OWNER_NONE;
}

/* Its size; 0: whoever was there has gone; -1: nothing within the time. */
static ssize_t receive(const struct call *call, uint8_t *frame, size_t size)
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

/* The question is with the owner; what has become of it? */
static enum owner_end answer(const struct call *call, struct op *op, uint32_t number)
{
    uint8_t frame[OP_ANSWER_BYTES_MAX + 1]; /* what fills it is too long */
    uint32_t answered;
    ssize_t size = receive(call, frame, sizeof frame);
    if (size > 0 && op_answer_decode(op, &answered, frame, (size_t)size) && answered == number)
        return OWNER_ANSWERED;
    if (op_writes(op)) {
        op->outcome = OUTCOME_UNKNOWN;
        return OWNER_ANSWERED;
    }
    return size == 0 ? deaf_or_none(call) : refused(call, "which does not answer");
}

static enum owner_end put(const struct call *call, struct op *op)
{
    uint8_t frame[OP_QUESTION_BYTES_MAX];
    const uint32_t number = 1;
    ssize_t size = receive(call, frame, sizeof frame);
    if (size == 0)
        return deaf_or_none(call);
    if (size < 0)
        return refused(call, "which does not answer");
    if (!op_greeting_known(frame, (size_t)size))
        return refused(call, "which is another version of crebito: use the one that serves it");
    size_t bytes = op_question_encode(frame, op, number);
    if (send(call->fd, frame, bytes, MSG_NOSIGNAL) != (ssize_t)bytes)
        return deaf_or_none(call); /* it is going, and has not heard us */
    return answer(call, op, number);
}

enum owner_end owner_ask(const char *path, struct op *op, int timeout_ms, char *error,
                         size_t error_size)
{
    struct call call = {
        .path = path,
        .deadline_ms = serving_clock_ms() + timeout_ms,
        .error = error,
        .error_size = error_size,
    };
    const struct timeval timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000L};
    enum owner_end end;
    int folder_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder_fd < 0)
        return deaf_or_none(&call);
    struct sockaddr_un address = owner_socket_address(folder_fd);
    call.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (call.fd < 0) {
        end = refused(&call, strerror(errno));
    } else if (setsockopt(call.fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) == 0 &&
               connect(call.fd, (struct sockaddr *)&address, sizeof address) == 0) {
        end = put(&call, op);
    } else if (errno == ENOENT || errno == ECONNREFUSED) {
        end = deaf_or_none(&call);
    } else {
        char why[100];
        snprintf(why, sizeof why, "which cannot be asked: %s", strerror(errno));
        end = refused(&call, why);
    }
    if (call.fd >= 0)
        close(call.fd);
    close(folder_fd);
    return end;
}
