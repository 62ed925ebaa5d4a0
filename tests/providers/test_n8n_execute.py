"""Starting n8n workflows: every way in which a webhook answers."""

from typing import Any

import pytest

from orchestrator_app.domain.remote import RemoteAnswer
from orchestrator_app.errors import ProviderRefused, UnreadableAnswer
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.n8n import N8nProvider
from tests.fakes.connections import n8n_connection, remote_call
from tests.fakes.n8n import FakeN8n
from tests.fakes.n8n_flow import FakeWorkflow
from tests.fakes.server import FakeServer


@pytest.fixture
def provider(http_client: HttpClient) -> N8nProvider:
    return N8nProvider(http_client)


@pytest.fixture(params=[2, 1], ids=["2.41.1", "1.123.81"])
def n8n(request: pytest.FixtureRequest, fake_server: FakeServer) -> FakeN8n:
    return fake_server.n8n2 if request.param == 2 else fake_server.n8n1


# --- results ---


@pytest.mark.parametrize(
    ("settings", "output"),
    [
        ({"items": lambda _: [{"n": 1}, {"n": 2}]}, {"n": 1}),
        ({"items": lambda _: [{"n": 1}, {"n": 2}], "response_data": "allEntries"}, [{"n": 1}, {"n": 2}]),
        ({"response_data": "noData"}, None),
        ({"mode": "responseNode", "respond": (201, {}, {"ok": True})}, {"ok": True}),
        ({"mode": "responseNode", "respond": (200, {}, "plain words")}, "plain words"),
        ({"mode": "responseNode", "respond": (200, {}, "<html><body>made by the flow</body></html>")}, "<html><body>made by the flow</body></html>"),
        ({"mode": "responseNode", "respond": None}, None),
        ({"mode": "onReceived"}, {"message": "Workflow was started"}),
        ({"mode": "streaming", "items": lambda _: ["Hel", "lo ”\u2028“"]}, {"output": "Hello ”\u2028“"}),
        ({"mode": "streaming", "items": lambda _: []}, {"output": ""}),
    ],
)  # fmt: skip
async def test_the_answer_of_the_webhook_is_the_result(
    n8n: FakeN8n, provider: N8nProvider, settings: dict[str, Any], output: Any
):
    flow = n8n.add_workflow("Orders", **settings)
    answer = await provider.execute(n8n_connection(n8n), remote_call("n8n", workflow_id=flow.id))
    assert (answer.state, answer.output) == ("completed", output)
    (run,) = flow.executions
    assert run.trigger["body"] == {"a": 1}
    assert run.trigger["headers"]["x-correlation-id"] == "0192-run:node-1"
    assert run.trigger["headers"]["idempotency-key"] == "key-1"
    assert "x-n8n-api-key" not in run.trigger["headers"]


async def test_a_plain_webhook_address_needs_no_connection(n8n: FakeN8n, provider: N8nProvider):
    flow = n8n.add_workflow("Orders", items=lambda _: [{"n": 1}])
    answer = await provider.execute(None, remote_call("n8n", url=flow.url))
    assert (answer.output, answer.link) == ({"n": 1}, "")


async def test_an_execution_id_in_the_answer_gives_a_link(n8n: FakeN8n, provider: N8nProvider):
    flow = n8n.add_workflow("Orders")
    answer = await provider.execute(n8n_connection(n8n), remote_call("n8n", workflow_id=flow.id))
    assert answer.remote_id == "1"
    assert answer.link == f"{n8n.base}/workflow/{flow.id}/executions/1"


@pytest.mark.parametrize("completion", ["poll", "callback"])
async def test_with_polling_or_a_callback_to_come_the_workflow_is_running(
    n8n: FakeN8n, provider: N8nProvider, completion: str
):
    flow = n8n.add_workflow("Orders", mode="onReceived")
    call = remote_call("n8n", workflow_id=flow.id, completion=completion)
    answer = await provider.execute(n8n_connection(n8n), call)
    assert (answer.state, answer.remote_id) == ("running", "")
    assert answer.memo["workflowId"] == flow.id


async def test_the_webhooks_address_is_looked_up_once_for_some_time(n8n: FakeN8n, provider: N8nProvider):
    flow = n8n.add_workflow("Orders")
    for _ in range(3):
        await provider.execute(n8n_connection(n8n), remote_call("n8n", workflow_id=flow.id))
    assert len(n8n.server.calls(f"{n8n.prefix}/api/v1/workflows/{flow.id}")) == 1
    assert len(flow.executions) == 3


