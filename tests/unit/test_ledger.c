/* SPDX-License-Identifier: MIT
 *
 * test_ledger.c - the rule that moves money, at its edges.
 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "bank/ledger.h"

static struct entry entry_of(enum entry_kind kind, int64_t amount_cents)
{
    return (struct entry){.amount_cents = amount_cents,
                          .time_us = 1,
                          .kind = kind,
                          .description_bytes = 1,
                          .description = "x"};
}

/* In memory that is filled already, padding and all. */
static void set_entry(struct entry *entry, enum entry_kind kind, int64_t amount_cents)
{
    entry->kind = kind;
    entry->amount_cents = amount_cents;
    entry->description_bytes = 1;
}

static struct account account_of(int64_t limit_cents, int64_t balance_cents)
{
    return (struct account){
        .client = 1, .limit_cents = limit_cents, .balance_cents = balance_cents};
}

static void expect_applied(int64_t limit, int64_t balance, enum entry_kind kind, int64_t amount)
{
    struct account account = account_of(limit, balance);
    struct entry entry = entry_of(kind, amount);
    assert_int_equal(ledger_apply(&account, &entry), OUTCOME_OK);
    assert_int_equal(account.balance_cents,
                     kind == ENTRY_DEBIT ? balance - amount : balance + amount);
    assert_int_equal(account.limit_cents, limit);
    assert_int_equal(account.recent_count, 1);
    assert_true(entry_same_request(&account.recent[0], &entry));
    assert_true(account.recent[0].time_us == entry.time_us);
    assert_true(account_sane(&account));
}

/* Nothing but the answer: every byte of the account is what it was. */
static void expect_refused(int64_t limit, int64_t balance, enum entry_kind kind, int64_t amount,
                           enum outcome outcome)
{
    struct account account, before;
    memset(&account, 0x5a, sizeof account);
    account.client = 1;
    account.limit_cents = limit;
    account.balance_cents = balance;
    account.recent_count = STATEMENT_ENTRIES_MAX;
    for (uint32_t i = 0; i < STATEMENT_ENTRIES_MAX; i++)
        set_entry(&account.recent[i], ENTRY_CREDIT, i + 1);
    memcpy(&before, &account, sizeof account);
    struct entry entry = entry_of(kind, amount);
    assert_int_equal(ledger_apply(&account, &entry), outcome);
    assert_memory_equal(&account, &before, sizeof account);
}

static void debit_to_exactly_the_limit_is_accepted(void **state)
{
    (void)state;
    expect_applied(100000, 0, ENTRY_DEBIT, 100000);
    expect_applied(100000, -99999, ENTRY_DEBIT, 1);
    expect_applied(100000, 50, ENTRY_DEBIT, 100050);
    expect_applied(0, 1, ENTRY_DEBIT, 1);
    expect_applied(CENTS_MAX, 0, ENTRY_DEBIT, CENTS_MAX);
    expect_applied(CENTS_MAX, -CENTS_MAX + 1, ENTRY_DEBIT, 1);
}

static void debit_one_past_the_limit_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    expect_refused(100000, 0, ENTRY_DEBIT, 100001, OUTCOME_LIMIT_EXCEEDED);
    expect_refused(100000, -100000, ENTRY_DEBIT, 1, OUTCOME_LIMIT_EXCEEDED);
    expect_refused(100000, 50, ENTRY_DEBIT, 100051, OUTCOME_LIMIT_EXCEEDED);
    expect_refused(0, 0, ENTRY_DEBIT, 1, OUTCOME_LIMIT_EXCEEDED);
    expect_refused(0, 1, ENTRY_DEBIT, 2, OUTCOME_LIMIT_EXCEEDED);
    expect_refused(CENTS_MAX, -1, ENTRY_DEBIT, CENTS_MAX, OUTCOME_LIMIT_EXCEEDED);
}

static void the_largest_debit_on_the_lowest_balance_is_refused_without_overflow(void **state)
{
    (void)state;
    expect_refused(CENTS_MAX, -CENTS_MAX, ENTRY_DEBIT, CENTS_MAX, OUTCOME_LIMIT_EXCEEDED);
    expect_refused(0, 0, ENTRY_DEBIT, CENTS_MAX, OUTCOME_LIMIT_EXCEEDED);
}

static void credit_to_exactly_the_largest_balance_is_accepted(void **state)
{
    (void)state;
    expect_applied(0, 0, ENTRY_CREDIT, CENTS_MAX);
    expect_applied(0, CENTS_MAX - 1, ENTRY_CREDIT, 1);
    expect_applied(1000, -1000, ENTRY_CREDIT, CENTS_MAX);
    expect_applied(CENTS_MAX, -CENTS_MAX, ENTRY_CREDIT, CENTS_MAX);
}

