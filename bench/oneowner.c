/* SPDX-License-Identifier: MIT
 *
 * oneowner.c - the floor of a bank of two processes of which one owns the ledger: `oneowner owner unix:PATH LINK [LOG]`,
 * `oneowner guest unix:PATH LINK`.
 *
 * Purpose    What that shape costs before anything is parsed or booked. The guest sends what a turn has brought to the owner
 *            in one packet, by a socket at LINK, and gets the answers back as one. With LOG they wait until
 *            a block of that file, of OP_BYTES for each, is on the disk: one flush for all that have come
 *            meanwhile, by a thread that then answers.
 * Invariant  As floor.h. Where a client leaves before its answer all the same, as wrk does at its end, whoever comes next may
 *            get that: not while something is measured.
 * Threads    The event loop, and with LOG the committer; `waiting` is between the two.
 * Errors     As floor.h; exit 2 where it is called otherwise. Who loses the other exits.
 * Not here   A second guest, another owner after the first.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "floor.h"

enum {
    OPS_MAX = 4 * FLOOR_EVENTS_MAX, /* more than there are connections */
    OP_BYTES = 64,       /* what the bank's log has for an entry without a key, or less */
    PAGE_BYTES = 4096,   /* blocks share none, as the bank's */
    LOG_BYTES = 4 << 20, /* written from the beginning again after that */
};

/* Whose request it is: a connection's descriptor, and is it the last one's. */
struct op {
    int32_t fd;
    bool last;
    bool from_guest;
};

struct ops {
    uint32_t count;
    struct op op[OPS_MAX];
};

static struct ops turn;  /* what this one has brought */
static int link_fd = -1; /* to the other */
static bool is_guest;

static int log_fd = -1;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t not_empty = PTHREAD_COND_INITIALIZER;
static struct ops waiting; /* for the committer */

static void add(struct ops *ops, struct op op)
{
    if (ops->count == OPS_MAX) {
        errno = ENOBUFS;
        floor_die("too many connections");
    }
    ops->op[ops->count++] = op;
}

static _Noreturn void lose_other(ssize_t size)
{
    if (size >= 0)
        errno = ECONNRESET; /* it has ended */
    floor_die("the other");
}

static void send_all(const struct ops *ops)
{
    size_t size = ops->count * sizeof ops->op[0];
    if (size == 0)
        return;
    ssize_t sent = send(link_fd, ops->op, size, MSG_NOSIGNAL);
    if (sent != (ssize_t)size)
        lose_other(sent);
}

static void receive(struct ops *ops)
{
    ssize_t size = recv(link_fd, ops->op, sizeof ops->op, 0);
    if (size <= 0)
        lose_other(size);
    ops->count = (uint32_t)((size_t)size / sizeof ops->op[0]);
}

/* --- the owner ------------------------------------------------------------------------------ */

static void answer(const struct ops *ops)
{
    static _Thread_local struct ops others;
    others.count = 0;
    for (uint32_t i = 0; i < ops->count; i++)
        if (ops->op[i].from_guest)
            add(&others, ops->op[i]);
    send_all(&others);
    for (uint32_t i = 0; i < ops->count; i++)
        if (!ops->op[i].from_guest)
            floor_reply(ops->op[i].fd, ops->op[i].last);
}

static void flush(uint32_t count)
{
    static char block[(OPS_MAX * OP_BYTES / PAGE_BYTES + 1) * PAGE_BYTES];
    static off_t at;
    size_t size = ((size_t)count * OP_BYTES + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    if (at + (off_t)size > LOG_BYTES)
        at = 0;
    if (pwrite(log_fd, block, size, at) != (ssize_t)size)
        floor_die("the log");
    at += (off_t)size;
}

static void *commit(void *unused)
{
    static struct ops batch;
    (void)unused;
    floor_schedule();
    for (;;) {
        pthread_mutex_lock(&mutex);
        while (waiting.count == 0)
            pthread_cond_wait(&not_empty, &mutex);
        memcpy(batch.op, waiting.op, waiting.count * sizeof waiting.op[0]);
        batch.count = waiting.count;
        waiting.count = 0;
        pthread_mutex_unlock(&mutex);
        flush(batch.count);
        answer(&batch);
    }
    return NULL;
}

static void hand_over(const struct ops *ops)
{
    pthread_mutex_lock(&mutex);
    for (uint32_t i = 0; i < ops->count; i++)
        add(&waiting, ops->op[i]);
    pthread_mutex_unlock(&mutex);
    pthread_cond_signal(&not_empty);
}

/* Its blocks are there, and written once: so that a flush is of data alone. */
static void open_log(const char *path)
{
    static const char zeros[1 << 16];
    pthread_t committer;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        floor_die(path);
    for (off_t at = 0; at < LOG_BYTES; at += (off_t)sizeof zeros)
        if (pwrite(fd, zeros, sizeof zeros, at) != sizeof zeros)
            floor_die(path);
    if (fsync(fd) != 0 || close(fd) != 0)
        floor_die(path);
    log_fd = open(path, O_WRONLY | O_DSYNC | O_CLOEXEC);
    if (log_fd < 0 || pthread_create(&committer, NULL, commit, NULL) != 0)
        floor_die(path);
}

/* --- both ----------------------------------------------------------------------------------- */

static void meet(const char *path)
{
    static const struct timespec pause = {0, 10000000};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        fd = -1;
    }
    if (fd < 0)
        floor_die(path);
    memcpy(address.sun_path, path, strlen(path));
    if (is_guest) {
        while (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
            nanosleep(&pause, NULL); /* it is not there yet */
        link_fd = fd;
        return;
    }
    (void)unlink(path);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1) != 0)
        floor_die(path);
    link_fd = accept(fd, NULL, NULL);
    if (link_fd < 0)
        floor_die(path);
    close(fd);
}

static void end_turn(void)
{
    if (turn.count == 0)
        return;
    if (is_guest)
        send_all(&turn);
    else if (log_fd >= 0)
        hand_over(&turn);
    else
        answer(&turn);
    turn.count = 0;
}

static void hear_other(void)
{
    static struct ops heard;
    receive(&heard);
    for (uint32_t i = 0; i < heard.count; i++)
        if (is_guest)
            floor_reply(heard.op[i].fd, heard.op[i].last);
        else
            add(&turn, heard.op[i]);
}

static void hear(int fd)
{
    bool last;
    if (floor_asked(fd, &last))
        add(&turn, (struct op){.fd = fd, .last = last, .from_guest = is_guest});
}

int main(int argc, char **argv)
{
    bool is_owner = argc >= 4 && argc <= 5 && strcmp(argv[1], "owner") == 0;
    is_guest = argc == 4 && strcmp(argv[1], "guest") == 0;
    floor_schedule();
    umask(0); /* NGINX is another user */
    int listener = is_owner || is_guest ? floor_listen(argv[2]) : -1;
    if (listener < 0) {
        fprintf(stderr,
                "usage: oneowner owner PORT|unix:PATH LINK [LOG] | guest PORT|unix:PATH LINK\n");
        return 2;
    }
    if (argc == 5)
        open_log(argv[4]);
    meet(argv[3]);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        floor_die("epoll_create1");
    floor_watch(epoll, listener);
    floor_watch(epoll, link_fd);

    struct epoll_event events[FLOOR_EVENTS_MAX];
    for (;;) {
        int ready = epoll_wait(epoll, events, FLOOR_EVENTS_MAX, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == listener)
                floor_accept(epoll, listener);
            else if (fd == link_fd)
                hear_other();
            else
                hear(fd);
        }
        end_turn();
    }
}
