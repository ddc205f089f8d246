# SPDX-License-Identifier: MIT
"""Start a server on one core, load it from another, and read what it cost from /proc.

Used by api.py and start.py; METHOD.md says why things are measured this way.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BANK = ROOT / "build/crebito"
FLOORS = ROOT / "build-bench/bench"  # servers that do nothing
NOOP = FLOORS / "noop"
RUN = ROOT / "build-bench/run"  # stores and logs, on the disk that holds the checkout

CONNECTIONS = 256
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
START_SECONDS_MAX = 30
STOP_SECONDS_MAX = 60


def cores():
    """(the server's core, the load's core)"""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        sys.exit("bench: needs two cores: one for the server, one for the load")
    return allowed[0], allowed[1]


SERVER_CORE, LOAD_CORE = cores()
os.sched_setaffinity(0, {LOAD_CORE})  # also inherited by wrk


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def exchange(port, request):
    """One request on a connection of its own; the whole answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer


def get(port, path):
    return exchange(port, f"GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n".encode())


def is_200(answer):
    return answer.startswith(b"HTTP/1.1 200 ")


def rss_anon_kib(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^RssAnon:\s+(\d+) kB", status, re.M).group(1))


def written_bytes():
    """What the disk that holds the stores was given so far, by whomever. A process's own count
    (/proc/PID/io) is of the kernel's units of caching, of which some are many pages."""
    device = os.stat(RUN).st_dev
    counts = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat")
    if not counts.exists():
        sys.exit(f"bench: {RUN} is on no block device of its own: nothing counts what is written")
    return int(counts.read_text().split()[6]) * 512


def wrk(url, seconds, connections, *scenario):
    """Load it for some seconds; what the clients saw."""
    run = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", ROOT / "bench/api.lua", url, "--",
         *map(str, scenario)],
        capture_output=True, text=True,
    )
    line = re.search(r"^wrk: (.*)$", run.stdout, re.M)
    if not line:
        sys.exit(f"bench: wrk failed:\n{run.stdout}{run.stderr}")
    seen = {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", line.group(1))}
    if not seen["answers"]:
        sys.exit(f"bench: {url} answered nothing")
    seen["per_second"] = seen["answers"] / (seen["microseconds"] / 1e6)
    return seen


class Server:
    """A running server, pinned to its core unless told otherwise; its log is RUN/NAME.log."""

    def __init__(self, name, command, port, cores=frozenset({SERVER_CORE})):
        self.name = name
        self.port = port
        RUN.mkdir(parents=True, exist_ok=True)
        self.log = RUN / f"{name}.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                list(map(str, command)),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=lambda: os.sched_setaffinity(0, cores),
            )
        self.rss_anon_kib_max = 0

    def wait_until_it_listens(self):
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.fail("did not start")
            time.sleep(0.0002)

    def fail(self, what):
        sys.exit(f"bench: {self.name} {what}; its log:\n{self.log.read_text(errors='replace')}")

    def cpu_seconds(self):
        """User and system time of all threads, past and present."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND

    def page_faults(self):
        """Those that the kernel settled by itself, and those that waited for the disk."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[7]), int(fields[9])

    def rss_anon_kib(self):
        return rss_anon_kib(self.process.pid)

    @contextlib.contextmanager
    def memory_watched(self):
        """While in here, rss_anon_kib_max follows the most that is in use."""
        done = threading.Event()

        def watch():
            while not done.wait(0.25):
                self.rss_anon_kib_max = max(self.rss_anon_kib_max, self.rss_anon_kib())

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()
            self.rss_anon_kib_max = max(self.rss_anon_kib_max, self.rss_anon_kib())

    def load(self, seconds, *scenario, connections=CONNECTIONS):
        """Load it for some seconds; what wrk saw, and what each request cost the server."""
        with self.memory_watched():
            before = self.cpu_seconds()
            seen = wrk(f"http://127.0.0.1:{self.port}", seconds, connections, *scenario)
            if self.process.poll() is not None:
                self.fail("ended under load")
            cpu = self.cpu_seconds() - before
        seen["cpu_us"] = cpu * 1e6 / seen["answers"]
        return seen

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            self.fail("did not stop when asked to")


@contextlib.contextmanager
def noop():
    port = free_port()
    server = Server("noop", [NOOP, port], port)
    try:
        server.wait_until_it_listens()
        yield server
    finally:
        server.stop()


def bank_command(bank, database, port, *options):
    return [bank, "serve", "--listen", f"127.0.0.1:{port}", "--database", database, *options]


@contextlib.contextmanager
def serving(bank, database, *options, **more):
    """The bank on a store, of which this is the URL; it must end well when asked to."""
    port = free_port()
    server = Server("bank", bank_command(bank, database, port, *options), port, **more)
    try:
        server.wait_until_it_listens()
        yield server
    finally:
        status = server.stop()
    if status != 0:
        server.fail(f"ended with status {status}")


@contextlib.contextmanager
def new_store(name):
    """A folder for a store, gone afterwards."""
    store = RUN / name
    shutil.rmtree(store, ignore_errors=True)
    RUN.mkdir(parents=True, exist_ok=True)
    try:
        yield store
    finally:
        shutil.rmtree(store, ignore_errors=True)


def facts(bank, store):
    """What `crebito status` says of a store."""
    run = subprocess.run(
        [bank, "status", "--json", "--database", f"lmdb:{store}"], capture_output=True, text=True
    )
    if not run.stdout:
        sys.exit(f"bench: `crebito status` says nothing of the store:\n{run.stderr}")
    return json.loads(run.stdout)["store"]


def entries(bank, store):
    """How many transactions the store holds: all its records but the openings of its accounts."""
    known = facts(bank, store)
    return known["records"] - known["accounts"]


class Verdict:
    """Collects what was demanded and what came; prints it, and ends with the exit status."""

    def __init__(self):
        self.failed = False

    def judge(self, holds, text):
        print(f"  {'ok  ' if holds else 'FAIL'}  {text}")
        self.failed = self.failed or not holds

    def end(self):
        print("bench: failed" if self.failed else "bench: ok")
        sys.exit(1 if self.failed else 0)
