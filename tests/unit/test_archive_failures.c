/* SPDX-License-Identifier: MIT
 *
 * test_archive_failures.c - an audit, a copy, an export and an import in which each call in turn
 * fails: they end with a sentence, and there is a whole store under the target's name or nothing.
 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "failing_calls.h"
#include "ledger_fixture.h"
#include "store/archive.h"
#include "store/lmdb/replay.h"
#include "store/lmdb/target.h"

enum { RECORDS_MAX = 40, CALLS_MAX = 5000 };

static char from[FOLDER_BYTES_MAX + 10], to[FOLDER_BYTES_MAX + 10];
static char to_path[FOLDER_BYTES_MAX], beside[FOLDER_BYTES_MAX + 10];
static char error[600];
static struct task task;
static struct archive_facts facts;

static struct archive_record records[RECORDS_MAX];
static uint32_t count;

static bool begin(void *context, int64_t created_us)
{
    (void)context;
    (void)created_us;
    count = 0;
    return true;
}

static bool collect(void *context, const struct archive_record *record)
{
    (void)context;
    assert_true(count < RECORDS_MAX);
    records[count++] = *record;
    return true;
}

static bool look(void *context, const struct archive_record *record)
{
    (void)context;
    (void)record;
    return true;
}

static bool look_begin(void *context, int64_t created_us)
{
    (void)context;
    (void)created_us;
    return true;
}

/* --- what is done --------------------------------------------------------------------------- */

static enum archive_end do_verify(void)
{
    return archive_verify(from, &task, &facts, error, sizeof error);
}

static enum archive_end do_read(void)
{
    const struct archive_range range = {.since_us = LEDGER_START_US};
    const struct archive_sink sink = {.begin = look_begin, .record = look};
    return archive_read(from, &range, &sink, &task, error, sizeof error);
}

static enum archive_end do_copy(void)
{
    return archive_copy(from, to, &task, &facts, error, sizeof error);
}

static enum archive_end do_build(void)
{
    struct archive_build *build;
    enum archive_end end = archive_build_begin(&build, to, LEDGER_MAP, 1, error, sizeof error);
    if (end != ARCHIVE_DONE)
        return end;
    for (uint32_t i = 0; end == ARCHIVE_DONE && i < count; i++)
        end = archive_build_add(build, &records[i], error, sizeof error);
    if (end == ARCHIVE_DONE)
        return archive_build_finish(build, &task, &facts, error, sizeof error);
    archive_build_abandon(build);
    return end;
}

/* A store of the five clients, as serve makes one. */
static enum archive_end do_openings(void)
{
    static const struct opening openings[] = {{1, 100, 0}, {2, 200, -5}};
    struct folder folder;
    if (!folder_take(&folder, to_path, error, sizeof error))
        return ARCHIVE_FAILED;
    bool made = replay_openings(&folder, to_path, LEDGER_MAP, openings, COUNT_OF(openings), 1,
                                error, sizeof error);
    folder_release(&folder);
    return made ? ARCHIVE_DONE : ARCHIVE_FAILED;
}

static const struct job {
    const char *name;
    enum archive_end (*run)(void);
    bool makes; /* a store, at to_path */
} jobs[] = {
    {"verify", do_verify, false}, {"read", do_read, false},        {"copy", do_copy, true},
    {"build", do_build, true},    {"openings", do_openings, true},
};

/* --- one failure after the other ------------------------------------------------------------- */

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

static bool target_is_whole(void)
{
    struct audit audit;
    char data[FOLDER_BYTES_MAX + 20];
    snprintf(data, sizeof data, "%s/" FOLDER_DATA, to_path);
    if (!is_there(data))
        return false;
    audit_folder(&audit, to_path);
    return true;
}

static bool something_is_left(void)
{
    char name[2 * FOLDER_BYTES_MAX];
    static const char *const files[] = {FOLDER_DATA, FOLDER_DATA_NEW, FOLDER_DATA_PARTIAL};
    bool left = false;
    for (size_t file = 0; file < COUNT_OF(files); file++) {
        snprintf(name, sizeof name, "%s/%s", beside, files[file]);
        left = left || is_there(name);
        snprintf(name, sizeof name, "%s/%s", to_path, files[file]);
        left = left || (file > 0 && is_there(name));
    }
    return left;
}

static void remove_target(void)
{
    char command[2 * FOLDER_BYTES_MAX];
    static const char *const files[] = {FOLDER_DATA, FOLDER_DATA_NEW, FOLDER_DATA_PARTIAL,
                                        FOLDER_LOCK, FOLDER_OWNER,    ""};
    const char *folders[] = {to_path, beside};
    for (size_t folder = 0; folder < COUNT_OF(folders); folder++)
        for (size_t file = 0; file < COUNT_OF(files); file++) {
            snprintf(command, sizeof command, "%s/%s", folders[folder], files[file]);
            (void)remove(command);
        }
}

