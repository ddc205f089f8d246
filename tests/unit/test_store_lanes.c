/* SPDX-License-Identifier: MIT
 *
 * test_store_lanes.c - a store on a backend that has several lanes: a committer for each of them, and
 * the backend says which op goes where; or on one that starts ops without any. Its kind is one of ours;
 * store_kind_of() is wrapped.
 */
#include "unit.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "store/kind.h"
#include "store/store.h"

enum { OPS = 40 };

/* --- the backend ------------------------------------------------------------------------------ */

static struct {
    struct backend backend;
    atomic_uint committed[LANES_MAX], wrong_lane;
    pthread_t threads[LANES_MAX];
    unsigned opened, closed, admitted, dismissed, submitted_now[2]; /* by each submitter */
    bool refuse, has_thread[LANES_MAX];
    sem_t *hold; /* lane 1 waits for it */

    /* The one that starts ops: whether it does, and what it has. */
    bool starts, does, dismissed_before;
    unsigned offered;
    struct op *started[2 * OPS];
    uint32_t started_count;
    struct queue *queue;
} inside;

static bool answer_now(struct backend *backend, uint32_t submitter, struct op *op)
{
    (void)backend;
    if (op->kind != OP_CLIENT)
        return false;
    op->outcome = OUTCOME_OK;
    inside.submitted_now[submitter]++;
    return true;
}

static uint32_t lane_of(const struct backend *backend, const struct op *op)
{
    return op->client % backend->lanes;
}

enum { PARTICULAR = 4711 }; /* a descriptor, of which only the number is looked at */

static bool commit(struct backend *backend, uint32_t lane, struct op **batch, uint32_t count)
{
    if (!inside.has_thread[lane]) {
        inside.has_thread[lane] = true;
        inside.threads[lane] = pthread_self();
    }
    if (lane == 1 && inside.hold)
        sem_wait(inside.hold);
    for (uint32_t i = 0; i < count; i++) {
        if (lane_of(backend, batch[i]) != lane ||
            !pthread_equal(inside.threads[lane], pthread_self()))
            atomic_fetch_add(&inside.wrong_lane, 1);
        batch[i]->outcome = OUTCOME_LIMIT_EXCEEDED;
    }
    atomic_fetch_add(&inside.committed[lane], count);
    return true;
}

static enum offered start(struct backend *backend, struct op **batch, uint32_t count)
{
    assert_ptr_equal(backend, &inside.backend);
    inside.offered += count;
    inside.dismissed_before = inside.dismissed > 0;
    for (uint32_t i = 0; inside.starts && i < count; i++)
        inside.started[inside.started_count++] = batch[i];
    for (uint32_t i = 0; inside.does && i < count; i++)
        batch[i]->outcome = OUTCOME_LIMIT_EXCEEDED;
    return inside.does ? OFFERED_DONE : inside.starts ? OFFERED_TAKEN : OFFERED_IN_VAIN;
}

static void answer_what_was_started(void)
{
    for (uint32_t i = 0; i < inside.started_count; i++)
        inside.started[i]->outcome = OUTCOME_LIMIT_EXCEEDED;
    queue_answer(inside.queue, inside.started, inside.started_count);
}

static void admit(struct backend *backend, struct queue *queue)
{
    (void)backend;
    inside.queue = queue;
    inside.admitted += queue_sane(queue);
}

static void dismiss(struct backend *backend)
{
    (void)backend;
    inside.dismissed++;
}

static void close_backend(struct backend *backend)
{
    assert_ptr_equal(backend, &inside.backend);
    inside.closed++;
}

static const struct backend_calls with_lanes = {
    .answer_now = answer_now,
    .lane_of = lane_of,
    .commit = commit,
    .admit = admit,
    .dismiss = dismiss,
    .close = close_backend,
};

static const struct backend_calls without_lanes = {
    .answer_now = answer_now,
    .commit = commit,
    .close = close_backend,
};

static int pollable(struct backend *backend)
{
    assert_ptr_equal(backend, &inside.backend);
    return PARTICULAR;
}

static void look(struct backend *backend)
{
    assert_ptr_equal(backend, &inside.backend);
    answer_what_was_started();
    inside.started_count = 0;
}

