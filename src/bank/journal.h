/* SPDX-License-Identifier: MIT
 *
 * journal.h - the ledger's history: one record for each change of an account.
 *
 * Purpose    What a record says, and whether it follows from those before it: the rule that an
 *            audit, a copy and an import hold each record to. It is the ledger's own rule
 *            (ledger.h), read from the other end.
 * Invariant  history_sane() before and after journal_follow(), whatever the record.
 * Ownership  Callers own every struct; sentences are constants.
 * Threads    No shared state.
 * Errors     A sentence for what is wrong with a record; *history is then unchanged.
 * Not here   Bytes, checksums, tables: a store's. Who may change a limit.
 */
#ifndef CREBITO_BANK_JOURNAL_H
#define CREBITO_BANK_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "bank/ledger.h"
#include "must_check.h"

enum journal_kind { /* the values are what is stored */
                    JOURNAL_OPENING =
                        'o', /* the account came to be; balance_cents is its opening balance */
                    JOURNAL_LIMIT = 'l', /* its credit limit became limit_cents */
                    JOURNAL_CREDIT = ENTRY_CREDIT,
                    JOURNAL_DEBIT = ENTRY_DEBIT,
};

struct journal_record {
    uint64_t sequence;          /* 1, 2, 3 ... without a gap, over all accounts */
    uint64_t previous_sequence; /* of this client's previous record; 0 for its first */
    uint32_t client;
    enum journal_kind kind;
    int64_t limit_cents;   /* of the account, after this */
    int64_t balance_cents; /* of the account, after this */
    struct entry entry;    /* its kind repeats `kind`; without money only time_us means anything */
};

/* One account, as far as its records have been followed. */
struct history {
    uint64_t last_sequence; /* 0: none yet, and then all else but `client` is 0 as well */
    uint64_t entries;       /* of its records, those that moved money */
    int64_t last_time_us;   /* times of one account rise; those of two may be equal */
    int64_t limit_cents;
    int64_t balance_cents;
    int64_t opening_balance_cents;
    uint32_t client;
};

/* Is it a credit or a debit? */
bool journal_moves_money(enum journal_kind kind);

/* Could the ledger have written these members, whatever came before? */
bool journal_record_sane(const struct journal_record *record);

bool history_sane(const struct history *history);

/* `record` is of this account, and journal_record_sane(). NULL: it follows, and *history now
 * includes it. */
MUST_CHECK const char *journal_follow(struct history *history, const struct journal_record *record);

#endif
