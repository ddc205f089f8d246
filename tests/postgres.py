# SPDX-License-Identifier: MIT
"""A PostgreSQL for the tests: servers of their own, in a temporary folder, on free ports.

    with Cluster(max_connections=5) as cluster:
        database = cluster.create()                  # has the schema, and the five clients
        bank = Bank(database, "--connections", 2)    # see bank.py; database.url is what it is told
        database.psql('SELECT sum("Saldo") FROM "Clientes"')
        cluster.kill()                               # SIGKILL for all of its processes at once
        cluster.start()

It promises that a server flushes as in earnest (fsync is on), that it has what `crebito init` makes of an
empty database, and that none outlives the tests, however they end: a process that does nothing else sees
them end, stops the servers and removes their files.
"""

import atexit
import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from once import once

PATIENCE_S = 60
SUPERUSER = "postgres"
PASSWORD = "s3cret"  # No log of a bank contains it.
TEMPLATE = "empty_bank"
# PostgreSQL refuses to be root; its packages bring this user. Files are made by the same one.
AS_SERVER = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
PORTS = range(15000, 32000)  # Below those that the system gives to connections.

numbers = itertools.count(1)


@once
def programs():
    """The folder of the newest PostgreSQL's programs."""
    found = [place for place in Path("/usr/lib/postgresql").glob("*/bin") if (place / "initdb").exists()]
    if found:  # Debian has one folder for each version, and none of them in PATH.
        return max(found, key=lambda place: int(place.parent.name))
    assert shutil.which("initdb"), "PostgreSQL's server is not installed: script/bootstrap test"
    return Path(shutil.which("initdb")).resolve().parent


def own(path):
    """Gives a new file or folder to the server's user."""
    if AS_SERVER:
        shutil.chown(path, AS_SERVER["user"], AS_SERVER["group"])
    return path


# The server of a cluster that is still there stops at once; it has no clients left.
WATCH = """
cat >/dev/null
for file in "$1"/*/data/postmaster.pid; do
    if [ -e "$file" ]; then kill -QUIT "$(head -n 1 "$file")" 2>/dev/null || true; fi
done
while [ -n "$(cat "$1"/*/data/postmaster.pid 2>/dev/null)" ] && [ "${left:=100}" -gt 0 ]; do
    left=$((left - 1))
    sleep 0.05
done
rm -rf "$1"
"""


