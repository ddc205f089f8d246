/* SPDX-License-Identifier: MIT
 *
 * test_commit.c - the fate of each op when there is no room, or when the disk fails.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "failing_calls.h"
#include "ledger_fixture.h"
#include "store/lmdb/commit.h"

#define C ENTRY_CREDIT
#define D ENTRY_DEBIT

static struct serving serving;
static struct committed committed;
static struct view view;
static struct commit commit;
static int data_fd;
static const char *said;

static void begin(uint64_t map_bytes)
{
    memset(&serving, 0, sizeof serving);
    memset(&commit, 0, sizeof commit);
    memset(&committed, 0, sizeof committed);
    serving.path = ledger.path;
    assert_int_equal(view_open(&view, &ledger.environment, &committed), MDB_SUCCESS);
    assert_int_equal(mdb_env_get_fd(ledger.environment.env, &data_fd), MDB_SUCCESS);
    commit.environment = &ledger.environment;
    commit.committed = &committed;
    commit.serving = &serving;
    assert_int_equal(batch_open(&commit.batch, &ledger.environment, DAY_US), MDB_SUCCESS);
    commit.space = (struct space){.fd = data_fd, .capacity_bytes = map_bytes};
    commit_begin(&commit);
}

static int setup(void **state)
{
    if (ledger_setup(state) != 0)
        return -1;
    (void)signal(SIGXFSZ, SIG_IGN);
    begin(LEDGER_MAP);
    return 0;
}

static int teardown(void **state)
{
    view_close(&view);
    return ledger_teardown(state);
}

static void run(struct op *ops, uint32_t count)
{
    struct op *pointers[BATCH_OPS_MAX];
    for (uint32_t i = 0; i < count; i++) {
        pointers[i] = &ops[i];
        ops[i].outcome = (enum outcome) - 1;
    }
    commit_ops(&commit, pointers, count);
}

static enum outcome run_one(struct op op)
{
    run(&op, 1);
    return op.outcome;
}

static void a_batch_is_booked_and_seen(void **state)
{
    (void)state;
    struct op ops[] = {entry_op(1, D, 10, "k"),
                       entry_op(1, D, 1000000, NULL),
                       entry_op(6, C, 1, NULL),
                       {.kind = OP_HEALTH}};
    run(ops, COUNT_OF(ops));
    assert_int_equal(ops[0].outcome, OUTCOME_OK);
    assert_int_equal(ops[1].outcome, OUTCOME_LIMIT_EXCEEDED);
    assert_int_equal(ops[2].outcome, OUTCOME_NO_CLIENT);
    assert_int_equal(ops[3].outcome, OUTCOME_OK);
    struct op statement = {.kind = OP_STATEMENT, .client = 1};
    assert_int_equal(view_statement(&view, &statement, 1), OUTCOME_OK);
    assert_int_equal(statement.account.balance_cents, -10);
    assert_int_equal(ledger_audited().entries, 1);
    MDB_envinfo info;
    assert_int_equal(mdb_env_info(ledger.environment.env, &info), MDB_SUCCESS);
    assert_int_equal(atomic_load(&committed.txn), info.me_last_txnid);
}

static void who_has_an_answer_finds_the_account_that_it_tells_of(void **state)
{
    (void)state;
    struct op ops[] = {open_op(7, 50, -10),
                       limit_op(7, 10),
                       open_op(1, 1, 0),
                       limit_op(1, 300),
                       {.kind = OP_STATEMENT, .client = 7}};
    assert_int_equal(view_client(&view, 7), OUTCOME_NO_CLIENT);
    run(ops, 4);
    assert_int_equal(ops[0].outcome, OUTCOME_OK);
    assert_int_equal(ops[1].outcome, OUTCOME_OK);
    assert_int_equal(ops[2].outcome, OUTCOME_CLIENT_EXISTS);
    assert_int_equal(ops[3].outcome, OUTCOME_OK);
    assert_int_equal(view_client(&view, 7), OUTCOME_OK);
    assert_int_equal(view_statement(&view, &ops[4], 1), OUTCOME_OK);
    assert_int_equal(ops[4].account.limit_cents, 10);
    assert_int_equal(ops[4].account.balance_cents, -10);
}

/* They would have the readers look through all accounts. */
static void only_commits_that_opened_accounts_count_as_openings(void **state)
{
    (void)state;
    assert_int_equal(run_one(entry_op(1, C, 1, NULL)), OUTCOME_OK);
    assert_int_equal(run_one(limit_op(1, 300)), OUTCOME_OK);
    struct op exists[] = {open_op(1, 1, 0), entry_op(1, C, 1, NULL)};
    run(exists, COUNT_OF(exists));
    assert_int_equal(atomic_load(&committed.openings), 0);
    struct op opens[] = {entry_op(1, C, 1, NULL), open_op(7, 1, 0), open_op(6, 1, 0)};
    run(opens, COUNT_OF(opens));
    assert_int_equal(atomic_load(&committed.openings), 1);
}

