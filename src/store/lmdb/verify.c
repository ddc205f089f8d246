/* SPDX-License-Identifier: MIT
 *
 * verify.c - see verify.h.
 */
#include "store/lmdb/verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "store/lmdb/histories.h"
#include "store/lmdb/reader.h"

struct verify {
    struct reader reader;
    struct task *task;
    struct archive_facts facts;
    char *error;
    size_t error_size;

    /* This pass: the clients whose remainder is `pass`. */
    struct histories histories;
    uint32_t pass, passes;
    uint64_t sequence; /* of the last record that was followed */
    int64_t last_time_us;
    uint64_t wrong_sequence; /* the first record that is wrong, so far; 0: none */
    bool wrong_account;      /* an account is; the sentence stands unless a record is wrong too */

    /* For the progress. */
    uint64_t steps, steps_total, done_before, bytes_total;
};

/* --- ends ----------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static enum archive_end wrong(struct verify *verify,
                                                                    const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(verify->error, verify->error_size, format, arguments);
    va_end(arguments);
    return ARCHIVE_WRONG;
}

/* LMDB's own codes are about the file; an errno is about this process. */
static enum archive_end unreadable(struct verify *verify, const char *what, int result)
{
    snprintf(verify->error, verify->error_size, "%s cannot be read (near record %llu): %s", what,
             (unsigned long long)atomic_load(&verify->task->record), mdb_strerror(result));
    return result < 0 && result != MDB_MAP_RESIZED ? ARCHIVE_WRONG : ARCHIVE_UNREADABLE;
}

static enum archive_end count_step(struct verify *verify, uint64_t steps)
{
    verify->steps += steps;
    uint64_t done = verify->steps < verify->steps_total ? verify->steps : verify->steps_total;
    if (verify->steps_total > 0)
        atomic_store(&verify->task->done_bytes,
                     verify->done_before + (uint64_t)((double)verify->bytes_total * (double)done /
                                                      (double)verify->steps_total));
    return task_stopped(verify->task) ? ARCHIVE_STOPPED : ARCHIVE_DONE;
}

/* --- the journal ---------------------------------------------------------------------------- */

static enum archive_end follow_record(struct verify *verify, uint64_t sequence,
                                      const MDB_val *value)
{
    struct journal_record record;
    const unsigned long long number = sequence;

    atomic_store(&verify->task->record, sequence);
    if (!journal_record_decode(&record, sequence, value->mv_data, value->mv_size))
        return wrong(verify, "journal record %llu: its bytes are not those that were written",
                     number);
    if (sequence > 1 && record.entry.time_us < verify->last_time_us)
        return wrong(verify, "journal record %llu (client %u): its time goes back", number,
                     record.client);
    if (record.client % verify->passes == verify->pass) {
        struct history *history = histories_of(&verify->histories, record.client);
        if (!history) {
            snprintf(verify->error, verify->error_size,
                     "accounts are being opened faster than they can be audited: try again");
            return ARCHIVE_UNREADABLE;
        }
        const char *fault = journal_follow(history, &record);
        if (fault)
            return wrong(verify, "journal record %llu (client %u): %s", number, record.client,
                         fault);
    }
    verify->sequence = sequence;
    verify->last_time_us = record.entry.time_us;
    if (sequence > verify->facts.records) {
        verify->facts.records = sequence;
        verify->facts.entries += journal_moves_money(record.kind);
        verify->facts.accounts += record.kind == JOURNAL_OPENING;
    }
    return ARCHIVE_DONE;
}

/* On from where the last slice ended, for at most `max` records. *ret_end: there are no more. */
static enum archive_end follow_slice(struct verify *verify, uint64_t max, bool *ret_end)
{
    struct journal_walk walk;
    MDB_val value;
    enum archive_end end = ARCHIVE_DONE;

    *ret_end = false;
    int result = journal_walk_begin(&walk, &verify->reader, verify->sequence);
    if (result != MDB_SUCCESS)
        return unreadable(verify, "the journal", result);
    for (; max > 0 && end == ARCHIVE_DONE; max--) {
        /* A pass before this one has found a wrong record: none after it matters. */
        *ret_end = walk.sequence + 1 == verify->wrong_sequence;
        if (*ret_end || (result = journal_next(&walk, &value)) != MDB_SUCCESS)
            break;
        end = follow_record(verify, walk.sequence, &value);
    }
    journal_walk_end(&walk);
    if (result == MDB_NOTFOUND)
        *ret_end = true;
    else if (result == MDB_CORRUPTED)
        end = wrong(verify, "journal record %llu is missing",
                    (unsigned long long)verify->sequence + 1);
    else if (result != MDB_SUCCESS)
        end = unreadable(verify, "the journal", result);
    return end;
}

