/* SPDX-License-Identifier: MIT
 *
 * schema.c - see schema.h.
 */
#include "store/postgres/schema.h"

#include <stdio.h>
#include <string.h>

#include "store/postgres/sql_files.h"

/* --- which version -------------------------------------------------------------------------- */

void schema_complain(char *error, size_t error_size, const char *place, int32_t version)
{
    if (version > SCHEMA_OURS)
        snprintf(error, error_size,
                 "%s: its schema has version %d, and this crebito knows %d: use a newer one", place,
                 version, SCHEMA_OURS);
    else
        snprintf(error, error_size, "%s: %s: run `crebito init --database URL`", place,
                 version == SCHEMA_NONE ? "there is no bank in this database"
                                        : "its schema is older than this crebito");
}

enum archive_end schema_version(struct query *query, int32_t *ret)
{
    bool versioned = false, old = false, found = false;
    enum archive_end end = query_one(query, "SELECT to_regclass('\"Esquema\"') IS NOT NULL,"
                                            " to_regclass('\"Clientes\"') IS NOT NULL"
                                            " OR to_regclass('\"Transacoes\"') IS NOT NULL"
                                            " OR to_regclass('\"Chaves\"') IS NOT NULL");
    if (end != ARCHIVE_DONE)
        return end;
    bool read = query_bool(query, 0, &versioned) && query_bool(query, 1, &old);
    query_end(query);
    if (read && !versioned) {
        *ret = old ? SCHEMA_FIRST : SCHEMA_NONE;
        return ARCHIVE_DONE;
    }
    end = query_begin(query, "SELECT max(\"Versao\")::int4 FROM \"Esquema\"", NULL, 0);
    if (end == ARCHIVE_DONE)
        end = query_next(query, &found);
    if (end != ARCHIVE_DONE)
        return end;
    if (!found || !query_int4(query, 0, ret))
        *ret = SCHEMA_FIRST; /* an installation that did not get so far */
    query_end(query);
    return ARCHIVE_DONE;
}

static enum archive_end refuse(struct query *query, int32_t version)
{
    schema_complain(query->error, query->error_size, query->place, version);
    return ARCHIVE_UNREADABLE;
}

enum archive_end schema_check(struct query *query)
{
    int32_t version = SCHEMA_NONE;
    enum archive_end end = schema_version(query, &version);
    return end != ARCHIVE_DONE || version == SCHEMA_OURS ? end : refuse(query, version);
}

/* --- making it ------------------------------------------------------------------------------ */

static void on_notice(void *context, const PGresult *result)
{
    const char *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    (void)context;
    if (words)
        fprintf(stderr, "crebito: warning: %s\n", words);
}

/* Any number will do that no other program locks: "crebito" in ASCII. */
static enum archive_end lock(struct query *query)
{
    return query_run(query, "SELECT pg_advisory_xact_lock(x'6372656269746f'::bigint)");
}

static const char *profile_sql(enum store_profile profile)
{
    switch (profile) {
    case PROFILE_AS_IT_IS: return NULL;
    case PROFILE_DURABLE: return "SET LOCAL crebito.profile = 'durable'";
    case PROFILE_CONTEST: return "SET LOCAL crebito.profile = 'contest'";
    }
    return NULL;
}

static enum archive_end run_files(struct query *query, bool with_clients)
{
    enum archive_end end = ARCHIVE_DONE;
    for (size_t i = 0; end == ARCHIVE_DONE && i < sql_files_count; i++)
        if (with_clients || strcmp(sql_files[i].name, "40-clients.sql") != 0)
            end = query_run(query, sql_files[i].text);
    return end;
}

enum archive_end schema_install(struct query *query, bool with_clients, enum store_profile profile)
{
    int32_t version = SCHEMA_NONE;
    const char *set_profile = profile_sql(profile);
    (void)PQsetNoticeReceiver(query->conn, on_notice, NULL);
    enum archive_end end = lock(query);
    if (end == ARCHIVE_DONE)
        end = schema_version(query, &version);
    if (end == ARCHIVE_DONE && version > SCHEMA_OURS)
        end = refuse(query, version);
    if (end == ARCHIVE_DONE && set_profile)
        end = query_run(query, set_profile);
    return end == ARCHIVE_DONE ? run_files(query, with_clients) : end;
}

enum archive_end schema_install_new(struct query *query)
{
    int32_t version = SCHEMA_NONE;
    enum archive_end end = lock(query);
    if (end == ARCHIVE_DONE)
        end = schema_version(query, &version);
    if (end != ARCHIVE_DONE)
        return end;
    if (version != SCHEMA_NONE)
        return query_say(query, ARCHIVE_FAILED, "there is %s in this database already",
                         version == SCHEMA_FIRST ? "an older bank" : "a bank");
    return schema_install(query, false, PROFILE_AS_IT_IS);
}

bool schema_init(const char *url, const struct store_options *options, char *error,
                 size_t error_size)
{
    struct query query;
    if (query_open(&query, url, NULL, error, error_size) != ARCHIVE_DONE)
        return false;
    enum archive_end end = query_run(&query, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE");
    if (end == ARCHIVE_DONE)
        end = schema_install(&query, true, options->profile);
    if (end == ARCHIVE_DONE)
        end = query_run(&query, "COMMIT");
    query_close(&query);
    return end == ARCHIVE_DONE;
}
