/* SPDX-License-Identifier: MIT
 *
 * test_lmdb_sharing.c - several stores on one folder, through store.h. (They are in one process here,
 * which neither the folder's lock nor its socket can tell.)
 */
#define _GNU_SOURCE
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "failing_calls.h"
#include "ledger_audit.h"
#include "store/lmdb/owner_socket.h"
#include "store/store.h"

#define C ENTRY_CREDIT
#define D ENTRY_DEBIT

enum { MEMBERS = 3, PENDING = 300, PATIENCE_S = 30 };

#define UNTOUCHED ((enum outcome)77)

/* A bank on the folder, and who asks it. */
struct member {
    struct store *store;
    sem_t wakes;
    char error[600];
};

static struct member members[MEMBERS];
static struct member *const first = &members[0], *const second = &members[1],
                            *const third = &members[2];
static char path[FOLDER_BYTES_MAX], aside[FOLDER_BYTES_MAX + 10], url[FOLDER_BYTES_MAX + 10];

/* --- members -------------------------------------------------------------------------------- */

static void wake(void *context)
{
    struct member *member = context;
    sem_post(&member->wakes);
}

static bool open_store(struct member *member, bool durable, bool must_exist)
{
    const struct store_options options = {
        .must_exist = must_exist,
        .durable = durable,
        .serves = true,
        .map_bytes = UINT64_C(1) << 26,
        .pending_max = PENDING,
        .key_retention_us = INT64_C(86400000000),
        .wake = wake,
        .wake_context = member,
    };
    return store_open(&member->store, url, &options, member->error, sizeof member->error);
}

static bool try_to_join(struct member *member, bool durable)
{
    return open_store(member, durable, false);
}

static void join(struct member *member)
{
    if (!try_to_join(member, false))
        FAIL("%s", member->error);
}

static void leave(struct member *member)
{
    store_close(member->store);
    member->store = NULL;
    while (sem_trywait(&member->wakes) == 0)
        continue;
}

static uint32_t take(struct member *member)
{
    struct timespec until;
    uint32_t count = 0;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    if (sem_timedwait(&member->wakes, &until) != 0)
        FAIL("no answer for %d s", PATIENCE_S);
    for (struct op *op = store_take_answered(member->store); op; op = op->next)
        count++;
    return count;
}

/* How many are on their way. */
static uint32_t submit(struct member *member, struct op *ops, uint32_t count)
{
    uint32_t out = 0;
    for (uint32_t i = 0; i < count; i++)
        out += !store_submit(member->store, &ops[i]);
    store_hand_over(member->store);
    return out;
}

static void ask_all(struct member *member, struct op *ops, uint32_t count)
{
    uint32_t out = submit(member, ops, count);
    while (out > 0)
        out -= take(member);
}

static struct op asked(struct member *member, struct op op)
{
    op.outcome = UNTOUCHED;
    ask_all(member, &op, 1);
    return op;
}

static enum outcome book(struct member *member, uint32_t who, enum entry_kind kind, int64_t cents)
{
    return asked(member, entry_op(who, kind, cents, NULL)).outcome;
}

static struct op statement(struct member *member, uint32_t who)
{
    return asked(member, (struct op){.kind = OP_STATEMENT, .client = who});
}

static enum outcome health(struct member *member)
{
    return asked(member, (struct op){.kind = OP_HEALTH}).outcome;
}

static int setup(void **state)
{
    (void)state;
    temporary_make(path);
    snprintf(aside, sizeof aside, "%s-aside", path);
    snprintf(url, sizeof url, "lmdb:%s", path);
    for (int i = 0; i < MEMBERS; i++) {
        members[i].store = NULL;
        sem_init(&members[i].wakes, 0, 0);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = MEMBERS - 1; i >= 0; i--) {
        if (members[i].store)
            leave(&members[i]);
        sem_destroy(&members[i].wakes);
    }
    temporary_remove(path);
    return 0;
}

static void a_while(int ms)
{
    const struct timespec pause = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&pause, NULL);
}

static unsigned count_of(const char *text, const char *part)
{
    unsigned count = 0;
    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
        count++;
    return count;
}

static unsigned open_files(void)
{
    unsigned count = 0;
    DIR *listing = opendir("/proc/self/fd");
    assert_non_null(listing);
    while (readdir(listing))
        count++;
    closedir(listing);
    return count;
}

/* The owner is here as well, and soon closes what a peer has closed. */
static void expect_open_files(unsigned count)
{
    for (int i = 0; i < 1000 && open_files() != count; i++)
        a_while(10);
    assert_int_equal(open_files(), count);
}

