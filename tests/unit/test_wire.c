/* SPDX-License-Identifier: MIT
 *
 * test_wire.c - PostgreSQL's binary values: written as its manual says, read back, and never read beyond
 * their end, whatever a server sends.
 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "store/postgres/wire.h"

static struct wire_out out;
static char written[400];

static int setup(void **state)
{
    (void)state;
    memset(written, '#', sizeof written);
    out = (struct wire_out){.at = written, .size = sizeof written};
    return 0;
}

static void expect_written(const char *bytes, size_t count)
{
    if (out.bytes != count || memcmp(written, bytes, count) != 0)
        FAIL("written: %s\nnot:     %s", shown(written, out.bytes), shown(bytes, count));
    assert_int_equal(written[count], '#');
}
#define EXPECT_WRITTEN(text) expect_written(text, sizeof(text) - 1)

static void integers_are_big_endian_and_in_twos_complement(void **state)
{
    (void)state;
    wire_put_int4(&out, 1);
    wire_put_int4(&out, 0x01020304);
    wire_put_int4(&out, -2);
    wire_put_int4(&out, INT32_MIN);
    EXPECT_WRITTEN("\0\0\0\1\1\2\3\4\xff\xff\xff\xfe\x80\0\0\0");
    out.bytes = 0;
    memset(written, '#', sizeof written);
    wire_put_int2(&out, 0x0102);
    wire_put_int2(&out, -2);
    EXPECT_WRITTEN("\1\2\xff\xfe");
    out.bytes = 0;
    memset(written, '#', sizeof written);
    wire_put_int8(&out, 0x0102030405060708);
    wire_put_int8(&out, -1);
    wire_put_int8(&out, INT64_MIN);
    EXPECT_WRITTEN("\1\2\3\4\5\6\7\x08\xff\xff\xff\xff\xff\xff\xff\xff\x80\0\0\0\0\0\0\0");
}

/* select array_send(ARRAY[1, 2]::int4[]), and so on. */
static void arrays_are_what_array_send_makes_of_them(void **state)
{
    (void)state;
    wire_put_array(&out, WIRE_INT4, 2, false);
    wire_put_element_int4(&out, 1);
    wire_put_element_int4(&out, 2);
    EXPECT_WRITTEN("\0\0\0\1\0\0\0\0\0\0\0\x17\0\0\0\2\0\0\0\1\0\0\0\4\0\0\0\1\0\0\0\4\0\0\0\2");
    (void)setup(NULL);
    wire_put_array(&out, WIRE_INT8, 1, false);
    wire_put_element_int8(&out, 9007199254740991);
    EXPECT_WRITTEN(
        "\0\0\0\1\0\0\0\0\0\0\0\x14\0\0\0\1\0\0\0\1\0\0\0\x08\0\x1f\xff\xff\xff\xff\xff\xff");
    (void)setup(NULL);
    wire_put_array(&out, WIRE_TEXT, 3, true);
    wire_put_element_text(&out, "ol\xc3\xa1", 4);
    wire_put_element_null(&out);
    wire_put_element_text(&out, "", 0);
    EXPECT_WRITTEN("\0\0\0\1\0\0\0\1\0\0\0\x19\0\0\0\3\0\0\0\1\0\0\0\4ol\xc3\xa1\xff\xff\xff\xff\0"
                   "\0\0\0");
    (void)setup(NULL);
    wire_put_array(&out, WIRE_INT4, 0, false);
    EXPECT_WRITTEN("\0\0\0\0\0\0\0\0\0\0\0\x17"); /* '{}' has no dimension */
}

static void write_too_much(const void *argument)
{
    struct wire_out small = {.at = written, .size = *(const size_t *)argument};
    wire_put_element_int8(&small, 7);
}

static void what_does_not_fit_is_our_mistake(void **state)
{
    (void)state;
    for (size_t size = 0; size < 14; size++)
        assert_int_equal(asserts(write_too_much, &size), size < 12);
    assert_true(wire_out_sane(&out));
    out.bytes = out.size;
    assert_true(wire_out_sane(&out));
    out.bytes++;
    assert_false(wire_out_sane(&out));
    out = (struct wire_out){.at = NULL};
    assert_false(wire_out_sane(&out));
}

