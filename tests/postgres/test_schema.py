# SPDX-License-Identifier: MIT
"""The files of sql/: run by hand, again, with either profile, and on the challenge's first bank."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from bank import LIMITS, crebito
from ledger import audit, balance
from places import refused_at_start
from postgres import PATIENCE_S, PSQL, programs, run, shared_cluster

FILES = sorted((Path(__file__).resolve().parents[2] / "sql").glob("*.sql"))


@pytest.fixture
def database():
    made = shared_cluster().create(template=None)
    yield made
    made.drop()


def psql(database, *files, profile=None, together=False):
    """As /docker-entrypoint-initdb.d does, one by one, or all in one transaction. Returns what was warned of."""
    environment = {**os.environ, **({"PGOPTIONS": f"-c crebito.profile={profile}"} if profile else {})}
    options = [f"--file={file}" for file in files] + (["--single-transaction"] if together else [])
    done = subprocess.run([programs() / PSQL[0], *PSQL[1:], "--dbname", database.url, *options], text=True,
                          capture_output=True, timeout=PATIENCE_S, env=environment, cwd="/")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in ("", "\n"), done.stdout
    return done.stderr


def install(database, **more):
    warnings = ""
    for file in FILES:
        warnings += psql(database, file, **more)
    return warnings


def dump(database, *options):
    """All of it, data too unless told otherwise. Newer ones say \\restrict and something random."""
    lines = run("pg_dump", "--dbname", database.url, *options).splitlines()
    return [line for line in lines if not re.match(r"\\(un)?restrict ", line)]


def persistence(database):
    return set(database.psql("SELECT relpersistence FROM pg_class WHERE relkind IN ('r', 'i') AND relname ~"
                             " '^(Clientes|Transacoes|Chaves|PK_Clientes|PK_Chaves|IX_)'").split())


def fillfactor(database):
    found = database.psql("SELECT array_to_string(reloptions, ',') FROM pg_class WHERE relname = 'Transacoes'")
    return int(found.partition("fillfactor=")[2] or 100)


@pytest.mark.parametrize("profile", [None, "durable", "contest"])
def test_each_file_run_again_changes_nothing(database, profile):
    install(database, profile=profile)
    database.psql("SELECT InsertTransacao(1, 10, 'c', 'x', 'k'), UpdateLimite(2, 7), InsertCliente(9, 1, 1)")
    before = dump(database)
    assert sum(line.startswith("CREATE TABLE") or line.startswith("CREATE UNLOGGED TABLE") for line in before) == 4
    for file in FILES:
        psql(database, file, profile=profile)
        assert dump(database) == before, file
    install(database, profile=profile)
    psql(database, *FILES, together=True)  # No profile: tables stay what they are.
    assert dump(database) == before
    audit(database)


def test_init_makes_what_the_files_make(database):
    install(database)
    by_hand = dump(database, "--schema-only")
    other = database.cluster.create(template=None)
    try:
        assert crebito("init", "--database", other.url).returncode == 0
        assert dump(other, "--schema-only") == by_hand
        assert crebito("init", "--database", database.url).returncode == 0
        assert dump(database, "--schema-only") == by_hand
        for one in (database, other):
            assert one.psql('SELECT "Id", "Limite", "Saldo" FROM "Clientes" ORDER BY 1') == "\n".join(
                f"{client}|{limit}|0" for client, limit in LIMITS.items())
            audit(one)
    finally:
        other.drop()


def test_a_file_that_fails_in_the_middle_leaves_a_database_that_can_be_finished(database, serve):
    """A container that is stopped between two of them, say: the version comes last."""
    for stop in range(1, len(FILES)):
        for file in FILES[:stop]:
            psql(database, file)
        reason, _ = refused_at_start(database.url)
        assert "crebito init" in reason, reason
    assert crebito("init", "--database", database.url).returncode == 0
    assert serve(database).balance(1) == 0
    audit(database)


def test_contest_is_unlogged_and_says_what_that_costs(database):
    warnings = install(database, profile="contest")
    assert "WARNING" in warnings and "never for money" in warnings
    assert persistence(database) == {"u"} and fillfactor(database) == 90
    assert "WARNING" not in install(database)
    assert persistence(database) == {"u"} and fillfactor(database) == 90
    assert "WARNING" not in install(database, profile="durable")
    assert persistence(database) == {"p"} and fillfactor(database) == 100
    audit(database)


def test_new_tables_are_durable(database):
    assert install(database) == ""
    assert persistence(database) == {"p"} and fillfactor(database) == 100


@pytest.mark.parametrize("profile, kept", [("durable", "p"), ("contest", "u")])
def test_init_has_the_same_profiles(database, profile, kept):
    for start in (None, "contest", "durable"):
        if start:
            assert crebito("init", "--database", database.url, "--profile", start).returncode == 0
        done = crebito("init", "--database", database.url, "--profile", profile)
        assert done.returncode == 0, done
        assert ("never for money" in done.stderr) == (profile == "contest"), done
        assert persistence(database) == {kept}
        assert crebito("init", "--database", database.url).returncode == 0
        assert persistence(database) == {kept}
    audit(database)


def test_an_unknown_profile_is_refused_and_changes_nothing(database):
    install(database)
    before = dump(database)
    with pytest.raises(AssertionError, match="durable or contest"):
        install(database, profile="fast")
    assert dump(database) == before


def test_a_crash_empties_contest_and_leaves_durable(own_cluster):
    """What its warning says; and why the other is the default."""
    for profile, left in [("contest", 0), ("durable", 5)]:
        database = own_cluster.create(template=None)
        install(database, profile=profile)
        database.psql("CHECKPOINT")
        own_cluster.kill().start()
        assert int(database.psql('SELECT count(*) FROM "Clientes"')) == left
        if profile == "contest":  # The schema says that there is a bank, and there is nobody in it.
            assert database.psql('SELECT count(*) FROM "Esquema"') == "1"


# ---- the challenge's first bank

FIRST = """
CREATE UNLOGGED TABLE "Clientes" (
    "Id" integer GENERATED BY DEFAULT AS IDENTITY, "Limite" integer NOT NULL, "SaldoInicial" integer NOT NULL,
    CONSTRAINT "PK_Clientes" PRIMARY KEY ("Id"));
