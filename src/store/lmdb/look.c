/* SPDX-License-Identifier: MIT
 *
 * look.c - see look.h.
 */
#include "store/lmdb/look.h"

#include <errno.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "store/lmdb/environment.h"
#include "store/lmdb/folder.h"
#include "store/lmdb/settle.h"
#include "store/lmdb/wal.h"

enum {
    LOOKS = 10,      /* how often a look at a busy store is tried */
    SETTLE_MS = 500, /* how long its owner is waited for */
};

/* Beside an owner, without a lock: nothing keeps the pages under this snapshot from being used
 * again once the third commit after it has begun, and the counts stand on such pages. */
static bool undisturbed(const struct environment *environment, size_t txn_id)
{
    MDB_envinfo info;
    return mdb_env_info(environment->env, &info) == MDB_SUCCESS && info.me_last_txnid <= txn_id + 1;
}

/* What a process without privileges may still write where the folder is. */
static int look_at_disk(uint64_t *ret_free_bytes, const char *path)
{
    struct statvfs disk;
    int result;
    do
        result = statvfs(path, &disk);
    while (result != 0 && errno == EINTR);
    if (result != 0)
        return errno;
    *ret_free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    return MDB_SUCCESS;
}

static bool look(struct store_facts *ret, const char *path, char *error, size_t error_size)
{
    struct environment environment;
    struct store_facts facts = {.layout = LAYOUT_VERSION};
    MDB_txn *txn;
    MDB_stat journal, accounts, keys;

    if (environment_open(&environment, path, 0, MDB_RDONLY | MDB_NOLOCK, error, error_size) !=
        ENVIRONMENT_OPEN)
        return false;
    int result = mdb_txn_begin(environment.env, NULL, MDB_RDONLY, &txn);
    if (result == MDB_SUCCESS) {
        size_t txn_id = mdb_txn_id(txn);
        if ((result = mdb_stat(txn, environment.journal, &journal)) == MDB_SUCCESS &&
            (result = mdb_stat(txn, environment.accounts, &accounts)) == MDB_SUCCESS)
            result = mdb_stat(txn, environment.keys, &keys);
        mdb_txn_abort(txn);
        if (result == MDB_SUCCESS && !undisturbed(&environment, txn_id))
            result = MDB_BAD_TXN;
        facts.checkpoints = txn_id; /* LMDB numbers them from 1 on */
    }
    if (result == MDB_SUCCESS)
        result = look_at_disk(&facts.free_bytes, path);
    if (result == MDB_SUCCESS) {
        facts.commits = wal_batches(path);
        if (facts.commits < facts.checkpoints)
            facts.commits = facts.checkpoints;
        facts.accounts = accounts.ms_entries;
        facts.records = journal.ms_entries;
        facts.keys = keys.ms_entries;
        facts.capacity_bytes = environment.map_bytes;
        facts.used_bytes = environment_used_bytes(&environment);
        folder_owner(path, facts.owner, sizeof facts.owner);
        *ret = facts;
    } else {
        snprintf(error, error_size, "%s: cannot read it: %s", path, mdb_strerror(result));
    }
    environment_close(&environment);
    return result == MDB_SUCCESS;
}

bool lmdb_look(struct store_facts *ret, const char *path, char *error, size_t error_size)
{
    /* What is there can be told of anyway. */
    (void)!settle_folder(path, SETTLE_MS, error, error_size);
    for (int i = 0; i < LOOKS; i++)
        if (look(ret, path, error, error_size))
            return true;
    return false;
}
