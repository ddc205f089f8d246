/* SPDX-License-Identifier: MIT
 *
 * probe.c - see probe.h.
 */
#include "http/probe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static const char request[] = "GET /healthz HTTP/1.1\r\nHost: crebito\r\nConnection: close\r\n\r\n";

static bool fail(int fd, char *ret_answer, size_t answer_size)
{
    snprintf(ret_answer, answer_size, "%s",
             errno == EAGAIN || errno == EINPROGRESS ? "no answer in time" : strerror(errno));
    if (fd >= 0)
        close(fd);
    return false;
}

bool probe_health(const struct address *address, int timeout_ms, char *ret_answer,
                  size_t answer_size)
{
    char reply[2048];
    size_t bytes = 0;
    struct timeval timeout = {timeout_ms / 1000, (suseconds_t)(timeout_ms % 1000) * 1000};

    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) != 0 ||
        connect(fd, (const struct sockaddr *)&address->storage, address->bytes) != 0 ||
        send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != (ssize_t)sizeof request - 1)
        return fail(fd, ret_answer, answer_size);
    for (;;) {
        ssize_t got = recv(fd, reply + bytes, sizeof reply - 1 - bytes, 0);
        if (got < 0)
            return fail(fd, ret_answer, answer_size);
        bytes += (size_t)got;
        if (got == 0 || bytes == sizeof reply - 1)
            break;
    }
    close(fd);
    reply[bytes] = '\0';

    const char *body = strstr(reply, "\r\n\r\n");
    if (strncmp(reply, "HTTP/1.1 200 ", 13) == 0 && body && strcmp(body + 4, "Healthy") == 0) {
        snprintf(ret_answer, answer_size, "Healthy");
        return true;
    }
    reply[strcspn(reply, "\r\n")] = '\0';
    bool http = strncmp(reply, "HTTP/1.1 ", 9) == 0;
    snprintf(ret_answer, answer_size, "%s", http ? reply + 9 : "not an answer of crebito's");
    return false;
}
