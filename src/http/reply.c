/* SPDX-License-Identifier: MIT
 *
 * reply.c - see reply.h.
 *
 * The body is written first, at a distance from the start that leaves room for the head; the head
 * then goes to the start, and the body is moved up to it.
 */
#include "http/reply.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "text/text.h"

/* --- head and body together ----------------------------------------------------------------- */

static struct text body_of(char out[OUTPUT_BYTES_MAX])
{
    return text_in(out + REPLY_HEAD_BYTES_MAX, OUTPUT_BYTES_MAX - REPLY_HEAD_BYTES_MAX);
}

static struct text begin_head(char out[OUTPUT_BYTES_MAX], const struct reply_head *head,
                              const char *status, const char *content_type)
{
    struct text text = text_in(out, REPLY_HEAD_BYTES_MAX);
    text_add(&text, "HTTP/1.1 ");
    text_add(&text, status);
    text_add(&text, "\r\nDate: ");
    text_add_bytes(&text, head->date, REPLY_DATE_BYTES);
    text_add(&text, "\r\nContent-Type: ");
    text_add(&text, content_type);
    text_add(&text, "\r\n");
    return text;
}

static size_t finish(struct text *text, const struct reply_head *head, const struct text *body)
{
    if (head->close)
        text_add(text, "Connection: close\r\n");
    else if (head->keep_alive)
        text_add(text, "Connection: keep-alive\r\n");
    text_add(text, "Content-Length: ");
    text_add_number(text, (int64_t)text_bytes(body));
    text_add(text, "\r\n\r\n");
    if (!head->head_only) {
        memmove(text->at, body->start, text_bytes(body));
        text->at += text_bytes(body);
    }
    return text_bytes(text);
}

size_t reply_continue(char out[OUTPUT_BYTES_MAX])
{
    struct text text = text_in(out, OUTPUT_BYTES_MAX);
    text_add(&text, "HTTP/1.1 100 Continue\r\n\r\n");
    return text_bytes(&text);
}

size_t reply_healthy(char out[OUTPUT_BYTES_MAX], const struct reply_head *head)
{
    struct text body = body_of(out);
    text_add(&body, "Healthy");
    struct text text = begin_head(out, head, "200 OK", "text/plain");
    return finish(&text, head, &body);
}

size_t reply_entry(char out[OUTPUT_BYTES_MAX], const struct reply_head *head, int64_t limit_cents,
                   int64_t balance_cents, bool replayed)
{
    struct text body = body_of(out);
    text_add(&body, "{\"limite\":");
    text_add_number(&body, limit_cents);
    text_add(&body, ",\"saldo\":");
    text_add_number(&body, balance_cents);
    text_add(&body, "}");
    struct text text = begin_head(out, head, "200 OK", "application/json");
    if (replayed)
        text_add(&text, "Idempotency-Replayed: true\r\n");
    return finish(&text, head, &body);
}

size_t reply_statement(char out[OUTPUT_BYTES_MAX], const struct reply_head *head,
                       const struct account *account, int64_t snapshot_us)
{
    struct text body = body_of(out);
    text_add(&body, "{\"saldo\":{\"total\":");
    text_add_number(&body, account->balance_cents);
    text_add(&body, ",\"data_extrato\":\"");
    text_add_time(&body, snapshot_us);
    text_add(&body, "\",\"limite\":");
    text_add_number(&body, account->limit_cents);
    text_add(&body, "},\"ultimas_transacoes\":[");
    for (uint32_t i = 0; i < account->recent_count; i++) {
        const struct entry *entry = &account->recent[i];
        text_add(&body, i == 0 ? "{\"valor\":" : ",{\"valor\":");
        text_add_number(&body, entry->amount_cents);
        text_add(&body, entry->kind == ENTRY_CREDIT ? ",\"tipo\":\"c\"" : ",\"tipo\":\"d\"");
        text_add(&body, ",\"descricao\":");
        text_add_json(&body, entry->description, entry->description_bytes);
        text_add(&body, ",\"realizada_em\":\"");
        text_add_time(&body, entry->time_us);
        text_add(&body, "\"}");
    }
    text_add(&body, "]}");
    struct text text = begin_head(out, head, "200 OK", "application/json");
    return finish(&text, head, &body);
}

size_t reply_problem(char out[OUTPUT_BYTES_MAX], const struct reply_head *head,
                     enum problem problem, const char *detail, const char *allow)
{
    const struct problem_text *what = problem_text(problem);
    struct text body = body_of(out);
    text_add(&body, "{\"type\":\"");
    text_add(&body, what->type);
    text_add(&body, "\",\"title\":\"");
    text_add(&body, what->title);
    text_add(&body, "\",\"status\":");
    text_add_bytes(&body, what->status, 3);
    text_add(&body, ",\"detail\":");
    if (!detail)
        detail = what->detail;
    text_add_json(&body, detail, strlen(detail));
    text_add(&body, "}");
    struct text text = begin_head(out, head, what->status, "application/problem+json");
    if (what->retry_after) {
        text_add(&text, "Retry-After: ");
        text_add_number(&text, RETRY_AFTER_S);
        text_add(&text, "\r\n");
    }
    if (allow) {
        text_add(&text, "Allow: ");
        text_add(&text, allow);
        text_add(&text, "\r\n");
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
