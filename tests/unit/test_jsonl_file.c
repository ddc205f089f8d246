/* SPDX-License-Identifier: MIT
 *
 * test_jsonl_file.c - which lines are a ledger.
 */
#define _GNU_SOURCE /* memfd_create */
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "exchange/jsonl.h"
#include "exchange/jsonl_file.h"
#include "random_record.h"

#define HEADER                                                                       \
    "{\"kind\":\"ledger\",\"format\":1,\"created\":\"2024-01-17T00:00:00.000000Z\"," \
    "\"complete\":true}\n"
#define RECORD(sequence, kind, us)                                                       \
    "{\"sequence\":" sequence ",\"client\":1,\"kind\":\"" kind "\",\"balance_cents\":0," \
    "\"limit_cents\":9,\"time\":\"2024-01-17T00:00:00.00000" us "Z\"}\n"
#define ONE   RECORD("1", "opening", "1")
#define TWO   RECORD("2", "limit", "2")
#define END   "{\"kind\":\"end\",\"records\":2}\n"
#define WHOLE HEADER ONE TWO END

static struct jsonl_file file;
static struct task task;
static char error[300];
static struct archive_record record; /* the last one */
static uint64_t records;
static int64_t created_us;

static enum jsonl_file_step read_from(int fd)
{
    memset(&task, 0, sizeof task);
    memset(error, 0, sizeof error);
    records = 0;
    created_us = -1;
    jsonl_file_begin(&file, fd, &task);
    enum jsonl_file_step step = jsonl_file_header(&file, &created_us, error, sizeof error);
    while (step == JSONL_FILE_RECORD) {
        step = jsonl_file_record(&file, &record, error, sizeof error);
        records += step == JSONL_FILE_RECORD;
    }
    return step;
}

static enum jsonl_file_step read_text(const char *text, size_t bytes)
{
    int fd = memfd_create("ledger", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, bytes), bytes);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    enum jsonl_file_step step = read_from(fd);
    close(fd);
    return step;
}

static void expect_wrong(const char *text, const char *expected)
{
    enum jsonl_file_step step = read_text(text, strlen(text));
    if (step != JSONL_FILE_WRONG)
        FAIL("%s\nis step %d", text, (int)step);
    if (strncmp(error, expected, strlen(expected)) != 0)
        FAIL("%s\nis refused with: %s\nshould be: %s", text, error, expected);
}

static void a_ledger_is_a_header_its_records_and_an_end(void **state)
{
    (void)state;
    assert_int_equal(read_text(WHOLE, sizeof WHOLE - 1), JSONL_FILE_END);
    assert_int_equal(records, 2);
    assert_int_equal(record.journal.kind, JOURNAL_LIMIT);
    assert_true(created_us == INT64_C(1705449600000000));
    static const char empty[] = HEADER "{\"kind\":\"end\",\"records\":0}\n";
    assert_int_equal(read_text(empty, sizeof empty - 1), JSONL_FILE_END);
    assert_int_equal(records, 0);
    /* The last newline may be missing, and a carriage return be there. */
    assert_int_equal(read_text(WHOLE, sizeof WHOLE - 2), JSONL_FILE_END);
    static const char crlf[] = HEADER "{\"kind\":\"end\",\"records\":0}\r\n";
    assert_int_equal(read_text(crlf, sizeof crlf - 1), JSONL_FILE_END);
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    enum { RECORDS = 3000 };
    static struct archive_record written[RECORDS];
    char line[JSONL_WRITTEN_BYTES_MAX];
    int fd = memfd_create("ledger", MFD_CLOEXEC);
    int64_t time_us = 0;
    random_begin();
    assert_true(write(fd, line, jsonl_write_header(line, 7, true)) > 0);
    for (uint64_t i = 0; i < RECORDS; i++) {
        time_us += (int64_t)random_between(1, random_between(0, 1) ? 1 : 1u << 30);
        written[i] = random_record(i + 1, time_us);
        assert_true(write(fd, line, jsonl_write_record(line, &written[i])) > 0);
    }
    assert_true(write(fd, line, jsonl_write_end(line, RECORDS)) > 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);

    jsonl_file_begin(&file, fd, &task);
    assert_int_equal(jsonl_file_header(&file, &created_us, error, sizeof error), JSONL_FILE_RECORD);
    assert_true(created_us == 7);
    for (uint64_t i = 0; i < RECORDS; i++) {
        assert_int_equal(jsonl_file_record(&file, &record, error, sizeof error), JSONL_FILE_RECORD);
        assert_int_equal(file.sequence, i + 1);
        assert_true(same_record(&record, &written[i]));
    }
    assert_int_equal(jsonl_file_record(&file, &record, error, sizeof error), JSONL_FILE_END);
    close(fd);
}

