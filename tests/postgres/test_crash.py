# SPDX-License-Identifier: MIT
"""The server is killed, restarted, stopped or loses a session while the bank is busy.

Nothing that was acknowledged is lost, nothing is booked twice or though it was refused, and what nobody can
know is 504: load.py judges.
"""

import os
import signal
import time

import pytest

from bank import crebito, is_problem, post, request, together
from ledger import audit, booked
from load import Load
from places import bank_on_its_own_server, gone_and_back, healthy, wait_for
from postgres import PASSWORD, children_of, wait_until

OURS = "FROM pg_stat_activity WHERE application_name = 'crebito'"


def sessions(cluster):
    """Processes that serve a bank."""
    return [int(line) for line in cluster.psql(f"SELECT pid {OURS}").splitlines()]


def kill_one_session(cluster):
    """Its server takes all others down with it, and repairs itself: it has begun to when none of them is left."""
    all_of_them = sessions(cluster)
    os.kill(all_of_them[-1], signal.SIGKILL)
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in all_of_them), "sessions are left")


FAULTS = {
    "all of it is killed": lambda cluster: cluster.kill().start(),
    "it is restarted": lambda cluster: cluster.restart("fast"),
    "it is restarted in a hurry": lambda cluster: cluster.restart("immediate"),
    "a session is killed": kill_one_session,
    "the sessions are ended": lambda cluster: cluster.psql(f"SELECT pg_terminate_backend(pid) {OURS}"),
    "the calls are canceled": lambda cluster: [
        cluster.psql(f"SELECT pg_cancel_backend(pid) {OURS}") for _ in range(20)],
}


@pytest.mark.parametrize("connections", [
    2, pytest.param(1, marks=pytest.mark.slow), pytest.param(4, marks=pytest.mark.slow)])
@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_acknowledged_is_lost_and_nothing_is_booked_twice(cluster, serve, fault, connections):
    database = cluster.create()
    bank = serve(database, "--connections", connections)
    with Load(bank) as load:
        for _ in range(2):
            load.acknowledged(100)
            FAULTS[fault](cluster)
            load.served_again()
    statuses = load.judge(database)
    assert statuses[200] >= 200
    if fault == "the calls are canceled":
        assert statuses[503] > 0 and statuses[504] == 0, statuses  # The server has said so.
    elif fault != "the sessions are ended":  # They may have had nothing to do at that moment.
        assert statuses[503] + statuses[504] > 0, f"the fault was not felt: {statuses}"
        assert bank.log.count("level=error") > 0
    assert healthy(bank)


def test_a_server_that_is_away_is_503_and_its_return_is_seen_by_itself(cluster, serve):
    database = cluster.create()
    bank = serve(database)
    assert bank.post(1, 5, "c", "antes", key="antes").status == 200
    for mode in ("fast", "immediate"):
        gone, back = gone_and_back(bank)
        cluster.stop(mode)
        for data in [post(1, 1), post(1, 5, "c", "antes", key="antes"), request("GET", "/clientes/1/extrato")] * 3:
            answer = bank.ask(data)
            assert is_problem(answer, 503, "indisponivel")
            assert int(answer.header("Retry-After")) >= 0
        assert not healthy(bank)
        # Whoever would be refused by a bank that can ask its server is refused by one that cannot.
        assert is_problem(bank.post(6), 404, "cliente-desconhecido")
        assert is_problem(bank.get("/clientes/6/extrato"), 404, "cliente-desconhecido")
        assert is_problem(bank.post(1, 0), 422, "campo-invalido")
        assert is_problem(bank.post_body(b"{"), 400, "json-invalido")
        assert gone_and_back(bank) == (gone + 1, back), bank.log
        cluster.start()
        wait_for(lambda: bank.post(1, 5, "c", "antes", key="antes").status == 200)
        wait_for(lambda: healthy(bank))
        assert bank.balance(1) == 5
        assert gone_and_back(bank) == (gone + 1, back + 1), bank.log
    assert PASSWORD not in bank.log and f"127.0.0.1:{cluster.port}/{database.name}" in bank.log
    audit(database)


@pytest.mark.parametrize("connections", [
    2, pytest.param(1, marks=pytest.mark.slow), pytest.param(4, marks=pytest.mark.slow)])
