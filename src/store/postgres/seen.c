/* SPDX-License-Identifier: MIT
 *
 * seen.c - see seen.h.
 */
#include "store/postgres/seen.h"

#include <stdlib.h>

#define BITS (UINT64_C(1) << 28) /* 32 MiB, of which only what is used is touched */

enum { PROBES = 4, WORD_BITS = 64 };

bool seen_open(struct seen *seen)
{
    seen->words = calloc(BITS / WORD_BITS, sizeof *seen->words);
    return seen->words != NULL;
}

void seen_close(struct seen *seen)
{
    free(seen->words);
    seen->words = NULL;
}

/* The finalizer of splitmix64: each bit in changes half of those out. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static uint64_t hash(uint32_t client, const char *key, size_t bytes)
{
    uint64_t sum = mix(client + UINT64_C(0x9e3779b97f4a7c15));
    for (size_t i = 0; i < bytes; i++) /* FNV-1a */
        sum = (sum ^ (unsigned char)key[i]) * UINT64_C(1099511628211);
    return mix(sum);
}

static uint64_t probe(uint64_t sum, int number)
{
    return mix(sum + (uint64_t)number * UINT64_C(0x9e3779b97f4a7c15)) % BITS;
}

void seen_add(struct seen *seen, uint32_t client, const char *key, size_t bytes)
{
    uint64_t sum = hash(client, key, bytes);
    for (int i = 0; i < PROBES; i++) {
        uint64_t bit = probe(sum, i);
        seen->words[bit / WORD_BITS] |= UINT64_C(1) << bit % WORD_BITS;
    }
}

bool seen_maybe(const struct seen *seen, uint32_t client, const char *key, size_t bytes)
{
    uint64_t sum = hash(client, key, bytes);
    for (int i = 0; i < PROBES; i++) {
        uint64_t bit = probe(sum, i);
        if (!(seen->words[bit / WORD_BITS] >> bit % WORD_BITS & 1))
            return false;
    }
    return true;
}
