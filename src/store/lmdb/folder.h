/* SPDX-License-Identifier: MIT
 *
 * folder.h - the folder a store lives in, and who has it.
 *
 * Purpose    Keep two processes, and anything that is not a store, apart from one.
 * Invariant  Whoever holds a struct folder is its only owner, on this machine, across containers
 *            and PID namespaces (an open file description lock on owner.lock, fcntl(2); the kernel
 *            drops it with the process).
 *            A folder that holds anything but a store's files is never written to.
 * Ownership  folder_take() fills a struct that folder_release() empties.
 * Threads    None of its own; one owner calls.
 * Errors     False and a sentence that names the folder.
 * Not here   What is in the files. Network file systems, where locks may mean nothing.
 */
#ifndef CREBITO_STORE_LMDB_FOLDER_H
#define CREBITO_STORE_LMDB_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "must_check.h"

/* The only names in a store's folder. lost+found is what a fresh volume may hold. */
#define FOLDER_DATA         "data.mdb"
#define FOLDER_DATA_NEW     "data.mdb.new"     /* a store being created; renamed when it is whole */
#define FOLDER_DATA_PARTIAL "data.mdb.partial" /* a copy being made; renamed when it is whole */
#define FOLDER_WAL          "wal"              /* what data.mdb lacks: wal.h */
#define FOLDER_LOCK         "lock.mdb"         /* LMDB's own */
#define FOLDER_OWNER        "owner.lock"
#define FOLDER_SOCKET       "owner.sock" /* where the owner takes ops of other processes */

struct folder {
    int fd;      /* the folder itself */
    int lock_fd; /* FOLDER_OWNER, locked */
};

/* Which folder it is, whatever it is called. */
struct folder_place {
    dev_t device;
    ino_t number;
};

enum folder_end {
    FOLDER_TAKEN,
    FOLDER_HELD,    /* somebody else has it */
    FOLDER_REFUSED, /* it cannot be used, or is not a store's */
};

/* Creates the folder (not its parents) if it is missing. */
MUST_CHECK enum folder_end folder_try(struct folder *ret, const char *path, char *error,
                                      size_t error_size);
MUST_CHECK bool folder_take(struct folder *ret, const char *path, char *error, size_t error_size);
void folder_release(struct folder *folder);

/* False: there is none. */
MUST_CHECK bool folder_find(struct folder_place *ret, const char *path);
bool folder_same(const struct folder_place *one, const struct folder_place *other);
bool folder_is(const struct folder *folder, const struct folder_place *place);
/* Is it no longer what its path leads to? */
bool folder_was_moved(const struct folder *folder, const char *path);

/* Is there a whole store in it? Is there what a copy that was interrupted has left? */
bool folder_has_store(const struct folder *folder);
bool folder_has_partial(const struct folder *folder);

/* Who has the folder, as it described itself; "" if nobody. */
void folder_owner(const char *path, char *ret_owner, size_t owner_size);

#endif
