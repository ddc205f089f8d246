# SPDX-License-Identifier: MIT
"""A test runs on each store, or says at its head why it does not."""

import json
import subprocess
import sys
from typing import NamedTuple

import pytest

from bank import TESTS
from stores import KINDS

# These test what a bank promises, so each test in them has a bank, and so a store. But for:
BANKS = ("contract", "durability", "model")
NO_BANK = ("contract/test_contract_is_covered.py",  # a page and the names of tests
           "model/test_history.py", "model/test_machine.py", "model/test_reference.py")  # banks on paper

# Runs in a process of its own; what it tells is all tests that would run, whatever this run was told to run.
COLLECT = """
import json, sys, pytest

class Teller:
    def pytest_collection_finish(self, session):
        for item in session.items:
            store = item.callspec.params.get("store") if hasattr(item, "callspec") else None
            reasons = [mark.args[1:] for mark in item.iter_markers("only")]
            reasons += [mark.args for mark in item.iter_markers("alone") if "store" in mark.kwargs]
            self.told.append((item.nodeid, store, [reason for words in reasons for reason in words]))

teller = Teller()
teller.told = []
status = pytest.main(["--collect-only", "-qq", "-p", "no:cacheprovider", *sys.argv[2:]], plugins=[teller])
with open(sys.argv[1], "w") as file:
    json.dump(teller.told, file)
sys.exit(status)
"""


class Test(NamedTuple):
    __test__ = False  # whatever its name

    id: str
    store: str | None = None
    reasons: list = []

    @property
    def name(self):
        """On whichever store."""
        function, bracket, parameters = self.id.partition("[")
        words = parameters.removesuffix("]").split("-")
        return function + bracket + "-".join(word for word in words if word != self.store) + "]" * len(bracket)


@pytest.fixture(scope="module")
def tests(tmp_path_factory):
    told = tmp_path_factory.mktemp("collected") / "tests.json"
    suites = sorted({str(path.parent) for path in TESTS.glob("*/test_*.py")})
    done = subprocess.run([sys.executable, "-c", COLLECT, told, *suites], cwd=TESTS.parent, capture_output=True,
                          text=True)
    assert done.returncode == 0, done
    return [Test(*test) for test in json.loads(told.read_text())]


def problems(tests):
    names = {store: {test.name: test for test in tests if test.store == store} for store in KINDS}
    for store, of_store in names.items():
        for other in KINDS:
            for name in sorted(of_store.keys() - names[other].keys()):
                if not any(reason.strip() for reason in of_store[name].reasons):
                    yield f"only on {store}, and does not say why: {name}"
    for test in tests:
        file = test.id.partition("::")[0].removeprefix("tests/")
        if test.store is None and file.startswith(BANKS) and file not in NO_BANK:
            yield f"has no store: {test.id}"


def test_every_test_of_a_bank_runs_on_each_store_or_says_why_not(tests):
    if found := list(problems(tests)):
        pytest.fail("\n".join(found), pytrace=False)
    on_both = {test.name for test in tests if test.store == "lmdb"} & {
        test.name for test in tests if test.store == "postgres"}
    assert len(on_both) > 1000, "so few of them cannot be all"


A = "tests/contract/test_a.py::test_a"
BOTH = [Test(f"{A}[{store}-1]", store) for store in KINDS]


@pytest.mark.parametrize("wrong", [BOTH[:1], BOTH[1:], [Test(f"{A}[lmdb]", "lmdb", [""]), *BOTH], [Test(A), *BOTH],
                                   [Test(f"{A}[postgres-2]", "postgres"), *BOTH]],
                         ids=["lmdb alone", "postgres alone", "a reason without words", "no store", "one more"])
def test_a_test_that_leaves_out_a_store_is_caught(wrong):
    assert len(list(problems(wrong))) == 1


def test_a_test_that_says_why_it_leaves_out_a_store_is_let_alone():
    assert not list(problems([Test(f"{A}[lmdb-2]", "lmdb", ["a folder"]), *BOTH]))
    assert not list(problems([Test("tests/model/test_history.py::test_a"), *BOTH]))
