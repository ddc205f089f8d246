/* SPDX-License-Identifier: MIT
 *
 * test_lmdb_store.c - the embedded store through store.h: threads, batches, restarts, a full map.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "store_client.h"

#define C   ENTRY_CREDIT
#define D   ENTRY_DEBIT
#define KIB UINT64_C(1024)

static int64_t clock_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void a_new_store_has_the_five_clients(void **state)
{
    (void)state;
    static const int64_t limits[] = {0, 100000, 80000, 1000000, 10000000, 500000};
    store_client_open();
    for (uint32_t who = 1; who <= 5; who++) {
        int64_t before = clock_us();
        struct op op = store_client_statement(who);
        assert_int_equal(op.outcome, OUTCOME_OK);
        assert_int_equal(op.account.client, who);
        assert_true(op.account.limit_cents == limits[who]);
        assert_int_equal(op.account.balance_cents, 0);
        assert_int_equal(op.account.recent_count, 0);
        assert_in_range(op.snapshot_us, before, clock_us());
    }
}

static void a_client_that_is_not_there_is_none_for_any_question(void **state)
{
    (void)state;
    static const uint32_t others[] = {6, 7, 1025, 1026, 2049, CLIENT_MAX};
    store_client_open();
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < COUNT_OF(others); i++) {
            struct op op = {.kind = OP_CLIENT, .client = others[i]};
            assert_true(store_submit(client.submitter, &op)); /* answered at once */
            assert_int_equal(op.outcome, OUTCOME_NO_CLIENT);
            assert_int_equal(store_client_statement(others[i]).outcome, OUTCOME_NO_CLIENT);
            assert_int_equal(store_client_book(others[i], C, 1, NULL), OUTCOME_NO_CLIENT);
        }
        for (uint32_t who = 1; who <= 5; who++) {
            struct op op = {.kind = OP_CLIENT, .client = who};
            assert_true(store_submit(client.submitter, &op));
            assert_int_equal(op.outcome, OUTCOME_OK);
        }
    }
}

static void an_account_is_opened_and_its_limit_changed_through_the_store(void **state)
{
    (void)state;
    store_client_open();
    struct op ops[] = {open_op(7, 50, -10), entry_op(1, C, 1, NULL), limit_op(1, 10),
                       open_op(1, 1, 1)};
    static const enum outcome expected[] = {OUTCOME_OK, OUTCOME_OK, OUTCOME_OK,
                                            OUTCOME_CLIENT_EXISTS};
    store_client_ask_all(ops, COUNT_OF(ops));
    for (size_t i = 0; i < COUNT_OF(ops); i++)
        assert_int_equal(ops[i].outcome, expected[i]);
    assert_int_equal(store_client_book(7, D, 40, NULL), OUTCOME_OK);
    assert_int_equal(store_client_book(7, D, 1, NULL), OUTCOME_LIMIT_EXCEEDED);
    assert_int_equal(store_client_book(1, D, 12, NULL), OUTCOME_LIMIT_EXCEEDED);
    struct op statement = store_client_statement(7);
    assert_int_equal(statement.account.balance_cents, -50);
    assert_int_equal(statement.account.recent_count, 1);
}

/* A value of one byte in the place of an account. */
static void a_damaged_account_has_no_statement_and_the_log_says_so(void **state)
{
    (void)state;
    struct environment environment;
    uint8_t client_key[CLIENT_KEY_BYTES], byte = 0;
    char error[300];
    MDB_txn *txn;
    store_client_open();
    store_client_close();
    assert_int_equal(environment_open(&environment, client.path, 0, 0, error, sizeof error),
                     ENVIRONMENT_OPEN);
    assert_int_equal(mdb_txn_begin(environment.env, NULL, 0, &txn), MDB_SUCCESS);
    client_key_encode(client_key, 2);
    MDB_val key = {sizeof client_key, client_key}, value = {1, &byte};
    assert_int_equal(mdb_put(txn, environment.accounts, &key, &value, 0), MDB_SUCCESS);
    assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);
    environment_close(&environment);

    store_client_open();
    struct op damaged = {.kind = OP_STATEMENT, .client = 2}, whole = damaged;
    whole.client = 3;
    capture_begin(STDERR_FILENO);
    enum outcome of_damaged = store_client_ask(&damaged), of_whole = store_client_ask(&whole);
    const char *said = capture_end();
    assert_int_equal(of_damaged, OUTCOME_CORRUPT);
    assert_int_equal(of_whole, OUTCOME_OK);
    assert_non_null(strstr(said, "what the store holds is damaged"));
    assert_non_null(strstr(said, "client=2"));
}

