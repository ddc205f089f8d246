# SPDX-License-Identifier: MIT
"""The reference is checked by cases that can be worked out by hand, and so are its worlds."""

import contextlib

import pytest

from reference import CENTS_MAX, Account, Answer, Bank, Entry, Record, refused, whole_cents
from worlds import Worlds


def body(valor=1, tipo="c", descricao="teste"):
    return {"valor": valor, "tipo": tipo, "descricao": descricao}


def debit(client, amount, key=None):
    return lambda bank: bank.post(client, body(amount, "d"), key)


def credit(client, amount, key=None):
    return lambda bank: bank.post(client, body(amount, "c"), key)


def test_a_debit_reaches_the_limit_and_goes_no_further():
    bank = Bank({1: 100})
    assert bank.post(1, body(40, "d")) == Answer(200, limit=100, balance=-40)
    assert bank.post(1, body(61, "d")) == refused(422, "limite-excedido")
    assert bank.post(1, body(60, "d")) == Answer(200, limit=100, balance=-100)
    assert bank.post(1, body(1, "d")) == refused(422, "limite-excedido")
    assert bank.statement(1).balance == -100


def test_a_credit_reaches_the_largest_balance_and_goes_no_further():
    bank = Bank({1: 100})
    assert bank.post(1, body(CENTS_MAX, "c")).balance == CENTS_MAX
    assert bank.post(1, body(1, "c")) == refused(422, "saldo-maximo")
    assert bank.post(1, body(1, "d")).balance == CENTS_MAX - 1


@pytest.mark.parametrize("number, cents", [
    (1, 1), (1000.0, 1000), (1e3, 1000), (CENTS_MAX, CENTS_MAX), (float(CENTS_MAX), CENTS_MAX),
    (0, None), (-1, None), (1.2, None), (CENTS_MAX + 1, None), (10**400, None), (0.5, None),
    (float("inf"), None), (True, None), ("1000", None), (None, None)])
def test_an_amount_is_a_whole_number_of_cents(number, cents):
    assert whole_cents(number) == cents


@pytest.mark.parametrize("wrong", [
    body(0), body(1, "C"), body(1, None), body(1, ["c"]), body(1, "cd"),
    body(descricao=""), body(descricao="x" * 11), body(descricao=None), body(descricao="a\0"), {}, [], 7, {"valor": 1, "tipo": "c"}])
def test_wrong_fields_are_refused_and_change_nothing(wrong):
    bank = Bank()
    before = bank.copy()
    assert bank.post(1, wrong, "k") == refused(422, "campo-invalido")
    assert vars(bank) == vars(before)


def test_nobody_is_served_without_an_account():
    bank = Bank()
    assert bank.post(6, body()) == bank.statement(6) == refused(404, "cliente-desconhecido")


def test_a_statement_shows_the_last_ten_the_newest_first():
    bank = Bank({1: 0})
    for amount in range(1, 13):
        bank.post(1, body(amount, "c", f"n{amount}"))
    assert bank.statement(1) == Answer(200, limit=0, balance=78, recent=tuple(
        Entry(amount, "c", f"n{amount}") for amount in range(12, 2, -1)))


def test_a_key_answers_again_what_it_answered_first():
    bank = Bank({1: 100, 2: 100})
    assert bank.post(1, body(100, "d"), "k") == Answer(200, limit=100, balance=-100)
    bank.post(1, body(30, "c"))
    bank.set_limit(1, 500)
    assert bank.post(1, body(100, "d"), "k") == Answer(200, "", 100, -100, replayed=True)
    for other in (body(99, "d"), body(100, "c"), body(100, "d", "outra"), body(10**6, "d")):
        assert bank.post(1, other, "k") == refused(422, "chave-reutilizada")
    assert bank.post(2, body(100, "d"), "k") == Answer(200, limit=100, balance=-100)
    assert bank.statement(1).balance == -70


def test_a_refusal_keeps_no_key():
    bank = Bank({1: 100})
    assert bank.post(1, body(101, "d"), "k").status == 422
    assert bank.post(1, body(5, "c"), "k") == Answer(200, limit=100, balance=5)


