/* SPDX-License-Identifier: MIT
 *
 * test_csv.c - records as rows: with the columns they should have, and quoted where they must be.
 */
#define _GNU_SOURCE /* memfd_create */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "exchange/csv.h"
#include "exchange/jsonl.h"
#include "exchange/jsonl_file.h"
#include "exchange/record_text.h"
#include "random_record.h"

static void expect_row(const struct archive_record *record, const char *expected)
{
    char row[CSV_ROW_BYTES_MAX];
    size_t bytes = csv_write_record(row, record);
    if (bytes != strlen(expected) || memcmp(row, expected, bytes) != 0)
        FAIL("%s\nshould be\n%s", shown(row, bytes), shown(expected, strlen(expected)));
}

static void each_row_has_the_columns_that_the_first_names(void **state)
{
    (void)state;
    char names[CSV_ROW_BYTES_MAX];
    size_t bytes = csv_write_names(names);
    assert_int_equal(bytes, strlen("sequence,client,kind,amount_cents,balance_cents,limit_cents,"
                                   "time,description,key\n"));
    assert_memory_equal(names,
                        "sequence,client,kind,amount_cents,balance_cents,limit_cents,time,"
                        "description,key\n",
                        bytes);

    struct archive_record record = {
        .journal = {.sequence = 3,
                    .client = 7,
                    .kind = JOURNAL_DEBIT,
                    .limit_cents = 100,
                    .balance_cents = -5,
                    .entry = {5, INT64_C(1705458881217753), ENTRY_DEBIT, 6, "ação"}},
        .key_bytes = 3,
        .key = "k-1",
    };
    expect_row(&record, "3,7,debit,5,-5,100,2024-01-17T02:34:41.217753Z,ação,k-1\n");
    record.key_bytes = 0;
    expect_row(&record, "3,7,debit,5,-5,100,2024-01-17T02:34:41.217753Z,ação,\n");
    record.journal.kind = JOURNAL_OPENING;
    record.journal.entry = (struct entry){.time_us = INT64_C(1705458881217753)};
    expect_row(&record, "3,7,opening,,-5,100,2024-01-17T02:34:41.217753Z,,\n");
}

static void what_would_be_taken_for_the_format_is_quoted_and_nothing_else(void **state)
{
    (void)state;
    static const struct {
        const char *text, *field;
    } cases[] = {
        {"a,b", "\"a,b\""},       {"\"", "\"\"\"\""},   {"a\"b\"", "\"a\"\"b\"\"\""},
        {"a\nb", "\"a\nb\""},     {"a\rb", "\"a\rb\""}, {" a ", " a "},
        {"a;b\t'c'", "a;b\t'c'"}, {"=1+1", "=1+1"}, /* a spreadsheet's formula, but the client's words */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct archive_record record = {
            .journal = {.sequence = 1,
                        .client = 1,
                        .kind = JOURNAL_CREDIT,
                        .entry = {1, 0, ENTRY_CREDIT, (uint8_t)strlen(cases[i].text), ""}},
        };
        char expected[200];
        memcpy(record.journal.entry.description, cases[i].text, strlen(cases[i].text));
        snprintf(expected, sizeof expected, "1,1,credit,1,0,0,1970-01-01T00:00:00.000000Z,%s,\n",
                 cases[i].field);
        expect_row(&record, expected);
    }
    struct archive_record keyed = {
        .journal = {.sequence = 1,
                    .client = 1,
                    .kind = JOURNAL_CREDIT,
                    .entry = {1, 0, ENTRY_CREDIT, 1, "x"}},
        .key_bytes = 3,
        .key = "a,\"",
    };
    expect_row(&keyed, "1,1,credit,1,0,0,1970-01-01T00:00:00.000000Z,x,\"a,\"\"\"\n");
}

static void the_largest_row_fits(void **state)
{
    (void)state;
    char row[CSV_ROW_BYTES_MAX];
    struct archive_record record = {
        .journal = {.sequence = INT64_MAX,
                    .client = CLIENT_MAX,
                    .kind = JOURNAL_DEBIT,
                    .limit_cents = CENTS_MAX,
                    .balance_cents = -CENTS_MAX,
                    .entry = {CENTS_MAX, 0, ENTRY_DEBIT, DESCRIPTION_BYTES_MAX, ""}},
        .key_bytes = KEY_BYTES_MAX,
    };
    memset(record.journal.entry.description, '"', DESCRIPTION_BYTES_MAX);
    memset(record.key, '"', KEY_BYTES_MAX);
    assert_true(csv_write_record(row, &record) <= sizeof row);
}

