/* SPDX-License-Identifier: MIT
 *
 * owner_fixture.h - an owner's socket in a temporary folder, and peers of it, by hand. What is behind
 * it is a fake: statements are answered at once, writing ops when a gate is open.
 */
#ifndef CREBITO_TESTS_UNIT_OWNER_FIXTURE_H
#define CREBITO_TESTS_UNIT_OWNER_FIXTURE_H

#include "ledger_audit.h"
#include "store/lmdb/op_wire.h"
#include "store/lmdb/owner_socket.h"

/* The limit on every statement; the first statement of client HOLD waits for the gate too, or until
 * it is let go, and the owner's thread with it. */
enum { CENTS = 7, HOLD = 999, ASKED_MAX = 512 };

struct owner_fixture {
    char path[FOLDER_BYTES_MAX];
    struct folder folder;
    struct owner_socket *owner;
    bool ended; /* and not freed yet: the committer may still be about to wake it */
    char error[300];

    bool
        does; /* ops that write are done at once, but those of client HOLD; before the first is asked */

    /* To be looked at when nothing moves: whose questions were answered at once, in order; the
     * largest batch. */
    uint32_t asked[ASKED_MAX], asked_count;
    uint32_t largest;
    uint32_t done, offered; /* at once */
};

extern struct owner_fixture fixture;
extern _Thread_local bool on_committer; /* since its first commit */

int owner_setup(void **state);
int owner_teardown(void **state);
bool owner_open(void);       /* only the socket */
void owner_open_again(void); /* all, after owner_close() */
void owner_close(void);
const char *owner_socket_name(void);

void gate_move(bool closed);
uint32_t gate_wait_for_commit(void); /* how many ops are before the gate */
void gate_wait_for_question(void);   /* until one was answered at once, or is held up */
void hold(bool held);                /* client HOLD, also when the gate is open */
uint32_t gate_committed(void);       /* how many ops so far */

/* An op of the owner's own process goes to the committer and comes back. */
void owner_expect_committer(void);

int peer_connected(void);
int peer_greeted(void);
void peer_expect_greeting(int fd);
bool peer_try_to_ask(int fd, struct op op, uint32_t number);
void peer_ask(int fd, struct op op, uint32_t number);
/* Fills in the answer of an op of that kind; its number. 0: the owner has let go of us. */
uint32_t peer_answered(int fd, struct op *op);
void peer_expect_answer(int fd, struct op op, uint32_t number);
void peer_expect_let_go(int fd); /* and closes it */
void peer_expect_served(int fd);

struct op an_entry(void);
struct op a_statement(void);

#endif
