"""A key that is accepted, but not for what is asked, is told apart from one that is not accepted at all."""

from collections.abc import Callable

import pytest

from orchestrator_app.errors import CredentialRefused
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.connection import Connection
from orchestrator_app.providers.registry import build_providers
from tests.fakes.connections import (
    flowise_connection,
    make_connection,
    n8n_connection,
    remote_call,
    zapier_connection,
)
from tests.fakes.server import FakeServer

FEW = "87654321-4321-4321-8321-cba987654321"
Connect = Callable[[FakeServer, str], Connection]


def few_of_n8n(fake: FakeServer) -> str:
    return fake.n8n2.add_key(FEW, {"workflow:list"})


def few_of_make(fake: FakeServer) -> str:
    return fake.make.add_token(FEW, {"scenarios:run"})


def few_of_flowise(fake: FakeServer) -> str:
    return fake.flowise.add_key(FEW, may_look=False)


def few_of_zapier(fake: FakeServer) -> str:
    return fake.zapier.add_token(FEW, "zap")


PLATFORMS: dict[str, tuple[Callable[[FakeServer], str], Connect]] = {
    "n8n": (few_of_n8n, lambda fake, key: n8n_connection(fake.n8n2, apiKey=key)),
    "make": (few_of_make, lambda fake, key: make_connection(fake.make, apiToken=key)),
    "flowise": (few_of_flowise, lambda fake, key: flowise_connection(fake.flowise, apiKey=key)),
    "zapier": (few_of_zapier, lambda fake, key: zapier_connection(fake.zapier, accessToken=key)),
}


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_a_key_with_few_permissions_is_no_wrong_key(
    fake_server: FakeServer, http_client: HttpClient, platform: str
):
    provider = build_providers(http_client)[platform]
    permit, connect = PLATFORMS[platform]
    call = remote_call(platform, workflow_id="7", completion="poll")
    with pytest.raises(CredentialRefused) as wrong:
        await provider.poll(connect(fake_server, FEW), call, {"executionId": "7"})
    assert not wrong.value.lacks_permission
    permit(fake_server)
    with pytest.raises(CredentialRefused) as limited:
        await provider.poll(connect(fake_server, FEW), call, {"executionId": "7"})
    assert limited.value.lacks_permission


async def test_what_a_single_workflow_asks_for_says_nothing_of_the_key_of_the_connection(
    fake_server: FakeServer, http_client: HttpClient
):
    providers = build_providers(http_client)
    flow = fake_server.n8n2.add_workflow("Guarded", auth=("header", "x-key", "wanted"))
    keyed = fake_server.flowise.add_flow("Keyed", key="another-key-of-flowise")
    hooked = fake_server.make.add_hook_scenario("Hooked", hook_key="wanted")
    for provider, connection, workflow_id in (
        ("n8n", n8n_connection(fake_server.n8n2), flow.id),
        ("flowise", flowise_connection(fake_server.flowise), keyed.id),
        ("make", make_connection(fake_server.make), str(hooked.id)),
    ):
        with pytest.raises(CredentialRefused) as refused:
            await providers[provider].execute(connection, remote_call(provider, workflow_id=workflow_id))
        assert refused.value.lacks_permission
