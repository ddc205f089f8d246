/* SPDX-License-Identifier: MIT
 *
 * csv.c - see csv.h.
 */
#include "exchange/csv.h"

#include <assert.h>
#include <string.h>

#include "exchange/record_text.h"
#include "text/text.h"

#define NAMES "sequence,client,kind,amount_cents,balance_cents,limit_cents,time,description,key\n"

enum {
    COLUMNS = 9,
    NUMBER_BYTES_MAX = 20, /* of an int64_t */
    NUMBERS = 5,
    KIND_BYTES_MAX = 8,
};

/* In quotes, with each byte a quote that is doubled. */
static_assert(NUMBERS * NUMBER_BYTES_MAX + KIND_BYTES_MAX + TEXT_TIME_BYTES +
                      (2 * DESCRIPTION_BYTES_MAX + 2) + (2 * KEY_BYTES_MAX + 2) + COLUMNS <=
                  CSV_ROW_BYTES_MAX,
              "the largest row fits");
static_assert(sizeof NAMES <= CSV_ROW_BYTES_MAX, "so do the names");

static void add_text(struct text *text, const char *bytes, size_t size)
{
    size_t plain = 0;
    while (plain < size && bytes[plain] != ',' && bytes[plain] != '"' && bytes[plain] != '\r' &&
           bytes[plain] != '\n')
        plain++;
    if (plain == size) {
        text_add_bytes(text, bytes, size);
        return;
    }
    text_add_bytes(text, "\"", 1);
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == '"')
            text_add_bytes(text, "\"", 1);
        text_add_bytes(text, bytes + i, 1);
    }
    text_add_bytes(text, "\"", 1);
}

size_t csv_write_names(char to[CSV_ROW_BYTES_MAX])
{
    memcpy(to, NAMES, sizeof NAMES - 1);
    return sizeof NAMES - 1;
}

size_t csv_write_record(char to[CSV_ROW_BYTES_MAX], const struct archive_record *record)
{
    const struct journal_record *journal = &record->journal;
    struct text text = text_in(to, CSV_ROW_BYTES_MAX);

    text_add_number(&text, (int64_t)journal->sequence);
    text_add_bytes(&text, ",", 1);
    text_add_number(&text, journal->client);
    text_add_bytes(&text, ",", 1);
    text_add(&text, kind_name(journal->kind));
    text_add_bytes(&text, ",", 1);
    if (journal_moves_money(journal->kind))
        text_add_number(&text, journal->entry.amount_cents);
    text_add_bytes(&text, ",", 1);
    text_add_number(&text, journal->balance_cents);
    text_add_bytes(&text, ",", 1);
    text_add_number(&text, journal->limit_cents);
    text_add_bytes(&text, ",", 1);
    text_add_time(&text, journal->entry.time_us);
    text_add_bytes(&text, ",", 1);
    add_text(&text, journal->entry.description, journal->entry.description_bytes);
    text_add_bytes(&text, ",", 1);
    add_text(&text, record->key, record->key_bytes);
    text_add_bytes(&text, "\n", 1);
    return text_bytes(&text);
}
