/* SPDX-License-Identifier: MIT
 *
 * exchange.c - see exchange.h.
 */
#include "store/postgres/exchange.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "store/postgres/session.h"
#include "store/postgres/wait.h"

enum { IDLE_READS_MAX = 10 };

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
    int64_t deadline_ms = wait_clock_ms() + timeout_ms;
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
    while (going && wait_for_result(conn, deadline_ms)) {
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
