/* SPDX-License-Identifier: MIT
 *
 * test_connection.c - whole conversations: the same bytes come back however the request bytes are
 * cut, however the reply bytes are sent, and whenever the store answers.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "talk.h"

#define HOST        "Host: a\r\n"
#define GET(target) "GET " target " HTTP/1.1\r\n" HOST "\r\n"
#define POST(client, fields, length, body)                                                    \
    "POST /clientes/" client "/transacoes HTTP/1.1\r\n" HOST fields "Content-Length: " length \
    "\r\n\r\n" body
#define BODY(valor) \
    "{\"valor\":" valor ",\"tipo\":\"d\",\"descricao\":\"x\"}" /* 37 bytes and valor */
#define DEBIT_1   POST("1", "", "38", BODY("1"))
#define OVERDRAFT POST("1", "", "43", BODY("200000"))
#define STATEMENT GET("/clientes/1/extrato")
#define HEALTH    GET("/healthz")

static struct talk talk, other;

struct conversation {
    const char *name, *said, *statuses;
    enum connection_state end;
};

static const struct conversation conversations[] = {
    {"a health check", HEALTH, "200", CONNECTION_READING},
    {"a debit", DEBIT_1, "200", CONNECTION_READING},
    {"a statement", STATEMENT, "200", CONNECTION_READING},
    {"pipelined", DEBIT_1 HEALTH STATEMENT OVERDRAFT DEBIT_1 STATEMENT, "200 200 200 422 200 200",
     CONNECTION_READING},
    {"empty lines in between", "\r\n" DEBIT_1 "\r\n\r\n" HEALTH "\r\n", "200 200",
     CONNECTION_READING},
    {"chunks",
     "POST /clientes/1/transacoes HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
     "10\r\n{\"valor\":1,\"tipo\r\n16\r\n\":\"d\",\"descricao\":\"x\"}\r\n0\r\nT: t\r\n\r\n" HEALTH,
     "200 200", CONNECTION_READING},
    {"unknown things", GET("/") GET("/clientes/6/extrato") GET("/clientes/1/transacoes") HEALTH,
     "404 404 405 200", CONNECTION_READING},
    {"HEAD",
     "HEAD /healthz HTTP/1.1\r\n" HOST "\r\nHEAD /clientes/1/extrato HTTP/1.1\r\n" HOST
     "\r\nHEAD /x HTTP/1.1\r\n" HOST "\r\n" HEALTH,
     "200 200 404 200", CONNECTION_READING},
    {"bad bodies",
     POST("1", "", "0", "") POST("1", "", "1", "{") POST("1", "", "2", "{}") POST("6", "", "1", "{")
         POST("1", "", "38", BODY("0")) HEALTH,
     "400 400 422 404 422 200", CONNECTION_READING},
    {"keys",
     POST("1", "Idempotency-Key: k\r\n", "38", BODY("5"))
         POST("1", "Idempotency-Key: \"k\"\r\n", "38", BODY("5"))
             POST("1", "Idempotency-Key: k\r\n", "38", BODY("6"))
                 POST("1", "Idempotency-Key: k\r\nIdempotency-Key: k\r\n", "38", BODY("5"))
                     POST("1", "Idempotency-Key: a b\r\n", "38", BODY("5")) STATEMENT,
     "200 200 422 400 400 200", CONNECTION_READING},
    {"a close is a close", "GET /healthz HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n" DEBIT_1,
     "200", CONNECTION_LINGERING},
    {"HTTP/1.0", "GET /healthz HTTP/1.0\r\n\r\n" DEBIT_1, "200", CONNECTION_LINGERING},
    {"HTTP/1.0 that stays", "GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" HEALTH,
     "200 200", CONNECTION_READING},
    {"malformed", DEBIT_1 "GET /healthz HTTP/2.0\r\n\r\n" DEBIT_1, "200 400", CONNECTION_LINGERING},
    {"smuggled",
     "POST /clientes/1/transacoes HTTP/1.1\r\n" HOST "Content-Length: 5\r\n"
     "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" DEBIT_1,
     "400", CONNECTION_LINGERING},
    {"a method nobody knows", "FLY / HTTP/1.1\r\n" HOST "\r\n" DEBIT_1, "501",
     CONNECTION_LINGERING},
    {"a body too large", POST("1", "", "4097", "x") DEBIT_1, "413", CONNECTION_LINGERING},
    {"a body too large for nobody", POST("6", "", "4097", "x") DEBIT_1, "404",
     CONNECTION_LINGERING},
    {"a body where none belongs",
     "GET /healthz HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello"
     "GET /healthz HTTP/1.1\r\n" HOST "Content-Length: 4097\r\n\r\n",
     "200 413", CONNECTION_LINGERING},
    {"half a request", HEALTH "GET /healthz HTTP/1.1\r\nHos", "200", CONNECTION_READING},
};

