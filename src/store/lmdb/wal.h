/* SPDX-License-Identifier: MIT
 *
 * wal.h - the write-ahead log: what a batch has booked, on disk with one write.
 *
 * Purpose    LMDB makes a commit durable with two flushes, of pages that hold little that is new. So a
 *            batch is first written here, one block after the other into a file that is there already,
 *            and LMDB gets many batches at once, in a checkpoint. After a crash the blocks since the last
 *            checkpoint are booked again. docs/decisions/0016-write-ahead.md has the layout.
 * Invariant  The file has two halves, each a log by itself: while a checkpoint brings one to LMDB, batches go
 *            on in the other. A lap is a half's blocks since it was last begun, from the half's begin on: the
 *            records of a lap follow each other without a gap, and each block names the lap's first record and
 *            the ledger. So blocks of an older lap, or of another ledger, or torn ones end a reading
 *            and are never taken for part of it. No block is ever written over in its own lap, and
 *            none begun before the one before it is on disk.
 * Ownership  Owns its descriptor and its two buffers.
 * Threads    One at a time for each half.
 * Errors     errno from opening and writing. A block that is not whole is the end of the lap.
 * Not here   Booking: ahead.h.
 */
#ifndef CREBITO_STORE_LMDB_WAL_H
#define CREBITO_STORE_LMDB_WAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "must_check.h"
#include "store/lmdb/record.h"

enum {
    WAL_HALVES = 2,
    WAL_BYTES = 8 << 20,    /* of a half */
    WAL_ALIGN_BYTES = 4096, /* blocks share no sector, so that a torn write harms no other's */
    WAL_RECORD_BYTES_MAX = 2 + JOURNAL_RECORD_BYTES_MAX + IDEMPOTENCY_KEY_BYTES_MAX,
    WAL_BLOCK_BYTES_MAX = (48 + BATCH_OPS_MAX * WAL_RECORD_BYTES_MAX + WAL_ALIGN_BYTES - 1) /
                          WAL_ALIGN_BYTES * WAL_ALIGN_BYTES,
};

/* One batch. */
struct wal_block {
    uint64_t sequence;       /* of its first record */
    uint32_t records;        /* 0: the ledger was closed, and nothing is to be booked again */
    const uint8_t *at, *end; /* of its records, not read yet */
};

/* One journal record in a block, as the journal has it, with the idempotency key it was booked under. */
struct wal_record {
    const uint8_t *value, *key;
    uint8_t value_bytes, key_bytes; /* key_bytes 0: none */
};

/* A half. */
struct wal {
    int fd;             /* -1: there is none */
    uint64_t begin;     /* where it is in the file, bytes; places below are from there */
    int64_t created_us; /* the ledger's */
    uint64_t lap;       /* the lap's first sequence; 0: not known yet */
    uint64_t next;      /* sequence after the lap's last */
    uint64_t at;        /* where the next block goes, bytes */
    int error;          /* of reading it, an errno; 0: none so far, or no question has an answer */
    uint64_t batches;   /* of the ledger so far; the caller counts those not written here */

    size_t bytes;     /* of the block that is being made */
    uint32_t records; /* in it */
    uint8_t block[WAL_BLOCK_BYTES_MAX], read[WAL_BLOCK_BYTES_MAX];
};

/* Opens a half of the file, 0 or 1, or makes the file. `durable`: a block that has been written survives a power cut. False: errno
 * says why there is none. */
MUST_CHECK bool wal_open(struct wal *wal, int folder_fd, uint32_t half, bool durable,
                         int64_t created_us);
/* `sequence`: the ledger is whole without this half, and its next record is that one; 0: it is not. */
void wal_close(struct wal *wal, uint64_t sequence);

/* Has the folder a log that was not closed, or that cannot be looked at? (It may hold nothing that the
 * ledger has not.) */
bool wal_was_left(const char *folder);
/* How many batches the folder's ledger has had, as far as its log tells. */
uint64_t wal_batches(const char *folder);

/* --- a block: begun, filled, written ---------------------------------------------------------- */

void wal_begin(struct wal *wal);
/* At most BATCH_OPS_MAX. */
void wal_add(struct wal *wal, const uint8_t *value, size_t value_bytes, const uint8_t *key,
             size_t key_bytes);
/* Is there room for one more block in the lap? */
bool wal_has_room(const struct wal *wal);
/* `sequence`: of its first record. 0, and it is durable; or an errno, and it is not known whether the file has it. */
MUST_CHECK int wal_write(struct wal *wal, uint64_t sequence);
/* After a failure: would the next opening take the block for written all the same? */
bool wal_has_it(struct wal *wal);
/* The ledger has all of the lap: the half's next block begins another. */
void wal_restart(struct wal *wal);

/* The half as when it was made: nothing that it has is wanted any more. False: errno says why not. */
MUST_CHECK bool wal_wipe(struct wal *wal);

/* Does it begin with a block of a version of crebito that writes other ones, and was it closed by that? */
enum wal_other { WAL_NO_OTHER, WAL_OTHER_CLOSED, WAL_OTHER_LEFT };
enum wal_other wal_other_version(struct wal *wal);
/* Is it another ledger's, which was not closed? */
bool wal_is_foreign(struct wal *wal);
/* Has it any block of another ledger, closed or not? */
bool wal_has_foreign(struct wal *wal);
/* Is there a block of this ledger anywhere with records from `sequence` on? */
bool wal_goes_beyond(struct wal *wal, uint64_t sequence);

/* --- reading a lap, from its begin ------------------------------------------------------------ */

void wal_rewind(struct wal *wal);
/* False: there is none further. Lasts until the next call. */
MUST_CHECK bool wal_next(struct wal *wal, struct wal_block *ret);
/* False: it was the last. */
MUST_CHECK bool wal_record(struct wal_block *block, struct wal_record *ret);
/* Do the records of the block that is being made equal those of `block`, none of which was read? */
bool wal_same(const struct wal *wal, const struct wal_block *block);

#endif
