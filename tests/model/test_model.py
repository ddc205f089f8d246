# SPDX-License-Identifier: MIT
"""The built bank does what the reference does, whatever is done to it in whatever order."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from machine import Machine

COMMON = {"deadline": None, "derandomize": False, "print_blob": True,
          "suppress_health_check": list(HealthCheck)}


def test_the_bank_does_what_the_reference_does():
    run_state_machine_as_test(Machine, settings=settings(
        max_examples=30, stateful_step_count=20, **COMMON))


@pytest.mark.slow
def test_the_bank_does_what_the_reference_does_for_many_and_long_lives():
    run_state_machine_as_test(Machine, settings=settings(
        max_examples=250, stateful_step_count=40, **COMMON))
