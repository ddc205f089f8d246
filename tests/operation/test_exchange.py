# SPDX-License-Identifier: MIT
"""crebito export, import and init --clients: a ledger as text, there and back."""

import csv
import io
import json
import os
import signal
import subprocess

import pytest

from bank import BINARY, LIMITS, PATIENCE_S, clean_environment, crebito

pytestmark = pytest.mark.only("lmdb", "from a folder into a folder")


@pytest.fixture(autouse=True)
def in_a_new_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(*arguments, stdin=b"", stdout=subprocess.PIPE):
    """As crebito(), in bytes."""
    done = subprocess.run([BINARY, *arguments], input=stdin, stdout=stdout, stderr=subprocess.PIPE,
                          timeout=PATIENCE_S, env=clean_environment())
    assert b"Sanitizer" not in done.stderr, done.stderr
    return done


def export(database="lmdb:data", *options):
    done = run("export", "--database", database, *options)
    assert done.returncode == 0 and done.stderr == b"", done
    return done.stdout


def records(text):
    header, *lines, end = map(json.loads, text.splitlines())
    assert header["kind"] == "ledger" and end == {"kind": "end", "records": len(lines)}
    return lines


def fill(bank, entries=60):
    """Some history, with keys, replays, rejections and words that a format must escape."""
    words = ["a,b", '"', "=1+1", "\\n\n", "ação 😀", "\u0001", " x ", "0123456789"]
    for number in range(entries):
        bank.post(number % 5 + 1, number + 1, "cd"[number % 2], words[number % len(words)],
                  key=f"k-{number // 2}" if number % 3 else None)
    bank.post(1, 10**9, "d")
    return bank


@pytest.fixture
def ledger(make_bank):
    """A store with some history, of a bank that has stopped."""
    bank = fill(make_bank())
    state = bank.state()
    bank.stop()
    return state


def table(text):
    with open("clients.csv", "w", encoding="utf-8", newline="") as file:
        file.write(text)
    return "clients.csv"


# ---- export and import


def test_an_imported_export_is_an_equal_ledger(make_bank, ledger):
    text = export()
    done = run("import", "--database", "lmdb:copy", stdin=text)
    assert done.returncode == 0 and b"5 accounts" in done.stdout, done
    assert export("lmdb:copy") == text
    assert crebito("verify", "--database", "lmdb:copy").returncode == 0
    assert make_bank(folder="copy").state() == ledger


def test_keys_survive_an_import(make_bank):
    bank = make_bank()
    first = bank.post(1, 5, "d", key="once")
    bank.stop()
    assert run("import", "--database", "lmdb:copy", stdin=export()).returncode == 0
    again = make_bank(folder="copy").post(1, 5, "d", key="once")
    assert again.header("Idempotency-Replayed") == "true" and again.json() == first.json()


def test_a_file_is_imported_as_standard_input_is(ledger, tmp_path):
    (tmp_path / "ledger.jsonl").write_bytes(export())
    assert run("import", "ledger.jsonl", "--database", "lmdb:copy").returncode == 0
    assert export("lmdb:copy") == export()


def test_a_live_ledger_is_exported(make_bank):
    fill(make_bank())
    text = export()
    assert {line["client"] for line in records(text)} == set(LIMITS)
    assert run("import", "--database", "lmdb:copy", stdin=text).returncode == 0


def test_csv_says_what_json_says(ledger):
    rows = csv.DictReader(io.StringIO(export("lmdb:data", "--format=csv").decode(), newline=""),
                          strict=True)
    lines = records(export())
    assert [{name: value for name, value in row.items() if value} for row in rows] == [
        {name: str(value) for name, value in line.items()} for line in lines]


