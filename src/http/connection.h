/* SPDX-License-Identifier: MIT
 *
 * connection.h - one client's connection, without the socket.
 *
 * Purpose    Turn the bytes of requests into ops and their answers into the bytes of replies, one
 *            request at a time, in order; keep its deadlines.
 * Invariant  connection_sane(). A request is judged in the order of docs/contract.md. A reply is
 *            complete before its first byte is sent, and nothing more is parsed until its last
 *            one has been.
 * Ownership  The server owns the struct; while CONNECTION_WAITING the store has `op`, which may
 *            outlive the connection (connection_abandon).
 * Threads    One, the event loop's.
 * Errors     Become replies. CONNECTION_CLOSED asks the server to close the socket.
 * Not here   Sockets, timers, accepting: server.c.
 */
#ifndef CREBITO_HTTP_CONNECTION_H
#define CREBITO_HTTP_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/entry_json.h"
#include "http/op_pool.h"
#include "http/reply.h"
#include "http/request.h"
#include "store/store.h"

/* What the connections of one event loop share. */
struct service {
    struct submitter *submitter;
    struct op_pool pool;
    uint64_t now_ms; /* the event loop's clock, for deadlines */
    int64_t date_s;  /* of which second `date` is */
    char date[REPLY_DATE_BYTES + 1];
    bool draining; /* every reply is its connection's last */
    /* Scratch, the same few cache lines for every connection. What a connection must keep for
     * longer than one call from the server it copies to itself. */
    char input[INPUT_BYTES_MAX];
    char output[OUTPUT_BYTES_MAX];
    struct json_arena arena;
};

enum connection_state {
    CONNECTION_READING,   /* the client's turn: between requests, or within one */
    CONNECTION_WAITING,   /* the store's turn: it has the op */
    CONNECTION_SENDING,   /* a reply, or "100 Continue", is on its way out */
    CONNECTION_LINGERING, /* all is said; the rest of the input is thrown away (RFC 9112 9.6) */
    CONNECTION_CLOSED,    /* the server may close the socket */
};

/* Input that came before its turn:  [0, input_start) parsed | [input_start, input_end) not yet
 * A reply being sent:  [0, output_start) sent | [output_start, output_end) not yet; its bytes are
 * in service->output until the first connection_sent(), from then on in `output`. */
struct connection {
    enum connection_state state;
    struct service *service;
    uint64_t deadline_ms;         /* of the present state */
    uint64_t request_deadline_ms; /* of the request being read, from its first byte */
    struct op *op;
    bool close_after;     /* the reply is the last */
    bool interim;         /* the reply is "100 Continue" */
    bool output_kept;     /* the reply is in `output` */
    bool input_ended;     /* the client sends no more; it may still be reading */
    enum problem refusal; /* why the body was refused, while its OP_CLIENT is out */
    const char *refusal_detail;
    uint32_t input_start, input_end, output_start, output_end;
    struct request request;
    char input[INPUT_BYTES_MAX];
    char output[OUTPUT_BYTES_MAX];
};

bool connection_sane(const struct connection *connection);

void connection_open(struct connection *connection, struct service *service);

/* Past the connection limit: a 503, and nothing is read. */
void connection_open_refused(struct connection *connection, struct service *service);

/* Where to put what the socket has, until connection_received(); a *ret_bytes of 0 says to stop
 * reading for now. */
char *connection_room(struct connection *connection, size_t *ret_bytes);
void connection_received(struct connection *connection, size_t bytes);
void connection_input_ended(struct connection *connection);

/* The store has answered connection->op. */
void connection_answered(struct connection *connection);

/* What is to be sent; 0 bytes if nothing is. Before another connection is looked at, the server
 * says with connection_sent() how much of it was, be it nothing; what is left then stays in place
 * until the next connection_sent(). */
size_t connection_output(struct connection *connection, const char **ret_bytes);
void connection_sent(struct connection *connection, size_t bytes);

/* now_ms has passed deadline_ms. */
void connection_expired(struct connection *connection);

/* The service has begun to drain. */
void connection_drain(struct connection *connection);

/* The socket is gone: the op, if there is one, will come back to nobody. */
void connection_abandon(struct connection *connection);

#endif
