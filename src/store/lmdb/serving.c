/* SPDX-License-Identifier: MIT
 *
 * serving.c - see serving.h.
 */
#include "store/lmdb/serving.h"

#include <stdio.h>
#include <time.h>

#include "ops/log.h"

enum { QUIET_MS = 1000 };

int64_t serving_clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

enum serving_state serving_state(const struct serving *serving)
{
    return atomic_load(&serving->state);
}

void serving_no_room(struct serving *serving, const char *reason)
{
    atomic_store(&serving->refused_ms, serving_clock_ms());
    enum serving_state before = SERVING;
    if (atomic_compare_exchange_strong(&serving->state, &before, SERVING_FULL))
        log_line(LOG_ERROR, "the store has no room: entries are refused, statements are served",
                 "store", serving->path, "reason", reason, NULL);
}

void serving_down(struct serving *serving, const char *reason)
{
    if (atomic_exchange(&serving->state, SERVING_DOWN) != SERVING_DOWN)
        log_line(LOG_ERROR, "the store is down: everything is refused until a restart", "store",
                 serving->path, "reason", reason, NULL);
}

void serving_committed(struct serving *serving)
{
    enum serving_state before = SERVING_FULL;
    if (serving_state(serving) == SERVING_FULL &&
        serving_clock_ms() - atomic_load(&serving->refused_ms) >= QUIET_MS &&
        atomic_compare_exchange_strong(&serving->state, &before, SERVING))
        log_line(LOG_INFO, "the store takes entries again", "store", serving->path, NULL);
}

void serving_damage(struct serving *serving, uint32_t client)
{
    char text[16];
    int64_t now_ms = serving_clock_ms();
    int64_t told_ms = atomic_load(&serving->damage_told_ms);
    if (told_ms != 0 && now_ms - told_ms < QUIET_MS)
        return;
    atomic_store(&serving->damage_told_ms, now_ms);
    snprintf(text, sizeof text, "%u", client);
    log_line(LOG_ERROR, "what the store holds is damaged: an entry or a statement is refused",
             "store", serving->path, "client", text, NULL);
}
