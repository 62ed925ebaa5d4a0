"""What every provider promises, whichever it is: one suite, run on each of them."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from orchestrator_app.errors import NotSupported, ProviderError
from orchestrator_app.providers.base import Capability, Connection, Provider
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.registry import PROVIDERS, build_providers
from tests.fakes.connections import flowise_connection, n8n_connection, remote_call
from tests.fakes.server import FakeServer

SECRET = "s3cret-of-the-connection"


class World:
    """One provider with something on the other side: a connection, a workflow and the address to call."""

    def __init__(self, key: str, provider: Provider, fake: FakeServer) -> None:
        self.provider = provider
        self.workflow = "echo"
        self.url = ""
        match key:
            case "n8n":
                flow = fake.n8n2.add_workflow("Orders")
                self.workflow = flow.id
                self.connection = n8n_connection(fake.n8n2)
                self.bad = n8n_connection(fake.n8n2, apiKey=SECRET)
                self.refused = {"workflow_id": flow.id}
            case "flowise":
                flow = fake.flowise.add_flow("Support", key=fake.flowise.key)
                self.workflow = flow.id
                self.connection = flowise_connection(fake.flowise)
                self.bad = flowise_connection(fake.flowise, apiKey=SECRET)
                self.refused = {"workflow_id": flow.id}
            case "custom":
                self.url = fake.url + "/echo"
                values = {"origin": fake.url, "headerName": "X-Key", "headerValue": SECRET}
                self.connection = self.bad = Connection("c", "custom", "API", values)
                self.refused = {"url": fake.url + "/status/401"}
            case _:
                self.connection = self.bad = Connection("simulated", "simulated", "Built in", {"x": SECRET})
                self.refused = {"workflow_id": "nothing"}

    def call(self, **settings: Any):
        return remote_call(self.provider.key, **{"workflow_id": self.workflow, "url": self.url} | settings)


@pytest.fixture(params=list(PROVIDERS))
def world(request: pytest.FixtureRequest, fake_server: FakeServer, http_client: HttpClient) -> World:
    return World(request.param, build_providers(http_client)[request.param], fake_server)


ACTIONS: dict[Capability, Callable[[World], Awaitable[Any]]] = {
    Capability.TEST: lambda world: world.provider.test(world.connection),
    Capability.LIST: lambda world: world.provider.workflows(world.connection),
    Capability.PREVIEW: lambda world: world.provider.preview(world.connection, world.workflow),
    Capability.EXECUTE: lambda world: world.provider.execute(world.connection, world.call()),
    Capability.POLL: lambda world: world.provider.poll(world.connection, world.call(completion="poll"), {}),
    Capability.CALLBACK: lambda world: world.provider.execute(
        world.connection, world.call(completion="callback")
    ),
    Capability.CANCEL: lambda world: world.provider.cancel(world.connection, "1"),
}


@pytest.mark.parametrize("capability", list(Capability))
async def test_what_is_declared_works_and_the_rest_is_refused_before_any_call(
    world: World, capability: Capability, fake_server: FakeServer
):
    if capability in world.provider.capabilities:
        assert await ACTIONS[capability](world) is not None
        return
    if capability is Capability.CALLBACK:
        return  # says only that a node may choose it; the call itself is an execution
    with pytest.raises(NotSupported) as caught:
        await ACTIONS[capability](world)
    assert world.provider.title in caught.value.message
    assert (caught.value.provider, caught.value.operation) == (world.provider.key, capability.value)
    assert fake_server.journal == []


async def test_a_test_never_starts_a_workflow_and_never_raises(world: World, fake_server: FakeServer):
    check = await world.provider.test(world.connection)
    assert check.status == "connected"
    assert check.detail.endswith(".")
    assert {call.method for call in fake_server.journal} <= {"GET", "HEAD"}


async def test_an_execution_ends_in_a_result(world: World):
    answer = await world.provider.execute(world.connection, world.call())
    assert answer.state == "completed"
    assert answer.output is not None


async def test_every_call_carries_the_ids_by_which_it_is_recognised(world: World, fake_server: FakeServer):
    await world.provider.execute(world.connection, world.call())
    for call in fake_server.calls(method="POST"):
        assert call.headers["x-correlation-id"] == "0192-run:node-1"
        assert call.headers["idempotency-key"] == "key-1"
        assert call.headers["traceparent"].startswith("00-")


async def test_a_secret_is_in_no_error_and_no_check(world: World):
    check = await world.provider.test(world.bad)
    assert SECRET not in check.detail
    told, provider = await outcome(world)
    assert provider in {"", world.provider.key}
    assert SECRET not in told


async def outcome(world: World) -> tuple[str, str]:
    """Everything that is told about a call that the other side refuses, and who is said to have refused it."""
    try:
        answer = await world.provider.execute(world.bad, world.call(**world.refused))
    except ProviderError as error:
        return f"{error} {error.message} {error.hint} {error.context} {error!r}", error.provider
    return str(answer), ""


def test_secrets_are_declared_and_have_an_origin_to_be_bound_to(world: World):
    fields = world.provider.credential_fields
    secrets = [field for field in fields if field.is_secret]
    assert len({field.key for field in fields}) == len(fields)
    assert all(field.label for field in fields)
    assert not secrets or any(field.is_origin for field in fields)


@pytest.mark.parametrize("completion", ["response", "callback"])
async def test_a_name_that_nobody_knows_is_a_clear_refusal(world: World, completion: str):
    call = world.call(workflow_id="", url="http://nobody.invalid/x", completion=completion)
    with pytest.raises(ProviderError) as caught:
        await world.provider.execute(None, call)
    assert caught.value.message
