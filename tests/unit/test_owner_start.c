/* SPDX-License-Identifier: MIT
 *
 * test_owner_start.c - batches that an owner's submitters book themselves, beside its committer: never before a
 * flush, never while the committer is at it, and not without it knowing.
 */
#include "unit.h"

#include <pthread.h>
#include <semaphore.h>

#include "ledger_audit.h"
#include "store/lmdb/commit.h"
#include "store/lmdb/owner.h"

#define C ENTRY_CREDIT

static char path[FOLDER_BYTES_MAX];
static struct owner *owner;

/* --- what it calls ---------------------------------------------------------------------------- */

static bool told_idle; /* at the last commit_settle() */
static bool held;      /* the next commit_ops() waits */
static sem_t begun, let_go;

/* (The linker makes __wrap_X and __real_X of a wrapped call X.)
 * NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
__typeof__(commit_settle) __real_commit_settle, __wrap_commit_settle;
bool __wrap_commit_settle(struct commit *commit, bool idle)
{
    told_idle = idle;
    return __real_commit_settle(commit, idle);
}

__typeof__(commit_ops) __real_commit_ops, __wrap_commit_ops;
void __wrap_commit_ops(struct commit *commit, struct op **ops, uint32_t count)
{
    if (held) {
        sem_post(&begun);
        while (sem_wait(&let_go) != 0)
            continue;
    }
    __real_commit_ops(commit, ops, count);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static void open_owner(bool durable)
{
    char error[300];
    const struct store_options options = {
        .durable = durable,
        .serves = true,
        .map_bytes = UINT64_C(1) << 26,
        .submitters = 1,
        .pending_max = 10,
        .key_retention_us = INT64_C(86400000000),
    };
    if (owner_open(&owner, path, &options, NULL, error, sizeof error) != OWNER_OPENED)
        FAIL("%s", error);
}

static int setup(void **state)
{
    (void)state;
    temporary_make(path);
    held = told_idle = false;
    sem_init(&begun, 0, 0);
    sem_init(&let_go, 0, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    owner_close(owner);
    sem_destroy(&begun);
    sem_destroy(&let_go);
    temporary_remove(path);
    return 0;
}

static void commit_one(void)
{
    struct op op = entry_op(1, C, 1, NULL), *ops[] = {&op};
    owner_commit(owner, ops, 1);
    assert_int_equal(op.outcome, OUTCOME_OK);
}

static bool start_one(void)
{
    struct op op = entry_op(1, C, 1, NULL), *ops[] = {&op};
    bool started = owner_start(owner, ops, 1);
    assert_true(!started || op.outcome == OUTCOME_OK);
    return started;
}

static int64_t balance(void)
{
    struct op op = {.kind = OP_STATEMENT, .client = 1};
    assert_true(owner_answer_now(owner, 0, &op));
    return op.account.balance_cents;
}

/* ---------------------------------------------------------------------------------------------- */

static void a_batch_that_needs_no_flush_is_booked_by_who_has_it(void **state)
{
    (void)state;
    open_owner(false);
    commit_one();
    assert_true(start_one());
    assert_true(start_one());
    assert_int_equal(balance(), 3);
}

static void one_that_must_be_flushed_is_the_committers(void **state)
{
    (void)state;
    open_owner(true);
    commit_one();
    assert_false(start_one());
    assert_int_equal(balance(), 1);
}

static void *commit_beside(void *context)
{
    commit_one();
    return context;
}

static void nobody_waits_for_the_committer(void **state)
{
    (void)state;
    pthread_t committer;
    open_owner(false);
    commit_one();
    held = true;
    assert_int_equal(pthread_create(&committer, NULL, commit_beside, NULL), 0);
    assert_int_equal(sem_wait(&begun), 0);
    assert_false(start_one());
    sem_post(&let_go);
    assert_int_equal(pthread_join(committer, NULL), 0);
    held = false;
    assert_true(start_one());
    assert_int_equal(balance(), 3);
}

static void it_is_not_idle_while_others_book(void **state)
{
    (void)state;
    open_owner(false);
    commit_one();
    for (int i = 0; i < 3; i++) {
        assert_true(start_one());
        assert_true(owner_settle(owner, true));
        assert_false(told_idle);
    }
    while (owner_settle(owner, true)) /* until the file has all */
        assert_true(told_idle);
    assert_true(told_idle);
    assert_false(start_one()); /* the committer rests: it has to know of the next */
    commit_one();
    assert_true(start_one());
    assert_true(owner_settle(owner, false));
    assert_false(told_idle);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_batch_that_needs_no_flush_is_booked_by_who_has_it),
        TEST(one_that_must_be_flushed_is_the_committers),
        TEST(nobody_waits_for_the_committer),
        TEST(it_is_not_idle_while_others_book),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
