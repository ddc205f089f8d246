/* SPDX-License-Identifier: MIT
 *
 * rows.h - a record of "Transacoes", as the journal has it.
 *
 * Purpose    One list of columns, and one reading of them, for all who walk through a history.
 * Invariant  A record that was read is journal_record_sane(). Its sequence is its "Id": its account's
 *            own count.
 * Ownership  Borrows the query's row; sentences are constants.
 * Threads    One.
 * Errors     A sentence for what is wrong with the row, whatever the server holds.
 * Not here   Whether the record follows from those before it: bank/journal.h.
 */
#ifndef CREBITO_STORE_POSTGRES_ROWS_H
#define CREBITO_STORE_POSTGRES_ROWS_H

#include <stdint.h>

#include "bank/journal.h"
#include "must_check.h"
#include "store/postgres/query.h"

/* Of "Transacoes" t. The casts change nothing, unless somebody changed the table. */
#define ROWS_COLUMNS                                             \
    "t.\"ClienteId\"::int4, t.\"Id\"::int8, t.\"Tipo\"::text, "  \
    "t.\"Valor\"::int8, t.\"Saldo\"::int8, t.\"Limite\"::int8, " \
    "t.\"RealizadoEm\"::timestamptz, t.\"Descricao\"::text"

enum { /* in this order, from the first column on */
       ROWS_CLIENT,
       ROWS_ID,
       ROWS_KIND,
       ROWS_AMOUNT,
       ROWS_BALANCE,
       ROWS_LIMIT,
       ROWS_TIME,
       ROWS_DESCRIPTION,
       ROWS_COUNT, /* where the next column stands */
};

/* NULL: the row at hand is in *ret. Its previous_sequence is the number before its own. */
MUST_CHECK const char *rows_record(const struct query *query, struct journal_record *ret);

#endif
