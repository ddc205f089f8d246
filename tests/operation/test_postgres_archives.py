# SPDX-License-Identifier: MIT
"""export, import and init --clients with PostgreSQL on either side or on both."""

import json
import os
import signal
import subprocess

import pytest

from bank import BINARY, PATIENCE_S, clean_environment, crebito
from books import book_all_kinds, export, is_sound, records, tables
from postgres import Cluster, shared_cluster, wait_until


@pytest.fixture
def ledger():
    database = book_all_kinds(shared_cluster().create())
    yield database
    database.drop()


@pytest.fixture
def empty():
    database = shared_cluster().create(template=None)
    yield database
    database.drop()


def read_in(url, text):
    """crebito import, from standard input."""
    done = subprocess.run([BINARY, "import", "--database", url], input=text.encode(), capture_output=True,
                          timeout=PATIENCE_S, env=clean_environment())
    assert b"Sanitizer" not in done.stderr, done
    return done


def nothing_stays(database):
    assert tables(database) == "0"
    return True


def unnumbered(text):
    """Equal ledgers may number records of one time differently."""
    return sorted(json.dumps({**line, "sequence": 0}) for line in records(text))


# ---- there and back


def test_an_imported_export_is_an_equal_ledger(ledger, empty):
    text = export(ledger.url)
    done = read_in(empty.url, text)
    assert done.returncode == 0 and b"ready, 6 accounts, 67 records" in done.stdout, done
    assert export(empty.url) == text
    assert is_sound(empty, "6 accounts, 60 entries, 45 keys")
    for table, order in (("Clientes", 1), ("Transacoes", "6, 1"), ("Chaves", "1, 2"), ("Esquema", 1)):
        rows = [database.psql(f'SELECT * FROM "{table}" ORDER BY {order}') for database in (ledger, empty)]
        assert rows[0] == rows[1], table


def test_a_ledger_goes_to_a_folder_and_back(ledger, empty, tmp_path):
    text = export(ledger.url)
    folder = f"lmdb:{tmp_path}/data"
    assert read_in(folder, text).returncode == 0
    assert export(folder) == text
    assert read_in(empty.url, export(folder)).returncode == 0
    assert export(empty.url) == text


def test_a_bank_goes_on_in_an_imported_ledger(ledger, empty):
    assert read_in(empty.url, export(ledger.url)).returncode == 0
    call = "SELECT resultado, saldo FROM InsertTransacao(3, {}, '{}', '{}', 'k-4')"
    first = empty.psql('SELECT "Saldo" FROM "Transacoes" WHERE "ClienteId" = 3 AND "Id" = 5')
    assert empty.psql(call.format(12, "c", "\\")) == f"repetida|{first}"
    assert empty.psql(call.format(13, "c", "\\")).startswith("chave")
    assert empty.psql("SELECT resultado FROM InsertTransacao(1, 5, 'c', 'more')") == "ok"
    assert is_sound(empty, "61 entries")


def test_records_of_one_time_are_ordered_by_client(empty, tmp_path):
    """Accounts are booked at the same time by several connections; within one, times rise."""
    header = '{"kind":"ledger","format":1,"created":"2024-01-17T00:00:00.000000Z","complete":true}'
    opening = ('{{"sequence":{},"client":{},"kind":"opening","balance_cents":0,"limit_cents":9,'
               '"time":"2024-01-17T00:00:00.00000{}Z"}}')
    lines = [header, opening.format(1, 5, 1), opening.format(2, 3, 1), opening.format(3, 4, 1),
             opening.format(4, 2, 2), '{"kind":"end","records":4}', ""]
    for url in (empty.url, f"lmdb:{tmp_path}/data"):
        assert read_in(url, "\n".join(lines)).returncode == 0
    assert [(line["sequence"], line["client"]) for line in records(export(empty.url))] == [
        (1, 3), (2, 4), (3, 5), (4, 2)]
    assert unnumbered(export(empty.url)) == unnumbered("\n".join(lines))
    assert export(f"lmdb:{tmp_path}/data") == "\n".join(lines)


def test_the_time_of_creation_is_kept_to_the_microsecond(empty):
    for time in ("1970-01-01T00:00:00.000001Z", "9999-12-31T23:59:59.999999Z", "2024-02-29T12:34:56.789012Z"):
        database = empty.cluster.create(template=None)
        text = ('{"kind":"ledger","format":1,"created":"%s","complete":true}\n'
                '{"sequence":1,"client":1,"kind":"opening","balance_cents":0,"limit_cents":9,"time":"%s"}\n'
                '{"kind":"end","records":1}\n' % (time, time))
        assert read_in(database.url, text).returncode == 0
        assert export(database.url) == text
        database.drop()


