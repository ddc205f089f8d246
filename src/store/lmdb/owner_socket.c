/* SPDX-License-Identifier: MIT
 *
 * owner_socket.c - see owner_socket.h.
 */
#define _GNU_SOURCE /* accept4, struct ucred */
#include "store/lmdb/owner_socket.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/lmdb/op_wire.h"
#include "store/thread.h"

enum {
    BACKLOG = 128,
    REST_MS = 100, /* after no descriptor could be had for a newcomer */
};

/* An op on its way; its context is this. */
struct carried {
    struct op op;
    struct peer *peer;
    uint32_t number; /* the peer's */
};

/* A place for a peer: free | asking | leaving (its side is shut) | dropped (both sides are) | gone, with
 * ops still out. */
struct peer {
    int fd; /* -1: free or gone */
    bool leaving;
    bool dropped;                             /* until the socket's thread has closed it */
    uint64_t heard;                           /* in which turn it last asked */
    struct carried *free[OWNER_PEER_OPS_MAX]; /* [0, free_count): not out */
    uint32_t free_count;
    struct carried carried[OWNER_PEER_OPS_MAX];
};

struct outbox {
    struct peer *peer; /* whose answers these are */
    size_t size;
    uint8_t bytes[OP_PACKET_BYTES_MAX];
};

struct owner_socket {
    int folder_fd;
    int listener; /* -1: takes nobody on any more */
    int wake; /* eventfd: look at the answers and at what is polled again, or it is time to end */
    _Atomic bool ending;
    bool resting;
    bool durable;
    uint64_t turn;
    bool (*answer_now)(void *context, struct op *op);
    bool (*start)(void *context, struct op **ops, uint32_t count);
    void *context;
    struct port port;
    pthread_t thread;
    uint8_t in[OP_PACKET_BYTES_MAX + 1]; /* what fills it is too long */

    pthread_mutex_t mutex; /* over all that follows; the socket's thread has it unless it polls */
    bool left_out;         /* of that poll: what an answer may let in again */
    struct outbox out;     /* empty while nobody has the mutex */
    struct peer peers[OWNER_PEERS_MAX];
};

/* --- peers ---------------------------------------------------------------------------------- */

/* Are ops of its out? */
static bool asks(const struct peer *peer)
{
    return peer->free_count < OWNER_PEER_OPS_MAX;
}

static bool place_free(const struct peer *peer)
{
    return peer->fd < 0 && !asks(peer);
}

/* On either thread. The descriptor is only shut, which ends a poll of it: were it closed under that poll, its
 * number could be another's by the time it is looked at. */
static void drop(struct peer *peer)
{
    (void)shutdown(peer->fd, SHUT_RDWR);
    peer->dropped = true;
}

/* On the socket's thread, and before it polls again. */
static void close_dropped(struct owner_socket *owner)
{
    for (int i = 0; i < OWNER_PEERS_MAX; i++) {
        struct peer *peer = &owner->peers[i];
        if (!peer->dropped)
            continue;
        close(peer->fd);
        peer->fd = -1; /* what it still has asked comes back to nobody */
        peer->dropped = false;
    }
}

/* What it sends from now on fails at its end, so that it knows; what it has sent is still read. */
static void shut(struct peer *peer)
{
    (void)shutdown(peer->fd, SHUT_RD);
    peer->leaving = true;
}

static struct peer *find_free(struct owner_socket *owner)
{
    for (int i = 0; i < OWNER_PEERS_MAX; i++)
        if (place_free(&owner->peers[i]))
            return &owner->peers[i];
    return NULL;
}

/* Who could make room: the one that has been silent longest. */
static struct peer *find_silent(struct owner_socket *owner)
{
    struct peer *silent = NULL;
    for (int i = 0; i < OWNER_PEERS_MAX; i++) {
        struct peer *peer = &owner->peers[i];
        if (peer->fd >= 0 && !asks(peer) && (!silent || peer->heard < silent->heard))
            silent = peer;
    }
    return silent;
}