static const struct backend_calls with_start = {
    .answer_now = answer_now,
    .start = start,
    .pollable = pollable,
    .look = look,
    .commit = commit,
    .admit = admit,
    .dismiss = dismiss,
    .close = close_backend,
};

enum { STARTS = 100 }; /* for a number of lanes: that one */

static struct backend *open_backend(const char *place, const struct store_options *options,
                                    char *error, size_t error_size)
{
    assert_string_equal(place, "place");
    if (inside.refuse) {
        snprintf(error, error_size, "not today");
        return NULL;
    }
    inside.backend = (struct backend){
        .calls = options->connections > 0 ? &with_lanes : &without_lanes,
        .lanes = options->connections > 0 ? options->connections : 1,
    };
    if (options->connections == STARTS)
        inside.backend = (struct backend){.calls = &with_start, .lanes = 1};
    inside.opened++;
    return &inside.backend;
}

static const struct store_kind kind = {.version = CREBITO_VERSION, .open = open_backend};

/* NOLINTBEGIN(bugprone-reserved-identifier) */
__typeof__(store_kind_of) __wrap_store_kind_of;
const struct store_kind *__wrap_store_kind_of(const char *url, const char **ret_place, char *error,
                                              size_t error_size)
{
    (void)error;
    (void)error_size;
    assert_string_equal(url, "fake:place");
    *ret_place = url + 5;
    return &kind;
}

/* How many threads can still be started; and how many were. */
static int threads_left, threads_started;

__typeof__(pthread_create) __real_pthread_create, __wrap_pthread_create;
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*main)(void *), void *argument)
{
    if (threads_left-- <= 0)
        return 11;
    threads_started++;
    return __real_pthread_create(thread, attributes, main, argument);
}
/* NOLINTEND(bugprone-reserved-identifier) */

/* --- its user --------------------------------------------------------------------------------- */

static struct store *store;
static struct submitter *submitter, *another;
static struct op ops[OPS];
static sem_t wakes;
static char error[300];

static void post(void *context)
{
    sem_post(context);
}

static int setup(void **state)
{
    (void)state;
    memset(&inside, 0, sizeof inside);
    threads_left = LANES_MAX;
    threads_started = 0;
    error[0] = '\0';
    sem_init(&wakes, 0, 0);
    for (uint32_t i = 0; i < OPS; i++)
        ops[i] = (struct op){.kind = OP_ENTRY, .client = i, .outcome = OUTCOME_UNKNOWN};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sem_destroy(&wakes);
    return 0;
}

static bool open_store(uint32_t lanes)
{
    const struct store_options options = {
        .submitters = 2,
        .pending_max = OPS,
        .connections = lanes,
    };
    if (!store_open(&store, "fake:place", &options, error, sizeof error))
        return false;
    submitter = store_join(store, post, &wakes);
    another = NULL; /* unless a test lets it join */
    return true;
}

static void submit_all(void)
{
    for (int i = 0; i < OPS; i++)
        assert_false(store_submit(submitter, &ops[i]));
    assert_null(store_hand_over(submitter));
}

static int take_answered(void)
{
    int count = 0;
    for (const struct op *op = store_take_answered(submitter); op; op = op->next) {
        assert_int_equal(op->outcome, OUTCOME_LIMIT_EXCEEDED);
        count++;
    }
    return count;
}

static void wait_for(int answers)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    for (int taken = 0; taken < answers; taken += take_answered())
        assert_int_equal(sem_timedwait(&wakes, &until), 0);
}

static void there_is_a_committer_for_each_lane_and_each_gets_its_own(void **state)
{
    (void)state;
    assert_true(open_store(4));
    assert_int_equal(threads_started, 4);
    assert_int_equal(inside.admitted, 1);
    submit_all();
    wait_for(OPS);
    store_close(store);
    for (int lane = 0; lane < 4; lane++)
        assert_int_equal(atomic_load(&inside.committed[lane]), OPS / 4);
    assert_int_equal(atomic_load(&inside.wrong_lane), 0);
    for (int lane = 1; lane < 4; lane++)
        assert_false(pthread_equal(inside.threads[0], inside.threads[lane]));
    assert_int_equal(inside.dismissed, 1);
    assert_int_equal(inside.closed, 1);
}

