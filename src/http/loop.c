/* SPDX-License-Identifier: MIT
 *
 * loop.c - see loop.h.
 *
 * One turn of the event loop: answers come back (uv_async, uv_poll), bytes come in, connections submit ops;
 * before it waits for more (uv_prepare) all of the turn's ops go to the store together.
 */
#include "http/loop.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct loop {
    uv_loop_t uv;
    uv_async_t wake;       /* the store has answers */
    uv_poll_t answers;     /* the same, where it has a descriptor for that */
    uv_async_t summons;    /* other threads have something under `mutex` */
    uv_prepare_t turn_end; /* the turn's ops go to the store */
    uv_timer_t sweep;      /* deadlines */
    struct peers *peers;
    void (*room)(void *context);
    void *context;
    uint64_t drain_deadline_ms;
    uint32_t drains; /* how often it was told to drain, as far as it has done so */
    bool shut;

    struct peer *peers_open, *peers_resting;
    _Atomic uint32_t load; /* open ones that are not closing, and those that were sent */

    pthread_mutex_t mutex; /* over the next three */
    struct peer *sent;
    uint32_t drains_told;
    bool shut_told;

    struct service service; /* the loop's thread's; large */
};

static void drive(struct peer *peer);
static void stop_if_done(struct loop *loop);

/* --- peers ---------------------------------------------------------------------------------- */

static void add_to_open(struct peer *peer)
{
    struct loop *loop = peer->loop;
    peer->next = loop->peers_open;
    if (peer->next)
        peer->next->previous = peer;
    loop->peers_open = peer;
}

static void remove_from_open(struct peer *peer)
{
    if (peer->previous)
        peer->previous->next = peer->next;
    else
        peer->loop->peers_open = peer->next;
    if (peer->next)
        peer->next->previous = peer->previous;
}

static void on_closed(uv_handle_t *handle)
{
    struct peer *peer = handle->data;
    struct loop *loop = peer->loop;
    remove_from_open(peer);
    if (peers_give_back(loop->peers, peer))
        loop->room(loop->context);
    stop_if_done(loop);
}

static void stop_resting(struct peer *peer)
{
    struct peer **at = &peer->loop->peers_resting;
    while (*at != peer)
        at = &(*at)->next_resting;
    *at = peer->next_resting;
    peer->resting = false;
}

static void peer_close(struct peer *peer)
{
    if (peer->closing)
        return;
    peer->closing = true;
    if (peer->resting)
        stop_resting(peer);
    connection_abandon(&peer->connection);
    atomic_fetch_sub_explicit(&peer->loop->load, 1, memory_order_relaxed);
    uv_close(&peer->handle, on_closed);
}

/* libuv reads the clock when it has waited, not at each call. */
static void tell_time(struct loop *loop)
{
    loop->service.now_ms = uv_now(&loop->uv);
}

/* --- reading -------------------------------------------------------------------------------- */

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct peer *peer = handle->data;
    size_t bytes;
    (void)suggested;
    char *room = connection_room(&peer->connection, &bytes);
    *ret = uv_buf_init(room, (unsigned)bytes);
}

/* One buffer a turn is a connection's share. libuv would read up to 32 of them from one
 * that never stops sending, and let all others wait. */
static void rest(struct peer *peer)
{
    if (peer->resting || peer->closing)
        return;
    uv_read_stop(&peer->stream);
    peer->reading = false;
    peer->resting = true;
    peer->next_resting = peer->loop->peers_resting;
    peer->loop->peers_resting = peer;
}

static void on_read(uv_stream_t *stream, ssize_t bytes, const uv_buf_t *buffer)
{
    struct peer *peer = stream->data;
    tell_time(peer->loop);
    if (bytes > 0) {
        connection_received(&peer->connection, (size_t)bytes);
        if ((size_t)bytes == buffer->len)
            rest(peer);
    } else if (bytes == UV_EOF) {
        peer->reading = false; /* libuv has stopped by itself */
        connection_input_ended(&peer->connection);
    } else if (bytes < 0 && bytes != UV_ENOBUFS) {
        peer_close(peer);
        return;
    }
    drive(peer);
}