static void credit_one_past_the_largest_balance_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    expect_refused(0, CENTS_MAX, ENTRY_CREDIT, 1, OUTCOME_BALANCE_MAX);
    expect_refused(0, 1, ENTRY_CREDIT, CENTS_MAX, OUTCOME_BALANCE_MAX);
    expect_refused(0, CENTS_MAX, ENTRY_CREDIT, CENTS_MAX, OUTCOME_BALANCE_MAX);
    expect_refused(CENTS_MAX, CENTS_MAX - 5, ENTRY_CREDIT, 6, OUTCOME_BALANCE_MAX);
}

static void a_credit_is_accepted_whatever_the_limit(void **state)
{
    (void)state;
    expect_applied(0, 0, ENTRY_CREDIT, 1);
    expect_applied(100000, -100000, ENTRY_CREDIT, 1);
    expect_applied(100000, 100000, ENTRY_CREDIT, 1000000);
}

static void the_last_ten_entries_are_kept_newest_first(void **state)
{
    (void)state;
    struct account account = account_of(0, 0);
    for (int64_t amount = 1; amount <= 25; amount++) {
        struct entry entry = entry_of(ENTRY_CREDIT, amount);
        assert_int_equal(ledger_apply(&account, &entry), OUTCOME_OK);
        uint32_t expected = amount < STATEMENT_ENTRIES_MAX ? (uint32_t)amount
                                                           : STATEMENT_ENTRIES_MAX;
        assert_int_equal(account.recent_count, expected);
        for (uint32_t i = 0; i < expected; i++)
            assert_int_equal(account.recent[i].amount_cents, amount - i);
    }
}

static void the_eleventh_entry_pushes_out_the_first(void **state)
{
    (void)state;
    struct account account = account_of(0, 0);
    for (int64_t amount = 1; amount <= 10; amount++) {
        struct entry entry = entry_of(ENTRY_CREDIT, amount);
        assert_int_equal(ledger_apply(&account, &entry), OUTCOME_OK);
    }
    assert_int_equal(account.recent[9].amount_cents, 1);
    struct entry eleventh = entry_of(ENTRY_DEBIT, 11);
    assert_int_equal(ledger_apply(&account, &eleventh), OUTCOME_OK);
    assert_int_equal(account.recent_count, 10);
    assert_int_equal(account.recent[0].amount_cents, 11);
    assert_int_equal(account.recent[0].kind, ENTRY_DEBIT);
    assert_int_equal(account.recent[9].amount_cents, 2);
}

static void a_refused_entry_is_not_remembered(void **state)
{
    (void)state;
    struct account account = account_of(0, 5);
    struct entry credit = entry_of(ENTRY_CREDIT, 5), debit = entry_of(ENTRY_DEBIT, 11);
    assert_int_equal(ledger_apply(&account, &credit), OUTCOME_OK);
    assert_int_equal(ledger_apply(&account, &debit), OUTCOME_LIMIT_EXCEEDED);
    assert_int_equal(account.recent_count, 1);
    assert_int_equal(account.recent[0].kind, ENTRY_CREDIT);
}

/* --- a balance alone ------------------------------------------------------------------------ */

static void a_balance_alone_is_judged_by_the_same_rule(void **state)
{
    (void)state;
    static const struct {
        int64_t limit, balance;
        enum entry_kind kind;
        int64_t amount;
        enum outcome outcome;
        int64_t after;
    } cases[] = {
        {100, 0, ENTRY_DEBIT, 100, OUTCOME_OK, -100},
        {100, 0, ENTRY_DEBIT, 101, OUTCOME_LIMIT_EXCEEDED, 0},
        {100, -100, ENTRY_CREDIT, 30, OUTCOME_OK, -70},
        {0, CENTS_MAX - 1, ENTRY_CREDIT, 1, OUTCOME_OK, CENTS_MAX},
        {0, CENTS_MAX - 1, ENTRY_CREDIT, 2, OUTCOME_BALANCE_MAX, CENTS_MAX - 1},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct entry entry = entry_of(cases[i].kind, cases[i].amount);
        int64_t balance = cases[i].balance;
        assert_int_equal(ledger_decide(&balance, cases[i].limit, &entry), cases[i].outcome);
        assert_true(balance == cases[i].after);
    }
}

