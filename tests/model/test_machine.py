# SPDX-License-Identifier: MIT
"""The machine finds what is wrong with a bank: each of these has one defect, and none goes unseen."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from machine import Machine
from paper import PaperBank
from reference import Account, Bank, Entry

LOOK = {"stateful_step_count": 20, "derandomize": True, "database": None,
        "deadline": None, "suppress_health_check": list(HealthCheck), "report_multiple_bugs": False}


def play(new_bank, max_examples):
    class PaperMachine(Machine):
        pass

    PaperMachine.new_bank = new_bank
    run_state_machine_as_test(PaperMachine, settings=settings(
        max_examples=max_examples, phases=[Phase.generate], **LOOK))


# ---- the rule of money and the statement


class LimitIsPassedByOne(PaperBank):
    class new_reference(Bank):
        def post(self, client, body, key=None):
            account = self.accounts.get(client)
            if account is None:
                return super().post(client, body, key)
            self.accounts[client] = account._replace(limit=account.limit + 1)
            answer = super().post(client, body, key)
            self.accounts[client] = self.accounts[client]._replace(limit=account.limit)
            return answer._replace(limit=account.limit) if answer.status == 200 else answer


class LimitIsNotReached(PaperBank):
    def ask(self, asked):
        before = self.bank.copy()
        answer = super().ask(asked)
        if answer.status == 200 and answer.balance == -answer.limit < 0:
            self.bank = before
            return before.post(asked.client, {"valor": 2**53 - 1, "tipo": "d", "descricao": "a"})
        return answer


class AnswersShowTheBalanceBefore(PaperBank):
    def ask(self, asked):
        before = self.show(asked.client)
        answer = super().ask(asked)
        return answer._replace(balance=before[1]) if answer.status == 200 else answer


class RefusalsAreBooked(PaperBank):
    def ask(self, asked):
        answer = super().ask(asked)
        if answer.problem == "limite-excedido":
            account = self.show(asked.client)
            self.bank.accounts[asked.client] = account._replace(balance=account.balance - 1)
        return answer


class StatementsShowNine(PaperBank):
    def statement(self, client):
        answer = super().statement(client)
        return answer._replace(recent=answer.recent[:9])


class StatementsShowTheOldestFirst(PaperBank):
    def statement(self, client):
        answer = super().statement(client)
        return answer._replace(recent=answer.recent[::-1])


class StatementsAreStale(PaperBank):
    """They show the last but one state that was asked for."""

    shown = None

    def ask(self, asked):
        self.shown = asked.client, self.bank.statement(asked.client)
        return super().ask(asked)

    def statement(self, client):
        if self.shown and self.shown[0] == client:
            return self.shown[1]
        return super().statement(client)


class DescriptionsAreCut(PaperBank):
    def statement(self, client):
        answer = super().statement(client)
        return answer._replace(recent=tuple(
            Entry(entry.amount, entry.kind, entry.description.encode()[:10].decode(errors="ignore"))
            for entry in answer.recent))


class AmountsAreTruncated(PaperBank):
    def ask(self, asked):
        body = asked.body
        if isinstance(body, dict) and isinstance(body["valor"], float):
            asked = asked._replace(body={**body, "valor": int(body["valor"])})
        return super().ask(asked)


# ---- keys


class KeysAreForgottenOnRestart(PaperBank):
    def restart(self, killed):
        self.bank.keys = {}


class KeysAreForgottenWhenKilled(PaperBank):
    def restart(self, killed):
        if killed:
            self.bank.keys = {}


class KeysAreOfTheWholeBank(PaperBank):
    def ask(self, asked):
        for (_, key), used in list(self.bank.keys.items()):
            if key == asked.key:
                self.bank.keys[asked.client, key] = used
        return super().ask(asked)


class KeysDoNotCompareTheDescription(PaperBank):
    def ask(self, asked):
        used = self.bank.keys.get((asked.client, asked.key))
        if used and isinstance(asked.body, dict) and isinstance(asked.body["descricao"], str):
            asked = asked._replace(body={**asked.body, "descricao": used[0].description})
        return super().ask(asked)


class KeysAreKeptOnRefusal(PaperBank):
    def ask(self, asked):
        answer = super().ask(asked)
        if asked.key is not None and answer.problem == "limite-excedido":
            self.bank.keys[asked.client, asked.key] = None, answer
        return answer


class RetriesShowTheBalanceOfNow(PaperBank):
    def ask(self, asked):
        answer = super().ask(asked)
        if not answer.replayed:
            return answer
        account = self.show(asked.client)
        return answer._replace(limit=account.limit, balance=account.balance)


class RetriesAreNotMarked(PaperBank):
    def ask(self, asked):
        return super().ask(asked)._replace(replayed=False)


# ---- what a crash leaves, and what ran together


class TheLastIsLostWhenKilled(PaperBank):
    def restart(self, killed):
        if killed and self.bank.journal and self.bank.journal[-1].entry:
            client = self.bank.journal.pop().client
            account = self.bank.accounts[client]
            before = next(record for record in reversed(self.bank.journal)
                          if record.client == client)
            self.bank.accounts[client] = Account(account.limit, before.balance, account.recent[1:])


class TheUnansweredAreBookedTwice(PaperBank):
    def ask_together(self, requests, ending):
        answers = super().ask_together(requests, ending)
        for asked, answer in zip(requests, answers):
            if answer is None:
                for _ in range(2):
                    self.ask(asked._replace(key=None))
        return answers


class WhatRunsTogetherReadsTheSameBalance(PaperBank):
    """The lost update."""

    def ask_together(self, requests, ending):
        before = self.bank
        answers = []
        for asked in requests:
            self.bank = before.copy()
            answers.append(self.ask(asked))
        return answers


class AnswersThatRanTogetherAreSwapped(PaperBank):
    def ask_together(self, requests, ending):
        return super().ask_together(requests, ending)[::-1]


# ---- the operator's


class LimitsGoUnderTheDebt(PaperBank):
    def set_limit(self, client, limit):
        done = super().set_limit(client, limit)
        account = self.bank.accounts[client]
        if not done and 0 <= limit < account.limit:
            self.bank.accounts[client] = account._replace(limit=limit)
        return done


class LimitsStopOneBeforeTheDebt(PaperBank):
    def set_limit(self, client, limit):
        return limit != -self.show(client)[1] and super().set_limit(client, limit)


class LimitsAreNotInTheJournal(PaperBank):
    def set_limit(self, client, limit):
        done = super().set_limit(client, limit)
        if done:
            self.bank.journal.pop()
        return done


class AccountsAreOpenedTwice(PaperBank):
    def open(self, client, limit, balance):
        if client in self.bank.accounts:
            self.bank.accounts.pop(client)
        return super().open(client, limit, balance)


class ExportsForgetTheKeys(PaperBank):
    def export(self, client=None):
        return [record._replace(key=None) for record in super().export(client)]


class ExportsOfOneClientHaveOthersToo(PaperBank):
    def export(self, client=None):
        return super().export()


class BackupsMissTheLastChange(PaperBank):
    def __init__(self, accounts=None):
        super().__init__(accounts)
        self.before = self.bank.copy()

    def ask(self, asked):
        self.before = self.bank.copy()
        return super().ask(asked)

    def backup(self):
        return self.before


class MigrationForgetsTheKeys(PaperBank):
    def migrate(self):
        self.bank.keys = {}


class VerifyFindsSomethingAfterALimit(PaperBank):
    def verify(self):
        assert not any(record.kind == "limit" for record in self.bank.journal)


DEFECTIVE = [kind for kind in list(globals().values())
             if isinstance(kind, type) and issubclass(kind, PaperBank) and kind is not PaperBank]


def test_a_bank_that_is_the_reference_passes():
    play(PaperBank, 50)


@pytest.mark.parametrize("defective", DEFECTIVE, ids=lambda kind: kind.__name__)
def test_a_defect_is_found(defective):
    with pytest.raises(AssertionError):
        play(defective, 1000)
