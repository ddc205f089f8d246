# SPDX-License-Identifier: MIT
"""What clients see while a flush hangs, and after one failed.

`stuck` holds a commit where it is not yet durable, for as long as a test needs.
"""

import threading

import pytest

from bank import Connection, is_problem, post, request, stuck

EXTRATO = request("GET", "/clientes/1/extrato")


def test_a_200_is_on_stable_storage_before_its_first_byte_is_written(faulty_bank):
    with stuck(faulty_bank, post(1, 10)) as [connection]:
        assert connection.silent(0.5)
        faulty_bank.fault()
        assert connection.receive().json()["saldo"] == 10
    for count in range(5):  # Each one waits for a flush of its own.
        with stuck(faulty_bank, post(1, 1)) as [connection]:
            assert connection.silent(0.05)
            faulty_bank.fault()
            assert connection.receive().status == 200


@pytest.mark.parametrize("first, hidden", [
    (post(1, 100000, "d"), post(1, 1, "d")),
    (post(1, 2**53 - 1, "c"), post(1, 1, "c")),
    (post(1, 10, key="k"), post(1, 10, key="k")),
    (post(1, 10, key="k"), post(1, 11, key="k"))],
    ids=["limit", "greatest balance", "repeat", "key used again"])
def test_no_reply_reveals_a_state_that_a_power_cut_could_undo(faulty_bank, first, hidden):
    """The second answer depends on the first transaction, so it waits for its flush."""
    with stuck(faulty_bank, first, hidden) as [one, two]:
        extrato = faulty_bank.extrato(1)
        assert extrato["saldo"]["total"] == 0 and extrato["ultimas_transacoes"] == []
        assert one.silent() and two.silent()
        faulty_bank.fault()
        answer = one.receive()
        assert answer.status == 200
        assert two.receive().status == 422 or hidden == first
    assert faulty_bank.balance(1) == answer.json()["saldo"]


def test_an_extrato_waits_for_no_commit(faulty_bank):
    faulty_bank.post(1, 5)
    with stuck(faulty_bank, post(1, 10), post(2, 10)) as [one, two]:
        for _ in range(100):
            assert faulty_bank.balance(1) == 5
        assert faulty_bank.get("/healthz").status == 200
        assert one.silent(0.01) and two.silent(0.01)


def test_whether_a_client_exists_is_known_without_asking_the_store(faulty_bank):
    with stuck(faulty_bank, post(1, 10)) as [connection]:
        assert is_problem(faulty_bank.post(6), 404, "cliente-desconhecido")
        assert is_problem(faulty_bank.get("/clientes/6/extrato"), 404, "cliente-desconhecido")
        assert is_problem(faulty_bank.post(1, 0), 422, "campo-invalido")
        assert is_problem(faulty_bank.post_body(b"{"), 400, "json-invalido")
        assert faulty_bank.post_body(b" " * 5000).status == 413
        assert connection.silent(0.01), "it did wait"


@pytest.mark.parametrize("count", [2, 16])
def test_a_repeated_request_books_nothing_also_when_both_are_in_one_batch(faulty_bank, count):
    """The first request's flush hangs meanwhile, so that the others wait for one batch."""
    with stuck(faulty_bank, post(2, 1), *[post(1, 10, key="k")] * count) as [_, *connections]:
        assert connections[-1].silent(0.1)
        faulty_bank.fault()
        answers = [connection.receive() for connection in connections]
    assert {answer.status for answer in answers} == {200}
    assert {answer.body for answer in answers} == {b'{"limite":100000,"saldo":10}'}
    replayed = [answer.header("Idempotency-Replayed") for answer in answers]
    assert sorted(replayed, key=str) == [None] + ["true"] * (count - 1)
    assert faulty_bank.balance(1) == 10


def test_one_batch_judges_each_transaction_on_the_balance_that_the_ones_before_it_left(faulty_bank):
    batch = [post(1, 60000, "d"), post(1, 60000, "d"), post(1, 20000, "c"), post(1, 60000, "d"),
             post(1, 1, "d")]
    with stuck(faulty_bank, post(2, 1), b"".join(batch)) as [_, pipeline]:
        assert pipeline.silent(0.1)
        faulty_bank.fault()
        answers = [pipeline.receive() for _ in batch]
    assert [answer.status for answer in answers] == [200, 422, 200, 200, 422]
    assert faulty_bank.balance(1) == -100000


def test_answers_on_one_connection_keep_their_order_while_one_waits(faulty_bank):
    pipeline = post(1, 10) + EXTRATO + request("GET", "/nowhere") + post(1, 5)
    with stuck(faulty_bank, pipeline) as [connection]:
        assert connection.silent(0.1)
        faulty_bank.fault()
        answers = [connection.receive() for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 404, 200]
    assert answers[1].json()["saldo"]["total"] >= 10
    assert answers[3].json()["saldo"] == 15


@pytest.mark.alone("the limit is that of each instance")
def test_past_the_pending_limit_a_transaction_is_503_and_not_booked(make_bank):
    bank = make_bank("--max-pending", 2, faults=True)
    with stuck(bank, post(1, 1), post(1, 10)) as pending:
        assert pending[-1].silent(0.1)  # It has its place, also where another thread reads it.
        for valor in (100, 200):
            refused = bank.post(1, valor, key="k")
            assert is_problem(refused, 503, "indisponivel")
            assert int(refused.header("Retry-After")) >= 0
        assert bank.post(1, 0).status == 422
        assert bank.balance(1) == 0
        bank.fault()
        assert [connection.receive().status for connection in pending] == [200, 200]
    assert bank.balance(1) == 11
    assert bank.post(1, 100, key="k").json()["saldo"] == 111