struct decision {
    int64_t limit, balance;
    enum entry_kind kind;
    int64_t amount;
};

static void decide(const void *argument)
{
    const struct decision *decision = argument;
    struct entry entry = entry_of(decision->kind, decision->amount);
    int64_t balance = decision->balance;
    (void)!ledger_decide(&balance, decision->limit, &entry);
}

static void a_decision_on_what_cannot_be_is_a_mistake_of_ours(void **state)
{
    (void)state;
    static const struct decision sound[] = {{100, -100, ENTRY_CREDIT, 1},
                                            {100, -100, ENTRY_DEBIT, 1},
                                            {0, CENTS_MAX, ENTRY_DEBIT, CENTS_MAX}};
    static const struct decision unsound[] = {{100, 0, ENTRY_CREDIT, 0},
                                              {100, 0, (enum entry_kind)'o', 1},
                                              {100, -101, ENTRY_CREDIT, 1},
                                              {100, CENTS_MAX + 1, ENTRY_DEBIT, 1}};
    for (size_t i = 0; i < COUNT_OF(sound); i++)
        assert_false(asserts(decide, &sound[i]));
    for (size_t i = 0; i < COUNT_OF(unsound); i++)
        assert_true(asserts(decide, &unsound[i]));
}

/* --- the limit ------------------------------------------------------------------------------ */

static void expect_limit(int64_t limit, int64_t balance, int64_t wanted, enum outcome outcome)
{
    struct account account, before;
    memset(&account, 0x5a, sizeof account);
    account.client = 1;
    account.limit_cents = limit;
    account.balance_cents = balance;
    account.recent_count = 1;
    set_entry(&account.recent[0], ENTRY_DEBIT, 1);
    memcpy(&before, &account, sizeof account);
    assert_int_equal(ledger_set_limit(&account, wanted), outcome);
    if (outcome == OUTCOME_OK)
        before.limit_cents = wanted;
    assert_memory_equal(&account, &before, sizeof account); /* and nothing else */
    assert_true(account_sane(&account));
}

static void a_limit_can_be_raised(void **state)
{
    (void)state;
    expect_limit(0, 0, 1, OUTCOME_OK);
    expect_limit(100, -100, 101, OUTCOME_OK);
    expect_limit(100, 50, CENTS_MAX, OUTCOME_OK);
    expect_limit(CENTS_MAX, -CENTS_MAX, CENTS_MAX, OUTCOME_OK);
}

static void a_limit_can_be_lowered_to_exactly_the_debt_and_no_further(void **state)
{
    (void)state;
    expect_limit(100, -60, 60, OUTCOME_OK);
    expect_limit(100, -60, 59, OUTCOME_LIMIT_EXCEEDED);
    expect_limit(100, -1, 0, OUTCOME_LIMIT_EXCEEDED);
    expect_limit(CENTS_MAX, -CENTS_MAX, CENTS_MAX - 1, OUTCOME_LIMIT_EXCEEDED);
}

static void an_account_without_debt_can_be_left_without_a_limit(void **state)
{
    (void)state;
    expect_limit(100, 0, 0, OUTCOME_OK);
    expect_limit(100, 1, 0, OUTCOME_OK);
    expect_limit(CENTS_MAX, CENTS_MAX, 0, OUTCOME_OK);
}

static void set_limit(const void *argument)
{
    struct account account = account_of(100, 0);
    (void)!ledger_set_limit(&account, *(const int64_t *)argument);
}

static void a_limit_that_cannot_be_is_a_mistake_of_ours(void **state)
{
    (void)state;
    static const int64_t sound[] = {0, CENTS_MAX}, unsound[] = {-1, CENTS_MAX + 1};
    for (size_t i = 0; i < COUNT_OF(sound); i++) {
        assert_false(asserts(set_limit, &sound[i]));
        assert_true(asserts(set_limit, &unsound[i]));
    }
}

/* --- random walks --------------------------------------------------------------------------- */

static int64_t random_amount(void)
{
    int64_t small = (int64_t)random_between(1, 100), large = (int64_t)random_between(1, CENTS_MAX);
    return random_between(0, 1) ? small : large;
}

