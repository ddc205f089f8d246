/* SPDX-License-Identifier: MIT
 *
 * test_lmdb_folder.c - folders that a store must not be opened in, each refused with a sentence that
 * names it, and left as it was.
 */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store_client.h"

#define MAP (UINT64_C(1) << 26)

/* A name in the store's folder; the next call but three reuses the memory. */
static const char *in_folder(const char *name)
{
    static char names[4][FOLDER_BYTES_MAX + 100];
    static unsigned next;
    char *text = names[next++ % 4];
    snprintf(text, sizeof names[0], "%s/%s", client.path, name);
    return text;
}

static void write_file(const char *name, const char *content)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    assert_true(fputs(content, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static bool exists(const char *name)
{
    return access(name, F_OK) == 0;
}

static void expect_refused(const char *says)
{
    if (store_client_try_open(MAP, false))
        FAIL("opened, though it should say %s", says);
    if (!strstr(client.error, says) || !strstr(client.error, client.path))
        FAIL("says %s\nand not %s", client.error, says);
}

static void make_store(void)
{
    store_client_open();
    assert_int_equal(store_client_book(1, ENTRY_CREDIT, 7, NULL), OUTCOME_OK);
    store_client_close();
}

static void a_url_of_another_kind_is_not_known_and_its_password_not_told(void **state)
{
    (void)state;
    static const struct {
        const char *url, *shown;
    } cases[] = {
        {"", "\"\""},
        {"lmdb:", "\"lmdb\""},
        {"lmdb", "\"lmdb\""},
        {"LMDB:x", "\"LMDB\""},
        {"mysql://me:secret@host/bank", "\"mysql\""},
    };
    char error[300];
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_false(store_url_known(cases[i].url, error, sizeof error));
        assert_non_null(strstr(error, cases[i].shown));
        assert_null(strstr(error, "secret"));
    }
    error[0] = '\0';
    assert_true(store_url_known("lmdb:x", error, sizeof error));
    assert_string_equal(error, "");
}

static void a_missing_folder_is_made_and_a_missing_parent_is_not(void **state)
{
    (void)state;
    struct stat status;
    assert_false(exists(client.path));
    make_store();
    assert_int_equal(stat(client.path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    assert_int_equal(stat(in_folder("data.mdb"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);

    snprintf(client.url, sizeof client.url, "lmdb:%s/no/parent", client.path);
    expect_refused("/no/parent: cannot create it: No such file or directory");
}

static void an_empty_folder_becomes_a_store_also_on_a_fresh_volume(void **state)
{
    (void)state;
    assert_int_equal(mkdir(client.path, 0755), 0);
    assert_int_equal(mkdir(in_folder("lost+found"), 0700), 0);
    make_store();
    assert_true(exists(in_folder("lost+found")));
}

static void a_file_is_no_folder(void **state)
{
    (void)state;
    write_file(client.path, "not a folder");
    expect_refused("Not a directory");
}

static void a_folder_of_somebody_elses_is_left_as_it_was(void **state)
{
    (void)state;
    static const char *const foreign[] = {"photo.jpg", ".hidden", "data.mdb.bak", "Data.mdb"};
    for (size_t i = 0; i < COUNT_OF(foreign); i++) {
        char says[100];
        assert_int_equal(mkdir(client.path, 0755), 0);
        write_file(in_folder(foreign[i]), "precious");
        snprintf(says, sizeof says, "not a store: it holds \"%s\"", foreign[i]);
        expect_refused(says);
        assert_false(exists(in_folder("owner.lock")));
        assert_false(exists(in_folder("data.mdb")));
        assert_int_equal(unlink(in_folder(foreign[i])), 0);
        assert_int_equal(rmdir(client.path), 0);
    }
}

static void a_store_with_a_foreign_file_in_it_is_refused_until_that_is_gone(void **state)
{
    (void)state;
    make_store();
    write_file(in_folder("notes.txt"), "x");
    expect_refused("it holds \"notes.txt\"");
    assert_int_equal(unlink(in_folder("notes.txt")), 0);
    store_client_open();
    assert_int_equal(store_client_statement(1).account.balance_cents, 7);
}

static void a_folder_that_is_held_by_one_who_takes_no_ops_is_refused_until_that_ends(void **state)
{
    (void)state;
    int ready[2];
    char byte;
    make_store();
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        char error[300];
        struct folder folder;
        byte = folder_take(&folder, client.path, error, sizeof error) ? 'y' : 'n';
        if (write(ready[1], &byte, 1) == 1)
            pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    char process[40];
    snprintf(process, sizeof process, "in use by process %ld on ", (long)child);
    expect_refused(process);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(ready[0]);
    close(ready[1]);
    store_client_open();
}

static void another_layout_is_refused_by_its_number(void **state)
{
    (void)state;
    struct environment environment;
    char error[300], name[] = META_KEY;
    uint8_t value[META_RECORD_BYTES];
    MDB_txn *txn;
    make_store();
    assert_int_equal(
        environment_open(&environment, client.path, MAP, MDB_NOLOCK, error, sizeof error),
        ENVIRONMENT_OPEN);
    const struct meta_record newer = {.layout = 2};
    MDB_val k = {sizeof name - 1, name}, v = {meta_record_encode(value, &newer), value};
    assert_int_equal(mdb_txn_begin(environment.env, NULL, 0, &txn), MDB_SUCCESS);
    assert_int_equal(mdb_put(txn, environment.meta, &k, &v, 0), MDB_SUCCESS);
    assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);
    environment_close(&environment);
    expect_refused("layout 2");
}

static void a_damaged_meta_record_is_refused(void **state)
{
    (void)state;
    struct environment environment;
    char error[300], name[] = META_KEY, garbage[] = "nonsense";
    MDB_txn *txn;
    make_store();
    assert_int_equal(
        environment_open(&environment, client.path, MAP, MDB_NOLOCK, error, sizeof error),
        ENVIRONMENT_OPEN);
    MDB_val k = {sizeof name - 1, name}, v = {sizeof garbage, garbage};
    assert_int_equal(mdb_txn_begin(environment.env, NULL, 0, &txn), MDB_SUCCESS);
    assert_int_equal(mdb_put(txn, environment.meta, &k, &v, 0), MDB_SUCCESS);
    assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);
    environment_close(&environment);
    expect_refused("its meta record is wrong");
}

/* An LMDB file of somebody else's, with a table or without. */
static void a_foreign_lmdb_file_is_refused(void **state)
{
    (void)state;
    static const char *const tables[] = {NULL, "meta", "other"};
    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        MDB_env *env;
        MDB_txn *txn;
        MDB_dbi table;
        char bytes[] = "bytes";
        MDB_val value = {sizeof bytes, bytes};
        assert_int_equal(mkdir(client.path, 0700), 0);
        assert_int_equal(mdb_env_create(&env), MDB_SUCCESS);
        assert_int_equal(mdb_env_set_maxdbs(env, 2), MDB_SUCCESS);
        assert_int_equal(mdb_env_open(env, client.path, 0, 0600), MDB_SUCCESS);
        assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), MDB_SUCCESS);
        assert_int_equal(mdb_dbi_open(txn, tables[i], tables[i] ? MDB_CREATE : 0, &table),
                         MDB_SUCCESS);
        assert_int_equal(mdb_put(txn, table, &value, &value, 0), MDB_SUCCESS);
        assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);
        mdb_env_close(env);
        expect_refused("not one of crebito's");
        (void)unlink(in_folder("data.mdb"));
        (void)unlink(in_folder("lock.mdb"));
        (void)unlink(in_folder("owner.lock"));
        assert_int_equal(rmdir(client.path), 0);
    }
}

