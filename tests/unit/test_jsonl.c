/* SPDX-License-Identifier: MIT
 *
 * test_jsonl.c - a ledger's lines: what is written is read back, and what is wrong is named.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exchange/jsonl.h"
#include "exchange/record_text.h"
#include "random_record.h"

#define CREATED "\"created\":\"2024-01-17T02:34:38.543030Z\""
#define HEADER  "{\"kind\":\"ledger\",\"format\":1," CREATED ",\"complete\":true}"
#define TERMS   "\"balance_cents\":-5,\"limit_cents\":100,\"time\":\"2024-01-17T02:34:41.217753Z\""
#define OPENING "{\"sequence\":1,\"client\":7,\"kind\":\"opening\"," TERMS "}"
#define LIMIT   "{\"sequence\":1,\"client\":7,\"kind\":\"limit\"," TERMS "}"
#define MONEY   "\"amount_cents\":3," TERMS ",\"description\":\"a\xc3\xa7\xc3\xa3o\""
#define CREDIT  "{\"sequence\":1,\"client\":7,\"kind\":\"credit\"," MONEY "}"
#define DEBIT   "{\"sequence\":1,\"client\":7,\"kind\":\"debit\"," MONEY ",\"key\":\"k-1\"}"
#define END     "{\"kind\":\"end\",\"records\":12}"

static const char *const every_kind[] = {HEADER, OPENING, LIMIT, CREDIT, DEBIT, END};

static struct jsonl_line line;
static char error[300];

/* From memory of exactly that size, so that reading past it is seen. */
static bool reads(const char *text, size_t bytes)
{
    char *exact = malloc(bytes > 0 ? bytes : 1);
    assert_non_null(exact);
    memcpy(exact, text, bytes);
    memset(error, 0, sizeof error);
    bool read = jsonl_read_line(exact, bytes, &line, error, sizeof error);
    free(exact);
    return read;
}

static void expect_read(const char *text)
{
    if (!reads(text, strlen(text)))
        FAIL("%s\nis refused: %s", text, error);
}

static void expect_error(const char *text, size_t bytes, const char *expected)
{
    if (reads(text, bytes))
        FAIL("%s\nis read", shown(text, bytes));
    if (!strstr(error, expected))
        FAIL("%s\nis refused with: %s\nwhich should speak of: %s", shown(text, bytes), error,
             expected);
}

/* The line with what stands between two of its members put in another's place. */
static void expect_error_with(const char *text, const char *from, const char *to,
                              const char *expected)
{
    char other[1000];
    const char *at = strstr(text, from);
    assert_non_null(at);
    int bytes = snprintf(other, sizeof other, "%.*s%s%s", (int)(at - text), text, to,
                         at + strlen(from));
    expect_error(other, (size_t)bytes, expected);
}

static void expect_written(const char *expected, const char *text, size_t bytes)
{
    size_t size = strlen(expected);
    if (bytes != size + 1 || memcmp(text, expected, size) != 0 || text[size] != '\n')
        FAIL("%s\nshould be\n%s", shown(text, bytes), expected);
}

/* --- writing -------------------------------------------------------------------------------- */

static void lines_are_written_as_documented(void **state)
{
    (void)state;
    char text[JSONL_WRITTEN_BYTES_MAX];
    expect_written(HEADER, text, jsonl_write_header(text, INT64_C(1705458878543030), true));
    expect_written("{\"kind\":\"ledger\",\"format\":1," CREATED ",\"complete\":false}", text,
                   jsonl_write_header(text, INT64_C(1705458878543030), false));
    expect_written(END, text, jsonl_write_end(text, 12));
    for (size_t i = 1; i < COUNT_OF(every_kind) - 1; i++) {
        expect_read(every_kind[i]);
        assert_int_equal(line.kind, JSONL_RECORD);
        expect_written(every_kind[i], text, jsonl_write_record(text, &line.record));
    }
}

