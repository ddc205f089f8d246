/* SPDX-License-Identifier: MIT
 *
 * jsonl_read.c - see jsonl.h: reading. jansson judges whether it is JSON; one table says what a
 * line may hold.
 */
#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "bank/bounds.h"
#include "exchange/jsonl.h"
#include "exchange/record_text.h"

/* --- values --------------------------------------------------------------------------------- */

static bool whole_number(const json_t *value, int64_t min, int64_t max, int64_t *ret)
{
    static_assert(sizeof(json_int_t) >= sizeof(int64_t), "jansson's integers hold ours");
    if (!json_is_integer(value))
        return false;
    int64_t number = json_integer_value(value);
    if (number < min || number > max)
        return false;
    *ret = number;
    return true;
}

static bool read_time(const json_t *value, int64_t *ret)
{
    return json_is_string(value) &&
           time_read(json_string_value(value), json_string_length(value), ret);
}

static bool read_created(const json_t *value, struct jsonl_line *ret)
{
    return read_time(value, &ret->created_us);
}

static bool read_complete(const json_t *value, struct jsonl_line *ret)
{
    ret->complete = json_is_true(value);
    return json_is_boolean(value);
}

static bool read_records(const json_t *value, struct jsonl_line *ret)
{
    int64_t records = 0;
    bool valid = whole_number(value, 0, INT64_MAX, &records);
    ret->records = (uint64_t)records;
    return valid;
}

static bool read_sequence(const json_t *value, struct jsonl_line *ret)
{
    int64_t sequence = 0;
    bool valid = whole_number(value, 1, INT64_MAX, &sequence);
    ret->record.journal.sequence = (uint64_t)sequence;
    return valid;
}

static bool read_client(const json_t *value, struct jsonl_line *ret)
{
    int64_t client = 0;
    bool valid = whole_number(value, 1, CLIENT_MAX, &client);
    ret->record.journal.client = (uint32_t)client;
    return valid;
}

static bool read_amount(const json_t *value, struct jsonl_line *ret)
{
    return whole_number(value, 1, CENTS_MAX, &ret->record.journal.entry.amount_cents);
}

static bool read_limit(const json_t *value, struct jsonl_line *ret)
{
    return whole_number(value, 0, CENTS_MAX, &ret->record.journal.limit_cents);
}

/* After the limit. */
static bool read_balance(const json_t *value, struct jsonl_line *ret)
{
    return whole_number(value, -ret->record.journal.limit_cents, CENTS_MAX,
                        &ret->record.journal.balance_cents);
}

static bool read_record_time(const json_t *value, struct jsonl_line *ret)
{
    return read_time(value, &ret->record.journal.entry.time_us);
}

static bool read_description(const json_t *value, struct jsonl_line *ret)
{
    struct entry *entry = &ret->record.journal.entry;
    if (!json_is_string(value) ||
        !description_sane(json_string_value(value), json_string_length(value)))
        return false;
    entry->description_bytes = (uint8_t)json_string_length(value);
    memcpy(entry->description, json_string_value(value), entry->description_bytes);
    return true;
}

static bool read_key(const json_t *value, struct jsonl_line *ret)
{
    if (!json_is_string(value) || !key_sane(json_string_value(value), json_string_length(value)))
        return false;
    ret->record.key_bytes = (uint8_t)json_string_length(value);
    memcpy(ret->record.key, json_string_value(value), ret->record.key_bytes);
    return true;
}

/* --- members -------------------------------------------------------------------------------- */

enum { /* bits: the lines that a member belongs to */
       IN_HEADER = 1,
       IN_TERMS = 2, /* an opening, or a change of a limit */
       IN_MONEY = 4, /* a credit or a debit */
       IN_RECORD = IN_TERMS | IN_MONEY,
       IN_END = 8,
       IN_ALL = IN_HEADER | IN_RECORD | IN_END,
};

#define RULE_CENTS       "must be a whole number from 1 to 9007199254740991"
#define RULE_LIMIT       "must be a whole number from 0 to 9007199254740991"
#define RULE_BALANCE     "must be a whole number from -limit_cents to 9007199254740991"
#define RULE_CLIENT      "must be a whole number from 1 to 2147483647"
#define RULE_TIME        "must be an RFC 3339 time from 1970 to 9999"
#define RULE_DESCRIPTION "must be a string of 1 to 10 characters, none of them U+0000"
#define RULE_KEY         "must be a string of 1 to 64 visible ASCII characters"

/* In the order in which they are read. */
static const struct member {
    const char *name;
    unsigned lines;
    bool optional;
    bool (*read)(const json_t *value, struct jsonl_line *ret); /* NULL: read before all others */
    const char *rule;
} members[] = {
    {"kind", IN_ALL, false, NULL, NULL},
    {"format", IN_HEADER, false, NULL, NULL},
    {"created", IN_HEADER, false, read_created, RULE_TIME},
    {"complete", IN_HEADER, false, read_complete, "must be true or false"},
    {"sequence", IN_RECORD, false, read_sequence, "must be a whole number from 1"},
    {"client", IN_RECORD, false, read_client, RULE_CLIENT},
    {"amount_cents", IN_MONEY, false, read_amount, RULE_CENTS},
    {"limit_cents", IN_RECORD, false, read_limit, RULE_LIMIT},
    {"balance_cents", IN_RECORD, false, read_balance, RULE_BALANCE},
    {"time", IN_RECORD, false, read_record_time, RULE_TIME},
    {"description", IN_MONEY, false, read_description, RULE_DESCRIPTION},
    {"key", IN_MONEY, true, read_key, RULE_KEY},
    {"records", IN_END, false, read_records, "must be a whole number from 0"},
};

