/* SPDX-License-Identifier: MIT
 *
 * floor.h - a server that does nothing: what noop.c and oneowner.c share.
 *
 * Purpose    Sockets alone: listen, accept, one read for a request, one fixed reply of the same bytes as the bank's to
 *            an accepted transaction. Nothing is parsed; where the first header is `Connection: close` the
 *            reply says so too, and the connection is closed.
 * Invariant  One read, one reply; so a client must neither pipeline nor split a request, nor leave before its
 *            answer.
 * Ownership  A connection is its descriptor; whoever sees it end closes it.
 * Threads    None of its own.
 * Errors     Of a connection: it is closed. Of the start: perror and exit 1.
 * Not here   Anything a real server needs, or that removes its socket. For benchmarks only.
 */
#ifndef CREBITO_BENCH_FLOOR_H
#define CREBITO_BENCH_FLOOR_H

#include <stdbool.h>

enum { FLOOR_EVENTS_MAX = 256 }; /* per wait: as many as the benchmark has connections */

_Noreturn void floor_die(const char *what);

/* This thread is scheduled as the bank's are: or it would be no limit. */
void floor_schedule(void);

/* `PORT`, on the loopback, or `unix:PATH`; -1: neither. */
int floor_listen(const char *address);
void floor_watch(int epoll, int fd);
void floor_accept(int epoll, int listener); /* all that wait */

/* True: a request has come, and has to be answered. */
bool floor_asked(int fd, bool *last);
void floor_reply(int fd, bool last);

#endif
