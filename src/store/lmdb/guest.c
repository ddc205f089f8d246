/* SPDX-License-Identifier: MIT
 *
 * guest.c - see guest.h.
 */
#include "store/lmdb/guest.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "store/lmdb/op_wire.h"
#include "store/lmdb/serving.h"

enum { LOOKED_FOR_MS = 100 }; /* who listens finds out so late that somebody looks */

struct guest_packets {
    /* Under the mutex. */
    uint8_t out[OP_PACKET_BYTES_MAX];
    uint8_t in[OP_PACKET_BYTES_MAX + 1]; /* what fills it is too long */
};

static bool guest_sane(const struct guest *guest)
{
    return guest->free_count <= GUEST_OPS_MAX && (!guest->linked || guest->fd >= 0) &&
           (guest->free_count == GUEST_OPS_MAX) == (atomic_load(&guest->silent_since_ms) == 0);
}

bool guest_init(struct guest *guest, struct known *known)
{
    struct guest_packets *packets = calloc(1, sizeof *packets);
    if (!packets)
        return false;
    int readable = epoll_create1(EPOLL_CLOEXEC);
    if (readable < 0) {
        free(packets);
        return false;
    }
    *guest = (struct guest){
        .known = known, .packets = packets, .readable = readable, .fd = -1, .ended = true};
    while (guest->free_count < GUEST_OPS_MAX) {
        guest->free[guest->free_count] = (uint8_t)guest->free_count;
        guest->free_count++;
    }
    pthread_mutex_init(&guest->mutex, NULL);
    pthread_cond_init(&guest->moved, NULL);
    pthread_cond_init(&guest->over, NULL);
    return true;
}

void guest_free(struct guest *guest)
{
    assert(guest->free_count == GUEST_OPS_MAX);
    if (guest->fd >= 0)
        close(guest->fd);
    close(guest->readable);
    pthread_cond_destroy(&guest->moved);
    pthread_cond_destroy(&guest->over);
    pthread_mutex_destroy(&guest->mutex);
    free(guest->packets);
}

/* --- the table, under the mutex ------------------------------------------------------------- */

static uint8_t put(struct guest *guest, struct op *op)
{
    uint8_t place = guest->free[--guest->free_count];
    guest->asked[place] = op;
    return place;
}

static struct op *take(struct guest *guest, uint32_t place)
{
    struct op *op = guest->asked[place];
    guest->asked[place] = NULL;
    guest->free[guest->free_count++] = (uint8_t)place;
    return op;
}

static void note_time(struct guest *guest)
{
    bool none = guest->free_count == GUEST_OPS_MAX;
    atomic_store(&guest->silent_since_ms, none ? 0 : serving_clock_ms());
}

/* --- asking --------------------------------------------------------------------------------- */

static_assert(GUEST_OPS_MAX * OP_QUESTION_BYTES_MAX <= OP_PACKET_BYTES_MAX,
              "all that may be asked fits one packet, which goes as a whole or not at all");

/* Sends the questions of these places. False: none has gone. What the owner has shut out fails here, and
 * it has not heard it (owner_socket.h). */
static bool send_places(struct guest *guest, const uint8_t *places, uint32_t count)
{
    uint8_t *out = guest->packets->out;
    size_t size = 0;
    ssize_t sent;
    for (uint32_t i = 0; i < count; i++)
        size += op_question_encode(out + size, guest->asked[places[i]], places[i]);
    do /* it fits the socket's buffer, so that this does not wait */
        sent = send(guest->fd, out, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent == (ssize_t)size)
        return true;
    guest->linked = false;
    (void)shutdown(guest->fd, SHUT_WR); /* its answers may still come */
    return false;
}

static uint32_t ask_some(struct guest *guest, struct op **ops, uint32_t count)
{
    uint8_t places[GUEST_OPS_MAX];
    if (count > guest->free_count)
        count = guest->free_count;
    for (uint32_t i = 0; i < count; i++)
        places[i] = put(guest, ops[i]);
    if (atomic_load(&guest->silent_since_ms) == 0)
        note_time(guest);
    if (send_places(guest, places, count))
        return count;
    for (uint32_t i = 0; i < count; i++)
        (void)take(guest, places[i]);
    note_time(guest);
    return 0;
}

uint32_t guest_ask(struct guest *guest, struct op **ops, uint32_t count)
{
    uint32_t asked = 0;
    pthread_mutex_lock(&guest->mutex);
    while (asked < count && guest->linked) {
        if (guest->free_count == 0) {
            guest->waited_for = true;
            pthread_cond_wait(&guest->moved, &guest->mutex);
        } else {
            asked += ask_some(guest, ops + asked, count - asked);
        }
        assert(guest_sane(guest));
    }
    guest->waited_for = false;
    pthread_mutex_unlock(&guest->mutex);
    return asked;
}

bool guest_start(struct guest *guest, struct op **ops, uint32_t count)
{
    assert(count > 0); /* an empty packet would be the end */
    pthread_mutex_lock(&guest->mutex);
    bool started = guest->linked && !guest->waited_for && count <= guest->free_count &&
                   ask_some(guest, ops, count) == count;
    assert(guest_sane(guest));
    pthread_mutex_unlock(&guest->mutex);
    return started;
}

