/* SPDX-License-Identifier: MIT
 *
 * test_owner_peers.c - too many peers of an owner's socket, and those that do not keep to the rules.
 */
#define _GNU_SOURCE
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "owner_fixture.h"

enum { NOBODY = 65534 };

/* --- peers that do not ---------------------------------------------------------------------- */

static void a_peer_that_sends_what_is_no_question_is_dropped_and_no_other(void **state)
{
    (void)state;
    uint8_t frame[OP_QUESTION_BYTES_MAX + 1] = {0}, bad[OP_PACKET_BYTES_MAX + 10] = {0};
    struct op op = an_entry();
    op.key_bytes = KEY_BYTES_MAX;
    op.entry.description_bytes = DESCRIPTION_BYTES_MAX;
    size_t size = op_question_encode(frame, &op, 1);
    assert_int_equal(size, OP_QUESTION_BYTES_MAX);
    int good = peer_greeted();
    const struct {
        size_t size;
        uint8_t version;
    } cases[] = {
        {size - 1, OP_WIRE_VERSION}, /* cut short */
        {1, OP_WIRE_VERSION},
        {size + 1, OP_WIRE_VERSION},   /* too long */
        {sizeof bad, OP_WIRE_VERSION}, /* longer than anything is read */
        {size, OP_WIRE_VERSION + 1},
        {size, 0},
        {0, 0}, /* an empty packet */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int fd = peer_greeted();
        memcpy(bad, frame, sizeof frame);
        bad[0] = cases[i].version;
        assert_int_equal(send(fd, bad, cases[i].size, MSG_NOSIGNAL), cases[i].size);
        peer_expect_let_go(fd);
        peer_expect_served(good);
    }
    random_begin();
    for (int i = 0; i < 200; i++) {
        int fd = peer_greeted();
        random_fill(bad, sizeof bad);
        bad[3] = 1; /* always zero in a question */
        size_t noise = random_between(1, sizeof bad);
        assert_int_equal(send(fd, bad, noise, MSG_NOSIGNAL), noise);
        peer_expect_let_go(fd);
    }
    peer_expect_served(good);
    assert_int_equal(gate_committed(), COUNT_OF(cases) + 1);
    close(good);
}

/* The first `count` of a packet are answered, and `more` bytes come after them. */
static void send_questions(int fd, uint32_t count, size_t more)
{
    static uint8_t packet[OP_PACKET_BYTES_MAX];
    size_t size = 0;
    const struct op op = an_entry();
    for (uint32_t i = 1; i <= count; i++)
        size += op_question_encode(packet + size, &op, i);
    memset(packet + size, 0, more);
    size += more;
    assert_int_equal(send(fd, packet, size, MSG_NOSIGNAL), size);
}

static void a_packet_holds_as_many_questions_as_a_peer_may_ask(void **state)
{
    (void)state;
    int fd = peer_greeted();
    for (int times = 0; times < 3; times++) {
        send_questions(fd, OWNER_PEER_OPS_MAX, 0);
        for (uint32_t i = 1; i <= OWNER_PEER_OPS_MAX; i++)
            peer_expect_answer(fd, an_entry(), i);
    }
    assert_int_equal(gate_committed(), 3 * OWNER_PEER_OPS_MAX);
    close(fd);
}

static void of_a_packet_that_is_not_all_questions_none_is_asked(void **state)
{
    (void)state;
    int good = peer_greeted(), fd = peer_greeted();
    send_questions(fd, OWNER_PEER_OPS_MAX + 1, 0);
    peer_expect_let_go(fd);
    fd = peer_greeted();
    send_questions(fd, 3, 1);
    peer_expect_let_go(fd);
    peer_expect_served(good);
    assert_int_equal(gate_committed(), 1);
    close(good);
}

static void a_peer_that_does_not_read_its_answers_is_dropped_and_no_other(void **state)
{
    (void)state;
    int good = peer_greeted(), deaf = peer_greeted();
    uint32_t sent = 0;
    while (sent < 1000000 && peer_try_to_ask(deaf, a_statement(), sent + 1))
        sent++;
    assert_in_range(sent, 1, 999999);
    assert_true(errno == EPIPE || errno == ECONNRESET);
    peer_expect_served(good);
    close(deaf);
    close(good);
}

