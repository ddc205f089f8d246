# SPDX-License-Identifier: MIT
"""Several threads in one bank: who serves whom, and that limits, signals and addresses are the bank's, not a thread's."""

import collections
import contextlib
import os
import re
import signal
import socket
import time

import pytest

from bank import LIMITS, PATIENCE_S, THREADS, Closed, crebito, post, request, stuck, together, transaction
from stores import THREADED

STORES = THREADED
HEALTH = request("GET", "/healthz")
EXTRATO = request("GET", "/clientes/1/extrato")


def loops(bank):
    """For each event loop, which clients of the bank it serves: the inodes of their sockets."""
    fds = f"/proc/{bank.process.pid}/fd"
    kinds = {}
    for number in os.listdir(fds):
        with contextlib.suppress(FileNotFoundError):  # closed a moment ago
            kinds[number] = os.readlink(f"{fds}/{number}")
    clients = connected(bank)
    found = []
    for number, kind in kinds.items():
        if kind == "anon_inode:[eventpoll]":
            with open(f"/proc/{bank.process.pid}/fdinfo/{number}") as info:
                watched = re.findall(r"^tfd: +(\d+) ", info.read(), re.M)
            found.append({kinds[fd] for fd in watched if kinds.get(fd) in clients})
    return found


def connected(bank):
    """The sockets of all connections on the machine that are no listeners', as /proc names them."""
    sockets = set()
    port = f"{int(bank.address.rsplit(':')[-1]):04X}" if not bank.address.startswith("unix:") else None
    with open("/proc/net/tcp") as table:
        for line in table.readlines()[1:]:
            _, local, _, state, *rest = line.split()
            if local.endswith(f":{port}") and state == "01":
                sockets.add(f"socket:[{rest[5]}]")
    with open("/proc/net/unix") as table:
        for line in table.readlines()[1:]:
            *_, state, inode, path = [*line.split(), ""][:8]
            if state == "03" and path == bank.address.removeprefix("unix:"):
                sockets.add(f"socket:[{inode}]")
    return sockets


def shares(bank):
    return sorted(len(clients) for clients in loops(bank))


def until(holds):
    give_up = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.005)


@pytest.mark.parametrize("where", ["127.0.0.1:0", "unix:{}/socket"])
def test_a_burst_of_connections_is_shared_out_evenly_among_the_threads(make_bank, tmp_path, where):
    bank = make_bank(listen=[where.format(tmp_path)])
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(bank.connect()) for _ in range(64)]
        assert [connection.ask(HEALTH).status for connection in connections] == [200] * 64
        until(lambda: shares(bank) == [64 // THREADS] * THREADS)  # the kernel's table may skip some while it changes


def test_a_new_connection_goes_where_there_are_fewest(new_bank):
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(new_bank.connect()) for _ in range(4 * THREADS)]
        for connection in connections:
            assert connection.ask(HEALTH).status == 200
        for connection in connections[::THREADS]:  # all of one thread, as they came in turn
            connection.socket.close()
        until(lambda: shares(new_bank) == [0, *[4] * (THREADS - 1)])
        for _ in range(4):
            assert stack.enter_context(new_bank.connect()).ask(HEALTH).status == 200
        until(lambda: shares(new_bank) == [4] * THREADS)


def test_the_limit_on_connections_is_the_banks_whichever_threads_have_them(make_bank):
    """Were it divided, a thread would refuse though others have room, or serve though all is taken."""
    limit = 2 * THREADS + 1
    bank = make_bank("--max-connections", limit)
    with contextlib.ExitStack() as stack:
        def serves(more):
            connections = []
            give_up = time.monotonic() + PATIENCE_S
            while len(connections) < more:  # A place is free a moment after its socket is closed.
                connection = stack.enter_context(bank.connect())
                if connection.ask(HEALTH).status == 200:
                    connections.append(connection)
                assert time.monotonic() < give_up
            with bank.connect() as refused:
                assert refused.receive().status == 503 and refused.ended()
            return connections

        connections = serves(limit)
        for _ in range(3):
            for connection in connections[::THREADS]:
                connection.socket.close()
            left = [connection for number, connection in enumerate(connections) if number % THREADS]
            until(lambda: sum(shares(bank)) == len(left))
            connections = left + serves(limit - len(left))


def test_who_finds_no_place_waits_until_any_thread_has_one(make_bank):
    """Past the limit and past those that are being refused connections wait in the kernel."""
    bank = make_bank("--max-connections", 1)
    with contextlib.ExitStack() as stack:
        served = stack.enter_context(bank.connect())
        assert served.ask(HEALTH).status == 200
        refused = [stack.enter_context(bank.connect()) for _ in range(64)]
        for connection in refused:
            assert connection.receive().status == 503  # and stays, as we do not close
        waiting = stack.enter_context(bank.connect())
        assert waiting.send(HEALTH).silent(0.1)
        served.socket.close()
        assert waiting.receive().status == 200


def test_every_thread_answers_what_is_in_flight_before_the_bank_ends(make_bank):
    bank = make_bank(faults=True)
    with stuck(bank, *[post(1, 1)] * (3 * THREADS)) as connections:
        until(lambda: shares(bank) == [3] * THREADS)
        bank.process.send_signal(signal.SIGTERM)
        assert connections[-1].silent(0.1)
        bank.fault()
        answers = [connection.receive() for connection in connections]
        assert sorted(answer.json()["saldo"] for answer in answers) == list(range(1, 3 * THREADS + 1))
        assert {answer.header("Connection") for answer in answers} == {"close"}
        assert all(connection.ended() for connection in connections)
    assert bank.wait() == 0
    assert bank.start().balance(1) == 3 * THREADS


def test_a_second_signal_ends_what_every_thread_waits_for(make_bank):
    """A request that has begun, on each of them, keeps the bank until then."""
    bank = make_bank()
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(bank.connect()).send(EXTRATO[:-2]) for _ in range(2 * THREADS)]
        until(lambda: shares(bank) == [2] * THREADS)
        bank.process.send_signal(signal.SIGTERM)
        until(lambda: "draining" in bank.log)
        time.sleep(0.4)
        assert bank.alive and all(connection.silent(0.01) for connection in connections)
        began = time.monotonic()
        assert bank.end(signal.SIGTERM) == 0
        assert time.monotonic() - began < 5
        assert all(connection.ended() for connection in connections)


