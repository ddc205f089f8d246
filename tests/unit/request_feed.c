/* SPDX-License-Identifier: MIT
 *
 * request_feed.c - see request_feed.h.
 */
#include "request_feed.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

enum { SPLITS_MAX = 700 };

const char *status_name(enum request_status status)
{
    static const char *const names[] = {"EMPTY", "PARTIAL", "EXPECTING", "COMPLETE", "FAULTY"};
    return names[status];
}

const char *fault_name(enum request_fault fault)
{
    static const char *const names[] = {"no fault", "MALFORMED", "METHOD", "FRAMING_TOO_LARGE",
                                        "BODY_TOO_LARGE"};
    return names[fault];
}

static void take_down(struct message *message, const struct request *request)
{
    message->status = request->status;
    message->fault = request->fault;
    bool too_large = request->status == REQUEST_FAULTY && request->fault == FAULT_BODY_TOO_LARGE;
    if (request->status != REQUEST_COMPLETE && !too_large)
        return;
    message->method = request->method;
    message->http_1_0 = request->http_1_0;
    message->target_too_long = request->target_too_long;
    message->target_bytes = request->target_bytes;
    memcpy(message->target, request->target, request->target_bytes);
    if (too_large)
        return;
    message->keep_alive = request->keep_alive;
    message->body_bytes = request->body_bytes;
    memcpy(message->body, request->body, request->body_bytes);
    message->key = request->key;
}

static void feed_piece(struct feed *feed, struct request *request, const char *piece, size_t bytes)
{
    while (bytes > 0) {
        struct message *message = &feed->messages[feed->count - 1];
        if (request->status == REQUEST_FAULTY)
            return;
        if (request->status == REQUEST_COMPLETE) {
            assert_true(feed->count < MESSAGES_MAX);
            request_reset(request);
            message = &feed->messages[feed->count++];
        }
        enum request_status before = request->status;
        char *exact = malloc(bytes);
        assert_non_null(exact);
        memcpy(exact, piece, bytes);
        size_t used = request_feed(request, exact, bytes);
        free(exact);
        assert_true(used <= bytes);
        if (used == 0 && request->status == before)
            FAIL("no byte used of %s, and still %s", shown(piece, bytes), status_name(before));
        message->used += used;
        message->expected |= request->status == REQUEST_EXPECTING;
        take_down(message, request);
        piece += used;
        bytes -= used;
    }
}

void feed(struct feed *ret, const char *raw, size_t bytes, size_t first, size_t rest)
{
    static struct request request;
    memset(ret, 0, sizeof *ret);
    memset(&request, 0x5a, sizeof request); /* what is not reset would show */
    request_reset(&request);
    ret->count = 1;
    for (size_t at = 0, piece = first; at < bytes; at += piece, piece = rest) {
        if (piece > bytes - at)
            piece = bytes - at;
        feed_piece(ret, &request, raw + at, piece);
    }
}

/* After a fault the rest of the input has no meaning, and neither has how much was looked at. */
static bool messages_agree(const struct message *a, const struct message *b)
{
    return a->status == b->status && a->fault == b->fault && a->expected == b->expected &&
           (a->status == REQUEST_FAULTY || a->used == b->used) && a->method == b->method &&
           a->keep_alive == b->keep_alive && a->http_1_0 == b->http_1_0 &&
           a->target_too_long == b->target_too_long && a->target_bytes == b->target_bytes &&
           memcmp(a->target, b->target, a->target_bytes) == 0 && a->body_bytes == b->body_bytes &&
           memcmp(a->body, b->body, a->body_bytes) == 0 && a->key.count == b->key.count &&
           a->key.too_long == b->key.too_long && a->key.bytes == b->key.bytes &&
           memcmp(a->key.text, b->key.text, a->key.bytes) == 0;
}

bool feeds_agree(const struct feed *a, const struct feed *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!messages_agree(&a->messages[i], &b->messages[i]))
            return false;
    return true;
}

static void expect_agreement(const struct feed *whole, const struct feed *cut, const char *raw,
                             size_t bytes, size_t first, size_t rest)
{
    if (feeds_agree(whole, cut))
        return;
    const struct message *a = &whole->messages[whole->count - 1];
    const struct message *b = &cut->messages[cut->count - 1];
    FAIL("%s\nas a whole: %zu messages, the last %s, %s, %zu bytes;\n"
         "in pieces of %zu, %zu ...: %zu messages, the last %s, %s, %zu bytes",
         shown(raw, bytes), whole->count, status_name(a->status), fault_name(a->fault), a->used,
         first, rest, cut->count, status_name(b->status), fault_name(b->fault), b->used);
}

void feed_every_way(struct feed *ret, const char *raw, size_t bytes)
{
    static struct feed cut;
    size_t step = 1 + bytes / SPLITS_MAX;
    feed(ret, raw, bytes, bytes, bytes);
    feed(&cut, raw, bytes, 1, 1);
    expect_agreement(ret, &cut, raw, bytes, 1, 1);
    for (size_t first = 1; first < bytes; first += step) {
        feed(&cut, raw, bytes, first, bytes);
        expect_agreement(ret, &cut, raw, bytes, first, bytes);
    }
}
