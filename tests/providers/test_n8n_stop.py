"""Stopping n8n executions when our run is cancelled."""

from dataclasses import replace

import pytest

from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.domain.remote import RemoteCall
from orchestrator_app.errors import CredentialRefused, ProviderUnavailable
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.n8n import N8nProvider
from tests.fakes.connections import n8n_connection, remote_call
from tests.fakes.n8n import FakeN8n
from tests.fakes.n8n_flow import FakeExecution, now
from tests.fakes.server import FakeServer


@pytest.fixture
def provider(http_client: HttpClient) -> N8nProvider:
    return N8nProvider(http_client)


async def start(n8n: FakeN8n, provider: N8nProvider) -> tuple[RemoteCall, JsonObject, FakeExecution]:
    """A call whose workflow goes on."""
    flow = n8n.add_workflow("Slow", mode="onReceived", seconds=None)
    call = remote_call("n8n", workflow_id=flow.id, completion="poll", started_at=now())
    answer = await provider.execute(n8n_connection(n8n), call)
    return call, answer.memo, flow.executions[0]


async def test_an_execution_seen_by_polling_is_stopped_by_its_id(
    fake_server: FakeServer, provider: N8nProvider
):
    n8n = fake_server.n8n2
    call, memo, run = await start(n8n, provider)
    look = await provider.poll(n8n_connection(n8n), call, memo)
    n8n.server.clear()
    assert await provider.cancel(n8n_connection(n8n), call, look.memo) == "n8n stopped execution 1."
    assert run.status == "canceled"
    assert n8n.server.calls(f"{n8n.prefix}/api/v1/executions") == []


@pytest.mark.parametrize("has_memo", [True, False])
async def test_an_execution_that_was_never_seen_is_found_by_our_correlation_id(
    fake_server: FakeServer, provider: N8nProvider, *, has_memo: bool
):
    n8n = fake_server.n8n2
    call, memo, run = await start(n8n, provider)
    other = n8n.start(run.flow, run.trigger | {"headers": {"x-correlation-id": "other"}})
    said = await provider.cancel(n8n_connection(n8n), call, memo if has_memo else {})
    assert said == "n8n stopped execution 1."
    assert (run.status, other.status) == ("canceled", "running")


async def test_an_id_of_another_workflow_is_not_believed(fake_server: FakeServer, provider: N8nProvider):
    n8n = fake_server.n8n2
    innocent = n8n.add_workflow("Other", mode="onReceived", seconds=None)
    await provider.execute(None, remote_call("n8n", url=innocent.url, correlation_id="other"))
    call, memo, run = await start(n8n, provider)
    said = await provider.cancel(n8n_connection(n8n), call, memo | {"executionId": "1"})
    assert said == "n8n stopped execution 2."
    assert (innocent.executions[0].status, run.status) == ("running", "canceled")


async def test_a_waiting_execution_is_stopped_too(fake_server: FakeServer, provider: N8nProvider):
    n8n = fake_server.n8n2
    flow = n8n.add_workflow("Approval", mode="onReceived", wait_seconds=None)
    call = remote_call("n8n", workflow_id=flow.id, completion="callback", started_at=now())
    answer = await provider.execute(n8n_connection(n8n), call)
    assert "stopped execution 1" in await provider.cancel(n8n_connection(n8n), call, answer.memo)
    assert flow.executions[0].status == "canceled"


async def test_an_ended_execution_cannot_be_stopped_again(fake_server: FakeServer, provider: N8nProvider):
    n8n = fake_server.n8n2
    call, memo, run = await start(n8n, provider)
    run.finish()
    assert "had ended" in await provider.cancel(n8n_connection(n8n), call, memo)
    assert n8n.server.calls(f"{n8n.prefix}/api/v1/executions/1/stop") == []


async def test_one_that_ends_just_then_had_ended(
    fake_server: FakeServer, provider: N8nProvider, monkeypatch: pytest.MonkeyPatch
):
    n8n = fake_server.n8n2
    call, memo, run = await start(n8n, provider)
    monkeypatch.setattr("orchestrator_app.providers.n8n_stop.state_of", lambda _: "running")
    run.finish()
    assert "had ended" in await provider.cancel(n8n_connection(n8n), call, memo)
    assert len(n8n.server.calls(f"{n8n.prefix}/api/v1/executions/1/stop")) == 1


async def test_an_unknown_execution_is_said_to_be_unknown(fake_server: FakeServer, provider: N8nProvider):
    call = remote_call("n8n", workflow_id="w")
    said = await provider.cancel(n8n_connection(fake_server.n8n2), call, {"executionId": "999"})
    assert said == "n8n does not know execution 999 any more."


async def test_a_call_of_which_nothing_is_listed_says_that_nothing_was_stopped(
    fake_server: FakeServer, provider: N8nProvider, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("orchestrator_app.providers.n8n_stop._PAUSES", (0.0, 0.0))
    n8n = fake_server.n8n2
    call, _, run = await start(n8n, provider)
    said = await provider.cancel(n8n_connection(n8n), replace(call, correlation_id="never-sent"), {})
    assert "lists no execution of this call" in said
    assert run.status == "running"


async def test_an_older_release_cannot_stop_and_says_that_it_goes_on(
    fake_server: FakeServer, provider: N8nProvider
):
    call, memo, run = await start(fake_server.n8n1, provider)
    said = await provider.cancel(n8n_connection(fake_server.n8n1), call, memo)
    assert said == "This release of n8n cannot be told to stop, so execution 1 goes on there."
    assert run.status == "running"


async def test_a_key_that_may_not_stop_is_an_error(fake_server: FakeServer, provider: N8nProvider):
    n8n = fake_server.n8n2
    call, memo, run = await start(n8n, provider)
    n8n.add_key("few", {"execution:read", "execution:list"})
    with pytest.raises(CredentialRefused, match="Forbidden"):
        await provider.cancel(n8n_connection(n8n, apiKey="few"), call, memo)
    assert run.status == "running"


async def test_while_the_api_is_switched_off_nobody_says_that_an_execution_is_gone(
    fake_server: FakeServer, provider: N8nProvider
):
    n8n = fake_server.n8n2
    call, memo, run = await start(n8n, provider)
    n8n.is_api_open = False
    for kept in (memo, memo | {"executionId": "1"}):
        with pytest.raises(ProviderUnavailable, match="The API of n8n is not there"):
            await provider.cancel(n8n_connection(n8n), call, kept)
    assert run.status == "running"