static void random_walks_agree_with_wider_arithmetic(void **state)
{
    (void)state;
    random_begin();
    for (int walk = 0; walk < 200; walk++) {
        int64_t limit = random_between(0, 3) == 0 ? 0 : random_amount();
        struct account account = account_of(limit, 0);
        __int128 balance = 0;
        for (int step = 0; step < 200; step++) {
            enum entry_kind kind = random_between(0, 1) ? ENTRY_CREDIT : ENTRY_DEBIT;
            struct entry entry = entry_of(kind, random_amount());
            __int128 after = kind == ENTRY_CREDIT ? balance + entry.amount_cents
                                                  : balance - entry.amount_cents;
            enum outcome expected = after < -(__int128)limit ? OUTCOME_LIMIT_EXCEEDED
                                    : after > CENTS_MAX      ? OUTCOME_BALANCE_MAX
                                                             : OUTCOME_OK;
            assert_int_equal(ledger_apply(&account, &entry), expected);
            if (expected == OUTCOME_OK)
                balance = after;
            assert_true(account.balance_cents == balance);
            assert_true(account_sane(&account));
        }
    }
}

static void entries_are_the_same_request_whatever_their_times(void **state)
{
    (void)state;
    struct entry a = {.amount_cents = 5, .time_us = 1, .kind = ENTRY_DEBIT, .description_bytes = 3};
    memcpy(a.description, "abcd", 4);
    struct entry b = a;
    b.time_us = 2;
    b.description[3] = 'z'; /* not part of it */
    assert_true(entry_same_request(&a, &b));
}

static void a_difference_in_any_field_makes_another_request(void **state)
{
    (void)state;
    struct entry a = {.amount_cents = 5, .kind = ENTRY_DEBIT, .description_bytes = 3};
    memcpy(a.description, "abc", 3);
    struct entry amount = a, kind = a, shorter = a, first = a, last = a;
    amount.amount_cents = 6;
    kind.kind = ENTRY_CREDIT;
    shorter.description_bytes = 2;
    first.description[0] = 'A';
    last.description[2] = 'C';
    const struct entry *others[] = {&amount, &kind, &shorter, &first, &last};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        assert_false(entry_same_request(&a, others[i]));
        assert_false(entry_same_request(others[i], &a));
    }
}

