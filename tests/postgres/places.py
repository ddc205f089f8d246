# SPDX-License-Identifier: MIT
"""Where these tests let a bank find its money: a database, on the way to which something may stand."""

import contextlib
import tempfile
import time
from pathlib import Path

from bank import PATIENCE_S, Bank, crebito
from faults import Faults
from postgres import PASSWORD, Cluster, shared_cluster


class Place:
    """What Bank calls a store. It is whatever URL it is told, and never starts a server by itself."""

    kind = "postgres"
    folder = None
    secrets = (PASSWORD,)

    def __init__(self, url, beside):
        self.url, self.beside = url, Path(beside)
        self.faults = Faults(f"{beside}.fault")

    def start(self):
        pass

    settle = close = start


@contextlib.contextmanager
def banks():
    """A function that makes them, each started unless told otherwise; all are stopped in the end."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        made = []

        def make(database, *options, start=True, **more):
            """database: one of postgres.py, or a URL."""
            url = getattr(database, "url", database)
            bank = Bank(Place(url, f"{folder}/{len(made)}"), *options, **more)
            made.append(bank)
            stack.callback(bank.close)
            return bank.start() if start else bank

        yield make


@contextlib.contextmanager
def new_database():
    """One with five clients, on the server of all."""
    database = shared_cluster().create()
    yield database
    database.drop()


@contextlib.contextmanager
def bank_on_its_own_server(*options):
    """Yields it, its database and its server. For tests that take no fixtures."""
    with Cluster() as cluster, banks() as make:
        database = cluster.create()
        yield make(database, *options), database, cluster


def wait_for(true, words="it does not happen"):
    """Like wait_until, at the pace of requests."""
    give_up = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < give_up, words() if callable(words) else words
        time.sleep(0.02)


def healthy(bank):
    answer = bank.get("/healthz")
    assert answer.status in (200, 503), answer
    assert (answer.body == b"Healthy") == (answer.status == 200), answer
    return answer.status == 200


def lines(bank, words):
    """Those of its log with these words."""
    return [line for line in bank.log.splitlines() if words in line]


def said(bank, words):
    return len(lines(bank, words))


# The two that an operator looks for.
GONE = ("the connection to the database is lost", "the database cannot be reached")
BACK = "the database is back"


def gone_and_back(bank):
    """How often its log says either."""
    return sum(said(bank, words) for words in GONE), said(bank, BACK)


def refused_at_start(url, *options, **more):
    """What `crebito serve` says when it ends instead of serving; and after how many seconds."""
    began = time.monotonic()
    done = crebito("serve", "--listen", "127.0.0.1:0", "--database", url, *options, **more)
    assert done.returncode == 1, done
    assert PASSWORD not in done.stdout + done.stderr, done
    [line] = [line for line in done.stderr.splitlines() if "cannot serve" in line]
    return line.partition("reason=")[2].strip('"'), time.monotonic() - began
