/* SPDX-License-Identifier: MIT
 *
 * key_header.h - the Idempotency-Key field.
 *
 * Purpose    Take the key out of a field value: bare, or as a structured-field string in quotes
 *            (RFC 8941 section 3.3.3); both spellings of one key are one key.
 * Invariant  A key is 1 .. KEY_BYTES_MAX visible ASCII characters.
 * Ownership  Borrows the value; writes the caller's buffer.
 * Threads    No shared state.
 * Errors     0 for a value that is no key.
 * Not here   What the key stands for.
 */
#ifndef CREBITO_HTTP_KEY_HEADER_H
#define CREBITO_HTTP_KEY_HEADER_H

#include <stddef.h>
#include <stdint.h>

#include "bank/bounds.h"

/* Returns the key's size. Where that is 0, what is in ret_key means nothing. */
uint8_t key_header_parse(const char *value, size_t bytes, char ret_key[KEY_BYTES_MAX]);

#endif
