# SPDX-License-Identifier: MIT
"""Random lives of a bank: each step is done to it and to the reference, and both must say the same.

What is drawn must not depend on the bank (only on what was drawn before), or Hypothesis could not
play a life again: so no rule is switched off, and no bundle is fed, by what an answer was.

A step that fails is shrunk by Hypothesis to a short life that fails as well, which it prints with
a line (@reproduce_failure) that plays it again when it stands above the class.
"""

import functools
import sys

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, multiple, precondition, rule

import reference
from live import LiveBank, Request
from reference import CENTS_MAX, CLIENT_MAX, Account, refused
from worlds import Worlds

# ---- what is asked

kinds = st.sampled_from("ddc")
keys = st.sampled_from(["k", "l", "x" * 64])  # Few, to be used again.
descriptions = st.sampled_from(["a", "b", "\U0001f600" * 10]) | st.text(min_size=1, max_size=2)


class Edge(int):
    """An amount: so many centavos past what the account just allows."""

    def __repr__(self):
        return f"Edge({int(self)})"


amounts = st.integers(1, 300) | st.integers(-2, 2).map(Edge) | st.integers(1, CENTS_MAX)
limits = st.integers(-2, 2).map(Edge) | st.integers(0, 300) | st.integers(0, CENTS_MAX)
json_values = (st.none() | st.booleans() | st.integers() | st.text(max_size=12) |
               st.floats(0, 9) | st.sampled_from([1.5, 1e3, 10**400, 2**53 - 1, 2**53, [], {}]))
plans = st.fixed_dictionaries({"amount": amounts, "kind": kinds, "description": descriptions,
                               "key": st.none() | keys})

NOT_DONE = refused(503, "indisponivel")
BAD_JSON = [b"", b" ", b"{}x", b"\xff", b'{"valor":1,"valor":1}', b'{"a\\u0000":1}', b'"\\ud800"',
            b"\xef\xbb\xbf{}", b"[1,]", b"01", b"NaN"]
BAD_KEYS = ["", "a b", "x" * 65, '""', "\u00e9"]


# What can happen to the bank, which depends on the kind of its store.
endings = st.runner().flatmap(lambda machine: st.sampled_from(list(machine.new_bank.endings)))
kills = st.runner().flatmap(lambda machine: st.sampled_from(["", *machine.new_bank.can_be_killed]))
has_copies = precondition(lambda machine: machine.new_bank.has_copies)


# What is wrong, and the value that makes it so.
wrongs = st.one_of(st.tuples(st.sampled_from(["valor", "tipo", "descricao"]), json_values),
                   st.tuples(st.just("JSON"), st.sampled_from(BAD_JSON)),
                   st.tuples(st.just("key"), st.sampled_from(BAD_KEYS)),
                   st.tuples(st.just("client"), st.integers(1, CLIENT_MAX)))


