/* SPDX-License-Identifier: MIT
 *
 * batch.c - see batch.h.
 */
#include "store/lmdb/batch.h"

#include <assert.h>
#include <string.h>

#include "store/lmdb/tables.h"

/* Keys that one batch clears at most, beside one for each op: more than are added, so that old
 * ones never pile up, and few enough that no batch is long. */
enum { EXPIRED_PER_BATCH = 32 };

/* --- accounts of this batch ----------------------------------------------------------------- */

static int load_account(struct batch *batch, MDB_txn *txn, uint32_t client,
                        struct batch_account *account)
{
    uint8_t client_key[CLIENT_KEY_BYTES];
    MDB_val key = {sizeof client_key, client_key}, value;

    account->changed = false;
    const struct account_record *recent = batch->recent ? recent_find(batch->recent, client) : NULL;
    if (recent) {
        account->record = *recent;
        account->found = OUTCOME_OK;
        return MDB_SUCCESS;
    }
    client_key_encode(client_key, client);
    int result = mdb_get(txn, batch->environment->accounts, &key, &value);
    if (result == MDB_NOTFOUND) {
        account->found = OUTCOME_NO_CLIENT;
        account->record.account.client = client;
        return MDB_SUCCESS;
    }
    if (result != MDB_SUCCESS)
        return result;
    if (account_record_decode(&account->record, client, value.mv_data, value.mv_size)) {
        account->found = OUTCOME_OK;
    } else {
        account->found = OUTCOME_CORRUPT;
        account->record.account.client = client;
    }
    return MDB_SUCCESS;
}

static int find_account(struct batch *batch, MDB_txn *txn, uint32_t client,
                        struct batch_account **ret)
{
    uint32_t slot = (client * UINT32_C(2654435761)) % BATCH_SLOTS; /* Knuth's multiplicative hash */
    for (; batch->slots[slot] != 0; slot = (slot + 1) % BATCH_SLOTS) {
        struct batch_account *account = &batch->accounts[batch->slots[slot] - 1];
        if (account->record.account.client == client) {
            *ret = account;
            return MDB_SUCCESS;
        }
    }
    assert(batch->accounts_count < BATCH_OPS_MAX);
    struct batch_account *account = &batch->accounts[batch->accounts_count];
    int result = load_account(batch, txn, client, account);
    if (result == MDB_SUCCESS) {
        batch->slots[slot] = (uint16_t)++batch->accounts_count;
        *ret = account;
    }
    return result;
}

static int write_accounts(struct batch *batch, MDB_txn *txn)
{
    int result = MDB_SUCCESS;
    for (uint32_t i = 0; result == MDB_SUCCESS && i < batch->accounts_count; i++)
        if (batch->accounts[i].changed)
            result = tables_put_account(batch->environment, txn, &batch->accounts[i].record);
    return result;
}

/* --- the journal ---------------------------------------------------------------------------- */

struct booked_key {
    uint8_t bytes[IDEMPOTENCY_KEY_BYTES_MAX];
    size_t size; /* 0: none */
};

static const struct booked_key no_key;

static void keep_key(struct batch *batch, const struct booked_key *booked,
                     const struct journal_record *record)
{
    struct recent_key *key = &batch->keys[batch->keys_count++];
    key->record = *record;
    key->key_bytes = (uint8_t)booked->size;
    memcpy(key->key, booked->bytes, booked->size);
}

static int store_key(struct batch *batch, MDB_txn *txn, const struct booked_key *booked,
                     const struct journal_record *record)
{
    int64_t time_us = record->entry.time_us;
    int result = tables_put_key(batch->environment, txn, booked->bytes, booked->size,
                                record->sequence);
    if (result != MDB_SUCCESS)
        return result;
    if (time_us < batch->oldest_key_time_us)
        batch->oldest_key_time_us = time_us;
    return tables_put_expiry(batch->environment, txn, booked->bytes, booked->size, record->sequence,
                             time_us);
}

/* The account has changed in memory; now its record, and so the change's place in the order. */
static int append_journal(struct batch *batch, MDB_txn *txn, struct batch_account *account,
                          enum journal_kind kind, const struct entry *entry,
                          const struct booked_key *booked)
{
    struct account_record *of = &account->record;
    struct journal_record record = {
        .sequence = ++batch->last_sequence,
        .previous_sequence = of->last_sequence,
        .client = of->account.client,
        .kind = kind,
        .limit_cents = of->account.limit_cents,
        .balance_cents = of->account.balance_cents,
    };
    if (entry)
        record.entry = *entry;
    record.entry.time_us = ++batch->last_time_us;
    of->last_sequence = record.sequence;
    account->changed = true;

    uint8_t bytes[JOURNAL_RECORD_BYTES_MAX];
    size_t size = journal_record_encode(bytes, &record);
    if (batch->wal) {
        wal_add(batch->wal, bytes, size, booked->bytes, booked->size);
        if (booked->size > 0)
            keep_key(batch, booked, &record);
        return MDB_SUCCESS;
    }
    int result = tables_put_journal(batch->environment, txn, record.sequence, bytes, size);
    return result == MDB_SUCCESS && booked->size > 0 ? store_key(batch, txn, booked, &record)
                                                     : result;
}

