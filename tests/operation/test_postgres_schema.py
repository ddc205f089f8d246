# SPDX-License-Identifier: MIT
"""The schema of a bank on PostgreSQL: made, brought up to date, refused; and what status says of it."""

import json
import threading
from pathlib import Path

import pytest

from bank import LIMITS, clean_environment, crebito, together
from books import book, book_all_kinds, export, is_sound, records, tables
from postgres import PASSWORD, PSQL, Cluster, run, shared_cluster

SQL = Path(__file__).resolve().parents[2] / "sql"


@pytest.fixture
def empty():
    database = shared_cluster().create(template=None)
    yield database
    database.drop()


def init(database, *options, **more):
    return crebito("init", "--database", database.url, *options, **more)


def contents(database, *options):
    """As SQL, without the random words that newer versions of pg_dump put around it."""
    lines = run("pg_dump", "--dbname", database.url, *options).split("\n")
    return "\n".join(line for line in lines if "restrict " not in line)


# ---- making it


def test_init_makes_a_bank_of_the_five_clients(empty):
    done = init(empty)
    assert done.returncode == 0 and done.stderr == "" and "ready, 5 accounts, 5 records" in done.stdout, done
    assert is_sound(empty, "5 accounts, 0 entries")
    assert {line["client"]: line["limit_cents"] for line in records(export(empty.url))} == LIMITS


def test_init_changes_nothing_the_second_time(empty):
    init(empty)
    book_all_kinds(empty)
    before = contents(empty)
    done = init(empty)
    assert done.returncode == 0 and done.stderr == "" and "6 accounts" in done.stdout, done
    assert contents(empty) == before


def test_init_makes_what_the_files_of_sql_make_one_by_one(empty):
    init(empty)
    other = empty.cluster.create(template=None)
    for path in sorted(SQL.glob("*.sql")):
        run(*PSQL, "--dbname", other.url, "--file", path)
    assert is_sound(other, "5 accounts")
    schemas = [contents(database, "--schema-only") for database in (empty, other)]
    other.drop()
    assert schemas[0] == schemas[1]


def test_several_inits_at_once_all_succeed(empty):
    for done in together([lambda: init(empty)] * 6):
        assert done.returncode == 0 and "5 accounts, 5 records" in done.stdout, done
    assert is_sound(empty, "5 accounts")


def test_init_mends_a_procedure_that_is_gone(empty):
    init(empty)
    empty.psql("DROP FUNCTION DeleteChaves")
    assert init(empty).returncode == 0
    assert empty.psql("SELECT DeleteChaves('1 day', 9)") == "0"


def test_a_role_without_rights_is_told_what_the_server_says(empty):
    empty.psql("CREATE ROLE nobody LOGIN PASSWORD 'pw'; REVOKE ALL ON SCHEMA public FROM PUBLIC;")
    try:
        url = empty.cluster.url(empty.name, "nobody", "pw")
        for command in ("init", "import"):
            done = crebito(command, "--database", url)
            assert done.returncode == 1 and done.stderr.count("\n") == 1, done
        done = crebito("init", "--database", url)
        assert "permission denied" in done.stderr or "no schema" in done.stderr, done
        assert tables(empty) == "0"
    finally:
        empty.psql("DROP ROLE nobody")


def test_init_beside_a_bank_that_books_makes_nobody_fail(empty):
    """A profile needs each table for itself for a moment, and takes them in the order in which calls do."""
    init(empty)
    enough, said = threading.Event(), []

    def load(number):
        with empty.session() as session:
            while not enough.is_set():
                said.append(session.run(f"SELECT resultados FROM InsertTransacoes({number}, ARRAY[1, 1], ARRAY['c', 'd'],"
                                        f" ARRAY['x', 'y'], ARRAY['{number}-{len(said)}', NULL])"))

    threads = [threading.Thread(target=load, args=(number,)) for number in (1, 2, 3, 4)]
    for thread in threads:
        thread.start()
    try:
        for profile in ([], ["--profile=contest"], ["--profile=contest"], ["--profile=durable"]) * 3:
            done = init(empty, *profile)
            assert done.returncode == 0, done
    finally:
        enough.set()
        for thread in threads:
            thread.join()
    assert set(said) == {"{ok,ok}\n"}
    assert is_sound(empty)


