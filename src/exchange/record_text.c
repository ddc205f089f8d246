/* SPDX-License-Identifier: MIT
 *
 * record_text.c - see record_text.h.
 */
#include "exchange/record_text.h"

#include <string.h>

#include "bank/bounds.h"
#include "text/time.h"

#define TIME_END_US INT64_C(253402300800000000) /* 10000-01-01T00:00:00Z */

/* The size of the code point that begins here (RFC 3629); 0 if none does. */
static size_t code_point_bytes(const unsigned char *at, size_t left)
{
    unsigned char first = at[0];
    size_t size = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (first > 0xf4 || size > left)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (first == 0xe0 && at[1] < 0xa0) || (first == 0xf0 && at[1] < 0x90);
    bool surrogate = first == 0xed && at[1] > 0x9f;
    bool past_the_last = first == 0xf4 && at[1] > 0x8f;
    return overlong || surrogate || past_the_last ? 0 : size;
}

bool description_sane(const char *bytes, size_t size)
{
    const unsigned char *at = (const unsigned char *)bytes;
    size_t points = 0;
    while (size > 0 && points <= DESCRIPTION_POINTS_MAX) {
        size_t taken = *at == '\0' ? 0 : code_point_bytes(at, size);
        if (taken == 0)
            return false;
        at += taken;
        size -= taken;
        points++;
    }
    return points >= 1 && points <= DESCRIPTION_POINTS_MAX;
}

bool key_sane(const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] < 0x21 || bytes[i] > 0x7e)
            return false;
    return size >= 1 && size <= KEY_BYTES_MAX;
}

bool time_sane(int64_t time_us)
{
    return time_us >= 0 && time_us < TIME_END_US;
}

bool time_read(const char *bytes, size_t size, int64_t *ret_us)
{
    int64_t time_us;
    if (!time_parse(bytes, size, &time_us) || !time_sane(time_us))
        return false;
    *ret_us = time_us;
    return true;
}

static const struct {
    enum journal_kind kind;
    const char *name;
} kinds[] = {
    {JOURNAL_OPENING, "opening"},
    {JOURNAL_LIMIT, "limit"},
    {JOURNAL_CREDIT, "credit"},
    {JOURNAL_DEBIT, "debit"},
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

const char *kind_name(enum journal_kind kind)
{
    for (size_t i = 0; i < KINDS; i++)
        if (kinds[i].kind == kind)
            return kinds[i].name;
    return NULL;
}

bool kind_read(const char *name, enum journal_kind *ret)
{
    for (size_t i = 0; i < KINDS; i++)
        if (strcmp(kinds[i].name, name) == 0) {
            *ret = kinds[i].kind;
            return true;
        }
    return false;
}

const char *record_text_wrong(const struct archive_record *record)
{
    const struct entry *entry = &record->journal.entry;
    bool is_money = journal_moves_money(record->journal.kind);
    if (!time_sane(entry->time_us))
        return "its time is not between 1970 and 9999";
    if (is_money && !description_sane(entry->description, entry->description_bytes))
        return "its description is not 1 to 10 characters of UTF-8";
    if (record->key_bytes > 0 && !(is_money && key_sane(record->key, record->key_bytes)))
        return "its key is not 1 to 64 visible ASCII characters, or it may have none";
    return NULL;
}