async def test_a_changed_path_is_found_after_one_refusal(n8n: FakeN8n, provider: N8nProvider):
    flow = n8n.add_workflow("Orders")
    call = remote_call("n8n", workflow_id=flow.id)
    await provider.execute(n8n_connection(n8n), call)
    flow.path = "elsewhere"
    with pytest.raises(ProviderRefused):
        await provider.execute(n8n_connection(n8n), call)
    assert (await provider.execute(n8n_connection(n8n), call)).state == "completed"


async def test_an_imported_node_without_a_webhook_id_is_reached(n8n: FakeN8n, provider: N8nProvider):
    flow = n8n.add_workflow("Orders", webhook_id="")
    assert (
        await provider.execute(n8n_connection(n8n), remote_call("n8n", workflow_id=flow.id))
    ).state == "completed"


@pytest.mark.parametrize(("declared", "used"), [("", "GET"), ("PUT", "PUT"), ("POST", "POST")])
async def test_the_webhooks_own_method_is_used(n8n: FakeN8n, provider: N8nProvider, declared: str, used: str):
    flow = n8n.add_workflow("Orders", method=declared)
    await provider.execute(n8n_connection(n8n), remote_call("n8n", workflow_id=flow.id))
    assert n8n.server.journal[-1].method == used


async def test_a_get_webhook_receives_the_data_in_its_address(n8n: FakeN8n, provider: N8nProvider):
    flow = n8n.add_workflow("Orders", method="GET")
    call = remote_call("n8n", workflow_id=flow.id, body={"name": "Ä & b", "n": 2, "list": [1]})
    await provider.execute(n8n_connection(n8n), call)
    (run,) = flow.executions
    assert run.trigger["query"] == {"name": "Ä & b", "n": "2", "list": "[1]"}
    assert run.trigger["body"] == {}


async def test_too_much_data_for_an_address_is_refused_before_the_call(n8n: FakeN8n, provider: N8nProvider):
    flow = n8n.add_workflow("Orders", method="GET")
    with pytest.raises(ProviderRefused, match="too long"):
        await provider.execute(
            n8n_connection(n8n), remote_call("n8n", workflow_id=flow.id, body={"text": "x" * 9_000})
        )
    assert flow.executions == []


# --- failures after the workflow ran ---


@pytest.mark.parametrize("completion", ["response", "poll", "callback"])
@pytest.mark.parametrize("mode", ["lastNode", "responseNode"])
async def test_a_failed_workflow_gives_its_own_reason(
    n8n: FakeN8n, provider: N8nProvider, mode: str, completion: str
):
    flow = n8n.add_workflow("Orders", mode=mode, fails="no such customer")
    call = remote_call("n8n", workflow_id=flow.id, completion=completion)
    answer = await provider.execute(n8n_connection(n8n), call)
    if mode == "responseNode" and n8n.release == 1 and completion != "response":
        # This release answers such a failure with an empty 200; polling finds it out, or the callback does not come.
        assert answer.state == "running"
        return
    assert (answer.state, answer.message) == ("failed", "node “Stop”: no such customer")
    assert answer.remote_id == "1"
    assert answer.link.endswith("/executions/1")
    assert len(flow.executions) == 1


async def test_lines_that_only_begin_like_a_stream_are_no_json(n8n: FakeN8n, provider: N8nProvider):
    text = '{"type":"begin"}\nand then something else'
    flow = n8n.add_workflow("Talk", mode="responseNode", respond=(200, {"Content-Type": "text/plain"}, text))
    assert (await provider.execute(None, remote_call("n8n", url=flow.url))).output == text
    flow.respond = (200, {"Content-Type": "application/json"}, text)
    with pytest.raises(UnreadableAnswer):
        await provider.execute(None, remote_call("n8n", url=flow.url))


async def test_a_stream_that_breaks_off_is_a_failure(n8n: FakeN8n, provider: N8nProvider):
    flow = n8n.add_workflow("Talk", mode="streaming", fails="no model")
    answer = await provider.execute(None, remote_call("n8n", url=flow.url))
    assert (answer.state, answer.message, answer.status_code) == ("failed", "n8n says “no model”.", 200)


async def test_without_a_connection_the_reason_is_what_n8n_says(n8n: FakeN8n, provider: N8nProvider):
    flow = n8n.add_workflow("Orders", fails="no such customer")
    answer = await provider.execute(None, remote_call("n8n", url=flow.url))
    assert (answer.state, answer.message) == ("failed", "n8n says “Error in workflow”.")
    assert answer.output == {"message": "Error in workflow"}
    assert answer.status_code == 500


async def test_a_reason_that_cannot_be_fetched_does_not_hide_the_failure(n8n: FakeN8n, provider: N8nProvider):
    flow = n8n.add_workflow("Orders", fails="no such customer")
    n8n.drop(10)
    answer = await provider.execute(
        n8n_connection(n8n), remote_call("n8n", url=flow.url, workflow_id=flow.id)
    )
    assert (answer.state, answer.message) == ("failed", "n8n says “Error in workflow”.")


