/* SPDX-License-Identifier: MIT
 *
 * test_archive_edges.c - sources and targets of archive.h that are not what they should be, and
 * those who want no more of them.
 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failing_calls.h"
#include "ledger_fixture.h"
#include "store/archive.h"
#include "store/lmdb/target.h"
#include "store/store.h"

/* More than one transaction copies; more than one flush does. */
enum { ENTRIES = 1100, LARGE = 80000, COMMITS_MAX = 200 };

static char from[FOLDER_BYTES_MAX + 10], to[FOLDER_BYTES_MAX + 10];
static char to_path[FOLDER_BYTES_MAX];
static char error[600];
static struct task task;
static struct archive_facts facts;

static int setup(void **state)
{
    int result = ledger_setup(state);
    for (int i = 0; i < ENTRIES; i++) {
        char key[20];
        snprintf(key, sizeof key, "key-%d", i);
        assert_int_equal(ledger_book(1, ENTRY_CREDIT, 1 + i % 7, key), OUTCOME_OK);
    }
    ledger_close();
    temporary_make(to_path);
    snprintf(from, sizeof from, "lmdb:%s", ledger.path);
    snprintf(to, sizeof to, "lmdb:%s", to_path);
    memset(&task, 0, sizeof task);
    error[0] = '\0';
    return result;
}

static int teardown(void **state)
{
    temporary_remove(to_path);
    return ledger_teardown(state);
}

static enum archive_end verify(void)
{
    return archive_verify(from, &task, &facts, error, sizeof error);
}

static enum archive_end copy_to(const char *url)
{
    return archive_copy(from, url, &task, &facts, error, sizeof error);
}

static void expect_says(const char *says)
{
    if (!strstr(error, says))
        FAIL("says \"%s\" and not \"%s\"", error, says);
}

static void path_in(char path[FOLDER_BYTES_MAX + 100], const char *folder, const char *name)
{
    snprintf(path, FOLDER_BYTES_MAX + 100, "%s/%s", folder, name);
}

/* --- who reads -------------------------------------------------------------------------------- */

static uint32_t records;

static bool begin(void *context, int64_t created_us)
{
    (void)created_us;
    records = 0;
    return context != error;
}

static bool look(void *context, const struct archive_record *record)
{
    (void)record;
    records++;
    if (context == &task)
        atomic_store(&task.stop, true);
    return true;
}

static enum archive_end read_for(void *context, int64_t since_us)
{
    const struct archive_range range = {.since_us = since_us};
    const struct archive_sink sink = {begin, look, context};
    return archive_read(from, &range, &sink, &task, error, sizeof error);
}

static enum archive_end read_all(void)
{
    return read_for(NULL, INT64_MIN);
}

static void a_sink_that_does_not_begin_gets_nothing(void **state)
{
    (void)state;
    assert_int_equal(read_for(error, INT64_MIN), ARCHIVE_STOPPED);
    assert_int_equal(records, 0);
}

static void who_stops_the_task_gets_no_more_slices(void **state)
{
    (void)state;
    assert_int_equal(read_for(&task, INT64_MIN), ARCHIVE_STOPPED);
    assert_in_range(records, 1, ENTRIES);
}

/* --- names ------------------------------------------------------------------------------------ */

static void there_is_no_other_kind_of_store(void **state)
{
    (void)state;
    struct archive_build *build;
    assert_int_equal(copy_to("mysql:x"), ARCHIVE_UNREADABLE);
    expect_says("mysql");
    assert_int_equal(archive_build_begin(&build, "mysql:x", LEDGER_MAP, 1, error, sizeof error),
                     ARCHIVE_FAILED);
    archive_clear("mysql:x");
    snprintf(from, sizeof from, "mysql:x");
    assert_int_equal(copy_to(to), ARCHIVE_UNREADABLE);
    assert_int_equal(read_all(), ARCHIVE_UNREADABLE);
    assert_int_equal(access(to_path, F_OK), -1);
}

