/* SPDX-License-Identifier: MIT
 *
 * test_archive.c - a ledger copied, read out and built anew: equal to the first, under its name at
 * once or not at all.
 */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger_fixture.h"
#include "store/archive.h"
#include "store/lmdb/target.h"

enum { RECORDS_MAX = 4000, LONG = 3000 };

static char from[FOLDER_BYTES_MAX + 10], to[FOLDER_BYTES_MAX + 10];
static char to_path[FOLDER_BYTES_MAX], beside[FOLDER_BYTES_MAX + 10];
static char error[600];
static struct task task;
static struct archive_facts facts;

/* What was read out. */
static struct records {
    int64_t created_us;
    uint32_t count, count_max;
    struct archive_record at[RECORDS_MAX];
} first, second;

static bool collect_begin(void *context, int64_t created_us)
{
    struct records *records = context;
    records->created_us = created_us;
    return true;
}

static bool collect(void *context, const struct archive_record *record)
{
    struct records *records = context;
    if (records->count == records->count_max)
        return false;
    records->at[records->count++] = *record;
    return true;
}

static enum archive_end read_range(struct records *records, const char *url, uint32_t client,
                                   int64_t since_us)
{
    const struct archive_range range = {.client = client, .since_us = since_us};
    const struct archive_sink sink = {collect_begin, collect, records};
    memset(&task, 0, sizeof task);
    records->count = 0;
    return archive_read(url, &range, &sink, &task, error, sizeof error);
}

static void read_all(struct records *records, const char *url)
{
    records->count_max = RECORDS_MAX;
    if (read_range(records, url, 0, INT64_MIN) != ARCHIVE_DONE)
        FAIL("%s", error);
}

static void expect_same_record(const struct archive_record *a, const struct archive_record *b)
{
    assert_true(a->journal.sequence == b->journal.sequence);
    assert_true(a->journal.previous_sequence == b->journal.previous_sequence);
    assert_int_equal(a->journal.client, b->journal.client);
    assert_int_equal(a->journal.kind, b->journal.kind);
    assert_true(a->journal.limit_cents == b->journal.limit_cents);
    assert_true(a->journal.balance_cents == b->journal.balance_cents);
    assert_true(a->journal.entry.time_us == b->journal.entry.time_us);
    assert_true(entry_same_request(&a->journal.entry, &b->journal.entry));
    assert_int_equal(a->key_bytes, b->key_bytes);
    assert_memory_equal(a->key, b->key, a->key_bytes);
}

static void expect_equal_stores(void)
{
    read_all(&first, from);
    read_all(&second, to);
    assert_true(first.created_us == second.created_us);
    assert_int_equal(first.count, second.count);
    for (uint32_t i = 0; i < first.count; i++)
        expect_same_record(&first.at[i], &second.at[i]);
    struct audit audit;
    audit_folder(&audit, to_path);
    assert_int_equal(audit.sequences, first.count);
}

static enum archive_end copy(void)
{
    memset(&task, 0, sizeof task);
    error[0] = '\0';
    return archive_copy(from, to, &task, &facts, error, sizeof error);
}

static void expect_no(const char *path)
{
    if (access(path, F_OK) == 0)
        FAIL("%s is there", path);
}

static void expect_says(const char *says)
{
    if (!strstr(error, says))
        FAIL("says \"%s\" and not \"%s\"", error, says);
}

/* --- a ledger of more than one slice ---------------------------------------------------------- */

static void fill(void)
{
    char key[20];
    for (int i = 0; i < LONG; i++) {
        snprintf(key, sizeof key, "key-%d", i);
        assert_int_equal(ledger_book((uint32_t)(1 + i % 3), i % 2 ? ENTRY_CREDIT : ENTRY_DEBIT,
                                     1 + i % 7, i % 5 ? NULL : key),
                         OUTCOME_OK);
    }
    struct op limit = {.kind = OP_LIMIT, .client = 2, .limit_cents = 90000};
    struct op opening = {
        .kind = OP_OPEN, .client = 2000000000, .limit_cents = 10, .balance_cents = -10};
    ledger_apply_ops(&limit, 1);
    ledger_apply_ops(&opening, 1);
    assert_int_equal(limit.outcome, OUTCOME_OK);
    assert_int_equal(opening.outcome, OUTCOME_OK);
    assert_int_equal(ledger_book(2, ENTRY_DEBIT, 85000, "last"), OUTCOME_OK);
}