static void as_many_lanes_as_there_may_be_are_started_and_stopped(void **state)
{
    (void)state;
    assert_true(open_store(LANES_MAX));
    assert_int_equal(threads_started, LANES_MAX);
    submit_all();
    wait_for(OPS);
    store_close(store);
    for (int lane = 0; lane < OPS; lane++)
        assert_int_equal(atomic_load(&inside.committed[lane]), 1);
    assert_int_equal(inside.closed, 1);
}

static void a_lane_that_waits_holds_up_no_other(void **state)
{
    (void)state;
    sem_t hold;
    sem_init(&hold, 0, 0);
    inside.hold = &hold;
    assert_true(open_store(4));
    submit_all();
    wait_for(3 * OPS / 4);
    assert_int_equal(atomic_load(&inside.committed[1]), 0);
    for (int i = 0; i < OPS; i++) /* however many batches it takes */
        sem_post(&hold);
    wait_for(OPS / 4);
    store_close(store);
    assert_int_equal(atomic_load(&inside.wrong_lane), 0);
    sem_destroy(&hold);
}

static void closing_answers_what_waits_in_every_lane(void **state)
{
    (void)state;
    assert_true(open_store(3));
    for (int i = 0; i < OPS; i++)
        assert_false(store_submit(submitter, &ops[i])); /* not handed over */
    store_close(store);
    for (int i = 0; i < OPS; i++)
        assert_int_equal(ops[i].outcome, OUTCOME_LIMIT_EXCEEDED);
    assert_int_equal(inside.closed, 1);
}

static void a_backend_of_one_lane_need_not_say_which(void **state)
{
    (void)state;
    assert_true(open_store(0));
    assert_int_equal(threads_started, 1);
    assert_int_equal(inside.admitted, 0);
    ops[3].lane = 77; /* left by somebody */
    submit_all();
    wait_for(OPS);
    store_close(store);
    assert_int_equal(atomic_load(&inside.committed[0]), OPS);
    assert_int_equal(inside.dismissed, 0);
    assert_int_equal(inside.closed, 1);
}

static void what_is_answered_now_goes_to_no_lane(void **state)
{
    (void)state;
    assert_true(open_store(2));
    ops[1].kind = OP_CLIENT;
    ops[1].lane = 77;
    assert_true(store_submit(submitter, &ops[1]));
    assert_int_equal(ops[1].outcome, OUTCOME_OK);
    assert_int_equal(inside.submitted_now[0], 1);
    store_close(store);
}

static void what_is_started_needs_no_committer(void **state)
{
    (void)state;
    struct op reading = {.kind = OP_STATEMENT}, more = {.kind = OP_ENTRY};
    inside.starts = true;
    assert_true(open_store(STARTS));
    assert_false(store_submit(submitter, &reading));
    assert_int_equal(inside.offered, 0); /* it is not handed over yet */
    submit_all();
    assert_int_equal(inside.started_count, OPS + 1);
    for (int i = 0; i < OPS; i++)
        assert_ptr_equal(inside.started[i], &ops[i]);
    assert_ptr_equal(inside.started[OPS], &reading);
    assert_true(store_submit(submitter, &more)); /* they are pending all the same */
    assert_int_equal(more.outcome, OUTCOME_BUSY);
    assert_null(store_hand_over(submitter)); /* of nothing */
    answer_what_was_started();
    wait_for(OPS + 1);
    store_close(store);
    assert_int_equal(inside.offered, OPS + 1);
    assert_int_equal(atomic_load(&inside.committed[0]), 0);
}

static void what_is_done_when_it_is_handed_over_is_given_back(void **state)
{
    (void)state;
    struct op reading = {.kind = OP_STATEMENT};
    inside.does = true;
    assert_true(open_store(STARTS));
    for (int round = 0; round < 3; round++) {
        int count = 0;
        assert_false(store_submit(submitter, &reading));
        for (int i = 0; i < OPS; i++)
            assert_false(store_submit(submitter, &ops[i]));
        for (const struct op *op = store_hand_over(submitter); op; op = op->next, count++) {
            assert_ptr_equal(op, count < OPS ? &ops[count] : &reading); /* those that write first */
            assert_int_equal(op->outcome, OUTCOME_LIMIT_EXCEEDED);
        }
        assert_int_equal(count, OPS + 1);
        assert_null(store_hand_over(submitter));
    }
    assert_null(store_take_answered(submitter));
    store_close(store);
    assert_int_equal(atomic_load(&inside.committed[0]), 0);
}

