# SPDX-License-Identifier: MIT
"""A bank as its clients and its operator meet it: the built server, and the commands beside it.

LiveBank speaks in the terms of reference.py; what is Portuguese, HTTP or JSON ends here.
"""

import contextlib
import json
import select
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from bank import PATIENCE_S, Bank, Closed, crebito, request
from reference import Account, Answer, Entry, Record

# How requests that are under way together end. A fault holds the first commit there until the kill.
ENDINGS = {
    "all answered": None,
    "stopped": None,
    "killed at once": None,
    "killed after an answer": None,
    "killed before the flush": "fdatasync wait",
    "killed after the flush": "dsync_write wait",
}


class Request(NamedTuple):
    """A transaction. The body is any value of JSON; or raw bytes, which are sent as they are."""

    client: int
    body: Any
    key: str | None = None

    def as_bytes(self):
        body = self.body
        if not isinstance(body, bytes):
            body = json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
        headers = [] if self.key is None else [f"Idempotency-Key: {self.key}"]
        return request("POST", f"/clientes/{self.client}/transacoes", body, headers)


def read_answer(response):
    if response.status != 200:
        return Answer(response.status, response.type)
    seen = response.json()
    return Answer(200, limit=seen["limite"], balance=seen["saldo"],
                  replayed=response.header("Idempotency-Replayed") == "true")


def read_statement(response):
    """The answer, and the times of its entries."""
    if response.status != 200:
        return Answer(response.status, response.type), []
    seen = response.json()
    now, entries = seen["saldo"], seen["ultimas_transacoes"]
    times = [entry["realizada_em"] for entry in entries]
    falling = [now["data_extrato"], *times]
    assert falling == sorted(falling, reverse=True), falling
    assert len(set(times)) == len(times), times
    recent = tuple(Entry(entry["valor"], entry["tipo"], entry["descricao"]) for entry in entries)
    return Answer(200, limit=now["limite"], balance=now["total"], recent=recent), times


def read_record(line):
    """A line of the export as a record, and its time."""
    expected = {"sequence", "client", "kind", "balance_cents", "limit_cents", "time"}
    entry = None
    if line["kind"] in ("credit", "debit"):
        expected |= {"amount_cents", "description"}
        entry = Entry(line["amount_cents"], line["kind"][0], line["description"])
    assert expected <= set(line) <= expected | ({"key"} if entry else set()), line
    return Record(line["sequence"], line["client"], line["kind"], line["limit_cents"],
                  line["balance_cents"], entry, line.get("key")), line["time"]


