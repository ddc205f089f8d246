/* SPDX-License-Identifier: MIT
 *
 * load.c - see load.h.
 */
#include "store/postgres/load.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/postgres/accounts.h"
#include "store/postgres/audit.h"
#include "store/postgres/schema.h"
#include "store/postgres/seen.h"
#include "store/postgres/wire.h"

enum {
    COPY_BYTES = 1 << 20, /* what is gathered for one COPY */
    ROW_BYTES_MAX = 256,  /* of any of the tables, in its binary format */
};

/* Rows on their way to a table. */
struct copy {
    const char *sql;
    struct wire_out out;
    char bytes[COPY_BYTES];
};

static_assert((int)ROW_BYTES_MAX > 2 + 8 * 4 + 6 * 8 + DESCRIPTION_BYTES_MAX,
              "a row of \"Transacoes\"");
static_assert((int)ROW_BYTES_MAX > 2 + 4 * 4 + 3 * 8 + KEY_BYTES_MAX, "and one of \"Chaves\"");

struct load {
    struct query query;
    int64_t created_us;
    uint64_t last_sequence;
    int64_t last_time_us;
    bool broken; /* a record was not what it said it was */
    struct accounts accounts;
    struct seen seen; /* the keys */
    struct copy records, keys;
};

/* FREEZE: the tables are as new as the transaction, and nobody else can see them. */
#define COPY_OF(columns) "COPY " columns " FROM STDIN (FORMAT binary, FREEZE)"

static const char records_sql[] = COPY_OF(
    "\"Transacoes\" (\"ClienteId\", \"Id\", \"Tipo\", \"Valor\", \"Saldo\", \"Limite\","
    " \"RealizadoEm\", \"Descricao\")");
static const char keys_sql[] = COPY_OF(
    "\"Chaves\" (\"ClienteId\", \"TransacaoId\", \"CriadaEm\", \"Chave\")");
static const char accounts_sql[] = COPY_OF(
    "\"Clientes\" (\"Id\", \"Limite\", \"SaldoInicial\", \"Saldo\", \"UltimoId\","
    " \"AlteradoEm\")");

enum { RECORD_COLUMNS = 8, KEY_COLUMNS = 4, ACCOUNT_COLUMNS = 6 };

/* What is wrong is the target. */
static enum archive_end of_target(enum archive_end end)
{
    return end == ARCHIVE_UNREADABLE || end == ARCHIVE_WRONG ? ARCHIVE_FAILED : end;
}

/* --- rows ----------------------------------------------------------------------------------- */

static void copy_begin(struct copy *copy, const char *sql)
{
    copy->sql = sql;
    copy->out = (struct wire_out){copy->bytes, 0, sizeof copy->bytes};
}

static enum archive_end copy_flush(struct copy *copy, struct query *query)
{
    size_t bytes = copy->out.bytes;
    copy->out.bytes = 0;
    return bytes == 0 ? ARCHIVE_DONE : query_copy_in(query, copy->sql, copy->bytes, bytes);
}

/* Room for a row, and its head. */
static enum archive_end copy_row(struct copy *copy, struct query *query, int columns)
{
    enum archive_end end = ARCHIVE_DONE;
    if (copy->out.size - copy->out.bytes < ROW_BYTES_MAX)
        end = copy_flush(copy, query);
    if (end == ARCHIVE_DONE)
        wire_put_int2(&copy->out, (int16_t)columns);
    return end;
}

static void put_time(struct wire_out *out, int64_t time_us)
{
    wire_put_int4(out, 8);
    wire_put_time(out, time_us);
}

static enum archive_end put_record(struct load *load, const struct journal_record *journal,
                                   uint64_t id)
{
    struct wire_out *out = &load->records.out;
    const char kind = (char)journal->kind;
    enum archive_end end = copy_row(&load->records, &load->query, RECORD_COLUMNS);
    if (end != ARCHIVE_DONE)
        return end;
    wire_put_element_int4(out, (int32_t)journal->client);
    wire_put_element_int8(out, (int64_t)id);
    wire_put_element_text(out, &kind, 1);
    wire_put_element_int8(out, journal->entry.amount_cents);
    wire_put_element_int8(out, journal->balance_cents);
    wire_put_element_int8(out, journal->limit_cents);
    put_time(out, journal->entry.time_us);
    wire_put_element_text(out, journal->entry.description, journal->entry.description_bytes);
    return ARCHIVE_DONE;
}

static enum archive_end put_key(struct load *load, const struct archive_record *record, uint64_t id)
{
    struct wire_out *out = &load->keys.out;
    enum archive_end end = copy_row(&load->keys, &load->query, KEY_COLUMNS);
    if (end != ARCHIVE_DONE)
        return end;
    wire_put_element_int4(out, (int32_t)record->journal.client);
    wire_put_element_int8(out, (int64_t)id);
    put_time(out, record->journal.entry.time_us);
    wire_put_element_text(out, record->key, record->key_bytes);
    return ARCHIVE_DONE;
}

