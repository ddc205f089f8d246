# SPDX-License-Identifier: MIT
"""The harness: a bank to test (Bank) and a client that speaks to it in raw bytes (Connection).

It promises that no server outlives the tests, that no test can hang for ever, and that a
server which misbehaves in a way that no client sees (a sanitizer's report, another exit
status than 0 after SIGTERM) fails the test. What the answers should be, the tests say.
"""

import atexit
import contextlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from stores import Balanced, LmdbStore, Threaded, new_store

TESTS = Path(__file__).resolve().parent
BINARY = os.path.abspath(os.environ.get("CREBITO_BINARY", TESTS.parent / "build-asan" / "crebito"))
UNDER = os.environ.get("CREBITO_UNDER", "").split()  # What runs every program of ours: valgrind.
PATIENCE_S = 400 if UNDER else 40  # Only a hang takes longer, on however busy a machine.
FIND_SERVER_S = 5  # As long may a bank take to find its server again.
LIMITS = {1: 100000, 2: 80000, 3: 1000000, 4: 10000000, 5: 500000}
BALANCE_MAX = 9007199254740991
THREADS = 4  # Of a bank that has several.
SANITIZERS = ("ERROR: AddressSanitizer", "runtime error:", "LeakSanitizer", "ThreadSanitizer",
              "MEMCHECK")
running = set()


# ---- requests and replies


def request(method, target, body=None, headers=(), version="1.1"):
    """The bytes of one request. A body brings its Content-Length."""
    lines = [f"{method} {target} HTTP/{version}", "Host: bank", *headers]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines + ["", ""]).encode("latin-1") + (body or b"")


def chunked(method, target, chunks, headers=(), trailers=""):
    """The same with a chunked body, each chunk as (bytes, extension)."""
    head = request(method, target, None, ["Transfer-Encoding: chunked", *headers])
    body = b"".join(b"%x%s\r\n%s\r\n" % (len(data), extension, data) for data, extension in chunks)
    return head + body + b"0\r\n" + trailers.encode() + b"\r\n"


def transaction(valor=1, tipo="c", descricao="teste", **others):
    fields = {"valor": valor, "tipo": tipo, "descricao": descricao, **others}
    return json.dumps(fields, ensure_ascii=False).encode()


def post(client, valor=1, tipo="c", descricao="teste", key=None, headers=()):
    """The bytes of one transaction."""
    headers = [*headers, f"Idempotency-Key: {key}"] if key is not None else headers
    body = transaction(valor, tipo, descricao)
    return request("POST", f"/clientes/{client}/transacoes", body, headers)


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def header(self, name):
        values = [value for key, value in self.headers if key == name.lower()]
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None

    @property
    def media_type(self):
        return (self.header("Content-Type") or "").split(";")[0]

    def json(self):
        return json.loads(self.body)

    @property
    def type(self):
        return self.json()["type"]

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body!r}>"


class Closed(Exception):
    """The server closed the connection where an answer was expected."""


class Connection:
    """What goes out is any bytes, what comes in must be well-formed replies."""

    def __init__(self, address, timeout=PATIENCE_S):
        if address.startswith("unix:"):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(address.removeprefix("unix:"))
        else:
            host, port = address.rsplit(":", 1)
            self.socket = socket.create_connection((host.strip("[]"), int(port)), timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data, how="at once"):
        """A server that has refused may have stopped reading: its answer counts, not our error."""
        sizes = {"at once": lambda: len(data), "byte by byte": lambda: 1}
        dice = random.Random(len(data))
        size = sizes.get(how, lambda: dice.randint(1, 200))
        try:
            while data:
                step = size()
                self.socket.sendall(data[:step])
                data = data[step:]
        except (BrokenPipeError, ConnectionResetError):
            pass
        return self

    def more(self):
        received = self.socket.recv(65536)
        self.buffer += received
        return bool(received)

    def take(self, length):
        while len(self.buffer) < length:
            if not self.more():
                raise Closed(f"after {self.buffer[:200]!r}")
        taken, self.buffer = self.buffer[:length], self.buffer[length:]
        return taken

    def receive(self, head=False):
        while b"\r\n\r\n" not in self.buffer:
            if not self.more():
                raise Closed(f"after {self.buffer[:200]!r}")
        block = self.take(self.buffer.index(b"\r\n\r\n") + 4).decode("latin-1")
        status_line, *lines = block[:-4].split("\r\n")
        matched = re.fullmatch(r"HTTP/1\.1 ([1-5]\d\d) [\x20-\x7e]*", status_line)
        assert matched, f"no status line: {status_line!r}"
        headers = []
        for line in lines:
            name, colon, value = line.partition(":")
            assert colon and re.fullmatch(r"[A-Za-z0-9-]+", name), f"no header: {line!r}"
            headers.append((name.lower(), value.strip()))
        response = Response(int(matched[1]), headers, b"")
        if response.status >= 200 and not head:
            response.body = self.take(int(response.header("Content-Length")))
        return response

    def ask(self, data, how="at once"):
        return self.send(data, how).receive(head=data.startswith(b"HEAD "))

    def ask_all(self, requests, at_a_time=50):
        """Pipelines them; returns the replies."""
        requests, replies = list(requests), []
        for at in range(0, len(requests), at_a_time):
            batch = requests[at:at + at_a_time]
            self.send(b"".join(batch))
            replies += [self.receive(head=data.startswith(b"HEAD ")) for data in batch]
        return replies

    def ended(self):
        """Waits for the close; true when nothing else came before it, and no reset."""
        while self.more():
            pass
        return self.buffer == b""

    def silent(self, seconds=0.3):
        """True while no answer comes, for a while."""
        self.socket.settimeout(seconds)
        try:
            return not self.buffer and not self.more()
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(PATIENCE_S)