@pytest.mark.parametrize("mode", ["fast", "immediate", "kill", "sessions"])
def test_a_restart_between_two_requests_costs_no_answer(cluster, serve, mode, connections):
    """Nothing was under way, so nothing is unknown; and there is a server again, so nothing is refused."""
    database = cluster.create()
    bank = serve(database, "--connections", connections)
    for round in range(2):
        assert [bank.post(client, 1).status for client in (1, 2, 3)] == [200] * 3
        assert bank.balance(1) == 2 * round + 1
        if mode == "kill":
            cluster.kill().start()
        elif mode == "sessions":
            cluster.psql(f"SELECT pg_terminate_backend(pid) {OURS}")
            wait_for(lambda: not sessions(cluster))
        else:
            cluster.restart(mode)
        answer = bank.post(1, 1, key=f"k{round}")
        assert answer.status == 200 and answer.json()["saldo"] == 2 * round + 2, (answer, bank.log)
        assert bank.balance(1) == 2 * round + 2
        assert [bank.post(client, 1).status for client in (2, 3)] == [200] * 2
        assert healthy(bank)
    audit(database)


def test_a_commit_that_hangs_when_its_server_is_killed_is_504(cluster, serve):
    """The same again with its key says what became of it."""
    database = cluster.create()
    bank = serve(database, "--statement-timeout", 9)
    with database.session() as other:
        other.run('BEGIN; SELECT FROM "Clientes" WHERE "Id" = 1 FOR UPDATE')
        with bank.connect() as connection:
            connection.send(post(1, 10, "c", "durante", key="k"))
            wait_for(lambda: cluster.psql("SELECT count(*) FROM pg_locks WHERE NOT granted") != "0")
            cluster.kill()
            answer = connection.receive()
    assert is_problem(answer, 504, "resultado-desconhecido")
    assert answer.header("Retry-After") is None
    cluster.start()
    assert booked(database, "durante") == 0
    wait_for(lambda: bank.post(1, 1).status == 200)
    again = bank.post(1, 10, "c", "durante", key="k")
    assert again.status == 200 and again.header("Idempotency-Replayed") is None
    assert booked(database, "durante") == 1
    audit(database)


@pytest.mark.background
def test_a_server_that_stands_still_for_longer_than_anybody_waits():
    """What was sent is 504 after ten seconds, what was not is 503, and a reader is never told 504."""
    with bank_on_its_own_server() as (bank, database, cluster):
        assert bank.post(1, 1).status == 200
        with Load(bank, clients=(1, 2), copies=1) as load:
            load.acknowledged(50)
            processes = [cluster.process.pid, *children_of(cluster.process.pid)]
            for process in processes:
                os.kill(process, signal.SIGSTOP)
            began = time.monotonic()
            try:
                with bank.connect() as reader:
                    [extrato] = together([lambda: reader.ask(request("GET", "/clientes/1/extrato"))])
                assert is_problem(extrato, 503, "indisponivel")
                wait_for(lambda: load.statuses()[504] > 0)
                assert time.monotonic() - began > 9
                assert not healthy(bank)
                time.sleep(max(0, 12 - (time.monotonic() - began)))
            finally:
                for process in reversed(processes):
                    os.kill(process, signal.SIGCONT)
            load.served_again()
        waited = [sent.ended - sent.began for sent in load.sent]
        assert max(waited) < 20, max(waited)
        load.judge(database)


def test_a_bank_whose_clients_a_crash_has_taken_is_not_well(cluster, serve):
    """In the contest's profile: what is left answers, but there is nobody that it could serve."""
    database = cluster.create()
    assert crebito("init", "--database", database.url, "--profile", "contest").returncode == 0
    bank = serve(database, "--durability", "none")
    assert bank.get("/healthz").status == 200
    assert bank.get("/clientes/9/extrato").status == 404
    cluster.kill().start()
    assert database.psql('SELECT count(*) FROM "Clientes"') == "0"
    wait_for(lambda: bank.get("/clientes/9/extrato").status == 404, lambda: bank.log)  # It asks the server again.
    assert is_problem(bank.get("/healthz"), 503, "indisponivel")