/* --- together ------------------------------------------------------------------------------- */

static void whoever_comes_later_serves_the_same_bank(void **state)
{
    (void)state;
    for (int i = 0; i < MEMBERS; i++)
        join(&members[i]);
    for (int i = 0; i < MEMBERS; i++) {
        assert_int_equal(health(&members[i]), OUTCOME_OK);
        assert_int_equal(book(&members[i], 1, C, 100), OUTCOME_OK);
        for (int j = 0; j < MEMBERS; j++) {
            struct op op = statement(&members[j], 1);
            assert_int_equal(op.outcome, OUTCOME_OK);
            assert_int_equal(op.account.balance_cents, 100 * (i + 1));
            assert_int_equal(op.account.recent_count, i + 1);
        }
    }
    assert_int_equal(statement(second, 6).outcome, OUTCOME_NO_CLIENT);
    assert_int_equal(asked(second, open_op(6, 70, 7)).outcome, OUTCOME_OK);
    assert_int_equal(statement(third, 6).account.balance_cents, 7);
    assert_int_equal(asked(third, limit_op(6, 10)).outcome, OUTCOME_OK);
    assert_int_equal(statement(first, 6).account.limit_cents, 10);
}

static void a_limit_and_a_key_hold_wherever_they_are_asked(void **state)
{
    (void)state;
    join(first);
    join(second);
    assert_int_equal(book(first, 2, D, 50000), OUTCOME_OK);
    assert_int_equal(book(second, 2, D, 30001), OUTCOME_LIMIT_EXCEEDED);
    assert_int_equal(book(second, 2, D, 30000), OUTCOME_OK);
    assert_int_equal(book(first, 2, D, 1), OUTCOME_LIMIT_EXCEEDED);
    for (int i = 0; i < 4; i++) {
        struct member *one = i % 2 == 0 ? second : first;
        struct op op = asked(one, entry_op(1, C, 5, "one-of-a-kind"));
        assert_int_equal(op.outcome, OUTCOME_OK);
        assert_int_equal(op.replayed, i > 0);
        assert_int_equal(op.balance_cents, 5);
        assert_int_equal(asked(one, entry_op(1, C, 6, "one-of-a-kind")).outcome,
                         OUTCOME_KEY_REUSED);
    }
    leave(first);
    assert_true(asked(second, entry_op(1, C, 5, "one-of-a-kind")).replayed);
}

static void a_batch_larger_than_what_is_carried_at_once_is_answered_whole(void **state)
{
    (void)state;
    static struct op ops[PENDING];
    join(first);
    join(second);
    for (uint32_t i = 0; i < PENDING; i++)
        ops[i] = entry_op(i % 5 + 1, C, 1, NULL);
    ask_all(second, ops, PENDING);
    for (uint32_t i = 0; i < PENDING; i++)
        assert_int_equal(ops[i].outcome, OUTCOME_OK);
    for (uint32_t who = 1; who <= 5; who++)
        assert_int_equal(statement(first, who).account.balance_cents, PENDING / 5);
}

static void a_bank_that_promises_otherwise_is_refused(void **state)
{
    (void)state;
    for (int durable = 0; durable <= 1; durable++) {
        assert_true(try_to_join(first, durable));
        unsigned before = open_files();
        assert_false(open_store(second, !durable, true)); /* at once */
        expect_open_files(before);
        if (!strstr(second->error, durable ? ": it is served with --durability full: "
                                           : ": it is served with --durability none: "))
            FAIL("%s", second->error);
        assert_true(try_to_join(third, durable));
        leave(third);
        leave(first);
    }
}

static void *leave_soon(void *context)
{
    a_while(100);
    leave(context);
    return NULL;
}

/* Such as a command, which is durable whatever the bank is that starts just then. */
static void a_bank_waits_for_one_that_promises_otherwise_to_end(void **state)
{
    (void)state;
    pthread_t leaving;
    assert_true(try_to_join(first, true));
    assert_int_equal(pthread_create(&leaving, NULL, leave_soon, first), 0);
    bool joined = try_to_join(second, false);
    assert_int_equal(pthread_join(leaving, NULL), 0);
    if (!joined)
        FAIL("%s", second->error);
    assert_int_equal(book(second, 1, C, 1), OUTCOME_OK);
}

/* --- the owner ends ------------------------------------------------------------------------- */

