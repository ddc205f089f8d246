# SPDX-License-Identifier: MIT
"""Which part may know which: the arrows between the folders of src/ point one way."""

import re
from pathlib import Path

import tree

# What each part must not include: folders of src/ (with a slash) and library headers. The longest
# prefix that fits a file decides. main.c and the commands know all the parts.
FORBIDDEN = {
    "text/": {"bank/", "store/", "http/", "ops/", "exchange/"},
    "bank/": {
        "store/", "http/", "ops/", "exchange/",
        "uv.h", "llhttp.h", "jansson.h", "lmdb.h", "libpq-fe.h", "time.h", "sys/time.h",
    },
    "store/": {"http/", "exchange/", "llhttp.h", "jansson.h", "lmdb.h", "libpq-fe.h"},
    "store/lmdb/": {"http/", "exchange/", "store/postgres/", "llhttp.h", "jansson.h", "libpq-fe.h"},
    "store/postgres/": {"http/", "exchange/", "store/lmdb/", "llhttp.h", "jansson.h", "lmdb.h"},
    "http/": {"exchange/", "store/lmdb/", "store/postgres/", "lmdb.h", "libpq-fe.h"},
    "exchange/": {"http/", "store/lmdb/", "store/postgres/", "lmdb.h", "libpq-fe.h", "uv.h"},
    "ops/": {"bank/", "store/", "exchange/", "llhttp.h", "jansson.h", "lmdb.h", "libpq-fe.h"},
    "command": {"lmdb.h", "libpq-fe.h", "llhttp.h"},
    "main.c": {"lmdb.h", "libpq-fe.h", "llhttp.h"},
    "must_check.h": {"bank/", "store/", "http/", "ops/"},
}


def includes(path, content):
    """What a file of src/ includes, as paths below src/ where they are ours."""
    for quote, name in re.findall(r'^\s*#\s*include\s*(["<])([^">]+)[">]', content, re.M):
        if quote == '"':
            beside = (path.parent / name).as_posix()
            parts = []
            for part in beside.split("/"):
                parts = parts[:-1] if part == ".." else parts + [part]
            beside = Path(*parts)
            ours = beside.is_relative_to("src") and (tree.ROOT / beside).exists()
            name = beside.relative_to("src").as_posix() if ours else name
        yield name


def include_problems(path, content):
    below_src = path.relative_to("src").as_posix()
    fits = [prefix for prefix in FORBIDDEN if below_src.startswith(prefix)]
    if not fits:
        yield "a part of src/ that no rule here speaks of"
        return
    part = max(fits, key=len)
    for name in includes(path, content):
        for forbidden in FORBIDDEN[part]:
            if name == forbidden or (forbidden.endswith("/") and name.startswith(forbidden)):
                yield f"{part} must not know {name}"


def arrows(pairs):
    """Which top folder of src/ includes which others."""
    known = {}
    for path, content in pairs:
        if len(path.parts) > 2:
            known.setdefault(path.parts[1], set()).update(
                name.split("/")[0] for name in includes(path, content) if "/" in name
            )
    return {part: {to for to in others if to in known and to != part} for part, others in known.items()}


def circle(known):
    """The parts left when those that know nobody else are taken away, again and again."""
    known = dict(known)
    while free := [part for part, others in known.items() if not others & known.keys()]:
        for part in free:
            del known[part]
    return sorted(known)


def sources():
    return [(path, text) for path, text in tree.texts(".c", ".h") if path.parts[0] == "src"]


def test_no_part_includes_what_it_must_not_know():
    assert tree.problems(include_problems, sources()) == []


def test_an_include_in_the_wrong_direction_is_caught():
    for path, line in (
        ("src/bank/ledger.c", '#include "http/reply.h"'),
        ("src/bank/ledger.c", '#include "store/store.h"'),
        ("src/bank/ledger.h", "#include <time.h>"),
        ("src/bank/ledger.c", "#  include <jansson.h>"),
        ("src/store/queue.c", '#include "http/reply.h"'),
        ("src/store/queue.c", "#include <lmdb.h>"),
        ("src/store/lmdb/store.c", '#include "http/reply.h"'),
        ("src/store/lmdb/store.c", '#include "store/postgres/connection.h"'),
        ("src/http/server.c", "#include <lmdb.h>"),
        ("src/http/server.c", "#include <libpq-fe.h>"),
        ("src/http/server.c", '#include "store/lmdb/record.h"'),
        ("src/ops/log.c", '#include "bank/ledger.h"'),
        ("src/text/text.c", '#include "bank/ledger.h"'),
        ("src/exchange/jsonl.c", '#include "store/lmdb/record.h"'),
        ("src/main.c", "#include <lmdb.h>"),
        ("src/elsewhere/new.c", ""),
    ):
        assert list(include_problems(Path(path), line + "\n")), (path, line)


def test_an_include_in_the_right_direction_passes():
    for path, line in (
        ("src/bank/ledger.c", "#include <string.h>"),
        ("src/store/lmdb/store.c", "#include <lmdb.h>"),
        ("src/store/lmdb/store.c", '#include "store/store.h"'),
        ("src/http/server.c", '#include "store/store.h"'),
        ("src/main.c", '#include "http/server.h"'),
    ):
        assert not list(include_problems(Path(path), line + "\n")), (path, line)


def test_an_include_by_a_relative_path_is_seen_for_what_it_is():
    ours = next((path for path, _ in sources() if path.parts[1] == "bank"), None)
    assert ours, "src/bank holds nothing"
    assert list(includes(Path("src/ops/log.c"), f'#include "../bank/{ours.name}"\n')) == [
        f"bank/{ours.name}"
    ]


def test_the_folders_know_each_other_in_no_circle():
    assert circle(arrows(sources())) == []


def test_a_circle_is_caught():
    assert circle({"bank": set(), "store": {"bank"}, "http": {"store"}}) == []
    assert circle({"bank": {"http"}, "store": {"bank"}, "http": {"store"}, "ops": set()}) == [
        "bank", "http", "store",
    ]
    pairs = [
        (Path("src/ops/log.c"), '#include "http/server.h"\n'),
        (Path("src/http/server.c"), '#include "ops/log.h"\n'),
    ]
    assert circle(arrows(pairs)) == ["http", "ops"]