/* Read when there is room. Stopping and starting costs a system call each, so a full buffer is the
 * only reason to stop: not that a reply is due. */
static void set_reading(struct peer *peer)
{
    size_t room;
    if (peer->connection.input_ended || peer->resting)
        return;
    (void)connection_room(&peer->connection, &room);
    if (room > 0 && !peer->reading) {
        peer->reading = uv_read_start(&peer->stream, on_room, on_read) == 0;
        if (!peer->reading)
            peer_close(peer);
    } else if (room == 0 && peer->reading) {
        uv_read_stop(&peer->stream);
        peer->reading = false;
    }
}

/* --- writing -------------------------------------------------------------------------------- */

static void on_written(uv_write_t *write, int status)
{
    struct peer *peer = write->handle->data;
    peer->writing = false;
    if (peer->closing)
        return;
    if (status != 0) {
        peer_close(peer);
        return;
    }
    connection_sent(&peer->connection, peer->write_bytes);
    drive(peer);
}

/* Wait until the rest can be sent. */
static bool send_later(struct peer *peer)
{
    const char *output = NULL;
    connection_sent(&peer->connection, 0); /* so that it stays in place */
    peer->write_bytes = (uint32_t)connection_output(&peer->connection, &output);
    uv_buf_t buffer = uv_buf_init((char *)output, peer->write_bytes);
    peer->writing = uv_write(&peer->write, &peer->stream, &buffer, 1, on_written) == 0;
    return peer->writing;
}

/* Most replies fit the socket's buffer: try that first. */
static void send_output(struct peer *peer)
{
    const char *output = NULL;
    size_t bytes;
    while (!peer->writing && (bytes = connection_output(&peer->connection, &output)) > 0) {
        uv_buf_t buffer = uv_buf_init((char *)output, (unsigned)bytes);
        int sent = uv_try_write(&peer->stream, &buffer, 1);
        if (sent > 0) {
            connection_sent(&peer->connection, (size_t)sent);
        } else if (sent != UV_EAGAIN || !send_later(peer)) {
            peer_close(peer);
            return;
        }
    }
}

static void on_shut(uv_shutdown_t *shutdown, int status)
{
    (void)shutdown; /* the linger deadline ends it either way */
    (void)status;
}

/* Carry out whatever the connection's state now asks for. */
static void drive(struct peer *peer)
{
    if (peer->closing)
        return;
    send_output(peer);
    if (peer->closing)
        return;
    if (peer->connection.state == CONNECTION_CLOSED && !peer->writing) {
        peer_close(peer);
        return;
    }
    /* Our side ends, theirs is read to its end: closing at once would reset the connection, and
     * the client might lose the reply that it has not read yet (RFC 9112 section 9.6). */
    if (peer->connection.state == CONNECTION_LINGERING && !peer->shut) {
        peer->shut = true;
        if (uv_shutdown(&peer->shutdown, &peer->stream, on_shut) != 0) {
            peer_close(peer);
            return;
        }
    }
    set_reading(peer);
}

/* --- coming --------------------------------------------------------------------------------- */

static int open_socket(struct peer *peer)
{
    uv_loop_t *uv = &peer->loop->uv;
    int result;
    /* Initializing cannot fail: it makes no socket yet. */
    if (peer->is_unix) {
        (void)uv_pipe_init(uv, &peer->pipe, 0);
        result = uv_pipe_open(&peer->pipe, peer->fd);
    } else {
        (void)uv_tcp_init(uv, &peer->tcp);
        result = uv_tcp_open(&peer->tcp, peer->fd);
        if (result == 0)
            (void)uv_tcp_nodelay(&peer->tcp, 1);
    }
    if (result != 0)
        close(peer->fd);
    peer->handle.data = peer;
    return result;
}

static void begin(struct loop *loop, struct peer *peer)
{
    tell_time(loop);
    peer->loop = loop;
    peer->previous = NULL;
    add_to_open(peer);
    if (peer->refused)
        connection_open_refused(&peer->connection, &loop->service);
    else
        connection_open(&peer->connection, &loop->service);
    if (open_socket(peer) != 0)
        peer_close(peer);
    else
        drive(peer);
}

