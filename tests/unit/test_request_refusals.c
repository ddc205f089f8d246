/* SPDX-License-Identifier: MIT
 *
 * test_request_refusals.c - requests that two readers could understand differently, or that ask for
 * too much: refused, for the same reason however they are cut.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "request_feed.h"

#define GET    "GET /healthz HTTP/1.1\r\nHost: a\r\n"
#define POST   "POST /p HTTP/1.1\r\nHost: a\r\n"
#define CHUNKS POST "Transfer-Encoding: chunked\r\n\r\n"
#define OTHER  "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"

/* Bytes with their number, which may hold a NUL. */
struct raw {
    const char *bytes;
    size_t count;
};

#define RAW(literal)                 \
    {                                \
        literal, sizeof(literal) - 1 \
    }

static struct feed fed;

static void expect(const char *raw, size_t bytes, enum request_fault fault)
{
    feed_every_way(&fed, raw, bytes);
    const struct message *is = &fed.messages[0];
    if (fed.count != 1 || is->status != REQUEST_FAULTY || is->fault != fault)
        FAIL("%s\nis %s, %s; should be %s", shown(raw, bytes), status_name(is->status),
             fault_name(is->fault), fault_name(fault));
}

/* Also with another request behind it, which must not be taken for one. */
static void expect_all(const struct raw *raws, size_t count, enum request_fault fault)
{
    for (size_t i = 0; i < count; i++) {
        char longer[2000];
        expect(raws[i].bytes, raws[i].count, fault);
        memcpy(longer, raws[i].bytes, raws[i].count);
        memcpy(longer + raws[i].count, OTHER, sizeof OTHER - 1);
        expect(longer, raws[i].count + sizeof OTHER - 1, fault);
    }
}

