/* SPDX-License-Identifier: MIT
 *
 * audit.c - see audit.h.
 */
#include "store/postgres/audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/postgres/rows.h"

/* Each client's records, and behind them its account. The numbers of records order the union so
 * that both of its halves can be read as they lie. */
static const char walk_sql[] =
    "SELECT " ROWS_COLUMNS ", NULL::int8 AS inicial, NULL::int8 AS ultimo, false AS conta"
    " FROM \"Transacoes\" t"
    " UNION ALL "
    "SELECT c.\"Id\"::int4, 9223372036854775807::int8, NULL::text,"
    " NULL::int8, c.\"Saldo\"::int8, c.\"Limite\"::int8, c.\"AlteradoEm\"::timestamptz, NULL::text,"
    " c.\"SaldoInicial\"::int8, c.\"UltimoId\"::int8, true"
    " FROM \"Clientes\" c"
    " ORDER BY 1, 2";

enum { COLUMN_OPENING = ROWS_COUNT, COLUMN_LAST_ID, COLUMN_IS_ACCOUNT };

enum { TELL_ROWS = 1024 };

struct audit {
    struct query *query;
    struct task *task;
    struct archive_facts facts;
    struct history history; /* of the client at hand; client 0: none yet */
    bool has_account;       /* its account has been met */
    uint64_t rows, rows_total, done_before;
};

static enum archive_end wrong(const struct audit *audit, uint32_t client, const char *what)
{
    return query_say(audit->query, ARCHIVE_WRONG, "client %u: %s", client, what);
}

static enum archive_end wrong_record(const struct audit *audit, uint32_t client, int64_t id,
                                     const char *what)
{
    return query_say(audit->query, ARCHIVE_WRONG, "client %u, record %" PRId64 ": %s", client, id,
                     what);
}

static void tell(struct audit *audit)
{
    uint64_t done = audit->rows < audit->rows_total ? audit->rows : audit->rows_total;
    if (audit->rows_total > 0)
        atomic_store(&audit->task->done_bytes,
                     audit->done_before + (uint64_t)((double)audit->facts.bytes * (double)done /
                                                     (double)audit->rows_total));
}

/* --- records and accounts ------------------------------------------------------------------- */

static enum archive_end follow(struct audit *audit, uint32_t client, int64_t id)
{
    struct history *history = &audit->history;
    struct journal_record record;
    const int64_t next = (int64_t)history->last_sequence + 1;
    if (audit->has_account) /* its record was the last there can be */
        return wrong_record(audit, client, id, "it comes after the last");
    if (id > next)
        return query_say(audit->query, ARCHIVE_WRONG, "client %u, record %" PRId64 " is missing",
                         client, next);
    if (id < next && next > 1 && id > 0)
        return wrong_record(audit, client, id, "it is there twice");
    const char *fault = rows_record(audit->query, &record);
    if (!fault)
        fault = journal_follow(history, &record);
    if (fault)
        return wrong_record(audit, client, id, fault);
    audit->facts.records++;
    audit->facts.entries += journal_moves_money(record.kind);
    atomic_store(&audit->task->record, audit->facts.records);
    return ARCHIVE_DONE;
}

static enum archive_end compare(struct audit *audit, uint32_t client)
{
    const struct history *history = &audit->history;
    const struct query *query = audit->query;
    struct {
        const char *name;
        int64_t held, made;
    } members[] = {
        {"balance", 0, history->balance_cents},
        {"limit", 0, history->limit_cents},
        {"opening balance", 0, history->opening_balance_cents},
        {"last record", 0, (int64_t)history->last_sequence},
        {"last time (in us)", 0, history->last_time_us},
    };
    if (audit->has_account)
        return wrong(audit, client, "its account is there twice");
    if (history->last_sequence == 0)
        return wrong(audit, client, "no record opens its account");
    if (!query_int8(query, ROWS_BALANCE, &members[0].held) ||
        !query_int8(query, ROWS_LIMIT, &members[1].held) ||
        !query_int8(query, COLUMN_OPENING, &members[2].held) ||
        !query_int8(query, COLUMN_LAST_ID, &members[3].held) ||
        !query_time(query, ROWS_TIME, &members[4].held))
        return wrong(audit, client, "a value is missing in its account, or out of every range");
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (members[i].held != members[i].made)
            return query_say(audit->query, ARCHIVE_WRONG,
                             "client %u: its %s is %" PRId64 ", and its history makes it %" PRId64,
                             client, members[i].name, members[i].held, members[i].made);
    audit->has_account = true;
    audit->facts.accounts++;
    return ARCHIVE_DONE;
}

