/* SPDX-License-Identifier: MIT
 *
 * request.c - see request.h.
 *
 * llhttp calls back for each part; a callback that returns FAIL stops it, with request->fault set.
 * Paused, it stops too: after each message, and after a head that expects "100 Continue".
 */
#include "http/request.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

enum { GO_ON = 0, FAIL = -1, PAUSE = HPE_PAUSED };

enum field { FIELD_OTHER, FIELD_HOST, FIELD_CODING, FIELD_EXPECT, FIELD_KEY };

/* Where in the request target: its path, or on the way to it through "http://authority"
 * (RFC 9112 section 3.2.2). Values below TARGET_AUTHORITY count the matched bytes of the scheme. */
static const char scheme[] = "http://";
enum { TARGET_START = 0, TARGET_AUTHORITY = sizeof scheme - 1, TARGET_PATH };

static struct request *of(llhttp_t *parser)
{
    return parser->data;
}

static int fail(struct request *request, enum request_fault fault)
{
    if (request->fault == FAULT_NONE)
        request->fault = fault;
    return FAIL;
}

/* --- request line --------------------------------------------------------------------------- */

static int on_method_complete(llhttp_t *parser)
{
    struct request *request = of(parser);
    request->method = (llhttp_method_t)llhttp_get_method(parser);
    if (request->method == HTTP_CONNECT || request->method == HTTP_PRI)
        return fail(request, FAULT_MALFORMED); /* a proxy's, and the preface of HTTP/2 */
    if (request->method == HTTP_SOURCE ||
        (request->method >= HTTP_DESCRIBE && request->method <= HTTP_FLUSH))
        return fail(request, FAULT_METHOD); /* llhttp speaks ICE and RTSP too */
    return GO_ON;
}

/* The path ends where the query begins. */
static void add_to_path(struct request *request, const char *at, size_t bytes)
{
    const char *query = memchr(at, '?', bytes);
    size_t path = query ? (size_t)(query - at) : bytes;
    size_t room = TARGET_BYTES_MAX - request->target_bytes;
    if (request->in_query)
        return;
    request->in_query = query != NULL;
    if (path > room) {
        request->target_too_long = true;
        path = room;
    }
    memcpy(request->target + request->target_bytes, at, path);
    request->target_bytes = (uint16_t)(request->target_bytes + path);
}

static int on_url(llhttp_t *parser, const char *at, size_t bytes)
{
    struct request *request = of(parser);
    const char *end = at + bytes;
    for (; at < end && request->authority < TARGET_PATH; at++) {
        if (request->authority < TARGET_AUTHORITY && (*at | 0x20) == scheme[request->authority]) {
            request->authority++;
        } else if (request->authority < TARGET_AUTHORITY || *at == '/' || *at == '?') {
            if (request->authority > TARGET_START && request->authority < TARGET_AUTHORITY)
                add_to_path(request, scheme, 1); /* another scheme: no path of ours */
            request->authority = TARGET_PATH;
            break;
        }
    }
    add_to_path(request, at, (size_t)(end - at));
    return GO_ON;
}

/* The byte `back` before `at`, which may have been in an earlier piece. */
static char before(const struct request *request, const char *at, size_t back)
{
    size_t here = (size_t)(at - request->piece);
    return here >= back ? at[-(ptrdiff_t)back] : request->tail[sizeof request->tail + here - back];
}

/* llhttp also takes RTSP/1.0 and ICE/1.0 for a version. */
static int on_version(llhttp_t *parser, const char *at, size_t bytes)
{
    struct request *request = of(parser);
    static const char name[] = "/PTTH";
    if (request->version_checked || bytes == 0)
        return GO_ON;
    for (size_t back = 1; back < sizeof name; back++)
        if (before(request, at, back) != name[back - 1])
            return fail(request, FAULT_MALFORMED);
    request->version_checked = true;
    return GO_ON;
}

static int on_version_complete(llhttp_t *parser)
{
    struct request *request = of(parser);
    if (parser->http_major != 1)
        return fail(request, FAULT_MALFORMED);
    request->http_1_0 = parser->http_minor == 0;
    return GO_ON;
}

