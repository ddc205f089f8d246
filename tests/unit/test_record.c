/* SPDX-License-Identifier: MIT
 *
 * test_record.c - the ledger's bytes: what goes in comes out, what was damaged does not, and the
 * layout on disk stays what it is.
 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "store/lmdb/crc32c.h"
#include "store/lmdb/record.h"

#define SEQUENCE UINT64_C(0x0102030405060708)
#define TIME_US  INT64_C(1705458881217753) /* 2024-01-17T02:34:41.217753Z */

enum { CLIENT = 5, CRC_BYTES = 4, VALUE_BYTES_MAX = ACCOUNT_RECORD_BYTES_MAX };

/* One of each, as they are on disk; written down by a program of its own. */
#define GOLDEN_META "6372656269746f0001000000d944cb161b0f06000a22edc0"
#define GOLDEN_JOURNAL                                                                 \
    "01640b00050000008a2300000000000076dcffffffffffff20a1070000000000d944cb161b0f0600" \
    "070706050403020161c3a7c3a36f20f09f988046a9cf67"
#define GOLDEN_OPENING                                                                 \
    "016f0000ffffff7f0000000000000000f9ffffffffffffffa086010000000000d944cb161b0f0600" \
    "00000000000000006443f063"
#define GOLDEN_LIMIT                                                                   \
    "016c000005000000000000000000000076dcffffffffffff8a23000000000000d944cb161b0f0600" \
    "0707060504030201d00a006b"
#define GOLDEN_ACCOUNT                                                                 \
    "0102000020a107000000000080dcffffffffffff0000000000000000020000000000000008070605" \
    "040302010a00000000000000da44cb161b0f06006301788a23000000000000d944cb161b0f060064" \
    "0964657363726963616f2dc7c12e"
#define GOLDEN_KEY    "010000000807060504030201be3e9e04"
#define GOLDEN_EXPIRY "01090000d944cb161b0f0600000000056b65792d31d27a7f3c"

static const struct meta_record meta = {.layout = LAYOUT_VERSION, .created_us = TIME_US};

static const struct journal_record journal = {
    .sequence = SEQUENCE,
    .previous_sequence = SEQUENCE - 1,
    .client = CLIENT,
    .kind = JOURNAL_DEBIT,
    .limit_cents = 500000,
    .balance_cents = -9098,
    .entry = {.amount_cents = 9098,
              .time_us = TIME_US,
              .kind = ENTRY_DEBIT,
              .description_bytes = 11,
              .description = "ação 😀"},
};

static const struct journal_record opening = {
    .sequence = 1,
    .client = CLIENT_MAX,
    .kind = JOURNAL_OPENING,
    .limit_cents = 100000,
    .balance_cents = -7,
    .entry = {.time_us = TIME_US},
};

/* To exactly the debt. */
static const struct journal_record limit = {
    .sequence = SEQUENCE,
    .previous_sequence = SEQUENCE - 1,
    .client = CLIENT,
    .kind = JOURNAL_LIMIT,
    .limit_cents = 9098,
    .balance_cents = -9098,
    .entry = {.time_us = TIME_US},
};

static const struct account_record account = {
    .account = {.client = CLIENT,
                .limit_cents = 500000,
                .balance_cents = -9088,
                .recent_count = 2,
                .recent = {{.amount_cents = 10,
                            .time_us = TIME_US + 1,
                            .kind = ENTRY_CREDIT,
                            .description_bytes = 1,
                            .description = "x"},
                           {.amount_cents = 9098,
                            .time_us = TIME_US,
                            .kind = ENTRY_DEBIT,
                            .description_bytes = 9,
                            .description = "descricao"}}},
    .opening_balance_cents = 0,
    .entries = 2,
    .last_sequence = SEQUENCE,
};

static const char key_text[] = "key-1";

/* --- the kinds of record, alike -------------------------------------------------------- */

/* `key`: 0 for the key that the value belongs to, else one of some others. */
static size_t key_of_sequence(uint8_t *ret, uint64_t right, int key)
{
    static const uint64_t others[] = {0, SEQUENCE + 1, SEQUENCE - 1, UINT64_C(0x0807060504030201),
                                      UINT64_MAX};
    sequence_key_encode(ret, key == 0 ? right : others[key]);
    return SEQUENCE_KEY_BYTES;
}

