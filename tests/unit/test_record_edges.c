/* SPDX-License-Identifier: MIT
 *
 * test_record_edges.c - records of sizes that encoding never writes, all else about them right; keys
 * at the edge of memory; and what must not be encoded at all.
 */
#include "unit.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "store/lmdb/crc32c.h"
#include "store/lmdb/record.h"

#define SEQUENCE UINT64_C(0x0102030405060708)

enum { CLIENT = 5, CRC_BYTES = 4 };

static uint8_t sequence_key[SEQUENCE_KEY_BYTES], client_key[CLIENT_KEY_BYTES];

static const struct journal_record journal = {
    .sequence = SEQUENCE,
    .client = CLIENT,
    .kind = JOURNAL_DEBIT,
    .limit_cents = 500000,
    .balance_cents = -9098,
    .entry = {.amount_cents = 9098,
              .kind = ENTRY_DEBIT,
              .description_bytes = 1,
              .description = "x"},
};

static const struct account_record account = {
    .account = {.client = CLIENT,
                .limit_cents = 500000,
                .recent_count = 1,
                .recent = {{.amount_cents = 10,
                            .kind = ENTRY_CREDIT,
                            .description_bytes = 1,
                            .description = "x"}}},
};

static int setup(void **state)
{
    (void)state;
    sequence_key_encode(sequence_key, SEQUENCE);
    client_key_encode(client_key, CLIENT);
    return 0;
}

/* The last bytes of the value become the checksum that fits it. */
static void seal(const uint8_t *key, size_t key_bytes, uint8_t *value, size_t size)
{
    uint32_t crc = crc32c_extend(0, key, key_bytes);
    crc = crc32c_extend(crc, value, size - CRC_BYTES);
    for (size_t i = 0; i < CRC_BYTES; i++)
        value[size - CRC_BYTES + i] = (uint8_t)(crc >> 8 * i);
}

/* The bytes around a key, on one side and then on the other, may not even be read. */
static void a_key_is_its_own_bytes_and_no_others(void **state)
{
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *pages = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(pages != MAP_FAILED);
    assert_int_equal(mprotect(pages + page, page, PROT_READ | PROT_WRITE), 0);
    uint8_t *first = pages + page, *last = pages + 2 * page;
    sequence_key_encode(first, SEQUENCE);
    assert_true(sequence_key_decode(first) == SEQUENCE);
    sequence_key_encode(last - SEQUENCE_KEY_BYTES, SEQUENCE);
    assert_true(sequence_key_decode(last - SEQUENCE_KEY_BYTES) == SEQUENCE);
    client_key_encode(first, CLIENT_MAX);
    assert_int_equal(client_key_decode(first), CLIENT_MAX);
    client_key_encode(last - CLIENT_KEY_BYTES, CLIENT_MAX);
    assert_int_equal(client_key_decode(last - CLIENT_KEY_BYTES), CLIENT_MAX);
    assert_int_equal(munmap(pages, 3 * page), 0);
}

/* Eleven entries, each of the largest size, and all of them there. */
static void an_account_record_of_too_many_entries_is_refused(void **state)
{
    (void)state;
    enum { HEAD = 44, ENTRY = 18 + DESCRIPTION_BYTES_MAX, MORE = STATEMENT_ENTRIES_MAX + 1 };
    uint8_t value[HEAD + MORE * ENTRY + CRC_BYTES] = {0};
    for (unsigned count = 0; count <= MORE; count++) {
        struct account_record in = {.account = {.client = CLIENT, .recent_count = count}}, out;
        if (count == MORE)
            in.account.recent_count = STATEMENT_ENTRIES_MAX;
        for (uint32_t i = 0; i < in.account.recent_count; i++)
            in.account.recent[i] = (struct entry){.amount_cents = 1,
                                                  .kind = ENTRY_CREDIT,
                                                  .description_bytes = DESCRIPTION_BYTES_MAX};
        (void)account_record_encode(value, &in);
        size_t size = HEAD + (size_t)count * ENTRY + CRC_BYTES;
        memcpy(value + HEAD + (size_t)STATEMENT_ENTRIES_MAX * ENTRY, value + HEAD, ENTRY);
        value[1] = (uint8_t)count;
        seal(client_key, CLIENT_KEY_BYTES, value, size);
        assert_int_equal(account_record_decode(&out, CLIENT, value, size), count < MORE);
    }
}

