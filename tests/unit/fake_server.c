/* SPDX-License-Identifier: MIT
 *
 * fake_server.c - see fake_server.h.
 */
#include "fake_server.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ops/log.h"
#include "postgres_result.h"
#include "unit.h"

struct fake_server server;

static PGresult *reply_with(const struct reply *reply)
{
    static char name[] = "column";
    PGresAttDesc attributes[4] = {{.name = name}, {.name = name}, {.name = name}, {.name = name}};
    PGresult *result = PQmakeEmptyPGresult(NULL, reply->status);
    assert_non_null(result);
    server.made++;
    server.gone = reply->gone;
    server.state = reply->state;
    if (reply->status != PGRES_TUPLES_OK)
        return result;
    assert_int_equal(PQsetResultAttrs(result, 4, attributes), 1);
    for (int row = 0; row < reply->rows; row++)
        for (int i = 0; i < 4; i++)
            result_put(result, row, i,
                       reply->values[i] ? result_text(reply->values[i]) : RESULT_NULL);
    return result;
}

static void append(char *text, size_t size, const char *word)
{
    size_t at = strlen(text);
    snprintf(text + at, size - at, "%s ", word);
}

/* NOLINTBEGIN(bugprone-reserved-identifier) */
__typeof__(PQconnectdbParams) __wrap_PQconnectdbParams;
PGconn *__wrap_PQconnectdbParams(const char *const *names, const char *const *values, int expand)
{
    assert_int_equal(expand, 1);
    for (int i = 0; names[i]; i++) {
        append(server.names, sizeof server.names, names[i]);
        append(server.values, sizeof server.values, values[i]);
    }
    server.open = !server.no_memory;
    return server.no_memory ? NULL : (PGconn *)&server;
}

__typeof__(PQfinish) __wrap_PQfinish;
void __wrap_PQfinish(PGconn *conn)
{
    assert_ptr_equal(conn, &server);
    assert_true(server.open);
    server.open = false;
    server.finished++;
}

__typeof__(PQstatus) __wrap_PQstatus;
ConnStatusType __wrap_PQstatus(const PGconn *conn)
{
    (void)conn;
    return server.refused || server.gone ? CONNECTION_BAD : CONNECTION_OK;
}

__typeof__(PQerrorMessage) __wrap_PQerrorMessage;
char *__wrap_PQerrorMessage(const PGconn *conn)
{
    static char words[200];
    (void)conn;
    snprintf(words, sizeof words, "%s", server.words ? server.words : "FATAL:  not\n\ttoday\n");
    return words;
}

__typeof__(PQconnectionNeedsPassword) __wrap_PQconnectionNeedsPassword;
int __wrap_PQconnectionNeedsPassword(const PGconn *conn)
{
    (void)conn;
    return server.needs_password;
}

__typeof__(PQserverVersion) __wrap_PQserverVersion;
int __wrap_PQserverVersion(const PGconn *conn)
{
    (void)conn;
    return server.version;
}

__typeof__(PQparameterStatus) __wrap_PQparameterStatus;
const char *__wrap_PQparameterStatus(const PGconn *conn, const char *name)
{
    (void)conn;
    assert_string_equal(name, "server_encoding");
    return server.encoding;
}

__typeof__(PQsetNoticeProcessor) __wrap_PQsetNoticeProcessor;
PQnoticeProcessor __wrap_PQsetNoticeProcessor(PGconn *conn, PQnoticeProcessor processor,
                                              void *context)
{
    (void)conn;
    assert_null(context);
    server.notices = processor;
    return NULL;
}

__typeof__(PQsetErrorContextVisibility) __wrap_PQsetErrorContextVisibility;
PGContextVisibility __wrap_PQsetErrorContextVisibility(PGconn *conn, PGContextVisibility visibility)
{
    (void)conn;
    server.context = visibility;
    return visibility;
}

static PGresult *reply_to(const char *sql)
{
    if (strncmp(sql, "SET ", 4) == 0) {
        assert_in_range(strlen(sql), 1, sizeof server.set_up_sql - 1);
        snprintf(server.set_up_sql, sizeof server.set_up_sql, "%s", sql);
        return reply_with(&server.set_up);
    }
    if (strstr(sql, "Versao"))
        return reply_with(&server.schema);
    assert_non_null(strstr(sql, "fsync"));
    server.asked_durability++;
    return reply_with(&server.durability);
}

