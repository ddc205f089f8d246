# SPDX-License-Identifier: MIT
"""A history in a database, booked as another program would: by calling the procedures."""

import json

from bank import crebito

WORDS = ["a,b", '"', "=1+1", "ação 😀", "\\", " x ", "0123456789", "''"]


def book(database, entries=40, name="k"):
    """Credits and debits of all five clients, most of them with a key; a limit, and an account more."""
    calls = []
    for client in range(1, 6):
        numbers = range(1, entries // 5 + 1)
        kinds = ", ".join("'%s'" % "cd"[number % 2] for number in numbers)
        words = ", ".join("'%s'" % WORDS[number % len(WORDS)].replace("'", "''") for number in numbers)
        keys = ", ".join(f"'{name}-{number}'" if number % 3 else "NULL" for number in numbers)
        values = ", ".join(str(number * client) for number in numbers)
        calls.append(f"SELECT 1 FROM InsertTransacoes({client}, ARRAY[{values}], ARRAY[{kinds}], ARRAY[{words}], "
                     f"ARRAY[{keys}])")
    database.psql("; ".join(calls))


def book_all_kinds(database):
    book(database)
    database.psql("SELECT UpdateLimite(2, 90000); SELECT InsertCliente(7, 100, -5)")
    book(database, 20, "later")
    return database


def is_sound(database, *says):
    done = crebito("verify", "--database", database.url)
    assert done.returncode == 0 and done.stderr == "", done
    for words in ("sound", *says):
        assert words in done.stdout, done
    return True


def export(url, *options):
    done = crebito("export", "--database", url, *options)
    assert done.returncode == 0 and done.stderr == "", done
    return done.stdout


def records(text):
    header, *lines, end = map(json.loads, text.splitlines())
    assert header["kind"] == "ledger" and end == {"kind": "end", "records": len(lines)}
    return lines


def tables(database):
    """What is there of a schema."""
    return database.psql("SELECT count(*) FROM pg_class WHERE relname IN"
                         " ('Clientes', 'Transacoes', 'Chaves', 'Esquema')")
