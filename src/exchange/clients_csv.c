/* SPDX-License-Identifier: MIT
 *
 * clients_csv.c - see clients_csv.h.
 */
#include "exchange/clients_csv.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "bank/ledger.h"

enum { FIELDS_MIN = 2, FIELDS_MAX = 3, DIGITS_MAX = 16 /* as many as CENTS_MAX has */ };

struct field {
    const char *at;
    size_t bytes;
};

static const char *const names[FIELDS_MAX] = {"id", "limit", "balance"};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Without the spaces around it, and then without the quotes. */
static struct field trimmed(const char *start, const char *end)
{
    while (start < end && is_space(*start))
        start++;
    while (start < end && is_space(end[-1]))
        end--;
    if (end - start >= 2 && *start == '"' && end[-1] == '"') {
        start++;
        end--;
    }
    return (struct field){start, (size_t)(end - start)};
}

/* Returns how many there are, which may be more than are kept. */
static size_t split(const char *line, size_t bytes, struct field fields[FIELDS_MAX])
{
    const char *end = line + bytes;
    size_t count = 0;
    for (const char *start = line;; count++) {
        const char *comma = memchr(start, ',', (size_t)(end - start));
        if (count < FIELDS_MAX)
            fields[count] = trimmed(start, comma ? comma : end);
        if (!comma)
            return count + 1;
        start = comma + 1;
    }
}

static bool names_the_columns(const struct field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (fields[i].bytes != strlen(names[i]) ||
            memcmp(fields[i].at, names[i], fields[i].bytes) != 0)
            return false;
    return true;
}

/* As JSON writes a whole number: no plus, no leading zero, and 0 has no sign. */
static bool number(const struct field *field, int64_t min, int64_t max, int64_t *ret)
{
    const char *at = field->at, *end = field->at + field->bytes;
    bool negative = at < end && *at == '-';
    at += negative;
    if (at == end || end - at > DIGITS_MAX || (*at == '0' && (negative || end - at > 1)))
        return false;
    int64_t value = 0;
    for (; at < end; at++) {
        if (*at < '0' || *at > '9')
            return false;
        value = value * 10 + (*at - '0');
    }
    if (negative)
        value = -value;
    if (value < min || value > max)
        return false;
    *ret = value;
    return true;
}

/* NULL, or what is wrong. */
static const char *read_row(const struct field *fields, size_t count, struct client_row *ret)
{
    int64_t client, limit, balance = 0;
    if (count < FIELDS_MIN || count > FIELDS_MAX)
        return "a row must be id,limit or id,limit,balance, with commas between them";
    if (!number(&fields[0], 1, CLIENT_MAX, &client))
        return "id must be a whole number from 1 to 2147483647";
    if (!number(&fields[1], 0, CENTS_MAX, &limit))
        return "limit must be a whole number of cents from 0 to 9007199254740991";
    if (count == FIELDS_MAX && fields[2].bytes > 0 &&
        !number(&fields[2], -limit, CENTS_MAX, &balance))
        return "balance must be a whole number of cents from -limit to 9007199254740991";
    *ret = (struct client_row){(uint32_t)client, limit, balance};
    return NULL;
}

static void skip_byte_order_mark(const char **line, size_t *bytes)
{
    static const char mark[] = "\xef\xbb\xbf";
    if (*bytes >= sizeof mark - 1 && memcmp(*line, mark, sizeof mark - 1) == 0) {
        *line += sizeof mark - 1;
        *bytes -= sizeof mark - 1;
    }
}

enum clients_step clients_csv_next(struct lines *lines, struct client_row *ret, char *error,
                                   size_t error_size)
{
    struct field fields[FIELDS_MAX];
    struct client_row row;
    const char *line;
    size_t bytes;

    for (;;) {
        switch (lines_next(lines, &line, &bytes)) {
        case LINES_LINE: break;
        case LINES_TOO_LONG:
            snprintf(error, error_size, "a row may have at most %d bytes", CLIENTS_LINE_BYTES_MAX);
            return CLIENTS_BAD;
        case LINES_END: return CLIENTS_END;
        case LINES_UNREADABLE:
            snprintf(error, error_size, "%s", strerror(lines->error));
            return CLIENTS_UNREADABLE;
        case LINES_STOPPED: snprintf(error, error_size, "stopped"); return CLIENTS_STOPPED;
        }
        if (lines->number == 1)
            skip_byte_order_mark(&line, &bytes);
        size_t count = split(line, bytes, fields);
        if (count == 1 && fields[0].bytes == 0)
            continue; /* blank */
        if (lines->number == 1 && count >= FIELDS_MIN && count <= FIELDS_MAX &&
            names_the_columns(fields, count))
            continue;
        const char *wrong = read_row(fields, count, &row);
        if (wrong) {
            snprintf(error, error_size, "%s", wrong);
            return CLIENTS_BAD;
        }
        assert(ledger_terms_sane(row.client, row.limit_cents, row.balance_cents));
        *ret = row;
        return CLIENTS_ROW;
    }
}
