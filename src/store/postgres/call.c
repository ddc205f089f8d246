/* SPDX-License-Identifier: MIT
 *
 * call.c - see call.h.
 */
#include "store/postgres/call.h"

#include <assert.h>
#include <string.h>

#include "store/postgres/session.h"
#include "store/postgres/wire.h"

enum { BINARY = 1 };

/* --- from ops to calls ------------------------------------------------------------------------ */

static enum call_kind kind_of(const struct op *op)
{
    switch (op->kind) {
    case OP_ENTRY: return CALL_BOOK;
    case OP_OPEN: return CALL_OPEN;
    case OP_LIMIT: return CALL_LIMIT;
    case OP_STATEMENT: return CALL_STATEMENT;
    case OP_CLIENT: return CALL_CLIENTS;
    case OP_HEALTH:
    case OP_SETTLE: return CALL_HEALTH; /* it is settled as it is */
    }
    return CALL_HEALTH;
}

/* What changes the ledger goes by client, what reads by kind. */
static uint32_t place_of(const struct op *op)
{
    return op_writes(op) ? op->client : (uint32_t)kind_of(op);
}

/* Stable, and quick for what it is given: few clients in a lane, or few ops. */
static void sort(struct op **ops, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        struct op *op = ops[i];
        uint32_t at = i;
        for (; at > 0 && place_of(ops[at - 1]) > place_of(op); at--)
            ops[at] = ops[at - 1];
        ops[at] = op;
    }
}

static bool joins(const struct call *call, const struct op *op)
{
    if (call->kind != kind_of(op))
        return false;
    return call->kind == CALL_CLIENTS || call->kind == CALL_HEALTH ||
           (call->kind == CALL_BOOK && call->ops[0]->client == op->client);
}

uint32_t call_make(struct call *calls, struct op **ops, uint32_t count)
{
    uint32_t made = 0;
    sort(ops, count);
    for (uint32_t i = 0; i < count; i++) {
        assert(op_writes(ops[i]) == op_writes(ops[0]));
        if (made > 0 && joins(&calls[made - 1], ops[i]))
            calls[made - 1].count++;
        else
            calls[made++] = (struct call){.kind = kind_of(ops[i]), .ops = &ops[i], .count = 1};
    }
    return made;
}

/* --- sending ---------------------------------------------------------------------------------- */

enum { PARAMETERS_MAX = 5 };

enum { /* the largest is CALL_BOOK: a client, and four arrays */
       PARAMETER_BYTES_MAX = 4 + 4 * WIRE_ARRAY_HEAD_BYTES +
                             BATCH_OPS_MAX * (4 * WIRE_LENGTH_BYTES + 8 + 1 +
                                              DESCRIPTION_BYTES_MAX + KEY_BYTES_MAX),
};

struct parameters {
    char bytes[PARAMETER_BYTES_MAX];
    struct wire_out out;
    int starts[PARAMETERS_MAX + 1];
    bool is_null[PARAMETERS_MAX];
    int count;
};

static void begin(struct parameters *parameters)
{
    parameters->out = (struct wire_out){.at = parameters->bytes, .size = sizeof parameters->bytes};
    parameters->count = 0;
    parameters->starts[0] = 0;
}

/* What was written since the last one is a parameter. */
static void end_parameter(struct parameters *parameters, bool is_null)
{
    assert(parameters->count < PARAMETERS_MAX);
    parameters->is_null[parameters->count++] = is_null;
    parameters->starts[parameters->count] = (int)parameters->out.bytes;
}

static void add_int4(struct parameters *parameters, int32_t value)
{
    wire_put_int4(&parameters->out, value);
    end_parameter(parameters, false);
}

static void add_int8(struct parameters *parameters, int64_t value)
{
    wire_put_int8(&parameters->out, value);
    end_parameter(parameters, false);
}

static void add_client(struct parameters *parameters, const struct call *call)
{
    add_int4(parameters, (int32_t)call->ops[0]->client);
}

