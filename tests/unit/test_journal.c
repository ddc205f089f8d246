/* SPDX-License-Identifier: MIT
 *
 * test_journal.c - does a record follow from those before it? Each rule, from both of its sides.
 */
#include "unit.h"

#include <string.h>

#include "bank/journal.h"

enum { CLIENT = 7 };

/* An account that was opened as record 3, at time 1, with -5 and has not moved since. */
static const struct history opened = {
    .last_sequence = 3,
    .last_time_us = 1,
    .limit_cents = 100,
    .balance_cents = -5,
    .opening_balance_cents = -5,
    .client = CLIENT,
};

static struct journal_record opening_of(int64_t limit_cents, int64_t balance_cents)
{
    return (struct journal_record){.sequence = 3,
                                   .client = CLIENT,
                                   .kind = JOURNAL_OPENING,
                                   .limit_cents = limit_cents,
                                   .balance_cents = balance_cents,
                                   .entry = {.time_us = 1}};
}

static struct journal_record limit_of(int64_t limit_cents)
{
    struct journal_record record = opening_of(limit_cents, -5);
    record.kind = JOURNAL_LIMIT;
    record.sequence = 8;
    record.previous_sequence = 3;
    record.entry.time_us = 2;
    return record;
}

static struct journal_record entry_of(enum journal_kind kind, int64_t amount_cents,
                                      int64_t balance_cents)
{
    struct journal_record record = limit_of(100);
    record.kind = kind;
    record.balance_cents = balance_cents;
    record.entry.amount_cents = amount_cents;
    record.entry.kind = (enum entry_kind)kind;
    record.entry.description_bytes = 1;
    record.entry.description[0] = 'x';
    return record;
}

static void expect_history(const struct history *is, const struct history *should)
{
    assert_true(is->last_sequence == should->last_sequence);
    assert_true(is->last_time_us == should->last_time_us);
    assert_true(is->entries == should->entries);
    assert_true(is->limit_cents == should->limit_cents);
    assert_true(is->balance_cents == should->balance_cents);
    assert_true(is->opening_balance_cents == should->opening_balance_cents);
    assert_int_equal(is->client, should->client);
}

/* The record follows from `before`, and leaves the history at `after`. */
static void expect_follows(const struct history *before, const struct journal_record *record,
                           const struct history *after)
{
    struct history history = *before;
    const char *wrong = journal_follow(&history, record);
    if (wrong)
        FAIL("refused: %s", wrong);
    expect_history(&history, after);
    assert_true(history_sane(&history));
}

static void expect_refused(const struct history *before, const struct journal_record *record,
                           const char *sentence)
{
    struct history history = *before;
    const char *wrong = journal_follow(&history, record);
    if (!wrong)
        FAIL("it follows, where it should have been said that %s", sentence);
    assert_string_equal(wrong, sentence);
    expect_history(&history, before);
}

/* --- a record by itself --------------------------------------------------------------------- */

static void credits_and_debits_move_money_and_nothing_else_does(void **state)
{
    (void)state;
    assert_true(journal_moves_money(JOURNAL_CREDIT));
    assert_true(journal_moves_money(JOURNAL_DEBIT));
    assert_false(journal_moves_money(JOURNAL_OPENING));
    assert_false(journal_moves_money(JOURNAL_LIMIT));
}

static void each_kind_of_record_can_be_sane(void **state)
{
    (void)state;
    const struct journal_record records[] = {opening_of(100, -100), opening_of(0, CENTS_MAX),
                                             limit_of(5), entry_of(JOURNAL_CREDIT, 1, 0),
                                             entry_of(JOURNAL_DEBIT, CENTS_MAX, -100)};
    for (size_t i = 0; i < COUNT_OF(records); i++)
        assert_true(journal_record_sane(&records[i]));
}

static void a_record_with_terms_that_no_account_has_is_not_sane(void **state)
{
    (void)state;
    const struct journal_record sane[] = {opening_of(100, -5), limit_of(100),
                                          entry_of(JOURNAL_CREDIT, 1, 0),
                                          entry_of(JOURNAL_DEBIT, 1, 0)};
    for (size_t i = 0; i < COUNT_OF(sane); i++) {
        struct journal_record nobody = sane[i], poor = sane[i], rich = sane[i];
        nobody.client = 0;
        assert_false(journal_record_sane(&nobody));
        poor.balance_cents = -poor.limit_cents - 1;
        assert_false(journal_record_sane(&poor));
        rich.balance_cents = CENTS_MAX + 1;
        assert_false(journal_record_sane(&rich));
    }
}

