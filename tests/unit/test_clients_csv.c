/* SPDX-License-Identifier: MIT
 *
 * test_clients_csv.c - which rows are accounts, and what is said of those that are not.
 */
#define _GNU_SOURCE /* memfd_create */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bank/ledger.h"
#include "exchange/clients_csv.h"

#define ID      "id must be a whole number from 1 to 2147483647"
#define LIMIT   "limit must be a whole number of cents from 0 to 9007199254740991"
#define BALANCE "balance must be a whole number of cents from -limit to 9007199254740991"
#define COLUMNS "a row must be id,limit or id,limit,balance"

static struct lines lines;
static struct task task;
static char error[200];
static struct client_row row;

static int begin(const char *text, size_t bytes)
{
    int fd = memfd_create("clients", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, bytes), bytes);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    memset(&task, 0, sizeof task);
    lines_begin(&lines, fd, CLIENTS_LINE_BYTES_MAX, &task);
    return fd;
}

static enum clients_step next(void)
{
    memset(error, 0, sizeof error);
    return clients_csv_next(&lines, &row, error, sizeof error);
}

static void expect_row(const char *text, uint64_t line, uint32_t client, int64_t limit_cents,
                       int64_t balance_cents)
{
    enum clients_step step = next();
    if (step != CLIENTS_ROW)
        FAIL("%s\nline %d is step %d: %s", text, (int)line, (int)step, error);
    if (lines.number != line || row.client != client || row.limit_cents != limit_cents ||
        row.balance_cents != balance_cents)
        FAIL("%s\nline %d is read as %u,%lld,%lld", text, (int)lines.number, row.client,
             (long long)row.limit_cents, (long long)row.balance_cents);
}

static void rows_are_id_limit_and_opening_balance(void **state)
{
    (void)state;
    static const char text[] = "1,100000,0\n"
                               "2147483647,9007199254740991,-9007199254740991\n"
                               "3,0,9007199254740991\n"
                               "4,5,-5\n"
                               "5,0";
    int fd = begin(text, sizeof text - 1);
    expect_row(text, 1, 1, 100000, 0);
    expect_row(text, 2, CLIENT_MAX, CENTS_MAX, -CENTS_MAX);
    expect_row(text, 3, 3, 0, CENTS_MAX);
    expect_row(text, 4, 4, 5, -5);
    expect_row(text, 5, 5, 0, 0); /* without a balance, and without a newline */
    assert_int_equal(next(), CLIENTS_END);
    assert_int_equal(next(), CLIENTS_END);
    close(fd);
}

static void what_spreadsheets_write_around_a_row_is_no_fault(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "id,limit,balance\n7,5,-1\n",
        "id,limit\n7,5,-1\n",
        "\xef\xbb\xbfid,limit,balance\r\n7,5,-1\r\n",
        "\xef\xbb\xbf\r\n7,5,-1",
        "\"id\",\"limit\",\"balance\"\n\"7\",\"5\",\"-1\"\n",
        " id , limit\t,balance \n 7 ,\t5 , -1 \n",
        "\n 7,5,-1\n\n \n\r\n",
        "\n7, \"5\" ,-1\n",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        int fd = begin(texts[i], strlen(texts[i]));
        expect_row(texts[i], 2, 7, 5, -1);
        assert_int_equal(next(), CLIENTS_END);
        close(fd);
    }
    static const char *const without_balance[] = {"7,5\r\n", "7,5,\n", "7,5, \"\" \n",
                                                  "\xef\xbb\xbf"
                                                  "7,5"};
    for (size_t i = 0; i < COUNT_OF(without_balance); i++) {
        int fd = begin(without_balance[i], strlen(without_balance[i]));
        expect_row(without_balance[i], 1, 7, 5, 0);
        assert_int_equal(next(), CLIENTS_END);
        close(fd);
    }
}