static void a_path_that_is_too_long_is_none(void **state)
{
    (void)state;
    static char url[TARGET_PATH_BYTES + 100] = "lmdb:", beside[TARGET_PATH_BYTES];
    memset(url + 5, 'x', sizeof url - 6);
    assert_int_equal(copy_to(url), ARCHIVE_FAILED);
    expect_says("too long");
    archive_clear(url);
    assert_false(target_was_interrupted(url + 5, beside, sizeof beside));
    assert_false(target_was_interrupted("/", beside, sizeof beside));
}

static void a_path_that_leads_nowhere_is_made_by_nobody(void **state)
{
    (void)state;
    static const char *const ends[] = {"/.", "/.."};
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        char url[FOLDER_BYTES_MAX + 20];
        snprintf(url, sizeof url, "%s%s", to, ends[i]);
        assert_int_equal(copy_to(url), ARCHIVE_FAILED);
        expect_says("No such file");
        assert_int_equal(access(to_path, F_OK), -1);
    }
    assert_int_equal(copy_to("lmdb:/dev/null/x"), ARCHIVE_FAILED);
    expect_says("/dev/null/x: Not a directory");
    archive_clear("lmdb:a-name-alone-of-what-is-not-there");
}

/* --- files that are none ------------------------------------------------------------------------ */

static void a_pipe_is_not_waited_for(void **state)
{
    (void)state;
    char data[FOLDER_BYTES_MAX + 100];
    path_in(data, ledger.path, FOLDER_DATA);
    assert_int_equal(unlink(data), 0);
    assert_int_equal(mkfifo(data, 0600), 0);
    assert_int_equal(verify(), ARCHIVE_UNREADABLE);
    expect_says("no regular file");
}

static void without_a_lock_it_is_read_unless_somebody_owns_it(void **state)
{
    (void)state;
    char lock[FOLDER_BYTES_MAX + 100];
    path_in(lock, ledger.path, FOLDER_LOCK);
    (void)unlink(lock);
    assert_int_equal(mkdir(lock, 0700), 0);
    assert_int_equal(verify(), ARCHIVE_UNREADABLE);
    expect_says("its " FOLDER_LOCK " cannot be used");
    folder_release(&ledger.folder);
    if (verify() != ARCHIVE_DONE)
        FAIL("%s", error);
    assert_true(folder_take(&ledger.folder, ledger.path, error, sizeof error));
    assert_int_equal(rmdir(lock), 0);
}

static void the_lock_that_root_makes_is_the_owners(void **state)
{
    (void)state;
    char name[FOLDER_BYTES_MAX + 100];
    struct stat status;
    if (geteuid() != 0)
        skip();
    path_in(name, ledger.path, FOLDER_DATA);
    assert_int_equal(chown(name, 12345, 12345), 0);
    assert_int_equal(verify(), ARCHIVE_DONE);
    path_in(name, ledger.path, FOLDER_LOCK);
    assert_int_equal(stat(name, &status), 0);
    assert_int_equal(status.st_uid, 12345);
}

/* --- calls that fail ---------------------------------------------------------------------------- */

