# SPDX-License-Identifier: MIT
"""A header is a contract: fixed sections, in a fixed order; and every source names its licence."""

import re
from pathlib import Path

import tree

SECTIONS = ["Purpose", "Invariant", "Ownership", "Threads", "Errors", "Not here"]
SPDX = "SPDX-License-Identifier: MIT"
MESON_FILES = {"meson.build", "meson.options", "meson_options.txt"}

GOOD = """/* SPDX-License-Identifier: MIT
 *
 * ledger.h - the one rule that moves money.
 *
 * Purpose    Decide whether an entry fits an account.
 * Invariant  The balance stays within its bounds.
 * Ownership  Callers own every struct.
 * Threads    No shared state.
 * Errors     Returned, never logged.
 * Not here   Clock, JSON, HTTP, disk.
 */
#ifndef LEDGER_H
"""


def header_problems(path, content):
    comment = content.split("*/")[0]
    if not re.search(rf"^ \* {re.escape(path.name)} - \S", comment, re.M):
        yield f'no line " * {path.name} - what it is"'
    found = re.findall(rf"^ \* ({'|'.join(SECTIONS)})\s+\S", comment, re.M)
    if found != SECTIONS:
        yield f"sections are {found}, should be {SECTIONS}"


def licence_problems(_path, content):
    lines = content.splitlines() or [""]
    first = lines[1:2] if lines[0].startswith("#!") else lines[:1]
    if not first or SPDX not in first[0]:
        yield f"the first line (the second, after #!) does not say {SPDX}"


def is_source(path, content):
    return (
        path.suffix in {".c", ".h", ".py", ".lua", ".sh", ".sql"}
        or path.name in MESON_FILES
        or content.startswith("#!")
    )


def test_every_header_has_its_sections_in_order():
    headers = [(path, text) for path, text in tree.texts(".h") if path.parts[0] == "src"]
    assert tree.problems(header_problems, headers) == []


def test_a_good_header_passes():
    assert list(header_problems(Path("src/bank/ledger.h"), GOOD)) == []


def test_a_header_with_a_section_missing_misplaced_empty_or_outside_the_comment_is_caught():
    path = Path("src/bank/ledger.h")
    line = " * Threads    No shared state.\n"
    for bad in (
        GOOD.replace(line, ""),
        GOOD.replace(line, "").replace(" */\n", line + " */\n"),
        GOOD.replace(line, " * Threads\n"),
        GOOD.replace(line, "").replace(" */\n", " */\n/*\n" + line + " */\n"),
        GOOD.replace(line, line + line),
    ):
        assert bad != GOOD
        assert list(header_problems(path, bad))


def test_a_header_copied_under_another_name_is_caught():
    assert list(header_problems(Path("src/bank/account.h"), GOOD))


def test_every_source_and_script_names_its_licence():
    sources = [(path, text) for path, text in tree.texts() if is_source(path, text)]
    assert sources
    assert tree.problems(licence_problems, sources) == []


def test_a_source_without_a_licence_is_caught():
    for bad in ("", "int main(void);\n", "#!/bin/sh\n", "#!/bin/sh\nset -eu\n# " + SPDX + "\n"):
        assert list(licence_problems(Path("a"), bad)), bad
    for good in (GOOD, f"#!/bin/sh\n# {SPDX}\n", f"# {SPDX}\n"):
        assert not list(licence_problems(Path("a"), good)), good