void loop_take(struct loop *loop, struct peer *peer)
{
    atomic_fetch_add_explicit(&loop->load, 1, memory_order_relaxed);
    begin(loop, peer);
}

void loop_send(struct loop *loop, struct peer *peer)
{
    atomic_fetch_add_explicit(&loop->load, 1, memory_order_relaxed);
    pthread_mutex_lock(&loop->mutex);
    peer->next = loop->sent;
    loop->sent = peer;
    pthread_mutex_unlock(&loop->mutex);
    (void)uv_async_send(&loop->summons);
}

uint32_t loop_load(const struct loop *loop)
{
    return atomic_load_explicit(&loop->load, memory_order_relaxed);
}

/* --- the turn of the loop ------------------------------------------------------------------- */

static void take_answers(struct loop *loop, struct op *op)
{
    tell_time(loop);
    while (op) {
        struct op *next = op->next;
        struct connection *connection = op->context;
        if (connection) {
            connection_answered(connection);
            drive((struct peer *)((char *)connection - offsetof(struct peer, connection)));
        } else {
            op_pool_give_back(&loop->service.pool, op);
        }
        op = next;
    }
}

static void on_wake(uv_async_t *async)
{
    struct loop *loop = async->data;
    take_answers(loop, store_take_answered(loop->service.submitter));
}

static void on_answers(uv_poll_t *answers, int status, int events)
{
    struct loop *loop = answers->data;
    (void)status; /* an epoll has no errors to tell of */
    (void)events;
    take_answers(loop, store_look(loop->service.submitter));
}

static void wake_resting(struct loop *loop)
{
    while (loop->peers_resting) {
        struct peer *peer = loop->peers_resting;
        stop_resting(peer);
        set_reading(peer);
    }
}

static void on_turn_end(uv_prepare_t *prepare)
{
    struct loop *loop = prepare->data;
    struct op *answered;
    wake_resting(loop);
    /* Who is answered may have sent another request with the last. */
    while ((answered = store_hand_over(loop->service.submitter)))
        take_answers(loop, answered);
}

/* What cannot be waited for any longer: whoever waits for the store is told that it is not known
 * what happened. */
static void give_up(struct peer *peer)
{
    if (peer->connection.state == CONNECTION_WAITING) {
        connection_expired(&peer->connection);
        send_output(peer);
    }
    peer_close(peer);
}

static void on_sweep(uv_timer_t *timer)
{
    struct loop *loop = timer->data;
    tell_time(loop);
    uint64_t now_ms = loop->service.now_ms;
    bool late = loop->service.draining && now_ms >= loop->drain_deadline_ms;
    struct peer *next;
    for (struct peer *peer = loop->peers_open; peer; peer = next) {
        next = peer->next;
        if (peer->closing)
            continue;
        if (late) {
            give_up(peer);
        } else if (now_ms >= peer->connection.deadline_ms) {
            connection_expired(&peer->connection);
            if (peer->connection.state == CONNECTION_CLOSED)
                peer_close(peer); /* also with a write still out: nobody reads it */
            drive(peer);
        }
    }
}

/* --- draining ------------------------------------------------------------------------------- */

static void stop_if_done(struct loop *loop)
{
    if (loop->shut && !loop->peers_open)
        uv_stop(&loop->uv);
}

static void drain(struct loop *loop)
{
    if (loop->service.draining) {
        loop->drain_deadline_ms = 0; /* asked twice: now */
        return;
    }
    uv_update_time(&loop->uv); /* a long turn is no reason to end the next one early */
    tell_time(loop);
    loop->service.draining = true;
    loop->drain_deadline_ms = loop->service.now_ms + DRAIN_TIMEOUT_MS;
    for (struct peer *peer = loop->peers_open; peer; peer = peer->next)
        connection_drain(&peer->connection);
}