static void each_bad_row_is_told_by_its_field_and_rule_and_the_next_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *row, *expected;
    } cases[] = {
        {"0,5,0", ID},
        {"-1,5,0", ID},
        {"01,5,0", ID},
        {"+1,5,0", ID},
        {"1.0,5,0", ID},
        {"1e3,5,0", ID},
        {"0x1,5,0", ID},
        {"2147483648,5,0", ID},
        {"4294967297,5,0", ID},
        {"18446744073709551617,5,0", ID},
        {"99999999999999999999999999999999999999999,5,0", ID},
        {"abc,5,0", ID},
        {"1 2,5,0", ID},
        {"\"1,5,0", ID},
        {"1\",5,0", ID},
        {"\"\"1\"\",5,0", ID},
        {"# a comment,5", ID},
        {",5,0", ID},
        {"-,5,0", ID},
        {"\xd9\xa1,5,0", ID},
        {"\xef\xbb\xbf"
         "1,5,0",
         ID},                     /* not in the first line */
        {"id,limit,balance", ID}, /* not in the first line */
        {"1,,0", LIMIT},
        {"1, ,0", LIMIT},
        {"1,-1,0", LIMIT},
        {"1,-0,0", LIMIT},
        {"1,00,0", LIMIT},
        {"1,10.50,0", LIMIT},
        {"1,9007199254740992,0", LIMIT},
        {"1,9999999999999999,0", LIMIT},
        {"1,90071992547409910,0", LIMIT},
        {"1,R$ 5,0", LIMIT},
        {"1,5,-6", BALANCE},
        {"1,0,-1", BALANCE},
        {"1,5,9007199254740992", BALANCE},
        {"1,5,-", BALANCE},
        {"1,5,--1", BALANCE},
        {"1,5,x", BALANCE},
        {"1,5,1_000", BALANCE},
        {"1", COLUMNS},
        {"1;5;0", COLUMNS},
        {"1\t5\t0", COLUMNS},
        {"1,5,0,0", COLUMNS},
        {"1,5,0,", COLUMNS},
        {"1,1,000,0", COLUMNS},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[200];
        int bytes = snprintf(text, sizeof text, "8,1\n%s\n9,1\n", cases[i].row);
        int fd = begin(text, (size_t)bytes);
        expect_row(text, 1, 8, 1, 0);
        if (next() != CLIENTS_BAD)
            FAIL("%s\nis accepted", cases[i].row);
        assert_int_equal(lines.number, 2);
        if (strncmp(error, cases[i].expected, strlen(cases[i].expected)) != 0)
            FAIL("%s\nis refused with: %s\nshould be: %s", cases[i].row, error, cases[i].expected);
        expect_row(text, 3, 9, 1, 0);
        assert_int_equal(next(), CLIENTS_END);
        close(fd);
    }
}

static void a_byte_order_mark_alone_is_a_blank_line_and_half_of_one_is_not(void **state)
{
    (void)state;
    int fd = begin("\xef\xbb\xbf", 3);
    assert_int_equal(next(), CLIENTS_END);
    close(fd);
    fd = begin("\xef\xbb"
               "1,5\n",
               6);
    assert_int_equal(next(), CLIENTS_BAD);
    close(fd);
}

static void a_nul_byte_is_a_bad_field(void **state)
{
    (void)state;
    int fd = begin("1\0,5\n1,5\0\n", 10);
    assert_int_equal(next(), CLIENTS_BAD);
    assert_int_equal(next(), CLIENTS_BAD);
    assert_int_equal(next(), CLIENTS_END);
    close(fd);
}

/* Columns in another order would be read as other accounts. */
static void a_first_line_with_other_names_is_a_bad_row(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "limit,id,balance\n", "id,balance\n", "client,limit\n",
        "ID,LIMIT\n",         "id\n",         "id,limit,balance,\n"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        int fd = begin(texts[i], strlen(texts[i]));
        if (next() != CLIENTS_BAD)
            FAIL("%s\nis accepted", texts[i]);
        close(fd);
    }
}

