"""What every provider promises, whichever it is: one suite, run on each of them."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.domain.remote import RemoteCall, RemoteLook
from orchestrator_app.errors import NotSupported, ProviderError
from orchestrator_app.providers.base import Capability
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.registry import PROVIDERS, build_providers
from orchestrator_app.providers.remote_workflow import CompletionChoice, best_completion
from tests.fakes.server import FakeServer
from tests.providers.worlds import WORLDS
from tests.providers.worlds.world import SECRET, World

CALLBACK_PATH = "/echo/called-back"
MOST_LOOKS = 500
# What a provider that cannot do it must refuse before anything is sent.
REFUSED = (Capability.LIST, Capability.PREVIEW, Capability.POLL, Capability.CANCEL)


@pytest.fixture(params=list(PROVIDERS))
def world(request: pytest.FixtureRequest, fake_server: FakeServer, http_client: HttpClient) -> World:
    provider = build_providers(http_client, callback_client=http_client)[request.param]
    return WORLDS[request.param](provider, fake_server)


def callback_call(world: World) -> RemoteCall:
    """A call with a callback address, also in the body, as the engine puts it there."""
    url, token = world.fake.url + CALLBACK_PATH, "token-1"
    body = world.calls_back.get("body", {"a": 1}) | {"callbackUrl": url, "correlationToken": token}
    more = {"completion": "callback", "callback_url": url, "callback_token": token, "body": body}
    return world.call(world.calls_back, **more)


async def looked(world: World, call: RemoteCall, memo: JsonObject) -> RemoteLook:
    """The look that saw an end."""
    for _ in range(MOST_LOOKS):
        look = await world.provider.poll(world.connection, call, memo)
        if look.state != "running" or (world.end is not None and look.output == world.end):
            return look
        memo = look.memo
        await asyncio.sleep(0.01)
    raise AssertionError("it never ended")


async def is_tested(world: World) -> None:
    assert (await world.provider.test(world.connection)).status == "connected"


async def discovers_teams(world: World) -> None:
    check = await world.provider.test(world.connection)
    fields = [field for field in world.provider.credential_fields if field.is_discovered]
    assert fields
    assert all(check.choices[field.key] for field in fields)


async def lists(world: World) -> None:
    page = await world.provider.workflows(world.connection)
    assert world.workflow in {workflow.id for workflow in page.workflows}
    assert all(workflow.name for workflow in page.workflows)


async def previews(world: World) -> None:
    preview = await world.provider.preview(world.connection, world.workflow)
    names = [node.id for node in preview.nodes]
    assert names
    assert len(set(names)) == len(names)
    assert {end for edge in preview.edges for end in (edge.source, edge.target)} <= set(names)
    assert preview.workflow.content_hash
    assert preview.entry.endswith(".")
    assert sorted(choice.key for choice in preview.completions) == ["callback", "poll", "response"]
    assert all(choice.reason.endswith(".") for choice in preview.completions)
    assert preview.completion == best_completion(preview.completions)


async def tells_the_form(world: World) -> None:
    preview = await world.provider.preview(world.connection, world.workflow_with_form)
    assert preview.form
    assert all(field.path and field.label for field in preview.form)


async def executes(world: World) -> None:
    assert await world.provider.execute(world.connection, world.call(world.starts or world.calls_back))


async def answers(world: World) -> None:
    answer = await world.provider.execute(world.connection, world.call(world.starts))
    assert answer.state == "completed"
    assert answer.output is not None


async def is_polled(world: World) -> None:
    call = world.call(world.is_polled, completion="poll")
    answer = await world.provider.execute(world.connection, call)
    assert answer.state == "running"
    look = await looked(world, call, dict(answer.memo))
    assert look.state == ("completed" if world.end is None else "running")
    assert look.output is not None


async def calls_back(world: World) -> None:
    call = callback_call(world)
    answer = await world.provider.execute(world.connection, call)
    assert answer.state in {"running", "completed"}
    (received, *_) = await world.fake.arrived(CALLBACK_PATH, method="POST")
    look = await world.provider.called_back(world.connection, call, answer.memo, received.json)
    assert look.state == "completed"
    assert look.output is not None


async def cancels(world: World) -> None:
    call = world.call(world.lasts, completion="poll")
    answer = await world.provider.execute(world.connection, call)
    said = await world.provider.cancel(world.connection, call, answer.memo)
    assert said.endswith(".")
    assert (await looked(world, call, dict(answer.memo))).state == "cancelled"


async def links(world: World) -> None:
    preview = await world.provider.preview(world.connection, world.workflow)
    assert preview.workflow.link.startswith("http")


PROOFS: dict[Capability, Callable[[World], Awaitable[None]]] = {
    Capability.TEST: is_tested,
    Capability.TEAMS: discovers_teams,
    Capability.LIST: lists,
    Capability.PREVIEW: previews,
    Capability.FORM: tells_the_form,
    Capability.EXECUTE: executes,
    Capability.RESPONSE: answers,
    Capability.POLL: is_polled,
    Capability.CALLBACK: calls_back,
    Capability.CANCEL: cancels,
    Capability.LINK: links,
}


OFFERED = [(key, capability) for key, kind in PROVIDERS.items() for capability in sorted(kind.capabilities)]
MISSING = [
    (key, capability)
    for key, kind in PROVIDERS.items()
    for capability in REFUSED
    if capability not in kind.capabilities
]


@pytest.mark.parametrize(("world", "capability"), OFFERED, indirect=["world"])
async def test_what_is_declared_works(world: World, capability: Capability):
    assert capability in world.provider.capabilities_of(world.connection)
    await PROOFS[capability](world)


@pytest.mark.parametrize(("world", "capability"), MISSING, indirect=["world"])
async def test_what_is_not_declared_is_refused_with_the_reason_before_any_call(
    world: World, capability: Capability
):
    provider, connection = world.provider, world.connection
    call = world.call(world.starts, completion="poll")
    attempt = {
        Capability.LIST: lambda: provider.workflows(connection),
        Capability.PREVIEW: lambda: provider.preview(connection, "any"),
        Capability.POLL: lambda: provider.poll(connection, call, {}),
        Capability.CANCEL: lambda: provider.cancel(connection, call, {}),
    }[capability]
    with pytest.raises(NotSupported) as caught:
        await attempt()
    assert provider.title in caught.value.message
    assert (caught.value.provider, caught.value.operation) == (provider.key, capability.value)
    assert world.fake.journal == []


def test_a_reason_is_given_for_everything_that_is_not_offered(world: World):
    provider = world.provider
    missing = set(Capability) - provider.capabilities
    assert set(provider.refusals) == missing
    assert all(provider.title in why and why.endswith(".") for why in provider.refusals.values())
    assert set(provider.limits) <= provider.capabilities


def test_what_one_connection_can_do_is_no_more_than_what_the_platform_can_do(world: World):
    for connection in (world.connection, None):
        assert world.provider.capabilities_of(connection) <= world.provider.capabilities


async def test_a_test_never_starts_a_workflow_and_never_raises(world: World, fake_server: FakeServer):
    check = await world.provider.test(world.connection)
    assert check.status == "connected"
    assert check.detail.endswith(".")
    assert {call.method for call in fake_server.journal} <= {"GET", "HEAD"}


async def test_every_call_carries_the_ids_by_which_it_is_recognised(world: World, fake_server: FakeServer):
    await world.provider.execute(world.connection, world.call(world.starts or world.calls_back))
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
        answer = await world.provider.execute(world.bad, world.call(world.is_refused))
    except ProviderError as error:
        return f"{error} {error.message} {error.hint} {error.context} {error!r}", error.provider
    return str(answer), ""


def test_secrets_are_declared_and_have_an_origin_to_be_bound_to(world: World):
    fields = world.provider.credential_fields
    secrets = [field for field in fields if field.is_secret]
    assert len({field.key for field in fields}) == len(fields)
    assert all(field.label for field in fields)
    assert not secrets or world.provider.bound_origins(world.connection)


@pytest.mark.parametrize("completion", ["response", "callback"])
async def test_a_name_that_nobody_knows_is_a_clear_refusal(world: World, completion: str):
    call = world.call({"url": "http://nobody.invalid/x"}, completion=completion)
    with pytest.raises(ProviderError) as caught:
        await world.provider.execute(None, call)
    assert caught.value.message


def test_the_best_completion_is_the_first_that_works():
    ways = [CompletionChoice("poll", "No key.", works=False), CompletionChoice("callback", "It calls back.")]
    assert best_completion(ways) == "callback"
    assert best_completion(ways[:1]) == "response"
