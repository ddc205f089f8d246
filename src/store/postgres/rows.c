/* SPDX-License-Identifier: MIT
 *
 * rows.c - see rows.h.
 */
#include "store/postgres/rows.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static bool kind_of(const char *text, size_t bytes, enum journal_kind *ret)
{
    if (bytes != 1)
        return false;
    switch (text[0]) {
    case JOURNAL_OPENING: *ret = JOURNAL_OPENING; return true;
    case JOURNAL_LIMIT: *ret = JOURNAL_LIMIT; return true;
    case JOURNAL_CREDIT: *ret = JOURNAL_CREDIT; return true;
    case JOURNAL_DEBIT: *ret = JOURNAL_DEBIT; return true;
    }
    return false;
}

/* In UTF-8, which the server sees to. */
static size_t code_points(const char *text, size_t bytes)
{
    size_t points = 0;
    for (size_t i = 0; i < bytes; i++)
        points += ((unsigned char)text[i] & 0xc0) != 0x80;
    return points;
}

static const char *add_entry(struct journal_record *record, const char *text, size_t bytes)
{
    if (!journal_moves_money(record->kind))
        return bytes == 0 ? NULL : "it has a description, and moves no money";
    if (code_points(text, bytes) > DESCRIPTION_POINTS_MAX || bytes > DESCRIPTION_BYTES_MAX)
        return "its description is longer than 10 characters";
    if (bytes == 0)
        return "its description is empty";
    record->entry.kind = (enum entry_kind)record->kind;
    record->entry.description_bytes = (uint8_t)bytes;
    memcpy(record->entry.description, text, bytes);
    return NULL;
}

const char *rows_record(const struct query *query, struct journal_record *ret)
{
    struct journal_record record = {.sequence = 0};
    const char *kind, *description;
    size_t kind_bytes, description_bytes;
    int32_t client;
    int64_t id;
    if (!query_int4(query, ROWS_CLIENT, &client) || !query_int8(query, ROWS_ID, &id) ||
        !query_text(query, ROWS_KIND, &kind, &kind_bytes) ||
        !query_int8(query, ROWS_AMOUNT, &record.entry.amount_cents) ||
        !query_int8(query, ROWS_BALANCE, &record.balance_cents) ||
        !query_int8(query, ROWS_LIMIT, &record.limit_cents) ||
        !query_time(query, ROWS_TIME, &record.entry.time_us) ||
        !query_text(query, ROWS_DESCRIPTION, &description, &description_bytes))
        return "a value is missing in it, or out of every range";
    if (client < 1 || id < 1)
        return "its numbers do not begin at 1";
    record.client = (uint32_t)client;
    record.sequence = (uint64_t)id;
    record.previous_sequence = record.sequence - 1;
    if (!kind_of(kind, kind_bytes, &record.kind))
        return "it is of no known kind";
    const char *wrong = add_entry(&record, description, description_bytes);
    if (wrong)
        return wrong;
    if (!journal_record_sane(&record))
        return "its amount, balance or limit is none that a ledger has";
    *ret = record;
    return NULL;
}