class LiveBank:
    def __init__(self, accounts=None):
        """With the five accounts of the challenge, or with these: {client: (limit, balance)}."""
        self.root = Path(tempfile.mkdtemp(prefix="crebito-model-"))
        self.folders = 0
        self.connection = None
        folder = self.new_folder()
        if accounts is not None:
            table = self.root / "clients.csv"
            table.write_text("".join(
                f"{client},{limit},{balance}\n" for client, (limit, balance) in accounts.items()))
            self.run("init", "--clients", table, "--database", f"lmdb:{folder}")
        self.serve(folder)

    def new_folder(self):
        self.folders += 1
        return self.root / f"data{self.folders}"

    def serve(self, folder):
        self.bank = Bank(folder, faults=True).start()

    def close(self):
        self.disconnect()
        try:
            self.bank.close()
        finally:
            shutil.rmtree(self.root)

    # As its clients.

    def disconnect(self):
        if self.connection is not None:
            self.connection.socket.close()
            self.connection = None

    def exchange(self, data):
        if self.connection is None:
            self.connection = self.bank.connect()
        return self.connection.ask(data)

    def ask(self, asked):
        return read_answer(self.exchange(asked.as_bytes()))

    def statement_and_times(self, client):
        return read_statement(self.exchange(request("GET", f"/clientes/{client}/extrato")))

    def statement(self, client):
        return self.statement_and_times(client)[0]

    def ask_together(self, requests, ending):
        """The answers; None where the bank was killed before there was one."""
        killed = ending.startswith("killed")
        if ENDINGS[ending]:
            self.bank.fault(ENDINGS[ending])
        with contextlib.ExitStack() as stack:
            connections = [stack.enter_context(self.bank.connect()) for _ in requests]
            for connection, asked in zip(connections, requests):
                connection.send(asked.as_bytes())
            self.end(ending, connections)
            answers = [self.receive(connection, killed) for connection in connections]
        if ending != "all answered":
            self.disconnect()
            assert killed or self.bank.wait() == 0, self.bank.log
            self.bank.fault()
            self.bank.start()
        return answers

    def end(self, ending, connections):
        sockets = [connection.socket for connection in connections]
        if ending == "stopped":
            self.bank.process.terminate()
        if ending == "killed after an answer":
            select.select(sockets, [], [], PATIENCE_S)
        if ENDINGS[ending]:
            give_up = time.monotonic() + PATIENCE_S
            # A request that is refused need not meet the fault.
            while not self.bank.met.exists() and len(
                    select.select(sockets, [], [], 0.002)[0]) < len(sockets):
                assert time.monotonic() < give_up, self.bank.log
        if ending.startswith("killed"):
            self.bank.kill()

    def receive(self, connection, killed):
        try:
            return read_answer(connection.receive())
        except (Closed, OSError):
            if not killed:
                raise
            return None

    # As its operator.

    def run(self, *arguments, status=0):
        done = crebito(*arguments)
        assert done.returncode == status, (arguments, done)
        return done.stdout

    def restart(self, killed):
        self.disconnect()
        (self.bank.kill if killed else self.bank.stop)()
        self.bank.start()

    @property
    def url(self):
        return f"lmdb:{self.bank.folder}"

    def change(self, *arguments):
        """Was it done? What the bank refuses is 1; what makes no sense in any bank, 2."""
        done = crebito("client", *arguments, "--database", self.url)
        assert done.returncode in (0, 1, 2) and bool(done.returncode) == bool(done.stderr), done
        return done.returncode == 0

    def open(self, client, limit, balance):
        return self.change("add", client, f"--limit={limit}", f"--balance={balance}")

    def set_limit(self, client, limit):
        return self.change("set-limit", client, f"--limit={limit}")

    def show(self, client):
        """The account; None if there is no such client."""
        done = crebito("client", "show", client, "--json", "--database", self.url)
        if done.returncode != 0:
            return None
        shown = json.loads(done.stdout)
        assert shown["client"] == client, shown
        recent = tuple(Entry(entry["amount_cents"], entry["kind"][0], entry["description"])
                       for entry in shown["entries"])
        return Account(shown["limit_cents"], shown["balance_cents"], recent)

    def verify(self, folder=None):
        self.run("verify", "--database", f"lmdb:{folder or self.bank.folder}")

    def export(self, client=None):
        """The records of the journal; what it says beside them is judged here."""
        only = [] if client is None else ["--client", client]
        text = self.run("export", "--format=jsonl", *only, "--database", self.url)
        # Not splitlines(), which knows ends of lines that JSON does not.
        first, *lines, last = map(json.loads, text.removesuffix("\n").split("\n"))
        assert (first["kind"], first["format"]) == ("ledger", 1), first
        assert first["complete"] is (client is None), first
        assert last == {"kind": "end", "records": len(lines)}, last
        records = [read_record(line) for line in lines]
        times = [time for _, time in records]
        assert times == sorted(set(times)), times
        self.check_times(records)
        return [record for record, _ in records]

    def check_times(self, records):
        """Statements show the journal's own times."""
        for client in {record.client for record, _ in records}:
            booked = [time for record, time in records if record.client == client and record.entry]
            assert self.statement_and_times(client)[1] == booked[:-11:-1]

    def backup(self):
        """A copy of the store as it is now, for restore() and move_to()."""
        copy = self.new_folder()
        self.run("backup", copy, "--database", self.url)
        self.verify(copy)
        return copy

    def move_to(self, copy):
        """Goes on with the copy itself."""
        self.disconnect()
        self.bank.stop()
        self.serve(copy)

    def restore(self, copy):
        folder = self.new_folder()
        self.run("restore", copy, "--database", f"lmdb:{folder}")
        self.move_to(folder)

    def migrate(self):
        """Goes on with a store that was built anew from the export."""
        text = self.root / "ledger.jsonl"
        text.write_text(self.run("export", "--format=jsonl", "--database", self.url))
        folder = self.new_folder()
        self.run("import", text, "--database", f"lmdb:{folder}")
        self.verify(folder)
        self.move_to(folder)