/* --- answers -------------------------------------------------------------------------------- */

static void send_all(struct outbox *out)
{
    struct peer *peer = out->peer;
    /* Its buffer holds more answers than it may have asked for: full, it does not read them. */
    if (out->size > 0 && peer->fd >= 0 && !peer->dropped &&
        send(peer->fd, out->bytes, out->size, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)out->size)
        drop(peer);
    out->size = 0;
}

static void give_back(struct outbox *out, struct carried *carried)
{
    struct peer *peer = carried->peer;
    if (out->size + OP_ANSWER_BYTES_MAX > sizeof out->bytes || out->peer != peer)
        send_all(out);
    out->peer = peer;
    out->size += op_answer_encode(out->bytes + out->size, &carried->op, carried->number);
    peer->free[peer->free_count++] = carried;
}

static void take_answers(struct owner_socket *owner, struct op *op)
{
    struct op *next;
    for (; op; op = next) {
        next = op->next;
        give_back(&owner->out, op->context);
    }
    send_all(&owner->out);
}

static void wake(const struct owner_socket *owner)
{
    static const uint64_t one = 1;
    (void)!write(owner->wake, &one, sizeof one);
}

static void wake_heard(const struct owner_socket *owner)
{
    uint64_t count;
    (void)!read(owner->wake, &count, sizeof count);
}

/* On the committer's thread, which waits for nobody here: while the other is at work, that one takes them. */
static void answers_are_there(void *context)
{
    struct owner_socket *owner = context;
    bool needed = true;
    if (pthread_mutex_trylock(&owner->mutex) == 0) {
        take_answers(owner, port_take_answered(&owner->port));
        needed = owner->left_out;
        pthread_mutex_unlock(&owner->mutex);
    }
    if (needed)
        wake(owner);
}

/* --- questions ------------------------------------------------------------------------------ */

static void ask(struct owner_socket *owner, struct carried *carried)
{
    if (owner->answer_now(owner->context, &carried->op)) {
        give_back(&owner->out, carried);
        return;
    }
    bool submitted = port_submit(&owner->port, &carried->op);
    assert(submitted); /* the port holds what all peers may ask */
    (void)submitted;
}

/* The questions of a packet: how many there are; 0: it is nonsense, or more than the peer may ask. */
static uint32_t decode_all(struct peer *peer, const uint8_t *packet, size_t size,
                           struct carried *ret[OWNER_PEER_OPS_MAX])
{
    uint32_t count = 0;
    for (size_t at = 0, used; at < size; at += used) {
        if (count == peer->free_count)
            return 0;
        struct carried *carried = peer->free[peer->free_count - 1 - count];
        used = op_question_decode(&carried->op, &carried->number, packet + at, size - at);
        if (used == 0)
            return 0;
        carried->op.context = carried;
        carried->peer = peer;
        ret[count++] = carried;
    }
    return count;
}

/* One packet in one turn. */
static void read_peer(struct owner_socket *owner, struct peer *peer)
{
    ssize_t size = recv(peer->fd, owner->in, sizeof owner->in, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size == 0 && asks(peer)) {
        peer->leaving = true; /* nothing more comes; its answers still go */
        return;
    }
    struct carried *asked[OWNER_PEER_OPS_MAX];
    bool whole = size > 0 && (size_t)size < sizeof owner->in;
    uint32_t count = whole ? decode_all(peer, owner->in, (size_t)size, asked) : 0;
    if (count == 0) {
        drop(peer);
        return;
    }
    peer->free_count -= count;
    peer->heard = owner->turn;
    for (uint32_t i = 0; i < count; i++)
        ask(owner, asked[i]);
    send_all(&owner->out);
}

/* --- newcomers ------------------------------------------------------------------------------ */

static bool may_ask(int fd)
{
    struct ucred who;
    socklen_t size = sizeof who;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 &&
           (who.uid == geteuid() || who.uid == 0);
}