enum { MEMBERS = sizeof members / sizeof members[0] };

static const struct member *member_named(const char *name)
{
    for (size_t i = 0; i < MEMBERS; i++)
        if (strcmp(members[i].name, name) == 0)
            return &members[i];
    return NULL;
}

/* What somebody else wrote is printed without whatever a terminal might obey. */
static void make_printable(char *text)
{
    for (; *text; text++)
        if (*text < 0x20 || *text > 0x7e)
            *text = '?';
}

/* Has the line members that its kind has not? */
static bool judge_names(json_t *line, unsigned kind, const char *kind_text, char *error,
                        size_t error_size)
{
    for (void *at = json_object_iter(line); at; at = json_object_iter_next(line, at)) {
        const struct member *member = member_named(json_object_iter_key(at));
        if (member && (member->lines & kind))
            continue;
        if (member)
            snprintf(error, error_size, "%s does not belong to the kind \"%s\"", member->name,
                     kind_text);
        else
            snprintf(error, error_size, "unknown member \"%.40s\"", json_object_iter_key(at));
        make_printable(error);
        return false;
    }
    return true;
}

static bool read_members(const json_t *line, unsigned kind, struct jsonl_line *ret, char *error,
                         size_t error_size)
{
    for (size_t i = 0; i < MEMBERS; i++) {
        const struct member *member = &members[i];
        if (!(member->lines & kind) || !member->read)
            continue;
        const json_t *value = json_object_get(line, member->name);
        if (!value && member->optional)
            continue;
        if (!value || !member->read(value, ret)) {
            snprintf(error, error_size, "%s %s", member->name, value ? member->rule : "is missing");
            return false;
        }
    }
    return true;
}

/* --- lines ---------------------------------------------------------------------------------- */

/* Before all else: of a newer format we know nothing, not even its members. */
static bool judge_format(const json_t *line, char *error, size_t error_size)
{
    int64_t format;
    if (!whole_number(json_object_get(line, "format"), 1, INT64_MAX, &format)) {
        snprintf(error, error_size, "format must be a whole number from 1");
        return false;
    }
    if (format > JSONL_FORMAT) {
        snprintf(error, error_size,
                 "written by a newer crebito: its format is %lld, and this one reads format %d",
                 (long long)format, JSONL_FORMAT);
        return false;
    }
    return true;
}

/* Returns a bit of the members' table; 0 for an unknown kind. */
static unsigned read_kind(const char *kind, struct jsonl_line *ret)
{
    struct journal_record *journal = &ret->record.journal;
    if (strcmp(kind, "ledger") == 0) {
        ret->kind = JSONL_HEADER;
        return IN_HEADER;
    }
    if (strcmp(kind, "end") == 0) {
        ret->kind = JSONL_END;
        return IN_END;
    }
    if (!kind_read(kind, &journal->kind))
        return 0;
    ret->kind = JSONL_RECORD;
    journal->entry.kind = (enum entry_kind)journal->kind;
    return journal_moves_money(journal->kind) ? IN_MONEY : IN_TERMS;
}

static bool read_object(json_t *line, struct jsonl_line *ret, char *error, size_t error_size)
{
    const json_t *value = json_object_get(line, "kind");
    const char *text = json_string_value(value);
    unsigned kind = text && strlen(text) == json_string_length(value) ? read_kind(text, ret) : 0;
    if (kind == 0) {
        snprintf(error, error_size, "kind %s",
                 value ? "must be ledger, opening, limit, credit, debit or end" : "is missing");
        return false;
    }
    if (kind == IN_HEADER && !judge_format(line, error, error_size))
        return false;
    return judge_names(line, kind, text, error, error_size) &&
           read_members(line, kind, ret, error, error_size);
}

bool jsonl_read_line(const char *line, size_t bytes, struct jsonl_line *ret, char *error,
                     size_t error_size)
{
    struct jsonl_line read = {0};
    json_error_t fault;

    if (memchr(line, '\0', bytes)) { /* jansson overlooks one after the text */
        snprintf(error, error_size, "not JSON: a NUL byte");
        return false;
    }
    json_t *value = json_loadb(line, bytes, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &fault);
    if (!value) {
        enum json_error_code code = json_error_code(&fault);
        const char *what = code == json_error_numeric_overflow ? "a number no member has"
                           : code == json_error_out_of_memory  ? "it cannot be read now"
                                                               : "not JSON";
        snprintf(error, error_size, "%s: %s", what, fault.text);
        make_printable(error);
        return false;
    }
    bool valid = json_is_object(value);
    if (!valid)
        snprintf(error, error_size, "not a JSON object");
    else
        valid = read_object(value, &read, error, error_size);
    json_decref(value);
    if (!valid)
        return false;
    assert(read.kind != JSONL_RECORD || journal_record_sane(&read.record.journal));
    *ret = read;
    return true;
}
