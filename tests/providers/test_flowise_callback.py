"""Flowise: what its callbacks say, and flows that are stopped."""

from typing import Any

import pytest

from orchestrator_app.domain.json_values import JsonObject
from orchestrator_app.domain.remote import RemoteLook
from orchestrator_app.errors import ProviderRefused
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.flowise import FlowiseProvider
from tests.fakes.connections import flowise_connection, remote_call
from tests.fakes.flowise import FakeFlowise
from tests.fakes.server import FakeServer
from tests.providers.started_flow import Started, started

TOKEN = "cb_token-of-this-callback-and-no-other"


@pytest.fixture
def provider(http_client: HttpClient) -> FlowiseProvider:
    return FlowiseProvider(http_client)


@pytest.fixture
def flowise(fake_server: FakeServer) -> FakeFlowise:
    return fake_server.flowise


# --- callbacks ---


async def called_back(
    fake_server: FakeServer, provider: FlowiseProvider, **settings: Any
) -> tuple[Started, RemoteLook]:
    flowise = fake_server.flowise
    url = fake_server.url + "/echo/called-back"
    call = {"completion": "callback", "callback_token": TOKEN, "callback_url": url, "body": {"t": TOKEN}}
    begun = await started(provider, flowise, call=call, callback_url=url, **settings)
    (received, *_) = await fake_server.arrived("/echo/called-back", method="POST")
    assert received.json["chatId"] == TOKEN
    look = await provider.called_back(begun.connection, begun.call, begun.memo, received.json)
    assert TOKEN not in str(look)
    begun.memo = look.memo
    return begun, look


async def test_a_callback_brings_the_result(fake_server: FakeServer, provider: FlowiseProvider):
    _, look = await called_back(fake_server, provider, text=lambda _: "done")
    assert look.state == "completed"
    assert isinstance(look.output, dict)
    assert look.output["text"] == "done"
    assert look.remote_id == fake_server.flowise.runs[0].id
    assert look.link == f"{fake_server.flowise.base}/executions"


async def test_a_callback_brings_the_reason_of_a_failure(fake_server: FakeServer, provider: FlowiseProvider):
    _, look = await called_back(fake_server, provider, fails="No model.")
    assert (look.state, look.message) == ("failed", "No model.")


async def test_a_callback_may_say_that_a_person_is_asked_and_then_the_execution_is_looked_at(
    fake_server: FakeServer, provider: FlowiseProvider
):
    begun, look = await called_back(fake_server, provider, asks_person=True)
    assert (look.state, look.message) == ("running", "waits for a person at “Human Input” in Flowise")
    (run,) = fake_server.flowise.runs
    assert look.memo == {"executionId": run.id}
    run.decide()
    assert (await begun.look()).state == "completed"


async def test_a_callback_that_never_comes_is_found_by_polling(
    flowise: FakeFlowise, provider: FlowiseProvider
):
    begun = await started(provider, flowise, call={"completion": "callback", "callback_token": TOKEN})
    look = await begun.look()
    assert look.state == "completed"
    assert TOKEN not in str(look)
    assert flowise.runs[0].session == TOKEN


@pytest.mark.parametrize(
    "body",
    [{"answer": 42}, {"status": "SUCCESS", "result": 1}, {"status": "shipped", "chatId": "x"}, "text", [1]],
)
async def test_what_a_step_of_the_flow_posts_itself_is_the_result_as_it_is(
    flowise: FakeFlowise, provider: FlowiseProvider, body: Any
):
    call = remote_call("flowise", workflow_id="f", completion="callback", callback_token=TOKEN)
    look = await provider.called_back(flowise_connection(flowise), call, {}, body)
    assert (look.state, look.output) == ("completed", body)


async def test_a_callback_about_a_stopped_flow_is_a_cancellation(provider: FlowiseProvider):
    call = remote_call("flowise", workflow_id="f", completion="callback", callback_token=TOKEN)
    error = "Error: predictionsServices.buildChatflow - Flow execution was cancelled"
    body: JsonObject = {"status": "ERROR", "chatId": TOKEN, "error": error}
    look = await provider.called_back(None, call, {"executionId": "e"}, body)
    assert (look.state, look.remote_id) == ("cancelled", "e")
    silent: JsonObject = {"status": "ERROR", "chatId": TOKEN}
    look = await provider.called_back(None, call, {}, silent)
    assert (look.state, look.message) == ("failed", "Flowise does not say why.")


# --- stopping ---


async def test_a_flow_under_way_is_stopped_also_when_its_answer_never_came(
    flowise: FakeFlowise, provider: FlowiseProvider
):
    begun = await started(provider, flowise, seconds=None)
    said = await provider.cancel(begun.connection, begun.call, {})
    assert said == "Flowise was told to stop the flow, which ends before its next step."
    look = await begun.ended()
    assert (look.state, look.message) == ("cancelled", "the flow was stopped in Flowise.")


async def test_without_a_key_a_flow_can_be_stopped_too(
    fake_server: FakeServer, flowise: FakeFlowise, provider: FlowiseProvider
):
    flow = flowise.add_flow(start="webhook", webhook_mode="async", seconds=None)
    call = remote_call("flowise", workflow_id=flow.id, url=flowise.base)
    memo = (await provider.execute(None, call)).memo
    assert (await provider.cancel(None, call, memo)).startswith("Flowise was told to stop")
    assert flowise.runs[0].is_aborted
    assert "authorization" not in fake_server.journal[-1].headers


async def test_a_chat_of_the_nodes_own_is_stopped_by_the_memo(
    flowise: FakeFlowise, provider: FlowiseProvider
):
    body = {"chatId": "ours"}
    begun = await started(provider, flowise, call={"body": body}, seconds=None)
    assert begun.memo == {"chatId": "ours", "sessionId": "ours"}
    await provider.cancel(begun.connection, begun.call, begun.memo)
    assert flowise.runs[0].is_aborted


async def test_what_has_ended_or_waits_for_a_person_cannot_be_stopped(
    fake_server: FakeServer, flowise: FakeFlowise, provider: FlowiseProvider
):
    ended = await started(provider, flowise)
    assert await provider.cancel(ended.connection, ended.call, ended.memo) == (
        "The flow had ended in Flowise already."
    )
    waiting = await started(provider, flowise, start="chat", asks_person=True)
    assert (await provider.cancel(waiting.connection, waiting.call, waiting.memo)).startswith(
        "The flow waits for a person in Flowise"
    )
    assert fake_server.calls(method="PUT") == []


async def test_a_key_that_may_not_read_executions_can_stop_a_flow(
    flowise: FakeFlowise, provider: FlowiseProvider
):
    begun = await started(provider, flowise, seconds=None)
    few = flowise_connection(flowise, apiKey=flowise.add_key("few", may_look=False))
    assert (await provider.cancel(few, begun.call, begun.memo)).startswith("Flowise was told to stop")
    assert flowise.runs[0].is_aborted


async def test_a_release_that_cannot_stop_says_so(flowise: FakeFlowise, provider: FlowiseProvider):
    flowise.release = "1.8.0"
    call = remote_call("flowise", workflow_id="f", url=flowise.base)
    assert (await provider.cancel(None, call, {})).startswith(
        "This release of Flowise cannot be told to stop"
    )


async def test_stopping_something_that_is_not_known_is_refused(provider: FlowiseProvider):
    with pytest.raises(ProviderRefused, match="not known where Flowise is"):
        await provider.cancel(None, remote_call("flowise", workflow_id="f"), {})
