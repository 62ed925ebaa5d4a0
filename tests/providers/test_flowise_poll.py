"""Flowise: executions that are polled."""

import asyncio
import time

import pytest

from orchestrator_app.errors import (
    CredentialRefused,
    ProviderUnavailable,
    UnreadableAnswer,
)
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.connection import Connection
from orchestrator_app.providers.flowise import FlowiseProvider
from orchestrator_app.providers.json_reading import objects_at
from tests.fakes.connections import flowise_connection, remote_call
from tests.fakes.flowise import FakeFlowise
from tests.fakes.flowise_flow import FakeRun
from tests.fakes.server import FakeServer
from tests.providers.raw_server import RawServer, answer
from tests.providers.started_flow import Started, started


@pytest.fixture
def provider(http_client: HttpClient) -> FlowiseProvider:
    return FlowiseProvider(http_client)


@pytest.fixture
def flowise(fake_server: FakeServer) -> FakeFlowise:
    return fake_server.flowise


async def test_an_execution_is_found_by_its_session_and_then_followed_by_its_id(
    fake_server: FakeServer, flowise: FakeFlowise, provider: FlowiseProvider
):
    begun = await started(provider, flowise, seconds=None)
    look = await begun.look()
    assert (look.state, look.message, look.is_certain) == ("running", "", True)
    assert look.memo == {"executionId": flowise.runs[0].id}
    flowise.finish(flowise.runs[0])
    look = await begun.ended()
    assert look.state == "completed"
    assert isinstance(look.output, dict)
    assert look.output["text"] == "You said: "
    assert look.remote_id == flowise.runs[0].id == look.output["executionId"]
    assert look.output["sessionId"] == flowise.runs[0].session
    assert [step["status"] for step in objects_at(look.output, "agentFlowExecutedData")] == ["FINISHED"] * 2
    assert look.link == f"{flowise.base}/executions"
    first, second = [call for call in fake_server.journal if "/executions" in call.path][:2]
    assert first.query["sessionId"] == flowise.runs[0].session
    assert second.path.endswith(f"/executions/{flowise.runs[0].id}")


async def test_a_flow_that_failed_gives_the_reason_and_the_step(
    flowise: FakeFlowise, provider: FlowiseProvider
):
    begun = await started(provider, flowise, fails="No model.")
    look = await begun.look()
    assert (look.state, look.message) == ("failed", "No model. (step “Custom Function”)")


@pytest.mark.parametrize(
    ("state", "wanted", "message"),
    [
        ("TIMEOUT", "failed", "Flowise stopped the flow because it took too long."),
        ("ERROR", "failed", "Flowise does not say why."),
        ("TERMINATED", "cancelled", "the flow was stopped in Flowise."),
        ("PAUSED", "unknown", "Flowise calls the state of execution {id} “PAUSED”."),
    ],
)
async def test_the_other_states_are_told(
    flowise: FakeFlowise, provider: FlowiseProvider, state: str, wanted: str, message: str
):
    begun = await started(provider, flowise)
    (run,) = flowise.runs
    run.state = state
    look = await begun.look()
    assert (look.state, look.message) == (wanted, message.format(id=run.id))
    assert look.is_certain == (wanted != "unknown")


async def test_a_flow_that_waits_for_a_person_is_followed_until_that_person_answers(
    flowise: FakeFlowise, provider: FlowiseProvider
):
    begun = await started(provider, flowise, start="chat", asks_person=True)
    for _ in range(2):
        look = await begun.look()
        assert (look.state, look.message) == ("running", "waits for a person at “Human Input” in Flowise")
    flowise.runs[0].decide("proceed", "fine")
    look = await begun.look()
    assert look.state == "completed"
    assert isinstance(look.output, dict)
    assert (look.output["text"], look.output["question"]) == ("You said: hello", "hello")


async def test_a_call_that_was_cut_is_found_again(flowise: FakeFlowise, provider: FlowiseProvider):
    flowise.dropped_times = 1
    begun = await started(provider, flowise, start="chat")
    look = await begun.look()
    assert (look.state, look.is_certain) == ("completed", True)


async def test_in_a_session_of_the_nodes_own_the_newest_execution_is_a_guess(
    flowise: FakeFlowise, provider: FlowiseProvider
):
    body = {"question": "hello", "overrideConfig": {"sessionId": "ours"}}
    flow = flowise.add_flow(seconds=None)
    old = FakeRun(flow, {"question": "before"}, "ours", "ours", state="FINISHED", created=time.time() - 600)
    flowise.runs.append(old)
    now = round(time.time() * 1000)
    call = remote_call(
        "flowise", workflow_id=flow.id, completion="poll", body=body, timeout_seconds=0.3, started_at=now
    )
    begun = Started(provider, flowise, call)
    await begun.begin()
    assert begun.memo == {"sessionId": "ours"}
    new = flowise.runs[1]
    look = await begun.look()
    assert (look.state, look.remote_id, look.is_certain) == ("running", new.id, False)
    flowise.finish(new)
    look = await begun.ended()
    assert (look.state, look.is_certain) == ("completed", False)


async def test_an_older_execution_of_the_same_session_is_not_taken_for_this_one(
    flowise: FakeFlowise, provider: FlowiseProvider
):
    flow = flowise.add_flow()
    call = remote_call(
        "flowise", workflow_id=flow.id, completion="poll", started_at=round(time.time() * 1000)
    )
    old = FakeRun(flow, {}, "ours", "ours", state="FINISHED", created=time.time() - 600)
    flowise.runs.append(old)
    look = await provider.poll(flowise_connection(flowise), call, {"sessionId": "ours"})
    assert (look.state, look.is_certain) == ("running", False)
    assert look.message == "Flowise does not list an execution of this call yet."