/* The conversation in pieces of `first` and `rest`; *ret_end is the state it ends in. */
static const char *hold(const struct conversation *conversation, size_t first, size_t rest,
                        size_t gulp, bool later, enum connection_state *ret_end)
{
    size_t bytes = strlen(conversation->said);
    fake_reset();
    for (int kind = 0; kind < FAKE_OP_KINDS; kind++)
        fake.later[kind] = later;
    talk_open(&talk);
    talk.gulp = gulp;
    for (size_t at = 0, piece = first; at < bytes; at += piece, piece = rest) {
        if (piece > bytes - at)
            piece = bytes - at;
        assert_int_equal(talk_hear(&talk, conversation->said + at, piece), piece);
    }
    *ret_end = talk.connection.state;
    return talk_said(&talk);
}

static void conversations_are_the_same_however_they_are_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(conversations); i++) {
        const struct conversation *conversation = &conversations[i];
        static char whole[SAID_BYTES_MAX];
        size_t bytes = strlen(conversation->said);
        enum connection_state end;
        snprintf(whole, sizeof whole, "%s", hold(conversation, bytes, bytes, 0, false, &end));
        if (strcmp(talk_statuses(&talk), conversation->statuses) != 0 || end != conversation->end)
            FAIL("%s: %s, then state %d", conversation->name, talk_statuses(&talk), (int)end);
        for (size_t way = 0; way < 2 * bytes + 8; way++) {
            /* Byte by byte, then every split of two; each with answers now and later. */
            size_t first = way < 8 ? 1 : 1 + (way - 8) / 2, rest = way < 8 ? 1 : bytes;
            size_t gulp = way < 8 ? way / 2 : way % 5;
            const char *cut = hold(conversation, first, rest, gulp, way % 2, &end);
            if (strcmp(cut, whole) != 0 || end != conversation->end)
                FAIL("%s, in pieces of %zu, %zu ..., sent by %zu: %s\nthen state %d; as a whole %s",
                     conversation->name, first, rest, gulp, shown(cut, strlen(cut)), (int)end,
                     shown(whole, strlen(whole)));
        }
    }
}

static void a_conversation_byte_for_byte(void **state)
{
    (void)state;
    talk_open(&talk);
    talk_hear_text(&talk, DEBIT_1 "GET /x HTTP/1.0\r\n\r\n");
    assert_string_equal(
        talk_said(&talk),
        "HTTP/1.1 200 OK\r\n"
        "Date: DATE\r\n"
        "Content-Type: application/json\r\n"
        "Content-Length: 28\r\n"
        "\r\n"
        "{\"limite\":100000,\"saldo\":-1}"
        "HTTP/1.1 404 Not Found\r\n"
        "Date: DATE\r\n"
        "Content-Type: application/problem+json\r\n"
        "Connection: close\r\n"
        "Content-Length: 160\r\n"
        "\r\n"
        "{\"type\":\"rota-desconhecida\",\"title\":\"No such resource\",\"status\":404,"
        "\"detail\":\"the resources are /clientes/{id}/transacoes, "
        "/clientes/{id}/extrato and /healthz\"}");
}

/* --- pipelining ----------------------------------------------------------------------------- */

