/* SPDX-License-Identifier: MIT
 *
 * sqlstate.h - what an error of the server means to the bank.
 *
 * Purpose    The one table from SQLSTATE (the manual's appendix A) to outcome.
 * Invariant  Only for errors that the server has answered, so that the call is rolled back: none of
 *            them is OUTCOME_OK or OUTCOME_UNKNOWN. An end of the connection is not one of these.
 * Ownership  Constants.
 * Threads    Constants.
 * Errors     These are the errors.
 * Not here   Whether the connection can still be used after it: only that it is better not to.
 */
#ifndef CREBITO_STORE_POSTGRES_SQLSTATE_H
#define CREBITO_STORE_POSTGRES_SQLSTATE_H

#include <stdbool.h>

#include "bank/outcome.h"

/* `state`: five characters, or NULL. */
enum outcome sqlstate_outcome(const char *state);

/* Did it take too long, for a lock that somebody else holds or otherwise? */
bool sqlstate_is_timeout(const char *state);

/* Does it say that what was prepared, or the schema, is not what it was when we connected? */
bool sqlstate_is_stale(const char *state);

#endif