/* --- header fields -------------------------------------------------------------------------- */

static int on_header_field(llhttp_t *parser, const char *at, size_t bytes)
{
    struct request *request = of(parser);
    size_t room = sizeof request->name - request->name_bytes;
    size_t kept = bytes < room ? bytes : room; /* a name that fills the room is none of ours */
    memcpy(request->name + request->name_bytes, at, kept);
    request->name_bytes = (uint8_t)(request->name_bytes + kept);
    return GO_ON;
}

static int on_header_field_complete(llhttp_t *parser)
{
    static const struct {
        const char *name;
        uint8_t bytes;
        enum field field;
    } known[] = {
        {"host", 4, FIELD_HOST},
        {"transfer-encoding", 17, FIELD_CODING},
        {"expect", 6, FIELD_EXPECT},
        {"idempotency-key", 15, FIELD_KEY},
    };
    struct request *request = of(parser);
    request->field = FIELD_OTHER;
    /* A trailer is not merged into the head (RFC 9110 section 6.5.1). */
    for (size_t i = 0; !request->head_done && i < sizeof known / sizeof known[0]; i++)
        if (request->name_bytes == known[i].bytes &&
            strncasecmp(request->name, known[i].name, request->name_bytes) == 0)
            request->field = (uint8_t)known[i].field;
    request->name_bytes = 0;
    request->value.bytes = 0;
    request->value.too_long = false;
    return GO_ON;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t bytes)
{
    struct request *request = of(parser);
    struct request_field *value = &request->value;
    if (request->field == FIELD_OTHER)
        return GO_ON;
    size_t room = sizeof value->text - value->bytes;
    if (bytes > room) {
        value->too_long = true;
        bytes = room;
    }
    memcpy(value->text + value->bytes, at, bytes);
    value->bytes = (uint16_t)(value->bytes + bytes);
    return GO_ON;
}

static void trim(struct request_field *value)
{
    while (value->bytes > 0 &&
           (value->text[value->bytes - 1] == ' ' || value->text[value->bytes - 1] == '\t'))
        value->bytes--;
}

static bool value_is(const struct request_field *value, const char *expected)
{
    return !value->too_long && value->bytes == strlen(expected) &&
           strncasecmp(value->text, expected, value->bytes) == 0;
}

/* The characters of RFC 3986's host and port; what it names is not judged. */
static bool host_chars(const struct request_field *value)
{
    for (uint16_t i = 0; i < value->bytes; i++) {
        char c = value->text[i];
        bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                            (c >= 'A' && c <= 'Z');
        if (!alphanumeric && (c == '\0' || !strchr("-._~!$&'()*+,;=%:[]", c)))
            return false;
    }
    return true;
}

static int on_header_value_complete(llhttp_t *parser)
{
    struct request *request = of(parser);
    struct request_field *value = &request->value;
    trim(value);
    switch ((enum field)request->field) {
    case FIELD_OTHER: break;
    case FIELD_HOST:
        if (++request->hosts > 1 || !host_chars(value))
            return fail(request, FAULT_MALFORMED);
        break;
    case FIELD_CODING:
        if (++request->codings > 1 || !value_is(value, "chunked"))
            return fail(request, FAULT_MALFORMED);
        break;
    case FIELD_EXPECT: request->expects_continue = value_is(value, "100-continue"); break;
    case FIELD_KEY:
        value->count = request->key.count < UINT8_MAX ? (uint8_t)(request->key.count + 1)
                                                      : UINT8_MAX;
        request->key = *value;
        break;
    }
    return GO_ON;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct request *request = of(parser);
    bool chunked = request->codings > 0;

    if (!request->version_checked) /* HTTP/0.9 has no version to check */
        return fail(request, FAULT_MALFORMED);
    if (request->http_1_0 ? chunked : request->hosts == 0)
        return fail(request, FAULT_MALFORMED);
    request->head_done = true;
    request->keep_alive = llhttp_should_keep_alive(parser);
    parser->upgrade = 0; /* ignored: the message ends where its framing says */
    if (parser->content_length > BODY_BYTES_MAX)
        return fail(request, FAULT_BODY_TOO_LARGE);
    if (request->expects_continue && !request->http_1_0 &&
        (chunked || parser->content_length > 0)) {
        request->status = REQUEST_EXPECTING;
        return PAUSE;
    }
    return GO_ON;
}