static void add_entries(struct parameters *parameters, const struct call *call)
{
    struct wire_out *out = &parameters->out;
    bool all_keys = true, no_keys = true;
    wire_put_array(out, WIRE_INT8, call->count, false);
    for (uint32_t i = 0; i < call->count; i++)
        wire_put_element_int8(out, call->ops[i]->entry.amount_cents);
    end_parameter(parameters, false);
    wire_put_array(out, WIRE_TEXT, call->count, false);
    for (uint32_t i = 0; i < call->count; i++) {
        char kind = (char)call->ops[i]->entry.kind;
        wire_put_element_text(out, &kind, 1);
    }
    end_parameter(parameters, false);
    wire_put_array(out, WIRE_TEXT, call->count, false);
    for (uint32_t i = 0; i < call->count; i++) {
        const struct entry *entry = &call->ops[i]->entry;
        wire_put_element_text(out, entry->description, entry->description_bytes);
        all_keys = all_keys && call->ops[i]->key_bytes > 0;
        no_keys = no_keys && call->ops[i]->key_bytes == 0;
    }
    end_parameter(parameters, false);
    if (!no_keys) {
        wire_put_array(out, WIRE_TEXT, call->count, !all_keys);
        for (uint32_t i = 0; i < call->count; i++)
            if (call->ops[i]->key_bytes > 0)
                wire_put_element_text(out, call->ops[i]->key, call->ops[i]->key_bytes);
            else
                wire_put_element_null(out);
    }
    end_parameter(parameters, no_keys);
}

static void add_clients(struct parameters *parameters, const struct call *call)
{
    wire_put_array(&parameters->out, WIRE_INT4, call->count, false);
    for (uint32_t i = 0; i < call->count; i++)
        wire_put_element_int4(&parameters->out, (int32_t)call->ops[i]->client);
    end_parameter(parameters, false);
}

static bool send_parameters(PGconn *conn, const char *statement,
                            const struct parameters *parameters)
{
    static const int formats[PARAMETERS_MAX] = {BINARY, BINARY, BINARY, BINARY, BINARY};
    const char *values[PARAMETERS_MAX];
    int lengths[PARAMETERS_MAX];
    for (int i = 0; i < parameters->count; i++) {
        values[i] = parameters->is_null[i] ? NULL : parameters->bytes + parameters->starts[i];
        lengths[i] = parameters->starts[i + 1] - parameters->starts[i];
    }
    return PQsendQueryPrepared(conn, statement, parameters->count, values, lengths, formats,
                               BINARY) == 1;
}

bool call_send(PGconn *conn, const struct call *call)
{
    struct parameters parameters;
    const char *statement = NULL;
    begin(&parameters);
    switch (call->kind) {
    case CALL_BOOK:
        statement = STATEMENT_BOOK;
        add_client(&parameters, call);
        add_entries(&parameters, call);
        break;
    case CALL_OPEN:
        statement = STATEMENT_OPEN;
        add_client(&parameters, call);
        add_int8(&parameters, call->ops[0]->limit_cents);
        add_int8(&parameters, call->ops[0]->balance_cents);
        break;
    case CALL_LIMIT:
        statement = STATEMENT_LIMIT;
        add_client(&parameters, call);
        add_int8(&parameters, call->ops[0]->limit_cents);
        break;
    case CALL_STATEMENT:
        statement = STATEMENT_STATEMENT;
        add_client(&parameters, call);
        break;
    case CALL_CLIENTS:
        statement = STATEMENT_CLIENTS;
        add_clients(&parameters, call);
        break;
    case CALL_HEALTH: statement = STATEMENT_HEALTH; break;
    case CALL_FORGET:
        statement = STATEMENT_FORGET;
        add_int8(&parameters, call->age_us);
        add_int4(&parameters, call->forget_max);
        add_int8(&parameters, call->now_us);
        break;
    case CALL_HURRY: statement = STATEMENT_HURRY; break;
    case CALL_LEARN:
        statement = STATEMENT_LEARN;
        add_int4(&parameters, KNOWN_MAX + 1); /* one more than fits says that there are more */
        break;
    }
    return send_parameters(conn, statement, &parameters);
}

/* --- answers ---------------------------------------------------------------------------------- */

static const char *value_at(const PGresult *result, int row, int column, int *ret_bytes)
{
    *ret_bytes = PQgetlength(result, row, column);
    return PQgetisnull(result, row, column) ? NULL : PQgetvalue(result, row, column);
}

static bool int8_at(const PGresult *result, int row, int column, int64_t *ret)
{
    int bytes;
    const char *value = value_at(result, row, column, &bytes);
    return wire_get_int8(value, bytes, ret);
}

