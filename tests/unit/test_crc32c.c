/* SPDX-License-Identifier: MIT
 *
 * test_crc32c.c - the checksum of everything on disk: a value that has been written once must be
 * computed again on any machine.
 */
#include "unit.h"

#include <string.h>

/* What the processor has, and what the code is told that it has. */
static bool processor_has_sse42(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("sse4.2");
#else
    return false;
#endif
}
static bool told_of_sse42;
/* NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
#define __builtin_cpu_supports(name) told_of_sse42

/* The two ways to compute it are static. NOLINTNEXTLINE(bugprone-suspicious-include) */
#include "store/lmdb/crc32c.c"

/* RFC 3720, appendix B.4: an iSCSI read command. */
static const uint8_t read_command[48] = {
    0x01, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x18,
    0x28, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
};

/* The definition: one bit at a time. */
static uint32_t by_definition(const uint8_t *bytes, size_t size)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
    }
    return ~crc;
}

static void expect_vectors(void)
{
    uint8_t zeros[32], ones[32], rising[32], falling[32];
    for (size_t i = 0; i < 32; i++) {
        zeros[i] = 0;
        ones[i] = 0xff;
        rising[i] = (uint8_t)i;
        falling[i] = (uint8_t)(31 - i);
    }
    assert_int_equal(crc32c_extend(0, zeros, 32), 0x8a9136aa);
    assert_int_equal(crc32c_extend(0, ones, 32), 0x62a8ab43);
    assert_int_equal(crc32c_extend(0, rising, 32), 0x46dd794e);
    assert_int_equal(crc32c_extend(0, falling, 32), 0x113fdb5c);
    assert_int_equal(crc32c_extend(0, read_command, 48), 0xd9963a56);
    assert_int_equal(crc32c_extend(0, "123456789", 9), 0xe3069283);
}

static void the_vectors_of_rfc_3720_come_out_on_every_processor(void **state)
{
    (void)state;
    told_of_sse42 = false;
    expect_vectors();
    told_of_sse42 = processor_has_sse42();
    expect_vectors();
}

static void no_bytes_change_nothing(void **state)
{
    (void)state;
    assert_int_equal(crc32c_extend(0, "", 0), 0);
    assert_int_equal(crc32c_extend(0x12345678, "", 0), 0x12345678);
    assert_int_equal(extend_portable(0x12345678, read_command, 0), 0x12345678);
}

static void every_split_of_two_and_of_three_gives_the_same(void **state)
{
    (void)state;
    for (size_t first = 0; first <= sizeof read_command; first++) {
        uint32_t crc = crc32c_extend(0, read_command, first);
        for (size_t second = 0; first + second <= sizeof read_command; second++) {
            uint32_t more = crc32c_extend(crc, read_command + first, second);
            more = crc32c_extend(more, read_command + first + second,
                                 sizeof read_command - first - second);
            assert_int_equal(more, 0xd9963a56);
        }
    }
}

static void portable_is_as_the_definition_has_it(void **state)
{
    (void)state;
    uint8_t bytes[300];
    random_begin();
    random_fill(bytes, sizeof bytes);
    for (size_t size = 0; size < sizeof bytes; size++)
        assert_int_equal(extend_portable(0, bytes, size), by_definition(bytes, size));
}

/* Every length to 300 and every alignment to 16. */
static void hardware_and_portable_agree(void **state)
{
    (void)state;
#if defined(__x86_64__)
    if (!processor_has_sse42())
        skip();
    uint8_t bytes[316];
    random_begin();
    random_fill(bytes, sizeof bytes);
    for (size_t offset = 0; offset < 16; offset++) {
        for (size_t size = 0; size + offset < sizeof bytes; size++) {
            uint32_t before = (uint32_t)random_next();
            assert_int_equal(extend_sse42(before, bytes + offset, size),
                             extend_portable(before, bytes + offset, size));
        }
    }
#else
    skip();
#endif
}

static void a_flipped_bit_always_shows(void **state)
{
    (void)state;
    uint8_t bytes[sizeof read_command];
    memcpy(bytes, read_command, sizeof bytes);
    for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_not_equal(crc32c_extend(0, bytes, sizeof bytes), 0xd9963a56);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

int main(void)
{
    told_of_sse42 = processor_has_sse42();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_rfc_3720_come_out_on_every_processor),
        cmocka_unit_test(no_bytes_change_nothing),
        cmocka_unit_test(every_split_of_two_and_of_three_gives_the_same),
        cmocka_unit_test(portable_is_as_the_definition_has_it),
        cmocka_unit_test(hardware_and_portable_agree),
        cmocka_unit_test(a_flipped_bit_always_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
