/* SPDX-License-Identifier: MIT
 *
 * environment.c - see environment.h.
 */
#include "store/lmdb/environment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TABLES = 5, READERS_MAX = 16 };

static void say(char *error, size_t error_size, const char *path, const char *what, int result)
{
    snprintf(error, error_size, "%s: %s: %s", path, what, mdb_strerror(result));
}

static int open_tables(struct environment *environment, MDB_txn *txn, unsigned flags)
{
    struct {
        const char *name;
        MDB_dbi *table;
    } tables[TABLES] = {
        {"meta", &environment->meta},         {"journal", &environment->journal},
        {"accounts", &environment->accounts}, {"keys", &environment->keys},
        {"expiry", &environment->expiry},
    };
    int result = MDB_SUCCESS;
    for (size_t i = 0; result == MDB_SUCCESS && i < TABLES; i++)
        result = mdb_dbi_open(txn, tables[i].name, flags, tables[i].table);
    return result;
}

static int put(MDB_txn *txn, MDB_dbi table, void *key, size_t key_bytes, void *value,
               size_t value_bytes, unsigned flags)
{
    MDB_val k = {key_bytes, key}, v = {value_bytes, value};
    return mdb_put(txn, table, &k, &v, flags);
}

/* --- creating ----------------------------------------------------------------------------- */

static int put_account(MDB_txn *txn, const struct environment *environment, uint64_t sequence,
                       const struct opening *opening, int64_t now_us)
{
    struct journal_record journal = {
        .sequence = sequence,
        .client = opening->client,
        .kind = JOURNAL_OPENING,
        .limit_cents = opening->limit_cents,
        .balance_cents = opening->balance_cents,
        .entry.time_us = now_us,
    };
    struct account_record account = {
        .account =
            {
                .client = opening->client,
                .limit_cents = opening->limit_cents,
                .balance_cents = opening->balance_cents,
            },
        .opening_balance_cents = opening->balance_cents,
        .last_sequence = sequence,
    };
    uint8_t sequence_key[SEQUENCE_KEY_BYTES], client_key[CLIENT_KEY_BYTES];
    uint8_t journal_value[JOURNAL_RECORD_BYTES_MAX], account_value[ACCOUNT_RECORD_BYTES_MAX];

    sequence_key_encode(sequence_key, sequence);
    size_t size = journal_record_encode(journal_value, &journal);
    int result = put(txn, environment->journal, sequence_key, sizeof sequence_key, journal_value,
                     size, MDB_APPEND);
    if (result != MDB_SUCCESS)
        return result;
    client_key_encode(client_key, opening->client);
    size = account_record_encode(account_value, &account);
    return put(txn, environment->accounts, client_key, sizeof client_key, account_value, size,
               MDB_NOOVERWRITE);
}

static int fill(MDB_env *env, const struct opening *openings, uint32_t count, int64_t now_us)
{
    struct environment environment = {.env = env};
    const struct meta_record meta = {.layout = LAYOUT_VERSION, .created_us = now_us};
    char meta_key[] = META_KEY;
    uint8_t meta_value[META_RECORD_BYTES];
    MDB_txn *txn;

    int result = mdb_txn_begin(env, NULL, 0, &txn);
    if (result != MDB_SUCCESS)
        return result;
    result = open_tables(&environment, txn, MDB_CREATE);
    if (result == MDB_SUCCESS)
        result = put(txn, environment.meta, meta_key, sizeof meta_key - 1, meta_value,
                     meta_record_encode(meta_value, &meta), 0);
    for (uint32_t i = 0; result == MDB_SUCCESS && i < count; i++)
        result = put_account(txn, &environment, i + 1, &openings[i], now_us);
    if (result != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        return result;
    }
    return mdb_txn_commit(txn);
}

bool environment_create(const struct folder *folder, const char *path, uint64_t map_bytes,
                        const struct opening *openings, uint32_t count, int64_t now_us, char *error,
                        size_t error_size)
{
    char name[4096];
    MDB_env *env = NULL;

    /* What a crash may have left of an earlier attempt. */
    if (unlinkat(folder->fd, FOLDER_DATA_NEW, 0) != 0 && errno != ENOENT) {
        say(error, error_size, path, "cannot remove " FOLDER_DATA_NEW, errno);
        return false;
    }
    snprintf(name, sizeof name, "%s/" FOLDER_DATA_NEW, path);
    int result = mdb_env_create(&env);
    if (result == MDB_SUCCESS)
        result = mdb_env_set_maxdbs(env, TABLES);
    if (result == MDB_SUCCESS)
        result = mdb_env_set_mapsize(env, map_bytes);
    if (result == MDB_SUCCESS)
        result = mdb_env_open(env, name, MDB_NOSUBDIR | MDB_NOLOCK, 0600);
    if (result == MDB_SUCCESS)
        result = fill(env, openings, count, now_us);
    if (env)
        mdb_env_close(env);
    /* The data is on disk; now its name. */
    if (result == MDB_SUCCESS &&
        (renameat(folder->fd, FOLDER_DATA_NEW, folder->fd, FOLDER_DATA) != 0 ||
         fsync(folder->fd) != 0))
        result = errno;
    if (result != MDB_SUCCESS) {
        say(error, error_size, path, "cannot create the store", result);
        (void)unlinkat(folder->fd, FOLDER_DATA_NEW, 0);
        return false;
    }
    return true;
}

