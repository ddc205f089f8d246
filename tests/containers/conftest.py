# SPDX-License-Identifier: MIT
"""The compose files, one after the other: they have the same ports. Only where there is Docker, and when asked for."""

import sys

import pytest

from bank import TESTS
from engine import Stack, why_no_docker

sys.path.append(str(TESTS / "contract"))  # whose tests serve here too

FILES = {"dev": "docker-compose.yml", "prod": "prod/docker-compose.yml", "embedded": "compose.embedded.yml"}

# What the contract's tests take that is not to be had of containers: a disk and a clock that take orders, options of
# a bank's own, a store of one's own (those wait for deadlines). All of these run behind NGINX in tests/topology.
NOT_HERE = {"faulty_bank", "failed", "make_bank", "store"}


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent.name == "containers":
            item.add_marker(pytest.mark.slow)
    items[:] = [item for item in items
                if item.path.parent.name != "containers" or not NOT_HERE & set(item.fixturenames)]


@pytest.fixture(scope="session", autouse=True)
def engine():
    why = why_no_docker()
    if why:
        pytest.skip(f"no Docker: {why}")


@pytest.fixture(scope="session", params=FILES)
def shared_stack(request, engine):
    stack = Stack(FILES[request.param])
    yield stack
    stack.close()


@pytest.fixture
def stack(shared_stack):
    """One that is up. Its balances are anything."""
    if not shared_stack.alive:
        shared_stack.start()
    return shared_stack


@pytest.fixture
def bank(stack):
    yield stack
    stack.assert_sane()


@pytest.fixture
def new_bank(bank):
    return bank.empty()
