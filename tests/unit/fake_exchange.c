/* SPDX-License-Identifier: MIT
 *
 * fake_exchange.c - see fake_exchange.h.
 */
#include "fake_exchange.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ops/log.h"
#include "unit.h"

enum { CONNECTIONS_MAX = 200 };

struct fake_exchange fake_exchange;

static struct connection {
    bool open, lost;
} connections[CONNECTIONS_MAX];

void fake_exchange_begin(void)
{
    memset(&fake_exchange, 0, sizeof fake_exchange);
    memset(connections, 0, sizeof connections);
    fake_exchange.clock_ms = 1000000;
}

void fake_exchange_end(enum exchange_end end)
{
    fake_exchange.ends[fake_exchange.count++] = (struct fake_end){.end = end};
}

void fake_exchange_refuse(uint32_t call, const char *state)
{
    fake_exchange.ends[fake_exchange.count++] = (struct fake_end){
        .end = EXCHANGE_REFUSED, .call = call, .state = state};
}

void fake_exchange_open(enum session_end end, unsigned times)
{
    while (times-- > 0)
        fake_exchange.opens[fake_exchange.opens_count++] = end;
}

void fake_exchange_sent(const char *expected)
{
    if (strcmp(fake_exchange.sent, expected) != 0)
        FAIL("sent was %s\nand not  %s", fake_exchange.sent, expected);
    fake_exchange.sent[0] = '\0';
}

static void append(char text[FAKE_TEXT_BYTES], const char *format, ...)
{
    size_t at = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + at, FAKE_TEXT_BYTES - at, format, arguments);
    va_end(arguments);
}

static void write_down(const struct call *call)
{
    char *sent = fake_exchange.sent;
    uint32_t client = call->count > 0 ? call->ops[0]->client : 0;
    switch (call->kind) {
    case CALL_BOOK: append(sent, "B%ux%u", client, call->count); break;
    case CALL_OPEN: append(sent, "O%u", client); break;
    case CALL_LIMIT: append(sent, "L%u", client); break;
    case CALL_STATEMENT: append(sent, "S%u", client); break;
    case CALL_CLIENTS: append(sent, "Cx%u", call->count); break;
    case CALL_HEALTH: append(sent, "Hx%u", call->count); break;
    case CALL_FORGET:
        append(sent, "F%d", call->forget_max);
        fake_exchange.forget = *call;
        break;
    case CALL_LEARN: append(sent, "K"); break;
    case CALL_HURRY: append(sent, "!"); break;
    }
}

/* NOLINTBEGIN(bugprone-reserved-identifier) */

__typeof__(exchange) __wrap_exchange;
enum exchange_end __wrap_exchange(PGconn *conn, struct call *calls, uint32_t count, int timeout_ms,
                                  struct refusal *ret)
{
    struct connection *connection = (struct connection *)conn;
    assert_int_equal(timeout_ms, ANSWER_TIMEOUT_MS);
    assert_in_range(count, 1, BATCH_OPS_MAX);
    fake_exchange.misused = fake_exchange.misused || !connection->open || connection->lost;
    if (fake_exchange.sent[0])
        append(fake_exchange.sent, ";");
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0)
            append(fake_exchange.sent, " ");
        write_down(&calls[i]);
        calls[i].result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK); /* however it ends */
        fake_exchange.made++;
    }
    *ret = (struct refusal){.call = count, .words = "its words"};
    enum exchange_end end;
    if (calls[0].kind == CALL_LEARN) {
        end = fake_exchange.learn_end;
        if (end == EXCHANGE_REFUSED)
            snprintf(ret->state, sizeof ret->state, "%s", fake_exchange.learn_state);
    } else {
        const struct fake_end *of = &fake_exchange.ends[fake_exchange.next];
        bool told = fake_exchange.next < fake_exchange.count;
        end = told ? of->end : EXCHANGE_DONE;
        fake_exchange.next += told;
        if (end == EXCHANGE_REFUSED) {
            ret->call = of->call;
            snprintf(ret->state, sizeof ret->state, "%s", of->state);
        }
        if (fake_exchange.during)
            fake_exchange.during();
    }
    connection->lost = end == EXCHANGE_LOST || end == EXCHANGE_UNSENT;
    return end;
}

__typeof__(exchange_possible) __wrap_exchange_possible;
bool __wrap_exchange_possible(PGconn *conn)
{
    struct connection *connection = (struct connection *)conn;
    bool gone = fake_exchange.gone;
    assert_true(connection->open);
    fake_exchange.gone = false;
    return !gone;
}

/* As of a server that says yes to everything. */
__typeof__(call_answer) __wrap_call_answer;
void __wrap_call_answer(const struct call *call, struct known *known)
{
    call_end(call, call->kind == CALL_HEALTH && fake_exchange.ill ? OUTCOME_DOWN : OUTCOME_OK);
    if (call->kind != CALL_LEARN)
        return;
    for (const uint32_t *client = fake_exchange.learned; client && *client; client++)
        known_add(known, *client);
    atomic_store(&known->all, fake_exchange.learned_all);
}

__typeof__(session_open) __wrap_session_open;
enum session_end __wrap_session_open(PGconn **ret, int64_t *ret_clock_us,
                                     const struct session_options *options, char *error,
                                     size_t error_size)
{
    *ret_clock_us = INT64_C(1705458881217753);
    assert_string_equal(options->url, "postgres://user:secret@host/name");
    assert_in_range(fake_exchange.opened, 0, CONNECTIONS_MAX - 1);
    unsigned number = fake_exchange.opened++;
    enum session_end end = SESSION_OPEN;
    if (fake_exchange.opens_next < fake_exchange.opens_count)
        end = fake_exchange.opens[fake_exchange.opens_next++];
    if (end != SESSION_OPEN) {
        snprintf(error, error_size, "nobody there");
        return end;
    }
    connections[number].open = true;
    fake_exchange.open_now++;
    *ret = (PGconn *)&connections[number];
    return end;
}

__typeof__(PQfinish) __wrap_PQfinish;
void __wrap_PQfinish(PGconn *conn)
{
    struct connection *connection = (struct connection *)conn;
    if (!conn)
        return;
    assert_true(connection->open);
    connection->open = false;
    fake_exchange.open_now--;
}

__typeof__(PQclear) __real_PQclear, __wrap_PQclear;
void __wrap_PQclear(PGresult *result)
{
    fake_exchange.cleared += result != NULL;
    __real_PQclear(result);
}

__typeof__(clock_gettime) __wrap_clock_gettime;
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
    int64_t now_ms = fake_exchange.clock_ms;
    assert_int_equal(clock, CLOCK_MONOTONIC);
    ret->tv_sec = now_ms / 1000;
    ret->tv_nsec = now_ms % 1000 * 1000000;
    return 0;
}

__typeof__(log_line) __wrap_log_line;
void __wrap_log_line(enum log_level level, const char *message, ...)
{
    va_list pairs;
    append(fake_exchange.log, "%d %s", (int)level, message);
    va_start(pairs, message);
    for (const char *name; (name = va_arg(pairs, const char *)) != NULL;)
        append(fake_exchange.log, "|%s=%s", name, va_arg(pairs, const char *));
    va_end(pairs);
    append(fake_exchange.log, "\n");
}
/* NOLINTEND(bugprone-reserved-identifier) */
