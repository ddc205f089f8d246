/* SPDX-License-Identifier: MIT
 *
 * owner_socket.h - where the process that owns a store takes ops of other processes.
 *
 * Purpose    A thread that listens on FOLDER_SOCKET: each peer is greeted, asks, and is answered in
 *            the order in which its answers are known. Its ops go through a port of their own, and
 *            so are in one order with everybody's. Whoever has the answers sends them: the committer,
 *            so that nobody has to be woken for it, or the thread, while that is at work.
 * Invariant  A question that could be sent is judged, unless the process dies: before a peer is let
 *            go its side is shut, and what came until then is read and answered. A peer holds at
 *            most OWNER_PEER_OPS_MAX ops; further ones wait in its socket.
 * Ownership  Owns the socket and its name; borrows the folder, the queue and the answering side.
 *            Whoever holds the folder's lock may remove a name that the dead left.
 * Threads    It is one, and the committer's sends answers beside it and never waits for it: a mutex that
 *            the thread lets go of only to poll, and that the committer only tries. The thread alone closes
 *            descriptors, reads, accepts, and submits; it is woken where it has left something out of its
 *            poll that an answer may change. open, end and free are for one other thread; free only
 *            after the committer.
 * Errors     open: false and a sentence. A peer that sends what is no question, or does not read
 *            its answers, is dropped without a word.
 * Not here   What a frame is (op_wire.h), the other end (owner_meet.h), deadlines: the asker's.
 */
#ifndef CREBITO_STORE_LMDB_OWNER_SOCKET_H
#define CREBITO_STORE_LMDB_OWNER_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/un.h>

#include "must_check.h"
#include "store/lmdb/folder.h"
#include "store/queue.h"

enum {
    OWNER_PEERS_MAX = 16,     /* then whoever has been silent longest makes room */
    OWNER_PEER_OPS_MAX = 128, /* asked and not answered yet; their answers fit a socket's buffer */
};

struct owner_socket;

/* `durable`: what is told of the store in the greeting. On the socket's thread: `answer_now`, as backend.h has it; `start`,
 * true if it has given each of these ops its outcome, false if they are for the committer. */
MUST_CHECK bool owner_socket_open(struct owner_socket **ret, const struct folder *folder,
                                  struct queue *queue, bool durable,
                                  bool (*answer_now)(void *context, struct op *op),
                                  bool (*start)(void *context, struct op **ops, uint32_t count),
                                  void *context, char *error, size_t error_size);

/* Takes nobody on, answers what was asked, stops the thread. */
void owner_socket_end(struct owner_socket *owner);
void owner_socket_free(struct owner_socket *owner);

/* FOLDER_SOCKET in a folder that is open as `folder_fd`, however long its path. */
struct sockaddr_un owner_socket_address(int folder_fd);

#endif