static void what_is_not_the_files_fault_is_not_called_damage(void **state)
{
    (void)state;
    static const struct {
        const char *call;
        int code;
        const char *says;
    } cases[] = {
        {"mdb_txn_begin", MDB_READERS_FULL, "as many read it as may at once"},
        {"mdb_txn_begin", EAGAIN, "in another PID namespace"},
        {"mdb_txn_begin", MDB_MAP_RESIZED, "cannot read"},
        {"mdb_txn_begin", MDB_BAD_RSLOT, "cannot read"},
        {"mdb_txn_renew", MDB_MAP_RESIZED, "cannot be read"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (int job = 0; job < 3; job++) {
            fail_one(cases[i].call, 0, cases[i].code);
            enum archive_end end = job == 0 ? verify() : job == 1 ? copy_to(to) : read_all();
            assert_true(fail_none());
            assert_int_equal(end, ARCHIVE_UNREADABLE);
            expect_says(cases[i].says);
        }
    }
}

static void whichever_commit_fails_there_is_no_copy(void **state)
{
    (void)state;
    unsigned working = 0;
    for (; working < COMMITS_MAX; working++) {
        fail_one("mdb_txn_commit", working, EIO);
        enum archive_end end = copy_to(to);
        if (!fail_none())
            break;
        assert_true(end == ARCHIVE_FAILED || end == ARCHIVE_UNREADABLE);
        assert_int_equal(access(to_path, F_OK), -1);
    }
    assert_in_range(working, 3, COMMITS_MAX - 1);
}

static void a_copy_that_cannot_be_flushed_gets_no_name(void **state)
{
    (void)state;
    fail_one("mdb_env_sync", 0, EIO);
    assert_int_equal(copy_to(to), ARCHIVE_FAILED);
    assert_true(fail_none());
    expect_says("cannot give it its name");
    assert_int_equal(access(to_path, F_OK), -1);
}

static void a_large_copy_is_flushed_as_it_grows(void **state)
{
    (void)state;
    static struct op ops[100];
    ledger_open(LEDGER_MAP);
    for (int batch = 0; batch < LARGE / (int)COUNT_OF(ops); batch++) {
        for (size_t i = 0; i < COUNT_OF(ops); i++) {
            ops[i] = (struct op){.kind = OP_ENTRY, .client = 1};
            ops[i].entry = (struct entry){.amount_cents = 1, .kind = ENTRY_CREDIT};
            ops[i].entry.description_bytes = 1;
            ops[i].entry.description[0] = 'x';
        }
        ledger_apply_ops(ops, COUNT_OF(ops));
    }
    ledger_close();
    fail_one("mdb_env_sync", 0, EIO);
    assert_int_equal(copy_to(to), ARCHIVE_FAILED);
    assert_true(fail_none());
    expect_says("cannot write the copy");
    assert_int_equal(copy_to(to), ARCHIVE_DONE);
}

/* --- tables that are damaged -------------------------------------------------------------------- */

static void put(MDB_dbi table, void *key, size_t key_bytes)
{
    char nothing[] = "nothing";
    MDB_txn *txn = ledger_begin();
    MDB_val k = {key_bytes, key}, value = {sizeof nothing, nothing};
    assert_int_equal(mdb_put(txn, table, &k, &value, 0), MDB_SUCCESS);
    assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);
}

static void a_key_that_ends_with_no_record_is_wrong(void **state)
{
    (void)state;
    uint8_t sequence[SEQUENCE_KEY_BYTES];
    char late[] = "\xff\xff\xff";
    ledger_open(LEDGER_MAP);
    put(ledger.environment.expiry, late, 3);
    ledger_close();
    assert_int_equal(read_all(), ARCHIVE_WRONG);
    expect_says("belongs to no record");
    sequence_key_encode(sequence, 7);
    ledger_open(LEDGER_MAP);
    put(ledger.environment.expiry, sequence, sizeof sequence);
    ledger_close();
    assert_int_equal(read_all(), ARCHIVE_WRONG);
    expect_says("the bytes of a key after it");
}

static void a_wrong_record_is_met_while_a_time_is_looked_for(void **state)
{
    (void)state;
    uint8_t sequence[SEQUENCE_KEY_BYTES];
    ledger_open(LEDGER_MAP);
    sequence_key_encode(sequence, (LEDGER_OPENINGS + ENTRIES + 1) / 2);
    put(ledger.environment.journal, sequence, sizeof sequence);
    ledger_close();
    assert_int_equal(read_for(NULL, LEDGER_START_US), ARCHIVE_WRONG);
}

static void a_journal_with_a_wrong_end_is_wrong(void **state)
{
    (void)state;
    char late[] = "\xff\xff\xff";
    ledger_open(LEDGER_MAP);
    put(ledger.environment.journal, late, 3);
    ledger_close();
    assert_int_equal(read_all(), ARCHIVE_WRONG);
    expect_says("after record 0:"); /* it is not walked until there */
    assert_int_equal(copy_to(to), ARCHIVE_WRONG);
}