static bool time_at(const PGresult *result, int row, int column, int64_t *ret_us)
{
    int bytes;
    const char *value = value_at(result, row, column, &bytes);
    return wire_get_time(value, bytes, ret_us);
}

static bool has_shape(const PGresult *result, int rows, int columns)
{
    return PQntuples(result) == rows && PQnfields(result) == columns;
}

/* The words of sql/20-procedures.sql. */
static bool outcome_of(const char *word, int bytes, enum outcome *ret, bool *ret_replayed)
{
    static const struct {
        const char *word;
        enum outcome outcome;
    } words[] = {
        {"ok", OUTCOME_OK},
        {"repetida", OUTCOME_OK},
        {"limite", OUTCOME_LIMIT_EXCEEDED},
        {"maximo", OUTCOME_BALANCE_MAX},
        {"chave", OUTCOME_KEY_REUSED},
        {"cliente", OUTCOME_NO_CLIENT},
        {"existe", OUTCOME_CLIENT_EXISTS},
    };
    for (size_t i = 0; word && i < sizeof words / sizeof words[0]; i++)
        if ((size_t)bytes == strlen(words[i].word) &&
            memcmp(word, words[i].word, (size_t)bytes) == 0) {
            *ret = words[i].outcome;
            *ret_replayed = words[i].word[0] == 'r';
            return true;
        }
    return false;
}

/* The next element of each of the three arrays is this op's. */
static bool answer_entry(struct op *op, struct wire_array columns[3], bool client_known)
{
    const char *values[3] = {0};
    int bytes[3] = {0};
    for (int i = 0; i < (client_known ? 3 : 1); i++)
        if (!wire_next(&columns[i], &values[i], &bytes[i]))
            return false;
    if (!outcome_of(values[0], bytes[0], &op->outcome, &op->replayed))
        return false;
    return op->outcome != OUTCOME_OK ||
           (wire_get_int8(values[1], bytes[1], &op->balance_cents) &&
            wire_get_int8(values[2], bytes[2], &op->limit_cents) &&
            ledger_terms_sane(op->client, op->limit_cents, op->balance_cents));
}

static void answer_book(const struct call *call, struct known *known)
{
    struct wire_array columns[3];
    bool client_known = false, readable = has_shape(call->result, 1, 3);
    if (readable) {
        client_known = !PQgetisnull(call->result, 0, 1); /* or there are no balances */
        static const enum wire_type types[3] = {WIRE_TEXT, WIRE_INT8, WIRE_INT8};
        for (int i = 0; i < (client_known ? 3 : 1); i++) {
            int bytes;
            const char *value = value_at(call->result, 0, i, &bytes);
            readable = readable && wire_get_array(&columns[i], types[i], value, bytes);
        }
    }
    for (uint32_t i = 0; i < call->count; i++) {
        readable = readable && answer_entry(call->ops[i], columns, client_known);
        if (!readable)
            call->ops[i]->outcome = OUTCOME_UNKNOWN; /* booked or not: it is committed */
    }
    if (readable && client_known)
        known_add(known, call->ops[0]->client);
}

static void answer_terms(const struct call *call, struct known *known)
{
    struct op *op = call->ops[0];
    bool replayed, opens = call->kind == CALL_OPEN;
    bool readable = has_shape(call->result, 1, opens ? 1 : 2);
    if (readable) {
        int bytes;
        const char *word = value_at(call->result, 0, 0, &bytes);
        readable = outcome_of(word, bytes, &op->outcome, &replayed) &&
                   (opens || op->outcome != OUTCOME_OK ||
                    (int8_at(call->result, 0, 1, &op->balance_cents) &&
                     ledger_terms_sane(op->client, op->limit_cents, op->balance_cents)));
    }
    if (!readable)
        op->outcome = OUTCOME_UNKNOWN;
    else if (op->outcome == OUTCOME_OK)
        known_add(known, op->client);
}

