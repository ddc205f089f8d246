/* SPDX-License-Identifier: MIT
 *
 * test_lmdb_takeover.c - several stores on one folder, whose owner dies, or leaves nobody in its place.
 */
#define _GNU_SOURCE
#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "members.h"
#include "store/lmdb/folder.h"
#include "store/lmdb/op_wire.h"
#include "store/lmdb/owner_socket.h"
#include "store/lmdb/serving.h"

#define C ENTRY_CREDIT

/* What the clock is ahead. (The linker makes __wrap_X and __real_X of a wrapped call X.)
 * NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
static _Atomic int64_t ahead_ms;
__typeof__(serving_clock_ms) __real_serving_clock_ms, __wrap_serving_clock_ms;
int64_t __wrap_serving_clock_ms(void)
{
    return __real_serving_clock_ms() + atomic_load(&ahead_ms);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

/* --- an owner that dies, played here -------------------------------------------------------- */

static struct {
    struct folder folder;
    int listener, fd;
    pthread_t thread;
} played;

static void *greet_one(void *context)
{
    uint8_t greeting[OP_GREETING_BYTES];
    op_greeting_encode(greeting, false);
    played.fd = accept(played.listener, NULL, NULL);
    (void)!send(played.fd, greeting, sizeof greeting, MSG_NOSIGNAL);
    return context;
}

static void played_listen(void *(*greet)(void *context))
{
    char error[300];
    member_join(first);
    member_leave(first); /* there is a store now */
    assert_true(folder_take(&played.folder, members_path, error, sizeof error));
    struct sockaddr_un address = owner_socket_address(played.folder.fd);
    played.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(played.listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(played.listener, 1), 0);
    assert_int_equal(pthread_create(&played.thread, NULL, greet, NULL), 0);
}

static void played_begin(void)
{
    played_listen(greet_one);
    member_join(second);
    assert_int_equal(pthread_join(played.thread, NULL), 0);
}

static void played_hears(uint32_t count)
{
    uint8_t packet[OP_PACKET_BYTES_MAX];
    while (count > 0) {
        ssize_t size = recv(played.fd, packet, sizeof packet, 0);
        assert_true(size > 0);
        for (size_t at = 0, used; at < (size_t)size; at += used, count--) {
            struct op op;
            uint32_t number;
            used = op_question_decode(&op, &number, packet + at, (size_t)size - at);
            assert_true(used > 0);
        }
    }
}

static void played_dies(void)
{
    close(played.listener);
    folder_release(&played.folder);
    close(played.fd);
}

enum { LOST = 4 };

/* Two that write, two that read. */
static void lose(struct op ops[LOST])
{
    const struct op asked[LOST] = {
        entry_op(1, C, 5, NULL),
        {.kind = OP_STATEMENT, .client = 1},
        limit_op(1, 7),
        {.kind = OP_HEALTH},
    };
    memcpy(ops, asked, sizeof asked);
    for (int i = 0; i < LOST; i++)
        ops[i].outcome = UNTOUCHED;
    played_begin();
    assert_int_equal(member_submit(second, ops, LOST), LOST);
    played_hears(LOST);
}

static void expect_lost(const struct op ops[LOST], enum outcome reading)
{
    assert_int_equal(ops[0].outcome, OUTCOME_UNKNOWN);
    assert_int_equal(ops[1].outcome, reading);
    assert_int_equal(ops[2].outcome, OUTCOME_UNKNOWN);
    assert_int_equal(ops[3].outcome, reading);
}

static void who_takes_over_answers_what_was_only_to_be_read(void **state)
{
    (void)state;
    struct op ops[LOST];
    lose(ops);
    played_dies();
    member_take_all(second, LOST);
    expect_lost(ops, OUTCOME_OK);
    assert_int_equal(ops[1].account.limit_cents, 100000);
    assert_int_equal(member_statement(second, 1).account.balance_cents, 0);
}

