/* SPDX-License-Identifier: MIT
 *
 * ledger.c - see ledger.h.
 */
#include "bank/ledger.h"

#include <assert.h>
#include <string.h>

bool entry_sane(const struct entry *entry)
{
    return (entry->kind == ENTRY_CREDIT || entry->kind == ENTRY_DEBIT) &&
           entry->amount_cents >= 1 && entry->amount_cents <= CENTS_MAX &&
           entry->description_bytes >= 1 && entry->description_bytes <= DESCRIPTION_BYTES_MAX;
}

bool ledger_terms_sane(uint32_t client, int64_t limit_cents, int64_t balance_cents)
{
    return client >= 1 && client <= CLIENT_MAX && limit_cents >= 0 && limit_cents <= CENTS_MAX &&
           balance_cents >= -limit_cents && balance_cents <= CENTS_MAX;
}

bool account_sane(const struct account *account)
{
    if (!ledger_terms_sane(account->client, account->limit_cents, account->balance_cents))
        return false;
    if (account->recent_count > STATEMENT_ENTRIES_MAX)
        return false;
    for (uint32_t i = 0; i < account->recent_count; i++)
        if (!entry_sane(&account->recent[i]))
            return false;
    return true;
}

bool entry_same_request(const struct entry *a, const struct entry *b)
{
    return a->kind == b->kind && a->amount_cents == b->amount_cents &&
           a->description_bytes == b->description_bytes &&
           memcmp(a->description, b->description, a->description_bytes) == 0;
}

static void remember(struct account *account, const struct entry *entry)
{
    uint32_t kept = account->recent_count;
    if (kept == STATEMENT_ENTRIES_MAX)
        kept--; /* the oldest falls off the end */
    memmove(&account->recent[1], &account->recent[0], kept * sizeof account->recent[0]);
    account->recent[0] = *entry;
    account->recent_count = kept + 1;
}

enum outcome ledger_decide(int64_t *balance_cents, int64_t limit_cents, const struct entry *entry)
{
    assert(entry_sane(entry));
    assert(*balance_cents >= -limit_cents && *balance_cents <= CENTS_MAX);

    int64_t balance = *balance_cents;
    if (entry->kind == ENTRY_DEBIT) {
        balance -= entry->amount_cents;
        if (balance < -limit_cents)
            return OUTCOME_LIMIT_EXCEEDED;
    } else {
        balance += entry->amount_cents;
        if (balance > CENTS_MAX)
            return OUTCOME_BALANCE_MAX;
    }
    *balance_cents = balance;
    return OUTCOME_OK;
}

enum outcome ledger_apply(struct account *account, const struct entry *entry)
{
    enum outcome outcome = ledger_decide(&account->balance_cents, account->limit_cents, entry);
    if (outcome == OUTCOME_OK)
        remember(account, entry);
    return outcome;
}

enum outcome ledger_set_limit(struct account *account, int64_t limit_cents)
{
    assert(limit_cents >= 0 && limit_cents <= CENTS_MAX);
    if (account->balance_cents < -limit_cents)
        return OUTCOME_LIMIT_EXCEEDED;
    account->limit_cents = limit_cents;
    return OUTCOME_OK;
}
