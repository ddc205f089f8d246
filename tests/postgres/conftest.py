# SPDX-License-Identifier: MIT
"""Tests that exist for PostgreSQL only: what can go wrong between a bank and its server."""

import pytest

import places
from postgres import Cluster, Database


@pytest.fixture
def serve():
    """Makes banks: see places.py."""
    with places.banks() as make:
        yield make


@pytest.fixture
def database():
    with places.new_database() as made:
        yield made


@pytest.fixture(scope="session")
def mortal():
    with Cluster() as made:
        yield made


@pytest.fixture
def cluster(mortal):
    """A server that the test may stop and kill, but not set otherwise; it serves nobody else meanwhile."""
    if not mortal.alive:
        mortal.start()
    yield mortal
    if mortal.alive:  # What is left would have to be looked through after each crash.
        for name in mortal.psql("SELECT datname FROM pg_database WHERE datname LIKE 'bank%'").split():
            Database(mortal, name).drop()


@pytest.fixture
def own_cluster():
    """The same for this test alone."""
    with Cluster() as made:
        yield made
