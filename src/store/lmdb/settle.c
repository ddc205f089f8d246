/* SPDX-License-Identifier: MIT
 *
 * settle.c - see settle.h.
 */
#include "store/lmdb/settle.h"

#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "store/lmdb/folder.h"
#include "store/lmdb/owner.h"
#include "store/lmdb/owner_ask.h"
#include "store/lmdb/serving.h"
#include "store/lmdb/wal.h"

enum { PAUSE_MS = 5 };

/* No key is forgotten: how long they are kept is for the bank that serves them. */
#define KEEP_ALL_KEYS_US (INT64_MAX / 2)

/* Books what the log has, and leaves. */
static enum owner_opening visit(const char *path, char *error, size_t error_size)
{
    const struct store_options options = {
        .must_exist = true,
        .durable = true,
        .submitters = 1,
        .pending_max = 1,
        .key_retention_us = KEEP_ALL_KEYS_US,
    };
    struct owner *owner;
    enum owner_opening opening = owner_open(&owner, path, &options, NULL, error, error_size);
    if (opening == OWNER_OPENED)
        owner_close(owner);
    return opening;
}

static bool ask(const char *path, int timeout_ms, enum owner_end *ret, char *error,
                size_t error_size)
{
    struct op op = {.kind = OP_SETTLE};
    *ret = owner_ask(path, &op, timeout_ms, error, error_size);
    if (*ret == OWNER_ANSWERED && op.outcome != OUTCOME_OK)
        snprintf(error, error_size, "%s: its owner cannot write", path);
    return *ret == OWNER_ANSWERED && op.outcome == OUTCOME_OK;
}

bool settle_folder(const char *path, int timeout_ms, char *error, size_t error_size)
{
    const struct timespec pause = {0, PAUSE_MS * 1000000L};
    const int64_t begun_ms = serving_clock_ms();
    char owner[128];
    do {
        enum owner_end end = OWNER_NONE;
        /* What was acknowledged before is in a block by now; the first one of either half is written over only
         * when the file has all that was there. */
        if (!wal_was_left(path))
            return true;
        folder_owner(path, owner, sizeof owner);
        if (owner[0] && ask(path, timeout_ms, &end, error, error_size))
            return true;
        if (end == OWNER_ANSWERED || end == OWNER_REFUSED)
            return false;
        if (!owner[0] && visit(path, error, error_size) == OWNER_NOT_OPENED)
            return false;
        nanosleep(&pause, NULL);
    } while (serving_clock_ms() - begun_ms < timeout_ms);
    return false;
}
