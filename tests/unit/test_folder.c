/* SPDX-License-Identifier: MIT
 *
 * test_folder.c - a folder is taken whole or not at all, whichever call on the way fails; and what is
 * in it is opened only if all of it can be read.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failing_calls.h"
#include "ledger_fixture.h"
#include "store/lmdb/folder.h"

static char path[FOLDER_BYTES_MAX], error[300];

static int setup(void **state)
{
    (void)state;
    temporary_make(path);
    error[0] = '\0';
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    temporary_remove(path);
    return 0;
}

static bool take(struct folder *folder)
{
    return folder_take(folder, path, error, sizeof error);
}

static void expect_said(const char *what, int why)
{
    assert_non_null(strstr(error, path));
    assert_non_null(strstr(error, what));
    if (why != 0)
        assert_non_null(strstr(error, strerror(why)));
}

/* --- taking --------------------------------------------------------------------------------- */

static void each_failure_has_its_sentence(void **state)
{
    (void)state;
    static const struct {
        const char *call;
        unsigned working;
        int error;
        const char *said;
    } cases[] = {
        {"openat", 0, EMFILE, "cannot list it"},        {"fdopendir", 0, ENOMEM, "cannot list it"},
        {"openat", 1, EROFS, "cannot write to it"},     {"fcntl", 0, ENOLCK, "cannot lock it"},
        {"openat", 2, EMFILE, "cannot flush its name"}, {"fsync", 0, EIO, "cannot flush its name"},
        {"fsync", 1, EIO, "cannot flush its name"},
    };
    struct folder folder;
    unsigned before = open_files();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        fail_one(cases[i].call, cases[i].working, cases[i].error);
        assert_false(take(&folder));
        assert_true(fail_none());
        expect_said(cases[i].said, cases[i].error);
        assert_int_equal(open_files(), before);
        assert_true(take(&folder)); /* nobody has it */
        folder_release(&folder);
        assert_int_equal(open_files(), before);
    }
}

/* That is what a system may say instead of EAGAIN. */
static void a_lock_that_is_denied_is_somebody_elses(void **state)
{
    (void)state;
    static const int denied[] = {EAGAIN, EACCES};
    struct folder folder;
    for (size_t i = 0; i < COUNT_OF(denied); i++) {
        fail_one("fcntl", 0, denied[i]);
        assert_false(take(&folder));
        assert_true(fail_none());
        expect_said("in use by another process", 0); /* it has left no name yet */
    }
}

/* Where we may search but not list, a mount point say, its own name is all that we can flush. */
static void a_parent_that_is_not_ours_to_read_is_no_reason_to_fail(void **state)
{
    (void)state;
    struct folder folder;
    fail_one("openat", 2, EACCES);
    assert_true(take(&folder));
    assert_true(fail_none());
    folder_release(&folder);
}

static void an_owner_who_could_not_leave_a_name_still_owns_it(void **state)
{
    (void)state;
    static const char *const calls[] = {"ftruncate", "pwrite"};
    struct folder folder, other;
    char owner[100];
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        fail_one(calls[i], 0, ENOSPC);
        assert_true(take(&folder));
        assert_true(fail_none());
        assert_false(take(&other));
        expect_said("in use by another process", 0);
        folder_owner(path, owner, sizeof owner);
        assert_string_equal(owner, "another process");
        folder_release(&folder);
    }
}

/* --- who has it? ---------------------------------------------------------------------------- */

static void nobody_owns_what_is_free_or_missing_or_cannot_be_asked(void **state)
{
    (void)state;
    struct folder folder;
    char owner[100] = "somebody";
    folder_owner(path, owner, sizeof owner);
    assert_string_equal(owner, "");
    assert_true(take(&folder));
    folder_owner(path, owner, sizeof owner);
    assert_non_null(strstr(owner, "process "));
    fail_one("fcntl", 0, EINVAL);
    folder_owner(path, owner, sizeof owner);
    assert_true(fail_none());
    assert_string_equal(owner, "");
    folder_release(&folder);
    folder_owner(path, owner, sizeof owner);
    assert_string_equal(owner, "");
}

/* --- is it still there? --------------------------------------------------------------------- */

