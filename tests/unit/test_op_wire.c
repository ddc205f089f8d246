/* SPDX-License-Identifier: MIT
 *
 * test_op_wire.c - an op and its answer, between processes: what goes in comes out, and of all
 * other bytes nothing comes out but a sane op.
 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "store/lmdb/op_wire.h"

enum { ROUNDS = 2000, KINDS = OP_SETTLE + 1, FRAME_BYTES_MAX = OP_ANSWER_BYTES_MAX };

static uint8_t frame[FRAME_BYTES_MAX], again[FRAME_BYTES_MAX];

static struct entry random_entry(void)
{
    struct entry entry = {
        .amount_cents = (int64_t)random_between(1, (uint64_t)CENTS_MAX),
        .time_us = (int64_t)random_next(),
        .kind = random_between(0, 1) ? ENTRY_CREDIT : ENTRY_DEBIT,
        .description_bytes = (uint8_t)random_between(1, DESCRIPTION_BYTES_MAX),
    };
    random_fill(entry.description, entry.description_bytes);
    return entry;
}

static void random_terms(int64_t *ret_limit_cents, int64_t *ret_balance_cents)
{
    *ret_limit_cents = (int64_t)random_between(0, (uint64_t)CENTS_MAX);
    *ret_balance_cents = (int64_t)random_between(0, (uint64_t)(*ret_limit_cents + CENTS_MAX)) -
                         *ret_limit_cents;
}

static struct op random_question(enum op_kind kind)
{
    struct op op = {.kind = kind, .client = (uint32_t)random_between(1, CLIENT_MAX)};
    if (kind == OP_ENTRY) {
        op.entry = random_entry();
        op.entry.time_us = 0; /* the store sets it */
        op.key_bytes = (uint8_t)random_between(0, KEY_BYTES_MAX);
        random_fill(op.key, op.key_bytes);
    }
    if (kind == OP_OPEN)
        random_terms(&op.limit_cents, &op.balance_cents);
    if (kind == OP_LIMIT)
        op.limit_cents = (int64_t)random_between(0, (uint64_t)CENTS_MAX);
    return op;
}

/* As the store would answer it. */
static void random_answer(struct op *op)
{
    op->outcome = random_between(0, 2) > 0 ? OUTCOME_OK
                                           : (enum outcome)random_between(1, OUTCOME_UNKNOWN);
    if (op->outcome != OUTCOME_OK)
        return;
    if (op_writes(op))
        random_terms(&op->limit_cents, &op->balance_cents);
    if (op->kind == OP_ENTRY) {
        op->replayed = random_between(0, 1) == 1;
        op->entry.time_us = (int64_t)random_next();
    }
    if (op->kind == OP_STATEMENT) {
        op->snapshot_us = (int64_t)random_next();
        op->account.client = op->client;
        random_terms(&op->account.limit_cents, &op->account.balance_cents);
        op->account.recent_count = (uint32_t)random_between(0, STATEMENT_ENTRIES_MAX);
        for (uint32_t i = 0; i < op->account.recent_count; i++)
            op->account.recent[i] = random_entry();
    }
}

static void expect_same_entry(const struct entry *a, const struct entry *b)
{
    assert_true(a->kind == b->kind && a->amount_cents == b->amount_cents &&
                a->time_us == b->time_us && a->description_bytes == b->description_bytes);
    assert_memory_equal(a->description, b->description, a->description_bytes);
}

static void expect_same(const struct op *a, const struct op *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->client, b->client);
    assert_int_equal(a->key_bytes, b->key_bytes);
    assert_memory_equal(a->key, b->key, KEY_BYTES_MAX);
    expect_same_entry(&a->entry, &b->entry);
    assert_true(a->limit_cents == b->limit_cents && a->balance_cents == b->balance_cents);
    assert_int_equal(a->outcome, b->outcome);
    assert_int_equal(a->replayed, b->replayed);
    assert_true(a->snapshot_us == b->snapshot_us);
    assert_int_equal(a->account.client, b->account.client);
    assert_true(a->account.limit_cents == b->account.limit_cents &&
                a->account.balance_cents == b->account.balance_cents);
    assert_int_equal(a->account.recent_count, b->account.recent_count);
    for (uint32_t i = 0; i < a->account.recent_count; i++)
        expect_same_entry(&a->account.recent[i], &b->account.recent[i]);
}

