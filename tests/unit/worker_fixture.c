/* SPDX-License-Identifier: MIT
 *
 * worker_fixture.c - see worker_fixture.h.
 */
#include "worker_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

struct workers workers;
struct worker worker[WORKERS];
struct op ops[BATCH_OPS_MAX];
static uint32_t committed;

int worker_setup(void **state)
{
    (void)state;
    fake_exchange_begin();
    memset(&workers, 0, sizeof workers);
    memset(worker, 0, sizeof worker);
    workers.session.url = "postgres://user:secret@host/name";
    strcpy(workers.place, "postgres://host/name");
    workers.key_retention_us = 86400;
    workers.each = worker;
    workers.count = WORKERS;
    for (int i = 0; i < WORKERS; i++)
        worker[i].all = &workers;
    return 0;
}

int worker_teardown(void **state)
{
    (void)state;
    for (int i = 0; i < WORKERS; i++)
        worker_close(&worker[i]);
    if (fake_exchange.misused)
        print_error("a connection was used after its end\n");
    if (fake_exchange.open_now != 0)
        print_error("%u connections were left open\n", fake_exchange.open_now);
    if (fake_exchange.made != fake_exchange.cleared)
        print_error("of %u results %u were cleared\n", fake_exchange.made, fake_exchange.cleared);
    bool sound = !fake_exchange.misused && fake_exchange.open_now == 0 &&
                 fake_exchange.made == fake_exchange.cleared;
    return sound ? 0 : -1;
}

static struct op read_op(const char *word, char **ret_end)
{
    static const struct {
        char letter;
        enum op_kind kind;
    } kinds[] = {{'B', OP_ENTRY},     {'O', OP_OPEN},   {'L', OP_LIMIT},
                 {'S', OP_STATEMENT}, {'C', OP_CLIENT}, {'H', OP_HEALTH}};
    struct op op = {.outcome = OUTCOME_KEY_REUSED};
    size_t i = 0;
    while (i < COUNT_OF(kinds) && kinds[i].letter != word[0])
        i++;
    assert_in_range(i, 0, COUNT_OF(kinds) - 1);
    op.kind = kinds[i].kind;
    op.client = (uint32_t)strtoul(word + 1, ret_end, 10);
    if (**ret_end == 'k') {
        op.key_bytes = 1;
        ++*ret_end;
    }
    return op;
}

void commit_by(struct worker *by, const char *words)
{
    struct op *batch[BATCH_OPS_MAX];
    uint32_t count = 0;
    for (const char *at = words; *at; count++) {
        char *end;
        assert_in_range(count, 0, BATCH_OPS_MAX - 1);
        ops[count] = read_op(at, &end);
        batch[count] = &ops[count];
        at = *end == ' ' ? end + 1 : end;
    }
    committed = count;
    worker_commit(by, batch, count);
    for (uint32_t i = 0; i < count; i++) /* each is still there, wherever */
        assert_true(batch[i] >= ops && batch[i] < ops + count);
    assert_int_equal(atomic_load(&by->since_ms), 0);
}

void commit(const char *words)
{
    commit_by(&worker[0], words);
}

static char letter_of(enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_OK: return '+';
    case OUTCOME_UNKNOWN: return '?';
    case OUTCOME_DOWN: return '-';
    case OUTCOME_BUSY: return 'b';
    case OUTCOME_NO_CLIENT: return 'n';
    case OUTCOME_CORRUPT: return 'c';
    case OUTCOME_NO_SPACE: return 's';
    case OUTCOME_CLIENT_EXISTS:
    case OUTCOME_LIMIT_EXCEEDED:
    case OUTCOME_BALANCE_MAX:
    case OUTCOME_KEY_REUSED: break; /* none of a worker's own */
    }
    return '!';
}

void expect_outcomes(const char *letters)
{
    char found[BATCH_OPS_MAX + 1] = "";
    for (uint32_t i = 0; i < committed; i++)
        found[i] = letter_of(ops[i].outcome);
    assert_string_equal(found, letters);
}

void connect_first(void)
{
    char error[100];
    assert_int_equal(worker_connect(&worker[0], error, sizeof error), SESSION_OPEN);
    fake_exchange.sent[0] = '\0';
}