def test_a_limit_is_lowered_as_far_as_the_debt():
    bank = Bank({1: 100})
    bank.post(1, body(60, "d"))
    assert not bank.set_limit(1, 59) and not bank.set_limit(1, -1)
    assert not bank.set_limit(1, CENTS_MAX + 1) and not bank.set_limit(2, 100)
    assert bank.set_limit(1, 60)
    assert bank.post(1, body(1, "d")).problem == "limite-excedido"
    assert bank.set_limit(1, CENTS_MAX) and bank.show(1)[:2] == (CENTS_MAX, -60)


def test_an_account_is_opened_once_with_terms_it_can_keep():
    bank = Bank({})
    assert bank.open(7, 10, -10) and bank.accounts == {7: Account(10, -10)}
    assert not bank.open(7, 20)
    for client, limit, balance in ((8, 10, -11), (8, -1, 0), (8, 0, CENTS_MAX + 1), (0, 0, 0),
                                   (2**31, 0, 0), (8, CENTS_MAX + 1, 0)):
        assert not bank.open(client, limit, balance)
    assert len(bank.journal) == 1 and bank.show(8) is None


def test_the_journal_has_all_that_happened_in_order():
    bank = Bank({3: 50})
    bank.post(3, body(20, "d", "um"), "k")
    bank.post(3, body(20, "d", "um"), "k")
    bank.post(3, body(31, "d"))
    bank.set_limit(3, 20)
    bank.post(3, body(5, "c", "dois"))
    assert bank.journal == [
        Record(1, 3, "opening", 50, 0), Record(2, 3, "debit", 50, -20, Entry(20, "d", "um"), "k"),
        Record(3, 3, "limit", 20, -20), Record(4, 3, "credit", 20, -15, Entry(5, "c", "dois"))]


# ---- worlds


def test_an_answer_that_no_world_gives_is_an_error():
    worlds = Worlds(Bank({1: 100}))
    with pytest.raises(AssertionError):
        worlds.saw(Answer(200, limit=100, balance=-11), debit(1, 10))


def test_what_got_no_answer_may_have_happened_until_a_statement_tells():
    for balance in (0, -10):
        worlds = Worlds(Bank({1: 100}))
        worlds.saw_together([None], [debit(1, 10)])
        assert len(worlds.banks) == 2
        recent = (Entry(10, "d", "teste"),) if balance else ()
        worlds.saw(Answer(200, "", 100, balance, recent=recent), lambda bank: bank.statement(1))
        assert [bank.show(1).balance for bank in worlds.banks] == [balance]


def test_a_retry_with_its_key_tells_what_happened():
    for replayed in (False, True):
        worlds = Worlds(Bank({1: 100}))
        worlds.saw_together([None], [debit(1, 10, "k")])
        worlds.saw(Answer(200, "", 100, -10, replayed), debit(1, 10, "k"))
        assert [bank.show(1).balance for bank in worlds.banks] == [-10]


def test_what_ran_together_ran_in_an_order_that_explains_the_answers():
    worlds = Worlds(Bank({1: 100}))
    answers = [refused(422, "limite-excedido"), Answer(200, limit=100, balance=-60), None]
    worlds.saw_together(answers, [debit(1, 50), debit(1, 60), credit(1, 10)])
    # Without the credit; with it after all; with it between the two debits it would have fitted.
    assert sorted(bank.show(1)[1] for bank in worlds.banks) == [-60, -50]


@pytest.mark.parametrize("balances, possible", [
    ([-50, -110], True), ([-110, -60], True), ([-50, None], True), ([None, None], True),
    ([-60, -60], False), ([-50, -60], False), ([-50, -50], False), ([-110, -110], False)])
def test_answers_that_no_order_explains_are_an_error(balances, possible):
    worlds = Worlds(Bank({1: 1000}))
    answers = [balance and Answer(200, limit=1000, balance=balance) for balance in balances]
    with contextlib.nullcontext() if possible else pytest.raises(AssertionError):
        worlds.saw_together(answers, [debit(1, 50), debit(1, 60)])
