/* SPDX-License-Identifier: MIT
 *
 * test_lmdb_sharing.c - several stores on one folder, as they come and go in order.
 */
#define _GNU_SOURCE
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "failing_calls.h"
#include "members.h"
#include "store/lmdb/guest.h"
#include "store/lmdb/owner_socket.h"

#define C ENTRY_CREDIT
#define D ENTRY_DEBIT

/* How often a committer has asked an owner. (The linker makes __wrap_X and __real_X of a wrapped call X.)
 * NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
static atomic_uint committers;
__typeof__(guest_ask) __real_guest_ask, __wrap_guest_ask;
uint32_t __wrap_guest_ask(struct guest *guest, struct op **ops, uint32_t count)
{
    atomic_fetch_add(&committers, 1);
    return __real_guest_ask(guest, ops, count);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

/* --- together ------------------------------------------------------------------------------- */

static void whoever_comes_later_serves_the_same_bank(void **state)
{
    (void)state;
    for (int i = 0; i < MEMBERS; i++)
        member_join(&members[i]);
    for (int i = 0; i < MEMBERS; i++) {
        assert_int_equal(member_health(&members[i]), OUTCOME_OK);
        assert_int_equal(member_book(&members[i], 1, C, 100), OUTCOME_OK);
        for (int j = 0; j < MEMBERS; j++) {
            struct op op = member_statement(&members[j], 1);
            assert_int_equal(op.outcome, OUTCOME_OK);
            assert_int_equal(op.account.balance_cents, 100 * (i + 1));
            assert_int_equal(op.account.recent_count, i + 1);
        }
    }
    for (uint32_t who = 5; who <= 6; who++) {
        enum outcome there = who == 5 ? OUTCOME_OK : OUTCOME_NO_CLIENT;
        struct op is_there = {.kind = OP_CLIENT, .client = who};
        for (int twice = 0; twice < 2; twice++)
            assert_int_equal(member_asked(second, is_there).outcome, there);
        assert_int_equal(member_statement(second, who).outcome, there);
    }
    assert_int_equal(member_asked(second, open_op(6, 70, 7)).outcome, OUTCOME_OK);
    assert_int_equal(member_statement(third, 6).account.balance_cents, 7);
    assert_int_equal(member_asked(third, limit_op(6, 10)).outcome, OUTCOME_OK);
    assert_int_equal(member_statement(first, 6).account.limit_cents, 10);
}

static void a_limit_and_a_key_hold_wherever_they_are_asked(void **state)
{
    (void)state;
    member_join(first);
    member_join(second);
    assert_int_equal(member_book(first, 2, D, 50000), OUTCOME_OK);
    assert_int_equal(member_book(second, 2, D, 30001), OUTCOME_LIMIT_EXCEEDED);
    assert_int_equal(member_book(second, 2, D, 30000), OUTCOME_OK);
    assert_int_equal(member_book(first, 2, D, 1), OUTCOME_LIMIT_EXCEEDED);
    for (int i = 0; i < 4; i++) {
        struct member *one = i % 2 == 0 ? second : first;
        struct op op = member_asked(one, entry_op(1, C, 5, "one-of-a-kind"));
        assert_int_equal(op.outcome, OUTCOME_OK);
        assert_int_equal(op.replayed, i > 0);
        assert_int_equal(op.balance_cents, 5);
        assert_int_equal(member_asked(one, entry_op(1, C, 6, "one-of-a-kind")).outcome,
                         OUTCOME_KEY_REUSED);
    }
    member_leave(first);
    assert_true(member_asked(second, entry_op(1, C, 5, "one-of-a-kind")).replayed);
}

static void a_batch_larger_than_what_is_carried_at_once_is_answered_whole(void **state)
{
    (void)state;
    static struct op ops[MEMBER_PENDING];
    member_join(first);
    member_join(second);
    for (uint32_t i = 0; i < MEMBER_PENDING; i++)
        ops[i] = entry_op(i % 5 + 1, C, 1, NULL);
    member_ask_all(second, ops, MEMBER_PENDING);
    for (uint32_t i = 0; i < MEMBER_PENDING; i++)
        assert_int_equal(ops[i].outcome, OUTCOME_OK);
    for (uint32_t who = 1; who <= 5; who++)
        assert_int_equal(member_statement(first, who).account.balance_cents, MEMBER_PENDING / 5);
}

