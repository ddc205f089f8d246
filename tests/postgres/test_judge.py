# SPDX-License-Identifier: MIT
"""The judge of load.py and the audit of ledger.py notice what they are there for."""

import pytest

from bank import Response
from ledger import audit
from load import Load

LAST = """(SELECT max("Id") FROM "Transacoes" WHERE "ClienteId" = 1)"""

# What has happened to the last transaction of client 1, so that the tables agree with each other.
LOST = f"""DELETE FROM "Chaves" WHERE "ClienteId" = 1 AND "TransacaoId" = {LAST};
DELETE FROM "Transacoes" WHERE "ClienteId" = 1 AND "Id" = {LAST};
UPDATE "Clientes" c SET ("UltimoId", "Saldo", "AlteradoEm") = (SELECT "Id", "Saldo", "RealizadoEm" FROM "Transacoes"
  WHERE "ClienteId" = 1 ORDER BY "Id" DESC LIMIT 1) WHERE c."Id" = 1"""
TWICE = f"""SELECT InsertTransacao(1, "Valor", "Tipo", "Descricao") FROM "Transacoes"
 WHERE "ClienteId" = 1 AND "Id" = {LAST}"""


@pytest.fixture
def load(database, serve):
    with Load(serve(database), clients=(1,), copies=1) as load:
        load.acknowledged(20)
    load.judge(database)
    return load


def refused(status, type):
    problem = f'{{"type":"{type}","title":"t","status":{status},"detail":"d"}}'.encode()
    return Response(status, [("content-type", "application/problem+json"), ("retry-after", "1")], problem)


def change_last(load, **change):
    """Of the client that was acknowledged last."""
    at = max(at for at, sent in enumerate(load.sent) if sent.answer.status == 200)
    load.sent[at] = load.sent[at]._replace(**change)


@pytest.mark.parametrize("sql, words", [
    (LOST, "acknowledged, and not there"), (TWICE, "booked 2 times"),
    ("SELECT InsertTransacao(1, 1, 'c', 'estranha')", "nobody sent it")])
def test_what_was_lost_doubled_or_made_up_is_noticed(load, database, sql, words):
    database.psql(sql)
    with pytest.raises(AssertionError, match=words):
        load.judge(database)


def test_what_was_refused_and_is_there_is_noticed(load, database):
    change_last(load, answer=refused(503, "indisponivel"))
    with pytest.raises(AssertionError, match="there all the same"):
        load.judge(database)


def test_an_unknown_outcome_that_invites_a_retry_is_noticed(load, database):
    change_last(load, answer=refused(504, "resultado-desconhecido"))
    with pytest.raises(AssertionError, match="invited to try again"):
        load.judge(database)


def test_an_order_that_cannot_have_been_is_noticed(load, database):
    first = next(sent for sent in load.sent if sent.answer.status == 200)
    change_last(load, ended=first.began - 1)
    with pytest.raises(AssertionError, match="out of order"):
        load.judge(database)


@pytest.mark.parametrize("sql, words", [
    ('UPDATE "Clientes" SET "Saldo" = "Saldo" + 1 WHERE "Id" = 1', "adds up"),
    (f'DELETE FROM "Transacoes" WHERE "ClienteId" = 1 AND "Id" = {LAST}', "adds up"),
    ('UPDATE "Clientes" SET "UltimoId" = "UltimoId" + 1 WHERE "Id" = 1', "not the last"),
    ('UPDATE "Transacoes" SET "Id" = "Id" + 100 WHERE "ClienteId" = 1 AND "Id" > 3', "numbered|not the last"),
    ('UPDATE "Transacoes" SET "Saldo" = "Saldo" + 1 WHERE "ClienteId" = 1 AND "Id" = 3', "before it"),
    ('UPDATE "Transacoes" SET "RealizadoEm" = "RealizadoEm" + interval \'1 hour\' WHERE "ClienteId" = 1 AND "Id" = 3',
     "rise"),
    ('UPDATE "Chaves" SET "TransacaoId" = "TransacaoId" + 1 WHERE "TransacaoId" = 3', "key"),
    ('DELETE FROM "Clientes" WHERE "Id" = 5', "nobody")])
def test_tables_that_contradict_each_other_are_noticed(load, database, sql, words):
    database.psql(sql)
    with pytest.raises(AssertionError, match=words):
        audit(database)
