/* SPDX-License-Identifier: MIT
 *
 * owner.h - the one process that has a folder's ledger open.
 *
 * Purpose    Book and read: one flush for each batch; statements that wait for no
 *            commit; and the same for ops of other processes. What a crash has left in the log is booked
 *            when it is opened.
 * Invariant  What is answered OUTCOME_OK is in the log, flushed (with durable), or in the file. A statement
 *            shows nothing that is still being flushed. Nothing is half booked: journal, account, key
 *            and expiry records of an entry are one transaction. After a flush whose end is not
 *            known, or when the folder is no longer where it was, the store latches down: it
 *            answers OUTCOME_DOWN until it is opened anew.
 * Ownership  Owns the environment, the folder and its lock.
 * Threads    owner_answer_now() and owner_start() on each submitter's, owner_commit() and owner_settle() on
 *            another, and one that takes ops of other processes (owner_socket.h), from owner_admit() to
 *            owner_dismiss().
 * Errors     Opening: an end and a sentence. Later: outcomes; full, mended and down are logged.
 * Not here   Queues, committers; processes that come second: lmdb_store.h.
 */
#ifndef CREBITO_STORE_LMDB_OWNER_H
#define CREBITO_STORE_LMDB_OWNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "must_check.h"
#include "store/lmdb/folder.h"
#include "store/queue.h"
#include "store/store.h"

struct owner;

enum owner_opening {
    OWNER_OPENED,
    OWNER_HELD,      /* another process has the folder */
    OWNER_NOT_OPENED /* and would not be, were it tried again */
};

/* `place`: open this very folder, or none; NULL: whichever is at `path`. */
MUST_CHECK enum owner_opening owner_open(struct owner **ret, const char *path,
                                         const struct store_options *options,
                                         const struct folder_place *place, char *error,
                                         size_t error_size);
void owner_close(struct owner *owner);

/* True if the op could be answered without a commit, and now is. `submitter`: as in backend.h. */
bool owner_answer_now(struct owner *owner, uint32_t submitter, struct op *op);

/* Without waiting: true if each op has its outcome now, as of owner_commit(); false if nothing has happened. */
bool owner_start(struct owner *owner, struct op **ops, uint32_t count);

/* As backend_calls.settle. */
bool owner_settle(struct owner *owner, bool idle);

/* Sets the outcome of every op, those that owner_answer_now() would have answered among them. */
void owner_commit(struct owner *owner, struct op **ops, uint32_t count);

/* Take ops of other processes. Where that cannot be, it is logged. */
void owner_admit(struct owner *owner, struct queue *queue);

/* No more of them, and those that were asked are answered. */
void owner_dismiss(struct owner *owner);

#endif