static void an_entry_answered_is_in_the_next_statement(void **state)
{
    (void)state;
    store_client_open();
    for (int i = 1; i <= 12; i++) {
        struct op op = entry_op(2, i % 2 ? D : C, INT64_C(10) * i, NULL);
        assert_int_equal(store_client_ask(&op), OUTCOME_OK);
        struct op statement = store_client_statement(2);
        assert_true(statement.account.balance_cents == op.balance_cents);
        assert_int_equal(statement.account.recent_count, i < 10 ? i : 10);
        assert_true(entry_same_request(&statement.account.recent[0], &op.entry));
        assert_true(statement.account.recent[0].time_us == op.entry.time_us);
        assert_true(statement.snapshot_us >= op.entry.time_us);
    }
}

static void a_batch_of_256_is_judged_in_order(void **state)
{
    (void)state;
    static struct op ops[BATCH_OPS_MAX];
    int64_t balance = 0;
    store_client_open();
    for (int i = 0; i < BATCH_OPS_MAX; i++)
        ops[i] = entry_op(1, i % 3 == 0 ? C : D, i % 3 == 0 ? 100 : 1000, NULL);
    store_client_ask_all(ops, BATCH_OPS_MAX);
    for (int i = 0; i < BATCH_OPS_MAX; i++) {
        int64_t after = balance + (i % 3 == 0 ? 100 : -1000);
        bool fits = after >= -100000;
        assert_int_equal(ops[i].outcome, fits ? OUTCOME_OK : OUTCOME_LIMIT_EXCEEDED);
        if (fits)
            balance = after;
        if (fits)
            assert_true(ops[i].balance_cents == balance);
    }
    assert_true(store_client_statement(1).account.balance_cents == balance);
}

static void more_than_a_batch_goes_through_and_nothing_is_lost(void **state)
{
    (void)state;
    static struct op ops[STORE_PENDING];
    store_client_open();
    for (int round = 0; round < 5; round++) {
        for (uint32_t i = 0; i < STORE_PENDING; i++)
            ops[i] = entry_op(1 + i % 5, C, 1 + i, NULL);
        store_client_ask_all(ops, STORE_PENDING);
        for (uint32_t i = 0; i < STORE_PENDING; i++)
            assert_int_equal(ops[i].outcome, OUTCOME_OK);
    }
    store_client_close();
    struct audit audit;
    audit_folder(&audit, client.path);
    assert_int_equal(audit.entries, 5 * STORE_PENDING);
    int64_t sum = 0;
    for (int who = 1; who <= 5; who++)
        sum += audit.balance_cents[who];
    assert_int_equal(sum, 5 * STORE_PENDING * (STORE_PENDING + 1) / 2);
}

static void one_op_too_many_is_busy_and_the_others_are_done(void **state)
{
    (void)state;
    static struct op ops[STORE_PENDING + 1];
    store_client_open();
    for (uint32_t i = 0; i <= STORE_PENDING; i++)
        ops[i] = entry_op(3, C, 1, NULL);
    store_client_ask_all(ops, STORE_PENDING + 1);
    for (uint32_t i = 0; i < STORE_PENDING; i++)
        assert_int_equal(ops[i].outcome, OUTCOME_OK);
    assert_int_equal(ops[STORE_PENDING].outcome, OUTCOME_BUSY);
    assert_int_equal(store_client_statement(3).account.balance_cents, STORE_PENDING);
    assert_int_equal(store_client_book(3, C, 1, NULL), OUTCOME_OK);
}

static void closing_does_what_was_submitted(void **state)
{
    (void)state;
    static struct op ops[STORE_PENDING];
    store_client_open();
    for (uint32_t i = 0; i < STORE_PENDING; i++) {
        ops[i] = entry_op(3, C, 1, NULL);
        assert_false(store_submit(client.submitter, &ops[i]));
    }
    store_client_close(); /* also without a hand-over */
    for (uint32_t i = 0; i < STORE_PENDING; i++)
        assert_int_equal(ops[i].outcome, OUTCOME_OK);
    struct audit audit;
    audit_folder(&audit, client.path);
    assert_int_equal(audit.balance_cents[3], STORE_PENDING);
}