static void integers_come_back(void **state)
{
    (void)state;
    static const int64_t values[] = {0,         1,         -1,           255,       -256,
                                     INT32_MAX, INT32_MIN, 1LL << 33,    INT64_MAX, INT64_MIN,
                                     8,         0x80,      -0x80000001L, 0x8000,    0x7fffffff00};
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        int32_t small = 7;
        int64_t large = 7;
        out.bytes = 0;
        wire_put_int8(&out, values[i]);
        wire_put_int4(&out, (int32_t)values[i]);
        assert_true(wire_get_int8(written, 8, &large));
        assert_true(wire_get_int4(written + 8, 4, &small));
        assert_int_equal(large, values[i]);
        assert_int_equal(small, (int32_t)values[i]);
    }
}

static void an_integer_of_another_length_or_none_is_refused_and_nothing_is_set(void **state)
{
    (void)state;
    int32_t small = 7;
    int64_t large = 7;
    for (int bytes = -1; bytes < 20; bytes++) {
        assert_int_equal(wire_get_int4(bytes == 4 ? NULL : written, bytes, &small), false);
        assert_int_equal(wire_get_int8(bytes == 8 ? NULL : written, bytes, &large), false);
        assert_int_equal(wire_get_time(bytes == 8 ? NULL : written, bytes, &large), false);
    }
    assert_int_equal(small, 7);
    assert_int_equal(large, 7);
}

static bool time_of(int64_t postgres, int64_t *ret_us)
{
    out.bytes = 0;
    wire_put_int8(&out, postgres);
    return wire_get_time(written, 8, ret_us);
}

static void times_count_from_2000_and_infinity_is_none(void **state)
{
    (void)state;
    int64_t time_us = 7;
    assert_true(time_of(0, &time_us));
    assert_int_equal(time_us, INT64_C(946684800000000)); /* date -d 2000-01-01T00:00Z +%s */
    assert_true(time_of(INT64_C(-946684800000000), &time_us));
    assert_int_equal(time_us, 0);
    assert_true(time_of(INT64_C(758773681217753), &time_us));
    assert_int_equal(time_us, INT64_C(1705458481217753)); /* 2024-01-17T02:28:01.217753Z */
    assert_true(time_of(INT64_MAX - INT64_C(946684800000000), &time_us));
    assert_int_equal(time_us, INT64_MAX);
    time_us = 7;
    assert_false(time_of(INT64_MAX, &time_us)); /* infinity */
    assert_false(time_of(INT64_MAX - INT64_C(946684800000000) + 1, &time_us));
    assert_false(time_of(INT64_MIN, &time_us)); /* -infinity */
    assert_int_equal(time_us, 7);
}

static void write_a_time(const void *argument)
{
    out.bytes = 0;
    wire_put_time(&out, *(const int64_t *)argument);
}

static void times_are_written_as_they_are_read_and_the_first_of_all_is_minus_infinity(void **state)
{
    (void)state;
    static const int64_t times[] = {0, -1, INT64_C(1705458481217753), INT64_MAX,
                                    INT64_MIN + INT64_C(946684800000000) + 1};
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        int64_t time_us;
        out.bytes = 0;
        wire_put_time(&out, times[i]);
        assert_true(wire_get_time(written, 8, &time_us));
        assert_int_equal(time_us, times[i]);
    }
    (void)setup(NULL);
    wire_put_time(&out, INT64_MIN);
    EXPECT_WRITTEN("\x80\0\0\0\0\0\0\0");
    const int64_t too_early[] = {INT64_MIN + 1, INT64_MIN + INT64_C(946684800000000) - 1};
    for (size_t i = 0; i < COUNT_OF(too_early); i++)
        assert_true(asserts(write_a_time, &too_early[i]));
}

/* --- arrays --------------------------------------------------------------------------------- */

/* A copy of exactly as many bytes, so that a sanitizer sees the first one that is read beyond. */
static char *tight(const void *bytes, size_t count)
{
    char *copy = malloc(count > 0 ? count : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, count);
    return copy;
}