static void each_clause_of_a_sane_entry_counts(void **state)
{
    (void)state;
    const struct {
        const char *name;
        int64_t amount;
        int kind;
        uint8_t description_bytes;
        bool sane;
    } cases[] = {
        {"a credit", 1, 'c', 1, true},
        {"the largest debit", CENTS_MAX, 'd', DESCRIPTION_BYTES_MAX, true},
        {"no amount", 0, 'c', 1, false},
        {"a negative amount", -1, 'c', 1, false},
        {"the most negative amount", INT64_MIN, 'c', 1, false},
        {"an amount past the largest", CENTS_MAX + 1, 'c', 1, false},
        {"another kind", 1, 'C', 1, false},
        {"no kind", 1, 0, 1, false},
        {"the kind of an opening", 1, 'o', 1, false},
        {"no description", 1, 'c', 0, false},
        {"too long a description", 1, 'c', DESCRIPTION_BYTES_MAX + 1, false},
        {"far too long a description", 1, 'c', UINT8_MAX, false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct entry entry = {.amount_cents = cases[i].amount,
                              .kind = (enum entry_kind)cases[i].kind,
                              .description_bytes = cases[i].description_bytes};
        if (entry_sane(&entry) != cases[i].sane)
            FAIL("%s: judged wrongly", cases[i].name);
    }
}

static void each_clause_of_a_sane_account_counts(void **state)
{
    (void)state;
    const struct {
        const char *name;
        int64_t limit, balance;
        uint32_t client, recent_count;
        bool sane;
    } cases[] = {
        {"a new account", 100000, 0, 1, 0, true},
        {"at the limit", 100000, -100000, 1, 10, true},
        {"at the largest balance", 0, CENTS_MAX, CLIENT_MAX, 10, true},
        {"the widest account", CENTS_MAX, -CENTS_MAX, 1, 1, true},
        {"no client", 100000, 0, 0, 0, false},
        {"a client past the largest", 100000, 0, CLIENT_MAX + 1, 0, false},
        {"a negative limit", -1, 0, 1, 0, false},
        {"a negative limit over a balance", -1, 1, 1, 0, false},
        {"a limit past the largest", CENTS_MAX + 1, 0, 1, 0, false},
        {"the largest limit of its type", INT64_MAX, 0, 1, 0, false},
        {"one below the limit", 100000, -100001, 1, 0, false},
        {"the lowest balance of its type", 100000, INT64_MIN, 1, 0, false},
        {"one past the largest balance", 100000, CENTS_MAX + 1, 1, 0, false},
        {"eleven entries", 100000, 0, 1, 11, false},
        {"absurdly many entries", 100000, 0, 1, UINT32_MAX, false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct account account = account_of(cases[i].limit, cases[i].balance);
        account.client = cases[i].client;
        account.recent_count = cases[i].recent_count;
        for (uint32_t j = 0; j < STATEMENT_ENTRIES_MAX; j++)
            account.recent[j] = entry_of(ENTRY_CREDIT, 1);
        if (account_sane(&account) != cases[i].sane)
            FAIL("%s: judged wrongly", cases[i].name);
    }
}

/* Its terms are those of an account, without its entries. */
static void each_clause_of_sane_terms_counts(void **state)
{
    (void)state;
    static const struct {
        int64_t limit, balance;
        uint32_t client;
        bool sane;
    } cases[] = {
        {0, 0, 1, true},
        {CENTS_MAX, -CENTS_MAX, CLIENT_MAX, true},
        {0, CENTS_MAX, 1, true},
        {0, 0, 0, false},
        {0, 0, CLIENT_MAX + 1, false},
        {-1, 1, 1, false},
        {CENTS_MAX + 1, 0, 1, false},
        {100, -101, 1, false},
        {100, CENTS_MAX + 1, 1, false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(ledger_terms_sane(cases[i].client, cases[i].limit, cases[i].balance),
                         cases[i].sane);
}

static void an_account_of_eleven_entries_is_none_whatever_stands_behind_it(void **state)
{
    (void)state;
    struct {
        struct account account;
        struct entry eleventh;
    } memory = {account_of(0, 0), entry_of(ENTRY_CREDIT, 1)};
    for (uint32_t i = 0; i < STATEMENT_ENTRIES_MAX; i++)
        memory.account.recent[i] = entry_of(ENTRY_CREDIT, 1);
    memory.account.recent_count = STATEMENT_ENTRIES_MAX + 1;
    assert_false(account_sane(&memory.account));
}

static void an_account_is_sane_only_if_each_of_its_entries_is(void **state)
{
    (void)state;
    struct account account = account_of(0, 0);
    for (uint32_t i = 0; i < STATEMENT_ENTRIES_MAX; i++)
        account.recent[i] = entry_of(ENTRY_CREDIT, 1);
    for (uint32_t count = 0; count <= STATEMENT_ENTRIES_MAX; count++) {
        account.recent_count = count;
        for (uint32_t wrong = 0; wrong < STATEMENT_ENTRIES_MAX; wrong++) {
            account.recent[wrong].amount_cents = 0;
            assert_int_equal(account_sane(&account), wrong >= count);
            account.recent[wrong].amount_cents = 1;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(debit_to_exactly_the_limit_is_accepted),
        cmocka_unit_test(debit_one_past_the_limit_is_refused_and_changes_nothing),
        cmocka_unit_test(the_largest_debit_on_the_lowest_balance_is_refused_without_overflow),
        cmocka_unit_test(credit_to_exactly_the_largest_balance_is_accepted),
        cmocka_unit_test(credit_one_past_the_largest_balance_is_refused_and_changes_nothing),
        cmocka_unit_test(a_credit_is_accepted_whatever_the_limit),
        cmocka_unit_test(the_last_ten_entries_are_kept_newest_first),
        cmocka_unit_test(the_eleventh_entry_pushes_out_the_first),
        cmocka_unit_test(a_refused_entry_is_not_remembered),
        cmocka_unit_test(a_balance_alone_is_judged_by_the_same_rule),
        cmocka_unit_test(a_decision_on_what_cannot_be_is_a_mistake_of_ours),
        cmocka_unit_test(a_limit_can_be_raised),
        cmocka_unit_test(a_limit_can_be_lowered_to_exactly_the_debt_and_no_further),
        cmocka_unit_test(an_account_without_debt_can_be_left_without_a_limit),
        cmocka_unit_test(a_limit_that_cannot_be_is_a_mistake_of_ours),
        cmocka_unit_test(random_walks_agree_with_wider_arithmetic),
        cmocka_unit_test(entries_are_the_same_request_whatever_their_times),
        cmocka_unit_test(a_difference_in_any_field_makes_another_request),
        cmocka_unit_test(each_clause_of_a_sane_entry_counts),
        cmocka_unit_test(each_clause_of_a_sane_account_counts),
        cmocka_unit_test(each_clause_of_sane_terms_counts),
        cmocka_unit_test(an_account_of_eleven_entries_is_none_whatever_stands_behind_it),
        cmocka_unit_test(an_account_is_sane_only_if_each_of_its_entries_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