struct asker {
    struct member *member;
    pthread_t thread;
    _Atomic bool enough;
    uint64_t booked, failed;
    enum outcome failure; /* the last one */
};

static void *book_all_the_time(void *context)
{
    enum { AT_ONCE = 200 };
    struct asker *asker = context;
    static _Thread_local struct op ops[AT_ONCE];
    while (!atomic_load(&asker->enough)) {
        for (uint32_t i = 0; i < AT_ONCE; i++)
            ops[i] = i % 10 == 9 ? (struct op){.kind = OP_STATEMENT, .client = 1}
                                 : entry_op(i % 5 + 1, C, 1, NULL);
        for (uint32_t i = 0; i < AT_ONCE; i++)
            ops[i].outcome = UNTOUCHED;
        ask_all(asker->member, ops, AT_ONCE);
        for (uint32_t i = 0; i < AT_ONCE; i++)
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
            join(&members[i]);
        for (size_t i = 0; i < COUNT_OF(askers); i++)
            assert_int_equal(pthread_create(&askers[i].thread, NULL, book_all_the_time, &askers[i]),
                             0);
        a_while((int)random_between(0, 30));
        leave(first);
        a_while((int)random_between(0, 30));
        join(first); /* as somebody's guest */
        assert_int_equal(book(first, 1, C, 1), OUTCOME_OK);
        booked++;
        for (size_t i = 0; i < COUNT_OF(askers); i++) {
            atomic_store(&askers[i].enough, true);
            assert_int_equal(pthread_join(askers[i].thread, NULL), 0);
            booked += askers[i].booked;
        }
        for (int i = 0; i < MEMBERS; i++)
            leave(&members[i]);
        for (size_t i = 0; i < COUNT_OF(askers); i++)
            if (askers[i].failed > 0)
                FAIL("%llu failed, the last with %d", (unsigned long long)askers[i].failed,
                     (int)askers[i].failure);
        audit_folder(&audit, path);
        assert_int_equal(audit.entries, booked);
    }
}

static void who_takes_over_takes_on_who_is_left(void **state)
{
    (void)state;
    for (int i = 0; i < MEMBERS; i++)
        join(&members[i]);
    leave(first);
    assert_int_equal(book(second, 1, C, 1), OUTCOME_OK);
    assert_int_equal(book(third, 1, C, 1), OUTCOME_OK);
    join(first);
    leave(second);
    assert_int_equal(book(third, 1, C, 1), OUTCOME_OK);
    assert_int_equal(book(first, 1, C, 1), OUTCOME_OK);
    leave(third);
    assert_int_equal(book(first, 1, C, 1), OUTCOME_OK);
    assert_int_equal(statement(first, 1).account.balance_cents, 5);
    assert_int_equal(health(first), OUTCOME_OK);
}

static void a_change_of_owner_is_told(void **state)
{
    (void)state;
    join(first);
    capture_begin(STDERR_FILENO);
    bool joined = try_to_join(second, false);
    leave(first);
    enum outcome outcome = book(second, 1, C, 1); /* and so it is over */
    leave(second);
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
    join(first);
    join(second);
    unsigned before = open_files();
    int folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct sockaddr_un address = owner_socket_address(folder);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < OWNER_PEERS_MAX; i++) {
            others[i] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
            assert_int_equal(connect(others[i], (struct sockaddr *)&address, sizeof address), 0);
        }
        assert_true(recv(others[0], greeting, sizeof greeting, 0) >= 0);
        assert_int_equal(book(second, 1, C, 1), OUTCOME_OK);
        for (int i = 0; i < OWNER_PEERS_MAX; i++)
            close(others[i]);
    }
    close(folder);
    assert_int_equal(statement(first, 1).account.balance_cents, 20);
    expect_open_files(before);
}

/* --- nobody owns it ------------------------------------------------------------------------- */

/* Its own copy, of somebody else's bank. */
static void put_another_in_its_place(void)
{
    char from[FOLDER_BYTES_MAX + 30], to[FOLDER_BYTES_MAX + 30];
    static char bytes[1 << 16];
    ssize_t size;
    snprintf(from, sizeof from, "%s/" FOLDER_DATA, aside);
    snprintf(to, sizeof to, "%s/" FOLDER_DATA, path);
    assert_int_equal(mkdir(path, 0700), 0);
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(in >= 0 && out >= 0);
    while ((size = read(in, bytes, sizeof bytes)) > 0)
        assert_int_equal(write(out, bytes, (size_t)size), size);
    close(in);
    close(out);
}

