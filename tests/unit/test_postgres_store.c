/* SPDX-License-Identifier: MIT
 *
 * test_postgres_store.c - which lane an op takes, what is answered at once, and how long a server that
 * is not there yet is waited for. The workers are ours here.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/postgres/postgres_store.h"
#include "store/postgres/worker.h"

#define URL "postgres://user:QXZ@host/name"

static struct {
    enum session_end ends[200]; /* of worker_connect(); after the last: SESSION_ABSENT */
    int connects, ends_count, closed;
    struct worker *connected, *committed;
    uint32_t committed_count;
    int64_t clock_ms, connect_takes_ms;
    int callocs_left;
} fake;

/* NOLINTBEGIN(bugprone-reserved-identifier) */
__typeof__(worker_connect) __wrap_worker_connect;
enum session_end __wrap_worker_connect(struct worker *worker, char *error, size_t error_size)
{
    fake.connected = worker;
    fake.clock_ms += fake.connect_takes_ms;
    enum session_end end = fake.connects < fake.ends_count ? fake.ends[fake.connects]
                                                           : SESSION_ABSENT;
    fake.connects++;
    if (end != SESSION_OPEN)
        snprintf(error, error_size, "end %d", (int)end);
    return end;
}

__typeof__(worker_commit) __wrap_worker_commit;
void __wrap_worker_commit(struct worker *worker, struct op **ops, uint32_t count)
{
    (void)ops;
    fake.committed = worker;
    fake.committed_count = count;
}

__typeof__(worker_close) __wrap_worker_close;
void __wrap_worker_close(struct worker *worker)
{
    (void)worker;
    fake.closed++;
}

__typeof__(clock_gettime) __wrap_clock_gettime;
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
    assert_int_equal(clock, CLOCK_MONOTONIC);
    *ret = (struct timespec){fake.clock_ms / 1000, fake.clock_ms % 1000 * 1000000};
    return 0;
}

__typeof__(nanosleep) __wrap_nanosleep;
int __wrap_nanosleep(const struct timespec *pause, struct timespec *left)
{
    (void)left;
    fake.clock_ms += pause->tv_sec * 1000 + pause->tv_nsec / 1000000;
    return 0;
}

__typeof__(calloc) __real_calloc, __wrap_calloc;
void *__wrap_calloc(size_t count, size_t size)
{
    return fake.callocs_left-- > 0 ? __real_calloc(count, size) : NULL;
}
/* NOLINTEND(bugprone-reserved-identifier) */

static struct backend *backend;
static char error[100];

static int setup(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof fake);
    fake.clock_ms = 500750;
    fake.callocs_left = 100;
    error[0] = '\0';
    backend = NULL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (backend)
        backend->calls->close(backend);
    return 0;
}

static bool open_store(struct store_options options)
{
    options.durable = true;
    options.key_retention_us = 86400;
    backend = postgres_store_open(URL, &options, error, sizeof error);
    return backend != NULL;
}

static void will(enum session_end end)
{
    fake.ends[fake.ends_count++] = end;
}

static void open_lanes(uint32_t connections)
{
    will(SESSION_OPEN);
    assert_true(open_store((struct store_options){.connections = connections}));
    assert_int_equal(backend->lanes, connections);
}

static uint32_t lane_of(enum op_kind kind, uint32_t client)
{
    const struct op op = {.kind = kind, .client = client};
    return backend->calls->lane_of(backend, &op);
}

static void only_the_reading_lane_connects_at_the_start(void **state)
{
    (void)state;
    open_lanes(10);
    assert_int_equal(fake.connects, 1);
    const struct workers *all = fake.connected->all;
    assert_ptr_equal(fake.connected, &all->each[0]);
    assert_int_equal(all->count, 10);
    for (int i = 0; i < 10; i++)
        assert_ptr_equal(all->each[i].all, all);
    assert_string_equal(all->place, "postgres://host/name");
    assert_string_equal(all->session.url, URL);
    assert_true(all->session.durable);
    assert_int_equal(all->key_retention_us, 86400);
}