static void a_file_that_is_no_lmdb_file_is_refused_and_kept(void **state)
{
    (void)state;
    static char garbage[20001];
    memset(garbage, 'x', sizeof garbage - 1);
    assert_int_equal(mkdir(client.path, 0700), 0);
    write_file(in_folder("data.mdb"), garbage);
    expect_refused("data.mdb");
    struct stat status;
    assert_int_equal(stat(in_folder("data.mdb"), &status), 0);
    assert_int_equal(status.st_size, sizeof garbage - 1);
}

static void a_store_cut_short_anywhere_is_refused(void **state)
{
    (void)state;
    struct store_facts facts;
    char error[300];
    make_store();
    assert_true(store_inspect(&facts, client.url, error, sizeof error));
    for (off_t size = (off_t)facts.used_bytes - 1; size >= 0; size -= 1000) {
        assert_int_equal(truncate(in_folder("data.mdb"), size), 0);
        if (store_client_try_open(MAP, false))
            FAIL("opened, though cut to %lld bytes", (long long)size);
        assert_non_null(strstr(client.error, "data.mdb"));
    }
}

static void an_unfinished_creation_is_begun_anew(void **state)
{
    (void)state;
    assert_int_equal(mkdir(client.path, 0700), 0);
    write_file(in_folder("data.mdb.new"), "half of it");
    make_store();
    assert_false(exists(in_folder("data.mdb.new")));
}

