# SPDX-License-Identifier: MIT
"""What the tests have run of the code, and what of the bank and its store they have not.

gcovr counts; here its counts become a summary for each folder, and the lines and branches that were
not run are held against tests/uncovered.txt. A line of an assert that holds has a branch that nobody
can take: an assert's branches do not count.
"""

import json
import re
import subprocess
from collections import defaultdict
from pathlib import Path

from mutants import collapsed

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build-coverage"
REASONS = ROOT / "tests" / "uncovered.txt"
HELD = ("src/bank/", "src/store/")  # where every gap needs a reason
LINES_MIN, BRANCHES_MIN = 95, 85  # per cent, of these
DEFINED = re.compile(r"(?:__attribute__\(\(.*\)\) )?[a-z_][^(=]*?(\w+)\(")


class File:
    """The lines of a file that count, each as (its number, was it run, its branches: taken or not)."""

    def __init__(self, counted, text):
        self.path, self.text = counted["file"], text
        asserts = set(self.asserts())
        self.lines = [
            (line["line_number"], line["count"] > 0,
             [branch["count"] > 0 for branch in line["branches"] if line["line_number"] not in asserts])
            for line in counted["lines"] if not line["gcovr/noncode"]]

    def asserts(self):
        for found in re.finditer(r"^\s*assert\(.*?\);", self.text, re.S | re.M):
            first = self.text.count("\n", 0, found.end() - len(found[0].lstrip()))
            yield from range(first + 1, self.text.count("\n", 0, found.end()) + 2)

    def gaps(self):
        """((path, function, text of the line), its number): `- ` before a text that was not run, `? `
        where not all of its branches were taken."""
        functions, texts = [""], self.text.splitlines()
        for text in texts:
            defined = DEFINED.match(text)
            functions.append(defined[1] if defined else functions[-1])
        for number, run, branches in self.lines:
            if not run or not all(branches):
                sign = "? " if run else "- "
                yield (self.path, functions[number], sign + collapsed(texts[number - 1])), number


def measure():
    done = subprocess.run(
        ["gcovr", "--root", ROOT, "--object-directory", BUILD, "--filter", "src/", "--json", "-", BUILD],
        cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return [File(counted, (ROOT / counted["file"]).read_text(encoding="utf-8"))
            for counted in json.loads(done.stdout)["files"]]


def per_cent(some, all):
    return 100 * some / all if all else 100


def share(files):
    """Lines run and lines, branches taken and branches."""
    lines = [run for file in files for _, run, _ in file.lines]
    branches = [taken for file in files for _, _, those in file.lines for taken in those]
    return sum(lines), len(lines), sum(branches), len(branches)


def summary(files):
    folders = defaultdict(list)
    for file in files:
        folders[str(Path(file.path).parent)].append(file)
        if file.path.startswith(HELD):
            folders["src/bank + src/store"].append(file)
    yield f"{'':20} {'lines':>20} {'branches, but asserts':>24}"
    for folder, those in sorted(folders.items()):
        run, lines, taken, branches = share(those)
        yield (f"{folder:20} {run:>5} of {lines:>5} {per_cent(run, lines):5.1f} %"
               f" {taken:>8} of {branches:>5} {per_cent(taken, branches):5.1f} %")


def reasons(text):
    """{(path, function, sign and text of a line)} of blocks: a place, its lines, the reason."""
    text = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for block in filter(None, (block.strip("\n") for block in text.split("\n\n"))):
        place, *rest = block.split("\n")
        lines = [line for line in rest if line.startswith(("- ", "? ", "~ "))]
        assert len(lines) < len(rest), f"no reason is given:\n{block}"
        path, _, function = place.partition(" ")
        yield from ((path, function, line) for line in lines)


def problems(files, text):
    """What is not run and has no reason, what has a reason and is run, and what is too little."""
    held = [file for file in files if file.path.startswith(HELD)]
    known = set(reasons(text))
    # What is run in some runs only, for the reason that is given.
    sometimes = {(path, function, line[2:]) for path, function, line in known if line[0] == "~"}
    met = set()
    for file in held:
        for (path, function, line), number in file.gaps():
            met.add((path, function, line))
            if (path, function, line) not in known and (path, function, line[2:]) not in sometimes:
                yield f"not run, without a reason: {path}:{number}\n{path} {function}\n{line}\n"
    there = {(file.path, collapsed(line)) for file in held for line in file.text.splitlines()}
    for path, function, line in sorted(known):
        stale = (path, line[2:]) not in there if line[0] == "~" else (path, function, line) not in met
        if stale:
            yield f"a reason for what is run, or is not there: {path} {function}\n{line}\n"
    run, lines, taken, branches = share(held)
    if per_cent(run, lines) < LINES_MIN:
        yield f"less than {LINES_MIN} % of the lines of {' and '.join(HELD)} are run"
    if per_cent(taken, branches) < BRANCHES_MIN:
        yield f"less than {BRANCHES_MIN} % of the branches of {' and '.join(HELD)} are taken"
