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

/* From client 1 on, `step` apart, and none of as many more is found. */
static void fill(uint32_t count, uint32_t step)
{
    for (uint32_t i = 0; i < count; i++)
        put(1 + i * step, 1 + i);
    assert_int_equal(recent_young(&recent)->accounts_count, count);
    for (uint32_t i = 0; i < count; i++)
        expect(1 + i * step, 1 + i);
    for (uint32_t i = 0; i < 100; i++)
        expect(1 + (count + i) * step, 0);
}

static void it_takes_as_many_as_it_says_and_no_more(void **state)
{
    (void)state;
    uint32_t more = 1 + RECENT_ACCOUNTS_MAX;
    fill(RECENT_ACCOUNTS_MAX, 1);
    assert_true(asserts(put_one_more, &more));
    put(1, more); /* in place of what it had there is room */
    expect(1, more);
}

/* All of them want the same place. */
static void clients_that_want_one_place_are_told_apart(void **state)
{
    (void)state;
    fill(4096, RECENT_ACCOUNT_SLOTS);
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
        uint32_t client = 1 + (uint32_t)(i / 4) + (uint32_t)(i % 4) * RECENT_ACCOUNT_SLOTS;
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

/* --- two generations -------------------------------------------------------------------------- */

static void what_is_young_is_found_before_what_is_old_and_stays_when_that_goes(void **state)
{
    (void)state;
    put(1, 10);
    put(2, 20);
    recent_turn(&recent);
    assert_int_equal(recent_young(&recent)->accounts_count, 0);
    assert_int_equal(recent_old(&recent)->accounts_count, 2);
    expect(1, 10);
    put(1, 11);
    put(3, 30);
    expect(1, 11);
    expect(2, 20);
    expect(3, 30);
    recent_forget(&recent);
    assert_int_equal(recent_old(&recent)->records, 0);
    assert_int_equal(recent_old(&recent)->accounts_count, 0);
    expect(1, 11);
    expect(2, 0);
    expect(3, 30);
    recent_turn(&recent);
    expect(1, 11);
    put(2, 21);
    recent_forget(&recent);
    expect(1, 0);
    expect(2, 21);
}

static void turn(const void *argument)
{
    (void)argument;
    recent_turn(&recent);
}

static void what_is_old_is_not_taken_for_young_again(void **state)
{
    (void)state;
    put(1, 10);
    recent_turn(&recent);
    assert_true(asserts(turn, NULL));
    recent_forget(&recent);
    recent_turn(&recent);
}

/* --- keys --------------------------------------------------------------------------------------- */

static struct recent_key key_of(uint32_t number)
{
    struct recent_key key = {.record = {.sequence = number, .client = number % 7}};
    key.key_bytes = (uint8_t)(5 + number % (IDEMPOTENCY_KEY_BYTES_MAX - 4));
    memset(key.key, 'x', sizeof key.key);
    memcpy(key.key + key.key_bytes - 4, &number, 4); /* they differ at their end */
    return key;
}

static void put_key(uint32_t number)
{
    struct recent_key key = key_of(number);
    recent_lock(&recent);
    recent_put_key(&recent, &key);
    recent_unlock(&recent);
    recent_young(&recent)->records++;
}

static void expect_key(uint32_t number, bool there)
{
    struct recent_key key = key_of(number);
    const struct recent_key *found = recent_find_key(&recent, key.key, key.key_bytes);
    assert_int_equal(found != NULL, there);
    if (found)
        assert_int_equal(found->record.sequence, number);
}

static void put_one_key_more(const void *argument)
{
    const uint32_t *number = argument;
    put_key(*number);
}

static void keys_are_found_in_both_generations_as_long_as_those_are_there(void **state)
{
    (void)state;
    uint32_t last = RECENT_KEYS_MAX + 1, again = 1;
    for (uint32_t number = 1; number <= RECENT_KEYS_MAX; number++)
        put_key(number);
    assert_true(asserts(put_one_key_more, &last)); /* there is no room */
    recent_turn(&recent);
    assert_int_equal(recent_young(&recent)->keys_count, 0);
    put_key(last);
    for (uint32_t number = 1; number <= last; number++)
        expect_key(number, true);
    expect_key(last + 1, false);
    for (uint32_t i = 0; i < RECENT_KEYS_MAX; i++) /* in the order of their booking */
        assert_int_equal(recent_old(&recent)->keys[i].record.sequence, 1 + i);
    recent_forget(&recent);
    for (uint32_t number = 1; number < last; number++)
        expect_key(number, false);
    expect_key(last, true);
    assert_true(asserts(put_one_key_more, &last)); /* it is there */
    put_key(again);
    expect_key(again, true);
    assert_int_equal(recent_young(&recent)->keys_count, 2);
}

static void a_key_is_not_another_that_begins_or_ends_like_it(void **state)
{
    (void)state;
    struct recent_key key = key_of(1), other;
    put_key(1);
    for (size_t bytes = 1; bytes <= IDEMPOTENCY_KEY_BYTES_MAX; bytes++)
        assert_int_equal(recent_find_key(&recent, key.key, bytes) != NULL, bytes == key.key_bytes);
    for (uint8_t at = 0; at < key.key_bytes; at++) {
        other = key;
        other.key[at] ^= 1;
        assert_null(recent_find_key(&recent, other.key, other.key_bytes));
    }
}

/* Whose places follow from the keys alone would let a client choose some that meet. */
static void the_same_key_has_another_place_elsewhere(void **state)
{
    (void)state;
    static struct recent other;
    unsigned same = 0;
    enum { KEYS = 50 };
    recent_init(&other);
    for (uint32_t number = 1; number <= KEYS; number++) {
        struct recent_key key = key_of(number);
        recent_put_key(&other, &key);
        recent_put_key(&recent, &key);
    }
    const struct generation *one = recent_young(&recent), *two = recent_young(&other);
    for (size_t slot = 0; slot < RECENT_KEY_SLOTS; slot++)
        same += one->key_slots[slot] != 0 && one->key_slots[slot] == two->key_slots[slot];
    assert_true(same < KEYS / 2);
    recent_free(&other);
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
        put(CLIENT + 1 + (uint32_t)(number % OTHERS) * RECENT_ACCOUNT_SLOTS, number);
        if (number % 1000 == 0) {
            recent_forget(&recent);
            recent_turn(&recent);
        }
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
        TEST(what_is_young_is_found_before_what_is_old_and_stays_when_that_goes),
        TEST(what_is_old_is_not_taken_for_young_again),
        TEST(keys_are_found_in_both_generations_as_long_as_those_are_there),
        TEST(a_key_is_not_another_that_begins_or_ends_like_it),
        TEST(the_same_key_has_another_place_elsewhere),
        TEST(who_reads_beside_the_committer_sees_one_record_and_never_an_older_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
