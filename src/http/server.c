/* SPDX-License-Identifier: MIT
 *
 * server.c - see server.h.
 *
 * One turn of the event loop: answers come back (uv_async), bytes come in, connections submit ops;
 * before it waits for more (uv_prepare) all of the turn's ops go to the committer together.
 */
#include "http/server.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "http/connection.h"
#include "http/entry_json.h"
#include "http/listener.h"
#include "ops/log.h"

/* A connection and its socket. */
struct peer {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    };
    uv_write_t write;
    uv_shutdown_t shutdown;
    uint32_t write_bytes; /* handed to uv_write, not yet sent */
    bool reading, writing, shut, closing;
    bool refused; /* past the connection limit: only here to be told so */
    bool resting; /* has had its share of this turn */
    struct peer *next_resting;
    struct peer *next, *previous; /* among the open ones; `next` among the free ones too */
    struct server *server;
    struct connection connection;
};

struct server {
    uv_loop_t loop;
    uv_async_t wake;       /* the store has answers */
    uv_prepare_t turn_end; /* the turn's ops go to the committer */
    uv_timer_t sweep;      /* deadlines */
    uv_signal_t terminate, interrupt, hang_up;
    struct listener listeners[SERVER_LISTENERS_MAX];
    uint32_t listeners_open;
    struct server_options options;
    struct service service;
    uint64_t drain_deadline_ms;
    uint32_t drain_turns; /* of the loop, since the signal */

    struct peer *peers; /* [0, peers_touched) used before | memory not touched yet */
    struct peer *peers_open, *peers_free, *peers_resting;
    uint32_t peers_touched, peers_size;
    uint32_t peers_count, refused_count; /* open ones; those among them that are being refused */
};

static void drive(struct peer *peer);
static void accept_backlog(struct server *server);
static void close_listeners(struct server *server);
static void stop_if_drained(struct server *server);

/* --- peers ---------------------------------------------------------------------------------- */

static struct peer *peer_take(struct server *server)
{
    struct peer *peer = server->peers_free;
    if (peer)
        server->peers_free = peer->next;
    else if (server->peers_touched < server->peers_size)
        peer = &server->peers[server->peers_touched++];
    else
        return NULL;
    /* Not the connection, which is large and begins itself. */
    memset(peer, 0, offsetof(struct peer, connection));
    peer->server = server;
    peer->next = server->peers_open;
    if (peer->next)
        peer->next->previous = peer;
    server->peers_open = peer;
    server->peers_count++;
    return peer;
}

static void peer_release(struct peer *peer)
{
    struct server *server = peer->server;
    server->refused_count -= peer->refused;
    if (peer->previous)
        peer->previous->next = peer->next;
    else
        server->peers_open = peer->next;
    if (peer->next)
        peer->next->previous = peer->previous;
    peer->next = server->peers_free;
    server->peers_free = peer;
    server->peers_count--;
}

static void on_closed(uv_handle_t *handle)
{
    struct peer *peer = handle->data;
    struct server *server = peer->server;
    peer_release(peer);
    accept_backlog(server);
    stop_if_drained(server);
}

static void stop_resting(struct peer *peer)
{
    struct peer **at = &peer->server->peers_resting;
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
    uv_close(&peer->handle, on_closed);
}

/* libuv reads the clock when it has waited, not at each call. */
static void tell_time(struct server *server)
{
    server->service.now_ms = uv_now(&server->loop);
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
    peer->next_resting = peer->server->peers_resting;
    peer->server->peers_resting = peer;
}

