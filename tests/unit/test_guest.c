/* SPDX-License-Identifier: MIT
 *
 * test_guest.c - ops on their way to an owner and back: to a real one, and to one that is played here
 * and keeps to no rule.
 */
#define _GNU_SOURCE
#include "unit.h"

#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "failing_calls.h"
#include "owner_fixture.h"
#include "store/lmdb/guest.h"
#include "store/lmdb/serving.h"

enum { OPS = 1000, PATIENCE_S = 20 };

#define UNTOUCHED ((enum outcome)77)

static struct queue queue;
static struct port port;
static struct known known;
static struct guest guest;
static struct op ops[OPS];
static pthread_t listener;
static int owner; /* the other end of the link, where it is played */

/* --- the two sides -------------------------------------------------------------------------- */

static void nobody_waits(void *context)
{
    (void)context;
}

static int setup(void **state)
{
    (void)state;
    memset(&known, 0, sizeof known);
    queue_init(&queue, 1);
    port_init(&port, &queue, OPS, nobody_waits, NULL);
    bool made = guest_init(&guest, &known);
    guest.queue = &queue;
    owner = -1;
    return made ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    if (owner >= 0)
        close(owner);
    (void)port_take_answered(&port);
    guest_free(&guest);
    port_free(&port);
    queue_free(&queue);
    return 0;
}

static void link_played(void)
{
    int ends[2];
    const struct timeval patience = {PATIENCE_S, 0};
    if (owner >= 0)
        close(owner);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(setsockopt(ends[1], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    owner = ends[1];
    guest_link(&guest, ends[0]);
}

/* The committer's part up to the asking. Who is who can be told by the amount, or the client. */
static void fill_batch(struct op **batch, uint32_t first, uint32_t count, struct op kind)
{
    for (uint32_t i = 0; i < count; i++) {
        ops[first + i] = kind;
        ops[first + i].outcome = UNTOUCHED;
        if (kind.kind == OP_ENTRY)
            ops[first + i].entry.amount_cents = first + i + 1;
        else if (kind.kind != OP_HEALTH)
            ops[first + i].client = first + i + 1;
        assert_true(port_submit(&port, &ops[first + i]));
    }
    port_hand_over(&port);
    assert_int_equal(queue_take_batch(&queue, 0, batch, BATCH_OPS_MAX), count);
}

static uint32_t ask(uint32_t first, uint32_t count, struct op kind)
{
    struct op *batch[BATCH_OPS_MAX];
    fill_batch(batch, first, count, kind);
    return guest_ask(&guest, batch, count);
}

/* What guest_ask() has left to its caller goes back unanswered. */
static void give_back(uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++) {
        struct op *op = &ops[i];
        assert_int_equal(op->outcome, UNTOUCHED);
        queue_answer(&queue, &op, 1);
    }
}

static void expect(uint32_t first, uint32_t count, enum outcome outcome)
{
    for (uint32_t i = first; i < first + count; i++)
        if (ops[i].outcome != outcome || ops[i].state != OP_ANSWERED)
            FAIL("op %u: outcome %d, state %d", i, (int)ops[i].outcome, (int)ops[i].state);
}

static void expect_waiting(uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++) {
        assert_int_equal(ops[i].outcome, UNTOUCHED);
        assert_int_equal(ops[i].state, OP_COMMITTING);
    }
}

static uint32_t take_lost(void)
{
    struct op *lost[GUEST_OPS_MAX];
    uint32_t count = guest_take_lost(&guest, lost);
    queue_answer(&queue, lost, count);
    return count;
}

/* The question's number; which op it is, is filled in. */
static uint32_t owner_hears(struct op *ret)
{
    uint8_t frame[OP_QUESTION_BYTES_MAX + 1];
    uint32_t number;
    ssize_t size = recv(owner, frame, sizeof frame, 0);
    if (size <= 0 || !op_question_decode(ret, &number, frame, (size_t)size))
        FAIL("no question, but %zd bytes", size);
    return number;
}

static void owner_hears_the_end(void)
{
    uint8_t byte;
    assert_int_equal(recv(owner, &byte, 1, 0), 0);
}

