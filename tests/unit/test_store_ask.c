/* SPDX-License-Identifier: MIT
 *
 * test_store_ask.c - ops of a process that has not opened the store: through the one that has, or by
 * itself, and each exactly once.
 */
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ledger_fixture.h"
#include "store/lmdb/folder.h"
#include "store_client.h"

static char says[400];

static enum outcome ask(struct op *op)
{
    op->outcome = OUTCOME_UNKNOWN;
    if (!store_ask(client.url, op, says, sizeof says))
        FAIL("%s", says);
    return op->outcome;
}

static enum outcome open_client(uint32_t who, int64_t limit_cents, int64_t balance_cents)
{
    struct op op = {
        .kind = OP_OPEN,
        .client = who,
        .limit_cents = limit_cents,
        .balance_cents = balance_cents,
    };
    return ask(&op);
}

static enum outcome set_limit(uint32_t who, int64_t limit_cents)
{
    struct op op = {.kind = OP_LIMIT, .client = who, .limit_cents = limit_cents};
    return ask(&op);
}

static enum outcome credit(uint32_t who)
{
    struct op op = entry_op(who, ENTRY_CREDIT, 1, NULL);
    return ask(&op);
}

static int64_t asked_balance(uint32_t who)
{
    struct op op = {.kind = OP_STATEMENT, .client = who};
    assert_int_equal(ask(&op), OUTCOME_OK);
    return op.account.balance_cents;
}

/* Whether there is one, as the owner's own submitter sees it. */
static bool owner_knows(uint32_t who)
{
    struct op op = {.kind = OP_CLIENT, .client = who};
    assert_true(store_submit(client.submitter, &op));
    return op.outcome == OUTCOME_OK;
}

static void make_store(void)
{
    store_client_open();
    store_client_close();
}

/* --- beside an owner ------------------------------------------------------------------------ */

static void a_new_client_is_there_for_the_owner_at_once(void **state)
{
    (void)state;
    store_client_open();
    for (uint32_t who = 6; who < 60; who++) {
        assert_false(owner_knows(who));
        assert_int_equal(open_client(who, 100, -50), OUTCOME_OK);
        assert_true(owner_knows(who));
        struct op op = store_client_statement(who);
        assert_int_equal(op.outcome, OUTCOME_OK);
        assert_int_equal(op.account.limit_cents, 100);
        assert_int_equal(op.account.balance_cents, -50);
        assert_int_equal(store_client_book(who, ENTRY_DEBIT, 50, NULL), OUTCOME_OK);
        assert_int_equal(store_client_book(who, ENTRY_DEBIT, 1, NULL), OUTCOME_LIMIT_EXCEEDED);
        assert_int_equal(asked_balance(who), -100);
    }
    assert_int_equal(open_client(CLIENT_MAX, 0, 0), OUTCOME_OK);
    assert_true(owner_knows(CLIENT_MAX));
}

static void no_account_is_opened_twice(void **state)
{
    (void)state;
    store_client_open();
    assert_int_equal(open_client(7, 100, 5), OUTCOME_OK);
    assert_int_equal(open_client(7, 200, 0), OUTCOME_CLIENT_EXISTS);
    assert_int_equal(open_client(1, 200, 0), OUTCOME_CLIENT_EXISTS);
    struct op op = store_client_statement(7);
    assert_int_equal(op.account.limit_cents, 100);
    assert_int_equal(op.account.balance_cents, 5);
}

static void a_limit_is_in_force_at_once_and_never_under_the_debt(void **state)
{
    (void)state;
    store_client_open();
    assert_int_equal(store_client_book(1, ENTRY_DEBIT, 500, NULL), OUTCOME_OK);
    assert_int_equal(set_limit(1, 499), OUTCOME_LIMIT_EXCEEDED);
    assert_int_equal(store_client_statement(1).account.limit_cents, 100000);
    assert_int_equal(set_limit(1, 500), OUTCOME_OK);
    assert_int_equal(store_client_statement(1).account.limit_cents, 500);
    assert_int_equal(store_client_book(1, ENTRY_DEBIT, 1, NULL), OUTCOME_LIMIT_EXCEEDED);
    assert_int_equal(set_limit(1, 501), OUTCOME_OK);
    struct op op = entry_op(1, ENTRY_DEBIT, 1, NULL);
    assert_int_equal(store_client_ask(&op), OUTCOME_OK);
    assert_int_equal(op.limit_cents, 501);
    assert_int_equal(set_limit(9, 1), OUTCOME_NO_CLIENT);
    store_client_close();
    struct audit audit;
    audit_folder(&audit, client.path);
    assert_int_equal(audit.sequences, 5 + 2 + 2); /* openings, debits, limits */
    assert_int_equal(audit.balance_cents[1], -501);
}

