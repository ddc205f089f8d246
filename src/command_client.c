/* SPDX-License-Identifier: MIT
 *
 * command_client.c - crebito client add, set-limit, show: one account, also while the bank serves it.
 */
#include "commands.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "store/store.h"
#include "text/text.h"

enum {
    ENTRY_TEXT_BYTES_MAX = 120 + 6 * DESCRIPTION_BYTES_MAX, /* names, numbers, a time; escapes */
    SHOWN_BYTES_MAX = 200 + STATEMENT_ENTRIES_MAX * ENTRY_TEXT_BYTES_MAX,
};

__attribute__((format(printf, 2, 3))) static int say(int status, const char *format, ...)
{
    va_list arguments;
    fputs("crebito: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return status;
}

/* EXIT_DONE: the op has its outcome. */
static int ask(const struct options *options, struct op *op)
{
    char error[512];
    if (!store_url_known(options->database, error, sizeof error))
        return say(EXIT_USAGE, "%s: %s", options->database_source, error);
    if (!store_ask(options->database, op, error, sizeof error))
        return say(EXIT_USAGE, "%s", error);
    return EXIT_DONE;
}

/* --- what was not done ---------------------------------------------------------------------- */

/* The limit would be under the debt. How large that is, is another question, and by the time of
 * its answer it may be another debt. */
static int refuse_limit(const struct options *options)
{
    char error[512];
    long long limit = options->limit_cents;
    struct op op = {.kind = OP_STATEMENT, .client = options->client};
    if (store_ask(options->database, &op, error, sizeof error) && op.outcome == OUTCOME_OK &&
        op.account.balance_cents < -options->limit_cents)
        return say(EXIT_FAILED, "client %u: its debt is %lld: the limit cannot be lowered to %lld",
                   options->client, (long long)-op.account.balance_cents, limit);
    return say(EXIT_FAILED, "client %u: its debt was larger than a limit of %lld", options->client,
               limit);
}

static int explain(const struct options *options, const struct op *op)
{
    uint32_t client = op->client;
    switch (op->outcome) {
    case OUTCOME_OK: return EXIT_DONE;
    case OUTCOME_NO_CLIENT: return say(EXIT_FAILED, "there is no client %u", client);
    case OUTCOME_CLIENT_EXISTS: return say(EXIT_FAILED, "client %u exists already", client);
    case OUTCOME_LIMIT_EXCEEDED: return refuse_limit(options);
    case OUTCOME_BUSY: return say(EXIT_FAILED, "the store has too much to do");
    case OUTCOME_NO_SPACE:
        return say(EXIT_FAILED, "the store has no room: its disk or its map is full");
    case OUTCOME_DOWN:
        return say(EXIT_FAILED, "the store cannot do it now: its log, or its server, says why");
    case OUTCOME_CORRUPT:
        return say(EXIT_FAILED, "what the store holds of client %u is damaged", client);
    case OUTCOME_UNKNOWN:
        return say(EXIT_FAILED,
                   "it is not known whether it was done: whoever serves the store gave no answer; "
                   "`crebito client show %u` tells",
                   client);
    case OUTCOME_BALANCE_MAX:
    case OUTCOME_KEY_REUSED: break; /* an entry's */
    }
    return say(EXIT_FAILED, "client %u: outcome %d", client, (int)op->outcome);
}

/* --- add, set-limit ------------------------------------------------------------------------- */

int command_client_add(const struct options *options)
{
    struct op op = {
        .kind = OP_OPEN,
        .client = options->client,
        .limit_cents = options->limit_cents,
        .balance_cents = options->balance_cents,
    };
    if (!op_sane(&op)) /* each of the three is within its range */
        return say(EXIT_USAGE, "a balance of %lld is below a limit of %lld",
                   (long long)op.balance_cents, (long long)op.limit_cents);
    int status = ask(options, &op);
    if (status == EXIT_DONE)
        status = explain(options, &op);
    if (status == EXIT_DONE)
        printf("client %u: opened, limit %lld, balance %lld\n", op.client,
               (long long)op.limit_cents, (long long)op.balance_cents);
    return status;
}

int command_client_set_limit(const struct options *options)
{
    struct op op = {
        .kind = OP_LIMIT,
        .client = options->client,
        .limit_cents = options->limit_cents,
    };
    int status = ask(options, &op);
    if (status == EXIT_DONE)
        status = explain(options, &op);
    if (status == EXIT_DONE)
        printf("client %u: limit %lld, balance %lld\n", op.client, (long long)op.limit_cents,
               (long long)op.balance_cents);
    return status;
}

/* --- show ----------------------------------------------------------------------------------- */

static const char *kind_name(const struct entry *entry)
{
    return entry->kind == ENTRY_CREDIT ? "credit" : "debit";
}

static void add_member(struct text *text, const char *name, int64_t number)
{
    text_add(text, name);
    text_add_number(text, number);
}

static void add_time(struct text *text, int64_t time_us)
{
    text_add(text, ",\"time\":\"");
    text_add_time(text, time_us);
    text_add(text, "\"");
}

static void add_json(struct text *text, const struct op *op)
{
    const struct account *account = &op->account;
    add_member(text, "{\"client\":", account->client);
    add_member(text, ",\"limit_cents\":", account->limit_cents);
    add_member(text, ",\"balance_cents\":", account->balance_cents);
    add_time(text, op->snapshot_us);
    text_add(text, ",\"entries\":[");
    for (uint32_t i = 0; i < account->recent_count; i++) {
        const struct entry *entry = &account->recent[i];
        text_add(text, i == 0 ? "{\"kind\":\"" : ",{\"kind\":\"");
        text_add(text, kind_name(entry));
        add_member(text, "\",\"amount_cents\":", entry->amount_cents);
        add_time(text, entry->time_us);
        text_add(text, ",\"description\":");
        text_add_json(text, entry->description, entry->description_bytes);
        text_add(text, "}");
    }
    text_add(text, "]}\n");
}

/* Whoever pays writes the description; it must not write to the operator's terminal. JSON escapes
 * the control characters of ASCII but the last; U+007F to U+009F become '?'. */
static void add_description(struct text *text, const struct entry *entry)
{
    char shown[DESCRIPTION_BYTES_MAX];
    size_t bytes = entry->description_bytes;
    memcpy(shown, entry->description, bytes);
    for (size_t i = 0; i < bytes; i++) {
        bool control = (unsigned char)shown[i] == 0xc2 && i + 1 < bytes &&
                       (unsigned char)shown[i + 1] < 0xa0;
        if (control)
            shown[i + 1] = '?';
        if (control || shown[i] == 0x7f)
            shown[i] = '?';
    }
    text_add_json(text, shown, bytes);
}

static void add_entry(struct text *text, const struct entry *entry)
{
    char columns[40];
    text_add_time(text, entry->time_us);
    snprintf(columns, sizeof columns, "  %-6s  %16lld  ", kind_name(entry),
             (long long)entry->amount_cents);
    text_add(text, columns);
    add_description(text, entry);
    text_add(text, "\n");
}

static void add_lines(struct text *text, const struct op *op)
{
    const struct account *account = &op->account;
    add_member(text, "client    ", account->client);
    add_member(text, "\nlimit     ", account->limit_cents);
    add_member(text, "\nbalance   ", account->balance_cents);
    text_add(text, "\n");
    for (uint32_t i = 0; i < account->recent_count; i++)
        add_entry(text, &account->recent[i]);
}

int command_client_show(const struct options *options)
{
    char shown[SHOWN_BYTES_MAX];
    struct text text = text_in(shown, sizeof shown);
    struct op op = {.kind = OP_STATEMENT, .client = options->client};
    int status = ask(options, &op);
    if (status == EXIT_DONE)
        status = explain(options, &op);
    if (status != EXIT_DONE)
        return status;
    if (options->json)
        add_json(&text, &op);
    else
        add_lines(&text, &op);
    fwrite(shown, 1, text_bytes(&text), stdout);
    return EXIT_DONE;
}
