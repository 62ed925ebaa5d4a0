"""Following n8n executions: by the id in the answer, else by our correlation header."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from orchestrator_app.domain.remote import RemoteCall
from orchestrator_app.errors import ProviderBusy, ProviderUnavailable
from orchestrator_app.providers.answers import HttpAnswer
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.n8n import N8nProvider
from orchestrator_app.providers.n8n_answers import Memo
from orchestrator_app.providers.n8n_webhook import execution_id_in
from tests.fakes.connections import n8n_connection, remote_call
from tests.fakes.n8n import FakeN8n
from tests.fakes.n8n_flow import FakeWorkflow, now
from tests.fakes.server import FakeServer


@pytest.fixture
def provider(http_client: HttpClient) -> N8nProvider:
    return N8nProvider(http_client)


@pytest.fixture(params=[2, 1], ids=["2.41.1", "1.123.81"])
def n8n(request: pytest.FixtureRequest, fake_server: FakeServer) -> FakeN8n:
    return fake_server.n8n2 if request.param == 2 else fake_server.n8n1


def polled(flow: FakeWorkflow, **settings: Any) -> RemoteCall:
    return remote_call("n8n", workflow_id=flow.id, completion="poll", started_at=now(), **settings)


async def test_an_immediate_workflow_is_found_by_our_header_while_it_runs_and_afterwards(
    n8n: FakeN8n, provider: N8nProvider
):
    flow = n8n.add_workflow("Orders", mode="onReceived", seconds=None)
    connection, call = n8n_connection(n8n), polled(flow)
    answer = await provider.execute(connection, call)

    first = await provider.poll(connection, call, answer.memo)
    assert (first.state, first.remote_id, first.is_certain) == ("running", "1", True)
    assert first.link == f"{n8n.base}/workflow/{flow.id}/executions/1"

    flow.executions[0].finish()
    second = await provider.poll(connection, call, first.memo)
    assert second.state == "completed"
    assert second.output == {"executionId": "1", "workflowId": flow.id, "in": {"a": 1}, "seen": "set"}


async def test_an_execution_that_ended_before_the_first_look_is_found_too(
    n8n: FakeN8n, provider: N8nProvider
):
    flow = n8n.add_workflow("Orders", mode="onReceived")
    connection, call = n8n_connection(n8n), polled(flow)
    answer = await provider.execute(connection, call)
    look = await provider.poll(connection, call, answer.memo)
    assert (look.state, look.remote_id) == ("completed", "1")


async def test_a_call_that_waits_for_its_callback_can_be_looked_at_too(n8n: FakeN8n, provider: N8nProvider):
    flow = n8n.add_workflow("Orders", mode="onReceived")
    connection, call = n8n_connection(n8n), replace(polled(flow), completion="callback")
    answer = await provider.execute(connection, call)
    look = await provider.poll(connection, replace(call, body=None), answer.memo)
    assert (look.state, look.remote_id) == ("completed", "1")


async def test_ten_calls_at_once_each_find_their_own_execution(n8n: FakeN8n, provider: N8nProvider):
    flow = n8n.add_workflow("Orders", mode="onReceived", items=lambda run: [run.trigger["body"]])
    connection = n8n_connection(n8n)
    calls = [polled(flow, correlation_id=f"run:{number}", body={"n": number}) for number in range(10)]
    answers = await asyncio.gather(*(provider.execute(connection, call) for call in calls))
    looks = await asyncio.gather(
        *(provider.poll(connection, call, answer.memo) for call, answer in zip(calls, answers, strict=True))
    )
    assert [look.output for look in looks] == [{"n": number} for number in range(10)]


async def test_an_id_in_the_answer_saves_the_search(n8n: FakeN8n, provider: N8nProvider):
    flow = n8n.add_workflow(
        "Orders", mode="responseNode", respond=(200, {}, {"executionId": "1"}), items=lambda _: [{"n": 1}]
    )
    connection, call = n8n_connection(n8n), polled(flow)
    answer = await provider.execute(connection, call)
    assert (answer.state, answer.remote_id) == ("running", "1")
    look = await provider.poll(connection, call, answer.memo)
    assert (look.state, look.output) == ("completed", {"n": 1})
    assert n8n.server.calls(f"{n8n.prefix}/api/v1/executions") == []


async def test_an_id_given_as_a_text_is_used_where_the_release_fills_it_in(
    n8n: FakeN8n, provider: N8nProvider
):
    flow = n8n.add_workflow("Orders", mode="onReceived", response_text='{"executionId": "{id}"}')
    connection, call = n8n_connection(n8n), polled(flow)
    answer = await provider.execute(connection, call)
    assert answer.remote_id == ("1" if n8n.release == 2 else "")
    assert (await provider.poll(connection, call, answer.memo)).remote_id == "1"


@pytest.mark.parametrize(
    ("content_type", "content", "headers", "found"),
    [
        ("application/json", {"execution_id": 7}, {}, "7"),
        ("application/json", [{"executionId": "8"}, {}], {}, "8"),
        ("text/html", 21, {}, "21"),
        ("text/plain", "22", {}, "22"),
        ("text/plain", "Accepted 22", {}, ""),
        ("application/json", 23, {}, ""),
        ("application/json", {"executionId": "__UNKNOWN__"}, {}, ""),
        ("application/json", {"executionId": True}, {}, ""),
        ("application/json", {}, {"x-execution-id": "9"}, "9"),
        ("application/json", None, {}, ""),
    ],
)
def test_the_id_is_looked_for_in_headers_and_body(
    content_type: str, content: Any, headers: dict[str, str], found: str
):
    answer = HttpAnswer(200, {"content-type": content_type, **headers}, b"", "https://n8n.example/x")
    assert execution_id_in(answer, content) == found


async def test_an_id_of_another_workflow_is_not_believed(n8n: FakeN8n, provider: N8nProvider):
    other = n8n.add_workflow("Other")
    await provider.execute(None, remote_call("n8n", url=other.url, correlation_id="other"))
    flow = n8n.add_workflow("Orders", mode="responseNode", respond=(200, {}, {"executionId": "1"}))
    connection, call = n8n_connection(n8n), polled(flow)
    answer = await provider.execute(connection, call)
    look = await provider.poll(connection, call, answer.memo)
    assert (look.state, look.remote_id) == ("completed", "2")


async def test_a_failed_execution_gives_its_reason(n8n: FakeN8n, provider: N8nProvider):
    flow = n8n.add_workflow("Orders", mode="onReceived", fails="no such customer")
    connection, call = n8n_connection(n8n), polled(flow)
    answer = await provider.execute(connection, call)
    look = await provider.poll(connection, call, answer.memo)
    assert (look.state, look.message, look.output) == ("failed", "node “Stop”: no such customer", None)


async def test_a_stopped_execution_is_cancelled(fake_server: FakeServer, provider: N8nProvider):
    n8n = fake_server.n8n2
    flow = n8n.add_workflow("Orders", mode="onReceived", seconds=None)
    connection, call = n8n_connection(n8n), polled(flow)
    answer = await provider.execute(connection, call)
    first = await provider.poll(connection, call, answer.memo)
    await provider.cancel(connection, call, first.memo)
    look = await provider.poll(connection, call, first.memo)
    assert (look.state, look.message) == ("cancelled", "execution 1 was stopped in n8n.")


async def test_a_waiting_execution_goes_on_running_and_says_what_it_waits_for(
    n8n: FakeN8n, provider: N8nProvider
):
    flow = n8n.add_workflow("Orders", mode="onReceived", seconds=None, wait_seconds=None)
    connection, call = n8n_connection(n8n), polled(flow)
    answer = await provider.execute(connection, call)
    first = await provider.poll(connection, call, answer.memo)
    flow.executions[0].finish()
    waiting = await provider.poll(connection, call, first.memo)
    assert waiting.state == "running"
    assert "waits in n8n" in waiting.message
    flow.executions[0].resumed_at = 1
    assert (await provider.poll(connection, call, waiting.memo)).state == "completed"


async def test_a_waiting_execution_that_was_never_seen_is_found_where_the_release_lists_it(
    n8n: FakeN8n, provider: N8nProvider
):
    flow = n8n.add_workflow("Orders", mode="onReceived", wait_seconds=None)
    connection, call = n8n_connection(n8n), polled(flow)
    answer = await provider.execute(connection, call)
    look = await provider.poll(connection, call, answer.memo)
    assert look.state == "running"
    assert look.is_certain == (n8n.release == 2)
    flow.executions[0].resumed_at = 1
    assert (await provider.poll(connection, call, look.memo)).state == "completed"


async def test_an_execution_that_is_not_kept_is_unknown_with_the_remedy(n8n: FakeN8n, provider: N8nProvider):
    flow = n8n.add_workflow("Orders", mode="onReceived", keeps_successes=False)
    connection, call = n8n_connection(n8n), polled(flow)
    answer = await provider.execute(connection, call)
    first = await provider.poll(connection, call, answer.memo)
    assert (first.state, first.is_certain) == ("running", False)
    second = await provider.poll(connection, call, first.memo)
    assert (second.state, second.is_certain) == ("unknown", False)
    assert "Turn on saving" in second.message


async def test_one_that_was_seen_running_and_vanished_is_unknown(n8n: FakeN8n, provider: N8nProvider):
    flow = n8n.add_workflow("Orders", mode="onReceived", keeps_successes=False, seconds=None)
    connection, call = n8n_connection(n8n), polled(flow)
    answer = await provider.execute(connection, call)
    first = await provider.poll(connection, call, answer.memo)
    assert first.remote_id == "1"
    flow.executions[0].finish()
    look = await provider.poll(connection, call, first.memo)
    assert (look.state, look.remote_id) == ("unknown", "1")
    assert "has no execution 1" in look.message


@pytest.mark.parametrize("seconds", [0.0, None])
async def test_one_that_is_not_kept_goes_on_as_long_as_its_callback_may_come(
    n8n: FakeN8n, provider: N8nProvider, seconds: float | None
):
    flow = n8n.add_workflow("Orders", mode="onReceived", keeps_successes=False, seconds=seconds)
    connection, call = n8n_connection(n8n), replace(polled(flow), completion="callback")
    answer = await provider.execute(connection, call)
    first = await provider.poll(connection, call, answer.memo)
    flow.executions[0].finish()
    second = await provider.poll(connection, call, first.memo)
    assert (first.state, second.state, second.is_certain) == ("running", "running", False)
    assert "Turn on saving" in second.message


async def test_one_that_is_not_to_be_seen_is_looked_for_again(n8n: FakeN8n, provider: N8nProvider):
    flow = n8n.add_workflow("Orders", mode="onReceived")
    connection, call = n8n_connection(n8n), polled(flow)
    memo: Any = {}
    for misses in (1, 2, 3):
        look = await provider.poll(connection, call, memo)
        memo = look.memo
        assert (look.state, look.is_certain, memo["misses"]) == ("running", False, misses)
        assert "does not list" in look.message


async def test_a_call_whose_answer_was_lost_is_found_by_its_header_alone(n8n: FakeN8n, provider: N8nProvider):
    flow = n8n.add_workflow("Orders", mode="onReceived")
    connection, call = n8n_connection(n8n), polled(flow)
    await provider.execute(connection, call)
    look = await provider.poll(connection, replace(call, workflow_id=""), {})
    assert (look.state, look.remote_id) == ("completed", "1")
    assert look.link == f"{n8n.base}/workflow/{flow.id}/executions/1"


async def test_an_earlier_execution_with_the_same_header_is_not_taken(n8n: FakeN8n, provider: N8nProvider):
    flow = n8n.add_workflow("Orders", mode="onReceived")
    connection, call = n8n_connection(n8n), polled(flow)
    await provider.execute(connection, call)
    flow.executions[0].created_at = now() - 100_000
    look = await provider.poll(connection, call, {"since": now() - 3_000})
    assert (look.state, look.is_certain) == ("running", False)


async def test_the_search_goes_over_pages_but_not_for_ever(n8n: FakeN8n, provider: N8nProvider):
    flow = n8n.add_workflow("Orders", mode="onReceived")
    connection, call = n8n_connection(n8n), polled(flow)
    answer = await provider.execute(connection, call)
    trigger = flow.executions[0].trigger | {"headers": {"x-correlation-id": "other"}}
    for _ in range(30):
        n8n.start(flow, trigger)
    assert (await provider.poll(connection, call, answer.memo)).remote_id == "1"
    for _ in range(80):
        n8n.start(flow, trigger)
    n8n.server.clear()
    look = await provider.poll(connection, call, answer.memo)
    assert not look.is_certain
    assert len(n8n.server.journal) <= 11


@pytest.mark.parametrize(("trouble", "error"), [("limit_rate", ProviderBusy), ("drop", ProviderUnavailable)])
async def test_trouble_while_looking_may_be_retried(
    n8n: FakeN8n, provider: N8nProvider, trouble: str, error: type[Exception]
):
    flow = n8n.add_workflow("Orders", mode="onReceived")
    connection, call = n8n_connection(n8n), polled(flow)
    answer = await provider.execute(connection, call)
    getattr(n8n, trouble)(3)
    with pytest.raises(error):
        await provider.poll(connection, call, answer.memo)


def test_the_beginning_is_reckoned_by_the_clock_of_n8n():
    answer = HttpAnswer(200, {"date": "Mon, 23 Nov 2026 07:38:48 GMT"}, b"", "https://n8n.example")
    memo = Memo.of_call(remote_call("n8n", started_at=5), answer, 1.5)
    assert memo.since == 1795419528000 - 1_500 - 15_000
    silent = HttpAnswer(200, {}, b"", "https://n8n.example")
    assert Memo.of_call(remote_call("n8n", started_at=100_000), silent, 1.5).since == 40_000
    assert Memo.of_call(remote_call("n8n"), silent, 1.5).since is None
