"""Calling custom webhooks of Make."""

from typing import Any

import pytest

from orchestrator_app.errors import (
    AddressNotAllowed,
    CredentialRefused,
    OutcomeUnknown,
    ProviderBusy,
    ProviderError,
    ProviderRefused,
    UnreadableAnswer,
)
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.connection import Connection
from orchestrator_app.providers.make import MakeProvider
from orchestrator_app.providers.make_hooks import hook_headers
from tests.fakes.connections import make_connection, remote_call
from tests.fakes.make import FakeMake
from tests.fakes.make_scenario import FakeScenario
from tests.fakes.server import FakeServer


@pytest.fixture
def provider(http_client: HttpClient) -> MakeProvider:
    return MakeProvider(http_client)


@pytest.fixture
def make(fake_server: FakeServer) -> FakeMake:
    return fake_server.make


async def called(
    provider: MakeProvider, make: FakeMake, scenario: FakeScenario, *, key: str = "", **settings: Any
):
    connection = make_connection(make, hookApiKey=key)
    return await provider.execute(connection, remote_call("make", workflow_id=str(scenario.id), **settings))


# --- results ---


@pytest.mark.parametrize("shows_hook", [True, False])
async def test_the_webhook_of_a_scenario_is_found_and_called(
    make: FakeMake, provider: MakeProvider, *, shows_hook: bool
):
    scenario = make.add_hook_scenario("Leads", shows_hook=shows_hook)
    answer = await called(provider, make, scenario)
    assert (answer.state, answer.output, answer.remote_id) == ("completed", "Accepted", "")
    (run,) = scenario.executions
    assert run.data == {"a": 1}
    call = make.server.journal[-1]
    assert call.path == f"/make/hook/{scenario.udid}"
    assert call.headers["x-correlation-id"] == "0192-run:node-1"
    assert "authorization" not in call.headers


@pytest.mark.parametrize("completion", ["callback", "poll"])
async def test_accepted_is_only_the_beginning_of_a_wait(
    make: FakeMake, provider: MakeProvider, completion: str
):
    answer = await called(provider, make, make.add_hook_scenario("Leads"), completion=completion)
    assert answer.state == "running"
    assert answer.memo["isGuess"] is True


async def test_a_webhook_response_module_answers_with_the_result(make: FakeMake, provider: MakeProvider):
    answer = await called(provider, make, make.add_hook_scenario("Leads", respond=(201, {"ok": True})))
    assert (answer.state, answer.output, answer.status_code) == ("completed", {"ok": True}, 201)


async def test_a_scenario_that_fails_while_the_caller_waits_is_failed_and_no_outage(
    make: FakeMake, provider: MakeProvider
):
    answer = await called(provider, make, make.add_hook_scenario("Leads", respond=(200, {}), fails="x"))
    assert (answer.state, answer.message) == ("failed", "Make says “Scenario failed to complete”.")


@pytest.mark.parametrize("has_connection", [True, False])
async def test_an_address_can_be_called_without_a_scenario(
    make: FakeMake, provider: MakeProvider, *, has_connection: bool
):
    scenario = make.add_hook_scenario("Leads")
    connection = make_connection(make) if has_connection else None
    answer = await provider.execute(connection, remote_call("make", url=make.hook_url(scenario)))
    assert answer.output == "Accepted"
    assert len(make.server.journal) == 1


# --- the key ---


async def test_a_webhook_that_asks_for_a_key_gets_it(make: FakeMake, provider: MakeProvider):
    scenario = make.add_hook_scenario("Leads", hook_key="key-of-the-hook")
    assert (await called(provider, make, scenario, key="key-of-the-hook")).output == "Accepted"
    with pytest.raises(CredentialRefused, match="asks for a key") as caught:
        await called(provider, make, scenario, key="wrong-key-of-it")
    assert "wrong-key" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://hook.eu1.make.com/abc", True),
        ("https://hook.eu2.make.com/abc", False),
        ("https://eu1.make.com/abc", False),
        ("http://hook.eu1.make.com/abc", False),
        ("https://hook.eu1.make.com.evil.example/abc", False),
    ],
)
def test_the_key_goes_to_the_webhooks_of_its_zone_only(url: str, *, allowed: bool):
    values = {"zone": "https://eu1.make.com", "apiToken": "t", "hookApiKey": "key-of-the-hook"}
    connection = Connection("c", "make", "Make", values)
    if allowed:
        assert hook_headers(connection, url) == {"x-make-apikey": "key-of-the-hook"}
        return
    with pytest.raises(AddressNotAllowed):
        hook_headers(connection, url)


