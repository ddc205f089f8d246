/* SPDX-License-Identifier: MIT
 *
 * owner_fixture.c - see owner_fixture.h.
 */
#define _GNU_SOURCE
#include "owner_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "store/committer.h"
#include "unit.h"

enum { PATIENCE_S = 20, DESCRIPTORS_MAX = 1024 };

struct owner_fixture fixture;
_Thread_local bool on_committer;

static struct queue queue;
static struct committer committer;

/* --- the owner's store: answers statements at once, commits when the gate is open ----------- */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_moved = PTHREAD_COND_INITIALIZER;
static bool gate_closed, holding;
static uint32_t committing, committed; /* ops; under the gate's mutex */

static bool commit(struct backend *backend, uint32_t lane, struct op **batch, uint32_t count)
{
    (void)backend;
    (void)lane;
    on_committer = true;
    pthread_mutex_lock(&gate);
    committing = count;
    pthread_cond_broadcast(&gate_moved);
    while (gate_closed)
        pthread_cond_wait(&gate_moved, &gate);
    committing = 0;
    fixture.largest = count > fixture.largest ? count : fixture.largest;
    for (uint32_t i = 0; i < count; i++) {
        batch[i]->outcome = OUTCOME_OK;
        batch[i]->balance_cents = ++committed;
    }
    pthread_mutex_unlock(&gate);
    return true;
}

void gate_move(bool closed)
{
    pthread_mutex_lock(&gate);
    gate_closed = closed;
    pthread_cond_broadcast(&gate_moved);
    pthread_mutex_unlock(&gate);
}

void hold(bool held)
{
    pthread_mutex_lock(&gate);
    holding = held;
    pthread_cond_broadcast(&gate_moved);
    pthread_mutex_unlock(&gate);
}

uint32_t gate_wait_for_commit(void)
{
    pthread_mutex_lock(&gate);
    while (committing == 0)
        pthread_cond_wait(&gate_moved, &gate);
    uint32_t count = committing;
    pthread_mutex_unlock(&gate);
    return count;
}

void gate_wait_for_question(void)
{
    pthread_mutex_lock(&gate);
    while (fixture.asked_count == 0)
        pthread_cond_wait(&gate_moved, &gate);
    pthread_mutex_unlock(&gate);
}

uint32_t gate_committed(void)
{
    pthread_mutex_lock(&gate);
    uint32_t count = committed;
    pthread_mutex_unlock(&gate);
    return count;
}

static bool answer_now(void *context, struct op *op)
{
    if (op_writes(op) || context != &fixture.folder)
        return false;
    pthread_mutex_lock(&gate);
    if (fixture.asked_count < ASKED_MAX)
        fixture.asked[fixture.asked_count++] = op->client;
    pthread_cond_broadcast(&gate_moved);
    while ((gate_closed || holding) && op->client == HOLD)
        pthread_cond_wait(&gate_moved, &gate);
    pthread_mutex_unlock(&gate);
    op->outcome = OUTCOME_OK;
    if (op->kind == OP_STATEMENT)
        op->account = (struct account){.client = op->client, .limit_cents = CENTS};
    return true;
}

static bool start(void *context, struct op **batch, uint32_t count)
{
    assert_ptr_equal(context, &fixture.folder);
    fixture.offered += count;
    for (uint32_t i = 0; i < count; i++)
        if (!fixture.does || batch[i]->client == HOLD)
            return false;
    for (uint32_t i = 0; i < count; i++) {
        batch[i]->outcome = OUTCOME_OK;
        batch[i]->balance_cents = ++fixture.done;
    }
    return true;
}

static const struct backend_calls calls = {.commit = commit};
static struct backend backend = {.calls = &calls, .lanes = 1};

bool owner_open(void)
{
    return owner_socket_open(&fixture.owner, &fixture.folder, &queue, true, answer_now, start,
                             &fixture.folder, fixture.error, sizeof fixture.error);
}

int owner_setup(void **state)
{
    (void)state;
    temporary_make(fixture.path);
    if (!folder_take(&fixture.folder, fixture.path, fixture.error, sizeof fixture.error))
        return -1;
    gate_closed = holding = false;
    committing = committed = fixture.largest = fixture.asked_count = 0;
    fixture.does = false;
    fixture.done = fixture.offered = 0;
    queue_init(&queue, 1);
    committer = (struct committer){.queue = &queue, .backend = &backend};
    return committer_start(&committer) && owner_open() ? 0 : -1;
}

void owner_close(void)
{
    gate_move(false);
    hold(false);
    if (fixture.owner && !fixture.ended)
        owner_socket_end(fixture.owner);
    queue_close(&queue);
    committer_stop(&committer);
    if (fixture.owner)
        owner_socket_free(fixture.owner);
    fixture.owner = NULL;
    fixture.ended = false;
}