def test_a_filtered_export_has_the_numbers_of_the_whole(ledger, empty):
    whole = records(export(ledger.url))
    text = export(ledger.url, "--client", 3)
    assert records(text) == [line for line in whole if line["client"] == 3]
    assert any("key" in line for line in records(text))
    middle = whole[len(whole) // 2]["time"]
    since = export(ledger.url, "--since", middle)
    assert records(since) == [line for line in whole if line["time"] >= middle]
    both = export(ledger.url, "--since", middle, "--client", 2)
    assert records(both) == [line for line in whole if line["time"] >= middle and line["client"] == 2]
    assert records(export(ledger.url, "--client", 6)) == []
    for part in (text, since, both):
        done = read_in(empty.url, part)
        assert done.returncode == 1 and b"line 1: a filtered export" in done.stderr, done
    assert nothing_stays(empty)


def test_a_filtered_export_is_not_audited_and_stops_at_what_is_no_record(ledger):
    ledger.psql('ALTER TABLE "Transacoes" DROP CONSTRAINT "CK_Transacoes_Tipo"')
    ledger.psql("UPDATE \"Transacoes\" SET \"Tipo\" = 'x' WHERE \"ClienteId\" = 3 AND \"Id\" = 5")
    assert len(records(export(ledger.url, "--client", 1))) == 13
    done = crebito("export", "--database", ledger.url, "--client", 3)
    assert done.returncode == 1 and "it is of no known kind" in done.stderr, done
    assert '"end"' not in done.stdout


def test_what_cannot_be_said_as_text_ends_an_export(ledger):
    ledger.psql("UPDATE \"Chaves\" SET \"Chave\" = 'not ascii é' WHERE \"ClienteId\" = 3 AND \"TransacaoId\" = 5")
    done = crebito("export", "--database", ledger.url)
    assert done.returncode == 1 and "its key is not 1 to 64 visible ASCII" in done.stderr, done


def test_csv_says_what_json_says(ledger):
    rows = export(ledger.url, "--format=csv").splitlines()
    assert len(rows) == 1 + len(records(export(ledger.url)))


# ---- what is refused


def test_an_import_overwrites_nothing(ledger):
    text = export(ledger.url)
    done = read_in(ledger.url, text)
    assert done.returncode == 1 and b"there is a bank in this database already" in done.stderr, done
    assert export(ledger.url) == text


def changed(line, **members):
    """Members that become None are left out."""
    members = {**json.loads(line), **members}
    return json.dumps({name: value for name, value in members.items() if value is not None})


def test_a_broken_import_names_the_line_and_leaves_nothing(ledger, empty):
    lines = export(ledger.url).splitlines()
    where = next(at for at in range(50, 70) if '"key"' in lines[at] and json.loads(lines[at])["client"] == 3)
    line = json.loads(lines[where])
    key = next(json.loads(text)["key"] for text in lines[1:where] if json.loads(text)["client"] == 3 and '"key"' in text)
    rich = next(json.loads(text)["client"] for text in lines[1:where] if json.loads(text)["balance_cents"] > 0)
    before = max(json.loads(text)["time"] for text in lines[1:where] if json.loads(text)["client"] == 3)
    broken = {
        "its balance is not the one before it and its amount": {"balance_cents": line["balance_cents"] + 1},
        "its limit is not the one that was in force": {"limit_cents": 999999},
        "its key belongs to another of the client's entries": {"key": key},
        "its account has not been opened": {"client": 6},
        "it takes the balance below the limit": {"kind": "debit", "amount_cents": 9007199254740991},
        "it takes the balance past the largest": {"kind": "credit", "amount_cents": 9007199254740991,
                                                  "client": rich, "key": None},
    }
    for words, members in broken.items():
        text = [*lines[:where], changed(lines[where], **members), *lines[where + 1:], ""]
        done = read_in(empty.url, "\n".join(text))
        client = members.get("client", 3)
        assert done.returncode == 1 and done.stdout == b"", (words, done)
        assert f"stdin: line {where + 1}: client {client}: {words}".encode() in done.stderr, (words, done)
        assert done.stderr.count(b"\n") == 1 and nothing_stays(empty)
    text = [*lines[:where - 1], changed(lines[where], sequence=where, time=before), "", *lines[where:]]
    assert b"line" in read_in(empty.url, "\n".join(text)).stderr and nothing_stays(empty)
    for text in (lines[:30], lines + lines, []):
        assert read_in(empty.url, "".join(f"{line}\n" for line in text)).returncode == 1
        assert nothing_stays(empty)


def test_two_records_of_an_account_are_not_of_one_time(empty):
    record = ('{{"sequence":{},"client":1,"kind":"{}","balance_cents":0,"limit_cents":9,'
              '"time":"2024-01-17T00:00:00.000001Z"}}\n')
    text = ('{"kind":"ledger","format":1,"created":"2024-01-17T00:00:00.000000Z","complete":true}\n'
            + record.format(1, "opening") + record.format(2, "limit") + '{"kind":"end","records":2}\n')
    done = read_in(empty.url, text)
    assert done.returncode == 1 and b"line 3: client 1: its time does not rise" in done.stderr, done
    assert nothing_stays(empty)


def test_a_ledger_of_nothing_is_none(empty):
    done = read_in(empty.url, '{"kind":"ledger","format":1,"created":"2024-01-17T00:00:00.000000Z",'
                              '"complete":true}\n{"kind":"end","records":0}\n')
    assert done.returncode == 1 and b"the journal is empty" in done.stderr, done
    assert nothing_stays(empty)


# ---- what is broken off


@pytest.mark.parametrize("sign, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_an_import_that_is_ended_leaves_nothing(ledger, empty, sign, status):
    lines = export(ledger.url).splitlines(keepends=True)
    with subprocess.Popen([BINARY, "import", "--database", empty.url], stdin=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=clean_environment()) as process:
        process.stdin.write("".join(lines[:20]).encode())
        process.stdin.flush()
        wait_until(lambda: empty.sessions() == 1, "it does not connect")
        wait_until(lambda: empty.psql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == "1",
                   "it does not begin")
        process.send_signal(sign)
        assert process.wait(PATIENCE_S) == status
    wait_until(lambda: empty.sessions() == 0, "its session stays")
    assert nothing_stays(empty)
    assert read_in(empty.url, "".join(lines)).returncode == 0


def test_a_server_that_dies_leaves_nothing_of_an_import(ledger):
    lines = export(ledger.url).splitlines(keepends=True)
    with Cluster() as cluster:
        database = cluster.create(template=None)
        with subprocess.Popen([BINARY, "import", "--database", database.url], stdin=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=clean_environment()) as process:
            process.stdin.write("".join(lines[:20]).encode())
            process.stdin.flush()
            wait_until(lambda: database.sessions() == 1, "it does not connect")
            cluster.kill()
            process.stdin.write("".join(lines[20:]).encode())
            process.stdin.close()
            assert process.wait(PATIENCE_S) == 1
            said = process.stderr.read().decode()
            assert said.startswith(f"crebito: postgres://127.0.0.1:{cluster.port}/") and said.count("\n") == 1, said
        cluster.start()
        assert nothing_stays(database)


def test_a_second_import_waits_for_the_first_and_is_refused(ledger, empty):
    text = export(ledger.url)
    with subprocess.Popen([BINARY, "import", "--database", empty.url], stdin=subprocess.PIPE,
                          env=clean_environment(), stdout=subprocess.PIPE) as first:
        first.stdin.write(text[:3000].encode())
        first.stdin.flush()
        wait_until(lambda: empty.psql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == "1",
                   "it does not begin")
        with subprocess.Popen([BINARY, "import", "--database", empty.url], stdin=subprocess.PIPE,
                              env=clean_environment(), stderr=subprocess.PIPE) as second:
            second.stdin.write(text.encode())
            second.stdin.close()
            wait_until(lambda: empty.psql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
                                          " AND NOT granted") == "1", "it does not wait")
            first.stdin.write(text[3000:].encode())
            first.stdin.close()
            assert first.wait(PATIENCE_S) == 0
            assert second.wait(PATIENCE_S) == 1
            assert b"there is a bank in this database already" in second.stderr.read()
    assert export(empty.url) == text


def test_a_reader_that_leaves_ends_an_export_quietly(ledger):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([BINARY, "export", "--database", ledger.url], stdout=writing, stderr=subprocess.PIPE,
                          env=clean_environment(), timeout=PATIENCE_S)
    os.close(writing)
    assert done.returncode == 1 and done.stderr == b"", done


# ---- init --clients


def table(tmp_path, text):
    (tmp_path / "clients.csv").write_text(text)
    return tmp_path / "clients.csv"


def test_a_bank_begins_with_the_clients_of_a_table(empty, tmp_path):
    done = crebito("init", "--database", empty.url, "--clients",
                   table(tmp_path, "id,limit,balance\n7,100,-5\n2147483647,0,9\n"))
    assert done.returncode == 0 and "ready, 2 accounts, 2 records" in done.stdout, done
    assert is_sound(empty, "2 accounts")
    assert empty.psql('SELECT "Id", "Limite", "Saldo" FROM "Clientes" ORDER BY 1') == "7|100|-5\n2147483647|0|9"
    again = crebito("init", "--database", empty.url, "--clients", table(tmp_path, "8,1\n"))
    assert again.returncode == 0 and "it was there already, and nothing was read" in again.stdout, again
    assert is_sound(empty, "2 accounts")


def test_each_bad_row_is_named_and_none_is_created(empty, tmp_path):
    done = crebito("init", "--database", empty.url, "--clients", table(tmp_path, "1,5\n1,6\nx,5\n2,-1\n5,5\n"))
    assert done.returncode == 1 and done.stdout == "", done
    for line, word in ((2, "there already"), (3, "id"), (4, "limit")):
        assert any(f"clients.csv:{line}: " in said and word in said for said in done.stderr.splitlines()), done
    assert "3 of 5 rows" in done.stderr and nothing_stays(empty)


@pytest.mark.slow
def test_there_may_be_more_clients_than_an_audit_of_a_folder_holds_at_once(empty, tmp_path):
    rows = 460_000
    done = crebito("init", "--database", empty.url, "--clients",
                   table(tmp_path, "".join(f"{id},1\n" for id in range(1, rows + 1))))
    assert done.returncode == 0 and f"{rows} accounts" in done.stdout, done
    assert empty.psql('SELECT count(*), sum("UltimoId") FROM "Clientes"') == f"{rows}|{rows}"
