/* SPDX-License-Identifier: MIT
 *
 * flush_gate.h - a commit of LMDB's that is held up between its pages and the root that makes them count. A
 * program that links this flushes nothing.
 */
#ifndef CREBITO_TESTS_UNIT_FLUSH_GATE_H
#define CREBITO_TESTS_UNIT_FLUSH_GATE_H

void close_gate(void);
/* Until a flush is held up, or has passed since the gate was closed. */
void wait_at_gate(void);
void open_gate(void);

#endif
