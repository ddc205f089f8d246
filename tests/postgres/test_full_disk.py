# SPDX-License-Identifier: MIT
"""The server's disk is full: 503 and nothing happened, or 504 where it dies of it; and on when there is room."""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from bank import is_problem
from ledger import audit, booked
from load import Load
from places import healthy, lines, wait_for
from postgres import AS_SERVER, Cluster, own


def no_mounts():
    """Why there can be no small disk here, or ''."""
    if os.getuid() != 0:
        return "only root can mount a small disk"
    tried = subprocess.run(["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True)
    return "" if tried.returncode == 0 else f"no small disk can be mounted: {tried.stderr.decode().strip()}"


pytestmark = pytest.mark.skipif(bool(no_mounts()), reason=no_mounts() or "-")


class SmallDisk(Cluster):
    """A server to which a folder of its own is a small disk. Nobody else sees it: it is in a mount namespace,
    which a process keeps that waits for the end of the test."""

    def __init__(self, megabytes):
        super().__init__()
        self.place = own_folder(self.folder / "small")
        options = f"size={megabytes}m,mode=0700,uid={self.place.stat().st_uid}"
        mount = f'mount -t tmpfs -o {options} none "$1" && echo mounted && exec cat'
        self.keeper = subprocess.Popen(["unshare", "--mount", "sh", "-c", mount, "sh", str(self.place)],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.keeper.stdout.readline() == "mounted\n"
        user, group = AS_SERVER["user"], AS_SERVER["group"]
        self.prefix = ["nsenter", f"--target={self.keeper.pid}", "--mount", "setpriv", f"--reuid={user}",
                       f"--regid={group}", "--clear-groups"]

    @property
    def seen(self):
        """The place, as the server sees it."""
        return Path(f"/proc/{self.keeper.pid}/root{self.place}")

    def fill(self):
        """Leaves no room at all."""
        with open(self.seen / "filler", "ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"\0" * 4096)

    def free(self):
        (self.seen / "filler").unlink()

    def close(self):
        super().close()
        self.keeper.stdin.close()
        self.keeper.wait()
        self.keeper.stdout.close()


def own_folder(path):
    path.mkdir(exist_ok=True)
    return own(path)


def is_refused(answer):
    return is_problem(answer, 503, "indisponivel") and int(answer.header("Retry-After")) >= 0


def test_tables_that_cannot_grow_are_503_until_they_can(serve):
    """Statements go on meanwhile."""
    with SmallDisk(16) as cluster:
        cluster.psql(f"CREATE TABLESPACE small LOCATION '{cluster.place}'")
        database = cluster.create()
        for table in ("Transacoes", "Chaves"):
            database.psql(f'ALTER TABLE "{table}" SET TABLESPACE small')
        bank = serve(database)
        with Load(bank) as load:
            load.acknowledged(50)
            cluster.fill()
            wait_for(lambda: load.statuses()[503] > 20)
            assert not healthy(bank)
            assert bank.get("/clientes/1/extrato").status == 200
            cluster.free()
            load.served_again()
        statuses = load.judge(database)
        assert statuses[504] == 0, statuses
        assert any("53100" in line and "No space left" in line for line in lines(bank, "refuses a call")), bank.log


def test_a_refusal_for_want_of_room_says_so(serve):
    with SmallDisk(16) as cluster:
        cluster.psql(f"CREATE TABLESPACE small LOCATION '{cluster.place}'")
        database = cluster.create()
        database.psql('ALTER TABLE "Transacoes" SET TABLESPACE small')
        bank = serve(database)
        cluster.fill()
        for count in range(1000):
            answer = bank.post(1, 1, "c", f"n{count}", key=f"k{count}")
            if answer.status != 200:
                break
        assert is_refused(answer) and "space" in answer.body.decode().lower(), answer
        assert booked(database, f"n{count}") == 0
        assert bank.balance(1) == count
        cluster.free()
        again = bank.post(1, 1, "c", f"n{count}", key=f"k{count}")
        assert again.status == 200 and again.header("Idempotency-Replayed") is None
        assert booked(database, f"n{count}") == 1
        audit(database)


def test_a_server_that_dies_for_want_of_room_for_its_log_loses_nothing(serve):
    """It gives up, and starts again when there is room; the commits under way are unknown."""
    cluster = SmallDisk(48)
    cluster.configure(max_wal_size="1GB", checkpoint_timeout="1d", restart_after_crash="off")
    own = cluster.data / "pg_wal"
    subprocess.run(["cp", "-a", str(own), str(cluster.seen)], check=True)
    shutil.rmtree(own)
    own.symlink_to(cluster.place / "pg_wal")
    with cluster:
        database = cluster.create()
        bank = serve(database)
        with Load(bank) as load:
            load.acknowledged(50)
            cluster.fill()
            while not cluster.panicked:
                with contextlib.suppress(AssertionError):  # It uses up what it has, and then it has none.
                    cluster.psql("SELECT pg_logical_emit_message(false, 'x', repeat('x', 3000000)), pg_switch_wal()")
            cluster.wait()
            wait_for(lambda: load.statuses()[503] > 5)
            assert not healthy(bank)
            cluster.free()
            cluster.start()
            load.served_again()
        assert "No space left" in cluster.log
        statuses = load.judge(database)
        assert statuses[504] > 0, statuses
