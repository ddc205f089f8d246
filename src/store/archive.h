/* SPDX-License-Identifier: MIT
 *
 * archive.h - the whole ledger at once: audited, copied, read out, built anew.
 *
 * Purpose    What an operator does to a ledger that store.h, one op at a time, cannot.
 * Invariant  A source is never written to, and may be served meanwhile; LMDB's is read in snapshots
 *            so short that it does not grow for them. A target appears under its name whole, audited
 *            and on stable storage, or not at all; there must be no store under that name yet.
 * Ownership  Borrows everything; struct archive_build is the store's until finished or abandoned.
 * Threads    None of its own. For one thread of a process that serves nothing: a damaged page of
 *            the source may end the process with a signal (ops/task.h makes that an answer).
 * Errors     enum archive_end, and a sentence for the operator unless it is ARCHIVE_DONE.
 * Not here   Text formats (exchange/), progress on a terminal (ops/task.h).
 */
#ifndef CREBITO_STORE_ARCHIVE_H
#define CREBITO_STORE_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bank/journal.h"
#include "must_check.h"
#include "ops/task.h"

enum archive_end {
    ARCHIVE_DONE,
    ARCHIVE_WRONG,      /* the ledger is not what it should be; the sentence names the record */
    ARCHIVE_UNREADABLE, /* there is no ledger of ours there, or it may not be read */
    ARCHIVE_FAILED,     /* the target: there is one already, or it cannot be written */
    ARCHIVE_STOPPED,    /* task_stopped(), or a sink wants no more */
};

/* A journal record, and the idempotency key it came with. */
struct archive_record {
    struct journal_record journal;
    uint8_t key_bytes; /* 0: without a key, or the key is forgotten by now */
    char key[KEY_BYTES_MAX];
};

struct archive_facts {
    int64_t created_us; /* the store, Unix time */
    uint64_t records;   /* journal records: openings, limits, entries */
    uint64_t entries;   /* of them, those that moved money */
    uint64_t accounts;
    uint64_t keys;  /* idempotency keys remembered */
    uint64_t bytes; /* in use of the data file */
};

/* Every balance is the opening balance plus its history, the limit was kept at each step, the
 * journal is unbroken, what is derived from it (accounts, last entries, keys) agrees with it. */
MUST_CHECK enum archive_end archive_verify(const char *url, struct task *task,
                                           struct archive_facts *ret_facts, char *error,
                                           size_t error_size);

/* A consistent, compacted copy, audited before it gets its name. */
MUST_CHECK enum archive_end archive_copy(const char *from_url, const char *to_url,
                                         struct task *task, struct archive_facts *ret_facts,
                                         char *error, size_t error_size);

/* Removes what a copy or a build left that died before it could: of a target that came to be, or
 * that another process is making, nothing. */
void archive_clear(const char *url);

/* Where records go to, in the order of the journal. False from a call: it wants no more. */
struct archive_sink {
    bool (*begin)(void *context, int64_t created_us);
    bool (*record)(void *context, const struct archive_record *record);
    void *context;
};

/* Which records: client 0 is every client, since_us INT64_MIN all the time there was. */
struct archive_range {
    uint32_t client;
    int64_t since_us;
};

/* The records in the journal at the start; what is booked meanwhile is not among them. */
MUST_CHECK enum archive_end archive_read(const char *url, const struct archive_range *range,
                                         const struct archive_sink *sink, struct task *task,
                                         char *error, size_t error_size);

/* A new store, record by record: each is replayed by the ledger's rule and must come out as it
 * says it did. */
struct archive_build;

MUST_CHECK enum archive_end archive_build_begin(struct archive_build **ret_build, const char *url,
                                                uint64_t map_bytes, int64_t created_us, char *error,
                                                size_t error_size);
/* ARCHIVE_WRONG: the record does not follow. Where the ledger's rule refused it, the build can go on
 * without it; where it came out other than it says, the build cannot be finished. */
MUST_CHECK enum archive_end archive_build_add(struct archive_build *build,
                                              const struct archive_record *record, char *error,
                                              size_t error_size);
/* Audits it and gives it its name. Both of these end the build, however they end. */
MUST_CHECK enum archive_end archive_build_finish(struct archive_build *build, struct task *task,
                                                 struct archive_facts *ret_facts, char *error,
                                                 size_t error_size);
void archive_build_abandon(struct archive_build *build);

#endif