static void a_folder_that_cannot_be_written_is_refused(void **state)
{
    (void)state;
    enum { NOBODY = 65534 };
    uid_t before = geteuid();
    assert_int_equal(mkdir(client.path, 0500), 0);
    if (before == 0) { /* nothing is forbidden to root */
        assert_int_equal(chown(in_folder(".."), NOBODY, (gid_t)-1), 0);
        assert_int_equal(chown(client.path, NOBODY, (gid_t)-1), 0);
        assert_int_equal(seteuid(NOBODY), 0);
    }
    bool opened = store_client_try_open(MAP, false);
    assert_int_equal(seteuid(before), 0);
    assert_false(opened);
    assert_non_null(strstr(client.error, "cannot write to it: Permission denied"));
}

static void an_inspection_of_what_is_no_store_says_so(void **state)
{
    (void)state;
    struct store_facts facts = {.layout = 4711};
    char error[300] = "";
    assert_false(store_inspect(&facts, client.url, error, sizeof error));
    assert_non_null(strstr(error, client.path));
    assert_int_equal(mkdir(client.path, 0700), 0);
    assert_false(store_inspect(&facts, client.url, error, sizeof error));
    assert_false(store_inspect(&facts, "postgres:x", error, sizeof error));
    assert_int_equal(facts.layout, 4711);
    assert_false(exists(in_folder("data.mdb"))); /* and looking makes nothing */
    assert_false(exists(in_folder("lock.mdb")));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, store_client_setup, store_client_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_url_of_another_kind_is_not_known_and_its_password_not_told),
        TEST(a_missing_folder_is_made_and_a_missing_parent_is_not),
        TEST(an_empty_folder_becomes_a_store_also_on_a_fresh_volume),
        TEST(a_file_is_no_folder),
        TEST(a_folder_of_somebody_elses_is_left_as_it_was),
        TEST(a_store_with_a_foreign_file_in_it_is_refused_until_that_is_gone),
        TEST(a_folder_that_is_held_by_one_who_takes_no_ops_is_refused_until_that_ends),
        TEST(another_layout_is_refused_by_its_number),
        TEST(a_damaged_meta_record_is_refused),
        TEST(a_foreign_lmdb_file_is_refused),
        TEST(a_file_that_is_no_lmdb_file_is_refused_and_kept),
        TEST(a_store_cut_short_anywhere_is_refused),
        TEST(an_unfinished_creation_is_begun_anew),
        TEST(a_folder_that_cannot_be_written_is_refused),
        TEST(an_inspection_of_what_is_no_store_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
