# SPDX-License-Identifier: MIT
"""The network between a bank and its server is cut, swallows, delays or changes what is said."""

import time

import pytest

from bank import is_problem, post, request, together
from ledger import audit, balance, booked
from load import Load
from places import banks, gone_and_back, healthy, new_database, wait_for
from proxy import Proxy

EXTRATO = request("GET", "/clientes/1/extrato")


@pytest.fixture
def network(database):
    with Proxy(database.cluster.port) as made:
        yield made


def is_unknown(answer):
    return is_problem(answer, 504, "resultado-desconhecido") and answer.header("Retry-After") is None


@pytest.mark.parametrize("connections", [1, 2])
@pytest.mark.parametrize("cut, happened", [("requests", False), ("answers", True)],
                         ids=["before the server gets it", "before its answer comes back"])
def test_a_call_whose_answer_never_comes_is_504_and_a_retry_settles_it(
        serve, database, network, cut, happened, connections):
    bank = serve(network.url(database), "--connections", connections)
    assert bank.post(1, 5, "c", "antes").status == 200
    for round in range(3):
        name = f"nunca{round}"
        network.cut(cut)
        assert is_unknown(bank.post(1, 10, "c", name, key=name))
        if happened:  # The server may still be about it.
            wait_for(lambda: booked(database, name) == 1)
        else:
            wait_for(lambda: database.sessions() <= connections)
            assert booked(database, name) == 0
        again = bank.post(1, 10, "c", name, key=name)
        assert again.status == 200 and again.json()["saldo"] == 5 + 10 * (round + 1)
        assert again.header("Idempotency-Replayed") == ("true" if happened else None)
        assert booked(database, name) == 1
    assert network.cuts == 3
    assert gone_and_back(bank) == (3, 3), bank.log
    audit(database)


@pytest.mark.parametrize("connections", [1, 2])
@pytest.mark.parametrize("cut", ["requests", "answers"])
def test_what_only_reads_is_asked_again_instead(serve, database, network, cut, connections):
    bank = serve(network.url(database), "--connections", connections)
    assert bank.post(1, 5).status == 200
    for _ in range(3):
        network.cut(cut)
        assert bank.balance(1) == 5
        network.cut(cut)
        assert bank.post(6, 0).status == 404  # Is there such a client? What he wants is not judged then.
    assert network.cuts == 6


def test_a_cut_before_anything_is_said_costs_no_answer(serve, database, network):
    """Links end while nothing is under way."""
    bank = serve(network.url(database))
    for round in range(5):
        answer = bank.post(1, 1)
        assert answer.status == 200 and answer.json()["saldo"] == round + 1, answer
        assert bank.balance(1) == round + 1
        network.refuse()
        network.refuse(False)
        time.sleep(0.05)  # Until the ends have arrived.
    assert gone_and_back(bank) == (0, 0), bank.log


def test_nonsense_instead_of_an_answer_is_504_and_the_next_connection_is_a_good_one(serve, database, network):
    bank = serve(network.url(database))
    for round, garbage in enumerate([b"\0" * 50, b"HTTP/1.1 400 Bad Request\r\n\r\n", b"Z\0\0\0\5I" * 3]):
        assert bank.post(1, 1).status == 200
        network.garbage = garbage
        name = f"lixo{round}"
        answer = bank.post(1, 10, "c", name, key=name)
        assert is_unknown(answer), (garbage, answer)
        wait_for(lambda: booked(database, name) == 1)
        assert bank.post(1, 10, "c", name, key=name).header("Idempotency-Replayed") == "true"
    assert balance(database, 1) == 33
    audit(database)


@pytest.mark.parametrize("connections", [2, pytest.param(1, marks=pytest.mark.slow)])
def test_delays_change_no_answer(serve, database, network, connections):
    bank = serve(network.url(database), "--connections", connections)
    network.delay_s = 0.05
    with Load(bank, copies=2) as load:
        load.acknowledged(40)
    network.delay_s = 0
    statuses = load.judge(database)
    assert set(statuses) <= {200, 422} and set(load.health) == {200}


def test_links_that_break_at_any_moment_lose_nothing(serve, database, network):
    bank = serve(network.url(database), "--connections", 3)
    with Load(bank) as load:
        for round in range(12):
            load.acknowledged(20)
            network.cut(["requests", "answers"][round % 2])
            wait_for(lambda: network.cut_at is None)
        load.served_again()
    statuses = load.judge(database)
    assert statuses[504] > 0, statuses


@pytest.mark.background
@pytest.mark.parametrize("connections", [1, 2])
@pytest.mark.parametrize("directions", [("requests",), ("answers",), ("requests", "answers")], ids="+".join)
def test_in_a_black_hole_what_was_sent_is_504_after_ten_seconds(directions, connections):
    """Nothing ends and nothing is refused: only a clock tells."""
    with new_database() as database, Proxy(database.cluster.port) as network, banks() as make:
        bank = make(network.url(database), "--connections", connections, "--connect-timeout", 1)
        assert bank.post(1, 5, "c", "antes").status == 200
        assert bank.balance(1) == 5
        network.swallow(*directions)
        began = time.monotonic()
        asked = [post(1, 10, "c", "durante", key="k"), EXTRATO, request("GET", "/healthz")]
        answers = together([lambda data=data: (bank.ask(data), time.monotonic() - began) for data in asked])
        (answer, waited), (extrato, extrato_waited), (health, health_waited) = answers
        # With one connection the extrato may have been in the same batch, or in the next one.
        assert is_unknown(answer) and 9 < waited < 13, (answer, waited)
        assert is_problem(extrato, 503, "indisponivel") and extrato_waited < 15, (extrato, extrato_waited)
        assert health.status == 503 and health_waited < 15
        # It knows by now, and keeps nobody waiting for long.
        began = time.monotonic()
        assert is_problem(bank.post(1, 10, "c", "depois"), 503, "indisponivel")
        assert is_problem(bank.ask(EXTRATO), 503, "indisponivel")
        assert not healthy(bank)
        assert time.monotonic() - began < 6
        network.swallow()
        wait_for(lambda: bank.get("/clientes/1/extrato").status == 200)
        again = None

        def settled():
            nonlocal again
            again = bank.post(1, 10, "c", "durante", key="k")
            return again.status == 200

        wait_for(settled)
        assert booked(database, "durante") == 1 and booked(database, "depois") == 0
        if connections > 1:  # Else it may have waited behind the extrato, and never been sent.
            assert again.header("Idempotency-Replayed") == (None if "requests" in directions else "true")
        wait_for(lambda: healthy(bank))
        audit(database)
