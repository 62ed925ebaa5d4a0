"""Connections to the parts of the fake server, and calls to send over them."""

from typing import Any

from orchestrator_app.domain.remote import RemoteCall
from orchestrator_app.providers.connection import Connection
from tests.fakes.flowise import FakeFlowise
from tests.fakes.make import FakeMake
from tests.fakes.n8n import FakeN8n
from tests.fakes.zapier import FakeZapier

CORRELATION = "0192-run:node-1"


def n8n_connection(n8n: FakeN8n, **values: str) -> Connection:
    return Connection("c-n8n", "n8n", "Our n8n", {"baseUrl": n8n.base, "apiKey": n8n.key} | values)


def make_connection(make: FakeMake, **values: str) -> Connection:
    """Of the fake's one team; ``teamId=""`` leaves it open."""
    return Connection(
        "c-make", "make", "Our Make", {"zone": make.base, "apiToken": make.token, "teamId": "16"} | values
    )


def flowise_connection(flowise: FakeFlowise, **values: str) -> Connection:
    return Connection(
        "c-flowise", "flowise", "Our Flowise", {"baseUrl": flowise.base, "apiKey": flowise.key} | values
    )


def zapier_connection(zapier: FakeZapier, **values: str) -> Connection:
    """In token mode; give ``mode="hook"`` and ``hookUrl`` for the other."""
    defaults = {"mode": "token", "apiUrl": zapier.api, "accessToken": zapier.token}
    return Connection("c-zapier", "zapier", "Our Zapier", defaults | values)


def remote_call(provider: str, **settings: Any) -> RemoteCall:
    """A call with ids in place and a body."""
    defaults: dict[str, Any] = {
        "body": {"a": 1},
        "correlation_id": CORRELATION,
        "idempotency_key": "key-1",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "timeout_seconds": 5.0,
    }
    return RemoteCall(provider, **defaults | settings)
