/* SPDX-License-Identifier: MIT
 *
 * test_guest_owner.c - what a guest takes for an answer, and what it knows of the owner.
 */
#define _GNU_SOURCE
#include "unit.h"

#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "failing_calls.h"
#include "guest_fixture.h"
#include "ledger_audit.h"
#include "store/lmdb/serving.h"

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
    assert_int_equal(send(played_owner, frame, size, MSG_NOSIGNAL), size);
}

static void nonsense_ends_the_link_and_answers_nothing(void **state)
{
    (void)state;
    static const struct nonsense cases[] = {
        {"an empty packet", OP_ENTRY, 0, NO_BYTES, SAME},
        {"a piece of an answer", OP_ENTRY, 0, -1, SAME},
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
        assert_int_equal(ask_ops(0, 3, entry_op(1, ENTRY_CREDIT, 1, NULL)), 3);
        assert_int_equal(ask_ops(3, 1, (struct op){.kind = OP_STATEMENT}), 1);
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

/* What it says before that is true. */
static void nonsense_behind_an_answer_ends_the_link(void **state)
{
    (void)state;
    for (int more = 1; more <= OP_ANSWER_BYTES_MAX; more += OP_ANSWER_BYTES_MAX - 1) {
        struct op heard;
        link_played();
        assert_int_equal(ask_ops(0, 2, entry_op(1, ENTRY_CREDIT, 1, NULL)), 2);
        uint32_t number = owner_hears(&heard);
        send_nonsense(heard, number, &(struct nonsense){"", OP_ENTRY, 0, more, SAME});
        guest_listen(&guest);
        expect_own_answers(0, 1);
        expect_outcome(1, 1, OUTCOME_UNKNOWN);
        (void)port_take_answered(&port);
    }
}

static void an_answer_that_comes_twice_is_nonsense(void **state)
{
    (void)state;
    struct op heard;
    link_played();
    assert_int_equal(ask_ops(0, 2, entry_op(1, ENTRY_CREDIT, 1, NULL)), 2);
    uint32_t number = owner_hears(&heard);
    owner_answers(heard, number);
    owner_answers(heard, number);
    guest_listen(&guest);
    expect_own_answers(0, 1);
    expect_outcome(1, 1, OUTCOME_UNKNOWN);
}

/* --- what it knows of the owner ------------------------------------------------------------- */

static void clients_that_the_owner_has_answered_for_are_known(void **state)
{
    (void)state;
    struct op heard;
    uint8_t frame[OP_ANSWER_BYTES_MAX];
    link_played();
    assert_int_equal(ask_ops(0, 1, (struct op){.kind = OP_HEALTH}), 1);
    owner_serves();
    for (uint32_t i = 10; i < 16; i++) {
        static const enum op_kind kinds[] = {OP_OPEN, OP_LIMIT, OP_STATEMENT, OP_CLIENT};
        assert_int_equal(ask_ops(i, 1, (struct op){.kind = kinds[i % 4]}), 1);
        uint32_t number = owner_hears(&heard);
        heard.outcome = i < 14 ? OUTCOME_OK : OUTCOME_NO_CLIENT;
        heard.account = (struct account){.client = heard.client};
        size_t size = op_answer_encode(frame, &heard, number);
        assert_int_equal(send(played_owner, frame, size, MSG_NOSIGNAL), size);
    }
    assert_int_equal(ask_ops(20, 1, (struct op){.kind = OP_STATEMENT}), 1); /* and never answered */
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
    assert_int_equal(ask_ops(0, 3, entry_op(1, ENTRY_CREDIT, 1, NULL)), 3);
    assert_false(guest_stuck(&guest));
    let_it_be_silent_for(ANSWER_TIMEOUT_MS - 1000);
    assert_false(guest_stuck(&guest));
    let_it_be_silent_for(ANSWER_TIMEOUT_MS + 1000);
    assert_true(guest_stuck(&guest));
    assert_int_equal(ask_ops(3, 1, entry_op(1, ENTRY_CREDIT, 1, NULL)),
                     1); /* that does not make it speak */
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
    assert_int_equal(shutdown(played_owner, SHUT_RD), 0);
    assert_int_equal(ask_ops(0, 1, entry_op(1, ENTRY_CREDIT, 1, NULL)), 0);
    give_back(0, 1);
    assert_int_equal(atomic_load(&guest.silent_since_ms), 0);
    link_played();
    assert_int_equal(ask_ops(1, 1, (struct op){.kind = OP_STATEMENT}), 1);
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
#define TEST(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)
    const struct CMUnitTest tests[] = {
        TEST(nonsense_ends_the_link_and_answers_nothing),
        TEST(nonsense_behind_an_answer_ends_the_link),
        TEST(an_answer_that_comes_twice_is_nonsense),
        TEST(clients_that_the_owner_has_answered_for_are_known),
        TEST(an_owner_that_is_silent_too_long_is_stuck),
        TEST(an_owner_of_whom_nothing_is_asked_is_not_stuck),
        TEST(without_memory_there_is_no_guest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