static int setup(void **state)
{
    int result = ledger_setup(state);
    fill();
    ledger_close();
    temporary_make(to_path);
    snprintf(from, sizeof from, "lmdb:%s", ledger.path);
    snprintf(to, sizeof to, "lmdb:%s", to_path);
    snprintf(beside, sizeof beside, "%s" TARGET_SUFFIX, to_path);
    return result;
}

static int teardown(void **state)
{
    temporary_remove(to_path);
    return ledger_teardown(state);
}

static void put_file(const char *folder, const char *name)
{
    char path[FOLDER_BYTES_MAX + 100];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs("something", file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* --- copies ----------------------------------------------------------------------------------- */

static void a_copy_is_equal_and_counted(void **state)
{
    (void)state;
    if (copy() != ARCHIVE_DONE)
        FAIL("%s", error);
    assert_int_equal(facts.records, LEDGER_OPENINGS + LONG + 3);
    assert_int_equal(facts.entries, LONG + 1);
    assert_int_equal(facts.accounts, LEDGER_OPENINGS + 1);
    assert_int_equal(facts.keys, LONG / 5 + 1);
    assert_true(task.done_bytes == task.total_bytes);
    expect_no(beside);
    expect_equal_stores();
}

static void a_copy_of_the_copy_is_as_small(void **state)
{
    (void)state;
    char third[FOLDER_BYTES_MAX + 20];
    assert_int_equal(copy(), ARCHIVE_DONE);
    uint64_t bytes = facts.bytes;
    snprintf(third, sizeof third, "lmdb:%.*s-3", (int)strlen(to_path), to_path);
    assert_int_equal(archive_copy(to, third, &task, &facts, error, sizeof error), ARCHIVE_DONE);
    temporary_remove(third + strlen("lmdb:"));
    assert_true(facts.bytes <= bytes);
}

static void an_empty_folder_that_is_there_is_filled(void **state)
{
    (void)state;
    assert_int_equal(mkdir(to_path, 0700), 0);
    if (copy() != ARCHIVE_DONE)
        FAIL("%s", error);
    expect_equal_stores();
}

static void slashes_at_the_end_of_a_path_do_not_matter(void **state)
{
    (void)state;
    strncat(to, "//", sizeof to - strlen(to) - 1);
    if (copy() != ARCHIVE_DONE)
        FAIL("%s", error);
    expect_no(beside);
    expect_equal_stores();
}

static void a_store_is_not_overwritten(void **state)
{
    (void)state;
    assert_int_equal(copy(), ARCHIVE_DONE);
    assert_int_equal(copy(), ARCHIVE_FAILED);
    expect_says("there is a store already");
    expect_equal_stores();
}

static void a_folder_of_somebody_elses_is_left_alone(void **state)
{
    (void)state;
    assert_int_equal(mkdir(to_path, 0700), 0);
    put_file(to_path, "diary.txt");
    assert_int_equal(copy(), ARCHIVE_FAILED);
    expect_says("diary.txt");
}

static void what_an_interrupted_copy_left_is_taken_over(void **state)
{
    (void)state;
    assert_int_equal(mkdir(beside, 0700), 0);
    put_file(beside, "data.mdb.partial");
    put_file(beside, "owner.lock");
    if (copy() != ARCHIVE_DONE)
        FAIL("%s", error);
    expect_no(beside);
    expect_equal_stores();
}

/* Whatever it is called: nobody else's store is removed, not even by what fails. */
static void a_store_beside_that_has_the_partials_name_is_left_alone(void **state)
{
    (void)state;
    char beside_url[FOLDER_BYTES_MAX + 30], deeper[FOLDER_BYTES_MAX + 40];
    snprintf(beside_url, sizeof beside_url, "lmdb:%s", beside);
    if (archive_copy(from, beside_url, &task, &facts, error, sizeof error) != ARCHIVE_DONE)
        FAIL("%s", error);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(copy(), ARCHIVE_FAILED);
        expect_says("there is a store already");
        expect_says(TARGET_SUFFIX);
        archive_clear(to);
        expect_no(to_path);
        assert_int_equal(archive_verify(beside_url, &task, &facts, error, sizeof error),
                         ARCHIVE_DONE);
    }
    snprintf(deeper, sizeof deeper, "%s/copy", beside_url);
    assert_int_equal(archive_copy(from, deeper, &task, &facts, error, sizeof error),
                     ARCHIVE_FAILED);
    expect_says("inside a store's folder");
}

static void a_link_to_nowhere_is_no_place_for_a_copy(void **state)
{
    (void)state;
    char dots[FOLDER_BYTES_MAX + 40];
    assert_int_equal(symlink("nowhere", to_path), 0);
    assert_int_equal(copy(), ARCHIVE_FAILED);
    expect_says("No such file");
    expect_no(beside);
    assert_int_equal(unlink(to_path), 0);
    snprintf(dots, sizeof dots, "%s/..", to);
    assert_int_equal(archive_copy(from, dots, &task, &facts, error, sizeof error), ARCHIVE_FAILED);
    expect_says("No such file");
}

static void only_what_died_is_cleared(void **state)
{
    (void)state;
    assert_int_equal(mkdir(beside, 0700), 0);
    put_file(beside, "data.mdb.partial");
    archive_clear(to);
    expect_no(beside);
    assert_int_equal(mkdir(to_path, 0700), 0);
    put_file(to_path, "data.mdb.partial");
    archive_clear(to);
    char left[FOLDER_BYTES_MAX + 30];
    snprintf(left, sizeof left, "%s/data.mdb.partial", to_path);
    expect_no(left);
    assert_int_equal(access(to_path, F_OK), 0); /* it was there before */
    archive_clear("mysql:x");
}

static void a_copy_under_way_is_not_disturbed_by_another(void **state)
{
    (void)state;
    struct target other;
    assert_true(target_begin(&other, to_path, LEDGER_MAP, 1, error, sizeof error));
    assert_int_equal(copy(), ARCHIVE_FAILED);
    expect_says("in use by process");
    target_abandon(&other);
    expect_no(beside);
    expect_no(to_path);
    assert_int_equal(copy(), ARCHIVE_DONE);
}

static void a_copy_that_is_stopped_leaves_nothing(void **state)
{
    (void)state;
    memset(&task, 0, sizeof task);
    atomic_store(&task.stop, true);
    assert_int_equal(archive_copy(from, to, &task, &facts, error, sizeof error), ARCHIVE_STOPPED);
    expect_no(to_path);
    expect_no(beside);
    assert_int_equal(mkdir(to_path, 0700), 0);
    assert_int_equal(archive_copy(from, to, &task, &facts, error, sizeof error), ARCHIVE_STOPPED);
    assert_int_equal(copy(), ARCHIVE_DONE);
}

static void damage_journal(uint64_t sequence)
{
    uint8_t bytes[SEQUENCE_KEY_BYTES];
    char nothing[] = "nothing";
    MDB_val key = {sizeof bytes, bytes}, value = {sizeof nothing, nothing};
    ledger_open(LEDGER_MAP);
    MDB_txn *txn = ledger_begin();
    sequence_key_encode(bytes, sequence);
    assert_int_equal(mdb_put(txn, ledger.environment.journal, &key, &value, 0), MDB_SUCCESS);
    assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);
    ledger_close();
}