static void a_store_goes_on_where_it_was_and_still_knows_its_keys(void **state)
{
    (void)state;
    for (int round = 0; round < 4; round++) {
        /* The real thing, flushes and all. */
        if (!store_client_try_open(UINT64_C(1) << 26, true))
            FAIL("%s", client.error);
        struct op op = entry_op(1, D, 10, "the key");
        assert_int_equal(store_client_ask(&op), OUTCOME_OK);
        assert_int_equal(op.replayed, round > 0);
        assert_int_equal(op.balance_cents, -10);
        assert_int_equal(store_client_book(1, D, 11, "the key"), OUTCOME_KEY_REUSED);
        assert_int_equal(store_client_book(1, C, 1, NULL), OUTCOME_OK);
        assert_int_equal(store_client_statement(1).account.balance_cents, round - 9);
        store_client_close();
    }
    struct audit audit;
    audit_folder(&audit, client.path);
    assert_int_equal(audit.entries, 5);
    assert_int_equal(audit.keys, 1);
}

static void one_key_many_times_in_one_turn_is_booked_once(void **state)
{
    (void)state;
    struct op ops[50];
    store_client_open();
    for (size_t i = 0; i < COUNT_OF(ops); i++)
        ops[i] = entry_op(1, D, 10, "k");
    store_client_ask_all(ops, COUNT_OF(ops));
    for (size_t i = 0; i < COUNT_OF(ops); i++) {
        assert_int_equal(ops[i].outcome, OUTCOME_OK);
        assert_int_equal(ops[i].replayed, i > 0);
        assert_int_equal(ops[i].balance_cents, -10);
    }
    assert_int_equal(store_client_statement(1).account.balance_cents, -10);
}

static void health_is_answered_at_once(void **state)
{
    (void)state;
    struct op op = {.kind = OP_HEALTH};
    store_client_open();
    assert_true(store_submit(client.submitter, &op));
    assert_int_equal(op.outcome, OUTCOME_OK);
}

/* --- what a look from outside tells ----------------------------------------------------------- */

static void an_inspection_counts_what_there_is(void **state)
{
    (void)state;
    struct store_facts facts;
    char error[300];
    store_client_open();
    assert_int_equal(store_client_book(1, D, 10, "k"), OUTCOME_OK);
    assert_int_equal(store_client_book(2, D, 10, NULL), OUTCOME_OK);
    assert_int_equal(store_client_book(2, D, 100000, "l"), OUTCOME_LIMIT_EXCEEDED);
    store_client_close();
    assert_true(store_inspect(&facts, client.url, error, sizeof error));
    assert_int_equal(facts.layout, LAYOUT_VERSION);
    assert_int_equal(facts.accounts, 5);
    assert_int_equal(facts.records, 5 + 2);
    assert_int_equal(facts.keys, 1);
    assert_int_equal(facts.commits,
                     2 + 2); /* making it takes two; what is refused commits nothing */
    assert_int_equal(facts.capacity_bytes, UINT64_C(1) << 26);
    assert_in_range(facts.used_bytes, 4096, 1 << 20);
    assert_string_equal(facts.owner, "");
}

static void an_inspection_beside_its_owner_names_it_and_disturbs_nothing(void **state)
{
    (void)state;
    struct store_facts facts;
    char error[300], process[40];
    store_client_open();
    assert_int_equal(store_client_book(1, D, 10, NULL), OUTCOME_OK);
    assert_true(store_inspect(&facts, client.url, error, sizeof error));
    snprintf(process, sizeof process, "process %ld ", (long)getpid());
    assert_non_null(strstr(facts.owner, process));
    assert_int_equal(facts.records, 5 + 1);
    assert_int_equal(store_client_book(1, D, 10, NULL), OUTCOME_OK);
}

/* --- a full map ------------------------------------------------------------------------------ */

/* Entries of one centavo each for client 3, `size` in a turn, until a whole turn finds no room.
 * False for any other outcome. */