/* The client at hand has no more rows. */
static enum archive_end leave_client(const struct audit *audit)
{
    if (audit->history.client == 0 || audit->has_account)
        return ARCHIVE_DONE;
    return wrong(audit, audit->history.client, "it has records, and no account");
}

static enum archive_end take_row(struct audit *audit)
{
    const struct query *query = audit->query;
    int32_t client = 0;
    int64_t id = 0;
    bool is_account = false;
    if (!query_bool(query, COLUMN_IS_ACCOUNT, &is_account))
        return query_say(audit->query, ARCHIVE_UNREADABLE, "the server's answer makes no sense");
    if (!query_int4(query, ROWS_CLIENT, &client) || client < 1)
        return query_say(audit->query, ARCHIVE_WRONG, "there is %s of no client",
                         is_account ? "an account" : "a record");
    if ((uint32_t)client != audit->history.client) {
        enum archive_end end = leave_client(audit);
        if (end != ARCHIVE_DONE)
            return end;
        audit->history = (struct history){.client = (uint32_t)client};
        audit->has_account = false;
    }
    if (is_account)
        return compare(audit, (uint32_t)client);
    if (!query_int8(query, ROWS_ID, &id))
        return wrong(audit, (uint32_t)client, "it has a record without a number");
    return follow(audit, (uint32_t)client, id);
}

static enum archive_end walk(struct audit *audit)
{
    bool row = true;
    enum archive_end end = query_begin(audit->query, walk_sql, NULL, 0);
    while (end == ARCHIVE_DONE && (end = query_next(audit->query, &row)) == ARCHIVE_DONE && row) {
        end = take_row(audit);
        if (++audit->rows % TELL_ROWS == 0)
            tell(audit);
    }
    if (end == ARCHIVE_DONE)
        end = leave_client(audit);
    if (end == ARCHIVE_DONE && audit->facts.records == 0)
        end = query_say(audit->query, ARCHIVE_WRONG, "the journal is empty");
    return end;
}

/* --- idempotency keys ----------------------------------------------------------------------- */

/* What each finds is wrong: a client and the number of a record, either of which may be NULL. */
static const struct {
    const char *sql, *what;
} key_questions[] = {
    {"SELECT k.\"ClienteId\"::int4, k.\"TransacaoId\"::int8 FROM \"Chaves\" k"
     " LEFT JOIN \"Transacoes\" t ON t.\"ClienteId\" = k.\"ClienteId\" AND t.\"Id\" = k.\"TransacaoId\""
     " WHERE t.\"Tipo\" IS NULL OR t.\"Tipo\" NOT IN ('c', 'd')"
     " OR t.\"RealizadoEm\" IS DISTINCT FROM k.\"CriadaEm\" ORDER BY 1, 2 LIMIT 1",
     "its history has no such entry of that time"},
    {"SELECT \"ClienteId\"::int4, \"TransacaoId\"::int8 FROM \"Chaves\""
     " WHERE \"Chave\" IS NULL OR octet_length(\"Chave\") NOT BETWEEN 1 AND 64 ORDER BY 1, 2 LIMIT 1",
     "it does not have 1 to 64 bytes"},
    {"SELECT \"ClienteId\"::int4, \"TransacaoId\"::int8 FROM \"Chaves\""
     " GROUP BY 1, 2 HAVING count(*) > 1 ORDER BY 1, 2 LIMIT 1",
     "the record has another one"},
    {"SELECT \"ClienteId\"::int4, max(\"TransacaoId\")::int8 FROM \"Chaves\""
     " GROUP BY \"ClienteId\", \"Chave\" HAVING count(*) > 1 ORDER BY 1, 2 LIMIT 1",
     "another record has the same one"},
};

