# SPDX-License-Identifier: MIT
"""Stores of any size, made by `crebito import` from records written here; and which clients are asked for.

Used by archives.py and scale.py.
"""

import itertools
import os
import random
import subprocess
import time

import harness

HOT = (1, 2, 3, 4, 5)  # the challenge's clients
LIMIT_CENTS = 10_000_000
RECORDS_PER_SECOND = 10_000  # in the ledger's time
WRITE_RECORDS = 10_000
DRAWN_AT_ONCE = 65_536
SCATTER = 7919  # prime


# ---- which client is next: each of these goes on for ever


def in_turn(clients):
    return itertools.cycle(clients)


def uniform(clients):
    draw = random.Random(2024)  # the same in every run
    while True:
        yield from draw.choices(range(1, clients + 1), k=DRAWN_AT_ONCE)


def zipf(clients):
    """The client of rank r is asked for 1/r as often as the first (s = 1). The five first are the
    challenge's; the others lie scattered, or those in demand would share a few pages."""
    others = clients - len(HOT)
    assert others <= 0 or others % SCATTER != 0  # or it would pass some by
    ids = [*HOT[:clients], *(6 + rank * SCATTER % others for rank in range(others))]
    weights = list(itertools.accumulate(1 / rank for rank in range(1, clients + 1)))
    draw = random.Random(2024)
    while True:
        yield from draw.choices(ids, cum_weights=weights, k=DRAWN_AT_ONCE)


# ---- records


def export_lines(clients, transactions, choice):
    """An export, as the bank would have written it: of each client in turn an opening, then credits
    and debits of the clients that `choice` yields."""
    yield '{"kind":"ledger","format":1,"created":"2026-01-01T00:00:00.000000Z","complete":true}\n'
    balances = [0] * (clients + 1)
    records = clients + transactions
    sequence = 0
    for second in range(records // RECORDS_PER_SECOND + 1):
        time_to_seconds = f"2026-01-01T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
        first, sequence = sequence + 1, min(records, (second + 1) * RECORDS_PER_SECOND)
        for number in range(first, sequence + 1):
            moment = f"{time_to_seconds}.{(number - 1) % RECORDS_PER_SECOND * 100:06}Z"
            if number <= clients:
                yield (f'{{"sequence":{number},"client":{number},"kind":"opening","balance_cents":0,'
                       f'"limit_cents":{LIMIT_CENTS},"time":"{moment}"}}\n')
                continue
            client = next(choice)
            cents = 1 + number % 97
            kind = "credit" if balances[client] <= 0 else "debit"
            balances[client] += cents if kind == "credit" else -cents
            yield (f'{{"sequence":{number},"client":{client},"kind":"{kind}","amount_cents":{cents},'
                   f'"balance_cents":{balances[client]},"limit_cents":{LIMIT_CENTS},'
                   f'"time":"{moment}","description":"descricao"}}\n')
    yield f'{{"kind":"end","records":{records}}}\n'


def import_store(bank, store, clients, transactions, choice):
    """Seconds that the import took; it has a core of its own, this process writes on the other."""
    began = time.monotonic()
    with subprocess.Popen(
            [bank, "import", "--database", f"lmdb:{store}"], stdin=subprocess.PIPE, text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {harness.SERVER_CORE})) as process:
        lines = export_lines(clients, transactions, choice)
        while some := list(itertools.islice(lines, WRITE_RECORDS)):
            process.stdin.write("".join(some))
        process.stdin.close()
        if process.wait() != 0:
            raise SystemExit("bench: the import failed")
    return time.monotonic() - began
