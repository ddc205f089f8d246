/* SPDX-License-Identifier: MIT
 *
 * sqlstate.c - see sqlstate.h.
 */
#include "store/postgres/sqlstate.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *state; /* all five characters, or the first two: a class */
    enum outcome outcome;
    bool stale;
} states[] = {
    {"53100", OUTCOME_NO_SPACE, false}, /* disk_full */
    {"53", OUTCOME_BUSY, false},        /* out of memory, of locks, of connections */
    {"40", OUTCOME_BUSY, false},        /* deadlock, serialization failure: not ours, somebody's */
    {"23", OUTCOME_CORRUPT, false},     /* a constraint: the account is not what its rows say */
    {"22", OUTCOME_CORRUPT, false},     /* a number out of range: likewise */
    {"XX001", OUTCOME_CORRUPT, false},  /* data_corrupted */
    {"XX002", OUTCOME_CORRUPT, false},  /* index_corrupted */
    {"57014", OUTCOME_DOWN, false},     /* query_canceled: the statement timeout */
    {"55P03", OUTCOME_DOWN, false},     /* lock_not_available */
    {"25006", OUTCOME_DOWN, true},      /* read_only_sql_transaction: a standby now */
    {"26000", OUTCOME_DOWN, true},      /* invalid_sql_statement_name */
    {"0A000", OUTCOME_DOWN, true},      /* feature_not_supported: "cached plan must not change" */
    {"3F000", OUTCOME_DOWN, true},      /* invalid_schema_name */
    {"42", OUTCOME_DOWN, true},         /* undefined table or function, insufficient privilege */
};

static size_t find(const char *state)
{
    size_t i = 0;
    while (i < sizeof states / sizeof states[0] &&
           (!state || strncmp(state, states[i].state, strlen(states[i].state)) != 0))
        i++;
    return i;
}

enum outcome sqlstate_outcome(const char *state)
{
    size_t i = find(state);
    return i < sizeof states / sizeof states[0] ? states[i].outcome : OUTCOME_DOWN;
}

bool sqlstate_is_timeout(const char *state)
{
    return state && (strcmp(state, "57014") == 0 || strcmp(state, "55P03") == 0);
}

bool sqlstate_is_stale(const char *state)
{
    size_t i = find(state);
    return i < sizeof states / sizeof states[0] && states[i].stale;
}
