# SPDX-License-Identifier: MIT
"""HTTP that is served: connections, bodies, pipelines.

What is sent may arrive at once or byte by byte; the answers are the same.
"""

import time

import pytest

from bank import PATIENCE_S, Closed, chunked, is_problem, post, request, transaction

POST = "/clientes/1/transacoes"
EXTRATO = request("GET", "/clientes/1/extrato")
HEALTH = request("GET", "/healthz")
GOOD = transaction()
either_way = pytest.mark.parametrize("how", ["at once", "byte by byte", "in pieces"])


@either_way
@pytest.mark.parametrize("headers", [[], ["Connection: keep-alive"], ["Connection: x, keep-alive"]])
def test_http_1_1_connections_stay_open(bank, how, headers):
    with bank.connect() as connection:
        for data in (request("GET", "/healthz", None, headers), post(1), EXTRATO, HEALTH,
                     request("GET", "/nowhere"), post(6), post(1, 0), request("PUT", "/healthz"),
                     request("POST", POST, b"{"), post(1, key="\t"), EXTRATO):
            answer = connection.ask(data, how)
            assert answer.header("Connection") in (None, "keep-alive")
        assert answer.status == 200


@either_way
@pytest.mark.parametrize("header", ["Connection: close", "connection: CLOSE",
                                    "Connection: x, close"])
def test_a_connection_closes_when_the_client_asks_for_it(bank, how, header):
    with bank.connect() as connection:
        answer = connection.ask(request("GET", "/healthz", None, [header]) + HEALTH, how)
        assert (answer.status, answer.header("Connection")) == (200, "close")
        assert connection.ended()
    with bank.connect() as connection:
        body = request("POST", POST, GOOD, [header])
        assert connection.ask(body, how).status == 200
        assert connection.ended()


@either_way
def test_http_1_0_connections_stay_open_only_when_asked_to(bank, how):
    with bank.connect() as connection:
        answer = connection.ask(b"GET /healthz HTTP/1.0\r\n\r\n", how)
        assert (answer.status, answer.body) == (200, b"Healthy")
        assert connection.ended()
    with bank.connect() as connection:
        data = request("POST", POST, GOOD, ["Connection: keep-alive"], version="1.0")
        for _ in range(3):
            answer = connection.ask(data, how)
            assert (answer.status, answer.header("Connection")) == (200, "keep-alive")
        answer = connection.ask(request("POST", POST, GOOD, version="1.0"), how)
        assert answer.status == 200
        assert connection.ended()


@either_way
def test_pipelined_requests_are_answered_in_order(bank, how):
    requests, expected = [], []
    for count in range(50):
        data, status = [(post(2, 1, "c", f"n{count}"), 200), (EXTRATO, 200), (post(6), 404),
                        (HEALTH, 200), (post(1, 0), 422)][count % 5]
        requests.append(data)
        expected.append(status)
    before = bank.balance(2)
    with bank.connect() as connection:
        connection.send(b"".join(requests), how)
        answers = [connection.receive() for _ in requests]
    assert [answer.status for answer in answers] == expected
    balances = [answer.json()["saldo"] for answer in answers[::5]]
    assert balances == list(range(before + 1, before + 11))
    assert {answer.body for answer in answers[3::5]} == {b"Healthy"}


def test_a_pipeline_larger_than_any_buffer_is_answered(bank):
    before = bank.balance(3)
    with bank.connect() as connection:
        answers = connection.ask_all((post(3, 1, "c", f"n{n}") for n in range(300)), at_a_time=300)
        assert [answer.json()["saldo"] for answer in answers] == list(
            range(before + 1, before + 301))
        answers = connection.ask_all([EXTRATO] * 300, at_a_time=300)
        assert {answer.status for answer in answers} == {200}


@either_way
def test_requests_before_a_bad_one_are_answered_and_none_after_it(bank, how):
    before = bank.balance(1)
    with bank.connect() as connection:
        connection.send(post(1, 1) + HEALTH + b"GET nonsense\r\n\r\n" + post(1, 1), how)
        assert [connection.receive().status for _ in range(3)] == [200, 200, 400]
        assert connection.ended()
    assert bank.balance(1) == before + 1