static enum archive_end ask_about_keys(struct audit *audit, const char *sql, const char *what)
{
    bool row = false;
    int32_t client = 0;
    int64_t id = 0;
    enum archive_end end = query_begin(audit->query, sql, NULL, 0);
    if (end == ARCHIVE_DONE)
        end = query_next(audit->query, &row);
    if (end != ARCHIVE_DONE)
        return end;
    if (!row) {
        query_end(audit->query);
        return ARCHIVE_DONE;
    }
    bool read = query_int4(audit->query, 0, &client) && query_int8(audit->query, 1, &id);
    query_end(audit->query);
    if (!read)
        return query_say(audit->query, ARCHIVE_WRONG, "there is a key of no record");
    return query_say(audit->query, ARCHIVE_WRONG, "key of client %d, record %" PRId64 ": %s",
                     client, id, what);
}

static enum archive_end check_keys(struct audit *audit)
{
    int64_t keys = 0;
    enum archive_end end = ARCHIVE_DONE;
    atomic_store(&audit->task->record, 0);
    for (size_t i = 0; end == ARCHIVE_DONE && i < sizeof key_questions / sizeof key_questions[0];
         i++)
        end = ask_about_keys(audit, key_questions[i].sql, key_questions[i].what);
    if (end == ARCHIVE_DONE)
        end = query_one(audit->query, "SELECT count(*) FROM \"Chaves\"");
    if (end != ARCHIVE_DONE)
        return end;
    if (query_int8(audit->query, 0, &keys))
        audit->facts.keys = (uint64_t)keys;
    query_end(audit->query);
    return ARCHIVE_DONE;
}

/* --- all of it ------------------------------------------------------------------------------ */

/* How much there is to do. */
static enum archive_end survey(struct audit *audit)
{
    int64_t rows = 0, bytes = 0, created_us = 0;
    enum archive_end end = query_one(
        audit->query,
        "SELECT (SELECT least(coalesce(sum(\"UltimoId\") + count(*), 0), 1e18) FROM \"Clientes\")::int8,"
        " pg_total_relation_size('\"Clientes\"') + pg_total_relation_size('\"Transacoes\"')"
        " + pg_total_relation_size('\"Chaves\"'),"
        " (SELECT min(\"CriadoEm\") FROM \"Esquema\")");
    if (end != ARCHIVE_DONE)
        return end;
    bool read = query_int8(audit->query, 0, &rows) && query_int8(audit->query, 1, &bytes) &&
                query_time(audit->query, 2, &created_us);
    query_end(audit->query);
    if (!read)
        return query_say(audit->query, ARCHIVE_WRONG, "it does not say when it was created");
    audit->rows_total = rows > 0 ? (uint64_t)rows : 0;
    audit->facts.bytes = (uint64_t)bytes;
    audit->facts.created_us = created_us;
    audit->done_before = atomic_load(&audit->task->done_bytes);
    atomic_store(&audit->task->total_bytes, audit->done_before + audit->facts.bytes);
    return ARCHIVE_DONE;
}

enum archive_end audit(struct query *query, struct task *task, struct archive_facts *ret_facts)
{
    struct audit audit = {.query = query, .task = task};
    enum archive_end end = survey(&audit);
    if (end == ARCHIVE_DONE)
        end = walk(&audit);
    if (end == ARCHIVE_DONE)
        end = check_keys(&audit);
    if (end == ARCHIVE_DONE) {
        atomic_store(&task->done_bytes, audit.done_before + audit.facts.bytes);
        *ret_facts = audit.facts;
    }
    return end;
}
