# SPDX-License-Identifier: MIT
"""Many clients at once: replies are as if they had come one at a time."""

import random
import threading

import pytest

from bank import LIMITS, post, request, together


def at_once(bank, requests):
    """Each on a connection that is open before any of them is sent."""
    connections = [bank.connect() for _ in requests]
    answers = together([lambda connection=connection, data=data: connection.ask(data)
                        for connection, data in zip(connections, requests)])
    for connection in connections:
        connection.socket.close()
    return answers


def assert_one_chain(answers, start, step):
    """The balances answered are those of the same steps one after the other."""
    assert [answer.status for answer in answers] == [200] * len(answers)
    assert sorted(answer.json()["saldo"] * step for answer in answers) == [
        (start + step * count) * step for count in range(1, len(answers) + 1)]


def test_25_concurrent_debits_of_1_leave_a_balance_of_25(new_bank):
    assert_one_chain(at_once(new_bank, [post(1, 1, "d", "validacao")] * 25), 0, -1)
    assert new_bank.balance(1) == -25


def test_25_concurrent_credits_of_1_bring_it_back_to_0(new_bank):
    at_once(new_bank, [post(1, 1, "d", "validacao")] * 25)
    assert_one_chain(at_once(new_bank, [post(1, 1, "c", "validacao")] * 25), -25, 1)
    assert new_bank.balance(1) == 0


def test_many_debits_near_the_limit_stop_exactly_there(new_bank):
    """3200 debits of 50 on a limit of 100000: 2000 fit."""
    def debits():
        with new_bank.connect() as connection:
            return [connection.ask(post(1, 50, "d")) for _ in range(100)]

    answers = sum(together([debits] * 32), [])
    accepted = [answer for answer in answers if answer.status == 200]
    refused = [answer for answer in answers if answer.status == 422]
    assert (len(accepted), len(refused)) == (2000, 1200)
    assert {answer.type for answer in refused} == {"limite-excedido"}
    assert_one_chain(accepted, 0, -50)
    assert new_bank.balance(1) == -LIMITS[1]


def test_replies_are_as_if_the_requests_of_a_client_had_run_one_at_a_time(new_bank):
    """The replies of each client form one chain, in which each connection's keep their order."""
    start = 2**52  # Room for steps so large that no balance comes twice.

    def steps_of(thread):
        steps = []
        client, dice = thread % 2 + 1, random.Random(thread)
        with new_bank.connect() as connection:
            for count in range(40):
                valor, tipo = dice.getrandbits(40) + 1, dice.choice("cd")
                answer = connection.ask(post(client, valor, tipo, f"t{thread}n{count}"))
                assert answer.status == 200
                change = valor if tipo == "c" else -valor
                steps.append((client, answer.json()["saldo"], change, (thread, count)))
        return steps

    for client in (1, 2):
        new_bank.post(client, start)
    steps = sum(together([lambda thread=thread: steps_of(thread) for thread in range(16)]), [])
    for client in (1, 2):
        chain = chain_of(start, [step[1:] for step in steps if step[0] == client])
        for thread in range(16):
            counts = [count for owner, count in chain if owner == thread]
            assert counts == sorted(counts)
        extrato = new_bank.extrato(client)
        assert extrato["saldo"]["total"] == start + sum(
            change for owner, _, change, _ in steps if owner == client)
        assert [entry["descricao"] for entry in extrato["ultimas_transacoes"]] == [
            f"t{thread}n{count}" for thread, count in reversed(chain[-10:])]


def chain_of(balance, steps):
    """The names of the steps in the one order in which each follows from the one before."""
    follows = {after - change: (after, name) for after, change, name in steps}
    assert len(follows) == len(steps), "two replies follow from the same balance"
    names = []
    while balance in follows:
        balance, name = follows.pop(balance)
        names.append(name)
    assert not follows, "the replies form no chain"
    return names


@pytest.mark.parametrize("client", [1, 5])
def test_the_total_of_an_extrato_is_the_sum_of_the_whole_history_at_that_instant(new_bank, client):
    """While it changes, each extrato's total is that of its newest entry's position."""
    totals = {"": 0}
    over = threading.Event()

    def write():
        try:
            with new_bank.connect() as connection:
                for count in range(400):
                    answer = connection.ask(post(client, count + 1, "cd"[count % 2], f"n{count}"))
                    totals[f"n{count}"] = answer.json()["saldo"]
        finally:
            over.set()

    def read():
        seen = []
        with new_bank.connect() as connection:
            while not over.is_set():
                extrato = connection.ask(request("GET", f"/clientes/{client}/extrato")).json()
                newest = [entry["descricao"] for entry in extrato["ultimas_transacoes"]]
                seen.append((extrato["saldo"]["total"], newest))
        return seen

    _, *readers = together([write, read, read, read])
    for seen in readers:
        assert len(seen) > 10
        positions = [int((newest or ["n-1"])[0][1:]) for _, newest in seen]
        assert positions == sorted(positions)
        for total, newest in seen:
            assert total == totals[(newest or [""])[0]]
            first = int((newest or ["n-1"])[0][1:])
            assert newest == [f"n{count}" for count in range(first, max(first - 10, -1), -1)]


def test_what_is_acknowledged_is_what_the_ledger_holds_when_the_queue_overflows(make_bank):
    bank = make_bank("--max-pending", 2, faults=True)
    bank.fault("flush sleep_ms 3")

    def clients(thread):
        statuses = []
        with bank.connect() as connection:
            for count in range(30):
                answer = connection.ask(post(1, 1, "c", f"{thread}-{count}"))
                if answer.status == 503:
                    assert answer.type == "indisponivel"
                    assert int(answer.header("Retry-After")) >= 0
                statuses.append(answer.status)
        return statuses

    statuses = sum(together([lambda thread=thread: clients(thread) for thread in range(16)]), [])
    assert set(statuses) == {200, 503}
    assert bank.balance(1) == statuses.count(200)


def test_all_clients_at_once_add_up(new_bank):
    def work(thread):
        client = thread % 5 + 1
        with new_bank.connect() as connection:
            answers = connection.ask_all(post(client, 3, "cd"[count % 2]) for count in range(60))
        assert {answer.status for answer in answers} == {200}
        assert answers[-1].json()["limite"] == LIMITS[client]

    together([lambda thread=thread: work(thread) for thread in range(20)])
    for client in LIMITS:
        assert new_bank.balance(client) == 0


def test_a_pipeline_without_end_does_not_keep_other_connections_waiting(new_bank):
    """While some megabytes of requests flood in on one, fifty are asked and answered on another."""
    flood, over = request("GET", "/clientes/1/extrato") * 1000, threading.Event()

    def send_flood(connection):
        for _ in range(1000):
            if over.is_set():
                break
            connection.send(flood)
        else:
            over.set()
        connection.socket.shutdown(1)

    def read_flood(connection):
        while not over.is_set() and connection.more():
            connection.buffer = b""

    def ask(connection):
        asked = 0
        while asked < 50 and not over.is_set():
            assert connection.ask(post(2, 1)).status == 200
            asked += 1
        over.set()
        return asked

    with new_bank.connect() as flooding, new_bank.connect() as other:
        *_, asked = together([lambda: send_flood(flooding), lambda: read_flood(flooding),
                              lambda: ask(other)])
    assert asked == 50
