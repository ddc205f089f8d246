/* SPDX-License-Identifier: MIT
 *
 * fake_store.c - see fake_store.h.
 */
#include "fake_store.h"

#include <string.h>

#include "unit.h"

struct fake_store fake;

void fake_reset(void)
{
    static const int64_t limits[] = {0, 100000, 80000, 1000000, 10000000, 500000};
    memset(&fake, 0, sizeof fake);
    fake.time_us = INT64_C(1705458881217753);
    for (uint32_t i = 1; i <= FAKE_CLIENTS; i++)
        fake.accounts[i] = (struct account){.client = i, .limit_cents = limits[i]};
}

static const struct op *find_key(const struct op *op)
{
    for (unsigned i = 0; op->key_bytes > 0 && i < fake.keys_count; i++)
        if (fake.keys[i].op.client == op->client && fake.keys[i].op.key_bytes == op->key_bytes &&
            memcmp(fake.keys[i].op.key, op->key, op->key_bytes) == 0)
            return &fake.keys[i].op;
    return NULL;
}

static enum outcome book(struct op *op)
{
    struct account *account = &fake.accounts[op->client];
    const struct op *first = find_key(op);
    op->replayed = first != NULL;
    if (first && !entry_same_request(&first->entry, &op->entry))
        return OUTCOME_KEY_REUSED;
    if (first) {
        op->limit_cents = first->limit_cents;
        op->balance_cents = first->balance_cents;
        return OUTCOME_OK;
    }
    op->entry.time_us = fake.time_us++;
    enum outcome outcome = ledger_apply(account, &op->entry);
    op->limit_cents = account->limit_cents;
    op->balance_cents = account->balance_cents;
    if (outcome == OUTCOME_OK && op->key_bytes > 0) {
        assert_true(fake.keys_count < FAKE_KEYS_MAX);
        fake.keys[fake.keys_count++].op = *op;
    }
    return outcome;
}

static void answer(struct op *op)
{
    op->outcome = fake.outcome;
    if (op->kind != OP_HEALTH && (op->client < 1 || op->client > FAKE_CLIENTS))
        op->outcome = OUTCOME_NO_CLIENT;
    if (op->outcome != OUTCOME_OK)
        return;
    switch (op->kind) {
    case OP_ENTRY: op->outcome = book(op); break;
    case OP_STATEMENT:
        op->account = fake.accounts[op->client];
        op->snapshot_us = fake.time_us;
        break;
    case OP_OPEN:
    case OP_LIMIT: /* no request becomes one */
    case OP_CLIENT:
    case OP_HEALTH:
    case OP_SETTLE: break;
    }
}

struct op *fake_answer_next(void)
{
    struct op *op = fake.waiting[0];
    assert_true(fake.waiting_count > 0);
    fake.waiting_count--;
    for (unsigned i = 0; i < fake.waiting_count; i++)
        fake.waiting[i] = fake.waiting[i + 1];
    answer(op);
    op->state = OP_IDLE;
    return op;
}

bool store_submit(struct submitter *submitter, struct op *op)
{
    (void)submitter;
    assert_int_equal(op->state, OP_IDLE);
    fake.submitted[op->kind]++;
    if (fake.later[op->kind]) {
        assert_true(fake.waiting_count < FAKE_WAITING_MAX);
        op->state = OP_QUEUED;
        fake.waiting[fake.waiting_count++] = op;
        return false;
    }
    answer(op);
    return true;
}

struct op *store_hand_over(struct submitter *submitter)
{
    (void)submitter;
    return NULL;
}

struct op *store_take_answered(struct submitter *submitter)
{
    (void)submitter;
    return NULL;
}
