# SPDX-License-Identifier: MIT
"""The contract through NGINX, on two instances: bytes pass as they are, and two act as one."""

from topology import BALANCED, suites

globals().update(suites("concurrency", "http", "http_refusals", "idempotency"), STORES=BALANCED)
