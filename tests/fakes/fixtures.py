"""Fixtures of the fake server, and of the real HTTP client that talks to it."""

from collections.abc import AsyncIterator, Iterator

import pytest

from orchestrator_app.providers.client import HttpClient
from orchestrator_app.security.network import NetworkGuard
from tests.fakes.server import FakeServer


@pytest.fixture
def fake_server() -> Iterator[FakeServer]:
    """A fake server of this test's own."""
    with FakeServer() as server:
        yield server


@pytest.fixture
async def http_client() -> AsyncIterator[HttpClient]:
    """The product's client, which may reach this machine."""
    client = HttpClient(NetworkGuard(allow_local=True, own_port=None))
    yield client
    await client.close()