static void a_question_comes_out_as_it_went_in(void **state)
{
    (void)state;
    random_begin();
    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct op op = random_question((enum op_kind)(i % KINDS)), out;
        uint32_t number = (uint32_t)random_next(), out_number;
        memset(&out, 0xa5, sizeof out);
        size_t size = op_question_encode(frame, &op, number);
        assert_in_range(size, 1, OP_QUESTION_BYTES_MAX);
        assert_true(op_question_decode(&out, &out_number, frame, size));
        expect_same(&op, &out);
        assert_int_equal(out_number, number);
        assert_int_equal(out.state, OP_IDLE);
        assert_null(out.next);
        assert_null(out.context);
    }
}

static void an_answer_comes_out_as_it_went_in(void **state)
{
    (void)state;
    random_begin();
    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct op asked = random_question((enum op_kind)(i % KINDS)), op = asked;
        uint32_t number = (uint32_t)random_next(), out_number;
        random_answer(&op);
        size_t size = op_answer_encode(frame, &op, number);
        assert_in_range(size, 1, OP_ANSWER_BYTES_MAX);
        asked.context = &asked;
        assert_true(op_answer_decode(&asked, &out_number, frame, size));
        expect_same(&op, &asked);
        assert_int_equal(out_number, number);
        assert_ptr_equal(asked.context, &asked); /* the asker's own */
    }
}

/* Ops are used again: what an earlier question or answer left is not sent along. */
static void only_what_the_kind_and_the_outcome_have_is_sent(void **state)
{
    (void)state;
    struct op used = {.kind = OP_STATEMENT, .client = 1, .key_bytes = 3, .key = "abc"}, out;
    uint32_t number;
    size_t size = op_question_encode(frame, &used, 1);
    assert_true(op_question_decode(&out, &number, frame, size));
    assert_int_equal(out.key_bytes, 0);

    used.kind = OP_ENTRY;
    used.replayed = true;
    used.outcome = OUTCOME_KEY_REUSED;
    out = (struct op){.kind = OP_ENTRY, .client = 1};
    size = op_answer_encode(frame, &used, 1);
    assert_true(op_answer_decode(&out, &number, frame, size));
    assert_int_equal(out.outcome, OUTCOME_KEY_REUSED);
    assert_false(out.replayed);
}

static void the_largest_of_each_just_fit(void **state)
{
    (void)state;
    struct op op = {.kind = OP_ENTRY, .client = 1, .key_bytes = KEY_BYTES_MAX};
    op.entry = (struct entry){1, 0, ENTRY_CREDIT, DESCRIPTION_BYTES_MAX, "x"};
    assert_int_equal(op_question_encode(frame, &op, 1), OP_QUESTION_BYTES_MAX);
    op.kind = OP_STATEMENT;
    op.account = (struct account){.client = 1, .recent_count = STATEMENT_ENTRIES_MAX};
    for (int i = 0; i < STATEMENT_ENTRIES_MAX; i++)
        op.account.recent[i] = op.entry;
    assert_int_equal(op_answer_encode(frame, &op, 1), OP_ANSWER_BYTES_MAX);
}

/* --- bytes that nobody meant ---------------------------------------------------------------- */

/* 0: not taken. Else how many bytes are: a sane op's, and they are the only ones that are it. In memory of
 * just that size, so that a byte read beyond it is found out. */
static size_t taken_as_question(const uint8_t *bytes, size_t size)
{
    struct op op = {.client = 4711};
    uint32_t number;
    uint8_t *exact = malloc(size > 0 ? size : 1);
    assert_non_null(exact);
    memcpy(exact, bytes, size);
    size_t taken = op_question_decode(&op, &number, exact, size);
    free(exact);
    if (taken == 0) {
        assert_int_equal(op.client, 4711);
        return 0;
    }
    assert_true(op_sane(&op));
    assert_int_equal(op_question_encode(again, &op, number), taken);
    assert_memory_equal(again, bytes, taken);
    return taken;
}

static size_t taken_as_answer(const struct op *asked, const uint8_t *bytes, size_t size)
{
    struct op op = *asked;
    uint32_t number;
    uint8_t *exact = malloc(size > 0 ? size : 1);
    assert_non_null(exact);
    memcpy(exact, bytes, size);
    size_t taken = op_answer_decode(&op, &number, exact, size);
    free(exact);
    if (taken == 0) {
        expect_same(&op, asked);
        return 0;
    }
    if (op.outcome == OUTCOME_OK && op_writes(&op))
        assert_true(ledger_terms_sane(op.client, op.limit_cents, op.balance_cents));
    if (op.outcome == OUTCOME_OK && op.kind == OP_STATEMENT)
        assert_true(account_sane(&op.account));
    assert_int_equal(op_answer_encode(again, &op, number), taken);
    assert_memory_equal(again, bytes, taken);
    return taken;
}

