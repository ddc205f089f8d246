/* SPDX-License-Identifier: MIT
 *
 * test_owner_answers.c - answers of an owner's socket go out on the committer's thread, beside the one that
 * polls: who sends, who is woken, who closes, and that neither waits for the other.
 */
#define _GNU_SOURCE
#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "owner_fixture.h"

/* Answers to questions with such numbers cannot be sent: as if the peer's buffer were full. */
enum { DOOMED = 10000 };

/* --- what the owner's threads call ---------------------------------------------------------- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
static struct seen {
    bool polls;          /* the socket's thread does now */
    unsigned polled;     /* descriptors */
    unsigned turns;      /* how often it has begun to */
    unsigned committers; /* packets that the committer has tried to send */
    unsigned tried;      /* packets of answers, by either */
    unsigned woken;      /* by the committer */
    unsigned closed;     /* by the committer */
} seen;                  /* under the mutex */

/* (The linker makes __wrap_X and __real_X of a wrapped call X.)
 * NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
__typeof__(poll) __real_poll, __wrap_poll;
int __wrap_poll(struct pollfd *ready, nfds_t count, int timeout_ms)
{
    pthread_mutex_lock(&mutex);
    seen.polls = true;
    seen.turns++;
    seen.polled = 0;
    for (nfds_t i = 0; i < count; i++)
        seen.polled += ready[i].fd >= 0;
    pthread_cond_broadcast(&moved);
    pthread_mutex_unlock(&mutex);
    int result = __real_poll(ready, count, timeout_ms);
    pthread_mutex_lock(&mutex);
    seen.polls = false;
    pthread_mutex_unlock(&mutex);
    return result;
}

__typeof__(send) __real_send, __wrap_send;
ssize_t __wrap_send(int fd, const void *bytes, size_t size, int flags)
{
    if (!(flags & MSG_DONTWAIT)) /* a peer's */
        return __real_send(fd, bytes, size, flags);
    uint32_t number = size > OP_GREETING_BYTES ? op_answer_number(bytes, size) : 0;
    pthread_mutex_lock(&mutex);
    seen.committers += on_committer;
    seen.tried += size > OP_GREETING_BYTES;
    pthread_mutex_unlock(&mutex);
    if (number < DOOMED)
        return __real_send(fd, bytes, size, flags);
    errno = EAGAIN;
    return -1;
}

__typeof__(write) __real_write, __wrap_write;
ssize_t __wrap_write(int fd, const void *bytes, size_t size)
{
    pthread_mutex_lock(&mutex);
    seen.woken += on_committer;
    pthread_mutex_unlock(&mutex);
    return __real_write(fd, bytes, size);
}

