# SPDX-License-Identifier: MIT
"""Somebody else works on the same tables: holds their locks, cancels calls, has triggers of his own.

Whatever the server refuses is 503, has not happened, and is nobody's fault but the client's who is concerned.
"""

import time

import pytest

from bank import is_problem, post, request, together
from ledger import audit, balance, booked
from load import Load
from places import banks, healthy, lines, new_database, said, wait_for

LOCK_ROW = 'BEGIN; SELECT FROM "Clientes" WHERE "Id" = 1 FOR UPDATE'


def is_refused(answer):
    return is_problem(answer, 503, "indisponivel") and int(answer.header("Retry-After")) >= 0


def waiting_for_locks(database):
    return int(database.psql("SELECT count(*) FROM pg_locks WHERE NOT granted"))


@pytest.mark.parametrize("connections", [1, 2, 3])
def test_a_row_that_somebody_keeps_locked_is_503_for_its_client_alone(database, serve, connections):
    bank = serve(database, "--statement-timeout", 1, "--connections", connections)
    assert bank.post(1, 5).status == bank.post(2, 5).status == 200
    with database.session() as other:
        other.run(LOCK_ROW)
        began = time.monotonic()
        refused = bank.post(1, 10, "c", "durante", key="k")
        assert is_refused(refused)
        assert 0.9 < time.monotonic() - began < 3
        # Known to be held, it makes nobody wait any more.
        began = time.monotonic()
        for round in range(10):
            answers = together([lambda: bank.post(1, 10, "c", "durante", key="k"),
                                lambda: bank.post(2, 1), lambda: bank.post(3, 1)])
            assert is_refused(answers[0])
            assert [answer.status for answer in answers[1:]] == [200, 200]
        assert time.monotonic() - began < 5
        assert bank.balance(1) == 5  # Readers wait for no lock of a row.
        assert healthy(bank)
        assert booked(database, "durante") == 0
        other.run("COMMIT")
    again = bank.post(1, 10, "c", "durante", key="k")
    assert again.status == 200 and again.header("Idempotency-Replayed") is None
    assert booked(database, "durante") == 1 and balance(database, 2) == 15
    assert said(bank, "the database refuses a call") >= 1
    assert any("57014" in line or "55P03" in line for line in lines(bank, "refuses a call"))
    audit(database)


def test_rows_locked_for_a_moment_under_load_cost_at_most_a_refusal(database, serve):
    bank = serve(database, "--statement-timeout", 1, "--connections", 3)
    with Load(bank) as load, database.session() as other:
        load.acknowledged(50)
        for client in (1, 4):
            other.run(f'BEGIN; SELECT FROM "Clientes" WHERE "Id" = {client} FOR UPDATE')
            load.acknowledged(100)
            time.sleep(1.2)
            other.run("ROLLBACK")
        load.served_again()
    statuses = load.judge(database)
    assert statuses[503] > 0 and statuses[504] == 0, statuses
    assert set(load.health) == {200}


def test_a_lock_held_for_less_than_the_timeout_only_delays(database, serve):
    bank = serve(database)
    with database.session() as other:
        other.run(LOCK_ROW)
        with bank.connect() as connection:
            connection.send(post(1, 10))
            wait_for(lambda: waiting_for_locks(database) > 0)
            other.run("COMMIT")
            assert connection.receive().json()["saldo"] == 10


@pytest.mark.background
@pytest.mark.parametrize("table", ["Clientes", "Transacoes", "Chaves"])
def test_a_table_that_is_locked_is_503_until_it_is_not(table):
    with new_database() as database, banks() as make:
        bank = make(database, "--statement-timeout", 1)
        assert bank.post(1, 5, key="antes").status == 200
        with database.session() as other:
            other.run(f'BEGIN; LOCK TABLE "{table}" IN ACCESS EXCLUSIVE MODE')
            answers = together([lambda client=client: bank.post(client, 10, "c", "durante", key="k")
                                for client in (1, 2)])
            assert all(map(is_refused, answers))
            extrato = bank.get("/clientes/1/extrato")
            assert extrato.status == 200 if table == "Chaves" else is_refused(extrato)
            assert is_problem(bank.post(1, 0), 422, "campo-invalido")
            other.run("COMMIT")
        assert booked(database, "durante") == 0
        for client in (1, 2):
            again = bank.post(client, 10, "c", "durante", key="k")
            assert again.status == 200 and again.header("Idempotency-Replayed") is None
        assert bank.balance(1) == 15
        audit(database)


def test_a_call_that_an_administrator_cancels_is_503_and_not_booked(database, serve):
    bank = serve(database)
    with database.session() as other:
        other.run(LOCK_ROW)
        with bank.connect() as connection:
            connection.send(post(1, 10, "c", "durante", key="k"))
            wait_for(lambda: waiting_for_locks(database) > 0)
            database.psql("SELECT pg_cancel_backend(pid) FROM pg_locks WHERE NOT granted")
            assert is_refused(connection.receive())
        other.run("COMMIT")
    assert booked(database, "durante") == 0
    assert bank.post(1, 10, "c", "durante", key="k").header("Idempotency-Replayed") is None
    assert balance(database, 1) == 10


