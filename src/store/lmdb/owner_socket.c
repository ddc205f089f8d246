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
    bool taken;
};

/* A place for a peer: free | asking | leaving (its side is shut) | gone, with ops still out. */
struct peer {
    int fd; /* -1: free or gone */
    bool leaving;
    uint32_t asked; /* ops taken and not come back */
    uint64_t heard; /* in which turn it last asked */
    struct carried carried[OWNER_PEER_OPS_MAX];
};

struct owner_socket {
    int folder_fd;
    int listener; /* -1: takes nobody on any more */
    int wake;     /* eventfd: the committer has answers, or it is time to end */
    _Atomic bool ending;
    bool resting;
    uint64_t turn;
    bool (*answer_now)(void *context, struct op *op);
    void *context;
    struct port port;
    pthread_t thread;
    struct peer peers[OWNER_PEERS_MAX];
};

/* --- peers ---------------------------------------------------------------------------------- */

static bool place_free(const struct peer *peer)
{
    return peer->fd < 0 && peer->asked == 0;
}

static void drop(struct peer *peer)
{
    close(peer->fd);
    peer->fd = -1; /* what it still has asked comes back to nobody */
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
        if (peer->fd >= 0 && peer->asked == 0 && (!silent || peer->heard < silent->heard))
            silent = peer;
    }
    return silent;
}

/* --- answers -------------------------------------------------------------------------------- */

static void send_frame(struct peer *peer, const uint8_t *frame, size_t size)
{
    /* Its buffer holds more answers than it may have asked for: full, it does not read them. */
    if (send(peer->fd, frame, size, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)size)
        drop(peer);
}

static void give_back(struct carried *carried)
{
    struct peer *peer = carried->peer;
    uint8_t frame[OP_ANSWER_BYTES_MAX];
    carried->taken = false;
    peer->asked--;
    if (peer->fd >= 0)
        send_frame(peer, frame, op_answer_encode(frame, &carried->op, carried->number));
}

static void take_answers(struct owner_socket *owner)
{
    uint64_t count;
    struct op *next;
    (void)!read(owner->wake, &count, sizeof count);
    for (struct op *op = port_take_answered(&owner->port); op; op = next) {
        next = op->next;
        give_back(op->context);
    }
}

static void wake(void *context)
{
    const struct owner_socket *owner = context;
    static const uint64_t one = 1;
    (void)!write(owner->wake, &one, sizeof one);
}

/* --- questions ------------------------------------------------------------------------------ */

static struct carried *find_carried(struct peer *peer)
{
    for (int i = 0; i < OWNER_PEER_OPS_MAX; i++)
        if (!peer->carried[i].taken)
            return &peer->carried[i];
    return NULL;
}

static void ask(struct owner_socket *owner, struct carried *carried)
{
    carried->op.context = carried;
    carried->taken = true;
    carried->peer->asked++;
    carried->peer->heard = owner->turn;
    if (owner->answer_now(owner->context, &carried->op)) {
        give_back(carried);
        return;
    }
    bool submitted = port_submit(&owner->port, &carried->op);
    assert(submitted); /* the port holds what all peers may ask */
    (void)submitted;
}

/* As much as it may ask in one turn. */
static void read_peer(struct owner_socket *owner, struct peer *peer)
{
    for (int i = 0; i < OWNER_PEER_OPS_MAX && peer->fd >= 0; i++) {
        uint8_t frame[OP_QUESTION_BYTES_MAX + 1]; /* what fills it is too long */
        struct carried *carried = find_carried(peer);
        if (!carried)
            return;
        ssize_t size = recv(peer->fd, frame, sizeof frame, MSG_DONTWAIT);
        if (size < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (size == 0 && peer->asked > 0) {
            peer->leaving = true; /* nothing more comes; its answers still go */
            return;
        }
        carried->peer = peer;
        if (size <= 0 || !op_question_decode(&carried->op, &carried->number, frame, (size_t)size))
            drop(peer);
        else
            ask(owner, carried);
    }
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
    peer->fd = fd;
    peer->leaving = false;
    peer->heard = owner->turn;
    op_greeting_encode(greeting);
    send_frame(peer, greeting, sizeof greeting);
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

/* Only what could be acted upon: all else would be ready again and again. */
static void wait_for_all(struct owner_socket *owner, struct pollfd ready[DESCRIPTORS])
{
    bool room = find_free(owner) || find_silent(owner);
    ready[WAKE] = wait_for(owner->wake, true);
    ready[LISTENER] = wait_for(owner->listener, room && !owner->resting);
    for (int i = 0; i < OWNER_PEERS_MAX; i++) {
        struct peer *peer = &owner->peers[i];
        bool waits = peer->leaving && peer->asked > 0;
        ready[PEERS + i] = wait_for(peer->fd, !waits && find_carried(peer) != NULL);
    }
    if (poll(ready, DESCRIPTORS, owner->resting ? REST_MS : -1) < 0)
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

static void *serve(void *context)
{
    struct owner_socket *owner = context;
    struct pollfd ready[DESCRIPTORS];
    while (owner->listener >= 0 || !all_free(owner)) {
        wait_for_all(owner, ready);
        owner->turn++;
        if (ready[WAKE].revents)
            take_answers(owner);
        if (atomic_load(&owner->ending) && owner->listener >= 0)
            begin_to_end(owner);
        if (ready[LISTENER].revents && owner->listener >= 0)
            accept_one(owner);
        for (int i = 0; i < OWNER_PEERS_MAX; i++)
            if (ready[PEERS + i].revents && ready[PEERS + i].fd == owner->peers[i].fd)
                read_peer(owner, &owner->peers[i]);
        port_hand_over(&owner->port);
    }
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

bool owner_socket_open(struct owner_socket **ret, const struct folder *folder, struct queue *queue,
                       bool (*answer_now)(void *context, struct op *op), void *context, char *error,
                       size_t error_size)
{
    struct owner_socket *owner = calloc(1, sizeof *owner);
    if (!owner) {
        snprintf(error, error_size, "out of memory");
        return false;
    }
    owner->folder_fd = folder->fd;
    owner->answer_now = answer_now;
    owner->context = context;
    for (int i = 0; i < OWNER_PEERS_MAX; i++)
        owner->peers[i].fd = -1;
    port_init(&owner->port, queue, OWNER_PEERS_MAX * OWNER_PEER_OPS_MAX, wake, owner);
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
    free(owner);
}