static size_t answer_to(uint8_t *frame, struct op op, uint32_t number)
{
    op.outcome = OUTCOME_OK;
    op.balance_cents = op.entry.amount_cents;
    op.account = (struct account){.client = op.client, .limit_cents = op.client};
    return op_answer_encode(frame, &op, number);
}

static void owner_answers(struct op op, uint32_t number)
{
    uint8_t frame[OP_ANSWER_BYTES_MAX];
    size_t size = answer_to(frame, op, number);
    assert_int_equal(send(owner, frame, size, MSG_NOSIGNAL), size);
}

static void owner_serves(void)
{
    struct op heard;
    uint32_t number = owner_hears(&heard);
    owner_answers(heard, number);
}

static void owner_closes(void)
{
    close(owner);
    owner = -1;
}

static void expect_own_answers(uint32_t first, uint32_t count)
{
    expect(first, count, OUTCOME_OK);
    for (uint32_t i = first; i < first + count; i++)
        assert_int_equal(
            ops[i].kind == OP_ENTRY ? ops[i].balance_cents : ops[i].account.limit_cents, i + 1);
}

/* --- many ----------------------------------------------------------------------------------- */

static void *listen_until_the_end(void *context)
{
    guest_listen(&guest);
    return context;
}

static void begin_to_listen(void)
{
    assert_int_equal(pthread_create(&listener, NULL, listen_until_the_end, NULL), 0);
}

static void more_ops_than_are_asked_at_once_go_through_once_each(void **state)
{
    static bool seen[OPS + 1];
    uint32_t taken = 0;
    memset(seen, 0, sizeof seen);
    assert_int_equal(owner_setup(state), 0);
    guest_link(&guest, peer_greeted());
    begin_to_listen();
    for (uint32_t i = 0; i < OPS; i += 200)
        assert_int_equal(ask(i, 200, an_entry()), 200);
    while (taken < OPS)
        for (struct op *op = port_take_answered(&port); op; op = op->next)
            taken++;
    guest_hang_up(&guest);
    assert_int_equal(pthread_join(listener, NULL), 0);
    assert_int_equal(gate_committed(), OPS);
    for (uint32_t i = 0; i < OPS; i++) {
        assert_int_equal(ops[i].outcome, OUTCOME_OK);
        assert_in_range(ops[i].balance_cents, 1, OPS);
        assert_false(seen[ops[i].balance_cents]);
        seen[ops[i].balance_cents] = true;
    }
    assert_int_equal(owner_teardown(state), 0);
}

static void answers_come_in_any_order_and_each_to_its_op(void **state)
{
    (void)state;
    struct op asked[GUEST_OPS_MAX];
    uint32_t numbers[GUEST_OPS_MAX];
    random_begin();
    link_played();
    for (int round = 0; round < 2; round++) {
        assert_int_equal(ask(0, 100, an_entry()), 100);
        assert_int_equal(ask(100, 28, a_statement()), 28);
        for (uint32_t i = 0; i < GUEST_OPS_MAX; i++)
            numbers[i] = owner_hears(&asked[i]);
        for (uint32_t left = GUEST_OPS_MAX; left > 0; left--) {
            uint32_t one = (uint32_t)random_between(0, left - 1);
            owner_answers(asked[one], numbers[one]);
            asked[one] = asked[left - 1];
            numbers[one] = numbers[left - 1];
        }
        owner_closes();
        guest_listen(&guest);
        expect_own_answers(0, GUEST_OPS_MAX);
        (void)port_take_answered(&port);
        link_played(); /* and so once more, from places in another order */
    }
}

static void who_asks_for_more_than_there_are_places_waits_for_answers(void **state)
{
    (void)state;
    struct op *batch[BATCH_OPS_MAX], asked[GUEST_OPS_MAX], next;
    uint32_t numbers[GUEST_OPS_MAX];
    link_played();
    begin_to_listen();
    assert_int_equal(ask(0, GUEST_OPS_MAX, an_entry()), GUEST_OPS_MAX);
    for (uint32_t i = 0; i < GUEST_OPS_MAX; i++)
        numbers[i] = owner_hears(&asked[i]);
    owner_answers(asked[77], numbers[77]);
    fill_batch(batch, GUEST_OPS_MAX, 1, an_entry());
    assert_int_equal(guest_ask(&guest, batch, 1), 1); /* in the one place there is */
    assert_int_equal(owner_hears(&next), numbers[77]);
    assert_int_equal(next.entry.amount_cents, GUEST_OPS_MAX + 1);
    owner_closes();
    assert_int_equal(pthread_join(listener, NULL), 0);
    expect_own_answers(77, 1);
    expect(0, 77, OUTCOME_UNKNOWN);
    expect(78, GUEST_OPS_MAX + 1 - 78, OUTCOME_UNKNOWN);
}