class Machine(RuleBasedStateMachine):
    new_bank = LiveBank

    clients = Bundle("clients")
    keyed = Bundle("keyed")  # Requests with a key that have been sent.
    client_plans = st.lists(st.tuples(clients, plans), min_size=1, max_size=4)
    backups = Bundle("backups")  # Copies, each with the worlds of its moment.

    @initialize(target=clients, accounts=st.none() | st.dictionaries(
        st.integers(1, CLIENT_MAX), st.tuples(st.integers(0, 1000) | st.integers(0, CENTS_MAX),
                                              st.integers(0, 1000)), min_size=1, max_size=3))
    def begin(self, accounts):
        self.accounts = accounts
        world = reference.Bank(None if accounts is None else {})
        for client, (limit, balance) in (accounts or {}).items():
            assert world.open(client, limit, balance)
        self.worlds = Worlds(world)
        return multiple(*sorted(world.accounts)[:2])

    @functools.cached_property
    def bank(self):
        """Only when it is needed: Hypothesis gives up many a life before the first step."""
        return self.new_bank(self.accounts)

    def teardown(self):
        if "bank" in vars(self):
            try:
                if sys.exc_info()[0] is None:
                    self.check_all()
            finally:
                self.bank.close()

    def settle(self):
        """Sees all there is to see, after which there is one world."""
        for client in sorted(self.worlds.banks[0].accounts):
            self.look(client)
        self.export(None)
        assert len(self.worlds.banks) == 1

    def check_all(self):
        self.settle()
        self.bank.verify()

    def look(self, client):
        self.worlds.saw(self.bank.statement(client), lambda world: world.statement(client))

    # ---- clients

    def body(self, client, amount, kind, description):
        if isinstance(amount, Edge):
            account = self.worlds.banks[0].show(client) or Account(0, 0)
            edge = account.balance + (account.limit if kind == "d" else -CENTS_MAX)
            amount += abs(edge)
        return {"valor": int(amount), "tipo": kind, "descricao": description}

    def request(self, client, plan):
        return Request(client, self.body(client, plan["amount"], plan["kind"],
                                         plan["description"]), plan["key"])

    def post(self, request):
        self.worlds.saw(self.bank.ask(request), lambda world: world.post(*request))
        return request

    @rule(target=keyed, plans=client_plans)
    def post_one_by_one(self, plans):
        requests = [self.post(self.request(client, plan)) for client, plan in plans]
        return multiple(*(request for request in requests if request.key is not None))

    @rule(client=clients, plan=plans, times=st.integers(2, 12))
    def post_many(self, client, plan, times):
        """More than a statement shows."""
        for number in range(times):
            body = self.body(client, plan["amount"], plan["kind"], str(number))
            self.post(Request(client, body))

    @rule(target=keyed, plans=client_plans, ending=endings)
    def post_together(self, plans, ending):
        if len(self.worlds.banks) > 4:
            self.settle()
        requests = [self.request(client, plan) for client, plan in plans]
        answers = self.bank.ask_together(requests, ending)
        asked = list(zip(answers, requests))
        if "server" in ending:  # Of some the bank may be sure that they were not done.
            asked = [(answer, request) for answer, request in asked if answer != NOT_DONE]
        self.worlds.saw_together([answer for answer, _ in asked],
                                 [lambda world, request=request: world.post(*request) for _, request in asked])
        return multiple(*(request for request in requests if request.key is not None))

    @rule(request=keyed, times=st.integers(1, 2))
    def retry(self, request, times):
        for _ in range(times):
            self.post(request)

    @rule(request=keyed, client=clients, plan=plans,
          other=st.sampled_from(["client", "valor", "tipo", "descricao"]))
    def use_a_key_again(self, request, client, plan, other):
        if other == "client":
            self.post(request._replace(client=client))
        else:
            body = self.body(client, plan["amount"], plan["kind"], plan["description"])
            self.post(request._replace(body={**request.body, other: body[other]}))

    @rule(client=clients, wrong=wrongs)
    def post_what_is_refused(self, client, wrong):
        field, value = wrong
        body = {"valor": 1, "tipo": "c", "descricao": "a"}
        if field in body:
            self.post(Request(client, {**body, field: value}))
        elif field == "key":
            self.is_refused(Request(client, body, value), "chave-invalida")
        elif field == "JSON":
            self.is_refused(Request(client, value), "json-invalido")
        else:
            self.look(value)
            self.post(Request(value, body))

    def is_refused(self, request, problem):
        """By rules that the reference, which gets its JSON read, does not know."""
        self.worlds.saw(self.bank.ask(request), lambda world: (
            refused(400, problem) if world.show(request.client) else world.post(*request)))

    @rule(clients=st.lists(clients, min_size=1, max_size=2))
    def read(self, clients):
        for client in clients:
            self.look(client)

    # ---- the operator

    @rule(killed=kills)
    def restart(self, killed):
        self.bank.restart(killed)

    @rule(target=clients, client=st.integers(1, 20) | st.integers(1, CLIENT_MAX),
          limit=st.integers(0, 300) | st.integers(0, CENTS_MAX + 1),
          balance=st.integers(-300, 300) | st.integers(-CENTS_MAX, CENTS_MAX + 1))
    def add_a_client(self, client, limit, balance):
        self.worlds.saw(self.bank.open(client, limit, balance),
                        lambda world: world.open(client, limit, balance))
        return client

    @rule(client=clients, limit=limits)
    def set_a_limit(self, client, limit):
        if isinstance(limit, Edge):
            account = self.worlds.banks[0].show(client) or Account(0, 0)
            limit -= min(0, account.balance)
        self.worlds.saw(self.bank.set_limit(client, limit),
                        lambda world: world.set_limit(client, limit))

    @rule(client=clients | st.integers(1, CLIENT_MAX),
          how=st.sampled_from(["show", "verify", "export", "export of one client"]))
    def inspect(self, client, how):
        if how == "show":
            self.worlds.saw(self.bank.show(client), lambda world: world.show(client))
        elif how == "verify":
            self.bank.verify()
        else:
            self.export(None if how == "export" else client)

    def export(self, client):
        self.worlds.saw(self.bank.export(client), lambda world: [
            record for record in world.journal if client in (None, record.client)])

    @has_copies
    @rule(target=backups)
    def back_up(self):
        return self.bank.backup(), self.worlds.copy()

    @rule(backup=backups)
    def restore(self, backup):
        copy, worlds = backup
        self.bank.restore(copy)
        self.worlds = worlds.copy()

    @rule(rebuilt=st.booleans())
    def go_on_with_a_copy(self, rebuilt):
        """A backup that is served where it lies, or a store built anew from an export."""
        if rebuilt or not self.bank.has_copies:
            self.bank.migrate()
        else:
            self.bank.move_to(self.bank.backup())
