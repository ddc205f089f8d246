/* SPDX-License-Identifier: MIT
 *
 * outcome.h - how a question to the bank can end.
 *
 * Purpose    Name every ending once; each layer maps it with a switch that has no default.
 * Invariant  Only OUTCOME_OK moved money (or, replayed, moved it before). After every other one
 *            but OUTCOME_UNKNOWN nothing has happened and nothing will.
 * Ownership  Plain values.
 * Threads    Plain values.
 * Errors     These are the errors.
 * Not here   HTTP statuses and wire names (http/problem.c), SQLSTATEs.
 */
#ifndef CREBITO_BANK_OUTCOME_H
#define CREBITO_BANK_OUTCOME_H

enum outcome {
    OUTCOME_OK,
    OUTCOME_NO_CLIENT,      /* there is no such account */
    OUTCOME_CLIENT_EXISTS,  /* there is such an account already */
    OUTCOME_LIMIT_EXCEEDED, /* the balance would be below -limit */
    OUTCOME_BALANCE_MAX,    /* the credit would take the balance past CENTS_MAX */
    OUTCOME_KEY_REUSED,     /* the idempotency key belongs to another payload */
    OUTCOME_BUSY,           /* the queue is full: refused before anything began */
    OUTCOME_NO_SPACE,       /* the disk or the map is full: rolled back */
    OUTCOME_DOWN,           /* the store has latched down, or lost its server */
    OUTCOME_CORRUPT,        /* what the store holds breaks an invariant: refused */
    OUTCOME_UNKNOWN,        /* the commit's fate is not known; a retry with a key settles it */
};

#endif
