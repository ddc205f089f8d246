/* SPDX-License-Identifier: MIT
 *
 * worker.c - see worker.h.
 */
#include "store/postgres/worker.h"

#include <stdio.h>
#include <string.h>

#include "ops/log.h"
#include "store/postgres/exchange.h"
#include "store/postgres/sqlstate.h"
#include "store/postgres/wait.h"

enum {
    PAUSE_FIRST_MS = 100,
    PAUSE_MAX_MS = 2000,
    TROUBLED_MS = 5000, /* how long a failure speaks against a worker that nobody has asked since */
    COMPLAIN_MS = 1000, /* one refusal a second is enough for the log */
    FORGET_MS = 100,    /* so often old keys are looked for, while new ones come */
    FORGET_MORE = 32,   /* each time, besides as many as came: they never pile up; */
    FORGET_MAX = 2000,  /* but not so many that anybody waits */
};

/* --- the connection --------------------------------------------------------------------------- */

static enum session_end learn_clients(struct worker *worker, char *error, size_t error_size)
{
    struct call call = {.kind = CALL_LEARN};
    struct refusal refusal;
    enum exchange_end end = exchange(worker->conn, &call, 1, ANSWER_TIMEOUT_MS, &refusal);
    if (end == EXCHANGE_DONE)
        call_answer(&call, &worker->all->known);
    else
        session_sentence(error, error_size, worker->all->place, refusal.words);
    exchange_clear(&call, 1);
    if (end == EXCHANGE_DONE)
        return SESSION_OPEN;
    return end == EXCHANGE_REFUSED && sqlstate_is_stale(refusal.state) ? SESSION_REFUSED
                                                                       : SESSION_ABSENT;
}

enum session_end worker_connect(struct worker *worker, char *error, size_t error_size)
{
    struct workers *all = worker->all;
    int64_t clock_us = 0;
    enum session_end end = session_open(&worker->conn, &clock_us, &all->session, error, error_size);
    if (end != SESSION_OPEN) {
        worker->conn = NULL;
        return end;
    }
    if (all->opened_us == 0) { /* the first connection, before there are others */
        all->opened_us = clock_us;
        all->opened_ms = wait_clock_ms();
    }
    end = learn_clients(worker, error, error_size);
    if (end != SESSION_OPEN) {
        worker_close(worker);
        return end;
    }
    worker->pause_ms = 0;
    worker->retry_at_ms = 0;
    return end;
}

static bool still_away(struct worker *worker)
{
    atomic_store(&worker->troubled_ms, wait_clock_ms());
    return false;
}

static bool connected(struct worker *worker)
{
    struct workers *all = worker->all;
    char error[500];
    if (worker->conn && !exchange_possible(worker->conn))
        worker_close(worker); /* it went away between two batches: no harm is done yet */
    if (worker->conn)
        return true;
    if (wait_clock_ms() < worker->retry_at_ms)
        return still_away(worker);
    enum session_end end = worker_connect(worker, error, sizeof error);
    if (end == SESSION_OPEN) {
        worker->told[0] = '\0';
        if (atomic_exchange(&all->away, false))
            log_line(LOG_INFO, "the database is back", "database", all->place, NULL);
        return true;
    }
    bool news = end == SESSION_REFUSED &&
                strncmp(worker->told, error, sizeof worker->told - 1) != 0;
    snprintf(worker->told, sizeof worker->told, "%s", end == SESSION_REFUSED ? error : "");
    if (!atomic_exchange(&all->away, true) || news)
        log_line(LOG_ERROR, "the database cannot be reached", "database", all->place, "reason",
                 error, NULL);
    worker->pause_ms = worker->pause_ms == 0 ? PAUSE_FIRST_MS : 2 * worker->pause_ms;
    if (worker->pause_ms > PAUSE_MAX_MS)
        worker->pause_ms = PAUSE_MAX_MS;
    worker->retry_at_ms = wait_clock_ms() + worker->pause_ms;
    return still_away(worker);
}

/* --- answers without the server --------------------------------------------------------------- */

/* Nobody opens an account while the server is away, so whoever was not there when it was last asked
 * is nobody: the contract judges the client first. */
static enum outcome without_server(const struct known *known, const struct op *op)
{
    if (op->kind == OP_HEALTH || op->kind == OP_OPEN)
        return OUTCOME_DOWN;
    if (known_has(known, op->client))
        return op->kind == OP_CLIENT ? OUTCOME_OK : OUTCOME_DOWN;
    return atomic_load(&known->all) ? OUTCOME_NO_CLIENT : OUTCOME_DOWN;
}

static void answer_without_server(struct worker *worker, struct op **ops, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        ops[i]->outcome = without_server(&worker->all->known, ops[i]);
}

static void complain(struct worker *worker, const struct call *calls, uint32_t count,
                     const struct refusal *refusal)
{
    int64_t now_ms = wait_clock_ms();
    char client[16] = "several";
    if (refusal->call < count && calls[refusal->call].count > 0)
        snprintf(client, sizeof client, "%u", calls[refusal->call].ops[0]->client);
    if (worker->complained_ms != 0 && now_ms - worker->complained_ms < COMPLAIN_MS)
        return;
    worker->complained_ms = now_ms;
    log_line(LOG_WARN, "the database refuses a call", "database", worker->all->place, "client",
             client, "sqlstate", refusal->state, "reason", refusal->words, NULL);
}

