/* SPDX-License-Identifier: MIT
 *
 * bytes.h - integers and strings, to bytes and back.
 *
 * Purpose    What records on disk and ops on their way between processes are written with.
 * Invariant  Little-endian. A reader never passes its end.
 * Ownership  Borrows the memory.
 * Threads    No shared state.
 * Errors     Writing: callers have added up the worst case. Reading: reader.wrong, once for all.
 * Not here   What the bytes mean.
 */
#ifndef CREBITO_STORE_LMDB_BYTES_H
#define CREBITO_STORE_LMDB_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { STRING_BYTES_MAX = 64 }; /* what get_bytes() may be asked for */

/* --- bytes out ---------------------------------------------------------------------------- */

struct bytes_out {
    uint8_t *start, *at;
};

static inline void put_bytes(struct bytes_out *writer, const void *bytes, size_t size)
{
    memcpy(writer->at, bytes, size);
    writer->at += size;
}

static inline void put_u8(struct bytes_out *writer, unsigned value)
{
    *writer->at++ = (uint8_t)value;
}

static inline void put_u32(struct bytes_out *writer, uint32_t value)
{
    for (int shift = 0; shift < 32; shift += 8)
        put_u8(writer, (value >> shift) & 0xff);
}

static inline void put_u64(struct bytes_out *writer, uint64_t value)
{
    put_u32(writer, (uint32_t)value);
    put_u32(writer, (uint32_t)(value >> 32));
}

static inline void put_i64(struct bytes_out *writer, int64_t value)
{
    put_u64(writer, (uint64_t)value);
}

/* --- bytes in ----------------------------------------------------------------------------- */

struct bytes_in {
    const uint8_t *at, *end;
    bool wrong; /* more was asked for than there is (and zeros were given), or not what must be */
};

static inline const uint8_t *get_bytes(struct bytes_in *reader, size_t size)
{
    static const uint8_t zeros[STRING_BYTES_MAX];
    if ((size_t)(reader->end - reader->at) < size) {
        reader->wrong = true;
        return zeros;
    }
    const uint8_t *bytes = reader->at;
    reader->at += size;
    return bytes;
}

static inline uint8_t get_u8(struct bytes_in *reader)
{
    return *get_bytes(reader, 1);
}

static inline void get_zeros(struct bytes_in *reader, int count)
{
    while (count-- > 0)
        if (get_u8(reader) != 0)
            reader->wrong = true;
}

static inline uint32_t u32_at(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

static inline uint32_t get_u32(struct bytes_in *reader)
{
    return u32_at(get_bytes(reader, 4));
}

static inline uint64_t get_u64(struct bytes_in *reader)
{
    uint64_t low = get_u32(reader);
    return low | (uint64_t)get_u32(reader) << 32;
}

static inline int64_t get_i64(struct bytes_in *reader)
{
    return (int64_t)get_u64(reader);
}

static inline bool finished(const struct bytes_in *reader)
{
    return !reader->wrong && reader->at == reader->end;
}

#endif