static enum archive_end follow_tail(struct verify *verify)
{
    bool at_end;
    return follow_slice(verify, UINT64_MAX, &at_end);
}

static enum archive_end follow_journal(struct verify *verify)
{
    enum archive_end end = ARCHIVE_DONE;
    bool at_end = false;
    while (end == ARCHIVE_DONE && !at_end) {
        uint64_t before = verify->sequence;
        int result = reader_look(&verify->reader);
        if (result != MDB_SUCCESS)
            return unreadable(verify, "the ledger", result);
        end = follow_slice(verify, READER_SLICE, &at_end);
        reader_rest(&verify->reader);
        if (end == ARCHIVE_DONE)
            end = count_step(verify, verify->sequence - before);
    }
    return end;
}

/* --- accounts ------------------------------------------------------------------------------- */

/* The journal, from the account's last record backwards, has its last entries. */
static enum archive_end compare_recent(struct verify *verify, const struct account_record *record)
{
    const struct account *account = &record->account;
    uint64_t sequence = record->last_sequence;
    uint64_t expected = record->entries < STATEMENT_ENTRIES_MAX ? record->entries
                                                                : STATEMENT_ENTRIES_MAX;
    if (account->recent_count != expected)
        return wrong(verify, "account %u: it shows %u last entries of %llu", account->client,
                     account->recent_count, (unsigned long long)record->entries);
    for (uint32_t i = 0; i < account->recent_count;) {
        struct journal_record journal;
        int result = reader_record(&verify->reader, sequence, &journal);
        if (result != MDB_SUCCESS)
            return unreadable(verify, "the journal", result);
        if (journal_moves_money(journal.kind)) {
            const struct entry *shown = &account->recent[i++];
            if (!entry_same_request(shown, &journal.entry) ||
                shown->time_us != journal.entry.time_us)
                return wrong(verify, "account %u: its last entry no. %u is not journal record %llu",
                             account->client, i, (unsigned long long)sequence);
        }
        sequence = journal.previous_sequence;
    }
    return ARCHIVE_DONE;
}

static enum archive_end compare_account(struct verify *verify, uint32_t client,
                                        const MDB_val *value)
{
    struct account_record record;
    struct history *history = histories_find(&verify->histories, client);

    if (!account_record_decode(&record, client, value->mv_data, value->mv_size))
        return wrong(verify, "account %u: its bytes are not those that were written", client);
    if (!history)
        return wrong(verify, "account %u: no journal record opens it", client);
    histories_compared(&verify->histories, history);
    const struct {
        const char *name;
        int64_t held, made;
    } members[] = {
        {"balance", record.account.balance_cents, history->balance_cents},
        {"limit", record.account.limit_cents, history->limit_cents},
        {"opening balance", record.opening_balance_cents, history->opening_balance_cents},
        {"number of entries", (int64_t)record.entries, (int64_t)history->entries},
        {"last record", (int64_t)record.last_sequence, (int64_t)history->last_sequence},
    };
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (members[i].held != members[i].made)
            return wrong(verify, "account %u: its %s is %lld, and its history makes it %lld",
                         client, members[i].name, (long long)members[i].held,
                         (long long)members[i].made);
    return compare_recent(verify, &record);
}

/* As the bank finds it, which does not walk: a branch that is wrong leads a search astray. */
static enum archive_end find_account(struct verify *verify, uint32_t client)
{
    uint8_t bytes[CLIENT_KEY_BYTES];
    MDB_val key = {sizeof bytes, bytes}, value;
    client_key_encode(bytes, client);
    int result = mdb_get(verify->reader.snapshot, verify->reader.environment->accounts, &key,
                         &value);
    if (result == MDB_SUCCESS)
        return compare_account(verify, client, &value);
    if (result == MDB_NOTFOUND)
        return wrong(verify, "account %u cannot be found where it belongs", client);
    return unreadable(verify, "the accounts", result);
}

/* Accounts after *client in this snapshot, READER_SLICE of them; *ret_end: there are no more. */
static enum archive_end compare_slice(struct verify *verify, uint32_t *client, bool *ret_end)
{
    uint8_t bytes[CLIENT_KEY_BYTES];
    MDB_val key = {sizeof bytes, bytes}, value;
    MDB_cursor *cursor;
    enum archive_end end = follow_tail(verify);
    if (end != ARCHIVE_DONE)
        return end;