static size_t key_of_client(uint8_t *ret, int key)
{
    static const uint32_t clients[] = {CLIENT, CLIENT + 1, CLIENT - 1, 0x05000000, CLIENT_MAX};
    client_key_encode(ret, clients[key]);
    return CLIENT_KEY_BYTES;
}

static size_t key_of_text(uint8_t *ret, int key)
{
    static const struct {
        uint32_t client;
        const char *text;
    } keys[] = {{CLIENT, key_text},
                {CLIENT + 1, key_text},
                {CLIENT, "key-2"},
                {CLIENT, "key-"},
                {CLIENT, "key-11"}};
    return idempotency_key_encode(ret, keys[key].client, keys[key].text, strlen(keys[key].text));
}

static struct expiry_record expiry_of(uint32_t client, const char *text, int64_t time_us)
{
    struct expiry_record record = {.time_us = time_us};
    record.key_bytes = (uint8_t)idempotency_key_encode(record.idempotency_key, client, text,
                                                       strlen(text));
    return record;
}

enum kind { META, JOURNAL, OPENING, LIMIT, ACCOUNT, KEY, EXPIRY, KINDS, KEYS = 5 };

static const char *const golden[KINDS] = {GOLDEN_META,  GOLDEN_JOURNAL, GOLDEN_OPENING,
                                          GOLDEN_LIMIT, GOLDEN_ACCOUNT, GOLDEN_KEY,
                                          GOLDEN_EXPIRY};

/* The journal has three of them. */
static enum kind table_of(enum kind kind)
{
    return kind == OPENING || kind == LIMIT ? JOURNAL : kind;
}

static size_t key_for(enum kind kind, uint8_t ret[IDEMPOTENCY_KEY_BYTES_MAX], int key)
{
    switch (kind) {
    case META: memcpy(ret, META_KEY, sizeof META_KEY - 1); return sizeof META_KEY - 1;
    case JOURNAL:
    case LIMIT:
    case EXPIRY: return key_of_sequence(ret, SEQUENCE, key);
    case OPENING: return key_of_sequence(ret, 1, key);
    case ACCOUNT: return key_of_client(ret, key);
    case KEY: return key_of_text(ret, key);
    case KINDS: break;
    }
    return 0;
}

static size_t encode(enum kind kind, uint8_t value[VALUE_BYTES_MAX])
{
    uint8_t key[IDEMPOTENCY_KEY_BYTES_MAX];
    const struct expiry_record expiry = expiry_of(CLIENT, key_text, TIME_US);
    switch (kind) {
    case META: return meta_record_encode(value, &meta);
    case JOURNAL: return journal_record_encode(value, &journal);
    case OPENING: return journal_record_encode(value, &opening);
    case LIMIT: return journal_record_encode(value, &limit);
    case ACCOUNT: return account_record_encode(value, &account);
    case KEY: return key_record_encode(value, key, key_for(KEY, key, 0), SEQUENCE);
    case EXPIRY: return expiry_record_encode(value, SEQUENCE, &expiry);
    case KINDS: break;
    }
    return 0;
}

/* Decodes under the given key. If that succeeds, *again is what was decoded, encoded. */
static bool decode(enum kind kind, int which, const uint8_t *value, size_t size,
                   uint8_t again[VALUE_BYTES_MAX], size_t *ret_size)
{
    uint8_t key[IDEMPOTENCY_KEY_BYTES_MAX];
    size_t key_bytes = key_for(kind, key, which);
    struct meta_record m;
    struct journal_record j;
    struct account_record a;
    struct expiry_record e;
    uint64_t sequence;

    switch (kind) {
    case META:
        if (!meta_record_decode(&m, value, size))
            return false;
        *ret_size = meta_record_encode(again, &m);
        return true;
    case JOURNAL:
    case OPENING:
    case LIMIT:
        if (!journal_record_decode(&j, sequence_key_decode(key), value, size))
            return false;
        *ret_size = journal_record_encode(again, &j);
        return true;
    case ACCOUNT:
        if (!account_record_decode(&a, client_key_decode(key), value, size))
            return false;
        *ret_size = account_record_encode(again, &a);
        return true;
    case KEY:
        if (!key_record_decode(&sequence, key, key_bytes, value, size))
            return false;
        *ret_size = key_record_encode(again, key, key_bytes, sequence);
        return true;
    case EXPIRY:
        if (!expiry_record_decode(&e, sequence_key_decode(key), value, size))
            return false;
        *ret_size = expiry_record_encode(again, sequence_key_decode(key), &e);
        return true;
    case KINDS: break;
    }
    return false;
}

