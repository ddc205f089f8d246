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

bool account_sane(const struct account *account)
{
    if (account->client < 1 || account->client > CLIENT_MAX)
        return false;
    if (account->limit_cents < 0 || account->limit_cents > CENTS_MAX)
        return false;
    if (account->balance_cents < -account->limit_cents || account->balance_cents > CENTS_MAX)
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

enum outcome ledger_apply(struct account *account, const struct entry *entry)
{
    assert(entry_sane(entry));
    assert(account->balance_cents >= -account->limit_cents);
    assert(account->balance_cents <= CENTS_MAX);

    int64_t balance = account->balance_cents;
    if (entry->kind == ENTRY_DEBIT) {
        balance -= entry->amount_cents;
        if (balance < -account->limit_cents)
            return OUTCOME_LIMIT_EXCEEDED;
    } else {
        balance += entry->amount_cents;
        if (balance > CENTS_MAX)
            return OUTCOME_BALANCE_MAX;
    }
    account->balance_cents = balance;
    remember(account, entry);
    return OUTCOME_OK;
}
