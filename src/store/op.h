/* SPDX-License-Identifier: MIT
 *
 * op.h - one question to the store, and its answer.
 *
 * Purpose    What a request becomes: plain data that can wait in a queue, share a commit with
 *            others, or travel to another process.
 * Invariant  One owner at a time; enum op_state names it.
 * Ownership  The submitter allocates and frees; the store holds the op between store_submit() and
 *            store_take_answered(). The store follows no pointer in it but those under bookkeeping.
 * Threads    Only the owner touches an op; ownership moves under the queue's mutex, or under that of the
 *            backend that takes it straight from its submitter.
 * Errors     In `outcome`.
 * Not here   How it is stored, how it is sent.
 */
#ifndef CREBITO_STORE_OP_H
#define CREBITO_STORE_OP_H

#include <stdbool.h>
#include <stdint.h>

#include "bank/ledger.h"

enum op_kind {
    OP_ENTRY,     /* book `entry` on `client`, once for each key */
    OP_OPEN,      /* open an account for `client`, with limit_cents and balance_cents */
    OP_LIMIT,     /* change the credit limit of `client` to limit_cents */
    OP_STATEMENT, /* the account and its last entries, as one snapshot */
    OP_CLIENT,    /* does `client` exist? */
    OP_HEALTH,    /* could an entry be booked now? */
    OP_SETTLE,    /* have all that was answered where other processes read it */
};

enum op_state {
    OP_IDLE,       /* the submitter's */
    OP_QUEUED,     /* in the queue, waiting; nobody may touch it */
    OP_COMMITTING, /* in the batch, or the backend's; only the committer, or it, may touch it */
    OP_ANSWERED,   /* outcome is in, waiting to be taken back */
};

struct op {
    /* The question: written by the submitter before store_submit(). */
    enum op_kind kind;
    uint32_t client;
    struct entry entry; /* OP_ENTRY; the store sets entry.time_us */
    uint8_t key_bytes;  /* 0: no idempotency key */
    char key[KEY_BYTES_MAX];

    /* Question of OP_OPEN and OP_LIMIT; answer of these and of OP_ENTRY: right after it. */
    int64_t limit_cents;
    int64_t balance_cents;

    /* The answer: written by the store. Unless OUTCOME_OK only `outcome` means anything. */
    enum outcome outcome;
    bool replayed;          /* OP_ENTRY: the key was known; this is the first answer again */
    int64_t snapshot_us;    /* OP_STATEMENT: when the snapshot was taken, Unix time */
    struct account account; /* OP_STATEMENT */

    /* Bookkeeping. */
    enum op_state state;
    uint32_t lane; /* of the queue's, whose ops keep their order; the submitter's to choose */
    struct op *next;
    struct port *port; /* the queue's: where the answer goes */
    void *context;     /* the submitter's; the store does not look at it */
};

/* Does it ask for a change of the ledger? Then it takes a commit, and its end may be unknown. */
static inline bool op_writes(const struct op *op)
{
    return op->kind == OP_ENTRY || op->kind == OP_OPEN || op->kind == OP_LIMIT;
}

/* Is it a question that a store can be asked? (Whoever submits one sees to it.) */
bool op_sane(const struct op *op);

#endif