@either_way
@pytest.mark.parametrize("data", [
    request("POST", POST, GOOD),
    request("POST", POST, None, [f"content-length:{len(GOOD)}"]) + GOOD,
    request("POST", POST, None, [f"Content-Length: \t000{len(GOOD)} "]) + GOOD,
    chunked("POST", POST, [(GOOD, b"")]),
    chunked("POST", POST, [(bytes([byte]), b"") for byte in GOOD]),
    chunked("POST", POST, [(GOOD[:9], b""), (GOOD[9:], b"")]),
    chunked("POST", POST, [(GOOD, b";name")]),
    chunked("POST", POST, [(GOOD, b';name=value;other="a;b"')]),
    chunked("POST", POST, [(GOOD, b"")], trailers="X: y\r\nY: z\r\n"),
    request("POST", POST, None, ["transfer-encoding: CHUNKED"]) + b"%X\r\n%b\r\n0\r\n\r\n" % (
        len(GOOD), GOOD),
    request("POST", POST, None, ["Transfer-Encoding: chunked"]) + b"0000%x\r\n%b\r\n000\r\n\r\n" % (
        len(GOOD), GOOD)],
    ids=["length", "no space", "zeros", "one chunk", "small chunks", "two chunks", "extension",
         "extensions", "trailers", "upper case", "zeros in chunk sizes"])
def test_a_body_comes_with_content_length_or_in_chunks(bank, data, how):
    before = bank.balance(1)
    with bank.connect() as connection:
        for count in (1, 2):
            assert connection.ask(data, how).json()["saldo"] == before + count
        assert connection.ask(HEALTH, how).status == 200


@either_way
def test_a_trailer_is_not_taken_for_a_header(bank, how):
    with bank.connect() as connection:
        for trailer in ("Idempotency-Key: as-a-trailer", "Idempotency-Key: not a key"):
            data = chunked("POST", POST, [(GOOD, b"")], trailers=trailer + "\r\n")
            for _ in range(2):
                answer = connection.ask(data, how)
                assert answer.status == 200
                assert answer.header("Idempotency-Replayed") is None


@either_way
@pytest.mark.parametrize("method, target, status", [
    ("GET", "/healthz", 200), ("GET", "/clientes/1/extrato", 200), ("DELETE", "/healthz", 405),
    ("POST", "/nowhere", 404), ("POST", "/clientes/6/transacoes", 404), ("OPTIONS", POST, 405)])
def test_a_body_that_nobody_asked_for_is_never_read_as_a_request(bank, method, target, status, how):
    with bank.connect() as connection:
        for data in (request(method, target, HEALTH), chunked(method, target, [(HEALTH, b"")])):
            assert connection.ask(data, how).status == status
        assert connection.ask(EXTRATO, how).media_type == "application/json"


def test_head_of_a_request_with_a_body_keeps_the_connection_in_step(bank):
    with bank.connect() as connection:
        assert connection.ask(request("HEAD", "/healthz", HEALTH)).status == 200
        assert connection.ask(EXTRATO).media_type == "application/json"


@pytest.mark.parametrize("header", ["Expect: 100-continue", "expect: 100-Continue"])
@pytest.mark.parametrize("length", ["Content-Length: %d" % len(GOOD), "Transfer-Encoding: chunked"])
def test_expect_100_continue_is_answered_with_100_continue(bank, header, length):
    body = GOOD if length.startswith("C") else b"%x\r\n%b\r\n0\r\n\r\n" % (len(GOOD), GOOD)
    with bank.connect() as connection:
        for _ in range(2):
            interim = connection.ask(request("POST", POST, None, [header, length]))
            assert (interim.status, interim.headers) == (100, [])
            assert connection.silent(0.05)
            assert connection.ask(body).status == 200
        assert connection.ask(HEALTH).status == 200


@either_way
def test_a_client_that_does_not_wait_for_100_continue_gets_its_answer(bank, how):
    with bank.connect() as connection:
        answer = connection.ask(request("POST", POST, GOOD, ["Expect: 100-continue"]), how)
        if answer.status == 100:
            answer = connection.receive()
        assert answer.status == 200
        assert connection.ask(HEALTH).status == 200


@pytest.mark.parametrize("status, method, target, length", [
    (413, "POST", POST, 4097), (413, "POST", POST, 10**12), (404, "POST", "/nowhere", 10),
    (404, "POST", "/clientes/6/transacoes", 10), (405, "PUT", POST, 10)])
def test_a_request_that_is_refused_is_not_told_to_continue(bank, status, method, target, length):
    """Its answer comes without the body, which may then come all the same or not at all."""
    with bank.connect() as connection:
        headers = ["Expect: 100-continue", f"Content-Length: {length}"]
        assert connection.ask(request(method, target, None, headers)).status == status


