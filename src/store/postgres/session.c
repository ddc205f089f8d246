/* SPDX-License-Identifier: MIT
 *
 * session.c - see session.h.
 */
#include "store/postgres/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/log.h"
#include "store/postgres/schema.h"
#include "store/postgres/wait.h"
#include "store/url.h"

enum {
    SERVER_VERSION_MIN = 140000, /* libpq's and the server's pipelines */
    CONNECT_TIMEOUT_TEXT_MAX = 16,
};

void session_sentence(char *error, size_t error_size, const char *place, const char *words)
{
    size_t at = 0;
    if (place) {
        snprintf(error, error_size, "%s: ", place);
        at = strlen(error);
    }
    for (; *words && at + 1 < error_size; words++) {
        bool space = *words == '\n' || *words == '\t' || *words == ' ';
        if (!space)
            error[at++] = *words;
        else if (at > 0 && error[at - 1] != ' ')
            error[at++] = ' ';
    }
    while (at > 0 && error[at - 1] == ' ')
        at--;
    error[at] = '\0';
}

static void on_notice(void *context, const char *words)
{
    char sentence[400];
    (void)context;
    session_sentence(sentence, sizeof sentence, NULL, words);
    log_line(LOG_WARN, "notice from the database server", "notice", sentence, NULL);
}

/* --- connecting ------------------------------------------------------------------------------ */

static enum session_end check_server(PGconn *conn, const char *place, char *error,
                                     size_t error_size)
{
    const char *encoding = PQparameterStatus(conn, "server_encoding");
    if (PQserverVersion(conn) < SERVER_VERSION_MIN) {
        snprintf(error, error_size, "%s: its server is older than PostgreSQL 14", place);
        return SESSION_REFUSED;
    }
    if (!encoding || strcmp(encoding, "UTF8") != 0) {
        snprintf(error, error_size, "%s: the database must be in UTF8, and is in %s", place,
                 encoding ? encoding : "an encoding it does not name");
        return SESSION_REFUSED;
    }
    return SESSION_OPEN;
}

/* libpq does not tell in a code why there is no connection. In another language than these words have
 * it only takes longer until somebody is told. */
static bool time_mends_nothing(const char *words)
{
    static const char *const reasons[] = {
        "password authentication failed",
        "no pg_hba.conf entry",
        "does not exist",
        "permission denied",
        "not permitted to log in",
        "certificate",
    };
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (strstr(words, reasons[i]))
            return true;
    return false;
}

static bool can_be_read(const char *url)
{
    PQconninfoOption *parts = PQconninfoParse(url, NULL);
    PQconninfoFree(parts);
    return parts != NULL;
}

enum session_end session_connect(PGconn **ret, const char *url, uint32_t connect_timeout_s,
                                 char *error, size_t error_size)
{
    char place[URL_SHOWN_BYTES], timeout[CONNECT_TIMEOUT_TEXT_MAX];
    snprintf(timeout, sizeof timeout, "%u", connect_timeout_s);
    url_show(place, url);
    if (!url_is_plain(url) || !can_be_read(url)) { /* libpq would repeat pieces of it */
        snprintf(error, error_size,
                 "%s: libpq cannot read this URL: a parameter that it does not know, or a password "
                 "whose %% @ : / ? # are not written %%25 %%40 %%3A %%2F %%3F %%23",
                 place);
        return SESSION_REFUSED;
    }
    /* A server that is gone without a word is noticed before anybody's answer is due. What stands in
     * the URL comes later, and wins. */
    const char *const names[] = {
        "connect_timeout",           "keepalives_idle",  "keepalives_interval",
        "keepalives_count",          "tcp_user_timeout", "dbname",
        "fallback_application_name", "client_encoding",  NULL,
    };
    const char *const values[] = {timeout, "30", "5", "3", "9000", url, "crebito", "UTF8", NULL};
    PGconn *conn = PQconnectdbParams(names, values, 1);
    if (!conn) {
        snprintf(error, error_size, "out of memory");
        return SESSION_ABSENT;
    }
    PQsetNoticeProcessor(conn, on_notice, NULL);
    (void)PQsetErrorContextVisibility(conn, PQSHOW_CONTEXT_NEVER);
    enum session_end end;
    if (PQstatus(conn) == CONNECTION_OK) {
        end = check_server(conn, place, error, error_size);
    } else {
        session_sentence(error, error_size, place, PQerrorMessage(conn));
        end = PQconnectionNeedsPassword(conn) || time_mends_nothing(error) ? SESSION_REFUSED
                                                                           : SESSION_ABSENT;
    }
    if (end == SESSION_OPEN)
        *ret = conn;
    else
        PQfinish(conn);
    return end;
}