static void the_largest_record_fits(void **state)
{
    (void)state;
    char text[JSONL_WRITTEN_BYTES_MAX];
    struct archive_record record = {
        .journal =
            {
                .sequence = INT64_MAX,
                .client = CLIENT_MAX,
                .kind = JOURNAL_CREDIT,
                .limit_cents = CENTS_MAX,
                .balance_cents = -CENTS_MAX,
                .entry = {CENTS_MAX, INT64_C(253402300799999999), ENTRY_CREDIT, 0, ""},
            },
        .key_bytes = KEY_BYTES_MAX,
    };
    memset(record.key, '"', sizeof record.key);
    /* Longer than any that is accepted: 40 bytes that are escaped each. */
    memset(record.journal.entry.description, 1, DESCRIPTION_BYTES_MAX);
    record.journal.entry.description_bytes = DESCRIPTION_BYTES_MAX;
    assert_true(jsonl_write_record(text, &record) <= sizeof text);

    record.journal.entry.description_bytes = DESCRIPTION_POINTS_MAX;
    assert_null(record_text_wrong(&record));
    assert_true(reads(text, jsonl_write_record(text, &record) - 1));
    assert_true(same_record(&record, &line.record));
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    char text[JSONL_WRITTEN_BYTES_MAX];
    random_begin();
    for (int i = 0; i < 50000; i++) {
        struct archive_record record = random_record(
            random_between(1, i % 2 ? 1000 : INT64_MAX),
            (int64_t)random_between(0, UINT64_C(253402300799999999)));
        assert_null(record_text_wrong(&record));
        size_t bytes = jsonl_write_record(text, &record);
        assert_int_equal(text[bytes - 1], '\n');
        if (memchr(text, '\n', bytes - 1))
            FAIL("%s\nis more than one line", shown(text, bytes));
        if (!reads(text, bytes - 1))
            FAIL("%s\nis refused: %s", shown(text, bytes), error);
        assert_int_equal(line.kind, JSONL_RECORD);
        if (!same_record(&record, &line.record))
            FAIL("%s\nis read as another record", shown(text, bytes));
    }
}

/* --- reading -------------------------------------------------------------------------------- */

static void what_each_line_says_is_read(void **state)
{
    (void)state;
    expect_read(HEADER);
    assert_int_equal(line.kind, JSONL_HEADER);
    assert_true(line.created_us == INT64_C(1705458878543030) && line.complete);
    expect_read("{\"kind\":\"ledger\",\"format\":1," CREATED ",\"complete\":false}");
    assert_false(line.complete);
    expect_read(END);
    assert_int_equal(line.kind, JSONL_END);
    assert_int_equal(line.records, 12);
    expect_read(DEBIT);
    const struct journal_record *journal = &line.record.journal;
    assert_true(journal->sequence == 1 && journal->previous_sequence == 0 && journal->client == 7 &&
                journal->kind == JOURNAL_DEBIT && journal->balance_cents == -5 &&
                journal->limit_cents == 100 && journal->entry.amount_cents == 3 &&
                journal->entry.kind == ENTRY_DEBIT &&
                journal->entry.time_us == INT64_C(1705458881217753));
    assert_int_equal(journal->entry.description_bytes, 6);
    assert_memory_equal(journal->entry.description, "ação", 6);
    assert_int_equal(line.record.key_bytes, 3);
    assert_memory_equal(line.record.key, "k-1", 3);
    expect_read(CREDIT);
    assert_int_equal(line.record.key_bytes, 0);
}

static void order_spaces_and_escapes_do_not_matter(void **state)
{
    (void)state;
    expect_read(DEBIT);
    struct archive_record record = line.record;
    expect_read(" { \"key\" : \"k\\u002d1\" ,\t\"description\" : \"a\\u00e7\\u00e3o\", "
                "\"time\":\"2024-01-17T02:34:41.217753+00:00\",\"kind\":\"d\\u0065bit\","
                "\"limit_cents\":100,\"balance_cents\":-5,\"amount_cents\":3,\"client\":7,"
                "\"\\u0073equence\":1 } \r");
    assert_true(same_record(&record, &line.record));
}

