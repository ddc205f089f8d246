/* SPDX-License-Identifier: MIT
 *
 * test_request_limits.c - how large a request may be, to the byte; and random requests, cut at
 * random, which must always come to the same.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "request_feed.h"

#define GET    "GET /healthz HTTP/1.1\r\nHost: a\r\n"
#define POST   "POST /p HTTP/1.1\r\nHost: a\r\n"
#define CHUNKS POST "Transfer-Encoding: chunked\r\n\r\n"

enum { RAW_BYTES_MAX = 64 * 1024 };

static struct feed fed;
static char raw[RAW_BYTES_MAX];
static size_t raw_bytes;

static void begin(const char *text)
{
    raw_bytes = strlen(text);
    memcpy(raw, text, raw_bytes);
}

static void add(const char *text)
{
    raw_bytes += (size_t)snprintf(raw + raw_bytes, sizeof raw - raw_bytes, "%s", text);
    assert_true(raw_bytes < sizeof raw);
}

static void add_many(char c, size_t count)
{
    assert_true(raw_bytes + count <= sizeof raw);
    memset(raw + raw_bytes, c, count);
    raw_bytes += count;
}

static void expect(enum request_status status, enum request_fault fault)
{
    feed_every_way(&fed, raw, raw_bytes);
    const struct message *is = &fed.messages[0];
    if (fed.count != 1 || is->status != status || is->fault != fault)
        FAIL("%s\nis %s, %s; should be %s, %s", shown(raw, raw_bytes), status_name(is->status),
             fault_name(is->fault), status_name(status), fault_name(fault));
}

/* `before`, as many of `filler` as make `framing` bytes of framing in all, and `after`; of which
 * `content` bytes are body. */
static void build(const char *before, char filler, const char *after, size_t framing,
                  size_t content)
{
    begin(before);
    add_many(filler, framing + content - strlen(before) - strlen(after));
    add(after);
}

static void eight_kib_of_framing_is_accepted_and_one_byte_more_is_not(void **state)
{
    (void)state;
    static const struct {
        const char *before;
        char filler;
        const char *after;
        size_t content;
    } cases[] = {
        {GET "X: ", 'x', "\r\n\r\n", 0},
        {GET "X", 'x', ": y\r\n\r\n", 0},
        {"GET /", 'x', " HTTP/1.1\r\nHost: a\r\n\r\n", 0},
        {"GET /?", 'x', " HTTP/1.1\r\nHost: a\r\n\r\n", 0},
        {GET "X:", ' ', "\r\n\r\n", 0},
        {"GET / HTTP/1.1\r\nHost: ", 'x', "\r\n\r\n", 0},
        {GET "Idempotency-Key: ", 'x', "\r\n\r\n", 0},
        {POST "X: ", 'x', "\r\nContent-Length: 5\r\n\r\nhello", 5},
        {CHUNKS "5;", 'x', "\r\nhello\r\n0\r\n\r\n", 5},
        {CHUNKS, '0', "5\r\nhello\r\n0\r\n\r\n", 5},
        {CHUNKS "5\r\nhello\r\n0", '0', "\r\n\r\n", 5},
        {CHUNKS "5\r\nhello\r\n0;", 'x', "\r\n\r\n", 5},
        {CHUNKS "5\r\nhello\r\n0\r\nX: ", 'x', "\r\n\r\n", 5},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        build(cases[i].before, cases[i].filler, cases[i].after, FRAMING_BYTES_MAX,
              cases[i].content);
        expect(REQUEST_COMPLETE, FAULT_NONE);
        build(cases[i].before, cases[i].filler, cases[i].after, FRAMING_BYTES_MAX + 1,
              cases[i].content);
        expect(REQUEST_FAULTY, FAULT_FRAMING_TOO_LARGE);
    }
}

static void far_too_much_framing_is_refused_before_it_ends(void **state)
{
    (void)state;
    static const struct {
        const char *before;
        char filler;
    } cases[] = {
        {GET "X: ", 'x'},
        {GET, 'x'},
        {"GET /", 'x'},
        {"GET ", ' '},
        {GET "X:", ' '},
        {CHUNKS "5;", 'x'},
        {CHUNKS, '0'},
        {CHUNKS "0\r\nX: ", 'x'},
        {POST "Content-Length: ", '0'},
        {"GET / HTTP/1.1\r\nHost: ", 'a'},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        begin(cases[i].before);
        add_many(cases[i].filler, 20000);
        feed_every_way(&fed, raw, raw_bytes);
        assert_int_equal(fed.messages[0].status, REQUEST_FAULTY);
        if (strcmp(cases[i].before, "GET ") != 0)
            assert_int_equal(fed.messages[0].fault, FAULT_FRAMING_TOO_LARGE);
    }
}

static void many_small_fields_are_too_much_as_well(void **state)
{
    (void)state;
    begin(GET);
    for (int i = 0; i < 2000; i++)
        add("X: y\r\n");
    add("\r\n");
    expect(REQUEST_FAULTY, FAULT_FRAMING_TOO_LARGE);
    begin(CHUNKS "1\r\nx\r\n0\r\n");
    for (int i = 0; i < 2000; i++)
        add("X: y\r\n");
    add("\r\n");
    expect(REQUEST_FAULTY, FAULT_FRAMING_TOO_LARGE);
}

