# SPDX-License-Identifier: MIT
"""Clients that keep a bank busy while something breaks, and a judge of what they were told.

    with Load(bank) as load:
        load.acknowledged(50)
        break_something()
        load.served_again()
    load.judge(database)

Every request is told from all others by its client and description, and has a key of its own, so that the
tables say which of them happened.
"""

import collections
import itertools
import random
import threading
import time

import ledger
from bank import LIMITS, Closed, Response, is_problem, post, request
from places import wait_for

PAUSE_S = 0.01  # of a client that was refused
NO_ANSWER = 0  # the status of what was sent on a connection that broke

Sent = collections.namedtuple("Sent", "client amount kind description key began ended answer")


class Line:
    """A connection to a bank, which may break where the bank may be cut off; the next request makes another."""

    def __init__(self, bank, may_break):
        self.bank, self.may_break, self.connection = bank, may_break, None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.connection is not None:
            self.connection.socket.close()
            self.connection = None

    def ask(self, data):
        try:
            if self.connection is None:
                self.connection = self.bank.connect()
            return self.connection.ask(data)
        except (Closed, OSError) as error:
            assert self.may_break, f"the bank gave no answer at all: {error!r}\n{self.bank.log}"
            self.__exit__()
            return Response(NO_ANSWER, [], b"")


class Load:
    """So many copies of each client, which ask one of the banks in turn.

    may_break: what is between them and the bank may be killed, and then nobody knows what became of a request.
    """

    books = ledger  # where the judge looks: audit() and rows()

    def __init__(self, *banks, clients=tuple(LIMITS), copies=2, keys=True, may_break=False):
        self.banks, self.keys, self.may_break = banks, keys, may_break
        self.sent, self.health, self.errors = [], [], []
        self.stopping = threading.Event()
        jobs = [(self.post_all, client, f"{client}.{copy}", banks[copy % len(banks)])
                for client in clients for copy in range(copies)]
        jobs += [(self.watch, bank) for bank in banks]
        self.threads = [threading.Thread(target=self.guard, args=job) for job in jobs]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        if kind is None and self.errors:
            raise self.errors[0]

    def guard(self, job, *arguments):
        try:
            job(*arguments)
        except BaseException as error:
            self.errors.append(error)

    def post_all(self, client, name, bank):
        dice = random.Random(name)
        with Line(bank, self.may_break) as line:
            for count in itertools.count():
                if self.stopping.is_set():
                    return
                kind, amount = dice.choice("cd"), dice.randint(1, 30000)
                description = f"{name}.{count}"
                key = f"k{description}" if self.keys else None
                began = time.monotonic()
                answer = line.ask(post(client, amount, kind, description, key))
                self.sent.append(Sent(client, amount, kind, description, key, began, time.monotonic(), answer))
                if answer.status >= 500 or answer.status == NO_ANSWER:
                    time.sleep(PAUSE_S)

    def watch(self, bank):
        """Its health."""
        with Line(bank, self.may_break) as line:
            while not self.stopping.is_set():
                answer = line.ask(request("GET", "/healthz"))
                assert answer.status in (200, 503, NO_ANSWER), answer
                self.health.append(answer.status)
                time.sleep(PAUSE_S)

    # While it runs.

    def statuses(self, since=0):
        return collections.Counter(sent.answer.status for sent in self.sent[since:])

    def acknowledged(self, count):
        """Waits for so many more."""
        since = len(self.sent)
        wait_for(lambda: self.errors or self.statuses(since)[200] >= count,
                 lambda: f"only {self.statuses(since)}:\n{self.banks[0].log}")
        assert not self.errors, self.errors[0]

    def served_again(self):
        """Waits until each client is, and the bank says that it is healthy."""
        since, looked = len(self.sent), len(self.health)

        def all_served():
            served = {sent.description.rpartition(".")[0]
                      for sent in self.sent[since:] if sent.answer.status == 200}
            return len(served) == len(self.threads) - len(self.banks) and 200 in self.health[looked:]

        wait_for(lambda: self.errors or all_served(),
                 lambda: f"not served again: {self.statuses(since)}, health {self.health[-5:]}:\n{self.banks[0].log}")
        assert not self.errors, self.errors[0]

    # When it is over.

    def judge(self, database):
        """Against the tables; and then the retries of what is unknown, against them again."""
        self.books.audit(database)
        found = self.found_in(database)
        for sent in self.sent:
            self.judge_answer(sent, found.pop((sent.client, sent.description), []))
        assert not found, f"booked, and nobody sent it: {found}"
        self.judge_order(database)
        self.settle(database)
        self.books.audit(database)
        return self.statuses()

    def found_in(self, database):
        found = collections.defaultdict(list)
        for row in self.books.rows(database):
            if row.description != "teste":  # else it is the test's own: bank.py
                found[row.client, row.description].append(row)
        return found

    def judge_answer(self, sent, rows):
        answer = sent.answer
        assert len(rows) <= 1, f"booked {len(rows)} times: {sent}"
        for row in rows:
            assert (row.kind, row.amount) == (sent.kind, sent.amount), (sent, row)
        if answer.status == 200:
            assert rows, f"acknowledged, and not there: {sent}"
            assert answer.json() == {"limite": rows[0].limit, "saldo": rows[0].balance}, (sent, rows)
        elif answer.status == 422:
            assert is_problem(answer, 422, "limite-excedido") and not rows, (sent, rows)
        elif answer.status == 503:
            assert is_problem(answer, 503, "indisponivel")
            assert int(answer.header("Retry-After")) >= 0
            assert not rows, f"refused, and there all the same: {sent}"
        elif answer.status != NO_ANSWER:
            assert is_problem(answer, 504, "resultado-desconhecido")
            assert answer.header("Retry-After") is None, f"unknown, and invited to try again: {sent}"

    def judge_order(self, database):
        """What was answered before something else was sent stands before it in its client's history."""
        sent = {(sent.client, sent.description): sent for sent in self.sent}
        latest = collections.defaultdict(float)  # when the latest of those so far was sent
        for row in self.books.rows(database):
            one = sent.get((row.client, row.description))
            if one is None:
                continue
            if one.answer.status == 200:
                assert one.ended >= latest[row.client], f"out of order: {one}"
            latest[row.client] = max(latest[row.client], one.began)

    def settle(self, database):
        """A retry with its key books what was not booked, and nothing else."""
        found = self.found_in(database)
        unknown = [sent for sent in self.sent if sent.answer.status in (504, NO_ANSWER) and sent.key]
        for sent in unknown:
            data = post(sent.client, sent.amount, sent.kind, sent.description, sent.key)
            answer = self.banks[0].ask(data)
            rows = found.get((sent.client, sent.description))
            if rows:
                assert answer.status == 200 and answer.header("Idempotency-Replayed") == "true", answer
                assert answer.json()["saldo"] == rows[0].balance
            elif answer.status == 422:
                assert is_problem(answer, 422, "limite-excedido")
                continue
            else:
                assert answer.status == 200 and answer.header("Idempotency-Replayed") is None, answer
        if unknown:
            count = collections.Counter((row.client, row.description) for row in self.books.rows(database))
            assert max(count[sent.client, sent.description] for sent in unknown) <= 1
