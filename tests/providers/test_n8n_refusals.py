"""Starting n8n workflows that cannot be started: each refusal says what to do."""

from typing import Any

import pytest

from orchestrator_app.errors import (
    AddressNotAllowed,
    CredentialRefused,
    OutcomeUnknown,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
    UnreadableAnswer,
)
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.n8n import N8nProvider
from tests.fakes.connections import n8n_connection, remote_call
from tests.fakes.n8n import FakeN8n
from tests.fakes.server import FakeServer


@pytest.fixture
def provider(http_client: HttpClient) -> N8nProvider:
    return N8nProvider(http_client)


@pytest.fixture(params=[2, 1], ids=["2.41.1", "1.123.81"])
def n8n(request: pytest.FixtureRequest, fake_server: FakeServer) -> FakeN8n:
    return fake_server.n8n2 if request.param == 2 else fake_server.n8n1


# --- refusals: nothing ran ---


async def refusal(provider: N8nProvider, n8n: FakeN8n, **settings: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await provider.execute(n8n_connection(n8n), remote_call("n8n", **settings))
    assert not caught.value.retryable
    assert n8n.key not in str(caught.value) + caught.value.hint
    return caught.value


@pytest.mark.parametrize("found_by", ["address", "workflow"])
async def test_an_inactive_workflow_is_said_to_be_inactive(
    n8n: FakeN8n, provider: N8nProvider, found_by: str
):
    flow = n8n.add_workflow("Orders", is_active=False)
    error = await refusal(provider, n8n, workflow_id=flow.id, url=flow.url if found_by == "address" else "")
    assert "“Orders” is not active" in error.message
    assert "Activate" in error.hint


async def test_an_archived_workflow_is_said_to_be_archived(n8n: FakeN8n, provider: N8nProvider):
    flow = n8n.add_workflow("Orders", is_archived=True)
    assert "archived" in (await refusal(provider, n8n, workflow_id=flow.id, url=flow.url)).message


async def test_an_unknown_path_of_an_active_workflow_names_the_right_one(n8n: FakeN8n, provider: N8nProvider):
    flow = n8n.add_workflow("Orders", path="orders")
    error = await refusal(provider, n8n, workflow_id=flow.id, url=f"{n8n.base}/webhook/ordres")
    assert "is active, but does not listen" in error.message
    assert "POST webhook/orders" in error.message


@pytest.mark.parametrize("found_by", ["address", "workflow"])
async def test_an_unknown_workflow_is_said_to_be_unknown(n8n: FakeN8n, provider: N8nProvider, found_by: str):
    url = f"{n8n.base}/webhook/gone" if found_by == "address" else ""
    assert "no workflow gone" in (await refusal(provider, n8n, workflow_id="gone", url=url)).message


async def test_an_unknown_path_without_a_workflow_says_what_to_check(n8n: FakeN8n, provider: N8nProvider):
    error = await refusal(provider, n8n, url=f"{n8n.base}/webhook/gone")
    assert "No active workflow" in error.message
    assert "Check the path" in error.hint


async def test_if_the_api_does_not_answer_the_unknown_path_is_still_told(n8n: FakeN8n, provider: N8nProvider):
    n8n.keys.clear()
    error = await refusal(provider, n8n, workflow_id="gone", url=f"{n8n.base}/webhook/gone")
    assert "No active workflow" in error.message
    assert "does not accept the API key" in error.message


async def test_a_wrong_method_names_the_right_one(n8n: FakeN8n, provider: N8nProvider):
    flow = n8n.add_workflow("Orders")
    error = await refusal(provider, n8n, workflow_id=flow.id, url=flow.url, method="GET")
    assert "does not take GET requests. It takes POST." in error.message


async def test_a_workflow_without_a_webhook_cannot_be_called(n8n: FakeN8n, provider: N8nProvider):
    flow = n8n.add_workflow("Timer", own_nodes=[], own_connections={})
    assert "no Webhook node" in (await refusal(provider, n8n, workflow_id=flow.id)).message
    error = await refusal(provider, n8n, workflow_id=flow.id, url=f"{n8n.base}/webhook/gone")
    assert "listens at nowhere" in error.message


async def test_a_path_with_parts_to_fill_in_is_refused_before_the_call(n8n: FakeN8n, provider: N8nProvider):
    flow = n8n.add_workflow("Orders", path="orders/:id")
    assert "parts that only you know" in (await refusal(provider, n8n, workflow_id=flow.id)).message
    url = flow.url.replace(":id", "42")
    await provider.execute(n8n_connection(n8n), remote_call("n8n", url=url))
    assert flow.executions[0].trigger["params"] == {"id": "42"}


async def test_neither_address_nor_workflow_is_refused(n8n: FakeN8n, provider: N8nProvider):
    assert "neither an address nor a workflow" in (await refusal(provider, n8n)).message


@pytest.mark.parametrize("completion", ["response", "poll"])
async def test_a_workflow_or_polling_needs_a_connection(
    fake_server: FakeServer, provider: N8nProvider, completion: str
):
    url = fake_server.url + "/echo" if completion == "poll" else ""
    with pytest.raises(CredentialRefused, match="needs a connection"):
        await provider.execute(None, remote_call("n8n", workflow_id="w", url=url, completion=completion))
    assert fake_server.journal == []


@pytest.mark.parametrize(
    "auth", [("headerAuth", "X-Token", "s3cret-value"), ("basicAuth", "ann", "s3cret-value")]
)
async def test_webhook_credentials_go_to_the_webhook_only(
    n8n: FakeN8n, provider: N8nProvider, auth: tuple[str, str, str]
):
    flow = n8n.add_workflow("Orders", auth=auth)
    error = await refusal(provider, n8n, workflow_id=flow.id)
    assert isinstance(error, CredentialRefused)
    assert "asks for credentials" in error.message
    names = (
        ("webhookHeaderName", "webhookHeaderValue")
        if auth[0] == "headerAuth"
        else ("webhookUser", "webhookPassword")
    )
    good = n8n_connection(n8n, **dict(zip(names, auth[1:], strict=True)))
    assert (await provider.execute(good, remote_call("n8n", workflow_id=flow.id))).state == "completed"
    with pytest.raises(AddressNotAllowed) as caught:
        await provider.execute(good, remote_call("n8n", url="https://elsewhere.example/webhook/x"))
    assert "s3cret-value" not in str(caught.value)
    bad = n8n_connection(n8n, **dict(zip(names, ("X-Token", "wr0ng"), strict=True)))
    with pytest.raises(CredentialRefused) as wrong:
        await provider.execute(bad, remote_call("n8n", workflow_id=flow.id))
    assert "wr0ng" not in str(wrong.value)


async def test_an_address_that_is_not_let_in_is_no_matter_of_credentials(
    fake_server: FakeServer, provider: N8nProvider
):
    url = fake_server.url + "/status/403?message=IP+is+not+whitelisted+to+access+the+webhook!"
    with pytest.raises(ProviderRefused, match="does not take calls of this webhook from here"):
        await provider.execute(None, remote_call("n8n", url=url))


# --- gateways and other servers ---


@pytest.mark.parametrize(
    ("path", "settings", "error"),
    [
        ("/status/503", {}, ProviderUnavailable),
        ("/status/504", {}, OutcomeUnknown),
        ("/status/504", {"is_idempotent": True}, ProviderUnavailable),
        ("/status/404", {}, ProviderRefused),
        ("/drop", {}, OutcomeUnknown),
        ("/html", {}, UnreadableAnswer),
        ("/binary", {}, UnreadableAnswer),
    ],
)
async def test_what_another_server_answers_is_told_as_such(
    fake_server: FakeServer,
    provider: N8nProvider,
    path: str,
    settings: dict[str, Any],
    error: type[ProviderError],
):
    with pytest.raises(error):
        await provider.execute(None, remote_call("n8n", url=fake_server.url + path, **settings))


async def test_while_the_api_is_switched_off_nobody_says_that_a_workflow_is_gone(
    n8n: FakeN8n, provider: N8nProvider
):
    flow = n8n.add_workflow("Orders")
    n8n.is_api_open = False
    with pytest.raises(ProviderUnavailable, match="The API of n8n is not there") as caught:
        await provider.execute(n8n_connection(n8n), remote_call("n8n", workflow_id=flow.id))
    assert caught.value.retryable
    assert flow.executions == []
    error = await refusal(provider, n8n, workflow_id=flow.id, url=f"{n8n.base}/webhook/ordres")
    assert "Whether the workflow is active could not be seen: The API of n8n is not there" in error.message


async def test_a_key_that_may_not_list_workflows_does_not_hide_that_one_is_gone(
    fake_server: FakeServer, provider: N8nProvider
):
    n8n = fake_server.n8n2
    connection = n8n_connection(n8n, apiKey=n8n.add_key("few", {"workflow:read"}))
    with pytest.raises(ProviderRefused, match="no workflow gone"):
        await provider.execute(connection, remote_call("n8n", workflow_id="gone"))
