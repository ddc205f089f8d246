/* SPDX-License-Identifier: MIT
 *
 * connection.c - see connection.h.
 */
#include "http/connection.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#include "http/key_header.h"
#include "http/route.h"

bool connection_sane(const struct connection *connection)
{
    return connection->input_start <= connection->input_end &&
           connection->input_end <= INPUT_BYTES_MAX &&
           connection->output_start <= connection->output_end &&
           connection->output_end <= OUTPUT_BYTES_MAX &&
           (connection->state == CONNECTION_WAITING) == (connection->op != NULL) &&
           (connection->state == CONNECTION_SENDING) ==
               (connection->output_start < connection->output_end);
}

/* --- states --------------------------------------------------------------------------------- */

static void enter(struct connection *connection, enum connection_state state, uint64_t timeout_ms)
{
    connection->state = state;
    connection->deadline_ms = connection->service->now_ms + timeout_ms;
}

static void close_connection(struct connection *connection)
{
    connection->state = CONNECTION_CLOSED;
    connection->output_start = connection->output_end = 0; /* whatever of it was not sent */
}

static void await_request(struct connection *connection)
{
    request_reset(&connection->request);
    enter(connection, CONNECTION_READING,
          connection->service->draining ? DRAIN_IDLE_MS : IDLE_TIMEOUT_MS);
}

static void send_reply(struct connection *connection, size_t bytes, bool close_after)
{
    connection->output_start = 0;
    connection->output_end = (uint32_t)bytes;
    connection->output_kept = false;
    connection->close_after = close_after;
    enter(connection, CONNECTION_SENDING, SEND_TIMEOUT_MS);
}

/* --- replies -------------------------------------------------------------------------------- */

static const char *date_now(struct service *service)
{
    int64_t now_s = time(NULL);
    if (now_s != service->date_s) {
        service->date_s = now_s;
        reply_date(service->date, now_s);
    }
    return service->date;
}

static struct reply_head head_for(const struct connection *connection)
{
    const struct request *request = &connection->request;
    bool whole = request->status == REQUEST_COMPLETE;
    return (struct reply_head){
        .date = date_now(connection->service),
        /* After a request that did not end where it should, nothing marks the next one's start. */
        .close = !whole || !request->keep_alive || connection->service->draining,
        .keep_alive = request->http_1_0,
        .head_only = request->method == HTTP_HEAD &&
                     (whole || request->status == REQUEST_EXPECTING ||
                      request->fault == FAULT_BODY_TOO_LARGE),
    };
}

static void reply_with_problem(struct connection *connection, enum problem problem,
                               const char *detail, const char *allow)
{
    struct reply_head head = head_for(connection);
    send_reply(connection,
               reply_problem(connection->service->output, &head, problem, detail, allow),
               head.close);
}

static void reply_with_continue(struct connection *connection)
{
    send_reply(connection, reply_continue(connection->service->output), false);
    connection->interim = true;
}

static void reply_to_op(struct connection *connection, const struct op *op)
{
    struct reply_head head = head_for(connection);
    char *out = connection->service->output;
    size_t bytes = 0;

    if (op->outcome == OUTCOME_OK && connection->request.status == REQUEST_EXPECTING) {
        reply_with_continue(connection);
        return;
    }
    if (op->outcome != OUTCOME_OK) {
        bytes = reply_problem(out, &head, problem_of(op->outcome), NULL, NULL);
    } else {
        switch (op->kind) {
        case OP_ENTRY:
            bytes = reply_entry(out, &head, op->limit_cents, op->balance_cents, op->replayed);
            break;
        case OP_STATEMENT:
            bytes = reply_statement(out, &head, &op->account, op->snapshot_us);
            break;
        case OP_CLIENT: /* there is such a client, so the fault is the body's */
            bytes = reply_problem(out, &head, connection->refusal, connection->refusal_detail,
                                  NULL);
            break;
        case OP_HEALTH: bytes = reply_healthy(out, &head); break;
        case OP_OPEN:
        case OP_LIMIT:
        case OP_SETTLE: assert(!"an operator's, not a request's"); break;
        }
    }
    send_reply(connection, bytes, head.close);
}