/* Each byte of body costs five of framing: the framing is exceeded before the body is. */
static void many_small_chunks_are_too_much(void **state)
{
    (void)state;
    begin(CHUNKS);
    for (int i = 0; i < BODY_BYTES_MAX; i++)
        add("1\r\nx\r\n");
    add("0\r\n\r\n");
    expect(REQUEST_FAULTY, FAULT_FRAMING_TOO_LARGE);
    begin(CHUNKS);
    for (int i = 0; i < 1600; i++)
        add("1\r\nx\r\n");
    add("0\r\n\r\n");
    expect(REQUEST_COMPLETE, FAULT_NONE);
    assert_int_equal(fed.messages[0].body_bytes, 1600);
}

static void endless_empty_lines_are_too_much(void **state)
{
    (void)state;
    begin("");
    for (size_t i = 0; i < FRAMING_BYTES_MAX / 2; i++)
        add("\r\n");
    expect(REQUEST_EMPTY, FAULT_NONE);
    add("\r");
    expect(REQUEST_FAULTY, FAULT_FRAMING_TOO_LARGE);
    add_many('\n', 1);
    add(GET "\r\n");
    expect(REQUEST_FAULTY, FAULT_FRAMING_TOO_LARGE);
}

static void empty_lines_count_with_the_request_behind_them(void **state)
{
    (void)state;
    for (size_t more = 0; more <= 1; more++) {
        begin("");
        for (size_t i = 0; i < 1000; i++)
            add("\r\n");
        add(GET "X: ");
        add_many('x', FRAMING_BYTES_MAX + more - raw_bytes - 4);
        add("\r\n\r\n");
        expect(more ? REQUEST_FAULTY : REQUEST_COMPLETE,
               more ? FAULT_FRAMING_TOO_LARGE : FAULT_NONE);
    }
}

static void framing_starts_anew_with_each_request(void **state)
{
    (void)state;
    begin("");
    for (int i = 0; i < 5; i++) {
        size_t start = raw_bytes;
        add(GET "X: ");
        add_many('x', FRAMING_BYTES_MAX - (raw_bytes - start) - 4);
        add("\r\n\r\n");
    }
    feed_every_way(&fed, raw, raw_bytes);
    assert_int_equal(fed.count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(fed.messages[i].status, REQUEST_COMPLETE);
}

/* --- bodies --------------------------------------------------------------------------------- */

static void a_body_one_byte_too_large_is_refused_with_its_request_known(void **state)
{
    (void)state;
    static const char *const heads[] = {
        POST "Content-Length: 4097\r\n\r\n",
        POST "Content-Length: 4097\r\nExpect: 100-continue\r\n\r\n",
        POST "Content-Length: 99999999\r\n\r\n",
        POST "Content-Length: 18446744073709551615\r\n\r\n",
        CHUNKS "1001\r\n",
        CHUNKS "ffffff\r\n",
        CHUNKS "ffffffffffffffff\r\n",
    };
    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        begin(heads[i]);
        add_many('b', BODY_BYTES_MAX + 1);
        expect(REQUEST_FAULTY, FAULT_BODY_TOO_LARGE);
        assert_int_equal(fed.messages[0].method, HTTP_POST);
        assert_int_equal(fed.messages[0].target_bytes, 2);
        assert_memory_equal(fed.messages[0].target, "/p", 2);
    }
}

static void a_length_too_large_is_refused_before_any_body(void **state)
{
    (void)state;
    begin(POST "Content-Length: 4097\r\n\r\n");
    expect(REQUEST_FAULTY, FAULT_BODY_TOO_LARGE);
    begin("HEAD /h HTTP/1.0\r\nContent-Length: 4097\r\n\r\n");
    expect(REQUEST_FAULTY, FAULT_BODY_TOO_LARGE);
    assert_int_equal(fed.messages[0].method, HTTP_HEAD);
    assert_true(fed.messages[0].http_1_0);
}

static void chunks_add_up_to_a_body_too_large(void **state)
{
    (void)state;
    begin(CHUNKS "800\r\n");
    add_many('b', 2048);
    add("\r\n800\r\n");
    add_many('b', 2048);
    add("\r\n1\r\nb\r\n0\r\n\r\n");
    expect(REQUEST_FAULTY, FAULT_BODY_TOO_LARGE);
    begin(CHUNKS);
    for (int i = 0; i < 700; i++)
        add("6\r\nbbbbbb\r\n");
    add("0\r\n\r\n");
    expect(REQUEST_FAULTY, FAULT_BODY_TOO_LARGE);
}

static void no_host_is_judged_before_the_size_of_the_body(void **state)
{
    (void)state;
    begin("POST /p HTTP/1.1\r\nContent-Length: 4097\r\n\r\n");
    expect(REQUEST_FAULTY, FAULT_MALFORMED);
}

/* --- at random ------------------------------------------------------------------------------ */

