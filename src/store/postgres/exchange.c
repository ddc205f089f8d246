/* SPDX-License-Identifier: MIT
 *
 * exchange.c - see exchange.h.
 */
#include "store/postgres/exchange.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "store/postgres/session.h"

enum { IDLE_READS_MAX = 10 };

static int64_t clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool exchange_possible(PGconn *conn)
{
    struct pollfd socket = {.fd = PQsocket(conn), .events = POLLIN};
    /* Nothing should come between exchanges. What does is a notice, or a farewell and after it the
     * end; where there is more to read each time, it is no server that we know. */
    for (int reads = 0; reads < IDLE_READS_MAX; reads++) {
        if (PQstatus(conn) != CONNECTION_OK)
            return false;
        if (poll(&socket, 1, 0) <= 0)
            return true;
        if (!PQconsumeInput(conn))
            return false;
    }
    return false;
}

/* Sends what is left to send, until a result can be had without waiting. */
static bool await_result(PGconn *conn, int64_t deadline_ms)
{
    while (PQisBusy(conn)) {
        int left = PQflush(conn);
        int64_t wait_ms = deadline_ms - clock_ms();
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

static bool is_fatal(const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    return !severity || strcmp(severity, "ERROR") != 0;
}

static void note_refusal(struct refusal *ret, uint32_t call, const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    ret->call = call;
    snprintf(ret->state, sizeof ret->state, "%s", state ? state : "");
    session_sentence(ret->words, sizeof ret->words, NULL, PQresultErrorMessage(result));
}

static bool all_answered(const struct call *calls, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!calls[i].result)
            return false;
    return true;
}

enum exchange_end exchange(PGconn *conn, struct call *calls, uint32_t count, int timeout_ms,
                           struct refusal *ret)
{
    int64_t deadline_ms = clock_ms() + timeout_ms;
    enum exchange_end end = EXCHANGE_DONE;
    uint32_t at = 0; /* whose result comes next */

    *ret = (struct refusal){.call = count};
    for (uint32_t i = 0; i < count; i++)
        calls[i].result = NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (call_send(conn, &calls[i]))
            continue;
        session_sentence(ret->words, sizeof ret->words, NULL, PQerrorMessage(conn));
        return EXCHANGE_UNSENT; /* whatever of it has left: without a synchronization it is nothing */
    }
    bool going = PQpipelineSync(conn) == 1;
    /* What the calls return is not theirs yet: the commit comes with the synchronization, and it can
     * fail as well. */
    while (going && await_result(conn, deadline_ms)) {
        PGresult *result = PQgetResult(conn);
        if (!result) { /* the end of one call's, or of what the commit was refused with */
            going = at++ < (end == EXCHANGE_REFUSED ? count + 1 : count);
            continue;
        }
        switch ((int)PQresultStatus(result)) {
        case PGRES_PIPELINE_SYNC:
            PQclear(result);
            if (end == EXCHANGE_DONE && !all_answered(calls, count)) {
                session_sentence(ret->words, sizeof ret->words, NULL, "an answer is missing");
                end = EXCHANGE_LOST; /* what comes next may answer anything */
            }
            return end;
        case PGRES_TUPLES_OK:
            if (at < count && !calls[at].result) {
                calls[at].result = result;
                continue;
            }
            break;
        case PGRES_PIPELINE_ABORTED: break; /* after a refusal */
        default:
            if (end == EXCHANGE_DONE)
                note_refusal(ret, at < count ? at : count, result);
            end = EXCHANGE_REFUSED;
            if (is_fatal(result) || PQstatus(conn) != CONNECTION_OK)
                end = EXCHANGE_LOST;
            break;
        }
        PQclear(result);
        if (end == EXCHANGE_LOST)
            return end;
    }
    if (ret->words[0] == '\0')
        session_sentence(ret->words, sizeof ret->words, NULL,
                         PQstatus(conn) == CONNECTION_OK ? "no answer in time"
                                                         : PQerrorMessage(conn));
    return EXCHANGE_LOST;
}

void exchange_clear(struct call *calls, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        PQclear(calls[i].result);
        calls[i].result = NULL;
    }
}
