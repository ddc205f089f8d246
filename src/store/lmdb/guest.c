/* SPDX-License-Identifier: MIT
 *
 * guest.c - see guest.h.
 */
#define _GNU_SOURCE /* recvmmsg, sendmmsg */
#include "store/lmdb/guest.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "store/lmdb/op_wire.h"
#include "store/lmdb/serving.h"

enum { HEAR_MAX = 32 }; /* answers that are read at once */

struct guest_frames {
    struct mmsghdr out[GUEST_OPS_MAX], in[HEAR_MAX];
    struct iovec out_frames[GUEST_OPS_MAX], in_frames[HEAR_MAX];
    uint8_t out_bytes[GUEST_OPS_MAX][OP_QUESTION_BYTES_MAX];
    uint8_t in_bytes[HEAR_MAX][OP_ANSWER_BYTES_MAX + 1]; /* what fills it is too long */
};

static bool guest_sane(const struct guest *guest)
{
    return guest->free_count <= GUEST_OPS_MAX && (!guest->linked || guest->fd >= 0) &&
           (guest->free_count == GUEST_OPS_MAX) == (atomic_load(&guest->silent_since_ms) == 0);
}

bool guest_init(struct guest *guest, struct known *known)
{
    struct guest_frames *frames = calloc(1, sizeof *frames);
    if (!frames)
        return false;
    for (int i = 0; i < GUEST_OPS_MAX; i++) {
        frames->out_frames[i].iov_base = frames->out_bytes[i];
        frames->out[i].msg_hdr = (struct msghdr){.msg_iov = &frames->out_frames[i],
                                                 .msg_iovlen = 1};
    }
    for (int i = 0; i < HEAR_MAX; i++) {
        frames->in_frames[i] = (struct iovec){frames->in_bytes[i], sizeof frames->in_bytes[i]};
        frames->in[i].msg_hdr = (struct msghdr){.msg_iov = &frames->in_frames[i], .msg_iovlen = 1};
    }
    *guest = (struct guest){.known = known, .frames = frames, .fd = -1};
    while (guest->free_count < GUEST_OPS_MAX) {
        guest->free[guest->free_count] = (uint8_t)guest->free_count;
        guest->free_count++;
    }
    pthread_mutex_init(&guest->mutex, NULL);
    pthread_cond_init(&guest->moved, NULL);
    return true;
}

void guest_free(struct guest *guest)
{
    assert(guest->free_count == GUEST_OPS_MAX);
    if (guest->fd >= 0)
        close(guest->fd);
    pthread_cond_destroy(&guest->moved);
    pthread_mutex_destroy(&guest->mutex);
    free(guest->frames);
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

/* Sends the questions of these places; how many have gone. What the owner has shut out fails here,
 * and it has not heard it (owner_socket.h). */
static uint32_t send_places(struct guest *guest, const uint8_t *places, uint32_t count)
{
    struct guest_frames *frames = guest->frames;
    for (uint32_t i = 0; i < count; i++)
        frames->out_frames[i].iov_len = op_question_encode(frames->out_bytes[i],
                                                           guest->asked[places[i]], places[i]);
    uint32_t sent = 0;
    while (sent < count) {
        /* They fit the socket's buffer, so that this does not wait. */
        int some = sendmmsg(guest->fd, frames->out + sent, count - sent,
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        if (some < 0 && errno == EINTR)
            continue;
        if (some <= 0)
            break;
        sent += (uint32_t)some;
    }
    if (sent < count) {
        guest->linked = false;
        (void)shutdown(guest->fd, SHUT_WR); /* its answers may still come */
    }
    return sent;
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
    uint32_t sent = send_places(guest, places, count);
    for (uint32_t i = sent; i < count; i++)
        (void)take(guest, places[i]);
    if (sent < count)
        note_time(guest);
    return sent;
}

uint32_t guest_ask(struct guest *guest, struct op **ops, uint32_t count)
{
    uint32_t asked = 0;
    pthread_mutex_lock(&guest->mutex);
    while (asked < count && guest->linked) {
        if (guest->free_count == 0)
            pthread_cond_wait(&guest->moved, &guest->mutex);
        else
            asked += ask_some(guest, ops + asked, count - asked);
        assert(guest_sane(guest));
    }
    pthread_mutex_unlock(&guest->mutex);
    return asked;
}

void guest_link(struct guest *guest, int fd)
{
    uint8_t places[GUEST_OPS_MAX];
    uint32_t count = 0;
    pthread_mutex_lock(&guest->mutex);
    if (guest->fd >= 0)
        close(guest->fd);
    guest->fd = fd;
    guest->linked = true;
    for (uint32_t i = 0; i < GUEST_OPS_MAX; i++)
        if (guest->asked[i])
            places[count++] = (uint8_t)i;
    (void)send_places(guest, places, count); /* what is lost again is found by guest_listen() */
    note_time(guest);
    assert(guest_sane(guest));
    pthread_mutex_unlock(&guest->mutex);
}

/* --- answers -------------------------------------------------------------------------------- */

/* NULL: it is no answer to anything that was asked. */
static struct op *answered(struct guest *guest, const uint8_t *frame, size_t size)
{
    uint32_t place = op_answer_number(frame, size), number;
    if (place >= GUEST_OPS_MAX || !guest->asked[place] ||
        !op_answer_decode(guest->asked[place], &number, frame, size))
        return NULL;
    struct op *op = take(guest, place);
    if (op->outcome == OUTCOME_OK && op->kind != OP_HEALTH)
        known_add(guest->known, op->client);
    return op;
}

/* False: the link has ended, or what comes is nonsense. */
static bool hear(struct guest *guest, int fd)
{
    struct guest_frames *frames = guest->frames;
    struct op *ops[HEAR_MAX];
    uint32_t count = 0;
    int heard = recvmmsg(fd, frames->in, HEAR_MAX, MSG_WAITFORONE, NULL);
    /* An owner that died with questions unread is told of once, and before the answers that it gave. */
    if (heard < 0 && (errno == EINTR || errno == ECONNRESET))
        return true;
    bool sound = heard > 0;
    pthread_mutex_lock(&guest->mutex);
    for (int i = 0; sound && i < heard; i++) {
        struct op *op = answered(guest, frames->in_bytes[i], frames->in[i].msg_len);
        sound = op != NULL;
        if (sound)
            ops[count++] = op;
    }
    note_time(guest);
    pthread_cond_signal(&guest->moved);
    assert(guest_sane(guest));
    pthread_mutex_unlock(&guest->mutex);
    queue_answer(guest->queue, ops, count);
    return sound;
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

void guest_listen(struct guest *guest)
{
    int fd = guest->fd; /* only this thread changes it */
    while (hear(guest, fd))
        continue;
    guest_hang_up(guest);
    lose(guest);
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
    pthread_cond_signal(&guest->moved);
    pthread_mutex_unlock(&guest->mutex);
}

bool guest_stuck(const struct guest *guest)
{
    int64_t since_ms = atomic_load(&guest->silent_since_ms);
    return since_ms != 0 && serving_clock_ms() - since_ms > ANSWER_TIMEOUT_MS;
}
