/* SPDX-License-Identifier: MIT
 *
 * committer.c - see committer.h.
 */
#include "store/committer.h"

#include <signal.h>

static void *committer_main(void *argument)
{
    struct committer *committer = argument;
    struct op *batch[BATCH_OPS_MAX];
    uint32_t count;

    while ((count = queue_take_batch(committer->queue, batch, BATCH_OPS_MAX)) > 0) {
        committer->backend->calls->commit(committer->backend, batch, count);
        /* Commit, then wake: a 200 must never outlive a crash that undoes it. */
        if (queue_answer(committer->queue, batch, count))
            committer->wake(committer->wake_context);
    }
    return NULL;
}

bool committer_start(struct committer *committer)
{
    /* Signals are for the main thread: it drains. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&committer->thread, NULL, committer_main, committer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed == 0;
}

void committer_stop(struct committer *committer)
{
    pthread_join(committer->thread, NULL);
}
