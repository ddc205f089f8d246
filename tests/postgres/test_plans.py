# SPDX-License-Identifier: MIT
"""What the server does for an answer, and what becomes of what was prepared when the schema changes below it."""

import threading

import pytest

from bank import crebito, is_problem, post, request, together
from ledger import audit, balance
from load import Load
from places import lines, wait_for

MANY = 100_000

# As InsertTransacoes() leaves them, but all at once.
FILL = f"""
INSERT INTO "Transacoes" ("ClienteId", "Id", "Tipo", "Valor", "Saldo", "Limite", "Descricao", "RealizadoEm")
SELECT {{client}}, 1 + n, 'c', 1, n, 100000, 'muitas', clock_timestamp() + n * interval '1 microsecond'
  FROM generate_series(1, {MANY}) n;
UPDATE "Clientes" SET "Saldo" = {MANY}, "UltimoId" = 1 + {MANY},
    "AlteradoEm" = (SELECT max("RealizadoEm") FROM "Transacoes" WHERE "ClienteId" = {{client}}) WHERE "Id" = {{client}};
"""
READ = """SELECT sum(heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit)
  FROM pg_statio_user_tables WHERE relname IN ('Clientes', 'Transacoes', 'Chaves')"""


def blocks_of(database, bank, act, times):
    """How many each one takes. Sessions tell what they have read when they are idle, and at their end."""
    before = int(database.psql(READ))
    for _ in range(times):
        act()
    bank.stop()
    wait_for(lambda: database.sessions() == 0)
    return (int(database.psql(READ)) - before) / times


@pytest.mark.parametrize("analyzed", [False, True], ids=["never analyzed", "analyzed"])
def test_a_statement_of_a_long_history_reads_a_few_pages(database, serve, analyzed):
    """The bank connects, and plans, while the history is short. It has to be right when that is long, too."""
    database.psql('ALTER TABLE "Transacoes" SET (autovacuum_enabled = off)')
    bank = serve(database)
    for _ in range(20):  # By now a plan is kept for good.
        assert bank.extrato(1)["saldo"]["total"] == 0
    database.psql(FILL.format(client=1))
    if analyzed:
        database.psql('ANALYZE "Transacoes"; ANALYZE "Clientes"')
    assert bank.extrato(1)["saldo"]["total"] == MANY
    assert len(bank.extrato(1)["ultimas_transacoes"]) == 10
    assert blocks_of(database, bank, lambda: bank.extrato(1), 50) < 60
    planned = serve(database)  # A bank that finds it long.
    assert blocks_of(database, planned, lambda: planned.extrato(1), 50) < 60


def test_a_transaction_of_a_long_history_reads_a_few_pages(database, serve):
    database.psql('ALTER TABLE "Transacoes" SET (autovacuum_enabled = off)')
    bank = serve(database)
    for count in range(20):
        assert bank.post(1, 1, key=f"antes{count}").status == 200
    database.psql('DELETE FROM "Chaves"; DELETE FROM "Transacoes" WHERE "ClienteId" = 1 AND "Id" > 1')
    database.psql(FILL.format(client=1))
    database.psql(f"""INSERT INTO "Chaves" SELECT 1, 1 + n, "RealizadoEm", 'm' || n FROM generate_series(1, {MANY}) n
                        JOIN "Transacoes" ON "ClienteId" = 1 AND "Id" = 1 + n""")
    keys = iter(range(1000))

    def post_two():
        key = next(keys)
        assert bank.post(1, 1, "c", "nova", key=f"nova{key}").status == 200
        assert bank.post(1, 1, "c", "muitas", key=f"m{key + 1}").header("Idempotency-Replayed") == "true"

    assert blocks_of(database, bank, post_two, 30) < 120
    audit(database)


# ---- the schema changes while the bank serves


def definition_of(database, function):
    return database.psql("SELECT string_agg(pg_get_functiondef(oid), ';') FROM pg_proc"
                         f" WHERE proname = lower('{function}')")


FUNCTIONS = ["InsertTransacoes", "GetSaldoClienteById"]


def works(bank, database):
    """Both kinds of answers; at most one refusal each, of the connection that still knew it otherwise."""
    statuses = [bank.post(1, 1).status for _ in range(2)]
    assert statuses in ([200, 200], [503, 200]), (statuses, bank.log)
    statuses += [bank.get("/clientes/1/extrato").status for _ in range(2)]
    assert statuses[2:] in ([200, 200], [503, 200]), (statuses, bank.log)
    assert bank.balance(1) == balance(database, 1)
    return statuses


@pytest.mark.parametrize("connections", [1, 2])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_procedure_that_is_replaced_or_made_anew_is_found_again(database, serve, function, connections):
    bank = serve(database, "--connections", connections)
    assert works(bank, database) == [200] * 4
    definition = definition_of(database, function)
    assert "CREATE OR REPLACE" in definition
    database.psql(definition)
    assert works(bank, database) == [200] * 4
    database.psql(f"DROP FUNCTION {function} CASCADE; {definition}")
    works(bank, database)
    audit(database)


