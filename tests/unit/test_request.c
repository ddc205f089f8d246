/* SPDX-License-Identifier: MIT
 *
 * test_request.c - requests that are understood: every one of them whole, byte by byte and in every
 * split of two.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "request_feed.h"

#define GET    "GET /healthz HTTP/1.1\r\nHost: a\r\n"
#define GET_10 "GET /healthz HTTP/1.0\r\n"
#define POST   "POST /p HTTP/1.1\r\nHost: a\r\n"
#define CHUNKS POST "Transfer-Encoding: chunked\r\n\r\n"

enum flags {
    STAYS = 1,    /* keep_alive */
    V10 = 2,      /* http_1_0 */
    EXPECTS = 4,  /* was expecting "100 Continue" */
    TOO_LONG = 8, /* the target */
};

struct known {
    const char *raw;
    llhttp_method_t method;
    const char *target, *body;
    unsigned flags;
};

static struct feed fed;

static void expect(const char *raw, size_t bytes, const struct known *known)
{
    feed_every_way(&fed, raw, bytes);
    const struct message *is = &fed.messages[0];
    if (fed.count != 1 || is->status != REQUEST_COMPLETE || is->used != bytes)
        FAIL("%s\n%zu messages, the first %s, %s, after %zu of %zu bytes", shown(raw, bytes),
             fed.count, status_name(is->status), fault_name(is->fault), is->used, bytes);
    unsigned flags = (is->keep_alive ? STAYS : 0) | (is->http_1_0 ? V10 : 0) |
                     (is->expected ? EXPECTS : 0) | (is->target_too_long ? TOO_LONG : 0);
    if (is->method != known->method || flags != known->flags ||
        is->target_bytes != strlen(known->target) ||
        memcmp(is->target, known->target, is->target_bytes) != 0 ||
        is->body_bytes != strlen(known->body) || memcmp(is->body, known->body, is->body_bytes) != 0)
        FAIL("%s\nmethod %d, flags %u, target %s, body %s", shown(raw, bytes), (int)is->method,
             flags, shown(is->target, is->target_bytes), shown(is->body, is->body_bytes));
}

static void expect_all(const struct known *known, size_t count)
{
    for (size_t i = 0; i < count; i++)
        expect(known[i].raw, strlen(known[i].raw), &known[i]);
}

