/* SPDX-License-Identifier: MIT
 *
 * log.h - one line for each thing an operator should know, on stderr, in logfmt.
 *
 * Purpose    time=... level=... msg="..." key=value ...: greppable by people, parsable by tools.
 * Invariant  One call is one line and one write(2), however many threads log.
 * Ownership  Borrows its arguments.
 * Threads    Safe from any thread.
 * Errors     A line that cannot be written at once is lost; one longer than LOG_LINE_BYTES_MAX is cut.
 * Not here   Requests: a bank that logs each request is a slow one.
 */
#ifndef CREBITO_OPS_LOG_H
#define CREBITO_OPS_LOG_H

enum { LOG_LINE_BYTES_MAX = 1024 };

enum log_level {
    LOG_INFO,  /* the service changed state as it should */
    LOG_WARN,  /* it works, but not as a bank should be run, or not for long */
    LOG_ERROR, /* it refuses something until somebody acts */
};

/* `pairs` names and values in turn, ended by NULL: values are quoted where they need it.
 *     log_line(LOG_INFO, "listening", "address", address, NULL); */
__attribute__((sentinel)) void log_line(enum log_level level, const char *message, ...);

#endif