def test_a_filtered_export_is_a_part_and_cannot_be_imported(ledger):
    whole = records(export())
    text = export("lmdb:data", "--client", "2")
    assert records(text) == [line for line in whole if line["client"] == 2]
    middle = whole[len(whole) // 2]["time"]
    since = export("lmdb:data", "--since", middle)
    assert records(since) == [line for line in whole if line["time"] >= middle]
    for part in (text, since):
        done = run("import", "--database", "lmdb:copy", stdin=part)
        assert done.returncode == 1 and b"line 1: a filtered export" in done.stderr, done
    assert not os.path.exists("copy/data.mdb")


def test_an_import_overwrites_nothing(ledger):
    text = export()
    done = run("import", "--database", "lmdb:data", stdin=text)
    assert done.returncode == 1 and done.stderr, done
    assert export() == text


def test_a_broken_import_names_the_line_and_leaves_no_store(ledger):
    lines = export().splitlines(keepends=True)
    changed = lines[40].replace(b'"balance_cents":', b'"balance_cents":1')
    broken = {
        b"line 30: cut short": lines[:30],
        b"line 41: client 5": lines[:40] + [changed] + lines[41:],
        b"line 21: sequence must be 20": lines[:20] + lines[21:],
        b"line 21: not JSON": lines[:20] + [b"\n"] + lines[20:],
        b"more after the end": lines + lines,
        b"empty": [],
    }
    for message, text in broken.items():
        done = run("import", "--database", "lmdb:copy", stdin=b"".join(text))
        assert done.returncode == 1 and message in done.stderr, done
        assert not os.path.exists("copy/data.mdb")


def test_what_cannot_be_read_is_exit_2(ledger):
    for arguments in (["import", "missing"], ["import", "data"], ["init", "--clients", "missing"],
                      ["init", "--clients", "data"]):
        done = run(*arguments, "--database", "lmdb:copy")
        assert done.returncode == 2 and arguments[-1].encode() in done.stderr, done
    assert run("export", "--database", "lmdb:missing").returncode == 2


def test_a_reader_that_leaves_ends_an_export_quietly(ledger):
    reading, writing = os.pipe()
    os.close(reading)
    done = run("export", stdout=writing)
    os.close(writing)
    assert done.returncode == 1 and done.stderr == b"", done


def test_a_full_disk_ends_an_export_with_a_message(ledger):
    with open("/dev/full", "wb") as full:
        done = run("export", stdout=full)
    assert done.returncode == 1 and b"No space left" in done.stderr, done


@pytest.mark.parametrize("sign, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_import_that_waits_for_more_is_stopped_by_a_signal(ledger, tmp_path, sign, status):
    lines = export().splitlines(keepends=True)
    with subprocess.Popen([BINARY, "import", "--database", "lmdb:copy"], stdin=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=clean_environment()) as process:
        process.stdin.write(b"".join(lines[:20]))
        process.stdin.flush()
        while not list(tmp_path.glob("copy*")):  # It is at it.
            assert process.poll() is None
        process.send_signal(sign)
        assert process.wait(PATIENCE_S) == status
    assert not list(tmp_path.glob("copy*/data.mdb"))


# ---- init --clients


def test_a_bank_begins_with_the_clients_of_a_table(make_bank):
    done = crebito("init", "--clients", table("id,limit,balance\r\n7,100,-5\r\n2147483647,0,9\r\n"))
    assert done.returncode == 0 and "2 accounts" in done.stdout, done
    assert crebito("verify").returncode == 0
    bank = make_bank()
    assert bank.extrato(7)["saldo"]["total"] == -5 and bank.extrato(7)["saldo"]["limite"] == 100
    assert bank.balance(2147483647) == 9
    assert bank.get("/clientes/1/extrato").status == 404
    assert bank.post(7, 96, "d").status == 422 and bank.post(7, 95, "d").status == 200


def test_openings_rise_in_time_and_are_of_the_past():
    assert crebito("init", "--clients", table("".join(f"{id},1\n" for id in range(1, 3001)))
                   ).returncode == 0
    times = [line["time"] for line in records(export())]
    assert len(set(times)) == 3000 and times == sorted(times)


def test_each_bad_row_is_named_and_none_is_created():
    done = crebito("init", "--clients", table("1,5\n1,6\nx,5\n2,-1\n3,1,-9\n4\n5,5\n"))
    assert done.returncode == 1 and done.stdout == "", done
    for line, word in ((2, "there already"), (3, "id"), (4, "limit"), (5, "balance"), (6, "row")):
        assert any(f"clients.csv:{line}: " in said and word in said
                   for said in done.stderr.splitlines()), done.stderr
    assert "5 of 7 rows" in done.stderr
    assert not os.path.exists("data/data.mdb")


def test_bad_rows_beyond_what_fits_are_counted():
    done = crebito("init", "--clients", table("x,5\n" * 5000))
    assert done.returncode == 1 and "5000 of 5000 rows" in done.stderr, done
    assert "clients.csv:1: " in done.stderr and len(done.stderr) < 10000


def test_a_table_without_a_row_is_refused():
    for text in ("", "\n", "id,limit\n"):
        done = crebito("init", "--clients", table(text))
        assert done.returncode == 1 and "not one row" in done.stderr, done
    assert not os.path.exists("data/data.mdb")


def test_a_store_that_is_there_keeps_its_clients():
    assert crebito("init").returncode == 0
    before = export()
    done = crebito("init", "--clients", table("7,1\n"))
    assert done.returncode == 0 and "nothing was read from clients.csv" in done.stdout, done
    assert export() == before
