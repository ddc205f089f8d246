# SPDX-License-Identifier: MIT
"""Which requests there are, and the shape of their answers."""

import re
from datetime import datetime, timedelta, timezone

import pytest

from bank import LIMITS, is_problem, post, request, transaction

GETS = ["/clientes/1/extrato", "/healthz"]
POST = "/clientes/1/transacoes"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"


def test_five_clients_exist_from_the_start_with_balance_0(new_bank):
    for client, limit in LIMITS.items():
        extrato = new_bank.extrato(client)
        assert extrato["saldo"]["total"] == 0 and extrato["saldo"]["limite"] == limit
        assert extrato["ultimas_transacoes"] == []


@pytest.mark.parametrize("client", LIMITS)
def test_a_transaction_is_answered_with_the_limit_and_the_new_balance(bank, client):
    before = bank.balance(client)
    response = bank.post(client, 7, "c")
    assert response.status == 200
    assert response.json() == {"limite": LIMITS[client], "saldo": before + 7}
    assert bank.post(client, 3, "d").json() == {"limite": LIMITS[client], "saldo": before + 4}


def test_an_extrato_holds_the_balance_its_instant_the_limit_and_the_last_transactions(bank):
    total = bank.post(1, 12, "c", "entrada").json()["saldo"]
    extrato = bank.extrato(1)
    assert set(extrato) == {"saldo", "ultimas_transacoes"}
    assert set(extrato["saldo"]) == {"total", "data_extrato", "limite"}
    assert extrato["saldo"]["total"] == total and extrato["saldo"]["limite"] == LIMITS[1]
    newest = extrato["ultimas_transacoes"][0]
    assert set(newest) == {"valor", "tipo", "descricao", "realizada_em"}
    assert (newest["valor"], newest["tipo"], newest["descricao"]) == (12, "c", "entrada")


def test_the_newest_transaction_comes_first(bank):
    for valor in (1, 2, 3):
        bank.post(2, valor)
    assert [entry["valor"] for entry in bank.extrato(2)["ultimas_transacoes"][:3]] == [3, 2, 1]


def test_an_extrato_shows_at_most_ten_transactions(new_bank):
    for count in range(1, 13):
        new_bank.post(1, count)
        shown = [entry["valor"] for entry in new_bank.extrato(1)["ultimas_transacoes"]]
        assert shown == list(range(count, max(count - 10, 0), -1))


def test_times_are_rfc_3339_in_utc_with_microseconds_and_a_z(bank):
    before = datetime.now(timezone.utc)
    bank.post(1)
    extrato = bank.extrato(1)
    after = datetime.now(timezone.utc)
    times = [extrato["ultimas_transacoes"][0]["realizada_em"], extrato["saldo"]["data_extrato"]]
    for time in times:
        assert re.fullmatch(TIME, time), time
        margin = timedelta(milliseconds=50)  # A coarse clock may lag.
        assert before - margin <= datetime.fromisoformat(time) <= after + margin
    assert times[0] <= times[1]


def test_the_health_check_says_healthy_as_plain_text(bank):
    response = bank.get("/healthz")
    assert (response.status, response.body) == (200, b"Healthy")
    assert response.media_type == "text/plain"


@pytest.mark.parametrize("target", [*GETS, "/clientes/6/extrato", "/nowhere", POST])
def test_head_is_answered_wherever_get_is_without_the_body(bank, target):
    with bank.connect() as connection:
        head = connection.ask(request("HEAD", target))
        get = connection.ask(request("GET", target))  # Misread if a body came after the HEAD.
    assert (head.status, head.media_type) == (get.status, get.media_type)
    if head.header("Content-Length") is not None and get.status != 200:
        assert head.header("Content-Length") == get.header("Content-Length")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "SEARCH",
                                    "PURGE"])
@pytest.mark.parametrize("target", [*GETS, POST, "/clientes/6/extrato"])
def test_a_known_route_with_another_method_is_405_and_allow_names_the_right_ones(
        bank, method, target):
    response = bank.ask(request(method, target))
    assert is_problem(response, 405, "metodo-nao-permitido")
    allowed = {name.strip() for name in response.header("Allow").split(",")}
    assert allowed == ({"POST"} if target == POST else {"GET", "HEAD"})


@pytest.mark.parametrize("method, target", [("POST", target) for target in GETS] + [("GET", POST)])
def test_a_route_has_not_the_method_of_another(bank, method, target):
    assert is_problem(bank.ask(request(method, target, b"{}")), 405, "metodo-nao-permitido")


@pytest.mark.parametrize("target", [
    "/", "/clientes", "/clientes/", "/clientes/1", "/clientes//extrato", "/clientes/1/saldo",
    "//clientes/1/extrato", "/clientes/1/extrato/x", "/clientes/1/2/extrato", "/health",
    "/healthz/x", "/healthzz", "/clientes/1/extratos", "/clientes/1/transacoe", "/x" * 500])
