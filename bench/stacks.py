# SPDX-License-Identifier: MIT
"""Stacks of containers as the compose files have them, their limits enforced, loaded from outside of those.

Used by envelope.py; METHOD.md says why things are measured this way.
"""

import concurrent.futures
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import harness

CGROUPS = Path("/sys/fs/cgroup")
READY_SECONDS_MAX = 180
PORT = 9999  # of what a stack's clients speak to
BANK_PORT = 8080  # of an instance, beside its socket
CLIENTS = range(1, 6)
INSTANCES = ("webapi1-c", "webapi2-c")
CPUS_MAX, MEGABYTES_MAX = 1.5, 550  # the challenge's, for all of a stack

# strace shows both: fdatasync() of LMDB's pages, then a write of the page that makes them the ledger, to a
# descriptor that is open with O_DSYNC. A commit is a write to the log's, which is, too.
FLUSHES_OF_A_CHECKPOINT = 2


def docker(*arguments, environment=None):
    done = subprocess.run(["docker", *map(str, arguments)], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          env={**os.environ, **(environment or {})})
    if done.returncode != 0:
        sys.exit(f"bench: docker {' '.join(map(str, arguments))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


class Part:
    """One container: what it has used, by its cgroup (version 1 or 2), and what its processes hold."""

    def __init__(self, container):
        facts = json.loads(docker("inspect", container))[0]
        self.container = container
        self.pid = facts["State"]["Pid"]
        self.address = next(iter(facts["NetworkSettings"]["Networks"].values()))["IPAddress"]
        self.limit_bytes = facts["HostConfig"]["Memory"]
        self.cpus = facts["HostConfig"]["NanoCpus"] / 1e9
        lines = Path(f"/proc/{self.pid}/cgroup").read_text().split()
        self.groups = {name: path for line in lines for names, path in [line.split(":", 2)[1:]]
                       for name in names.split(",")}

    def cgroup(self, controller, *files):
        """Of these files the first that is there: they are called otherwise in each version."""
        old = CGROUPS / controller / self.groups.get(controller, "/none").lstrip("/")
        folder = old if (CGROUPS / controller).is_dir() else CGROUPS / self.groups[""].lstrip("/")
        return next((folder / file).read_text() for file in files if (folder / file).exists())

    def cpu_seconds(self):
        text = self.cgroup("cpuacct", "cpuacct.usage", "cpu.stat")
        return int(text) / 1e9 if text.strip().isdigit() else int(text.split()[1]) / 1e6

    def memory_bytes(self):
        """What its cgroup counts against the limit, the page cache of its files among it."""
        return int(self.cgroup("memory", "memory.usage_in_bytes", "memory.current"))

    def rss_anon_bytes(self):
        total = 0
        for pid in self.cgroup("pids", "cgroup.procs").split():
            with contextlib.suppress(OSError, AttributeError):  # a health check's, which has just ended
                total += harness.rss_anon_kib(pid) * 1024
        return total


# ---- what a compose file's services become


def as_they_are(services):
    return services


def floor(services, program, arguments, **more):
    """Its NGINX and its shares of the CPU, with this program of the benchmark's behind it instead of the bank."""
    nginx = {**services["nginx"], "user": "65532:65532"}  # whose sockets the bank's are
    return {"nginx": nginx} | {
        name: {
            "image": f"crebito:{program}",
            "build": {"context": str(harness.FLOORS),
                      "dockerfile_inline": f'FROM scratch\nCOPY {program} /\nENTRYPOINT ["/{program}"]\n'},
            "command": list(words),
            "stop_signal": "SIGKILL",  # it hears no other
            "volumes": ["sockets:/run/crebito"],
            "deploy": services[name]["deploy"],
            **more,
        } for name, words in zip(INSTANCES, arguments)}


def in_front_of_nothing(services):
    return floor(services, "noop", [["unix:/run/crebito/1.sock"], ["unix:/run/crebito/2.sock"]], user="65532:65532")


def in_front_of_one_owner(services, log=()):
    return floor(services, "oneowner", [["owner", "unix:/run/crebito/1.sock", "/run/crebito/link", *log],
                                        ["guest", "unix:/run/crebito/2.sock", "/run/crebito/link"]],
                 user="0:0", volumes=["sockets:/run/crebito", "data:/data"])


def in_front_of_one_owner_that_flushes(services):
    return in_front_of_one_owner(services, log=["/data/log"])


def alone(services):
    """One instance, spoken to by its own port, with all of the CPU and the memory."""
    bank = dict(services[INSTANCES[0]])
    bank["environment"] = {**bank["environment"], "CREBITO_LISTEN": f"0.0.0.0:{PORT}"}
    bank["deploy"] = {"resources": {"limits": {"cpus": CPUS_MAX, "memory": f"{MEGABYTES_MAX * 10**6}"}}}
    return {"bank": bank}


class Stack:
    """Under a project's name and with images of its own, without published ports. Paused, but while it is in use."""

    def __init__(self, name, file, shape=as_they_are, **environment):
        self.project = f"crebito-bench-{name}"
        self.file = harness.ROOT / file
        self.shape = shape
        self.environment = environment
        self.is_durable = "none" not in environment.values()
        self.parts = {}
        self.own_entries = 0  # those that measuring makes

    def compose(self, *arguments, file=None):
        return docker("compose", "--project-name", self.project, "--file", file or self.mine, *arguments,
                      environment=self.environment)

    def build(self):
        """From here on there is something to be removed."""
        found = json.loads(self.compose("config", "--format", "json", file=self.file))
        services = self.shape(found["services"])
        for service in services.values():
            service.pop("ports", None)
            service["restart"] = "no"
            service["image"] = re.sub(r"^crebito:", "crebito:bench-", service["image"])
            if "build" in service:
                service["build"]["network"] = "host"  # also where containers reach no network
        self.services = list(services)
        self.door = "nginx" if "nginx" in services else next(iter(services))
        self.folder = tempfile.TemporaryDirectory()
        self.mine = Path(self.folder.name) / "compose.json"
        self.mine.write_text(json.dumps({"services": services, "volumes": found["volumes"]}))
        self.down()
        self.compose("build")
        return self

    def up(self):
        """Until it serves. The engine finds that out half a minute later (`--wait`), and finds out nothing of a no-op."""
        self.compose("up", self.door, "--detach")
        for service in self.services:
            self.parts[service] = Part(self.compose("ps", "--quiet", service).strip())
        self.wait_until_ready()
        self.pause(True)

    def down(self):
        if self.compose("ps", "--status", "paused", "--quiet"):
            self.compose("unpause")
        self.compose("down", "--volumes", "--timeout", 60)

    def remove(self):
        self.down()
        self.folder.cleanup()

    def pause(self, yes):
        docker("pause" if yes else "unpause", *(part.container for part in self.parts.values()))

    @contextlib.contextmanager
    def awake(self):
        """So that nothing else runs, health checks among it, while another is measured."""
        self.pause(False)
        try:
            self.wait_until_ready()
            yield self
        finally:
            self.pause(True)

    def wait_until_ready(self):
        """Through the door, a few times as there are two behind it; and those, as NGINX passes by one that is not there."""
        banks = [self.parts[service] for service in INSTANCES if service in self.parts and self.has_ledger]
        asked = [{}] * 8 + [{"address": bank.address, "port": BANK_PORT} for bank in banks]
        deadline = time.monotonic() + READY_SECONDS_MAX
        while not all(self.is_well(**where) for where in asked):
            if time.monotonic() > deadline:
                sys.exit(f"bench: {self.project} is not well")
            time.sleep(0.05)

    def is_well(self, **where):
        with contextlib.suppress(OSError):
            return harness.is_200(self.ask("GET", "/healthz", **where))
        return False

    # ---- its ledger

    @property
    def address(self):
        return self.parts[self.door].address

    def ask(self, method, path, body="", address=None, port=PORT):
        with socket.create_connection((address or self.address, port), timeout=10) as connection:
            connection.sendall(f"{method} {path} HTTP/1.1\r\nConnection: close\r\nHost: bench\r\n"
                               f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
            answer = b""
            while part := connection.recv(65536):
                answer += part
        return answer

    def post(self, client, cents, kind, **where):
        answer = self.ask("POST", f"/clientes/{client}/transacoes",
                          json.dumps({"valor": cents, "tipo": kind, "descricao": "bench"}), **where)
        if not harness.is_200(answer):
            sys.exit(f"bench: {self.project} answers {answer.decode()}")

    def level(self):
        """All balances to 0, so that the next load is far from every limit again."""
        for client in CLIENTS:
            answer = self.ask("GET", f"/clientes/{client}/extrato")
            balance = json.loads(answer[answer.index(b"\r\n\r\n"):])["saldo"]["total"]
            if balance != 0:
                self.post(client, abs(balance), "d" if balance > 0 else "c")

    @property
    def has_ledger(self):
        return self.shape in (as_they_are, alone)

    def ledger(self):
        """Transactions, commits and flushes so far, as the store counts them."""
        if "db" in self.parts:
            return self.ledger_of_postgres()
        container = self.parts[INSTANCES[0] if INSTANCES[0] in self.parts else self.door].container
        store = json.loads(docker("exec", container, "/usr/bin/crebito", "status", "--json"))["store"]
        flushes = store["commits"] + FLUSHES_OF_A_CHECKPOINT * store["checkpoints"]
        return {"entries": store["records"] - store["accounts"], "commits": store["commits"],
                "flushes": flushes if self.is_durable else 0}

    def ledger_of_postgres(self):
        """Each transaction that writes takes one number, so the next number counts them. A connection tells what it has
        flushed at most once a second, and only when it has something to do: so each gets something, which is not counted."""
        for service in INSTANCES:
            self.post(1, 1, "c", address=self.parts[service].address, port=BANK_PORT)
            self.own_entries += 1
        query = """SELECT (SELECT sum("UltimoId") - count(*) FROM "Clientes"), pg_snapshot_xmax(pg_current_snapshot()),
                          (SELECT wal_sync FROM pg_stat_wal)"""
        facts = docker("exec", "--user", "postgres", self.parts["db"].container, "psql", "-h", "/var/run/postgresql",
                       "-d", "rinha", "-Atc", query)
        entries, commits, flushes = map(int, facts.split("|"))
        return {"entries": entries - self.own_entries, "commits": commits - self.own_entries, "flushes": flushes}

    # ---- its load

    @contextlib.contextmanager
    def observed(self, seen):
        """What it cost each part, and what the ledger says of it; `seen` has the answers when this ends."""
        ledger = self.ledger() if self.has_ledger else {}
        before = {service: part.cpu_seconds() for service, part in self.parts.items()}
        yield
        cpu = {service: part.cpu_seconds() - before[service] for service, part in self.parts.items()}
        seen["cpu_us"] = {service: seconds * 1e6 / seen["answers"] for service, seconds in cpu.items()}
        seen["memory_bytes"] = {service: part.memory_bytes() for service, part in self.parts.items()}
        seen["rss_anon_bytes"] = {service: part.rss_anon_bytes() for service, part in self.parts.items()}
        if self.has_ledger:
            if "db" in self.parts:
                time.sleep(1.05)
            after = self.ledger()
            seen.update({name: after[name] - ledger[name] for name in ledger})
            seen["batch"] = seen["entries"] / seen["commits"]
            seen["flushes_per_second"] = seen["flushes"] / (seen["microseconds"] / 1e6)

    def limits(self):
        return {service: {"cpus": part.cpus, "bytes": part.limit_bytes} for service, part in self.parts.items()}


@contextlib.contextmanager
def all_of(stacks):
    """All of them up together: each has its own limits, and those that are not asked are paused."""
    with contextlib.ExitStack() as together, concurrent.futures.ThreadPoolExecutor(len(stacks)) as pool:
        for stack in stacks:
            together.callback(stack.build().remove)
        list(pool.map(Stack.up, stacks))
        yield
