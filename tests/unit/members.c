/* SPDX-License-Identifier: MIT
 *
 * members.c - see members.h.
 */
#include "members.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "unit.h"

enum { PATIENCE_S = 30 };

struct member members[MEMBERS];
struct member *const first = &members[0], *const second = &members[1], *const third = &members[2];
char members_path[FOLDER_BYTES_MAX], members_aside[FOLDER_BYTES_MAX + 10];

static char url[FOLDER_BYTES_MAX + 10];

static void wake(void *context)
{
    struct member *member = context;
    sem_post(&member->wakes);
}

bool member_open(struct member *member, bool durable, bool must_exist)
{
    const struct store_options options = {
        .must_exist = must_exist,
        .durable = durable,
        .serves = true,
        .map_bytes = UINT64_C(1) << 28, /* for as much as threads can book without a pause */
        .submitters = 1,
        .pending_max = MEMBER_PENDING,
        .key_retention_us = INT64_C(86400000000),
    };
    if (!store_open(&member->store, url, &options, member->error, sizeof member->error))
        return false;
    member->submitter = store_join(member->store, wake, member);
    return true;
}

bool member_try_to_join(struct member *member, bool durable)
{
    return member_open(member, durable, false);
}

void member_join(struct member *member)
{
    if (!member_try_to_join(member, false))
        FAIL("%s", member->error);
}

void member_leave(struct member *member)
{
    store_close(member->store);
    member->store = NULL;
    while (sem_trywait(&member->wakes) == 0)
        continue;
}

static uint32_t take(struct member *member)
{
    struct timespec until;
    uint32_t count = 0;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    if (sem_timedwait(&member->wakes, &until) != 0)
        FAIL("no answer for %d s", PATIENCE_S);
    for (struct op *op = store_take_answered(member->submitter); op; op = op->next)
        count++;
    return count;
}

void member_take_all(struct member *member, uint32_t out)
{
    while (out > 0)
        out -= take(member);
}

uint32_t member_submit(struct member *member, struct op *ops, uint32_t count)
{
    uint32_t out = 0;
    for (uint32_t i = 0; i < count; i++)
        out += !store_submit(member->submitter, &ops[i]);
    for (const struct op *op = store_hand_over(member->submitter); op; op = op->next)
        out--;
    return out;
}

void member_ask_all(struct member *member, struct op *ops, uint32_t count)
{
    member_take_all(member, member_submit(member, ops, count));
}

struct op member_asked(struct member *member, struct op op)
{
    op.outcome = UNTOUCHED;
    member_ask_all(member, &op, 1);
    return op;
}

enum outcome member_book(struct member *member, uint32_t who, enum entry_kind kind, int64_t cents)
{
    return member_asked(member, entry_op(who, kind, cents, NULL)).outcome;
}

struct op member_statement(struct member *member, uint32_t who)
{
    return member_asked(member, (struct op){.kind = OP_STATEMENT, .client = who});
}

enum outcome member_health(struct member *member)
{
    return member_asked(member, (struct op){.kind = OP_HEALTH}).outcome;
}

int members_setup(void **state)
{
    (void)state;
    temporary_make(members_path);
    snprintf(members_aside, sizeof members_aside, "%s-aside", members_path);
    snprintf(url, sizeof url, "lmdb:%s", members_path);
    for (int i = 0; i < MEMBERS; i++) {
        members[i].store = NULL;
        sem_init(&members[i].wakes, 0, 0);
    }
    return 0;
}

int members_teardown(void **state)
{
    (void)state;
    for (int i = MEMBERS - 1; i >= 0; i--) {
        if (members[i].store)
            member_leave(&members[i]);
        sem_destroy(&members[i].wakes);
    }
    temporary_remove(members_path);
    return 0;
}

void a_while(int ms)
{
    const struct timespec pause = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&pause, NULL);
}

unsigned count_of(const char *text, const char *part)
{
    unsigned count = 0;
    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
        count++;
    return count;
}

void expect_open_files(unsigned count)
{
    for (int i = 0; i < 1000 && open_files() != count; i++)
        a_while(10);
    assert_int_equal(open_files(), count);
}
