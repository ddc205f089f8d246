/* SPDX-License-Identifier: MIT
 *
 * csv.h - journal records as the rows of a table (RFC 4180, lines ended by LF).
 *
 * Purpose    An export for spreadsheets and databases; docs/decisions/0010-exchange.md says what
 *            to beware of in the former.
 * Invariant  Every row has the columns of the first, empty where a record has nothing to say.
 * Ownership  Writes the caller's memory.
 * Threads    No shared state.
 * Errors     None: what is written has been judged (record_text.h), and the bound is asserted.
 * Not here   Reading it back: what is to be imported is exported as JSON Lines (jsonl.h).
 */
#ifndef CREBITO_EXCHANGE_CSV_H
#define CREBITO_EXCHANGE_CSV_H

#include <stddef.h>

#include "store/archive.h"

enum { CSV_ROW_BYTES_MAX = 512 };

/* Each returns how many bytes it wrote, its newline included. */
size_t csv_write_names(char to[CSV_ROW_BYTES_MAX]);
size_t csv_write_record(char to[CSV_ROW_BYTES_MAX], const struct archive_record *record);

#endif
