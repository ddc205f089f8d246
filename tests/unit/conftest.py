# SPDX-License-Identifier: MIT
"""Each C unit test is a pytest item.

tests/unit/test_x.c is built as tests/unit/test_x in the build folder, a cmocka program that
speaks TAP. One more item a program says that it ended well and kept to its plan, so that a
crash, or a program that was not built, is a failure.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

from bank import BINARY, SANITIZERS, UNDER

UNIT = Path(BINARY).parent / "tests" / "unit"
TIMEOUT_S = 1200 if UNDER else 120


def pytest_collect_file(file_path, parent):
    if file_path.suffix == ".c" and file_path.name.startswith("test_"):
        return Program.from_parent(parent, path=file_path)
    return None


class Program(pytest.File):
    def collect(self):
        output, status = run(UNIT / self.path.stem)
        names = set()
        # A line of TAP, and the diagnosis up to the next one.
        for outcome, name, text in re.findall(
                r"^(ok|not ok) \d+ -? ?(.*)\n((?:(?!ok |not ok |1\.\.).*\n)*)", output, re.M):
            names.add(name)
            yield Case.from_parent(self, name=name, passed=outcome == "ok", text=text)
        planned = sum(map(int, re.findall(r"^1\.\.(\d+)", output, re.M)))
        told = len(re.findall(r"^(?:not )?ok ", output, re.M))
        clean = not any(sign in output for sign in SANITIZERS)
        crashed = status is None or status < 0 or (status > 0 and "\nnot ok " not in output)
        yield Case.from_parent(self, name="the_program_ends_well",
                               passed=clean and not crashed and planned == told > 0,
                               text=f"exit status {status}\n{output}")


def run(program):
    if not program.exists():
        return f"{program.name} is not built\n", None
    environment = {**os.environ, "CMOCKA_MESSAGE_OUTPUT": "TAP"}
    try:
        done = subprocess.run([*UNDER, program], env=environment, timeout=TIMEOUT_S, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, errors="replace", cwd=UNIT)
    except subprocess.TimeoutExpired as late:
        return (late.stdout or b"").decode(errors="replace") + "\ntimed out\n", None
    return done.stdout, done.returncode


class Case(pytest.Item):
    def __init__(self, *, passed, text, **more):
        super().__init__(**more)
        self.passed, self.text = passed, text

    def runtest(self):
        if self.name.startswith("# SKIP"):
            pytest.skip("skipped by itself")
        if not self.passed:
            pytest.fail(self.text, pytrace=False)

    def reportinfo(self):
        return self.path, None, f"{self.path.stem}: {self.name}"