void guest_link(struct guest *guest, int fd)
{
    uint8_t places[GUEST_OPS_MAX];
    uint32_t count = 0;
    pthread_mutex_lock(&guest->mutex);
    if (guest->fd >= 0)
        close(guest->fd);
    struct epoll_event event = {.events = EPOLLIN};
    guest->fd = fd;
    guest->linked = epoll_ctl(guest->readable, EPOLL_CTL_ADD, fd, &event) == 0;
    guest->ended = !guest->linked; /* as if it had ended already */
    for (uint32_t i = 0; i < GUEST_OPS_MAX; i++)
        if (guest->asked[i])
            places[count++] = (uint8_t)i;
    if (count > 0 && guest->linked) /* an empty packet would be the end */
        (void)!send_places(guest, places,
                           count); /* what is lost again is found by guest_listen() */
    note_time(guest);
    assert(guest_sane(guest));
    pthread_mutex_unlock(&guest->mutex);
}

/* --- answers -------------------------------------------------------------------------------- */

/* The answer that the bytes begin with; returns how many it has, 0: it is none to anything that was
 * asked. */
static size_t answered(struct guest *guest, struct op **ret, const uint8_t *bytes, size_t size)
{
    uint32_t place = op_answer_number(bytes, size), number;
    if (place >= GUEST_OPS_MAX || !guest->asked[place])
        return 0;
    size_t used = op_answer_decode(guest->asked[place], &number, bytes, size);
    if (used == 0)
        return 0;
    *ret = take(guest, place);
    if ((*ret)->outcome == OUTCOME_OK && (*ret)->kind != OP_HEALTH)
        known_add(guest->known, (*ret)->client);
    return used;
}

/* Under the mutex. False: the link has ended, or what comes is nonsense. */
static bool hear(struct guest *guest, struct op *ret[GUEST_OPS_MAX], uint32_t *ret_count)
{
    const uint8_t *in = guest->packets->in;
    ssize_t heard = recv(guest->fd, guest->packets->in, sizeof guest->packets->in, MSG_DONTWAIT);
    /* An owner that died with questions unread is told of once, and before the answers that it gave. */
    if (heard < 0 && (errno == EINTR || errno == EAGAIN || errno == ECONNRESET))
        return true;
    bool sound = heard > 0 && (size_t)heard < sizeof guest->packets->in;
    size_t size = sound ? (size_t)heard : 0;
    for (size_t at = 0, used; sound && at < size; at += used) {
        used = answered(guest, &ret[*ret_count], in + at, size - at);
        sound = used > 0;
        *ret_count += sound;
    }
    note_time(guest);
    pthread_cond_signal(&guest->moved);
    return sound;
}

/* Under the mutex. */
static void end_link(struct guest *guest)
{
    (void)epoll_ctl(guest->readable, EPOLL_CTL_DEL, guest->fd, NULL);
    guest->ended = true;
    pthread_cond_signal(&guest->over);
}

static void take_packet(struct guest *guest, bool looks)
{
    struct op *ops[GUEST_OPS_MAX];
    uint32_t count = 0;
    pthread_mutex_lock(&guest->mutex);
    guest->looked_for |= looks;
    if (!guest->ended && !hear(guest, ops, &count))
        end_link(guest);
    assert(guest_sane(guest));
    pthread_mutex_unlock(&guest->mutex);
    queue_answer(guest->queue, ops, count);
}

/* What the owner may have done, or not, and did not say. */
static void lose(struct guest *guest)
{
    struct op *ops[GUEST_OPS_MAX];
    uint32_t count = 0;
    pthread_mutex_lock(&guest->mutex);
    guest->linked = false;
    for (uint32_t i = 0; i < GUEST_OPS_MAX; i++)
        if (guest->asked[i] && op_writes(guest->asked[i])) {
            ops[count++] = take(guest, i);
            ops[count - 1]->outcome = OUTCOME_UNKNOWN;
        }
    note_time(guest);
    pthread_cond_signal(&guest->moved);
    assert(guest_sane(guest));
    pthread_mutex_unlock(&guest->mutex);
    queue_answer(guest->queue, ops, count);
}

/* True: it is for this thread to take what comes. */
static bool wait_for_answers(struct guest *guest)
{
    struct pollfd link = {.fd = guest->fd, .events = POLLIN}; /* only this thread changes it */
    pthread_mutex_lock(&guest->mutex);
    while (guest->looked_for && !guest->ended)
        pthread_cond_wait(&guest->over, &guest->mutex);
    bool ended = guest->ended;
    pthread_mutex_unlock(&guest->mutex);
    if (!ended)
        (void)poll(&link, 1, LOOKED_FOR_MS);
    return !ended;
}

void guest_listen(struct guest *guest)
{
    while (wait_for_answers(guest))
        take_packet(guest, false);
    guest_hang_up(guest);
    lose(guest);
}

int guest_pollable(const struct guest *guest)
{
    return guest->readable;
}

void guest_look(struct guest *guest)
{
    take_packet(guest, true);
}

uint32_t guest_take_lost(struct guest *guest, struct op **ret)
{
    uint32_t count = 0;
    pthread_mutex_lock(&guest->mutex);
    for (uint32_t i = 0; i < GUEST_OPS_MAX; i++)
        if (guest->asked[i])
            ret[count++] = take(guest, i);
    note_time(guest);
    pthread_mutex_unlock(&guest->mutex);
    return count;
}

void guest_hang_up(struct guest *guest)
{
    pthread_mutex_lock(&guest->mutex);
    guest->linked = false;
    if (guest->fd >= 0)
        (void)shutdown(guest->fd, SHUT_RDWR);
    if (guest->looked_for && guest->fd >= 0 && !guest->ended)
        end_link(guest); /* whoever looked may look no more */
    pthread_cond_signal(&guest->moved);
    pthread_mutex_unlock(&guest->mutex);
}

bool guest_stuck(const struct guest *guest)
{
    int64_t since_ms = atomic_load(&guest->silent_since_ms);
    return since_ms != 0 && serving_clock_ms() - since_ms > ANSWER_TIMEOUT_MS;
}