/* From memory of exactly that size, so that reading past it is seen. */
static bool decodes(enum kind kind, int which, const uint8_t *value, size_t size)
{
    uint8_t again[VALUE_BYTES_MAX], *exact = malloc(size > 0 ? size : 1);
    size_t again_size;
    assert_non_null(exact);
    memcpy(exact, value, size);
    bool decoded = decode(kind, which, exact, size, again, &again_size);
    free(exact);
    return decoded;
}

static void seal_again(enum kind kind, uint8_t *value, size_t size)
{
    uint8_t key[IDEMPOTENCY_KEY_BYTES_MAX];
    uint32_t crc = crc32c_extend(0, key, key_for(kind, key, 0));
    crc = crc32c_extend(crc, value, size - CRC_BYTES);
    for (size_t i = 0; i < CRC_BYTES; i++)
        value[size - CRC_BYTES + i] = (uint8_t)(crc >> 8 * i);
}

/* --- each kind, alike ----------------------------------------------------------------------- */

static void the_layout_on_disk_is_what_it_was(void **state)
{
    (void)state;
    for (enum kind kind = META; kind < KINDS; kind++) {
        uint8_t value[VALUE_BYTES_MAX];
        char hex[2 * VALUE_BYTES_MAX + 1];
        size_t size = encode(kind, value);
        for (size_t i = 0; i < size; i++) {
            hex[2 * i] = "0123456789abcdef"[value[i] >> 4];
            hex[2 * i + 1] = "0123456789abcdef"[value[i] & 15];
        }
        hex[2 * size] = '\0';
        assert_string_equal(hex, golden[kind]);
    }
}

static void what_was_encoded_is_decoded(void **state)
{
    (void)state;
    for (enum kind kind = META; kind < KINDS; kind++) {
        uint8_t value[VALUE_BYTES_MAX], again[VALUE_BYTES_MAX];
        size_t size = encode(kind, value), again_size = 0;
        assert_true(decode(kind, 0, value, size, again, &again_size));
        assert_int_equal(again_size, size);
        assert_memory_equal(again, value, size);
    }
}