    int result = mdb_cursor_open(verify->reader.snapshot, verify->reader.environment->accounts,
                                 &cursor);
    if (result != MDB_SUCCESS)
        return unreadable(verify, "the accounts", result);
    client_key_encode(bytes, *client + 1);
    result = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    for (int i = 0; result == MDB_SUCCESS && end == ARCHIVE_DONE && i < READER_SLICE; i++) {
        uint32_t next = key.mv_size == CLIENT_KEY_BYTES ? client_key_decode(key.mv_data) : 0;
        if (next <= *client) {
            end = wrong(verify, "the account after %u has a key that is none", *client);
            break;
        }
        *client = next;
        if (next % verify->passes == verify->pass)
            end = find_account(verify, next);
        if (end == ARCHIVE_DONE)
            result = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    *ret_end = result == MDB_NOTFOUND;
    return result == MDB_SUCCESS || *ret_end ? end : unreadable(verify, "the accounts", result);
}

/* Clients of the journal that were not met among the accounts: either they were opened behind our
 * back meanwhile, or an account is missing. */
static enum archive_end compare_left(struct verify *verify)
{
    uint32_t slot = 0;
    struct history *history;
    enum archive_end end = follow_tail(verify);
    while (end == ARCHIVE_DONE && (history = histories_left(&verify->histories, &slot)) != NULL) {
        end = find_account(verify, history->client);
    }
    return end;
}

static enum archive_end compare_accounts(struct verify *verify)
{
    enum archive_end end = ARCHIVE_DONE;
    uint32_t client = 0;
    bool at_end = false;
    while (end == ARCHIVE_DONE && !at_end) {
        int result = reader_look(&verify->reader);
        if (result != MDB_SUCCESS)
            return unreadable(verify, "the ledger", result);
        end = compare_slice(verify, &client, &at_end);
        if (end == ARCHIVE_DONE && at_end)
            end = compare_left(verify);
        reader_rest(&verify->reader);
        if (end == ARCHIVE_DONE)
            end = count_step(verify, READER_SLICE);
    }
    return end;
}

/* One share of the clients: their records, then what is derived from them. */
static enum archive_end run_pass(struct verify *verify)
{
    histories_clear(&verify->histories);
    verify->sequence = 0;
    enum archive_end end = follow_journal(verify);
    if (end == ARCHIVE_WRONG) { /* but another share may have a wrong record before this one */
        verify->wrong_sequence = verify->sequence + 1;
        return ARCHIVE_DONE;
    }
    if (end == ARCHIVE_DONE && verify->wrong_sequence == 0 && !verify->wrong_account) {
        end = compare_accounts(verify);
        if (end == ARCHIVE_WRONG) { /* but a record comes before an account */
            verify->wrong_account = true;
            return ARCHIVE_DONE;
        }
    }
    return end;
}

/* --- idempotency keys ----------------------------------------------------------------------- */

static enum archive_end compare_key(struct verify *verify, uint64_t sequence, const MDB_val *value)
{
    const unsigned long long number = sequence;
    struct expiry_record expiry;
    struct journal_record journal;
    MDB_val key, found;
    uint64_t booked;

