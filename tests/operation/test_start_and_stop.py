# SPDX-License-Identifier: MIT
"""Starting, stopping, and whose folder it is."""

import contextlib
import os
import random
import re
import signal
import socket
import struct
import threading
import time

import pytest

from bank import Closed, crebito, is_problem, post, request, stuck, together

HEALTH = request("GET", "/healthz")


FOLDER = pytest.mark.only("lmdb", "a folder's files and its owner")


def serve(folder, *more, **settings):
    """A start that should fail."""
    return crebito("serve", "--listen", "127.0.0.1:0", "--database", f"lmdb:{folder}", *more,
                   **settings)


def contents(folder):
    return {path.name: path.read_bytes() if path.is_file() else None for path in folder.iterdir()}


# ---- starting


def policies(bank):
    threads = os.listdir(f"/proc/{bank.process.pid}/task")
    assert len(threads) > 1
    return {os.sched_getscheduler(int(thread)) for thread in threads}


def test_its_threads_push_nobody_aside(bank):
    assert policies(bank) == {os.SCHED_BATCH}


def test_a_scheduling_policy_that_somebody_chose_stays(make_bank):
    assert policies(make_bank(prefix=["chrt", "--idle", "0"])) == {os.SCHED_IDLE}


def test_a_second_start_goes_on_where_the_first_was(new_bank):
    for count in range(12):
        new_bank.post(2, 100 + count, "cd"[count % 2], f"n{count}", key=f"k{count}")
    state = new_bank.state()
    for _ in range(3):
        assert new_bank.restart().state() == state
    assert new_bank.post(2, 100, "c", "n0", key="k0").header("Idempotency-Replayed") == "true"


def test_durability_can_be_relaxed_by_name_and_the_server_says_so_when_it_starts(make_bank):
    strict = make_bank("--durability", "full", folder="strict")
    assert "level=warn" not in strict.log
    relaxed = make_bank("--durability", "none", folder="relaxed", faults=True)
    assert "level=warn" in relaxed.log and "durab" in relaxed.log
    relaxed.fault("flush wait")
    assert relaxed.post(1, 5, key="k").json()["saldo"] == 5
    relaxed.fault()
    assert relaxed.restart().balance(1) == 5


@FOLDER
def test_init_leaves_a_store_that_is_served_as_it_is(new_bank):
    new_bank.post(1, 5)
    before = new_bank.state()
    done = crebito("init", "--database", f"lmdb:{new_bank.folder}")
    assert done.returncode == 0 and "5 accounts" in done.stdout, done  # it is a store already
    assert new_bank.state() == before


@FOLDER
def test_a_missing_and_an_empty_folder_become_a_store(make_bank, tmp_path):
    (tmp_path / "empty").mkdir()
    for folder in ("missing", "empty"):
        bank = make_bank(folder=folder)
        assert bank.post(1, 1).json()["saldo"] == 1
        assert {"data.mdb", "owner.lock"} <= set(contents(bank.folder)) <= {
            "data.mdb", "lock.mdb", "owner.lock", "owner.sock", "wal"}


@FOLDER
def test_lost_and_found_alone_is_tolerated(make_bank, tmp_path):
    (tmp_path / "data" / "lost+found").mkdir(parents=True)
    bank = make_bank()
    assert bank.post(1, 1).status == 200
    assert bank.restart().balance(1) == 1


@pytest.mark.parametrize("foreign", ["notes.txt", ".hidden", "lost+found.txt", "data.mdb.bak"])
@pytest.mark.parametrize("command", ["serve", "init"])
def test_a_folder_with_something_else_in_it_is_refused_and_left_untouched(tmp_path, command,
                                                                          foreign):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / foreign).write_text("precious")
    listen = ["--listen", "127.0.0.1:0"] if command == "serve" else []
    done = crebito(command, "--database", f"lmdb:{folder}", *listen)
    assert done.returncode == 1 and foreign in done.stderr
    assert contents(folder) == {foreign: b"precious"}


def test_a_file_where_the_folder_should_be_is_refused(tmp_path):
    (tmp_path / "data").write_text("precious")
    done = serve(tmp_path / "data")
    assert done.returncode == 1 and str(tmp_path / "data") in done.stderr
    assert (tmp_path / "data").read_text() == "precious"