static void what_was_only_to_be_read_is_asked_of_the_next_owner(void **state)
{
    (void)state;
    struct op ops[LOST];
    lose(ops);
    int dead = played.fd;
    assert_int_equal(pthread_create(&played.thread, NULL, greet_one, NULL), 0);
    close(dead);
    assert_int_equal(pthread_join(played.thread, NULL), 0); /* it has come back */
    played_hears(2);
    member_take_all(second, 2);
    assert_int_equal(ops[0].outcome, OUTCOME_UNKNOWN);
    assert_int_equal(ops[2].outcome, OUTCOME_UNKNOWN);
    played_dies();
    member_take_all(second, 2);
    expect_lost(ops, OUTCOME_OK);
}

static void what_was_only_to_be_read_is_refused_when_there_is_no_owner(void **state)
{
    (void)state;
    struct op ops[LOST];
    lose(ops);
    assert_int_equal(rename(members_path, members_aside), 0);
    played_dies();
    member_take_all(second, LOST);
    expect_lost(ops, OUTCOME_DOWN);
    assert_int_equal(rename(members_aside, members_path), 0);
}

static void what_was_only_to_be_read_is_refused_at_the_end(void **state)
{
    (void)state;
    struct op ops[LOST];
    lose(ops);
    member_leave(second);
    expect_lost(ops, OUTCOME_DOWN);
    played_dies();
}

static void who_takes_over_a_full_disk_is_not_sure_of_its_health(void **state)
{
    (void)state;
    struct op ops[LOST];
    struct rlimit before, little = {.rlim_cur = 1 << 17};
    lose(ops);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    little.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    played_dies();
    member_take_all(second, LOST);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(ops[1].outcome, OUTCOME_OK);
    assert_int_equal(ops[3].outcome, OUTCOME_NO_SPACE);
}

static void with_an_owner_that_is_silent_too_long_a_guest_is_not_well(void **state)
{
    (void)state;
    struct op entry = entry_op(1, C, 1, NULL), health = {.kind = OP_HEALTH};
    played_begin();
    assert_int_equal(member_submit(second, &entry, 1), 1);
    played_hears(1);
    atomic_store(&ahead_ms, ANSWER_TIMEOUT_MS + 1000);
    bool at_once = store_submit(second->submitter, &health);
    atomic_store(&ahead_ms, 0);
    assert_true(at_once);
    assert_int_equal(health.outcome, OUTCOME_DOWN);
    played_dies();
    member_take_all(second, 1);
    assert_int_equal(entry.outcome, OUTCOME_UNKNOWN);
    assert_int_equal(member_health(second), OUTCOME_OK);
}

static void *greet_as_another_version(void *context)
{
    uint8_t greeting[OP_GREETING_BYTES];
    op_greeting_encode(greeting, false);
    greeting[OP_GREETING_BYTES - 2]++;
    played.fd = accept(played.listener, NULL, NULL);
    (void)!send(played.fd, greeting, sizeof greeting, MSG_NOSIGNAL);
    return context;
}

static void an_owner_of_another_version_is_not_joined(void **state)
{
    (void)state;
    played_listen(greet_as_another_version);
    assert_false(member_try_to_join(second, false));
    assert_int_equal(pthread_join(played.thread, NULL), 0);
    assert_non_null(strstr(second->error, "another version of crebito"));
    played_dies();
}

static void *swap_and_greet(void *context)
{
    uint8_t greeting[OP_GREETING_BYTES];
    op_greeting_encode(greeting, false);
    played.fd = accept(played.listener, NULL, NULL);
    if (rename(members_path, members_aside) == 0 && mkdir(members_path, 0700) == 0)
        (void)!send(played.fd, greeting, sizeof greeting, MSG_NOSIGNAL);
    return context;
}