async def test_an_address_of_the_api_is_no_webhook(make: FakeMake, provider: MakeProvider):
    url = f"{make.base}/api/v2/scenarios/925/run"
    with pytest.raises(ProviderRefused, match="not of a webhook") as caught:
        await provider.execute(make_connection(make), remote_call("make", url=url))
    assert "leave the address empty" in caught.value.hint
    assert make.server.journal == []


# --- refusals ---


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"is_active": False}, "It is not active."),
        ({"flags": {"isPaused"}}, "because of the subscription."),
        ({"is_hook_gone": True}, "its webhook is switched off in Make."),
        ({"hook_type": "slack-events"}, "it starts by events of an app (slack-events)"),
    ],
)
async def test_a_scenario_that_does_not_take_calls_is_refused_before_anything_is_queued(
    make: FakeMake, provider: MakeProvider, settings: dict[str, Any], why: str
):
    make.queues_while_inactive = True
    scenario = make.add_hook_scenario("Leads", **settings)
    with pytest.raises(ProviderRefused) as caught:
        await called(provider, make, scenario)
    assert why in caught.value.message
    assert "“Leads”" in caught.value.message
    assert make.server.calls(method="POST") == []


async def test_a_webhook_without_a_scenario_says_who_has_to_listen(make: FakeMake, provider: MakeProvider):
    scenario = make.add_hook_scenario("Leads", is_active=False)
    with pytest.raises(ProviderRefused, match="no scenario listening") as caught:
        await provider.execute(None, remote_call("make", url=make.hook_url(scenario)))
    assert caught.value.remote_status == 410
    assert "Activate" in caught.value.hint


def limit_calls(make: FakeMake) -> None:
    make.hook_limited_times = 1


def fill_queue(make: FakeMake) -> None:
    make.is_queue_full = True


@pytest.mark.parametrize(
    ("trouble", "seconds", "hint"), [(limit_calls, 10.0, "300 calls"), (fill_queue, 60.0, "queue is full")]
)
async def test_a_webhook_that_takes_no_more_may_be_tried_again_later(
    make: FakeMake, provider: MakeProvider, trouble: Any, seconds: float, hint: str
):
    trouble(make)
    with pytest.raises(ProviderBusy) as caught:
        await called(provider, make, make.add_hook_scenario("Leads"))
    assert caught.value.retry_after_seconds == seconds
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/status/504", OutcomeUnknown),
        ("/drop", OutcomeUnknown),
        ("/status/404", ProviderRefused),
        ("/html", UnreadableAnswer),
    ],
)
async def test_other_trouble_is_named(
    fake_server: FakeServer, provider: MakeProvider, path: str, error: type[ProviderError]
):
    with pytest.raises(error):
        await provider.execute(None, remote_call("make", url=fake_server.url + path))


async def test_a_hook_that_may_not_be_seen_needs_another_scope(make: FakeMake, provider: MakeProvider):
    make.closed = {"hooks"}
    with pytest.raises(CredentialRefused, match="may not do this") as caught:
        await called(provider, make, make.add_hook_scenario("Leads"))
    assert "hooks:read" in caught.value.hint


async def test_a_webhook_trigger_without_a_webhook_says_what_is_missing(
    make: FakeMake, provider: MakeProvider
):
    scenario = make.add_scenario("Leads", flow=[{"id": 1, "module": "gateway:CustomWebHook"}])
    with pytest.raises(ProviderRefused, match="no webhook is chosen"):
        await called(provider, make, scenario)