static void expect_asked_without_a_committer(void)
{
    static struct op ops[GUEST_OPS_MAX + 1];
    atomic_store(&committers, 0);
    for (int i = 1; i <= 10; i++) {
        assert_int_equal(member_book(second, 1, C, 1), OUTCOME_OK);
        assert_int_equal(member_statement(second, 1).account.balance_cents, i);
    }
    for (uint32_t i = 0; i <= GUEST_OPS_MAX; i++)
        ops[i] = entry_op(2, C, 1, NULL);
    member_ask_all(second, ops, GUEST_OPS_MAX);
    assert_int_equal(atomic_load(&committers), 0);
    member_ask_all(second, ops, GUEST_OPS_MAX + 1);
    assert_true(atomic_load(&committers) > 0);
}

static void what_a_guest_can_ask_at_once_needs_no_committer_of_its_own(void **state)
{
    (void)state;
    member_join(first);
    member_join(second);
    expect_asked_without_a_committer();
    member_leave(first);
    assert_int_equal(member_book(second, 1, C, 1), OUTCOME_OK); /* by itself, from now on */
    assert_int_equal(member_statement(second, 2).account.balance_cents, 2 * GUEST_OPS_MAX + 1);
}

static void nor_does_a_guest_that_is_durable(void **state)
{
    (void)state;
    assert_true(member_try_to_join(first, true));
    assert_true(member_try_to_join(second, true));
    expect_asked_without_a_committer();
}

static void a_bank_that_promises_otherwise_is_refused(void **state)
{
    (void)state;
    for (int durable = 0; durable <= 1; durable++) {
        assert_true(member_try_to_join(first, durable));
        unsigned before = open_files();
        assert_false(member_open(second, !durable, true)); /* at once */
        expect_open_files(before);
        if (!strstr(second->error, durable ? ": it is served with --durability full: "
                                           : ": it is served with --durability none: "))
            FAIL("%s", second->error);
        assert_true(member_try_to_join(third, durable));
        member_leave(third);
        member_leave(first);
    }
}

static void *leave_now(void *context)
{
    member_leave(context);
    return NULL;
}

static void *leave_soon(void *context)
{
    a_while(100);
    return leave_now(context);
}

/* Such as a command, which is durable whatever the bank is that starts just then. */
static void a_bank_waits_for_one_that_promises_otherwise_to_end(void **state)
{
    (void)state;
    pthread_t leaving;
    assert_true(member_try_to_join(first, true));
    assert_int_equal(pthread_create(&leaving, NULL, leave_soon, first), 0);
    bool joined = member_try_to_join(second, false);
    assert_int_equal(pthread_join(leaving, NULL), 0);
    if (!joined)
        FAIL("%s", second->error);
    assert_int_equal(member_book(second, 1, C, 1), OUTCOME_OK);
}

/* --- the owner ends ------------------------------------------------------------------------- */

struct asker {
    struct member *member;
    pthread_t thread;
    _Atomic bool enough;
    uint64_t booked, failed;
    enum outcome failure; /* the last one */
};

/* More than an owner is asked at once, and as much as can be. */
static void *book_all_the_time(void *context)
{
    enum { MANY = 200, FEW = 50 };
    struct asker *asker = context;
    static _Thread_local struct op ops[MANY];
    for (uint32_t turn = 0; !atomic_load(&asker->enough); turn++) {
        uint32_t at_once = turn % 2 == 0 ? MANY : FEW;
        for (uint32_t i = 0; i < at_once; i++)
            ops[i] = i % 10 == 9 ? (struct op){.kind = OP_STATEMENT, .client = 1}
                                 : entry_op(i % 5 + 1, C, 1, NULL);
        for (uint32_t i = 0; i < at_once; i++)
            ops[i].outcome = UNTOUCHED;
        member_ask_all(asker->member, ops, at_once);
        for (uint32_t i = 0; i < at_once; i++)
            if (ops[i].outcome != OUTCOME_OK) {
                asker->failed++;
                asker->failure = ops[i].outcome;
            } else if (ops[i].kind == OP_ENTRY) {
                asker->booked++;
            }
    }
    return NULL;
}

