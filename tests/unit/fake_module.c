/* SPDX-License-Identifier: MIT
 *
 * fake_module.c - modules for test_module.c: one that exports a kind of MODULE_VERSION, or without that
 * one that exports something else.
 */
#include "store/kind.h"
#include "store/module.h"

#ifdef MODULE_VERSION

extern const struct store_kind MODULE_SYMBOL;

__attribute__((visibility("default"))) const struct store_kind MODULE_SYMBOL = {
    .version = MODULE_VERSION,
};

#else

extern const int crebito_something_else;

__attribute__((visibility("default"))) const int crebito_something_else = 1;

#endif