static enum archive_end put_accounts(struct load *load)
{
    const struct history *history;
    uint64_t slot = 0;
    enum archive_end end = ARCHIVE_DONE;
    copy_begin(&load->records, accounts_sql); /* the records are all there: their room is free */
    struct wire_out *out = &load->records.out;
    while (end == ARCHIVE_DONE && (history = accounts_next(&load->accounts, &slot)) != NULL) {
        if (history->last_sequence == 0)
            continue; /* asked for by a record that did not follow */
        end = copy_row(&load->records, &load->query, ACCOUNT_COLUMNS);
        if (end != ARCHIVE_DONE)
            break;
        wire_put_element_int4(out, (int32_t)history->client);
        wire_put_element_int8(out, history->limit_cents);
        wire_put_element_int8(out, history->opening_balance_cents);
        wire_put_element_int8(out, history->balance_cents);
        wire_put_element_int8(out, (int64_t)history->last_sequence);
        put_time(out, history->last_time_us);
    }
    return end == ARCHIVE_DONE ? copy_flush(&load->records, &load->query) : end;
}

/* --- judging -------------------------------------------------------------------------------- */

/* *ret: is there a row of this key? */
static enum archive_end ask_key(struct load *load, const struct archive_record *record, bool *ret)
{
    char client[4];
    struct wire_out out = {client, 0, sizeof client};
    bool row;
    struct query *query = &load->query;
    enum archive_end end = copy_flush(&load->keys, query);
    if (end != ARCHIVE_DONE)
        return end;
    wire_put_int4(&out, (int32_t)record->journal.client);
    const struct query_value values[] = {{client, sizeof client}, {record->key, record->key_bytes}};
    end = query_begin(
        query, "SELECT 1 FROM \"Chaves\" WHERE \"ClienteId\" = $1::int4 AND \"Chave\" = $2::text",
        values, 2);
    if (end == ARCHIVE_DONE)
        end = query_next(query, &row);
    if (end != ARCHIVE_DONE)
        return end;
    *ret = row;
    query_end(query);
    return ARCHIVE_DONE;
}

/* What the ledger would refuse, it would refuse before anybody looks at what the record says came of
 * it: nothing has happened, and the build can go on. */
static const char *refusal(const struct history *history, const struct journal_record *journal)
{
    int64_t balance_cents = history->balance_cents;
    bool is_open = history->last_sequence != 0;
    if (journal->kind == JOURNAL_OPENING)
        return is_open ? "the account is there already" : NULL;
    if (!is_open)
        return "its account has not been opened";
    if (journal->kind == JOURNAL_LIMIT)
        return balance_cents < -journal->limit_cents ? "the limit would be less than the debt"
                                                     : NULL;
    if (!entry_sane(&journal->entry))
        return "its amount or its description is none that an entry has";
    switch (ledger_decide(&balance_cents, history->limit_cents, &journal->entry)) {
    case OUTCOME_LIMIT_EXCEEDED: return "it takes the balance below the limit";
    case OUTCOME_BALANCE_MAX: return "it takes the balance past the largest there is";
    case OUTCOME_OK:
    case OUTCOME_NO_CLIENT:
    case OUTCOME_CLIENT_EXISTS:
    case OUTCOME_KEY_REUSED:
    case OUTCOME_BUSY:
    case OUTCOME_NO_SPACE:
    case OUTCOME_DOWN:
    case OUTCOME_CORRUPT:
    case OUTCOME_UNKNOWN: break; /* a rule knows the first three alone */
    }
    return NULL;
}

/* What came of it is not what it says. */
static const char *disagreement(const struct load *load, struct history *history,
                                const struct journal_record *journal)
{
    struct journal_record own = *journal;
    if (journal->sequence != load->last_sequence + 1)
        return "its sequence is not the next one";
    if (journal->entry.time_us < load->last_time_us)
        return "its time goes back";
    if (journal->entry.time_us < 0)
        return "its time is before 1970";
    if (!journal_record_sane(journal))
        return "its amount, balance or limit is none that a ledger has";
    own.sequence = history->last_sequence + 1;
    own.previous_sequence = history->last_sequence;
    return journal_follow(history, &own);
}

static enum archive_end wrong(const struct archive_record *record, const char *what, char *error,
                              size_t error_size)
{
    snprintf(error, error_size, "client %u: %s", record->journal.client, what);
    return ARCHIVE_WRONG;
}

/* The record's key has not been met, for sure. */
static enum archive_end check_key(struct load *load, const struct archive_record *record,
                                  char *error, size_t error_size)
{
    bool taken = false;
    enum archive_end end = ARCHIVE_DONE;
    if (!seen_maybe(&load->seen, record->journal.client, record->key, record->key_bytes))
        return ARCHIVE_DONE;
    end = of_target(ask_key(load, record, &taken));
    if (end != ARCHIVE_DONE || !taken)
        return end;
    return wrong(record, "its key belongs to another of the client's entries", error, error_size);
}

