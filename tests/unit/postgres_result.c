/* SPDX-License-Identifier: MIT
 *
 * postgres_result.c - see postgres_result.h.
 */
#include "postgres_result.h"

#include <string.h>

#include "store/postgres/wire.h"
#include "unit.h"

static char room[1 << 16];
static size_t used;

struct result_value result_bytes(const void *bytes, int count)
{
    char *at = room + used;
    assert_in_range(count, 0, sizeof room - used);
    memcpy(at, bytes, (size_t)count);
    used += (size_t)count;
    return (struct result_value){at, count};
}

struct result_value result_text(const char *text)
{
    return result_bytes(text, (int)strlen(text));
}

struct result_value result_int4(int32_t value)
{
    char bytes[4];
    struct wire_out out = {.at = bytes, .size = sizeof bytes};
    wire_put_int4(&out, value);
    return result_bytes(bytes, sizeof bytes);
}

struct result_value result_int8(int64_t value)
{
    char bytes[8];
    struct wire_out out = {.at = bytes, .size = sizeof bytes};
    wire_put_int8(&out, value);
    return result_bytes(bytes, sizeof bytes);
}

struct result_value result_time(int64_t unix_us)
{
    return result_int8(unix_us - INT64_C(946684800000000));
}

struct result_value result_array(uint32_t type, const struct result_value *elements, int count)
{
    static char bytes[1 << 14];
    struct wire_out out = {.at = bytes, .size = sizeof bytes};
    bool has_null = false;
    for (int i = 0; i < count; i++)
        has_null = has_null || elements[i].count < 0;
    wire_put_array(&out, (enum wire_type)type, (uint32_t)count, has_null);
    for (int i = 0; i < count; i++)
        if (elements[i].count < 0)
            wire_put_element_null(&out);
        else
            wire_put_element_text(&out, elements[i].bytes, (size_t)elements[i].count);
    return result_bytes(bytes, (int)out.bytes);
}

PGresult *result_new(int columns)
{
    static char name[] = "column";
    PGresAttDesc attributes[10];
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    assert_non_null(result);
    assert_in_range(columns, 1, COUNT_OF(attributes));
    for (int i = 0; i < columns; i++)
        attributes[i] = (PGresAttDesc){.name = name, .format = 1, .typlen = -1};
    assert_int_equal(PQsetResultAttrs(result, columns, attributes), 1);
    used = 0;
    return result;
}

/* libpq wants bytes that are not const, and copies them. */
void result_put(PGresult *result, int row, int column, struct result_value value)
{
    char copy[sizeof room / 4];
    assert_in_range(value.count + 1, 0, sizeof copy);
    if (value.count > 0)
        memcpy(copy, value.bytes, (size_t)value.count);
    assert_int_equal(PQsetvalue(result, row, column, value.count < 0 ? NULL : copy, value.count),
                     1);
}
