/* SPDX-License-Identifier: MIT
 *
 * reply.c - see reply.h.
 *
 * The body is written first, at a distance from the start that leaves room for the head; the head
 * then goes to the start, and the body is moved up to it.
 */
#include "http/reply.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct text {
    char *start, *at, *end;
};

static struct text text_in(char *start, size_t size)
{
    return (struct text){start, start, start + size};
}

static size_t text_bytes(const struct text *text)
{
    return (size_t)(text->at - text->start);
}

static void add_bytes(struct text *text, const char *bytes, size_t size)
{
    assert(size <= (size_t)(text->end - text->at));
    memcpy(text->at, bytes, size);
    text->at += size;
}

static void add(struct text *text, const char *string)
{
    add_bytes(text, string, strlen(string));
}

static void add_number(struct text *text, int64_t number)
{
    char digits[20], *first = digits + sizeof digits;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do
        *--first = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (number < 0)
        add_bytes(text, "-", 1);
    add_bytes(text, first, (size_t)(digits + sizeof digits - first));
}

static void add_digits(struct text *text, int64_t number, int width)
{
    char digits[8];
    for (int i = width - 1; i >= 0; i--, number /= 10)
        digits[i] = (char)('0' + number % 10);
    add_bytes(text, digits, (size_t)width);
}

/* RFC 3339, UTC, microseconds. */
static void add_time(struct text *text, int64_t time_us)
{
    time_t seconds = (time_t)(time_us / 1000000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    const struct {
        const char *before;
        int64_t number;
        int width;
    } parts[] = {
        {"\"", utc.tm_year + 1900, 4}, {"-", utc.tm_mon + 1, 2}, {"-", utc.tm_mday, 2},
        {"T", utc.tm_hour, 2},         {":", utc.tm_min, 2},     {":", utc.tm_sec, 2},
        {".", time_us % 1000000, 6},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        add_bytes(text, parts[i].before, 1);
        add_digits(text, parts[i].number, parts[i].width);
    }
    add(text, "Z\"");
}

/* RFC 8259 section 7: quotes, backslashes and control characters are escaped, UTF-8 is not. */
static void add_json_string(struct text *text, const char *bytes, size_t size)
{
    static const char hex[] = "0123456789abcdef";
    add(text, "\"");
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c == '"' || c == '\\') {
            add_bytes(text, "\\", 1);
            add_bytes(text, bytes + i, 1);
        } else if (c < 0x20) {
            char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
            add_bytes(text, escape, sizeof escape);
        } else {
            add_bytes(text, bytes + i, 1);
        }
    }
    add(text, "\"");
}

/* --- head and body together ----------------------------------------------------------------- */

static struct text body_of(char out[OUTPUT_BYTES_MAX])
{
    return text_in(out + REPLY_HEAD_BYTES_MAX, OUTPUT_BYTES_MAX - REPLY_HEAD_BYTES_MAX);
}

static struct text begin_head(char out[OUTPUT_BYTES_MAX], const struct reply_head *head,
                              const char *status, const char *content_type)
{
    struct text text = text_in(out, REPLY_HEAD_BYTES_MAX);
    add(&text, "HTTP/1.1 ");
    add(&text, status);
    add(&text, "\r\nDate: ");
    add_bytes(&text, head->date, REPLY_DATE_BYTES);
    add(&text, "\r\nContent-Type: ");
    add(&text, content_type);
    add(&text, "\r\n");
    return text;
}

static size_t finish(struct text *text, const struct reply_head *head, const struct text *body)
{
    if (head->close)
        add(text, "Connection: close\r\n");
    else if (head->keep_alive)
        add(text, "Connection: keep-alive\r\n");
    add(text, "Content-Length: ");
    add_number(text, (int64_t)text_bytes(body));
    add(text, "\r\n\r\n");
    if (!head->head_only) {
        memmove(text->at, body->start, text_bytes(body));
        text->at += text_bytes(body);
    }
    return text_bytes(text);
}

