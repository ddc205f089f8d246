/* SPDX-License-Identifier: MIT
 *
 * thread.c - see thread.h.
 */
#include "store/thread.h"

#include <signal.h>

bool thread_start(pthread_t *ret, void *(*work)(void *context), void *context)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(ret, NULL, work, context);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed == 0;
}
