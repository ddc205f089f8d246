/* SPDX-License-Identifier: MIT
 *
 * wire.c - see wire.h.
 */
#include "store/postgres/wire.h"

#include <assert.h>
#include <string.h>

/* PostgreSQL counts from 2000-01-01, Unix from 1970-01-01. */
#define EPOCH_DIFFERENCE_US INT64_C(946684800000000)

bool wire_out_sane(const struct wire_out *out)
{
    return out->at && out->bytes <= out->size;
}

/* --- writing --------------------------------------------------------------------------------- */

static void put(struct wire_out *out, const void *bytes, size_t count)
{
    assert(wire_out_sane(out) && count <= out->size - out->bytes);
    memcpy(out->at + out->bytes, bytes, count);
    out->bytes += count;
}

static void put_number(struct wire_out *out, uint64_t value, size_t count)
{
    unsigned char bytes[8];
    for (size_t i = 0; i < count; i++)
        bytes[i] = (unsigned char)(value >> (8 * (count - 1 - i)));
    put(out, bytes, count);
}

void wire_put_int2(struct wire_out *out, int16_t value)
{
    put_number(out, (uint16_t)value, 2);
}

void wire_put_int4(struct wire_out *out, int32_t value)
{
    put_number(out, (uint32_t)value, 4);
}

void wire_put_int8(struct wire_out *out, int64_t value)
{
    put_number(out, (uint64_t)value, 8);
}

void wire_put_time(struct wire_out *out, int64_t time_us)
{
    assert(time_us == INT64_MIN || time_us > INT64_MIN + EPOCH_DIFFERENCE_US);
    wire_put_int8(out, time_us == INT64_MIN ? time_us : time_us - EPOCH_DIFFERENCE_US);
}

void wire_put_array(struct wire_out *out, enum wire_type type, uint32_t count, bool has_null)
{
    wire_put_int4(out, count == 0 ? 0 : 1); /* dimensions */
    wire_put_int4(out, has_null);
    wire_put_int4(out, (int32_t)type);
    if (count == 0)
        return;
    wire_put_int4(out, (int32_t)count);
    wire_put_int4(out, 1); /* the first subscript */
}

void wire_put_element_int4(struct wire_out *out, int32_t value)
{
    wire_put_int4(out, 4);
    wire_put_int4(out, value);
}

void wire_put_element_int8(struct wire_out *out, int64_t value)
{
    wire_put_int4(out, 8);
    wire_put_int8(out, value);
}

void wire_put_element_text(struct wire_out *out, const char *text, size_t bytes)
{
    wire_put_int4(out, (int32_t)bytes);
    put(out, text, bytes);
}

void wire_put_element_null(struct wire_out *out)
{
    wire_put_int4(out, -1);
}

/* --- reading --------------------------------------------------------------------------------- */

static uint64_t get_number(const char *value, size_t count)
{
    uint64_t number = 0;
    for (size_t i = 0; i < count; i++)
        number = number << 8 | (unsigned char)value[i];
    return number;
}

bool wire_get_int4(const char *value, int bytes, int32_t *ret)
{
    if (!value || bytes != 4)
        return false;
    *ret = (int32_t)(uint32_t)get_number(value, 4);
    return true;
}

bool wire_get_int8(const char *value, int bytes, int64_t *ret)
{
    if (!value || bytes != 8)
        return false;
    *ret = (int64_t)get_number(value, 8);
    return true;
}

bool wire_get_time(const char *value, int bytes, int64_t *ret_us)
{
    int64_t time;
    if (!wire_get_int8(value, bytes, &time) || time > INT64_MAX - EPOCH_DIFFERENCE_US ||
        time == INT64_MIN)
        return false; /* infinity, for one, and -infinity */
    *ret_us = time + EPOCH_DIFFERENCE_US;
    return true;
}

bool wire_get_array(struct wire_array *ret, enum wire_type type, const char *value, int bytes)
{
    if (!value || bytes < 12)
        return false;
    uint64_t dimensions = get_number(value, 4);
    if (get_number(value + 8, 4) != (uint64_t)type || dimensions > 1 ||
        (dimensions == 1 && bytes < WIRE_ARRAY_HEAD_BYTES))
        return false;
    size_t head = dimensions == 0 ? 12 : WIRE_ARRAY_HEAD_BYTES;
    *ret = (struct wire_array){
        .at = value + head,
        .end = value + bytes,
        .left = dimensions == 0 ? 0 : (uint32_t)get_number(value + 12, 4),
    };
    return true;
}

bool wire_next(struct wire_array *array, const char **ret_value, int *ret_bytes)
{
    if (array->left == 0 || array->end - array->at < WIRE_LENGTH_BYTES)
        return false;
    int32_t bytes = (int32_t)(uint32_t)get_number(array->at, WIRE_LENGTH_BYTES);
    const char *value = array->at + WIRE_LENGTH_BYTES;
    if (bytes < -1 || bytes > array->end - value)
        return false;
    *ret_value = bytes < 0 ? NULL : value;
    *ret_bytes = bytes < 0 ? 0 : bytes;
    array->at = bytes < 0 ? value : value + bytes;
    array->left--;
    return true;
}