static int read_journal(const struct batch *batch, MDB_txn *txn, uint64_t sequence,
                        struct journal_record *ret, bool *ret_sound)
{
    uint8_t sequence_key[SEQUENCE_KEY_BYTES];
    MDB_val key = {sizeof sequence_key, sequence_key}, value;
    sequence_key_encode(sequence_key, sequence);
    int result = mdb_get(txn, batch->environment->journal, &key, &value);
    *ret_sound = result == MDB_SUCCESS &&
                 journal_record_decode(ret, sequence, value.mv_data, value.mv_size);
    return result == MDB_NOTFOUND ? MDB_SUCCESS : result;
}

/* --- idempotency keys ----------------------------------------------------------------------- */

/* The key was booked as `first`: the same request gets the same answer, another none. */
static void replay(struct op *op, const struct journal_record *first)
{
    if (first->client != op->client || !journal_moves_money(first->kind)) {
        op->outcome = OUTCOME_CORRUPT;
    } else if (!entry_same_request(&first->entry, &op->entry)) {
        op->outcome = OUTCOME_KEY_REUSED;
    } else {
        op->outcome = OUTCOME_OK;
        op->replayed = true;
        op->limit_cents = first->limit_cents;
        op->balance_cents = first->balance_cents;
    }
}

static int replay_stored(const struct batch *batch, MDB_txn *txn, struct op *op, uint64_t sequence)
{
    struct journal_record first;
    bool sound;
    int result = read_journal(batch, txn, sequence, &first, &sound);
    if (result != MDB_SUCCESS)
        return result;
    if (sound)
        replay(op, &first);
    else
        op->outcome = OUTCOME_CORRUPT;
    return MDB_SUCCESS;
}

/* What LMDB does not have yet. */
static const struct recent_key *find_new_key(const struct batch *batch,
                                             const struct booked_key *booked)
{
    for (uint32_t i = 0; i < batch->keys_count; i++)
        if (batch->keys[i].key_bytes == booked->size &&
            memcmp(batch->keys[i].key, booked->bytes, booked->size) == 0)
            return &batch->keys[i];
    return batch->recent ? recent_find_key(batch->recent, booked->bytes, booked->size) : NULL;
}

/* *ret_known: the op has its answer. */
static int look_up_key(const struct batch *batch, MDB_txn *txn, struct op *op,
                       const struct booked_key *booked, bool *ret_known)
{
    MDB_val key = {booked->size, (void *)booked->bytes}, value;
    uint64_t sequence;

    const struct recent_key *new_key = find_new_key(batch, booked);
    *ret_known = new_key != NULL;
    if (new_key) {
        replay(op, &new_key->record);
        return MDB_SUCCESS;
    }
    int result = mdb_get(txn, batch->environment->keys, &key, &value);
    *ret_known = result == MDB_SUCCESS;
    if (result == MDB_NOTFOUND)
        return MDB_SUCCESS;
    if (result != MDB_SUCCESS)
        return result;
    if (!key_record_decode(&sequence, booked->bytes, booked->size, value.mv_data, value.mv_size)) {
        op->outcome = OUTCOME_CORRUPT;
        return MDB_SUCCESS;
    }
    return replay_stored(batch, txn, op, sequence);
}

/* Keys that are past their time. A page that is damaged is met once: the transaction is lost then, but not the
 * entries. */
static int clear_keys(struct batch *batch, MDB_txn *txn, int64_t until_us, uint32_t max)
{
    if (batch->expiry_damaged)
        return MDB_SUCCESS;
    int result = tables_clear_keys(batch->environment, txn, until_us, max,
                                   &batch->oldest_key_time_us);
    batch->expiry_damaged = tables_are_damaged(result); /* for good */
    return result;
}

/* --- one op --------------------------------------------------------------------------------- */

static void answer(struct op *op, const struct batch_account *account)
{
    op->limit_cents = account->record.account.limit_cents;
    op->balance_cents = account->record.account.balance_cents;
}

static int apply_entry(struct batch *batch, MDB_txn *txn, struct batch_account *account,
                       struct op *op)
{
    struct booked_key booked = {.size = 0};
    bool known = false;
    int result;

    op->replayed = false;
    if (op->key_bytes > 0) {
        booked.size = idempotency_key_encode(booked.bytes, op->client, op->key, op->key_bytes);
        result = look_up_key(batch, txn, op, &booked, &known);
        if (result != MDB_SUCCESS || known)
            return result;
    }
    op->entry.time_us = batch->last_time_us + 1;
    op->outcome = ledger_apply(&account->record.account, &op->entry);
    if (op->outcome != OUTCOME_OK)
        return MDB_SUCCESS;
    account->record.entries++;
    answer(op, account);
    return append_journal(batch, txn, account, (enum journal_kind)op->entry.kind, &op->entry,
                          &booked);
}

