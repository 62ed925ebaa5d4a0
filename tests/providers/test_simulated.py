"""The simulated provider: deterministic, without account and network."""

import asyncio
import logging
from typing import Any

import pytest

from orchestrator_app.errors import AddressNotAllowed, OutcomeUnknown, ProviderRefused, ProviderUnavailable
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.connection import Connection
from orchestrator_app.providers.simulated import SimulatedProvider
from orchestrator_app.providers.simulated_workflows import WORKFLOWS
from orchestrator_app.security.network import NetworkGuard
from tests.fakes.connections import remote_call
from tests.fakes.server import FakeServer

BUILT_IN = Connection("simulated", "simulated", "Built in")
CALLBACK = "/api/v1/orchestrator/callback/0192-run?token=cb_secret"


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def provider(http_client: HttpClient, clock: Clock) -> SimulatedProvider:
    return SimulatedProvider(http_client, clock=clock)


def simulated(workflow: str, body: Any = None, **settings: Any):
    return remote_call("simulated", workflow_id=workflow, body=body, **settings)


async def test_the_connection_always_works(provider: SimulatedProvider):
    assert (await provider.test(BUILT_IN)).status == "connected"


async def test_all_workflows_are_listed_and_searched(provider: SimulatedProvider):
    page = await provider.workflows(BUILT_IN)
    assert {flow.id for flow in page.workflows} == set(WORKFLOWS)
    assert page.cursor == ""
    assert all(flow.is_active and flow.tags for flow in page.workflows)
    found = await provider.workflows(BUILT_IN, query=" LEAD")
    (row,) = found.workflows
    assert (row.id, row.tags, row.folder) == ("score-lead", ("sales",), "Business")
    assert row.content_hash == (await provider.preview(BUILT_IN, "score-lead")).workflow.content_hash


def test_no_two_workflows_have_the_same_digest():
    assert len({workflow.content_hash() for workflow in WORKFLOWS.values()}) == len(WORKFLOWS)


@pytest.mark.parametrize("workflow", list(WORKFLOWS))
async def test_every_preview_is_a_graph_that_begins_with_a_trigger(
    provider: SimulatedProvider, workflow: str
):
    preview = await provider.preview(BUILT_IN, workflow)
    ids = {node.id for node in preview.nodes}
    assert [node.id for node in preview.nodes if node.is_trigger] == [preview.nodes[0].id]
    assert {edge.target for edge in preview.edges} == ids - {preview.nodes[0].id}
    assert {edge.source for edge in preview.edges} <= ids
    assert len({(node.x, node.y) for node in preview.nodes}) == len(ids)
    assert preview.entry.endswith(".")


async def test_a_preview_shows_branches(provider: SimulatedProvider):
    preview = await provider.preview(BUILT_IN, "create-ticket")
    assert {edge.label for edge in preview.edges if edge.source == "Urgent?"} == {"true", "false"}


async def test_a_preview_shows_an_error_route_a_switched_off_step_and_a_tool(provider: SimulatedProvider):
    crm = await provider.preview(BUILT_IN, "crm-lookup")
    assert [(edge.source, edge.target) for edge in crm.edges if edge.kind == "error"] == [
        ("Find customer", "Say that it is down")
    ]
    mail = await provider.preview(BUILT_IN, "send-mail")
    assert [node.label for node in mail.nodes if node.is_disabled] == ["Note the opening"]
    chat = await provider.preview(BUILT_IN, "chat")
    assert [edge.source for edge in chat.edges if edge.kind == "tool"] == ["Memory"]


async def test_the_forms_name_the_fields_that_the_workflows_read(provider: SimulatedProvider):
    forms = {name: (await provider.preview(BUILT_IN, name)).form for name in WORKFLOWS}
    assert {name for name, form in forms.items() if not form} == {"echo"}
    assert all(field.path in WORKFLOWS[name].summary for name, form in forms.items() for field in form)


@pytest.mark.parametrize(
    ("workflow", "keys", "working"),
    [
        ("echo", ["response", "poll", "callback"], ["response"]),
        ("polling", ["poll", "response", "callback"], ["poll", "response"]),
        ("calling-back", ["callback", "response", "poll"], ["callback", "response"]),
    ],
)
async def test_the_best_completion_comes_first(
    provider: SimulatedProvider, workflow: str, keys: list[str], working: list[str]
):
    preview = await provider.preview(BUILT_IN, workflow)
    assert [choice.key for choice in preview.completions] == keys
    assert [choice.key for choice in preview.completions if choice.works] == working
    assert preview.completion == keys[0]