static unsigned names_in_place(void)
{
    unsigned count = 0;
    DIR *listing = opendir(path);
    assert_non_null(listing);
    while (readdir(listing))
        count++;
    closedir(listing);
    return count - 2; /* . and .. */
}

static void without_an_owner_ops_wait_and_are_then_refused_until_there_is_one(void **state)
{
    (void)state;
    join(first);
    join(second);
    assert_int_equal(book(second, 1, C, 1), OUTCOME_OK);
    struct op ops[] = {
        entry_op(1, C, 1, NULL),
        {.kind = OP_STATEMENT, .client = 1},
        {.kind = OP_HEALTH},
        {.kind = OP_STATEMENT, .client = 2},
    };
    capture_begin(STDERR_FILENO);
    bool moved = rename(path, aside) == 0;
    leave(first);
    ask_all(second, ops, COUNT_OF(ops));
    a_while(300); /* it goes on looking, and says no more */
    struct op known = {.kind = OP_CLIENT, .client = 1};
    bool at_once = store_submit(second->store, &known);
    enum outcome later = book(second, 1, C, 1), unhealthy = health(second),
                 unread = statement(second, 1).outcome;
    moved = moved && rename(aside, path) == 0;
    while (health(second) != OUTCOME_OK)
        a_while(10);
    enum outcome in_the_end = book(second, 1, C, 1);
    leave(second);
    const char *said = capture_end();
    assert_true(moved);
    for (size_t i = 0; i < COUNT_OF(ops); i++)
        assert_int_equal(ops[i].outcome, OUTCOME_DOWN);
    assert_true(at_once);
    assert_int_equal(known.outcome, OUTCOME_OK);
    assert_int_equal(later, OUTCOME_DOWN);
    assert_int_equal(unhealthy, OUTCOME_DOWN);
    assert_int_equal(unread, OUTCOME_DOWN);
    assert_int_equal(count_of(said,
                              "level=error msg=\"nobody owns the store: everything is refused "
                              "until somebody does\" store="),
                     1);
    assert_int_equal(count_of(said, "no store there"), 1);
    assert_int_equal(count_of(said, "this process owns the store now"), 1);
    assert_int_equal(in_the_end, OUTCOME_OK);
    join(first);
    assert_int_equal(statement(first, 1).account.balance_cents, 2);
}

static void what_waited_for_an_owner_is_booked_by_the_one_that_comes(void **state)
{
    (void)state;
    struct op ops[] = {
        entry_op(1, C, 5, NULL),
        {.kind = OP_STATEMENT, .client = 1},
        entry_op(1, C, 1, NULL),
        {.kind = OP_HEALTH},
    };
    join(first);
    join(second);
    assert_int_equal(rename(path, aside), 0);
    leave(first);
    uint32_t out = submit(second, ops, COUNT_OF(ops));
    a_while(50);
    assert_int_equal(rename(aside, path), 0);
    while (out > 0)
        out -= take(second);
    for (size_t i = 0; i < COUNT_OF(ops); i++)
        assert_int_equal(ops[i].outcome, OUTCOME_OK);
    assert_int_equal(statement(second, 1).account.balance_cents, 6);
}

static void another_folder_in_its_place_is_neither_joined_nor_touched(void **state)
{
    (void)state;
    char name[FOLDER_BYTES_MAX + 30];
    join(first);
    join(second);
    assert_int_equal(rename(path, aside), 0);
    put_another_in_its_place();
    leave(first);
    assert_int_equal(book(second, 1, C, 1), OUTCOME_DOWN);
    a_while(300);
    assert_int_equal(names_in_place(), 1); /* nobody has even tried its lock */
    join(third);
    assert_int_equal(book(third, 1, C, 7), OUTCOME_OK);
    a_while(300);
    assert_int_equal(book(second, 1, C, 1), OUTCOME_DOWN);
    assert_int_equal(statement(third, 1).account.balance_cents, 7);
    leave(third);
    a_while(300);
    assert_int_equal(book(second, 1, C, 1), OUTCOME_DOWN);
    static const char *const names[] = {FOLDER_DATA, FOLDER_LOCK, FOLDER_OWNER};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(name, sizeof name, "%s/%s", path, names[i]);
        assert_int_equal(unlink(name), 0);
    }
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rename(aside, path), 0);
    while (health(second) != OUTCOME_OK)
        a_while(10);
    assert_int_equal(statement(second, 1).account.balance_cents, 0);
}

/* --- closing -------------------------------------------------------------------------------- */

