/* SPDX-License-Identifier: MIT
 *
 * postgres_archive.h - store/archive.h for databases: which server, in which transaction.
 *
 * Purpose    Connect, and let audit.h, extract.h and load.h do the work.
 * Invariant  As archive.h, but that what is read is read in one snapshot of the server, which keeps the
 *            versions of rows for it meanwhile: beside a busy bank, tables grow for as long as it takes.
 * Ownership  As archive.h.
 * Threads    As archive.h. Connects in the process that calls it: no connection survives a fork.
 * Errors     As archive.h; sentences begin with the database, without its user and password.
 * Not here   Ops: postgres_store.h.
 */
#ifndef CREBITO_STORE_POSTGRES_ARCHIVE_H
#define CREBITO_STORE_POSTGRES_ARCHIVE_H

#include "store/archive.h"

MUST_CHECK enum archive_end postgres_archive_verify(const char *url, struct task *task,
                                                    struct archive_facts *ret_facts, char *error,
                                                    size_t error_size);

MUST_CHECK enum archive_end postgres_archive_read(const char *url,
                                                  const struct archive_range *range,
                                                  const struct archive_sink *sink,
                                                  struct task *task, char *error,
                                                  size_t error_size);

/* There is no map: its size means nothing. `kind` is whose build this is. */
struct store_kind;
MUST_CHECK enum archive_end postgres_build_begin(struct archive_build **ret,
                                                 const struct store_kind *kind, const char *url,
                                                 int64_t created_us, char *error,
                                                 size_t error_size);
MUST_CHECK enum archive_end postgres_build_add(struct archive_build *build,
                                               const struct archive_record *record, char *error,
                                               size_t error_size);
MUST_CHECK enum archive_end postgres_build_finish(struct archive_build *build, struct task *task,
                                                  struct archive_facts *ret_facts, char *error,
                                                  size_t error_size);
void postgres_build_abandon(struct archive_build *build);

#endif
