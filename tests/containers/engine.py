# SPDX-License-Identifier: MIT
"""Docker for the tests: images made here, the compose files brought up, and asked as a bank is.

    with Stack("docker-compose.yml") as stack:     # up, and healthy
        stack.kill("webapi1-c")                     # SIGKILL from outside, as if it had crashed

Containers, networks and volumes have the project's name `crebito-test`, so nobody's own are touched; the ports are
those of the files, and have to be free. Packages for an image come by the host's network, which is there wherever
Docker is.
"""

import json
import os
import subprocess
import tempfile
import time

from bank import LIMITS, TESTS, Bank
from once import once

ROOT = TESTS.parent
PROJECT = "crebito-test"
NGINX = "127.0.0.1:9999"
PATIENCE_S = 180
TOOLS = "nginx:1.27-alpine"  # An image that has a shell, and is here anyway.
BANKS = ("webapi1-c", "webapi2-c")


def docker(*arguments, check=True, **more):
    """Runs it to its end; returns what it wrote."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=10 * PATIENCE_S, cwd=ROOT,
                          stdin=subprocess.DEVNULL, **more)
    assert not check or done.returncode == 0, (arguments, done.stdout, done.stderr)
    return done.stdout.strip() if check else done


def why_no_docker():
    """In words, or None."""
    try:
        for command in (["docker", "compose", "version"], ["docker", "info"]):
            subprocess.run(command, capture_output=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return f"`{' '.join(command)}` does not work here"
    return None


@once
def images():
    """The two, by name."""
    made = {"crebito:test": (), "crebito:test-embedded": ("--target", "embedded")}
    for name, target in made.items():
        docker("build", "--network", "host", "--file", "deploy/Dockerfile", "--tag", name, *target, ".")
    return tuple(made)


def inspect(thing, what):
    """Some of what the engine knows of a container or an image."""
    return json.loads(docker("inspect", "--format", "{{json %s}}" % what, thing))


def kill(container, sign="KILL"):
    """The engine does not restart what it was told to kill, so it is not told."""
    process = str(inspect(container, ".State.Pid"))
    docker("run", "--rm", "--pid", "host", "--user", "0", "--entrypoint", "/bin/sh", TOOLS, "-c",
           f"kill -{sign} {process}")


def wait_until(true, words):
    give_up = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < give_up, words() if callable(words) else words
        time.sleep(0.05)


class Stack(Bank):
    """What a compose file describes, asked through NGINX."""

    patient_until = 0

    def __init__(self, file, **environment):
        self.file = file
        self.is_embedded = "embedded" in file
        self.environment = {**os.environ, "CREBITO_IMAGE": "crebito:test", **environment}
        self.addresses = [NGINX]
        self.override = tempfile.NamedTemporaryFile("w", suffix=".yml")
        json.dump({"services": {name: self.otherwise_here(service) for name, service in self.services().items()}},
                  self.override)
        self.override.flush()

    def services(self):
        """As the file has them."""
        return json.loads(self.compose("config", "--format", "json", override=False))["services"]

    @staticmethod
    def otherwise_here(service):
        """Checked often: what waits for a container to be well, or unwell, would wait for minutes."""
        return {"healthcheck": {"interval": "2s"}, **({"build": {"network": "host"}} if "build" in service else {})}

    def compose(self, *arguments, override=True):
        more = ["--file", self.override.name] if override else []
        return docker("compose", "--project-name", PROJECT, "--file", self.file, *more, *arguments,
                      env=self.environment)

    def start(self):
        images()
        self.compose("up", "nginx", "--detach", "--build", "--wait", "--wait-timeout", str(PATIENCE_S))
        return self.as_expected()

    def as_expected(self):
        """Instances that are other processes from now on have crashed."""
        self.expected = self.processes()
        return self

    def close(self):
        try:
            self.compose("down", "--volumes", "--timeout", "60")
        finally:
            self.override.close()

    @property
    def alive(self):
        """All of it; whoever made something unwell has waited until it was well again."""
        running = docker("ps", "--quiet", "--filter", f"label=com.docker.compose.project={PROJECT}")
        return len(running.split()) == (3 if self.is_embedded else 4)

    def container(self, service):
        return f"{PROJECT}-{service}-1"

    def processes(self):
        return [inspect(self.container(service), ".State.Pid") for service in BANKS]

    def state_of(self, service):
        return inspect(self.container(service), ".State")

    def health_of(self, service):
        return self.state_of(service)["Health"]["Status"]

    def limits(self):
        """CPUs and bytes of what `up nginx` starts, by service."""
        services = json.loads(self.compose("config", "--format", "json"))["services"]
        started, todo = {}, ["nginx"]
        while todo:
            name = todo.pop()
            limit = services[name]["deploy"]["resources"]["limits"]
            started[name] = float(limit["cpus"]), int(limit["memory"])
            todo += services[name].get("depends_on", {})
        return started

    def psql(self, statement, user="postgres", host="/var/run/postgresql", password="", check=True):
        return docker("exec", "--user", "postgres", "--env", f"PGPASSWORD={password}", self.container("db"), "psql", "-q", "-h", host,
                      "-U", user, "-d", "rinha", "-v", "ON_ERROR_STOP=1", "-c", statement, check=check)

    def status(self, service):
        """What `crebito status` says in a container of the store."""
        return json.loads(docker("exec", self.container(service), "/usr/bin/crebito", "status", "--json"))["store"]

    # What tests of the contract do to a bank.

    def restart(self):
        self.compose("restart", *BANKS)
        return self.wait_for_both()

    def kill(self):
        for service in BANKS:
            kill(self.container(service))
        return self

    def wait_for_both(self):
        for service in BANKS:
            wait_until(lambda: self.health_of(service) == "healthy", f"{service} does not serve")
        return self.as_expected()

    def empty(self):
        """As it was when it first came up."""
        if self.is_embedded:
            self.compose("stop", *BANKS)
            docker("run", "--rm", "--volume", f"{PROJECT}_data:/data", "--entrypoint", "rm", TOOLS, "-r", "/data/ledger")
            self.compose("start", *BANKS)
        else:
            clients = ", ".join(f"({client}, {limit})" for client, limit in LIMITS.items())
            self.psql('TRUNCATE "Clientes", "Transacoes", "Chaves";'
                      f"SELECT InsertCliente(id, limite, 0) FROM (VALUES {clients}) AS c (id, limite)")
        wait_until(self.answers, "nobody answers behind NGINX")
        return self.as_expected()

    def answers(self):
        try:
            with self.connect(timeout=5) as connection:
                connection.send(b"GET /clientes/1/extrato HTTP/1.0\r\n\r\n")
                return connection.receive().status == 200
        except Exception:
            return False

    def log_of(self, service):
        return self.compose("logs", "--no-color", "--no-log-prefix", service)

    def assert_sane(self):
        assert self.processes() == self.expected, self.compose("logs")


def left_behind():
    """What is there of the project."""
    label = f"label=com.docker.compose.project={PROJECT}"
    return [line for kind in (["ps", "--all"], ["volume", "ls"], ["network", "ls"])
            for line in docker(*kind, "--quiet", "--filter", label).split()]