/* --- from request to op --------------------------------------------------------------------- */

/* NULL: there is none left, and the request is refused. */
static struct op *take_op(struct connection *connection, uint32_t client)
{
    struct op *op = op_pool_take(&connection->service->pool);
    if (op)
        op->client = client;
    else
        reply_with_problem(connection, PROBLEM_BUSY, NULL, NULL);
    return op;
}

static void submit(struct connection *connection, struct op *op)
{
    struct service *service = connection->service;
    op->context = connection;
    if (store_submit(service->submitter, op)) {
        reply_to_op(connection, op);
        op_pool_give_back(&service->pool, op);
        return;
    }
    connection->op = op;
    enter(connection, CONNECTION_WAITING, ANSWER_TIMEOUT_MS);
}

/* The client is judged before the body: ask for it, and say what is wrong with the body after. */
static void refuse_body(struct connection *connection, struct op *op, enum problem problem,
                        const char *detail)
{
    connection->refusal = problem;
    connection->refusal_detail = detail;
    op->kind = OP_CLIENT;
    submit(connection, op);
}

static void judge_entry(struct connection *connection, struct op *op)
{
    struct request *request = &connection->request;
    const char *detail = NULL;

    op->key_bytes = 0;
    if (request->key.count > 0) {
        if (request->key.count == 1 && !request->key.too_long)
            op->key_bytes = key_header_parse(request->key.text, request->key.bytes, op->key);
        if (op->key_bytes == 0) {
            refuse_body(connection, op, PROBLEM_KEY, NULL);
            return;
        }
    }
    enum problem problem = entry_json_parse(&connection->service->arena, request->body,
                                            request->body_bytes, &op->entry, &detail);
    if (problem != PROBLEM_NONE) {
        refuse_body(connection, op, problem, detail);
        return;
    }
    op->kind = OP_ENTRY;
    submit(connection, op);
}

static enum problem problem_of_fault(enum request_fault fault)
{
    switch (fault) {
    case FAULT_NONE: return PROBLEM_NONE;
    case FAULT_MALFORMED: return PROBLEM_MALFORMED;
    case FAULT_METHOD: return PROBLEM_METHOD_UNKNOWN;
    case FAULT_FRAMING_TOO_LARGE: return PROBLEM_FRAMING_TOO_LARGE;
    case FAULT_BODY_TOO_LARGE: return PROBLEM_BODY_TOO_LARGE;
    }
    return PROBLEM_MALFORMED;
}

/* True if the request is answered by what its first line says. */
static bool judge_route(struct connection *connection, enum route *ret_route, uint32_t *ret_client)
{
    const struct request *request = &connection->request;
    enum route route = ROUTE_NONE;
    if (!request->target_too_long)
        route = route_find(request->target, request->target_bytes, ret_client);
    *ret_route = route;
    if (route == ROUTE_NONE) {
        reply_with_problem(connection, PROBLEM_ROUTE, NULL, NULL);
        return true;
    }
    if (!route_allows(route, request->method)) {
        reply_with_problem(connection, PROBLEM_METHOD_NOT_ALLOWED, NULL, route_methods(route));
        return true;
    }
    return false;
}

