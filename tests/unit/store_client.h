/* SPDX-License-Identifier: MIT
 *
 * store_client.h - one thread that asks a store and waits for its answers.
 */
#ifndef CREBITO_TESTS_UNIT_STORE_CLIENT_H
#define CREBITO_TESTS_UNIT_STORE_CLIENT_H

#include "ledger_audit.h"
#include "store/store.h"

enum { STORE_PENDING = 600 };

struct store_client {
    char path[FOLDER_BYTES_MAX];
    char url[FOLDER_BYTES_MAX + 32];
    char error[400]; /* why the last store_client_open() failed */
    struct store *store;
    struct submitter *submitter;
};

extern struct store_client client;

/* A path where there is no store yet. Each test begins and ends with these. */
int store_client_setup(void **state);
int store_client_teardown(void **state);

bool store_client_try_open(uint64_t map_bytes, bool durable);
void store_client_open(void); /* with room, and not durable: fast */
void store_client_close(void);

/* Submits all in one turn and waits for all answers. */
void store_client_ask_all(struct op *ops, uint32_t count);
enum outcome store_client_ask(struct op *op);

enum outcome store_client_book(uint32_t who, enum entry_kind kind, int64_t cents, const char *key);
struct op store_client_statement(uint32_t who);

/* Waits for one wake and takes what is there. */
uint32_t store_client_take(void);

#endif
