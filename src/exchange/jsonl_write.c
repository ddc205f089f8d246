/* SPDX-License-Identifier: MIT
 *
 * jsonl_write.c - see jsonl.h: writing.
 */
#include <assert.h>

#include "exchange/jsonl.h"
#include "exchange/record_text.h"
#include "text/text.h"

enum {
    NUMBER_BYTES_MAX = 20, /* of an int64_t */
    NUMBERS = 5,
    ESCAPED = 6, /* bytes that one byte of a string may take */
};

#define EMPTY_RECORD                                                                        \
    "{\"sequence\":,\"client\":,\"kind\":\"opening\",\"amount_cents\":,\"balance_cents\":," \
    "\"limit_cents\":,\"time\":\"\",\"description\":\"\",\"key\":\"\"}\n"

static_assert((int)sizeof EMPTY_RECORD + NUMBERS * NUMBER_BYTES_MAX + TEXT_TIME_BYTES +
                      ESCAPED * (DESCRIPTION_BYTES_MAX + KEY_BYTES_MAX) <=
                  JSONL_WRITTEN_BYTES_MAX,
              "the largest record fits");
static_assert((int)JSONL_WRITTEN_BYTES_MAX <= (int)JSONL_LINE_BYTES_MAX,
              "what is written can be read");

size_t jsonl_write_header(char to[JSONL_WRITTEN_BYTES_MAX], int64_t created_us, bool complete)
{
    struct text text = text_in(to, JSONL_WRITTEN_BYTES_MAX);
    text_add(&text, "{\"kind\":\"ledger\",\"format\":");
    text_add_number(&text, JSONL_FORMAT);
    text_add(&text, ",\"created\":\"");
    text_add_time(&text, created_us);
    text_add(&text, complete ? "\",\"complete\":true}\n" : "\",\"complete\":false}\n");
    return text_bytes(&text);
}

size_t jsonl_write_record(char to[JSONL_WRITTEN_BYTES_MAX], const struct archive_record *record)
{
    const struct journal_record *journal = &record->journal;
    const struct entry *entry = &journal->entry;
    bool is_money = journal_moves_money(journal->kind);
    struct text text = text_in(to, JSONL_WRITTEN_BYTES_MAX);

    text_add(&text, "{\"sequence\":");
    text_add_number(&text, (int64_t)journal->sequence);
    text_add(&text, ",\"client\":");
    text_add_number(&text, journal->client);
    text_add(&text, ",\"kind\":\"");
    text_add(&text, kind_name(journal->kind));
    if (is_money) {
        text_add(&text, "\",\"amount_cents\":");
        text_add_number(&text, entry->amount_cents);
        text_add(&text, ",\"balance_cents\":");
    } else {
        text_add(&text, "\",\"balance_cents\":");
    }
    text_add_number(&text, journal->balance_cents);
    text_add(&text, ",\"limit_cents\":");
    text_add_number(&text, journal->limit_cents);
    text_add(&text, ",\"time\":\"");
    text_add_time(&text, entry->time_us);
    text_add(&text, "\"");
    if (is_money) {
        text_add(&text, ",\"description\":");
        text_add_json(&text, entry->description, entry->description_bytes);
    }
    if (record->key_bytes > 0) {
        text_add(&text, ",\"key\":");
        text_add_json(&text, record->key, record->key_bytes);
    }
    text_add(&text, "}\n");
    return text_bytes(&text);
}

size_t jsonl_write_end(char to[JSONL_WRITTEN_BYTES_MAX], uint64_t records)
{
    struct text text = text_in(to, JSONL_WRITTEN_BYTES_MAX);
    text_add(&text, "{\"kind\":\"end\",\"records\":");
    text_add_number(&text, (int64_t)records);
    text_add(&text, "}\n");
    return text_bytes(&text);
}