/* The order of docs/contract.md: route, method, client; size; JSON; fields; key and limit. */
static void judge(struct connection *connection)
{
    const struct request *request = &connection->request;
    enum route route;
    uint32_t client = 0;

    if (request->status == REQUEST_FAULTY && request->fault != FAULT_BODY_TOO_LARGE) {
        reply_with_problem(connection, problem_of_fault(request->fault), NULL, NULL);
        return;
    }
    if (judge_route(connection, &route, &client))
        return;
    struct op *op = take_op(connection, client);
    if (!op)
        return;
    if (request->fault == FAULT_BODY_TOO_LARGE) {
        if (route == ROUTE_HEALTH) { /* no client to ask for */
            op_pool_give_back(&connection->service->pool, op);
            reply_with_problem(connection, PROBLEM_BODY_TOO_LARGE, NULL, NULL);
            return;
        }
        refuse_body(connection, op, PROBLEM_BODY_TOO_LARGE, NULL);
        return;
    }
    switch (route) {
    case ROUTE_NONE: break; /* judged above */
    case ROUTE_ENTRIES: judge_entry(connection, op); break;
    case ROUTE_STATEMENT:
        op->kind = OP_STATEMENT;
        submit(connection, op);
        break;
    case ROUTE_HEALTH:
        op->kind = OP_HEALTH;
        submit(connection, op);
        break;
    }
}

/* The client holds its body back until it hears from us (RFC 9110 section 10.1.1). */
static void judge_expectation(struct connection *connection)
{
    enum route route;
    uint32_t client = 0;
    if (judge_route(connection, &route, &client))
        return;
    struct op *op = take_op(connection, client);
    if (!op)
        return;
    op->kind = route == ROUTE_HEALTH ? OP_HEALTH : OP_CLIENT;
    submit(connection, op);
}

/* --- input ---------------------------------------------------------------------------------- */

/* Feed the request some bytes; judge it when it is ready. Returns how many it took. */
static size_t parse_some(struct connection *connection, const char *bytes, size_t count)
{
    struct request *request = &connection->request;
    bool first = request->status == REQUEST_EMPTY;
    size_t used = request_feed(request, bytes, count);

    if (first && request->status != REQUEST_EMPTY) {
        connection->request_deadline_ms = connection->service->now_ms + REQUEST_TIMEOUT_MS;
        connection->deadline_ms = connection->request_deadline_ms;
    }
    switch (request->status) {
    case REQUEST_EMPTY:
    case REQUEST_PARTIAL: break;
    case REQUEST_EXPECTING:
        if (used == count) /* else the body is here already */
            judge_expectation(connection);
        break;
    case REQUEST_COMPLETE:
    case REQUEST_FAULTY: judge(connection); break;
    }
    return used;
}

/* Parse until a reply is due, an op is out, or the bytes are used up. Returns how many were. */
static size_t advance(struct connection *connection, const char *bytes, size_t count)
{
    size_t used = 0;
    while (connection->state == CONNECTION_READING && used < count)
        used += parse_some(connection, bytes + used, count - used);
    return used;
}

/* Go on with the input that had to wait, if there is any. */
static void advance_held(struct connection *connection)
{
    connection->input_start += (uint32_t)advance(connection,
                                                 connection->input + connection->input_start,
                                                 connection->input_end - connection->input_start);
    if (connection->input_start == connection->input_end)
        connection->input_start = connection->input_end = 0;
    if (connection->state == CONNECTION_READING && connection->input_ended)
        close_connection(connection);
    assert(connection_sane(connection));
}

void connection_open(struct connection *connection, struct service *service)
{
    /* Everything but the large arrays, whose bounds say what in them is valid. */
    memset(connection, 0, offsetof(struct connection, request));
    connection->service = service;
    await_request(connection);
}

void connection_open_refused(struct connection *connection, struct service *service)
{
    connection_open(connection, service);
    reply_with_problem(connection, PROBLEM_CONNECTIONS, NULL, NULL);
}

char *connection_room(struct connection *connection, size_t *ret_bytes)
{
    if (connection->state == CONNECTION_LINGERING)
        connection->input_start = connection->input_end = 0;
    if (connection->input_end == 0) {
        *ret_bytes = INPUT_BYTES_MAX;
        return connection->service->input;
    }
    if (connection->input_start > 0) {
        memmove(connection->input, connection->input + connection->input_start,
                connection->input_end - connection->input_start);
        connection->input_end -= connection->input_start;
        connection->input_start = 0;
    }
    *ret_bytes = INPUT_BYTES_MAX - connection->input_end;
    return connection->input + connection->input_end;
}

