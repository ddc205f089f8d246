/* SPDX-License-Identifier: MIT
 *
 * inspect.c - see inspect.h.
 */
#include "store/postgres/inspect.h"

#include <stdio.h>
#include <string.h>

#include "store/postgres/schema.h"

/* A container's health check asks every few seconds: where counting would cost the server more than a few
 * milliseconds, its own estimate does. A subquery that is not needed is not run. */
#define ROWS(table) "(SELECT reltuples FROM pg_class WHERE oid = '\"" table "\"'::regclass)"
#define COUNT(of, exact, estimate)                                    \
    "(CASE WHEN " ROWS(of) " > 100000 THEN " ROWS(estimate) "::int8 " \
                                                            "ELSE (SELECT " exact ")::int8 END)"
#define ACCOUNTS_SQL COUNT("Clientes", "count(*) FROM \"Clientes\"", "Clientes")
#define RECORDS_SQL \
    COUNT("Clientes", "least(coalesce(sum(\"UltimoId\"), 0), 1e18) FROM \"Clientes\"", "Transacoes")
#define KEYS_SQL COUNT("Chaves", "count(*) FROM \"Chaves\"", "Chaves")

static const char facts_sql[] =
    "SELECT " ACCOUNTS_SQL ", " RECORDS_SQL ", " KEYS_SQL ","
    " pg_total_relation_size('\"Clientes\"') + pg_total_relation_size('\"Transacoes\"')"
    " + pg_total_relation_size('\"Chaves\"'),"
    " current_setting('fsync') = 'off',"
    " EXISTS (SELECT FROM pg_class WHERE relpersistence <> 'p' AND oid IN"
    " ('\"Clientes\"'::regclass, '\"Transacoes\"'::regclass, '\"Chaves\"'::regclass)),"
    " pg_is_in_recovery()";

enum { ACCOUNTS, RECORDS, KEYS, BYTES, NO_FSYNC, UNLOGGED, STANDBY };

/* "PostgreSQL 15.18, not durable: fsync is off, tables are UNLOGGED" */
static void name_server(char *ret, size_t size, const struct query *query, bool no_fsync,
                        bool unlogged, bool standby)
{
    const char *version = PQparameterStatus(query->conn, "server_version");
    const char *safety = no_fsync || unlogged ? "not durable: " : standby ? "a standby" : "durable";
    if (!version)
        version = "of some version";
    snprintf(ret, size, "PostgreSQL %.*s, %s%s%s%s", (int)strcspn(version, " "), version, safety,
             no_fsync ? "fsync is off" : "", no_fsync && unlogged ? ", " : "",
             unlogged ? "tables are UNLOGGED" : "");
}

static enum archive_end look(struct store_facts *ret_facts, struct query *query)
{
    int64_t accounts, records, keys, bytes;
    bool no_fsync, unlogged, standby;
    enum archive_end end = schema_check(query);
    if (end == ARCHIVE_DONE)
        end = query_one(query, facts_sql);
    if (end != ARCHIVE_DONE)
        return end;
    if (!query_int8(query, ACCOUNTS, &accounts) || !query_int8(query, RECORDS, &records) ||
        !query_int8(query, KEYS, &keys) || !query_int8(query, BYTES, &bytes) ||
        !query_bool(query, NO_FSYNC, &no_fsync) || !query_bool(query, UNLOGGED, &unlogged) ||
        !query_bool(query, STANDBY, &standby))
        return query_say(query, ARCHIVE_UNREADABLE, "the server's answer makes no sense");
    *ret_facts = (struct store_facts){
        .layout = SCHEMA_OURS,
        .accounts = (uint64_t)accounts,
        .records = (uint64_t)records,
        .keys = (uint64_t)keys,
        .used_bytes = (uint64_t)bytes,
    };
    name_server(ret_facts->owner, sizeof ret_facts->owner, query, no_fsync, unlogged, standby);
    return ARCHIVE_DONE;
}

bool inspect(struct store_facts *ret_facts, const char *url, char *error, size_t error_size)
{
    struct query query;
    if (query_open(&query, url, NULL, error, error_size) != ARCHIVE_DONE)
        return false;
    enum archive_end end = look(ret_facts, &query);
    query_close(&query);
    return end == ARCHIVE_DONE;
}