@pytest.mark.parametrize("workflow", ["nothing", ""])
async def test_an_unknown_workflow_is_refused_with_a_choice(provider: SimulatedProvider, workflow: str):
    with pytest.raises(ProviderRefused) as caught:
        await provider.execute(None, simulated(workflow))
    assert "crm-lookup" in caught.value.hint
    with pytest.raises(ProviderRefused):
        await provider.preview(BUILT_IN, workflow)


@pytest.mark.parametrize("connection", [None, BUILT_IN, Connection("", "simulated", "")])
async def test_any_connection_and_none_will_do(provider: SimulatedProvider, connection: Connection | None):
    answer = await provider.execute(connection, simulated("echo", {"x": [1, None]}))
    assert (answer.state, answer.output) == ("completed", {"x": [1, None]})


async def test_a_text_is_echoed_as_text(provider: SimulatedProvider):
    assert (await provider.execute(None, simulated("echo", text_body="hello"))).output == "hello"


async def test_slow_takes_the_time_it_is_told(provider: SimulatedProvider):
    begun = asyncio.get_running_loop().time()
    answer = await provider.execute(None, simulated("slow", {"seconds": 0.05}))
    assert asyncio.get_running_loop().time() - begun >= 0.05
    assert answer.output == {"message": "Done.", "input": {"seconds": 0.05}}


@pytest.mark.parametrize(("is_idempotent", "error"), [(False, OutcomeUnknown), (True, ProviderUnavailable)])
async def test_longer_than_the_call_may_take_ends_as_with_a_real_platform(
    provider: SimulatedProvider, is_idempotent: Any, error: type[Exception]
):
    call = simulated("slow", {"seconds": 60}, timeout_seconds=0.01, is_idempotent=is_idempotent)
    with pytest.raises(error, match=r"did not answer within 0\.01 s"):
        await provider.execute(None, call)


async def test_flaky_fails_as_often_as_told_for_each_key_and_then_works(provider: SimulatedProvider):
    for _ in range(2):
        for key in ("a", "b"):
            with pytest.raises(ProviderUnavailable, match="of 2"):
                await provider.execute(None, simulated("flaky", {}, idempotency_key=key))
    for key in ("a", "b"):
        assert (
            await provider.execute(None, simulated("flaky", {}, idempotency_key=key))
        ).state == "completed"
    with pytest.raises(ProviderUnavailable):
        await provider.execute(None, simulated("flaky", {}, idempotency_key="a"))
    with pytest.raises(ProviderUnavailable, match="1 of 1"):
        await provider.execute(None, simulated("flaky", {"failures": 1}, idempotency_key="c"))
    assert (
        await provider.execute(None, simulated("flaky", {"failures": 0}, idempotency_key="d"))
    ).state == "completed"


async def test_flaky_does_not_remember_without_bound(provider: SimulatedProvider):
    for number in range(1_100):
        with pytest.raises(ProviderUnavailable):
            await provider.execute(None, simulated("flaky", {}, idempotency_key=str(number)))
    assert len(provider._failures) <= 1_000


async def test_failing_fails_with_the_given_words(provider: SimulatedProvider):
    answer = await provider.execute(None, simulated("failing", {"message": "no stock"}))
    assert (answer.state, answer.message) == ("failed", "no stock")
    assert (await provider.execute(None, simulated("failing"))).message == "This workflow always fails."


async def test_polling_ends_when_its_time_has_come_even_in_another_process(
    provider: SimulatedProvider, http_client: HttpClient, clock: Clock
):
    call = simulated("polling", {"order": 7}, completion="poll")
    answer = await provider.execute(None, call)
    assert (answer.state, answer.output) == (
        "running",
        {"message": "Workflow was started", "executionId": answer.remote_id},
    )
    clock.now += 2.9
    look = await provider.poll(None, call, answer.memo)
    assert (look.state, look.remote_id) == ("running", answer.remote_id)
    clock.now += 0.2
    after_restart = SimulatedProvider(http_client, clock=clock)
    look = await after_restart.poll(None, call, look.memo)
    assert (look.state, look.output) == ("completed", {"message": "Done.", "input": {"order": 7}})


