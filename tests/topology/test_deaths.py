# SPDX-License-Identifier: MIT
"""An instance, NGINX or the server below is killed while the bank is busy, and comes back.

Nothing that was acknowledged is lost, nothing is booked twice or though it was refused.
"""

import pytest

from clients import Clients
from load import NO_ANSWER
from topology import BALANCED

STORES = BALANCED

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