static void pipelined_requests_are_answered_in_order_one_op_at_a_time(void **state)
{
    (void)state;
    enum { REQUESTS = 60 };
    static char raw[REQUESTS * 200], expected[REQUESTS * 40];
    size_t bytes = 0, wanted = 0;
    int64_t balance = 0;
    for (int i = 1; i <= REQUESTS; i++) {
        char body[100];
        int size = snprintf(body, sizeof body, BODY("%d"), i);
        bytes += (size_t)snprintf(raw + bytes, sizeof raw - bytes, POST("1", "", "%d", "%s"), size,
                                  body);
        balance -= i;
        wanted += (size_t)snprintf(expected + wanted, sizeof expected - wanted,
                                   "{\"limite\":100000,\"saldo\":%lld}", (long long)balance);
    }
    fake.later[OP_ENTRY] = true;
    talk_open(&talk);
    talk.unanswered = true;
    size_t taken = talk_hear(&talk, raw, bytes);
    for (int i = 0; i < REQUESTS; i++) {
        assert_int_equal(fake.waiting_count, 1); /* never two at once */
        assert_int_equal(talk.connection.state, CONNECTION_WAITING);
        talk_answer_next();
        talk_go_on(&talk);
        taken += talk_hear(&talk, raw + taken, bytes - taken);
    }
    assert_int_equal(taken, bytes);
    assert_int_equal(fake.waiting_count, 0);

    /* The bodies alone. */
    static char bodies[sizeof expected];
    char *to = bodies;
    for (const char *at = talk_said(&talk); (at = strstr(at, "\r\n\r\n"));) {
        const char *end = strchr(at += 4, '}');
        assert_non_null(end);
        memcpy(to, at, (size_t)(end + 1 - at));
        to += end + 1 - at;
    }
    *to = '\0';
    assert_string_equal(bodies, expected);
}

static void a_client_that_sends_on_and_on_is_read_no_further_than_there_is_room(void **state)
{
    (void)state;
    fake.later[OP_ENTRY] = true;
    talk_open(&talk);
    talk.unanswered = true;
    talk_hear_text(&talk, DEBIT_1);
    static char more[3 * INPUT_BYTES_MAX];
    size_t bytes = 0;
    for (; bytes + sizeof HEALTH < sizeof more; bytes += sizeof HEALTH - 1)
        memcpy(more + bytes, HEALTH, sizeof HEALTH - 1);
    size_t taken = talk_hear(&talk, more, bytes);
    assert_int_equal(taken, INPUT_BYTES_MAX);
    assert_int_equal(talk_hear(&talk, more + taken, 1), 0);
    assert_string_equal(talk_statuses(&talk), "");
    talk_answer_next();
    talk_go_on(&talk);
    taken += talk_hear(&talk, more + taken, bytes - taken);
    assert_int_equal(taken, bytes);
    size_t replies = (strlen(talk_statuses(&talk)) + 1) / 4;
    assert_int_equal(replies, 1 + bytes / (sizeof HEALTH - 1));
}

static void two_connections_share_the_scratch_and_nothing_else(void **state)
{
    (void)state;
    fake.later[OP_STATEMENT] = true;
    talk_open(&talk);
    talk_open(&other);
    talk.unanswered = other.unanswered = true;
    talk.gulp = other.gulp = 7;
    /* Each holds input that had to wait, then half a reply, while the other goes on. */
    talk_hear_text(&talk, STATEMENT DEBIT_1 STATEMENT);
    talk_hear_text(&other, GET("/clientes/2/extrato") HEALTH);
    assert_int_equal(fake.waiting_count, 2);
    talk.stuck = true;
    talk_answer_next();
    talk_go_on(&talk);
    talk_answer_next();
    talk_go_on(&other);
    assert_string_equal(talk_statuses(&other), "200 200");
    talk.stuck = false;
    talk_go_on(&talk);
    assert_int_equal(fake.waiting_count, 1);
    talk_answer_next();
    talk_go_on(&talk);
    assert_string_equal(talk_statuses(&talk), "200 200 200");
    assert_non_null(strstr(talk_said(&talk), "\"total\":0,"));
    assert_non_null(strstr(talk_said(&talk), "\"total\":-1,"));
    assert_null(strchr(talk_said(&talk), '!'));
    assert_non_null(strstr(talk_said(&other), "\"limite\":80000}"));
    assert_null(strchr(talk_said(&other), '!'));
}

/* --- Expect: 100-continue ------------------------------------------------------------------- */