static enum archive_end add_record(struct load *load, const struct archive_record *record,
                                   const struct history *history)
{
    load->last_sequence = record->journal.sequence;
    load->last_time_us = record->journal.entry.time_us;
    enum archive_end end = put_record(load, &record->journal, history->last_sequence);
    if (end == ARCHIVE_DONE && record->key_bytes > 0) {
        seen_add(&load->seen, record->journal.client, record->key, record->key_bytes);
        end = put_key(load, record, history->last_sequence);
    }
    return of_target(end);
}

enum archive_end load_add(struct load *load, const struct archive_record *record, char *error,
                          size_t error_size)
{
    const struct journal_record *journal = &record->journal;
    struct query *query = &load->query;
    query->error = error;
    query->error_size = error_size;
    struct history *history = accounts_of(&load->accounts, journal->client);
    if (!history)
        return query_say(query, ARCHIVE_FAILED, "no memory for %llu accounts",
                         (unsigned long long)load->accounts.count);
    if (record->key_bytes > 0 && history->last_sequence > 0) {
        enum archive_end end = check_key(load, record, error, error_size);
        if (end != ARCHIVE_DONE)
            return end;
    }
    const char *refused = refusal(history, journal);
    if (refused)
        return wrong(record, refused, error, error_size);
    const char *differs = disagreement(load, history, journal);
    if (differs) {
        load->broken = true;
        return wrong(record, differs, error, error_size);
    }
    return add_record(load, record, history);
}

/* --- from begin to end ---------------------------------------------------------------------- */

static void free_load(struct load *load)
{
    accounts_close(&load->accounts);
    seen_close(&load->seen);
    free(load);
}

enum archive_end load_begin(struct load **ret, const char *url, int64_t created_us, char *error,
                            size_t error_size)
{
    struct load *load = calloc(1, sizeof *load);
    bool room = load && accounts_open(&load->accounts) && seen_open(&load->seen);
    enum archive_end end = ARCHIVE_FAILED;
    if (!room) {
        snprintf(error, error_size, "out of memory");
        goto free_all;
    }
    load->created_us = created_us;
    load->last_time_us = INT64_MIN;
    copy_begin(&load->records, records_sql);
    copy_begin(&load->keys, keys_sql);
    end = of_target(query_open(&load->query, url, NULL, error, error_size));
    if (end != ARCHIVE_DONE)
        goto free_all;
    end = query_run(&load->query, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE");
    if (end == ARCHIVE_DONE)
        end = schema_install_new(&load->query);
    if (end != ARCHIVE_DONE) {
        query_close(&load->query);
        end = of_target(end);
        goto free_all;
    }
    *ret = load;
    return ARCHIVE_DONE;

free_all:
    if (load)
        free_load(load);
    return end;
}

static enum archive_end set_created(struct load *load)
{
    char bytes[8];
    struct wire_out out = {bytes, 0, sizeof bytes};
    const struct query_value value = {bytes, sizeof bytes};
    bool row;
    wire_put_time(&out, load->created_us);
    enum archive_end end = query_begin(
        &load->query, "UPDATE \"Esquema\" SET \"CriadoEm\" = $1::timestamptz", &value, 1);
    if (end == ARCHIVE_DONE)
        end = query_next(&load->query, &row);
    if (end == ARCHIVE_DONE)
        query_end(&load->query);
    return end;
}

static enum archive_end write_rest(struct load *load)
{
    enum archive_end end = copy_flush(&load->records, &load->query);
    if (end == ARCHIVE_DONE)
        end = copy_flush(&load->keys, &load->query);
    if (end == ARCHIVE_DONE)
        end = put_accounts(load);
    if (end == ARCHIVE_DONE)
        end = set_created(load);
    if (end == ARCHIVE_DONE)
        end = query_run(&load->query, "ANALYZE \"Clientes\", \"Transacoes\", \"Chaves\"");
    return of_target(end);
}

/* Until here nothing has happened. */
static enum archive_end commit(struct load *load)
{
    enum archive_end end = query_run(&load->query, "COMMIT");
    if (end == ARCHIVE_DONE || end == ARCHIVE_STOPPED || load->query.state[0] != '\0')
        return of_target(end);
    return query_say(&load->query, ARCHIVE_FAILED,
                     "the connection broke during the commit: it may be there or not, and `crebito "
                     "verify` tells");
}

enum archive_end load_finish(struct load *load, struct task *task, struct archive_facts *ret_facts,
                             char *error, size_t error_size)
{
    struct archive_facts facts;
    enum archive_end end = ARCHIVE_WRONG;
    load->query.task = task;
    load->query.error = error;
    load->query.error_size = error_size;
    if (load->broken)
        query_say(&load->query, end, "a record before did not follow");
    else
        end = write_rest(load);
    if (end == ARCHIVE_DONE)
        end = audit(&load->query, task, &facts);
    if (end == ARCHIVE_DONE) {
        load->query.task = NULL; /* too late to be stopped */
        end = commit(load);
    }
    if (end == ARCHIVE_DONE)
        *ret_facts = facts;
    load_abandon(load);
    return end;
}

void load_abandon(struct load *load)
{
    query_close(&load->query);
    free_load(load);
}