static void a_frame_cut_short_is_none_and_what_follows_it_is_another(void **state)
{
    (void)state;
    random_begin();
    for (uint32_t i = 0; i < 200; i++) {
        struct op asked = random_question((enum op_kind)(i % KINDS)), op = asked;
        uint8_t longer[FRAME_BYTES_MAX + 1] = {0};
        size_t size = op_question_encode(longer, &asked, i);
        for (size_t cut = 0; cut < size; cut++)
            assert_false(taken_as_question(longer, cut));
        assert_int_equal(taken_as_question(longer, size), size);
        assert_int_equal(taken_as_question(longer, size + 1), size);

        random_answer(&op);
        memset(longer, 0, sizeof longer);
        size = op_answer_encode(longer, &op, i);
        for (size_t cut = 0; cut < size; cut++)
            assert_false(taken_as_answer(&asked, longer, cut));
        assert_int_equal(taken_as_answer(&asked, longer, size), size);
        assert_int_equal(taken_as_answer(&asked, longer, size + 1), size);
    }
}

static void a_frame_with_a_flipped_bit_is_none_or_a_sane_op(void **state)
{
    (void)state;
    random_begin();
    for (uint32_t i = 0; i < 100; i++) {
        struct op asked = random_question((enum op_kind)(i % KINDS)), op = asked;
        random_answer(&op);
        size_t size = op_question_encode(frame, &asked, i);
        for (size_t bit = 0; bit < 8 * size; bit++) {
            frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
            (void)taken_as_question(frame, size);
            frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        size = op_answer_encode(frame, &op, i);
        for (size_t bit = 0; bit < 8 * size; bit++) {
            frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
            (void)taken_as_answer(&asked, frame, size);
            frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
}

static void noise_is_none_or_a_sane_op(void **state)
{
    (void)state;
    random_begin();
    for (uint32_t i = 0; i < 20000; i++) {
        struct op asked = random_question((enum op_kind)(i % KINDS)), op = asked;
        random_answer(&op);
        bool question = random_between(0, 1) == 1;
        size_t size = question ? op_question_encode(frame, &asked, i)
                               : op_answer_encode(frame, &op, i);
        /* Mostly from the beginning on, where a frame says what it is. */
        for (uint64_t holes = random_between(1, 4); holes > 0; holes--)
            frame[random_between(0, random_between(0, 3) > 0 ? 11 : size - 1) % size] =
                (uint8_t)(random_between(0, 1) ? random_next() : random_between(0, 12));
        if (question)
            (void)taken_as_question(frame, size);
        else
            (void)taken_as_answer(&asked, frame, size);
    }
}

/* --- what must not be taken, one by one ----------------------------------------------------- */

static size_t question_of(const struct op *op)
{
    return op_question_encode(frame, op, 1);
}

static void another_version_or_kind_is_not_taken(void **state)
{
    (void)state;
    random_begin();
    for (int kind = 0; kind < KINDS; kind++) {
        struct op op = random_question((enum op_kind)kind);
        size_t size = question_of(&op);
        frame[0] = OP_WIRE_VERSION + 1;
        assert_false(taken_as_question(frame, size));
        frame[0] = 0;
        assert_false(taken_as_question(frame, size));
        frame[0] = OP_WIRE_VERSION;
        frame[1] = KINDS;
        assert_false(taken_as_question(frame, size));
        frame[1] = UINT8_MAX;
        assert_false(taken_as_question(frame, size));

        random_answer(&op);
        size = op_answer_encode(frame, &op, 1);
        frame[0] = OP_WIRE_VERSION + 1;
        assert_false(taken_as_answer(&op, frame, size));
        frame[0] = OP_WIRE_VERSION;
        frame[1] = (uint8_t)((kind + 1) % KINDS); /* an answer to another kind */
        assert_false(taken_as_answer(&op, frame, size));
        frame[1] = (uint8_t)kind;
        frame[2] = OUTCOME_UNKNOWN + 1;
        assert_false(taken_as_answer(&op, frame, size));
    }
}

/* A question that is sane but for one thing, which is put in after encoding. */
static void a_question_that_breaks_a_rule_is_not_taken(void **state)
{
    (void)state;
    const struct entry entry = {1, 0, ENTRY_CREDIT, 1, "x"};
    const struct {
        struct op op;
        size_t at;
        uint8_t bytes[8];
        size_t size;
    } cases[] = {
        {{.kind = OP_STATEMENT, .client = 1}, 8, {0}, 4},                   /* client 0 */
        {{.kind = OP_CLIENT, .client = 1}, 8, {0, 0, 0, 0x80}, 4},          /* 2^31 */
        {{.kind = OP_STATEMENT, .client = 1}, 2, {1}, 1},                   /* a key */
        {{.kind = OP_STATEMENT, .client = 1}, 3, {1}, 1},                   /* not zero */
        {{.kind = OP_LIMIT, .client = 1}, 12, {0, 0, 0, 0, 0, 0, 0x20}, 8}, /* CENTS_MAX + 1 */
        {{.kind = OP_LIMIT, .client = 1}, 19, {0x80}, 1},                   /* negative */
        {{.kind = OP_OPEN, .client = 1}, 19, {0x80}, 1},
        {{.kind = OP_OPEN, .client = 1}, 20, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 8},
        {{.kind = OP_OPEN, .client = 1}, 20, {0, 0, 0, 0, 0, 0, 0x20}, 8},
        {{.kind = OP_OPEN, .client = 1}, 8, {0}, 4},
        {{.kind = OP_ENTRY, .client = 1, .entry = entry}, 12, {0}, 8}, /* nothing moves */
        {{.kind = OP_ENTRY, .client = 1, .entry = entry}, 19, {0x80}, 1},
        {{.kind = OP_ENTRY, .client = 1, .entry = entry}, 20, {'x'}, 1},
        {{.kind = OP_ENTRY, .client = 1, .entry = entry}, 8, {0}, 4},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t size = question_of(&cases[i].op);
        assert_true(taken_as_question(frame, size));
        assert_true(cases[i].at + cases[i].size <= size);
        memcpy(frame + cases[i].at, cases[i].bytes, cases[i].size);
        if (taken_as_question(frame, size))
            FAIL("case %zu is taken", i);
    }
    /* Sizes of a description and of a key that would be right for the frame, but not for us. */
    struct op op = {.kind = OP_ENTRY, .client = 1, .entry = entry};
    memset(frame, 'x', sizeof frame);
    (void)question_of(&op);
    frame[21] = DESCRIPTION_BYTES_MAX + 1;
    assert_false(taken_as_question(frame, 22 + DESCRIPTION_BYTES_MAX + 1));
    (void)question_of(&op);
    frame[2] = KEY_BYTES_MAX + 1;
    assert_false(taken_as_question(frame, 22 + 1 + KEY_BYTES_MAX + 1));
    (void)question_of(&op);
    frame[21] = 0;
    assert_false(taken_as_question(frame, 22));
}

static void an_answer_that_breaks_a_rule_is_not_taken(void **state)
{
    (void)state;
    struct op op = {.kind = OP_ENTRY, .client = 1, .limit_cents = 5, .balance_cents = -5};
    op.entry = (struct entry){1, 0, ENTRY_CREDIT, 1, "x"};
    size_t size = op_answer_encode(frame, &op, 1);
    assert_true(taken_as_answer(&op, frame, size));
    frame[3] = 2; /* neither replayed nor not */
    assert_false(taken_as_answer(&op, frame, size));
    frame[3] = 1;
    assert_true(taken_as_answer(&op, frame, size));
    frame[8] = 4; /* the balance is below the limit */
    assert_false(taken_as_answer(&op, frame, size));

    op.outcome = OUTCOME_NO_CLIENT;
    size = op_answer_encode(frame, &op, 1);
    assert_int_equal(size, 8);
    frame[3] = 1;
    assert_false(taken_as_answer(&op, frame, size));
    frame[3] = 0;
    frame[2] = OUTCOME_OK; /* and nothing after it */
    assert_false(taken_as_answer(&op, frame, size));

    static const enum op_kind uncounted[] = {OP_OPEN, OP_LIMIT, OP_CLIENT, OP_HEALTH, OP_SETTLE};
    op.outcome = OUTCOME_OK;
    for (size_t i = 0; i < COUNT_OF(uncounted); i++) {
        op.kind = uncounted[i];
        size = op_answer_encode(frame, &op, 1);
        assert_true(taken_as_answer(&op, frame, size));
        frame[3] = 1;
        assert_false(taken_as_answer(&op, frame, size));
    }

    op.kind = OP_STATEMENT;
    op.account = (struct account){.client = 1, .recent_count = STATEMENT_ENTRIES_MAX};
    for (int i = 0; i < STATEMENT_ENTRIES_MAX; i++)
        op.account.recent[i] = op.entry;
    uint8_t longer[OP_ANSWER_BYTES_MAX + 18 + DESCRIPTION_BYTES_MAX];
    size = op_answer_encode(longer, &op, 1);
    memcpy(longer + size, longer + size - 19, 19); /* one more of the same */
    longer[3] = STATEMENT_ENTRIES_MAX + 1;
    assert_false(taken_as_answer(&op, longer, size + 19));
}

static void a_greeting_is_known_by_its_version(void **state)
{
    (void)state;
    static const uint8_t durable_one[] = "crebito\x03\x01"; /* its first eight are so for ever */
    uint8_t greeting[OP_GREETING_BYTES + 1] = {0};
    for (int durable = 0; durable <= 1; durable++) {
        bool said = !durable;
        op_greeting_encode(greeting, durable);
        assert_true(op_greeting_decode(&said, greeting, OP_GREETING_BYTES));
        assert_int_equal(said, durable);
        said = !durable;
        assert_false(op_greeting_decode(&said, greeting, OP_GREETING_BYTES - 1));
        assert_false(op_greeting_decode(&said, greeting, OP_GREETING_BYTES + 1));
        for (size_t i = 0; i < OP_GREETING_BYTES; i++) {
            greeting[i] += 2;
            assert_false(op_greeting_decode(&said, greeting, OP_GREETING_BYTES));
            greeting[i] -= 2;
        }
        assert_int_equal(said, !durable); /* untouched */
    }
    assert_memory_equal(greeting, durable_one, OP_GREETING_BYTES);
}

static void an_answer_tells_its_number_before_it_is_read(void **state)
{
    (void)state;
    struct op op = {.kind = OP_HEALTH};
    size_t size = op_answer_encode(frame, &op, 0x01020304);
    assert_int_equal(op_answer_number(frame, size), 0x01020304);
    assert_int_equal(op_answer_number(frame, 7), 0); /* and a piece of one has none */
    assert_int_equal(op_answer_number(frame, 0), 0);
}

static void a_question_is_sane_or_not(void **state)
{
    (void)state;
    struct op op = {.kind = OP_ENTRY, .client = 1, .entry = {1, 0, ENTRY_DEBIT, 1, "x"}};
    assert_true(op_sane(&op));
    op.key_bytes = KEY_BYTES_MAX + 1;
    assert_false(op_sane(&op));
    op.key_bytes = KEY_BYTES_MAX;
    assert_true(op_sane(&op));
    op.client = 0;
    assert_false(op_sane(&op));
    op.client = CLIENT_MAX;
    assert_true(op_sane(&op));
    op.client++;
    assert_false(op_sane(&op));
    op.kind = OP_HEALTH;
    assert_true(op_sane(&op));
    op.kind = (enum op_kind)KINDS;
    assert_false(op_sane(&op));
    op = (struct op){.kind = OP_OPEN, .client = 1, .limit_cents = 5, .balance_cents = -5};
    assert_true(op_sane(&op));
    op.balance_cents--;
    assert_false(op_sane(&op));
    op.kind = OP_LIMIT; /* the present debt is for the store to judge */
    assert_true(op_sane(&op));
    op.limit_cents = -1;
    assert_false(op_sane(&op));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_comes_out_as_it_went_in),
        cmocka_unit_test(an_answer_comes_out_as_it_went_in),
        cmocka_unit_test(only_what_the_kind_and_the_outcome_have_is_sent),
        cmocka_unit_test(the_largest_of_each_just_fit),
        cmocka_unit_test(a_frame_cut_short_is_none_and_what_follows_it_is_another),
        cmocka_unit_test(a_frame_with_a_flipped_bit_is_none_or_a_sane_op),
        cmocka_unit_test(noise_is_none_or_a_sane_op),
        cmocka_unit_test(another_version_or_kind_is_not_taken),
        cmocka_unit_test(a_question_that_breaks_a_rule_is_not_taken),
        cmocka_unit_test(an_answer_that_breaks_a_rule_is_not_taken),
        cmocka_unit_test(a_greeting_is_known_by_its_version),
        cmocka_unit_test(an_answer_tells_its_number_before_it_is_read),
        cmocka_unit_test(a_question_is_sane_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