static void whatever_can_be_asked_is_answered_as_to_the_owner_itself(void **state)
{
    (void)state;
    store_client_open();
    struct op op = entry_op(1, ENTRY_DEBIT, 10, "key");
    assert_int_equal(ask(&op), OUTCOME_OK);
    assert_false(op.replayed);
    assert_int_equal(op.balance_cents, -10);
    int64_t time_us = op.entry.time_us;
    assert_int_equal(ask(&op), OUTCOME_OK);
    assert_true(op.replayed);
    op.entry.amount_cents = 11;
    assert_int_equal(ask(&op), OUTCOME_KEY_REUSED);
    op = (struct op){.kind = OP_STATEMENT, .client = 1};
    assert_int_equal(ask(&op), OUTCOME_OK);
    assert_int_equal(op.account.recent_count, 1);
    assert_true(op.account.recent[0].time_us == time_us && op.snapshot_us >= time_us);
    op.client = 6;
    assert_int_equal(ask(&op), OUTCOME_NO_CLIENT);
    op = (struct op){.kind = OP_HEALTH};
    assert_int_equal(ask(&op), OUTCOME_OK);
}

/* --- by itself ------------------------------------------------------------------------------ */

static void where_nobody_has_the_store_it_is_opened_and_left_again(void **state)
{
    (void)state;
    make_store();
    assert_int_equal(open_client(7, 100, 0), OUTCOME_OK);
    assert_int_equal(credit(7), OUTCOME_OK);
    assert_int_equal(asked_balance(7), 1);
    assert_int_equal(open_client(7, 100, 0), OUTCOME_CLIENT_EXISTS);
    store_client_open(); /* it is free */
    assert_true(owner_knows(7));
    assert_int_equal(store_client_statement(7).account.balance_cents, 1);
}

static void a_store_that_is_not_there_is_not_made(void **state)
{
    (void)state;
    struct op op = {.kind = OP_OPEN, .client = 7};
    assert_false(store_ask(client.url, &op, says, sizeof says));
    assert_non_null(strstr(says, "no store there: No such file or directory"));
    assert_int_not_equal(access(client.path, F_OK), 0);
    assert_int_equal(mkdir(client.path, 0700), 0);
    assert_false(store_ask(client.url, &op, says, sizeof says));
    assert_non_null(strstr(says, client.path));
    assert_int_equal(rmdir(client.path), 0); /* it is empty still */
    assert_false(store_ask("postgres:x", &op, says, sizeof says));
    assert_non_null(strstr(says, "no database that this build knows"));
}

static void who_holds_the_folder_and_takes_no_ops_is_named(void **state)
{
    (void)state;
    struct op op = {.kind = OP_STATEMENT, .client = 1};
    struct folder folder;
    char process[60];
    make_store();
    assert_true(folder_take(&folder, client.path, says, sizeof says));
    assert_false(store_ask(client.url, &op, says, sizeof says));
    folder_release(&folder);
    snprintf(process, sizeof process, "in use by process %ld on ", (long)getpid());
    if (!strstr(says, process))
        FAIL("says %s", says);
    assert_int_equal(ask(&op), OUTCOME_OK);
}

/* How long keys are kept is the serving bank's choice; the default would forget this one. */
static void no_key_is_forgotten_by_the_way(void **state)
{
    assert_int_equal(ledger_setup(state), 0);
    assert_int_equal(ledger_book(1, ENTRY_CREDIT, 1, "of years ago"), OUTCOME_OK);
    ledger_close();
    folder_release(&ledger.folder);
    snprintf(client.url, sizeof client.url, "lmdb:%s", ledger.path);
    assert_int_equal(set_limit(1, 7), OUTCOME_OK);
    assert_int_equal(credit(1), OUTCOME_OK);
    struct audit audit;
    audit_folder(&audit, ledger.path);
    assert_int_equal(audit.keys, 1);
    temporary_remove(ledger.path);
}

