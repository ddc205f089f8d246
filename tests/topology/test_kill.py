# SPDX-License-Identifier: MIT
"""An instance, NGINX or the server below is killed while the bank is busy, and comes back.

Nothing that was acknowledged is lost, nothing is booked twice or though it was refused: postgres/load.py judges,
by what `crebito verify` and `crebito export` say of the store.
"""

import json

import pytest

from bank import crebito
from ledger import Row
from load import NO_ANSWER, Load
from topology import BALANCED

STORES = BALANCED


class Books:
    """What is in a store, whichever."""

    @staticmethod
    def audit(store):
        done = crebito("verify", "--database", store.url)
        assert done.returncode == 0, done

    @staticmethod
    def rows(store):
        """All credits and debits, in order, for each client."""
        done = crebito("export", "--database", store.url)
        assert done.returncode == 0, done
        records = [json.loads(line) for line in done.stdout.splitlines()]
        return [Row(record["client"], record["sequence"], record["kind"][0], record["amount_cents"],
                    record["balance_cents"], record["limit_cents"], record["description"])
                for record in records if record["kind"] in ("credit", "debit")]


class Clients(Load):
    """They come through NGINX, and come back when they are cut off."""

    books = Books

    def __init__(self, bank, **more):
        super().__init__(bank, copies=4, may_break=True, **more)


# What is killed, and what brings it back; whether somebody goes on serving meanwhile.
KILLS = {
    "one instance": (lambda bank: bank.instances[0].kill(), True),
    "the other": (lambda bank: bank.instances[1].kill(), True),
    "both": (lambda bank: bank.kill(), False),
    "nginx": (lambda bank: bank.nginx.kill(), False),
    "server": (lambda bank: bank.store.kill(), False),
}


@pytest.mark.parametrize("killed", [
    *list(KILLS)[:-1],
    pytest.param("server", marks=pytest.mark.only("postgres", "a folder has no server that could be killed"))])
def test_what_is_killed_under_load_costs_nothing_that_was_acknowledged(make_bank, killed):
    kill, others_serve = KILLS[killed]
    bank = make_bank(own_server=True)
    with Clients(bank) as load:
        for _ in range(2):
            load.acknowledged(100)
            kill(bank)
            if others_serve:
                load.acknowledged(100)
            bank.start()
            load.served_again()
    statuses = load.judge(bank.store)
    assert set(statuses) <= {200, 422, 503, 504, NO_ANSWER}
    assert statuses[504] + statuses[503] + statuses[NO_ANSWER] > 0, f"nobody noticed: {statuses}"
