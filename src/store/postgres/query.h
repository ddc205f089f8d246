/* SPDX-License-Identifier: MIT
 *
 * query.h - a connection on which whole ledgers are read and written, one statement at a time.
 *
 * Purpose    Statements that may take as long as they like and can be stopped while they run; their
 *            rows one by one, in binary, so that memory does not grow with their number.
 * Invariant  One statement at a time: query_begin() .. query_end(). No timeout of the server, of the
 *            database or of the role ends one early, and no policy of a row hides it.
 * Ownership  query_open() makes what query_close() ends; a transaction that is open then is undone. A
 *            row, and what values point to, lives until query_next() or query_end().
 * Threads    One.
 * Errors     enum archive_end and a sentence that begins with the database: ARCHIVE_WRONG where the
 *            server says that a page is damaged, ARCHIVE_STOPPED by the task, else
 *            ARCHIVE_UNREADABLE. A value is false if it is NULL, or not of the type asked for.
 * Not here   What is asked: schema.h, audit.h, extract.h, load.h.
 */
#ifndef CREBITO_STORE_POSTGRES_QUERY_H
#define CREBITO_STORE_POSTGRES_QUERY_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "must_check.h"
#include "store/archive.h"
#include "store/url.h"

struct query {
    PGconn *conn;
    struct task *task; /* NULL: nobody can stop it */
    char place[URL_SHOWN_BYTES];
    PGresult *row; /* NULL: none */
    char state[6]; /* SQLSTATE of what failed last, or empty */
    char *error;
    size_t error_size;
};

/* A parameter, $1 and so on, in binary. */
struct query_value {
    const char *bytes;
    int size;
};

MUST_CHECK enum archive_end query_open(struct query *query, const char *url, struct task *task,
                                       char *error, size_t error_size);
void query_close(struct query *query);

/* Statements, of which nothing is wanted back. */
MUST_CHECK enum archive_end query_run(struct query *query, const char *sql);

/* One statement that gives rows. query_end() waits for those that were not taken. After a failure there
 * is nothing left to do but query_close(), which waits for nothing. */
MUST_CHECK enum archive_end query_begin(struct query *query, const char *sql,
                                        const struct query_value *values, int count);
MUST_CHECK enum archive_end query_next(struct query *query, bool *ret_row);
void query_end(struct query *query);

/* One that gives one row, which is there until query_end(). */
MUST_CHECK enum archive_end query_one(struct query *query, const char *sql);

/* All of these bytes, already in the COPY's binary format less its header and its end. */
MUST_CHECK enum archive_end query_copy_in(struct query *query, const char *sql, const char *bytes,
                                          size_t size);

MUST_CHECK bool query_int4(const struct query *query, int column, int32_t *ret);
MUST_CHECK bool query_int8(const struct query *query, int column, int64_t *ret);
MUST_CHECK bool query_time(const struct query *query, int column, int64_t *ret_us);
MUST_CHECK bool query_bool(const struct query *query, int column, bool *ret);
/* Not terminated. */
MUST_CHECK bool query_text(const struct query *query, int column, const char **ret,
                           size_t *ret_size);

/* "DATABASE: ..." into the error; returns `end`. */
__attribute__((format(printf, 3, 4))) enum archive_end query_say(struct query *query,
                                                                 enum archive_end end,
                                                                 const char *format, ...);

#endif