struct asker {
    pthread_t thread;
    struct op *batch[BATCH_OPS_MAX];
    uint32_t asked;
};

static void *ask_them_all(void *context)
{
    struct asker *asker = context;
    asker->asked = guest_ask(&guest, asker->batch, GUEST_OPS_MAX + 10);
    return NULL;
}

/* Either the link ends from the owner's side, or from ours. */
static void who_waits_for_a_place_is_told_when_the_link_ends(void **state)
{
    (void)state;
    for (int ours = 0; ours <= 1; ours++) {
        struct asker asker;
        struct op heard;
        link_played();
        fill_batch(asker.batch, 0, GUEST_OPS_MAX + 10, an_entry());
        assert_int_equal(pthread_create(&asker.thread, NULL, ask_them_all, &asker), 0);
        for (uint32_t i = 0; i < GUEST_OPS_MAX; i++)
            (void)owner_hears(&heard);
        usleep(20000); /* now it waits */
        if (ours)
            guest_hang_up(&guest);
        else
            owner_closes();
        guest_listen(&guest);
        assert_int_equal(pthread_join(asker.thread, NULL), 0);
        assert_int_equal(asker.asked, GUEST_OPS_MAX);
        expect(0, GUEST_OPS_MAX, OUTCOME_UNKNOWN);
        give_back(GUEST_OPS_MAX, 10);
        (void)port_take_answered(&port);
    }
    owner_hears_the_end();
}

/* --- links that end ------------------------------------------------------------------------- */

static void what_the_owner_heard_and_did_not_answer_is_unknown_if_it_writes(void **state)
{
    (void)state;
    struct op heard;
    link_played();
    assert_int_equal(ask(0, 3, an_entry()), 3);
    assert_int_equal(ask(3, 1, (struct op){.kind = OP_OPEN}), 1);
    assert_int_equal(ask(4, 1, (struct op){.kind = OP_LIMIT}), 1);
    for (int i = 0; i < 5; i++) {
        uint32_t number = owner_hears(&heard);
        if (i == 1)
            owner_answers(heard, number);
    }
    owner_closes();
    guest_listen(&guest);
    expect(0, 1, OUTCOME_UNKNOWN);
    expect_own_answers(1, 1);
    expect(2, 3, OUTCOME_UNKNOWN);
    assert_int_equal(take_lost(), 0);
}

static void what_only_reads_is_asked_of_the_next_owner_and_what_writes_is_not(void **state)
{
    (void)state;
    struct op heard;
    link_played();
    for (uint32_t i = 0; i < 40; i += 2) {
        assert_int_equal(ask(i, 1, an_entry()), 1);
        assert_int_equal(ask(i + 1, 1, a_statement()), 1);
    }
    owner_closes();
    guest_listen(&guest);
    for (int link = 0; link < 2; link++) {
        link_played();
        for (uint32_t i = 0; i < 40; i += 2) {
            expect(i, 1, OUTCOME_UNKNOWN);
            expect_waiting(i + 1, 1);
        }
        for (uint32_t i = 1; i < 40; i += 2) {
            uint32_t number = owner_hears(&heard);
            assert_int_equal(heard.kind, OP_STATEMENT);
            if (link == 1)
                owner_answers(heard, number);
        }
        if (link == 1) {
            assert_int_equal(ask(40, 1, an_entry()), 1); /* nothing else was asked again */
            owner_serves();
        }
        owner_closes();
        guest_listen(&guest);
    }
    for (uint32_t i = 1; i < 40; i += 2)
        expect_own_answers(i, 1);
    assert_int_equal(take_lost(), 0);
}

