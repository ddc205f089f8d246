/* SPDX-License-Identifier: MIT
 *
 * owner_ask.c - see owner_ask.h.
 */
#include "store/lmdb/owner_ask.h"

#include <sys/socket.h>
#include <unistd.h>

#include "store/lmdb/op_wire.h"
#include "store/lmdb/owner_meet.h"
#include "store/lmdb/serving.h"

enum { NUMBER = 1 };

/* The question is with the owner; what has become of it? */
static enum owner_end answer(const struct owner_call *call, struct op *op)
{
    uint8_t frame[OP_ANSWER_BYTES_MAX + 1]; /* what fills it is too long */
    uint32_t answered;
    ssize_t size = owner_hear(call, frame, sizeof frame);
    if (size > 0 && op_answer_decode(op, &answered, frame, (size_t)size) == (size_t)size &&
        answered == NUMBER)
        return OWNER_ANSWERED;
    if (op_writes(op)) {
        op->outcome = OUTCOME_UNKNOWN;
        return OWNER_ANSWERED;
    }
    return size == 0 ? owner_is_deaf(call) : owner_refuses(call, "which does not answer");
}

enum owner_end owner_ask(const char *path, struct op *op, int timeout_ms, char *error,
                         size_t error_size)
{
    uint8_t frame[OP_QUESTION_BYTES_MAX];
    struct owner_call call = {
        .path = path,
        .deadline_ms = serving_clock_ms() + timeout_ms,
        .error = error,
        .error_size = error_size,
    };
    enum owner_end end = owner_meet(&call);
    if (end != OWNER_ANSWERED)
        return end;
    size_t bytes = op_question_encode(frame, op, NUMBER);
    if (send(call.fd, frame, bytes, MSG_NOSIGNAL) == (ssize_t)bytes)
        end = answer(&call, op);
    else
        end = owner_is_deaf(&call); /* it is going, and has not heard us */
    close(call.fd);
    return end;
}
