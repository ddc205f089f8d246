/* SPDX-License-Identifier: MIT
 *
 * server.c - see server.h.
 *
 * The first loop is this thread's. It accepts for all: connections are then as evenly shared as they can
 * be, on any kind of socket, and one count decides who is refused (docs/decisions/0014-threads.md).
 */
#include "http/server.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "http/entry_json.h"
#include "http/listener.h"
#include "http/loop.h"
#include "http/peers.h"
#include "ops/log.h"
#include "store/thread.h"

/* A loop, and its thread, which the first one does not need. */
struct worker {
    struct server *server;
    struct loop *loop;
    struct submitter *submitter;
    pthread_t thread;
};

struct server {
    struct server_options options;
    struct peers peers;
    struct worker workers[SUBMITTERS_MAX]; /* [0, workers_made) have a loop */
    uint32_t workers_made, threads_started;
    _Atomic uint32_t threads_running;

    /* On the first loop. */
    struct listener listeners[SERVER_LISTENERS_MAX];
    uint32_t listeners_open;
    uv_async_t room;      /* listeners that had to pause may go on: a place is free */
    uv_timer_t retry;     /* or there may be a descriptor */
    uv_timer_t last_call; /* draining: whoever has connected by then is accepted */
    uv_signal_t terminate, interrupt, hang_up;
    bool draining;
};

static struct loop *first_loop(struct server *server)
{
    return server->workers[0].loop;
}

/* --- accepting ------------------------------------------------------------------------------ */

/* One that has fewest; the first accepts besides, and so it is the last to get one more. */
static struct loop *find_loop(struct server *server)
{
    uint32_t least = UINT32_MAX;
    struct loop *found = NULL;
    for (uint32_t i = server->workers_made; i > 0; i--) {
        uint32_t load = loop_load(server->workers[i - 1].loop);
        if (load < least) {
            least = load;
            found = server->workers[i - 1].loop;
        }
    }
    return found;
}

static void share_out(struct server *server, struct peer *peer)
{
    struct loop *loop = find_loop(server);
    if (loop == first_loop(server))
        loop_take(loop, peer);
    else
        loop_send(loop, peer);
}

static void go_on_listening(struct server *server)
{
    for (uint32_t i = 0; i < server->listeners_open; i++)
        listener_go_on(&server->listeners[i]);
}

static void on_room(uv_async_t *async)
{
    go_on_listening(async->data);
}

static void on_retry(uv_timer_t *timer)
{
    go_on_listening(timer->data);
}

/* Called on any loop's thread. */
static void tell_of_room(void *context)
{
    struct server *server = context;
    (void)uv_async_send(&server->room);
}

static void accept_all(struct server *server, struct listener *listener)
{
    struct peer *peer;
    int fd = LISTENER_NOBODY;
    while ((peer = peers_take(&server->peers)) && (fd = listener_accept(listener)) >= 0) {
        peer->fd = fd;
        peer->is_unix = listener->is_unix;
        share_out(server, peer);
    }
    if (!peer) {
        listener_pause(listener); /* before on_room(), which is this thread's too */
        return;
    }
    (void)peers_give_back(&server->peers, peer);
    if (fd == LISTENER_NO_MEANS) {
        listener_pause(listener);
        (void)uv_timer_start(&server->retry, on_retry, SWEEP_INTERVAL_MS, 0);
    }
}

static void on_waiting(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = (struct listener *)poll; /* its first member */
    (void)status;
    (void)events;
    accept_all(poll->data, listener);
}

/* --- draining ------------------------------------------------------------------------------- */

static void close_listeners(struct server *server)
{
    for (uint32_t i = 0; i < server->listeners_open; i++)
        listener_close(&server->listeners[i]);
    server->listeners_open = 0;
}

/* Nobody is sent any more. The first loop ends last, so that signals are heard until then. */
static void shut_loops(struct server *server)
{
    for (uint32_t i = 1; i <= server->threads_started; i++)
        loop_shut(server->workers[i].loop);
    if (server->threads_started == 0)
        loop_shut(first_loop(server));
}

static void on_last_call(uv_timer_t *timer)
{
    struct server *server = timer->data;
    for (uint32_t i = 0; i < server->listeners_open; i++)
        accept_all(server, &server->listeners[i]);
    close_listeners(server);
    shut_loops(server);
}

static const char *signal_name(int number)
{
    return number == SIGTERM ? "SIGTERM" : number == SIGINT ? "SIGINT" : "SIGHUP";
}

static void on_signal(uv_signal_t *signal, int number)
{
    struct server *server = signal->data;
    for (uint32_t i = 0; i < server->workers_made; i++)
        loop_drain(server->workers[i].loop);
    if (server->draining)
        return;
    server->draining = true;
    log_line(LOG_INFO, "draining", "signal", signal_name(number), NULL);
    uv_update_time(loop_uv(first_loop(server))); /* a long turn does not count */
    (void)uv_timer_start(&server->last_call, on_last_call, DRAIN_ACCEPT_MS, 0);
}

