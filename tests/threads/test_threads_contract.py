# SPDX-License-Identifier: MIT
"""The contract, where several threads could break it: limits, order, keys, one connection after another."""

from stores import THREADED
from topology import suites

globals().update(suites("concurrency", "http", "idempotency", "json", "stuck_store"), STORES=THREADED)
