"""The Flowise adapter on the recorded answers themselves: what it makes of each, byte for byte as it came."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from orchestrator_app.errors import CredentialRefused, ProviderError, ProviderRefused, UnreadableAnswer
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.connection import Connection
from orchestrator_app.providers.flowise import FlowiseProvider
from orchestrator_app.providers.json_reading import objects_at, text_at
from orchestrator_app.providers.remote_workflow import PreviewEdge
from tests.fakes.connections import remote_call
from tests.fakes.recordings import names, recording
from tests.providers.raw_server import RawServer, answer

T = TypeVar("T")

SOURCE = "flowise"
FLOW = "2fd5f8e2-ac9c-4251-9559-072b3fc2dd64"
# Recordings that the adapter has no use for, and why.
UNUSED = {
    "chatmessage_list": "chat messages are not read: an execution says more, and a chatflow that fails leaves none",
}
# What an answer to a call comes to; the rest is completed.
CALLS: dict[str, str | type[ProviderError]] = {
    "predict_aborted": "cancelled",
    "predict_bad_id": ProviderRefused,
    "predict_bad_json": ProviderRefused,
    "predict_error": "failed",
    "predict_get": UnreadableAnswer,
    "predict_human": "running",
    "predict_keyed_none": CredentialRefused,
    "predict_keyed_wrong": CredentialRefused,
    "predict_stream_error": "failed",
    "predict_unknown": ProviderRefused,
    "webhook_async": "running",
    "webhook_unknown": ProviderRefused,
    "webhook_wrong_flow": ProviderRefused,
}
REASONS = {
    "predict_aborted": "the flow was stopped in Flowise.",
    "predict_error": "Error: NodeVM Execution Error: Error: rig flowise boom",
    "predict_human": "waits for a person at “Human Input” in Flowise",
    "predict_stream_error": "Error: NodeVM Execution Error: Error: rig flowise boom",
    "webhook_async": "",
}


def beginning_with(*prefixes: str) -> list[str]:
    return [name for name in names(SOURCE) if name.startswith(prefixes) and "received" not in name]


def as_sent(recorded: dict[str, Any]) -> bytes:
    """The recorded answer as it came over the wire."""
    response = recorded["response"]
    body = response["body"]
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    headers = "".join(f"{name}: {value}\r\n" for name, value in response["headers"].items())
    return answer(content, status=f"{response['status']} Recorded", headers=headers)


@pytest.fixture
def provider(http_client: HttpClient) -> FlowiseProvider:
    return FlowiseProvider(http_client)


async def on(name: str, work: Callable[[Connection], Awaitable[T]], *, is_pinged: bool = False) -> T:
    """What the adapter makes of a recorded answer, whatever it asks for, but for a ping."""
    ping = {b"GET /api/v1/ping": as_sent(recording(SOURCE, "ping"))} if is_pinged else {}
    async with RawServer(as_sent(recording(SOURCE, name)), instead=ping) as server:
        return await work(Connection("c", "flowise", "Recorded", {"baseUrl": server.url, "apiKey": "key"}))


@pytest.mark.parametrize("name", beginning_with("predict_", "webhook_"))
async def test_every_recorded_answer_of_a_call_is_read(name: str, provider: FlowiseProvider):
    recorded = recording(SOURCE, name)
    expected = CALLS.get(name, "completed")
    body = recorded["request"]["body"]
    settings = {"text_body": body} if isinstance(body, str) else {"body": body}
    path = recorded["request"]["url"].removeprefix("<base>")

    async def call(connection: Connection) -> Any:
        url = connection.values["baseUrl"] + path
        return await provider.execute(connection, remote_call(SOURCE, url=url, **settings))

    if not isinstance(expected, str):
        with pytest.raises(expected) as caught:
            await on(name, call)
        assert caught.value.message
        return
    got = await on(name, call)
    assert got.state == expected
    assert got.message == REASONS.get(name, "")
    if expected == "completed":
        wanted = recorded["response"]["body"]
        text = "You said: hello" if isinstance(wanted, str) else wanted["text"]
        assert got.output["text"] == text
        assert got.remote_id == ("" if isinstance(wanted, str) else wanted.get("executionId", ""))


@pytest.mark.parametrize("name", beginning_with("chatflows_list"))
async def test_every_recorded_list_is_read(name: str, provider: FlowiseProvider):
    wanted = recording(SOURCE, name)["response"]["body"]
    if name in {"chatflows_list_bad_key", "chatflows_list_no_key"}:
        with pytest.raises(CredentialRefused, match="does not accept the API key"):
            await on(name, provider.workflows)
        return
    page = await on(name, provider.workflows)
    rows = wanted["data"] if isinstance(wanted, dict) else wanted
    listed = [row for row in rows if isinstance(row, dict)]  # the recorder cut the list short with a text
    assert [(flow.id, flow.name) for flow in page.workflows] == [(row["id"], row["name"]) for row in listed]
    assert {flow.kind for flow in page.workflows} <= {"agentflow", "chatflow"}
    assert all(flow.updated_at and flow.is_active for flow in page.workflows)


async def test_the_recorded_flow_is_drawn(provider: FlowiseProvider):
    preview = await on("chatflow_get", lambda connection: provider.preview(connection, FLOW))
    assert [(node.id, node.label, node.is_trigger) for node in preview.nodes] == [
        ("startAgentflow_0", "Start", True),
        ("directReplyAgentflow_0", "Direct Reply", False),
    ]
    assert preview.edges == (PreviewEdge("startAgentflow_0", "directReplyAgentflow_0"),)
    assert [field.path for field in preview.form] == ["question"]
    assert preview.completion == "response"


@pytest.mark.parametrize("name", ["chatflow_get_bad_id", "chatflow_get_unknown"])
async def test_a_recorded_flow_that_is_not_there_is_gone(name: str, provider: FlowiseProvider):
    with pytest.raises(ProviderRefused) as caught:
        await on(name, lambda connection: provider.preview(connection, "f"))
    assert caught.value.remote_status == 404


@pytest.mark.parametrize("name", ["execution_get", "executions_list", "executions_by_flow"])
async def test_every_recorded_execution_is_read(name: str, provider: FlowiseProvider):
    body = recording(SOURCE, name)["response"]["body"]
    first = body["data"][0] if "data" in body else body
    memo = {"executionId": body["id"]} if "id" in body else {}
    call = remote_call(SOURCE, workflow_id=first["agentflowId"], completion="poll")
    look = await on(name, lambda connection: provider.poll(connection, call, memo))
    assert look.remote_id == first["id"]
    if first["state"] == "ERROR":
        words = "Error: NodeVM Execution Error: Error: rig flowise boom (step “Custom Function”)"
        assert (look.state, look.message) == ("failed", words)
    else:
        assert (look.state, text_at(look.output, "text")) == ("completed", "approved ok")
        assert text_at(look.output, "question") == "hello"
        steps = json.loads(first["executionData"])
        assert objects_at(look.output, "agentFlowExecutedData") == steps


async def test_a_recorded_execution_that_is_not_there_is_unknown(provider: FlowiseProvider):
    call = remote_call(SOURCE, workflow_id=FLOW, completion="poll")
    look = await on(
        "execution_unknown",
        lambda connection: provider.poll(connection, call, {"executionId": "7"}),
        is_pinged=True,
    )
    assert (look.state, look.message) == ("unknown", "Flowise has no execution 7 (any more).")


async def test_the_recorded_callback_is_read(provider: FlowiseProvider):
    body = recording(SOURCE, "webhook_async_callback_received")["received"]["body"]
    call = remote_call(SOURCE, workflow_id=FLOW, completion="callback", callback_token=body["chatId"])
    look = await provider.called_back(None, call, {}, body)
    assert (look.state, text_at(look.output, "text")) == ("completed", "async done")
    assert look.remote_id == body["data"]["executionId"]
    assert body["chatId"] not in str(look)


async def test_the_recorded_abort_is_read(provider: FlowiseProvider):
    call = remote_call(SOURCE, workflow_id=FLOW)
    said = await on("abort", lambda connection: provider.cancel(connection, call, {}))
    assert said == "Flowise was told to stop the flow, which ends before its next step."


@pytest.mark.parametrize(("name", "status"), [("ping", "unreachable"), ("version", "unreachable")])
async def test_the_recorded_ping_alone_is_not_enough_to_accept_a_key(
    name: str, status: str, provider: FlowiseProvider
):
    check = await on(name, provider.test)
    assert check.status == status
    assert ("is not Flowise" in check.detail) == (name == "version")


def test_every_recording_is_read_by_a_test_or_has_a_reason_not_to_be():
    used = {
        *beginning_with("predict_", "webhook_", "chatflows_list", "chatflow_get", "execution"),
        "abort",
        "ping",
        "version",
        "webhook_async_callback_received",
    }
    assert used | UNUSED.keys() == set(names(SOURCE))
    assert not used & UNUSED.keys()
    assert CALLS.keys() <= used
