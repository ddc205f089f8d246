# SPDX-License-Identifier: MIT
"""The challenge's topology without containers: instances on one store, and Debian's NGINX in front of them.

    bank = BalancedBank(store)         # asked through NGINX, with deploy/nginx/stream.conf
    bank.instances[0].kill()           # the other goes on
    bank.nginx.kill().start()
    bank = BalancedBank(store, public=True)  # the same with TLS, by deploy/nginx/internet.conf

The configurations are those that are deployed, but for the places where sockets, certificates and the like are.
"""

import atexit
import importlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from pathlib import Path

import postgres
from bank import PATIENCE_S, TESTS, Bank, Connection, running, together
from once import once
from stores import KINDS, Balanced

DEPLOYED = TESTS.parent / "deploy" / "nginx"
PROGRAM = shutil.which("nginx") or "/usr/sbin/nginx"  # where Debian has it is not in everybody's PATH
AS_NOBODY = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
BALANCED = [Balanced(kind) for kind in KINDS]
PORT_TAKEN = "Address already in use"
TROUBLE = ("[emerg]", "[alert]")  # NGINX's words for what it cannot do, and for its own mistakes


def suites(*suites):
    """All that is in these files of tests/contract/, for another to have as its own."""
    modules = [importlib.import_module(f"test_{suite}") for suite in suites]
    return {name: thing for module in modules for name, thing in vars(module).items() if not name.startswith("__")}


def new_folder():
    """Where sockets are: their paths must be short. NGINX's own files too."""
    folder = Path(tempfile.mkdtemp(prefix="crebito-nginx-"))
    folder.chmod(0o755)
    return folder


@once
def certificate():
    """The folder of one for localhost, and of its key."""
    folder = new_folder()
    atexit.register(shutil.rmtree, folder)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                    "-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"],
                   check=True, capture_output=True, timeout=PATIENCE_S)
    (folder / "privkey.pem").chmod(0o644)  # nobody may read it, and it opens nothing
    return folder


def tls():
    """What a careful client asks for."""
    return ssl.create_default_context(cafile=certificate() / "fullchain.pem")


class TlsConnection(Connection):
    def __init__(self, address, context=None, **more):
        super().__init__(address, **more)
        self.socket = (context or tls()).wrap_socket(self.socket, server_hostname="localhost")


class Nginx:
    """NGINX with a configuration of ours, on a port of its own, as a user that may do nothing.

    changes are what stands elsewhere here: {old text: new text}; each must be found.
    """

    def __init__(self, name, folder, listen, changes):
        self.folder = folder / name
        self.folder.mkdir(mode=0o700)
        if AS_NOBODY:
            os.chown(self.folder, AS_NOBODY["user"], AS_NOBODY["group"])
        self.name, self.listen, self.changes = name, listen, changes
        self.log_path = folder / f"{name}.log"
        self.process = None
        self.configure()

    def configure(self):
        self.port = postgres.free_port()
        text = (DEPLOYED / self.name).read_text()
        for old, new in {"/tmp/": f"{self.folder}/", self.listen: str(self.port), **self.changes}.items():
            assert old in text, f"{self.name} does not say {old}"
            text = text.replace(old, new)
        self.configuration = self.folder / "nginx.conf"
        self.configuration.write_text(text)
        self.configuration.chmod(0o644)

    def start(self):
        while True:
            with open(self.log_path, "ab") as log:
                self.process = subprocess.Popen(
                    [PROGRAM, "-e", "stderr", "-c", str(self.configuration), "-g", "daemon off;"],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **AS_NOBODY)
            running.add(self)
            if self.listens():
                return self
            self.kill()  # Somebody else was quicker to take the port.
            self.log_path.unlink()
            self.configure()

    def listens(self):
        give_up = time.monotonic() + PATIENCE_S
        while PORT_TAKEN not in self.log:
            assert self.alive and time.monotonic() < give_up, f"it does not listen:\n{self.log}"
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return True
            except OSError:
                time.sleep(0.005)
        return False

    def kill(self):
        """Master and worker, which would stay."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        running.discard(self)
        return self

    def stop(self, sign=signal.SIGTERM):
        """As an operator would: SIGQUIT lets answers out that are on their way."""
        self.process.send_signal(sign)
        try:
            assert self.process.wait(PATIENCE_S) == 0, self.log
        finally:
            self.kill()
        self.assert_sane()
        return self

    @property
    def alive(self):
        return self.process is not None and self.process.poll() is None

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def assert_sane(self):
        for line in self.log.splitlines():  # That it may have fewer descriptors is this machine's affair.
            assert not any(word in line for word in TROUBLE) or "setrlimit(" in line, self.log


class BalancedBank(Bank):
    """What is asked of it goes through NGINX; what is done to it is done to all of its instances."""

    def __init__(self, store, *options, public=False, changes=(), **more):
        super().__init__(store, *options, **more)
        self.public = public
        self.sockets = new_folder()
        self.instances = [self.new_instance(number, options, more) for number in (1, 2)]
        name, listen, places = "stream.conf", "9999", {"/run/crebito": str(self.sockets)}
        if public:
            name, listen, places["/etc/nginx/tls"] = "internet.conf", "8443", str(certificate())
        self.nginx = Nginx(name, self.sockets, listen, {**places, **dict(changes)})

    def new_instance(self, number, options, more):
        listen = [f"unix:{self.sockets}/{number}.sock"]
        instance = Bank(self.store, "--socket-mode", "0666", *options, **{**more, "listen": listen})
        instance.log_path = Path(f"{self.store.beside}.{number}.log")
        return instance

    def start(self):
        """What is not running."""
        self.store.start()
        if not any(instance.alive for instance in self.instances):
            self.store.settle()
        if not self.alive:
            together([instance.begin for instance in self.instances if not instance.alive])
        if not self.nginx.alive:  # Last, so that it never has to do without them.
            self.nginx.start()
        self.addresses = [self.nginx.address] * self.listeners
        return self

    def stop(self):
        together([instance.stop for instance in self.instances])
        return self

    def kill(self):
        together([instance.kill for instance in self.instances])
        return self

    def close(self):
        try:
            super().close()
        finally:
            for instance in self.instances:
                instance.close()
            if self.nginx.alive:
                self.nginx.stop()
            shutil.rmtree(self.sockets)

    def connect(self, **more):
        return TlsConnection(self.address, **more) if self.public else super().connect(**more)

    @property
    def alive(self):
        return all(instance.alive for instance in self.instances)

    @property
    def log(self):
        return "".join(one.log for one in [*self.instances, self.nginx])
