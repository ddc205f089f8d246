# SPDX-License-Identifier: MIT
"""What `crebito serve` says when a server or database is not what it needs: where, what, and what mends it."""

import re

import pytest

from bank import LIMITS, crebito, is_problem
from places import healthy, lines, refused_at_start, said, wait_for
from postgres import PASSWORD

MENDS_SCHEMA = "crebito init --database"


def says(reason, database, *words):
    """Where, and all of these; in one line, and without what only a programmer understands."""
    assert f"127.0.0.1:{database.cluster.port}/{database.name}" in reason, reason
    for word in words:
        assert word in reason, f"{word!r} is not in {reason!r}"
    assert len(reason) < 400, reason
    return True


# ---- the schema


@pytest.fixture
def empty_database(database):
    made = database.cluster.create(template=None)
    yield made
    made.drop()


def test_without_a_schema_it_names_the_command_that_makes_one(empty_database):
    reason, waited = refused_at_start(empty_database.url)
    assert says(reason, empty_database, "there is no bank in this database", MENDS_SCHEMA)
    assert waited < 3
    done = crebito("init", "--database", empty_database.url)
    assert done.returncode == 0 and PASSWORD not in done.stdout + done.stderr, done


def test_what_it_names_does_mend_it(empty_database, serve):
    refused_at_start(empty_database.url)
    assert crebito("init", "--database", empty_database.url).returncode == 0
    bank = serve(empty_database)
    assert [bank.extrato(client)["saldo"]["limite"] for client in LIMITS] == list(LIMITS.values())


OLDER = {"emptied": 'DELETE FROM "Esquema"', "version 0": 'UPDATE "Esquema" SET "Versao" = 0'}


@pytest.mark.parametrize("how", OLDER)
def test_an_older_schema_names_the_command_that_upgrades_it(database, how):
    database.psql(OLDER[how])
    reason, waited = refused_at_start(database.url)
    assert says(reason, database, "older", MENDS_SCHEMA)
    assert waited < 3


def test_a_newer_schema_asks_for_a_newer_crebito_and_is_left_alone(database):
    database.psql('UPDATE "Esquema" SET "Versao" = 2')
    reason, _ = refused_at_start(database.url)
    assert says(reason, database, "version 2", "knows 1", "newer")
    assert crebito("init", "--database", database.url).returncode == 1
    assert database.psql('SELECT * FROM "Esquema"').startswith("2|")


def test_a_schema_that_is_in_another_one_is_not_there(database):
    database.psql('CREATE SCHEMA outro; ALTER TABLE "Esquema" SET SCHEMA outro')
    reason, _ = refused_at_start(database.url)
    assert says(reason, database, MENDS_SCHEMA)


@pytest.mark.parametrize("missing", [
    'DROP FUNCTION InsertTransacoes', 'DROP FUNCTION GetSaldoClienteById', 'DROP TABLE "Chaves"',
    'DROP TABLE "Transacoes"'])
def test_a_schema_with_a_piece_missing_is_refused_at_the_start(database, missing):
    database.psql(f"{missing} CASCADE")
    reason, waited = refused_at_start(database.url)
    name = missing.split()[2].strip('"').lower()
    assert says(reason, database), reason
    assert name in reason.lower() or MENDS_SCHEMA in reason, reason
    assert waited < 3


# ---- who asks