static void a_request_has_its_method_target_and_version(void **state)
{
    (void)state;
    static const struct known known[] = {
        {GET "\r\n", HTTP_GET, "/healthz", "", STAYS},
        {"HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_HEAD, "/healthz", "", STAYS},
        {"DELETE / HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_DELETE, "/", "", STAYS},
        {"PUT /p HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_PUT, "/p", "", STAYS},
        {"PATCH /p HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_PATCH, "/p", "", STAYS},
        {"TRACE /p HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_TRACE, "/p", "", STAYS},
        {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_OPTIONS, "*", "", STAYS},
        {"M-SEARCH * HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_MSEARCH, "*", "", STAYS},
        {"PROPFIND /p HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_PROPFIND, "/p", "", STAYS},
        {GET_10 "\r\n", HTTP_GET, "/healthz", "", V10},
        {GET_10 "Host: a\r\n\r\n", HTTP_GET, "/healthz", "", V10},
        {"GET / HTTP/1.1\r\nHost:\r\n\r\n", HTTP_GET, "/", "", STAYS},
        {"GET / HTTP/1.1\r\nHost: \t \r\n\r\n", HTTP_GET, "/", "", STAYS},
        {"GET / HTTP/1.1\r\nhost:a:80\r\n\r\n", HTTP_GET, "/", "", STAYS},
        {"GET / HTTP/1.1\r\nHOST: [::1]:80\r\n\r\n", HTTP_GET, "/", "", STAYS},
        {"GET / HTTP/1.1\r\nX: y\r\nHost: a \r\n\r\n", HTTP_GET, "/", "", STAYS},
        {GET "X:\r\nY: \xe7\xff\r\nZ:\t\t\r\n\r\n", HTTP_GET, "/healthz", "", STAYS},
    };
    expect_all(known, COUNT_OF(known));
}

static void a_connection_stays_as_its_version_and_its_field_say(void **state)
{
    (void)state;
    static const struct known known[] = {
        {GET "Connection: close\r\n\r\n", HTTP_GET, "/healthz", "", 0},
        {GET "Connection: CLOSE\r\n\r\n", HTTP_GET, "/healthz", "", 0},
        {GET "connection: x, close\r\n\r\n", HTTP_GET, "/healthz", "", 0},
        {GET "Connection: keep-alive\r\n\r\n", HTTP_GET, "/healthz", "", STAYS},
        {GET "Connection: closed\r\n\r\n", HTTP_GET, "/healthz", "", STAYS},
        {GET "Connection:\r\n\r\n", HTTP_GET, "/healthz", "", STAYS},
        {GET_10 "Connection: keep-alive\r\n\r\n", HTTP_GET, "/healthz", "", STAYS | V10},
        {GET_10 "Connection: Keep-Alive\r\n\r\n", HTTP_GET, "/healthz", "", STAYS | V10},
        {GET_10 "Connection: close\r\n\r\n", HTTP_GET, "/healthz", "", V10},
        {GET_10 "Connection: keep-alive-ish\r\n\r\n", HTTP_GET, "/healthz", "", V10},
    };
    expect_all(known, COUNT_OF(known));
}

static void the_target_is_the_path_without_scheme_authority_and_query(void **state)
{
    (void)state;
    static const struct {
        const char *written, *path;
    } cases[] = {
        {"/", "/"},
        {"/a?b", "/a"},
        {"/a?", "/a"},
        {"/a?b?c/d", "/a"},
        {"/?", "/"},
        {"/a%20b", "/a%20b"},
        {"/a;b=c", "/a;b=c"},
        {"//a", "//a"},
        {"http://a/healthz", "/healthz"},
        {"http://a/healthz?b", "/healthz"},
        {"http://a:80/healthz", "/healthz"},
        {"HTTP://A/healthz", "/healthz"},
        {"hTtP://a/healthz", "/healthz"},
        {"http://a", ""},
        {"http://a/", "/"},
        {"http://a?b", ""},
        {"http://a//healthz", "//healthz"},
        {"http://a/http://b/c", "/http://b/c"},
        {"http://[::1]:80/healthz", "/healthz"},
        {"/http://a/b", "/http://a/b"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char raw[200];
        const struct known known = {raw, HTTP_GET, cases[i].path, "", STAYS};
        snprintf(raw, sizeof raw, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", cases[i].written);
        expect(raw, strlen(raw), &known);
    }
}

/* What llhttp takes for a target and is none of ours must not become one that is. */
static void another_scheme_never_becomes_a_path_of_ours(void **state)
{
    (void)state;
    static const char *const targets[] = {
        "https://a/healthz", "ftp://a/healthz",   "httpx://a/healthz", "xhttp://a/healthz",
        "h/healthz",         "ht/healthz",        "http/healthz",      "http:/healthz",
        "http:/a/healthz",   "hhttp://a/healthz", "http:healthz",      "h://a/healthz",
    };
    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        char raw[200];
        snprintf(raw, sizeof raw, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", targets[i]);
        feed_every_way(&fed, raw, strlen(raw));
        const struct message *is = &fed.messages[0];
        if (is->status == REQUEST_FAULTY)
            continue; /* llhttp did not take it */
        if (is->target_bytes == 0 || is->target[0] == '/')
            FAIL("%s became %s", targets[i], shown(is->target, is->target_bytes));
    }
}

static void a_target_of_512_bytes_is_kept_and_a_longer_one_is_marked(void **state)
{
    (void)state;
    static char raw[2 * TARGET_BYTES_MAX + 100], target[TARGET_BYTES_MAX + 1];
    memset(target, 'x', TARGET_BYTES_MAX);
    target[0] = '/';
    static const char *const more[] = {"", "?query", "y", "yy?query"};
    for (size_t i = 0; i < COUNT_OF(more); i++) {
        snprintf(raw, sizeof raw, "GET %s%s HTTP/1.1\r\nHost: a\r\n\r\n", target, more[i]);
        const struct known known = {raw, HTTP_GET, target, "", i < 2 ? STAYS : STAYS | TOO_LONG};
        expect(raw, strlen(raw), &known);
    }
}

static void empty_lines_before_a_request_are_skipped(void **state)
{
    (void)state;
    static const struct known known[] = {
        {"\r\n" GET "\r\n", HTTP_GET, "/healthz", "", STAYS},
        {"\r\n\r\n\r\n\r\n" GET "\r\n", HTTP_GET, "/healthz", "", STAYS},
    };
    expect_all(known, COUNT_OF(known));
}

static void a_body_comes_with_a_length(void **state)
{
    (void)state;
    static const struct known known[] = {
        {POST "\r\n", HTTP_POST, "/p", "", STAYS},
        {POST "Content-Length: 0\r\n\r\n", HTTP_POST, "/p", "", STAYS},
        {POST "Content-Length: 5\r\n\r\nhello", HTTP_POST, "/p", "hello", STAYS},
        {POST "content-length:5\r\n\r\nhello", HTTP_POST, "/p", "hello", STAYS},
        {POST "Content-Length: 5 \r\n\r\nhello", HTTP_POST, "/p", "hello", STAYS},
        {POST "Content-Length: 00005\r\n\r\nhello", HTTP_POST, "/p", "hello", STAYS},
        {POST "Content-Length: 12\r\nX: y\r\n\r\nGET / HTTP/1", HTTP_POST, "/p", "GET / HTTP/1",
         STAYS},
        {POST "Content-Length: 4\r\n\r\n\r\n\r\n", HTTP_POST, "/p", "\r\n\r\n", STAYS},
        {"POST /p HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi", HTTP_POST, "/p", "hi", V10},
        {GET "Content-Length: 2\r\n\r\nhi", HTTP_GET, "/healthz", "hi", STAYS},
        {"HEAD /p HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", HTTP_HEAD, "/p", "hi",
         STAYS},
    };
    expect_all(known, COUNT_OF(known));
}

static void a_body_comes_in_chunks(void **state)
{
    (void)state;
    static const struct known known[] = {
        {CHUNKS "0\r\n\r\n", HTTP_POST, "/p", "", STAYS},
        {CHUNKS "5\r\nhello\r\n0\r\n\r\n", HTTP_POST, "/p", "hello", STAYS},
        {CHUNKS "1\r\nh\r\n4\r\nello\r\n0\r\n\r\n", HTTP_POST, "/p", "hello", STAYS},
        {CHUNKS "a\r\n0123456789\r\n0\r\n\r\n", HTTP_POST, "/p", "0123456789", STAYS},
        {CHUNKS "A\r\n0123456789\r\n0\r\n\r\n", HTTP_POST, "/p", "0123456789", STAYS},
        {CHUNKS "0005\r\nhello\r\n0000\r\n\r\n", HTTP_POST, "/p", "hello", STAYS},
        {CHUNKS "5;a=b;c\r\nhello\r\n0;d\r\n\r\n", HTTP_POST, "/p", "hello", STAYS},
        {CHUNKS "5;a=\"b;c\"\r\nhello\r\n0\r\n\r\n", HTTP_POST, "/p", "hello", STAYS},
        {CHUNKS "2\r\n\r\n\r\n0\r\n\r\n", HTTP_POST, "/p", "\r\n", STAYS},
        {CHUNKS "5\r\n0\r\n\r\n\r\n0\r\n\r\n", HTTP_POST, "/p", "0\r\n\r\n", STAYS},
        {POST "transfer-encoding:CHUNKED \r\n\r\n1\r\nx\r\n0\r\n\r\n", HTTP_POST, "/p", "x", STAYS},
        {GET "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", HTTP_GET, "/healthz", "x",
         STAYS},
        {POST "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n", HTTP_POST, "/p",
         "", 0},
    };
    expect_all(known, COUNT_OF(known));
}

static void trailers_are_read_over(void **state)
{
    (void)state;
    static const struct known known[] = {
        {CHUNKS "1\r\nx\r\n0\r\nX: y\r\n\r\n", HTTP_POST, "/p", "x", STAYS},
        {CHUNKS "1\r\nx\r\n0\r\nX: y\r\nZ: \r\n\r\n", HTTP_POST, "/p", "x", STAYS},
        {CHUNKS "0\r\nExpect: 100-continue\r\n\r\n", HTTP_POST, "/p", "", STAYS},
    };
    expect_all(known, COUNT_OF(known));
}

static void a_body_of_4096_bytes_is_kept(void **state)
{
    (void)state;
    static char raw[BODY_BYTES_MAX + 400], body[BODY_BYTES_MAX + 1];
    memset(body, 'b', BODY_BYTES_MAX);
    const struct known known = {raw, HTTP_POST, "/p", body, STAYS};
    int bytes = snprintf(raw, sizeof raw, POST "Content-Length: 4096\r\n\r\n%s", body);
    expect(raw, (size_t)bytes, &known);
    bytes = snprintf(raw, sizeof raw, CHUNKS "1000\r\n%s\r\n0\r\n\r\n", body);
    expect(raw, (size_t)bytes, &known);
    bytes = snprintf(raw, sizeof raw, CHUNKS "fff\r\n%.4095s\r\n1\r\nb\r\n0\r\n\r\n", body);
    expect(raw, (size_t)bytes, &known);
}

static void a_client_that_waits_for_continue_is_noticed(void **state)
{
    (void)state;
#define EXPECT "Expect: 100-continue\r\n"
    static const struct known known[] = {
        {POST EXPECT "Content-Length: 2\r\n\r\nhi", HTTP_POST, "/p", "hi", STAYS | EXPECTS},
        {POST "Content-Length: 2\r\n" EXPECT "\r\nhi", HTTP_POST, "/p", "hi", STAYS | EXPECTS},
        {POST "expect: 100-CONTINUE \r\nContent-Length: 2\r\n\r\nhi", HTTP_POST, "/p", "hi",
         STAYS | EXPECTS},
        {POST EXPECT "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", HTTP_POST, "/p", "x",
         STAYS | EXPECTS},
        /* Nothing to wait with, or nobody who would. */
        {POST EXPECT "\r\n", HTTP_POST, "/p", "", STAYS},
        {POST EXPECT "Content-Length: 0\r\n\r\n", HTTP_POST, "/p", "", STAYS},
        {POST "Expect: something\r\nContent-Length: 2\r\n\r\nhi", HTTP_POST, "/p", "hi", STAYS},
        {POST "Expect: 100-continue-not\r\nContent-Length: 2\r\n\r\nhi", HTTP_POST, "/p", "hi",
         STAYS},
        {"POST /p HTTP/1.0\r\n" EXPECT "Content-Length: 2\r\n\r\nhi", HTTP_POST, "/p", "hi", V10},
    };
    expect_all(known, COUNT_OF(known));

    /* Until the body comes it stays at the end of the head. */
    static const char head[] = POST EXPECT "Content-Length: 2\r\n\r\n";
    feed_every_way(&fed, head, sizeof head - 1);
    assert_int_equal(fed.messages[0].status, REQUEST_EXPECTING);
    assert_int_equal(fed.messages[0].used, sizeof head - 1);
}

static void an_upgrade_is_ignored(void **state)
{
    (void)state;
    static const struct known known[] = {
        {GET "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", HTTP_GET, "/healthz", "", STAYS},
        {GET "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: A\r\n\r\n",
         HTTP_GET, "/healthz", "", STAYS},
        {POST "Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 2\r\n\r\nhi", HTTP_POST, "/p",
         "hi", STAYS},
        {POST "Connection: upgrade\r\nUpgrade: x\r\nTransfer-Encoding: chunked\r\n\r\n"
              "2\r\nhi\r\n0\r\n\r\n",
         HTTP_POST, "/p", "hi", STAYS},
        {GET "Connection: upgrade, close\r\nUpgrade: x\r\n\r\n", HTTP_GET, "/healthz", "", 0},
    };
    expect_all(known, COUNT_OF(known));
}

/* --- the key -------------------------------------------------------------------------------- */

static const struct request_field *key_of(const char *raw)
{
    feed_every_way(&fed, raw, strlen(raw));
    assert_int_equal(fed.messages[0].status, REQUEST_COMPLETE);
    return &fed.messages[0].key;
}

static void a_key_is_kept_as_it_was_sent_less_the_white_space_around(void **state)
{
    (void)state;
    static const struct {
        const char *line, *text;
    } cases[] = {
        {"Idempotency-Key: abc\r\n", "abc"},
        {"idempotency-key:abc\r\n", "abc"},
        {"IDEMPOTENCY-KEY: \t abc \t \r\n", "abc"},
        {"X: y\r\nIdempotency-Key: \"a b\"\r\nZ: z\r\n", "\"a b\""},
        {"Idempotency-Key: a b\r\n", "a b"},
        {"Idempotency-Key:\r\n", ""},
        {"Idempotency-Key:   \r\n", ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char raw[200];
        snprintf(raw, sizeof raw, GET "%s\r\n", cases[i].line);
        const struct request_field *key = key_of(raw);
        assert_int_equal(key->count, 1);
        assert_false(key->too_long);
        assert_int_equal(key->bytes, strlen(cases[i].text));
        assert_memory_equal(key->text, cases[i].text, key->bytes);
    }
}

static void a_field_of_almost_that_name_is_no_key(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        "X-Idempotency-Key: a\r\n",
        "Idempotency-Keys: a\r\n",
        "Idempotency-Ke: a\r\n",
        "Idempotency_Key: a\r\n",
        "Idempotency-Key-Which-Is-Longer-Than-Any-Name-That-We-Keep: a\r\n",
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX: a\r\n", /* 32: all that is kept of a name */
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        char raw[200];
        snprintf(raw, sizeof raw, GET "%s\r\n", lines[i]);
        assert_int_equal(key_of(raw)->count, 0);
    }
}

static void keys_are_counted_and_the_count_never_comes_round(void **state)
{
    (void)state;
    static char raw[8000];
    static const int counts[] = {2, 3, 255, 256, 257, 300};
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        size_t used = (size_t)snprintf(raw, sizeof raw, GET);
        for (int j = 0; j < counts[i]; j++)
            used += (size_t)snprintf(raw + used, sizeof raw - used, "Idempotency-Key:k\r\n");
        snprintf(raw + used, sizeof raw - used, "\r\n");
        assert_int_equal(key_of(raw)->count, counts[i] < 255 ? counts[i] : 255);
    }
}

static void a_key_too_long_to_keep_is_marked(void **state)
{
    (void)state;
    char raw[600], value[300];
    for (size_t bytes = HEADER_VALUE_BYTES_MAX - 2; bytes <= HEADER_VALUE_BYTES_MAX + 2; bytes++) {
        memset(value, 'k', bytes);
        value[bytes] = '\0';
        snprintf(raw, sizeof raw, GET "Idempotency-Key: %s\r\n\r\n", value);
        assert_int_equal(key_of(raw)->too_long, bytes > HEADER_VALUE_BYTES_MAX);
        snprintf(raw, sizeof raw, GET "Idempotency-Key: %s\r\nX: y\r\n\r\n", value);
        assert_int_equal(key_of(raw)->too_long, bytes > HEADER_VALUE_BYTES_MAX);
    }
}

/* Fields after the body are no part of the head; what they say must not change the request. */
static void a_key_in_the_trailers_is_none(void **state)
{
    (void)state;
    assert_int_equal(key_of(CHUNKS "1\r\nx\r\n0\r\nIdempotency-Key: abc\r\n\r\n")->count, 0);
    const struct request_field *key = key_of(
        POST "Idempotency-Key: abc\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
             "Idempotency-Key: xyz\r\n\r\n");
    assert_int_equal(key->count, 1);
    assert_memory_equal(key->text, "abc", 3);
}

/* --- sequences ------------------------------------------------------------------------------ */

static void pipelined_requests_are_taken_apart_at_every_cut(void **state)
{
    (void)state;
    static const char raw[] = GET "\r\n" POST "Content-Length: 5\r\n\r\nhello" CHUNKS
                                  "3\r\nabc\r\n0\r\nX: y\r\n\r\n"
                                  "\r\n\r\n" GET_10 "Connection: keep-alive\r\n\r\n"
                                  "DELETE /d HTTP/1.1\r\nHost: a\r\nIdempotency-Key: k\r\n\r\n" GET;
    static const struct {
        const char *target, *body;
        size_t bytes;
    } expected[] = {
        {"/healthz", "", sizeof(GET "\r\n") - 1},
        {"/p", "hello", sizeof(POST "Content-Length: 5\r\n\r\nhello") - 1},
        {"/p", "abc", sizeof(CHUNKS "3\r\nabc\r\n0\r\nX: y\r\n\r\n") - 1},
        {"/healthz", "", sizeof("\r\n\r\n" GET_10 "Connection: keep-alive\r\n\r\n") - 1},
        {"/d", "", sizeof "DELETE /d HTTP/1.1\r\nHost: a\r\nIdempotency-Key: k\r\n\r\n" - 1},
    };
    feed_every_way(&fed, raw, sizeof raw - 1);
    assert_int_equal(fed.count, 6);
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        const struct message *is = &fed.messages[i];
        assert_int_equal(is->status, REQUEST_COMPLETE);
        assert_int_equal(is->used, expected[i].bytes);
        assert_int_equal(is->target_bytes, strlen(expected[i].target));
        assert_memory_equal(is->target, expected[i].target, is->target_bytes);
        assert_int_equal(is->body_bytes, strlen(expected[i].body));
        assert_memory_equal(is->body, expected[i].body, is->body_bytes);
        assert_int_equal(is->key.count, i == 4);
    }
    assert_int_equal(fed.messages[5].status, REQUEST_PARTIAL);
    assert_int_equal(fed.messages[5].used, sizeof GET - 1);
}

static void a_request_after_one_that_closes_is_still_another_request(void **state)
{
    (void)state;
    static const char raw[] = GET "Connection: close\r\n\r\n" GET "\r\n";
    feed_every_way(&fed, raw, sizeof raw - 1);
    assert_int_equal(fed.count, 2);
    assert_false(fed.messages[0].keep_alive);
    assert_int_equal(fed.messages[1].status, REQUEST_COMPLETE);
    assert_true(fed.messages[1].keep_alive);
}

static void every_beginning_of_a_request_is_a_partial_one(void **state)
{
    (void)state;
    static const char raw[] = POST "Idempotency-Key: k\r\nContent-Length: 5\r\n\r\nhello";
    for (size_t bytes = 0; bytes < sizeof raw - 1; bytes++) {
        feed_every_way(&fed, raw, bytes);
        assert_int_equal(fed.count, 1);
        assert_int_equal(fed.messages[0].status, bytes == 0 ? REQUEST_EMPTY : REQUEST_PARTIAL);
        assert_int_equal(fed.messages[0].used, bytes);
    }
    feed_every_way(&fed, "\r\n\r\n\r", 5);
    assert_int_equal(fed.messages[0].status, REQUEST_EMPTY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_has_its_method_target_and_version),
        cmocka_unit_test(a_connection_stays_as_its_version_and_its_field_say),
        cmocka_unit_test(the_target_is_the_path_without_scheme_authority_and_query),
        cmocka_unit_test(another_scheme_never_becomes_a_path_of_ours),
        cmocka_unit_test(a_target_of_512_bytes_is_kept_and_a_longer_one_is_marked),
        cmocka_unit_test(empty_lines_before_a_request_are_skipped),
        cmocka_unit_test(a_body_comes_with_a_length),
        cmocka_unit_test(a_body_comes_in_chunks),
        cmocka_unit_test(trailers_are_read_over),
        cmocka_unit_test(a_body_of_4096_bytes_is_kept),
        cmocka_unit_test(a_client_that_waits_for_continue_is_noticed),
        cmocka_unit_test(an_upgrade_is_ignored),
        cmocka_unit_test(a_key_is_kept_as_it_was_sent_less_the_white_space_around),
        cmocka_unit_test(a_field_of_almost_that_name_is_no_key),
        cmocka_unit_test(keys_are_counted_and_the_count_never_comes_round),
        cmocka_unit_test(a_key_too_long_to_keep_is_marked),
        cmocka_unit_test(a_key_in_the_trailers_is_none),
        cmocka_unit_test(pipelined_requests_are_taken_apart_at_every_cut),
        cmocka_unit_test(a_request_after_one_that_closes_is_still_another_request),
        cmocka_unit_test(every_beginning_of_a_request_is_a_partial_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