static void a_map_that_was_full_is_so_until_something_is_committed(void **state)
{
    (void)state;
    commit.map_full = true;
    assert_int_equal(run_one((struct op){.kind = OP_HEALTH}), OUTCOME_NO_SPACE);
    assert_int_equal(run_one(entry_op(1, D, 1000000, NULL)), OUTCOME_LIMIT_EXCEEDED);
    assert_int_equal(run_one((struct op){.kind = OP_HEALTH}), OUTCOME_NO_SPACE);
    assert_int_equal(run_one(entry_op(1, D, 1, NULL)), OUTCOME_OK);
    assert_int_equal(run_one((struct op){.kind = OP_HEALTH}), OUTCOME_OK);
}

/* The file may not grow, and all of it is used: every commit finds the disk full. */
static void with_a_full_disk_only_what_would_be_booked_finds_no_room(void **state)
{
    (void)state;
    struct op ops[] = {
        entry_op(1, D, 10, "first"), entry_op(1, D, 11, "first"),  entry_op(1, D, 1000000, NULL),
        entry_op(6, C, 1, NULL),     entry_op(1, D, 10, "second"), entry_op(2, C, 1, NULL),
        {.kind = OP_HEALTH}};
    static const enum outcome expected[] = {
        OUTCOME_OK,       OUTCOME_KEY_REUSED, OUTCOME_LIMIT_EXCEEDED, OUTCOME_NO_CLIENT,
        OUTCOME_NO_SPACE, OUTCOME_NO_SPACE,   OUTCOME_NO_SPACE};
    struct rlimit before, none;
    assert_int_equal(run_one(entry_op(1, D, 10, "first")), OUTCOME_OK);
    uint64_t entries = ledger_audited().entries;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    none = before;
    none.rlim_cur = 4096;
    commit.space.reserved_bytes = commit.space.written_bytes = 0;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    capture_begin(STDERR_FILENO);
    run(ops, COUNT_OF(ops));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    said = capture_end();
    for (size_t i = 0; i < COUNT_OF(ops); i++)
        if (ops[i].outcome != expected[i])
            FAIL("op %zu: outcome %d; %s", i, (int)ops[i].outcome, said);
    assert_true(ops[0].replayed);
    assert_int_equal(serving_state(&serving), SERVING_FULL);
    assert_int_equal(ledger_audited().entries, entries);

    /* With room again it goes on, without a gap. */
    assert_int_equal(run_one(entry_op(1, D, 10, "second")), OUTCOME_OK);
    assert_int_equal(run_one((struct op){.kind = OP_HEALTH}), OUTCOME_OK);
    assert_int_equal(ledger_audited().entries, entries + 1);
}

/* What would have been done finds no room; what would have been refused is refused. */
static void with_a_full_disk_openings_and_limits_are_judged_like_entries(void **state)
{
    (void)state;
    struct op ops[] = {open_op(7, 50, 0), open_op(1, 50, 0), limit_op(1, 99), limit_op(1, 100),
                       limit_op(6, 100)};
    static const enum outcome expected[] = {OUTCOME_NO_SPACE, OUTCOME_CLIENT_EXISTS,
                                            OUTCOME_LIMIT_EXCEEDED, OUTCOME_NO_SPACE,
                                            OUTCOME_NO_CLIENT};
    assert_int_equal(run_one(entry_op(1, D, 100, NULL)), OUTCOME_OK);
    uint64_t sequences = ledger_audited().sequences;
    for (size_t i = 0; i < COUNT_OF(ops); i++)
        ops[i].replayed = true; /* left from an earlier use */
    capture_begin(STDERR_FILENO);
    fail_all("mdb_txn_commit", 0, ENOSPC);
    run(ops, COUNT_OF(ops));
    bool failed = fail_none();
    said = capture_end();
    assert_true(failed);
    for (size_t i = 0; i < COUNT_OF(ops); i++)
        if (ops[i].outcome != expected[i])
            FAIL("op %zu: outcome %d; %s", i, (int)ops[i].outcome, said);
    assert_int_equal(ledger_audited().sequences, sequences);
    assert_int_equal(view_client(&view, 7), OUTCOME_NO_CLIENT);
    assert_int_equal(run_one(open_op(7, 50, 0)), OUTCOME_OK);
}