static void a_row_over_the_bound_is_told_and_the_next_is_read(void **state)
{
    (void)state;
    char text[CLIENTS_LINE_BYTES_MAX + 20];
    memset(text, ' ', sizeof text);
    static const char first[] = {'1', ',', '5'}, second[] = {'\n', '2', ',', '5', '\n'};
    memcpy(text, first, sizeof first);
    memcpy(text + CLIENTS_LINE_BYTES_MAX, second, sizeof second);
    int fd = begin(text, CLIENTS_LINE_BYTES_MAX + 5);
    expect_row(text, 1, 1, 5, 0);
    expect_row(text, 2, 2, 5, 0);
    close(fd);
    memmove(text + 1, text, CLIENTS_LINE_BYTES_MAX + 5);
    fd = begin(text, CLIENTS_LINE_BYTES_MAX + 6);
    assert_int_equal(next(), CLIENTS_BAD);
    assert_non_null(strstr(error, "at most 256 bytes"));
    expect_row(text, 2, 2, 5, 0);
    assert_int_equal(next(), CLIENTS_END);
    close(fd);
}

static void random_rows_are_read_as_they_were_written(void **state)
{
    (void)state;
    enum { ROWS = 20000 };
    static struct client_row written[ROWS];
    static char text[ROWS * 60];
    size_t bytes = 0;
    random_begin();
    for (int i = 0; i < ROWS; i++) {
        struct client_row *at = &written[i];
        at->client = (uint32_t)random_between(1, CLIENT_MAX);
        at->limit_cents = (int64_t)random_between(0, random_between(0, 1) ? 9 : CENTS_MAX);
        at->balance_cents = (int64_t)random_between(0, (uint64_t)at->limit_cents) - at->limit_cents;
        if (random_between(0, 1))
            at->balance_cents = -at->balance_cents;
        bytes += (size_t)snprintf(text + bytes, sizeof text - bytes, "%u,%lld,%lld\n", at->client,
                                  (long long)at->limit_cents, (long long)at->balance_cents);
    }
    int fd = begin(text, bytes);
    for (uint64_t i = 0; i < ROWS; i++)
        expect_row("", i + 1, written[i].client, written[i].limit_cents, written[i].balance_cents);
    assert_int_equal(next(), CLIENTS_END);
    close(fd);
}

static void any_bytes_are_rows_of_possible_accounts_or_bad(void **state)
{
    (void)state;
    static const char pieces[] = "0123456789012345678901,,,,,--\n\n\r\" \t.+xid";
    char text[4000];
    unsigned good = 0, bad = 0;
    random_begin();
    for (int i = 0; i < 2000; i++) {
        size_t size = random_between(1, sizeof text);
        for (size_t j = 0; j < size; j++)
            text[j] = random_between(0, 99) ? pieces[random_between(0, sizeof pieces - 2)]
                                            : (char)random_next();
        int fd = begin(text, size);
        enum clients_step step;
        while ((step = next()) != CLIENTS_END) {
            good += step == CLIENTS_ROW;
            bad += step == CLIENTS_BAD;
            if (step == CLIENTS_ROW)
                assert_true(ledger_terms_sane(row.client, row.limit_cents, row.balance_cents));
            else
                assert_true(step == CLIENTS_BAD && error[0] != '\0');
        }
        close(fd);
    }
    assert_true(good > 1000 && bad > 1000);
}

static void what_cannot_be_read_is_no_bad_row(void **state)
{
    (void)state;
    int fd = open(".", O_RDONLY | O_CLOEXEC);
    lines_begin(&lines, fd, CLIENTS_LINE_BYTES_MAX, &task);
    assert_int_equal(next(), CLIENTS_UNREADABLE);
    assert_non_null(strstr(error, "directory"));
    task.stop = true;
    assert_int_equal(next(), CLIENTS_STOPPED);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_id_limit_and_opening_balance),
        cmocka_unit_test(what_spreadsheets_write_around_a_row_is_no_fault),
        cmocka_unit_test(each_bad_row_is_told_by_its_field_and_rule_and_the_next_is_read),
        cmocka_unit_test(a_byte_order_mark_alone_is_a_blank_line_and_half_of_one_is_not),
        cmocka_unit_test(a_nul_byte_is_a_bad_field),
        cmocka_unit_test(a_first_line_with_other_names_is_a_bad_row),
        cmocka_unit_test(a_row_over_the_bound_is_told_and_the_next_is_read),
        cmocka_unit_test(random_rows_are_read_as_they_were_written),
        cmocka_unit_test(any_bytes_are_rows_of_possible_accounts_or_bad),
        cmocka_unit_test(what_cannot_be_read_is_no_bad_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