/* --- creating and freeing ------------------------------------------------------------------- */

static void free_loops(struct server *server)
{
    while (server->workers_made > 0)
        loop_free(server->workers[--server->workers_made].loop);
}

static bool create_loops(struct server *server, char *error, size_t error_size)
{
    while (server->workers_made < server->options.threads) {
        struct worker *worker = &server->workers[server->workers_made];
        worker->server = server;
        if (!loop_create(&worker->loop, &server->peers, server->options.pending_max, tell_of_room,
                         server, error, error_size)) {
            free_loops(server);
            return false;
        }
        server->workers_made++;
    }
    return true;
}

bool server_create(struct server **ret_server, const struct server_options *options, char *error,
                   size_t error_size)
{
    assert(options->threads >= 1 && options->threads <= SUBMITTERS_MAX);
    struct server *server = calloc(1, sizeof *server);
    if (!server) {
        snprintf(error, error_size, "out of memory");
        return false;
    }
    server->options = *options;
    if (!peers_init(&server->peers, options->connections_max, options->refusals_max)) {
        snprintf(error, error_size, "out of memory");
        goto free_server;
    }
    if (!create_loops(server, error, error_size))
        goto free_peers;
    entry_json_init();
    *ret_server = server;
    return true;

free_peers:
    peers_free(&server->peers);
free_server:
    free(server);
    return false;
}

void server_free(struct server *server)
{
    free_loops(server);
    peers_free(&server->peers);
    free(server);
}

/* --- running -------------------------------------------------------------------------------- */

static bool is_ignored(int number)
{
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static int start_handles(struct server *server)
{
    uv_loop_t *uv = loop_uv(first_loop(server));
    int result = uv_async_init(uv, &server->room, on_room);
    if (result != 0)
        return result;
    /* None of these fails on a loop that works, but signals may, for want of a descriptor. */
    (void)uv_timer_init(uv, &server->retry);
    (void)uv_timer_init(uv, &server->last_call);
    (void)uv_signal_init(uv, &server->terminate);
    (void)uv_signal_init(uv, &server->interrupt);
    (void)uv_signal_init(uv, &server->hang_up);
    server->room.data = server->retry.data = server->last_call.data = server;
    server->terminate.data = server->interrupt.data = server->hang_up.data = server;
    result = uv_signal_start(&server->terminate, on_signal, SIGTERM);
    if (result == 0)
        result = uv_signal_start(&server->interrupt, on_signal, SIGINT);
    if (result == 0 && !is_ignored(SIGHUP)) /* nohup(1) asks to be left running */
        result = uv_signal_start(&server->hang_up, on_signal, SIGHUP);
    return result;
}

static bool listen_on_all(struct server *server, char *error, size_t error_size)
{
    for (uint32_t i = 0; i < server->options.listen_count; i++) {
        if (!listener_open(&server->listeners[i], loop_uv(first_loop(server)),
                           &server->options.listen[i], server->options.socket_mode, on_waiting,
                           server, error, error_size)) {
            close_listeners(server);
            return false;
        }
        server->listeners_open++;
    }
    return true;
}

static void *run_worker(void *context)
{
    struct worker *worker = context;
    loop_run(worker->loop, worker->submitter);
    if (atomic_fetch_sub(&worker->server->threads_running, 1) == 1)
        loop_shut(first_loop(worker->server));
    return NULL;
}

static void join_threads(struct server *server)
{
    while (server->threads_started > 0)
        pthread_join(server->workers[server->threads_started--].thread, NULL);
}

static bool start_threads(struct server *server)
{
    atomic_store(&server->threads_running, server->workers_made - 1);
    for (uint32_t i = 1; i < server->workers_made; i++) {
        if (!thread_start(&server->workers[i].thread, run_worker, &server->workers[i])) {
            shut_loops(server);
            join_threads(server);
            return false;
        }
        server->threads_started++;
    }
    return true;
}

bool server_run(struct server *server, struct store *store, char *error, size_t error_size)
{
    for (uint32_t i = 0; i < server->workers_made; i++)
        server->workers[i].submitter = store_join(store, loop_wake, server->workers[i].loop);
    int result = start_handles(server);
    if (result != 0) {
        snprintf(error, error_size, "cannot watch signals: %s", uv_strerror(result));
        return false;
    }
    if (!listen_on_all(server, error, error_size))
        return false;
    if (!start_threads(server)) {
        close_listeners(server);
        snprintf(error, error_size, "cannot start %u threads", server->options.threads);
        return false;
    }
    for (uint32_t i = 0; i < server->listeners_open; i++)
        log_line(LOG_INFO, "listening", "address", server->listeners[i].text, NULL);
    loop_run(first_loop(server), server->workers[0].submitter);
    join_threads(server);
    return true;
}