/* The disk is full before the judging is through. */
static void what_cannot_be_written_down_while_it_is_judged_has_no_room(void **state)
{
    (void)state;
    struct op ops[] = {entry_op(1, C, 1, NULL), entry_op(1, D, 1000000, NULL), limit_op(1, 5)};
    static const enum outcome expected[] = {OUTCOME_NO_SPACE, OUTCOME_LIMIT_EXCEEDED,
                                            OUTCOME_NO_SPACE};
    capture_begin(STDERR_FILENO);
    fail_all("mdb_put", 0, ENOSPC);
    run(ops, COUNT_OF(ops));
    bool failed = fail_none();
    said = capture_end();
    assert_true(failed);
    for (size_t i = 0; i < COUNT_OF(ops); i++)
        assert_int_equal(ops[i].outcome, expected[i]);
}

static void where_nothing_can_be_judged_there_is_no_room(void **state)
{
    (void)state;
    capture_begin(STDERR_FILENO);
    fail_all("fallocate", 0, ENOSPC);
    commit.space.reserved_bytes = 0;
    enum outcome refused = run_one(entry_op(1, D, 1000000, NULL));
    fail_all("mdb_txn_begin", 0, ENOSPC);
    enum outcome unjudged = run_one(entry_op(1, D, 1000000, NULL));
    enum outcome health = run_one((struct op){.kind = OP_HEALTH});
    bool failed = fail_none();
    said = capture_end();
    assert_true(failed);
    assert_int_equal(refused, OUTCOME_LIMIT_EXCEEDED);
    assert_int_equal(unjudged, OUTCOME_NO_SPACE);
    assert_int_equal(health, OUTCOME_NO_SPACE);
}

static void a_store_that_begins_without_room_says_so_at_once(void **state)
{
    (void)state;
    capture_begin(STDERR_FILENO);
    fail_all("fallocate", 0, ENOSPC);
    commit.space.reserved_bytes = 0;
    commit_begin(&commit);
    (void)fail_none();
    said = capture_end();
    assert_int_equal(serving_state(&serving), SERVING_FULL);
    assert_non_null(strstr(said, "the store has no room"));
    assert_non_null(strstr(said, strerror(ENOSPC)));
}

/* A page on the way to one account cannot be read: that is one client's misfortune. */
static void a_damaged_page_refuses_the_op_that_needs_it(void **state)
{
    (void)state;
    capture_begin(STDERR_FILENO);
    fail_all("mdb_get", 0, MDB_CORRUPTED);
    enum outcome entry = run_one(entry_op(1, C, 1, NULL));
    enum outcome health = run_one((struct op){.kind = OP_HEALTH});
    bool failed = fail_none();
    said = capture_end();
    assert_true(failed);
    assert_int_equal(entry, OUTCOME_CORRUPT);
    assert_int_equal(health, OUTCOME_OK);
    assert_non_null(strstr(said, "what the store holds is damaged"));
    assert_non_null(strstr(said, "client=1"));
    assert_int_equal(run_one(entry_op(1, C, 1, NULL)), OUTCOME_OK);
}

static void a_damaged_account_is_told_of(void **state)
{
    (void)state;
    uint8_t client_key[CLIENT_KEY_BYTES], whole[ACCOUNT_RECORD_BYTES_MAX], nothing[1] = {0};
    client_key_encode(client_key, 2);
    MDB_val key = {sizeof client_key, client_key}, value, damaged = {1, nothing};
    MDB_txn *txn = ledger_begin();
    assert_int_equal(mdb_get(txn, ledger.environment.accounts, &key, &value), MDB_SUCCESS);
    MDB_val kept = {value.mv_size, whole};
    memcpy(whole, value.mv_data, value.mv_size);
    assert_int_equal(mdb_put(txn, ledger.environment.accounts, &key, &damaged, 0), MDB_SUCCESS);
    assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);
    struct op ops[] = {entry_op(1, C, 1, NULL), entry_op(2, C, 1, NULL)};
    capture_begin(STDERR_FILENO);
    run(ops, COUNT_OF(ops));
    said = capture_end();
    assert_int_equal(ops[0].outcome, OUTCOME_OK);
    assert_int_equal(ops[1].outcome, OUTCOME_CORRUPT);
    assert_non_null(strstr(said, "client=2"));
    txn = ledger_begin();
    assert_int_equal(mdb_put(txn, ledger.environment.accounts, &key, &kept, 0), MDB_SUCCESS);
    assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);
}

