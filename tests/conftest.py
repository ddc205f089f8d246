# SPDX-License-Identifier: MIT
"""What all tests share: banks to test, tests that wait in the background, the last line.

The last line of a run is `N passed, N failed`, alone, with errors counted as failures.
"""

import contextlib
import signal
import threading

import pytest

from bank import new_bank_on
from stores import KINDS, Balanced, new_store

# Ignored signals stay ignored in all that we start, and a shell ignores these in its background jobs.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)

# ---- stores
#
# Every test that uses a bank runs on each store; `lmdb` or `postgres` comes first in its id. What cannot be
# on one of them is marked, with the reason: @pytest.mark.only("lmdb", "a folder is deleted").
# A module may say which stores they are: tests/topology/ has NGINX and two instances on each. What is about one
# instance is marked too: @pytest.mark.alone("the limit is that of each"), or store="postgres" besides.


def pytest_generate_tests(metafunc):
    if "store" in metafunc.fixturenames:
        metafunc.parametrize("store", getattr(metafunc.module, "STORES", KINDS))


def store_of(item):
    return getattr(item, "callspec", None) and item.callspec.params.get("store")


def runs_on_its_store(item):
    store = store_of(item)
    if isinstance(store, Balanced) and any(
            mark.kwargs.get("store", store) == store for mark in item.iter_markers("alone")):
        return False
    return store is None or all(store == mark.args[0] for mark in item.iter_markers("only"))


# ---- banks


@pytest.fixture(scope="session")
def shared_banks(tmp_path_factory):
    """One for each kind of store, from the first test on that needs it."""
    banks = {}
    yield banks
    for bank in banks.values():
        bank.close()
        bank.store.close()


@pytest.fixture
def bank(store, shared_banks, tmp_path_factory):
    """A bank that other tests use as well: its balances are anything."""
    kind = type(store), store
    if kind not in shared_banks:
        shared_banks[kind] = new_bank_on(new_store(store, tmp_path_factory.mktemp("shared") / "data"))
    shared = shared_banks[kind]
    if not shared.alive:
        shared.start()
    yield shared
    shared.assert_sane()
    assert shared.alive, f"the server is gone:\n{shared.log}"


@pytest.fixture
def make_bank(store, tmp_path):
    """Makes banks that are started and new unless told otherwise, and stops them in the end.

    Those in the same folder have the same money. own_server: their server may be killed.
    """
    made, stores = [], {}

    def make(*options, folder="data", start=True, faults=False, own_server=False, **more):
        if folder not in stores:
            stores[folder] = new_store(store, tmp_path / folder, faults or own_server)
        made.append(new_bank_on(stores[folder], *options, faults=faults, **more))
        return made[-1].start() if start else made[-1]

    yield make
    with contextlib.ExitStack() as stack:  # All of them, whatever is wrong with one.
        for closing in [*stores.values(), *made]:
            stack.callback(closing.close)


@pytest.fixture
def new_bank(make_bank):
    return make_bank()


@pytest.fixture
def faulty_bank(make_bank):
    """A new bank whose disk and clock take orders: see Bank.fault()."""
    return make_bank(faults=True)


# ---- tests that wait
#
# A test marked `background` spends its time waiting. All of them start together when the
# others start, and are asked for their result when those are done. They take no
# fixtures but the name of their store.


class Background(threading.Thread):
    def __init__(self, item):
        super().__init__(daemon=True)
        self.item, self.error = item, None

    def run(self):
        parameters = getattr(self.item, "callspec", None)
        try:
            self.item.function(**(parameters.params if parameters else {}))
        except BaseException as error:
            self.error = error


def pytest_configure(config):
    config.addinivalue_line("markers", "background: waits; runs while the other tests run")
    config.addinivalue_line("markers", "only(store, reason): makes sense on no other store")
    config.addinivalue_line("markers", "alone(reason, store): makes no sense on two instances behind NGINX")
    config.addinivalue_line("markers", "slow: takes minutes; run only when asked for")
    config.addinivalue_line("markers", "coverage: judges what the others have run; comes last")


def in_background(item):
    return item.get_closest_marker("background") is not None


def pytest_collection_modifyitems(items):
    items[:] = filter(runs_on_its_store, items)
    items.sort(key=lambda item: (item.get_closest_marker("coverage") is not None, in_background(item)))


def pytest_runtestloop(session):
    if session.config.option.collectonly or session.testsfailed:
        return
    for item in filter(in_background, session.items):
        item.background = Background(item)
        item.background.start()


def pytest_pyfunc_call(pyfuncitem):
    if not hasattr(pyfuncitem, "background"):
        return None
    pyfuncitem.background.join()
    if pyfuncitem.background.error is not None:
        raise pyfuncitem.background.error
    return True


# ---- the last line


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not hasattr(reporter, "_session") or config.option.collectonly:
        return
    count = {kind: len(reporter.stats.get(kind, ()))
             for kind in ("passed", "failed", "error", "skipped")}
    failed = count["failed"] + count["error"]
    if reporter._session and int(reporter._session.exitstatus) not in (0, 5):
        failed = max(failed, 1)  # Interrupted, say: never a line that looks like success.
    line = f"{count['passed']} passed, {failed} failed"
    if count["skipped"]:
        line += f", {count['skipped']} skipped"
    reporter.ensure_newline()
    reporter.write_line(line)
