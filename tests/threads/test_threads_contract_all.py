# SPDX-License-Identifier: MIT
"""The rest of the contract, with several threads."""

import pytest

from stores import THREADED
from topology import suites

pytestmark = pytest.mark.slow
globals().update(suites("clock", "fields", "http", "http_noise", "http_refusals", "idempotency", "json", "money", "order",
                        "routes", "stuck_store", "waiting"), STORES=THREADED)