void connection_received(struct connection *connection, size_t bytes)
{
    assert(bytes <= INPUT_BYTES_MAX - connection->input_end);
    if (connection->state == CONNECTION_LINGERING)
        return;
    if (connection->input_end == 0) {
        const char *input = connection->service->input;
        size_t used = advance(connection, input, bytes);
        memcpy(connection->input, input + used, bytes - used);
        connection->input_end = (uint32_t)(bytes - used);
        assert(connection_sane(connection));
    } else {
        connection->input_end += (uint32_t)bytes;
        advance_held(connection);
    }
}

void connection_input_ended(struct connection *connection)
{
    connection->input_ended = true;
    if (connection->state == CONNECTION_LINGERING)
        close_connection(connection);
    else
        advance_held(connection);
}

/* --- answers and output --------------------------------------------------------------------- */

void connection_answered(struct connection *connection)
{
    struct op *op = connection->op;
    assert(connection->state == CONNECTION_WAITING);
    connection->op = NULL;
    reply_to_op(connection, op);
    op_pool_give_back(&connection->service->pool, op);
    assert(connection_sane(connection));
}

size_t connection_output(struct connection *connection, const char **ret_bytes)
{
    if (connection->state != CONNECTION_SENDING)
        return 0;
    const char *output = connection->output_kept ? connection->output : connection->service->output;
    *ret_bytes = output + connection->output_start;
    return connection->output_end - connection->output_start;
}

void connection_sent(struct connection *connection, size_t bytes)
{
    assert(connection->state == CONNECTION_SENDING);
    connection->output_start += (uint32_t)bytes;
    if (connection->output_start < connection->output_end) {
        if (!connection->output_kept)
            memcpy(connection->output + connection->output_start,
                   connection->service->output + connection->output_start,
                   connection->output_end - connection->output_start);
        connection->output_kept = true;
        return;
    }
    if (connection->interim) {
        connection->interim = false;
        connection->state = CONNECTION_READING;
        connection->deadline_ms = connection->request_deadline_ms;
    } else if (connection->close_after) {
        enter(connection, CONNECTION_LINGERING, LINGER_TIMEOUT_MS);
        if (connection->input_ended)
            close_connection(connection);
        return;
    } else {
        await_request(connection);
    }
    advance_held(connection);
}

/* --- deadlines ------------------------------------------------------------------------------ */

void connection_expired(struct connection *connection)
{
    switch (connection->state) {
    case CONNECTION_READING:
        if (connection->request.status == REQUEST_EMPTY)
            close_connection(connection);
        else
            reply_with_problem(connection, PROBLEM_TIMEOUT, NULL, NULL);
        break;
    case CONNECTION_WAITING: {
        /* Handed over and not answered: only an entry has an outcome to be unsure of. */
        bool entry = connection->op->kind == OP_ENTRY;
        connection_abandon(connection);
        reply_with_problem(connection, entry ? PROBLEM_UNKNOWN : PROBLEM_DOWN, NULL, NULL);
        break;
    }
    case CONNECTION_SENDING:
    case CONNECTION_LINGERING:
    case CONNECTION_CLOSED: close_connection(connection); break;
    }
}

void connection_drain(struct connection *connection)
{
    /* A request that is already on the wire is still served; then the connection closes. */
    if (connection->state == CONNECTION_READING && connection->request.status == REQUEST_EMPTY)
        enter(connection, CONNECTION_READING, DRAIN_IDLE_MS);
}

void connection_abandon(struct connection *connection)
{
    if (connection->op)
        connection->op->context = NULL;
    connection->op = NULL;
}