static void a_ledger_that_is_wrong_is_not_copied(void **state)
{
    (void)state;
    damage_journal(2000);
    assert_int_equal(copy(), ARCHIVE_WRONG);
    expect_says("journal record 2000");
    expect_says(ledger.path);
    expect_no(to_path);
    expect_no(beside);
}

static void a_source_that_is_not_there_is_unreadable(void **state)
{
    (void)state;
    assert_int_equal(archive_copy("lmdb:/nowhere/at/all", to, &task, &facts, error, sizeof error),
                     ARCHIVE_UNREADABLE);
    expect_says("/nowhere/at/all");
    expect_no(to_path);
    assert_int_equal(archive_verify("mysql:x", &task, &facts, error, sizeof error),
                     ARCHIVE_UNREADABLE);
}

static void a_target_that_cannot_be_made_is_named(void **state)
{
    (void)state;
    assert_int_equal(archive_copy(from, "lmdb:/proc/crebito/x", &task, &facts, error, sizeof error),
                     ARCHIVE_FAILED);
    expect_says("/proc/crebito/x");
}

/* --- reading out ------------------------------------------------------------------------------ */

static void records_come_in_order_with_their_keys(void **state)
{
    (void)state;
    read_all(&first, from);
    assert_int_equal(first.count, LEDGER_OPENINGS + LONG + 3);
    for (uint32_t i = 0; i < first.count; i++)
        assert_int_equal(first.at[i].journal.sequence, i + 1);
    for (int i = 0; i < LONG; i++) {
        const struct archive_record *record = &first.at[LEDGER_OPENINGS + i];
        char key[20];
        int bytes = snprintf(key, sizeof key, "key-%d", i);
        assert_int_equal(record->key_bytes, i % 5 ? 0 : bytes);
        assert_memory_equal(record->key, key, record->key_bytes);
    }
}

