/* SPDX-License-Identifier: MIT
 *
 * postgres_result.h - results as a server would send them, or as none should: PGresults of libpq's own,
 * filled value by value, in binary.
 */
#ifndef CREBITO_TESTS_UNIT_POSTGRES_RESULT_H
#define CREBITO_TESTS_UNIT_POSTGRES_RESULT_H

#include <libpq-fe.h>
#include <stdint.h>

/* A value of a row, or an element of an array. */
struct result_value {
    const char *bytes;
    int count; /* -1: NULL */
};

#define RESULT_NULL ((struct result_value){NULL, -1})

/* These live until the next result_new(). */
struct result_value result_text(const char *text);
struct result_value result_bytes(const void *bytes, int count);
struct result_value result_int4(int32_t value);
struct result_value result_int8(int64_t value);
struct result_value result_time(int64_t unix_us);
struct result_value result_array(uint32_t type, const struct result_value *elements, int count);

/* Without rows; the caller's to PQclear(). */
PGresult *result_new(int columns);

/* A value into a row that is there, or the one after the last. */
void result_put(PGresult *result, int row, int column, struct result_value value);

#endif