static void each_member_that_is_missing_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *members[10];
        int count;
    } lines[] = {
        {{"\"kind\":\"ledger\"", "\"format\":1", CREATED, "\"complete\":true"}, 4},
        {{"\"kind\":\"limit\"", "\"sequence\":1", "\"client\":7", "\"balance_cents\":0",
          "\"limit_cents\":0", "\"time\":\"2024-01-17T02:34:41.217753Z\""},
         6},
        {{"\"kind\":\"credit\"", "\"sequence\":1", "\"client\":7", "\"balance_cents\":0",
          "\"limit_cents\":0", "\"time\":\"2024-01-17T02:34:41.217753Z\"", "\"amount_cents\":1",
          "\"description\":\"x\""},
         8},
        {{"\"kind\":\"end\"", "\"records\":1"}, 2},
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        for (int missing = -1; missing < lines[i].count; missing++) {
            char text[500], name[50];
            size_t bytes = 0;
            const char *separator = "{";
            for (int j = 0; j < lines[i].count; j++) {
                if (j == missing)
                    continue;
                bytes += (size_t)snprintf(text + bytes, sizeof text - bytes, "%s%s", separator,
                                          lines[i].members[j]);
                separator = ",";
            }
            text[bytes++] = '}';
            text[bytes] = '\0';
            if (missing < 0) {
                expect_read(text);
                continue;
            }
            sscanf(lines[i].members[missing], "\"%40[^\"]", name);
            expect_error(text, bytes, name);
        }
    expect_error_with(OPENING, "\"client\":7,", "", "client is missing");
    expect_error_with(CREDIT, "\"kind\":\"credit\",", "", "kind is missing");
}

static void a_member_that_does_not_belong_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(every_kind); i++) {
        expect_error_with(every_kind[i], "{", "{\"note\":1,", "unknown member \"note\"");
        expect_error_with(every_kind[i], "{", "{\"Sequence\":1,", "unknown member \"Sequence\"");
        expect_error_with(every_kind[i], "{", "{\"\":1,", "unknown member \"\"");
    }
    expect_error_with(OPENING, "{", "{\"amount_cents\":1,",
                      "amount_cents does not belong to the kind \"opening\"");
    expect_error_with(LIMIT, "{", "{\"description\":\"x\",", "description does not belong");
    expect_error_with(OPENING, "{", "{\"key\":\"x\",", "key does not belong");
    expect_error_with(CREDIT, "{", "{\"records\":1,", "records does not belong");
    expect_error_with(HEADER, "{", "{\"sequence\":1,", "sequence does not belong");
    expect_error_with(END, "{", "{\"format\":1,", "format does not belong to the kind \"end\"");
    /* Nothing that a terminal would obey. */
    expect_error_with(END, "{", "{\"\\u001b[2J\xc3\xa7\":1,", "unknown member \"?[2J??\"");
}