static void what_is_not_said_has_its_usual_value(void **state)
{
    (void)state;
    will(SESSION_OPEN);
    assert_true(open_store((struct store_options){0}));
    assert_int_equal(backend->lanes, 1);
    assert_int_equal(fake.connected->all->session.connect_timeout_s, 5);
    assert_int_equal(fake.connected->all->session.statement_timeout_s, 4);
    (void)teardown(NULL);
    will(SESSION_OPEN);
    assert_true(open_store((struct store_options){
        .connections = 3, .connect_timeout_s = 60, .statement_timeout_s = 9}));
    assert_int_equal(fake.connected->all->session.connect_timeout_s, 60);
    assert_int_equal(fake.connected->all->session.statement_timeout_s, 9);
    (void)teardown(NULL);
    will(SESSION_OPEN);
    assert_true(open_store((struct store_options){
        .connections = 1, .connect_timeout_s = 1, .statement_timeout_s = 1}));
    assert_int_equal(fake.connected->all->session.connect_timeout_s, 1);
    assert_int_equal(fake.connected->all->session.statement_timeout_s, 1);
}

static void with_one_lane_all_take_it(void **state)
{
    (void)state;
    open_lanes(1);
    for (enum op_kind kind = OP_ENTRY; kind <= OP_HEALTH; kind++)
        for (uint32_t client = 1; client < 10; client++)
            assert_int_equal(lane_of(kind, client), 0);
}

static void what_reads_takes_the_first_lane_and_what_writes_its_clients(void **state)
{
    (void)state;
    static const enum op_kind writing[] = {OP_ENTRY, OP_OPEN, OP_LIMIT},
                              reading[] = {OP_STATEMENT, OP_CLIENT, OP_HEALTH};
    for (uint32_t lanes = 2; lanes <= LANES_MAX; lanes++) {
        uint64_t taken = 0;
        open_lanes(lanes);
        for (uint32_t i = 0; i < 3 * LANES_MAX; i++) {
            uint32_t client = i < 2 * LANES_MAX ? i + 1 : CLIENT_MAX - i;
            uint32_t lane = lane_of(OP_ENTRY, client);
            assert_in_range(lane, 1, lanes - 1);
            taken |= UINT64_C(1) << lane;
            for (size_t j = 0; j < COUNT_OF(writing); j++)
                assert_int_equal(lane_of(writing[j], client), lane);
            for (size_t j = 0; j < COUNT_OF(reading); j++)
                assert_int_equal(lane_of(reading[j], client), 0);
        }
        for (uint32_t lane = 1; lane < lanes; lane++) /* none of them is idle */
            assert_true(taken >> lane & 1);
        (void)teardown(NULL);
        backend = NULL;
        (void)setup(NULL);
    }
}

/* Nobody waits for the commits of others to be told that there is no such client. */
static void who_does_not_exist_takes_the_reading_lane(void **state)
{
    (void)state;
    open_lanes(5);
    struct known *known = &fake.connected->all->known;
    known_add(known, 7);
    assert_int_equal(lane_of(OP_ENTRY, 7), 1 + 7 % 4);
    assert_int_equal(lane_of(OP_ENTRY, 6), 1 + 6 % 4); /* there may be others than are known */
    known->all = true;
    assert_int_equal(lane_of(OP_ENTRY, 7), 1 + 7 % 4);
    assert_int_equal(lane_of(OP_LIMIT, 7), 1 + 7 % 4);
    assert_int_equal(lane_of(OP_ENTRY, 6), 0);
    assert_int_equal(lane_of(OP_OPEN, 6), 0);
    known_add(known, 6);
    assert_int_equal(lane_of(OP_ENTRY, 6), 1 + 6 % 4);
}