def test_an_unknown_route_is_404(bank, target):
    for method in ("GET", "POST", "DELETE"):
        assert is_problem(bank.ask(request(method, target)), 404, "rota-desconhecida")


@pytest.mark.parametrize("method, target", [
    ("GET", "/clientes/1/extrato/"), ("GET", "/healthz/"), ("POST", POST + "/"),
    ("GET", "/clientes/1/extrato//"), ("GET", "/clientes/1//extrato")])
def test_one_trailing_slash_too_many_is_404(bank, method, target):
    body = transaction() if method == "POST" else None
    assert is_problem(bank.ask(request(method, target, body)), 404, "rota-desconhecida")


@pytest.mark.parametrize("target", ["/Clientes/1/extrato", "/clientes/1/Extrato", "/HEALTHZ"])
def test_a_path_in_another_case_is_404(bank, target):
    assert is_problem(bank.get(target), 404, "rota-desconhecida")


@pytest.mark.parametrize("query", ["?", "?a=1", "?id=6", "?/../", "??", "?%00", "?a=1&b=%ff"])
def test_a_query_string_is_ignored(bank, query):
    for target in GETS:
        assert bank.get(target + query).status == 200
    assert bank.ask(request("POST", POST + query, transaction())).status == 200
    assert bank.get("/nowhere" + query).status == 404


@pytest.mark.parametrize("client", [
    "0", "01", "+1", "1.0", "abc", "-1", "-0", "1a", "a1", "0x1", "1e0", "%31", "1%20", "%201",
    "1,", "2147483648", "4294967295", "4294967296", "4294967297", "9223372036854775807",
    "9223372036854775808", "18446744073709551616", "18446744073709551617", "1" * 20, "1" * 300,
    "00000000000000000001", "%EF%BC%91", ".", "..", "1;2", "null", "*"])
def test_an_id_that_is_not_a_canonical_decimal_from_1_to_2147483647_is_404(bank, client):
    for method in ("GET", "DELETE"):
        assert bank.ask(request(method, f"/clientes/{client}/extrato")).status == 404
    assert bank.ask(post(client)).status == 404


@pytest.mark.parametrize("client", [6, 7, 10, 11, 12, 15, 51, 111, 1000, 2147483646, 2147483647])
def test_an_id_that_no_client_has_is_404(bank, client):
    assert is_problem(bank.get(f"/clientes/{client}/extrato"), 404, "cliente-desconhecido")
    assert is_problem(bank.post(client), 404, "cliente-desconhecido")


def test_successes_are_application_json(bank):
    for response in (bank.post(1), bank.get("/clientes/1/extrato")):
        assert response.status == 200 and response.media_type == "application/json"


# One request for each kind of error that needs no special server.
ERRORS = [
    (404, "rota-desconhecida", request("GET", "/nowhere")),
    (404, "cliente-desconhecido", request("GET", "/clientes/6/extrato")),
    (405, "metodo-nao-permitido", request("PUT", "/healthz")),
    (501, "metodo-desconhecido", request("FROBNICATE", "/healthz")),
    (400, "requisicao-invalida", b"GET /healthz HTTP/1.1\r\n\r\n"),
    (400, "json-invalido", request("POST", POST, b"{")),
    (400, "chave-invalida", post(1, key="x" * 65)),
    (413, "corpo-grande-demais", request("POST", POST, b" " * 5000)),
    (431, "cabecalho-grande-demais", request("GET", "/healthz", None, ["X: " + "x" * 9000])),
    (422, "campo-invalido", post(1, 0)), (422, "limite-excedido", post(1, 2000000000000000, "d")),
    (422, "saldo-maximo", post(1, 9007199254740991, "c")),
]


@pytest.mark.parametrize("status, type, data", ERRORS, ids=[error[1] for error in ERRORS])
def test_errors_are_application_problem_json_with_type_title_status_and_detail(
        bank, status, type, data):
    above_zero(bank)
    assert is_problem(bank.ask(data), status, type)


def above_zero(bank):
    """Then the greatest credit is too much."""
    while bank.post(1, 1000).json()["saldo"] <= 0:
        pass


def test_the_type_tells_the_kinds_of_one_status_apart(bank):
    above_zero(bank)
    bank.post(1, 100, key="of-the-types")
    reused = bank.post(1, 101, key="of-the-types")
    answers = [bank.ask(data) for _, _, data in ERRORS] + [reused]
    assert len({answer.type for answer in answers}) == len(ERRORS) + 1
    assert len({answer.json()["title"] for answer in answers}) == len(ERRORS) + 1


@pytest.mark.parametrize("fields, words", [
    ({"valor": 0}, ["valor", "9007199254740991"]),
    ({"tipo": "x"}, ["tipo", "c", "d"]),
    ({"descricao": ""}, ["descricao", "10"]),
    ({"descricao": "x" * 11}, ["descricao", "10"])])
def test_the_detail_names_the_field_and_the_rule(bank, fields, words):
    assert is_problem(bank.post_body(transaction(**fields)), 422, "campo-invalido", *words)