static void each_broken_rule_is_told_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"", "empty"},
        {"\n", "line 1: not JSON"},
        {"\xff\xfe\n", "line 1: not JSON"},
        {ONE TWO END, "line 1: the header, of kind \"ledger\", must come first"},
        {END, "line 1: the header, of kind \"ledger\", must come first"},
        {"{\"kind\":\"ledger\",\"format\":1,\"created\":\"2024-01-17T00:00:00.000000Z\","
         "\"complete\":false}\n" END,
         "line 1: a filtered export cannot be imported"},
        {"{\"kind\":\"ledger\",\"format\":7}\n" END, "line 1: written by a newer crebito"},
        {HEADER HEADER ONE, "line 2: a second header"},
        {HEADER TWO, "line 2: sequence must be 1, and is 2"},
        {HEADER ONE ONE, "line 3: sequence must be 2, and is 1"},
        {HEADER ONE RECORD("3", "limit", "3"), "line 3: sequence must be 2, and is 3"},
        {HEADER ONE RECORD("2", "limit", "0"), "line 3: time must not be before"},
        {HEADER ONE RECORD("2", "loan", "2"), "line 3: kind must be"},
        {HEADER ONE "\n" TWO END, "line 3: not JSON"},
        {HEADER ONE END, "line 3: the end speaks of 2 records, and 1 were here"},
        {HEADER ONE TWO RECORD("3", "limit", "3") END,
         "line 5: the end speaks of 2 records, and 3 were here"},
        {HEADER, "line 1: cut short: it is the last line, and not an end"},
        {HEADER ONE TWO, "line 3: cut short: it is the last line, and not an end"},
        {HEADER ONE TWO "{\"kind\":\"end\"", "line 4: cut short: it is the last line, and unfin"},
        {WHOLE "\n", "line 5: there is more after the end"},
        {WHOLE END, "line 5: there is more after the end"},
        {WHOLE WHOLE, "line 5: there is more after the end"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        expect_wrong(cases[i].text, cases[i].expected);
}

static void a_file_cut_short_anywhere_is_found_out(void **state)
{
    (void)state;
    for (size_t bytes = 1; bytes < sizeof WHOLE - 2; bytes++) {
        if (read_text(WHOLE, bytes) != JSONL_FILE_WRONG)
            FAIL("%s\nis taken for a ledger", shown(WHOLE, bytes));
        if (!strstr(error, "cut short"))
            FAIL("%s\nis refused with: %s", shown(WHOLE, bytes), error);
    }
}

static void a_line_is_at_most_4096_bytes(void **state)
{
    (void)state;
    static char text[sizeof HEADER + JSONL_LINE_BYTES_MAX + 100];
    size_t bytes = sizeof HEADER - 1;
    memcpy(text, HEADER, bytes);
    memset(text + bytes, ' ', JSONL_LINE_BYTES_MAX - 26);
    memcpy(text + bytes + JSONL_LINE_BYTES_MAX - 26, "{\"kind\":\"end\",\"records\":0}\n", 28);
    assert_int_equal(strlen(text), bytes + JSONL_LINE_BYTES_MAX + 1);
    assert_int_equal(read_text(text, strlen(text)), JSONL_FILE_END);
    memmove(text + bytes + 1, text + bytes, JSONL_LINE_BYTES_MAX + 2);
    expect_wrong(text, "line 2: longer than 4096 bytes");

    /* Also behind the end. */
    static char after[sizeof WHOLE + JSONL_LINE_BYTES_MAX + 2] = WHOLE;
    memset(after + sizeof WHOLE - 1, 'x', JSONL_LINE_BYTES_MAX + 1);
    expect_wrong(after, "line 5: there is more after the end");
}

static void what_cannot_be_read_is_no_fault_of_the_ledger(void **state)
{
    (void)state;
    int fd = open(".", O_RDONLY | O_CLOEXEC);
    assert_int_equal(read_from(fd), JSONL_FILE_UNREADABLE);
    assert_non_null(strstr(error, "directory"));
    close(fd);
}

static void whoever_reads_can_be_stopped(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], HEADER ONE, sizeof HEADER ONE - 1), sizeof HEADER ONE - 1);
    memset(&task, 0, sizeof task);
    jsonl_file_begin(&file, ends[0], &task);
    assert_int_equal(jsonl_file_header(&file, &created_us, error, sizeof error), JSONL_FILE_RECORD);
    assert_int_equal(jsonl_file_record(&file, &record, error, sizeof error), JSONL_FILE_RECORD);
    task.stop = true;
    assert_int_equal(jsonl_file_record(&file, &record, error, sizeof error), JSONL_FILE_STOPPED);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ledger_is_a_header_its_records_and_an_end),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(each_broken_rule_is_told_with_its_line),
        cmocka_unit_test(a_file_cut_short_anywhere_is_found_out),
        cmocka_unit_test(a_line_is_at_most_4096_bytes),
        cmocka_unit_test(what_cannot_be_read_is_no_fault_of_the_ledger),
        cmocka_unit_test(whoever_reads_can_be_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
