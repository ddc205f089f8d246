/* SPDX-License-Identifier: MIT
 *
 * must_check.h - for functions whose result must not be ignored.
 *
 * Purpose    What can fail must be checked: the compiler sees to it.
 * Invariant  None.
 * Ownership  None.
 * Threads    None.
 * Errors     Ignoring the result does not compile (-Werror).
 * Not here   Anything else.
 */
#ifndef CREBITO_MUST_CHECK_H
#define CREBITO_MUST_CHECK_H

#define MUST_CHECK __attribute__((warn_unused_result))

#endif
