# SPDX-License-Identifier: MIT
"""A request sent again with its Idempotency-Key happens once."""

import time

import pytest

from bank import LIMITS, is_problem, post, request, together, transaction

VISIBLE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"\\')


def is_replay(response, first):
    assert response.status == first.status == 200
    assert response.body == first.body and response.media_type == first.media_type
    assert first.header("Idempotency-Replayed") is None
    assert response.header("Idempotency-Replayed") == "true"
    return True


def test_a_repeated_request_is_answered_200_with_the_first_body_and_idempotency_replayed(new_bank):
    first = new_bank.post(1, 100, "d", "um", key="k")
    new_bank.post(1, 7)  # The balance goes on, the answer to the repeat does not.
    state = new_bank.state()
    for _ in range(3):
        assert is_replay(new_bank.post(1, 100, "d", "um", key="k"), first)
    assert new_bank.state() == state
    new_bank.restart()
    assert is_replay(new_bank.post(1, 100, "d", "um", key="k"), first)
    new_bank.kill()
    new_bank.start()
    assert is_replay(new_bank.post(1, 100, "d", "um", key="k"), first)
    assert new_bank.state() == state


def test_a_repeat_that_the_limit_would_refuse_now_is_still_answered(new_bank):
    first = new_bank.post(1, LIMITS[1], "d", key="all")
    assert new_bank.post(1, 1, "d").status == 422
    assert is_replay(new_bank.post(1, LIMITS[1], "d", key="all"), first)


@pytest.mark.parametrize("key", ["a", "x" * 64, VISIBLE[:64], VISIBLE[-64:], "0", "a,b;c=d", "{}",
                                 "8e03978e-40d5-43dd-bc93-6894a57f9324"])
def test_a_key_is_1_to_64_visible_ascii_characters(bank, key):
    first = bank.post(2, 1, key=key)
    assert is_replay(bank.post(2, 1, key=key), first)


@pytest.mark.parametrize("key", ["abc", "q" * 64, "a,b"])
def test_a_key_means_the_same_with_and_without_quotes(bank, key):
    first = bank.post(3, 1, key=key)
    assert is_replay(bank.post(3, 1, key=f'"{key}"'), first)
    assert bank.post(3, 2, key=f'"{key}"').type == "chave-reutilizada"
    assert bank.post(3, 1, key=key[:-1] + "Z").header("Idempotency-Replayed") is None


@pytest.mark.parametrize("key", ["", '""', "x" * 65, '"' + "x" * 65 + '"', "x" * 4000, "a b",
                                 '"a b"', "a\tb", '" "', "é", "ação", "a\x80", "\xa0",
                                 '"\xff"'], ids=ascii)
def test_any_other_key_is_400(bank, key):
    state = bank.balance(1)
    assert is_problem(bank.post(1, key=key), 400, "chave-invalida")
    assert bank.balance(1) == state


@pytest.mark.parametrize("keys", [("a", "b"), ("a", "a"), ("a", ""), ("", "")])
def test_two_keys_are_400(bank, keys):
    headers = [f"Idempotency-Key: {key}" for key in keys]
    assert is_problem(bank.ask(post(1, headers=headers)), 400, "chave-invalida")


def test_white_space_around_a_key_is_not_part_of_it(bank):
    first = bank.post(4, key="space")
    assert is_replay(bank.post(4, key="  space\t "), first)


@pytest.mark.parametrize("name", ["idempotency-key", "IDEMPOTENCY-KEY", "iDEMPOTENCY-kEY"])
def test_the_name_of_the_header_has_no_case(bank, name):
    first = bank.post(5, 9, key="case-" + name)
    body = transaction(9)
    again = bank.post_body(body, 5, headers=[f"{name}: case-{name}"])
    assert is_replay(again, first)


def test_a_key_belongs_to_the_account_of_its_client(new_bank):
    for client in LIMITS:
        response = new_bank.post(client, client, key="shared")
        assert response.json() == {"limite": LIMITS[client], "saldo": client}
        assert response.header("Idempotency-Replayed") is None


def test_keys_are_told_apart_by_case_and_length(new_bank):
    keys = ["a", "A", "aa", "aaa", "a" * 63, "a" * 64, "a" * 63 + "b", "b" + "a" * 63]
    for count, key in enumerate(keys, 1):
        assert new_bank.post(1, 1, key=key).json()["saldo"] == count


@pytest.mark.parametrize("body", [
    b'{"valor":1000.0,"tipo":"c","descricao":"a\xc3\xa7\xc3\xa3o"}',
    b'{"valor":1e3,"tipo":"c","descricao":"a\\u00e7\\u00e3o"}',
    b'  {"descricao":"a\\u00E7\xc3\xa3o" , "tipo":"\\u0063", "valor":1000, "outro":[1,2]}\n'])
def test_the_same_valor_tipo_and_descricao_make_a_request_the_same(new_bank, body):
    first = new_bank.post(1, 1000, "c", "ação", key="same")
    assert is_replay(new_bank.post_body(body, headers=["Idempotency-Key: same"]), first)
    assert new_bank.balance(1) == 1000