static void an_owner_that_ends_in_order_costs_the_others_nothing(void **state)
{
    (void)state;
    enum { ROUNDS = 12 };
    uint64_t booked = 0;
    struct audit audit;
    random_begin();
    for (int round = 0; round < ROUNDS; round++) {
        struct asker askers[] = {{.member = second}, {.member = third}};
        for (int i = 0; i < MEMBERS; i++)
            member_join(&members[i]);
        for (size_t i = 0; i < COUNT_OF(askers); i++)
            assert_int_equal(pthread_create(&askers[i].thread, NULL, book_all_the_time, &askers[i]),
                             0);
        a_while((int)random_between(0, 30));
        member_leave(first);
        a_while((int)random_between(0, 30));
        member_join(first); /* as somebody's guest */
        assert_int_equal(member_book(first, 1, C, 1), OUTCOME_OK);
        booked++;
        for (size_t i = 0; i < COUNT_OF(askers); i++) {
            atomic_store(&askers[i].enough, true);
            assert_int_equal(pthread_join(askers[i].thread, NULL), 0);
            booked += askers[i].booked;
        }
        for (int i = 0; i < MEMBERS; i++)
            member_leave(&members[i]);
        for (size_t i = 0; i < COUNT_OF(askers); i++)
            if (askers[i].failed > 0)
                FAIL("%llu failed, the last with %d", (unsigned long long)askers[i].failed,
                     (int)askers[i].failure);
        audit_folder(&audit, members_path);
        assert_int_equal(audit.entries, booked);
    }
}

static void who_takes_over_takes_on_who_is_left(void **state)
{
    (void)state;
    for (int i = 0; i < MEMBERS; i++)
        member_join(&members[i]);
    member_leave(first);
    assert_int_equal(member_book(second, 1, C, 1), OUTCOME_OK);
    assert_int_equal(member_book(third, 1, C, 1), OUTCOME_OK);
    member_join(first);
    member_leave(second);
    assert_int_equal(member_book(third, 1, C, 1), OUTCOME_OK);
    assert_int_equal(member_book(first, 1, C, 1), OUTCOME_OK);
    member_leave(third);
    assert_int_equal(member_book(first, 1, C, 1), OUTCOME_OK);
    assert_int_equal(member_statement(first, 1).account.balance_cents, 5);
    assert_int_equal(member_health(first), OUTCOME_OK);
}

static void a_change_of_owner_is_told(void **state)
{
    (void)state;
    member_join(first);
    capture_begin(STDERR_FILENO);
    bool joined = member_try_to_join(second, false);
    member_leave(first);
    enum outcome outcome = member_book(second, 1, C, 1); /* and so it is over */
    member_leave(second);
    const char *said = capture_end();
    assert_true(joined);
    assert_int_equal(outcome, OUTCOME_OK);
    assert_int_equal(count_of(said, "level="), 2);
    assert_int_equal(count_of(said, "level=info msg=\"another process owns the store, and serves "
                                    "this one\" store="),
                     1);
    assert_int_equal(count_of(said, "level=info msg=\"this process owns the store now\" store="),
                     1);
}

/* Too many others: who is silent makes room, and comes back when it has something to ask. */
static void who_has_made_room_at_the_owner_comes_back(void **state)
{
    (void)state;
    int others[OWNER_PEERS_MAX];
    char greeting[100];
    member_join(first);
    member_join(second);
    unsigned before = open_files();
    int folder = open(members_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct sockaddr_un address = owner_socket_address(folder);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < OWNER_PEERS_MAX; i++) {
            others[i] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
            assert_int_equal(connect(others[i], (struct sockaddr *)&address, sizeof address), 0);
        }
        assert_true(recv(others[0], greeting, sizeof greeting, 0) >= 0);
        assert_int_equal(member_book(second, 1, C, 1), OUTCOME_OK);
        for (int i = 0; i < OWNER_PEERS_MAX; i++)
            close(others[i]);
    }
    close(folder);
    assert_int_equal(member_statement(first, 1).account.balance_cents, 20);
    expect_open_files(before);
}

/* --- closing -------------------------------------------------------------------------------- */