def test_a_missing_parent_folder_is_a_clear_message_and_exit_1(tmp_path):
    done = serve(tmp_path / "missing" / "data")
    assert done.returncode == 1 and str(tmp_path / "missing" / "data") in done.stderr
    assert not (tmp_path / "missing").exists()


@FOLDER
def test_a_store_of_a_newer_layout_is_refused_with_a_clear_message(new_bank):
    new_bank.post(1, 5)
    new_bank.stop()
    data = new_bank.folder / "data.mdb"
    current = data.read_bytes()
    mark = b"crebito\0" + struct.pack("<I", 1)
    assert mark in current
    data.write_bytes(current.replace(mark, b"crebito\0" + struct.pack("<I", 2)))
    newer = data.read_bytes()
    for command in (serve, lambda folder: crebito("init", "--database", f"lmdb:{folder}")):
        done = command(new_bank.folder)
        assert done.returncode == 1 and "layout" in done.stderr and "2" in done.stderr
        assert data.read_bytes() == newer
    data.write_bytes(current)
    assert new_bank.start().balance(1) == 5


# ---- stopping


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_an_idle_bank_stops_at_once_with_exit_0(make_bank, sign):
    bank = make_bank(prefix=["env", "--default-signal"])  # Whatever the tests run under.
    idle = [bank.connect() for _ in range(3)]
    assert idle[0].ask(HEALTH).status == 200
    began = time.monotonic()
    bank.process.send_signal(sign)
    for connection in idle:
        assert connection.ended()
    assert bank.wait() == 0
    assert time.monotonic() - began < 10


def test_a_bank_under_nohup_is_left_running(make_bank):
    bank = make_bank(prefix=["nohup"])
    bank.process.send_signal(signal.SIGHUP)
    with bank.connect() as connection:
        assert connection.ask(post(1, 5)).header("Connection") is None
        assert connection.silent(0.5) and connection.ask(post(1, 5)).json()["saldo"] == 10


def test_requests_in_flight_are_answered_before_the_server_stops(faulty_bank):
    connections = [faulty_bank.connect() for _ in range(20)]
    for connection in connections:
        assert connection.ask(HEALTH).status == 200
    faulty_bank.fault("flush wait")
    for connection in connections:
        connection.send(post(1, 1))
    faulty_bank.await_fault()
    faulty_bank.process.send_signal(signal.SIGTERM)
    assert connections[0].silent(1)
    faulty_bank.fault()
    for connection in connections:
        answer = connection.receive()
        assert answer.status == 200 and answer.header("Connection") == "close"
        assert connection.ended()
        connection.socket.close()
    assert faulty_bank.wait() == 0
    assert faulty_bank.start().balance(1) == 20


def test_a_request_half_sent_when_the_server_is_told_to_stop_is_still_served(new_bank):
    data = post(1, 5)
    with new_bank.connect() as connection:
        connection.send(data[:50])
        assert connection.silent(0.2)
        new_bank.process.send_signal(signal.SIGTERM)
        assert connection.silent(0.1)
        answer = connection.ask(data[50:])
        assert answer.json()["saldo"] == 5 and answer.header("Connection") == "close"
        assert connection.ended()
    assert new_bank.wait() == 0


def test_who_connected_before_the_server_is_told_to_stop_is_answered(new_bank):
    """It is stopped meanwhile: their requests are there when it goes on, and so is the signal."""
    new_bank.process.send_signal(signal.SIGSTOP)
    connections = [new_bank.connect().send(post(1, 1)) for _ in range(20)]
    new_bank.process.send_signal(signal.SIGTERM)
    new_bank.process.send_signal(signal.SIGCONT)
    for connection in connections:
        answer = connection.receive()
        assert answer.status == 200 and answer.header("Connection") == "close"
        assert connection.ended()
        connection.socket.close()
    assert new_bank.wait() == 0
    assert new_bank.start().balance(1) == 20