def test_whoever_has_connected_already_is_served_by_a_bank_that_drains(make_bank):
    for _ in range(3):
        bank = make_bank()
        with contextlib.ExitStack() as stack:
            connections = [stack.enter_context(bank.connect()).send(HEALTH) for _ in range(40)]
            bank.process.send_signal(signal.SIGTERM)
            assert [connection.receive().status for connection in connections] == [200] * 40
        assert bank.wait() == 0


def test_an_address_that_another_bank_listens_on_is_refused(new_bank, make_bank):
    """Threads share the port with each other, and not with anybody else."""
    second = make_bank(folder="other", start=False, listen=[new_bank.address])
    assert second.launch().wait() == 1
    assert re.search(rf"cannot listen on {new_bank.address}: address already in use", second.log), second.log
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with pytest.raises(OSError):
            other.bind(("127.0.0.1", int(new_bank.address.rsplit(":")[-1])))
    assert new_bank.post(1, 5).status == 200


def test_bodies_that_take_the_whole_parser_are_read_on_every_thread_at_once(new_bank):
    """Values of one body among those of another would be seen."""
    def book(number):
        body = transaction(number + 1, "c", f"ação {number}", others=[str(number)] * 600)
        with new_bank.connect() as connection:
            for _ in range(60):
                assert connection.ask(request("POST", f"/clientes/{number % 5 + 1}/transacoes", body)).status == 200

    crowd = range(2 * THREADS)
    together([lambda number=number: book(number) for number in crowd])
    for client in LIMITS:
        mine = [number for number in crowd if number % 5 + 1 == client]
        assert new_bank.balance(client) == sum(60 * (number + 1) for number in mine)
        assert {(entry["valor"], entry["descricao"]) for entry in new_bank.extrato(client)["ultimas_transacoes"]} <= {
            (number + 1, f"ação {number}") for number in mine}


@pytest.mark.only("lmdb", "a folder's owner")
def test_when_the_owner_is_killed_every_thread_of_its_guest_goes_on(make_bank):
    owner, guest = [make_bank(name=f"-{number}") for number in range(2)]
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(guest.connect()) for _ in range(2 * THREADS)]
        for count, connection in enumerate(connections):
            assert connection.ask(post(1, 1)).json()["saldo"] == count + 1
        owner.kill()
        for count, connection in enumerate(connections):
            answer = connection.ask(post(1, 1))
            assert answer.json()["saldo"] == 2 * THREADS + count + 1, answer
            assert connection.ask(EXTRATO).json()["saldo"]["total"] == 2 * THREADS + count + 1
        assert "this process owns the store now" in guest.log


@pytest.mark.only("lmdb", "readers of a folder")
def test_with_as_many_threads_as_there_may_be_the_ledger_can_still_be_read_beside_them(make_bank):
    bank = make_bank("--threads", 32)
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(bank.connect()) for _ in range(64)]
        for count, connection in enumerate(connections):
            assert connection.ask(post(1, 1)).json()["saldo"] == count + 1
            assert connection.ask(EXTRATO).json()["saldo"]["total"] == count + 1
        until(lambda: shares(bank) == [2] * 32)
        assert crebito("verify", "--database", bank.store.url).returncode == 0


def test_clients_that_come_and_go_in_crowds_leave_nothing_behind(new_bank):
    statuses = collections.Counter()
    for _ in range(30):
        with contextlib.ExitStack() as stack:
            connections = [stack.enter_context(new_bank.connect()).send(post(1, 1)) for _ in range(20)]
            for connection in connections[::2]:
                with contextlib.suppress(Closed):
                    statuses[connection.receive().status] += 1
    until(lambda: sum(shares(new_bank)) == 0)
    assert statuses == {200: 300}
    assert 300 <= new_bank.balance(1) <= 600
