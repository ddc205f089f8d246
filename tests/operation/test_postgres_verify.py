# SPDX-License-Identifier: MIT
"""verify on PostgreSQL: each thing that can be wrong is named, whatever constraints were dropped for it."""

import os
import signal
import subprocess
import threading
import time

import pytest

from bank import BINARY, PATIENCE_S, clean_environment, crebito
from books import book, book_all_kinds, is_sound
from postgres import AS_SERVER, Cluster, shared_cluster, wait_until


@pytest.fixture(scope="module")
def template():
    """Sixty entries and all kinds of records, to be copied and damaged."""
    database = book_all_kinds(shared_cluster().create())
    yield database
    database.drop()


@pytest.fixture
def ledger(template):
    database = shared_cluster().create(template.name)
    yield database
    database.drop()


def verify(database, **more):
    return crebito("verify", "--database", database.url, **more)


def test_a_sound_ledger_is_verified(ledger):
    assert is_sound(ledger, "6 accounts, 60 entries, 45 keys; 67 records followed")


def test_an_audit_needs_no_right_but_to_read(ledger):
    ledger.psql("CREATE ROLE auditor LOGIN PASSWORD 'pw'")
    url = ledger.cluster.url(ledger.name, "auditor", "pw")
    try:
        done = crebito("verify", "--database", url)
        assert done.returncode == 2 and "permission denied" in done.stderr, done
        ledger.psql('GRANT SELECT ON "Clientes", "Transacoes", "Chaves", "Esquema" TO auditor')
        assert crebito("verify", "--database", url).returncode == 0
        # Rows that are hidden from it must not look like rows that are missing, or like a sound rest.
        ledger.psql('ALTER TABLE "Transacoes" ENABLE ROW LEVEL SECURITY')
        done = crebito("verify", "--database", url)
        assert done.returncode == 2 and "row-level security" in done.stderr, done
    finally:
        ledger.psql("DROP OWNED BY auditor; DROP ROLE auditor")


