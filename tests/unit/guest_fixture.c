/* SPDX-License-Identifier: MIT
 *
 * guest_fixture.c - see guest_fixture.h.
 */
#define _GNU_SOURCE
#include "guest_fixture.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "unit.h"

enum { PATIENCE_S = 20 };

struct guest guest;
struct port port;
struct queue queue;
struct known known;
struct op ops[GUEST_OPS];
pthread_t listener;
int played_owner;

static void nobody_waits(void *context)
{
    (void)context;
}

int guest_setup(void **state)
{
    (void)state;
    memset(&known, 0, sizeof known);
    queue_init(&queue, 1);
    port_init(&port, &queue, GUEST_OPS, nobody_waits, NULL);
    bool made = guest_init(&guest, &known);
    guest.queue = &queue;
    played_owner = -1;
    return made ? 0 : -1;
}

int guest_teardown(void **state)
{
    (void)state;
    if (played_owner >= 0)
        close(played_owner);
    (void)port_take_answered(&port);
    guest_free(&guest);
    port_free(&port);
    queue_free(&queue);
    return 0;
}

/* The last packet, and how far it has been read. */
static uint8_t packet[OP_PACKET_BYTES_MAX];
static size_t packet_at, packet_size;

void link_played(void)
{
    int ends[2];
    const struct timeval patience = {PATIENCE_S, 0};
    if (played_owner >= 0)
        close(played_owner);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(setsockopt(ends[1], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    played_owner = ends[1];
    packet_at = packet_size = 0;
    guest_link(&guest, ends[0]);
}

void stage_ops(uint32_t first, uint32_t count, struct op kind)
{
    for (uint32_t i = 0; i < count; i++) {
        ops[first + i] = kind;
        ops[first + i].outcome = UNTOUCHED;
        if (kind.kind == OP_ENTRY)
            ops[first + i].entry.amount_cents = first + i + 1;
        else if (kind.kind != OP_HEALTH)
            ops[first + i].client = first + i + 1;
        assert_true(port_submit(&port, &ops[first + i]));
    }
}

void fill_batch(struct op **batch, uint32_t first, uint32_t count, struct op kind)
{
    stage_ops(first, count, kind);
    port_hand_over(&port);
    assert_int_equal(queue_take_batch(&queue, 0, batch, BATCH_OPS_MAX), count);
}

uint32_t ask_ops(uint32_t first, uint32_t count, struct op kind)
{
    struct op *batch[BATCH_OPS_MAX];
    fill_batch(batch, first, count, kind);
    return guest_ask(&guest, batch, count);
}

void give_back(uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++) {
        struct op *op = &ops[i];
        assert_int_equal(op->outcome, UNTOUCHED);
        queue_answer(&queue, &op, 1);
    }
}

void expect_outcome(uint32_t first, uint32_t count, enum outcome outcome)
{
    for (uint32_t i = first; i < first + count; i++)
        if (ops[i].outcome != outcome || ops[i].state != OP_ANSWERED)
            FAIL("op %u: outcome %d, state %d", i, (int)ops[i].outcome, (int)ops[i].state);
}

void expect_waiting(uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++) {
        assert_int_equal(ops[i].outcome, UNTOUCHED);
        assert_int_equal(ops[i].state, OP_COMMITTING);
    }
}

uint32_t take_lost(void)
{
    struct op *lost[GUEST_OPS_MAX];
    uint32_t count = guest_take_lost(&guest, lost);
    queue_answer(&queue, lost, count);
    return count;
}

uint32_t owner_hears(struct op *ret)
{
    uint32_t number;
    if (packet_at == packet_size) {
        ssize_t size = recv(played_owner, packet, sizeof packet, 0);
        if (size <= 0)
            FAIL("no question, but %zd bytes", size);
        packet_size = (size_t)size;
        packet_at = 0;
    }
    size_t used = op_question_decode(ret, &number, packet + packet_at, packet_size - packet_at);
    if (used == 0)
        FAIL("no question in %zu bytes", packet_size - packet_at);
    packet_at += used;
    return number;
}

void owner_hears_the_end(void)
{
    uint8_t byte;
    assert_int_equal(recv(played_owner, &byte, 1, 0), 0);
}

size_t answer_to(uint8_t *frame, struct op op, uint32_t number)
{
    op.outcome = OUTCOME_OK;
    op.balance_cents = op.entry.amount_cents;
    op.account = (struct account){.client = op.client, .limit_cents = op.client};
    return op_answer_encode(frame, &op, number);
}

void owner_answers(struct op op, uint32_t number)
{
    uint8_t frame[OP_ANSWER_BYTES_MAX];
    size_t size = answer_to(frame, op, number);
    assert_int_equal(send(played_owner, frame, size, MSG_NOSIGNAL), size);
}

void owner_serves(void)
{
    struct op heard;
    uint32_t number = owner_hears(&heard);
    owner_answers(heard, number);
}

void owner_closes(void)
{
    close(played_owner);
    played_owner = -1;
}

void expect_own_answers(uint32_t first, uint32_t count)
{
    expect_outcome(first, count, OUTCOME_OK);
    for (uint32_t i = first; i < first + count; i++)
        assert_int_equal(
            ops[i].kind == OP_ENTRY ? ops[i].balance_cents : ops[i].account.limit_cents, i + 1);
}

static void *listen_until_the_end(void *context)
{
    guest_listen(&guest);
    return context;
}

void begin_to_listen(void)
{
    assert_int_equal(pthread_create(&listener, NULL, listen_until_the_end, NULL), 0);
}
