# SPDX-License-Identifier: MIT
"""Writes the files of sql/ as a C table: see sql_files.h. embed_sql.py OUTPUT FILE...

Of the files only those that end in .sql count."""

import sys
from pathlib import Path

ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}


def literal(line):
    return '        "' + "".join(ESCAPES.get(character, character) for character in line) + '"'


def entry(path):
    lines = path.read_text(encoding="ascii").splitlines(keepends=True)
    return '    {"%s",\n%s},' % (path.name, "\n".join(map(literal, lines)))


output, *paths = map(Path, sys.argv[1:])
paths = sorted((path for path in paths if path.suffix == ".sql"), key=lambda path: path.name)
output.write_text(f"""/* Made by embed_sql.py. */
#include "store/postgres/sql_files.h"

const struct sql_file sql_files[] = {{
{chr(10).join(map(entry, paths))}
}};

const size_t sql_files_count = sizeof sql_files / sizeof sql_files[0];
""", encoding="ascii")
