/* SPDX-License-Identifier: MIT
 *
 * postgres_archive.c - see postgres_archive.h.
 */
#include "store/postgres/postgres_archive.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/kind.h"
#include "store/postgres/audit.h"
#include "store/postgres/extract.h"
#include "store/postgres/load.h"
#include "store/postgres/schema.h"

/* --- a source ------------------------------------------------------------------------------- */

/* One snapshot for all that follows; sorts of whole tables have some room. */
static enum archive_end open_source(struct query *query, const char *url, struct task *task,
                                    char *error, size_t error_size)
{
    enum archive_end end = query_open(query, url, task, error, error_size);
    if (end != ARCHIVE_DONE)
        return end;
    end = query_run(query, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
                           "SET LOCAL work_mem = '64MB'");
    if (end == ARCHIVE_DONE)
        end = schema_check(query);
    if (end != ARCHIVE_DONE)
        query_close(query);
    return end;
}

enum archive_end postgres_archive_verify(const char *url, struct task *task,
                                         struct archive_facts *ret_facts, char *error,
                                         size_t error_size)
{
    struct query query;
    enum archive_end end = open_source(&query, url, task, error, error_size);
    if (end != ARCHIVE_DONE)
        return end;
    end = audit(&query, task, ret_facts);
    query_close(&query);
    return end;
}

enum archive_end postgres_archive_read(const char *url, const struct archive_range *range,
                                       const struct archive_sink *sink, struct task *task,
                                       char *error, size_t error_size)
{
    struct query query;
    struct archive_facts facts;
    enum archive_end end = open_source(&query, url, task, error, error_size);
    if (end != ARCHIVE_DONE)
        return end;
    /* The whole of it is what an import will take for the ledger. */
    if (range->client == 0 && range->since_us == INT64_MIN)
        end = audit(&query, task, &facts);
    if (end == ARCHIVE_DONE)
        end = extract(&query, range, sink, task);
    query_close(&query);
    return end;
}

/* --- building ------------------------------------------------------------------------------- */

struct postgres_build {
    struct archive_build build; /* its first member */
    struct load *load;
};

static struct load *load_of(struct archive_build *build)
{
    return ((struct postgres_build *)build)->load;
}

enum archive_end postgres_build_begin(struct archive_build **ret, const struct store_kind *kind,
                                      const char *url, int64_t created_us, char *error,
                                      size_t error_size)
{
    struct postgres_build *build = malloc(sizeof *build);
    if (!build) {
        snprintf(error, error_size, "out of memory");
        return ARCHIVE_FAILED;
    }
    build->build.kind = kind;
    enum archive_end end = load_begin(&build->load, url, created_us, error, error_size);
    if (end == ARCHIVE_DONE)
        *ret = &build->build;
    else
        free(build);
    return end;
}

enum archive_end postgres_build_add(struct archive_build *build,
                                    const struct archive_record *record, char *error,
                                    size_t error_size)
{
    return load_add(load_of(build), record, error, error_size);
}

enum archive_end postgres_build_finish(struct archive_build *build, struct task *task,
                                       struct archive_facts *ret_facts, char *error,
                                       size_t error_size)
{
    enum archive_end end = load_finish(load_of(build), task, ret_facts, error, error_size);
    free(build);
    return end;
}

void postgres_build_abandon(struct archive_build *build)
{
    load_abandon(load_of(build));
    free(build);
}