static int apply_opening(struct batch *batch, MDB_txn *txn, struct batch_account *account,
                         struct op *op)
{
    account->record = (struct account_record){
        .account =
            {
                .client = op->client,
                .limit_cents = op->limit_cents,
                .balance_cents = op->balance_cents,
            },
        .opening_balance_cents = op->balance_cents,
    };
    account->found = op->outcome = OUTCOME_OK;
    return append_journal(batch, txn, account, JOURNAL_OPENING, NULL, &no_key);
}

static int apply_limit(struct batch *batch, MDB_txn *txn, struct batch_account *account,
                       struct op *op)
{
    op->outcome = ledger_set_limit(&account->record.account, op->limit_cents);
    if (op->outcome != OUTCOME_OK)
        return MDB_SUCCESS;
    answer(op, account);
    return append_journal(batch, txn, account, JOURNAL_LIMIT, NULL, &no_key);
}

int batch_one(struct batch *batch, MDB_txn *txn, struct op *op)
{
    struct batch_account *account;
    int result = find_account(batch, txn, op->client, &account);
    if (result != MDB_SUCCESS)
        return result;
    if (op->kind == OP_OPEN && account->found == OUTCOME_NO_CLIENT)
        return apply_opening(batch, txn, account, op);

    op->outcome = account->found;
    if (op->kind == OP_OPEN && account->found == OUTCOME_OK)
        op->outcome = OUTCOME_CLIENT_EXISTS;
    if (op->outcome != OUTCOME_OK)
        return MDB_SUCCESS;
    return op->kind == OP_LIMIT ? apply_limit(batch, txn, account, op)
                                : apply_entry(batch, txn, account, op);
}

/* --- a batch -------------------------------------------------------------------------------- */

void batch_begin(struct batch *batch)
{
    batch->undo_sequence = batch->last_sequence;
    batch->undo_time_us = batch->last_time_us;
    batch->accounts_count = batch->keys_count = 0;
    if (batch->wal)
        wal_begin(batch->wal);
    memset(batch->slots, 0, sizeof batch->slots);
}

/* The clock may stand still or step back; the journal's times do not. */
static void keep_time(struct batch *batch, int64_t now_us)
{
    if (batch->last_time_us < now_us - 1)
        batch->last_time_us = now_us - 1;
}

void batch_time(struct batch *batch, int64_t time_us)
{
    if (time_us >= batch->last_time_us)
        batch->last_time_us = time_us - 1; /* the next record's is one later */
}

int batch_finish(struct batch *batch, MDB_txn *txn)
{
    return batch->wal ? MDB_SUCCESS : write_accounts(batch, txn);
}

int batch_apply(struct batch *batch, MDB_txn *txn, struct op **ops, uint32_t count, int64_t now_us,
                int64_t key_now_us)
{
    assert(count <= BATCH_OPS_MAX);
    batch_begin(batch);
    keep_time(batch, now_us);

    int result = MDB_SUCCESS;
    for (uint32_t i = 0; result == MDB_SUCCESS && i < count; i++)
        if (op_writes(ops[i]))
            result = batch_one(batch, txn, ops[i]);
    if (result == MDB_SUCCESS)
        result = batch_finish(batch, txn);
    if (result == MDB_SUCCESS && !batch->wal && batch_changed(batch))
        result = clear_keys(batch, txn, key_now_us - batch->key_retention_us,
                            count + EXPIRED_PER_BATCH);
    return result;
}

bool batch_changed(const struct batch *batch)
{
    return batch->last_sequence != batch->undo_sequence;
}

void batch_undo(struct batch *batch)
{
    batch->last_sequence = batch->undo_sequence;
    batch->last_time_us = batch->undo_time_us;
    batch->oldest_key_time_us = INT64_MIN; /* look again */
}

void batch_new(struct batch *batch, const struct environment *environment)
{
    memset(batch, 0, sizeof *batch);
    batch->environment = environment;
    batch->last_time_us = INT64_MIN;
    batch->oldest_key_time_us = INT64_MIN;
}

static int find_end(struct batch *batch)
{
    MDB_txn *txn;
    MDB_cursor *cursor;
    MDB_val key, value;
    struct journal_record last;

    int result = mdb_txn_begin(batch->environment->env, NULL, MDB_RDONLY, &txn);
    if (result != MDB_SUCCESS)
        return result;
    result = mdb_cursor_open(txn, batch->environment->journal, &cursor);
    if (result == MDB_SUCCESS) {
        result = mdb_cursor_get(cursor, &key, &value, MDB_LAST);
        if (result == MDB_SUCCESS &&
            !(key.mv_size == SEQUENCE_KEY_BYTES &&
              journal_record_decode(&last, sequence_key_decode(key.mv_data), value.mv_data,
                                    value.mv_size)))
            result = MDB_CORRUPTED;
        mdb_cursor_close(cursor);
    }
    mdb_txn_abort(txn);
    if (result == MDB_SUCCESS) {
        batch->last_sequence = last.sequence;
        batch->last_time_us = last.entry.time_us;
    }
    return result;
}

int batch_open(struct batch *batch, const struct environment *environment, int64_t key_retention_us)
{
    batch_new(batch, environment);
    batch->key_retention_us = key_retention_us;
    return find_end(batch);
}