static void who_is_greeted_in_another_folder_does_not_stay(void **state)
{
    (void)state;
    char byte;
    played_begin();
    int dead = played.fd;
    assert_int_equal(pthread_create(&played.thread, NULL, swap_and_greet, NULL), 0);
    close(dead);
    assert_int_equal(pthread_join(played.thread, NULL), 0);
    assert_int_equal(recv(played.fd, &byte, 1, 0), 0);
    assert_int_equal(member_book(second, 1, C, 1), OUTCOME_DOWN);
    played_dies();
}

static void *greet_late(void *context)
{
    const int fd = accept(played.listener, NULL, NULL);
    uint8_t greeting[OP_GREETING_BYTES];
    op_greeting_encode(greeting, false);
    a_while(100); /* by then it closes */
    played.fd = fd;
    (void)!send(fd, greeting, sizeof greeting, MSG_NOSIGNAL);
    return context;
}

static void a_store_closes_while_it_waits_to_be_greeted(void **state)
{
    (void)state;
    played_begin();
    int dead = played.fd;
    assert_int_equal(pthread_create(&played.thread, NULL, greet_late, NULL), 0);
    close(dead);
    a_while(50);
    member_leave(second);
    assert_int_equal(pthread_join(played.thread, NULL), 0);
    played_dies();
}

/* --- nobody owns it ------------------------------------------------------------------------- */

/* Its own copy, of somebody else's bank. */
static void put_another_in_its_place(void)
{
    char from[FOLDER_BYTES_MAX + 30], to[FOLDER_BYTES_MAX + 30];
    static char bytes[1 << 16];
    ssize_t size;
    snprintf(from, sizeof from, "%s/" FOLDER_DATA, members_aside);
    snprintf(to, sizeof to, "%s/" FOLDER_DATA, members_path);
    assert_int_equal(mkdir(members_path, 0700), 0);
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
    DIR *listing = opendir(members_path);
    assert_non_null(listing);
    while (readdir(listing))
        count++;
    closedir(listing);
    return count - 2; /* . and .. */
}

static void without_an_owner_ops_wait_and_are_then_refused_until_there_is_one(void **state)
{
    (void)state;
    member_join(first);
    member_join(second);
    assert_int_equal(member_book(second, 1, C, 1), OUTCOME_OK);
    struct op ops[] = {
        entry_op(1, C, 1, NULL),
        {.kind = OP_STATEMENT, .client = 1},
        {.kind = OP_HEALTH},
        {.kind = OP_STATEMENT, .client = 2},
    };
    capture_begin(STDERR_FILENO);
    bool moved = rename(members_path, members_aside) == 0;
    member_leave(first);
    member_ask_all(second, ops, COUNT_OF(ops));
    a_while(300); /* it goes on looking, and says no more */
    struct op known = {.kind = OP_CLIENT, .client = 1};
    bool at_once = store_submit(second->submitter, &known);
    enum outcome later = member_book(second, 1, C, 1), unhealthy = member_health(second),
                 unread = member_statement(second, 1).outcome;
    moved = moved && rename(members_aside, members_path) == 0;
    while (member_health(second) != OUTCOME_OK)
        a_while(10);
    enum outcome in_the_end = member_book(second, 1, C, 1);
    member_leave(second);
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
    member_join(first);
    assert_int_equal(member_statement(first, 1).account.balance_cents, 2);
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
    member_join(first);
    member_join(second);
    assert_int_equal(rename(members_path, members_aside), 0);
    member_leave(first);
    uint32_t out = member_submit(second, ops, COUNT_OF(ops));
    a_while(50);
    assert_int_equal(rename(members_aside, members_path), 0);
    member_take_all(second, out);
    for (size_t i = 0; i < COUNT_OF(ops); i++)
        assert_int_equal(ops[i].outcome, OUTCOME_OK);
    assert_int_equal(member_statement(second, 1).account.balance_cents, 6);
}

