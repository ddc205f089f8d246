/* SPDX-License-Identifier: MIT
 *
 * view.c - see view.h.
 */
#include "store/lmdb/view.h"

#include <string.h>

#include "store/lmdb/record.h"

/* LMDB takes the number of the last commit first and copies that commit's roots after; they stay
 * put until the second commit from then begins to flush. Were this thread held up in between for
 * that long, the roots would be of a commit that is not on disk yet; so look again. */
static int begin(struct view *view)
{
    for (;;) {
        int result = mdb_txn_renew(view->snapshot);
        if (result != MDB_SUCCESS ||
            mdb_txn_id(view->snapshot) >= atomic_load(&view->committed->txn))
            return result;
        mdb_txn_reset(view->snapshot);
    }
}

static int get_account(struct view *view, uint32_t client, MDB_val *ret)
{
    uint8_t client_key[CLIENT_KEY_BYTES];
    MDB_val key = {sizeof client_key, client_key};
    client_key_encode(client_key, client);
    return mdb_get(view->snapshot, view->environment->accounts, &key, ret);
}

/* Only as far as they fit: a store with more clients asks LMDB about those that it has not met. */
static int learn_clients(struct view *view)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    int result = mdb_cursor_open(view->snapshot, view->environment->accounts, &cursor);
    if (result != MDB_SUCCESS)
        return result;
    uint32_t known[VIEW_CLIENTS] = {0};
    bool all_known = true;
    result = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    for (; result == MDB_SUCCESS && all_known;
         result = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
        if (key.mv_size != CLIENT_KEY_BYTES) {
            result = MDB_CORRUPTED;
            break;
        }
        uint32_t client = client_key_decode(key.mv_data);
        all_known = known[client % VIEW_CLIENTS] == 0;
        known[client % VIEW_CLIENTS] = client;
    }
    mdb_cursor_close(cursor);
    if (result != MDB_SUCCESS && result != MDB_NOTFOUND)
        return result; /* who was known is known still */
    memcpy(view->known, known, sizeof known);
    view->all_known = all_known;
    return MDB_SUCCESS;
}

int view_open(struct view *view, const struct environment *environment, struct committed *committed)
{
    memset(view, 0, sizeof *view);
    view->environment = environment;
    view->committed = committed;
    view->openings = atomic_load(&committed->openings);
    int result = mdb_txn_begin(environment->env, NULL, MDB_RDONLY, &view->snapshot);
    if (result != MDB_SUCCESS)
        return result;
    size_t none = 0;
    (void)atomic_compare_exchange_strong(&committed->txn, &none, mdb_txn_id(view->snapshot));
    result = learn_clients(view);
    if (result != MDB_SUCCESS) {
        mdb_txn_abort(view->snapshot);
        return result;
    }
    mdb_txn_reset(view->snapshot);
    return MDB_SUCCESS;
}

void view_close(struct view *view)
{
    mdb_txn_abort(view->snapshot);
}

/* Accounts have been opened since we learned who there is. */
static int learn_again(struct view *view)
{
    uint32_t openings = atomic_load(&view->committed->openings);
    int result = begin(view);
    if (result != MDB_SUCCESS)
        return result;
    result = learn_clients(view);
    mdb_txn_reset(view->snapshot);
    if (result == MDB_SUCCESS)
        view->openings = openings;
    return result;
}

static enum outcome look_up(struct view *view, uint32_t client)
{
    MDB_val value;
    if (begin(view) != MDB_SUCCESS)
        return OUTCOME_DOWN;
    int result = get_account(view, client, &value);
    mdb_txn_reset(view->snapshot);
    if (result == MDB_NOTFOUND)
        return OUTCOME_NO_CLIENT;
    return result == MDB_SUCCESS ? OUTCOME_OK : OUTCOME_CORRUPT;
}

enum outcome view_client(struct view *view, uint32_t client)
{
    uint32_t *known = &view->known[client % VIEW_CLIENTS];
    if (*known == client)
        return OUTCOME_OK;
    if (view->openings != atomic_load(&view->committed->openings) &&
        learn_again(view) != MDB_SUCCESS)
        return OUTCOME_DOWN;
    if (view->all_known)
        return *known == client ? OUTCOME_OK : OUTCOME_NO_CLIENT;
    enum outcome outcome = look_up(view, client);
    if (outcome == OUTCOME_OK)
        *known = client;
    return outcome;
}

static enum outcome read_account(struct view *view, uint32_t client, struct account *ret)
{
    struct account_record record;
    MDB_val value;
    if (view->committed->recent && recent_read(view->committed->recent, client, ret))
        return OUTCOME_OK;
    if (begin(view) != MDB_SUCCESS)
        return OUTCOME_DOWN;
    int result = get_account(view, client, &value);
    bool sound = result == MDB_SUCCESS &&
                 account_record_decode(&record, client, value.mv_data, value.mv_size);
    mdb_txn_reset(view->snapshot);
    if (result == MDB_NOTFOUND)
        return OUTCOME_NO_CLIENT;
    if (!sound)
        return OUTCOME_CORRUPT;
    *ret = record.account;
    return OUTCOME_OK;
}

enum outcome view_statement(struct view *view, struct op *op, int64_t now_us)
{
    enum outcome outcome = read_account(view, op->client, &op->account);
    if (outcome != OUTCOME_OK)
        return outcome;
    /* No statement is older than what stands on it, also after the clock was set back. */
    op->snapshot_us = now_us;
    if (op->account.recent_count > 0 && op->account.recent[0].time_us > now_us)
        op->snapshot_us = op->account.recent[0].time_us;
    return OUTCOME_OK;
}

void view_committed(struct committed *committed, size_t txn_id, bool opened)
{
    atomic_store(&committed->txn, txn_id);
    if (opened)
        atomic_fetch_add(&committed->openings, 1);
}
