/* SPDX-License-Identifier: MIT
 *
 * wal_fixture.h - a log in a folder of its own, and blocks whose contents their numbers tell.
 */
#ifndef CREBITO_TESTS_UNIT_WAL_FIXTURE_H
#define CREBITO_TESTS_UNIT_WAL_FIXTURE_H

#include <sys/types.h>

#include "ledger_audit.h"
#include "store/lmdb/wal.h"

enum { WAL_CREATED_US = 4711, WAL_HEADER_BYTES = 44, WAL_FILE_BYTES = WAL_HALVES * WAL_BYTES };

extern char wal_path[FOLDER_BYTES_MAX], wal_file[FOLDER_BYTES_MAX + 8];
extern int wal_folder_fd;
extern struct wal wal;
extern bool largest; /* records are as large as may be, and not of every size */

int wal_setup(void **state);
int wal_teardown(void **state);
void open_wal(void);

/* Made, and not written yet. */
void make_block(uint64_t sequence, uint32_t records);
/* What wal_write() says. */
int try_block(uint64_t sequence, uint32_t records);
void write_block(uint64_t sequence, uint32_t records);
/* `blocks` of `records` each, from `sequence` on. */
void write_lap(uint64_t sequence, uint32_t records, uint32_t blocks);

void expect_records(struct wal_block block);
void expect_block(uint64_t sequence, uint32_t records);
void expect_end(void);
/* All that there is. */
void expect_lap(uint64_t sequence, uint32_t records, uint32_t blocks);

/* The file as somebody else would see and change it. */
void change(uint64_t at, const void *bytes, size_t size);
void look_at(uint64_t at, void *bytes, size_t size);
off_t file_bytes(void);

#endif