static void a_bank_whose_data_is_gone_is_not_made_anew(void **state)
{
    (void)state;
    char name[FOLDER_BYTES_MAX + 30];
    snprintf(name, sizeof name, "%s/" FOLDER_DATA, members_path);
    member_join(first);
    member_join(second);
    assert_int_equal(unlink(name), 0);
    member_leave(first);
    assert_int_equal(member_book(second, 1, C, 1), OUTCOME_DOWN);
    member_leave(second);
    assert_int_not_equal(access(name, F_OK), 0);
}

static void another_folder_in_its_place_is_neither_joined_nor_touched(void **state)
{
    (void)state;
    char name[FOLDER_BYTES_MAX + 30];
    member_join(first);
    member_join(second);
    assert_int_equal(rename(members_path, members_aside), 0);
    put_another_in_its_place();
    member_leave(first);
    assert_int_equal(member_book(second, 1, C, 1), OUTCOME_DOWN);
    a_while(300);
    assert_int_equal(names_in_place(), 1); /* nobody has even tried its lock */
    member_join(third);
    assert_int_equal(member_book(third, 1, C, 7), OUTCOME_OK);
    a_while(300);
    assert_int_equal(member_book(second, 1, C, 1), OUTCOME_DOWN);
    assert_int_equal(member_statement(third, 1).account.balance_cents, 7);
    member_leave(third);
    a_while(300);
    assert_int_equal(member_book(second, 1, C, 1), OUTCOME_DOWN);
    static const char *const names[] = {FOLDER_DATA, FOLDER_WAL, FOLDER_LOCK, FOLDER_OWNER};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(name, sizeof name, "%s/%s", members_path, names[i]);
        assert_int_equal(unlink(name), 0);
    }
    assert_int_equal(rmdir(members_path), 0);
    assert_int_equal(rename(members_aside, members_path), 0);
    while (member_health(second) != OUTCOME_OK)
        a_while(10);
    assert_int_equal(member_statement(second, 1).account.balance_cents, 0);
}

static void one_that_was_refused_can_be_joined_again_after_an_absence(void **state)
{
    (void)state;
    for (int i = 0; i < MEMBERS; i++)
        member_join(&members[i]);
    assert_int_equal(rename(members_path, members_aside), 0);
    member_leave(first);
    assert_int_equal(member_book(second, 1, C, 1), OUTCOME_DOWN);
    assert_int_equal(member_book(third, 1, C, 1), OUTCOME_DOWN);
    assert_int_equal(rename(members_aside, members_path), 0);
    while (member_health(second) != OUTCOME_OK || member_health(third) != OUTCOME_OK)
        a_while(10);
    assert_int_equal(member_book(second, 1, C, 1), OUTCOME_OK);
    assert_int_equal(member_statement(third, 1).account.balance_cents, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, members_setup, members_teardown)
    const struct CMUnitTest tests[] = {
        TEST(who_takes_over_answers_what_was_only_to_be_read),
        TEST(what_was_only_to_be_read_is_asked_of_the_next_owner),
        TEST(what_was_only_to_be_read_is_refused_when_there_is_no_owner),
        TEST(what_was_only_to_be_read_is_refused_at_the_end),
        TEST(who_takes_over_a_full_disk_is_not_sure_of_its_health),
        TEST(with_an_owner_that_is_silent_too_long_a_guest_is_not_well),
        TEST(an_owner_of_another_version_is_not_joined),
        TEST(who_is_greeted_in_another_folder_does_not_stay),
        TEST(a_store_closes_while_it_waits_to_be_greeted),
        TEST(without_an_owner_ops_wait_and_are_then_refused_until_there_is_one),
        TEST(what_waited_for_an_owner_is_booked_by_the_one_that_comes),
        TEST(a_bank_whose_data_is_gone_is_not_made_anew),
        TEST(another_folder_in_its_place_is_neither_joined_nor_touched),
        TEST(one_that_was_refused_can_be_joined_again_after_an_absence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