static void a_request_line_that_is_not_http_1_is_malformed(void **state)
{
    (void)state;
    static const struct raw raws[] = {
        RAW("GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
        RAW("GET / HTTP/0.9\r\nHost: a\r\n\r\n"),
        RAW("GET /\r\n\r\n"),
        RAW("GET /\r\nHost: a\r\n\r\n"), /* HTTP/0.9 with fields */
        RAW("GET / \r\n\r\n"),
        RAW("GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
        RAW("GET / HTTP/9.9\r\nHost: a\r\n\r\n"),
        RAW("GET / HTTP/1.10\r\nHost: a\r\n\r\n"),
        RAW("GET / HTTP/11\r\nHost: a\r\n\r\n"),
        RAW("GET / HTTP/1\r\nHost: a\r\n\r\n"),
        RAW("GET / HTTP/1.\r\nHost: a\r\n\r\n"),
        RAW("GET / HTTP/ 1.1\r\nHost: a\r\n\r\n"),
        RAW("GET / http/1.1\r\nHost: a\r\n\r\n"),
        RAW("GET / Http/1.1\r\nHost: a\r\n\r\n"),
        RAW("GET / HTTPS/1.1\r\nHost: a\r\n\r\n"),
        RAW("GET / XTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW("GET / HTTP/1.1 \r\nHost: a\r\n\r\n"),
        RAW("GET / HTTP/1.1x\r\nHost: a\r\n\r\n"),
        RAW("GET / /b HTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW("GET / RTSP/1.0\r\nHost: a\r\n\r\n"),
        RAW("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"),
        RAW("GET / ICE/1.0\r\nHost: a\r\n\r\n"),
        RAW("GET\r\n\r\n"),
        RAW("GET HTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW("GET  HTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW("GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW("GET /\tHTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW(" GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW("\tGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW("GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW("GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW("GET /\xc3\xa7 HTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW("\0GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW("{\"valor\":1}\r\n\r\n"),
    };
    expect_all(raws, COUNT_OF(raws), FAULT_MALFORMED);
}

static void other_protocols_are_malformed(void **state)
{
    (void)state;
    static const struct raw raws[] = {
        RAW("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW("CONNECT a:80 HTTP/1.0\r\n\r\n"),
        RAW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        RAW("PRI * HTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello"),
        RAW("\x05\x01\x00"),
    };
    expect_all(raws, COUNT_OF(raws), FAULT_MALFORMED);
}

static void a_method_that_nobody_knows_is_that(void **state)
{
    (void)state;
    static const struct raw raws[] = {
        RAW("FROBNICATE / HTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW("XYZ / HTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW("get / HTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW("Get / HTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW("GETX / HTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW("POSTS / HTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW("PROPX / HTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW("G3T / HTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW("!#$%&'*+-.^_`|~ / HTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW("SOURCE / ICE/1.0\r\n\r\n"),
        RAW("SOURCE / HTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW("DESCRIBE rtsp://a/b RTSP/1.0\r\nCSeq: 1\r\n\r\n"),
        RAW("PLAY / HTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW("FLUSH / HTTP/1.1\r\nHost: a\r\n\r\n"),
    };
    expect_all(raws, COUNT_OF(raws), FAULT_METHOD);
}

/* It ends where a known one goes on: unknown just the same. */
static void a_method_that_begins_like_a_known_one_is_unknown_too(void **state)
{
    (void)state;
    static const struct raw raws[] = {
        RAW("GE / HTTP/1.1\r\nHost: a\r\n\r\n"),  RAW("P / HTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW("POS / HTTP/1.1\r\nHost: a\r\n\r\n"), RAW("PROP / HTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW("M / HTTP/1.1\r\nHost: a\r\n\r\n"),   RAW("UN / HTTP/1.1\r\nHost: a\r\n\r\n"),
    };
    expect_all(raws, COUNT_OF(raws), FAULT_METHOD);
}

static void no_host_or_two_is_malformed_in_1_1_and_two_in_1_0(void **state)
{
    (void)state;
    static const struct raw raws[] = {
        RAW("GET / HTTP/1.1\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nX-Host: a\r\n\r\n"),
        RAW("GET http://a/ HTTP/1.1\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: a\r\nhOST: b\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost:\r\nX: y\r\nHost:\r\n\r\n"),
        RAW("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: a\\b\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: a?b\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: a#b\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: <a>\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: \"a\"\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: \xe7\r\n\r\n"),
    };
    expect_all(raws, COUNT_OF(raws), FAULT_MALFORMED);
}

static void two_lengths_are_malformed(void **state)
{
    (void)state;
    static const struct raw raws[] = {
        RAW(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        RAW(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
        RAW(POST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n"),
        RAW(POST "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        RAW(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
        RAW(POST "Content-Length: 5\r\nContent-Length: 0\r\n\r\nhello"),
        RAW(POST "Content-Length: 0\r\ncontent-length: 5\r\n\r\nhello"),
        RAW(POST "Content-Length: 5, 5\r\n\r\nhello"),
        RAW(POST "Content-Length: 5,0\r\n\r\nhello"),
        RAW(GET "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    };
    expect_all(raws, COUNT_OF(raws), FAULT_MALFORMED);
}

static void a_length_that_is_no_number_is_malformed(void **state)
{
    (void)state;
    static const struct raw raws[] = {
        RAW("x"),
        RAW("-1"),
        RAW("+5"),
        RAW("0x5"),
        RAW("1e1"),
        RAW("5.0"),
        RAW(""),
        RAW(" "),
        RAW("5 5"),
        RAW("5x"),
        RAW("x5"),
        RAW("\"5\""),
        RAW("5;"),
        RAW("\xb2"),
        RAW("1_0"),
        RAW("--5"),
        RAW("NaN"),
        RAW("5\x00"),
        RAW("18446744073709551616"),
        RAW("18446744073709551620"),
        RAW("99999999999999999999999999999999999999999"),
    };
    for (size_t i = 0; i < COUNT_OF(raws); i++) {
        char raw[300];
        size_t used = (size_t)snprintf(raw, sizeof raw, POST "Content-Length: ");
        memcpy(raw + used, raws[i].bytes, raws[i].count);
        used += raws[i].count;
        used += (size_t)snprintf(raw + used, sizeof raw - used, "\r\n\r\nhello" OTHER);
        expect(raw, used, FAULT_MALFORMED);
    }
}

static void a_coding_other_than_chunked_is_malformed(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "gzip, chunked",
        "chunked, gzip",
        "gzip",
        "identity",
        "chunked, chunked",
        "chunked, identity",
        "identity, chunked",
        "xchunked",
        "chunkedx",
        "chunked;q=1",
        ", chunked",
        "chunked,",
        "",
        "\"chunked\"",
        "chunk ed",
        "chunked\t, x",
        "chunked x",
        "\vchunked",
        "chunked\r\nTransfer-Encoding: chunked",
        "gzip\r\nTransfer-Encoding: chunked",
        "chunked\r\nTransfer-Encoding: identity",
        "chunked\r\nX: y\r\ntransfer-encoding:",
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        char raw[300];
        snprintf(raw, sizeof raw, POST "Transfer-Encoding: %s\r\n\r\n0\r\n\r\n" OTHER, lines[i]);
        expect(raw, strlen(raw), FAULT_MALFORMED);
    }
    static const struct raw raws[] = {
        RAW("POST /p HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        RAW("POST /p HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        RAW(POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    };
    expect_all(raws, COUNT_OF(raws), FAULT_MALFORMED);
}

static void a_folded_line_is_malformed(void **state)
{
    (void)state;
    static const struct raw raws[] = {
        RAW(GET "X: a\r\n b\r\n\r\n"),
        RAW(GET "X: a\r\n\tb\r\n\r\n"),
        RAW(GET "X:\r\n a\r\n\r\n"),
        RAW(GET "X: a\r\n \r\n\r\n"),
        RAW("GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost:\r\n a\r\n\r\n"),
        RAW(POST "Content-Length:\r\n 5\r\n\r\nhello"),
        RAW(POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
        RAW(POST "Transfer-Encoding: chunked\r\n x\r\n\r\n0\r\n\r\n"),
        RAW(CHUNKS "0\r\nX: a\r\n b\r\n\r\n"),
    };
    expect_all(raws, COUNT_OF(raws), FAULT_MALFORMED);
}

static void a_bare_cr_or_lf_is_malformed(void **state)
{
    (void)state;
    static const struct raw raws[] = {
        RAW("GET / HTTP/1.1\nHost: a\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: a\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: a\r\n\n"),
        RAW("GET / HTTP/1.1\nHost: a\n\n"),
        RAW("GET / HTTP/1.1\rHost: a\r\r"),
        RAW("GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost: a\r\n\rX"),
        RAW("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nX: a\rb\r\nHost: a\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nX: a\nb: c\r\nHost: a\r\n\r\n"),
        RAW("GET /\r HTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW("GET /\n HTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW("\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW("\r\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW("\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW("\n\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        RAW(CHUNKS "5\nhello\r\n0\r\n\r\n"),
        RAW(CHUNKS "5\rhello\r\n0\r\n\r\n"),
        RAW(CHUNKS "5\r\nhello\n0\r\n\r\n"),
        RAW(CHUNKS "5\r\nhello\r0\r\n\r\n"),
        RAW(CHUNKS "5\r\nhello\r\n0\n\r\n"),
        RAW(CHUNKS "5\r\nhello\r\n0\r\n\n"),
        RAW(CHUNKS "5;a\nb\r\nhello\r\n0\r\n\r\n"),
        RAW(CHUNKS "0\r\nX: y\n\r\n"),
    };
    expect_all(raws, COUNT_OF(raws), FAULT_MALFORMED);
}

static void a_malformed_field_is_malformed(void **state)
{
    (void)state;
    static const struct raw raws[] = {
        RAW(GET "X : y\r\n\r\n"),
        RAW(GET " X: y\r\n\r\n"),
        RAW(GET ": y\r\n\r\n"),
        RAW(GET "X\r\n\r\n"),
        RAW(GET "X y\r\n\r\n"),
        RAW(GET "X(: y\r\n\r\n"),
        RAW(GET "X\xe7: y\r\n\r\n"),
        RAW(GET "X\0: y\r\n\r\n"),
        RAW(GET "X: a\0b\r\n\r\n"),
        RAW(GET "X: a\x01\r\n\r\n"),
        RAW(GET "X: a\x7f\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
        RAW("GET / HTTP/1.1\r\nHost a\r\n\r\n"),
    };
    expect_all(raws, COUNT_OF(raws), FAULT_MALFORMED);
}

static void a_malformed_chunk_is_malformed(void **state)
{
    (void)state;
    static const struct raw raws[] = {
        RAW("x\r\nhello\r\n0\r\n\r\n"),
        RAW("\r\nhello\r\n0\r\n\r\n"),
        RAW("-1\r\nhello\r\n0\r\n\r\n"),
        RAW("+5\r\nhello\r\n0\r\n\r\n"),
        RAW("0x5\r\nhello\r\n0\r\n\r\n"),
        RAW("5 \r\nhello\r\n0\r\n\r\n"),
        RAW(" 5\r\nhello\r\n0\r\n\r\n"),
        RAW("5g\r\nhello\r\n0\r\n\r\n"),
        RAW(";a\r\nhello\r\n0\r\n\r\n"),
        RAW("5;\0\r\nhello\r\n0\r\n\r\n"),
        RAW("10000000000000005\r\nhello\r\n0\r\n\r\n"),
        RAW("fffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
        RAW("4\r\nhello\r\n0\r\n\r\n"),
        RAW("6\r\nhello\r\n0\r\n\r\n"),
        RAW("5\r\nhello0\r\n\r\n"),
        RAW("5\r\nhello\r\n0\r\nBad Name: x\r\n\r\n"),
        RAW("5\r\nhello\r\n\r\n0\r\n\r\n"),
    };
    for (size_t i = 0; i < COUNT_OF(raws); i++) {
        char raw[300];
        size_t used = (size_t)snprintf(raw, sizeof raw, CHUNKS);
        memcpy(raw + used, raws[i].bytes, raws[i].count);
        memcpy(raw + used + raws[i].count, OTHER, sizeof OTHER - 1);
        expect(raw, used + raws[i].count + sizeof OTHER - 1, FAULT_MALFORMED);
    }
}

/* Framing fields after the body: refused or read over, but never obeyed. */
static void trailers_cannot_change_the_framing(void **state)
{
    (void)state;
    static const char *const lines[] = {"Content-Length: 39", "Transfer-Encoding: chunked",
                                        "Transfer-Encoding: gzip", "Host: b"};
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        char raw[300];
        snprintf(raw, sizeof raw, CHUNKS "1\r\nx\r\n0\r\n%s\r\n\r\n" OTHER, lines[i]);
        feed_every_way(&fed, raw, strlen(raw));
        const struct message *is = &fed.messages[0];
        if (is->status == REQUEST_FAULTY)
            continue;
        assert_int_equal(is->status, REQUEST_COMPLETE);
        assert_int_equal(is->body_bytes, 1);
        assert_int_equal(fed.count, 2);
        assert_int_equal(fed.messages[1].status, REQUEST_COMPLETE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_line_that_is_not_http_1_is_malformed),
        cmocka_unit_test(other_protocols_are_malformed),
        cmocka_unit_test(a_method_that_nobody_knows_is_that),
        cmocka_unit_test(a_method_that_begins_like_a_known_one_is_unknown_too),
        cmocka_unit_test(no_host_or_two_is_malformed_in_1_1_and_two_in_1_0),
        cmocka_unit_test(two_lengths_are_malformed),
        cmocka_unit_test(a_length_that_is_no_number_is_malformed),
        cmocka_unit_test(a_coding_other_than_chunked_is_malformed),
        cmocka_unit_test(a_folded_line_is_malformed),
        cmocka_unit_test(a_bare_cr_or_lf_is_malformed),
        cmocka_unit_test(a_malformed_field_is_malformed),
        cmocka_unit_test(a_malformed_chunk_is_malformed),
        cmocka_unit_test(trailers_cannot_change_the_framing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
