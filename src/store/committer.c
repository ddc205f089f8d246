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

static void *committer_main(void *argument)
{
    struct committer *committer = argument;
    struct op *batch[BATCH_OPS_MAX];
    uint32_t count;

    while ((count = queue_take_batch(committer->queue, committer->lane, batch, BATCH_OPS_MAX)) >
           0) {
        /* Commit, then wake: a 200 must never outlive a crash that undoes it. */
        if (committer->backend->calls->commit(committer->backend, committer->lane, batch, count))
            queue_answer(committer->queue, batch, count);
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
