/* SPDX-License-Identifier: MIT
 *
 * journal.c - see journal.h.
 */
#include "bank/journal.h"

#include <assert.h>
#include <stddef.h>

bool journal_moves_money(enum journal_kind kind)
{
    return kind == JOURNAL_CREDIT || kind == JOURNAL_DEBIT;
}

bool journal_record_sane(const struct journal_record *record)
{
    if (!ledger_terms_sane(record->client, record->limit_cents, record->balance_cents))
        return false;
    if (journal_moves_money(record->kind))
        return (int)record->entry.kind == (int)record->kind && entry_sane(&record->entry);
    return (record->kind == JOURNAL_OPENING || record->kind == JOURNAL_LIMIT) &&
           record->entry.amount_cents == 0 && record->entry.description_bytes == 0;
}

bool history_sane(const struct history *history)
{
    if (history->last_sequence == 0)
        return history->entries == 0 && history->limit_cents == 0 && history->balance_cents == 0 &&
               history->opening_balance_cents == 0 && history->last_time_us == 0;
    return ledger_terms_sane(history->client, history->limit_cents, history->balance_cents) &&
           history->entries < history->last_sequence;
}

static const char *follow_entry(struct history *next, const struct journal_record *record)
{
    if (record->limit_cents != next->limit_cents)
        return "its limit is not the one that was in force";
    enum outcome outcome = ledger_decide(&next->balance_cents, next->limit_cents, &record->entry);
    if (outcome == OUTCOME_LIMIT_EXCEEDED)
        return "it takes the balance below the limit";
    if (outcome != OUTCOME_OK)
        return "it takes the balance past the largest there is";
    if (record->balance_cents != next->balance_cents)
        return "its balance is not the one before it and its amount";
    next->entries++;
    return NULL;
}

const char *journal_follow(struct history *history, const struct journal_record *record)
{
    assert(history_sane(history) && journal_record_sane(record));
    struct history next = *history;
    bool is_open = history->last_sequence != 0;

    if (is_open && record->kind == JOURNAL_OPENING)
        return "it opens an account that was open already";
    if (!is_open && record->kind != JOURNAL_OPENING)
        return "its account has not been opened";
    if (record->previous_sequence != history->last_sequence)
        return "its link is not to the account's record before it";
    if (record->sequence <= history->last_sequence)
        return "its sequence does not rise";
    if (is_open && record->entry.time_us <= history->last_time_us)
        return "its time does not rise";
    next.last_sequence = record->sequence;
    next.last_time_us = record->entry.time_us;

    const char *wrong = NULL;
    switch (record->kind) {
    case JOURNAL_OPENING:
        next.client = record->client;
        next.limit_cents = record->limit_cents;
        next.balance_cents = next.opening_balance_cents = record->balance_cents;
        break;
    case JOURNAL_LIMIT:
        next.limit_cents = record->limit_cents;
        if (record->balance_cents != history->balance_cents)
            wrong = "it changes the balance, where only the limit may change";
        break;
    case JOURNAL_CREDIT:
    case JOURNAL_DEBIT: wrong = follow_entry(&next, record); break;
    }
    if (!wrong)
        *history = next;
    return wrong;
}