def role(database, sql=""):
    name = f"caixa{database.name}"
    database.psql(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'; {sql.format(name=name)}")
    return database.cluster.url(database.name, user=name)


@pytest.mark.parametrize("grants, missing", [
    ("", "Esquema"),
    ('GRANT SELECT ON "Esquema" TO {name}', None)], ids=["none", "only to see that there is a bank"])
def test_a_role_without_rights_is_told_which_are_missing(database, serve, grants, missing):
    reason, waited = refused_at_start(role(database, grants))
    assert says(reason, database, "permission denied"), reason
    assert missing is None or missing in reason
    assert waited < 3


def test_a_role_that_may_only_read_serves_statements_and_books_nothing(database, serve):
    """What it lacks for booking is seen when it books: 503, and the log says why."""
    bank = serve(role(database, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}"))
    assert bank.balance(1) == 0
    assert is_problem(bank.post(1, 1), 503, "indisponivel")
    assert any("permission denied" in line and "42501" in line for line in lines(bank, "refuses a call")), bank.log


def test_a_role_with_the_rights_of_a_teller_serves(database, serve):
    bank = serve(role(database, 'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name}'))
    assert bank.post(1, 1, key="k").json()["saldo"] == bank.balance(1) == 1
    assert healthy(bank) and said(bank, "level=warn") == 0, bank.log


def test_a_wrong_password_is_refused_at_once_and_shown_to_nobody(database):
    url = database.cluster.url(database.name, password="wr0ng")
    reason, waited = refused_at_start(url, "--connect-timeout", 9)
    assert says(reason, database, "password authentication failed")
    assert "wr0ng" not in reason and waited < 3


def test_no_password_where_one_is_needed_is_refused_at_once(database):
    url = re.sub(r":[^:@/]+@", "@", database.url)
    assert PASSWORD not in url
    reason, waited = refused_at_start(url, "--connect-timeout", 9, environment={"HOME": "/nonexistent"})
    assert says(reason, database, "no password supplied") and waited < 3


def test_an_unknown_database_is_named(database):
    url = database.cluster.url("nada")
    reason, waited = refused_at_start(url, "--connect-timeout", 9)
    assert '"nada" does not exist' in reason.replace('\\"', '"') and waited < 3, reason


def test_an_unknown_role_is_named(database):
    url = database.cluster.url(database.name, user="ninguem")
    reason, waited = refused_at_start(url, "--connect-timeout", 9)
    assert says(reason, database, "ninguem") and waited < 3


@pytest.mark.parametrize("url, words", [
    ("postgres://postgres:{password}@localhost:{port}x/bank", ["port"]),
    ("postgres://postgres:{password}@127.0.0.1:{port}/bank?sslmode=maybe", ["sslmode", "maybe"]),
    ("postgres://postgres:{password}@127.0.0.1:{port}/bank?nonsense=1", ["a parameter that it does not know"]),
    ("postgres://postgres:{password}@no-such-host.invalid/bank", ["no-such-host.invalid"])])
def test_a_url_that_leads_nowhere_is_refused_and_shows_no_password(database, url, words):
    url = url.format(password=PASSWORD, port=database.cluster.port)
    reason, waited = refused_at_start(url, "--connect-timeout", 1)
    for word in words:
        assert word in reason, reason
    assert waited < 6


def test_a_password_with_characters_of_urls_is_shown_to_nobody(database):
    """The harness looks for them in all that is said; here their halves are looked for as well."""
    url = database.cluster.url(database.name, password="ab@cd:ef/gh?ij")
    done = crebito("serve", "--listen", "127.0.0.1:0", "--connect-timeout", 1, "--database", url)
    assert done.returncode != 0
    for part in ("ab@", "cd:ef", "ef/gh", ":ef", "gh?ij"):
        assert part not in done.stdout + done.stderr, done.stderr


@pytest.mark.parametrize("command", ["serve", "init", "verify", "status", "export"])
def test_no_command_shows_a_password(database, command):
    """Whether it works or not."""
    for url in (database.url, database.cluster.url("nada"), database.cluster.url(database.name, port=1)):
        options = ["--listen", "127.0.0.1:99999"] if command == "serve" else []
        done = crebito(command, "--database", url, *options)
        assert PASSWORD not in done.stdout + done.stderr, done


# ---- what it promises


def test_a_database_in_another_encoding_is_refused(database):
    name = f"latin{database.name}"
    database.cluster.psql(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING LATIN1 LOCALE 'C'")
    try:
        url = database.cluster.url(name)
        reason, waited = refused_at_start(url)
        assert "UTF8" in reason and "LATIN1" in reason and name in reason and waited < 3, reason
        done = crebito("init", "--database", url)
        assert done.returncode == 1 and "UTF8" in done.stderr and "LATIN1" in done.stderr, done
    finally:
        database.cluster.psql(f"DROP DATABASE {name}")


TABLES = ["Clientes", "Transacoes", "Chaves"]


@pytest.mark.parametrize("table", TABLES)
def test_a_table_without_a_log_is_refused_unless_it_was_asked_for(database, serve, table):
    database.psql(f'ALTER TABLE "{table}" SET UNLOGGED')
    reason, waited = refused_at_start(database.url)
    assert says(reason, database, "UNLOGGED", "crebito init --profile durable", "--durability none")
    assert waited < 3
    bank = serve(database, "--durability", "none")
    assert bank.post(1, 1).status == 200
    assert said(bank, "level=warn") >= 1
    [line] = lines(bank, "durability is none")
    assert "may lose" in line and PASSWORD not in line
    assert crebito("init", "--profile", "durable", "--database", database.url).returncode == 0
    assert serve(database).balance(1) == 1



def test_fsync_off_is_refused_unless_it_was_asked_for(own_cluster, serve):
    own_cluster.configure(fsync="off").reload()
    wait_for(lambda: own_cluster.psql("SHOW fsync") == "off")
    database = own_cluster.create()
    reason, waited = refused_at_start(database.url)
    assert says(reason, database, "fsync is off", "--durability none") and waited < 3
    bank = serve(database, "--durability", "none")
    assert bank.post(1, 1).status == 200
    assert said(bank, "durability is none") == 1


def test_what_is_no_longer_durable_after_a_restart_is_refused_then(own_cluster, serve):
    """Also by a bank that serves: what it would acknowledge could be lost."""
    database = own_cluster.create()
    bank = serve(database)
    assert bank.post(1, 5).status == 200
    own_cluster.configure(fsync="off").restart()
    for _ in range(3):
        assert is_problem(bank.post(1, 1), 503, "indisponivel")
    assert not healthy(bank)
    *_, line = lines(bank, "cannot be reached")
    assert "fsync is off" in line, line
    assert said(bank, "fsync is off") <= 2  # Once for each connection, though it is tried again and again.
    own_cluster.configure(fsync="on").restart()
    wait_for(lambda: bank.post(1, 1).status == 200)
    wait_for(lambda: healthy(bank))
    assert bank.balance(1) == 6


def test_full_page_writes_off_is_warned_of(own_cluster, serve):
    own_cluster.configure(full_page_writes="off").reload()
    wait_for(lambda: own_cluster.psql("SHOW full_page_writes") == "off")
    bank = serve(own_cluster.create())
    assert bank.post(1, 1).status == 200
    assert any("full_page_writes" in line for line in lines(bank, "level=warn")), bank.log


@pytest.mark.parametrize("durability, role_has, expected", [
    ("full", "off", "on"), ("full", "local", "local"), ("full", "on", "on"), ("none", "on", "off")])
def test_a_bank_commits_as_durably_as_it_says(database, serve, durability, role_has, expected):
    """Whatever the role's own setting is. A trigger tells what the session has."""
    name = f"caixa{database.name}"
    url = role(database, "GRANT ALL ON ALL TABLES IN SCHEMA public TO {name};"
               f"ALTER ROLE {name} SET synchronous_commit = '{role_has}'")
    database.psql(f"""
        CREATE TABLE visto (valor text); GRANT ALL ON visto TO {name};
        CREATE FUNCTION ve() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO visto VALUES (current_setting('synchronous_commit')); RETURN NEW; END $$;
        CREATE TRIGGER ve BEFORE INSERT ON "Transacoes" FOR EACH ROW EXECUTE FUNCTION ve()""")
    bank = serve(url, "--durability", durability)
    assert bank.post(1, 1).status == 200
    assert database.psql("SELECT * FROM visto") == expected


def test_a_database_that_may_only_be_read_is_not_healthy_and_books_nothing(database, serve):
    bank = serve(database)
    assert bank.post(1, 5).status == 200
    database.psql(f"ALTER DATABASE {database.name} SET default_transaction_read_only = on")
    database.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                  f" WHERE application_name = 'crebito' AND datname = '{database.name}'")
    wait_for(lambda: database.sessions() == 0)
    assert is_problem(bank.post(1, 1), 503, "indisponivel")
    assert not healthy(bank)
    assert bank.balance(1) == 5
    database.psql("SET transaction_read_only = off;"
                  f"ALTER DATABASE {database.name} RESET default_transaction_read_only")
    wait_for(lambda: bank.post(1, 1).status == 200)
    wait_for(lambda: healthy(bank))


def test_no_bank_that_is_being_served_becomes_one_that_a_crash_empties(own_cluster, serve):
    database = own_cluster.create()
    bank = serve(database)
    done = crebito("init", "--database", database.url, "--profile", "contest")
    assert done.returncode == 1 and "is being served: stop it first" in done.stderr, done
    assert database.psql("SELECT count(*) FROM pg_class WHERE relpersistence = 'u'") == "0"
    bank.stop()
    wait_for(lambda: crebito("init", "--database", database.url, "--profile", "contest").returncode == 0)
    # Who changes an account there promises no more than the bank does.
    done = crebito("client", "set-limit", 1, "--limit", 7, "--database", database.url)
    assert done.returncode == 0 and "limit 7" in done.stdout, done
