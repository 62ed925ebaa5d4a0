"""Fixtures of the fake server, and of the real HTTP client that talks to it."""

import ssl
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
    """The product's client, which may reach this machine; without the authorities that only TLS needs."""
    trust_nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client = HttpClient(NetworkGuard(allow_local=True, own_port=None), ssl_context=trust_nobody)
    yield client
    await client.close()