static void who_is_known_is_there_at_once_and_all_else_waits(void **state)
{
    (void)state;
    open_lanes(2);
    known_add(&fake.connected->all->known, 7);
    for (enum op_kind kind = OP_ENTRY; kind <= OP_HEALTH; kind++)
        for (uint32_t client = 7; client < 9; client++) {
            struct op op = {.kind = kind, .client = client, .outcome = OUTCOME_UNKNOWN};
            bool now = kind == OP_CLIENT && client == 7;
            assert_int_equal(backend->calls->answer_now(backend, 0, &op), now);
            assert_int_equal(op.outcome, now ? OUTCOME_OK : OUTCOME_UNKNOWN);
        }
}

static void a_batch_of_a_lane_is_its_workers(void **state)
{
    (void)state;
    struct op op = {.kind = OP_ENTRY}, *batch[] = {&op, &op, &op};
    open_lanes(4);
    for (uint32_t lane = 0; lane < 4; lane++) {
        assert_true(backend->calls->commit(backend, lane, batch, lane % 3 + 1));
        assert_ptr_equal(fake.committed, &fake.connected->all->each[lane]);
        assert_int_equal(fake.committed_count, lane % 3 + 1);
    }
}

static void closing_closes_every_connection(void **state)
{
    (void)state;
    open_lanes(4);
    backend->calls->close(backend);
    backend = NULL;
    assert_int_equal(fake.closed, 4);
}

/* --- at the start ----------------------------------------------------------------------------- */

static void a_server_that_comes_late_is_waited_for(void **state)
{
    (void)state;
    for (int i = 0; i < 30; i++)
        will(SESSION_ABSENT);
    will(SESSION_OPEN);
    assert_true(open_store((struct store_options){.connections = 2, .connect_timeout_s = 4}));
    assert_int_equal(fake.connects, 31);
    assert_int_equal(fake.clock_ms, 500750 + 30 * 100);
}

static void one_that_does_not_come_is_given_up_in_time(void **state)
{
    (void)state;
    assert_false(open_store((struct store_options){.connections = 2, .connect_timeout_s = 4}));
    assert_string_equal(error, "end 1");
    assert_int_equal(fake.clock_ms, 504750);
    (void)setup(NULL);
    fake.connect_takes_ms = 4000; /* a host that swallows packets: once is enough */
    assert_false(open_store((struct store_options){.connections = 2, .connect_timeout_s = 4}));
    assert_int_equal(fake.connects, 1);
}

static void one_that_refuses_is_not_asked_again(void **state)
{
    (void)state;
    will(SESSION_ABSENT);
    will(SESSION_REFUSED);
    will(SESSION_OPEN);
    assert_false(open_store((struct store_options){.connections = 2}));
    assert_int_equal(fake.connects, 2);
    assert_string_equal(error, "end 2");
}

static void without_memory_there_is_no_store(void **state)
{
    (void)state;
    for (int working = 0; working < 2; working++) {
        (void)setup(NULL);
        will(SESSION_OPEN);
        fake.callocs_left = working;
        assert_false(open_store((struct store_options){.connections = 2}));
        assert_string_equal(error, "out of memory");
        assert_int_equal(fake.connects, 0);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(only_the_reading_lane_connects_at_the_start),
        TEST(what_is_not_said_has_its_usual_value),
        TEST(with_one_lane_all_take_it),
        TEST(what_reads_takes_the_first_lane_and_what_writes_its_clients),
        TEST(who_does_not_exist_takes_the_reading_lane),
        TEST(who_is_known_is_there_at_once_and_all_else_waits),
        TEST(a_batch_of_a_lane_is_its_workers),
        TEST(closing_closes_every_connection),
        TEST(a_server_that_comes_late_is_waited_for),
        TEST(one_that_does_not_come_is_given_up_in_time),
        TEST(one_that_refuses_is_not_asked_again),
        TEST(without_memory_there_is_no_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
