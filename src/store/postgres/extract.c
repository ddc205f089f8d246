/* SPDX-License-Identifier: MIT
 *
 * extract.c - see extract.h.
 */
#include "store/postgres/extract.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/postgres/rows.h"
#include "store/postgres/wire.h"

/* All are counted before some are left out. $1: a client, or 0; $2: a time. */
static const char records_sql[] =
    "SELECT * FROM (SELECT " ROWS_COLUMNS ", k.\"Chave\"::text AS chave,"
    " row_number() OVER (ORDER BY t.\"RealizadoEm\", t.\"ClienteId\", t.\"Id\") AS ordem"
    " FROM \"Transacoes\" t LEFT JOIN \"Chaves\" k"
    " ON k.\"ClienteId\" = t.\"ClienteId\" AND k.\"TransacaoId\" = t.\"Id\") t"
    " WHERE $1::int4 IN (0, t.\"ClienteId\") AND t.\"RealizadoEm\" >= $2::timestamptz"
    " ORDER BY t.\"RealizadoEm\", t.\"ClienteId\", t.\"Id\"";

enum { COLUMN_KEY = ROWS_COUNT, COLUMN_ORDER };

enum { TELL_RECORDS = 1024 };

struct extract {
    struct query *query;
    struct task *task;
    const struct archive_sink *sink;
    struct archive_record record;
    uint32_t last_client; /* of the record before */
    uint64_t last_id;
    int64_t created_us;
    uint64_t records_total, bytes_total, done_before;
};

/* A server that is gone and one that sends nonsense are two things. */
static enum archive_end survey(struct extract *extract)
{
    int64_t records = 0, bytes = 0;
    enum archive_end end = query_one(
        extract->query,
        "SELECT (SELECT least(coalesce(sum(\"UltimoId\"), 0), 1e18) FROM \"Clientes\")::int8,"
        " pg_total_relation_size('\"Transacoes\"') + pg_total_relation_size('\"Chaves\"'),"
        " (SELECT min(\"CriadoEm\") FROM \"Esquema\")");
    if (end != ARCHIVE_DONE)
        return end;
    bool read = query_int8(extract->query, 0, &records) && query_int8(extract->query, 1, &bytes) &&
                query_time(extract->query, 2, &extract->created_us);
    query_end(extract->query);
    if (!read)
        return query_say(extract->query, ARCHIVE_WRONG, "it does not say when it was created");
    extract->records_total = records > 0 ? (uint64_t)records : 0;
    extract->bytes_total = (uint64_t)bytes;
    extract->done_before = atomic_load(&extract->task->done_bytes);
    atomic_store(&extract->task->total_bytes, extract->done_before + extract->bytes_total);
    return ARCHIVE_DONE;
}

static void tell(const struct extract *extract)
{
    uint64_t done = extract->record.journal.sequence;
    atomic_store(&extract->task->record, done);
    if (done % TELL_RECORDS == 0 && done <= extract->records_total)
        atomic_store(&extract->task->done_bytes,
                     extract->done_before + (uint64_t)((double)extract->bytes_total * (double)done /
                                                       (double)extract->records_total));
}

static const char *add_key(struct extract *extract)
{
    const char *key;
    size_t bytes;
    extract->record.key_bytes = 0;
    if (!query_text(extract->query, COLUMN_KEY, &key, &bytes))
        return NULL;
    if (bytes < 1 || bytes > KEY_BYTES_MAX)
        return "its key does not have 1 to 64 bytes";
    extract->record.key_bytes = (uint8_t)bytes;
    memcpy(extract->record.key, key, bytes);
    return NULL;
}

static enum archive_end give(struct extract *extract)
{
    struct journal_record *journal = &extract->record.journal;
    int64_t order = 0;
    const char *wrong = rows_record(extract->query, journal);
    if (!wrong)
        wrong = add_key(extract);
    if (!query_int8(extract->query, COLUMN_ORDER, &order))
        return query_say(extract->query, ARCHIVE_UNREADABLE, "the server's answer makes no sense");
    if (!wrong && journal->client == extract->last_client && journal->sequence == extract->last_id)
        wrong = "it is there twice, or has two keys";
    if (wrong)
        return query_say(extract->query, ARCHIVE_WRONG, "record %" PRId64 ": %s", order, wrong);
    extract->last_client = journal->client;
    extract->last_id = journal->sequence;
    journal->sequence = (uint64_t)order;
    journal->previous_sequence = 0;
    tell(extract);
    return extract->sink->record(extract->sink->context, &extract->record) ? ARCHIVE_DONE
                                                                           : ARCHIVE_STOPPED;
}

enum archive_end extract(struct query *query, const struct archive_range *range,
                         const struct archive_sink *sink, struct task *task)
{
    struct extract extract = {.query = query, .task = task, .sink = sink};
    char bytes[4 + 8];
    struct wire_out out = {bytes, 0, sizeof bytes};
    bool row = true;
    wire_put_int4(&out, (int32_t)range->client);
    wire_put_time(&out, range->since_us);
    const struct query_value values[] = {{bytes, 4}, {bytes + 4, 8}};
    enum archive_end end = survey(&extract);
    if (end == ARCHIVE_DONE)
        end = query_begin(query, records_sql, values, sizeof values / sizeof values[0]);
    if (end == ARCHIVE_DONE && !sink->begin(sink->context, extract.created_us))
        end = ARCHIVE_STOPPED;
    while (end == ARCHIVE_DONE && (end = query_next(query, &row)) == ARCHIVE_DONE && row) {
        if (task_stopped(task))
            end = query_say(query, ARCHIVE_STOPPED, "stopped");
        else
            end = give(&extract);
    }
    if (end == ARCHIVE_DONE)
        atomic_store(&task->done_bytes, extract.done_before + extract.bytes_total);
    return end;
}
