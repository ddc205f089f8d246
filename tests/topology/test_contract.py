# SPDX-License-Identifier: MIT
"""The contract through NGINX, on two instances: bytes pass as they are, and two act as one."""

from topology import BALANCED, tests_of

globals().update(tests_of("concurrency", "http", "http_refusals", "idempotency", "routes"), STORES=BALANCED)