def is_problem(response, status, type, *words):
    """Asserts the shape that every error has, on top of this one's status, type and detail."""
    assert response.status == status, response
    assert response.media_type == "application/problem+json", response
    problem = response.json()
    assert set(problem) >= {"type", "title", "status", "detail"}, problem
    assert problem["status"] == status and problem["type"] == type, problem
    assert problem["title"] and problem["detail"], problem
    for word in words:
        assert word in problem["detail"], f"{word!r} is not in {problem['detail']!r}"
    return True


# ---- the server


def clean_environment(**more):
    """Ours without any setting that would reach the server, plus what the checkers need."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith("CREBITO_") and name != "DATABASE_URL"}
    needed = {"ASAN_OPTIONS": "verify_asan_link_order=0", "UBSAN_OPTIONS": "print_stacktrace=1"}
    if UNDER:
        needed["CREBITO_MAP_SIZE"] = "1GiB"  # valgrind has no room for the usual one
    return {**kept, **needed, **more}


def crebito(*arguments, environment=None, prefix=(), **more):
    """Runs a command to its end."""
    done = subprocess.run([*prefix, *UNDER, BINARY, *map(str, arguments)], capture_output=True, text=True,
                          timeout=PATIENCE_S, stdin=subprocess.DEVNULL,
                          env=clean_environment(**(environment or {})), **more)
    for sign in SANITIZERS:
        assert sign not in done.stderr, done.stderr
    return done


class Bank:
    """A server on a store (see stores.py), or on a folder. It may be started, stopped and killed many times over.

    Of several on one store each has a name, for its log.
    """

    def __init__(self, store, *options, listen=("127.0.0.1:0",), faults=False, environment=None,
                 prefix=(), name=""):
        self.store = store if hasattr(store, "url") else LmdbStore(store)
        self.folder = self.store.folder
        self.options = [*prefix, *UNDER, BINARY, "serve", "--database", self.store.url]
        for address in listen:
            self.options += ["--listen", address]
        self.options += map(str, options)
        self.listeners = len(listen)
        self.environment = clean_environment(**(environment or {}))
        self.log_path = Path(f"{self.store.beside}{name}.log")
        self.faults = self.store.faults
        if faults:
            self.environment.update(self.faults.environment)
        self.process = None
        self.patient_until = 0
        self.addresses = []

    def launch(self):
        """Starts it without waiting for it to listen."""
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.options, env=self.environment, stderr=log,
                                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        running.add(self.process)
        return self

    def start(self):
        self.store.start()
        if self.process is not None:
            self.store.settle()
        return self.begin()

    def begin(self):
        """Starts it, whoever else has its store."""
        seen = len(self.log)
        self.launch()
        give_up = time.monotonic() + PATIENCE_S
        while True:
            exited = self.process.poll() is not None
            log = self.log[seen:]
            self.addresses = re.findall(r'msg="?listening"?.* address="?([^"\s]+)', log)
            if len(self.addresses) >= self.listeners:
                return self
            assert not exited and time.monotonic() < give_up, f"it does not listen:\n{log}"
            time.sleep(0.002)

    def end(self, sign):
        self.process.send_signal(sign)
        return self.wait()

    def wait(self):
        """Waits for the exit; returns its status."""
        try:
            return self.process.wait(PATIENCE_S)
        finally:
            self.process.kill()
            self.process.wait()
            running.discard(self.process)
            self.assert_sane()

    def stop(self):
        """As an operator would: it has to end well."""
        status = self.end(signal.SIGTERM)
        assert status == 0, f"exit status {status} after SIGTERM:\n{self.log}"
        return self

    def kill(self):
        self.end(signal.SIGKILL)
        return self

    def restart(self):
        return self.stop().start()

    def crash(self, what):
        """Kills the "bank", its "server", or both."""
        if "server" in what:
            self.store.kill()
        if "bank" in what:
            self.kill()
        return self

    def recover(self):
        """Starts what is down."""
        self.store.start()
        if not self.alive:
            return self.start()
        # It finds its server again when it next asks it, but not each time that it is asked itself.
        self.patient_until = time.monotonic() + FIND_SERVER_S
        return self

    def patiently(self, ask):
        """After its server crashed, a 503 need not be the last word."""
        answer = ask()
        while answer.status == 503 and time.monotonic() < self.patient_until:
            time.sleep(0.02)
            answer = ask()
        return answer

    def close(self):
        """Its store is whoever's that made it."""
        if self.alive:
            self.fault()
            self.stop()
        self.assert_sane()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    @property
    def alive(self):
        return self.process is not None and self.process.poll() is None

    @property
    def address(self):
        return self.addresses[0]

    @property
    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def assert_sane(self):
        for sign in [*SANITIZERS, *self.store.secrets]:
            assert sign not in self.log, self.log

    def fault(self, *lines):
        """From now on these faults (see fault.c) and no others."""
        self.faults.set(*lines)

    def await_fault(self):
        """Waits until the server has met one of the faults."""
        give_up = time.monotonic() + PATIENCE_S
        while not self.faults.met:
            assert self.alive and time.monotonic() < give_up, f"no fault was met:\n{self.log}"
            time.sleep(0.002)

    # One request each, on a connection of its own.

    def connect(self, **more):
        return Connection(self.address, **more)

    def ask(self, data, how="at once"):
        with self.connect() as connection:
            return self.patiently(lambda: connection.ask(data, how))

    def get(self, target, headers=()):
        return self.ask(request("GET", target, None, headers))

    def post(self, client, valor=1, tipo="c", descricao="teste", key=None):
        return self.ask(post(client, valor, tipo, descricao, key))

    def post_body(self, body, client=1, headers=()):
        return self.ask(request("POST", f"/clientes/{client}/transacoes", body, headers))

    def extrato(self, client):
        response = self.get(f"/clientes/{client}/extrato")
        assert response.status == 200, response
        return response.json()

    def balance(self, client):
        return self.extrato(client)["saldo"]["total"]

    def state(self):
        """All that clients can see, but for the instant at which they look."""
        extratos = {client: self.extrato(client) for client in LIMITS}
        for extrato in extratos.values():
            del extrato["saldo"]["data_extrato"]
        return extratos


