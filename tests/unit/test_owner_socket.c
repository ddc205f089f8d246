/* SPDX-License-Identifier: MIT
 *
 * test_owner_socket.c - ops of other processes: asked, answered, and what becomes of them at the end.
 */
#include "unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "owner_fixture.h"

/* --- questions and answers -------------------------------------------------------------------- */

static void a_peer_is_greeted_asks_and_is_answered(void **state)
{
    (void)state;
    int fd = peer_greeted();
    peer_expect_served(fd);
    static const enum op_kind kinds[] = {OP_OPEN, OP_LIMIT, OP_CLIENT, OP_HEALTH};
    for (uint32_t i = 0; i < COUNT_OF(kinds); i++) {
        struct op op = {.kind = kinds[i], .client = 9, .limit_cents = CENTS};
        peer_ask(fd, op, i + 1);
        peer_expect_answer(fd, op, i + 1);
    }
    close(fd);
}

static void an_answer_that_is_known_does_not_wait_for_one_that_is_not(void **state)
{
    (void)state;
    int fd = peer_greeted();
    gate_move(true);
    peer_ask(fd, an_entry(), 1);
    peer_ask(fd, a_statement(), 2);
    peer_expect_answer(fd, a_statement(), 2);
    assert_int_equal(gate_wait_for_commit(), 1);
    gate_move(false);
    peer_expect_answer(fd, an_entry(), 1);
    close(fd);
}

static void what_a_peer_asks_past_its_share_waits(void **state)
{
    (void)state;
    enum { MANY = 2 * OWNER_PEER_OPS_MAX + 1 };
    int fd = peer_greeted();
    gate_move(true);
    for (uint32_t i = 1; i <= MANY; i++)
        peer_ask(fd, an_entry(), i);
    assert_in_range(gate_wait_for_commit(), 1, OWNER_PEER_OPS_MAX);
    int other = peer_greeted();
    peer_ask(other, a_statement(), 1);
    peer_expect_answer(other, a_statement(), 1);
    gate_move(false);
    for (uint32_t i = 1; i <= MANY; i++)
        peer_expect_answer(fd, an_entry(), i); /* in the order of the commits */
    assert_in_range(fixture.largest, 1, OWNER_PEER_OPS_MAX);
    close(other);
    close(fd);
}

static void a_peer_with_many_questions_gets_only_its_share_of_a_turn(void **state)
{
    (void)state;
    enum { MANY = 2 * OWNER_PEER_OPS_MAX };
    struct op hold = {.kind = OP_STATEMENT, .client = HOLD},
              one = {.kind = OP_STATEMENT, .client = 1};
    int many = peer_greeted(), few = peer_greeted(), holder = peer_greeted();
    gate_move(true);
    peer_ask(holder, hold, 1);
    gate_wait_for_question();
    for (uint32_t i = 1; i <= MANY; i++) /* none of them is ever out */
        peer_ask(many, a_statement(), i);
    peer_ask(few, one, 1);
    gate_move(false);
    peer_expect_answer(holder, hold, 1);
    peer_expect_answer(few, one, 1);
    for (uint32_t i = 1; i <= MANY; i++)
        peer_expect_answer(many, a_statement(), i);
    uint32_t before = 0;
    while (fixture.asked[before] != 1)
        before++;
    assert_in_range(before, 1, 1 + OWNER_PEER_OPS_MAX); /* the holder, and the others' share */
    close(many);
    close(few);
    close(holder);
}

static void a_peer_that_leaves_while_its_op_commits_leaves_room(void **state)
{
    (void)state;
    gate_move(true);
    for (int i = 0; i < OWNER_PEERS_MAX; i++) {
        int fd = peer_greeted();
        peer_ask(fd, an_entry(), 1);
        if (i == 0)
            assert_int_equal(gate_wait_for_commit(), 1);
        close(fd);
    }
    int late = peer_connected(); /* every place has an op out */
    gate_move(false);
    peer_expect_greeting(late);
    peer_expect_served(late);
    close(late);
}