static void a_record_that_moves_money_has_a_whole_entry_of_its_kind(void **state)
{
    (void)state;
    struct journal_record no_amount = entry_of(JOURNAL_CREDIT, 0, 0);
    struct journal_record nameless = entry_of(JOURNAL_DEBIT, 1, 0);
    struct journal_record other_kind = entry_of(JOURNAL_DEBIT, 1, 0);
    nameless.entry.description_bytes = 0;
    other_kind.entry.kind = ENTRY_CREDIT;
    assert_false(journal_record_sane(&no_amount));
    assert_false(journal_record_sane(&nameless));
    assert_false(journal_record_sane(&other_kind));
    other_kind.kind = JOURNAL_CREDIT;
    assert_true(journal_record_sane(&other_kind));
}

static void a_record_that_moves_none_has_neither_amount_nor_description(void **state)
{
    (void)state;
    const struct journal_record sane[] = {opening_of(100, -5), limit_of(100)};
    for (size_t i = 0; i < COUNT_OF(sane); i++) {
        struct journal_record amount = sane[i], negative = sane[i], named = sane[i];
        amount.entry.amount_cents = 1;
        negative.entry.amount_cents = -1;
        named.entry.description_bytes = 1;
        assert_false(journal_record_sane(&amount));
        assert_false(journal_record_sane(&negative));
        assert_false(journal_record_sane(&named));
    }
}

static void a_record_of_no_known_kind_is_not_sane(void **state)
{
    (void)state;
    for (int kind = -1; kind <= UINT8_MAX; kind++) {
        struct journal_record record = opening_of(100, -5);
        record.kind = (enum journal_kind)kind;
        assert_int_equal(journal_record_sane(&record), kind == 'o' || kind == 'l');
        record = entry_of(JOURNAL_DEBIT, 1, -6);
        record.kind = (enum journal_kind)kind;
        record.entry.kind = (enum entry_kind)kind;
        assert_int_equal(journal_record_sane(&record), kind == 'c' || kind == 'd');
    }
}

/* --- a history by itself -------------------------------------------------------------------- */

static void each_clause_of_a_sane_history_counts(void **state)
{
    (void)state;
    struct history history = {0};
    assert_true(history_sane(&history)); /* nothing yet */
    history.client = 7;                  /* but whose it will be */
    assert_true(history_sane(&history));
    history.entries = 1;
    assert_false(history_sane(&history));
    history = (struct history){.limit_cents = 1};
    assert_false(history_sane(&history));
    history = (struct history){.balance_cents = 1};
    assert_false(history_sane(&history));
    history = (struct history){.opening_balance_cents = 1};
    assert_false(history_sane(&history));
    history = (struct history){.last_time_us = 1};
    assert_false(history_sane(&history));
    history = opened;
    history.entries = 2; /* three records: an opening and two entries */
    assert_true(history_sane(&history));
    history.entries = 3;
    assert_false(history_sane(&history));
    history.entries = 4;
    assert_false(history_sane(&history));
    history = opened;
    history.client = 0;
    assert_false(history_sane(&history));
    history = opened;
    history.balance_cents = -101;
    assert_false(history_sane(&history));
    history = opened;
    history.limit_cents = -1;
    history.last_sequence = 1;
    assert_false(history_sane(&history));
}

/* --- openings ------------------------------------------------------------------------------- */

static void an_opening_begins_a_history(void **state)
{
    (void)state;
    const struct history none = {0};
    struct journal_record record = opening_of(100, -5);
    expect_follows(&none, &record, &opened);
    record.sequence = 1;
    struct history first = opened;
    first.last_sequence = 1;
    expect_follows(&none, &record, &first);
}

static void an_account_is_opened_once(void **state)
{
    (void)state;
    struct journal_record record = opening_of(100, -5);
    record.sequence = 8;
    record.previous_sequence = 3;
    expect_refused(&opened, &record, "it opens an account that was open already");
}

static void nothing_happens_to_an_account_before_its_opening(void **state)
{
    (void)state;
    const struct history none = {0};
    struct journal_record records[] = {limit_of(100), entry_of(JOURNAL_CREDIT, 1, 1),
                                       entry_of(JOURNAL_DEBIT, 1, -1)};
    for (size_t i = 0; i < COUNT_OF(records); i++) {
        records[i].previous_sequence = 0;
        expect_refused(&none, &records[i], "its account has not been opened");
    }
}