/* --- clients taken aside ---------------------------------------------------------------------- */

static uint32_t *find_held(struct worker *worker, uint32_t client)
{
    for (uint32_t i = 0; i < HELD_MAX; i++)
        if (worker->held[i] == client)
            return &worker->held[i];
    return NULL;
}

static void hold(struct worker *worker, uint32_t client)
{
    if (find_held(worker, client))
        return;
    worker->held[worker->held_next] = client; /* in the place of the oldest */
    worker->held_next = (worker->held_next + 1) % HELD_MAX;
}

static void release(struct worker *worker, uint32_t client)
{
    uint32_t *held = find_held(worker, client);
    if (held)
        *held = 0;
}

/* --- calls of one transaction ----------------------------------------------------------------- */

static void end_all(const struct call *calls, uint32_t count, enum outcome outcome)
{
    for (uint32_t i = 0; i < count; i++)
        call_end(&calls[i], outcome);
}

/* Takes out the call at `at`. Where it ran out of time, the others will wait for no lock: each that is
 * held as well would else cost everybody the same time again. Returns how many are left. */
static uint32_t take_out(struct call *calls, uint32_t count, uint32_t at, bool hurry)
{
    if (hurry && calls[0].kind != CALL_HURRY) {
        memmove(&calls[1], &calls[0], at * sizeof calls[0]);
        calls[0] = (struct call){.kind = CALL_HURRY};
    } else {
        memmove(&calls[at], &calls[at + 1], (count - at - 1) * sizeof calls[0]);
        count--;
    }
    return count == 1 && calls[0].kind == CALL_HURRY ? 0 : count;
}

/* The transaction is rolled back. Answers whose fault that was, and returns how many calls are left,
 * to be sent again. */
static uint32_t refuse(struct worker *worker, struct call *calls, uint32_t count,
                       const struct refusal *refusal)
{
    enum outcome outcome = sqlstate_outcome(refusal->state);
    complain(worker, calls, count, refusal);
    if (outcome == OUTCOME_NO_SPACE)
        atomic_store(&worker->troubled_ms, wait_clock_ms());
    if (sqlstate_is_stale(refusal->state))
        worker_close(worker); /* the next connection looks again, and says what is wrong */
    if (refusal->call >= count) {
        end_all(calls, count, outcome); /* the commit's: all of them are at fault */
        return 0;
    }
    struct call *culprit = &calls[refusal->call];
    bool held = sqlstate_is_timeout(refusal->state) && call_writes(culprit);
    if (held)
        hold(worker, culprit->ops[0]->client);
    call_end(culprit, outcome);
    return take_out(calls, count, refusal->call, held);
}

static void lose(struct worker *worker, const struct refusal *refusal)
{
    atomic_store(&worker->troubled_ms, wait_clock_ms());
    worker_close(worker);
    if (!atomic_exchange(&worker->all->away, true))
        log_line(LOG_ERROR, "the connection to the database is lost", "database",
                 worker->all->place, "reason", refusal->words, NULL);
}

static void accept_results(struct worker *worker, struct call *calls, uint32_t count)
{
    atomic_store(&worker->troubled_ms, 0);
    for (uint32_t i = 0; i < count; i++) {
        call_answer(&calls[i], &worker->all->known);
        if (call_writes(&calls[i]))
            release(worker, calls[i].ops[0]->client);
    }
}

/* Calls of one transaction, until each op has its outcome. */
static void run(struct worker *worker, struct call *calls, uint32_t count, bool writes)
{
    int connections = 2; /* that may break under what has not happened: it is sent again once */
    while (count > 0) {
        struct refusal refusal;
        uint32_t sent = count;
        if (connections == 0 || !connected(worker)) {
            for (uint32_t i = 0; i < count; i++)
                answer_without_server(worker, calls[i].ops, calls[i].count);
            return;
        }
        enum exchange_end end = exchange(worker->conn, calls, sent, ANSWER_TIMEOUT_MS, &refusal);
        if (end == EXCHANGE_DONE) {
            accept_results(worker, calls, count);
            count = 0;
        }
        exchange_clear(calls, sent);
        switch (end) {
        case EXCHANGE_DONE: break;
        case EXCHANGE_REFUSED: count = refuse(worker, calls, count, &refusal); break;
        case EXCHANGE_LOST:
            if (writes) {
                end_all(calls, count, OUTCOME_UNKNOWN);
                count = 0;
            }
            /* fall through */
        case EXCHANGE_UNSENT:
            lose(worker, &refusal);
            connections--;
            break;
        }
    }
}

/* Expired keys go a few at a time, in a transaction of their own, as others come. The time is what has
 * really passed: a server's clock that is set forward forgets none before its time. */
