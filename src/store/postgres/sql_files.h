/* SPDX-License-Identifier: MIT
 *
 * sql_files.h - the files of sql/, as they were when this was built.
 *
 * Purpose    `crebito init` needs no file beside the program.
 * Invariant  In the order in which they are to be run, which is that of their names.
 * Ownership  Constants.
 * Threads    Constants.
 * Errors     None.
 * Not here   Running them: schema.h. Making this table: embed_sql.py.
 */
#ifndef CREBITO_STORE_POSTGRES_SQL_FILES_H
#define CREBITO_STORE_POSTGRES_SQL_FILES_H

#include <stddef.h>

struct sql_file {
    const char *name; /* without its folder */
    const char *text;
};

extern const struct sql_file sql_files[];
extern const size_t sql_files_count;

#endif
