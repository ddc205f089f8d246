/* SPDX-License-Identifier: MIT
 *
 * fake_libpq.c - see fake_libpq.h.
 */
#include "fake_libpq.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "unit.h"

enum { RESULTS_MAX = 64, ARRIVAL_MS = 100, SOCKET = 1000 };

struct fake_libpq fake_libpq;

static struct result {
    char letter;
    bool cleared;
} results[RESULTS_MAX];

PGconn *fake_libpq_begin(const char *script)
{
    fake_libpq = (struct fake_libpq){
        .script = script,
        .state = "57014",
        .send_fails_at = -1,
        .flush_fails_at = -1,
        .clock_ms = 1000000,
    };
    return (PGconn *)&fake_libpq;
}

static char next_letter(void)
{
    while (*fake_libpq.script == ' ')
        fake_libpq.script++;
    return *fake_libpq.script;
}

static char take_letter(void)
{
    char letter = next_letter();
    if (letter != '\0')
        fake_libpq.script++;
    return letter;
}

static const struct result *mine(const PGresult *result)
{
    const struct result *of = (const struct result *)result;
    assert_true(of >= results && of < results + fake_libpq.made);
    assert_false(of->cleared);
    return of;
}

char fake_libpq_letter(const PGresult *result)
{
    return mine(result)->letter;
}

/* NOLINTBEGIN(bugprone-reserved-identifier) */

__typeof__(PQsendQueryPrepared) __wrap_PQsendQueryPrepared;
int __wrap_PQsendQueryPrepared(PGconn *conn, const char *statement, int count,
                               const char *const *values, const int *lengths, const int *formats,
                               int result_format)
{
    assert_ptr_equal(conn, &fake_libpq);
    (void)statement;
    (void)count;
    (void)values;
    (void)lengths;
    (void)formats;
    (void)result_format;
    return fake_libpq.sends++ == fake_libpq.send_fails_at ? 0 : 1;
}

__typeof__(PQpipelineSync) __wrap_PQpipelineSync;
int __wrap_PQpipelineSync(PGconn *conn)
{
    assert_ptr_equal(conn, &fake_libpq);
    fake_libpq.synced++;
    return fake_libpq.sync_fails ? 0 : 1;
}

__typeof__(PQflush) __wrap_PQflush;
int __wrap_PQflush(PGconn *conn)
{
    assert_ptr_equal(conn, &fake_libpq);
    if (fake_libpq.flush_fails_at-- == 0)
        return -1;
    return fake_libpq.flushes > 0 ? 1 : 0;
}

__typeof__(PQsocket) __wrap_PQsocket;
int __wrap_PQsocket(const PGconn *conn)
{
    (void)conn;
    return fake_libpq.gone ? -1 : SOCKET;
}

__typeof__(PQstatus) __wrap_PQstatus;
ConnStatusType __wrap_PQstatus(const PGconn *conn)
{
    (void)conn;
    return fake_libpq.gone ? CONNECTION_BAD : CONNECTION_OK;
}

__typeof__(PQerrorMessage) __wrap_PQerrorMessage;
char *__wrap_PQerrorMessage(const PGconn *conn)
{
    static char words[] = "server closed the connection unexpectedly\n\tThis is all.\n";
    (void)conn;
    return words;
}

__typeof__(PQisBusy) __wrap_PQisBusy;
int __wrap_PQisBusy(PGconn *conn)
{
    (void)conn;
    return strchr("TNSAEFCL", next_letter()) == NULL || next_letter() == '\0';
}

__typeof__(PQconsumeInput) __wrap_PQconsumeInput;
int __wrap_PQconsumeInput(PGconn *conn)
{
    (void)conn;
    if (take_letter() != 'x')
        return 1;
    fake_libpq.gone = true;
    return 0;
}

__typeof__(PQgetResult) __wrap_PQgetResult;
PGresult *__wrap_PQgetResult(PGconn *conn)
{
    assert_int_equal(__wrap_PQisBusy(conn), 0); /* it would wait, and for how long? */
    char letter = take_letter();
    if (letter == 'N')
        return NULL;
    assert_in_range(fake_libpq.made, 0, RESULTS_MAX - 1);
    struct result *result = &results[fake_libpq.made++];
    *result = (struct result){.letter = letter};
    return (PGresult *)result;
}

__typeof__(PQresultStatus) __wrap_PQresultStatus;
ExecStatusType __wrap_PQresultStatus(const PGresult *result)
{
    switch (mine(result)->letter) {
    case 'T': return PGRES_TUPLES_OK;
    case 'S': return PGRES_PIPELINE_SYNC;
    case 'A': return PGRES_PIPELINE_ABORTED;
    case 'C': return PGRES_COMMAND_OK;
    default: return PGRES_FATAL_ERROR;
    }
}

__typeof__(PQresultErrorField) __wrap_PQresultErrorField;
char *__wrap_PQresultErrorField(const PGresult *result, int field)
{
    static char error[] = "ERROR", fatal[] = "FATAL", state[10];
    char letter = mine(result)->letter;
    if (letter != 'E' && letter != 'F')
        return NULL;
    if (field == PG_DIAG_SEVERITY_NONLOCALIZED)
        return letter == 'E' ? error : fatal;
    assert_int_equal(field, PG_DIAG_SQLSTATE);
    if (!fake_libpq.state)
        return NULL;
    strncpy(state, fake_libpq.state, sizeof state - 1);
    return state;
}

__typeof__(PQresultErrorMessage) __wrap_PQresultErrorMessage;
char *__wrap_PQresultErrorMessage(const PGresult *result)
{
    static char words[] = "ERROR:  it is not to be\nDETAIL:  Ever.\n";
    (void)mine(result);
    return words;
}

__typeof__(PQclear) __wrap_PQclear;
void __wrap_PQclear(PGresult *result)
{
    if (!result)
        return;
    (void)mine(result);
    ((struct result *)result)->cleared = true;
    fake_libpq.cleared++;
}

__typeof__(poll) __wrap_poll;
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    assert_int_equal(count, 1);
    assert_int_equal(fds->fd, SOCKET);
    assert_true(fds->events & POLLIN);
    assert_in_range(timeout_ms, 0, 1 << 30);
    assert_true(timeout_ms == 0 ||
                (fds->events & POLLOUT) == (fake_libpq.flushes > 0 ? POLLOUT : 0));
    fds->revents = 0;
    switch (next_letter()) {
    case 'w':
        if (timeout_ms < ARRIVAL_MS && timeout_ms > 0)
            break;
        fake_libpq.clock_ms += timeout_ms > 0 ? ARRIVAL_MS : 0;
        fds->revents = POLLIN;
        return 1;
    case 'x': fds->revents = POLLIN | POLLHUP; return 1;
    case 'o':
        (void)take_letter();
        if (!(fds->events & POLLOUT))
            return __wrap_poll(fds, count, timeout_ms);
        fake_libpq.flushes--;
        fds->revents = POLLOUT;
        return 1;
    case 'i':
    case 'p': errno = take_letter() == 'i' ? EINTR : EINVAL; return -1;
    default: break;
    }
    fake_libpq.clock_ms += timeout_ms;
    return 0;
}

__typeof__(clock_gettime) __wrap_clock_gettime;
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
    assert_int_equal(clock, CLOCK_MONOTONIC);
    ret->tv_sec = fake_libpq.clock_ms / 1000;
    ret->tv_nsec = fake_libpq.clock_ms % 1000 * 1000000;
    return 0;
}
/* NOLINTEND(bugprone-reserved-identifier) */
