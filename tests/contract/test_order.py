# SPDX-License-Identifier: MIT
"""When a request breaks several rules, the first one in the contract's order answers."""

import pytest

from bank import LIMITS, chunked, is_problem, post, request, transaction

POST = "/clientes/1/transacoes"
TOO_LONG = b" " * 4097
BAD_KEY = "Idempotency-Key: " + "x" * 65


def of_size(size):
    body = transaction(1)
    return body[:-1] + b" " * (size - len(body)) + b"}"


@pytest.mark.parametrize("method, target, status", [
    ("DELETE", "/nowhere", 404),
    ("DELETE", "/clientes/6/nowhere", 404),
    ("DELETE", "/clientes/01/extrato", 404),
    ("DELETE", "/clientes/6/extrato", 405),
    ("DELETE", "/clientes/6/transacoes", 405),
    ("GET", "/clientes/6/transacoes", 405),
    ("GET", "/clientes/6/extrato", 404)])
def test_the_route_is_judged_before_the_method_and_the_method_before_the_client(
        bank, method, target, status):
    assert bank.ask(request(method, target)).status == status


@pytest.mark.parametrize("method, target, status", [
    ("POST", "/nowhere", 404),
    ("POST", "/clientes/6/transacoes", 404),
    ("POST", "/clientes/01/transacoes", 404),
    ("PUT", POST, 405)])
@pytest.mark.parametrize("body", [TOO_LONG, b"{", b"{}"])
def test_route_method_and_client_are_judged_before_the_size_of_the_body(
        bank, method, target, status, body):
    for data in (request(method, target, body, [BAD_KEY]), chunked(method, target, [(body, b"")])):
        assert bank.ask(data).status == status


@pytest.mark.parametrize("data", [
    request("POST", POST, of_size(4097)),
    chunked("POST", POST, [(of_size(4097), b"")]),
    chunked("POST", POST, [(b" " * 241, b"")] * 17),
    chunked("POST", POST, [(of_size(4096), b""), (b" ", b"")])],
    ids=["length", "chunk", "chunks", "one more"])
@pytest.mark.parametrize("how", ["at once", "in pieces"])
def test_a_body_over_4096_bytes_is_413_and_the_connection_closes(bank, data, how):
    balance = bank.balance(1)
    with bank.connect() as connection:
        response = connection.ask(data, how)
        assert is_problem(response, 413, "corpo-grande-demais", "4096")
        assert response.header("Connection") == "close"
        assert connection.ended()
    assert bank.balance(1) == balance


@pytest.mark.parametrize("data", [
    request("POST", POST, of_size(4096)),
    chunked("POST", POST, [(of_size(4096), b"")]),
    chunked("POST", POST, [(of_size(4096)[at:at + 512], b"") for at in range(0, 4096, 512)])],
    ids=["length", "chunk", "chunks"])
def test_a_body_of_4096_bytes_is_accepted(bank, data):
    with bank.connect() as connection:
        assert connection.ask(data).status == 200
        assert connection.ask(data, "in pieces").status == 200


@pytest.mark.parametrize("body", [TOO_LONG, b"{" * 4097, b"\xff" * 4097, of_size(4097)])
def test_the_size_is_judged_before_the_key_and_the_json(bank, body):
    assert bank.ask(request("POST", POST, body, [BAD_KEY])).status == 413


@pytest.mark.parametrize("body", [b"", b"{", b"{}", transaction(0), transaction()])
def test_the_form_of_the_key_is_judged_after_the_size_and_before_the_json(bank, body):
    assert is_problem(bank.post_body(body, headers=[BAD_KEY]), 400, "chave-invalida")


@pytest.mark.parametrize("body", [
    b'{"valor":0,"tipo":"x","descricao":""', b'{"valor":0}x', b'{"valor":0,"valor":0}',
    b'{"valor":}'])
def test_json_is_judged_before_the_fields(bank, body):
    assert is_problem(bank.post_body(body), 400, "json-invalido")


@pytest.mark.parametrize("fields", [{"valor": 0}, {"tipo": "x"}, {"descricao": ""}])
def test_the_fields_are_judged_before_the_key_s_use_and_the_limit(bank, fields):
    assert bank.post(1, 5, key="fields-first").status == 200
    body = transaction(**{"valor": 2000000000000000, "tipo": "d", **fields})
    for headers in ([], ["Idempotency-Key: fields-first"]):
        assert is_problem(bank.post_body(body, headers=headers), 422, "campo-invalido")


def test_the_key_s_use_is_judged_before_the_limit(bank):
    assert bank.post(1, 5, key="key-first").status == 200
    assert is_problem(bank.post(1, 2000000000000000, "d", key="key-first"), 422,
                      "chave-reutilizada")
    assert is_problem(bank.post(1, 2000000000000000, "d", key="other"), 422, "limite-excedido")


@pytest.mark.parametrize("type", [
    None, "application/json", "text/plain", "application/json; charset=latin-1", "nonsense", ""])
def test_the_content_type_is_not_judged(bank, type):
    headers = [] if type is None else [f"Content-Type: {type}"]
    assert bank.post_body(transaction(), headers=headers).status == 200


@pytest.mark.parametrize("client", LIMITS)
def test_a_rejected_request_changes_nothing(new_bank, client):
    new_bank.post(client, 10, "c", "first", key="used")
    new_bank.post(client, 9, "c", "second")
    before = new_bank.state()
    path = f"/clientes/{client}/transacoes"
    with new_bank.connect() as connection:
        for data in (
                post(6), post("01"), request("PUT", path, transaction()),
                request("POST", f"/clientes/{client}/extrato", transaction()),
                request("POST", path, b""), request("POST", path, b"{"),
                request("POST", path, transaction() + b"x"), post(client, 0), post(client, -1),
                post(client, 1.5), post(client, 1, "x"), post(client, 1, "c", ""),
                post(client, LIMITS[client] + 20, "d"), post(client, 9007199254740991, "c"),
                post(client, 11, "c", "first", key="used"),
                post(client, 10, "c", "first", key="\t")):
            assert 400 <= connection.ask(data).status < 500
            assert new_bank.state() == before
        assert connection.ask(request("POST", path, of_size(4097))).status == 413
    assert new_bank.state() == before
    new_bank.restart()
    assert new_bank.state() == before