@pytest.mark.parametrize("status, target", [(404, "/nowhere"), (404, "/clientes/6/extrato"),
                                            (405, POST), (413, "/clientes/1/extrato")])
def test_a_head_that_is_refused_has_no_body_also_when_it_expects_100_continue(bank, status, target):
    length = f"Content-Length: {4097 if status == 413 else 10}"
    for expect in ([], ["Expect: 100-continue"]):
        with bank.connect() as connection:
            headers = ["Connection: close", length, *expect]
            data = request("HEAD", target, None, headers) + (b"" if expect else b" " * 4097)
            assert connection.ask(data).status == status
            assert connection.ended()


def test_http_1_0_knows_no_100_continue(bank):
    with bank.connect() as connection:
        data = request("POST", POST, GOOD, ["Expect: 100-continue"], version="1.0")
        assert connection.ask(data).status == 200


@either_way
@pytest.mark.parametrize("headers", [
    ["Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"],
    ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"],
    ["Upgrade: TLS/1.0, HTTP/2.0", "Connection: Upgrade"], ["Upgrade: x"]])
def test_upgrade_is_ignored(bank, headers, how):
    with bank.connect() as connection:
        assert connection.ask(request("GET", "/healthz", None, headers), how).status == 200
        assert connection.ask(request("POST", POST, GOOD, headers), how).status == 200
        assert connection.ask(EXTRATO, how).status == 200


@either_way
@pytest.mark.parametrize("lines", [1, 2, 10])
def test_a_few_empty_lines_before_a_request_are_skipped(bank, lines, how):
    with bank.connect() as connection:
        for _ in range(2):
            assert connection.ask(b"\r\n" * lines + HEALTH, how).status == 200


def test_headers_of_almost_8192_bytes_are_accepted(bank):
    with bank.connect() as connection:
        for headers in (["X: " + "x" * 7500], [f"X-{n}: {'x' * 60}" for n in range(100)]):
            assert connection.ask(request("GET", "/healthz", None, headers)).status == 200
            assert connection.ask(request("POST", POST, GOOD, headers)).status == 200


def test_a_client_that_closes_its_side_still_gets_its_answers(bank):
    with bank.connect() as connection:
        connection.send(post(1) + EXTRATO)
        connection.socket.shutdown(1)
        assert [connection.receive().status for _ in range(2)] == [200, 200]
        assert connection.ended()


def test_half_a_request_and_a_close_are_no_request(bank):
    before = bank.balance(1)
    for data in (post(1)[:-1], post(1)[:30], b"P", b"\r\n"):
        with bank.connect() as connection:
            connection.send(data).socket.shutdown(1)
            try:
                assert connection.receive().status == 400
            except Closed:
                pass
    assert bank.balance(1) == before


@pytest.mark.alone("the limit is that of each instance")
def test_at_the_connection_limit_a_new_one_is_answered_503_and_closed(make_bank):
    bank = make_bank("--max-connections", 4)
    connections = [bank.connect() for _ in range(4)]
    assert [connection.ask(HEALTH).status for connection in connections] == [200] * 4
    for _ in range(5):
        with bank.connect() as refused:
            assert is_problem(refused.receive(), 503, "indisponivel")
            assert refused.ended()
        with bank.connect() as refused:
            answer = refused.ask(post(1))
            assert answer.status == 503 and answer.header("Connection") == "close"
            assert refused.ended()
    assert [connection.ask(HEALTH).status for connection in connections] == [200] * 4
    connections.pop().socket.close()
    give_up = time.monotonic() + PATIENCE_S
    while bank.get("/healthz").status != 200:  # The server has to see the close first.
        assert time.monotonic() < give_up, "a closed connection still counts"


@pytest.mark.alone("the limit is that of each instance")
def test_a_connection_that_was_refused_takes_no_place(make_bank):
    """Though it is open still: the refused client has not closed its side yet."""
    bank = make_bank("--max-connections", 1)
    with bank.connect() as served, bank.connect() as refused, bank.connect() as refused_too:
        assert served.ask(HEALTH).status == 200
        assert refused.receive().status == refused_too.receive().status == 503
        served.socket.shutdown(1)
        assert served.ended()
        with bank.connect() as next:
            assert next.ask(HEALTH).status == 200
            assert bank.get("/healthz").status == 503