static void the_peer_that_was_silent_longest_makes_room_for_a_newcomer(void **state)
{
    (void)state;
    int peers[OWNER_PEERS_MAX];
    for (int i = 0; i < OWNER_PEERS_MAX; i++)
        peers[i] = peer_greeted();
    peer_expect_served(peers[0]); /* so the second is the most silent now */
    int late = peer_greeted();
    peer_expect_served(late);
    peer_expect_let_go(peers[1]);
    peers[1] = late;
    gate_move(true);
    peer_ask(late, an_entry(), 1);
    (void)gate_wait_for_commit();
    peer_ask(late, a_statement(), 2); /* not kept waiting as one who leaves would be */
    peer_expect_answer(late, a_statement(), 2);
    gate_move(false);
    peer_expect_answer(late, an_entry(), 1);
    for (int i = 0; i < OWNER_PEERS_MAX; i++) {
        peer_expect_served(peers[i]);
        close(peers[i]);
    }
}

static void a_newcomer_waits_while_every_peer_has_an_op_out(void **state)
{
    (void)state;
    int peers[OWNER_PEERS_MAX];
    gate_move(true);
    for (uint32_t i = 0; i < OWNER_PEERS_MAX; i++) {
        peers[i] = peer_greeted();
        peer_ask(peers[i], an_entry(), i + 1);
        peer_ask(peers[i], a_statement(), 99);
        peer_expect_answer(peers[i], a_statement(),
                           99); /* and so the entry has been read as well */
    }
    int late = peer_connected();
    gate_move(false);
    for (uint32_t i = 0; i < OWNER_PEERS_MAX; i++)
        peer_expect_answer(peers[i], an_entry(), i + 1);
    peer_expect_greeting(late);
    peer_expect_served(late);
    close(late);
    for (int i = 0; i < OWNER_PEERS_MAX; i++)
        close(peers[i]);
}

/* Room is made, but not at the cost of what had been sent already. */
static void who_makes_room_is_answered_what_it_had_asked(void **state)
{
    (void)state;
    enum { ROUNDS = 200 };
    int peers[OWNER_PEERS_MAX];
    for (int i = 0; i < OWNER_PEERS_MAX; i++)
        peers[i] = peer_greeted();
    for (int i = 0; i < ROUNDS; i++) {
        int *silent = &peers[i % OWNER_PEERS_MAX], late = peer_connected();
        struct op op = an_entry();
        if (peer_try_to_ask(*silent, an_entry(), 1))
            assert_int_equal(peer_answered(*silent, &op), 1);
        peer_expect_greeting(late);
        close(*silent);
        *silent = late;
    }
    for (int i = 0; i < OWNER_PEERS_MAX; i++)
        close(peers[i]);
}

static void who_has_an_op_out_does_not_make_room(void **state)
{
    (void)state;
    int peers[OWNER_PEERS_MAX];
    gate_move(true);
    for (int i = 0; i < OWNER_PEERS_MAX; i++) {
        peers[i] = peer_greeted();
        if (i + 1 < OWNER_PEERS_MAX)
            peer_ask(peers[i], an_entry(), 1);
        peer_ask(peers[i], a_statement(), 99);
        peer_expect_answer(peers[i], a_statement(), 99);
    }
    int late = peer_greeted(); /* in the place of the last, though that one was heard of last */
    peer_expect_let_go(peers[OWNER_PEERS_MAX - 1]);
    gate_move(false);
    for (int i = 0; i + 1 < OWNER_PEERS_MAX; i++) {
        peer_expect_answer(peers[i], an_entry(), 1);
        close(peers[i]);
    }
    close(late);
}

static void an_answer_for_a_peer_that_was_dropped_goes_to_nobody_else(void **state)
{
    (void)state;
    int dropped = peer_greeted();
    gate_move(true);
    peer_ask(dropped, an_entry(), 1);
    assert_int_equal(gate_wait_for_commit(), 1);
    assert_int_equal(send(dropped, "?", 1, MSG_NOSIGNAL), 1);
    peer_expect_let_go(dropped);
    int other = peer_greeted();
    peer_ask(other, an_entry(), 2);
    gate_move(false);
    peer_expect_answer(other, an_entry(), 2);
    assert_int_equal(gate_committed(), 2);
    close(other);
}

