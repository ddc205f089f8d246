# SPDX-License-Identifier: MIT
"""Where a bank's money may be. Every test of a bank runs on each of these: see conftest.py.

A store is what Bank (bank.py) serves. It has a URL, and a path for files beside it. Its faults reach the bank
and, where there is one, the server below it.
"""

import os
from pathlib import Path

import pytest

from faults import Faults
from postgres import PASSWORD, TEMPLATE, Cluster, shared_cluster, wait_until

KINDS = ("lmdb", "postgres")


class Balanced(str):
    """A kind of store whose banks are two instances behind NGINX: see topology.py."""


class Threaded(str):
    """A kind of store whose banks have several threads for their connections: see bank.py."""


THREADED = [Threaded(kind) for kind in KINDS]

# Nothing flushes but what a bank asks for, so that it is that which meets a fault. After a failed flush the
# server stays down until somebody starts it, as the LMDB store does; else it would repair itself at once.
ONLY_THE_BANK_FLUSHES = {"autovacuum": "off", "checkpoint_timeout": "1d", "wal_level": "minimal",
                         "max_wal_senders": 0, "restart_after_crash": "off"}


class LmdbStore:
    secrets = ()

    def __init__(self, folder, kind="lmdb"):
        self.kind = kind
        self.folder = self.beside = Path(folder)
        assert self.folder.is_absolute(), "else it would be made wherever the tests are run"
        self.faults = Faults(f"{folder}.fault", flush="dsync_write")  # Of its log.
        self.url = f"lmdb:{folder}"

    def beside_it(self, name):
        """Another store, that is still to be made."""
        return LmdbStore(self.folder.with_name(name), self.kind)

    def start(self):
        """Nobody has to serve a folder; nothing happens in it when the bank is dead."""

    settle = close = start


# Servers that meet faults and are killed, while no bank has them.
idle_servers = []


def idle_server():
    if os.environ.get("CREBITO_UNDER", "").startswith("qemu"):
        pytest.skip("the server is this machine's, and the faults are the emulated one's")
    if idle_servers:
        return idle_servers.pop()
    server = Cluster(**ONLY_THE_BANK_FLUSHES)
    server.environment.update(Faults(server.folder / "fault").environment)
    return server


class PostgresStore:
    """A database on the server of all, or on one of its own, which may be killed and meets faults."""

    folder = None
    secrets = (PASSWORD,)

    def __init__(self, beside, own_server=False, empty=False, cluster=None, kind="postgres"):
        self.kind = kind
        self.beside = Path(beside)
        self.cluster = cluster or (idle_server() if own_server else shared_cluster())
        self.is_lent = own_server
        self.start()
        shared = self.cluster is shared_cluster()  # Which meets no faults.
        self.faults = Faults(f"{beside}.fault" if shared else self.cluster.folder / "fault")
        self.database = self.cluster.create(template=None if empty else TEMPLATE)
        self.url = self.database.url

    def beside_it(self, name):
        return PostgresStore(self.beside.with_name(name), empty=True, cluster=self.cluster, kind=self.kind)

    def start(self):
        """Starts the server where it is down, or is about to be."""
        if self.cluster.panicked:
            self.cluster.wait()
        if not self.cluster.alive:
            self.cluster.start()

    def settle(self):
        """The server ends what a bank that was killed had begun; then nothing happens any more."""
        if self.cluster.alive and not self.cluster.panicked:
            wait_until(lambda: self.database.sessions() == 0, "a session of a bank that is gone stays")

    def kill(self):
        self.cluster.kill()

    def close(self):
        self.faults.set()
        self.start()
        self.database.drop()
        if self.is_lent:
            idle_servers.append(self.cluster)


def new_store(kind, beside, own_server=False, empty=False):
    """own_server: it will have to meet faults, or to be killed. empty: it has no accounts yet."""
    if kind == "lmdb":
        return LmdbStore(beside, kind)
    return PostgresStore(beside, own_server, empty, kind=kind)