static void a_folder_is_known_by_where_it_is_and_not_by_its_name(void **state)
{
    (void)state;
    struct folder folder;
    struct folder_place there, other;
    assert_false(folder_find(&there, path));
    assert_true(take(&folder));
    assert_true(folder_find(&there, path));
    assert_true(folder_is(&folder, &there));
    other = there;
    assert_true(folder_same(&there, &other));
    other.device++; /* the same number, of another file system */
    assert_false(folder_same(&there, &other));
    assert_false(folder_is(&folder, &other));
    other = there;
    other.number++;
    assert_false(folder_same(&there, &other));
    fail_one("fstat", 0, EIO);
    bool is = folder_is(&folder, &there);
    assert_true(fail_none());
    assert_false(is); /* who does not know does not say so */
    folder_release(&folder);
}

/* --- opening what is in it ------------------------------------------------------------------ */

static bool try_open(struct environment *environment)
{
    return environment_open(environment, ledger.path, LEDGER_MAP, 0, error, sizeof error) ==
           ENVIRONMENT_OPEN;
}

static void whatever_call_fails_an_environment_is_open_or_closed(void **state)
{
    (void)state;
    static const int errors[] = {EIO, MDB_CORRUPTED, MDB_INVALID};
    struct environment environment;
    assert_int_equal(ledger_setup(state), 0);
    ledger_close();
    unsigned before = open_files();
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        for (unsigned calls = 0;; calls++) {
            fail_one("mdb_", calls, errors[i]);
            bool opened = try_open(&environment);
            bool failed = fail_none();
            if (opened)
                environment_close(&environment);
            assert_int_equal(open_files(), before);
            if (!failed) {
                assert_true(opened);
                assert_in_range(calls, 12, 100);
                break;
            }
            if (!opened)
                assert_non_null(strstr(error, ledger.path));
        }
    }
    assert_int_equal(ledger_teardown(state), 0);
}

static void a_data_file_of_which_the_size_is_not_known_is_not_trusted(void **state)
{
    (void)state;
    struct environment environment;
    assert_int_equal(ledger_setup(state), 0);
    ledger_close();
    static const char *const calls[] = {"fstat", "mdb_env_get_fd"};
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        fail_one(calls[i], i == 0 ? 1 : 0, EIO); /* the first fstat is of the lock's file */
        assert_false(try_open(&environment));
        assert_true(fail_none());
        assert_non_null(strstr(error, "it has been cut short"));
    }
    assert_int_equal(ledger_teardown(state), 0);
}

/* What we know as a table's name is a value there. */
static void an_lmdb_file_with_a_value_called_meta_is_not_ours(void **state)
{
    (void)state;
    struct environment environment;
    char name[] = "meta";
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi table;
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(mdb_env_create(&env), MDB_SUCCESS);
    assert_int_equal(mdb_env_open(env, path, MDB_NOLOCK, 0600), MDB_SUCCESS);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), MDB_SUCCESS);
    assert_int_equal(mdb_dbi_open(txn, NULL, 0, &table), MDB_SUCCESS);
    MDB_val key = {4, name}, value = {4, name};
    assert_int_equal(mdb_put(txn, table, &key, &value, 0), MDB_SUCCESS);
    assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);
    mdb_env_close(env);
    assert_int_equal(environment_open(&environment, path, LEDGER_MAP, 0, error, sizeof error),
                     ENVIRONMENT_REFUSED);
    expect_said("not one of crebito's", 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_failure_has_its_sentence),
        TEST(a_lock_that_is_denied_is_somebody_elses),
        TEST(a_parent_that_is_not_ours_to_read_is_no_reason_to_fail),
        TEST(an_owner_who_could_not_leave_a_name_still_owns_it),
        TEST(nobody_owns_what_is_free_or_missing_or_cannot_be_asked),
        TEST(a_folder_is_known_by_where_it_is_and_not_by_its_name),
        TEST(whatever_call_fails_an_environment_is_open_or_closed),
        TEST(an_lmdb_file_with_a_value_called_meta_is_not_ours),
        TEST(a_data_file_of_which_the_size_is_not_known_is_not_trusted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
