/* SPDX-License-Identifier: MIT
 *
 * op_wire.c - see op_wire.h.
 */
#include "store/lmdb/op_wire.h"

#include <assert.h>

#include "store/lmdb/bytes.h"

/* These values travel. Another number here is another OP_WIRE_VERSION. */
static_assert(OP_ENTRY == 0 && OP_SETTLE == 6, "kinds of version 3");
static_assert(OUTCOME_OK == 0 && OUTCOME_UNKNOWN == 10, "outcomes of version 3");

static_assert((int)STRING_BYTES_MAX >= (int)KEY_BYTES_MAX, "a key can be read");

static const uint8_t magic[] = {'c', 'r', 'e', 'b', 'i', 't', 'o'};

/* --- greeting: magic 7, version, durable ---------------------------------------------------- */

void op_greeting_encode(uint8_t bytes[OP_GREETING_BYTES], bool durable)
{
    struct bytes_out writer = {bytes, bytes};
    put_bytes(&writer, magic, sizeof magic);
    put_u8(&writer, OP_WIRE_VERSION);
    put_u8(&writer, durable);
}

bool op_greeting_decode(bool *ret_durable, const uint8_t *bytes, size_t size)
{
    struct bytes_in reader = {.at = bytes, .end = bytes + size};
    if (memcmp(get_bytes(&reader, sizeof magic), magic, sizeof magic) != 0 ||
        get_u8(&reader) != OP_WIRE_VERSION)
        return false;
    uint8_t durable = get_u8(&reader);
    if (!finished(&reader) || durable > 1)
        return false;
    *ret_durable = durable == 1;
    return true;
}

/* --- entries, in both: amount 8, kind, description's size, description ---------------------- */

static void put_entry(struct bytes_out *writer, const struct entry *entry)
{
    put_i64(writer, entry->amount_cents);
    put_u8(writer, entry->kind);
    put_u8(writer, entry->description_bytes);
    put_bytes(writer, entry->description, entry->description_bytes);
}

static void get_entry(struct bytes_in *reader, struct entry *ret)
{
    ret->amount_cents = get_i64(reader);
    ret->kind = (enum entry_kind)get_u8(reader);
    ret->description_bytes = get_u8(reader);
    if (ret->description_bytes > DESCRIPTION_BYTES_MAX)
        reader->wrong = true;
    else
        memcpy(ret->description, get_bytes(reader, ret->description_bytes), ret->description_bytes);
}

/* --- question: version, kind, key's size, 0, number 4, client 4, then by kind
 *         entry: the entry, key | open: limit 8, balance 8 | limit: limit 8 ------------------ */

size_t op_question_encode(uint8_t bytes[OP_QUESTION_BYTES_MAX], const struct op *op,
                          uint32_t number)
{
    struct bytes_out writer = {bytes, bytes};
    assert(op_sane(op));
    put_u8(&writer, OP_WIRE_VERSION);
    put_u8(&writer, op->kind);
    put_u8(&writer, op->kind == OP_ENTRY ? op->key_bytes : 0);
    put_u8(&writer, 0);
    put_u32(&writer, number);
    put_u32(&writer, op->client);
    switch (op->kind) {
    case OP_ENTRY:
        put_entry(&writer, &op->entry);
        put_bytes(&writer, op->key, op->key_bytes);
        break;
    case OP_OPEN:
        put_i64(&writer, op->limit_cents);
        put_i64(&writer, op->balance_cents);
        break;
    case OP_LIMIT: put_i64(&writer, op->limit_cents); break;
    case OP_STATEMENT:
    case OP_CLIENT:
    case OP_HEALTH:
    case OP_SETTLE: break;
    }
    return (size_t)(writer.at - writer.start);
}

/* False: there is no such kind. */
static bool get_question(struct bytes_in *reader, struct op *op)
{
    if (op->kind != OP_ENTRY && op->key_bytes > 0)
        return false;
    switch (op->kind) {
    case OP_ENTRY:
        if (op->key_bytes > KEY_BYTES_MAX)
            return false;
        get_entry(reader, &op->entry);
        memcpy(op->key, get_bytes(reader, op->key_bytes), op->key_bytes);
        return true;
    case OP_OPEN:
        op->limit_cents = get_i64(reader);
        op->balance_cents = get_i64(reader);
        return true;
    case OP_LIMIT: op->limit_cents = get_i64(reader); return true;
    case OP_STATEMENT:
    case OP_CLIENT:
    case OP_HEALTH:
    case OP_SETTLE: return true;
    }
    return false;
}

size_t op_question_decode(struct op *op, uint32_t *ret_number, const uint8_t *bytes, size_t size)
{
    struct bytes_in reader = {.at = bytes, .end = bytes + size};
    struct op asked = {.kind = OP_HEALTH};
    if (get_u8(&reader) != OP_WIRE_VERSION)
        return 0;
    asked.kind = (enum op_kind)get_u8(&reader);
    asked.key_bytes = get_u8(&reader);
    get_zeros(&reader, 1);
    uint32_t number = get_u32(&reader);
    asked.client = get_u32(&reader);
    if (!get_question(&reader, &asked) || reader.wrong || !op_sane(&asked))
        return 0;
    *op = asked;
    *ret_number = number;
    return (size_t)(reader.at - bytes);
}