def test_init_waits_for_no_reader_where_there_is_nothing_to_change(empty):
    init(empty, "--profile", "contest")
    with empty.session() as other:
        other.run('BEGIN; SELECT FROM "Clientes", "Transacoes", "Chaves"')
        for profile in ([], ["--profile=contest"]):
            done = init(empty, *profile, prefix=["timeout", "10"])
            assert done.returncode == 0, done


# ---- another version


def test_without_a_schema_each_command_names_the_one_that_makes_it(empty):
    for command in ("verify", "export", "status"):
        done = crebito(command, "--database", empty.url)
        assert done.returncode == 2 and done.stdout == "", done
        assert "there is no bank in this database: run `crebito init" in done.stderr, done


def test_a_newer_schema_is_refused_and_left_alone(empty):
    init(empty)
    empty.psql('UPDATE "Esquema" SET "Versao" = 2; DROP FUNCTION DeleteChaves')
    before = contents(empty)
    for command, status in (("verify", 2), ("export", 2), ("status", 2), ("init", 1)):
        done = crebito(command, "--database", empty.url)
        assert done.returncode == status and done.stdout == "", done
        assert "version 2, and this crebito knows 1: use a newer one" in done.stderr, done
    assert contents(empty) == before


# The challenge's first bank, as far as an upgrade meets it.
FIRST_BANK = """
    CREATE UNLOGGED TABLE "Clientes" ("Id" integer GENERATED BY DEFAULT AS IDENTITY CONSTRAINT "PK_Clientes"
        PRIMARY KEY, "Limite" integer NOT NULL, "SaldoInicial" integer NOT NULL);
    CREATE UNLOGGED TABLE "Transacoes" ("Id" integer GENERATED BY DEFAULT AS IDENTITY CONSTRAINT
        "PK_Transacoes" PRIMARY KEY, "Valor" integer NOT NULL, "ClienteId" integer NOT NULL,
        "Tipo" varchar(1) NOT NULL, "Descricao" text NOT NULL, "RealizadoEm" timestamp DEFAULT now());
    CREATE INDEX "IX_Transacoes_ClienteId_Id_Desc" ON "Transacoes" ("ClienteId", "Id" DESC);
    CREATE FUNCTION InsertTransacao(id integer, valor integer, tipo varchar, descricao varchar)
        RETURNS integer LANGUAGE sql AS 'SELECT 1';
    CREATE FUNCTION GetSaldoClienteById(id integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';
    INSERT INTO "Clientes" VALUES (1, 100000, 40), (2, 80000, -80000), (3, 1000000, 0);
    INSERT INTO "Transacoes" ("Valor", "ClienteId", "Tipo", "Descricao", "RealizadoEm") VALUES
        (100, 1, 'c', 'first', '2024-01-17 02:34:38.5'), (60, 1, 'd', 'ação 😀', '2024-01-17 02:34:38.5'),
        (80000, 2, 'd', 'all', '2024-01-17 02:34:39'), (7, 6, 'c', 'orphan', '2024-01-17 02:34:40'),
        (7, 1, 'd', 'back', '2024-01-17 02:34:37'), (7, 1, 'c', 'again', '2024-01-17 02:34:41');
"""