async def test_polling_can_fail(provider: SimulatedProvider):
    call = simulated("polling", {"seconds": 0, "failure": "out of paper"}, completion="poll")
    answer = await provider.execute(None, call)
    look = await provider.poll(None, call, answer.memo)
    assert (look.state, look.message, look.output) == ("failed", "out of paper", None)


async def test_polling_without_a_memo_is_unknown(provider: SimulatedProvider):
    assert (await provider.poll(None, simulated("polling"), {})).state == "unknown"


async def test_without_polling_its_first_answer_is_the_result(provider: SimulatedProvider):
    assert (await provider.execute(None, simulated("polling"))).state == "completed"


@pytest.mark.parametrize(
    ("settings", "state"),
    [
        ({"completion": "callback", "callback_url": "{url}/echo/back"}, "running"),
        (
            {"body": {"callbackUrl": "{url}/echo/back", "correlationToken": "t", "x": 1, "seconds": 0}},
            "completed",
        ),
    ],
)
async def test_calling_back_really_calls_back(
    fake_server: FakeServer, provider: SimulatedProvider, settings: dict[str, Any], state: str
):
    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: filled(item) for name, item in value.items()}
        return value.replace("{url}", fake_server.url) if isinstance(value, str) else value

    call = simulated("calling-back", **{"body": {"x": 1, "seconds": 0}} | filled(settings))
    answer = await provider.execute(None, call)
    assert (answer.state, answer.status_code) == (state, 202)
    (received,) = await fake_server.arrived("/echo/back")
    assert received.json == {"message": "Done.", "input": {"x": 1, "seconds": 0}}


async def test_calling_back_needs_an_address(provider: SimulatedProvider):
    with pytest.raises(ProviderRefused, match="no callback address"):
        await provider.execute(None, simulated("calling-back", {}))


async def test_a_callback_that_is_refused_is_logged_without_its_token(
    fake_server: FakeServer, provider: SimulatedProvider, caplog: pytest.LogCaptureFixture
):
    call = simulated("calling-back", {"seconds": 0}, completion="callback")
    with caplog.at_level(logging.WARNING):
        await provider.execute(None, _to(call, fake_server.url + "/status/404?token=cb_secret"))
        await asyncio.gather(*provider._executions.callbacks)
    assert "could not call back" in caplog.text
    assert "cb_secret" not in caplog.text
    assert len(fake_server.journal) == 1


def _to(call: Any, url: str) -> Any:
    return simulated(call.workflow_id, call.body, completion=call.completion, callback_url=url)