size_t reply_continue(char out[OUTPUT_BYTES_MAX])
{
    struct text text = text_in(out, OUTPUT_BYTES_MAX);
    add(&text, "HTTP/1.1 100 Continue\r\n\r\n");
    return text_bytes(&text);
}

size_t reply_healthy(char out[OUTPUT_BYTES_MAX], const struct reply_head *head)
{
    struct text body = body_of(out);
    add(&body, "Healthy");
    struct text text = begin_head(out, head, "200 OK", "text/plain");
    return finish(&text, head, &body);
}

size_t reply_entry(char out[OUTPUT_BYTES_MAX], const struct reply_head *head, int64_t limit_cents,
                   int64_t balance_cents, bool replayed)
{
    struct text body = body_of(out);
    add(&body, "{\"limite\":");
    add_number(&body, limit_cents);
    add(&body, ",\"saldo\":");
    add_number(&body, balance_cents);
    add(&body, "}");
    struct text text = begin_head(out, head, "200 OK", "application/json");
    if (replayed)
        add(&text, "Idempotency-Replayed: true\r\n");
    return finish(&text, head, &body);
}

size_t reply_statement(char out[OUTPUT_BYTES_MAX], const struct reply_head *head,
                       const struct account *account, int64_t snapshot_us)
{
    struct text body = body_of(out);
    add(&body, "{\"saldo\":{\"total\":");
    add_number(&body, account->balance_cents);
    add(&body, ",\"data_extrato\":");
    add_time(&body, snapshot_us);
    add(&body, ",\"limite\":");
    add_number(&body, account->limit_cents);
    add(&body, "},\"ultimas_transacoes\":[");
    for (uint32_t i = 0; i < account->recent_count; i++) {
        const struct entry *entry = &account->recent[i];
        add(&body, i == 0 ? "{\"valor\":" : ",{\"valor\":");
        add_number(&body, entry->amount_cents);
        add(&body, entry->kind == ENTRY_CREDIT ? ",\"tipo\":\"c\"" : ",\"tipo\":\"d\"");
        add(&body, ",\"descricao\":");
        add_json_string(&body, entry->description, entry->description_bytes);
        add(&body, ",\"realizada_em\":");
        add_time(&body, entry->time_us);
        add(&body, "}");
    }
    add(&body, "]}");
    struct text text = begin_head(out, head, "200 OK", "application/json");
    return finish(&text, head, &body);
}

size_t reply_problem(char out[OUTPUT_BYTES_MAX], const struct reply_head *head,
                     enum problem problem, const char *detail, const char *allow)
{
    const struct problem_text *what = problem_text(problem);
    struct text body = body_of(out);
    add(&body, "{\"type\":\"");
    add(&body, what->type);
    add(&body, "\",\"title\":\"");
    add(&body, what->title);
    add(&body, "\",\"status\":");
    add_bytes(&body, what->status, 3);
    add(&body, ",\"detail\":");
    if (!detail)
        detail = what->detail;
    add_json_string(&body, detail, strlen(detail));
    add(&body, "}");
    struct text text = begin_head(out, head, what->status, "application/problem+json");
    if (what->retry_after) {
        add(&text, "Retry-After: ");
        add_number(&text, RETRY_AFTER_S);
        add(&text, "\r\n");
    }
    if (allow) {
        add(&text, "Allow: ");
        add(&text, allow);
        add(&text, "\r\n");
    }
    return finish(&text, head, &body);
}

void reply_date(char out[REPLY_DATE_BYTES + 1], int64_t unix_s)
{
    /* Not strftime's %a and %b: RFC 9110 wants English whatever the locale. */
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)unix_s;
    struct tm utc;
    char text[80];
    gmtime_r(&seconds, &utc);
    snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[utc.tm_wday],
             utc.tm_mday, months[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min,
             utc.tm_sec);
    memcpy(out, text, REPLY_DATE_BYTES);
    out[REPLY_DATE_BYTES] = '\0';
}
