# SPDX-License-Identifier: MIT
"""Several banks on one database: what one has answered, all of them know."""

import itertools
import random

import pytest

from bank import LIMITS, is_problem, post, together
from ledger import audit, balance, booked
from load import Load

FLEETS = [(1, 2), pytest.param((2, 2, 4), marks=pytest.mark.slow), (1, 1, 3)]  # their connections


@pytest.fixture(params=FLEETS, ids=lambda fleet: "+".join(map(str, fleet)))
def fleet(request, database, serve):
    return [serve(database, "--connections", connections) for connections in request.param]


def test_under_load_no_limit_breaks_no_call_deadlocks_and_the_order_is_one(fleet, database):
    seen = len(database.cluster.log)
    with Load(*fleet, copies=2 * len(fleet)) as load:
        load.acknowledged(1500)
    statuses = load.judge(database)
    assert set(statuses) <= {200, 422} and statuses[422] > 0, statuses
    log = database.cluster.log[seen:]
    assert "deadlock detected" not in log, log
    assert set(load.health) == {200}


def test_what_one_has_acknowledged_the_others_show_at_once(fleet):
    for count, (writer, reader) in enumerate(itertools.islice(itertools.cycle(itertools.permutations(fleet, 2)), 60)):
        name = f"n{count}"
        answer = writer.post(2, 1, "c", name)
        assert answer.status == 200
        shown = reader.extrato(2)
        assert shown["saldo"]["total"] == answer.json()["saldo"] == count + 1
        assert shown["ultimas_transacoes"][0]["descricao"] == name


def test_a_key_is_booked_once_whoever_is_asked_and_however_many_at_once(fleet, database):
    for round in range(15):
        name = f"r{round}"
        asked = [lambda bank=bank: bank.post(3, 10, "c", name, key=name) for bank in fleet for _ in range(4)]
        answers = together(asked)
        assert {answer.status for answer in answers} == {200}
        assert len({answer.body for answer in answers}) == 1
        replayed = [answer.header("Idempotency-Replayed") for answer in answers]
        assert sorted(replayed, key=str) == [None] + ["true"] * (len(answers) - 1)
        assert booked(database, name) == 1
    for bank in fleet:
        assert is_problem(bank.post(3, 11, "c", "r0", key="r0"), 422, "chave-reutilizada")
    audit(database)


def test_together_they_take_no_more_than_the_limit(fleet, database):
    """Each asks for all of it, again and again."""
    limit = LIMITS[1]
    for round in range(10):
        answers = together([lambda bank=bank, part=part: bank.post(1, limit // part, "d")
                            for bank in fleet for part in (1, 2, 4)])
        assert {answer.status for answer in answers} <= {200, 422}
        assert -limit <= balance(database, 1) <= -limit * 3 // 4
        fleet[round % len(fleet)].post(1, -balance(database, 1), "c")
    assert balance(database, 1) == 0
    audit(database)


def test_batches_of_all_clients_in_any_order_deadlock_with_nobody(fleet, database):
    """Pipelines that touch each client, in orders that cross; and a caller in SQL that keeps to the order."""
    seen = len(database.cluster.log)
    dice = random.Random(1)
    sql = ";".join(f"SELECT InsertTransacao({client}, 1, 'c', 'sql')" for client in LIMITS)

    def pipeline(bank, clients):
        with bank.connect() as connection:
            return connection.ask_all(post(client, 1) for client in clients * 20)

    def caller():
        with database.session() as other:
            for _ in range(40):
                assert "ERROR" not in other.run(f"BEGIN; {sql}; COMMIT")
        return []

    jobs = [lambda bank=bank, order=dice.sample(list(LIMITS), 5): pipeline(bank, order)
            for bank in fleet for _ in range(3)]
    answers = sum(together([*jobs, caller]), [])
    assert {answer.status for answer in answers} == {200}
    assert "deadlock detected" not in database.cluster.log[seen:]
    for client in LIMITS:
        assert balance(database, client) == 20 * len(jobs) + 40
    audit(database)


def test_one_that_is_killed_leaves_nothing_locked(fleet, database):
    for round in range(3):
        with Load(*fleet[1:]) as load:
            load.acknowledged(20)
            with fleet[0].connect() as connection:
                connection.send(b"".join(post(client, 1, "c") for client in LIMITS) * 10)
                fleet[0].kill()
            load.served_again()
        assert set(load.statuses()) <= {200, 422}
        fleet[0].start()
        assert fleet[0].balance(1) == balance(database, 1)
    audit(database)
