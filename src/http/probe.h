/* SPDX-License-Identifier: MIT
 *
 * probe.h - ask a running server whether it is well.
 *
 * Purpose    GET /healthz, for `crebito status` and a container's health check.
 * Invariant  Returns within the timeout of each step: connecting, sending, receiving.
 * Ownership  Writes the caller's buffer.
 * Threads    No shared state; blocks.
 * Errors     False; *ret_answer then says why ("Connection refused", "503 Service Unavailable").
 * Not here   Any other request.
 */
#ifndef CREBITO_HTTP_PROBE_H
#define CREBITO_HTTP_PROBE_H

#include <stdbool.h>
#include <stddef.h>

#include "http/address.h"
#include "must_check.h"

MUST_CHECK bool probe_health(const struct address *address, int timeout_ms, char *ret_answer,
                             size_t answer_size);

#endif