static void arrays_come_back_element_by_element(void **state)
{
    (void)state;
    struct wire_array array;
    const char *value;
    int bytes;
    int64_t number;
    wire_put_array(&out, WIRE_TEXT, 3, true);
    wire_put_element_text(&out, "one", 3);
    wire_put_element_null(&out);
    wire_put_element_text(&out, "", 0);
    assert_true(wire_get_array(&array, WIRE_TEXT, written, (int)out.bytes));
    assert_int_equal(array.left, 3);
    assert_true(wire_next(&array, &value, &bytes));
    assert_int_equal(bytes, 3);
    assert_memory_equal(value, "one", 3);
    assert_true(wire_next(&array, &value, &bytes));
    assert_null(value);
    assert_int_equal(bytes, 0);
    assert_true(wire_next(&array, &value, &bytes));
    assert_non_null(value);
    assert_int_equal(bytes, 0);
    assert_false(wire_next(&array, &value, &bytes));

    out.bytes = 0;
    wire_put_array(&out, WIRE_INT8, 256, false);
    for (int i = 0; i < 20; i++)
        wire_put_element_int8(&out, -i);
    assert_true(wire_get_array(&array, WIRE_INT8, written, (int)out.bytes));
    for (int i = 0; i < 20; i++) {
        assert_true(wire_next(&array, &value, &bytes));
        assert_true(wire_get_int8(value, bytes, &number));
        assert_int_equal(number, -i);
    }
    assert_false(wire_next(&array, &value, &bytes)); /* 236 are missing */
}

static void an_empty_array_has_no_element(void **state)
{
    (void)state;
    struct wire_array array;
    const char *value;
    int bytes;
    wire_put_array(&out, WIRE_INT4, 0, false);
    assert_true(wire_get_array(&array, WIRE_INT4, written, (int)out.bytes));
    assert_false(wire_next(&array, &value, &bytes));
    wire_put_element_int4(&out, 7); /* and something behind it */
    assert_true(wire_get_array(&array, WIRE_INT4, written, (int)out.bytes));
    assert_int_equal(array.left, 0);
    assert_false(wire_next(&array, &value, &bytes));
}

static void no_element_is_taken_beyond_the_count(void **state)
{
    (void)state;
    struct wire_array array;
    const char *value;
    int bytes;
    wire_put_array(&out, WIRE_INT4, 2, false);
    for (int i = 0; i < 4; i++)
        wire_put_element_int4(&out, i);
    assert_true(wire_get_array(&array, WIRE_INT4, written, (int)out.bytes));
    assert_true(wire_next(&array, &value, &bytes));
    assert_true(wire_next(&array, &value, &bytes));
    assert_false(wire_next(&array, &value, &bytes));
    assert_int_equal(array.left, 0);
}

static void another_type_or_more_dimensions_are_refused(void **state)
{
    (void)state;
    struct wire_array array = {.left = 7};
    wire_put_array(&out, WIRE_TEXT, 1, false);
    wire_put_element_text(&out, "x", 1);
    static const enum wire_type others[] = {WIRE_INT4, WIRE_INT8};
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_false(wire_get_array(&array, others[i], written, (int)out.bytes));
    static const int dimensions[] = {2, 6, 256, 1 << 24, -1, INT32_MIN};
    for (size_t i = 0; i < COUNT_OF(dimensions); i++) {
        struct wire_out head = {.at = written, .size = 4};
        wire_put_int4(&head, dimensions[i]);
        assert_false(wire_get_array(&array, WIRE_TEXT, written, (int)out.bytes));
    }
    assert_false(wire_get_array(&array, WIRE_TEXT, NULL, 100));
    assert_int_equal(array.left, 7);
}

/* As a server would send ARRAY['one', NULL, 'three'], cut after some bytes. */
static void an_array_that_is_cut_off_is_read_as_far_as_it_goes(void **state)
{
    (void)state;
    wire_put_array(&out, WIRE_TEXT, 3, true);
    wire_put_element_text(&out, "one", 3);
    wire_put_element_null(&out);
    wire_put_element_text(&out, "three", 5);
    size_t ends[] = {20 + 7, 20 + 7 + 4, 20 + 7 + 4 + 9};
    for (size_t count = 0; count <= out.bytes; count++) {
        struct wire_array array;
        const char *value;
        int bytes;
        char *copy = tight(written, count);
        assert_int_equal(wire_get_array(&array, WIRE_TEXT, copy, (int)count), count >= 20);
        for (size_t i = 0; count >= 20 && i < COUNT_OF(ends); i++)
            if (wire_next(&array, &value, &bytes) != (count >= ends[i]))
                FAIL("element %zu of %zu bytes", i, count);
            else if (count < ends[i])
                break;
        free(copy);
    }
    struct wire_array array;
    for (int bytes = -3; bytes < 12; bytes++) /* nor is less than a head one */
        assert_false(wire_get_array(&array, WIRE_TEXT, written, bytes));
}