/* --- answer: version, kind, outcome, replayed or number of recent entries, number 4, then, if OK,
 *         entry: limit 8, balance 8, time_us 8 | open, limit: limit 8, balance 8
 *         statement: limit 8, balance 8, snapshot_us 8, each recent entry with its time_us 8 -- */

enum { ANSWER_NUMBER_AT = 4 };

static uint8_t counted(const struct op *op)
{
    if (op->outcome != OUTCOME_OK)
        return 0;
    if (op->kind == OP_ENTRY)
        return op->replayed;
    return op->kind == OP_STATEMENT ? (uint8_t)op->account.recent_count : 0;
}

static void put_statement(struct bytes_out *writer, const struct op *op)
{
    const struct account *account = &op->account;
    assert(account_sane(account));
    put_i64(writer, account->limit_cents);
    put_i64(writer, account->balance_cents);
    put_i64(writer, op->snapshot_us);
    for (uint32_t i = 0; i < account->recent_count; i++) {
        put_i64(writer, account->recent[i].time_us);
        put_entry(writer, &account->recent[i]);
    }
}

static void put_answer(struct bytes_out *writer, const struct op *op)
{
    switch (op->kind) {
    case OP_ENTRY:
    case OP_OPEN:
    case OP_LIMIT:
        put_i64(writer, op->limit_cents);
        put_i64(writer, op->balance_cents);
        if (op->kind == OP_ENTRY)
            put_i64(writer, op->entry.time_us);
        break;
    case OP_STATEMENT: put_statement(writer, op); break;
    case OP_CLIENT:
    case OP_HEALTH:
    case OP_SETTLE: break;
    }
}

size_t op_answer_encode(uint8_t bytes[OP_ANSWER_BYTES_MAX], const struct op *op, uint32_t number)
{
    struct bytes_out writer = {bytes, bytes};
    put_u8(&writer, OP_WIRE_VERSION);
    put_u8(&writer, op->kind);
    put_u8(&writer, op->outcome);
    put_u8(&writer, counted(op));
    put_u32(&writer, number);
    if (op->outcome == OUTCOME_OK)
        put_answer(&writer, op);
    return (size_t)(writer.at - writer.start);
}

static bool get_statement(struct bytes_in *reader, struct op *op, uint8_t count)
{
    struct account *account = &op->account;
    if (count > STATEMENT_ENTRIES_MAX)
        return false;
    *account = (struct account){.client = op->client, .recent_count = count};
    account->limit_cents = get_i64(reader);
    account->balance_cents = get_i64(reader);
    op->snapshot_us = get_i64(reader);
    for (uint32_t i = 0; i < count; i++) {
        account->recent[i].time_us = get_i64(reader);
        get_entry(reader, &account->recent[i]);
    }
    return account_sane(account);
}

static bool get_terms(struct bytes_in *reader, struct op *op)
{
    op->limit_cents = get_i64(reader);
    op->balance_cents = get_i64(reader);
    return ledger_terms_sane(op->client, op->limit_cents, op->balance_cents);
}

static bool get_answer(struct bytes_in *reader, struct op *op, uint8_t count)
{
    switch (op->kind) {
    case OP_ENTRY:
        op->replayed = count == 1;
        if (count > 1 || !get_terms(reader, op))
            return false;
        op->entry.time_us = get_i64(reader);
        return true;
    case OP_OPEN:
    case OP_LIMIT: return count == 0 && get_terms(reader, op);
    case OP_STATEMENT: return get_statement(reader, op, count);
    case OP_CLIENT:
    case OP_HEALTH:
    case OP_SETTLE: return count == 0;
    }
    return false;
}

uint32_t op_answer_number(const uint8_t *bytes, size_t size)
{
    struct bytes_in reader = {.at = bytes, .end = bytes + size};
    (void)get_bytes(&reader, ANSWER_NUMBER_AT);
    return get_u32(&reader);
}

size_t op_answer_decode(struct op *op, uint32_t *ret_number, const uint8_t *bytes, size_t size)
{
    struct bytes_in reader = {.at = bytes, .end = bytes + size};
    struct op answered = *op;
    if (get_u8(&reader) != OP_WIRE_VERSION || get_u8(&reader) != op->kind)
        return 0;
    uint8_t outcome = get_u8(&reader), count = get_u8(&reader);
    uint32_t number = get_u32(&reader);
    if (outcome > OUTCOME_UNKNOWN)
        return 0;
    answered.outcome = (enum outcome)outcome;
    if (answered.outcome == OUTCOME_OK ? !get_answer(&reader, &answered, count) : count != 0)
        return 0;
    if (reader.wrong)
        return 0;
    *op = answered;
    *ret_number = number;
    return (size_t)(reader.at - bytes);
}