/* Whoever closes has answers for all; nobody is left to look at them but us. */
static void a_store_closes_whatever_its_part(void **state)
{
    (void)state;
    enum part { GUEST, ASKING, SEEKING, ABSENT, OWNER, PARTS };
    for (int part = GUEST; part < PARTS; part++) {
        struct op ops[200];
        unsigned before = open_files();
        member_join(first);
        member_join(second);
        for (uint32_t i = 0; i < COUNT_OF(ops); i++) {
            ops[i] = i % 2 == 0 ? entry_op(1, C, 1, NULL)
                                : (struct op){.kind = OP_STATEMENT, .client = 1};
            ops[i].outcome = UNTOUCHED;
        }
        if (part == SEEKING || part == ABSENT) {
            assert_int_equal(rename(members_path, members_aside), 0);
            member_leave(first);
        } else if (part == OWNER) {
            member_leave(first);
            assert_int_equal(member_book(second, 1, C, 1), OUTCOME_OK);
        }
        if (part == ABSENT)
            assert_int_equal(member_book(second, 1, C, 1), OUTCOME_DOWN);
        if (part != GUEST)
            (void)member_submit(second, ops, COUNT_OF(ops));
        member_leave(second);
        for (uint32_t i = 0; part != GUEST && i < COUNT_OF(ops); i++) {
            assert_int_equal(ops[i].state, OP_IDLE);
            if (part == OWNER)
                assert_int_equal(ops[i].outcome, OUTCOME_OK);
            else if (part == ASKING)
                assert_true(ops[i].outcome == OUTCOME_OK || ops[i].outcome == OUTCOME_DOWN ||
                            (ops[i].outcome == OUTCOME_UNKNOWN && op_writes(&ops[i])));
            else
                assert_int_equal(ops[i].outcome, OUTCOME_DOWN);
        }
        if (part == SEEKING || part == ABSENT)
            assert_int_equal(rename(members_aside, members_path), 0);
        if (first->store) {
            assert_int_equal(member_book(first, 1, C, 1),
                             OUTCOME_OK); /* the owner noticed nothing */
            member_leave(first);
        }
        expect_open_files(before);
        struct audit audit;
        audit_folder(&audit, members_path);
    }
}

static void a_store_closes_while_its_owner_changes(void **state)
{
    (void)state;
    enum { ROUNDS = 40 };
    random_begin();
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t leaving;
        for (int i = 0; i < MEMBERS; i++)
            member_join(&members[i]);
        assert_int_equal(pthread_create(&leaving, NULL, leave_now, first), 0);
        usleep((useconds_t)random_between(0, 6000));
        member_leave(second);
        assert_int_equal(pthread_join(leaving, NULL), 0);
        assert_int_equal(member_book(third, 1, C, 1), OUTCOME_OK);
        assert_int_equal(member_statement(third, 1).account.balance_cents, round + 1);
        member_leave(third);
    }
}

/* --- want ----------------------------------------------------------------------------------- */

static void whatever_memory_is_missing_one_joins_or_is_told(void **state)
{
    (void)state;
    member_join(first);
    for (unsigned calls = 0;; calls++) {
        unsigned before = open_files();
        fail_one("calloc", calls, 0);
        bool joined = member_try_to_join(second, false);
        bool failed = fail_none();
        if (joined) {
            member_leave(second);
            assert_false(failed);
            expect_open_files(before);
            assert_in_range(calls, 4, 9); /* store, backend, owner, guest */
            return;
        }
        assert_string_equal(second->error, "out of memory");
        expect_open_files(before);
    }
}

static void without_a_thread_to_listen_everything_is_refused(void **state)
{
    (void)state;
    member_join(first);
    unsigned before = open_files();
    capture_begin(STDERR_FILENO);
    fail_one("pthread_create", 1, EAGAIN); /* the committer has one */
    bool joined = member_try_to_join(second, false), failed = fail_none();
    const char *said = capture_end();
    assert_true(joined);
    assert_true(failed);
    assert_int_equal(count_of(said,
                              "level=error msg=\"cannot start a thread: everything is refused "
                              "until a restart\""),
                     1);
    assert_int_equal(member_book(second, 1, C, 1), OUTCOME_DOWN);
    assert_int_equal(member_statement(second, 1).outcome, OUTCOME_DOWN);
    assert_int_equal(member_health(second), OUTCOME_DOWN);
    member_leave(second);
    expect_open_files(before);
    assert_int_equal(member_statement(first, 1).account.balance_cents, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, members_setup, members_teardown)
    const struct CMUnitTest tests[] = {
        TEST(whoever_comes_later_serves_the_same_bank),
        TEST(a_limit_and_a_key_hold_wherever_they_are_asked),
        TEST(a_batch_larger_than_what_is_carried_at_once_is_answered_whole),
        TEST(what_a_guest_can_ask_at_once_needs_no_committer_of_its_own),
        TEST(nor_does_a_guest_that_is_durable),
        TEST(a_bank_that_promises_otherwise_is_refused),
        TEST(a_bank_waits_for_one_that_promises_otherwise_to_end),
        TEST(an_owner_that_ends_in_order_costs_the_others_nothing),
        TEST(who_takes_over_takes_on_who_is_left),
        TEST(a_change_of_owner_is_told),
        TEST(who_has_made_room_at_the_owner_comes_back),
        TEST(a_store_closes_whatever_its_part),
        TEST(a_store_closes_while_its_owner_changes),
        TEST(whatever_memory_is_missing_one_joins_or_is_told),
        TEST(without_a_thread_to_listen_everything_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