static void a_journal_of_nothing_is_not_copied(void **state)
{
    (void)state;
    ledger_open(LEDGER_MAP);
    const MDB_dbi tables[] = {ledger.environment.journal, ledger.environment.accounts,
                              ledger.environment.keys, ledger.environment.expiry};
    MDB_txn *txn = ledger_begin();
    for (size_t i = 0; i < COUNT_OF(tables); i++)
        assert_int_equal(mdb_drop(txn, tables[i], 0), MDB_SUCCESS);
    assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);
    ledger_close();
    assert_int_equal(copy_to(to), ARCHIVE_WRONG);
    expect_says("cannot be read after record 0:");
    assert_int_equal(access(to_path, F_OK), -1);
    assert_int_equal(read_all(), ARCHIVE_WRONG);
    expect_says("the journal is empty");
    assert_int_equal(records, 0);
    assert_int_equal(verify(), ARCHIVE_WRONG);
}

/* --- targets ------------------------------------------------------------------------------------ */

static void a_key_serves_one_record_of_a_build(void **state)
{
    (void)state;
    struct archive_build *build;
    struct archive_record opening = {
        .journal = {.sequence = 1, .client = 1, .kind = JOURNAL_OPENING, .entry.time_us = 1}};
    struct archive_record credit = {
        .journal = {.sequence = 2, .client = 1, .kind = JOURNAL_CREDIT, .balance_cents = 5},
        .key_bytes = 1,
        .key = "k"};
    credit.journal.entry = (struct entry){.amount_cents = 5, .kind = ENTRY_CREDIT, .time_us = 2};
    credit.journal.entry.description_bytes = 1;
    credit.journal.entry.description[0] = 'x';
    assert_int_equal(archive_build_begin(&build, to, LEDGER_MAP, 1, error, sizeof error),
                     ARCHIVE_DONE);
    assert_int_equal(archive_build_add(build, &opening, error, sizeof error), ARCHIVE_DONE);
    assert_int_equal(archive_build_add(build, &credit, error, sizeof error), ARCHIVE_DONE);
    credit.journal.sequence = 3;
    credit.journal.entry.time_us = 3;
    assert_int_equal(archive_build_add(build, &credit, error, sizeof error), ARCHIVE_WRONG);
    expect_says("its key belongs to another");
    archive_build_abandon(build);
}

static void no_bank_begins_beside_a_copy_that_is_being_made(void **state)
{
    (void)state;
    struct target target;
    struct store *store;
    const struct store_options options = {
        .map_bytes = LEDGER_MAP, .submitters = 1, .pending_max = 1};
    assert_true(target_begin(&target, to_path, LEDGER_MAP, 1, error, sizeof error));
    assert_false(store_open(&store, to, &options, error, sizeof error));
    expect_says("a copy to it is being made by");
    target_abandon(&target);
}

#define ARCHIVE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ARCHIVE(a_sink_that_does_not_begin_gets_nothing),
        ARCHIVE(who_stops_the_task_gets_no_more_slices),
        ARCHIVE(there_is_no_other_kind_of_store),
        ARCHIVE(a_path_that_is_too_long_is_none),
        ARCHIVE(a_path_that_leads_nowhere_is_made_by_nobody),
        ARCHIVE(a_pipe_is_not_waited_for),
        ARCHIVE(without_a_lock_it_is_read_unless_somebody_owns_it),
        ARCHIVE(the_lock_that_root_makes_is_the_owners),
        ARCHIVE(what_is_not_the_files_fault_is_not_called_damage),
        ARCHIVE(whichever_commit_fails_there_is_no_copy),
        ARCHIVE(a_copy_that_cannot_be_flushed_gets_no_name),
        ARCHIVE(a_large_copy_is_flushed_as_it_grows),
        ARCHIVE(a_key_that_ends_with_no_record_is_wrong),
        ARCHIVE(a_wrong_record_is_met_while_a_time_is_looked_for),
        ARCHIVE(a_journal_with_a_wrong_end_is_wrong),
        ARCHIVE(a_journal_of_nothing_is_not_copied),
        ARCHIVE(a_key_serves_one_record_of_a_build),
        ARCHIVE(no_bank_begins_beside_a_copy_that_is_being_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