/* --- opening -------------------------------------------------------------------------------- */

static void the_socket_is_the_owners_alone(void **state)
{
    (void)state;
    struct stat status;
    assert_int_equal(stat(owner_socket_name(), &status), 0);
    assert_true(S_ISSOCK(status.st_mode));
    assert_int_equal(status.st_mode & 0777, 0600);
    owner_close();
    assert_int_not_equal(access(owner_socket_name(), F_OK), 0);
}

static void a_name_that_the_dead_left_is_taken_over(void **state)
{
    (void)state;
    struct sockaddr_un address = owner_socket_address(fixture.folder.fd);
    owner_close();
    for (int i = 0; i < 2; i++) {
        int fd = i == 0 ? socket(AF_UNIX, SOCK_SEQPACKET, 0)
                        : open(owner_socket_name(), O_CREAT | O_WRONLY, 0600);
        assert_true(fd >= 0);
        if (i == 0)
            assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
        close(fd);
        assert_int_equal(access(owner_socket_name(), F_OK), 0);
        folder_release(&fixture.folder);
        assert_true(folder_take(&fixture.folder, fixture.path, fixture.error,
                                sizeof fixture.error)); /* it is no stranger */
        owner_open_again();
        int peer = peer_greeted();
        peer_expect_served(peer);
        close(peer);
        owner_close();
    }
}

static void where_no_socket_can_be_the_reason_is_told(void **state)
{
    (void)state;
    owner_close();
    assert_int_equal(mkdir(owner_socket_name(), 0700), 0);
    assert_false(owner_open());
    assert_non_null(strstr(fixture.error, FOLDER_SOCKET ": "));
    assert_int_equal(rmdir(owner_socket_name()), 0);
    owner_open_again();
}

/* --- the end -------------------------------------------------------------------------------- */

static void *end(void *context)
{
    fixture.ended = true;
    owner_socket_end(fixture.owner);
    return context;
}

static void wait_until_unnamed(void)
{
    while (access(owner_socket_name(), F_OK) == 0)
        usleep(1000);
}

static void at_the_end_what_was_asked_is_answered_and_then_peers_are_let_go(void **state)
{
    (void)state;
    enum { MANY = 2 * OWNER_PEER_OPS_MAX + 1 };
    pthread_t ending;
    int idle = peer_greeted(), asking = peer_greeted(), left = peer_greeted();
    gate_move(true);
    for (uint32_t i = 1; i <= MANY; i++) /* more than is read before the end */
        peer_ask(asking, an_entry(), i);
    peer_ask(left, an_entry(), 1);
    close(left);
    (void)gate_wait_for_commit();
    assert_int_equal(pthread_create(&ending, NULL, end, NULL), 0);
    peer_expect_let_go(idle);
    wait_until_unnamed();
    gate_move(false);
    for (uint32_t i = 1; i <= MANY; i++)
        peer_expect_answer(asking, an_entry(), i);
    peer_expect_let_go(asking);
    assert_int_equal(pthread_join(ending, NULL), 0);
    assert_int_equal(gate_committed(), MANY + 1);
}

static void at_the_end_who_was_not_greeted_yet_is_let_go_and_has_asked_nothing(void **state)
{
    (void)state;
    pthread_t ending;
    int peers[OWNER_PEERS_MAX];
    gate_move(true);
    for (uint32_t i = 0; i < OWNER_PEERS_MAX; i++) {
        peers[i] = peer_greeted();
        peer_ask(peers[i], an_entry(), 1);
        peer_ask(peers[i], a_statement(), 99);
        peer_expect_answer(peers[i], a_statement(), 99);
    }
    int late = peer_connected();
    assert_int_equal(pthread_create(&ending, NULL, end, NULL), 0);
    peer_expect_let_go(late);
    gate_move(false);
    assert_int_equal(pthread_join(ending, NULL), 0);
    for (uint32_t i = 0; i < OWNER_PEERS_MAX; i++) {
        peer_expect_answer(peers[i], an_entry(), 1);
        peer_expect_let_go(peers[i]);
    }
}