CREATE UNLOGGED TABLE "Transacoes" (
    "Id" integer GENERATED BY DEFAULT AS IDENTITY, "Valor" integer NOT NULL, "ClienteId" integer NOT NULL,
    "Tipo" varchar(1) NOT NULL, "Descricao" varchar(10) NOT NULL,
    "RealizadoEm" timestamp without time zone NOT NULL DEFAULT now(),
    CONSTRAINT "PK_Transacoes" PRIMARY KEY ("Id")) WITH (fillfactor = 90);
CREATE INDEX "IX_Transacoes_ClienteId_Id_Desc" ON "Transacoes" ("ClienteId", "Id" DESC);
INSERT INTO "Clientes" ("Limite", "SaldoInicial")
VALUES (100000, 0), (80000, 0), (1000000, 0), (10000000, 0), (500000, 0);
CREATE FUNCTION InsertTransacao(id integer, valor integer, tipo varchar(1), descricao varchar(10)) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE novo integer;
BEGIN
    PERFORM FROM "Clientes" WHERE "Id" = id FOR UPDATE;
    UPDATE "Clientes" SET "SaldoInicial" = "SaldoInicial" + CASE WHEN tipo = 'c' THEN valor ELSE -valor END
     WHERE "Id" = id AND (tipo = 'c' OR "SaldoInicial" - valor >= -"Limite") RETURNING "SaldoInicial" INTO novo;
    IF FOUND OR NOT EXISTS (SELECT FROM "Clientes" WHERE "Id" = id) THEN
        INSERT INTO "Transacoes" ("Valor", "ClienteId", "Tipo", "Descricao") VALUES (valor, id, tipo, descricao);
    END IF;
    RETURN novo;
END $$;
CREATE FUNCTION GetSaldoClienteById(id integer)
RETURNS TABLE (total integer, limite integer, data timestamp, ultimas jsonb)
LANGUAGE sql AS $$ SELECT "SaldoInicial", "Limite", now()::timestamp, '[]'::jsonb FROM "Clientes" WHERE "Id" = $1 $$;
"""
LIFE = """
SELECT setseed(0.5);
DO $$ BEGIN FOR n IN 1 .. 200 LOOP
    PERFORM InsertTransacao(1 + (random() * 3.9)::integer % 4, (random() * 20000)::integer + 1,
                            CASE WHEN random() < 0.5 THEN 'c' ELSE 'd' END, 'n' || n);
