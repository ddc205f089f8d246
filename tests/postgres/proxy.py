# SPDX-License-Identifier: MIT
"""A network that a test can break: it stands between a bank and its server.

    with Proxy(cluster.port) as network:
        bank = make(network.url(database))
        network.swallow("answers")      # they vanish from now on, as in a cable that is cut

Directions are "requests" (from the bank to its server) and "answers".
"""

import contextlib
import socket
import threading
import time

from postgres import PASSWORD, SUPERUSER


class Link:
    """One connection through it."""

    def __init__(self, proxy, client):
        self.proxy, self.client = proxy, client
        self.server = socket.create_connection(("127.0.0.1", proxy.target))
        for end in (self.client, self.server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for ends in [("requests", self.client, self.server), ("answers", self.server, self.client)]:
            threading.Thread(target=self.carry, args=ends, daemon=True).start()

    def carry(self, direction, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                data = self.proxy.judge(self, direction, data)
                if data:
                    sink.sendall(data)
        with self.proxy.lock:
            swallowed = direction in self.proxy.swallowed
        if not swallowed:  # Else its end vanishes as well.
            self.close()

    def close(self):
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class Proxy:
    def __init__(self, target):
        self.target = target
        self.lock = threading.Lock()
        self.links, self.swallowed = [], set()
        self.cut_at = self.garbage = None
        self.cuts = self.accepted = 0
        self.delay_s = 0
        self.refusing = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def url(self, database, **parameters):
        query = "&".join(f"{name}={value}" for name, value in parameters.items())
        return f"postgres://{SUPERUSER}:{PASSWORD}@127.0.0.1:{self.port}/{database.name}" + (query and f"?{query}")

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                self.accepted += 1
                if self.refusing:
                    client.close()
                    continue
                try:
                    self.links.append(Link(self, client))
                except OSError:
                    client.close()

    def judge(self, link, direction, data):
        """What of it goes on."""
        if self.delay_s:
            time.sleep(self.delay_s)
        with self.lock:
            if direction in self.swallowed:
                return b""
            if self.cut_at == direction:
                self.cut_at = None
                self.cuts += 1
            elif self.garbage and direction == "answers":
                data, self.garbage = self.garbage, None
                return data
            else:
                return data
        link.close()
        return b""

    # Orders.

    def swallow(self, *directions):
        """From now on; none: the connections that there were stay as they are, and new ones work."""
        with self.lock:
            self.swallowed = set(directions)

    def cut(self, direction):
        """The next bytes that come this way come no further, and their connection is gone."""
        with self.lock:
            self.cut_at = direction

    def refuse(self, refusing=True):
        """All connections end, and new ones as soon as they are made."""
        self.refusing = refusing
        for link in self.links:
            link.close()

    def close(self):
        self.listener.close()
        for link in self.links:
            link.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
