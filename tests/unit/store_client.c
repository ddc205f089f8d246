/* SPDX-License-Identifier: MIT
 *
 * store_client.c - see store_client.h.
 */
#include "store_client.h"

#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "unit.h"

enum { PATIENCE_S = 10 };

struct store_client client;
static sem_t wakes;

static void wake(void *context)
{
    assert_ptr_equal(context, &client);
    sem_post(&wakes);
}

int store_client_setup(void **state)
{
    (void)state;
    client.store = NULL;
    sem_init(&wakes, 0, 0);
    temporary_make(client.path);
    snprintf(client.url, sizeof client.url, "lmdb:%s", client.path);
    return 0;
}

int store_client_teardown(void **state)
{
    (void)state;
    if (client.store)
        store_client_close();
    sem_destroy(&wakes);
    temporary_remove(client.path);
    return 0;
}

bool store_client_try_open(uint64_t map_bytes, bool durable)
{
    const struct store_options options = {
        .durable = durable,
        .map_bytes = map_bytes,
        .submitters = 1,
        .pending_max = STORE_PENDING,
        .key_retention_us = INT64_C(86400000000),
    };
    client.error[0] = '\0';
    if (!store_open(&client.store, client.url, &options, client.error, sizeof client.error))
        return false;
    client.submitter = store_join(client.store, wake, &client);
    return true;
}

void store_client_open(void)
{
    if (!store_client_try_open(UINT64_C(1) << 26, false))
        FAIL("%s", client.error);
}

void store_client_close(void)
{
    store_close(client.store);
    client.store = NULL;
    while (sem_trywait(&wakes) == 0)
        continue;
}

uint32_t store_client_take(void)
{
    struct timespec until;
    uint32_t count = 0;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    if (sem_timedwait(&wakes, &until) != 0)
        FAIL("no answer for %d s", PATIENCE_S);
    for (struct op *op = store_take_answered(client.submitter); op; op = op->next, count++)
        assert_int_equal(op->state, OP_IDLE);
    return count;
}

void store_client_ask_all(struct op *ops, uint32_t count)
{
    uint32_t out = 0;
    for (uint32_t i = 0; i < count; i++)
        if (!store_submit(client.submitter, &ops[i]))
            out++;
    for (const struct op *op = store_hand_over(client.submitter); op; op = op->next)
        out--;
    while (out > 0)
        out -= store_client_take();
}

enum outcome store_client_ask(struct op *op)
{
    store_client_ask_all(op, 1);
    return op->outcome;
}

enum outcome store_client_book(uint32_t who, enum entry_kind kind, int64_t cents, const char *key)
{
    struct op op = entry_op(who, kind, cents, key);
    return store_client_ask(&op);
}

struct op store_client_statement(uint32_t who)
{
    struct op op = {.kind = OP_STATEMENT, .client = who, .outcome = OUTCOME_UNKNOWN};
    (void)store_client_ask(&op);
    return op;
}