static void lengths_that_cannot_be_end_the_array(void **state)
{
    (void)state;
    static const int32_t lengths[] = {-2, -3, INT32_MIN, INT32_MAX, 4, 5, 1 << 30};
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        struct wire_array array;
        const char *value = "untouched";
        int bytes = 77;
        out.bytes = 0;
        wire_put_array(&out, WIRE_TEXT, 1, false);
        wire_put_int4(&out, lengths[i]);
        wire_put_int4(&out, 0);
        char *copy = tight(written, out.bytes);
        assert_true(wire_get_array(&array, WIRE_TEXT, copy, (int)out.bytes));
        assert_int_equal(wire_next(&array, &value, &bytes), lengths[i] == 4);
        if (lengths[i] != 4) {
            assert_string_equal(value, "untouched");
            assert_int_equal(bytes, 77);
            assert_int_equal(array.left, 1);
        }
        free(copy);
    }
}

static void counts_that_cannot_be_end_with_the_bytes(void **state)
{
    (void)state;
    static const int32_t counts[] = {2, 1000, INT32_MAX, -1, INT32_MIN};
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        struct wire_array array;
        const char *value;
        int bytes;
        out.bytes = 0;
        wire_put_array(&out, WIRE_INT4, 1, false);
        wire_put_element_int4(&out, 7);
        struct wire_out count = {.at = written + 12, .size = 4};
        wire_put_int4(&count, counts[i]);
        char *copy = tight(written, out.bytes);
        assert_true(wire_get_array(&array, WIRE_INT4, copy, (int)out.bytes));
        assert_true(wire_next(&array, &value, &bytes));
        assert_false(wire_next(&array, &value, &bytes));
        free(copy);
    }
}

static void whatever_bytes_come_none_is_read_beyond_the_end(void **state)
{
    (void)state;
    static const enum wire_type types[] = {WIRE_INT4, WIRE_INT8, WIRE_TEXT};
    unsigned elements = 0;
    random_begin();
    for (int i = 0; i < 50000; i++) {
        char bytes[64];
        size_t count = random_between(0, sizeof bytes);
        enum wire_type type = types[random_next() % COUNT_OF(types)];
        random_fill(bytes, sizeof bytes);
        for (size_t j = 0; i % 4 > 0 && j < sizeof bytes; j++) /* small numbers, mostly */
            bytes[j] = (char)(j % 4 < 3 ? 0 : bytes[j] & 7);
        if (i % 4 > 1) { /* and a good head */
            bytes[3] = 1;
            bytes[11] = (char)type;
        }
        char *copy = tight(bytes, count);
        struct wire_array array;
        if (wire_get_array(&array, type, copy, (int)count)) {
            const char *value;
            int length;
            while (wire_next(&array, &value, &length)) {
                elements++;
                if (value)
                    assert_true(value >= copy && length >= 0 && value + length <= copy + count);
                for (int j = 0; value && j < length; j++)
                    elements += value[j] == 77; /* they are there to be read */
            }
        }
        free(copy);
    }
    assert_in_range(elements, 1000, UINT32_MAX);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(integers_are_big_endian_and_in_twos_complement),
        TEST(arrays_are_what_array_send_makes_of_them),
        TEST(what_does_not_fit_is_our_mistake),
        TEST(integers_come_back),
        TEST(an_integer_of_another_length_or_none_is_refused_and_nothing_is_set),
        TEST(times_count_from_2000_and_infinity_is_none),
        TEST(times_are_written_as_they_are_read_and_the_first_of_all_is_minus_infinity),
        TEST(arrays_come_back_element_by_element),
        TEST(an_empty_array_has_no_element),
        TEST(no_element_is_taken_beyond_the_count),
        TEST(another_type_or_more_dimensions_are_refused),
        TEST(an_array_that_is_cut_off_is_read_as_far_as_it_goes),
        TEST(lengths_that_cannot_be_end_the_array),
        TEST(counts_that_cannot_be_end_with_the_bytes),
        TEST(whatever_bytes_come_none_is_read_beyond_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