static void one_that_was_refused_can_be_joined_again_after_an_absence(void **state)
{
    (void)state;
    for (int i = 0; i < MEMBERS; i++)
        join(&members[i]);
    assert_int_equal(rename(path, aside), 0);
    leave(first);
    assert_int_equal(book(second, 1, C, 1), OUTCOME_DOWN);
    assert_int_equal(book(third, 1, C, 1), OUTCOME_DOWN);
    assert_int_equal(rename(aside, path), 0);
    while (health(second) != OUTCOME_OK || health(third) != OUTCOME_OK)
        a_while(10);
    assert_int_equal(book(second, 1, C, 1), OUTCOME_OK);
    assert_int_equal(statement(third, 1).account.balance_cents, 1);
}

/* Whoever closes has answers for all; nobody is left to look at them but us. */
static void a_store_closes_whatever_its_part(void **state)
{
    (void)state;
    enum part { GUEST, ASKING, SEEKING, ABSENT, OWNER, PARTS };
    for (int part = GUEST; part < PARTS; part++) {
        struct op ops[200];
        unsigned before = open_files();
        join(first);
        join(second);
        for (uint32_t i = 0; i < COUNT_OF(ops); i++) {
            ops[i] = i % 2 == 0 ? entry_op(1, C, 1, NULL)
                                : (struct op){.kind = OP_STATEMENT, .client = 1};
            ops[i].outcome = UNTOUCHED;
        }
        if (part == SEEKING || part == ABSENT) {
            assert_int_equal(rename(path, aside), 0);
            leave(first);
        } else if (part == OWNER) {
            leave(first);
            assert_int_equal(book(second, 1, C, 1), OUTCOME_OK);
        }
        if (part == ABSENT)
            assert_int_equal(book(second, 1, C, 1), OUTCOME_DOWN);
        if (part != GUEST)
            (void)submit(second, ops, COUNT_OF(ops));
        leave(second);
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
            assert_int_equal(rename(aside, path), 0);
        if (first->store) {
            assert_int_equal(book(first, 1, C, 1), OUTCOME_OK); /* the owner noticed nothing */
            leave(first);
        }
        expect_open_files(before);
        struct audit audit;
        audit_folder(&audit, path);
    }
}

/* --- want ----------------------------------------------------------------------------------- */

static void whatever_memory_is_missing_one_joins_or_is_told(void **state)
{
    (void)state;
    join(first);
    for (unsigned calls = 0;; calls++) {
        unsigned before = open_files();
        fail_one("calloc", calls, 0);
        bool joined = try_to_join(second, false);
        bool failed = fail_none();
        if (joined) {
            leave(second);
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
    join(first);
    unsigned before = open_files();
    capture_begin(STDERR_FILENO);
    fail_one("pthread_create", 1, EAGAIN); /* the committer has one */
    bool joined = try_to_join(second, false), failed = fail_none();
    const char *said = capture_end();
    assert_true(joined);
    assert_true(failed);
    assert_int_equal(count_of(said,
                              "level=error msg=\"cannot start a thread: everything is refused "
                              "until a restart\""),
                     1);
    assert_int_equal(book(second, 1, C, 1), OUTCOME_DOWN);
    assert_int_equal(statement(second, 1).outcome, OUTCOME_DOWN);
    assert_int_equal(health(second), OUTCOME_DOWN);
    leave(second);
    expect_open_files(before);
    assert_int_equal(statement(first, 1).account.balance_cents, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(whoever_comes_later_serves_the_same_bank),
        TEST(a_limit_and_a_key_hold_wherever_they_are_asked),
        TEST(a_batch_larger_than_what_is_carried_at_once_is_answered_whole),
        TEST(a_bank_that_promises_otherwise_is_refused),
        TEST(a_bank_waits_for_one_that_promises_otherwise_to_end),
        TEST(an_owner_that_ends_in_order_costs_the_others_nothing),
        TEST(who_takes_over_takes_on_who_is_left),
        TEST(a_change_of_owner_is_told),
        TEST(who_has_made_room_at_the_owner_comes_back),
        TEST(without_an_owner_ops_wait_and_are_then_refused_until_there_is_one),
        TEST(what_waited_for_an_owner_is_booked_by_the_one_that_comes),
        TEST(another_folder_in_its_place_is_neither_joined_nor_touched),
        TEST(one_that_was_refused_can_be_joined_again_after_an_absence),
        TEST(a_store_closes_whatever_its_part),
        TEST(whatever_memory_is_missing_one_joins_or_is_told),
        TEST(without_a_thread_to_listen_everything_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