@once
def root():
    """The folder of all clusters. What watches over it reads a pipe, which ends when we do."""
    folder = own(Path(tempfile.mkdtemp(prefix="crebito-postgres-")))
    folder.chmod(0o711)
    watch = subprocess.Popen(["sh", "-c", WATCH, "sh", str(folder)], stdin=subprocess.PIPE,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    @atexit.register
    def end():
        watch.stdin.close()
        watch.wait(PATIENCE_S)

    return folder


def run(*command, environment=None, **more):
    """A program of PostgreSQL, to its end; returns what it wrote."""
    done = subprocess.run([programs() / command[0], *map(str, command[1:])], capture_output=True, text=True,
                          timeout=PATIENCE_S, env={**os.environ, **(environment or {})}, cwd="/", **more)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def free_port():
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


@once
def empty_cluster():
    """The folder that clusters begin as a copy of."""
    folder = own(new_folder())
    password = folder / "password"
    password.write_text(PASSWORD)
    own(password)
    run("initdb", "--pgdata", folder / "data", "--username", SUPERUSER, "--pwfile", password,
        "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions",
        "--wal-segsize=4", **AS_SERVER)
    return folder / "data"


@once
def bank_cluster():
    """The same with the database that a bank's begin as a copy of."""
    from bank import crebito  # which knows this file

    cluster = Cluster(origin=empty_cluster()).start()
    try:
        cluster.psql(f"CREATE DATABASE {TEMPLATE}")
        done = crebito("init", "--database", cluster.url(TEMPLATE))
        assert done.returncode == 0, done
    finally:
        cluster.stop()
    return cluster.data


def new_folder():
    folder = root() / str(next(numbers))
    folder.mkdir()
    folder.chmod(0o755)
    return folder


def children_of(process):
    children = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == process and state != "Z":
            children.append(int(stat.parent.name))
    return children


def is_gone(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def wait_until(true, words):
    give_up = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < give_up, words() if callable(words) else words
        time.sleep(0.005)


class Cluster:
    """A server with its own folder and port; settings are those of postgresql.conf.

    folder is the server's user's, and others may read it: a place for certificates, say.
    environment is for its processes: LD_PRELOAD, say. origin is a folder to begin with.
    """

    prefix = ()  # A command that becomes the server, as its user.

    def __init__(self, environment=None, origin=None, **settings):
        origin = origin or bank_cluster()
        self.folder = own(new_folder())
        self.data = self.folder / "data"
        self.log_path = self.folder / "log"
        self.environment = {**os.environ, **(environment or {})}
        self.process = None
        self.log_start = 0
        self.port = free_port()
        subprocess.run(["cp", "-a", str(origin), str(self.data)], check=True)
        self.configure(listen_addresses="127.0.0.1", port=self.port, unix_socket_directories=str(self.folder),
                       shared_buffers="32MB", max_connections=200, **settings)

    def configure(self, **settings):
        """From the next start on, or the next reload()."""
        with open(self.data / "postgresql.conf", "a") as file:
            for name, value in settings.items():
                file.write(f"{name} = '{value}'\n")
        return self

    def authenticate(self, *lines):
        """Replaces pg_hba.conf, from the next start or reload() on."""
        (self.data / "pg_hba.conf").write_text("\n".join(lines) + "\n")
        return self

    def reload(self):
        self.process.send_signal(signal.SIGHUP)
        return self

    # Its life.

    def start(self):
        """Returns when it accepts connections; after a crash it repairs itself first."""
        while True:
            self.log_start = len(self.log)
            with open(self.log_path, "ab") as log:
                self.process = subprocess.Popen(
                    [*self.prefix, programs() / "postgres", "-D", str(self.data)], stdin=subprocess.DEVNULL,
                    stdout=log, stderr=log, env=self.environment, cwd="/", start_new_session=True,
                    **({} if self.prefix else AS_SERVER))
            wait_until(lambda: self.ready or not self.alive, lambda: f"it does not start:\n{self.log}")
            if self.alive:
                return self
            # Somebody else was quicker to take the port.
            first = self.log_start == 0 and "Address already in use" in self.log
            assert first, f"it does not start:\n{self.log}"
            self.port = free_port()
            self.configure(port=self.port)

    @property
    def alive(self):
        return self.process is not None and self.process.poll() is None

    @property
    def panicked(self):
        """It has given up since it was started, or is about to."""
        return "PANIC:" in self.log[self.log_start:]

    @property
    def ready(self):
        try:
            lines = (self.data / "postmaster.pid").read_text().split("\n")
        except OSError:
            return False
        return len(lines) > 7 and int(lines[0]) == self.process.pid and lines[7].strip() == "ready"

    def stop(self, mode="fast"):
        """As pg_ctl: smart waits for the clients, fast ends their sessions, immediate is a crash."""
        if self.alive:
            signals = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
            self.process.send_signal(signals[mode])
        self.wait()
        return self

    def wait(self):
        """Until it is gone, by itself or because it was told to."""
        if self.process is not None:
            self.process.wait(PATIENCE_S)

    def kill(self):
        """All of its processes at the same moment, which none of them notices."""
        if not self.alive:
            return self
        self.process.send_signal(signal.SIGSTOP)  # So that it gets no new ones.
        processes = [*children_of(self.process.pid), self.process.pid]
        for process in processes:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait(PATIENCE_S)
        wait_until(lambda: all(map(is_gone, processes)), "a killed process stays")
        return self

    def restart(self, mode="fast"):
        return self.stop(mode).start()

    def close(self):
        if self.alive:
            self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    @property
    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    # Its databases.

    def url(self, database, user=SUPERUSER, password=PASSWORD, host="127.0.0.1", **parameters):
        """Parameters are libpq's: sslmode, say."""
        query = "&".join(f"{name}={value}" for name, value in parameters.items())
        return f"postgres://{user}:{password}@{host}:{self.port}/{database}" + (query and f"?{query}")

    def create(self, template=TEMPLATE):
        """A database of its own for one bank. template=None: an empty one."""
        name = f"bank{next(numbers)}"
        self.psql(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
        return Database(self, name)

    def psql(self, sql, database=SUPERUSER):
        """What the statements return: a line for each row, columns separated by |."""
        return run(*PSQL, "--dbname", self.url(database), "--command", sql).removesuffix("\n")


PSQL = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]


class Session:
    """A psql that stays: it holds a lock, or a transaction, for as long as a test needs.

    with database.session() as other:
        other.run("BEGIN; LOCK TABLE \\"Clientes\\"")
    """

    def __init__(self, url):
        self.process = subprocess.Popen([programs() / PSQL[0], *PSQL[1:-1], "--dbname", url], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def run(self, sql):
        """Returns what it answered, errors too."""
        self.process.stdin.write(f"{sql};\n\\echo = done\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line == "= done\n":
                return "".join(lines)
            lines.append(line)
        raise AssertionError(f"psql went away: {lines}")

    def close(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE_S)
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Database:
    def __init__(self, cluster, name):
        self.cluster, self.name = cluster, name

    @property
    def url(self):
        return self.cluster.url(self.name)

    def psql(self, sql):
        return self.cluster.psql(sql, self.name)

    def session(self):
        return Session(self.url)

    def sessions(self):
        """How many clients are connected to it, or have gone and left something that is not ended yet."""
        return int(self.cluster.psql("SELECT count(*) FROM pg_stat_activity WHERE "
                                     f"datname = '{self.name}' AND backend_type = 'client backend'"))

    def drop(self):
        """Also when somebody is connected to it."""
        self.cluster.psql(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")


@once
def shared_cluster():
    """The server of all banks that need none of their own. It is never stopped."""
    return Cluster().start()
