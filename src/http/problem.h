/* SPDX-License-Identifier: MIT
 *
 * problem.h - every way to say no, with its status and wire name.
 *
 * Purpose    The one table between what went wrong inside and what a client reads (RFC 9457).
 * Invariant  Every outcome but OUTCOME_OK has a problem; a type always has the same status.
 * Ownership  Static strings.
 * Threads    Constants.
 * Errors     These are the errors.
 * Not here   Bytes of a reply: reply.h.
 */
#ifndef CREBITO_HTTP_PROBLEM_H
#define CREBITO_HTTP_PROBLEM_H

#include <stdbool.h>

#include "bank/outcome.h"

enum problem {
    PROBLEM_NONE,
    PROBLEM_MALFORMED,
    PROBLEM_JSON,
    PROBLEM_KEY,
    PROBLEM_ROUTE,
    PROBLEM_CLIENT,
    PROBLEM_METHOD_NOT_ALLOWED,
    PROBLEM_TIMEOUT,
    PROBLEM_BODY_TOO_LARGE,
    PROBLEM_FIELD,
    PROBLEM_LIMIT,
    PROBLEM_BALANCE_MAX,
    PROBLEM_KEY_REUSED,
    PROBLEM_FRAMING_TOO_LARGE,
    PROBLEM_METHOD_UNKNOWN,
    PROBLEM_CONNECTIONS,
    PROBLEM_BUSY,
    PROBLEM_NO_SPACE,
    PROBLEM_DOWN,
    PROBLEM_CORRUPT,
    PROBLEM_UNKNOWN,
};

struct problem_text {
    const char *status; /* "422 Unprocessable Content": its number is its first three characters */
    const char *type, *title;
    const char *detail; /* for where there is nothing more exact to say */
    bool retry_after;   /* nothing happened, and the same request may well succeed soon */
};

const struct problem_text *problem_text(enum problem problem);

/* PROBLEM_NONE for OUTCOME_OK. */
enum problem problem_of(enum outcome outcome);

#endif
