/* SPDX-License-Identifier: MIT
 *
 * wire.h - values as PostgreSQL sends and takes them in binary.
 *
 * Purpose    Parameters without quoting, results without parsing: integers, texts, and
 *            one-dimensional arrays of them (the manual's 55.2.2 and array_send(); big-endian).
 * Invariant  wire_out_sane(): what was written fits. What is read is never beyond its end, whatever
 *            the server sent.
 * Ownership  Callers own the buffers; texts that are read point into the result.
 * Threads    No shared state.
 * Errors     Reading returns false for what is not of the type asked for.
 * Not here   Statements, results: call.h.
 */
#ifndef CREBITO_STORE_POSTGRES_WIRE_H
#define CREBITO_STORE_POSTGRES_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "must_check.h"

enum wire_type { /* the server's OIDs (pg_type.dat) */
                 WIRE_INT8 = 20,
                 WIRE_INT4 = 23,
                 WIRE_TEXT = 25,
};

enum {
    WIRE_ARRAY_HEAD_BYTES = 20,
    WIRE_LENGTH_BYTES = 4,
};

/* [0, bytes) written | [bytes, size) room */
struct wire_out {
    char *at;
    size_t bytes, size;
};

bool wire_out_sane(const struct wire_out *out);

void wire_put_int2(struct wire_out *out, int16_t value);
void wire_put_int4(struct wire_out *out, int32_t value);
void wire_put_int8(struct wire_out *out, int64_t value);

/* timestamptz; INT64_MIN is -infinity. */
void wire_put_time(struct wire_out *out, int64_t time_us);

/* An array: its head, and then `count` elements. */
void wire_put_array(struct wire_out *out, enum wire_type type, uint32_t count, bool has_null);
void wire_put_element_int4(struct wire_out *out, int32_t value);
void wire_put_element_int8(struct wire_out *out, int64_t value);
void wire_put_element_text(struct wire_out *out, const char *text, size_t bytes);
void wire_put_element_null(struct wire_out *out);

MUST_CHECK bool wire_get_int4(const char *value, int bytes, int32_t *ret);
MUST_CHECK bool wire_get_int8(const char *value, int bytes, int64_t *ret);

/* timestamptz, as Unix time in microseconds. */
MUST_CHECK bool wire_get_time(const char *value, int bytes, int64_t *ret_us);

/* An array that is being read: elements are taken one by one. */
struct wire_array {
    const char *at, *end;
    uint32_t left;
};

MUST_CHECK bool wire_get_array(struct wire_array *ret, enum wire_type type, const char *value,
                               int bytes);
/* *ret_value NULL: the element is NULL. False: there is none left, or it is cut off. */
MUST_CHECK bool wire_next(struct wire_array *array, const char **ret_value, int *ret_bytes);

#endif