static void one_clients_records_are_found(void **state)
{
    (void)state;
    first.count_max = RECORDS_MAX;
    assert_int_equal(read_range(&first, from, 2, INT64_MIN), ARCHIVE_DONE);
    assert_int_equal(first.count, 1 + LONG / 3 + 2); /* the opening, the entries, limit and debit */
    for (uint32_t i = 0; i < first.count; i++)
        assert_int_equal(first.at[i].journal.client, 2);
    assert_int_equal(read_range(&first, from, 12345, INT64_MIN), ARCHIVE_DONE);
    assert_int_equal(first.count, 0);
}

static void records_since_a_time_begin_exactly_there(void **state)
{
    (void)state;
    read_all(&first, from);
    for (uint32_t at = 0; at < first.count; at += 97) {
        int64_t time_us = first.at[at].journal.entry.time_us;
        second.count_max = RECORDS_MAX;
        assert_int_equal(read_range(&second, from, 0, time_us), ARCHIVE_DONE);
        assert_int_equal(second.count, first.count - at);
        assert_int_equal(second.at[0].journal.sequence, at + 1);
        assert_int_equal(read_range(&second, from, 0, time_us + 1), ARCHIVE_DONE);
        assert_int_equal(second.count, first.count - at - 1);
    }
    assert_int_equal(read_range(&second, from, 0, INT64_MAX), ARCHIVE_DONE);
    assert_int_equal(second.count, 0);
}

static void a_sink_that_has_enough_ends_it(void **state)
{
    (void)state;
    first.count_max = 1500;
    assert_int_equal(read_range(&first, from, 0, INT64_MIN), ARCHIVE_STOPPED);
    assert_int_equal(first.count, 1500);
}

static void records_before_a_wrong_one_are_read(void **state)
{
    (void)state;
    damage_journal(2000);
    first.count_max = RECORDS_MAX;
    assert_int_equal(read_range(&first, from, 0, INT64_MIN), ARCHIVE_WRONG);
    expect_says("record 2000: its bytes");
    assert_int_equal(first.count, 1999);
}

/* --- building --------------------------------------------------------------------------------- */

static enum archive_end build(const struct records *records, int64_t created_us)
{
    struct archive_build *built;
    memset(&task, 0, sizeof task);
    error[0] = '\0';
    enum archive_end end = archive_build_begin(&built, to, LEDGER_MAP, created_us, error,
                                               sizeof error);
    if (end != ARCHIVE_DONE)
        return end;
    for (uint32_t i = 0; i < records->count; i++) {
        end = archive_build_add(built, &records->at[i], error, sizeof error);
        if (end != ARCHIVE_DONE) {
            archive_build_abandon(built);
            return end;
        }
    }
    return archive_build_finish(built, &task, &facts, error, sizeof error);
}

static void a_store_built_from_what_was_read_is_equal(void **state)
{
    (void)state;
    read_all(&first, from);
    if (build(&first, first.created_us) != ARCHIVE_DONE)
        FAIL("%s", error);
    assert_int_equal(facts.records, first.count);
    expect_equal_stores();
}

static void a_store_is_not_built_over_another(void **state)
{
    (void)state;
    assert_int_equal(copy(), ARCHIVE_DONE);
    read_all(&first, from);
    assert_int_equal(build(&first, 1), ARCHIVE_FAILED);
    expect_says("there is a store already");
}

static void a_map_that_is_too_small_is_told(void **state)
{
    (void)state;
    struct archive_build *built;
    enum archive_end end = ARCHIVE_DONE;
    read_all(&first, from);
    assert_int_equal(archive_build_begin(&built, to, 1 << 18, 1, error, sizeof error),
                     ARCHIVE_DONE);
    for (uint32_t i = 0; end == ARCHIVE_DONE && i < first.count; i++)
        end = archive_build_add(built, &first.at[i], error, sizeof error);
    assert_int_equal(end, ARCHIVE_FAILED);
    expect_says("--map-size");
    archive_build_abandon(built);
    expect_no(to_path);
    expect_no(beside);
}