static void greet(struct owner_socket *owner, struct peer *peer, int fd)
{
    uint8_t greeting[OP_GREETING_BYTES];
    op_greeting_encode(greeting, owner->durable);
    if (send(fd, greeting, sizeof greeting, MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof greeting) {
        close(fd);
        return;
    }
    peer->fd = fd;
    peer->leaving = false;
    peer->heard = owner->turn;
}

static void accept_one(struct owner_socket *owner)
{
    struct peer *place = find_free(owner);
    if (!place) {
        struct peer *silent = find_silent(owner);
        if (silent)
            shut(silent);
        return; /* until it has gone */
    }
    int fd = accept4(owner->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        owner->resting = errno != ECONNABORTED && errno != EINTR && errno != EAGAIN;
    else if (may_ask(fd))
        greet(owner, place, fd);
    else
        close(fd);
}

/* --- the thread ----------------------------------------------------------------------------- */

enum { WAKE, LISTENER, PEERS, DESCRIPTORS = PEERS + OWNER_PEERS_MAX };

static struct pollfd wait_for(int fd, bool wanted)
{
    return (struct pollfd){.fd = wanted ? fd : -1, .events = POLLIN};
}

/* Only what could be acted upon: all else would be ready again and again. Answers that go out meanwhile
 * may change that for what is left out, and for the end, which waits for the last. */
static void choose(struct owner_socket *owner, struct pollfd ready[DESCRIPTORS])
{
    bool room = find_free(owner) || find_silent(owner);
    owner->left_out = !room || owner->listener < 0;
    ready[WAKE] = wait_for(owner->wake, true);
    ready[LISTENER] = wait_for(owner->listener, room && !owner->resting);
    for (int i = 0; i < OWNER_PEERS_MAX; i++) {
        struct peer *peer = &owner->peers[i];
        bool waits = (peer->leaving && asks(peer)) || peer->free_count == 0;
        owner->left_out |= peer->fd >= 0 && waits;
        ready[PEERS + i] = wait_for(peer->fd, !waits);
    }
}

static void wait_for_any(struct owner_socket *owner, struct pollfd ready[DESCRIPTORS])
{
    assert(owner->out.size == 0);
    pthread_mutex_unlock(&owner->mutex);
    int result = poll(ready, DESCRIPTORS, owner->resting ? REST_MS : -1);
    pthread_mutex_lock(&owner->mutex);
    if (result < 0)
        for (int i = 0; i < DESCRIPTORS; i++)
            ready[i].revents = 0;
    owner->resting = false;
}

static void begin_to_end(struct owner_socket *owner)
{
    (void)unlinkat(owner->folder_fd, FOLDER_SOCKET, 0);
    close(owner->listener); /* who was not greeted has not asked */
    owner->listener = -1;
    for (int i = 0; i < OWNER_PEERS_MAX; i++)
        if (owner->peers[i].fd >= 0)
            shut(&owner->peers[i]);
}

static bool all_free(const struct owner_socket *owner)
{
    for (int i = 0; i < OWNER_PEERS_MAX; i++)
        if (!place_free(&owner->peers[i]))
            return false;
    return true;
}

static enum offered start_now(void *context, struct op **ops, uint32_t count)
{
    struct owner_socket *owner = context;
    return owner->start(owner->context, ops, count) ? OFFERED_DONE : OFFERED_IN_VAIN;
}

static void take_turn(struct owner_socket *owner, const struct pollfd ready[DESCRIPTORS])
{
    owner->turn++;
    if (ready[WAKE].revents) {
        wake_heard(owner);
        take_answers(owner, port_take_answered(&owner->port));
    }
    if (atomic_load(&owner->ending) && owner->listener >= 0)
        begin_to_end(owner);
    for (int i = 0; i < OWNER_PEERS_MAX; i++)
        if (ready[PEERS + i].revents && !owner->peers[i].dropped)
            read_peer(owner, &owner->peers[i]);
    take_answers(owner, port_offer(&owner->port, start_now, owner));
    port_hand_over(&owner->port);
    close_dropped(owner);
    /* After these: in their places, and with their numbers, newcomers are not what was polled. */
    if (ready[LISTENER].revents && owner->listener >= 0)
        accept_one(owner);
}

static void *serve(void *context)
{
    struct owner_socket *owner = context;
    struct pollfd ready[DESCRIPTORS];
    pthread_mutex_lock(&owner->mutex);
    while (owner->listener >= 0 || !all_free(owner)) {
        choose(owner, ready);
        wait_for_any(owner, ready);
        take_turn(owner, ready);
    }
    pthread_mutex_unlock(&owner->mutex);
    return NULL;
}

/* --- opening and ending --------------------------------------------------------------------- */

struct sockaddr_un owner_socket_address(int folder_fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/" FOLDER_SOCKET,
             folder_fd);
    return address;
}

static bool listen_in(struct owner_socket *owner)
{
    struct sockaddr_un address = owner_socket_address(owner->folder_fd);
    owner->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (owner->listener < 0)
        return false;
    /* Of somebody who died: nobody else is here, the lock says so. */
    if (unlinkat(owner->folder_fd, FOLDER_SOCKET, 0) != 0 && errno != ENOENT)
        return false;
    /* Before it has its name: Linux makes the file with the mode of the socket. */
    return fchmod(owner->listener, 0600) == 0 &&
           bind(owner->listener, (struct sockaddr *)&address, sizeof address) == 0 &&
           listen(owner->listener, BACKLOG) == 0;
}

static void prepare(struct owner_socket *owner)
{
    for (int i = 0; i < OWNER_PEERS_MAX; i++) {
        struct peer *peer = &owner->peers[i];
        peer->fd = -1;
        for (int j = 0; j < OWNER_PEER_OPS_MAX; j++)
            peer->free[peer->free_count++] = &peer->carried[j];
    }
}

bool owner_socket_open(struct owner_socket **ret, const struct folder *folder, struct queue *queue,
                       bool durable, bool (*answer_now)(void *context, struct op *op),
                       bool (*start)(void *context, struct op **ops, uint32_t count), void *context,
                       char *error, size_t error_size)
{
    struct owner_socket *owner = calloc(1, sizeof *owner);
    if (!owner) {
        snprintf(error, error_size, "out of memory");
        return false;
    }
    owner->folder_fd = folder->fd;
    owner->durable = durable;
    owner->answer_now = answer_now;
    owner->start = start;
    owner->context = context;
    prepare(owner);
    port_init(&owner->port, queue, OWNER_PEERS_MAX * OWNER_PEER_OPS_MAX, answers_are_there, owner);
    pthread_mutex_init(&owner->mutex, NULL);
    owner->listener = -1;
    owner->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (owner->wake < 0 || !listen_in(owner)) {
        snprintf(error, error_size, FOLDER_SOCKET ": %s", strerror(errno));
        goto free_owner;
    }
    if (!thread_start(&owner->thread, serve, owner)) {
        snprintf(error, error_size, "cannot start its thread");
        (void)unlinkat(owner->folder_fd, FOLDER_SOCKET, 0);
        goto free_owner;
    }
    *ret = owner;
    return true;

free_owner:
    if (owner->listener >= 0)
        close(owner->listener);
    if (owner->wake >= 0)
        close(owner->wake);
    pthread_mutex_destroy(&owner->mutex);
    free(owner);
    return false;
}

void owner_socket_end(struct owner_socket *owner)
{
    atomic_store(&owner->ending, true);
    wake(owner);
    pthread_join(owner->thread, NULL);
}

void owner_socket_free(struct owner_socket *owner)
{
    port_free(&owner->port);
    close(owner->wake);
    pthread_mutex_destroy(&owner->mutex);
    free(owner);
}
