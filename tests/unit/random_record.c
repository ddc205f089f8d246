/* SPDX-License-Identifier: MIT
 *
 * random_record.c - see random_record.h.
 */
#include "random_record.h"

#include <string.h>

#include "unit.h"

static uint32_t random_point(void)
{
    static const char plain[] = "abcXYZ0189 +-=@/", awkward[] = "\"\\,;\r\n\t'\x01\x1f\x7f";
    for (;;) {
        uint32_t point = 0;
        switch (random_between(0, 6)) {
        case 0: return (uint8_t)plain[random_between(0, sizeof plain - 2)];
        case 1: return (uint8_t)awkward[random_between(0, sizeof awkward - 2)];
        case 2: return (uint32_t)random_between(1, 0x7f);
        case 3: return (uint32_t)random_between(0x80, 0x7ff);
        case 4: point = (uint32_t)random_between(0x800, 0xffff); break;
        default: return (uint32_t)random_between(0x10000, 0x10ffff);
        }
        if (point < 0xd800 || point > 0xdfff)
            return point;
    }
}

static uint8_t add_point(char *to, uint32_t point)
{
    if (point < 0x80) {
        to[0] = (char)point;
        return 1;
    }
    uint8_t size = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (int i = size - 1; i > 0; i--, point >>= 6)
        to[i] = (char)(0x80 | (point & 0x3f));
    static const unsigned first[] = {0, 0, 0xc0, 0xe0, 0xf0};
    to[0] = (char)(first[size] | point);
    return size;
}

uint8_t random_description(char to[DESCRIPTION_BYTES_MAX], uint64_t points_max)
{
    uint8_t size = 0;
    for (uint64_t points = random_between(1, points_max); points > 0; points--)
        size = (uint8_t)(size + add_point(to + size, random_point()));
    return size;
}

/* Both ends more often than chance would have it. */
static int64_t random_number(int64_t min, int64_t max)
{
    switch (random_between(0, 9)) {
    case 0: return min;
    case 1: return max;
    case 2: return min + (int64_t)random_between(0, (uint64_t)(max - min) % 1000);
    default: return min + (int64_t)random_between(0, (uint64_t)(max - min));
    }
}

struct archive_record random_record(uint64_t sequence, int64_t time_us)
{
    static const enum journal_kind kinds[] = {JOURNAL_OPENING, JOURNAL_LIMIT, JOURNAL_CREDIT,
                                              JOURNAL_DEBIT};
    struct archive_record record = {.journal = {.sequence = sequence}};
    struct journal_record *journal = &record.journal;
    journal->kind = kinds[random_between(0, COUNT_OF(kinds) - 1)];
    journal->client = (uint32_t)random_number(1, CLIENT_MAX);
    journal->limit_cents = random_number(0, CENTS_MAX);
    journal->balance_cents = random_number(-journal->limit_cents, CENTS_MAX);
    journal->entry.kind = (enum entry_kind)journal->kind;
    journal->entry.time_us = time_us;
    if (!journal_moves_money(journal->kind))
        return record;
    journal->entry.amount_cents = random_number(1, CENTS_MAX);
    journal->entry.description_bytes = random_description(journal->entry.description,
                                                          DESCRIPTION_POINTS_MAX);
    if (random_between(0, 1)) {
        record.key_bytes = (uint8_t)random_number(1, KEY_BYTES_MAX);
        for (int i = 0; i < record.key_bytes; i++)
            record.key[i] = (char)random_between(0x21, 0x7e);
    }
    return record;
}

bool same_record(const struct archive_record *a, const struct archive_record *b)
{
    const struct journal_record *x = &a->journal, *y = &b->journal;
    return x->sequence == y->sequence && x->previous_sequence == y->previous_sequence &&
           x->client == y->client && x->kind == y->kind && x->limit_cents == y->limit_cents &&
           x->balance_cents == y->balance_cents && x->entry.time_us == y->entry.time_us &&
           entry_same_request(&x->entry, &y->entry) && a->key_bytes == b->key_bytes &&
           memcmp(a->key, b->key, a->key_bytes) == 0;
}
