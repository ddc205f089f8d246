# SPDX-License-Identifier: MIT
"""The built bank does what the reference does, whatever is done to it in whatever order."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from live import live_bank
from machine import Machine

COMMON = {"deadline": None, "derandomize": False, "print_blob": True,
          "suppress_health_check": list(HealthCheck)}


def live(store, **limits):
    class LiveMachine(Machine):
        new_bank = live_bank(store)

    run_state_machine_as_test(LiveMachine, settings=settings(**limits, **COMMON))


def test_the_bank_does_what_the_reference_does(store):
    """Lives on PostgreSQL are longer in coming: a killed server repairs itself first."""
    live(store, max_examples={"lmdb": 30, "postgres": 15}[store], stateful_step_count=20)


@pytest.mark.slow
def test_the_bank_does_what_the_reference_does_for_many_and_long_lives(store):
    live(store, max_examples=250, stateful_step_count=40)
