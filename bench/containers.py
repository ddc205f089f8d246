# SPDX-License-Identifier: MIT
"""A stack of containers as a compose file has it, its limits enforced, loaded from outside of them.

Used by topology.py; METHOD.md says why things are measured this way.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import harness

CGROUPS = Path("/sys/fs/cgroup")
UP_SECONDS_MAX = 180


def docker(*arguments, environment=None, stdin=None):
    done = subprocess.run(["docker", *map(str, arguments)], capture_output=True, text=True, input=stdin,
                          env={**os.environ, **(environment or {})})
    if done.returncode != 0:
        sys.exit(f"bench: docker {' '.join(map(str, arguments))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


class Part:
    """One container: what it has used, by its cgroup (version 1 or 2), and what its processes hold."""

    def __init__(self, container):
        facts = json.loads(docker("inspect", container))[0]
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
        pids = self.cgroup("pids", "cgroup.procs").split()
        return sum(harness.rss_anon_kib(pid) for pid in pids) * 1024


class Stack:
    """The services that `up nginx` starts, under a project's name of its own and without published ports."""

    def __init__(self, name, file, **environment):
        self.name = name
        self.project = f"crebito-bench-{name}"
        self.file = harness.ROOT / file
        self.environment = {key: str(value) for key, value in environment.items()}
        self.parts = {}

    def compose(self, *arguments):
        return docker("compose", "--project-name", self.project, "--file", self.file, "--file", self.override,
                      *arguments, environment=self.environment)

    def __enter__(self):
        services = json.loads(docker("compose", "--file", self.file, "config", "--format", "json",
                                     environment=self.environment))["services"]
        text = "services:\n"
        for service, what in services.items():
            text += f"  {service}:\n    ports: !reset []\n    restart: !reset no\n"
            if "build" in what:
                text += "    build: {network: host}\n"  # also where containers reach no network
        self.folder = tempfile.TemporaryDirectory()
        self.override = Path(self.folder.name) / "override.yml"
        self.override.write_text(text)
        self.compose("down", "--volumes", "--timeout", 10)
        self.compose("up", "nginx", "--detach", "--build", "--wait", "--wait-timeout", UP_SECONDS_MAX)
        for service in self.compose("ps", "--services").split():
            self.parts[service] = Part(self.compose("ps", "--quiet", service).strip())
        return self

    def __exit__(self, *_):
        self.compose("down", "--volumes", "--timeout", 60)
        self.folder.cleanup()

    def load(self, seconds, connections, *scenario):
        """What wrk saw, and what each request cost each part."""
        before = {service: part.cpu_seconds() for service, part in self.parts.items()}
        seen = harness.wrk(f"http://{self.parts['nginx'].address}:9999", seconds, connections, *scenario)
        seen["cpu_us"] = {service: (part.cpu_seconds() - before[service]) * 1e6 / seen["answers"]
                          for service, part in self.parts.items()}
        seen["memory_bytes"] = {service: part.memory_bytes() for service, part in self.parts.items()}
        seen["rss_anon_bytes"] = {service: part.rss_anon_bytes() for service, part in self.parts.items()}
        return seen


@contextlib.contextmanager
def all_of(stacks):
    """All of them up together: each has its own limits, and those that are not asked do nothing."""
    with contextlib.ExitStack() as together:
        yield [together.enter_context(stack) for stack in stacks]
