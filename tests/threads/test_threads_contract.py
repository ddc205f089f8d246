# SPDX-License-Identifier: MIT
"""The contract, where several threads could break it most easily: what happens at the same time."""

from stores import THREADED
from topology import suites

globals().update(suites("concurrency"), STORES=THREADED)