static int64_t clock_us(clockid_t clock)
{
    struct timespec now;
    assert_int_equal(clock_gettime(clock, &now), 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* One quiet moment will do: what spins has none. */
static void expect_rest(const char *when)
{
    const struct timespec a_while = {0, 20000000};
    int64_t wall_us = 0, used_us = 0;
    for (int i = 0; i < 20; i++) {
        wall_us = clock_us(CLOCK_MONOTONIC);
        used_us = clock_us(CLOCK_PROCESS_CPUTIME_ID);
        nanosleep(&a_while, NULL);
        wall_us = clock_us(CLOCK_MONOTONIC) - wall_us;
        used_us = clock_us(CLOCK_PROCESS_CPUTIME_ID) - used_us;
        if (used_us < wall_us / 20)
            return;
    }
    FAIL("with %s the owner spins: %lld us of %lld", when, (long long)used_us, (long long)wall_us);
}

static void an_owner_that_can_do_nothing_rests(void **state)
{
    (void)state;
    enum { SHARE = OWNER_PEER_OPS_MAX };
    gate_move(true);
    int left = peer_greeted();
    peer_ask(left, an_entry(), 1);
    assert_int_equal(gate_wait_for_commit(), 1);
    close(left);
    expect_rest("a peer that left, and its op out");
    int peers[OWNER_PEERS_MAX - 1];
    for (int i = 0; i < OWNER_PEERS_MAX - 1; i++) {
        peers[i] = peer_greeted();
        for (uint32_t j = 1; j <= SHARE + 1; j++)
            peer_ask(peers[i], an_entry(), j);
    }
    int late = peer_connected();
    expect_rest("every peer's share out, and more to read");
    gate_move(false);
    for (int i = 0; i < OWNER_PEERS_MAX - 1; i++) {
        for (uint32_t j = 1; j <= SHARE + 1; j++)
            peer_expect_answer(peers[i], an_entry(), j);
        close(peers[i]);
    }
    peer_expect_greeting(late);
    close(late);
}

static void another_user_is_not_greeted(void **state)
{
    (void)state;
    char parent[FOLDER_BYTES_MAX + 20], name[FOLDER_BYTES_MAX + 20];
    if (geteuid() != 0)
        skip();
    snprintf(name, sizeof name, "%s/" FOLDER_SOCKET, fixture.path);
    snprintf(parent, sizeof parent, "%s/..", fixture.path);
    assert_int_equal(chmod(parent, 0755), 0);
    assert_int_equal(chmod(fixture.path, 0755), 0);
    assert_int_equal(chmod(name, 0666), 0); /* or it could not even connect */
    pid_t child = fork();
    if (child == 0) {
        struct sockaddr_un address = owner_socket_address(fixture.folder.fd);
        char byte;
        int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
        _exit(setuid(NOBODY) == 0 &&
                      connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
                      recv(fd, &byte, 1, 0) == 0
                  ? 0
                  : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    int fd = peer_greeted();
    close(fd);
}

static void a_newcomer_waits_while_there_is_no_descriptor(void **state)
{
    (void)state;
    enum { LIMIT = 256 };
    static int filler[LIMIT];
    struct rlimit before, low;
    int count = 0, good = peer_greeted(), late = peer_connected();
    peer_expect_greeting(late);
    close(late);
    struct sockaddr_un address = owner_socket_address(fixture.folder.fd);
    late = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    low.rlim_cur = LIMIT;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    while ((filler[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        count++;
    int result = connect(late, (struct sockaddr *)&address, sizeof address);
    peer_ask(good, a_statement(), 1);
    struct op op = a_statement();
    uint32_t number = peer_answered(good, &op);
    expect_rest("no descriptor left");
    while (count > 0)
        close(filler[--count]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(result, 0);
    assert_int_equal(number, 1);
    peer_expect_greeting(late);
    close(late);
    close(good);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, owner_setup, owner_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_peer_that_sends_what_is_no_question_is_dropped_and_no_other),
        TEST(a_packet_holds_as_many_questions_as_a_peer_may_ask),
        TEST(of_a_packet_that_is_not_all_questions_none_is_asked),
        TEST(a_peer_that_does_not_read_its_answers_is_dropped_and_no_other),
        TEST(the_peer_that_was_silent_longest_makes_room_for_a_newcomer),
        TEST(a_newcomer_waits_while_every_peer_has_an_op_out),
        TEST(who_makes_room_is_answered_what_it_had_asked),
        TEST(who_has_an_op_out_does_not_make_room),
        TEST(an_answer_for_a_peer_that_was_dropped_goes_to_nobody_else),
        TEST(an_owner_that_can_do_nothing_rests),
        TEST(another_user_is_not_greeted),
        TEST(a_newcomer_waits_while_there_is_no_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
