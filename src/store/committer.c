/* SPDX-License-Identifier: MIT
 *
 * committer.c - see committer.h.
 */
#include "store/committer.h"

#include <time.h>

#include "store/thread.h"

enum { FEW_OPS = 32 };

/* Who has just been answered asks again soon: let them share the next batch. */
static void gather(const struct committer *committer, uint32_t last_count)
{
    const struct timespec pause = {0, committer->backend->gather_us * 1000L};
    if (pause.tv_nsec > 0 && last_count > 1 &&
        queue_waiting(committer->queue, committer->lane) < FEW_OPS)
        nanosleep(&pause, NULL);
}

static bool settle(struct committer *committer, bool idle)
{
    struct backend *backend = committer->backend;
    return backend->calls->settle && backend->calls->settle(backend, committer->lane, idle);
}

static uint32_t next_batch(struct committer *committer, bool *unsettled, struct op **ret)
{
    while (*unsettled && !queue_wait(committer->queue, committer->lane, SETTLE_IDLE_MS))
        *unsettled = settle(committer, true);
    return queue_take_batch(committer->queue, committer->lane, ret, BATCH_OPS_MAX);
}

static void *committer_main(void *argument)
{
    struct committer *committer = argument;
    struct op *batch[BATCH_OPS_MAX];
    uint32_t count;
    bool unsettled = false;

    while ((count = next_batch(committer, &unsettled, batch)) > 0) {
        /* Commit, then wake: a 200 must never outlive a crash that undoes it. */
        if (committer->backend->calls->commit(committer->backend, committer->lane, batch, count))
            queue_answer(committer->queue, batch, count);
        unsettled = settle(committer, false);
        gather(committer, count);
    }
    return NULL;
}

bool committer_start(struct committer *committer)
{
    return thread_start(&committer->thread, committer_main, committer);
}

void committer_stop(struct committer *committer)
{
    pthread_join(committer->thread, NULL);
}