static void on_read(uv_stream_t *stream, ssize_t bytes, const uv_buf_t *buffer)
{
    struct peer *peer = stream->data;
    tell_time(peer->server);
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

/* --- accepting ------------------------------------------------------------------------------ */

static int peer_accept(struct peer *peer, struct listener *listener)
{
    struct server *server = peer->server;
    /* Neither can fail: they make no socket yet. */
    if (listener->is_unix)
        (void)uv_pipe_init(&server->loop, &peer->pipe, 0);
    else
        (void)uv_tcp_init(&server->loop, &peer->tcp);
    peer->handle.data = peer;
    int result = uv_accept(&listener->stream, &peer->stream);
    if (result == 0 && !listener->is_unix)
        (void)uv_tcp_nodelay(&peer->tcp, 1);
    return result;
}

static void accept_one(struct server *server, struct listener *listener)
{
    bool refused = server->peers_count - server->refused_count >= server->options.connections_max;
    struct peer *peer = peer_take(server);
    /* Without a place libuv keeps the connection and polls no further, until uv_accept(). */
    listener->backlogged = peer == NULL;
    if (!peer)
        return;
    tell_time(server);
    peer->refused = refused;
    server->refused_count += refused;
    if (refused)
        connection_open_refused(&peer->connection, &server->service);
    else
        connection_open(&peer->connection, &server->service);
    if (peer_accept(peer, listener) != 0)
        peer_close(peer);
    else
        drive(peer);
}

static void accept_backlog(struct server *server)
{
    for (uint32_t i = 0; i < server->listeners_open; i++)
        if (server->listeners[i].backlogged)
            accept_one(server, &server->listeners[i]);
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct listener *listener = (struct listener *)stream; /* its first member */
    if (status == 0)
        accept_one(stream->data, listener);
}

/* --- the turn of the loop ------------------------------------------------------------------- */

static void on_wake(uv_async_t *async)
{
    struct server *server = async->data;
    struct op *op = store_take_answered(server->service.store);
    tell_time(server);
    while (op) {
        struct op *next = op->next;
        struct connection *connection = op->context;
        if (connection) {
            connection_answered(connection);
            drive((struct peer *)((char *)connection - offsetof(struct peer, connection)));
        } else {
            op_pool_give_back(&server->service.pool, op);
        }
        op = next;
    }
}

static void wake_resting(struct server *server)
{
    while (server->peers_resting) {
        struct peer *peer = server->peers_resting;
        stop_resting(peer);
        set_reading(peer);
    }
}

static void on_turn_end(uv_prepare_t *prepare)
{
    struct server *server = prepare->data;
    wake_resting(server);
    store_hand_over(server->service.store);
    /* The turn after the signal's still accepts: whoever has connected already is served. */
    if (server->service.draining && server->drain_turns++ == 1) {
        close_listeners(server);
        stop_if_drained(server);
    }
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
    struct server *server = timer->data;
    tell_time(server);
    uint64_t now_ms = server->service.now_ms;
    bool late = server->service.draining && now_ms >= server->drain_deadline_ms;
    struct peer *next;
    for (struct peer *peer = server->peers_open; peer; peer = next) {
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
    stop_if_drained(server);
}

/* --- draining ------------------------------------------------------------------------------- */

static void stop_if_drained(struct server *server)
{
    if (server->service.draining && server->listeners_open == 0 && server->peers_count == 0)
        uv_stop(&server->loop);
}

static void close_listeners(struct server *server)
{
    for (uint32_t i = 0; i < server->listeners_open; i++)
        listener_close(&server->listeners[i]);
    server->listeners_open = 0;
}

static const char *signal_name(int number)
{
    return number == SIGTERM ? "SIGTERM" : number == SIGINT ? "SIGINT" : "SIGHUP";
}

static void on_signal(uv_signal_t *signal, int number)
{
    struct server *server = signal->data;
    if (server->service.draining) {
        server->drain_deadline_ms = 0; /* asked twice: now */
        return;
    }
    log_line(LOG_INFO, "draining", "signal", signal_name(number), NULL);
    uv_update_time(&server->loop); /* a long turn is no reason to end the next one early */
    tell_time(server);
    server->service.draining = true;
    server->drain_deadline_ms = server->service.now_ms + DRAIN_TIMEOUT_MS;
    for (struct peer *peer = server->peers_open; peer; peer = peer->next)
        connection_drain(&peer->connection);
    (void)uv_timer_start(&server->sweep, on_sweep, DRAIN_ACCEPT_MS, SWEEP_INTERVAL_MS);
}

/* --- creating, running, freeing ------------------------------------------------------------- */

bool server_create(struct server **ret_server, const struct server_options *options, char *error,
                   size_t error_size)
{
    struct server *server = calloc(1, sizeof *server);
    if (!server)
        goto no_memory;
    server->options = *options;
    server->peers_size = options->connections_max + options->refusals_max;
    server->peers = calloc(server->peers_size, sizeof *server->peers);
    if (!server->peers)
        goto free_server;
    /* One more than the store takes (twice pending_max, see store.h): a question that needs no queue
     * finds an op when it is full. */
    if (!op_pool_init(&server->service.pool, 2 * options->pending_max + 1))
        goto free_peers;
    int result = uv_loop_init(&server->loop);
    if (result == 0)
        result = uv_async_init(&server->loop, &server->wake, on_wake);
    if (result != 0) {
        snprintf(error, error_size, "cannot create the event loop: %s", uv_strerror(result));
        goto free_pool;
    }
    server->wake.data = server;
    entry_json_init();
    *ret_server = server;
    return true;

free_pool:
    op_pool_free(&server->service.pool);
    free(server->peers);
    free(server);
    return false;
free_peers:
    free(server->peers);
free_server:
    free(server);
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

void server_free(struct server *server)
{
    assert(server->peers_count == 0);
    uv_walk(&server->loop, close_handle, NULL);
    (void)uv_run(&server->loop, UV_RUN_DEFAULT);
    int result = uv_loop_close(&server->loop);
    assert(result == 0);
    (void)result;
    op_pool_free(&server->service.pool);
    free(server->peers);
    free(server);
}

void server_wake(void *server)
{
    (void)uv_async_send(&((struct server *)server)->wake);
}

static bool is_ignored(int number)
{
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

/* None of these fails on a loop that works, but signals may, for want of a descriptor. */
static int start_handles(struct server *server)
{
    (void)uv_prepare_init(&server->loop, &server->turn_end);
    (void)uv_timer_init(&server->loop, &server->sweep);
    (void)uv_signal_init(&server->loop, &server->terminate);
    (void)uv_signal_init(&server->loop, &server->interrupt);
    (void)uv_signal_init(&server->loop, &server->hang_up);
    server->turn_end.data = server->sweep.data = server;
    server->terminate.data = server->interrupt.data = server->hang_up.data = server;
    (void)uv_prepare_start(&server->turn_end, on_turn_end);
    (void)uv_timer_start(&server->sweep, on_sweep, SWEEP_INTERVAL_MS, SWEEP_INTERVAL_MS);
    int result = uv_signal_start(&server->terminate, on_signal, SIGTERM);
    if (result == 0)
        result = uv_signal_start(&server->interrupt, on_signal, SIGINT);
    if (result == 0 && !is_ignored(SIGHUP)) /* nohup(1) asks to be left running */
        result = uv_signal_start(&server->hang_up, on_signal, SIGHUP);
    return result;
}

static bool listen_on_all(struct server *server, char *error, size_t error_size)
{
    for (uint32_t i = 0; i < server->options.listen_count; i++) {
        if (!listener_open(&server->listeners[i], &server->loop, &server->options.listen[i],
                           server->options.socket_mode, on_connection, server, error, error_size)) {
            close_listeners(server);
            return false;
        }
        server->listeners_open++;
    }
    for (uint32_t i = 0; i < server->listeners_open; i++)
        log_line(LOG_INFO, "listening", "address", server->listeners[i].text, NULL);
    return true;
}

bool server_run(struct server *server, struct store *store, char *error, size_t error_size)
{
    server->service.store = store;
    int result = start_handles(server);
    if (result != 0) {
        snprintf(error, error_size, "cannot watch signals: %s", uv_strerror(result));
        return false;
    }
    if (!listen_on_all(server, error, error_size))
        return false;
    (void)uv_run(&server->loop, UV_RUN_DEFAULT);
    return true;
}