static void each_value_out_of_its_range_is_named_with_its_rule(void **state)
{
    (void)state;
#define FROM_1   "must be a whole number from 1"
#define FROM_0   "must be a whole number from 0 to 9007199254740991"
#define CENTS    "amount_cents must be a whole number from 1 to 9007199254740991"
#define CLIENT   "client must be a whole number from 1 to 2147483647"
#define DEBT     "balance_cents must be a whole number from -limit_cents to 9007199254740991"
#define TIME     "time must be an RFC 3339 time from 1970 to 9999"
#define TEN      "description must be a string of 1 to 10 characters, none of them U+0000"
#define KEY      "key must be a string of 1 to 64 visible ASCII characters"
#define SIXTEEN  "0123456789abcdef"
#define TIME_AT  "\"2024-01-17T02:34:41.217753Z\""
#define WORDS_AT "\"a\xc3\xa7\xc3\xa3o\""
    static const struct {
        const char *text, *from, *to, *expected;
    } cases[] = {
        {CREDIT, "\"sequence\":1", "\"sequence\":0", "sequence " FROM_1},
        {CREDIT, "\"sequence\":1", "\"sequence\":-1", "sequence " FROM_1},
        {CREDIT, "\"sequence\":1", "\"sequence\":1.0", "sequence " FROM_1},
        {CREDIT, "\"sequence\":1", "\"sequence\":\"1\"", "sequence " FROM_1},
        {CREDIT, "\"sequence\":1", "\"sequence\":null", "sequence " FROM_1},
        {CREDIT, "\"sequence\":1", "\"sequence\":9223372036854775808", "a number no member has"},
        {CREDIT, "\"sequence\":1", "\"sequence\":1e400", "a number no member has"},
        {CREDIT, "\"client\":7", "\"client\":0", CLIENT},
        {CREDIT, "\"client\":7", "\"client\":2147483648", CLIENT},
        {CREDIT, "\"client\":7", "\"client\":4294967297", CLIENT},
        {CREDIT, "\"client\":7", "\"client\":7e0", CLIENT},
        {CREDIT, "\"client\":7", "\"client\":true", CLIENT},
        {CREDIT, "\"credit\"", "\"Credit\"", "kind must be"},
        {CREDIT, "\"credit\"", "\"c\"", "kind must be"},
        {CREDIT, "\"credit\"", "\"\"", "kind must be"},
        {CREDIT, "\"credit\"", "\"credit\\u0000\"", "kind must be"},
        {CREDIT, "\"credit\"", "\"end\\u0000\"", "kind must be"},
        {CREDIT, "\"credit\"", "null", "kind must be"},
        {CREDIT, "\"credit\"", "[\"credit\"]", "kind must be"},
        {CREDIT, "\"amount_cents\":3", "\"amount_cents\":0", CENTS},
        {CREDIT, "\"amount_cents\":3", "\"amount_cents\":-3", CENTS},
        {CREDIT, "\"amount_cents\":3", "\"amount_cents\":3.0", CENTS},
        {CREDIT, "\"amount_cents\":3", "\"amount_cents\":9007199254740992", CENTS},
        {CREDIT, "\"amount_cents\":3", "\"amount_cents\":[3]", CENTS},
        {CREDIT, "\"limit_cents\":100", "\"limit_cents\":-1", "limit_cents " FROM_0},
        {CREDIT, "\"limit_cents\":100", "\"limit_cents\":9007199254740992", "limit_cents " FROM_0},
        {CREDIT, "\"limit_cents\":100", "\"limit_cents\":4", DEBT},
        {CREDIT, "\"balance_cents\":-5", "\"balance_cents\":-101", DEBT},
        {OPENING, "\"balance_cents\":-5", "\"balance_cents\":-101", DEBT},
        {LIMIT, "\"balance_cents\":-5", "\"balance_cents\":9007199254740992", DEBT},
        {LIMIT, "\"balance_cents\":-5", "\"balance_cents\":-0.0", DEBT},
        {CREDIT, TIME_AT, "\"\"", TIME},
        {CREDIT, TIME_AT, "1705458881217753", TIME},
        {CREDIT, TIME_AT, "\"2024-01-17T02:34:41\"", TIME},
        {CREDIT, TIME_AT, "\"2024-02-30T00:00:00.000000Z\"", TIME},
        {CREDIT, TIME_AT, "\"1969-12-31T23:59:59.999999Z\"", TIME},
        {CREDIT, TIME_AT, "\"2024-01-17T02:34:41.217753Z\\u0000\"", TIME},
        {CREDIT, WORDS_AT, "\"\"", TEN},
        {CREDIT, WORDS_AT, "\"01234567890\"", TEN},
        {CREDIT, WORDS_AT, "\"a\\u0000b\"", TEN},
        {CREDIT, WORDS_AT, "null", TEN},
        {CREDIT, WORDS_AT, "7", TEN},
        {DEBIT, "\"k-1\"", "\"\"", KEY},
        {DEBIT, "\"k-1\"", "\"k 1\"", KEY},
        {DEBIT, "\"k-1\"", "\"k\xc3\xa7\"", KEY},
        {DEBIT, "\"k-1\"", "\"k\\u0000\"", KEY},
        {DEBIT, "\"k-1\"", "\"" SIXTEEN SIXTEEN SIXTEEN SIXTEEN "x\"", KEY},
        {DEBIT, "\"k-1\"", "null", KEY},
        {HEADER, "\"format\":1", "\"format\":0", "format " FROM_1},
        {HEADER, "\"format\":1", "\"format\":\"1\"", "format " FROM_1},
        {HEADER, "\"format\":1", "\"format\":1.0", "format " FROM_1},
        {HEADER, "\"2024-01-17T02:34:38.543030Z\"", "0", "created must be an RFC 3339 time"},
        {HEADER, "\"complete\":true", "\"complete\":1", "complete must be true or false"},
        {HEADER, "\"complete\":true", "\"complete\":null", "complete must be true or false"},
        {END, "12", "-1", "records must be a whole number from 0"},
        {END, "12", "12.0", "records must be a whole number from 0"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        expect_error_with(cases[i].text, cases[i].from, cases[i].to, cases[i].expected);
}

static void the_ends_of_each_range_are_read(void **state)
{
    (void)state;
    expect_read("{\"kind\":\"credit\",\"sequence\":9223372036854775807,\"client\":2147483647,"
                "\"amount_cents\":9007199254740991,\"balance_cents\":9007199254740991,"
                "\"limit_cents\":0,\"time\":\"9999-12-31T23:59:59.999999Z\","
                "\"description\":\"😀😀😀😀😀😀😀😀😀😀\",\"key\":\"" SIXTEEN SIXTEEN SIXTEEN SIXTEEN "\"}");
    assert_int_equal(line.record.journal.entry.description_bytes, DESCRIPTION_BYTES_MAX);
    assert_int_equal(line.record.key_bytes, KEY_BYTES_MAX);
    expect_read("{\"kind\":\"limit\",\"sequence\":1,\"client\":1,"
                "\"balance_cents\":-9007199254740991,\"limit_cents\":9007199254740991,"
                "\"time\":\"1970-01-01T00:00:00.000000Z\"}");
    expect_read("{\"kind\":\"end\",\"records\":0}");
}

/* Of a newer format nothing is known but where its number stands. */
static void a_newer_format_is_told_before_all_else(void **state)
{
    (void)state;
    static const char newer[] =
        "{\"kind\":\"ledger\",\"format\":2,\"made\":[],\"complete\":\"yes\"}";
    expect_error(newer, sizeof newer - 1,
                 "written by a newer crebito: its format is 2, and this one reads format 1");
}

static void what_is_not_one_json_object_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"", "not JSON"},
        {" ", "not JSON"},
        {"x", "not JSON"},
        {"7", "not JSON"},
        {"[]", "not a JSON object"},
        {"[" CREDIT "]", "not a JSON object"},
        {"{}", "kind is missing"},
        {CREDIT "x", "not JSON"},
        {CREDIT CREDIT, "not JSON"},
        {CREDIT ",", "not JSON"},
        {"\xef\xbb\xbf" CREDIT, "not JSON"},
        {"{\"kind\":\"end\",\"records\":1,}", "not JSON"},
        {"{\"kind\":\"end\",\"records\":01}", "not JSON"},
        {"{\"kind\":\"end\",\"records\":+1}", "not JSON"},
        {"{'kind':'end','records':1}", "not JSON"},
        {"{\"kind\":\"end\",\"records\":1,\"records\":1}", "duplicate"},
        {"{\"kind\":\"end\",\"records\":1,\"kind\":\"end\"}", "duplicate"},
        {"{\"kind\":\"end\",\"records\":1} // all", "not JSON"},
        {"{\"kind\":\"en\xff\",\"records\":1}", "not JSON"},
        {"{\"kind\":\"\\ud800\",\"records\":1}", "not JSON"},
        {"{\"kind\":\"a\tb\",\"records\":1}", "not JSON"},
        {"{\"ki\\u0000nd\":1}", "not JSON"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        expect_error(cases[i].text, strlen(cases[i].text), cases[i].expected);
    expect_error(END "\0", sizeof END, "a NUL byte");
    expect_error("\0" END, sizeof END, "a NUL byte");
    expect_error("{\"kind\":\"a\0b\"}", 14, "a NUL byte");
}

static void a_line_cut_short_anywhere_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(every_kind); i++)
        for (size_t bytes = 0; bytes < strlen(every_kind[i]); bytes++)
            if (reads(every_kind[i], bytes))
                FAIL("%s\nis read", shown(every_kind[i], bytes));
}