static void the_first_may_look_for_answers_and_is_not_woken_for_them(void **state)
{
    (void)state;
    struct op reading = {.kind = OP_STATEMENT};
    int count = 0;
    inside.starts = true;
    assert_true(open_store(STARTS));
    another = store_join(store, post, &wakes);
    assert_int_equal(store_pollable(submitter), PARTICULAR);
    assert_int_equal(store_pollable(another), -1);
    assert_null(store_look(submitter));
    assert_false(store_submit(submitter, &reading));
    submit_all();
    for (const struct op *op = store_look(submitter); op; op = op->next)
        count++;
    assert_int_equal(count, OPS + 1);
    assert_int_not_equal(sem_trywait(&wakes), 0);
    for (int i = 0; i < OPS; i++)
        assert_false(store_submit(another, &ops[i]));
    assert_null(store_hand_over(another));
    assert_null(store_look(submitter)); /* it takes the other's too, who is told */
    assert_int_equal(sem_trywait(&wakes), 0);
    count = 0;
    for (const struct op *op = store_take_answered(another); op; op = op->next)
        count++;
    assert_int_equal(count, OPS);
    store_close(store);
}

static void where_answers_have_no_descriptor_nobody_polls(void **state)
{
    (void)state;
    assert_true(open_store(3));
    assert_int_equal(store_pollable(submitter), -1);
    store_close(store);
}

static void what_is_not_started_goes_to_the_committer(void **state)
{
    (void)state;
    assert_true(open_store(STARTS));
    submit_all();
    wait_for(OPS);
    assert_int_equal(inside.offered, OPS);
    assert_int_equal(atomic_load(&inside.committed[0]), OPS);
    assert_false(store_submit(submitter, &ops[0]));
    store_close(store); /* which hands it over, when the backend has been told that it is the end */
    assert_int_equal(inside.offered, OPS + 1);
    assert_true(inside.dismissed_before);
    assert_int_equal(atomic_load(&inside.committed[0]), OPS + 1);
    assert_int_equal(ops[0].outcome, OUTCOME_LIMIT_EXCEEDED);
}

static void past_what_may_be_pending_in_all_lanes_it_is_busy(void **state)
{
    (void)state;
    struct op more = {.kind = OP_ENTRY, .client = 1};
    assert_true(open_store(3));
    for (int i = 0; i < OPS; i++)
        assert_false(store_submit(submitter, &ops[i]));
    assert_true(store_submit(submitter, &more));
    assert_int_equal(more.outcome, OUTCOME_BUSY);
    store_close(store);
}

static void what_reads_has_as_much_room_of_its_own(void **state)
{
    (void)state;
    static struct op reading[OPS + 1];
    assert_true(open_store(3));
    for (int i = 0; i < OPS; i++)
        assert_false(store_submit(submitter, &ops[i]));
    for (uint32_t i = 0; i < OPS; i++) {
        reading[i] = (struct op){.kind = OP_STATEMENT, .client = i};
        assert_false(store_submit(submitter, &reading[i]));
    }
    reading[OPS] = (struct op){.kind = OP_STATEMENT};
    assert_true(store_submit(submitter, &reading[OPS]));
    assert_int_equal(reading[OPS].outcome, OUTCOME_BUSY);
    assert_null(store_hand_over(submitter));
    wait_for(2 * OPS);
    assert_false(store_submit(submitter, &reading[OPS])); /* there is room again */
    store_close(store);
    assert_int_equal(reading[OPS].outcome, OUTCOME_LIMIT_EXCEEDED);
}

