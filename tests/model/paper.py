# SPDX-License-Identifier: MIT
"""A bank on paper: LiveBank's interface over the reference, for the tests of the machine itself."""

import reference
from live import LiveBank
from reference import refused


class PaperBank:
    """Can do no wrong. What is broken about it, a subclass says."""

    new_reference = reference.Bank
    endings, can_be_killed, has_copies = LiveBank.endings, LiveBank.can_be_killed, True

    def __init__(self, accounts=None):
        self.bank = self.new_reference(None if accounts is None else {})
        for client, (limit, balance) in (accounts or {}).items():
            self.bank.open(client, limit, balance)

    def close(self):
        pass

    def ask(self, asked):
        if self.bank.show(asked.client) is None:
            return refused(404, "cliente-desconhecido")
        if asked.key is not None and not (asked.key.isascii() and asked.key.isprintable() and
                                          " " not in asked.key and '"' not in asked.key and
                                          1 <= len(asked.key) <= 64):
            return refused(400, "chave-invalida")
        if isinstance(asked.body, bytes):
            return refused(400, "json-invalido")
        return self.bank.post(*asked)

    def statement(self, client):
        return self.bank.statement(client)

    def ask_together(self, requests, ending):
        """The last comes first. When killed, one is lost, and the answer of another."""
        killed = self.endings[ending].killed
        answers = [None] * len(requests)
        for number in reversed(range(len(requests))):
            if not (killed and number == 1):
                answers[number] = self.ask(requests[number])
        if killed:
            answers[2:3] = [None] * len(answers[2:3])
        if ending != "all answered":
            self.restart(killed)
        return answers

    def restart(self, killed):
        pass

    def open(self, client, limit, balance):
        return self.bank.open(client, limit, balance)

    def set_limit(self, client, limit):
        return self.bank.set_limit(client, limit)

    def show(self, client):
        return self.bank.show(client)

    def verify(self):
        pass

    def export(self, client=None):
        return [record for record in self.bank.journal if client in (None, record.client)]

    def backup(self):
        return self.bank.copy()

    def move_to(self, copy):
        self.bank = copy

    def restore(self, copy):
        self.bank = copy.copy()

    def migrate(self):
        pass