static void every_flipped_bit_is_refused(void **state)
{
    (void)state;
    for (enum kind kind = META; kind < KINDS; kind++) {
        uint8_t value[VALUE_BYTES_MAX];
        size_t size = encode(kind, value);
        for (size_t bit = 0; bit < 8 * size; bit++) {
            struct meta_record ret;
            value[bit / 8] ^= (uint8_t)(1u << bit % 8);
            /* Of a meta record with another number, nothing but that number is promised. */
            bool other_layout = kind == META && meta_record_decode(&ret, value, size) &&
                                ret.layout != LAYOUT_VERSION;
            if (other_layout ? bit < 64 || bit >= 96 : decodes(kind, 0, value, size))
                FAIL("kind %d: bit %zu flipped, and accepted", (int)kind, bit);
            value[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    for (enum kind kind = META; kind < KINDS; kind++) {
        uint8_t value[VALUE_BYTES_MAX];
        size_t size = encode(kind, value);
        for (size_t shorter = 0; shorter < size; shorter++)
            assert_false(decodes(kind, 0, value, shorter));
        /* Also where the checksum is right (a meta record's layout must still be there). */
        for (size_t shorter = kind == META ? 16 : CRC_BYTES; shorter < size; shorter++) {
            (void)encode(kind, value);
            seal_again(kind, value, shorter);
            if (decodes(kind, 0, value, shorter))
                FAIL("kind %d: cut to %zu bytes and sealed, and accepted", (int)kind, shorter);
        }
    }
}

static void every_extension_is_refused(void **state)
{
    (void)state;
    for (enum kind kind = META; kind < KINDS; kind++) {
        uint8_t value[VALUE_BYTES_MAX + 64] = {0};
        size_t size = encode(kind, value);
        for (size_t more = 1; more <= 64; more++)
            assert_false(decodes(kind, 0, value, size + more));
        for (size_t more = 1; more <= 64; more++) {
            seal_again(kind, value, size + more);
            if (decodes(kind, 0, value, size + more))
                FAIL("kind %d: %zu bytes longer and sealed, and accepted", (int)kind, more);
        }
    }
}

static void a_value_under_another_key_is_refused(void **state)
{
    (void)state;
    for (enum kind kind = JOURNAL; kind < KINDS; kind++) {
        uint8_t value[VALUE_BYTES_MAX];
        size_t size = encode(kind, value);
        for (int key = 1; key < KEYS; key++)
            assert_false(decodes(kind, key, value, size));
    }
}

static void a_value_of_one_kind_is_none_of_another(void **state)
{
    (void)state;
    for (enum kind kind = META; kind < KINDS; kind++) {
        for (enum kind other = META; other < KINDS; other++) {
            bool same = table_of(kind) == table_of(other);
            uint8_t value[VALUE_BYTES_MAX];
            size_t size = encode(kind, value);
            if (other == META && !same)
                assert_false(decodes(other, 0, value, size));
            seal_again(other, value, size);
            if (!same && decodes(other, 0, value, size))
                FAIL("kind %d taken for kind %d", (int)kind, (int)other);
        }
    }
}

/* "False for anything that encoding could not have written": each byte set to each value, under a
 * checksum that fits. What is decoded then, encoded again, is the same bytes. */
static void only_what_encoding_writes_is_decoded(void **state)
{
    (void)state;
    for (enum kind kind = JOURNAL; kind < KINDS; kind++) {
        uint8_t whole[VALUE_BYTES_MAX], value[VALUE_BYTES_MAX], again[VALUE_BYTES_MAX];
        size_t size = encode(kind, whole), again_size = 0;
        for (size_t at = 0; at < size - CRC_BYTES; at++) {
            for (int byte = 0; byte <= 0xff; byte++) {
                memcpy(value, whole, size);
                value[at] = (uint8_t)byte;
                seal_again(kind, value, size);
                if (decode(kind, 0, value, size, again, &again_size) &&
                    (again_size != size || memcmp(again, value, size) != 0))
                    FAIL("kind %d: byte %zu is 0x%02x, and accepted", (int)kind, at,
                         (unsigned)byte);
            }
        }
    }
}

static void random_bytes_under_a_right_checksum_never_crash(void **state)
{
    (void)state;
    random_begin();
    for (int i = 0; i < 60000; i++) {
        uint8_t value[VALUE_BYTES_MAX];
        enum kind kind = (enum kind)random_between(META, EXPIRY);
        size_t size = random_between(CRC_BYTES, VALUE_BYTES_MAX);
        random_fill(value, size);
        value[0] = 1;                              /* the version */
        value[1] = (uint8_t)random_between(0, 12); /* how many entries */
        seal_again(kind, value, size);
        (void)decodes(kind, 0, value, size);
    }
}

/* --- each kind by itself -------------------------------------------------------------------- */

static void another_layout_is_decoded_to_its_number(void **state)
{
    (void)state;
    static const uint32_t layouts[] = {0, 2, 3, 256, UINT32_MAX};
    for (size_t i = 0; i < COUNT_OF(layouts); i++) {
        uint8_t value[META_RECORD_BYTES + 8] = {0};
        struct meta_record other = {.layout = layouts[i], .created_us = TIME_US}, ret;
        (void)meta_record_encode(value, &other);
        value[META_RECORD_BYTES - 1] ^= 1; /* its checksum may be another */
        for (size_t size = 12; size <= sizeof value; size++) {
            assert_true(meta_record_decode(&ret, value, size));
            assert_int_equal(ret.layout, layouts[i]);
        }
        for (size_t size = 0; size < 12; size++)
            assert_false(meta_record_decode(&ret, value, size));
    }
}

static void keys_sort_as_their_numbers_do(void **state)
{
    (void)state;
    static const uint64_t rising[] = {0,
                                      1,
                                      2,
                                      255,
                                      256,
                                      257,
                                      65535,
                                      65536,
                                      0xffffffff,
                                      UINT64_C(1) << 32,
                                      UINT64_C(1) << 56,
                                      UINT64_MAX};
    for (size_t i = 0; i < COUNT_OF(rising); i++) {
        uint8_t a[SEQUENCE_KEY_BYTES], b[SEQUENCE_KEY_BYTES];
        sequence_key_encode(a, rising[i]);
        assert_true(sequence_key_decode(a) == rising[i]);
        for (size_t j = i + 1; j < COUNT_OF(rising); j++) {
            sequence_key_encode(b, rising[j]);
            assert_true(memcmp(a, b, sizeof a) < 0);
            if (rising[j] <= UINT32_MAX) {
                client_key_encode(a, (uint32_t)rising[i]);
                client_key_encode(b, (uint32_t)rising[j]);
                assert_true(memcmp(a, b, CLIENT_KEY_BYTES) < 0);
                assert_int_equal(client_key_decode(b), rising[j]);
                sequence_key_encode(a, rising[i]);
            }
        }
    }
}

static void a_failed_decoding_leaves_the_result_untouched(void **state)
{
    (void)state;
    uint8_t value[VALUE_BYTES_MAX];
    size_t size = encode(ACCOUNT, value);
    struct account_record ret, untouched;
    memset(&untouched, 0x5a, sizeof untouched);
    memset(&ret, 0x5a, sizeof ret);
    value[size - 1] ^= 1;
    assert_false(account_record_decode(&ret, CLIENT, value, size));
    assert_memory_equal(&ret, &untouched, sizeof ret);
}

/* --- random round trips --------------------------------------------------------------------- */

/* One of the edges, or anything between. */
static int64_t random_i64(int64_t min, int64_t max)
{
    switch (random_between(0, 3)) {
    case 0: return min;
    case 1: return max;
    default: return (int64_t)((uint64_t)min + random_between(0, (uint64_t)max - (uint64_t)min));
    }
}

static struct entry random_entry(void)
{
    struct entry entry = {.amount_cents = random_i64(1, CENTS_MAX),
                          .time_us = random_i64(INT64_MIN / 2, INT64_MAX / 2),
                          .kind = random_between(0, 1) ? ENTRY_CREDIT : ENTRY_DEBIT};
    entry.description_bytes = (uint8_t)random_i64(1, DESCRIPTION_BYTES_MAX);
    random_fill(entry.description, entry.description_bytes);
    return entry;
}

static void expect_same_entry(const struct entry *a, const struct entry *b)
{
    assert_true(entry_same_request(a, b));
    assert_true(a->time_us == b->time_us);
}

static void random_journal_records_come_back(void **state)
{
    (void)state;
    random_begin();
    for (int i = 0; i < 20000; i++) {
        struct journal_record in = {.sequence = random_next(), .previous_sequence = random_next()};
        struct journal_record out;
        uint8_t value[JOURNAL_RECORD_BYTES_MAX];
        in.entry = random_entry();
        in.kind = (enum journal_kind)in.entry.kind;
        if (random_between(0, 9) == 0) {
            in.kind = random_between(0, 1) ? JOURNAL_OPENING : JOURNAL_LIMIT;
            in.entry = (struct entry){.time_us = in.entry.time_us};
        }
        in.client = (uint32_t)random_i64(1, CLIENT_MAX);
        in.limit_cents = random_i64(0, CENTS_MAX);
        in.balance_cents = random_i64(-in.limit_cents, CENTS_MAX);
        size_t size = journal_record_encode(value, &in);
        assert_true(journal_record_decode(&out, in.sequence, value, size));
        assert_true(out.sequence == in.sequence);
        assert_true(out.previous_sequence == in.previous_sequence);
        assert_int_equal(out.client, in.client);
        assert_int_equal(out.kind, in.kind);
        assert_true(out.limit_cents == in.limit_cents && out.balance_cents == in.balance_cents);
        assert_true(out.entry.time_us == in.entry.time_us);
        if (journal_moves_money(in.kind))
            expect_same_entry(&out.entry, &in.entry);
    }
}

static void random_account_records_come_back(void **state)
{
    (void)state;
    random_begin();
    for (int i = 0; i < 5000; i++) {
        struct account_record in = {.entries = random_next(), .last_sequence = random_next()}, out;
        uint8_t value[ACCOUNT_RECORD_BYTES_MAX];
        in.account.client = (uint32_t)random_i64(1, CLIENT_MAX);
        in.account.limit_cents = random_i64(0, CENTS_MAX);
        in.account.balance_cents = random_i64(-in.account.limit_cents, CENTS_MAX);
        in.opening_balance_cents = random_i64(-CENTS_MAX, CENTS_MAX);
        in.account.recent_count = (uint32_t)random_i64(0, STATEMENT_ENTRIES_MAX);
        for (uint32_t j = 0; j < in.account.recent_count; j++)
            in.account.recent[j] = random_entry();
        size_t size = account_record_encode(value, &in);
        assert_in_range(size, 1, ACCOUNT_RECORD_BYTES_MAX);
        assert_true(account_record_decode(&out, in.account.client, value, size));
        assert_int_equal(out.account.client, in.account.client);
        assert_true(out.account.limit_cents == in.account.limit_cents);
        assert_true(out.account.balance_cents == in.account.balance_cents);
        assert_true(out.opening_balance_cents == in.opening_balance_cents);
        assert_true(out.entries == in.entries && out.last_sequence == in.last_sequence);
        assert_int_equal(out.account.recent_count, in.account.recent_count);
        for (uint32_t j = 0; j < in.account.recent_count; j++)
            expect_same_entry(&out.account.recent[j], &in.account.recent[j]);
    }
}

static void random_key_and_expiry_records_come_back(void **state)
{
    (void)state;
    random_begin();
    for (int i = 0; i < 20000; i++) {
        char text[KEY_BYTES_MAX];
        uint8_t value[EXPIRY_RECORD_BYTES_MAX];
        struct expiry_record in = {.time_us = random_i64(INT64_MIN, INT64_MAX)}, out;
        uint64_t sequence = random_next(), found = 0;
        size_t text_bytes = (size_t)random_i64(1, KEY_BYTES_MAX);
        random_fill(text, text_bytes);
        in.key_bytes = (uint8_t)idempotency_key_encode(
            in.idempotency_key, (uint32_t)random_i64(1, CLIENT_MAX), text, text_bytes);
        size_t size = expiry_record_encode(value, sequence, &in);
        assert_true(expiry_record_decode(&out, sequence, value, size));
        assert_true(out.time_us == in.time_us);
        assert_int_equal(out.key_bytes, in.key_bytes);
        assert_memory_equal(out.idempotency_key, in.idempotency_key, in.key_bytes);

        size = key_record_encode(value, in.idempotency_key, in.key_bytes, sequence);
        assert_true(key_record_decode(&found, in.idempotency_key, in.key_bytes, value, size));
        assert_true(found == sequence);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_layout_on_disk_is_what_it_was),
        cmocka_unit_test(what_was_encoded_is_decoded),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_extension_is_refused),
        cmocka_unit_test(a_value_under_another_key_is_refused),
        cmocka_unit_test(a_value_of_one_kind_is_none_of_another),
        cmocka_unit_test(only_what_encoding_writes_is_decoded),
        cmocka_unit_test(random_bytes_under_a_right_checksum_never_crash),
        cmocka_unit_test(another_layout_is_decoded_to_its_number),
        cmocka_unit_test(keys_sort_as_their_numbers_do),
        cmocka_unit_test(a_failed_decoding_leaves_the_result_untouched),
        cmocka_unit_test(random_journal_records_come_back),
        cmocka_unit_test(random_account_records_come_back),
        cmocka_unit_test(random_key_and_expiry_records_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
