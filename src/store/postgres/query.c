/* SPDX-License-Identifier: MIT
 *
 * query.c - see query.h.
 */
#include "store/postgres/query.h"

#include <assert.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "store/postgres/session.h"
#include "store/postgres/wire.h"

enum {
    CONNECT_TIMEOUT_S = 5,
    LOOK_UP_MS = 100, /* how late a stop may be noticed */
    VALUES_MAX = 4,
    SENTENCE_BYTES_MAX = 400,
};

enum archive_end query_say(struct query *query, enum archive_end end, const char *format, ...)
{
    char sentence[SENTENCE_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    session_sentence(query->error, query->error_size, query->place, sentence);
    return end;
}

/* --- failures ------------------------------------------------------------------------------- */

/* Data or an index is corrupted, in the server's own judgement. */
static bool says_damage(const char *state)
{
    return strcmp(state, "XX001") == 0 || strcmp(state, "XX002") == 0;
}

/* Takes the result, which may be NULL. */
static enum archive_end failed(struct query *query, PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    snprintf(query->state, sizeof query->state, "%s", state ? state : "");
    enum archive_end end = says_damage(query->state) ? ARCHIVE_WRONG : ARCHIVE_UNREADABLE;
    query_say(query, end, "%s%s", end == ARCHIVE_WRONG ? "damaged: " : "",
              words ? words : PQerrorMessage(query->conn));
    PQclear(result);
    return end;
}

static enum archive_end stop(struct query *query)
{
    char ignored[256];
    PGcancel *cancel = PQgetCancel(query->conn);
    if (cancel)
        (void)!PQcancel(cancel, ignored, sizeof ignored);
    PQfreeCancel(cancel);
    return query_say(query, ARCHIVE_STOPPED, "stopped");
}

/* Until there is a result to be had, or none is to come. */
static enum archive_end await_result(struct query *query)
{
    while (PQisBusy(query->conn)) {
        struct pollfd waited = {.fd = PQsocket(query->conn), .events = POLLIN};
        if (query->task && task_stopped(query->task))
            return stop(query);
        if (poll(&waited, 1, LOOK_UP_MS) > 0 && !PQconsumeInput(query->conn))
            return failed(query, NULL);
    }
    return ARCHIVE_DONE;
}

/* --- connecting ----------------------------------------------------------------------------- */

enum archive_end query_open(struct query *query, const char *url, struct task *task, char *error,
                            size_t error_size)
{
    *query = (struct query){.task = task, .error = error, .error_size = error_size};
    url_show(query->place, url);
    if (session_connect(&query->conn, url, CONNECT_TIMEOUT_S, error, error_size) != SESSION_OPEN)
        return ARCHIVE_UNREADABLE;
    enum archive_end end = query_run(
        query, "SELECT set_config(name, '0', false) FROM pg_settings"
               " WHERE name IN ('statement_timeout', 'lock_timeout', 'transaction_timeout',"
               " 'idle_in_transaction_session_timeout');"
               "SELECT set_config('synchronous_commit', 'on', false)"
               " WHERE current_setting('synchronous_commit') = 'off';"
               "SET row_security = off; SET client_min_messages = warning");
    if (end != ARCHIVE_DONE)
        query_close(query);
    return end;
}

void query_close(struct query *query)
{
    PQclear(query->row);
    PQfinish(query->conn);
    query->row = NULL;
    query->conn = NULL;
}

/* --- statements ----------------------------------------------------------------------------- */

static void drop_row(struct query *query)
{
    PQclear(query->row);
    query->row = NULL;
}

enum archive_end query_run(struct query *query, const char *sql)
{
    assert(!query->row);
    if (!PQsendQuery(query->conn, sql))
        return failed(query, NULL);
    enum archive_end end = ARCHIVE_DONE;
    for (;;) {
        enum archive_end waited = await_result(query);
        if (waited != ARCHIVE_DONE)
            return waited;
        PGresult *result = PQgetResult(query->conn);
        if (!result)
            return end;
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
            PQclear(result);
        else
            end = failed(query, result);
    }
}

enum archive_end query_begin(struct query *query, const char *sql, const struct query_value *values,
                             int count)
{
    const char *bytes[VALUES_MAX];
    int sizes[VALUES_MAX], formats[VALUES_MAX];
    assert(!query->row && count <= VALUES_MAX);
    for (int i = 0; i < count; i++) {
        bytes[i] = values[i].bytes;
        sizes[i] = values[i].size;
        formats[i] = 1;
    }
    if (!PQsendQueryParams(query->conn, sql, count, NULL, bytes, sizes, formats, 1))
        return failed(query, NULL);
    (void)PQsetSingleRowMode(query->conn); /* fails for a mistake of ours alone */
    return ARCHIVE_DONE;
}

enum archive_end query_next(struct query *query, bool *ret_row)
{
    drop_row(query);
    for (;;) {
        enum archive_end end = await_result(query);
        if (end != ARCHIVE_DONE)
            return end;
        PGresult *result = PQgetResult(query->conn);
        ExecStatusType status = PQresultStatus(result);
        *ret_row = result && status == PGRES_SINGLE_TUPLE;
        if (*ret_row)
            query->row = result;
        if (*ret_row || !result)
            return ARCHIVE_DONE;
        if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
            return failed(query, result);
        PQclear(result); /* the end of the rows; the statement's comes after it */
    }
}

void query_end(struct query *query)
{
    drop_row(query);
    while (PQtransactionStatus(query->conn) == PQTRANS_ACTIVE) {
        PGresult *result = PQgetResult(query->conn);
        if (!result)
            return;
        PQclear(result);
    }
}

enum archive_end query_one(struct query *query, const char *sql)
{
    bool row = false;
    enum archive_end end = query_begin(query, sql, NULL, 0);
    if (end == ARCHIVE_DONE)
        end = query_next(query, &row);
    if (end == ARCHIVE_DONE && !row)
        end = query_say(query, ARCHIVE_UNREADABLE, "the server gave no row for: %s", sql);
    return end;
}

/* --- COPY ----------------------------------------------------------------------------------- */

/* The manual's page on COPY: a signature, no flags, no extension; and the end, no row. */
static const char copy_head[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0";
static const char copy_tail[] = "\377\377";

enum archive_end query_copy_in(struct query *query, const char *sql, const char *bytes, size_t size)
{
    assert(!query->row && size <= INT32_MAX);
    PGresult *result = PQexec(query->conn, sql);
    if (PQresultStatus(result) != PGRES_COPY_IN)
        return failed(query, result);
    PQclear(result);
    if (PQputCopyData(query->conn, copy_head, sizeof copy_head) != 1 ||
        PQputCopyData(query->conn, bytes, (int)size) != 1 ||
        PQputCopyData(query->conn, copy_tail, sizeof copy_tail - 1) != 1 ||
        PQputCopyEnd(query->conn, NULL) != 1)
        return failed(query, NULL);
    enum archive_end end = ARCHIVE_DONE;
    while ((result = PQgetResult(query->conn)) != NULL) {
        if (PQresultStatus(result) == PGRES_COMMAND_OK)
            PQclear(result);
        else
            end = failed(query, result);
    }
    return end;
}

/* --- values --------------------------------------------------------------------------------- */

/* NULL where it is NULL, in both senses. */
static const char *value_of(const struct query *query, int column, int *ret_bytes)
{
    assert(query->row && column < PQnfields(query->row));
    *ret_bytes = PQgetlength(query->row, 0, column);
    return PQgetisnull(query->row, 0, column) ? NULL : PQgetvalue(query->row, 0, column);
}

bool query_int4(const struct query *query, int column, int32_t *ret)
{
    int bytes;
    const char *value = value_of(query, column, &bytes);
    return wire_get_int4(value, bytes, ret);
}

bool query_int8(const struct query *query, int column, int64_t *ret)
{
    int bytes;
    const char *value = value_of(query, column, &bytes);
    return wire_get_int8(value, bytes, ret);
}

bool query_time(const struct query *query, int column, int64_t *ret_us)
{
    int bytes;
    const char *value = value_of(query, column, &bytes);
    return wire_get_time(value, bytes, ret_us);
}

bool query_bool(const struct query *query, int column, bool *ret)
{
    int bytes;
    const char *value = value_of(query, column, &bytes);
    if (!value || bytes != 1)
        return false;
    *ret = value[0] != 0;
    return true;
}

bool query_text(const struct query *query, int column, const char **ret, size_t *ret_size)
{
    int bytes;
    const char *value = value_of(query, column, &bytes);
    if (!value)
        return false;
    *ret = value;
    *ret_size = (size_t)bytes;
    return true;
}