    atomic_store(&verify->task->record, sequence);
    if (!expiry_record_decode(&expiry, sequence, value->mv_data, value->mv_size))
        return wrong(verify, "key of record %llu: its bytes are not those that were written",
                     number);
    int result = reader_record(&verify->reader, sequence, &journal);
    if (result != MDB_SUCCESS && result != MDB_NOTFOUND && result != MDB_CORRUPTED)
        return unreadable(verify, "the journal", result);
    if (result != MDB_SUCCESS || !journal_moves_money(journal.kind) ||
        journal.entry.time_us != expiry.time_us ||
        client_key_decode(expiry.idempotency_key) != journal.client)
        return wrong(verify, "key of record %llu: the journal has no such entry", number);
    key = (MDB_val){expiry.key_bytes, expiry.idempotency_key};
    result = mdb_get(verify->reader.snapshot, verify->reader.environment->keys, &key, &found);
    if (result == MDB_NOTFOUND)
        return wrong(verify, "key of record %llu: a retry would not find it", number);
    if (result != MDB_SUCCESS)
        return unreadable(verify, "the keys", result);
    if (!key_record_decode(&booked, expiry.idempotency_key, expiry.key_bytes, found.mv_data,
                           found.mv_size) ||
        booked != sequence)
        return wrong(verify, "key of record %llu: a retry would not find that record", number);
    return ARCHIVE_DONE;
}

static enum archive_end follow_expiry_slice(struct verify *verify, uint64_t *sequence,
                                            bool *ret_end)
{
    uint8_t bytes[SEQUENCE_KEY_BYTES];
    MDB_val key = {sizeof bytes, bytes}, value;
    MDB_cursor *cursor;
    enum archive_end end = ARCHIVE_DONE;
    int result = mdb_cursor_open(verify->reader.snapshot, verify->reader.environment->expiry,
                                 &cursor);
    if (result != MDB_SUCCESS)
        return unreadable(verify, "the keys", result);
    sequence_key_encode(bytes, *sequence + 1);
    result = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    for (int i = 0; result == MDB_SUCCESS && end == ARCHIVE_DONE && i < READER_SLICE; i++) {
        uint64_t next = key.mv_size == SEQUENCE_KEY_BYTES ? sequence_key_decode(key.mv_data) : 0;
        if (next <= *sequence) {
            end = wrong(verify, "the key after that of record %llu belongs to no record",
                        (unsigned long long)*sequence);
            break;
        }
        *sequence = next;
        end = compare_key(verify, next, &value);
        if (end == ARCHIVE_DONE)
            result = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    *ret_end = result == MDB_NOTFOUND;
    return result == MDB_SUCCESS || *ret_end ? end : unreadable(verify, "the keys", result);
}

/* Where the walk over the keys is; they are as long as they like. */
struct last_key {
    size_t bytes; /* 0: at the beginning */
    uint8_t at[IDEMPOTENCY_KEY_BYTES_MAX];
};

static int compare_bytes(const MDB_val *key, const struct last_key *last)
{
    size_t shorter = key->mv_size < last->bytes ? key->mv_size : last->bytes;
    int order = shorter == 0 ? 0 : memcmp(key->mv_data, last->at, shorter);
    return order != 0 ? order : (key->mv_size > last->bytes) - (key->mv_size < last->bytes);
}

/* And the other way: a page that hides some of the one table hides none of the other. */
static enum archive_end compare_back(struct verify *verify, const MDB_val *key,
                                     const MDB_val *value)
{
    struct expiry_record expiry;
    uint8_t bytes[SEQUENCE_KEY_BYTES];
    MDB_val expiry_key = {sizeof bytes, bytes}, found;
    uint64_t sequence;
    if (key->mv_size <= CLIENT_KEY_BYTES || key->mv_size > IDEMPOTENCY_KEY_BYTES_MAX)
        return wrong(verify, "a key after that of record %llu is none",
                     (unsigned long long)verify->task->record);
    uint32_t client = client_key_decode(key->mv_data);
    if (!key_record_decode(&sequence, key->mv_data, key->mv_size, value->mv_data, value->mv_size))
        return wrong(verify, "a key of client %u: its bytes are not those that were written",
                     client);
    const unsigned long long number = sequence;
    atomic_store(&verify->task->record, sequence);
    sequence_key_encode(bytes, sequence);
    int result = mdb_get(verify->reader.snapshot, verify->reader.environment->expiry, &expiry_key,
                         &found);
    if (result != MDB_SUCCESS && result != MDB_NOTFOUND)
        return unreadable(verify, "the keys", result);
    if (result == MDB_NOTFOUND ||
        !expiry_record_decode(&expiry, sequence, found.mv_data, found.mv_size) ||
        expiry.key_bytes != key->mv_size ||
        memcmp(expiry.idempotency_key, key->mv_data, key->mv_size) != 0)
        return wrong(verify, "key of record %llu (client %u): when it ends is not known", number,
                     client);
    verify->facts.keys++;
    return ARCHIVE_DONE;
}

/* Keys after *last in this snapshot. */
static enum archive_end follow_keys_slice(struct verify *verify, struct last_key *last,
                                          bool *ret_end)
{
    MDB_cursor *cursor;
    MDB_val key = {last->bytes, last->at}, value;
    enum archive_end end = ARCHIVE_DONE;
    int result = mdb_cursor_open(verify->reader.snapshot, verify->reader.environment->keys,
                                 &cursor);
    if (result != MDB_SUCCESS)
        return unreadable(verify, "the keys", result);
    result = last->bytes == 0 ? mdb_cursor_get(cursor, &key, &value, MDB_FIRST)
                              : mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    for (int i = 0; result == MDB_SUCCESS && end == ARCHIVE_DONE && i < READER_SLICE; i++) {
        int order = compare_bytes(&key, last);
        if (order < 0) {
            end = wrong(verify, "the key after that of record %llu is out of order",
                        (unsigned long long)verify->task->record);
            break;
        }
        if (order > 0)
            end = compare_back(verify, &key, &value);
        if (end == ARCHIVE_DONE) {
            last->bytes = key.mv_size;
            memcpy(last->at, key.mv_data, key.mv_size);
            result = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
        }
    }
    mdb_cursor_close(cursor);
    *ret_end = result == MDB_NOTFOUND;
    return result == MDB_SUCCESS || *ret_end ? end : unreadable(verify, "the keys", result);
}

static enum archive_end compare_keys(struct verify *verify)
{
    enum archive_end end = ARCHIVE_DONE;
    uint64_t sequence = 0;
    struct last_key last = {.bytes = 0};
    bool expiry_at_end = false, keys_at_end = false;
    while (end == ARCHIVE_DONE && !(expiry_at_end && keys_at_end)) {
        int result = reader_look(&verify->reader);
        if (result != MDB_SUCCESS)
            return unreadable(verify, "the ledger", result);
        end = expiry_at_end ? follow_keys_slice(verify, &last, &keys_at_end)
                            : follow_expiry_slice(verify, &sequence, &expiry_at_end);
        reader_rest(&verify->reader);
        if (end == ARCHIVE_DONE)
            end = count_step(verify, READER_SLICE);
    }
    return end;
}

/* --- all of it ------------------------------------------------------------------------------ */

/* How much there is to do, and so in how many passes. */
static enum archive_end survey(struct verify *verify)
{
    const struct environment *environment = verify->reader.environment;
    uint64_t records = 0, accounts = 0, keys = 0;
    int result = reader_look(&verify->reader);
    if (result != MDB_SUCCESS)
        return unreadable(verify, "the ledger", result);
    result = reader_count(&verify->reader, environment->journal, &records);
    if (result == MDB_SUCCESS)
        result = reader_count(&verify->reader, environment->accounts, &accounts);
    if (result == MDB_SUCCESS)
        result = reader_count(&verify->reader, environment->expiry, &keys);
    reader_rest(&verify->reader);
    if (result != MDB_SUCCESS)
        return unreadable(verify, "the ledger", result);
    if (records == 0)
        return wrong(verify, "the journal is empty");

    verify->passes = (uint32_t)(accounts / HISTORIES_PER_PASS) + 1;
    verify->steps_total = (records + accounts) * verify->passes + 2 * keys;
    verify->bytes_total = environment_used_bytes(environment);
    verify->done_before = atomic_load(&verify->task->done_bytes);
    atomic_store(&verify->task->total_bytes, verify->done_before + verify->bytes_total);
    return ARCHIVE_DONE;
}

static enum archive_end run(struct verify *verify)
{
    enum archive_end end = survey(verify);
    for (verify->pass = 0; end == ARCHIVE_DONE && verify->pass < verify->passes; verify->pass++)
        end = run_pass(verify);
    if (end == ARCHIVE_DONE && (verify->wrong_sequence != 0 || verify->wrong_account))
        return ARCHIVE_WRONG; /* in the words of the pass that found it */
    if (end == ARCHIVE_DONE)
        end = compare_keys(verify);
    return end;
}

enum archive_end verify_environment(const struct environment *environment, struct task *task,
                                    struct archive_facts *ret_facts, char *error, size_t error_size)
{
    struct verify verify = {
        .task = task,
        .error = error,
        .error_size = error_size,
        .facts.created_us = environment->created_us,
        .facts.bytes = environment_used_bytes(environment),
    };
    if (!histories_open(&verify.histories)) {
        snprintf(error, error_size, "out of memory");
        return ARCHIVE_UNREADABLE;
    }
    int result = reader_open(&verify.reader, environment);
    if (result != MDB_SUCCESS) {
        histories_close(&verify.histories);
        return unreadable(&verify, "the ledger", result);
    }
    enum archive_end end = run(&verify);
    reader_close(&verify.reader);
    histories_close(&verify.histories);
    if (end == ARCHIVE_DONE)
        *ret_facts = verify.facts;
    return end;
}