/* --- opening ------------------------------------------------------------------------------ */

/* LMDB would begin a new environment in it. */
static bool file_is_empty(const char *path)
{
    char name[4096];
    struct stat status;
    snprintf(name, sizeof name, "%s/" FOLDER_DATA, path);
    return stat(name, &status) == 0 && status.st_size == 0;
}

/* LMDB maps the file and trusts it: reading past its end would be a SIGBUS. */
static bool file_is_whole(const struct environment *environment)
{
    struct stat status;
    int fd;
    return mdb_env_get_fd(environment->env, &fd) == MDB_SUCCESS && fstat(fd, &status) == 0 &&
           (uint64_t)status.st_size >= environment_used_bytes(environment);
}

/* The layout's number first: another layout may have other tables. */
static bool judge(MDB_txn *txn, const char *path, char *error, size_t error_size)
{
    char name[] = META_KEY;
    MDB_val key = {sizeof name - 1, name}, value;
    MDB_dbi table;
    struct meta_record meta;

    int result = mdb_dbi_open(txn, "meta", 0, &table);
    if (result == MDB_SUCCESS)
        result = mdb_get(txn, table, &key, &value);
    if (result == MDB_NOTFOUND || result == MDB_INCOMPATIBLE) {
        snprintf(error, error_size, "%s: " FOLDER_DATA " is an LMDB file, but not one of crebito's",
                 path);
        return false;
    }
    if (result != MDB_SUCCESS) {
        say(error, error_size, path, "cannot read " FOLDER_DATA, result);
        return false;
    }
    if (!meta_record_decode(&meta, value.mv_data, value.mv_size)) {
        snprintf(error, error_size, "%s: " FOLDER_DATA " is damaged: its meta record is wrong",
                 path);
        return false;
    }
    if (meta.layout != LAYOUT_VERSION) {
        snprintf(error, error_size,
                 "%s: the store has layout %u, and this crebito knows only layout %d: use the "
                 "version that wrote it",
                 path, meta.layout, LAYOUT_VERSION);
        return false;
    }
    return true;
}

bool environment_open(struct environment *ret, const char *path, uint64_t map_bytes, unsigned flags,
                      char *error, size_t error_size)
{
    struct environment environment = {.env = NULL};
    MDB_txn *txn = NULL;
    MDB_stat stat;
    MDB_envinfo info;

    if (file_is_empty(path)) {
        snprintf(error, error_size, "%s: " FOLDER_DATA " is damaged: it is empty", path);
        return false;
    }
    int result = mdb_env_create(&environment.env);
    if (result == MDB_SUCCESS)
        result = mdb_env_set_maxdbs(environment.env, TABLES);
    if (result == MDB_SUCCESS)
        result = mdb_env_set_maxreaders(environment.env, READERS_MAX);
    if (result == MDB_SUCCESS && map_bytes > 0)
        result = mdb_env_set_mapsize(environment.env, map_bytes);
    if (result == MDB_SUCCESS)
        result = mdb_env_open(environment.env, path, flags | MDB_NOTLS, 0600);
    if (result == MDB_SUCCESS)
        result = mdb_env_stat(environment.env, &stat);
    if (result == MDB_SUCCESS)
        result = mdb_env_info(environment.env, &info);
    if (result != MDB_SUCCESS) {
        say(error, error_size, path, "cannot open " FOLDER_DATA, result);
        goto close_env;
    }
    environment.page_bytes = stat.ms_psize;
    environment.map_bytes = info.me_mapsize;
    if (!file_is_whole(&environment)) {
        snprintf(error, error_size, "%s: " FOLDER_DATA " is damaged: it has been cut short", path);
        goto close_env;
    }
    result = mdb_txn_begin(environment.env, NULL, MDB_RDONLY, &txn);
    if (result != MDB_SUCCESS) {
        say(error, error_size, path, "cannot read " FOLDER_DATA, result);
        goto close_env;
    }
    if (!judge(txn, path, error, error_size))
        goto abort_txn;
    result = open_tables(&environment, txn, 0);
    if (result != MDB_SUCCESS) {
        say(error, error_size, path, "cannot read " FOLDER_DATA, result);
        goto abort_txn;
    }
    result = mdb_txn_commit(txn); /* keeps the tables' handles */
    if (result != MDB_SUCCESS) {
        say(error, error_size, path, "cannot read " FOLDER_DATA, result);
        goto close_env;
    }
    *ret = environment;
    return true;

abort_txn:
    mdb_txn_abort(txn);
close_env:
    if (environment.env)
        mdb_env_close(environment.env);
    return false;
}

void environment_close(struct environment *environment)
{
    mdb_env_close(environment->env);
}

uint64_t environment_used_bytes(const struct environment *environment)
{
    MDB_envinfo info;
    if (mdb_env_info(environment->env, &info) != MDB_SUCCESS)
        return 0; /* only for a NULL environment */
    return ((uint64_t)info.me_last_pgno + 1) * environment->page_bytes;
}