static void on_summons(uv_async_t *async)
{
    struct loop *loop = async->data;
    pthread_mutex_lock(&loop->mutex);
    struct peer *sent = loop->sent;
    loop->sent = NULL;
    uint32_t drains_told = loop->drains_told;
    loop->shut = loop->shut_told;
    pthread_mutex_unlock(&loop->mutex);

    tell_time(loop);
    while (sent) {
        struct peer *next = sent->next;
        begin(loop, sent);
        sent = next;
    }
    for (; loop->drains < drains_told; loop->drains++)
        drain(loop);
    stop_if_done(loop);
}

void loop_drain(struct loop *loop)
{
    pthread_mutex_lock(&loop->mutex);
    loop->drains_told++;
    pthread_mutex_unlock(&loop->mutex);
    (void)uv_async_send(&loop->summons);
}

void loop_shut(struct loop *loop)
{
    pthread_mutex_lock(&loop->mutex);
    loop->shut_told = true;
    pthread_mutex_unlock(&loop->mutex);
    (void)uv_async_send(&loop->summons);
}

/* --- creating, running, freeing ------------------------------------------------------------- */

static int open_handles(struct loop *loop)
{
    int result = uv_loop_init(&loop->uv);
    if (result != 0)
        return result;
    result = uv_async_init(&loop->uv, &loop->wake, on_wake);
    if (result == 0)
        result = uv_async_init(&loop->uv, &loop->summons, on_summons);
    if (result != 0)
        return result;
    /* None of these fails on a loop that works. */
    (void)uv_prepare_init(&loop->uv, &loop->turn_end);
    (void)uv_timer_init(&loop->uv, &loop->sweep);
    loop->wake.data = loop->summons.data = loop->turn_end.data = loop->sweep.data = loop;
    (void)uv_prepare_start(&loop->turn_end, on_turn_end);
    (void)uv_timer_start(&loop->sweep, on_sweep, SWEEP_INTERVAL_MS, SWEEP_INTERVAL_MS);
    return 0;
}

bool loop_create(struct loop **ret, struct peers *peers, uint32_t pending_max,
                 void (*room)(void *context), void *context, char *error, size_t error_size)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        goto no_memory;
    loop->peers = peers;
    loop->room = room;
    loop->context = context;
    /* One more than the store takes (twice pending_max, see store.h): a question that needs no queue
     * finds an op when it is full. */
    if (!op_pool_init(&loop->service.pool, 2 * pending_max + 1))
        goto free_loop;
    int result = open_handles(loop);
    if (result != 0) {
        snprintf(error, error_size, "cannot create an event loop: %s", uv_strerror(result));
        goto free_pool;
    }
    pthread_mutex_init(&loop->mutex, NULL);
    *ret = loop;
    return true;

free_pool:
    op_pool_free(&loop->service.pool);
    free(loop);
    return false;
free_loop:
    free(loop);
no_memory:
    snprintf(error, error_size, "out of memory");
    return false;
}

static void close_handle(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void loop_free(struct loop *loop)
{
    assert(!loop->peers_open && !loop->sent);
    uv_walk(&loop->uv, close_handle, NULL);
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
    int result = uv_loop_close(&loop->uv);
    assert(result == 0);
    (void)result;
    pthread_mutex_destroy(&loop->mutex);
    op_pool_free(&loop->service.pool);
    free(loop);
}

uv_loop_t *loop_uv(struct loop *loop)
{
    return &loop->uv;
}

void loop_wake(void *loop)
{
    (void)uv_async_send(&((struct loop *)loop)->wake);
}

void loop_run(struct loop *loop, struct submitter *submitter)
{
    int fd = store_pollable(submitter);
    loop->service.submitter = submitter;
    if (fd >= 0 && uv_poll_init(&loop->uv, &loop->answers, fd) == 0) {
        loop->answers.data = loop;
        (void)uv_poll_start(&loop->answers, UV_READABLE, on_answers);
        on_answers(&loop->answers, 0, UV_READABLE); /* so that the store knows */
    }
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
    if (fd >= 0 && uv_is_active((uv_handle_t *)&loop->answers))
        uv_close((uv_handle_t *)&loop->answers, NULL); /* the store ends before the loop does */
}