/* The flush fails: LMDB's descriptor is exchanged for one that cannot be written. */
static void after_a_commit_that_failed_on_the_way_nothing_is_certain_and_nothing_is_taken(
    void **state)
{
    (void)state;
    char name[FOLDER_BYTES_MAX + 20];
    struct op ops[] = {entry_op(1, D, 10, "k"), {.kind = OP_HEALTH}, entry_op(2, C, 1, NULL)};
    snprintf(name, sizeof name, "%s/" FOLDER_DATA, ledger.path);
    int kept = dup(data_fd), read_only = open(name, O_RDONLY | O_CLOEXEC);
    assert_true(kept >= 0 && read_only >= 0);
    assert_int_equal(dup2(read_only, data_fd), data_fd);
    capture_begin(STDERR_FILENO);
    run(ops, COUNT_OF(ops));
    assert_int_equal(dup2(kept, data_fd), data_fd);
    enum outcome after = run_one(entry_op(1, D, 10, "k"));
    enum outcome health = run_one((struct op){.kind = OP_HEALTH});
    said = capture_end();
    close(kept);
    close(read_only);
    assert_int_equal(ops[0].outcome, OUTCOME_UNKNOWN);
    assert_int_equal(ops[1].outcome, OUTCOME_DOWN);
    assert_int_equal(ops[2].outcome, OUTCOME_UNKNOWN);
    assert_int_equal(after, OUTCOME_DOWN);
    assert_int_equal(health, OUTCOME_DOWN);
    assert_int_equal(serving_state(&serving), SERVING_DOWN);
    assert_non_null(strstr(said, "the store is down"));
    assert_int_equal(view_client(&view, 1), OUTCOME_OK);
    assert_int_equal(view_client(&view, 6), OUTCOME_NO_CLIENT);
}

static void a_deleted_data_file_takes_no_entry(void **state)
{
    (void)state;
    char name[FOLDER_BYTES_MAX + 20];
    snprintf(name, sizeof name, "%s/" FOLDER_DATA, ledger.path);
    assert_int_equal(unlink(name), 0);
    capture_begin(STDERR_FILENO);
    enum outcome outcome = run_one(entry_op(1, C, 1, NULL));
    said = capture_end();
    assert_int_equal(outcome, OUTCOME_DOWN);
    assert_non_null(strstr(said, "its data file has been deleted"));
}

static void a_data_file_that_cannot_be_asked_after_is_not_taken_for_deleted(void **state)
{
    (void)state;
    fail_all("statx", 0, EIO);
    enum outcome outcome = run_one(entry_op(1, C, 1, NULL));
    assert_true(fail_none());
    assert_int_equal(outcome, OUTCOME_OK);
}

static void a_damaged_page_of_old_keys_refuses_no_entry_and_is_told_once(void **state)
{
    (void)state;
    assert_int_equal(run_one(entry_op(1, D, 10, "k")), OUTCOME_OK);
    commit.batch.key_retention_us = 0;
    commit.opened_us += DAY_US; /* a day later */
    commit.batch.oldest_key_time_us = INT64_MIN;
    struct op ops[] = {entry_op(2, C, 1, NULL), entry_op(3, C, 1, NULL)};
    capture_begin(STDERR_FILENO);
    fail_all("mdb_cursor_open", 0, MDB_CORRUPTED);
    run(ops, COUNT_OF(ops));
    enum outcome later = run_one(entry_op(2, C, 1, NULL));
    bool failed = fail_none();
    said = capture_end();
    assert_true(failed);
    assert_int_equal(ops[0].outcome, OUTCOME_OK);
    assert_int_equal(ops[1].outcome, OUTCOME_OK);
    assert_int_equal(later, OUTCOME_OK);
    const char *told = strstr(said, "a page of the keys is damaged");
    assert_non_null(told);
    assert_null(strstr(told + 1, "a page of the keys is damaged"));
    assert_int_equal(ledger_audited().keys, 1);
}

/* --- every call, every reason --------------------------------------------------------------- */