static void records_that_do_not_follow_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *says;
        uint32_t at;
        int64_t sequence, balance, limit, time, amount;
        enum journal_kind kind;
        uint32_t client;
        const char *key;
    } cases[] = {
        {.says = "its sequence", .at = 700, .sequence = 1},
        {.says = "its balance", .at = 700, .balance = 1},
        {.says = "its balance", .at = 700, .amount = 1},
        {.says = "its limit", .at = 700, .limit = 1},
        {.says = "its time goes back", .at = 700, .time = -2},
        {.says = "not been opened", .at = 700, .client = 6},
        {.says = "there already", .at = 700, .kind = JOURNAL_OPENING},
        {.says = "below the limit", .at = 701, .amount = INT64_C(9000000000)},
        {.says = "past the largest", .at = 700, .amount = 100, .client = 4},
        {.says = "less than the debt", .at = LEDGER_OPENINGS + LONG, .limit = -89999},
        {.says = "its key belongs to another", .at = 701, .key = "key-0"},
    };
    read_all(&first, from);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        second = first;
        struct archive_record *record = &second.at[cases[i].at];
        record->journal.sequence += (uint64_t)cases[i].sequence;
        record->journal.balance_cents += cases[i].balance;
        record->journal.limit_cents += cases[i].limit;
        record->journal.entry.time_us += cases[i].time;
        record->journal.entry.amount_cents += cases[i].amount;
        if (cases[i].client)
            record->journal.client = cases[i].client;
        if (cases[i].kind)
            record->journal.kind = cases[i].kind;
        if (cases[i].key) {
            record->key_bytes = (uint8_t)strlen(cases[i].key);
            memcpy(record->key, cases[i].key, record->key_bytes);
        }
        enum archive_end end = build(&second, 1);
        if (end != ARCHIVE_WRONG || !strstr(error, cases[i].says))
            FAIL("case %zu: ends with %d, says \"%s\" and not \"%s\"", i, end, error,
                 cases[i].says);
        expect_no(to_path);
        expect_no(beside);
    }
}

static void a_refused_record_can_be_left_out_and_a_wrong_one_cannot(void **state)
{
    (void)state;
    struct archive_build *built;
    read_all(&first, from);
    struct archive_record again = first.at[0];
    again.journal.sequence = 2;

    assert_int_equal(archive_build_begin(&built, to, LEDGER_MAP, 1, error, sizeof error),
                     ARCHIVE_DONE);
    assert_int_equal(archive_build_add(built, &first.at[0], error, sizeof error), ARCHIVE_DONE);
    assert_int_equal(archive_build_add(built, &again, error, sizeof error), ARCHIVE_WRONG);
    assert_int_equal(archive_build_add(built, &first.at[1], error, sizeof error), ARCHIVE_DONE);
    second.at[0] = first.at[2];
    second.at[0].journal.balance_cents++;
    struct archive_record other = first.at[2];
    other.journal.sequence = 9;
    assert_int_equal(archive_build_add(built, &other, error, sizeof error), ARCHIVE_WRONG);
    assert_int_equal(archive_build_finish(built, &task, &facts, error, sizeof error),
                     ARCHIVE_WRONG);
    expect_no(to_path);
    expect_no(beside);
}

static void a_build_of_nothing_is_no_ledger(void **state)
{
    (void)state;
    first.count = 0;
    assert_int_equal(build(&first, 1), ARCHIVE_WRONG);
    expect_says("the journal is empty");
    expect_no(to_path);
    expect_no(beside);
}

#define ARCHIVE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ARCHIVE(a_copy_is_equal_and_counted),
        ARCHIVE(a_copy_of_the_copy_is_as_small),
        ARCHIVE(an_empty_folder_that_is_there_is_filled),
        ARCHIVE(slashes_at_the_end_of_a_path_do_not_matter),
        ARCHIVE(a_store_is_not_overwritten),
        ARCHIVE(a_folder_of_somebody_elses_is_left_alone),
        ARCHIVE(what_an_interrupted_copy_left_is_taken_over),
        ARCHIVE(a_store_beside_that_has_the_partials_name_is_left_alone),
        ARCHIVE(a_link_to_nowhere_is_no_place_for_a_copy),
        ARCHIVE(only_what_died_is_cleared),
        ARCHIVE(a_copy_under_way_is_not_disturbed_by_another),
        ARCHIVE(a_copy_that_is_stopped_leaves_nothing),
        ARCHIVE(a_ledger_that_is_wrong_is_not_copied),
        ARCHIVE(a_source_that_is_not_there_is_unreadable),
        ARCHIVE(a_target_that_cannot_be_made_is_named),
        ARCHIVE(records_come_in_order_with_their_keys),
        ARCHIVE(one_clients_records_are_found),
        ARCHIVE(records_since_a_time_begin_exactly_there),
        ARCHIVE(a_sink_that_has_enough_ends_it),
        ARCHIVE(records_before_a_wrong_one_are_read),
        ARCHIVE(a_store_built_from_what_was_read_is_equal),
        ARCHIVE(a_store_is_not_built_over_another),
        ARCHIVE(a_map_that_is_too_small_is_told),
        ARCHIVE(records_that_do_not_follow_are_refused),
        ARCHIVE(a_refused_record_can_be_left_out_and_a_wrong_one_cannot),
        ARCHIVE(a_build_of_nothing_is_no_ledger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