static void an_opening_has_nothing_before_it(void **state)
{
    (void)state;
    const struct history none = {0};
    struct journal_record record = opening_of(100, -5);
    record.previous_sequence = 1;
    expect_refused(&none, &record, "its link is not to the account's record before it");
}

static void there_is_no_record_zero(void **state)
{
    (void)state;
    const struct history none = {0};
    struct journal_record record = opening_of(100, -5);
    record.sequence = 0;
    expect_refused(&none, &record, "its sequence does not rise");
}

/* --- links and sequences -------------------------------------------------------------------- */

static void every_record_links_to_the_one_before_it(void **state)
{
    (void)state;
    static const uint64_t others[] = {0, 2, 4, 8, UINT64_MAX};
    const struct journal_record sound[] = {limit_of(100), entry_of(JOURNAL_CREDIT, 1, -4),
                                           entry_of(JOURNAL_DEBIT, 1, -6)};
    for (size_t i = 0; i < COUNT_OF(sound); i++)
        for (size_t j = 0; j < COUNT_OF(others); j++) {
            struct journal_record record = sound[i];
            record.previous_sequence = others[j];
            expect_refused(&opened, &record, "its link is not to the account's record before it");
        }
}

static void sequences_rise(void **state)
{
    (void)state;
    struct journal_record record = limit_of(100);
    struct history after = opened;
    after.last_time_us = 2;
    for (record.sequence = 0; record.sequence <= 3; record.sequence++)
        expect_refused(&opened, &record, "its sequence does not rise");
    after.last_sequence = 4;
    expect_follows(&opened, &record, &after);
    record.sequence = after.last_sequence = UINT64_MAX;
    expect_follows(&opened, &record, &after);
}

static void times_of_an_account_rise(void **state)
{
    (void)state;
    struct journal_record record = limit_of(100);
    struct history after = opened;
    after.last_sequence = 8;
    static const int64_t late[] = {1, 0, -1, INT64_MIN}, later[] = {2, 3, INT64_MAX};
    for (size_t i = 0; i < COUNT_OF(late); i++) {
        record.entry.time_us = late[i];
        expect_refused(&opened, &record, "its time does not rise");
    }
    for (size_t i = 0; i < COUNT_OF(later); i++) {
        record.entry.time_us = after.last_time_us = later[i];
        expect_follows(&opened, &record, &after);
    }
}

static void an_opening_may_be_of_any_time(void **state)
{
    (void)state;
    const struct history none = {0};
    struct journal_record record = opening_of(100, -5);
    struct history after = opened;
    static const int64_t times[] = {INT64_MIN, -1, 0, INT64_MAX};
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        record.entry.time_us = after.last_time_us = times[i];
        expect_follows(&none, &record, &after);
    }
}

/* --- limits --------------------------------------------------------------------------------- */

static void a_limit_is_raised_or_lowered_to_the_debt(void **state)
{
    (void)state;
    static const int64_t limits[] = {5, 6, 99, 100, 101, CENTS_MAX};
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        struct journal_record record = limit_of(limits[i]);
        struct history after = opened;
        after.last_sequence = 8;
        after.last_time_us = 2;
        after.limit_cents = limits[i];
        expect_follows(&opened, &record, &after);
    }
}

static void a_change_of_the_limit_moves_no_money(void **state)
{
    (void)state;
    static const int64_t balances[] = {-6, -4, 0, CENTS_MAX, -100};
    for (size_t i = 0; i < COUNT_OF(balances); i++) {
        struct journal_record record = limit_of(200);
        record.balance_cents = balances[i];
        expect_refused(&opened, &record, "it changes the balance, where only the limit may change");
    }
}

/* --- entries -------------------------------------------------------------------------------- */

static void entries_add_up(void **state)
{
    (void)state;
    struct history history = opened, after = opened;
    static const struct {
        enum journal_kind kind;
        int64_t amount, balance;
    } steps[] = {{JOURNAL_CREDIT, 10, 5},
                 {JOURNAL_DEBIT, 105, -100},
                 {JOURNAL_CREDIT, CENTS_MAX, CENTS_MAX - 100},
                 {JOURNAL_CREDIT, 100, CENTS_MAX},
                 {JOURNAL_DEBIT, CENTS_MAX, 0}};
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        struct journal_record record = entry_of(steps[i].kind, steps[i].amount, steps[i].balance);
        record.previous_sequence = history.last_sequence;
        record.sequence = after.last_sequence = history.last_sequence + 1 + 2 * i;
        record.entry.time_us = after.last_time_us = history.last_time_us + 1 + (int64_t)i;
        after.balance_cents = steps[i].balance;
        after.entries++;
        expect_follows(&history, &record, &after);
        history = after;
    }
}