static void what_only_reads_can_be_had_back(void **state)
{
    (void)state;
    struct op *lost[GUEST_OPS_MAX];
    link_played();
    assert_int_equal(ask(0, 4, an_entry()), 4);
    assert_int_equal(ask(4, 2, a_statement()), 2);
    assert_int_equal(ask(6, 1, (struct op){.kind = OP_HEALTH}), 1);
    owner_closes();
    guest_listen(&guest);
    assert_int_equal(guest_take_lost(&guest, lost), 3);
    expect_waiting(4, 3);
    queue_answer(&queue, lost, 3);
    assert_int_equal(take_lost(), 0);
    link_played();
    assert_int_equal(ask(7, 1, an_entry()), 1);
    struct op heard;
    (void)owner_hears(&heard);
    assert_int_equal(heard.entry.amount_cents, 8); /* and they are not asked again */
    owner_closes();
    guest_listen(&guest);
}

/* As it is when an owner ends in order: it has shut its side, and answers what it has. */
static void what_the_owner_would_not_hear_any_more_is_left_to_the_caller(void **state)
{
    (void)state;
    struct op heard;
    link_played();
    assert_int_equal(ask(0, 2, an_entry()), 2);
    uint32_t first = owner_hears(&heard);
    owner_answers(heard, first);
    assert_int_equal(shutdown(owner, SHUT_RD), 0);
    assert_int_equal(ask(2, 3, an_entry()), 0);
    give_back(2, 3);
    assert_int_equal(ask(5, 1, a_statement()), 0); /* it is not tried again */
    give_back(5, 1);
    uint32_t second = owner_hears(&heard); /* this one it had */
    owner_answers(heard, second);
    owner_hears_the_end();
    owner_closes();
    guest_listen(&guest);
    expect_own_answers(0, 2);
    assert_int_equal(take_lost(), 0);
}

static void of_a_batch_that_went_in_part_the_rest_is_left_to_the_caller(void **state)
{
    (void)state;
    const int little = 1;
    link_played();
    assert_int_equal(setsockopt(guest.fd, SOL_SOCKET, SO_SNDBUF, &little, sizeof little), 0);
    uint32_t asked = ask(0, 100, an_entry());
    assert_in_range(asked, 1, 99);
    give_back(asked, 100 - asked);
    for (uint32_t i = 0; i < asked; i++)
        owner_serves();
    owner_hears_the_end();
    owner_closes();
    guest_listen(&guest);
    expect_own_answers(0, asked);
}

/* It was killed: the system tells of what it had not read, before what it had said. */
static void an_owner_that_dies_with_questions_unread_has_answered_what_it_has(void **state)
{
    (void)state;
    link_played();
    assert_int_equal(ask(0, 3, an_entry()), 3);
    for (int i = 0; i < 2; i++)
        owner_serves();
    owner_closes();
    guest_listen(&guest);
    expect_own_answers(0, 2);
    expect(2, 1, OUTCOME_UNKNOWN);
}

static void without_a_link_nothing_is_asked(void **state)
{
    (void)state;
    assert_int_equal(ask(0, 2, an_entry()), 0);
    give_back(0, 2);
    guest_hang_up(&guest);
    link_played();
    guest_hang_up(&guest);
    assert_int_equal(ask(2, 2, a_statement()), 0);
    give_back(2, 2);
    guest_listen(&guest);
    owner_hears_the_end();
}

static void a_link_that_ends_before_the_lost_are_asked_loses_them_no_more_than_before(void **state)
{
    (void)state;
    int ends[2];
    link_played();
    assert_int_equal(ask(0, 2, a_statement()), 2);
    owner_closes();
    guest_listen(&guest);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    close(ends[1]);
    guest_link(&guest, ends[0]);
    assert_int_equal(ask(2, 1, an_entry()), 0);
    give_back(2, 1);
    guest_listen(&guest);
    expect_waiting(0, 2);
    link_played();
    for (int i = 0; i < 2; i++)
        owner_serves();
    owner_closes();
    guest_listen(&guest);
    expect_own_answers(0, 2);
}

/* --- an owner that talks nonsense ----------------------------------------------------------- */

struct nonsense {
    const char *what;
    enum op_kind kind;
    uint8_t version;
    int more;       /* bytes */
    int64_t number; /* SAME: that of the question */
};