def test_a_client_that_leaves_before_its_answer_harms_nobody(faulty_bank):
    with stuck(faulty_bank, post(1, 1), *[post(1, 1)] * 20) as connections:
        for connection in connections[::2]:
            connection.socket.close()
        faulty_bank.fault()
        assert {connection.receive().status for connection in connections[1::2]} == {200}
    assert faulty_bank.post(1, 1).json()["saldo"] in range(12, 23)


# ---- a flush that fails


@pytest.fixture(params=[
    pytest.param("flush error EIO", id="flush"),
    pytest.param("flush error ENOSPC", id="no room for it", marks=pytest.mark.only("lmdb", "the server's disk"))])
def failed(faulty_bank, request):
    """A bank one of whose flushes failed, though the disk works again.

    PostgreSQL panics then; it is down until the bank is restarted, as the LMDB store is.
    """
    assert faulty_bank.post(1, 5, "c", "antes", key="before").status == 200
    faulty_bank.fault(request.param)
    faulty_bank.failure = faulty_bank.post(1, 10, "c", "durante", key="k")
    faulty_bank.fault()
    return faulty_bank


def test_a_failed_flush_is_504_and_resultado_desconhecido_without_retry_after(failed):
    assert is_problem(failed.failure, 504, "resultado-desconhecido")
    assert failed.failure.header("Retry-After") is None
    assert "level=error" in failed.log


def test_a_store_that_cannot_serve_is_503_with_retry_after_and_nothing_happened(failed):
    """What the disk holds after a failed flush cannot be trusted, so the bank stays down."""
    for data in [post(1, 1), post(2, 1, key="k2"), post(1, 5, "c", "antes", key="before"), EXTRATO]:
        for _ in range(3):
            answer = failed.ask(data)
            assert is_problem(answer, 503, "indisponivel")
            assert int(answer.header("Retry-After")) >= 0
    failed.restart()
    assert failed.balance(1) in (5, 15) and failed.balance(2) == 0
    assert failed.post(2, 1, key="k2").header("Idempotency-Replayed") is None


@pytest.mark.parametrize("status, data", [
    (404, request("GET", "/nowhere")), (405, request("PUT", "/healthz")), (404, post(6)),
    (404, request("GET", "/clientes/6/extrato")),
    (404, request("POST", "/clientes/6/transacoes", b"{")),
    (413, request("POST", "/clientes/1/transacoes", b" " * 5000)),
    (400, request("POST", "/clientes/1/transacoes", b"{")), (400, post(1, key="x" * 65)),
    (422, post(1, 0))], ids=["route", "method", "client", "client of an extrato",
                             "client before JSON", "size", "JSON", "key", "field"])
def test_a_bad_request_is_refused_as_such_even_when_the_store_cannot_serve(failed, status, data):
    assert failed.ask(data).status == status


@pytest.mark.alone("a server that fails one instance may serve the other for another moment", store="postgres")
def test_the_health_check_is_503_when_the_store_cannot_serve(failed):
    answer = failed.get("/healthz")
    assert answer.status == 503 and answer.body != b"Healthy"
    assert failed.ask(request("HEAD", "/healthz")).status == 503
    failed.restart()
    assert failed.get("/healthz").status == 200


def test_a_retry_with_its_key_settles_an_unknown_outcome(failed):
    failed.restart()
    booked = failed.balance(1) == 15
    again = failed.post(1, 10, "c", "durante", key="k")
    assert again.json()["saldo"] == 15
    assert again.header("Idempotency-Replayed") == ("true" if booked else None)
    assert failed.balance(1) == 15
    assert [entry["descricao"] for entry in failed.extrato(1)["ultimas_transacoes"]] == [
        "durante", "antes"]


def test_all_that_wait_for_a_flush_that_fails_are_told_504(faulty_bank):
    """Those of its batch, that is; those not yet handed to the disk may also be told 503."""
    with stuck(faulty_bank, *[post(1, 1)] * 10) as connections:
        faulty_bank.fault("flush error EIO")
        statuses = [connection.receive().status for connection in connections]
    assert set(statuses[1:]) <= {503, 504}
    faulty_bank.restart()
    assert faulty_bank.balance(1) <= statuses.count(200) + statuses.count(504)


def test_a_transaction_without_an_answer_yet_does_not_survive_in_replies_alone(faulty_bank):
    """Killed while its flush hangs, it is there whole or not at all, and so are the others."""
    faulty_bank.post(1, 5)
    seen = []

    def watch(address):
        with Connection(address) as connection:
            for _ in range(50):
                seen.append(connection.ask(EXTRATO).json()["saldo"]["total"])

    with stuck(faulty_bank, post(1, 10)):
        watcher = threading.Thread(target=watch, args=[faulty_bank.address])
        watcher.start()
        watcher.join()
        faulty_bank.kill()
    assert set(seen) == {5} and len(seen) == 50
    faulty_bank.start()
    assert faulty_bank.balance(1) in (5, 15)
