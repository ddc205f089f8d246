# SPDX-License-Identifier: MIT
"""The bank of docs/contract.md in plain Python: what the real one is compared with.

Nothing here is fast, durable, or knows of HTTP's bytes; it is to be believed by reading it. Each
method is one request that runs alone, so whatever this bank answers to requests in some order
is what the real one may answer if they ran in that order.
"""

from typing import Any, NamedTuple

CENTS_MAX = 2**53 - 1
CLIENT_MAX = 2**31 - 1
LIMITS = {1: 100000, 2: 80000, 3: 1000000, 4: 10000000, 5: 500000}


class Entry(NamedTuple):
    """A credit ("c") or a debit ("d")."""

    amount: int
    kind: str
    description: str


class Account(NamedTuple):
    limit: int
    balance: int
    recent: tuple = ()  # The last ten entries, the newest first.


class Record(NamedTuple):
    """A line of the journal: limit and balance are those after it."""

    sequence: int
    client: int
    kind: str  # opening, credit, debit, limit
    limit: int
    balance: int
    entry: Entry | None = None
    key: str | None = None


class Answer(NamedTuple):
    status: int
    problem: str = ""
    limit: int | None = None
    balance: int | None = None
    replayed: bool = False
    recent: tuple = ()


def refused(status, problem):
    return Answer(status, problem)


def whole_cents(number):
    """What a JSON number, read as a double, says in centavos; None if that is no amount."""
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        return None
    try:
        double = float(number)
    except OverflowError:
        return None
    return int(double) if 1 <= double <= CENTS_MAX and double == int(double) else None


def read_entry(body):
    """The entry that a JSON value asks for; None if its fields are not right."""
    if not isinstance(body, dict):
        return None
    amount, kind, description = (body.get(name) for name in ("valor", "tipo", "descricao"))
    if whole_cents(amount) is None or kind not in ("c", "d") or not isinstance(description, str):
        return None
    if not 1 <= len(description) <= 10 or "\0" in description:
        return None
    return Entry(whole_cents(amount), kind, description)


def terms_possible(limit, balance):
    return 0 <= limit <= CENTS_MAX and -limit <= balance <= CENTS_MAX


class Bank:
    def __init__(self, limits=None):
        self.accounts = {}
        self.journal = []
        self.keys = {}  # (client, key): the entry it was used for, and its answer
        for client, limit in (LIMITS if limits is None else limits).items():
            self.open(client, limit)

    def copy(self):
        """Another bank that goes its own way from here; all that it holds is immutable."""
        bank = type(self)({})
        bank.accounts, bank.journal, bank.keys = (
            dict(self.accounts), list(self.journal), dict(self.keys))
        return bank

    # Clients.

    def post(self, client, body: Any, key=None):
        """A transaction whose body has been read as JSON."""
        account = self.accounts.get(client)
        if account is None:
            return refused(404, "cliente-desconhecido")
        entry = read_entry(body)
        if entry is None:
            return refused(422, "campo-invalido")
        if (client, key) in self.keys:
            first_entry, first_answer = self.keys[client, key]
            if first_entry != entry:
                return refused(422, "chave-reutilizada")
            return first_answer._replace(replayed=True)
        balance = account.balance + (entry.amount if entry.kind == "c" else -entry.amount)
        if balance < -account.limit:
            return refused(422, "limite-excedido")
        if balance > CENTS_MAX:
            return refused(422, "saldo-maximo")

        self.accounts[client] = Account(account.limit, balance, (entry, *account.recent)[:10])
        self.write(client, "credit" if entry.kind == "c" else "debit", entry, key)
        answer = Answer(200, limit=account.limit, balance=balance)
        if key is not None:
            self.keys[client, key] = entry, answer
        return answer

    def statement(self, client):
        account = self.accounts.get(client)
        if account is None:
            return refused(404, "cliente-desconhecido")
        return Answer(200, limit=account.limit, balance=account.balance, recent=account.recent)

    # The operator. Each is true if it was done, and changes nothing if it was not.

    def open(self, client, limit, balance=0):
        if client in self.accounts or not 1 <= client <= CLIENT_MAX:
            return False
        if not terms_possible(limit, balance):
            return False
        self.accounts[client] = Account(limit, balance)
        self.write(client, "opening")
        return True

    def set_limit(self, client, limit):
        account = self.accounts.get(client)
        if account is None or not terms_possible(limit, account.balance):
            return False
        self.accounts[client] = account._replace(limit=limit)
        self.write(client, "limit")
        return True

    def show(self, client):
        return self.accounts.get(client)

    # The journal.

    def write(self, client, kind, entry=None, key=None):
        account = self.accounts[client]
        self.journal.append(Record(len(self.journal) + 1, client, kind, account.limit,
                                   account.balance, entry, key))