static size_t mutate(char *text, size_t bytes, size_t size)
{
    static const char pieces[] = "{}[]\",:\\0123456789-+.eE \t\r\x01\x7f\x80\xc3\xff"
                                 "cdutrnl";
    size_t at = random_between(0, bytes - 1), other = random_between(0, bytes - 1);
    char piece = pieces[random_between(0, sizeof pieces - 1)]; /* its NUL as well */
    switch (random_between(0, 4)) {
    case 0: text[at] = piece; return bytes;
    case 1: text[at] = (char)random_next(); return bytes;
    case 2: memmove(text + at, text + at + 1, bytes - at - 1); return bytes - 1;
    case 3: text[at] = text[other]; return bytes;
    default:
        if (bytes == size)
            return bytes;
        memmove(text + at + 1, text + at, bytes - at);
        text[at] = piece;
        return bytes + 1;
    }
}

static void a_mutated_line_is_refused_in_clear_text_or_is_another_good_one(void **state)
{
    (void)state;
    char text[JSONL_WRITTEN_BYTES_MAX], again[JSONL_WRITTEN_BYTES_MAX];
    unsigned read = 0, refused = 0;
    random_begin();
    for (int i = 0; i < 100000; i++) {
        struct archive_record record = random_record(random_between(1, 99),
                                                     (int64_t)random_between(0, 1u << 30));
        const char *other = every_kind[i % 2 ? 0 : COUNT_OF(every_kind) - 1];
        size_t bytes = jsonl_write_record(text, &record) - 1;
        if (i % 8 == 0)
            bytes = (size_t)snprintf(text, sizeof text, "%s", other);
        for (uint64_t times = random_between(1, 3); times > 0 && bytes > 1; times--)
            bytes = mutate(text, bytes, sizeof text);
        if (!reads(text, bytes)) {
            refused++;
            assert_true(error[0] != '\0');
            for (const char *c = error; *c; c++)
                if (*c < 0x20 || *c > 0x7e)
                    FAIL("%s\nis refused with %s", shown(text, bytes), shown(error, sizeof error));
            continue;
        }
        read++;
        if (line.kind != JSONL_RECORD)
            continue;
        record = line.record;
        assert_true(journal_record_sane(&record.journal));
        assert_null(record_text_wrong(&record));
        assert_true(reads(again, jsonl_write_record(again, &record) - 1));
        assert_true(same_record(&record, &line.record));
    }
    assert_in_range(read, 1000, 99000);
    assert_in_range(refused, 1000, 99000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_written_as_documented),
        cmocka_unit_test(the_largest_record_fits),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(what_each_line_says_is_read),
        cmocka_unit_test(order_spaces_and_escapes_do_not_matter),
        cmocka_unit_test(each_member_that_is_missing_is_named),
        cmocka_unit_test(a_member_that_does_not_belong_is_named),
        cmocka_unit_test(each_value_out_of_its_range_is_named_with_its_rule),
        cmocka_unit_test(the_ends_of_each_range_are_read),
        cmocka_unit_test(a_newer_format_is_told_before_all_else),
        cmocka_unit_test(what_is_not_one_json_object_is_refused),
        cmocka_unit_test(a_line_cut_short_anywhere_is_refused),
        cmocka_unit_test(a_mutated_line_is_refused_in_clear_text_or_is_another_good_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