static void submitters_share_what_may_be_pending_and_each_gets_its_own_back(void **state)
{
    (void)state;
    static struct op reading[OPS];
    struct op known = {.kind = OP_CLIENT, .client = 1}, more = {.kind = OP_ENTRY, .client = 1};
    assert_true(open_store(3));
    another = store_join(store, post, &wakes);
    assert_ptr_not_equal(another, submitter);
    assert_true(store_submit(another, &known));
    assert_int_equal(inside.submitted_now[0], 0);
    assert_int_equal(inside.submitted_now[1], 1);
    for (uint32_t i = 0; i < OPS; i++) {
        reading[i] = (struct op){.kind = OP_STATEMENT, .client = i};
        assert_false(store_submit(i % 2 ? another : submitter, &ops[i]));
        assert_false(store_submit(i % 2 ? submitter : another, &reading[i]));
    }
    assert_true(store_submit(another, &more));
    assert_int_equal(more.outcome, OUTCOME_BUSY);
    assert_true(store_submit(submitter, &more));
    assert_int_equal(more.outcome, OUTCOME_BUSY);
    assert_null(store_hand_over(another));
    for (int taken = 0; taken < OPS;) {
        assert_int_equal(sem_wait(&wakes), 0);
        assert_null(store_take_answered(submitter)); /* nothing of its own has been handed over */
        for (const struct op *op = store_take_answered(another); op; op = op->next, taken++)
            assert_true((op < ops + OPS && op >= ops) ? (op - ops) % 2 : (op - reading) % 2 == 0);
    }
    assert_false(store_submit(submitter, &more)); /* there is room again */
    store_close(store);                           /* which hands over what is left, of both */
    assert_int_equal(more.outcome, OUTCOME_LIMIT_EXCEEDED);
    assert_int_equal(ops[0].outcome, OUTCOME_LIMIT_EXCEEDED);
}

static void a_committer_that_cannot_be_started_ends_those_that_were(void **state)
{
    (void)state;
    for (int working = 0; working < 4; working++) {
        memset(&inside, 0, sizeof inside);
        threads_left = working;
        threads_started = 0;
        assert_false(open_store(4));
        assert_int_equal(threads_started, working);
        assert_string_equal(error, "cannot start the committer thread");
        assert_int_equal(inside.opened, 1);
        assert_int_equal(inside.admitted, 0);
        assert_int_equal(inside.closed, 1);
    }
}

static void a_backend_that_does_not_open_is_no_store(void **state)
{
    (void)state;
    inside.refuse = true;
    assert_false(open_store(4));
    assert_string_equal(error, "not today");
    assert_int_equal(threads_started, 0);
    assert_int_equal(inside.closed, 0);
}

/* A process that asks one thing opens the store for it, and with one lane. */
static void one_that_only_asks_opens_one_lane(void **state)
{
    (void)state;
    struct op op = {.kind = OP_HEALTH};
    assert_true(store_ask("fake:place", &op, error, sizeof error));
    assert_int_equal(op.outcome, OUTCOME_LIMIT_EXCEEDED);
    assert_int_equal(inside.backend.lanes, 1);
    assert_int_equal(threads_started, 1);
    op = (struct op){.kind = OP_CLIENT, .client = 7};
    assert_true(store_ask("fake:place", &op, error, sizeof error));
    assert_int_equal(op.outcome, OUTCOME_OK); /* at once */
    inside.refuse = true;
    assert_false(store_ask("fake:place", &op, error, sizeof error));
    assert_string_equal(error, "not today");
    assert_int_equal(inside.closed, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(there_is_a_committer_for_each_lane_and_each_gets_its_own),
        TEST(as_many_lanes_as_there_may_be_are_started_and_stopped),
        TEST(a_lane_that_waits_holds_up_no_other),
        TEST(closing_answers_what_waits_in_every_lane),
        TEST(a_backend_of_one_lane_need_not_say_which),
        TEST(what_is_answered_now_goes_to_no_lane),
        TEST(what_is_started_needs_no_committer),
        TEST(what_is_done_when_it_is_handed_over_is_given_back),
        TEST(the_first_may_look_for_answers_and_is_not_woken_for_them),
        TEST(where_answers_have_no_descriptor_nobody_polls),
        TEST(what_is_not_started_goes_to_the_committer),
        TEST(past_what_may_be_pending_in_all_lanes_it_is_busy),
        TEST(what_reads_has_as_much_room_of_its_own),
        TEST(submitters_share_what_may_be_pending_and_each_gets_its_own_back),
        TEST(a_committer_that_cannot_be_started_ends_those_that_were),
        TEST(a_backend_that_does_not_open_is_no_store),
        TEST(one_that_only_asks_opens_one_lane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
