/* SPDX-License-Identifier: MIT
 *
 * thread.h - a thread of the store's own.
 *
 * Purpose    Start one that leaves signals alone: they are for the main thread, which drains.
 * Invariant  The caller's signal mask is as before.
 * Ownership  Whoever starts it joins it.
 * Threads    Any may call.
 * Errors     False: the system has no room for another thread.
 * Not here   What it does.
 */
#ifndef CREBITO_STORE_THREAD_H
#define CREBITO_STORE_THREAD_H

#include <pthread.h>
#include <stdbool.h>

#include "must_check.h"

MUST_CHECK bool thread_start(pthread_t *ret, void *(*work)(void *context), void *context);

#endif
