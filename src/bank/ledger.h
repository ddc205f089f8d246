/* SPDX-License-Identifier: MIT
 *
 * ledger.h - the one rule that moves money.
 *
 * Purpose    Decide whether an entry fits an account, or a new limit; if so, apply it. An account
 *            keeps its last entries, so that a statement is one look at one account.
 * Invariant  account_sane() before and after every call: the balance is within
 *            -limit_cents .. CENTS_MAX, recent entries are newest first.
 * Ownership  Callers own every struct; nothing is allocated or kept.
 * Threads    No shared state.
 * Errors     Returned, never logged; unless OUTCOME_OK, *account is unchanged.
 * Not here   Clock, JSON, HTTP, disk. Durability is promised by store.h.
 */
#ifndef CREBITO_BANK_LEDGER_H
#define CREBITO_BANK_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "bank/bounds.h"
#include "bank/outcome.h"
#include "must_check.h"

enum entry_kind { /* the values are what is stored and what is sent */
                  ENTRY_CREDIT = 'c',
                  ENTRY_DEBIT = 'd',
};

struct entry {
    int64_t amount_cents; /* 1 .. CENTS_MAX */
    int64_t time_us;      /* of the commit, since 1970-01-01T00:00:00Z */
    enum entry_kind kind;
    uint8_t description_bytes;               /* 1 .. DESCRIPTION_BYTES_MAX */
    char description[DESCRIPTION_BYTES_MAX]; /* UTF-8, no U+0000, not terminated */
};

struct account {
    int64_t limit_cents;                        /* 0 .. CENTS_MAX */
    int64_t balance_cents;                      /* -limit_cents .. CENTS_MAX */
    uint32_t client;                            /* 1 .. CLIENT_MAX */
    uint32_t recent_count;                      /* 0 .. STATEMENT_ENTRIES_MAX */
    struct entry recent[STATEMENT_ENTRIES_MAX]; /* newest first */
};

bool entry_sane(const struct entry *entry);
bool account_sane(const struct account *account);

/* Do two entries ask for the same thing? (Their times are not compared.) */
bool entry_same_request(const struct entry *a, const struct entry *b);

/* Can there be an account of these? -limit_cents <= balance_cents, and each within its range. */
bool ledger_terms_sane(uint32_t client, int64_t limit_cents, int64_t balance_cents);

/* As ledger_apply(), on a balance alone. */
MUST_CHECK enum outcome ledger_decide(int64_t *balance_cents, int64_t limit_cents,
                                      const struct entry *entry);

/* A debit may take the balance to exactly -limit_cents, a credit to exactly CENTS_MAX.
 * OUTCOME_OK, OUTCOME_LIMIT_EXCEEDED or OUTCOME_BALANCE_MAX. */
MUST_CHECK enum outcome ledger_apply(struct account *account, const struct entry *entry);

/* A limit may be raised, or lowered as far as the present debt: OUTCOME_OK or
 * OUTCOME_LIMIT_EXCEEDED. limit_cents is 0 .. CENTS_MAX. */
MUST_CHECK enum outcome ledger_set_limit(struct account *account, int64_t limit_cents);

#endif