@pytest.mark.parametrize("other", [
    (11, "c", "abc"), (10, "d", "abc"), (10, "c", "abd"), (10, "c", "ab"), (10, "c", "abc "),
    (10, "c", "Abc"), (2**53 - 1, "c", "abc"), (10 + 2**32, "c", "abc"), (200000, "d", "abc")])
def test_a_key_used_again_for_another_payload_is_422(new_bank, other):
    first = new_bank.post(1, 10, "c", "abc", key="k")
    assert is_problem(new_bank.post(1, *other, key="k"), 422, "chave-reutilizada")
    assert is_replay(new_bank.post(1, 10, "c", "abc", key="k"), first)
    assert new_bank.balance(1) == 10


def test_descricoes_that_only_look_alike_are_another_payload(new_bank):
    assert new_bank.post(1, 1, "c", "\u00e9", key="k").status == 200
    assert new_bank.post(1, 1, "c", "e\u0301", key="k").type == "chave-reutilizada"


def test_a_rejected_transaction_stores_no_key(new_bank):
    assert new_bank.post(1, 100001, "d", key="k").type == "limite-excedido"
    assert new_bank.post(1, 100001, "d", key="k").type == "limite-excedido"
    new_bank.post(1, 1)
    accepted = new_bank.post(1, 100001, "d", key="k")
    assert accepted.status == 200 and accepted.header("Idempotency-Replayed") is None
    assert new_bank.post(1, 0, key="other").type == "campo-invalido"
    assert new_bank.post(1, 5, key="other").json()["saldo"] == -100000 + 5


def test_a_repeated_request_books_nothing_also_when_both_arrive_at_once(new_bank):
    for round in range(10):
        answers = together([lambda: new_bank.post(1, 5, "d", "junto", key=f"r{round}")] * 16)
        assert [answer.status for answer in answers] == [200] * 16
        assert {answer.body for answer in answers} == {answers[0].body}
        replayed = [answer.header("Idempotency-Replayed") for answer in answers]
        assert sorted(replayed, key=str) == [None] + ["true"] * 15
        assert new_bank.balance(1) == -5 * (round + 1)


def test_of_two_payloads_with_one_key_at_once_one_is_booked(new_bank):
    for round in range(10):
        before = new_bank.balance(1)
        answers = together([lambda valor=valor: new_bank.post(1, valor, key=f"r{round}")
                            for valor in [1, 1000] * 4])
        booked = new_bank.balance(1) - before
        assert booked in (1, 1000)
        statuses = [answer.status for answer in answers]
        assert statuses == ([200, 422] if booked == 1 else [422, 200]) * 4


def test_a_repeat_on_the_same_connection_in_one_write_is_answered_in_order(new_bank):
    data = post(1, 5, key="twice")
    with new_bank.connect() as connection:
        connection.send(data + data + request("GET", "/clientes/1/extrato"))
        first = connection.receive()
        assert is_replay(connection.receive(), first)
        assert connection.receive().json()["saldo"]["total"] == 5


def test_a_key_is_stored_in_the_same_commit_as_its_transaction(faulty_bank):
    """Whether the transaction or its key were lost alone: neither may be."""
    faulty_bank.fault("flush wait")
    with faulty_bank.connect() as connection:
        connection.send(post(1, 10, key="k"))
        faulty_bank.await_fault()
        faulty_bank.kill()
    faulty_bank.fault()
    faulty_bank.start()
    booked = faulty_bank.balance(1)
    assert booked in (0, 10)
    again = faulty_bank.post(1, 10, key="k")
    assert again.header("Idempotency-Replayed") == ("true" if booked else None)
    assert again.json()["saldo"] == faulty_bank.balance(1) == 10


HOUR_S = 3600


def test_a_key_is_kept_for_at_least_24_hours(faulty_bank):
    first = faulty_bank.post(1, 10, key="k")
    booked_at = faulty_bank.extrato(1)["ultimas_transacoes"][0]["realizada_em"]
    faulty_bank.fault(f"clock_gettime add_s {24 * HOUR_S - 120}")
    for count in range(200):  # Whatever cleans up has had its chances.
        faulty_bank.post(2, 1, key=f"n{count}")
    now = faulty_bank.extrato(1)["saldo"]["data_extrato"]
    assert now[:10] > booked_at[:10], "the clock did not move"
    assert is_replay(faulty_bank.post(1, 10, key="k"), first)
    faulty_bank.restart()
    assert is_replay(faulty_bank.post(1, 10, key="k"), first)
    assert faulty_bank.balance(1) == 10


def test_cleaning_up_old_keys_stalls_no_request(faulty_bank):
    with faulty_bank.connect() as connection:
        connection.ask_all(post(1, 1, key=f"old-{count}") for count in range(2000))
        faulty_bank.fault(f"clock_gettime add_s {1000 * HOUR_S}")
        for count in range(100):
            began = time.monotonic()
            assert connection.ask(post(1, 1, key=f"new-{count}")).status == 200
            assert time.monotonic() - began < 5
    assert faulty_bank.balance(1) == 2100
