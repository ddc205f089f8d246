# SPDX-License-Identifier: MIT
"""A clock that somebody sets: what clients are told of time, and how long their keys live.

It is the clock of the bank and, where there is one, of the server below it.
"""

import time

import pytest

from books import export

DAY_S = 25 * 3600  # And an hour, so that a key that lives for a day is past its time.


def set_clock(bank, ahead_s):
    """How far ahead of the true time; the clock that is never set (CLOCK_MONOTONIC) goes on."""
    bank.fault(f"clock_gettime add_s {ahead_s}")


def test_setting_the_clock_forward_and_back_forgets_no_key(faulty_bank):
    assert faulty_bank.post(1, 10, key="k").status == 200
    for ahead_s in (DAY_S, 0):
        set_clock(faulty_bank, ahead_s)
        for count in range(16):  # Whatever cleans up, and however often, has had its chances.
            time.sleep(0.1)
            assert faulty_bank.post(2, 1, key=f"ahead-{ahead_s}-{count}").status == 200
        assert faulty_bank.post(1, 10, key="k").header("Idempotency-Replayed") == "true"
    assert faulty_bank.balance(1) == 10


def book_as_the_clock_is_set_to_and_fro(bank):
    """Returns what two extratos after each transaction showed: (data_extrato, newest first)."""
    shown = []
    for ahead_s in (0, DAY_S, 0, 0, 60, -DAY_S, 0, 2 * DAY_S, DAY_S):
        set_clock(bank, ahead_s)
        assert bank.post(1, 1).status == 200
        for _ in range(2):
            extrato = bank.extrato(1)
            shown.append((extrato["saldo"]["data_extrato"],
                          [entry["realizada_em"] for entry in extrato["ultimas_transacoes"]]))
    return shown


def test_times_rise_from_transaction_to_transaction_also_when_the_clock_is_set_back(faulty_bank):
    _, times = book_as_the_clock_is_set_to_and_fro(faulty_bank)[-1]
    assert len(times) == 9 and times == sorted(set(times), reverse=True)
    faulty_bank.restart()
    faulty_bank.post(1, 1)
    faulty_bank.fault()
    faulty_bank.post(1, 1)
    newer = [entry["realizada_em"] for entry in faulty_bank.extrato(1)["ultimas_transacoes"]]
    assert newer[2:] == times[:8] and newer[0] > newer[1] > newer[2]


def test_no_extrato_is_older_than_a_transaction_on_it(faulty_bank):
    for data_extrato, times in book_as_the_clock_is_set_to_and_fro(faulty_bank):
        assert data_extrato >= times[0]


@pytest.mark.only("lmdb", "on PostgreSQL the times are its own, which the bank does not judge")
def test_the_log_says_once_that_the_clock_is_behind(faulty_bank):
    """Once each time that it is set back, not once for each transaction."""
    for count in (1, 2):
        set_clock(faulty_bank, count * DAY_S)
        faulty_bank.post(1, 1)
        set_clock(faulty_bank, 0)
        for _ in range(5):
            faulty_bank.post(1, 1)
        warnings = [line for line in faulty_bank.log.splitlines() if "the clock is behind" in line]
        assert len(warnings) == count and "level=warn" in warnings[0]


@pytest.mark.parametrize("hours, kept", [(24, False), (48, True)])
def test_a_key_is_forgotten_after_its_time_and_that_can_be_lengthened(make_bank, hours, kept):
    """The time has passed by every clock: the server was not there for a day."""
    bank = make_bank("--key-retention", hours, faults=True)
    bank.post(1, 10, key="k")
    bank.stop()
    set_clock(bank, DAY_S)
    bank.start()
    assert bank.post(2, 1, key="next").status == 200
    export(bank.store.url)  # By then what can wait is done.
    assert bank.post(1, 10, key="k").header("Idempotency-Replayed") == ("true" if kept else None)
    assert bank.balance(1) == (10 if kept else 20)
