/* SPDX-License-Identifier: MIT
 *
 * serving.h - whether the store serves, and telling the operator when that changes.
 *
 * Purpose    One state that both threads look at, and the log lines that go with it.
 * Invariant  SERVING_DOWN is for good. SERVING_FULL ends when an entry has been committed and none
 *            was refused for a second, so that a disk at its brink does not fill the log.
 * Ownership  Borrows the path.
 * Threads    Any may call.
 * Errors     None.
 * Not here   Deciding: commit.c.
 */
#ifndef CREBITO_STORE_LMDB_SERVING_H
#define CREBITO_STORE_LMDB_SERVING_H

#include <stdatomic.h>
#include <stdint.h>

enum serving_state {
    SERVING,      /* as it should be */
    SERVING_FULL, /* entries find no room; statements are answered */
    SERVING_DOWN, /* latched: what the disk holds is no longer known */
};

struct serving {
    const char *path; /* for the log */
    _Atomic enum serving_state state;
    _Atomic int64_t refused_ms;     /* when an entry last found no room, by serving_clock_ms() */
    _Atomic int64_t damage_told_ms; /* when the log last spoke of damage */
};

enum serving_state serving_state(const struct serving *serving);
void serving_no_room(struct serving *serving, const char *reason);
void serving_down(struct serving *serving, const char *reason);
void serving_committed(struct serving *serving);
/* A record of this client is wrong; said at most once a second. */
void serving_damage(struct serving *serving, uint32_t client);

/* A clock that is never set, for telling how long ago something was. */
int64_t serving_clock_ms(void);

#endif