/* --- body ----------------------------------------------------------------------------------- */

static int on_body(llhttp_t *parser, const char *at, size_t bytes)
{
    struct request *request = of(parser);
    request->content_bytes += (uint32_t)bytes;
    if (request->content_bytes > BODY_BYTES_MAX)
        return fail(request, FAULT_BODY_TOO_LARGE);
    memcpy(request->body + request->body_bytes, at, bytes);
    request->body_bytes = (uint16_t)request->content_bytes;
    return GO_ON;
}

static int on_message_complete(llhttp_t *parser)
{
    struct request *request = of(parser);
    request->status = REQUEST_COMPLETE;
    return PAUSE;
}

static const llhttp_settings_t settings = {
    .on_method_complete = on_method_complete,
    .on_url = on_url,
    .on_version = on_version,
    .on_version_complete = on_version_complete,
    .on_header_field = on_header_field,
    .on_header_field_complete = on_header_field_complete,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* --- feeding -------------------------------------------------------------------------------- */

void request_reset(struct request *request)
{
    /* Everything but the large arrays, whose sizes say what in them is valid. */
    memset(request, 0, offsetof(struct request, name));
    request->value.bytes = 0;
    llhttp_init(&request->parser, HTTP_REQUEST, &settings);
    request->parser.data = request;
}

static bool token_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* Empty lines before a request line are skipped (RFC 9112 section 2.2), each a CR and an LF. */
static size_t skip_empty_lines(struct request *request, const char *piece, size_t bytes)
{
    size_t used = 0;
    for (; used < bytes && request->fault == FAULT_NONE; used++) {
        if (request->after_cr != (piece[used] == '\n'))
            (void)fail(request, FAULT_MALFORMED);
        else if (piece[used] == '\r' || piece[used] == '\n')
            request->after_cr = piece[used] == '\r';
        else
            break;
    }
    return used;
}

static void remember_tail(struct request *request, const char *end, size_t bytes)
{
    size_t size = sizeof request->tail;
    size_t fresh = bytes < size ? bytes : size;
    memmove(request->tail, request->tail + fresh, size - fresh);
    memcpy(request->tail + size - fresh, end - fresh, fresh);
}

static size_t parse(struct request *request, const char *piece, size_t bytes)
{
    llhttp_t *parser = &request->parser;
    bool started = request->status != REQUEST_EMPTY;
    if (request->status == REQUEST_EXPECTING)
        llhttp_resume(parser);
    request->status = REQUEST_PARTIAL;
    request->piece = piece;
    llhttp_errno_t result = llhttp_execute(parser, piece, bytes);
    const char *stop = result == HPE_OK ? piece + bytes : llhttp_get_error_pos(parser);
    assert(stop >= piece && stop <= piece + bytes);
    size_t used = (size_t)(stop - piece);

    /* A token that is no method we know, or the beginning of one; else no method at all. */
    if (result == HPE_INVALID_METHOD && used < bytes &&
        (token_char(*stop) || (*stop == ' ' && (started || used > 0))))
        (void)fail(request, FAULT_METHOD);
    else if (result != HPE_OK && result != HPE_PAUSED)
        (void)fail(request, FAULT_MALFORMED);
    remember_tail(request, piece + used, used);
    return used;
}

size_t request_feed(struct request *request, const char *piece, size_t bytes)
{
    assert(request->status != REQUEST_COMPLETE && request->status != REQUEST_FAULTY);
    size_t used = 0;
    if (request->status == REQUEST_EMPTY)
        used = skip_empty_lines(request, piece, bytes);
    if (request->fault == FAULT_NONE && used < bytes)
        used += parse(request, piece + used, bytes - used);

    request->message_bytes += (uint32_t)used;
    if (request->message_bytes - request->content_bytes > FRAMING_BYTES_MAX)
        request->fault = FAULT_FRAMING_TOO_LARGE;
    if (request->fault != FAULT_NONE)
        request->status = REQUEST_FAULTY;
    return used;
}
