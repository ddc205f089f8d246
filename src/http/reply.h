/* SPDX-License-Identifier: MIT
 *
 * reply.h - the bytes of every answer.
 *
 * Purpose    Status line, fields and body of each kind of reply, into a caller's buffer.
 * Invariant  Content-Length is the body's size; a reply to HEAD is the same without the body. Every
 *            reply fits OUTPUT_BYTES_MAX (bounds.h adds it up).
 * Ownership  Callers own the buffer.
 * Threads    No shared state.
 * Errors     None: what does not fit is a mistake of ours, and asserted.
 * Not here   Which reply is due.
 */
#ifndef CREBITO_HTTP_REPLY_H
#define CREBITO_HTTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bank/ledger.h"
#include "http/problem.h"

enum { REPLY_DATE_BYTES = 29 }; /* "Sun, 06 Nov 1994 08:49:37 GMT" */

/* What a reply's head depends on beside its kind. */
struct reply_head {
    const char *date; /* IMF-fixdate, REPLY_DATE_BYTES */
    bool close;       /* the connection ends after this reply */
    bool keep_alive;  /* say so: the request was HTTP/1.0 and asked for it */
    bool head_only;   /* the request was HEAD */
};

/* Each returns the number of bytes written to `out`. */
size_t reply_continue(char out[OUTPUT_BYTES_MAX]);
size_t reply_healthy(char out[OUTPUT_BYTES_MAX], const struct reply_head *head);
size_t reply_entry(char out[OUTPUT_BYTES_MAX], const struct reply_head *head, int64_t limit_cents,
                   int64_t balance_cents, bool replayed);
size_t reply_statement(char out[OUTPUT_BYTES_MAX], const struct reply_head *head,
                       const struct account *account, int64_t snapshot_us);

/* `detail` NULL: the problem's own. `allow`: for 405, else NULL. */
size_t reply_problem(char out[OUTPUT_BYTES_MAX], const struct reply_head *head,
                     enum problem problem, const char *detail, const char *allow);

/* The current date for struct reply_head. */
void reply_date(char out[REPLY_DATE_BYTES + 1], int64_t unix_s);

#endif