/* --- a bank's ------------------------------------------------------------------------------- */

static const struct {
    const char *name, *sql;
} statements[] = {
    {STATEMENT_BOOK,
     "SELECT resultados, saldos, limites"
     " FROM InsertTransacoes($1::int4, $2::int8[], $3::text[], $4::text[], $5::text[])"},
    {STATEMENT_OPEN, "SELECT resultado FROM InsertCliente($1::int4, $2::int8, $3::int8)"},
    {STATEMENT_LIMIT, "SELECT resultado, saldo FROM UpdateLimite($1::int4, $2::int8)"},
    /* A row for each transaction; one of NULLs where there are none. */
    {STATEMENT_STATEMENT,
     "SELECT s.total, s.limite, s.data_extrato, t.valor, t.tipo, t.descricao, t.realizada_em"
     " FROM GetSaldoClienteById($1::int4) s LEFT JOIN LATERAL"
     " ROWS FROM (jsonb_to_recordset(s.ultimas_transacoes)"
     " AS (valor int8, tipo text, descricao text, realizada_em timestamptz))"
     " WITH ORDINALITY AS t (valor, tipo, descricao, realizada_em, ordem) ON true ORDER BY t.ordem"},
    {STATEMENT_CLIENTS, "SELECT \"Id\" FROM \"Clientes\" WHERE \"Id\" = ANY ($1::int4[])"},
    {STATEMENT_LEARN, "SELECT \"Id\" FROM \"Clientes\" LIMIT $1::int4"},
    {STATEMENT_HEALTH,
     /* Without clients: a crash has emptied tables that are UNLOGGED. */
     "SELECT NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off'"
     " AND EXISTS (SELECT FROM \"Clientes\")"},
    {STATEMENT_HURRY, "SELECT set_config('lock_timeout', '10ms', true)"}, /* this transaction's */
    {STATEMENT_FORGET, "SELECT DeleteChaves($1::int8 * interval '1 microsecond', $2::int4,"
                       " timestamptz 'epoch' + $3::int8 * interval '1 microsecond')"},
};

/* A connection that is being made ready, and until when. */
struct opening {
    PGconn *conn;
    const struct session_options *options;
    int64_t deadline_ms;
    char place[URL_SHOWN_BYTES];
    char *error;
    size_t error_size;
};

static PGresult *ask(const struct opening *opening, const char *sql)
{
    return wait_for_last(opening->conn, PQsendQuery(opening->conn, sql), opening->deadline_ms);
}

static enum session_end say(const struct opening *opening, enum session_end end, const char *words)
{
    session_sentence(opening->error, opening->error_size, opening->place, words);
    return end;
}

/* Takes the result, which may be NULL: then there was no answer in time. */
static enum session_end end_of(const struct opening *opening, PGresult *result)
{
    enum session_end end = SESSION_OPEN;
    const char *words = PQerrorMessage(opening->conn);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK) {
        bool answered = result && PQstatus(opening->conn) == CONNECTION_OK;
        end = say(opening, answered ? SESSION_REFUSED : SESSION_ABSENT,
                  *words ? words : "no answer in time");
    }
    PQclear(result);
    return end;
}

static enum session_end set_up(const struct opening *opening, int64_t *ret_clock_us)
{
    const struct session_options *options = opening->options;
    char sql[500];
    snprintf(sql, sizeof sql,
             "SET statement_timeout = '%us'; SET default_transaction_isolation = 'read committed';"
             " SET client_min_messages = warning;"
             " SELECT set_config('synchronous_commit', '%s', false)"
             " WHERE current_setting('synchronous_commit') = 'off' OR %s;"
             " SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8",
             options->statement_timeout_s, options->durable ? "on" : "off",
             options->durable ? "false" : "true");
    PGresult *result = ask(opening, sql);
    if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1)
        *ret_clock_us = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    return end_of(opening, result);
}