static void forget_old_keys(struct worker *worker)
{
    int64_t now_ms = wait_clock_ms();
    if (worker->keyed == 0 || now_ms - worker->forgot_ms < FORGET_MS)
        return;
    uint32_t now = worker->keyed < FORGET_MAX ? worker->keyed : FORGET_MAX;
    struct call calls[] = {
        {.kind = CALL_HURRY},
        {
            .kind = CALL_FORGET,
            .age_us = worker->all->key_retention_us,
            .now_us = worker->all->opened_us + (now_ms - worker->all->opened_ms) * 1000,
            .forget_max = (int32_t)(now + FORGET_MORE),
        },
    };
    worker->forgot_ms = now_ms;
    worker->keyed -= now;
    run(worker, calls, 2, false);
}

/* --- a batch ---------------------------------------------------------------------------------- */

/* Moves those for which it is true to the front, and returns how many these are. Each part keeps its
 * order. */
static uint32_t part(struct worker *worker, struct op **ops, uint32_t count,
                     bool (*is)(struct worker *worker, const struct op *op))
{
    struct op *others[BATCH_OPS_MAX];
    uint32_t yes = 0, no = 0;
    for (uint32_t i = 0; i < count; i++)
        if (is(worker, ops[i]))
            ops[yes++] = ops[i];
        else
            others[no++] = ops[i];
    for (uint32_t i = 0; i < no; i++)
        ops[yes + i] = others[i];
    return yes;
}

static bool is_writing(struct worker *worker, const struct op *op)
{
    (void)worker;
    return op_writes(op);
}

static bool is_free(struct worker *worker, const struct op *op)
{
    return !find_held(worker, op->client);
}

static void book(struct worker *worker, struct op **ops, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        worker->keyed += ops[i]->kind == OP_ENTRY && ops[i]->key_bytes > 0;
    uint32_t free_ones = part(worker, ops, count, is_free);
    run(worker, worker->calls, call_make(worker->calls, ops, free_ones), true);
    /* Those that were held before this batch: each in a transaction of its own, and in a hurry. */
    uint32_t held = call_make(worker->calls, ops + free_ones, count - free_ones);
    for (uint32_t i = 0; i < held; i++) {
        struct call alone[] = {{.kind = CALL_HURRY}, worker->calls[i]};
        run(worker, alone, 2, true);
    }
    forget_old_keys(worker);
}

/* Healthy is a server that answers us, where no other worker has reason to complain either. */
static bool others_troubled(const struct worker *worker)
{
    for (uint32_t i = 0; i < worker->all->count; i++)
        if (worker_troubled(&worker->all->each[i]) && &worker->all->each[i] != worker)
            return true;
    return false;
}

/* A session that the server calls read-only stays so, though the server may not: the next is a new one. */
static void judge_health(struct worker *worker, struct op **ops, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (ops[i]->kind != OP_HEALTH)
            continue;
        if (ops[i]->outcome != OUTCOME_OK)
            worker_close(worker);
        else if (others_troubled(worker))
            ops[i]->outcome = OUTCOME_DOWN;
    }
}

/* Or whoever it is may not exist: not among those that are known, which were all that there were. */
static bool is_acquainted(struct worker *worker, const struct op *op)
{
    const struct known *known = &worker->all->known;
    return op->kind == OP_OPEN || !atomic_load(&known->all) || known_has(known, op->client);
}

static bool is_found(struct worker *worker, const struct op *op)
{
    (void)worker;
    return op->outcome == OUTCOME_OK;
}

/* Strangers are asked for before anything is booked: so whoever does not exist is told so also when the
 * connection breaks, and not that nobody knows. Returns how many can be booked, which come first. */
static uint32_t introduce(struct worker *worker, struct op **ops, uint32_t count)
{
    uint32_t acquainted = part(worker, ops, count, is_acquainted);
    if (acquainted == count)
        return count;
    struct call call = {
        .kind = CALL_CLIENTS,
        .ops = ops + acquainted,
        .count = count - acquainted,
    };
    run(worker, &call, 1, false);
    return acquainted + part(worker, call.ops, call.count, is_found);
}

void worker_commit(struct worker *worker, struct op **ops, uint32_t count)
{
    atomic_store(&worker->since_ms, wait_clock_ms());
    uint32_t writing = part(worker, ops, count, is_writing);
    book(worker, ops, introduce(worker, ops, writing));
    run(worker, worker->calls, call_make(worker->calls, ops + writing, count - writing), false);
    judge_health(worker, ops + writing, count - writing);
    atomic_store(&worker->since_ms, 0);
}

bool worker_troubled(const struct worker *worker)
{
    int64_t since_ms = atomic_load(&worker->since_ms);
    int64_t troubled_ms = atomic_load(&worker->troubled_ms);
    int64_t now_ms = wait_clock_ms();
    return (since_ms != 0 && now_ms - since_ms > ANSWER_TIMEOUT_MS) ||
           (troubled_ms != 0 && now_ms - troubled_ms < TROUBLED_MS);
}

void worker_close(struct worker *worker)
{
    PQfinish(worker->conn);
    worker->conn = NULL;
}
