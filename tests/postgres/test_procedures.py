# SPDX-License-Identifier: MIT
"""The procedures against a model of them, under other callers' load, and beside a bank. See tests/sql as well."""

import json
import os
import random
import subprocess

import pytest

from bank import BALANCE_MAX, LIMITS, post, together
from ledger import audit, balance, rows
from postgres import PATIENCE_S, PSQL, programs

SEED = int(os.environ.get("CREBITO_TEST_SEED", random.SystemRandom().randrange(2**32)))
BATCHES = 4000


# ---- a model


class Model:
    """What sql/20-procedures.sql says in its comments."""

    def __init__(self):
        self.accounts = {client: [0, limit, {}] for client, limit in LIMITS.items()}

    def book(self, client, entries):
        if client not in self.accounts:
            return [("cliente", None, None)] * len(entries)
        return [self.book_one(self.accounts[client], entry) for entry in entries]

    def book_one(self, account, entry):
        balance, limit, keys = account
        amount, kind, description, key = entry
        if key in keys:
            first, answer = keys[key]
            return ("repetida", *answer) if first == entry else ("chave", None, None)
        new = balance + amount if kind == "c" else balance - amount
        if new < -limit:
            return ("limite", None, limit)
        if new > BALANCE_MAX:
            return ("maximo", None, limit)
        account[0] = new
        if key is not None:
            keys[key] = (entry, (new, limit))
        return ("ok", new, limit)

    def set_limit(self, client, limit):
        if client not in self.accounts:
            return "cliente", None
        account = self.accounts[client]
        if account[0] < -limit:
            return "limite", account[0]
        account[1] = limit
        return "ok", account[0]

    def open(self, client, limit, balance):
        if client in self.accounts:
            return "existe"
        self.accounts[client] = [balance, limit, {}]
        return "ok"

    def forget(self):
        count = sum(len(keys) for _, _, keys in self.accounts.values())
        for account in self.accounts.values():
            account[2] = {}
        return count


def literal(values):
    """An array, as SQL."""
    return "ARRAY[" + ",".join("NULL" if value is None else f"'{value}'" for value in values) + "]"


def random_entry(dice, model, client):
    """Most are near something that matters."""
    balance, limit, _ = model.accounts.get(client, (0, 1000, {}))
    kind = dice.choice("cd")
    room = balance + limit if kind == "d" else BALANCE_MAX - balance
    amount = dice.choice([1, dice.randint(1, 1000), dice.randint(1, limit + 1), room - 1, room, room + 1])
    key = dice.choice([None, None, f"k{dice.randint(1, 30)}", f"k{dice.randint(1, 5)}"])
    description = dice.choice(["a", "b", "ção", "😀" * 10])
    return min(max(amount, 1), BALANCE_MAX), kind, description, key


def random_call(dice, model):
    """Its SQL, and what it should return."""
    kind = dice.choices(["book", "limit", "open", "forget"], [100, 8, 3, 1])[0]
    client = dice.choice([*LIMITS, 6, 7, 8, 9])
    if kind == "book":
        entries = [random_entry(dice, model, client) for _ in range(dice.choice([1, 1, 2, 3, 8, 40]))]
        keys = literal(entry[3] for entry in entries)
        if dice.random() < 0.2:
            entries, keys = [(*entry[:3], None) for entry in entries], "NULL"
        arrays = ", ".join(f"{literal(entry[part] for entry in entries)}::{type}[]"
                           for part, type in enumerate(["bigint", "text", "text"]))
        sql = ("SELECT json_build_array(resultados, saldos, limites)"
               f" FROM InsertTransacoes({client}, {arrays}, {keys}::text[])")
        return sql, model.book(client, entries)
    if kind == "limit":
        debt = -model.accounts.get(client, [0])[0]
        limit = max(0, dice.choice([0, dice.randint(0, 200000), debt + dice.randint(-1, 1)]))
        sql = f"SELECT json_build_array(resultado, saldo) FROM UpdateLimite({client}, {limit})"
        return sql, model.set_limit(client, limit)
    if kind == "open":
        limit = dice.randint(0, 1000)
        balance = dice.choice([0, -limit, 500])
        return f"SELECT to_json(InsertCliente({client}, {limit}, {balance}))", model.open(client, limit, balance)
    return "SELECT to_json(DeleteChaves('0 s', 1000000))", model.forget()


def readable(answer, expected):
    """What the call returned, as the model says it; where the comments promise no number, there is none."""
    if not isinstance(expected, list):
        return tuple(answer) if isinstance(answer, list) else answer
    outcomes, *numbers = answer
    columns = [column or [None] * len(outcomes) for column in numbers]
    return [(outcome, None, None) if outcome == "chave" else (outcome, *both)
            for outcome, *both in zip(outcomes, *columns)]


