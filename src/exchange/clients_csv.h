/* SPDX-License-Identifier: MIT
 *
 * clients_csv.h - the accounts of a new bank: a table with one row for each.
 *
 * Purpose    Reading rows of id, limit and opening balance (0 where it is missing), in cents. The
 *            first line may name the columns, id,limit or id,limit,balance; spaces and quotes
 *            around a field, CRLF, a byte order mark and blank lines are no fault.
 * Invariant  A row that is returned has ledger_terms_sane().
 * Ownership  The caller owns the lines.
 * Threads    One for each struct lines.
 * Errors     CLIENTS_BAD and a sentence that names the field and its rule; reading goes on with
 *            the next row. The line's number is in the lines.
 * Not here   Whether an id was there before: the store that is built knows (store/archive.h).
 */
#ifndef CREBITO_EXCHANGE_CLIENTS_CSV_H
#define CREBITO_EXCHANGE_CLIENTS_CSV_H

#include <stddef.h>
#include <stdint.h>

#include "exchange/lines.h"
#include "must_check.h"

enum { CLIENTS_LINE_BYTES_MAX = 256 }; /* three times what three numbers take, and more */

struct client_row {
    uint32_t client;
    int64_t limit_cents, balance_cents;
};

enum clients_step {
    CLIENTS_ROW,
    CLIENTS_BAD,
    CLIENTS_END,
    CLIENTS_UNREADABLE,
    CLIENTS_STOPPED, /* task_stopped() */
};

/* `lines` began with CLIENTS_LINE_BYTES_MAX. */
MUST_CHECK enum clients_step clients_csv_next(struct lines *lines, struct client_row *ret,
                                              char *error, size_t error_size);

#endif
