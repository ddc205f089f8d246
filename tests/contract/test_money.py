# SPDX-License-Identifier: MIT
"""The rule that moves money, one request at a time."""

import random

import pytest

from bank import BALANCE_MAX, LIMITS, Connection, is_problem, post, request


@pytest.mark.parametrize("client", LIMITS)
def test_a_debit_may_take_the_balance_to_exactly_the_limit(new_bank, client):
    response = new_bank.post(client, LIMITS[client], "d")
    assert response.json() == {"limite": LIMITS[client], "saldo": -LIMITS[client]}
    assert new_bank.balance(client) == -LIMITS[client]


@pytest.mark.parametrize("client", LIMITS)
def test_a_debit_never_takes_the_balance_below_the_limit(new_bank, client):
    refused = new_bank.post(client, LIMITS[client] + 1, "d")
    assert is_problem(refused, 422, "limite-excedido", "limite")
    assert new_bank.extrato(client)["ultimas_transacoes"] == []
    assert new_bank.post(client, LIMITS[client] - 1, "d").status == 200
    assert new_bank.post(client, 2, "d").status == 422
    assert new_bank.post(client, 1, "d").status == 200
    for valor in (1, 2, 2**31, 2**32, 2**53 - 1):
        assert is_problem(new_bank.post(client, valor, "d"), 422, "limite-excedido")
    assert new_bank.balance(client) == -LIMITS[client]
    assert new_bank.post(client, 5, "c").json()["saldo"] == 5 - LIMITS[client]
    assert new_bank.post(client, 6, "d").status == 422
    assert new_bank.post(client, 5, "d").json()["saldo"] == -LIMITS[client]


def test_a_credit_is_accepted_up_to_a_balance_of_9007199254740991(new_bank):
    assert new_bank.post(1, BALANCE_MAX, "c").json()["saldo"] == BALANCE_MAX
    assert new_bank.post(2, BALANCE_MAX - 1, "c").json()["saldo"] == BALANCE_MAX - 1
    assert new_bank.post(2, 1, "c").json()["saldo"] == BALANCE_MAX
    assert new_bank.post(3, 1000000, "d").status == 200
    assert new_bank.post(3, BALANCE_MAX, "c").json()["saldo"] == BALANCE_MAX - 1000000
    assert new_bank.post(3, 1000000, "c").json()["saldo"] == BALANCE_MAX


def test_a_credit_past_that_balance_is_422(new_bank):
    new_bank.post(1, BALANCE_MAX, "c", "tudo")
    for valor in (1, 2, 1000, BALANCE_MAX):
        refused = new_bank.post(1, valor, "c", key=f"k{valor}")
        assert is_problem(refused, 422, "saldo-maximo", "saldo")
    assert new_bank.balance(1) == BALANCE_MAX
    assert new_bank.post(1, BALANCE_MAX, "d").json()["saldo"] == 0
    assert new_bank.post(1, 1, "c", key="k1").json()["saldo"] == 1


def test_every_number_on_the_wire_is_exact_in_a_double(new_bank):
    for client in LIMITS:
        new_bank.post(client, BALANCE_MAX - client, "c")
        extrato = new_bank.get(f"/clientes/{client}/extrato")
        numbers = [extrato.json()["saldo"]["total"],
                   extrato.json()["ultimas_transacoes"][0]["valor"]]
        assert numbers == [BALANCE_MAX - client] * 2
        assert all(str(int(float(number))).encode() in extrato.body for number in numbers)


def test_after_a_200_the_next_extrato_shows_the_transaction(make_bank):
    """Whichever listener and connection it comes through."""
    bank = make_bank(listen=("127.0.0.1:0", "127.0.0.1:0"))
    connections = [Connection(address) for address in bank.addresses * 2]
    for count in range(1, 101):
        assert connections[count % 4].ask(post(1, count, "c", f"n{count}")).status == 200
        for connection in connections:
            extrato = connection.ask(request("GET", "/clientes/1/extrato")).json()
            assert extrato["ultimas_transacoes"][0]["descricao"] == f"n{count}"
            assert extrato["saldo"]["total"] == count * (count + 1) // 2


@pytest.mark.parametrize("seed", range(3))
def test_a_bank_and_a_model_of_it_agree(new_bank, seed):
    dice = random.Random(seed)
    balances = dict.fromkeys(LIMITS, 0)
    histories = {client: [] for client in LIMITS}
    with new_bank.connect() as connection:
        for step in range(300):
            client, tipo = dice.choice(list(LIMITS)), dice.choice("cd")
            valor = dice.choice([1, 10, LIMITS[client] // 3, LIMITS[client],
                                 dice.randint(1, 10**7)])
            new = balances[client] + (valor if tipo == "c" else -valor)
            answer = connection.ask(post(client, valor, tipo, f"s{step}"))
            if new < -LIMITS[client]:
                assert answer.type == "limite-excedido"
            else:
                assert answer.json() == {"limite": LIMITS[client], "saldo": new}
                balances[client] = new
                histories[client].insert(0, (valor, tipo, f"s{step}"))
            if step % 10 == 0:
                assert_model(new_bank, balances, histories)
    assert_model(new_bank.restart(), balances, histories)


def assert_model(bank, balances, histories):
    for client in LIMITS:
        extrato = bank.extrato(client)
        assert extrato["saldo"]["total"] == balances[client]
        shown = [(entry["valor"], entry["tipo"], entry["descricao"])
                 for entry in extrato["ultimas_transacoes"]]
        assert shown == histories[client][:10]
        times = [entry["realizada_em"] for entry in extrato["ultimas_transacoes"]]
        assert times == sorted(times, reverse=True)
