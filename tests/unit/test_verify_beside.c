/* SPDX-License-Identifier: MIT
 *
 * test_verify_beside.c - the whole ledger is read beside a bank that goes on: commits are made
 * whenever a new snapshot is about to be taken, and the file does not grow for the reading.
 */
#include "unit.h"

#include <string.h>

#include "ledger_fixture.h"
#include "store/archive.h"
#include "store/lmdb/copy.h"
#include "store/lmdb/extract.h"
#include "store/lmdb/reader.h"
#include "store/lmdb/replay.h"
#include "store/lmdb/verify.h"

enum { MANY = 20 * READER_SLICE };

static struct task task;
static struct archive_facts facts;
static char error[500];
static uint32_t commits_at_a_time, looks;

/* Every snapshot that a reader takes, but for the first, is taken by this call. */
int __real_mdb_txn_renew(MDB_txn *txn);
int __wrap_mdb_txn_renew(MDB_txn *txn);

int __wrap_mdb_txn_renew(MDB_txn *txn)
{
    looks++;
    for (uint32_t i = 0; i < commits_at_a_time; i++)
        assert_int_equal(ledger_book(1 + 100 * i % MANY, ENTRY_CREDIT, 1, NULL), OUTCOME_OK);
    return __real_mdb_txn_renew(txn);
}

static int setup(void **state)
{
    static struct opening openings[MANY];
    (void)state;
    commits_at_a_time = 0;
    for (uint32_t i = 0; i < MANY; i++)
        openings[i] = (struct opening){.client = i + 1, .limit_cents = i};
    ledger.now_us = LEDGER_START_US;
    temporary_make(ledger.path);
    if (!folder_take(&ledger.folder, ledger.path, error, sizeof error) ||
        !replay_openings(&ledger.folder, ledger.path, LEDGER_MAP, openings, MANY, ledger.now_us,
                         error, sizeof error))
        return -1;
    ledger_open(LEDGER_MAP);
    memset(&task, 0, sizeof task);
    looks = 0;
    return 0;
}

static int teardown(void **state)
{
    ledger_close();
    return ledger_teardown(state);
}

static uint64_t used_pages(void)
{
    return environment_used_bytes(&ledger.environment) / ledger.environment.page_bytes;
}

/* Pages that so many commits take by themselves: the journal's, and a few to alternate with. */
static uint64_t pages_of(uint32_t commits)
{
    uint64_t before = used_pages();
    for (uint32_t i = 0; i < commits; i++)
        assert_int_equal(ledger_book(1 + 100 * i % MANY, ENTRY_CREDIT, 1, NULL), OUTCOME_OK);
    return used_pages() - before;
}

static void begin_commits(void)
{
    (void)pages_of(200); /* the first ones take pages that are then used in turns */
    commits_at_a_time = 10;
}

static void an_audit_lets_go_of_each_slice(void **state)
{
    (void)state;
    begin_commits();
    uint64_t before = used_pages();
    if (verify_environment(&ledger.environment, &task, &facts, error, sizeof error) != ARCHIVE_DONE)
        FAIL("%s", error);
    uint64_t grown = used_pages() - before;
    assert_true(looks >= 2 * MANY / READER_SLICE); /* of the journal, of the accounts */
    assert_true(facts.entries >= 200 + 10 * (looks - 3));
    /* Held, each commit would have taken four or more for itself. */
    uint64_t commits = 10 * (uint64_t)looks;
    commits_at_a_time = 0;
    assert_in_range(grown, 0, 2 * pages_of((uint32_t)commits) + 100);
    assert_true(commits * 4 > 2 * (2 * pages_of((uint32_t)commits) + 100));
}

static bool wants_begin(void *context, int64_t created_us)
{
    (void)context;
    (void)created_us;
    return true;
}

static bool count_record(void *context, const struct archive_record *record)
{
    uint64_t *count = context;
    ++*count;
    return record->journal.sequence == *count;
}

static void reading_out_ends_where_the_journal_ended_when_it_began(void **state)
{
    (void)state;
    uint64_t count = 0, before = ledger.batch.last_sequence;
    const struct archive_range range = {.since_us = INT64_MIN};
    const struct archive_sink sink = {wants_begin, count_record, &count};
    commits_at_a_time = 3;
    if (extract(&ledger.environment, &range, &sink, &task, error, sizeof error) != ARCHIVE_DONE)
        FAIL("%s", error);
    assert_true(looks >= MANY / READER_SLICE);
    assert_true(count == before + 3); /* the commits before the first look are in it */
}

static void a_copy_beside_commits_is_one_moment_of_the_ledger(void **state)
{
    (void)state;
    struct environment to;
    struct folder folder;
    char path[FOLDER_BYTES_MAX];
    temporary_make(path);
    assert_true(folder_take(&folder, path, error, sizeof error));
    assert_true(environment_create(&to, &folder, path, FOLDER_DATA_PARTIAL, LEDGER_MAP, 1, error,
                                   sizeof error));
    begin_commits();
    if (copy_environment(&ledger.environment, &to, true, &task, error, sizeof error) !=
        ARCHIVE_DONE)
        FAIL("%s", error);
    commits_at_a_time = 0;
    /* Commits went on to the last look; all that were made before it are in the copy. */
    if (verify_environment(&to, &task, &facts, error, sizeof error) != ARCHIVE_DONE)
        FAIL("%s", error);
    assert_true(facts.records == ledger.batch.last_sequence);
    environment_discard(&to, &folder, FOLDER_DATA_PARTIAL);
    folder_release(&folder);
    temporary_remove(path);
}

#define LEDGER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEDGER(an_audit_lets_go_of_each_slice),
        LEDGER(reading_out_ends_where_the_journal_ended_when_it_began),
        LEDGER(a_copy_beside_commits_is_one_moment_of_the_ledger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
