# SPDX-License-Identifier: MIT
"""The rest of the contract through NGINX, on two instances."""

import pytest

from topology import BALANCED, tests_of

pytestmark = pytest.mark.slow
globals().update(tests_of("clock", "fields", "http_noise", "json", "money", "order", "stuck_store", "waiting"),
                 STORES=BALANCED)