# ---- triggers of somebody else's

RAISE = """
CREATE FUNCTION recusa() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW."ClienteId" = {client} THEN RAISE EXCEPTION 'not today' USING ERRCODE = '{state}'; END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER recusa AFTER INSERT ON "Transacoes" {when} FOR EACH ROW EXECUTE FUNCTION recusa();
"""


@pytest.mark.parametrize("state", ["P0001", "40001", "40P01", "53200", "54000"])
def test_a_commit_that_fails_is_503_and_nothing_is_booked(database, serve, state):
    """All calls have worked by then."""
    bank = serve(database)
    assert bank.post(1, 5).status == 200
    database.psql(RAISE.format(client=1, state=state, when="DEFERRABLE INITIALLY DEFERRED"))
    for _ in range(3):
        answer = bank.post(1, 10, "c", "durante", key="k")
        assert is_refused(answer)
    assert bank.balance(1) == balance(database, 1) == 5
    assert booked(database, "durante") == 0
    assert bank.post(2, 10).status == 200
    assert any(state in line and "not today" in line for line in lines(bank, "refuses a call")), bank.log
    database.psql('DROP TRIGGER recusa ON "Transacoes"')
    again = bank.post(1, 10, "c", "durante", key="k")
    assert again.status == 200 and again.header("Idempotency-Replayed") is None
    audit(database)


def in_one_batch(bank, database, requests):
    """Their answers. A lock keeps the lane busy until all of them wait behind it."""
    with database.session() as other:
        other.run('BEGIN; SELECT FROM "Clientes" WHERE "Id" = 5 FOR UPDATE')
        first = bank.connect().send(post(5, 1))
        wait_for(lambda: waiting_for_locks(database) > 0)
        connections = [bank.connect().send(data) for data in requests]
        time.sleep(0.3)
        other.run("COMMIT")
        answers = [connection.receive() for connection in connections]
        for connection in [first, *connections]:
            connection.socket.close()
        return answers


def test_a_call_that_is_refused_takes_no_other_of_its_batch_with_it(database, serve):
    bank = serve(database)
    database.psql(RAISE.format(client=3, state="P0001", when=""))
    answers = in_one_batch(bank, database, [post(client, 10, "c", f"c{client}") for client in (1, 2, 3, 3, 4)])
    assert [answer.status for answer in answers] == [200, 200, 503, 503, 200]
    assert [is_refused(answer) for answer in answers[2:4]] == [True, True]
    assert [balance(database, client) for client in (1, 2, 3, 4)] == [10, 10, 0, 10]
    transactions = database.psql("SELECT count(DISTINCT xmin::text) FROM \"Transacoes\" WHERE \"Descricao\" LIKE 'c_'")
    assert transactions == "1", "they were no batch, so this has shown nothing"
    audit(database)


def test_a_batch_whose_commit_fails_is_refused_whole(database, serve):
    bank = serve(database)
    database.psql(RAISE.format(client=3, state="P0001", when="DEFERRABLE INITIALLY DEFERRED"))
    answers = in_one_batch(bank, database, [post(client, 10) for client in (1, 2, 3, 4)])
    assert 503 in {answer.status for answer in answers} <= {200, 503}
    assert is_refused(answers[2])
    for client, answer in zip((1, 2, 3, 4), answers):
        assert balance(database, client) == (10 if answer.status == 200 else 0)
    audit(database)


def test_a_call_that_takes_too_long_is_503_and_not_booked(database, serve):
    bank = serve(database, "--statement-timeout", 1)
    database.psql("""
        CREATE FUNCTION demora() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN IF NEW."ClienteId" = 1 THEN PERFORM pg_sleep(5); END IF; RETURN NEW; END $$;
        CREATE TRIGGER demora BEFORE INSERT ON "Transacoes" FOR EACH ROW EXECUTE FUNCTION demora()""")
    began = time.monotonic()
    assert is_refused(bank.post(1, 10, "c", "durante"))
    assert 0.9 < time.monotonic() - began < 3
    assert bank.post(2, 10).status == 200
    assert booked(database, "durante") == 0
    database.psql('DROP TRIGGER demora ON "Transacoes"')
    assert bank.post(1, 10).json()["saldo"] == 10


def test_a_statement_that_takes_too_long_is_503(database, serve):
    bank = serve(database, "--statement-timeout", 1)
    with database.session() as other:
        other.run('BEGIN; LOCK TABLE "Transacoes" IN ACCESS EXCLUSIVE MODE')
        began = time.monotonic()
        assert is_refused(bank.ask(request("GET", "/clientes/1/extrato")))
        assert 0.9 < time.monotonic() - began < 3
        other.run("COMMIT")
    assert bank.balance(1) == 0