static void without_a_socket_the_store_serves_and_says_so(void **state)
{
    (void)state;
    char name[FOLDER_BYTES_MAX + 40];
    make_store();
    snprintf(name, sizeof name, "%s/" FOLDER_SOCKET, client.path);
    assert_int_equal(mkdir(name, 0700), 0);
    capture_begin(STDERR_FILENO);
    bool opened = store_client_try_open(UINT64_C(1) << 26, false);
    const char *said = capture_end();
    assert_true(opened);
    assert_non_null(strstr(said, "level=warn msg=\"no other process can use this store"));
    assert_int_equal(store_client_book(1, ENTRY_CREDIT, 1, NULL), OUTCOME_OK);
    store_client_close();
    assert_int_equal(rmdir(name), 0);
}

/* --- many at once --------------------------------------------------------------------------- */

enum { PROCESSES = 6, CREDITS = 5 };

/* Each of them asks as a process of its own; how many could not. */
static int processes_that_failed(void)
{
    int failed = 0, status, start[2];
    pid_t processes[PROCESSES];
    assert_int_equal(pipe(start), 0);
    for (int i = 0; i < PROCESSES; i++) {
        processes[i] = fork();
        if (processes[i] == 0) {
            int done = 0;
            char byte;
            close(start[1]);
            (void)!read(start[0], &byte, 1); /* until all are there */
            for (int j = 0; j < CREDITS; j++) {
                struct op op = entry_op(1, ENTRY_CREDIT, 1, NULL);
                done += store_ask(client.url, &op, says, sizeof says) && op.outcome == OUTCOME_OK;
            }
            if (done < CREDITS)
                fprintf(stderr, "%d of %d: %s\n", done, CREDITS, says);
            _exit(done == CREDITS ? 0 : 1);
        }
    }
    close(start[1]);
    close(start[0]);
    for (int i = 0; i < PROCESSES; i++)
        failed += waitpid(processes[i], &status, 0) != processes[i] || status != 0;
    return failed;
}

static void several_processes_ask_one_owner(void **state)
{
    (void)state;
    store_client_open();
    assert_int_equal(processes_that_failed(), 0);
    assert_int_equal(store_client_statement(1).account.balance_cents, PROCESSES * CREDITS);
}

static void several_processes_become_owners_in_turn(void **state)
{
    (void)state;
    make_store();
    assert_int_equal(processes_that_failed(), 0);
    assert_int_equal(asked_balance(1), PROCESSES * CREDITS);
}

static _Atomic bool enough;
static _Atomic uint32_t credited;

static void *credit_until_enough(void *context)
{
    char error[300];
    while (!enough) {
        struct op op = entry_op(1, ENTRY_CREDIT, 1, NULL);
        if (!store_ask(client.url, &op, error, sizeof error) || op.outcome != OUTCOME_OK) {
            snprintf(says, sizeof says, "outcome %d: %s", (int)op.outcome, error);
            return context; /* not NULL */
        }
        credited++;
    }
    return NULL;
}

static void while_owners_come_and_go_everything_is_booked_once(void **state)
{
    (void)state;
    enum { OWNERS = 15 };
    pthread_t thread;
    void *failed;
    make_store();
    enough = false;
    credited = 0;
    says[0] = '\0';
    assert_int_equal(pthread_create(&thread, NULL, credit_until_enough, says), 0);
    for (int i = 0; i < OWNERS; i++) {
        while (!store_client_try_open(UINT64_C(1) << 26, false))
            if (!strstr(client.error, "in use by"))
                FAIL("%s", client.error);
        for (uint32_t from = credited; credited == from && says[0] == '\0';)
            usleep(100);
        store_client_close();
    }
    enough = true;
    assert_int_equal(pthread_join(thread, &failed), 0);
    if (failed)
        FAIL("%s", says);
    assert_int_equal(asked_balance(1), credited);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, store_client_setup, store_client_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_new_client_is_there_for_the_owner_at_once),
        TEST(no_account_is_opened_twice),
        TEST(a_limit_is_in_force_at_once_and_never_under_the_debt),
        TEST(whatever_can_be_asked_is_answered_as_to_the_owner_itself),
        TEST(where_nobody_has_the_store_it_is_opened_and_left_again),
        TEST(a_store_that_is_not_there_is_not_made),
        TEST(who_holds_the_folder_and_takes_no_ops_is_named),
        TEST(no_key_is_forgotten_by_the_way),
        TEST(without_a_socket_the_store_serves_and_says_so),
        TEST(several_processes_ask_one_owner),
        TEST(several_processes_become_owners_in_turn),
        TEST(while_owners_come_and_go_everything_is_booked_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
