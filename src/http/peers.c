/* SPDX-License-Identifier: MIT
 *
 * peers.c - see peers.h.
 */
#include "http/peers.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static bool peers_sane(const struct peers *peers)
{
    return peers->touched <= peers->size && peers->taken_count <= peers->touched &&
           peers->refused_count <= peers->taken_count &&
           peers->taken_count - peers->refused_count <= peers->served_max;
}

bool peers_init(struct peers *peers, uint32_t served_max, uint32_t refused_max)
{
    *peers = (struct peers){.served_max = served_max, .size = served_max + refused_max};
    peers->all = calloc(peers->size, sizeof *peers->all);
    if (!peers->all)
        return false;
    pthread_mutex_init(&peers->mutex, NULL);
    return true;
}

void peers_free(struct peers *peers)
{
    assert(peers->taken_count == 0);
    pthread_mutex_destroy(&peers->mutex);
    free(peers->all);
}

static struct peer *take(struct peers *peers)
{
    struct peer *peer = peers->free;
    if (peer)
        peers->free = peer->next;
    else if (peers->touched < peers->size)
        peer = &peers->all[peers->touched++];
    else
        return NULL;
    /* Not the connection, which is large and begins itself. */
    memset(peer, 0, offsetof(struct peer, connection));
    peer->refused = peers->taken_count - peers->refused_count >= peers->served_max;
    peers->refused_count += peer->refused;
    peers->taken_count++;
    return peer;
}

struct peer *peers_take(struct peers *peers)
{
    pthread_mutex_lock(&peers->mutex);
    struct peer *peer = take(peers);
    peers->missed = peers->missed || !peer;
    assert(peers_sane(peers));
    pthread_mutex_unlock(&peers->mutex);
    return peer;
}

bool peers_give_back(struct peers *peers, struct peer *peer)
{
    pthread_mutex_lock(&peers->mutex);
    peers->taken_count--;
    peers->refused_count -= peer->refused;
    peer->next = peers->free;
    peers->free = peer;
    bool missed = peers->missed;
    peers->missed = false;
    assert(peers_sane(peers));
    pthread_mutex_unlock(&peers->mutex);
    return missed;
}
