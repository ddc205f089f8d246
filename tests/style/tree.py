# SPDX-License-Identifier: MIT
"""The files of the checkout, as the style tests see them: what git would hold, built things left out."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src"
LEFT_OUT = {".git", ".cache", "__pycache__", ".pytest_cache", "node_modules"}


def files():
    """Every file of the tree, as a path relative to its root."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        top = Path(folder) == ROOT
        folders[:] = [
            name
            for name in folders
            if name not in LEFT_OUT and not (top and (name == "data" or name.startswith("build")))
        ]
        found += [(Path(folder) / name).relative_to(ROOT) for name in names]
    return sorted(found)


def text(path):
    """The text of a file; empty if it is not text."""
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def texts(*suffixes):
    """(path, text) of every file with one of the suffixes; of every file, if none is given."""
    return [(path, text(path)) for path in files() if not suffixes or path.suffix in suffixes]


def problems(check, pairs):
    """What check(path, text) finds in each, as lines `path: finding`."""
    return [f"{path}: {finding}" for path, content in pairs for finding in check(path, content)]