static enum session_end check_schema(const struct opening *opening)
{
    PGresult *result = ask(opening, "SELECT \"Versao\" FROM \"Esquema\"");
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    int version = SCHEMA_FIRST;
    if (state && strcmp(state, "42P01") == 0) /* undefined_table */
        version = SCHEMA_NONE;
    else if (PQresultStatus(result) != PGRES_TUPLES_OK)
        return end_of(opening, result);
    else if (PQntuples(result) == 1)
        version = atoi(PQgetvalue(result, 0, 0));
    PQclear(result);
    if (version == SCHEMA_OURS)
        return SESSION_OPEN;
    schema_complain(opening->error, opening->error_size, opening->place, version);
    return SESSION_REFUSED;
}

/* What would lose an acknowledged transaction is refused. */
static enum session_end check_durability(const struct opening *opening)
{
    PGresult *result = ask(
        opening, "SELECT current_setting('fsync') = 'off',"
                 " EXISTS (SELECT FROM pg_class WHERE relpersistence <> 'p' AND oid IN"
                 " ('\"Clientes\"'::regclass, '\"Transacoes\"'::regclass, '\"Chaves\"'::regclass)),"
                 " current_setting('full_page_writes') = 'off', pg_is_in_recovery()");
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        return end_of(opening, result);
    if (PQntuples(result) != 1) {
        PQclear(result);
        return say(opening, SESSION_REFUSED, "the server does not say whether it is durable");
    }
    bool no_fsync = PQgetvalue(result, 0, 0)[0] == 't';
    bool unlogged = PQgetvalue(result, 0, 1)[0] == 't';
    bool torn = PQgetvalue(result, 0, 2)[0] == 't';
    bool standby = PQgetvalue(result, 0, 3)[0] == 't';
    PQclear(result);
    if (standby)
        return say(opening, SESSION_ABSENT, "the server is a standby, which books nothing");
    if (no_fsync || unlogged) {
        snprintf(opening->error, opening->error_size,
                 "%s would lose what it has acknowledged: %s%s%s; make it durable (`crebito init "
                 "--profile durable`, the server's settings) or say --durability none",
                 opening->place, no_fsync ? "the server's fsync is off" : "",
                 no_fsync && unlogged ? ", " : "", unlogged ? "its tables are UNLOGGED" : "");
        return SESSION_REFUSED;
    }
    if (torn)
        log_line(LOG_WARN,
                 "full_page_writes is off: safe only where the file system never tears a page",
                 "database", opening->place, NULL);
    return SESSION_OPEN;
}

static enum session_end prepare_all(const struct opening *opening)
{
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        int sent = PQsendPrepare(opening->conn, statements[i].name, statements[i].sql, 0, NULL);
        enum session_end end = end_of(opening,
                                      wait_for_last(opening->conn, sent, opening->deadline_ms));
        if (end != SESSION_OPEN)
            return end;
    }
    return SESSION_OPEN;
}

static enum session_end make_ready(const struct opening *opening, int64_t *ret_clock_us)
{
    enum session_end end = set_up(opening, ret_clock_us);
    if (end == SESSION_OPEN)
        end = check_schema(opening);
    if (end == SESSION_OPEN && opening->options->durable && opening->options->serves)
        end = check_durability(opening);
    if (end == SESSION_OPEN)
        end = prepare_all(opening);
    if (end == SESSION_OPEN && !PQenterPipelineMode(opening->conn))
        end = say(opening, SESSION_ABSENT, PQerrorMessage(opening->conn));
    return end;
}

enum session_end session_open(PGconn **ret, int64_t *ret_clock_us,
                              const struct session_options *options, char *error, size_t error_size)
{
    struct opening opening = {.options = options, .error = error, .error_size = error_size};
    url_show(opening.place, options->url);
    enum session_end end = session_connect(&opening.conn, options->url, options->connect_timeout_s,
                                           error, error_size);
    if (end != SESSION_OPEN)
        return end;
    /* From here on a server that has stopped holds nobody up for longer. */
    opening.deadline_ms = wait_clock_ms() + 1000 * (int64_t)options->connect_timeout_s;
    end = PQsetnonblocking(opening.conn, 1) == 0
              ? make_ready(&opening, ret_clock_us)
              : say(&opening, SESSION_ABSENT, PQerrorMessage(opening.conn));
    if (end == SESSION_OPEN)
        *ret = opening.conn;
    else
        PQfinish(opening.conn);
    return end;
}