#define CONTINUE                     "HTTP/1.1 100 Continue\r\n\r\n"
#define EXPECTING_TO(client, length) POST(client, "Expect: 100-continue\r\n", length, "")

static void a_client_that_waits_is_told_to_continue(void **state)
{
    (void)state;
    for (int later = 0; later < 2; later++) {
        fake_reset();
        fake.later[OP_CLIENT] = fake.later[OP_ENTRY] = later;
        talk_open(&talk);
        talk_hear_text(&talk, EXPECTING_TO("1", "38"));
        assert_string_equal(talk_said(&talk), CONTINUE);
        assert_int_equal(talk.connection.state, CONNECTION_READING);
        talk_hear_text(&talk, BODY("5") HEALTH);
        assert_string_equal(talk_statuses(&talk), "100 200 200");
        assert_int_equal(fake.submitted[OP_ENTRY], 1);
    }
}

static void a_client_that_does_not_wait_is_not_told(void **state)
{
    (void)state;
    talk_open(&talk);
    talk_hear_text(&talk, EXPECTING_TO("1", "38") BODY("5"));
    assert_string_equal(talk_statuses(&talk), "200");
    talk_open(&talk);
    talk_hear_text(&talk, EXPECTING_TO("1", "38") "{");
    talk_hear_text(&talk, &BODY("5")[1]);
    assert_string_equal(talk_statuses(&talk), "200");
}

static void the_body_may_come_while_the_client_is_looked_for_or_told(void **state)
{
    (void)state;
    fake.later[OP_CLIENT] = true;
    talk_open(&talk);
    talk.unanswered = true;
    talk_hear_text(&talk, EXPECTING_TO("1", "38"));
    assert_int_equal(talk.connection.state, CONNECTION_WAITING);
    talk_hear_text(&talk, BODY("5"));
    talk.stuck = true;
    talk_answer_next();
    talk_go_on(&talk);
    talk_hear_text(&talk, HEALTH);
    talk.stuck = false;
    talk_go_on(&talk);
    assert_string_equal(talk_statuses(&talk), "100 200 200");
}

static void a_request_that_is_refused_is_not_told_to_continue(void **state)
{
    (void)state;
    static const struct {
        const char *head, *statuses;
    } cases[] = {
        {EXPECTING_TO("6", "38"), "404"},
        {EXPECTING_TO("01", "38"), "404"},
        {EXPECTING_TO("1", "4097"), "413"},
        {"PUT /clientes/1/transacoes HTTP/1.1\r\n" HOST
         "Expect: 100-continue\r\nContent-Length: 37\r\n\r\n",
         "405"},
        {"POST /x HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 37\r\n\r\n", "404"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        talk_open(&talk);
        talk_hear_text(&talk, cases[i].head);
        assert_string_equal(talk_statuses(&talk), cases[i].statuses);
        assert_non_null(strstr(talk_said(&talk), "\r\nConnection: close\r\n"));
        talk_hear_text(&talk, BODY("5") DEBIT_1); /* the body might come after all */
        assert_string_equal(talk_statuses(&talk), cases[i].statuses);
        assert_int_equal(fake.submitted[OP_ENTRY], 0);
    }
}

/* --- judgement ------------------------------------------------------------------------------ */

static void the_first_rule_that_a_request_breaks_decides(void **state)
{
    (void)state;
    /* Each breaks one rule less than the one before it. */
#define LATE_KEY "Idempotency-Key: no key\r\n"
    static const struct {
        const char *request, *type;
    } cases[] = {
        {"PUT /clientes/6/x HTTP/1.1\r\n" HOST LATE_KEY "Content-Length: 4097\r\n\r\n",
         "rota-desconhecida"},
        {"PUT /clientes/6/transacoes HTTP/1.1\r\n" HOST LATE_KEY "Content-Length: 4097\r\n\r\n",
         "metodo-nao-permitido"},
        {POST("6", LATE_KEY, "4097", "{"), "cliente-desconhecido"},
        {POST("1", LATE_KEY, "4097", "{"), "corpo-grande-demais"},
        {POST("1", LATE_KEY, "1", "{"), "chave-invalida"},
        {POST("1", "Idempotency-Key: k\r\n", "1", "{"), "json-invalido"},
        {POST("1", "Idempotency-Key: k\r\n", "38", BODY("0")), "campo-invalido"},
        {POST("1", "Idempotency-Key: k\r\n", "43", BODY("200000")), "chave-reutilizada"},
        {POST("1", "", "43", BODY("200000")), "limite-excedido"},
    };
    talk_open(&talk);
    talk_hear_text(&talk, POST("1", "Idempotency-Key: k\r\n", "38", BODY("1")));
    assert_string_equal(talk_statuses(&talk), "200");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char type[100];
        talk_open(&talk);
        talk_hear_text(&talk, cases[i].request);
        snprintf(type, sizeof type, "\"type\":\"%s\"", cases[i].type);
        if (!strstr(talk_said(&talk), type))
            FAIL("%s\nis not %s: %s", cases[i].request, cases[i].type, talk_said(&talk));
    }
}