def test_the_challenges_first_bank_becomes_one_of_today(empty):
    empty.psql(FIRST_BANK)
    for command in ("verify", "export", "status"):
        done = crebito(command, "--database", empty.url)
        assert done.returncode == 2 and "older than this crebito: run `crebito init" in done.stderr, done
    done = init(empty)
    assert done.returncode == 0 and "ready, 3 accounts, 8 records" in done.stdout, done
    assert done.stderr == ("crebito: warning: 1 transactions of clients that do not exist were left behind\n")
    assert is_sound(empty, "3 accounts, 5 entries")
    assert empty.psql('SELECT "Id", "Saldo" FROM "Clientes" ORDER BY 1') == "1|40\n2|-80000\n3|0"
    entries = [(line["client"], line.get("description")) for line in records(export(empty.url))]
    assert [word for client, word in entries if client == 1] == [None, "first", "ação 😀", "back", "again"]
    assert empty.psql("SELECT resultado FROM InsertTransacao(2, 1, 'd', 'more')") == "limite"
    assert empty.psql("SELECT resultado FROM InsertTransacao(2, 1, 'c', 'more')") == "ok"
    assert is_sound(empty, "6 entries")


def test_an_upgrade_that_fails_leaves_the_first_bank_as_it_was(empty):
    empty.psql(FIRST_BANK + 'UPDATE "Clientes" SET "SaldoInicial" = -80001 WHERE "Id" = 2')
    before = contents(empty)
    done = init(empty)
    assert done.returncode == 1 and "CK_Clientes_Saldo" in done.stderr and done.stderr.count("\n") == 1, done
    assert contents(empty) == before


def test_a_new_ledger_is_not_put_over_a_first_bank(empty, tmp_path):
    empty.psql(FIRST_BANK)
    (tmp_path / "clients.csv").write_text("7,1\n")
    before = contents(empty)
    done = init(empty, "--clients", tmp_path / "clients.csv")
    assert done.returncode == 1 and "an older bank" in done.stderr, done
    assert contents(empty) == before


# ---- profiles


def persistence(database):
    return set(database.psql("SELECT relpersistence FROM pg_class WHERE relname IN"
                             " ('Clientes', 'Transacoes', 'Chaves')").split("\n"))


def status(database):
    return json.loads(crebito("status", "--json", "--database", database.url).stdout)["store"]


def test_the_contests_profile_warns_and_stays_until_another_is_chosen(empty, tmp_path):
    done = init(empty, "--profile", "contest")
    assert done.returncode == 0, done
    assert done.stderr.startswith("crebito: warning: profile contest: a crash of the server empties the bank"), done
    assert persistence(empty) == {"u"}
    assert "not durable: tables are UNLOGGED" in status(empty)["owner"]
    assert init(empty).stderr == "" and persistence(empty) == {"u"}
    book(empty)
    assert init(empty, environment={"CREBITO_PROFILE": "durable"}).stderr == ""
    assert persistence(empty) == {"p"} and is_sound(empty, "40 entries")
    assert status(empty)["owner"].endswith(", durable")


def test_a_table_of_clients_may_come_with_a_profile(empty, tmp_path):
    (tmp_path / "clients.csv").write_text("7,100,-5\n")
    done = init(empty, "--clients", tmp_path / "clients.csv", "--profile", "contest")
    assert done.returncode == 0 and "profile contest" in done.stderr and "1 accounts" in done.stdout, done
    assert persistence(empty) == {"u"} and is_sound(empty, "1 accounts")


def test_a_folder_has_no_profile(tmp_path):
    done = crebito("init", "--database", f"lmdb:{tmp_path}/data", "--profile", "durable")
    assert done.returncode == 2 and "--profile" in done.stderr and "PostgreSQL" in done.stderr, done
    assert not (tmp_path / "data").exists()


# ---- status


