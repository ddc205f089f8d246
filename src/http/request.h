/* SPDX-License-Identifier: MIT
 *
 * request.h - one HTTP request, from whatever pieces it arrives in.
 *
 * Purpose    llhttp's parsing (RFC 9112) with the judgements that it leaves open: Host, versions,
 *            transfer codings, sizes, methods of other protocols (docs/contract.md, "HTTP").
 * Invariant  The result depends on the bytes, never on how they were cut into pieces.
 * Ownership  Copies what it keeps; holds no memory but itself.
 * Threads    No shared state.
 * Errors     REQUEST_FAULTY and a fault; the rest of the input then has no meaning.
 * Not here   Routes, bodies' meaning, replies, time.
 */
#ifndef CREBITO_HTTP_REQUEST_H
#define CREBITO_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <llhttp.h>

#include "bank/bounds.h"
#include "must_check.h"

enum request_status {
    REQUEST_EMPTY,     /* no byte of it has arrived (or only empty lines before it) */
    REQUEST_PARTIAL,   /* some have */
    REQUEST_EXPECTING, /* the head is complete and the client waits for "100 Continue" */
    REQUEST_COMPLETE,
    REQUEST_FAULTY,
};

enum request_fault {
    FAULT_NONE,
    FAULT_MALFORMED,         /* not HTTP/1.x as RFC 9112 has it */
    FAULT_METHOD,            /* HTTP/1.x, but a method of which the parser has not heard */
    FAULT_FRAMING_TOO_LARGE, /* FRAMING_BYTES_MAX */
    FAULT_BODY_TOO_LARGE,    /* BODY_BYTES_MAX; method, target and version are valid */
};

/* A header field whose value is kept; count says how often it came. */
struct request_field {
    uint8_t count;
    bool too_long;
    uint16_t bytes;
    char text[HEADER_VALUE_BYTES_MAX];
};

struct request {
    llhttp_t parser;
    enum request_status status;
    enum request_fault fault;

    /* Valid when complete, expecting, or faulty with FAULT_BODY_TOO_LARGE. */
    llhttp_method_t method;
    bool keep_alive;
    bool http_1_0;
    bool target_too_long;
    uint16_t target_bytes;
    uint16_t body_bytes;
    struct request_field key; /* Idempotency-Key */

    /* The parser's own. */
    uint32_t message_bytes; /* all consumed of this message */
    uint32_t content_bytes; /* of them, body: not stopped at BODY_BYTES_MAX */
    bool after_cr;          /* in the empty lines before a request, after a CR */
    bool version_checked, expects_continue, in_query, head_done;
    uint8_t authority; /* where in an absolute-form target: see request.c */
    uint8_t field;     /* enum field: the one being read */
    uint8_t name_bytes;
    char tail[5];      /* the last bytes of the piece before this one */
    const char *piece; /* the piece being parsed; only during request_feed() */
    uint8_t hosts, codings;
    char name[HEADER_NAME_BYTES_MAX];
    struct request_field value;

    char target[TARGET_BYTES_MAX]; /* the path, without scheme, authority and query */
    char body[BODY_BYTES_MAX];
};

/* Make ready for the next request of the connection. */
void request_reset(struct request *request);

/* Parse until the request is complete, expecting or faulty, or the piece is used up. Returns how
 * many bytes were used: what is left belongs to the next request. Not to be called again while
 * complete or faulty. */
MUST_CHECK size_t request_feed(struct request *request, const char *piece, size_t bytes);

#endif