static void every_outcome_of_the_store_has_its_status(void **state)
{
    (void)state;
    static const struct {
        enum outcome outcome;
        const char *status;
        bool retry;
    } cases[] = {
        {OUTCOME_NO_CLIENT, "404", false},   {OUTCOME_LIMIT_EXCEEDED, "422", false},
        {OUTCOME_BALANCE_MAX, "422", false}, {OUTCOME_KEY_REUSED, "422", false},
        {OUTCOME_BUSY, "503", true},         {OUTCOME_NO_SPACE, "503", true},
        {OUTCOME_DOWN, "503", true},         {OUTCOME_CORRUPT, "503", true},
        {OUTCOME_UNKNOWN, "504", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (int later = 0; later < 2; later++) {
            fake_reset();
            fake.outcome = cases[i].outcome;
            fake.later[OP_ENTRY] = later;
            talk_open(&talk);
            talk_hear_text(&talk, DEBIT_1);
            assert_string_equal(talk_statuses(&talk), cases[i].status);
            assert_int_equal(strstr(talk_said(&talk), "\r\nRetry-After: 1\r\n") != NULL,
                             cases[i].retry);
            assert_null(strstr(talk_said(&talk), "Connection: close"));
            assert_int_equal(talk.connection.state, CONNECTION_READING);
        }
    }
}

static void with_every_op_taken_the_answer_is_503_and_the_connection_stays(void **state)
{
    (void)state;
    static struct talk holders[TALK_OPS];
    for (int kind = 0; kind < FAKE_OP_KINDS; kind++)
        fake.later[kind] = true;
    for (int i = 0; i < TALK_OPS; i++) {
        talk_open(&holders[i]);
        holders[i].unanswered = true;
        talk_hear_text(&holders[i], DEBIT_1);
    }
    assert_int_equal(fake.waiting_count, TALK_OPS);
    talk_open(&talk);
    talk.unanswered = true;
    talk_hear_text(&talk, DEBIT_1 HEALTH STATEMENT POST("1", "", "1", "{") GET("/x"));
    assert_string_equal(talk_statuses(&talk), "503 503 503 503 404");
    assert_non_null(strstr(talk_said(&talk), "\r\nRetry-After: 1\r\n"));
    talk_answer_next();
    talk_go_on(&holders[0]);
    assert_string_equal(talk_statuses(&holders[0]), "200");
    talk_hear_text(&talk, DEBIT_1);
    assert_int_equal(talk.connection.state, CONNECTION_WAITING);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, talk_setup, talk_teardown)
    const struct CMUnitTest tests[] = {
        TEST(conversations_are_the_same_however_they_are_cut),
        TEST(a_conversation_byte_for_byte),
        TEST(pipelined_requests_are_answered_in_order_one_op_at_a_time),
        TEST(a_client_that_sends_on_and_on_is_read_no_further_than_there_is_room),
        TEST(two_connections_share_the_scratch_and_nothing_else),
        TEST(a_client_that_waits_is_told_to_continue),
        TEST(a_client_that_does_not_wait_is_not_told),
        TEST(the_body_may_come_while_the_client_is_looked_for_or_told),
        TEST(a_request_that_is_refused_is_not_told_to_continue),
        TEST(the_first_rule_that_a_request_breaks_decides),
        TEST(every_outcome_of_the_store_has_its_status),
        TEST(with_every_op_taken_the_answer_is_503_and_the_connection_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