/* The ops of one batch, with two that are refused and one of another kind. */
static uint32_t fill(struct op *ops, unsigned number)
{
    char key[16];
    snprintf(key, sizeof key, "key-%u", number);
    const struct op all[] = {entry_op(1, C, 1, key),        open_op(100 + number, 1, 0),
                             limit_op(2, 80000 + number),   entry_op(6, C, 1, NULL),
                             entry_op(2, D, 1000000, NULL), {.kind = OP_HEALTH}};
    memcpy(ops, all, sizeof all);
    return COUNT_OF(all);
}

static void expect_possible(const struct op *op, enum outcome without_failure, int error)
{
    enum outcome outcome = op->outcome;
    bool possible = outcome == without_failure;
    switch (error) {
    case EIO:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case MDB_MAP_FULL: possible |= outcome == OUTCOME_NO_SPACE; break;
    case ENOMEM: possible |= outcome == OUTCOME_BUSY; break;
    case MDB_CORRUPTED: possible |= outcome == OUTCOME_CORRUPT; break;
    default: break;
    }
    /* It failed while it was flushed, and nobody can tell. */
    if (serving_state(&serving) == SERVING_DOWN)
        possible |= outcome == OUTCOME_DOWN || (op_writes(op) && outcome == OUTCOME_UNKNOWN);
    if (!possible)
        FAIL("error %d: outcome %d, without it %d", error, (int)outcome, (int)without_failure);
}

/* Each call of a batch's fails with each reason, alone or with all after it. What was answered is
 * what the ledger holds. */
static void whatever_call_fails_the_answers_and_the_ledger_agree(void **state)
{
    (void)state;
    static const int errors[] = {EIO,    ENOSPC,       EDQUOT,        EFBIG,
                                 ENOMEM, MDB_MAP_FULL, MDB_CORRUPTED, MDB_PANIC};
    static const enum outcome usual[] = {
        OUTCOME_OK, OUTCOME_OK, OUTCOME_OK, OUTCOME_NO_CLIENT, OUTCOME_LIMIT_EXCEEDED, OUTCOME_OK};
    unsigned number = 0;
    for (size_t e = 0; e < 2 * COUNT_OF(errors); e++) {
        int reason = errors[e / 2];
        for (unsigned calls = 0;; calls++) {
            struct op ops[COUNT_OF(usual)];
            uint32_t count = fill(ops, number++);
            uint64_t sequences = ledger_audited().sequences;
            view_close(&view);
            begin(LEDGER_MAP);
            capture_begin(STDERR_FILENO);
            if (e % 2 == 0)
                fail_one("mdb_", calls, reason);
            else
                fail_all("mdb_", calls, reason);
            run(ops, count);
            bool failed = fail_none();
            said = capture_end();
            /* A full disk and LMDB's own errors come before anything is flushed. */
            bool may_be_down = e % 2 == 1 || reason == EIO || reason == ENOMEM ||
                               reason == MDB_PANIC;
            assert_true(may_be_down || serving_state(&serving) != SERVING_DOWN);
            for (uint32_t i = 0; i < count; i++) {
                expect_possible(&ops[i], usual[i], reason);
                sequences += op_writes(&ops[i]) && ops[i].outcome == OUTCOME_OK;
            }
            assert_int_equal(ledger_audited().sequences, sequences); /* it was rolled back */
            if (!failed)
                break;
        }
    }
}

/* --- clocks --------------------------------------------------------------------------------- */

static void setting_the_clock_forward_forgets_no_key(void **state)
{
    (void)state;
    assert_int_equal(run_one(entry_op(1, D, 10, "k")), OUTCOME_OK);
    commit.opened_us -= 3 * DAY_US; /* as if it had been set forward since */
    commit.batch.key_retention_us = 0;
    assert_int_equal(run_one(entry_op(2, C, 1, NULL)), OUTCOME_OK);
    assert_int_equal(ledger_audited().keys, 1);
    commit.opened_us += 3 * DAY_US;
    const struct timespec a_while = {0, 5000000}; /* that clock counts in ms */
    nanosleep(&a_while, NULL);
    assert_int_equal(run_one(entry_op(2, C, 1, NULL)), OUTCOME_OK);
    assert_int_equal(ledger_audited().keys, 0);
}

