/* SPDX-License-Identifier: MIT
 *
 * wait.c - see wait.h.
 */
#include "store/postgres/wait.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

int64_t wait_clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool wait_for_result(PGconn *conn, int64_t deadline_ms)
{
    while (PQisBusy(conn)) {
        int left = PQflush(conn);
        int64_t wait_ms = deadline_ms - wait_clock_ms();
        struct pollfd socket = {
            .fd = PQsocket(conn),
            .events = (short)(left > 0 ? POLLIN | POLLOUT : POLLIN),
        };
        if (left < 0 || wait_ms <= 0)
            return false;
        int ready = poll(&socket, 1, (int)wait_ms);
        if (ready < 0 && errno != EINTR)
            return false;
        if (ready > 0 && (socket.revents & ~POLLOUT) && !PQconsumeInput(conn))
            return false;
    }
    return true;
}

PGresult *wait_for_last(PGconn *conn, int sent, int64_t deadline_ms)
{
    PGresult *last = NULL;
    while (sent == 1 && wait_for_result(conn, deadline_ms)) {
        PGresult *result = PQgetResult(conn);
        if (!result)
            return last;
        PQclear(last);
        last = result;
    }
    PQclear(last);
    return NULL;
}