def test_what_waits_for_the_disk_when_the_server_must_stop_at_once_is_504(faulty_bank):
    """Told to stop a second time it waits for no flush, yet leaves nobody without an answer."""
    with stuck(faulty_bank, post(1, 1), post(1, 10)) as connections:
        for _ in range(2):
            faulty_bank.process.send_signal(signal.SIGTERM)
            time.sleep(0.1)  # Two signals at once may arrive as one.
        for connection in connections:
            answer = connection.receive()
            assert is_problem(answer, 504, "resultado-desconhecido")
            assert answer.header("Connection") == "close" and connection.ended()
    assert faulty_bank.wait() == 0
    assert faulty_bank.start().balance(1) in (0, 1, 10, 11)


def test_a_bank_that_stops_takes_no_new_connections(faulty_bank):
    with faulty_bank.connect() as connection:
        faulty_bank.fault("flush wait")
        connection.send(post(1, 5))
        faulty_bank.await_fault()
        faulty_bank.process.send_signal(signal.SIGTERM)
        give_up = time.monotonic() + 10
        refused = False
        while not refused and time.monotonic() < give_up:
            try:
                faulty_bank.get("/healthz")
            except (OSError, Closed):
                refused = True
        assert refused, "it goes on taking connections"
        faulty_bank.fault()
        assert connection.receive().status == 200
    assert faulty_bank.wait() == 0


@pytest.mark.parametrize("seed", range(3))
def test_stopped_under_load_it_answers_all_and_keeps_what_it_acknowledged(new_bank, seed):
    """Each client goes on until it is told `Connection: close`. None is left without an answer."""
    dice = random.Random(seed)

    def client(number):
        booked = 0
        with new_bank.connect() as connection:
            while True:
                answer = connection.ask(post(1, number + 1, "c", f"c{number}"))
                assert answer.status == 200
                booked += number + 1
                if answer.header("Connection") == "close":
                    assert connection.ended()
                    return booked

    def stop():
        time.sleep(dice.uniform(0.05, 0.3))
        new_bank.stop()
        return 0

    jobs = [lambda number=number: client(number) for number in range(24)]
    booked = sum(together([*jobs, stop]))
    assert new_bank.start().balance(1) == booked


# ---- clients that misbehave while it runs


def test_clients_that_never_read_or_reset_do_not_disturb_the_others(new_bank):
    flood = request("GET", "/clientes/1/extrato") * 20000
    stop = threading.Event()

    def never_reads():
        with new_bank.connect() as connection:
            connection.socket.setblocking(False)
            try:
                connection.socket.send(flood)
            except OSError:
                pass
            stop.wait(60)

    def resets():
        for _ in range(100):
            with new_bank.connect() as connection:
                connection.send(post(1, 1) * 5)
                linger = struct.pack("ii", 1, 0)
                connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    def behaves():
        with new_bank.connect() as connection:
            for count in range(1, 101):
                assert connection.ask(post(2, 1)).json()["saldo"] == count
        stop.set()

    together([never_reads, never_reads, resets, behaves])
    assert new_bank.balance(2) == 100


def test_a_server_without_standard_streams_serves(make_bank):
    bank = make_bank(prefix=["sh", "-c", 'exec "$@" <&- >&-', "sh"])
    assert bank.post(1, 5).json()["saldo"] == 5
    assert os.path.exists(f"/proc/{bank.process.pid}")


# ---- too few descriptors


@pytest.mark.parametrize("files", [8, 16, 51])
def test_too_low_a_limit_on_open_files_is_a_clear_message_and_exit_1(tmp_path, files):
    done = serve(tmp_path / "data", prefix=["prlimit", f"--nofile={files}"])
    assert done.returncode == 1 and "ulimit -n" in done.stderr, done
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("files", [52, 60, 80, 200])
def test_as_many_connections_are_served_as_the_limit_on_open_files_allows(make_bank, files):
    bank = make_bank(prefix=["prlimit", f"--nofile={files}"])
    fitting = int(re.search(r"max_connections=(\d+)", bank.log)[1])
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(bank.connect()) for _ in range(files)]
        for connection in connections[:fitting]:
            assert connection.ask(post(1, 1)).status == 200
        for connection in connections[fitting:fitting + 1]:
            assert connection.receive().status == 503
    assert bank.restart().balance(1) == fitting
