/* SPDX-License-Identifier: MIT
 *
 * flush_gate.c - see flush_gate.h.
 */
#include "flush_gate.h"

#include <pthread.h>
#include <stdbool.h>
#include <unistd.h>

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool closed, reached;
} gate = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* In place of the C library's, also for LMDB. */
int fdatasync(int fd)
{
    (void)fd;
    pthread_mutex_lock(&gate.mutex);
    gate.reached = true;
    pthread_cond_broadcast(&gate.changed);
    while (gate.closed)
        pthread_cond_wait(&gate.changed, &gate.mutex);
    pthread_mutex_unlock(&gate.mutex);
    return 0;
}

void close_gate(void)
{
    pthread_mutex_lock(&gate.mutex);
    gate.closed = true;
    gate.reached = false;
    pthread_mutex_unlock(&gate.mutex);
}

void wait_at_gate(void)
{
    pthread_mutex_lock(&gate.mutex);
    while (!gate.reached)
        pthread_cond_wait(&gate.changed, &gate.mutex);
    pthread_mutex_unlock(&gate.mutex);
}

void open_gate(void)
{
    pthread_mutex_lock(&gate.mutex);
    gate.closed = false;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.mutex);
}
