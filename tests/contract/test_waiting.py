# SPDX-License-Identifier: MIT
"""Deadlines. They wait in the background, while other tests run, each on a bank of its own.

The bounds are wide: a deadline may be noticed late, but neither early nor never.
"""

import time

import pytest

from bank import chunked, is_problem, post, request, stuck, temporary_bank, together, transaction

EARLY_S, LATE_S = 0.3, 40
POST = "/clientes/1/transacoes"
GOOD = transaction()
HEADERS = f"POST {POST} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(GOOD)}\r\n".encode()
CHUNKS = chunked("POST", POST, [(bytes([byte]), b"") for byte in GOOD])


def trickle(connection, data, gap_s, seconds):
    """Sends a byte now and then for a while, or until the server answers."""
    give_up = time.monotonic() + seconds
    for at in range(len(data)):
        connection.send(data[at:at + 1])
        if time.monotonic() > give_up or not connection.silent(gap_s):
            return


# What comes at once, what trickles after it, and how long it takes between two bytes of that.
INCOMPLETE = {
    "nothing after the first byte": (b"P", b"", 1),
    "half the headers": (HEADERS[:60], b"", 1),
    "half the body": (HEADERS + b"\r\n" + GOOD[:9], b"", 1),
    "no body": (HEADERS + b"\r\n", b"", 1),
    "headers that trickle": (b"", HEADERS + b"X: " + b"y" * 1000, 0.25),
    "a body that trickles": (HEADERS + b"\r\n", GOOD[:-1] + b" " * 1000, 1),
    "chunks that trickle": (CHUNKS[:150], CHUNKS[150:], 0.5),
    "a second request": (request("GET", "/healthz") + HEADERS, b"", 1),
    "a body after 100 Continue": (HEADERS + b"Expect: 100-continue\r\n\r\n", b"", 1),
}


@pytest.mark.background
def test_a_request_not_complete_15_s_after_its_first_byte_is_408_also_when_it_trickles(store):
    def wait_for_408(name, bank):
        start, rest, gap_s = INCOMPLETE[name]
        with bank.connect() as connection:
            began = time.monotonic()
            connection.send(start)
            trickle(connection, rest, gap_s, LATE_S)
            answer = connection.receive()
            while answer.status in (100, 200):
                answer = connection.receive()
            took = time.monotonic() - began
            assert is_problem(answer, 408, "tempo-esgotado"), name
            assert answer.header("Connection") == "close", name
            assert 15 - EARLY_S < took < LATE_S, f"{name}: {took} s"
            assert connection.ended(), name

    with temporary_bank(store) as bank:
        together([lambda name=name: wait_for_408(name, bank) for name in INCOMPLETE])
        assert bank.balance(1) == 0


@pytest.mark.background
def test_a_slow_request_within_15_s_is_served_and_the_next_has_15_s_of_its_own(store):
    data = post(1)
    with temporary_bank(store) as bank:
        with bank.connect() as connection:
            for count in (1, 2, 3):
                trickle(connection, data, 7 / len(data), LATE_S)
                assert connection.receive().json()["saldo"] == count


@pytest.mark.background
def test_a_connection_that_idles_is_closed_after_75_s(store):
    with temporary_bank(store) as bank:
        with bank.connect() as used, bank.connect() as unused:
            for connection in (used, unused):
                connection.socket.settimeout(150)
            assert used.ask(request("GET", "/healthz")).status == 200
            began = time.monotonic()
            assert used.ended()
            assert 75 - EARLY_S < time.monotonic() - began < 75 + LATE_S
            assert not unused.more(), "a connection that was never used stays open for ever"


@pytest.mark.alone("the other knows after 4 s that it got no lock: nothing happened", store="postgres")
@pytest.mark.background
def test_an_answer_that_takes_over_10_s_is_504_and_resultado_desconhecido_without_retry_after(store):
    with temporary_bank(store, faults=True) as bank:
        assert bank.post(1, 1).status == 200
        bank.fault("flush wait")
        with bank.connect() as first, bank.connect() as second:
            began = time.monotonic()
            first.send(post(1, 10, key="k"))
            bank.await_fault()
            second.send(post(1, 100, key="l"))  # In no batch yet, but handed over.
            for connection in (first, second):
                assert connection.silent(3)
                assert bank.balance(1) == 1
            for connection in (first, second):
                answer = connection.receive()
                assert is_problem(answer, 504, "resultado-desconhecido")
                assert answer.header("Retry-After") is None
                assert 10 - EARLY_S < time.monotonic() - began < LATE_S
            assert bank.extrato(1)["ultimas_transacoes"][0]["valor"] == 1
            bank.fault()
            assert first.ask(post(1, 10, key="k")).status == 200
            assert second.ask(post(1, 100, key="l")).status == 200
        assert bank.balance(1) == 111


@pytest.mark.alone("the other has no flush that hangs, and serves", store="postgres")
@pytest.mark.background
def test_the_health_check_is_503_while_a_flush_hangs_for_over_10_s(store):
    def await_health(bank, status):
        give_up = time.monotonic() + LATE_S
        while bank.get("/healthz").status != status:
            assert time.monotonic() < give_up, f"it never gets {status}"
            time.sleep(0.1)

    with temporary_bank(store, faults=True) as bank:
        began = time.monotonic()
        with stuck(bank, post(1, 10)) as [connection]:
            await_health(bank, 503)
            assert time.monotonic() - began > 10 - EARLY_S
            assert connection.receive().status == 504
        await_health(bank, 200)
        assert bank.balance(1) == 10
