/* SPDX-License-Identifier: MIT
 *
 * store.h - the seam: whoever serves requests submits ops here and takes their answers back.
 *
 * Purpose    Hide which store keeps the money and how its commits are shared (group commit).
 * Invariant  An op is answered once. OUTCOME_OK on an entry means durable: on stable storage, and
 *            surviving power loss (unless the store was opened with durable = false). No answer
 *            of any kind shows a state that a power cut could undo. Entries of one client take
 *            effect one at a time, in one order that every answer agrees with.
 * Ownership  The store owns itself and its threads; ops stay their submitter's memory (op.h).
 * Threads    A submitter is one thread's, which submits, hands over and takes back; `wake` is called
 *            from the store's own threads. Opening, joining and closing are for one thread, with
 *            none of the others about. Other processes open the same store, or ask through
 *            store_ask(), in one order with everybody.
 * Errors     store_open() returns false and a sentence for the operator. Everything later is an
 *            outcome of an op; the store logs when its ability to serve changes.
 * Not here   Requests, replies, deadlines: an op that takes long is the submitter's to give up on.
 */
#ifndef CREBITO_STORE_STORE_H
#define CREBITO_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "must_check.h"
#include "store/op.h"

struct store;
struct submitter; /* who submits ops: a thread's side of a store */

enum { SUBMITTERS_MAX = 32 }; /* more would only wait for the one committer of a folder */

enum store_profile {
    PROFILE_AS_IT_IS, /* durable, if the store is new */
    PROFILE_DURABLE,
    PROFILE_CONTEST, /* PostgreSQL: tables that a crash of the server empties */
};

struct store_options {
    bool must_exist;     /* or else a store is created where there is none (LMDB) */
    bool durable;        /* false: benchmarks only; answers do not wait for the disk */
    bool serves;         /* it is a bank's, which promises its clients what `durable` says */
    uint64_t map_bytes;  /* LMDB: the largest the data file may become; 0: as it was */
    uint32_t submitters; /* so many will join, 1 .. SUBMITTERS_MAX */
    /* Ops submitted and not taken back, by all together: so many that write, so many that read. Past
     * it OUTCOME_BUSY. */
    uint32_t pending_max;
    int64_t key_retention_us;     /* how long an idempotency key is remembered at least */
    uint32_t connections;         /* PostgreSQL: at most so many, 1 .. LANES_MAX */
    uint32_t connect_timeout_s;   /* PostgreSQL: for one connection, and for the server to be there
                                  * at the start */
    uint32_t statement_timeout_s; /* PostgreSQL: for one call, and for a lock that it waits for */
    enum store_profile profile;   /* store_init(): PostgreSQL */
};

/* What a store holds, for an operator's eyes. */
struct store_facts {
    uint32_t layout;   /* version of what is on disk */
    uint64_t accounts; /* accounts in the ledger */
    uint64_t records;  /* of the journal: openings, limits, entries */
    uint64_t keys;     /* idempotency keys remembered */
    uint64_t commits; /* batches of the folder, since it was made; 0: that is a server's to count */
    uint64_t checkpoints;    /* how often those were brought into its data file */
    uint64_t used_bytes;     /* of the data file, of the tables */
    uint64_t capacity_bytes; /* used_bytes cannot pass this; 0: that is a server's to know */
    uint64_t free_bytes;     /* of the disk, for whoever serves it; a server's to know too */
    char owner[128];         /* who has it open: "process 4711"; empty if nobody */
};

/* Does `url` name a kind of store that this build has? False with a sentence. */
MUST_CHECK bool store_url_known(const char *url, char *error, size_t error_size);

/* Makes the store and its five clients if there is none, brings an older one up to date; one that is
 * being served is left alone. */
MUST_CHECK bool store_init(const char *url, const struct store_options *options, char *error,
                           size_t error_size);

/* lmdb:PATH: creates the store with its five clients if there is none. */
MUST_CHECK bool store_open(struct store **ret_store, const char *url,
                           const struct store_options *options, char *error, size_t error_size);

/* Answers every op handed over, then stops the threads. No op may be held back unsubmitted. */
void store_close(struct store *store);

/* One submitter more, of those that were announced; it lives as long as the store. `wake`: answers are
 * waiting, call store_take_answered() soon. */
struct submitter *store_join(struct store *store, void (*wake)(void *context), void *wake_context);

/* True: answered, the op is the caller's again. False: the store has it until it comes out of
 * store_take_answered(). Submitted ops start moving at the next store_hand_over(). */
MUST_CHECK bool store_submit(struct submitter *submitter, struct op *op);

/* Hand what was submitted to whoever books it: once per turn of the event loop, so that the ops of
 * one turn share a commit and the hand-over costs one lock. Returns those that are answered at once, as
 * store_take_answered() does. */
struct op *store_hand_over(struct submitter *submitter);

/* Its answered ops, linked through `next`; NULL if there are none. */
struct op *store_take_answered(struct submitter *submitter);

/* A shorter way for answers than `wake`: a descriptor that the submitter may poll, until the store is closed, and when it
 * is readable call store_look(), which returns as store_take_answered() does. -1: there is none for this one. */
int store_pollable(const struct submitter *submitter);
struct op *store_look(struct submitter *submitter);

/* One op, by a process that has not opened the store: carried to the one that has, or else the store
 * is opened for it, and never created. The op must be op_sane(). True: it has its outcome, which is
 * OUTCOME_UNKNOWN if the process it was carried to gave no answer. False with a sentence: it could
 * not be asked, and nothing has happened. */
MUST_CHECK bool store_ask(const char *url, struct op *op, char *error, size_t error_size);

/* Look at a store without opening it: works beside an owner and takes no lock. False with a
 * sentence when there is none or it cannot be read. */
MUST_CHECK bool store_inspect(struct store_facts *ret_facts, const char *url, char *error,
                              size_t error_size);

#endif