static void add_random_request(void)
{
    static const char *const lines[] = {
        "GET / HTTP/1.1\r\n",
        "POST /clientes/1/transacoes HTTP/1.1\r\n",
        "HEAD /healthz HTTP/1.0\r\n",
        "OPTIONS * HTTP/1.1\r\n",
        "GET http://a/b?c HTTP/1.1\r\n",
        "PUT /p HTTP/1.1\r\n",
        "SOURCE / ICE/1.0\r\n",
        "GET / RTSP/1.0\r\n",
        "\r\nGET /\r\n",
        "PRI * HTTP/2.0\r\n",
    };
    static const char *const fields[] = {
        "Host: a\r\n",
        "Host: a\r\n",
        "Host: a\r\n",
        "X: y\r\n",
        "Idempotency-Key: \"k\"\r\n",
        "Connection: close\r\n",
        "Connection: Upgrade\r\nUpgrade: h2c\r\n",
        "Expect: 100-continue\r\n",
        "X:\r\n",
        "Long-Name-Of-A-Field-That-Nobody-Knows: z\r\n",
    };
    static const char *const bodies[] = {
        "\r\n",
        "Content-Length: 5\r\n\r\nhello",
        "Content-Length: 0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\na\r\n0123456789\r\n0\r\nT: t\r\n\r\n",
        "Content-Length: 99999\r\n\r\n",
    };
    add(lines[random_between(0, random_between(0, 3) ? 5 : COUNT_OF(lines) - 1)]);
    add("Host: a\r\n");
    for (uint64_t count = random_between(0, 3); count > 0; count--)
        add(fields[random_between(3, COUNT_OF(fields) - 1)]);
    if (random_between(0, 9) == 0)
        add(fields[0]);
    add(bodies[random_between(0, COUNT_OF(bodies) - 1)]);
}

/* A byte changed, left out, or put in. */
static void damage(void)
{
    static const char likely[] = "\r\n\r\n\t :;,0159aAfFzZ/?\\\"\x00\x01\x7f\x80\xff";
    size_t at = random_between(0, raw_bytes - 1);
    char c = random_between(0, 3) ? likely[random_between(0, sizeof likely - 2)]
                                  : (char)random_next();
    switch (random_between(0, 2)) {
    case 0: raw[at] = c; break;
    case 1:
        memmove(raw + at, raw + at + 1, raw_bytes - at - 1);
        raw_bytes--;
        break;
    default:
        memmove(raw + at + 1, raw + at, raw_bytes - at);
        raw[at] = c;
        raw_bytes++;
        break;
    }
}

static void random_requests_come_to_the_same_however_they_are_cut(void **state)
{
    (void)state;
    random_begin();
    for (int i = 0; i < 4000; i++) {
        static struct feed cut;
        begin("");
        for (uint64_t count = random_between(1, 3); count > 0; count--)
            add_random_request();
        for (uint64_t count = random_between(0, 3); count > 0; count--)
            damage();
        feed(&fed, raw, raw_bytes, raw_bytes, raw_bytes);
        for (int way = 0; way < 12; way++) {
            size_t first = way == 0 ? 1 : random_between(1, raw_bytes);
            size_t rest = way == 0 ? 1 : random_between(1, way < 6 ? 7 : raw_bytes);
            feed(&cut, raw, raw_bytes, first, rest);
            if (feeds_agree(&fed, &cut))
                continue;
            const struct message *a = &fed.messages[fed.count - 1];
            const struct message *b = &cut.messages[cut.count - 1];
            FAIL("%s\nas a whole: %zu messages, the last %s, %s; in pieces of %zu, %zu ...: %zu, "
                 "%s, %s",
                 shown(raw, raw_bytes), fed.count, status_name(a->status), fault_name(a->fault),
                 first, rest, cut.count, status_name(b->status), fault_name(b->fault));
        }
    }
}

static void random_bytes_are_refused_without_harm(void **state)
{
    (void)state;
    random_begin();
    for (int i = 0; i < 5000; i++) {
        raw_bytes = random_between(1, 300);
        random_fill(raw, raw_bytes);
        feed(&fed, raw, raw_bytes, random_between(1, raw_bytes), random_between(1, 20));
        assert_in_range(fed.count, 1, MESSAGES_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eight_kib_of_framing_is_accepted_and_one_byte_more_is_not),
        cmocka_unit_test(far_too_much_framing_is_refused_before_it_ends),
        cmocka_unit_test(many_small_fields_are_too_much_as_well),
        cmocka_unit_test(many_small_chunks_are_too_much),
        cmocka_unit_test(endless_empty_lines_are_too_much),
        cmocka_unit_test(empty_lines_count_with_the_request_behind_them),
        cmocka_unit_test(framing_starts_anew_with_each_request),
        cmocka_unit_test(a_body_one_byte_too_large_is_refused_with_its_request_known),
        cmocka_unit_test(a_length_too_large_is_refused_before_any_body),
        cmocka_unit_test(chunks_add_up_to_a_body_too_large),
        cmocka_unit_test(no_host_is_judged_before_the_size_of_the_body),
        cmocka_unit_test(random_requests_come_to_the_same_however_they_are_cut),
        cmocka_unit_test(random_bytes_are_refused_without_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
