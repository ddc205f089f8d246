/* SPDX-License-Identifier: MIT
 *
 * test_guest.c - ops on their way to an owner and back, and what becomes of them when the link ends.
 */
#define _GNU_SOURCE
#include "unit.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest_fixture.h"
#include "owner_fixture.h"

/* --- many ----------------------------------------------------------------------------------- */

static void more_ops_than_are_asked_at_once_go_through_once_each(void **state)
{
    static bool seen[GUEST_OPS + 1];
    uint32_t taken = 0;
    memset(seen, 0, sizeof seen);
    assert_int_equal(owner_setup(state), 0);
    guest_link(&guest, peer_greeted());
    begin_to_listen();
    for (uint32_t i = 0; i < GUEST_OPS; i += 200)
        assert_int_equal(ask_ops(i, 200, an_entry()), 200);
    while (taken < GUEST_OPS)
        for (struct op *op = port_take_answered(&port); op; op = op->next)
            taken++;
    guest_hang_up(&guest);
    assert_int_equal(pthread_join(listener, NULL), 0);
    assert_int_equal(gate_committed(), GUEST_OPS);
    for (uint32_t i = 0; i < GUEST_OPS; i++) {
        assert_int_equal(ops[i].outcome, OUTCOME_OK);
        assert_in_range(ops[i].balance_cents, 1, GUEST_OPS);
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
        assert_int_equal(ask_ops(0, 100, an_entry()), 100);
        assert_int_equal(ask_ops(100, 28, a_statement()), 28);
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
    assert_int_equal(ask_ops(0, GUEST_OPS_MAX, an_entry()), GUEST_OPS_MAX);
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
    expect_outcome(0, 77, OUTCOME_UNKNOWN);
    expect_outcome(78, GUEST_OPS_MAX + 1 - 78, OUTCOME_UNKNOWN);
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
        expect_outcome(0, GUEST_OPS_MAX, OUTCOME_UNKNOWN);
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
    assert_int_equal(ask_ops(0, 3, an_entry()), 3);
    assert_int_equal(ask_ops(3, 1, (struct op){.kind = OP_OPEN}), 1);
    assert_int_equal(ask_ops(4, 1, (struct op){.kind = OP_LIMIT}), 1);
    for (int i = 0; i < 5; i++) {
        uint32_t number = owner_hears(&heard);
        if (i == 1)
            owner_answers(heard, number);
    }
    owner_closes();
    guest_listen(&guest);
    expect_outcome(0, 1, OUTCOME_UNKNOWN);
    expect_own_answers(1, 1);
    expect_outcome(2, 3, OUTCOME_UNKNOWN);
    assert_int_equal(take_lost(), 0);
}

static void what_only_reads_is_asked_of_the_next_owner_and_what_writes_is_not(void **state)
{
    (void)state;
    struct op heard;
    link_played();
    for (uint32_t i = 0; i < 40; i += 2) {
        assert_int_equal(ask_ops(i, 1, an_entry()), 1);
        assert_int_equal(ask_ops(i + 1, 1, a_statement()), 1);
    }
    owner_closes();
    guest_listen(&guest);
    for (int link = 0; link < 2; link++) {
        link_played();
        for (uint32_t i = 0; i < 40; i += 2) {
            expect_outcome(i, 1, OUTCOME_UNKNOWN);
            expect_waiting(i + 1, 1);
        }
        for (uint32_t i = 1; i < 40; i += 2) {
            uint32_t number = owner_hears(&heard);
            assert_int_equal(heard.kind, OP_STATEMENT);
            if (link == 1)
                owner_answers(heard, number);
        }
        if (link == 1) {
            assert_int_equal(ask_ops(40, 1, an_entry()), 1); /* nothing else was asked again */
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
    assert_int_equal(ask_ops(0, 4, an_entry()), 4);
    assert_int_equal(ask_ops(4, 2, a_statement()), 2);
    assert_int_equal(ask_ops(6, 1, (struct op){.kind = OP_HEALTH}), 1);
    owner_closes();
    guest_listen(&guest);
    assert_int_equal(guest_take_lost(&guest, lost), 3);
    expect_waiting(4, 3);
    queue_answer(&queue, lost, 3);
    assert_int_equal(take_lost(), 0);
    link_played();
    assert_int_equal(ask_ops(7, 1, an_entry()), 1);
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
    assert_int_equal(ask_ops(0, 2, an_entry()), 2);
    uint32_t first = owner_hears(&heard);
    owner_answers(heard, first);
    assert_int_equal(shutdown(played_owner, SHUT_RD), 0);
    assert_int_equal(ask_ops(2, 3, an_entry()), 0);
    give_back(2, 3);
    assert_int_equal(ask_ops(5, 1, a_statement()), 0); /* it is not tried again */
    give_back(5, 1);
    uint32_t second = owner_hears(&heard); /* this one it had */
    owner_answers(heard, second);
    owner_hears_the_end();
    owner_closes();
    guest_listen(&guest);
    expect_own_answers(0, 2);
    assert_int_equal(take_lost(), 0);
}

static void a_batch_that_cannot_go_is_left_to_the_caller(void **state)
{
    (void)state;
    const int little = 1;
    struct op long_one = an_entry();
    long_one.key_bytes = KEY_BYTES_MAX;
    memset(long_one.key, 'k', KEY_BYTES_MAX);
    link_played();
    assert_int_equal(setsockopt(guest.fd, SOL_SOCKET, SO_SNDBUF, &little, sizeof little), 0);
    assert_int_equal(ask_ops(0, 3, an_entry()), 3);
    assert_int_equal(ask_ops(3, 100, long_one), 0); /* there is no room in its buffer for those */
    give_back(3, 100);
    for (uint32_t i = 0; i < 3; i++)
        owner_serves();
    owner_hears_the_end();
    owner_closes();
    guest_listen(&guest);
    expect_own_answers(0, 3);
}

/* It was killed: the system tells of what it had not read, before what it had said. */
static void an_owner_that_dies_with_questions_unread_has_answered_what_it_has(void **state)
{
    (void)state;
    link_played();
    assert_int_equal(ask_ops(0, 3, an_entry()), 3);
    for (int i = 0; i < 2; i++)
        owner_serves();
    owner_closes();
    guest_listen(&guest);
    expect_own_answers(0, 2);
    expect_outcome(2, 1, OUTCOME_UNKNOWN);
}

static void without_a_link_nothing_is_asked(void **state)
{
    (void)state;
    assert_int_equal(ask_ops(0, 2, an_entry()), 0);
    give_back(0, 2);
    guest_hang_up(&guest);
    link_played();
    guest_hang_up(&guest);
    assert_int_equal(ask_ops(2, 2, a_statement()), 0);
    give_back(2, 2);
    guest_listen(&guest);
    owner_hears_the_end();
}

static void a_link_that_ends_before_the_lost_are_asked_loses_them_no_more_than_before(void **state)
{
    (void)state;
    int ends[2];
    link_played();
    assert_int_equal(ask_ops(0, 2, a_statement()), 2);
    owner_closes();
    guest_listen(&guest);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    close(ends[1]);
    guest_link(&guest, ends[0]);
    assert_int_equal(ask_ops(2, 1, an_entry()), 0);
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

/* --- somebody looks for answers ---------------------------------------------------------------- */

static bool is_readable(void)
{
    struct pollfd answers = {.fd = guest_pollable(&guest), .events = POLLIN};
    return poll(&answers, 1, 0) == 1;
}

static void wait_until_readable(void)
{
    struct pollfd answers = {.fd = guest_pollable(&guest), .events = POLLIN};
    assert_int_equal(poll(&answers, 1, 20000), 1);
}

static void expect_one_heard_and_answered(uint32_t first)
{
    struct op heard;
    assert_int_equal(ask_ops(first, 1, an_entry()), 1);
    assert_false(is_readable());
    uint32_t number = owner_hears(&heard);
    owner_answers(heard, number);
    wait_until_readable();
}

static void who_looks_takes_answers_without_waiting_over_all_links(void **state)
{
    (void)state;
    const int pollable = guest_pollable(&guest);
    guest_look(&guest); /* before there is a link */
    for (uint32_t link = 0; link < 3; link++) {
        link_played();
        begin_to_listen();
        guest_look(&guest); /* nothing is there */
        expect_one_heard_and_answered(link);
        guest_look(&guest);
        expect_own_answers(link, 1);
        assert_ptr_equal(port_take_answered(&port), &ops[link]);
        assert_false(is_readable());
        owner_closes();
        usleep(20000);
        assert_int_not_equal(pthread_tryjoin_np(listener, NULL), 0); /* it leaves that to us */
        wait_until_readable();
        guest_look(&guest);
        assert_int_equal(pthread_join(listener, NULL), 0); /* who listened is told of the end */
        assert_false(is_readable());                       /* nobody is told of it for ever */
        guest_look(&guest);
        assert_int_equal(guest_pollable(&guest), pollable);
    }
}

static void what_the_owner_said_before_its_end_is_taken_by_who_looks(void **state)
{
    (void)state;
    struct op heard;
    link_played();
    guest_look(&guest);
    begin_to_listen();
    assert_int_equal(ask_ops(0, 2, an_entry()), 2);
    uint32_t number = owner_hears(&heard);
    owner_answers(heard, number);
    (void)owner_hears(&heard);
    owner_closes();
    for (int looks = 0; looks < 2; looks++) {
        wait_until_readable();
        guest_look(&guest);
    }
    assert_int_equal(pthread_join(listener, NULL), 0);
    expect_own_answers(0, 1);
    expect_outcome(1, 1, OUTCOME_UNKNOWN);
}

static void who_begins_to_look_soon_gets_all(void **state)
{
    (void)state;
    struct op heard;
    link_played();
    begin_to_listen();
    usleep(20000); /* now it waits for the first */
    guest_look(&guest);
    assert_int_equal(ask_ops(0, 1, an_entry()), 1);
    uint32_t number = owner_hears(&heard);
    owner_answers(heard, number);
    while (!port_take_answered(&port))
        guest_look(&guest);
    assert_int_equal(ops[0].outcome, OUTCOME_OK);
    usleep(200000); /* now it leaves them to us */
    expect_one_heard_and_answered(1);
    usleep(20000);
    assert_null(port_take_answered(&port));
    guest_look(&guest);
    assert_ptr_equal(port_take_answered(&port), &ops[1]);
    guest_hang_up(&guest);
    assert_int_equal(pthread_join(listener, NULL), 0);
}

static void who_waits_for_places_is_told_though_another_waits_for_the_end(void **state)
{
    (void)state;
    static uint8_t packet[OP_PACKET_BYTES_MAX];
    struct asker asker;
    struct op heard;
    size_t size = 0;
    link_played();
    guest_look(&guest);
    begin_to_listen();
    usleep(20000); /* now it waits for the end */
    fill_batch(asker.batch, 0, GUEST_OPS_MAX + 10, an_entry());
    assert_int_equal(pthread_create(&asker.thread, NULL, ask_them_all, &asker), 0);
    for (uint32_t i = 0; i < GUEST_OPS_MAX; i++) {
        uint32_t number = owner_hears(&heard);
        heard.outcome = OUTCOME_OK;
        size += op_answer_encode(packet + size, &heard, number);
    }
    usleep(20000); /* now this one waits for places */
    assert_int_equal(send(played_owner, packet, size, 0), size);
    guest_look(&guest);
    assert_int_equal(pthread_join(asker.thread, NULL), 0);
    assert_int_equal(asker.asked, GUEST_OPS_MAX + 10);
    owner_closes();
    wait_until_readable();
    while (is_readable()) /* it died with questions unread, and that is told of first */
        guest_look(&guest);
    assert_int_equal(pthread_join(listener, NULL), 0);
    expect_outcome(0, GUEST_OPS_MAX, OUTCOME_OK);
    expect_outcome(GUEST_OPS_MAX, 10, OUTCOME_UNKNOWN);
}

static void who_hangs_up_waits_for_nobody_who_looked(void **state)
{
    (void)state;
    link_played();
    begin_to_listen();
    guest_look(&guest);
    assert_int_equal(ask_ops(0, 1, an_entry()), 1);
    guest_hang_up(&guest); /* and nobody looks any more */
    assert_int_equal(pthread_join(listener, NULL), 0);
    expect_outcome(0, 1, OUTCOME_UNKNOWN);
    guest_look(&guest);
    assert_false(is_readable());
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)
    const struct CMUnitTest tests[] = {
        TEST(more_ops_than_are_asked_at_once_go_through_once_each),
        TEST(answers_come_in_any_order_and_each_to_its_op),
        TEST(who_asks_for_more_than_there_are_places_waits_for_answers),
        TEST(who_waits_for_a_place_is_told_when_the_link_ends),
        TEST(what_the_owner_heard_and_did_not_answer_is_unknown_if_it_writes),
        TEST(what_only_reads_is_asked_of_the_next_owner_and_what_writes_is_not),
        TEST(what_only_reads_can_be_had_back),
        TEST(what_the_owner_would_not_hear_any_more_is_left_to_the_caller),
        TEST(a_batch_that_cannot_go_is_left_to_the_caller),
        TEST(an_owner_that_dies_with_questions_unread_has_answered_what_it_has),
        TEST(without_a_link_nothing_is_asked),
        TEST(a_link_that_ends_before_the_lost_are_asked_loses_them_no_more_than_before),
        TEST(who_looks_takes_answers_without_waiting_over_all_links),
        TEST(what_the_owner_said_before_its_end_is_taken_by_who_looks),
        TEST(who_begins_to_look_soon_gets_all),
        TEST(who_waits_for_places_is_told_though_another_waits_for_the_end),
        TEST(who_hangs_up_waits_for_nobody_who_looked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