static void an_entry_is_under_the_limit_in_force(void **state)
{
    (void)state;
    static const int64_t limits[] = {99, 101, 5, 0};
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        struct journal_record record = entry_of(JOURNAL_CREDIT, 10, 5);
        record.limit_cents = limits[i];
        expect_refused(&opened, &record, "its limit is not the one that was in force");
    }
}

static void an_entrys_balance_is_the_one_before_it_and_its_amount(void **state)
{
    (void)state;
    static const struct {
        enum journal_kind kind;
        int64_t balance;
    } wrong[] = {{JOURNAL_CREDIT, 4},   {JOURNAL_CREDIT, 6},  {JOURNAL_CREDIT, -15},
                 {JOURNAL_CREDIT, -5},  {JOURNAL_DEBIT, -14}, {JOURNAL_DEBIT, -16},
                 {JOURNAL_DEBIT, -100}, {JOURNAL_DEBIT, 5}};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct journal_record record = entry_of(wrong[i].kind, 10, wrong[i].balance);
        expect_refused(&opened, &record, "its balance is not the one before it and its amount");
    }
}

static void an_entry_that_the_ledger_refuses_does_not_follow(void **state)
{
    (void)state;
    struct journal_record debit = entry_of(JOURNAL_DEBIT, 96, -100);
    struct journal_record credit = entry_of(JOURNAL_CREDIT, CENTS_MAX, CENTS_MAX);
    struct history rich = opened;
    rich.balance_cents = 1;
    expect_refused(&opened, &debit, "it takes the balance below the limit");
    expect_refused(&rich, &credit, "it takes the balance past the largest there is");
}

/* --- mistakes of ours ----------------------------------------------------------------------- */

struct following {
    struct history history;
    struct journal_record record;
};

static void follow(const void *argument)
{
    const struct following *following = argument;
    struct history history = following->history;
    (void)!journal_follow(&history, &following->record);
}

static void only_sane_records_are_held_to_sane_histories(void **state)
{
    (void)state;
    const struct following sane = {opened, limit_of(100)};
    struct following history = sane, record = sane;
    history.history.client = 0;
    record.record.client = 0;
    assert_false(asserts(follow, &sane));
    assert_true(asserts(follow, &history));
    assert_true(asserts(follow, &record));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(credits_and_debits_move_money_and_nothing_else_does),
        cmocka_unit_test(each_kind_of_record_can_be_sane),
        cmocka_unit_test(a_record_with_terms_that_no_account_has_is_not_sane),
        cmocka_unit_test(a_record_that_moves_money_has_a_whole_entry_of_its_kind),
        cmocka_unit_test(a_record_that_moves_none_has_neither_amount_nor_description),
        cmocka_unit_test(a_record_of_no_known_kind_is_not_sane),
        cmocka_unit_test(each_clause_of_a_sane_history_counts),
        cmocka_unit_test(an_opening_begins_a_history),
        cmocka_unit_test(an_account_is_opened_once),
        cmocka_unit_test(nothing_happens_to_an_account_before_its_opening),
        cmocka_unit_test(an_opening_has_nothing_before_it),
        cmocka_unit_test(there_is_no_record_zero),
        cmocka_unit_test(every_record_links_to_the_one_before_it),
        cmocka_unit_test(sequences_rise),
        cmocka_unit_test(times_of_an_account_rise),
        cmocka_unit_test(an_opening_may_be_of_any_time),
        cmocka_unit_test(a_limit_is_raised_or_lowered_to_the_debt),
        cmocka_unit_test(a_change_of_the_limit_moves_no_money),
        cmocka_unit_test(entries_add_up),
        cmocka_unit_test(an_entry_is_under_the_limit_in_force),
        cmocka_unit_test(an_entrys_balance_is_the_one_before_it_and_its_amount),
        cmocka_unit_test(an_entry_that_the_ledger_refuses_does_not_follow),
        cmocka_unit_test(only_sane_records_are_held_to_sane_histories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