def test_status_says_what_a_database_holds(empty):
    init(empty)
    book_all_kinds(empty)
    store = status(empty)
    assert store["owner"].startswith("PostgreSQL ") and store["owner"].endswith(", durable"), store
    bytes_ = int(empty.psql("SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relname IN"
                            " ('Clientes', 'Transacoes', 'Chaves')"))
    assert store == {"database": f"postgres://127.0.0.1:{empty.cluster.port}/{empty.name}", "layout": 1,
                     "owner": store["owner"], "accounts": 6, "records": 67, "keys": 45,
                     "commits": None, "checkpoints": None, "used_bytes": bytes_, "capacity_bytes": None, "free_bytes": None}
    text = crebito("status", "--database", empty.url).stdout
    for line in ("owner     PostgreSQL ", "accounts  6\n", "records   67\n", "keys      45\n", " MiB used\n"):
        assert line in text, text
    assert "commits" not in text


def test_status_counts_no_table_that_is_large(empty):
    """A container's health check asks it every few seconds."""
    init(empty)
    book_all_kinds(empty)
    # Nothing else tells a count from an estimate but that this one is wrong.
    empty.psql("UPDATE pg_class SET reltuples = 200000 WHERE relname IN ('Chaves', 'Transacoes')")
    store = status(empty)
    assert (store["accounts"], store["records"], store["keys"]) == (6, 67, 200000)
    empty.psql("UPDATE pg_class SET reltuples = 300000 WHERE relname = 'Clientes'")
    store = status(empty)
    assert (store["accounts"], store["records"], store["keys"]) == (300000, 200000, 200000)


def test_status_says_that_a_server_does_not_flush():
    with Cluster(fsync="off", full_page_writes="off") as cluster:
        database = cluster.create()
        assert status(database)["owner"].endswith("not durable: fsync is off")


def test_a_server_that_is_not_there_is_exit_2_and_one_line():
    url = "postgres://somebody:hidden@127.0.0.1:1/bank"
    for command in ("verify", "export", "status"):
        done = crebito(command, "--database", url)
        assert done.returncode == 2 and done.stderr.count("\n") == 1 and "refused" in done.stderr, done
    for command in ("init", "import"):
        done = crebito(command, "--database", url)
        assert done.returncode in (1, 2) and done.stderr.count("\n") == 1, done


# ---- passwords


def test_no_output_has_a_password_or_a_user_in_it(empty, tmp_path):
    (tmp_path / "clients.csv").write_text("7,1\n")
    url = empty.url
    parameters = empty.cluster.url(empty.name, password=PASSWORD, sslmode="disable", password_=PASSWORD)
    wrong = [empty.cluster.url(empty.name, password="wr0ng"), empty.cluster.url("missing"),
             f"postgres://postgres:{PASSWORD}@127.0.0.1:1/bank", parameters,
             f"postgres://postgres:{PASSWORD}@127.0.0.1:{empty.cluster.port}/{empty.name}?sslmode=verify-full"]
    commands = (["verify"], ["status"], ["status", "--json"], ["export"], ["import"], ["init"],
                ["init", "--clients", tmp_path / "clients.csv"], ["init", "--profile", "durable"],
["backup", tmp_path / "copy"], ["restore", tmp_path])
    for database in [url, url, *wrong]:  # Without a bank, and then with one.
        for command in commands:
            done = crebito(*command, "--database", database)
            for secret in (PASSWORD, "wr0ng"):
                assert secret not in done.stdout + done.stderr, (command, database, done)
            shown = done.stdout + done.stderr
            assert "postgres:" not in shown.replace("postgres://", ""), (command, done)


def test_the_password_may_come_from_libpqs_own_places(empty, tmp_path):
    init(empty)
    url = f"postgres://postgres@127.0.0.1:{empty.cluster.port}/{empty.name}"
    file = tmp_path / "pgpass"
    file.write_text(f"*:*:*:*:{PASSWORD}\n")
    file.chmod(0o600)
    for environment in ({"PGPASSWORD": PASSWORD}, {"PGPASSFILE": str(file)}):
        assert crebito("verify", "--database", url, environment=environment).returncode == 0
    assert "PGPASSWORD" not in clean_environment()
    assert crebito("verify", "--database", url).returncode == 2
