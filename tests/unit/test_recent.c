/* SPDX-License-Identifier: MIT
 *
 * test_recent.c - accounts that no checkpoint has yet: each client's newest is found, by the
 * committer and by who reads beside it.
 */
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "store/lmdb/recent.h"

static struct recent recent;

static int setup(void **state)
{
    (void)state;
    memset(&recent, 0, sizeof recent);
    recent_init(&recent);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    recent_free(&recent);
    return 0;
}

/* All that it says is of one `number`. */
static struct account_record record_of(uint32_t client, int64_t number)
{
    struct account_record record = {
        .account = {.client = client,
                    .limit_cents = number,
                    .balance_cents = number,
                    .recent_count = STATEMENT_ENTRIES_MAX},
        .opening_balance_cents = number,
        .entries = (uint64_t)number,
        .last_sequence = (uint64_t)number,
    };
    for (int i = 0; i < STATEMENT_ENTRIES_MAX; i++)
        record.account.recent[i] = (struct entry){.amount_cents = number, .time_us = number};
    return record;
}

static bool account_is(const struct account *account, uint32_t client, int64_t number)
{
    bool same = account->client == client && account->limit_cents == number &&
                account->balance_cents == number;
    for (int i = 0; i < STATEMENT_ENTRIES_MAX; i++)
        same = same && account->recent[i].amount_cents == number &&
               account->recent[i].time_us == number;
    return same;
}

static void put(uint32_t client, int64_t number)
{
    struct account_record record = record_of(client, number);
    recent_lock(&recent);
    recent_put(&recent, &record);
    recent_unlock(&recent);
    recent_young(&recent)->records++;
}

/* LMDB has all of it. */
static void forget_all(void)
{
    recent_forget(&recent);
    recent_turn(&recent);
    recent_forget(&recent);
}

/* Number 0: it is not here. */
static void expect(uint32_t client, int64_t number)
{
    struct account account = {.client = 4711};
    const struct account_record *found = recent_find(&recent, client);
    assert_int_equal(found != NULL, number != 0);
    assert_int_equal(recent_read(&recent, client, &account), number != 0);
    if (!found) {
        assert_int_equal(account.client, 4711); /* untouched */
        return;
    }
    assert_true(account_is(&found->account, client, number));
    assert_true(account_is(&account, client, number));
    assert_true(found->opening_balance_cents == number);
    assert_int_equal(found->entries, number);
    assert_int_equal(found->last_sequence, number);
}

static void what_was_put_is_found_and_nothing_else(void **state)
{
    (void)state;
    expect(1, 0);
    put(1, 10);
    put(CLIENT_MAX, 11);
    expect(1, 10);
    expect(CLIENT_MAX, 11);
    expect(2, 0);
    expect(CLIENT_MAX - 1, 0);
    assert_int_equal(recent_young(&recent)->accounts_count, 2);
}

static void a_client_is_there_at_most_once_with_what_was_put_last(void **state)
{
    (void)state;
    put(1, 10);
    put(2, 20);
    put(1, 11);
    put(1, 12);
    expect(1, 12);
    expect(2, 20);
    assert_int_equal(recent_young(&recent)->accounts_count, 2);
}

static void when_cleared_it_has_nothing_and_can_be_filled_again(void **state)
{
    (void)state;
    for (uint32_t client = 1; client <= 100; client++)
        put(client, client);
    forget_all();
    assert_int_equal(recent_young(&recent)->accounts_count, 0);
    for (uint32_t client = 1; client <= 100; client++)
        expect(client, 0);
    put(100, 7);
    expect(100, 7);
    expect(1, 0);
    assert_int_equal(recent_young(&recent)->accounts_count, 1);
}

static void put_one_more(const void *argument)
{
    const uint32_t *client = argument;
    put(*client, 1);
}

/* `step` apart. Between as many that are not there, none is found. */
static void fill(uint32_t first, uint32_t step)
{
    uint32_t client = first;
    for (uint32_t i = 0; i < RECENT_MAX; i++, client += step)
        put(client, 1 + i);
    assert_int_equal(recent_young(&recent)->accounts_count, RECENT_MAX);
    assert_true(asserts(put_one_more, &client));
    put(first, RECENT_MAX + 1); /* in place of what it had there is room */
    expect(first, RECENT_MAX + 1);
    for (uint32_t i = 1; i < RECENT_MAX; i++)
        expect(first + i * step, 1 + i);
    for (uint32_t i = 0; i < 100; i++)
        expect(first + (RECENT_MAX + i) * step, 0);
}

static void it_takes_as_many_as_it_says_and_no_more(void **state)
{
    (void)state;
    fill(1, 1);
}

/* All of them want the same place. */
static void clients_that_want_one_place_are_told_apart(void **state)
{
    (void)state;
    fill(1, RECENT_SLOTS);
}

static void random_puts_and_clears_agree_with_a_model(void **state)
{
    (void)state;
    enum { CLIENTS = 3000, TURNS = 100000 };
    static int64_t model[CLIENTS];
    uint32_t count = 0;
    memset(model, 0, sizeof model);
    random_begin();
    for (int turn = 1; turn <= TURNS; turn++) {
        size_t i = random_between(0, CLIENTS - 1);
        uint32_t client = 1 + (uint32_t)(i / 4) + (uint32_t)(i % 4) * RECENT_SLOTS;
        if (random_between(0, 19999) == 0) {
            forget_all();
            memset(model, 0, sizeof model);
            count = 0;
        } else if (random_between(0, 1)) {
            put(client, turn);
            count += model[i] == 0;
            model[i] = turn;
        } else {
            expect(client, model[i]);
        }
        assert_int_equal(recent_young(&recent)->accounts_count, count);
    }
}

/* --- a reader beside the committer ------------------------------------------------------------ */

enum { SEEN_ENOUGH = 3000, CLIENT = 7, OTHERS = 50 };

static atomic_bool seen_enough, mixed, went_back;

static void *read_on(void *context)
{
    int64_t last = 0;
    (void)context;
    for (int seen = 0; seen < SEEN_ENOUGH;) {
        struct account account;
        if (!recent_read(&recent, CLIENT, &account) || account.balance_cents == last)
            continue;
        if (!account_is(&account, CLIENT, account.balance_cents))
            atomic_store(&mixed, true);
        if (account.balance_cents < last)
            atomic_store(&went_back, true);
        last = account.balance_cents;
        seen++;
    }
    atomic_store(&seen_enough, true);
    return NULL;
}

static void who_reads_beside_the_committer_sees_one_record_and_never_an_older_one(void **state)
{
    (void)state;
    pthread_t reader;
    atomic_store(&seen_enough, false);
    assert_int_equal(pthread_create(&reader, NULL, read_on, NULL), 0);
    for (int64_t number = 1; !atomic_load(&seen_enough); number++) {
        put(CLIENT, number);
        put(CLIENT + 1 + (uint32_t)(number % OTHERS) * RECENT_SLOTS, number);
        if (number % 1000 == 0)
            forget_all();
    }
    assert_int_equal(pthread_join(reader, NULL), 0);
    assert_false(atomic_load(&mixed));
    assert_false(atomic_load(&went_back));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_was_put_is_found_and_nothing_else),
        TEST(a_client_is_there_at_most_once_with_what_was_put_last),
        TEST(when_cleared_it_has_nothing_and_can_be_filled_again),
        TEST(it_takes_as_many_as_it_says_and_no_more),
        TEST(clients_that_want_one_place_are_told_apart),
        TEST(random_puts_and_clears_agree_with_a_model),
        TEST(who_reads_beside_the_committer_sees_one_record_and_never_an_older_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
