/* SPDX-License-Identifier: MIT
 *
 * crc32c.c - see crc32c.h.
 *
 * A table of 16 steps, four bits at a time: small enough to stay in the cache beside everything
 * else. Where the processor has the instruction it is used: eight bytes at a time.
 */
#include "store/lmdb/crc32c.h"

#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

static uint32_t extend_portable(uint32_t before, const uint8_t *byte, size_t size)
{
    /* nibbles[i]: the CRC of the four bits i, for the reflected polynomial 0x82f63b78. */
    static const uint32_t nibbles[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
        0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };
    uint32_t crc = ~before;
    for (; size > 0; size--, byte++) {
        crc ^= *byte;
        crc = (crc >> 4) ^ nibbles[crc & 15];
        crc = (crc >> 4) ^ nibbles[crc & 15];
    }
    return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t extend_sse42(uint32_t before, const uint8_t *byte,
                                                               size_t size)
{
    uint64_t crc = ~before;
    for (; size >= 8; size -= 8, byte += 8) {
        uint64_t eight;
        memcpy(&eight, byte, 8);
        crc = _mm_crc32_u64(crc, eight);
    }
    for (; size > 0; size--, byte++)
        crc = _mm_crc32_u8((uint32_t)crc, *byte);
    return ~(uint32_t)crc;
}
#endif

uint32_t crc32c_extend(uint32_t crc, const void *bytes, size_t size)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2"))
        return extend_sse42(crc, bytes, size);
#endif
    return extend_portable(crc, bytes, size);
}