async def test_the_reason_is_that_of_this_call_and_no_other(n8n: FakeN8n, provider: N8nProvider):
    flow = n8n.add_workflow("Orders", fails="mine")
    await provider.execute(None, remote_call("n8n", url=flow.url))
    await provider.execute(None, remote_call("n8n", url=flow.url, correlation_id="other"))
    call = remote_call("n8n", url=flow.url, workflow_id=flow.id, correlation_id="third")
    assert (await provider.execute(n8n_connection(n8n), call)).remote_id == "3"


async def test_an_execution_stopped_by_somebody_is_a_failure_that_says_so(
    fake_server: FakeServer, provider: N8nProvider
):
    n8n = fake_server.n8n2
    flow = n8n.add_workflow("Orders", seconds=0.01)
    start = n8n.start

    def stopped(*args: Any, **settings: Any) -> Any:
        run = start(*args, **settings)
        run.cancelled_at = run.created_at
        return run

    n8n.start = stopped
    answer = await provider.execute(n8n_connection(n8n), remote_call("n8n", workflow_id=flow.id))
    assert (answer.state, answer.message) == ("failed", "execution 1 was stopped in n8n.")


async def test_no_item_to_answer_with_is_a_failure_with_a_remedy(n8n: FakeN8n, provider: N8nProvider):
    flow = n8n.add_workflow("Orders", items=lambda _: [])
    answer = await provider.execute(n8n_connection(n8n), remote_call("n8n", workflow_id=flow.id))
    assert answer.state == "failed"
    assert "Always Output Data" in answer.message


async def test_no_item_does_not_matter_when_the_answer_does_not(n8n: FakeN8n, provider: N8nProvider):
    flow = n8n.add_workflow("Orders", items=lambda _: [])
    call = remote_call("n8n", workflow_id=flow.id, completion="callback")
    assert (await provider.execute(n8n_connection(n8n), call)).state == "running"


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
async def test_a_bad_status_that_the_workflow_itself_answers_is_its_failure(
    n8n: FakeN8n, provider: N8nProvider, status: int
):
    flow = n8n.add_workflow("Orders", mode="responseNode", respond=(status, {}, {"message": "not today"}))
    answer = await provider.execute(None, remote_call("n8n", url=flow.url))
    assert (answer.state, answer.status_code) == ("failed", status)
    assert answer.message == f"it answered with status {status}: not today"
    assert answer.output == {"message": "not today"}


async def test_a_missing_respond_node_is_told(n8n: FakeN8n, provider: N8nProvider):
    flow = n8n.add_workflow("Orders", mode="responseNode", has_respond_node=False)
    answer = await provider.execute(None, remote_call("n8n", url=flow.url))
    assert (answer.state, answer.message) == (
        "failed",
        "n8n says “No Respond to Webhook node found in the workflow”.",
    )


async def test_an_answer_of_the_workflow_that_cannot_be_read_is_its_failure_all_the_same(
    n8n: FakeN8n, provider: N8nProvider
):
    for content_type, output in (("image/png", None), ("text/plain", "oops")):
        flow = n8n.add_workflow("Orders", mode="responseNode")
        answer = await respond_badly(flow, provider, content_type)
        assert (answer.state, answer.message, answer.output) == (
            "failed",
            "it answered with status 500.",
            output,
        )


async def respond_badly(flow: FakeWorkflow, provider: N8nProvider, content_type: str) -> RemoteAnswer:
    flow.path = content_type.replace("/", "-")
    flow.respond = (500, {"Content-Type": content_type}, "oops")
    return await provider.execute(None, remote_call("n8n", url=flow.url))


async def test_a_failure_that_n8n_did_not_save_is_told_in_the_words_of_its_answer(
    n8n: FakeN8n, provider: N8nProvider, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("orchestrator_app.providers.n8n._REASON_PAUSES", (0.0, 0.0))
    flow = n8n.add_workflow("Orders", fails="no such customer")
    call = remote_call("n8n", workflow_id=flow.id, correlation_id="")
    answer = await provider.execute(n8n_connection(n8n), call)
    assert (answer.state, answer.message, answer.remote_id) == ("failed", "n8n says “Error in workflow”.", "")


async def test_addresses_are_not_remembered_without_bound(
    n8n: FakeN8n, provider: N8nProvider, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("orchestrator_app.providers.n8n._MOST_TARGETS", 2)
    for number in range(5):
        flow = n8n.add_workflow(f"Flow {number}")
        await provider.execute(n8n_connection(n8n), remote_call("n8n", workflow_id=flow.id))
    assert len(provider._targets) <= 2