static bool read_entry(const PGresult *result, int row, struct entry *entry)
{
    int kind_bytes, description_bytes;
    const char *kind = value_at(result, row, 4, &kind_bytes);
    const char *description = value_at(result, row, 5, &description_bytes);
    if (!int8_at(result, row, 3, &entry->amount_cents) ||
        !time_at(result, row, 6, &entry->time_us) || !kind || kind_bytes != 1 || !description ||
        description_bytes > DESCRIPTION_BYTES_MAX)
        return false;
    entry->kind = (enum entry_kind)kind[0];
    entry->description_bytes = (uint8_t)description_bytes;
    memcpy(entry->description, description, (size_t)description_bytes);
    return true;
}

static enum outcome read_statement(const PGresult *result, struct op *op)
{
    int rows = PQntuples(result);
    struct account *account = &op->account;
    if (rows == 0)
        return OUTCOME_NO_CLIENT;
    *account = (struct account){.client = op->client};
    if (PQnfields(result) != 7 || rows > STATEMENT_ENTRIES_MAX ||
        !int8_at(result, 0, 0, &account->balance_cents) ||
        !int8_at(result, 0, 1, &account->limit_cents) || !time_at(result, 0, 2, &op->snapshot_us))
        return OUTCOME_CORRUPT;
    bool empty = rows == 1 && PQgetisnull(result, 0, 3);
    for (int row = 0; row < rows && !empty; row++)
        if (!read_entry(result, row, &account->recent[account->recent_count++]))
            return OUTCOME_CORRUPT;
    return account_sane(account) ? OUTCOME_OK : OUTCOME_CORRUPT;
}

static void answer_statement(const struct call *call, struct known *known)
{
    struct op *op = call->ops[0];
    op->outcome = read_statement(call->result, op);
    if (op->outcome == OUTCOME_OK)
        known_add(known, op->client);
}

static bool client_at(const PGresult *result, int row, uint32_t *ret)
{
    int32_t client;
    int bytes;
    const char *value = PQnfields(result) == 1 ? value_at(result, row, 0, &bytes) : NULL;
    if (!wire_get_int4(value, value ? bytes : 0, &client) || client < 1)
        return false;
    *ret = (uint32_t)client;
    return true;
}

/* That these are all is said last: whoever reads it finds them. */
static void answer_learn(const struct call *call, struct known *known)
{
    int rows = PQntuples(call->result);
    bool all = rows <= KNOWN_MAX;
    for (int row = 0; row < rows; row++) {
        uint32_t client;
        bool readable = client_at(call->result, row, &client);
        if (readable)
            known_add(known, client);
        all = all && readable && known_has(known, client);
    }
    atomic_store(&known->all, all);
}

/* Who is not among the ids does not exist, unless one of them cannot be read. */
static void answer_clients(const struct call *call, struct known *known)
{
    int rows = PQntuples(call->result);
    bool readable = true;
    call_end(call, OUTCOME_NO_CLIENT);
    for (int row = 0; row < rows; row++) {
        uint32_t client = 0;
        readable = client_at(call->result, row, &client) && readable;
        if (client == 0)
            continue;
        known_add(known, client);
        for (uint32_t i = 0; i < call->count; i++)
            if (call->ops[i]->client == client)
                call->ops[i]->outcome = OUTCOME_OK;
    }
    for (uint32_t i = 0; i < call->count; i++)
        if (!readable && call->ops[i]->outcome == OUTCOME_NO_CLIENT)
            call->ops[i]->outcome = OUTCOME_CORRUPT;
}

static void answer_health(const struct call *call)
{
    int bytes = 0;
    const char *value = has_shape(call->result, 1, 1) ? value_at(call->result, 0, 0, &bytes) : NULL;
    call_end(call, value && bytes == 1 && value[0] == 1 ? OUTCOME_OK : OUTCOME_DOWN);
}

void call_answer(const struct call *call, struct known *known)
{
    switch (call->kind) {
    case CALL_BOOK: answer_book(call, known); break;
    case CALL_OPEN:
    case CALL_LIMIT: answer_terms(call, known); break;
    case CALL_STATEMENT: answer_statement(call, known); break;
    case CALL_CLIENTS: answer_clients(call, known); break;
    case CALL_HEALTH: answer_health(call); break;
    case CALL_FORGET:
    case CALL_HURRY: break;
    case CALL_LEARN: answer_learn(call, known); break;
    }
}

void call_end(const struct call *call, enum outcome outcome)
{
    for (uint32_t i = 0; i < call->count; i++)
        call->ops[i]->outcome = outcome;
}
