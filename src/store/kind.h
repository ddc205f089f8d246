/* SPDX-License-Identifier: MIT
 *
 * kind.h - the kinds of stores, and which of them a URL means.
 *
 * Purpose    One table of calls for each kind; store.c and archive.c are the doors in front of them.
 * Invariant  A kind is asked only about places of its own: for lmdb a path, for postgres the URL. One whose library this process does not have
 *            yet is loaded when it is first asked for, and stays.
 * Ownership  Kinds are constants, also those of a module.
 * Threads    The main thread, before there are others.
 * Errors     NULL and a sentence, in which a password is not repeated.
 * Not here   What a store is.
 */
#ifndef CREBITO_STORE_KIND_H
#define CREBITO_STORE_KIND_H

#include <stdbool.h>
#include <stddef.h>

#include "must_check.h"
#include "store/archive.h"
#include "store/backend.h"
#include "store/store.h"

enum owner_end {
    OWNER_ANSWERED, /* the op has its outcome */
    OWNER_NONE,     /* nobody owns it */
    OWNER_DEAF,     /* somebody does, who is not listening: just coming, or going */
    OWNER_REFUSED,  /* it is no use to ask again */
};

/* What is not described here is so in store.h (open, inspect) or archive.h, under its name there. */
struct store_kind {
    const char *version; /* the program's that it was built with */

    struct backend *(*open)(const char *place, const struct store_options *options, char *error,
                            size_t error_size);
    bool (*inspect)(struct store_facts *ret, const char *place, char *error, size_t error_size);

    /* There, or it is made; left as it is where it is there, but brought up to date. NULL: open()
     * does that. */
    bool (*init)(const char *place, const struct store_options *options, char *error,
                 size_t error_size);

    /* Put an op to the process that has the store open. NULL: each process opens it for itself. */
    enum owner_end (*ask_owner)(const char *place, struct op *op, int timeout_ms, char *error,
                                size_t error_size);

    enum archive_end (*verify)(const char *place, struct task *task,
                               struct archive_facts *ret_facts, char *error, size_t error_size);
    enum archive_end (*read)(const char *place, const struct archive_range *range,
                             const struct archive_sink *sink, struct task *task, char *error,
                             size_t error_size);
    /* Both places are of this kind. NULL: it has other tools for that, which `no_copy` names. */
    enum archive_end (*copy)(const char *from, const char *to, struct task *task,
                             struct archive_facts *ret_facts, char *error, size_t error_size);
    const char *no_copy;
    void (*clear)(const char *place);

    enum archive_end (*build_begin)(struct archive_build **ret, const char *place,
                                    uint64_t map_bytes, int64_t created_us, char *error,
                                    size_t error_size);
    enum archive_end (*build_add)(struct archive_build *build, const struct archive_record *record,
                                  char *error, size_t error_size);
    enum archive_end (*build_finish)(struct archive_build *build, struct task *task,
                                     struct archive_facts *ret_facts, char *error,
                                     size_t error_size);
    void (*build_abandon)(struct archive_build *build);
};

/* A build begins with its kind. */
struct archive_build {
    const struct store_kind *kind;
};

/* *ret_place points into the URL. */
MUST_CHECK const struct store_kind *store_kind_of(const char *url, const char **ret_place,
                                                  char *error, size_t error_size);

#endif