/* --- Python reads both formats, finds the same in them, and writes JSON in its own way. ------- */

static const char script[] =
    "import csv, json, sys\n"
    "lines = open(sys.argv[1], encoding='utf-8', newline='\\n').read().split('\\n')[1:-2]\n"
    "rows = csv.DictReader(open(sys.argv[2], encoding='utf-8', newline=''), strict=True)\n"
    "out = open(sys.argv[3], 'w', encoding='ascii')\n"
    "out.write('{\"kind\": \"ledger\", \"format\": 1, \"complete\": true, '\n"
    "          '\"created\": \"1970-01-01T00:00:00Z\"}\\n')\n"
    "count = 0\n"
    "for line, row in zip(lines, rows, strict=True):\n"
    "    record = json.loads(line)\n"
    "    assert {k: str(v) for k, v in record.items()} == {k: v for k, v in row.items() if v}\n"
    "    out.write(json.dumps(dict(reversed(record.items()))) + '\\n')\n"
    "    count += 1\n"
    "out.write(json.dumps({'kind': 'end', 'records': count}) + '\\n')\n";

static void put(int fd, const char *bytes, size_t size)
{
    assert_int_equal(write(fd, bytes, size), size);
}

static int run_python(int jsonl, int csv, int out)
{
    const char *python = getenv("PYTHON");
    char *command;
    /* The descriptors are the child's as well. */
    int bytes = asprintf(&command,
                         "exec %s -c \"$EXCHANGE_SCRIPT\" /dev/fd/%d /dev/fd/%d /dev/fd/%d",
                         python ? python : "/usr/bin/python3", jsonl, csv, out);
    assert_true(bytes > 0);
    setenv("EXCHANGE_SCRIPT", script, 1);
    int status = system(command); /* NOLINT(cert-env33-c): a test's */
    free(command);
    return status;
}

static void python_finds_the_same_in_both_formats_and_is_understood(void **state)
{
    (void)state;
    enum { RECORDS = 5000 };
    static struct archive_record written[RECORDS];
    static struct jsonl_file file;
    static struct task task;
    char text[JSONL_WRITTEN_BYTES_MAX], error[300];
    struct archive_record record;
    int64_t created_us, time_us = 0;
    int jsonl = memfd_create("jsonl", 0), csv = memfd_create("csv", 0),
        out = memfd_create("out", 0);

    random_begin();
    put(jsonl, text, jsonl_write_header(text, 0, true));
    put(csv, text, csv_write_names(text));
    for (uint64_t i = 0; i < RECORDS; i++) {
        time_us += (int64_t)random_between(1, UINT64_C(1) << 45);
        written[i] = random_record(i + 1, time_us);
        put(jsonl, text, jsonl_write_record(text, &written[i]));
        put(csv, text, csv_write_record(text, &written[i]));
    }
    put(jsonl, text, jsonl_write_end(text, RECORDS));

    assert_int_equal(run_python(jsonl, csv, out), 0);
    assert_int_equal(lseek(out, 0, SEEK_SET), 0);
    jsonl_file_begin(&file, out, &task);
    assert_int_equal(jsonl_file_header(&file, &created_us, error, sizeof error), JSONL_FILE_RECORD);
    for (uint64_t i = 0; i < RECORDS; i++) {
        if (jsonl_file_record(&file, &record, error, sizeof error) != JSONL_FILE_RECORD)
            FAIL("%s", error);
        assert_true(same_record(&record, &written[i]));
    }
    assert_int_equal(jsonl_file_record(&file, &record, error, sizeof error), JSONL_FILE_END);
    close(jsonl);
    close(csv);
    close(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_has_the_columns_that_the_first_names),
        cmocka_unit_test(what_would_be_taken_for_the_format_is_quoted_and_nothing_else),
        cmocka_unit_test(the_largest_row_fits),
        cmocka_unit_test(python_finds_the_same_in_both_formats_and_is_understood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