async def test_a_callback_that_fails_for_the_moment_is_made_again(
    fake_server: FakeServer, provider: SimulatedProvider, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("orchestrator_app.providers.simulated_executions.CALLBACK_PAUSES", (0.0, 0.0))
    call = simulated("calling-back", {"seconds": 0}, completion="callback")
    await provider.execute(None, _to(call, fake_server.url + "/flaky?fail=2"))
    await asyncio.gather(*provider._executions.callbacks)
    assert len(fake_server.calls("/flaky")) == 3
    await provider.execute(None, _to(call, fake_server.url + "/status/503"))
    await asyncio.gather(*provider._executions.callbacks)
    assert len(fake_server.calls("/status/503")) == 3


async def test_callbacks_still_to_be_made_end_with_the_provider(
    fake_server: FakeServer, provider: SimulatedProvider
):
    call = simulated("calling-back", {"seconds": 3_000}, completion="callback")
    await provider.execute(None, _to(call, fake_server.url + "/echo"))
    await provider.close()
    assert provider._executions.callbacks == []
    assert fake_server.journal == []


@pytest.mark.parametrize(
    ("path", "arrives"),
    [
        (CALLBACK, True),
        ("/below" + CALLBACK, True),
        ("/echo", False),
        ("/api/v1/orchestrator", False),
        ("/api/v1/orchestrator/callback/../../orchestrator", False),
        ("/x?y=/api/v1/orchestrator/callback/run", False),
    ],
)
async def test_only_the_callback_address_of_this_program_is_open_to_it(
    fake_server: FakeServer,
    http_client: HttpClient,
    caplog: pytest.LogCaptureFixture,
    path: str,
    arrives: Any,
):
    own_port = int(fake_server.url.rpartition(":")[2])
    guarded = HttpClient(NetworkGuard(allow_local=True, own_port=own_port))
    provider = SimulatedProvider(guarded, callback_client=http_client)
    call = simulated(
        "calling-back", {"seconds": 0}, completion="callback", callback_url=fake_server.url + path
    )
    await provider.execute(None, call)
    with caplog.at_level(logging.WARNING):
        await asyncio.gather(*provider._executions.callbacks)
    assert bool(fake_server.journal) == arrives
    await guarded.close()
    with pytest.raises(AddressNotAllowed):
        NetworkGuard(allow_local=True, own_port=own_port).check_address("127.0.0.1", own_port, "localhost")


@pytest.mark.parametrize(
    ("workflow", "body", "wanted"),
    [
        ("chat", {"question": "Why is the sky blue?", "seconds": 0}, {"question": "Why is the sky blue?", "words": 5}),
        ("chat", {"a": 1, "seconds": 0}, {"question": '{"a": 1, "seconds": 0}'}),
        ("crm-lookup", {"email": "Ada.Lovelace@engines.example", "seconds": 0}, {"found": True}),
        ("crm-lookup", {"email": "nobody", "seconds": 0}, {"found": False, "customer": None}),
        ("score-lead", {"employees": 2000, "openDeals": 3, "plan": "enterprise", "seconds": 0}, {"score": 90, "grade": "hot"}),
        ("score-lead", {"customer": {"employees": 500}, "budget": 9_000, "seconds": 0}, {"score": 25, "grade": "cold"}),
        ("score-lead", {"openDeals": 3, "budget": 15_000, "seconds": 0}, {"score": 45, "grade": "warm"}),
        ("send-mail", {"to": "a@b.example", "subject": "Hi", "seconds": 0}, {"accepted": True, "subject": "Hi"}),
        ("send-mail", {"seconds": 0}, {"accepted": False, "to": None, "messageId": None, "subject": "(no subject)"}),
        ("create-ticket", {"title": "Server is DOWN", "seconds": 0}, {"priority": "urgent", "queue": "on-call"}),
        ("create-ticket", {"seconds": 0}, {"priority": "normal", "title": "Untitled request"}),
    ],
)  # fmt: skip
async def test_business_workflows_make_the_same_of_the_same(
    provider: SimulatedProvider, workflow: str, body: Any, wanted: dict[str, Any]
):
    first = await provider.execute(None, simulated(workflow, body))
    again = await provider.execute(None, simulated(workflow, body))
    assert first.output == again.output
    assert isinstance(first.output, dict)
    assert wanted.items() <= first.output.items()


async def test_a_customer_is_made_up_from_the_address(provider: SimulatedProvider):
    answer = await provider.execute(
        None, simulated("crm-lookup", {"email": "Ada.Lovelace@engines.example", "seconds": 0})
    )
    assert isinstance(answer.output, dict)
    customer = answer.output["customer"]
    assert isinstance(customer, dict)
    assert (customer["name"], customer["company"]) == ("Ada Lovelace", "Engines")
    assert customer["segment"] in {"business", "enterprise"}
    private = await provider.execute(None, simulated("crm-lookup", {"email": "ada@gmail.com", "seconds": 0}))
    assert isinstance(private.output, dict)
    assert isinstance(private.output["customer"], dict)
    assert private.output["customer"]["company"] is None


async def test_a_long_question_is_shown_cut(provider: SimulatedProvider):
    answer = await provider.execute(None, simulated("chat", {"question": "word " * 20, "seconds": 0}))
    assert isinstance(answer.output, dict)
    assert "word…”" in str(answer.output["text"])


async def test_a_callback_to_come_leaves_any_workflow_running(provider: SimulatedProvider):
    assert (await provider.execute(None, simulated("echo", {}, completion="callback"))).state == "running"


async def test_an_answer_that_waits_for_somebody_elses_callback_can_be_looked_at(provider: SimulatedProvider):
    call = simulated("echo", {}, completion="callback")
    answer = await provider.execute(None, call)
    look = await provider.poll(None, call, answer.memo)
    assert look.state == "running"
    assert "something else has to" in look.message
