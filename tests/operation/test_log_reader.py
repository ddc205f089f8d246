# SPDX-License-Identifier: MIT
"""Whoever reads the log may be slow, stuck or gone: the bank does not wait for them, nor die."""

import time

import pytest

from bank import PATIENCE_S, post

pytestmark = pytest.mark.only("lmdb", "what there is to say comes from the faults of a folder")

# Runs what follows with a pipe as its stderr: one that is full and never read, or one whose
# reader is gone, which is also a signal.
STUCK = """
import os, signal, sys
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
reader, writer = os.pipe()
os.set_blocking(writer, False)
try:
    while True:
        os.write(writer, bytes(1))
except BlockingIOError:
    os.set_blocking(writer, True)
os.dup2(writer, 2)
os.set_inheritable(reader, sys.argv[1] == "full")
os.execvp(sys.argv[2], sys.argv[2:])
"""


@pytest.mark.parametrize("files", [80, 8192])
@pytest.mark.parametrize("pipe", ["full", "closed"])
def test_a_log_that_nobody_reads_holds_nobody_up(make_bank, tmp_path, pipe, files):
    """Few descriptors are something to warn of at the start, full or failing disks later."""
    socket = f"unix:{tmp_path}/socket"
    prefix = ["prlimit", f"--nofile={files}", "/usr/bin/python3", "-c", STUCK, pipe]
    bank = make_bank("--durability", "none", start=False, faults=True, listen=[socket],
                     prefix=prefix).launch()
    bank.addresses = [socket]
    give_up = time.monotonic() + PATIENCE_S
    while not (tmp_path / "socket").exists():
        assert bank.alive and time.monotonic() < give_up, "it does not start"
        time.sleep(0.01)
    assert bank.post(1, 5).json()["saldo"] == 5
    bank.fault("fallocate error ENOSPC", "pwrite error ENOSPC", "writev error ENOSPC")
    bank.post(1, 5)
    assert bank.get("/clientes/1/extrato").status == 200
    bank.fault()
    assert bank.ask(post(2, 5)).status == 200
