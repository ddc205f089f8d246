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

from bank import PATIENCE_S, Closed, crebito, new_bank_on, request
from reference import Account, Answer, Entry, Record
from stores import new_store

class Ending(NamedTuple):
    """How requests that are under way together end. A fault holds the first commit until the kill."""

    killed: str = ""  # "bank", "server" or both
    fault: str | None = None
    after_an_answer: bool = False


def endings(killed, **faults):
    return {f"{killed} killed at once": Ending(killed),
            f"{killed} killed after an answer": Ending(killed, after_an_answer=True),
            **{f"{killed} killed {moment} the flush": Ending(killed, fault) for moment, fault in faults.items()}}


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
    """In a folder."""

    kind = "lmdb"
    can_be_killed = ["bank"]
    has_copies = True
    has_one_order = True  # Of all that happens, in which the export has it; not only of each account.
    endings = {"all answered": Ending(), "stopped": Ending(),
               **endings("bank", before="pwrite wait", after="dsync_write wait")}

    def __init__(self, accounts=None):
        """With the five accounts of the challenge, or with these: {client: (limit, balance)}."""
        self.root = Path(tempfile.mkdtemp(prefix="crebito-model-"))
        self.stores = 0
        self.connection = None
        self.store = new_store(self.kind, self.root / "data", own_server=True, empty=accounts is not None)
        if accounts is not None:
            table = self.root / "clients.csv"
            table.write_text("".join(
                f"{client},{limit},{balance}\n" for client, (limit, balance) in accounts.items()))
            self.run("init", "--clients", table, "--database", self.store.url)
        self.serve(self.store)

    def another_store(self):
        self.stores += 1
        return self.store.beside_it(f"data{self.stores}")

    def serve(self, store):
        self.bank = new_bank_on(store, faults=True).start()

    def close(self):
        self.disconnect()
        try:
            self.bank.close()
        finally:
            self.store.close()
            shutil.rmtree(self.root)

    # As its clients.

    def disconnect(self):
        if self.connection is not None:
            self.connection.socket.close()
            self.connection = None

    def exchange(self, data):
        if self.connection is None:
            self.connection = self.bank.connect()
        return self.bank.patiently(lambda: self.connection.ask(data))

    def ask(self, asked):
        return read_answer(self.exchange(asked.as_bytes()))

    def statement_and_times(self, client):
        return read_statement(self.exchange(request("GET", f"/clientes/{client}/extrato")))

    def statement(self, client):
        return self.statement_and_times(client)[0]

    def ask_together(self, requests, ending):
        """The answers; None where the bank, or what it asked, was killed before there was one."""
        killed, fault, _ = self.endings[ending]
        if fault:
            self.bank.fault(fault)
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
            self.bank.recover()
        return answers

    def end(self, ending, connections):
        sockets = [connection.socket for connection in connections]
        killed, fault, after_an_answer = self.endings[ending]
        if ending == "stopped":
            self.bank.process.terminate()
        if after_an_answer:
            select.select(sockets, [], [], PATIENCE_S)
        if fault:
            give_up = time.monotonic() + PATIENCE_S
            # A request that is refused need not meet the fault.
            while not self.bank.faults.met and len(
                    select.select(sockets, [], [], 0.002)[0]) < len(sockets):
                assert time.monotonic() < give_up, self.bank.log
        if killed:
            self.bank.crash(killed)

    def receive(self, connection, killed):
        try:
            answer = read_answer(connection.receive())
        except (Closed, OSError):
            if "bank" not in killed:
                raise
            return None
        return None if answer.status == 504 and "server" in killed else answer

    # As its operator.

    def run(self, *arguments, status=0):
        done = crebito(*arguments)
        assert done.returncode == status, (arguments, done)
        return done.stdout

    def restart(self, killed):
        self.disconnect()
        (self.bank.crash(killed) if killed else self.bank.stop()).recover()

    @property
    def url(self):
        return self.bank.store.url

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

    def verify(self, store=None):
        self.run("verify", "--database", (store or self.bank.store).url)

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
        assert times == sorted(times), times
        assert len(times) == len(set(times)) or not self.has_one_order, times
        self.check_times(records)
        return [record for record, _ in records]

    def check_times(self, records):
        """Statements show the journal's own times."""
        for client in {record.client for record, _ in records}:
            booked = [time for record, time in records if record.client == client and record.entry]
            assert self.statement_and_times(client)[1] == booked[:-11:-1]

    def backup(self):
        """A copy of the store as it is now, for restore() and move_to()."""
        copy = self.another_store()
        self.run("backup", copy.folder, "--database", self.url)
        self.verify(copy)
        return copy

    def move_to(self, store):
        """Goes on with that one."""
        self.disconnect()
        self.bank.stop()
        self.serve(store)

    def restore(self, copy):
        store = self.another_store()
        self.run("restore", copy.folder, "--database", store.url)
        self.move_to(store)

    def migrate(self):
        """Goes on with a store that was built anew from the export."""
        text = self.root / "ledger.jsonl"
        text.write_text(self.run("export", "--format=jsonl", "--database", self.url))
        store = self.another_store()
        self.run("import", text, "--database", store.url)
        self.verify(store)
        self.move_to(store)


class LiveBankOnPostgres(LiveBank):
    """In a database. Its server can be killed too; it has no copies but an export; and its accounts have
    nothing in common, so that of two at once the later one may be seen before the earlier one."""

    kind = "postgres"
    can_be_killed = ["bank", "server", "bank and server"]
    has_copies = False
    has_one_order = False
    endings = {"all answered": Ending(), "stopped": Ending(), **endings("bank", before="fdatasync wait"),
               "server killed at once": Ending("server"),
               "server killed before the flush": Ending("server", "fdatasync wait"),
               "bank and server killed after an answer": Ending("bank and server", after_an_answer=True)}


LIVE_BANKS = {live.kind: live for live in (LiveBank, LiveBankOnPostgres)}


def live_bank(store):
    """The class of those on this kind of store, of which there are variants (stores.py)."""
    return type("LiveBankOnStore", (LIVE_BANKS[store],), {"kind": store})
