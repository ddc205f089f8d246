# SPDX-License-Identifier: MIT
"""What clients notice of the load balancer when instances come and go: as little as can be."""

import os
import signal
import threading
import time

import pytest

from bank import Closed, is_problem, post, request, stuck, temporary_bank
from topology import BALANCED

STORES = BALANCED
HEALTH = request("GET", "/healthz")
FAILED = "connect() to"  # what NGINX's log says of an instance that it cannot reach
OUT_OF_TURN_S = 2  # as long may an instance not be asked that was away: fail_timeout, and the second under way


def lose(instance, how):
    """Kills it. Its socket stays, and nobody listens there, or is gone."""
    instance.kill()
    if how == "socket gone":
        os.unlink(instance.address.removeprefix("unix:"))


def is_open(connection):
    """Does it still serve?"""
    try:
        return connection.ask(HEALTH).status == 200
    except (Closed, OSError):
        return False


@pytest.mark.parametrize("how", ["socket left", "socket gone"])
@pytest.mark.parametrize("number", [0, 1])
def test_no_client_notices_that_one_instance_is_dead(new_bank, number, how):
    lose(new_bank.instances[number], how)
    for count in range(100):
        assert new_bank.post(1, 1).json()["saldo"] == count + 1
    tried = new_bank.nginx.log.count(FAILED)
    assert 1 <= tried < 20, f"it was tried {tried} times for 100 connections"


def test_when_both_are_dead_a_connection_ends_at_once_and_what_is_back_serves_at_once(new_bank):
    for instance in new_bank.instances:
        instance.kill()
    for number in (1, 0):
        for _ in range(5):
            with new_bank.connect() as connection, pytest.raises((Closed, OSError)):
                connection.ask(HEALTH)
        new_bank.instances[number].begin()
        for _ in range(5):
            assert new_bank.get("/healthz").status == 200
        new_bank.instances[number].kill()


def test_a_connection_goes_to_the_instance_that_has_fewer_and_stays_there(new_bank):
    first = [new_bank.connect() for _ in range(20)]
    assert all(map(is_open, first))
    new_bank.instances[0].kill()
    left = [connection for connection in first if is_open(connection)]
    assert 8 <= len(left) <= 12
    new_bank.instances[0].begin()
    time.sleep(OUT_OF_TURN_S)
    later = [new_bank.connect() for _ in range(7)]
    assert all(map(is_open, left + later))
    new_bank.instances[1].kill()
    assert not any(map(is_open, left)) and all(map(is_open, later))


def test_clients_that_are_too_many_are_told_so_by_the_bank(make_bank):
    """All of them stay. Two instances take ten; fewer, when NGINX counts somebody who has just left."""
    bank = make_bank("--max-connections", 5)
    connections = [bank.connect() for _ in range(20)]
    answers = [connection.ask(HEALTH) for connection in connections]
    served = [connection for connection, answer in zip(connections, answers) if answer.status == 200]
    assert 5 <= len(served) <= 10
    for answer in answers:
        assert answer.status == 200 or is_problem(answer, 503, "indisponivel", "nothing happened")
    assert all(map(is_open, served))


def test_a_stop_lets_the_answers_out_that_are_on_their_way(faulty_bank):
    nginx = faulty_bank.nginx
    with stuck(faulty_bank, post(1, 10)) as [connection]:
        nginx.process.send_signal(signal.SIGQUIT)
        assert connection.silent(0.5)
        faulty_bank.fault()
        assert connection.receive().json()["saldo"] == 10
    with pytest.raises(OSError):
        faulty_bank.connect()
    connection.socket.close()
    assert nginx.process.wait(10) == 0
    nginx.start()
    assert faulty_bank.balance(1) == 10


@pytest.mark.background
def test_a_stop_ends_idle_connections_after_all_answers_are_out(store):
    """That is when the bank has said so or does not know: 10 s after the last request."""
    with temporary_bank(store) as bank, bank.connect() as connection:
        assert is_open(connection)
        began = time.monotonic()
        stopping = threading.Thread(target=bank.nginx.stop, args=[signal.SIGQUIT])
        stopping.start()
        assert connection.ended()
        assert 10 < time.monotonic() - began < 40
        stopping.join()
