# SPDX-License-Identifier: MIT
"""A bank with several threads does what the reference does, and many clients are answered one after the other."""

from stores import THREADED
from test_model import live
from topology import suites

globals().update(suites("serializable"), STORES=THREADED)


def test_the_bank_does_what_the_reference_does(store):
    live(store, max_examples=10, stateful_step_count=20)
