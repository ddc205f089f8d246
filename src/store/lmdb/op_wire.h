/* SPDX-License-Identifier: MIT
 *
 * op_wire.h - an op and its answer as bytes, for two processes of one machine.
 *
 * Purpose    What goes through the owner's socket: first the owner's greeting, then questions, and
 *            answers in the order in which they are known, one or several in each packet, each after the
 *            end of the one before.
 * Invariant  decode(encode(x)) == x, and what decodes is what encoding would have written. The
 *            greeting has the version and is never another: so a question is only put to an owner
 *            who reads it as it was meant. Whoever changes a frame, or the values of an enum in
 *            it, counts OP_WIRE_VERSION up.
 * Ownership  Callers own structs and buffers; nothing is allocated or kept.
 * Threads    No shared state.
 * Errors     Decoding returns false or 0 for anything that encoding could not have written; *op is then
 *            untouched. Encoding asserts op_sane().
 * Not here   Sockets: owner_socket.h and owner_ask.h. Checksums: nothing is stored.
 */
#ifndef CREBITO_STORE_LMDB_OP_WIRE_H
#define CREBITO_STORE_LMDB_OP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "must_check.h"
#include "store/op.h"

enum { OP_WIRE_VERSION = 3 };

enum { /* sizes in bytes */
       OP_GREETING_BYTES = 9,
       OP_QUESTION_BYTES_MAX = 22 + DESCRIPTION_BYTES_MAX + KEY_BYTES_MAX,
       OP_ANSWER_BYTES_MAX = 32 + STATEMENT_ENTRIES_MAX * (18 + DESCRIPTION_BYTES_MAX),
       OP_PACKET_BYTES_MAX = 16 << 10,
};

/* `durable`: what the owner answers OUTCOME_OK survives a power cut. */
void op_greeting_encode(uint8_t bytes[OP_GREETING_BYTES], bool durable);
/* Is it that of an owner of our version? */
MUST_CHECK bool op_greeting_decode(bool *ret_durable, const uint8_t *bytes, size_t size);

/* Each returns the number of bytes written. `number`: the asker's, to tell answers apart. */
size_t op_question_encode(uint8_t bytes[OP_QUESTION_BYTES_MAX], const struct op *op,
                          uint32_t number);
size_t op_answer_encode(uint8_t bytes[OP_ANSWER_BYTES_MAX], const struct op *op, uint32_t number);

/* Fills in the question that the bytes begin with; all else of *op is zero. Returns how many bytes it has. */
MUST_CHECK size_t op_question_decode(struct op *op, uint32_t *ret_number, const uint8_t *bytes,
                                     size_t size);
/* Which question it answers, if it is an answer. */
uint32_t op_answer_number(const uint8_t *bytes, size_t size);
/* Fills in the answer of the op that was asked; 0 also for an answer to another kind. Returns how many
 * bytes it has. */
MUST_CHECK size_t op_answer_decode(struct op *op, uint32_t *ret_number, const uint8_t *bytes,
                                   size_t size);

#endif
