# SPDX-License-Identifier: MIT
"""The bank for anybody: TLS, HTTP/2, limits, and clients that are slow."""

import contextlib
import signal
import ssl
import subprocess

import pytest

from bank import PATIENCE_S, Connection, is_problem, post, request, transaction
from clients import Clients
from load import NO_ANSWER
from topology import BALANCED, TlsConnection, certificate, tls

STORES = BALANCED
HEALTH = request("GET", "/healthz")
POST = "/clientes/1/transacoes"
# What one address may ask is far more here.
FOR_A_LOAD = {"rate=20r/s": "rate=10000r/s", "burst=40": "burst=10000",
              "limit_conn connections 20": "limit_conn connections 100"}


@pytest.fixture
def public_bank(make_bank):
    return make_bank(public=True)


def at_most(bank, version):
    """A connection with this version of TLS, for which it would do anything."""
    context = tls()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    return TlsConnection(bank.address, context)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_tls_1_2_and_1_3_are_served_and_nothing_older(public_bank):
    for version, name in (ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3"):
        with at_most(public_bank, version) as connection:
            assert connection.socket.version() == name
            assert connection.ask(HEALTH).status == 200
    for version in ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1:
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            at_most(public_bank, version)


def test_what_is_not_tls_is_refused_and_not_served(public_bank):
    with Connection(public_bank.address) as connection:
        assert is_problem(connection.ask(post(1, 1)), 400, "requisicao-invalida")
        assert connection.ended()
    assert public_bank.balance(1) == 0


def curl(bank, *arguments):
    done = subprocess.run(["curl", "--silent", "--show-error", "--cacert", certificate() / "fullchain.pem",
                           "--write-out", "\n%{http_version} %{http_code}", *arguments[:-1],
                           f"https://localhost:{bank.nginx.port}{arguments[-1]}"],
                          capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done
    body, _, last = done.stdout.rpartition("\n")
    return body, last


def test_http_2_is_spoken_with_whoever_speaks_it(public_bank):
    assert curl(public_bank, "--http2", "/healthz") == ("Healthy", "2 200")
    assert curl(public_bank, "--http1.1", "/healthz") == ("Healthy", "1.1 200")
    for _ in range(2):
        body = ["--data", transaction(5).decode(), "--header", "Idempotency-Key: k"]
        assert curl(public_bank, "--http2", *body, POST) == ('{"limite":100000,"saldo":5}', "2 200")
    assert public_bank.balance(1) == 5


WORD_FOR_WORD = [
    HEALTH, request("HEAD", "/healthz"), request("GET", "/nowhere"), request("GET", "/clientes/6/extrato"),
    request("GET", "/clientes/%31/extrato"), request("GET", "/clientes/1//extrato"), request("PUT", "/healthz"),
    request("POST", POST, b"{"), request("POST", POST), post(1, 0), post(1, 10**6, "d"), post(1, key="x" * 65),
    post(6), request("POST", POST, b" " * 4096), request("POST", POST, b" " * 4097),
    request("GET", "/healthz", None, ["X: " + "x" * 8200]), request("GET", "/healthz?" + "x" * 8200),
    request("GET", "/healthz", None, [f"X-{n}: {'x' * 1000}" for n in range(9)])]


def test_what_the_bank_says_comes_through_word_for_word(public_bank):
    for data in WORD_FOR_WORD:
        answers = []
        for connection in Connection(public_bank.instances[0].address), public_bank.connect():
            with connection:
                answers.append(connection.ask(data))
        own, seen = answers
        assert (seen.status, seen.media_type, seen.body) == (own.status, own.media_type, own.body), data
        assert seen.header("Allow") == own.header("Allow")
        assert seen.header("Server") == "nginx"  # and no version
        assert seen.header("Strict-Transport-Security") == "max-age=31536000"


def test_a_repeat_with_its_key_is_told_so(public_bank):
    first, again = [public_bank.post(2, 7, key="k") for _ in range(2)]
    assert first.body == again.body
    assert [one.header("Idempotency-Replayed") for one in (first, again)] == [None, "true"]
    assert public_bank.post(2, 8, key="k").type == "chave-reutilizada"


def test_nonsense_is_400_in_the_form_of_all_problems(public_bank):
    for data in b"GET nonsense\r\n\r\n", b"GET /healthz HTTP/1.1\r\n\r\n", b"\x16\x03\x01 / HTTP/1.1\r\n\r\n":
        with public_bank.connect() as connection:
            assert is_problem(connection.ask(data), 400, "requisicao-invalida")
            assert connection.ended()


def test_who_asks_too_much_is_429_and_nothing_happened(public_bank):
    with public_bank.connect() as connection:
        answers = connection.ask_all([post(1, 1)] * 200)
    served = [answer for answer in answers if answer.status == 200]
    refused = [answer for answer in answers if answer.status != 200]
    assert len(served) >= 40 and len(refused) > 0
    for answer in refused:
        assert is_problem(answer, 429, "pedidos-demais", "nothing happened")
        assert int(answer.header("Retry-After")) > 0
    with Connection(public_bank.instances[0].address) as direct:
        extrato = direct.ask(request("GET", "/clientes/1/extrato")).json()
    assert extrato["saldo"]["total"] == len(served)


@contextlib.contextmanager
def half_sent(bank, count):
    """So many clients that have sent all of a transaction but its last byte."""
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(bank.connect()) for _ in range(count)]
        for connection in connections:
            connection.send(post(2, 1)[:-1])
        assert connections[-1].silent(0.2)
        yield connections


def test_who_has_too_many_requests_under_way_is_429(public_bank):
    with half_sent(public_bank, 20) as connections:
        assert is_problem(public_bank.post(1, 1), 429, "pedidos-demais")
        for connection in connections:
            assert connection.ask(post(2, 1)[-1:]).status == 200
    assert public_bank.post(1, 1).status == 200


def test_clients_that_send_slowly_take_no_connections_of_the_bank(make_bank):
    bank = make_bank("--max-connections", 1, public=True, changes={"worker_processes auto": "worker_processes 1"})
    with half_sent(bank, 10) as connections:
        for count in range(5):
            assert bank.post(1, 1).json()["saldo"] == count + 1
        for connection in connections:
            assert connection.ask(post(2, 1)[-1:]).status == 200
    assert bank.balance(2) == 10


def held(bank, *requests):
    """Sends them, each on a connection of its own, to one instance that has stopped; the other starts then."""
    first, second = bank.instances
    second.kill()
    first.process.send_signal(signal.SIGSTOP)
    connections = [bank.connect().send(data) for data in requests]
    assert all(connection.silent(0.3) for connection in connections)
    return connections


def test_a_post_that_may_have_arrived_is_not_sent_again_and_is_unknown(public_bank):
    """The instance that has it dies, and there would be another; a GET goes there."""
    posted, asked = held(public_bank, post(1, 10), request("GET", "/clientes/1/extrato"))
    first, second = public_bank.instances
    if public_bank.store.kind == "lmdb":  # It could not find out who has the folder.
        first.kill()
        second.begin()
    else:
        second.begin()
        first.kill()
        assert asked.receive().status == 200
    answer = posted.receive()
    assert is_problem(answer, 504, "resultado-desconhecido")
    assert answer.header("Retry-After") is None
    assert public_bank.balance(1) == 0
    for connection in posted, asked:
        connection.socket.close()


def test_a_post_that_no_instance_took_is_503_and_nothing_happened(public_bank):
    assert public_bank.post(1, 1).status == 200
    public_bank.kill()
    for data in post(1, 10), request("GET", "/clientes/1/extrato"):
        answer = public_bank.ask(data)
        assert is_problem(answer, 503, "indisponivel", "nothing happened")
        assert int(answer.header("Retry-After")) > 0
    public_bank.start()
    assert public_bank.balance(1) == 1


@pytest.mark.parametrize("number", [0, 1])
def test_an_instance_killed_under_load_costs_nothing_that_was_acknowledged(make_bank, number):
    """Without keys, so that what NGINX sent twice would be booked twice."""
    bank = make_bank(public=True, changes=FOR_A_LOAD)
    with Clients(bank, keys=False) as load:
        for _ in range(2):
            load.acknowledged(100)
            bank.instances[number].kill()
            load.acknowledged(100)
            bank.start()
            load.served_again()
    statuses = load.judge(bank.store)
    assert statuses[NO_ANSWER] == 0 and statuses[429] == 0, statuses
    assert set(statuses) <= {200, 422, 503, 504}
