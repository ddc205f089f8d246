# SPDX-License-Identifier: MIT
"""Random lives of a bank: each step is done to it and to the reference, and both must say the same.

A step that fails is shrunk by Hypothesis to a short life that fails as well, which it prints with
a line (@reproduce_failure) that plays it again when it stands above the class.
"""

import sys

from hypothesis import strategies as st
from hypothesis.stateful import (Bundle, RuleBasedStateMachine, consumes, initialize, multiple,
                                 precondition, rule)

import reference
from live import ENDINGS, LiveBank, Request, has_command
from reference import CENTS_MAX, CLIENT_MAX, refused
from worlds import Worlds

# ---- what is asked

VISIBLE = [chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"\\']
kinds = st.sampled_from("cd")
keys = st.sampled_from(["k", "l"]) | st.text(VISIBLE, min_size=1, max_size=64)
descriptions = st.sampled_from(["a", "b"]) | st.text(max_size=11)


class Edge(int):
    """An amount: so many centavos past what the account just allows."""


amounts = st.integers(1, 300) | st.integers(-2, 2).map(Edge) | st.integers(1, CENTS_MAX)
limits = st.integers(0, 300) | st.integers(-2, 2).map(Edge) | st.integers(0, CENTS_MAX)
json_values = (st.none() | st.booleans() | st.integers() | st.text(max_size=12) |
               st.floats(allow_nan=False, allow_infinity=False) | st.just(10**400) | st.just([]))
plans = st.fixed_dictionaries({"amount": amounts, "kind": kinds, "description": descriptions,
                               "key": st.none() | keys})

BAD_JSON = [b"", b" ", b"{}x", b"\xff", b'{"valor":1,"valor":1}', b'{"a\\u0000":1}', b'"\\ud800"',
            b"\xef\xbb\xbf{}", b"[1,]", b"01", b"NaN"]
BAD_KEYS = ["", "a b", "x" * 65, '""', "\u00e9"]


def needs(command):
    return precondition(lambda self: has_command(command))


class Machine(RuleBasedStateMachine):
    new_bank = LiveBank

    clients = Bundle("clients")
    keyed = Bundle("keyed")  # Requests with a key that have been sent.
    backups = Bundle("backups")  # Copies, each with the worlds of its moment.

    def __init__(self):
        super().__init__()
        self.bank = None

    @initialize(target=clients, accounts=st.none() | st.dictionaries(
        st.integers(1, CLIENT_MAX),
        st.tuples(st.integers(0, 1000) | st.integers(0, CENTS_MAX),
                  st.integers(0, 1000)), min_size=1, max_size=3))
    def begin(self, accounts):
        if not has_command("init --clients"):
            accounts = None
        self.bank = self.new_bank(accounts)
        world = reference.Bank(None if accounts is None else {})
        for client, (limit, balance) in (accounts or {}).items():
            assert world.open(client, limit, balance)
        self.worlds = Worlds(world)
        return multiple(*sorted(world.accounts)[:2])

    def teardown(self):
        if self.bank is not None:
            try:
                if sys.exc_info()[0] is None:
                    self.check_all()
            finally:
                self.bank.close()

    def check_all(self):
        for client in sorted(self.worlds.banks[0].accounts):
            self.look(client)
        if has_command("export"):
            self.export(None)
        if has_command("verify"):
            self.bank.verify()

    def look(self, client):
        self.worlds.saw(self.bank.statement(client), lambda world: world.statement(client))

    # ---- clients

    def body(self, client, amount, kind, description):
        if isinstance(amount, Edge):
            limit, balance = self.worlds.banks[0].show(client) or (0, 0)
            amount += balance + limit if kind == "d" else CENTS_MAX - balance
        return {"valor": int(amount), "tipo": kind, "descricao": description}

    def request(self, client, plan):
        return Request(client, self.body(client, plan["amount"], plan["kind"],
                                         plan["description"]), plan["key"])

    def post(self, request):
        self.worlds.saw(self.bank.ask(request), lambda world: world.post(*request))

    @rule(target=keyed, client=clients, plan=plans)
    def posts(self, client, plan):
        request = self.request(client, plan)
        self.post(request)
        return multiple() if request.key is None else request

    @rule(request=keyed)
    def retries(self, request):
        self.post(request)

    @rule(request=keyed, client=clients, plan=plans)
    def uses_the_key_again(self, request, client, plan):
        self.post(self.request(client, plan)._replace(key=request.key))

    @rule(request=keyed, field=st.sampled_from(["valor", "tipo", "descricao"]), plan=plans)
    def retries_with_another_payload(self, request, field, plan):
        other = self.body(request.client, plan["amount"], plan["kind"], plan["description"])
        self.post(request._replace(body={**request.body, field: other[field]}))

    @rule(client=clients, field=st.sampled_from(["valor", "tipo", "descricao"]), value=json_values)
    def posts_any_field(self, client, field, value):
        body = {"valor": 1, "tipo": "c", "descricao": "a"}
        self.post(Request(client, {**body, field: value}))

    @rule(client=clients, body=st.sampled_from(BAD_JSON))
    def posts_bad_json(self, client, body):
        assert self.bank.ask(Request(client, body)) == refused(400, "json-invalido")

    @rule(client=clients, key=st.sampled_from(BAD_KEYS))
    def posts_with_a_bad_key(self, client, key):
        request = self.request(client, {"amount": 1, "kind": "c", "description": "a", "key": key})
        assert self.bank.ask(request) == refused(400, "chave-invalida")

    @rule(client=clients)
    def reads(self, client):
        self.look(client)

    @rule(client=st.integers(1, CLIENT_MAX))
    def a_stranger_comes(self, client):
        self.look(client)
        self.post(Request(client, {"valor": 1, "tipo": "c", "descricao": "a"}))

    @precondition(lambda self: len(self.worlds.banks) <= 4)
    @rule(target=keyed, plans=st.lists(st.tuples(clients, plans), min_size=1, max_size=4),
          ending=st.sampled_from(list(ENDINGS)))
    def post_together(self, plans, ending):
        requests = [self.request(client, plan) for client, plan in plans]
        answers = self.bank.ask_together(requests, ending)
        self.worlds.saw_together(answers, [lambda world, request=request: world.post(*request)
                                           for request in requests])
        return multiple(*(request for request in requests if request.key is not None))

    # ---- the operator

    @rule()
    def restarts(self):
        self.bank.restart()

    @rule()
    def is_killed(self):
        self.bank.kill()

    @needs("client")
    @rule(target=clients, client=st.integers(1, 20) | st.integers(1, CLIENT_MAX),
          limit=st.integers(0, 300) | st.integers(0, CENTS_MAX + 1),
          balance=st.integers(-300, 300) | st.integers(-CENTS_MAX, CENTS_MAX + 1))
    def adds_a_client(self, client, limit, balance):
        self.worlds.saw(self.bank.open(client, limit, balance),
                        lambda world: world.open(client, limit, balance))
        return client if self.worlds.banks[0].show(client) else multiple()

    @needs("client")
    @rule(client=clients, limit=limits)
    def sets_a_limit(self, client, limit):
        if isinstance(limit, Edge):
            limit -= min(0, (self.worlds.banks[0].show(client) or (0, 0))[1])
        self.worlds.saw(self.bank.set_limit(client, limit),
                        lambda world: world.set_limit(client, limit))

    @needs("client")
    @rule(client=clients | st.integers(1, CLIENT_MAX))
    def shows_a_client(self, client):
        self.worlds.saw(self.bank.show(client), lambda world: world.show(client))

    @needs("verify")
    @rule()
    def verifies(self):
        self.bank.verify()

    @needs("export")
    @rule(client=st.none() | clients)
    def exports(self, client):
        self.export(client)

    def export(self, client):
        self.worlds.saw(self.bank.export(client), lambda world: [
            record for record in world.journal if client in (None, record.client)])

    @needs("backup")
    @rule(target=backups)
    def backs_up(self):
        return self.bank.backup(), self.worlds.copy()

    @needs("restore")
    @rule(backup=backups)
    def restores(self, backup):
        copy, worlds = backup
        self.bank.restore(copy)
        self.worlds = worlds.copy()

    @needs("backup")
    @rule(backup=consumes(backups))
    def serves_a_backup(self, backup):
        copy, self.worlds = backup
        self.bank.move_to(copy)

    @needs("import")
    @rule()
    def migrates(self):
        self.bank.migrate()