void owner_open_again(void)
{
    queue_free(&queue);
    queue_init(&queue, 1);
    assert_true(committer_start(&committer));
    assert_true(owner_open());
}

int owner_teardown(void **state)
{
    (void)state;
    owner_close();
    queue_free(&queue);
    folder_release(&fixture.folder);
    temporary_remove(fixture.path);
    return 0;
}

const char *owner_socket_name(void)
{
    static char name[FOLDER_BYTES_MAX + 20];
    snprintf(name, sizeof name, "%s/" FOLDER_SOCKET, fixture.path);
    return name;
}

static void post(void *context)
{
    sem_post(context);
}

void owner_expect_committer(void)
{
    struct op op = an_entry();
    struct port local;
    sem_t answered;
    struct timespec until;
    sem_init(&answered, 0, 0);
    port_init(&local, &queue, 1, post, &answered);
    assert_true(port_submit(&local, &op));
    port_hand_over(&local);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    if (sem_timedwait(&answered, &until) != 0)
        FAIL("the committer has not answered for %d s", PATIENCE_S);
    assert_ptr_equal(port_take_answered(&local), &op);
    port_free(&local);
    sem_destroy(&answered);
}

/* --- a peer, by hand ------------------------------------------------------------------------ */

/* The last one heard, and how far it has been read. */
static struct packet {
    size_t at, size;
    uint8_t bytes[OP_PACKET_BYTES_MAX];
} packets[DESCRIPTORS_MAX];

int peer_connected(void)
{
    struct sockaddr_un address = owner_socket_address(fixture.folder.fd);
    const struct timeval patience = {PATIENCE_S, 0};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0 && fd < DESCRIPTORS_MAX);
    packets[fd].at = packets[fd].size = 0;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience), 0);
    /* Room for more questions than are read at once; the system gives as much as it allows. */
    const int room = 1 << 20;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

void peer_expect_greeting(int fd)
{
    uint8_t greeting[OP_GREETING_BYTES + 1];
    ssize_t size = recv(fd, greeting, sizeof greeting, 0);
    assert_true(size > 0);
    bool durable = false;
    assert_true(op_greeting_decode(&durable, greeting, (size_t)size));
    assert_true(durable);
}

int peer_greeted(void)
{
    int fd = peer_connected();
    peer_expect_greeting(fd);
    return fd;
}

struct op an_entry(void)
{
    return entry_op(1, ENTRY_CREDIT, CENTS, NULL);
}

struct op a_statement(void)
{
    return (struct op){.kind = OP_STATEMENT, .client = 3};
}

bool peer_try_to_ask(int fd, struct op op, uint32_t number)
{
    uint8_t frame[OP_QUESTION_BYTES_MAX];
    size_t size = op_question_encode(frame, &op, number);
    return send(fd, frame, size, MSG_NOSIGNAL) == (ssize_t)size;
}

void peer_ask(int fd, struct op op, uint32_t number)
{
    if (!peer_try_to_ask(fd, op, number))
        FAIL("cannot ask: %s", strerror(errno));
}

uint32_t peer_answered(int fd, struct op *op)
{
    struct packet *packet = &packets[fd];
    uint32_t number = 0;
    if (packet->at == packet->size) {
        ssize_t size = recv(fd, packet->bytes, sizeof packet->bytes, MSG_TRUNC);
        if (size == 0 || (size < 0 && errno == ECONNRESET))
            return 0;
        if (size < 0 || (size_t)size > sizeof packet->bytes)
            FAIL("no packet: %zd bytes, %s", size, strerror(errno));
        packet->size = (size_t)size;
        packet->at = 0;
    }
    size_t left = packet->size - packet->at;
    size_t used = op_answer_decode(op, &number, packet->bytes + packet->at, left);
    if (used == 0)
        FAIL("no answer in %zu bytes", left);
    packet->at += used;
    return number;
}

void peer_expect_answer(int fd, struct op asked, uint32_t number)
{
    asked.outcome = OUTCOME_UNKNOWN;
    assert_int_equal(peer_answered(fd, &asked), number);
    assert_int_equal(asked.outcome, OUTCOME_OK);
    if (asked.kind == OP_STATEMENT)
        assert_int_equal(asked.account.limit_cents, CENTS);
}

void peer_expect_let_go(int fd)
{
    struct op op = a_statement();
    assert_int_equal(peer_answered(fd, &op), 0);
    close(fd);
}

void peer_expect_served(int fd)
{
    peer_ask(fd, a_statement(), 4711);
    peer_expect_answer(fd, a_statement(), 4711);
    peer_ask(fd, an_entry(), 4712);
    peer_expect_answer(fd, an_entry(), 4712);
}
