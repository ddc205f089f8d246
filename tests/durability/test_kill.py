# SPDX-License-Identifier: MIT
"""Nothing that was acknowledged is lost when a bank is killed, and nothing happens twice.

Where the bank has a server below it, that may be killed instead, or both of them.
"""

import functools
import itertools
import os
import random
import threading
import time

import pytest

from bank import LIMITS, Closed, post, together

KILLS = {"bank": 20, "server": 10, "bank and server": 10}  # A server takes longer to come back.
SEED = int(os.environ.get("CREBITO_TEST_SEED", random.SystemRandom().randrange(2**32)))


NO_SERVER = pytest.mark.only("postgres", "a folder has no server that could be killed")


@pytest.fixture(params=["bank", pytest.param("server", marks=NO_SERVER),
                        pytest.param("bank and server", marks=NO_SERVER)])
def crash(request):
    """What is killed."""
    return request.param


@pytest.fixture
def mortal_bank(make_bank):
    return make_bank(own_server=True)


class Ledger:
    """What the clients know of one account: the acknowledged, and what got no answer."""

    def __init__(self):
        self.sum = 0
        self.acknowledged = 0
        self.unknown = []  # (change, request, has a key)
        self.lock = threading.Lock()

    def settle(self, bank, client):
        """After a restart: which of the unknown ones happened? Retries those that can be."""
        extra = bank.balance(client) - self.sum
        subsets = [subset for size in range(len(self.unknown) + 1)
                   for subset in itertools.combinations(self.unknown, size)
                   if sum(change for change, _, _ in subset) == extra]
        changes = [change for change, _, _ in self.unknown]
        assert subsets, f"client {client}: {extra} is no sum of some of the unknown {changes}"
        assert len(subsets) == 1, "the seed made an ambiguous case; run again"
        for unknown in self.unknown:
            change, request, has_key = unknown
            happened = unknown in subsets[0]
            if happened or has_key:
                self.sum += change
            if has_key:
                answer = bank.ask(request)
                assert answer.status == 200, answer
                assert answer.header("Idempotency-Replayed") == ("true" if happened else None)
        assert bank.balance(client) == self.sum, f"client {client}: a retry did not settle it"
        self.unknown = []


def load(bank, ledger, client, name, has_key, dice, crashed):
    """One client, one request at a time, until the bank goes away or says that its server did."""
    has_server = bank.store.kind != "lmdb"
    try:
        with bank.connect() as connection:
            for count in itertools.count():
                key = f"{name}-{count}" if has_key else None
                # So many different sums that chance does not hide a loss, and the limit is far.
                valor = dice.randrange(1, 2**32)
                tipo = "d" if ledger.sum > 2**36 and dice.random() < 0.5 else "c"
                data = post(client, valor, tipo, f"{name[-4:]}.{count}"[:10], key)
                change = valor if tipo == "c" else -valor
                try:
                    answer = connection.ask(data)
                except (Closed, OSError):
                    answer = None
                if answer is None or (answer.status == 504 and has_server):
                    with ledger.lock:
                        ledger.unknown.append((change, data, has_key))
                    return
                if answer.status == 503 and has_server:  # Nothing happened.
                    if crashed.wait(0.01):
                        return
                    continue
                assert answer.status == 200, answer
                with ledger.lock:
                    ledger.sum += change
                    ledger.acknowledged += 1
    except OSError:
        pass  # It went away before we were connected.


def assert_none_twice(bank):
    for client in LIMITS:
        names = [entry["descricao"] for entry in bank.extrato(client)["ultimas_transacoes"]]
        assert len(names) == len(set(names)), names


def test_an_acknowledged_transaction_survives_a_crash(mortal_bank, crash):
    """Under load, at a random moment, many times over; with keys and without."""
    print(f"CREBITO_TEST_SEED={SEED}")
    dice = random.Random(SEED)
    ledgers = {client: Ledger() for client in LIMITS}
    for round in range(KILLS[crash]):
        crashed = threading.Event()

        def strike():
            time.sleep(dice.uniform(0.01, 0.6))
            mortal_bank.crash(crash)
            crashed.set()

        jobs = [functools.partial(load, mortal_bank, ledgers[client], client,
                                  f"{round}{'kn'[copy % 2]}{copy}", copy % 2 == 0,
                                  random.Random(dice.random()), crashed)
                for client in LIMITS for copy in range(4)]
        together([*jobs, strike])
        mortal_bank.recover()
        assert_none_twice(mortal_bank)
        for client, ledger in ledgers.items():
            ledger.settle(mortal_bank, client)
    assert sum(ledger.acknowledged for ledger in ledgers.values()) > 100
    mortal_bank.restart()
    for client, ledger in ledgers.items():
        assert mortal_bank.balance(client) == ledger.sum


def test_the_last_ten_before_a_crash_are_the_last_ten_after_it(mortal_bank, crash):
    for count in range(25):
        mortal_bank.post(4, count + 1, "cd"[count % 2], f"n{count}")
    state = mortal_bank.state()
    mortal_bank.crash(crash).recover()
    assert mortal_bank.state() == state
    mortal_bank.post(4, 1, "c", "depois")
    shown = mortal_bank.extrato(4)["ultimas_transacoes"]
    assert shown[1:] == state[4]["ultimas_transacoes"][:9]


@pytest.mark.parametrize("moment", range(8))
def test_killed_while_it_starts_the_bank_starts_again(make_bank, moment):
    """Also the first time, when it makes its store: there is a whole one or none."""
    bank = make_bank(start=False)
    for attempt in range(3):
        bank.launch()
        time.sleep(moment * 0.01 + attempt * 0.003)
        bank.kill()
    bank.start()
    assert [bank.balance(client) for client in LIMITS] == [0] * 5
    assert bank.post(1, 1).json()["saldo"] == 1
    bank.kill()
    assert bank.start().balance(1) == 1


def test_a_store_of_many_transactions_starts_again_after_a_crash(mortal_bank, crash):
    with mortal_bank.connect() as connection:
        answers = connection.ask_all(
            (post(1, 1, "c", f"n{count}", key=f"k{count}") for count in range(3000)), at_a_time=100)
        assert [answer.json()["saldo"] for answer in answers] == list(range(1, 3001))
    mortal_bank.crash(crash).recover()
    assert mortal_bank.balance(1) == 3000
    for count in (0, 1, 1499, 2999):
        again = mortal_bank.post(1, 1, "c", f"n{count}", key=f"k{count}")
        assert again.header("Idempotency-Replayed") == "true"
        assert again.json()["saldo"] == count + 1