__typeof__(close) __real_close, __wrap_close;
int __wrap_close(int fd)
{
    pthread_mutex_lock(&mutex);
    seen.closed += on_committer;
    pthread_mutex_unlock(&mutex);
    return __real_close(fd);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static int setup(void **state)
{
    memset(&seen, 0, sizeof seen);
    return owner_setup(state);
}

static struct seen look(void)
{
    pthread_mutex_lock(&mutex);
    struct seen now = seen;
    pthread_mutex_unlock(&mutex);
    return now;
}

/* For the turn after so many. */
static void wait_for_poll(unsigned turns_before)
{
    pthread_mutex_lock(&mutex);
    while (!seen.polls || seen.turns <= turns_before)
        pthread_cond_wait(&moved, &mutex);
    pthread_mutex_unlock(&mutex);
}

/* At the end, when they have gone and an op of theirs is still out. */
static void wait_for_poll_without_peers(void)
{
    pthread_mutex_lock(&mutex);
    while (!seen.polls || seen.polled > 1) /* to be woken is left */
        pthread_cond_wait(&moved, &mutex);
    pthread_mutex_unlock(&mutex);
}

/* Entries in one packet, to be committed when the gate opens; the socket's thread has nothing to do then. */
static void ask_and_wait_for_poll(int fd, uint32_t first, uint32_t count)
{
    static uint8_t packet[OP_PACKET_BYTES_MAX];
    const struct op op = an_entry();
    size_t size = 0;
    for (uint32_t i = first; i < first + count; i++)
        size += op_question_encode(packet + size, &op, i);
    assert_int_equal(send(fd, packet, size, MSG_NOSIGNAL), size);
    assert_int_equal(gate_wait_for_commit(), count);
    wait_for_poll(0); /* it had returned, since the question was read */
}

static void expect_open_files(unsigned count)
{
    for (int i = 0; i < 20000 && open_files() != count; i++)
        usleep(1000);
    assert_int_equal(open_files(), count);
}

/* --- who sends, and who is woken ------------------------------------------------------------ */

static void an_answer_goes_out_on_the_committers_thread_and_wakes_nobody(void **state)
{
    (void)state;
    int fd = peer_greeted();
    for (uint32_t i = 1; i <= 5; i++) {
        gate_move(true);
        ask_and_wait_for_poll(fd, i, 1);
        unsigned before = look().turns;
        gate_move(false);
        peer_expect_answer(fd, an_entry(), i);
        owner_expect_committer(); /* so it has done whatever it does after that answer */
        assert_int_equal(look().committers, i);
        assert_int_equal(look().woken, 0);
        assert_int_equal(look().turns, before);
    }
    assert_int_equal(look().tried, 5);
    peer_expect_served(fd);
    close(fd);
}

static void the_committer_does_not_wait_for_a_thread_that_is_at_work(void **state)
{
    (void)state;
    const struct op held = {.kind = OP_STATEMENT, .client = HOLD};
    int fd = peer_greeted(), holder = peer_greeted();
    gate_move(true);
    hold(true);
    ask_and_wait_for_poll(fd, 1, 1);
    peer_ask(holder, held, 2);
    gate_wait_for_question();
    gate_move(false);
    owner_expect_committer();
    assert_int_equal(look().tried, 0);
    hold(false);
    peer_expect_answer(fd, an_entry(), 1); /* and it is not forgotten */
    peer_expect_answer(holder, held, 2);
    assert_int_equal(look().committers, 0);
    unsigned before = look().turns;
    usleep(20000); /* once woken it rests again */
    assert_in_range(look().turns, before, before + 1);
    close(fd);
    close(holder);
}

/* --- what the poll leaves out --------------------------------------------------------------- */

static void a_peer_at_its_limit_is_read_again_when_its_answers_have_gone(void **state)
{
    (void)state;
    int fd = peer_greeted();
    gate_move(true);
    ask_and_wait_for_poll(fd, 1, OWNER_PEER_OPS_MAX);
    peer_ask(fd, an_entry(), OWNER_PEER_OPS_MAX + 1);
    gate_move(false);
    for (uint32_t i = 1; i <= OWNER_PEER_OPS_MAX + 1; i++)
        peer_expect_answer(fd, an_entry(), i);
    close(fd);
}

static void a_peer_that_has_said_all_is_answered_and_let_go(void **state)
{
    (void)state;
    int fd = peer_greeted();
    gate_move(true);
    ask_and_wait_for_poll(fd, 1, 3);
    unsigned before = look().turns;
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    wait_for_poll(before);
    gate_move(false);
    for (uint32_t i = 1; i <= 3; i++)
        peer_expect_answer(fd, an_entry(), i);
    peer_expect_let_go(fd);
}

/* --- peers that do not read ----------------------------------------------------------------- */

/* While it is polled, and while it is left out. */
static void a_peer_that_does_not_read_is_dropped_and_its_descriptor_closed_by_who_polls(
    void **state)
{
    (void)state;
    int good = peer_greeted();
    unsigned before = open_files();
    for (uint32_t count = 1; count <= OWNER_PEER_OPS_MAX; count += OWNER_PEER_OPS_MAX - 1) {
        unsigned sent = look().committers;
        int deaf = peer_greeted();
        gate_move(true);
        ask_and_wait_for_poll(deaf, DOOMED, count);
        gate_move(false);
        peer_expect_let_go(deaf);
        owner_expect_committer();
        assert_int_equal(look().committers, sent + 1);
        assert_int_equal(look().closed, 0);
        expect_open_files(before);
        peer_expect_served(good);
    }
    close(good);
}

static void who_was_dropped_is_sent_nothing_more(void **state)
{
    (void)state;
    int deaf = peer_greeted();
    gate_move(true);
    ask_and_wait_for_poll(deaf, DOOMED, 1);
    for (uint32_t i = 1; i <= 3; i++) {
        unsigned before = look().turns;
        peer_ask(deaf, an_entry(), i); /* these wait for the next commit */
        wait_for_poll(before);
    }
    gate_move(false);
    peer_expect_let_go(deaf);
    owner_expect_committer();
    assert_int_equal(gate_committed(), 1 + 3 + 1);
    assert_int_equal(look().tried, 1);
    int fd = peer_greeted();
    peer_expect_served(fd);
    close(fd);
}

/* In the turn in which it is found not to read there is a question of it as well. */
static void who_was_dropped_is_asked_nothing_more(void **state)
{
    (void)state;
    const struct op held = {.kind = OP_STATEMENT, .client = HOLD};
    int deaf = peer_greeted(), holder = peer_greeted();
    gate_move(true);
    hold(true);
    ask_and_wait_for_poll(deaf, DOOMED, 1);
    peer_ask(holder, held, 1);
    gate_wait_for_question();
    peer_ask(deaf, an_entry(), 2);
    gate_move(false);
    owner_expect_committer();
    hold(false);
    peer_expect_answer(holder, held, 1);
    peer_expect_let_go(deaf);
    owner_expect_committer();
    assert_int_equal(gate_committed(), 1 + 2);
    close(holder);
}

/* In one turn it is dropped, and a newcomer found. */
static void who_was_dropped_makes_room_and_nobody_else(void **state)
{
    (void)state;
    const struct op held = {.kind = OP_STATEMENT, .client = HOLD};
    int peers[OWNER_PEERS_MAX], deaf, holder;
    for (int i = 0; i < OWNER_PEERS_MAX; i++)
        peers[i] = peer_greeted();
    deaf = peers[OWNER_PEERS_MAX - 1];
    holder = peers[OWNER_PEERS_MAX - 2];
    gate_move(true);
    hold(true);
    ask_and_wait_for_poll(deaf, DOOMED, 1);
    peer_ask(holder, held, 1);
    gate_wait_for_question();
    int late = peer_connected();
    gate_move(false);
    owner_expect_committer();
    hold(false);
    peer_expect_answer(holder, held, 1);
    peer_expect_greeting(late);
    peer_expect_let_go(deaf);
    peers[OWNER_PEERS_MAX - 1] = late;
    for (int i = 0; i < OWNER_PEERS_MAX; i++) {
        peer_expect_served(peers[i]);
        close(peers[i]);
    }
}

static void *end(void *context)
{
    fixture.ended = true;
    owner_socket_end(fixture.owner);
    return context;
}

static void the_end_comes_also_where_the_last_peer_was_dropped(void **state)
{
    (void)state;
    pthread_t ending;
    int deaf = peer_greeted(), quick = peer_greeted();
    gate_move(true);
    ask_and_wait_for_poll(deaf, DOOMED, OWNER_PEER_OPS_MAX);
    assert_int_equal(pthread_create(&ending, NULL, end, NULL), 0);
    peer_expect_let_go(quick); /* it is on its way to the end */
    gate_move(false);
    assert_int_equal(pthread_join(ending, NULL), 0);
    peer_expect_let_go(deaf);
    assert_int_equal(look().closed, 0);
}

static void the_end_comes_also_where_who_asked_last_has_gone(void **state)
{
    (void)state;
    pthread_t ending;
    int gone = peer_greeted(), quick = peer_greeted();
    gate_move(true);
    ask_and_wait_for_poll(gone, 1, 1);
    assert_int_equal(send(gone, "?", 1, MSG_NOSIGNAL), 1);
    peer_expect_let_go(gone); /* and its op is still out */
    assert_int_equal(pthread_create(&ending, NULL, end, NULL), 0);
    peer_expect_let_go(quick);
    wait_for_poll_without_peers();
    gate_move(false);
    assert_int_equal(pthread_join(ending, NULL), 0);
    assert_int_equal(gate_committed(), 1);
}

/* A thread that closes a descriptor is done with what the fixture keeps for it, before another gets its number. */
static pthread_mutex_t numbers = PTHREAD_MUTEX_INITIALIZER;

static int peer_comes(void)
{
    pthread_mutex_lock(&numbers);
    int fd = peer_greeted();
    pthread_mutex_unlock(&numbers);
    return fd;
}

static void peer_goes(int fd)
{
    pthread_mutex_lock(&numbers);
    close(fd);
    pthread_mutex_unlock(&numbers);
}

/* Comes, is dropped, and comes again, in a place and with a descriptor that others have just had. */
static void *be_dropped_again_and_again(void *context)
{
    enum { TIMES = 100 };
    for (uint32_t i = 0; i < TIMES; i++) {
        struct op op = an_entry();
        int fd = peer_comes();
        for (uint32_t j = 0; j <= i % 4; j++)
            if (!peer_try_to_ask(fd, an_entry(), DOOMED + j))
                break;
        assert_int_equal(peer_answered(fd, &op), 0);
        peer_goes(fd);
    }
    return context;
}

static void who_is_dropped_takes_nobodys_answers_along(void **state)
{
    (void)state;
    enum { DROPPED = 4, SERVED = 500 };
    pthread_t threads[DROPPED];
    int good = peer_greeted();
    unsigned before = open_files();
    for (int i = 0; i < DROPPED; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, be_dropped_again_and_again, NULL), 0);
    for (int i = 0; i < SERVED; i++)
        peer_expect_served(good);
    for (int i = 0; i < DROPPED; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    owner_expect_committer();
    assert_int_equal(look().closed, 0);
    expect_open_files(before);
    peer_expect_served(good);
    close(good);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, owner_teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_answer_goes_out_on_the_committers_thread_and_wakes_nobody),
        TEST(the_committer_does_not_wait_for_a_thread_that_is_at_work),
        TEST(a_peer_at_its_limit_is_read_again_when_its_answers_have_gone),
        TEST(a_peer_that_has_said_all_is_answered_and_let_go),
        TEST(a_peer_that_does_not_read_is_dropped_and_its_descriptor_closed_by_who_polls),
        TEST(who_was_dropped_is_sent_nothing_more),
        TEST(who_was_dropped_is_asked_nothing_more),
        TEST(who_was_dropped_makes_room_and_nobody_else),
        TEST(the_end_comes_also_where_the_last_peer_was_dropped),
        TEST(the_end_comes_also_where_who_asked_last_has_gone),
        TEST(who_is_dropped_takes_nobodys_answers_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
