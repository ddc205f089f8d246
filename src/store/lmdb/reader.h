/* SPDX-License-Identifier: MIT
 *
 * reader.h - a ledger that somebody else may be serving, read in short snapshots.
 *
 * Purpose    Walk through all of it without holding on to any of it: while a snapshot is open, LMDB
 *            cannot use pages again, and the file grows.
 * Invariant  No snapshot lasts for more than READER_SLICE records or so. The journal only grows at
 *            its end, so that one begun in a snapshot goes on in the next.
 * Ownership  reader_open() fills a struct that reader_close() empties; borrows the environment.
 *            What a snapshot shows is LMDB's memory, until reader_rest().
 * Threads    One.
 * Errors     LMDB's codes. MDB_CORRUPTED from journal_next(): the record that should be next is
 *            missing.
 * Not here   What the records mean.
 */
#ifndef CREBITO_STORE_LMDB_READER_H
#define CREBITO_STORE_LMDB_READER_H

#include <lmdb.h>
#include <stdbool.h>
#include <stdint.h>

#include "must_check.h"
#include "store/lmdb/environment.h"
#include "store/lmdb/record.h"

enum { READER_SLICE = 1024 };

struct reader {
    const struct environment *environment;
    MDB_txn *snapshot;
};

MUST_CHECK int reader_open(struct reader *reader, const struct environment *environment);
void reader_close(struct reader *reader);

/* The ledger as it is now; until reader_rest(). */
MUST_CHECK int reader_look(struct reader *reader);
void reader_rest(struct reader *reader);

/* Records of a table in this snapshot; and the journal's last sequence, 0 if it has none. */
MUST_CHECK int reader_count(const struct reader *reader, MDB_dbi table, uint64_t *ret);
MUST_CHECK int reader_last(const struct reader *reader, uint64_t *ret_sequence);

/* One journal record. MDB_CORRUPTED: it is there, and wrong. */
MUST_CHECK int reader_record(const struct reader *reader, uint64_t sequence,
                             struct journal_record *ret);

/* The journal from after `sequence` on, within this snapshot. */
struct journal_walk {
    MDB_cursor *cursor;
    uint64_t sequence; /* of the last value that journal_next() gave */
    bool begun;
};

MUST_CHECK int journal_walk_begin(struct journal_walk *walk, const struct reader *reader,
                                  uint64_t sequence);
/* MDB_NOTFOUND: the end. */
MUST_CHECK int journal_next(struct journal_walk *walk, MDB_val *ret_value);
void journal_walk_end(struct journal_walk *walk);

#endif
