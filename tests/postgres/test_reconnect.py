# SPDX-License-Identifier: MIT
"""How a bank comes by its connections: late servers, full servers, and how often it knocks."""

import contextlib
import threading
import time

import pytest

from bank import is_problem, request, together
from ledger import audit, balance
from load import Load
from places import banks, gone_and_back, healthy, lines, new_database, refused_at_start, said, wait_for
from postgres import PASSWORD, Cluster, free_port
from proxy import Proxy


@contextlib.contextmanager
def all_slots_taken(database):
    """By others, who came between. They leave in the end."""
    with contextlib.ExitStack() as stack:
        while True:
            other = database.session()
            stack.callback(other.process.stdout.close)
            stack.callback(other.process.wait)
            stack.callback(other.process.stdin.close)
            try:
                if "too many clients" in other.run("SELECT 1"):
                    break
            except (AssertionError, BrokenPipeError):
                break
        yield


@pytest.fixture
def small_cluster():
    with Cluster().configure(max_connections=6, superuser_reserved_connections=0) as made:
        yield made


def test_a_full_server_refuses_only_whom_it_has_no_connection_for(small_cluster, serve):
    """Statements have theirs from the start, transactions when the first one comes."""
    database = small_cluster.create()
    bank = serve(database)
    with all_slots_taken(database):
        for _ in range(3):
            answer = bank.post(1, 10)
            assert is_problem(answer, 503, "indisponivel")
            assert int(answer.header("Retry-After")) >= 0
            assert bank.extrato(1)["saldo"]["total"] == 0
        assert not healthy(bank)
        [line] = lines(bank, "the database cannot be reached")
        assert "too many clients" in line
    wait_for(lambda: bank.post(1, 10).status == 200)
    wait_for(lambda: healthy(bank))
    assert balance(database, 1) == 10
    assert gone_and_back(bank) == (1, 1), bank.log


def test_connections_used_up_under_load_lose_nothing(small_cluster, serve):
    database = small_cluster.create()
    bank = serve(database, "--connections", 3)
    with Load(bank) as load:
        load.acknowledged(50)
        small_cluster.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'crebito'")
        with all_slots_taken(database):
            time.sleep(1)
        load.served_again()
    load.judge(database)


def test_a_bank_that_finds_its_server_full_waits_for_a_place(small_cluster, serve):
    database = small_cluster.create()
    with all_slots_taken(database):
        reason, waited = refused_at_start(database.url, "--connect-timeout", 1)
        assert "too many clients" in reason and database.name in reason, reason
        assert 1 <= waited < 6
        bank = serve(database, "--connect-timeout", 20, start=False)
        bank.launch()
        time.sleep(0.5)
        assert bank.alive, bank.log
    wait_for(lambda: "listening" in bank.log)
    assert bank.end(15) == 0


def test_places_kept_for_superusers_are_no_reason_to_give_up(own_cluster, serve):
    """The server says so only after it has seen the password, and it will pass all the same."""
    own_cluster.configure(max_connections=6, superuser_reserved_connections=3).restart()
    database = own_cluster.create()
    database.psql(f"CREATE ROLE teller LOGIN PASSWORD '{PASSWORD}' IN ROLE pg_write_all_data, pg_read_all_data")
    url = own_cluster.url(database.name, user="teller")
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            other = stack.enter_context(database.session())
            assert other.run("SELECT 1") == "1\n"
        reason, waited = refused_at_start(url, "--connect-timeout", 1)
        assert "reserved" in reason, reason
        assert waited >= 1, f"it gave up after {waited} s"
        bank = serve(url, "--connect-timeout", 20, start=False)
        bank.launch()
        time.sleep(0.5)
        assert bank.alive, bank.log
    wait_for(lambda: "listening" in bank.log)
    assert bank.end(15) == 0


def test_a_bank_may_be_started_before_its_server(cluster, serve):
    database = cluster.create()
    cluster.stop()
    bank = serve(database, "--connect-timeout", 30, start=False)
    bank.launch()
    time.sleep(1)
    assert bank.alive and "listening" not in bank.log, bank.log
    cluster.start()
    wait_for(lambda: "listening" in bank.log)
    assert bank.end(15) == 0


def test_a_bank_may_be_started_while_its_server_repairs_itself(cluster, serve):
    database = cluster.create()
    bank = serve(database, "--connect-timeout", 30)
    assert bank.post(1, 7).status == 200
    bank.stop()
    cluster.kill()
    launched = serve(database, "--connect-timeout", 30, start=False)
    starter = threading.Thread(target=cluster.start)
    starter.start()
    launched.launch()
    starter.join()
    wait_for(lambda: "listening" in launched.log)
    assert launched.end(15) == 0
    assert balance(database, 1) == 7


@pytest.mark.background
@pytest.mark.parametrize("timeout_s", [1, 3])
def test_a_server_that_never_comes_is_given_up_after_the_connect_timeout(timeout_s):
    place = f"127.0.0.1:{free_port()}/nada"
    reason, waited = refused_at_start(f"postgres://postgres:{PASSWORD}@{place}", "--connect-timeout", timeout_s)
    assert place in reason and "refused" in reason, reason
    assert timeout_s <= waited < timeout_s + 3, waited


def test_a_bank_that_waits_for_its_server_can_be_stopped(cluster, serve):
    database = cluster.create()
    cluster.stop()
    bank = serve(database, "--connect-timeout", 60, start=False)
    bank.launch()
    time.sleep(0.5)
    bank.process.terminate()
    assert bank.process.wait(10) is not None


@pytest.mark.background
@pytest.mark.parametrize("connections", [1, 2, 4])
def test_it_knocks_at_a_closed_door_more_and_more_seldom(connections):
    """However many ask for something: 0.1 s after the first time, then 0.2, 0.4 ... up to 2 s."""
    with new_database() as database, Proxy(database.cluster.port) as network, banks() as make:
        bank = make(network.url(database, sslmode="disable"), "--connections", connections)
        assert [bank.post(client, 1).status for client in (1, 2, 3)] == [200] * 3
        network.refuse()
        network.accepted = 0
        began = time.monotonic()
        asked = 0
        while time.monotonic() - began < 4:
            answers = together([lambda client=client: bank.post(client, 1) for client in (1, 2, 3)])
            answers.append(bank.get("/clientes/1/extrato"))
            asked += len(answers)
            assert {answer.status for answer in answers} == {503}, answers
            time.sleep(0.05)
        each = network.accepted / connections
        assert 3 <= each <= 8, f"{network.accepted} attempts in {asked} requests"
        assert asked > 8 * network.accepted, "too few to tell"
        assert sum(gone_and_back(bank)) == 1, bank.log
        network.refuse(False)
        wait_for(lambda: [bank.post(client, 1).status for client in (1, 2, 3)] == [200] * 3)
        wait_for(lambda: healthy(bank))
        assert gone_and_back(bank) == (1, 1), bank.log
        audit(database)


def test_nobody_needs_to_ask_for_anything_but_health_to_see_it_back(cluster, serve):
    database = cluster.create()
    bank = serve(database)
    assert bank.post(1, 1).status == 200
    cluster.stop()
    assert not healthy(bank)
    assert bank.ask(request("HEAD", "/healthz")).status == 503
    cluster.start()
    wait_for(lambda: healthy(bank))
    assert said(bank, "the database is back") == 1
    assert bank.post(1, 1).json()["saldo"] == 2
