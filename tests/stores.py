# SPDX-License-Identifier: MIT
"""Where a bank's money may be. Every test of a bank runs on each of these: see conftest.py.

A store is what Bank (bank.py) serves. It has a URL, and a path for files beside it. Its faults reach the bank
and, where there is one, the server below it.
"""

from pathlib import Path

from faults import Faults
from postgres import PASSWORD, TEMPLATE, Cluster, Database, shared_cluster, wait_until

KINDS = ("lmdb", "postgres")

# Nothing flushes but what a bank asks for, so that it is that which meets a fault. After a failed flush the
# server stays down until somebody starts it, as the LMDB store does; else it would repair itself at once.
ONLY_THE_BANK_FLUSHES = {"autovacuum": "off", "checkpoint_timeout": "1d", "wal_level": "minimal",
                         "max_wal_senders": 0, "restart_after_crash": "off"}


class LmdbStore:
    kind = "lmdb"
    secrets = ()

    def __init__(self, folder):
        self.folder = self.beside = Path(folder)
        self.faults = Faults(f"{folder}.fault")
        self.url = f"lmdb:{folder}"

    def start(self):
        """Nobody has to serve a folder; nothing happens in it when the bank is dead."""

    settle = close = start


class PostgresStore:
    """A database on the server of all, or on one of its own, which may be killed and meets faults."""

    kind = "postgres"
    folder = None
    secrets = (PASSWORD,)

    def __init__(self, beside, own_server=False):
        self.beside = Path(beside)
        self.own_server = own_server
        if own_server:
            self.cluster = Cluster(**ONLY_THE_BANK_FLUSHES)
            self.faults = Faults(self.cluster.folder / "fault")
            self.cluster.environment.update(self.faults.environment)
            self.database = Database(self.cluster.start(), TEMPLATE)
        else:
            self.cluster = shared_cluster()
            self.faults = Faults(f"{beside}.fault")
            self.database = self.cluster.create()
        self.url = self.database.url

    def start(self):
        """Starts the server where it is down, or is about to be."""
        if self.own_server and self.cluster.panicked:
            self.cluster.wait()
        if not self.cluster.alive:
            self.cluster.start()

    def settle(self):
        """The server ends what a bank that was killed had begun; then nothing happens any more."""
        if self.cluster.alive and not self.cluster.panicked:
            wait_until(lambda: self.database.sessions() == 0, "sessions of a bank that is dead")

    def kill(self):
        self.cluster.kill()

    def close(self):
        (self.cluster.close if self.own_server else self.database.drop)()


def new_store(kind, beside, own_server=False):
    """own_server: it will have to meet faults, or to be killed."""
    return LmdbStore(beside) if kind == "lmdb" else PostgresStore(beside, own_server)
