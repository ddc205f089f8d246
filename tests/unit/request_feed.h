/* SPDX-License-Identifier: MIT
 *
 * request_feed.h - bytes into request.h, cut in every way; the cuts must not matter.
 */
#ifndef CREBITO_TESTS_UNIT_REQUEST_FEED_H
#define CREBITO_TESTS_UNIT_REQUEST_FEED_H

#include <stdbool.h>
#include <stddef.h>

#include "http/request.h"

enum { MESSAGES_MAX = 8 };

/* What is valid in struct request when a message ended, or the bytes did. */
struct message {
    enum request_status status;
    enum request_fault fault;
    size_t used;   /* bytes of the input */
    bool expected; /* it was REQUEST_EXPECTING on the way */
    llhttp_method_t method;
    bool keep_alive, http_1_0, target_too_long;
    size_t target_bytes, body_bytes;
    struct request_field key;
    char target[TARGET_BYTES_MAX];
    char body[BODY_BYTES_MAX];
};

/* The last message is the one that was faulty, or that the bytes ended in. */
struct feed {
    struct message messages[MESSAGES_MAX];
    size_t count;
};

/* The first piece has `first` bytes, each further one `rest`. Every piece lies in memory of exactly
 * its size, so that reading outside of it is seen. */
void feed(struct feed *ret, const char *raw, size_t bytes, size_t first, size_t rest);

/* Whole, byte by byte, and in every split of two (of a long input: in many). Fails unless the
 * outcome is always the same. */
void feed_every_way(struct feed *ret, const char *raw, size_t bytes);

/* False where what the contract promises of two feeds differs. */
bool feeds_agree(const struct feed *a, const struct feed *b);

const char *status_name(enum request_status status);
const char *fault_name(enum request_fault fault);

#endif
