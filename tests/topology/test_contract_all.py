# SPDX-License-Identifier: MIT
"""The rest of the contract through NGINX, on two instances."""

import pytest

from topology import BALANCED, suites

pytestmark = pytest.mark.slow
globals().update(suites("clock", "fields", "http_noise", "json", "money", "order", "routes", "stuck_store", "waiting"),
                 STORES=BALANCED)
