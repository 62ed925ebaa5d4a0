"""Which way an n8n workflow's end is best learned, and its callbacks."""

import json
from typing import Any

import pytest

from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.n8n import N8nProvider
from orchestrator_app.providers.remote_workflow import CompletionChoice, WorkflowPreview
from tests.fakes.connections import n8n_connection, remote_call
from tests.fakes.n8n import FakeN8n
from tests.fakes.server import FakeServer


@pytest.fixture
def provider(http_client: HttpClient) -> N8nProvider:
    return N8nProvider(http_client)


@pytest.fixture
def n8n(fake_server: FakeServer) -> FakeN8n:
    return fake_server.n8n2


async def previewed(n8n: FakeN8n, provider: N8nProvider, **settings: Any) -> WorkflowPreview:
    flow = n8n.add_workflow("Orders", **settings)
    return await provider.preview(n8n_connection(n8n), flow.id)


def choice(preview: WorkflowPreview, key: str) -> CompletionChoice:
    return next(found for found in preview.completions if found.key == key)


@pytest.mark.parametrize(
    ("settings", "keys", "words"),
    [
        ({"mode": "lastNode"}, ["response", "poll", "callback"], "last node has ended"),
        (
            {"mode": "responseNode"},
            ["response", "poll", "callback"],
            "If the workflow fails before that node",
        ),
        ({"mode": "streaming"}, ["response", "poll", "callback"], "piece by piece"),
        ({"mode": "onReceived"}, ["poll", "response", "callback"], "again and again"),
        (
            {"mode": "onReceived", "calls_back": True},
            ["callback", "poll", "response"],
            "“Call back” posts to",
        ),
        ({"trigger": "chat"}, ["response", "poll", "callback"], "last node has ended"),
        ({"trigger": "form"}, ["poll", "response", "callback"], "again and again"),
    ],
)
async def test_the_best_completion_follows_how_the_workflow_answers(
    n8n: FakeN8n, provider: N8nProvider, settings: dict[str, Any], keys: list[str], words: str
):
    preview = await previewed(n8n, provider, **settings)
    assert [found.key for found in preview.completions] == keys
    assert preview.completion == keys[0]
    assert words in preview.completions[0].reason


async def test_what_is_not_saved_cannot_be_polled(n8n: FakeN8n, provider: N8nProvider):
    preview = await previewed(n8n, provider, mode="onReceived", keeps_successes=False)
    assert not choice(preview, "poll").works
    assert "Turn on saving" in choice(preview, "poll").reason
    assert preview.completion == "response"


async def test_a_workflow_that_nothing_can_start_has_no_completion_that_works(
    n8n: FakeN8n, provider: N8nProvider
):
    preview = await previewed(n8n, provider, own_nodes=[], own_connections={})
    assert not any(found.works for found in preview.completions)
    assert "nothing outside can start it" in preview.completions[0].reason


async def test_the_node_that_is_to_be_pasted_calls_back(n8n: FakeN8n, provider: N8nProvider):
    preview = await previewed(n8n, provider, mode="onReceived")
    pasted = json.loads(preview.snippet)
    (node,) = pasted["nodes"]
    assert node["parameters"]["url"] == '={{ $("Webhook").first().json.body.callbackUrl }}'
    assert "paste" in preview.snippet_help
    made = next(iter(n8n.workflows.values())).published_nodes
    again = await previewed(n8n, provider, own_nodes=[*made, node], own_connections={})
    assert (again.completion, again.snippet, again.snippet_help) == ("callback", "", "")


async def test_a_disabled_node_does_not_call_back(n8n: FakeN8n, provider: N8nProvider):
    flow = n8n.add_workflow("Orders", mode="onReceived", calls_back=True)
    nodes = [node | {"disabled": node["name"] == "Call back"} for node in flow.published_nodes]
    preview = await previewed(n8n, provider, own_nodes=nodes, own_connections={})
    assert not choice(preview, "callback").works


async def test_a_chat_is_called_back_from_its_message(n8n: FakeN8n, provider: N8nProvider):
    preview = await previewed(n8n, provider, trigger="chat")
    assert "first().json.callbackUrl" in json.loads(preview.snippet)["nodes"][0]["parameters"]["url"]


async def test_a_form_needs_a_field_for_the_address_to_call_back(n8n: FakeN8n, provider: N8nProvider):
    without = await previewed(n8n, provider, trigger="form", calls_back=True)
    assert "no field callbackUrl" in choice(without, "callback").reason
    hidden = [{"fieldType": "hiddenField", "fieldName": "callbackUrl"}]
    preview = await previewed(n8n, provider, trigger="form", calls_back=True, form_fields=hidden)
    assert preview.completion == "callback"


@pytest.mark.parametrize(
    ("body", "state", "message"),
    [
        ({"executionId": "1", "status": "success", "data": {"n": 1}}, "completed", ""),
        ({"executionId": "1", "status": "error", "error": "no paper"}, "failed", "no paper"),
        ({"status": "error", "error": {"message": "no ink"}}, "failed", "no ink"),
        ({"executionId": "1", "status": "Error"}, "failed", "n8n called back with the status “Error” and no reason."),
        ({"executionId": "1", "status": "canceled", "message": "by Ann"}, "cancelled", "by Ann"),
        # A result of the user's own may have a field status too.
        ({"status": "error", "order": 7}, "completed", ""),
        ({"error": None}, "completed", ""),
        ([1, 2], "completed", ""),
        ("error", "completed", ""),
        (None, "completed", ""),
    ],
)  # fmt: skip
async def test_a_callback_is_the_result_unless_it_says_that_it_failed(
    n8n: FakeN8n, provider: N8nProvider, body: JsonValue, state: str, message: str
):
    call = remote_call("n8n", workflow_id="w", completion="callback")
    look = await provider.called_back(n8n_connection(n8n), call, {}, body)
    assert (look.state, look.message) == (state, message)
    assert look.output == (body if state == "completed" else None)
    if isinstance(body, dict) and "executionId" in body:
        assert look.remote_id == "1"
        assert look.link == f"{n8n.base}/workflow/w/executions/1"


async def test_a_callback_needs_no_connection(provider: N8nProvider):
    look = await provider.called_back(None, remote_call("n8n"), {}, {"executionId": "1", "a": 2})
    assert (look.state, look.output, look.link) == ("completed", {"executionId": "1", "a": 2}, "")