# What was done to the ledger, and what is said of it. Some of it the tables' constraints forbid.
DROPPED = """
    ALTER TABLE "Clientes" DROP CONSTRAINT "PK_Clientes", DROP CONSTRAINT "CK_Clientes_Id",
        DROP CONSTRAINT "CK_Clientes_Limite", DROP CONSTRAINT "CK_Clientes_Saldo";
    ALTER TABLE "Transacoes" DROP CONSTRAINT "IX_Transacoes_ClienteId_Id_Desc",
        DROP CONSTRAINT "CK_Transacoes_Saldo", DROP CONSTRAINT "CK_Transacoes_Tipo";
    ALTER TABLE "Transacoes" ALTER "ClienteId" DROP NOT NULL, ALTER "Id" DROP NOT NULL, ALTER "Valor" DROP NOT NULL,
        ALTER "Saldo" DROP NOT NULL, ALTER "Limite" DROP NOT NULL, ALTER "RealizadoEm" DROP NOT NULL,
        ALTER "Tipo" DROP NOT NULL, ALTER "Descricao" DROP NOT NULL;
    ALTER TABLE "Clientes" ALTER "Id" DROP NOT NULL, ALTER "Saldo" DROP NOT NULL, ALTER "Limite" DROP NOT NULL,
        ALTER "AlteradoEm" DROP NOT NULL;
    ALTER TABLE "Chaves" DROP CONSTRAINT "PK_Chaves", DROP CONSTRAINT "CK_Chaves_Chave";
    ALTER TABLE "Chaves" ALTER "ClienteId" DROP NOT NULL, ALTER "TransacaoId" DROP NOT NULL,
        ALTER "Chave" DROP NOT NULL;
"""
# Client 3 has thirteen records: 1 is its opening, the others are entries with one microsecond between them
# (9 and 10: more). Client 2 has one more, number 10, which changes its limit. Client 7 has its opening.
OF_THREE = 'WHERE "ClienteId" = 3 AND "Id" = 5'
DAMAGES = {
    # records
    f'DELETE FROM "Transacoes" {OF_THREE}': "client 3, record 5 is missing",
    'DELETE FROM "Transacoes" WHERE "ClienteId" = 3 AND "Id" = 1': "client 3, record 1 is missing",
    'DELETE FROM "Transacoes" WHERE "ClienteId" = 7': "client 7: no record opens its account",
    f'INSERT INTO "Transacoes" SELECT * FROM "Transacoes" {OF_THREE}': "client 3, record 5: it is there twice",
    f'UPDATE "Transacoes" SET "Id" = 0 {OF_THREE}': "client 3, record 0: its numbers do not begin at 1",
    f'UPDATE "Transacoes" SET "Id" = 9223372036854775807 {OF_THREE}': "client 3, record 5 is missing",
    f'UPDATE "Transacoes" SET "Valor" = "Valor" + 1 {OF_THREE}':
        "client 3, record 5: its balance is not the one before it and its amount",
    f'UPDATE "Transacoes" SET "Saldo" = "Saldo" + 1 {OF_THREE}':
        "client 3, record 5: its balance is not the one before it and its amount",
    f'UPDATE "Transacoes" SET "Limite" = "Limite" - 1 {OF_THREE}':
        "client 3, record 5: its limit is not the one that was in force",
    f'UPDATE "Transacoes" SET "Valor" = 0 {OF_THREE}': "client 3, record 5: its amount, balance or limit is none",
    f'UPDATE "Transacoes" SET "Valor" = -9223372036854775808 {OF_THREE}':
        "client 3, record 5: its amount, balance or limit is none",
    f'UPDATE "Transacoes" SET "Saldo" = -9223372036854775808 {OF_THREE}':
        "client 3, record 5: its amount, balance or limit is none",
    f'UPDATE "Transacoes" SET "Limite" = 9223372036854775807 {OF_THREE}':
        "client 3, record 5: its amount, balance or limit is none",
    f"UPDATE \"Transacoes\" SET \"Valor\" = 1000001, \"Tipo\" = 'd', \"Saldo\" = -999999 {OF_THREE}":
        "client 3, record 5: it takes the balance below the limit",
    "UPDATE \"Transacoes\" SET \"Valor\" = 9007199254740991, \"Tipo\" = 'c' WHERE \"ClienteId\" = 3 AND \"Id\" = 4":
        "client 3, record 4: it takes the balance past the largest there is",
    f"UPDATE \"Transacoes\" SET \"Tipo\" = 'x' {OF_THREE}": "client 3, record 5: it is of no known kind",
    f"UPDATE \"Transacoes\" SET \"Tipo\" = '' {OF_THREE}": "client 3, record 5: it is of no known kind",
    f"UPDATE \"Transacoes\" SET \"Tipo\" = 'l' {OF_THREE}": "client 3, record 5: it has a description, and moves",
    f"UPDATE \"Transacoes\" SET \"Tipo\" = 'o', \"Valor\" = 0, \"Descricao\" = '' {OF_THREE}":
        "client 3, record 5: it opens an account that was open already",
    "UPDATE \"Transacoes\" SET \"Saldo\" = \"Saldo\" + 1 WHERE \"ClienteId\" = 2 AND \"Tipo\" = 'l'":
        "client 2, record 10: it changes the balance, where only the limit may change",
    "UPDATE \"Transacoes\" SET \"Tipo\" = 'l' WHERE \"ClienteId\" = 7":
        "client 7, record 1: its account has not been opened",
    f"UPDATE \"Transacoes\" SET \"Descricao\" = '' {OF_THREE}": "client 3, record 5: its description is empty",
    f"UPDATE \"Transacoes\" SET \"Descricao\" = '12345678901' {OF_THREE}":
        "client 3, record 5: its description is longer than 10",
    f"UPDATE \"Transacoes\" SET \"Descricao\" = repeat('😀', 200) {OF_THREE}":
        "client 3, record 5: its description is longer than 10",
    f"UPDATE \"Transacoes\" SET \"RealizadoEm\" = \"RealizadoEm\" - interval '1 us' {OF_THREE}":
        "client 3, record 5: its time does not rise",
    f"UPDATE \"Transacoes\" SET \"RealizadoEm\" = \"RealizadoEm\" + interval '1 us' {OF_THREE}":
        "client 3, record 6: its time does not rise",
    f"UPDATE \"Transacoes\" SET \"RealizadoEm\" = 'infinity' {OF_THREE}":
        "client 3, record 5: a value is missing in it, or out of every range",
    f"UPDATE \"Transacoes\" SET \"RealizadoEm\" = '-infinity' {OF_THREE}":
        "client 3, record 5: a value is missing in it, or out of every range",
    **{f'UPDATE "Transacoes" SET "{column}" = NULL {OF_THREE}':
       "client 3, record 5: a value is missing in it, or out of every range"
       for column in ("Valor", "Saldo", "Limite", "RealizadoEm", "Tipo", "Descricao")},
    'INSERT INTO "Transacoes" SELECT NULL, "Valor", "Saldo", "Limite", "RealizadoEm", "ClienteId", "Tipo", "Descricao"'
    f' FROM "Transacoes" {OF_THREE}': "client 3: it has a record without a number",
    'INSERT INTO "Transacoes" SELECT "Id", "Valor", "Saldo", "Limite", "RealizadoEm", NULL, "Tipo", "Descricao"'
    f' FROM "Transacoes" {OF_THREE}': "there is a record of no client",
    f'UPDATE "Transacoes" SET "ClienteId" = -3 {OF_THREE}': "there is a record of no client",
    'DELETE FROM "Transacoes"; DELETE FROM "Chaves"; DELETE FROM "Clientes"': "the journal is empty",
    # accounts
    'DELETE FROM "Clientes" WHERE "Id" = 3': "client 3: it has records, and no account",
    'DELETE FROM "Clientes" WHERE "Id" = 7': "client 7: it has records, and no account",
    'INSERT INTO "Clientes" SELECT * FROM "Clientes" WHERE "Id" = 3': "client 3: its account is there twice",
    'INSERT INTO "Clientes" SELECT 6, "Limite", 0, 0, 0, "AlteradoEm" FROM "Clientes" WHERE "Id" = 3':
        "client 6: no record opens its account",
    'UPDATE "Clientes" SET "Saldo" = "Saldo" + 1 WHERE "Id" = 3': "client 3: its balance is 19, and its history makes it 18",
    'UPDATE "Clientes" SET "Limite" = 1 WHERE "Id" = 3': "client 3: its limit is 1, and its history makes it 1000000",
    'UPDATE "Clientes" SET "SaldoInicial" = 1 WHERE "Id" = 3': "client 3: its opening balance is 1, and its history",
    'UPDATE "Clientes" SET "UltimoId" = 14 WHERE "Id" = 3': "client 3: its last record is 14, and its history makes it 13",
    'UPDATE "Clientes" SET "UltimoId" = 9223372036854775807': "client 1: its last record is 9223372036854775807",
    "UPDATE \"Clientes\" SET \"AlteradoEm\" = \"AlteradoEm\" + interval '1 us' WHERE \"Id\" = 3": "client 3: its last time",
    "UPDATE \"Clientes\" SET \"AlteradoEm\" = 'infinity' WHERE \"Id\" = 3": "client 3: a value is missing in its account",
    'UPDATE "Clientes" SET "Saldo" = NULL WHERE "Id" = 3': "client 3: a value is missing in its account",
    'UPDATE "Clientes" SET "Id" = NULL WHERE "Id" = 7': "there is an account of no client",
    'UPDATE "Clientes" SET "Id" = -7 WHERE "Id" = 7': "there is an account of no client",
    # keys
    'UPDATE "Chaves" SET "TransacaoId" = 99 WHERE "ClienteId" = 3 AND "TransacaoId" = 5':
        "key of client 3, record 99: its history has no such entry of that time",
    'UPDATE "Chaves" SET "ClienteId" = 6 WHERE "ClienteId" = 3 AND "TransacaoId" = 5':
        "key of client 6, record 5: its history has no such entry of that time",
    'UPDATE "Chaves" SET "TransacaoId" = 1 WHERE "ClienteId" = 3 AND "TransacaoId" = 5':
        "key of client 3, record 1: its history has no such entry of that time",
    "UPDATE \"Chaves\" SET \"CriadaEm\" = \"CriadaEm\" + interval '1 us' WHERE \"ClienteId\" = 3 AND \"TransacaoId\" = 5":
        "key of client 3, record 5: its history has no such entry of that time",
    "UPDATE \"Chaves\" SET \"Chave\" = '' WHERE \"ClienteId\" = 3 AND \"TransacaoId\" = 5": "does not have 1 to 64 bytes",
    "UPDATE \"Chaves\" SET \"Chave\" = repeat('x', 65) WHERE \"ClienteId\" = 3 AND \"TransacaoId\" = 5":
        "does not have 1 to 64 bytes",
    "INSERT INTO \"Chaves\" SELECT \"ClienteId\", \"TransacaoId\", \"CriadaEm\", 'more' FROM \"Chaves\""
    ' WHERE "ClienteId" = 3 AND "TransacaoId" = 5': "key of client 3, record 5: the record has another one",
    "UPDATE \"Chaves\" SET \"Chave\" = 'one' WHERE \"ClienteId\" = 3 AND \"TransacaoId\" IN (3, 5)":
        "key of client 3, record 5: another record has the same one",
    'UPDATE "Chaves" SET "TransacaoId" = NULL WHERE "ClienteId" = 3 AND "TransacaoId" = 5': "there is a key of no record",
    'DELETE FROM "Esquema"': "older than this crebito",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_wrong_is_named(ledger, damage):
    ledger.psql(DROPPED)
    assert is_sound(ledger)
    ledger.psql(damage)
    done = verify(ledger)
    wrong = DAMAGES[damage]
    assert done.returncode == (2 if "older" in wrong else 1) and done.stdout == "", done
    assert wrong in done.stderr and done.stderr.count("\n") == 1, done
    # What is wrong is not exported either.
    done = crebito("export", "--database", ledger.url)
    assert done.returncode != 0 and done.stdout == "" and wrong in done.stderr, done


def test_of_several_wrong_things_the_first_is_named(ledger):
    ledger.psql('UPDATE "Clientes" SET "SaldoInicial" = 1;'
                'UPDATE "Transacoes" SET "Saldo" = "Saldo" + 1 WHERE "ClienteId" = 2')
    assert "client 1: its opening balance" in verify(ledger).stderr
    ledger.psql('UPDATE "Transacoes" SET "Saldo" = "Saldo" + 1 WHERE "ClienteId" = 1 AND "Id" IN (4, 7)')
    assert "client 1, record 4: its balance" in verify(ledger).stderr


def test_a_column_of_another_type_is_read_as_far_as_it_says_the_same(ledger):
    ledger.psql('ALTER TABLE "Transacoes" ALTER "Valor" TYPE numeric, ALTER "Descricao" TYPE varchar(99)')
    assert is_sound(ledger, "60 entries")


def test_a_ledger_is_verified_beside_who_books_in_it(ledger):
    enough = threading.Event()

    def load(number):
        with ledger.session() as session:
            while not enough.is_set():
                session.run(f"SELECT InsertTransacoes({number}, ARRAY[1, 1], ARRAY['c', 'd'], ARRAY['x', 'y'],"
                            f" ARRAY['load-{time.monotonic()}', NULL])")

    threads = [threading.Thread(target=load, args=(number,)) for number in (1, 1, 2, 3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            assert is_sound(ledger)
    finally:
        enough.set()
        for thread in threads:
            thread.join()


def test_a_standby_can_be_verified_and_says_so():
    with Cluster() as cluster:
        database = cluster.create()
        book(database)
        cluster.stop()
        (cluster.data / "standby.signal").touch()
        if AS_SERVER:
            os.chmod(cluster.data / "standby.signal", 0o644)
        cluster.configure(hot_standby="on").start()
        assert is_sound(database, "40 entries")
        assert "a standby" in crebito("status", "--database", database.url).stdout
        done = crebito("init", "--database", database.url)
        assert done.returncode == 1 and "recovery" in done.stderr, done


def test_a_page_that_is_damaged_makes_the_ledger_wrong():
    with Cluster() as cluster:
        database = cluster.create()
        book(database, 400)
        path = cluster.data / database.psql("SELECT pg_relation_filepath('\"Transacoes\"')")
        cluster.stop()
        with open(path, "r+b") as file:
            file.seek(8192)
            file.write(b"\xff" * 24)
        cluster.start()
        done = verify(database)
        assert done.returncode == 1 and "damaged: invalid page" in done.stderr, done
        done = crebito("export", "--database", database.url)
        assert done.returncode == 1 and done.stdout == "", done


@pytest.mark.parametrize("command", ["verify", "export"])
@pytest.mark.parametrize("sign, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_what_waits_for_a_lock_is_stopped_by_a_signal(ledger, command, sign, status):
    with ledger.session() as other:
        other.run('BEGIN; LOCK TABLE "Transacoes"')
        with subprocess.Popen([BINARY, command, "--database", ledger.url], env=clean_environment(),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            wait_until(lambda: ledger.psql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                                           f" AND datname = '{ledger.name}'") == "1", "it does not wait")
            process.send_signal(sign)
            assert process.wait(PATIENCE_S) == status
            assert b"stopped" in process.stderr.read()
        wait_until(lambda: ledger.sessions() == 1, "its session stays")  # the lock's does


def test_timeouts_of_the_database_do_not_end_an_audit(ledger):
    for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
        ledger.psql(f"ALTER DATABASE {ledger.name} SET {name} = 300")
    with ledger.session() as other:
        other.run("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;"
                  ' BEGIN; LOCK TABLE "Transacoes"')
        waiting = threading.Timer(1, other.run, ["COMMIT"])
        waiting.start()
        assert is_sound(ledger)
        waiting.join()