def new_bank_on(store, *options, **more):
    """As many instances as the kind of the store says."""
    if isinstance(store.kind, Threaded):
        options = ["--threads", THREADS, *options]
    if not isinstance(store.kind, Balanced):
        return Bank(store, *options, **more)
    from topology import BalancedBank  # which knows this file

    return BalancedBank(store, *options, **more)


@contextlib.contextmanager
def temporary_bank(kind, faults=False):
    """For tests that take no fixtures."""
    with tempfile.TemporaryDirectory() as folder:
        store = new_store(kind, f"{folder}/data", own_server=faults)
        with contextlib.closing(store), new_bank_on(store, faults=faults) as bank:
            yield bank


@contextlib.contextmanager
def stuck(bank, *requests, fault="flush wait"):
    """Sends the requests, the first alone, to a bank whose flushes hang; yields connections."""
    with contextlib.ExitStack() as stack:
        bank.fault(fault)
        connections = []
        for data in requests:
            connections.append(stack.enter_context(bank.connect()))
            connections[-1].send(data)
            bank.await_fault()
        yield connections
        bank.fault()


def together(jobs):
    """Runs the functions at the same moment, each in a thread; returns what they returned."""
    gate = threading.Barrier(len(jobs))
    results = [None] * len(jobs)

    def run(index):
        try:
            gate.wait(PATIENCE_S)
            results[index] = jobs[index]()
        except BaseException as error:  # To be raised where the test sees it.
            results[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


@atexit.register
def leave_nothing_running():
    for process in list(running):
        process.kill()