enum { SAME = -1, NO_BYTES = INT32_MIN };

static void send_nonsense(struct op asked, uint32_t number, const struct nonsense *nonsense)
{
    uint8_t frame[OP_ANSWER_BYTES_MAX + 100] = {0};
    asked.kind = nonsense->kind;
    size_t size = answer_to(frame, asked,
                            nonsense->number == SAME ? number : (uint32_t)nonsense->number);
    frame[0] = (uint8_t)(frame[0] + nonsense->version);
    size = nonsense->more == NO_BYTES ? 0 : size + (size_t)nonsense->more;
    assert_int_equal(send(owner, frame, size, MSG_NOSIGNAL), size);
}

static void nonsense_ends_the_link_and_answers_nothing(void **state)
{
    (void)state;
    static const struct nonsense cases[] = {
        {"an empty packet", OP_ENTRY, 0, NO_BYTES, SAME},
        {"a piece of an answer", OP_ENTRY, 0, -1, SAME},
        {"an answer and more", OP_ENTRY, 0, 1, SAME},
        {"an answer and much more", OP_ENTRY, 0, OP_ANSWER_BYTES_MAX, SAME},
        {"another version", OP_ENTRY, 1, 0, SAME},
        {"an answer to another kind", OP_OPEN, 0, 0, SAME},
        {"an answer to what was not asked", OP_ENTRY, 0, 0, 5}, /* places are taken from the top */
        {"a number that is nobody's", OP_ENTRY, 0, 0, GUEST_OPS_MAX},
        {"a number that is nobody's by far", OP_ENTRY, 0, 0, UINT32_MAX},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct op heard[3], lost;
        uint32_t numbers[3];
        link_played();
        assert_int_equal(ask(0, 3, an_entry()), 3);
        assert_int_equal(ask(3, 1, a_statement()), 1);
        for (int j = 0; j < 3; j++)
            numbers[j] = owner_hears(&heard[j]);
        (void)owner_hears(&lost);
        owner_answers(heard[0], numbers[0]);
        send_nonsense(heard[1], numbers[1], &cases[i]);
        owner_answers(heard[2], numbers[2]);
        guest_listen(&guest); /* though the owner has not closed */
        if (ops[0].outcome != OUTCOME_OK || ops[1].outcome != OUTCOME_UNKNOWN ||
            ops[2].outcome != OUTCOME_UNKNOWN || ops[3].outcome != UNTOUCHED)
            FAIL("%s: outcomes %d, %d, %d, %d", cases[i].what, (int)ops[0].outcome,
                 (int)ops[1].outcome, (int)ops[2].outcome, (int)ops[3].outcome);
        owner_hears_the_end();
        assert_int_equal(take_lost(), 1);
        (void)port_take_answered(&port);
    }
}

static void an_answer_that_comes_twice_is_nonsense(void **state)
{
    (void)state;
    struct op heard;
    link_played();
    assert_int_equal(ask(0, 2, an_entry()), 2);
    uint32_t number = owner_hears(&heard);
    owner_answers(heard, number);
    owner_answers(heard, number);
    guest_listen(&guest);
    expect_own_answers(0, 1);
    expect(1, 1, OUTCOME_UNKNOWN);
}

/* --- what it knows of the owner ------------------------------------------------------------- */

static void clients_that_the_owner_has_answered_for_are_known(void **state)
{
    (void)state;
    struct op heard;
    uint8_t frame[OP_ANSWER_BYTES_MAX];
    link_played();
    assert_int_equal(ask(0, 1, (struct op){.kind = OP_HEALTH}), 1);
    owner_serves();
    for (uint32_t i = 10; i < 16; i++) {
        static const enum op_kind kinds[] = {OP_OPEN, OP_LIMIT, OP_STATEMENT, OP_CLIENT};
        assert_int_equal(ask(i, 1, (struct op){.kind = kinds[i % 4]}), 1);
        uint32_t number = owner_hears(&heard);
        heard.outcome = i < 14 ? OUTCOME_OK : OUTCOME_NO_CLIENT;
        heard.account = (struct account){.client = heard.client};
        size_t size = op_answer_encode(frame, &heard, number);
        assert_int_equal(send(owner, frame, size, MSG_NOSIGNAL), size);
    }
    assert_int_equal(ask(20, 1, (struct op){.kind = OP_STATEMENT}), 1); /* and never answered */
    (void)owner_hears(&heard);
    owner_closes();
    guest_listen(&guest);
    for (uint32_t i = 10; i < 21; i++)
        assert_int_equal(known_has(&known, i + 1), i < 14);
    assert_int_equal(atomic_load(&known.count), 4);
    assert_int_equal(take_lost(), 1);
}