struct asker {
    pthread_t thread;
    int fd;
    uint32_t asked, answered;
};

/* Asks until it is told that nobody listens; then counts the answers. */
static void *ask_until_the_end(void *context)
{
    struct asker *asker = context;
    struct op op = an_entry();
    while (peer_try_to_ask(asker->fd, an_entry(), asker->asked + 1)) {
        asker->asked++;
        if (asker->asked - asker->answered >= 2 * OWNER_PEER_OPS_MAX)
            asker->answered += peer_answered(asker->fd, &op) > 0;
    }
    while (peer_answered(asker->fd, &op) > 0)
        asker->answered++;
    return NULL;
}

static void whatever_could_be_asked_before_the_end_is_answered(void **state)
{
    (void)state;
    enum { ASKERS = 4, ROUNDS = 20 };
    random_begin();
    for (int round = 0; round < ROUNDS; round++) {
        static struct asker askers[ASKERS];
        uint32_t asked = 0, before = gate_committed();
        for (int i = 0; i < ASKERS; i++) {
            askers[i] = (struct asker){.fd = peer_greeted()};
            assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_until_the_end, &askers[i]),
                             0);
        }
        uint32_t enough = before + (uint32_t)random_between(0, 200);
        while (gate_committed() < enough)
            usleep(100);
        owner_socket_end(fixture.owner);
        for (int i = 0; i < ASKERS; i++) {
            assert_int_equal(pthread_join(askers[i].thread, NULL), 0);
            if (askers[i].asked != askers[i].answered)
                FAIL("asked %u, answered %u", askers[i].asked, askers[i].answered);
            asked += askers[i].asked;
            close(askers[i].fd);
        }
        assert_int_equal(gate_committed(), before + asked);
        fixture.ended = true;
        owner_close();
        owner_open_again();
    }
}

static void what_can_be_done_at_once_needs_no_committer(void **state)
{
    (void)state;
    struct op op = an_entry();
    fixture.does = true;
    gate_move(true);
    int fd = peer_greeted();
    for (uint32_t number = 1; number <= 3; number++) {
        struct op answer = op;
        peer_ask(fd, op, number);
        assert_int_equal(peer_answered(fd, &answer), number);
        assert_int_equal(answer.outcome, OUTCOME_OK);
        assert_int_equal(answer.balance_cents, number);
    }
    op.client = HOLD;
    peer_ask(fd, op, 4);
    assert_int_equal(gate_wait_for_commit(), 1);
    gate_move(false);
    assert_int_equal(peer_answered(fd, &op), 4);
    assert_int_equal(gate_committed(), 1);
    assert_int_equal(fixture.done, 3);
    assert_int_equal(fixture.offered, 4);
    close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, owner_setup, owner_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_peer_is_greeted_asks_and_is_answered),
        TEST(an_answer_that_is_known_does_not_wait_for_one_that_is_not),
        TEST(what_a_peer_asks_past_its_share_waits),
        TEST(a_peer_with_many_questions_gets_only_its_share_of_a_turn),
        TEST(a_peer_that_leaves_while_its_op_commits_leaves_room),
        TEST(the_socket_is_the_owners_alone),
        TEST(a_name_that_the_dead_left_is_taken_over),
        TEST(where_no_socket_can_be_the_reason_is_told),
        TEST(at_the_end_what_was_asked_is_answered_and_then_peers_are_let_go),
        TEST(at_the_end_who_was_not_greeted_yet_is_let_go_and_has_asked_nothing),
        TEST(whatever_could_be_asked_before_the_end_is_answered),
        TEST(what_can_be_done_at_once_needs_no_committer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