static bool fill_up(uint32_t size, uint64_t *ret_booked)
{
    static struct op ops[BATCH_OPS_MAX];
    static unsigned key_number;
    for (uint64_t before = UINT64_MAX; before != *ret_booked;) {
        before = *ret_booked;
        for (uint32_t i = 0; i < size; i++) {
            char key[32];
            snprintf(key, sizeof key, "key number %u", key_number++);
            ops[i] = entry_op(3, C, 1, key);
        }
        store_client_ask_all(ops, size);
        for (uint32_t i = 0; i < size; i++) {
            if (ops[i].outcome != OUTCOME_OK && ops[i].outcome != OUTCOME_NO_SPACE)
                return false;
            *ret_booked += ops[i].outcome == OUTCOME_OK;
        }
    }
    return true;
}

/* What a full store still answers. */
static bool full_and_unharmed(uint64_t booked)
{
    struct op health = {.kind = OP_HEALTH}, nobody = {.kind = OP_CLIENT, .client = 6};
    struct op again = entry_op(1, C, 7, "the first");
    return store_client_ask(&health) == OUTCOME_NO_SPACE &&
           store_client_ask(&nobody) == OUTCOME_NO_CLIENT &&
           store_client_statement(3).account.balance_cents == (int64_t)booked &&
           store_client_book(1, D, 1000000, NULL) == OUTCOME_LIMIT_EXCEEDED &&
           store_client_ask(&again) == OUTCOME_OK && again.replayed &&
           store_client_book(1, C, 8, "the first") == OUTCOME_KEY_REUSED;
}

/* Wherever the end comes, in a table, at the list of free pages or in between: it is "no space", and
 * nothing is half done. */
static void a_full_map_is_no_space_whatever_its_size_and_the_state_stays(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 7, 64, BATCH_OPS_MAX};
    const char *wrong = NULL;
    capture_begin(STDERR_FILENO); /* the store's log */
    for (uint64_t map = 512 * KIB; map < 560 * KIB && !wrong; map += 4 * KIB) {
        uint64_t booked = 0;
        if (!store_client_try_open(map, false))
            wrong = "opening";
        else if (store_client_book(1, C, 7, "the first") != OUTCOME_OK)
            wrong = "the first entry";
        else if (!fill_up(sizes[(map / (4 * KIB)) % COUNT_OF(sizes)], &booked))
            wrong = "filling up";
        else if (!full_and_unharmed(booked))
            wrong = "what a full store answers";
        if (wrong)
            break;
        store_client_close();
        /* With more room it goes on. */
        if (!store_client_try_open(map + (UINT64_C(1) << 20), false))
            wrong = "opening with more room";
        else if (store_client_book(3, C, 1, NULL) != OUTCOME_OK ||
                 store_client_statement(3).account.balance_cents != (int64_t)booked + 1)
            wrong = "going on with more room";
        store_client_close();
        struct audit audit;
        audit_folder(&audit, client.path);
        if (audit.entries != booked + 2)
            wrong = "the journal";
        temporary_remove(client.path);
        (void)store_client_setup(NULL);
    }
    const char *log = capture_end();
    if (wrong)
        FAIL("%s; %s; the log: %s", wrong, client.error, shown(log, strlen(log)));
    assert_non_null(strstr(log, "the store has no room"));
    assert_null(strstr(log, "the store is down"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, store_client_setup, store_client_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_new_store_has_the_five_clients),
        TEST(a_client_that_is_not_there_is_none_for_any_question),
        TEST(an_account_is_opened_and_its_limit_changed_through_the_store),
        TEST(a_damaged_account_has_no_statement_and_the_log_says_so),
        TEST(an_entry_answered_is_in_the_next_statement),
        TEST(a_batch_of_256_is_judged_in_order),
        TEST(more_than_a_batch_goes_through_and_nothing_is_lost),
        TEST(one_op_too_many_is_busy_and_the_others_are_done),
        TEST(closing_does_what_was_submitted),
        TEST(a_store_goes_on_where_it_was_and_still_knows_its_keys),
        TEST(one_key_many_times_in_one_turn_is_booked_once),
        TEST(health_is_answered_at_once),
        TEST(an_inspection_counts_what_there_is),
        TEST(an_inspection_beside_its_owner_names_it_and_disturbs_nothing),
        TEST(a_full_map_is_no_space_whatever_its_size_and_the_state_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
