/* SPDX-License-Identifier: MIT
 *
 * ledger_audit.c - see ledger_audit.h.
 */
#include "ledger_audit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

enum { ACCOUNTS_MAX = 300 };

void temporary_make(char ret_path[FOLDER_BYTES_MAX])
{
    const char *tmp = getenv("TMPDIR");
    char parent[FOLDER_BYTES_MAX - 8];
    snprintf(parent, sizeof parent, "%s/crebito-unit-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(parent))
        abort();
    snprintf(ret_path, FOLDER_BYTES_MAX, "%s/store", parent);
}

static void remove_all(const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *item;
    while (folder && (item = readdir(folder)) != NULL) {
        char name[FOLDER_BYTES_MAX + sizeof item->d_name];
        if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0)
            continue;
        snprintf(name, sizeof name, "%s/%s", path, item->d_name);
        remove_all(name);
    }
    if (folder)
        closedir(folder);
    (void)remove(path);
}

void temporary_remove(const char *path)
{
    char parent[FOLDER_BYTES_MAX];
    snprintf(parent, sizeof parent, "%s", path);
    *strrchr(parent, '/') = '\0';
    (void)chmod(path, 0700);
    remove_all(parent);
}

/* --- the journal, replayed ------------------------------------------------------------------ */

struct replayed {
    struct account_record accounts[ACCOUNTS_MAX];
    size_t accounts_count;
};

static struct account_record *account_of(struct replayed *replayed, uint32_t client)
{
    for (size_t i = 0; i < replayed->accounts_count; i++)
        if (replayed->accounts[i].account.client == client)
            return &replayed->accounts[i];
    return NULL;
}

static void replay(struct replayed *replayed, const struct journal_record *record)
{
    struct account_record *account = account_of(replayed, record->client);
    if (record->kind == JOURNAL_OPENING) {
        assert_null(account);
        assert_true(replayed->accounts_count < ACCOUNTS_MAX);
        account = &replayed->accounts[replayed->accounts_count++];
        account->account = (struct account){.client = record->client,
                                            .limit_cents = record->limit_cents,
                                            .balance_cents = record->balance_cents};
        account->opening_balance_cents = record->balance_cents;
        assert_true(record->previous_sequence == 0);
    } else {
        assert_non_null(account);
        bool limit = record->kind == JOURNAL_LIMIT;
        assert_true(record->previous_sequence == account->last_sequence);
        assert_int_equal(limit ? ledger_set_limit(&account->account, record->limit_cents)
                               : ledger_apply(&account->account, &record->entry),
                         OUTCOME_OK);
        assert_true(account->account.balance_cents == record->balance_cents);
        assert_true(account->account.limit_cents == record->limit_cents);
        account->entries += !limit;
    }
    account->last_sequence = record->sequence;
}

static void walk_journal(struct audit *ret, struct replayed *replayed, MDB_cursor *cursor)
{
    MDB_val key, value;
    for (int result = mdb_cursor_get(cursor, &key, &value, MDB_FIRST); result == MDB_SUCCESS;
         result = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
        struct journal_record record;
        assert_int_equal(key.mv_size, SEQUENCE_KEY_BYTES);
        uint64_t sequence = sequence_key_decode(key.mv_data);
        assert_true(sequence == ++ret->sequences); /* no gap */
        assert_true(journal_record_decode(&record, sequence, value.mv_data, value.mv_size));
        assert_true(record.entry.time_us >= ret->last_time_us || sequence == 1);
        ret->last_time_us = record.entry.time_us;
        ret->entries += journal_moves_money(record.kind);
        replay(replayed, &record);
    }
}

static void walk_accounts(struct audit *ret, struct replayed *replayed, MDB_cursor *cursor)
{
    MDB_val key, value;
    size_t count = 0;
    for (int result = mdb_cursor_get(cursor, &key, &value, MDB_FIRST); result == MDB_SUCCESS;
         result = mdb_cursor_get(cursor, &key, &value, MDB_NEXT), count++) {
        struct account_record is;
        assert_int_equal(key.mv_size, CLIENT_KEY_BYTES);
        uint32_t client = client_key_decode(key.mv_data);
        const struct account_record *made = account_of(replayed, client);
        assert_true(account_record_decode(&is, client, value.mv_data, value.mv_size));
        assert_non_null(made);
        assert_true(is.account.limit_cents == made->account.limit_cents);
        assert_true(is.account.balance_cents == made->account.balance_cents);
        assert_true(is.opening_balance_cents == made->opening_balance_cents);
        assert_true(is.entries == made->entries && is.last_sequence == made->last_sequence);
        assert_int_equal(is.account.recent_count, made->account.recent_count);
        for (uint32_t i = 0; i < is.account.recent_count; i++) {
            assert_true(entry_same_request(&is.account.recent[i], &made->account.recent[i]));
            assert_true(is.account.recent[i].time_us == made->account.recent[i].time_us);
        }
        if (client < COUNT_OF(ret->balance_cents))
            ret->balance_cents[client] = is.account.balance_cents;
    }
    assert_int_equal(count, replayed->accounts_count);
}