static void a_clock_behind_the_journal_is_told_once(void **state)
{
    (void)state;
    capture_begin(STDERR_FILENO);
    commit.batch.last_time_us = commit_clock_us() + DAY_US;
    struct op first = entry_op(1, C, 1, NULL), second = first;
    run(&first, 1);
    run(&second, 1);
    said = capture_end();
    assert_true(second.entry.time_us == first.entry.time_us + 1);
    const char *told = strstr(said, "the clock is behind the journal");
    assert_non_null(told);
    assert_null(strstr(told + 1, "the clock is behind the journal"));
}

static void a_batch_that_takes_longer_than_anybody_waits_is_stuck(void **state)
{
    (void)state;
    assert_false(commit_stuck(&commit));
    atomic_store(&commit.since_ms, serving_clock_ms() - ANSWER_TIMEOUT_MS + 1000);
    assert_false(commit_stuck(&commit));
    atomic_store(&commit.since_ms, serving_clock_ms() - ANSWER_TIMEOUT_MS - 1000);
    assert_true(commit_stuck(&commit));
    assert_int_equal(run_one(entry_op(1, C, 1, NULL)), OUTCOME_OK);
    assert_false(commit_stuck(&commit));
}

/* --- readers of other processes ------------------------------------------------------------- */

/* A line of LMDB's for each slot that is taken, after a headline. */
static int find_process(const char *line, void *process)
{
    char found[24];
    (void)snprintf(found, sizeof found, "%10d ", (int)*(pid_t *)process);
    if (strncmp(line, found, strlen(found)) == 0)
        *(pid_t *)process = 0;
    return 0;
}

static bool has_slot(pid_t process)
{
    assert_true(mdb_reader_list(ledger.environment.env, find_process, &process) >= 0);
    return process == 0;
}

/* Another process, killed in the middle of a snapshot. */
static pid_t dead_reader(void)
{
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        MDB_env *env;
        MDB_txn *txn;
        bool reads = mdb_env_create(&env) == MDB_SUCCESS &&
                     mdb_env_open(env, ledger.path, MDB_RDONLY, 0) == MDB_SUCCESS &&
                     mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) == MDB_SUCCESS;
        byte = reads ? 'y' : 'n';
        if (write(ready[1], &byte, 1) == 1)
            pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    assert_true(has_slot(child));
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(ready[0]);
    close(ready[1]);
    return child;
}

static void a_reader_that_was_killed_is_forgotten_but_not_at_every_commit(void **state)
{
    (void)state;
    pid_t dead = dead_reader();
    assert_true(has_slot(dead));
    commit.readers_checked_ms = serving_clock_ms() + 60000;
    assert_int_equal(run_one(entry_op(1, C, 1, NULL)), OUTCOME_OK);
    assert_true(has_slot(dead));
    int64_t long_ago_ms = commit.readers_checked_ms = serving_clock_ms() - 1000;
    assert_int_equal(run_one(entry_op(1, C, 1, NULL)), OUTCOME_OK);
    assert_false(has_slot(dead));
    assert_true(commit.readers_checked_ms > long_ago_ms);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_batch_is_booked_and_seen),
        TEST(who_has_an_answer_finds_the_account_that_it_tells_of),
        TEST(only_commits_that_opened_accounts_count_as_openings),
        TEST(a_map_that_was_full_is_so_until_something_is_committed),
        TEST(with_a_full_disk_only_what_would_be_booked_finds_no_room),
        TEST(with_a_full_disk_openings_and_limits_are_judged_like_entries),
        TEST(what_cannot_be_written_down_while_it_is_judged_has_no_room),
        TEST(where_nothing_can_be_judged_there_is_no_room),
        TEST(a_store_that_begins_without_room_says_so_at_once),
        TEST(after_a_commit_that_failed_on_the_way_nothing_is_certain_and_nothing_is_taken),
        TEST(a_damaged_page_refuses_the_op_that_needs_it),
        TEST(a_damaged_account_is_told_of),
        TEST(a_deleted_data_file_takes_no_entry),
        TEST(a_data_file_that_cannot_be_asked_after_is_not_taken_for_deleted),
        TEST(a_damaged_page_of_old_keys_refuses_no_entry_and_is_told_once),
        TEST(whatever_call_fails_the_answers_and_the_ledger_agree),
        TEST(setting_the_clock_forward_forgets_no_key),
        TEST(a_clock_behind_the_journal_is_told_once),
        TEST(a_batch_that_takes_longer_than_anybody_waits_is_stuck),
        TEST(a_reader_that_was_killed_is_forgotten_but_not_at_every_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
