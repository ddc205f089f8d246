/* SPDX-License-Identifier: MIT
 *
 * members.h - several stores on one folder, and who asks them. (They are in one process here, which
 * neither the folder's lock nor its socket can tell.)
 */
#ifndef CREBITO_TESTS_UNIT_MEMBERS_H
#define CREBITO_TESTS_UNIT_MEMBERS_H

#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

#include "ledger_audit.h"
#include "store/store.h"

enum { MEMBERS = 3, MEMBER_PENDING = 300 };

#define UNTOUCHED ((enum outcome)77)

struct member {
    struct store *store; /* NULL: not there */
    struct submitter *submitter;
    sem_t wakes;
    char error[600]; /* why it could not join */
};

extern struct member members[MEMBERS];
extern struct member *const first, *const second, *const third;

/* Of a store that is not there yet, and of a place beside it. */
extern char members_path[FOLDER_BYTES_MAX], members_aside[FOLDER_BYTES_MAX + 10];

/* Each test begins and ends with these. */
int members_setup(void **state);
int members_teardown(void **state);

bool member_open(struct member *member, bool durable, bool must_exist);
bool member_try_to_join(struct member *member, bool durable);
void member_join(struct member *member); /* not durable: fast */
void member_leave(struct member *member);

/* How many are on their way; and waiting for so many. */
uint32_t member_submit(struct member *member, struct op *ops, uint32_t count);
void member_take_all(struct member *member, uint32_t out);

void member_ask_all(struct member *member, struct op *ops, uint32_t count);
struct op member_asked(struct member *member, struct op op);
enum outcome member_book(struct member *member, uint32_t who, enum entry_kind kind, int64_t cents);
struct op member_statement(struct member *member, uint32_t who);
enum outcome member_health(struct member *member);

void a_while(int ms);

/* How many there are; and that it is so many, once an owner has closed what a peer has closed. */
void expect_open_files(unsigned count);

/* How often a part is in a text. */
unsigned count_of(const char *text, const char *part);

#endif
