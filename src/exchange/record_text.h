/* SPDX-License-Identifier: MIT
 *
 * record_text.h - what of a record is text: its description, its key, its time, its kind's name.
 *
 * Purpose    One rule for what may be written and what may be read, so that whatever is exported
 *            can be imported.
 * Invariant  None.
 * Ownership  Borrows everything; names and sentences are constants.
 * Threads    No shared state.
 * Errors     False, NULL, or a sentence.
 * Not here   A format (jsonl.h, csv.h); numbers and the order of records (bank/journal.h).
 */
#ifndef CREBITO_EXCHANGE_RECORD_TEXT_H
#define CREBITO_EXCHANGE_RECORD_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "must_check.h"
#include "store/archive.h"

/* 1 to 10 code points of valid UTF-8, none of them U+0000. */
bool description_sane(const char *bytes, size_t size);

/* 1 to 64 visible ASCII characters. */
bool key_sane(const char *bytes, size_t size);

/* From 1970 to the end of 9999: no bank was open before, and no text says what is after. */
bool time_sane(int64_t time_us);
MUST_CHECK bool time_read(const char *bytes, size_t size, int64_t *ret_us);

const char *kind_name(enum journal_kind kind);
MUST_CHECK bool kind_read(const char *name, enum journal_kind *ret);

/* NULL: the record can be said. Its journal_record_sane() holds. */
MUST_CHECK const char *record_text_wrong(const struct archive_record *record);

#endif