/* Each expiry record has its key, which names the same entry; and there are as many of both. */
static void walk_keys(struct audit *ret, const struct environment *environment, MDB_txn *txn,
                      MDB_cursor *cursor)
{
    MDB_val key, value;
    MDB_stat keys;
    for (int result = mdb_cursor_get(cursor, &key, &value, MDB_FIRST); result == MDB_SUCCESS;
         result = mdb_cursor_get(cursor, &key, &value, MDB_NEXT), ret->keys++) {
        struct expiry_record expiry;
        struct journal_record record;
        uint64_t sequence = sequence_key_decode(key.mv_data), named = 0;
        MDB_val found, entry, entry_key = key;
        assert_true(expiry_record_decode(&expiry, sequence, value.mv_data, value.mv_size));
        MDB_val name = {expiry.key_bytes, expiry.idempotency_key};
        assert_int_equal(mdb_get(txn, environment->keys, &name, &found), MDB_SUCCESS);
        assert_true(key_record_decode(&named, expiry.idempotency_key, expiry.key_bytes,
                                      found.mv_data, found.mv_size));
        assert_true(named == sequence);
        assert_int_equal(mdb_get(txn, environment->journal, &entry_key, &entry), MDB_SUCCESS);
        assert_true(journal_record_decode(&record, sequence, entry.mv_data, entry.mv_size));
        assert_true(record.entry.time_us == expiry.time_us);
        assert_int_equal(client_key_decode(expiry.idempotency_key), record.client);
    }
    assert_int_equal(mdb_stat(txn, environment->keys, &keys), MDB_SUCCESS);
    assert_int_equal(keys.ms_entries, ret->keys);
}

void audit_environment(struct audit *ret, const struct environment *environment)
{
    struct replayed replayed = {.accounts_count = 0};
    const MDB_dbi tables[] = {environment->journal, environment->accounts, environment->expiry};
    MDB_txn *txn;
    memset(ret, 0, sizeof *ret);
    assert_int_equal(mdb_txn_begin(environment->env, NULL, MDB_RDONLY, &txn), MDB_SUCCESS);
    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        MDB_cursor *cursor;
        assert_int_equal(mdb_cursor_open(txn, tables[i], &cursor), MDB_SUCCESS);
        if (i == 0)
            walk_journal(ret, &replayed, cursor);
        else if (i == 1)
            walk_accounts(ret, &replayed, cursor);
        else
            walk_keys(ret, environment, txn, cursor);
        mdb_cursor_close(cursor);
    }
    mdb_txn_abort(txn);
}

void audit_folder(struct audit *ret, const char *path)
{
    struct environment environment;
    char error[300];
    if (environment_open(&environment, path, UINT64_C(1) << 30, MDB_RDONLY | MDB_NOLOCK, error,
                         sizeof error) != ENVIRONMENT_OPEN)
        FAIL("%s", error);
    audit_environment(ret, &environment);
    environment_close(&environment);
}

struct op entry_op(uint32_t client, enum entry_kind kind, int64_t amount_cents, const char *key)
{
    struct op op = {
        .kind = OP_ENTRY,
        .client = client,
        .entry = {.amount_cents = amount_cents,
                  .kind = kind,
                  .description_bytes = 4,
                  .description = "unit"},
        .key_bytes = (uint8_t)(key ? strlen(key) : 0),
        .outcome = OUTCOME_UNKNOWN,
    };
    if (key)
        memcpy(op.key, key, op.key_bytes);
    return op;
}

struct op open_op(uint32_t client, int64_t limit_cents, int64_t balance_cents)
{
    return (struct op){.kind = OP_OPEN,
                       .client = client,
                       .limit_cents = limit_cents,
                       .balance_cents = balance_cents,
                       .outcome = OUTCOME_UNKNOWN};
}

struct op limit_op(uint32_t client, int64_t limit_cents)
{
    return (struct op){.kind = OP_LIMIT,
                       .client = client,
                       .limit_cents = limit_cents,
                       .balance_cents = 4711,
                       .outcome = OUTCOME_UNKNOWN};
}