@pytest.mark.parametrize("function, data", [
    ("InsertTransacoes", None), ("GetSaldoClienteById", request("GET", "/clientes/1/extrato"))])
def test_without_its_procedure_it_is_503_and_the_log_says_which(database, serve, function, data):
    bank = serve(database)
    assert works(bank, database) == [200] * 4
    definition = definition_of(database, function)
    database.psql(f"DROP FUNCTION {function} CASCADE")
    for _ in range(3):
        answer = bank.ask(data) if data else bank.post(1, 1)
        assert is_problem(answer, 503, "indisponivel")
    assert function.lower() in bank.log.lower() or "42883" in bank.log, bank.log
    database.psql(definition)
    wait_for(lambda: (bank.ask(data) if data else bank.post(1, 1)).status == 200)
    works(bank, database)
    audit(database)


@pytest.mark.parametrize("change", [
    'ALTER TABLE "Clientes" ADD COLUMN "Nome" text', 'ALTER TABLE "Transacoes" ADD COLUMN "Loja" integer',
    'ALTER TABLE "Transacoes" ALTER COLUMN "Tipo" TYPE text', 'ALTER TABLE "Clientes" SET UNLOGGED',
    'VACUUM FULL "Transacoes"', 'REINDEX TABLE "Chaves"', 'ANALYZE',
    'CREATE INDEX ON "Transacoes" ("RealizadoEm")', 'DISCARD ALL'])
def test_tables_that_somebody_alters_are_served_from(database, serve, change):
    bank = serve(database)
    assert works(bank, database) == [200] * 4
    database.psql(change)
    works(bank, database)
    assert bank.post(6, 0).status == 404
    audit(database)


def test_prepared_statements_that_somebody_forgets_are_prepared_again(database, serve):
    """As after a change of the pooler in between: the connection is there, and knows none of them."""
    bank = serve(database)
    database.psql("""
        CREATE FUNCTION esquece() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN DEALLOCATE ALL; RETURN NEW; END $$;
        CREATE TRIGGER esquece BEFORE INSERT ON "Transacoes" FOR EACH ROW WHEN (NEW."Descricao" = 'esqueca')
            EXECUTE FUNCTION esquece()""")
    assert bank.post(1, 1, "c", "esqueca").status in (200, 503)
    statuses = [bank.post(1, 1).status for _ in range(2)]
    assert statuses in ([200, 200], [503, 200]), bank.log
    audit(database)


def test_the_schema_may_be_installed_again_under_load(database, serve):
    """By another instance that is being started, say: nothing changes, and nobody is refused for long."""
    bank = serve(database)
    with Load(bank) as load:
        load.acknowledged(50)
        for _ in range(3):
            done = crebito("init", "--database", database.url)
            assert done.returncode == 0, done
        load.served_again()
    statuses = load.judge(database)
    assert statuses[504] == 0 and statuses[200] > statuses[503], statuses


def test_clients_that_come_in_sql_are_found(database, serve):
    """Known ids are kept; who is not among them is asked for."""
    bank = serve(database)
    assert is_problem(bank.post(77), 404, "cliente-desconhecido")
    assert is_problem(bank.post(77, 0), 404, "cliente-desconhecido")
    assert database.psql("SELECT InsertCliente(77, 500, 20)") == "ok"
    assert is_problem(bank.post(77, 0), 422, "campo-invalido")
    assert bank.post(77, 520, "d").json() == {"limite": 500, "saldo": -500}
    assert is_problem(bank.post(77, 1, "d"), 422, "limite-excedido")
    assert database.psql("SELECT (UpdateLimite(77, 600)).resultado") == "ok"
    assert bank.post(77, 1, "d").json() == {"limite": 600, "saldo": -501}
    assert bank.extrato(77)["saldo"]["limite"] == 600


def test_transactions_in_sql_and_over_http_are_of_one_history(database, serve):
    bank = serve(database)
    stop = threading.Event()

    def caller():
        with database.session() as other:
            count = 0
            while not stop.is_set():
                assert "ok" in other.run("SELECT InsertTransacao(2, 1, 'c', 'sql')")
                count += 1
        return count

    def poster():
        try:
            with bank.connect() as connection:
                answers = connection.ask_all((post(2, 1, "c", "http") for _ in range(500)), at_a_time=10)
            assert {answer.status for answer in answers} == {200}
            return len(answers)
        finally:
            stop.set()

    counts = together([caller, poster])
    assert all(counts) and bank.balance(2) == sum(counts)
    assert [line for line in lines(bank, "level=") if "level=info" not in line] == []
    audit(database)
