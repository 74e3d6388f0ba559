"""Fixtures for all tests: one real exchange per session; unit tests may not open a socket."""

import logging
from collections.abc import AsyncIterator

import pytest
import structlog
from pytest_socket import disable_socket, enable_socket

from tests.support.running import RunningExchange

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))  # as a process does


@pytest.fixture(scope="session")
async def exchange(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningExchange]:
    """`refex up --demo` with three workers on real Kafka and Postgres, shared by the session."""
    async with RunningExchange(tmp_path_factory.mktemp("exchange")) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_socket_in_unit_tests(request: pytest.FixtureRequest) -> object:
    if "/unit/" in str(request.node.path):
        disable_socket(allow_unix_socket=True)
        request.addfinalizer(enable_socket)
    return None