async def test_a_chatflow_has_no_executions_so_after_some_looks_its_end_is_unknown(
    flowise: FakeFlowise, provider: FlowiseProvider
):
    flowise.dropped_times = 1
    begun = await started(provider, flowise, start="chat", is_agentflow=False)
    assert (await begun.look()).state == "running"
    look = await begun.look()
    assert look.state == "unknown"
    assert (
        look.message == "Flowise keeps no executions of chatflows, so it cannot be known how this call ended."
    )
    assert begun.memo["misses"] == 2


@pytest.mark.parametrize("release", ["2.2.8", "3.0.0"])
async def test_a_release_without_executions_is_told_apart_from_a_web_page_in_between(
    flowise: FakeFlowise, provider: FlowiseProvider, release: str
):
    begun = await started(provider, flowise)
    flowise.release = release
    if release == "2.2.8":
        look = await begun.look()
        assert look.state == "unknown"
        assert "release before 3.0.0" in look.message
    else:
        flowise.html_times = 1
        with pytest.raises(UnreadableAnswer, match="HTML"):
            await begun.look()
        assert (await begun.look()).state == "completed"


async def test_a_flow_that_was_deleted_meanwhile_is_said_to_be_gone(
    flowise: FakeFlowise, provider: FlowiseProvider
):
    call = remote_call("flowise", workflow_id="00000000-0000-4000-8000-000000000005", completion="poll")
    look = await provider.poll(flowise_connection(flowise), call, {"misses": 5})
    assert look.state == "unknown"
    assert "has no flow 00000000-0000-4000-8000-000000000005 (any more)" in look.message


async def test_an_execution_that_was_deleted_is_unknown(flowise: FakeFlowise, provider: FlowiseProvider):
    begun = await started(provider, flowise)
    await begun.look()
    flowise.runs.clear()
    look = await begun.look()
    assert look.state == "unknown"
    assert look.message.endswith("(any more).")


async def test_an_outage_is_told_as_such_and_the_next_look_goes_on(
    flowise: FakeFlowise, provider: FlowiseProvider
):
    begun = await started(provider, flowise)
    flowise.down_times = 1
    with pytest.raises(ProviderUnavailable) as caught:
        await begun.look()
    assert caught.value.retryable
    assert (await begun.look()).state == "completed"


async def test_a_key_that_expired_or_may_not_read_executions_is_refused_with_what_it_needs(
    flowise: FakeFlowise, provider: FlowiseProvider
):
    begun = await started(provider, flowise)
    flowise.add_key("few", may_list=False, may_look=False)
    begun.connection = flowise_connection(flowise, apiKey="few")
    with pytest.raises(CredentialRefused) as caught:
        await begun.look()
    assert "executions:view" in caught.value.hint
    begun.connection = flowise_connection(flowise, apiKey="expired")
    with pytest.raises(CredentialRefused, match="does not accept the API key"):
        await begun.look()
    begun.connection = flowise_connection(flowise, apiKey=flowise.add_key("looks", may_list=False))
    flowise.runs.clear()
    for _ in range(3):
        assert (await begun.look()).state == "running"


async def test_a_call_that_names_the_address_of_its_flow_is_polled_too(
    flowise: FakeFlowise, provider: FlowiseProvider
):
    flow = flowise.add_flow(start="webhook", webhook_mode="async")
    url = f"{flowise.base}/api/v1/webhook/{flow.id}"
    begun = Started(provider, flowise, remote_call("flowise", url=url, completion="poll"))
    await begun.begin()
    assert (await begun.look()).state == "completed"


async def test_an_old_release_that_answers_404_for_executions_is_named(provider: FlowiseProvider):
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await server.read_request(reader):
            is_version = b"/api/v1/version" in request.partition(b"\r\n")[0]
            writer.write(
                answer(b'{"version":"2.2.8"}') if is_version else answer(b"", status="404 Not Found")
            )
            await writer.drain()

    async with RawServer(talk) as server:
        connection = Connection("c", "flowise", "Old", {"baseUrl": server.url, "apiKey": "key"})
        call = remote_call("flowise", workflow_id="f", completion="poll")
        look = await provider.poll(connection, call, {"misses": 1})
    assert look.state == "unknown"
    assert "is release 2.2.8, and releases before 3.0.0 keep no executions" in look.message


async def test_an_agentflow_whose_execution_is_not_listed_yet_is_waited_for(
    flowise: FakeFlowise, provider: FlowiseProvider
):
    flow = flowise.add_flow()
    call = remote_call("flowise", workflow_id=flow.id, completion="poll")
    look = await provider.poll(flowise_connection(flowise), call, {"misses": 5})
    assert (look.state, look.is_certain, look.memo) == ("running", False, {"misses": 6})


async def test_an_answer_of_another_shape_is_unreadable(provider: FlowiseProvider):
    async with RawServer(answer(b"[1]")) as server:
        connection = Connection("c", "flowise", "Other", {"baseUrl": server.url, "apiKey": "key"})
        call = remote_call("flowise", workflow_id="f", completion="poll")
        with pytest.raises(UnreadableAnswer, match="the execution has another shape"):
            await provider.poll(connection, call, {"executionId": "e"})
        with pytest.raises(UnreadableAnswer, match="the flow has another shape"):
            await provider.preview(connection, "f")
    async with RawServer(answer(b'{"a":1}')) as server:
        connection = Connection("c", "flowise", "Other", {"baseUrl": server.url, "apiKey": "key"})
        with pytest.raises(UnreadableAnswer, match="the list of flows has another shape"):
            await provider.workflows(connection)