static void a_description_of_any_size_but_the_right_ones_is_refused(void **state)
{
    (void)state;
    enum { JOURNAL_HEAD = 48, ACCOUNT_HEAD = 44, ENTRY_HEAD = 18 };
    uint8_t value[ACCOUNT_RECORD_BYTES_MAX];
    static_assert(sizeof value >= ACCOUNT_HEAD + ENTRY_HEAD + UINT8_MAX + CRC_BYTES, "room");
    for (size_t bytes = 0; bytes <= UINT8_MAX; bytes++) {
        bool right = bytes >= 1 && bytes <= DESCRIPTION_BYTES_MAX;
        struct journal_record j_out;
        struct account_record a_out;

        memset(value, 'x', sizeof value);
        (void)journal_record_encode(value, &journal);
        value[2] = (uint8_t)bytes;
        memset(value + JOURNAL_HEAD, 'x', bytes + CRC_BYTES);
        seal(sequence_key, SEQUENCE_KEY_BYTES, value, JOURNAL_HEAD + bytes + CRC_BYTES);
        assert_int_equal(
            journal_record_decode(&j_out, SEQUENCE, value, JOURNAL_HEAD + bytes + CRC_BYTES),
            right);

        (void)account_record_encode(value, &account);
        value[ACCOUNT_HEAD + ENTRY_HEAD - 1] = (uint8_t)bytes;
        memset(value + ACCOUNT_HEAD + ENTRY_HEAD, 'x', bytes + CRC_BYTES);
        seal(client_key, CLIENT_KEY_BYTES, value, ACCOUNT_HEAD + ENTRY_HEAD + bytes + CRC_BYTES);
        assert_int_equal(account_record_decode(&a_out, CLIENT, value,
                                               ACCOUNT_HEAD + ENTRY_HEAD + bytes + CRC_BYTES),
                         right);
    }
}

static void an_expiry_record_names_a_client_and_a_key_of_at_most_64_bytes(void **state)
{
    (void)state;
    enum { HEAD = 12 };
    uint8_t value[HEAD + UINT8_MAX + CRC_BYTES];
    for (size_t bytes = 0; bytes <= UINT8_MAX; bytes++) {
        const struct expiry_record in = {.key_bytes = CLIENT_KEY_BYTES + 1};
        struct expiry_record out;
        memset(value, 'k', sizeof value);
        (void)expiry_record_encode(value, SEQUENCE, &in);
        value[1] = (uint8_t)bytes;
        seal(sequence_key, SEQUENCE_KEY_BYTES, value, HEAD + bytes + CRC_BYTES);
        bool right = bytes > CLIENT_KEY_BYTES && bytes <= CLIENT_KEY_BYTES + KEY_BYTES_MAX;
        assert_int_equal(expiry_record_decode(&out, SEQUENCE, value, HEAD + bytes + CRC_BYTES),
                         right);
    }
}

/* --- mistakes of ours ----------------------------------------------------------------------- */

static void encode_key_of(const void *argument)
{
    static const char text[KEY_BYTES_MAX + 1];
    uint8_t key[IDEMPOTENCY_KEY_BYTES_MAX + 1];
    (void)idempotency_key_encode(key, CLIENT, text, *(const size_t *)argument);
}

static void encode_journal(const void *argument)
{
    uint8_t value[JOURNAL_RECORD_BYTES_MAX];
    (void)journal_record_encode(value, argument);
}

static void encode_account(const void *argument)
{
    uint8_t value[ACCOUNT_RECORD_BYTES_MAX];
    (void)account_record_encode(value, argument);
}

static void what_the_ledger_cannot_have_written_is_not_encoded(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, KEY_BYTES_MAX, 0, KEY_BYTES_MAX + 1};
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        assert_int_equal(asserts(encode_key_of, &sizes[i]), i >= 2);
    struct journal_record record = journal;
    assert_false(asserts(encode_journal, &record));
    record.balance_cents = -record.limit_cents - 1;
    assert_true(asserts(encode_journal, &record));
    struct account_record wrong = account;
    assert_false(asserts(encode_account, &wrong));
    wrong.account.balance_cents = -wrong.account.limit_cents - 1;
    assert_true(asserts(encode_account, &wrong));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_its_own_bytes_and_no_others),
        cmocka_unit_test(an_account_record_of_too_many_entries_is_refused),
        cmocka_unit_test(a_description_of_any_size_but_the_right_ones_is_refused),
        cmocka_unit_test(an_expiry_record_names_a_client_and_a_key_of_at_most_64_bytes),
        cmocka_unit_test(what_the_ledger_cannot_have_written_is_not_encoded),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
