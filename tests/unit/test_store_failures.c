/* SPDX-License-Identifier: MIT
 *
 * test_store_failures.c - whichever call fails, of LMDB's or of the system's, a store is open or it is
 * not; it says why, leaves nothing open, and can be opened when all is well again.
 */
#include "unit.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "failing_calls.h"
#include "store_client.h"

#define MAP (UINT64_C(64) << 20)

/* Tries to open with the call after some that work failing. Was there one? */
static bool open_with_a_failure(unsigned calls, int error)
{
    unsigned before = open_files();
    capture_begin(STDERR_FILENO); /* where it may say that there is no room */
    fail_one("", calls, error);
    bool opened = store_client_try_open(MAP, false);
    bool failed = fail_none();
    (void)capture_end();
    if (opened)
        store_client_close();
    else
        assert_int_not_equal(strlen(client.error), 0);
    assert_true(opened || failed);
    assert_int_equal(open_files(), before);
    return failed;
}

static void expect_a_sound_store(uint64_t entries)
{
    struct audit audit;
    store_client_open();
    store_client_close();
    audit_folder(&audit, client.path);
    assert_int_equal(audit.sequences - audit.entries, 5);
    assert_int_equal(audit.entries, entries);
}

static void whatever_call_fails_a_store_is_made_whole_or_not_at_all(void **state)
{
    for (unsigned calls = 0; open_with_a_failure(calls, EIO); calls++) {
        expect_a_sound_store(0);
        assert_int_equal(store_client_teardown(state), 0);
        assert_int_equal(store_client_setup(state), 0);
        assert_in_range(calls, 0, 300);
    }
}

static void whatever_call_fails_a_store_stays_what_it_was(void **state)
{
    (void)state;
    store_client_open();
    assert_int_equal(store_client_book(1, ENTRY_DEBIT, 10, "k"), OUTCOME_OK);
    store_client_close();
    for (unsigned calls = 0; open_with_a_failure(calls, EIO); calls++) {
        expect_a_sound_store(1);
        assert_in_range(calls, 0, 300);
    }
}

static void whatever_call_fails_an_inspection_is_right_or_says_why_not(void **state)
{
    (void)state;
    struct store_facts facts;
    char error[300];
    store_client_open();
    assert_int_equal(store_client_book(1, ENTRY_DEBIT, 10, "k"), OUTCOME_OK);
    unsigned before = open_files(), refused = 0;
    for (unsigned calls = 0;; calls++) {
        memset(&facts, 0, sizeof facts);
        error[0] = '\0';
        fail_all("mdb_", calls, EIO);
        bool seen = store_inspect(&facts, client.url, error, sizeof error);
        bool failed = fail_none();
        assert_int_equal(open_files(), before);
        if (seen) {
            assert_int_equal(facts.accounts, 5);
            assert_int_equal(facts.records, 6);
            assert_int_equal(facts.keys, 1);
        } else {
            refused++;
            assert_non_null(strstr(error, client.path));
        }
        if (!failed)
            break;
    }
    assert_in_range(refused, 10, 100);
}

static void a_url_that_is_not_known_is_not_opened(void **state)
{
    (void)state;
    strcpy(client.url, "postgres:host");
    assert_false(store_client_try_open(MAP, false));
    assert_non_null(strstr(client.error, "no database that this build knows"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, store_client_setup, store_client_teardown)
    const struct CMUnitTest tests[] = {
        TEST(whatever_call_fails_a_store_is_made_whole_or_not_at_all),
        TEST(whatever_call_fails_a_store_stays_what_it_was),
        TEST(whatever_call_fails_an_inspection_is_right_or_says_why_not),
        TEST(a_url_that_is_not_known_is_not_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