__typeof__(PQsendQuery) __wrap_PQsendQuery;
int __wrap_PQsendQuery(PGconn *conn, const char *sql)
{
    assert_ptr_equal(conn, &server);
    server.coming = server.hangs ? NULL : reply_to(sql);
    return 1;
}

__typeof__(PQisBusy) __wrap_PQisBusy;
int __wrap_PQisBusy(PGconn *conn)
{
    assert_ptr_equal(conn, &server);
    return server.hangs;
}

__typeof__(PQflush) __wrap_PQflush;
int __wrap_PQflush(PGconn *conn)
{
    assert_ptr_equal(conn, &server);
    return 0;
}

__typeof__(PQsocket) __wrap_PQsocket;
int __wrap_PQsocket(const PGconn *conn)
{
    assert_ptr_equal(conn, &server);
    return -1;
}

__typeof__(poll) __wrap_poll;
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    (void)fds;
    assert_int_equal(count, 1);
    server.clock_ms += timeout_ms;
    return 0;
}

__typeof__(clock_gettime) __wrap_clock_gettime;
int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    assert_int_equal(clock, CLOCK_MONOTONIC);
    *now = (struct timespec){server.clock_ms / 1000, server.clock_ms % 1000 * 1000000};
    return 0;
}

__typeof__(PQgetResult) __wrap_PQgetResult;
PGresult *__wrap_PQgetResult(PGconn *conn)
{
    PGresult *result = server.coming;
    assert_ptr_equal(conn, &server);
    server.coming = NULL;
    return result;
}

__typeof__(PQsendPrepare) __wrap_PQsendPrepare;
int __wrap_PQsendPrepare(PGconn *conn, const char *name, const char *sql, int count,
                         const Oid *types)
{
    static const struct reply good = {.status = PGRES_COMMAND_OK};
    assert_ptr_equal(conn, &server);
    assert_string_not_equal(sql, "");
    assert_int_equal(count, 0);
    assert_null(types);
    assert_in_range(server.prepared_count, 0, PREPARED_MAX - 1);
    snprintf(server.prepared[server.prepared_count], sizeof server.prepared[0], "%s", name);
    bool fails = server.prepared_count++ == server.prepare_fails_at;
    server.coming = reply_with(fails ? &server.prepare : &good);
    return 1;
}

__typeof__(PQresultErrorField) __wrap_PQresultErrorField;
char *__wrap_PQresultErrorField(const PGresult *result, int field)
{
    static char state[6];
    (void)result;
    assert_int_equal(field, PG_DIAG_SQLSTATE);
    snprintf(state, sizeof state, "%s", server.state ? server.state : "");
    return server.state ? state : NULL;
}

__typeof__(PQclear) __real_PQclear, __wrap_PQclear;
void __wrap_PQclear(PGresult *result)
{
    server.cleared += result != NULL;
    __real_PQclear(result);
}

__typeof__(PQsetnonblocking) __wrap_PQsetnonblocking;
int __wrap_PQsetnonblocking(PGconn *conn, int on)
{
    (void)conn;
    assert_int_equal(on, 1);
    return server.blocking ? -1 : 0;
}

__typeof__(PQenterPipelineMode) __wrap_PQenterPipelineMode;
int __wrap_PQenterPipelineMode(PGconn *conn)
{
    (void)conn;
    return server.no_pipeline ? 0 : 1;
}

__typeof__(log_line) __wrap_log_line;
void __wrap_log_line(enum log_level level, const char *message, ...)
{
    va_list pairs;
    snprintf(server.log, sizeof server.log, "%d %s", (int)level, message);
    va_start(pairs, message);
    for (const char *name; (name = va_arg(pairs, const char *)) != NULL;) {
        size_t at = strlen(server.log);
        snprintf(server.log + at, sizeof server.log - at, "|%s=%s", name,
                 va_arg(pairs, const char *));
    }
    va_end(pairs);
}
/* NOLINTEND(bugprone-reserved-identifier) */

void fake_server_reset(void)
{
    memset(&server, 0, sizeof server);
    server.version = 150018;
    server.encoding = "UTF8";
    server.set_up = (struct reply){PGRES_TUPLES_OK, NULL, {"1705458881217753"}, 1, false};
    server.schema = (struct reply){PGRES_TUPLES_OK, NULL, {"1"}, 1, false};
    server.durability = (struct reply){PGRES_TUPLES_OK, NULL, {"f", "f", "f", "f"}, 1, false};
    server.prepare_fails_at = -1;
    __real_PQclear(result_new(1)); /* room for what follows */
}