def test_thousands_of_batches_are_what_a_model_makes_of_them(database):
    print(f"CREBITO_TEST_SEED={SEED}")
    dice, model = random.Random(SEED), Model()
    calls = [random_call(dice, model) for _ in range(BATCHES)]
    done = subprocess.run([programs() / PSQL[0], *PSQL[1:], "--dbname", database.url], capture_output=True, text=True,
                          input="".join(f"{sql};\n" for sql, _ in calls), timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(calls)
    seen = set()
    for (sql, expected), answer in zip(calls, answers):
        assert readable(answer, expected) == expected, sql
        seen |= {one[0] for one in expected} if isinstance(expected, list) else set()
    assert seen == {"ok", "repetida", "chave", "limite", "maximo", "cliente"}, f"the seed left some out: {seen}"
    for client, (balance_now, limit, _) in model.accounts.items():
        assert balance(database, client) == balance_now
        assert database.psql(f'SELECT "Limite" FROM "Clientes" WHERE "Id" = {client}') == str(limit)
    audit(database)


# ---- many callers

BENCH = r"""
\set a random(1, 5)
\set v random(1, 30000)
\set k random(1, 500)
SELECT InsertTransacao(:a, :v, CASE WHEN :v % 2 = 0 THEN 'c' ELSE 'd' END, 'bench');
SELECT InsertTransacoes(:a, ARRAY[:v, 100, 7]::bigint[], '{d,c,d}', '{x,y,z}', ARRAY['a:k', NULL, 'b' || :k]);
SELECT * FROM GetSaldoClienteById(:a);
SELECT UpdateLimite(:a, 100000 + :k) WHERE :k % 50 = 0;
SELECT DeleteChaves('1 s', 10) WHERE :k % 100 = 0;
"""


def pgbench(database, script, *options):
    done = subprocess.run([programs() / "pgbench", "--no-vacuum", "--file", script, *map(str, options), database.url],
                          capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0 and "aborted" not in done.stderr, done.stderr
    return done.stdout


def test_callers_at_once_leave_balances_that_equal_their_histories(database, serve, tmp_path):
    """Beside a bank, which has its own share."""
    script = tmp_path / "bench.sql"
    script.write_text(BENCH)
    bank = serve(database)
    seen = len(database.cluster.log)

    def http():
        with bank.connect() as connection:
            return connection.ask_all([post(client, 1, "c", "http") for client in LIMITS] * 60, at_a_time=20)

    answers, _ = together([http, lambda: pgbench(
        database, script, "--client", 8, "--jobs", 2, "--transactions", 100)])
    assert {answer.status for answer in answers} == {200}
    assert "deadlock" not in database.cluster.log[seen:]
    descriptions = [row.description for row in rows(database)]
    assert descriptions.count("http") == 300 and 200 < descriptions.count("bench") <= 800
    audit(database)


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_a_caller_of_another_isolation_is_refused_rather_than_wrong(database, tmp_path, isolation):
    """Its snapshot may be older than the lock: PostgreSQL then ends it with an error, and it tries again."""
    script = tmp_path / "bench.sql"
    script.write_text("SELECT InsertTransacoes(1, '{1,1}', '{c,c}', '{x,y}');")
    database.psql(f"ALTER DATABASE {database.name} SET default_transaction_isolation = '{isolation}'")
    pgbench(database, script, "--client", 4, "--transactions", 100, "--max-tries", 1000)
    assert balance(database, 1) == len(rows(database)) == 800
    audit(database)


# ---- both ways see the same


def test_the_statement_in_sql_is_the_statement_over_http(database, serve):
    bank = serve(database)
    dice = random.Random(1)
    for count in range(30):
        bank.post(dice.choice([1, 2]), dice.randint(1, 900), dice.choice("cd"), f"ç{count}")
        database.psql(f"SELECT InsertTransacao({dice.choice([1, 2])}, 5, 'c', 'sql{count}')")
    for client in LIMITS:
        shown = bank.extrato(client)
        total, limit, ten = database.psql(
            f"SELECT total, limite, ultimas_transacoes FROM GetSaldoClienteById({client})").split("|")
        assert shown["saldo"]["total"] == int(total) and shown["saldo"]["limite"] == int(limit)
        expected = json.loads(ten)
        for entry in expected:  # Of one instant, which SQL writes shorter where it ends in zeros.
            instant, zone = entry["realizada_em"].split("+")
            assert zone == "00:00"
            entry["realizada_em"] = f"{instant.partition('.')[0]}.{instant.partition('.')[2]:0<6}Z"
        assert shown["ultimas_transacoes"] == expected


def test_a_key_that_was_booked_in_sql_is_a_repetition_over_http(database, serve):
    bank = serve(database)
    assert database.psql("SELECT InsertTransacao(1, 10, 'c', 'x', 'k')") == "(ok,10,100000)"
    answer = bank.post(1, 10, "c", "x", key="k")
    assert answer.header("Idempotency-Replayed") == "true" and answer.json() == {"limite": 100000, "saldo": 10}
    assert bank.post(1, 10, "c", "y", key="k").type == "chave-reutilizada"
    bank.post(2, 10, "c", "x", key="h")
    assert database.psql("SELECT InsertTransacao(2, 10, 'c', 'x', 'h')") == "(repetida,10,80000)"