static void let_it_be_silent_for(int64_t ms)
{
    atomic_store(&guest.silent_since_ms, serving_clock_ms() - ms);
}

static void an_owner_that_is_silent_too_long_is_stuck(void **state)
{
    (void)state;
    link_played();
    assert_false(guest_stuck(&guest));
    assert_int_equal(ask(0, 3, an_entry()), 3);
    assert_false(guest_stuck(&guest));
    let_it_be_silent_for(ANSWER_TIMEOUT_MS - 1000);
    assert_false(guest_stuck(&guest));
    let_it_be_silent_for(ANSWER_TIMEOUT_MS + 1000);
    assert_true(guest_stuck(&guest));
    assert_int_equal(ask(3, 1, an_entry()), 1); /* that does not make it speak */
    assert_true(guest_stuck(&guest));
    begin_to_listen();
    owner_serves();
    while (guest_stuck(&guest)) /* one answer, of four, does */
        usleep(1000);
    for (int i = 1; i < 4; i++)
        owner_serves();
    while (atomic_load(&guest.silent_since_ms) != 0)
        usleep(1000);
    owner_closes();
    assert_int_equal(pthread_join(listener, NULL), 0);
    assert_false(guest_stuck(&guest));
    expect_own_answers(0, 4);
}

static void an_owner_of_whom_nothing_is_asked_is_not_stuck(void **state)
{
    (void)state;
    link_played();
    assert_int_equal(shutdown(owner, SHUT_RD), 0);
    assert_int_equal(ask(0, 1, an_entry()), 0);
    give_back(0, 1);
    assert_int_equal(atomic_load(&guest.silent_since_ms), 0);
    link_played();
    assert_int_equal(ask(1, 1, a_statement()), 1);
    owner_closes();
    guest_listen(&guest);
    let_it_be_silent_for(ANSWER_TIMEOUT_MS + 1000);
    link_played(); /* who comes next is not to blame */
    assert_false(guest_stuck(&guest));
    owner_closes();
    guest_listen(&guest);
    assert_int_equal(take_lost(), 1);
    assert_int_equal(atomic_load(&guest.silent_since_ms), 0);
}

static void without_memory_there_is_no_guest(void **state)
{
    (void)state;
    struct guest another;
    fail_one("calloc", 0, 0);
    bool made = guest_init(&another, &known);
    assert_true(fail_none());
    assert_false(made);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(more_ops_than_are_asked_at_once_go_through_once_each),
        TEST(answers_come_in_any_order_and_each_to_its_op),
        TEST(who_asks_for_more_than_there_are_places_waits_for_answers),
        TEST(who_waits_for_a_place_is_told_when_the_link_ends),
        TEST(what_the_owner_heard_and_did_not_answer_is_unknown_if_it_writes),
        TEST(what_only_reads_is_asked_of_the_next_owner_and_what_writes_is_not),
        TEST(what_only_reads_can_be_had_back),
        TEST(what_the_owner_would_not_hear_any_more_is_left_to_the_caller),
        TEST(of_a_batch_that_went_in_part_the_rest_is_left_to_the_caller),
        TEST(an_owner_that_dies_with_questions_unread_has_answered_what_it_has),
        TEST(without_a_link_nothing_is_asked),
        TEST(a_link_that_ends_before_the_lost_are_asked_loses_them_no_more_than_before),
        TEST(nonsense_ends_the_link_and_answers_nothing),
        TEST(an_answer_that_comes_twice_is_nonsense),
        TEST(clients_that_the_owner_has_answered_for_are_known),
        TEST(an_owner_that_is_silent_too_long_is_stuck),
        TEST(an_owner_of_whom_nothing_is_asked_is_not_stuck),
        TEST(without_memory_there_is_no_guest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