END LOOP; END $$;
-- Two were booked in one instant, one by a clock that was set back, one where a client never was.
UPDATE "Transacoes" SET "RealizadoEm" = timestamp '2024-01-17 02:34:38.5' + "Id" / 2 * interval '1 second';
UPDATE "Transacoes" SET "RealizadoEm" = "RealizadoEm" - interval '1 hour' WHERE "Id" = 150;
SELECT InsertTransacao(6, 5, 'c', 'orfa');
UPDATE "Clientes" SET "SaldoInicial" = "SaldoInicial" + 777 WHERE "Id" = 3; -- which its history does not explain
"""
LAST_TEN = """SELECT "ClienteId", "Valor", "Tipo", "Descricao" FROM (SELECT *, row_number() OVER (
    PARTITION BY "ClienteId" ORDER BY "Id" DESC) AS n
    FROM "Transacoes" WHERE "Tipo" IN ('c', 'd') AND "ClienteId" < 6) t
    WHERE n <= 10 ORDER BY "ClienteId", "Id" DESC"""
BALANCES = 'SELECT "Id", "Limite", "{}" FROM "Clientes" ORDER BY 1'


def upgrade_by_hand(database):
    return install(database)


def upgrade_by_init(database):
    done = crebito("init", "--database", database.url)
    assert done.returncode == 0, done
    return done.stderr


@pytest.fixture(params=[upgrade_by_hand, upgrade_by_init], ids=["by hand", "by init"])
def upgrade(request):
    return request.param


def test_the_first_bank_is_upgraded_with_its_history(database, serve, upgrade):
    database.psql(FIRST)
    database.psql(LIFE)
    ten, balances = database.psql(LAST_TEN), database.psql(BALANCES.format("SaldoInicial"))
    count = int(database.psql('SELECT count(*) FROM "Transacoes" WHERE "ClienteId" < 6'))
    times = database.psql('SELECT "RealizadoEm" FROM "Transacoes" WHERE "ClienteId" = 1 ORDER BY "Id"').splitlines()
    assert count > 100 and ten
    reason, _ = refused_at_start(database.url)
    assert "crebito init" in reason, reason
    said = upgrade(database)
    assert "1 transactions of clients that do not exist" in said, said
    assert database.psql(LAST_TEN) == ten
    assert database.psql(BALANCES.format("Saldo")) == balances
    assert int(database.psql("SELECT count(*) FROM \"Transacoes\" WHERE \"Tipo\" IN ('c', 'd')")) == count
    assert int(database.psql('SELECT count(*) FROM "Transacoes" WHERE "ClienteId" > 5')) == 0
    new = database.psql('SELECT ("RealizadoEm" AT TIME ZONE current_setting(\'timezone\')) FROM "Transacoes"'
                        " WHERE \"ClienteId\" = 1 AND \"Tipo\" <> 'o' ORDER BY \"Id\"").splitlines()
    assert len(new) == len(times) and new == sorted(new)
    assert sum(old[:19] == time[:19] for old, time in zip(times, new)) >= len(times) - 1
    assert persistence(database) == {"p"} and fillfactor(database) == 100
    audit(database)
    bank = serve(database)
    for client in LIMITS:
        assert bank.balance(client) == balance(database, client)
    before = bank.balance(1)
    assert bank.post(1, 5, "c", "nova", key="k").json()["saldo"] == before + 5
    audit(database)


def test_an_upgrade_makes_the_schema_that_a_new_bank_has(database, upgrade):
    database.psql(FIRST)
    database.psql(LIFE)
    upgrade(database)
    other = database.cluster.create(template=None)
    try:
        install(other)
        assert dump(database, "--schema-only") == dump(other, "--schema-only")
    finally:
        other.drop()
    before = dump(database)
    assert "transactions" not in upgrade(database)
    assert dump(database) == before


def test_a_first_bank_in_which_nothing_ever_happened_is_upgraded(database, upgrade):
    database.psql(FIRST)
    upgrade(database)
    assert database.psql(BALANCES.format("Saldo")) == "\n".join(
        f"{client}|{limit}|0" for client, limit in LIMITS.items())
    audit(database)


def test_a_first_bank_of_other_clients_keeps_them_and_gets_no_more(database, upgrade):
    database.psql(FIRST)
    database.psql('DELETE FROM "Clientes" WHERE "Id" <> 2; INSERT INTO "Clientes" VALUES (70, 30, -20)')
    upgrade(database)
    assert database.psql(BALANCES.format("Saldo")) == "2|80000|0\n70|30|-20"
    audit(database)


def test_an_upgrade_that_fails_leaves_the_first_bank_as_it_was(database):
    """One that breaks a rule of today: init says which, and does nothing."""
    database.psql(FIRST)
    database.psql("SELECT InsertTransacao(1, 5, 'c', 'x'); UPDATE \"Transacoes\" SET \"Descricao\" = ''")
    before = dump(database)
    done = crebito("init", "--database", database.url)
    assert done.returncode == 1 and "CK_Transacoes_Tipo" in done.stderr, done
    assert dump(database) == before