/* True: the call was there to fail. */
static bool run_with_failure(const struct job *job, const char *calls, unsigned working, int code)
{
    unsigned files = open_files();
    memset(&task, 0, sizeof task);
    error[0] = '\0';
    fail_one(calls, working, code);
    enum archive_end end = job->run();
    bool failed = fail_none();
    if (open_files() != files)
        FAIL("%s: %s no. %u failing with %d leaves files open", job->name, calls, working, code);
    if (end != ARCHIVE_DONE && error[0] == '\0')
        FAIL("%s: %s no. %u failing with %d ends with %d and says nothing", job->name, calls,
             working, code, end);
    if (end == ARCHIVE_STOPPED || (!failed && end != ARCHIVE_DONE))
        FAIL("%s: %s no. %u failing with %d ends with %d: %s", job->name, calls, working, code, end,
             error);
    /* (A build may be refused for want of a name after it was whole: then it is nowhere.) */
    if (job->makes && target_is_whole() != (end == ARCHIVE_DONE) && job->run != do_openings)
        FAIL("%s: %s no. %u failing with %d ends with %d: %s", job->name, calls, working, code, end,
             error);
    if (strcmp(calls, "unlinkat") != 0 && something_is_left())
        FAIL("%s: %s no. %u failing with %d leaves a part behind", job->name, calls, working, code);
    remove_target();
    return failed;
}

static void fail_each(const char *calls, const int *codes, size_t codes_count)
{
    for (size_t i = 0; i < COUNT_OF(jobs); i++)
        for (size_t code = 0; code < codes_count; code++) {
            unsigned met = 0;
            /* All of the first ones, then some of those that are more of the same. */
            for (unsigned working = 0; working < CALLS_MAX; working += working < 120 ? 1 : 17) {
                if (!run_with_failure(&jobs[i], calls, working, codes[code]))
                    break;
                met++;
            }
            assert_true(met < CALLS_MAX);
            if (strcmp(calls, "mdb_") == 0)
                assert_true(met > 20);
        }
}

static int setup(void **state)
{
    int result = ledger_setup(state);
    for (int64_t cents = 1; cents <= 12; cents++)
        assert_int_equal(ledger_book(1, ENTRY_CREDIT, cents, cents == 3 ? "key" : NULL),
                         OUTCOME_OK);
    assert_int_equal(ledger_book(2, ENTRY_DEBIT, 500, "one"), OUTCOME_OK);
    struct op limit = {.kind = OP_LIMIT, .client = 2, .limit_cents = 600};
    ledger_apply_ops(&limit, 1);
    ledger_close();
    temporary_make(to_path);
    snprintf(from, sizeof from, "lmdb:%s", ledger.path);
    snprintf(to, sizeof to, "lmdb:%s", to_path);
    snprintf(beside, sizeof beside, "%s" TARGET_SUFFIX, to_path);
    const struct archive_range all = {.since_us = INT64_MIN};
    const struct archive_sink sink = {.begin = begin, .record = collect};
    assert_int_equal(archive_read(from, &all, &sink, &task, error, sizeof error), ARCHIVE_DONE);
    return result;
}

static int teardown(void **state)
{
    temporary_remove(to_path);
    return ledger_teardown(state);
}

static void whatever_call_of_lmdbs_fails_there_is_a_whole_store_or_none(void **state)
{
    (void)state;
    static const int codes[] = {EIO, MDB_CORRUPTED, MDB_MAP_FULL};
    fail_each("mdb_", codes, COUNT_OF(codes));
}

static void whatever_call_of_the_systems_fails_there_is_a_whole_store_or_none(void **state)
{
    (void)state;
    static const char *const calls[] = {"openat", "fcntl", "fstat", "fsync", "rename", "unlinkat"};
    static const int codes[] = {EIO, ENOSPC};
    for (size_t i = 0; i < COUNT_OF(calls); i++)
        fail_each(calls[i], codes, COUNT_OF(codes));
}

static void without_memory_there_is_a_sentence(void **state)
{
    (void)state;
    static const int codes[] = {ENOMEM};
    fail_each("calloc", codes, 1);
    fail_each("malloc", codes, 1);
}

#define ARCHIVE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ARCHIVE(whatever_call_of_lmdbs_fails_there_is_a_whole_store_or_none),
        ARCHIVE(whatever_call_of_the_systems_fails_there_is_a_whole_store_or_none),
        ARCHIVE(without_memory_there_is_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
