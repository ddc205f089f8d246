/* SPDX-License-Identifier: MIT
 *
 * op.c - see op.h.
 */
#include "store/op.h"

static bool client_sane(uint32_t client)
{
    return client >= 1 && client <= CLIENT_MAX;
}

bool op_sane(const struct op *op)
{
    switch (op->kind) {
    case OP_ENTRY:
        return client_sane(op->client) && entry_sane(&op->entry) && op->key_bytes <= KEY_BYTES_MAX;
    case OP_OPEN: return ledger_terms_sane(op->client, op->limit_cents, op->balance_cents);
    case OP_LIMIT: return ledger_terms_sane(op->client, op->limit_cents, 0);
    case OP_STATEMENT:
    case OP_CLIENT: return client_sane(op->client);
    case OP_HEALTH:
    case OP_SETTLE: return true;
    }
    return false;
}
