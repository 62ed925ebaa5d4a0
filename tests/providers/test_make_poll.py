"""Learning the end of runs of Make: by their id, by Make's call back, and by a guess in the log."""

import asyncio
from typing import Any

import pytest

from orchestrator_app.domain.remote import RemoteAnswer, RemoteCall
from orchestrator_app.errors import (
    CredentialRefused,
    ProviderBusy,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
    UnreadableAnswer,
)
from orchestrator_app.providers.answers import HttpAnswer
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.make import MakeProvider
from orchestrator_app.providers.make_execution import begun_at
from tests.fakes.connections import make_connection, remote_call
from tests.fakes.make import FakeMake
from tests.fakes.make_scenario import FakeExecution, FakeScenario, now
from tests.fakes.server import FakeServer

CALLBACK = "/echo/called-back"


@pytest.fixture
def provider(http_client: HttpClient) -> MakeProvider:
    return MakeProvider(http_client)


@pytest.fixture
def make(fake_server: FakeServer) -> FakeMake:
    return fake_server.make


async def started(
    provider: MakeProvider, make: FakeMake, scenario: FakeScenario, completion: str = "poll"
) -> tuple[RemoteCall, RemoteAnswer]:
    url = make.server.url + CALLBACK if completion == "callback" else ""
    body = {"a": 1, "callbackUrl": url} if url else {"a": 1}
    call = remote_call(
        "make",
        workflow_id=str(scenario.id),
        completion=completion,
        callback_url=url,
        body=body,
        started_at=now(),
    )
    return call, await provider.execute(make_connection(make), call)


# --- by the id of the run ---


async def test_regression_polling_is_supported_and_follows_a_run_by_its_id(
    make: FakeMake, provider: MakeProvider
):
    """It said that polling was not supported for Make."""
    scenario = make.add_scenario("Invoices", seconds=None)
    call, answer = await started(provider, make, scenario)
    first = await provider.poll(make_connection(make), call, answer.memo)
    assert (first.state, first.is_certain) == ("running", True)
    scenario.executions[0].finish()
    second = await provider.poll(make_connection(make), call, first.memo)
    assert (second.state, second.output, second.is_certain) == ("completed", {"got": {"a": 1}}, True)
    assert second.remote_id == scenario.executions[0].id
    assert second.link == f"{make.base}/16/scenarios/{scenario.id}/logs/{second.remote_id}"


@pytest.mark.parametrize(
    ("settings", "state", "output", "message"),
    [
        ({"fails": "no such customer"}, "failed", None, "module http:ActionSendData: no such customer"),
        ({"warns": "slow"}, "completed", {"got": {"a": 1}}, "module http:ActionSendData: slow"),
        ({"outputs": None}, "completed", None, ""),
    ],
)
async def test_each_end_is_told_apart(
    make: FakeMake, provider: MakeProvider, settings: dict[str, Any], *, state: str, output: Any, message: str
):
    scenario = make.add_scenario("Invoices", seconds=None, **settings)
    call, answer = await started(provider, make, scenario)
    scenario.executions[0].finish()
    look = await provider.poll(make_connection(make), call, answer.memo)
    assert (look.state, look.output, look.message) == (state, output, message)


async def test_a_run_that_make_does_not_show_yet_is_looked_for_again(make: FakeMake, provider: MakeProvider):
    scenario = make.add_scenario("Invoices", hidden_looks=3)
    call, answer = await started(provider, make, scenario)
    memo = answer.memo
    for _ in range(3):
        look = await provider.poll(make_connection(make), call, memo)
        assert (look.state, look.message) == ("running", "Make does not show this execution yet.")
        memo = look.memo
    assert (await provider.poll(make_connection(make), call, memo)).state == "completed"


async def test_a_run_that_make_never_shows_is_unknown(make: FakeMake, provider: MakeProvider):
    scenario = make.add_scenario("Invoices", hidden_looks=1000)
    call, answer = await started(provider, make, scenario)
    looks = [await provider.poll(make_connection(make), call, answer.memo)]
    for _ in range(6):
        looks.append(await provider.poll(make_connection(make), call, looks[-1].memo))
    assert [look.state for look in looks] == ["running"] * 5 + ["unknown"] * 2
    assert "has no execution" in looks[-1].message


async def test_a_state_that_is_not_known_is_unknown_with_its_name(
    make: FakeMake, provider: MakeProvider, monkeypatch: pytest.MonkeyPatch
):
    scenario = make.add_scenario("Invoices")
    call, answer = await started(provider, make, scenario)
    monkeypatch.setattr(FakeExecution, "as_row", lambda _: {"status": "Rewinding"})
    look = await provider.poll(make_connection(make), call, answer.memo)
    assert (look.state, look.is_certain) == ("unknown", False)
    assert "“REWINDING”" in look.message


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (lambda make: make.limit_rate(), ProviderBusy),
        (lambda make: make.drop(2), ProviderUnavailable),
        (lambda make: make.break_down(), ProviderUnavailable),
        (lambda make: setattr(make, "is_there", False), UnreadableAnswer),
        (lambda make: make.tokens.clear(), CredentialRefused),
    ],
)
async def test_trouble_while_looking_is_named(
    make: FakeMake, provider: MakeProvider, trouble: Any, error: type[ProviderError]
):
    scenario = make.add_scenario("Invoices")
    call, answer = await started(provider, make, scenario)
    trouble(make)
    with pytest.raises(error):
        await provider.poll(make_connection(make), call, answer.memo)


async def test_a_slow_api_ends_in_a_timeout_that_may_be_tried_again(
    make: FakeMake, provider: MakeProvider, monkeypatch: pytest.MonkeyPatch
):
    scenario = make.add_scenario("Invoices")
    call, answer = await started(provider, make, scenario)
    make.api_delay_seconds = 0.5
    monkeypatch.setattr("orchestrator_app.providers.make_api.REQUEST_SECONDS", 0.05)
    with pytest.raises(ProviderUnavailable, match="none came within"):
        await provider.poll(make_connection(make), call, answer.memo)


def test_forty_looks_in_a_minute_leave_room_for_the_rest_of_sixty():
    assert MakeProvider.looks_per_minute == 40


# --- by the call back ---


async def test_makes_call_back_is_followed_to_the_result_with_our_own_address_and_token(
    make: FakeMake, provider: MakeProvider
):
    scenario = make.add_scenario("Invoices", seconds=None)
    call, answer = await started(provider, make, scenario, "callback")
    scenario.executions[0].finish()
    (received,) = await make.server.arrived(CALLBACK, method="POST")
    assert set(received.json) == {"executionId", "statusUrl"}
    assert "elsewhere.invalid" in received.json["statusUrl"]
    look = await provider.called_back(make_connection(make), call, answer.memo, received.json)
    assert (look.state, look.output) == ("completed", {"got": {"a": 1}})
    last = make.server.journal[-1]
    assert last.path == f"{make.api}/scenarios/{scenario.id}/executions/{look.remote_id}"
    assert last.headers["authorization"] == f"Token {make.token}"


async def test_a_call_back_about_a_failed_run_gives_the_reason(make: FakeMake, provider: MakeProvider):
    scenario = make.add_scenario("Invoices", seconds=None, fails="no such customer")
    call, answer = await started(provider, make, scenario, "callback")
    scenario.executions[0].finish()
    (received,) = await make.server.arrived(CALLBACK, method="POST")
    look = await provider.called_back(make_connection(make), call, answer.memo, received.json)
    assert (look.state, look.message) == ("failed", "module http:ActionSendData: no such customer")


async def test_a_call_back_that_comes_before_the_answer_is_followed_too(
    make: FakeMake, provider: MakeProvider
):
    scenario = make.add_scenario("Invoices")
    call, _ = await started(provider, make, scenario, "callback")
    (received,) = await make.server.arrived(CALLBACK, method="POST")
    look = await provider.called_back(make_connection(make), call, {}, received.json)
    assert look.state == "completed"


async def test_a_call_back_about_another_execution_ends_nothing(make: FakeMake, provider: MakeProvider):
    scenario = make.add_scenario("Invoices")
    call, answer = await started(provider, make, scenario, "callback")
    body: Any = {"executionId": "0" * 32, "statusUrl": "https://elsewhere.invalid"}
    asked = len(make.server.calls(method="GET"))
    look = await provider.called_back(make_connection(make), call, answer.memo, body)
    assert (look.state, look.memo) == ("running", answer.memo)
    assert len(make.server.calls(method="GET")) == asked


async def test_a_call_back_whose_result_is_not_shown_yet_lets_the_wait_go_on(
    make: FakeMake, provider: MakeProvider
):
    scenario = make.add_scenario("Invoices", hidden_looks=1)
    call, answer = await started(provider, make, scenario, "callback")
    (received,) = await make.server.arrived(CALLBACK, method="POST")
    look = await provider.called_back(make_connection(make), call, answer.memo, received.json)
    assert look.state == "running"
    # The slow looks that go on beside a call back find it.
    assert (await provider.poll(make_connection(make), call, look.memo)).state == "completed"


@pytest.mark.parametrize("body", [{"total": 3}, {"executionId": "1"}, {"statusUrl": "x"}, [1], "text", None])
async def test_what_a_module_of_the_scenario_sends_is_the_result_as_it_is(
    make: FakeMake, provider: MakeProvider, body: Any
):
    call = remote_call("make", workflow_id="925", completion="callback")
    look = await provider.called_back(make_connection(make), call, {}, body)
    assert (look.state, look.output) == ("completed", body)
    assert make.server.journal == []


async def test_a_call_back_cannot_be_followed_without_a_connection(provider: MakeProvider):
    body: Any = {"executionId": "1", "statusUrl": "x"}
    with pytest.raises(CredentialRefused):
        await provider.called_back(None, remote_call("make"), {}, body)


# --- what a webhook started: a guess in the log ---


async def test_what_a_webhook_started_is_guessed_in_the_log_and_marked_uncertain(
    make: FakeMake, provider: MakeProvider
):
    scenario = make.add_hook_scenario("Leads", seconds=None)
    older = FakeExecution(scenario, {}, is_instant=True, started_at=now() - 60_000, has_ended=True)
    scenario.executions.append(older)
    call, answer = await started(provider, make, scenario)
    run = scenario.executions[-1]

    first = await provider.poll(make_connection(make), call, answer.memo)
    assert (first.state, first.remote_id, first.is_certain) == ("running", run.id, False)
    assert "this is a guess" in first.message

    run.finish()
    second = await provider.poll(make_connection(make), call, first.memo)
    assert (second.state, second.remote_id, second.is_certain) == ("completed", run.id, False)
    assert second.output == {"got": {"a": 1}}
    assert "this is a guess" in second.message


async def test_the_first_execution_since_the_call_is_taken_those_begun_by_an_event_first(
    make: FakeMake, provider: MakeProvider
):
    scenario = make.add_hook_scenario("Leads")
    call, answer = await started(provider, make, scenario)
    (run,) = scenario.executions
    begun = run.started_at
    by_hand = FakeExecution(scenario, {}, started_at=begun - 100, has_ended=True)
    later = [
        FakeExecution(scenario, {}, is_instant=True, started_at=begun + number, has_ended=True)
        for number in range(1, 71)
    ]
    scenario.executions += [by_hand, *later]
    look = await provider.poll(make_connection(make), call, answer.memo)
    assert look.remote_id == run.id
    assert len(make.server.calls(f"{make.api}/scenarios/{scenario.id}/logs")) == 2


async def test_an_execution_that_is_not_in_the_log_yet_is_looked_for_again(
    make: FakeMake, provider: MakeProvider
):
    scenario = make.add_hook_scenario("Leads")
    call, answer = await started(provider, make, scenario)
    (run,) = scenario.executions
    scenario.executions.clear()
    look = await provider.poll(make_connection(make), call, answer.memo)
    assert (look.state, look.remote_id, look.is_certain) == ("running", "", False)
    scenario.executions.append(run)
    assert (await provider.poll(make_connection(make), call, look.memo)).remote_id == run.id


async def test_the_log_is_believed_when_there_is_no_more_about_an_execution(
    make: FakeMake, provider: MakeProvider
):
    scenario = make.add_hook_scenario("Leads", hidden_looks=1000, fails="x", seconds=None)
    call, answer = await started(provider, make, scenario)
    scenario.executions[0].finish()
    first = await provider.poll(make_connection(make), call, answer.memo)
    second = await provider.poll(make_connection(make), call, first.memo)
    assert [first.state, second.state] == ["running", "failed"]
    assert "log tells only how" in second.message


async def test_a_guess_never_ends_a_wait_for_a_call_back(make: FakeMake, provider: MakeProvider):
    scenario = make.add_hook_scenario("Leads", calls_back=True)
    call, answer = await started(provider, make, scenario, "callback")
    asked = len(make.server.calls(method="GET"))
    look = await provider.poll(make_connection(make), call, answer.memo)
    assert (look.state, look.is_certain, look.memo) == ("running", False, answer.memo)
    assert len(make.server.calls(method="GET")) == asked
    (received,) = await make.server.arrived(CALLBACK, method="POST")
    told = await provider.called_back(make_connection(make), call, answer.memo, received.json)
    assert (told.state, told.output) == ("completed", received.json)
    assert received.json["got"]["a"] == 1


async def test_a_webhook_is_polled_only_with_connection_and_scenario(make: FakeMake, provider: MakeProvider):
    scenario = make.add_hook_scenario("Leads")
    url = make.hook_url(scenario)
    for connection, workflow in ((None, str(scenario.id)), (make_connection(make), "")):
        call = remote_call("make", url=url, workflow_id=workflow, completion="poll")
        with pytest.raises(ProviderRefused, match="looked for in the log"):
            await provider.execute(connection, call)
    assert scenario.executions == []
    call = remote_call("make", url=url, workflow_id=str(scenario.id), completion="poll")
    answer = await provider.execute(make_connection(make), call)
    assert (await provider.poll(make_connection(make), call, answer.memo)).state == "completed"


def test_the_beginning_is_reckoned_by_the_clock_of_make():
    answer = HttpAnswer(200, {"date": "Mon, 23 Nov 2026 07:38:48 GMT"}, b"", "https://hook.eu1.make.com")
    assert begun_at(remote_call("make", started_at=5), answer, 1.5) == 1795419528000 - 1_500 - 1_000
    silent = HttpAnswer(200, {}, b"", "https://hook.eu1.make.com")
    assert begun_at(remote_call("make", started_at=5), silent, 1.5) == 5


async def test_many_runs_are_told_apart_by_their_ids(make: FakeMake, provider: MakeProvider):
    scenarios = [make.add_scenario(f"Scenario {number}", outputs=lambda data: data) for number in range(5)]
    calls = await asyncio.gather(*(started(provider, make, scenario) for scenario in scenarios))
    looks = [await provider.poll(make_connection(make), call, answer.memo) for call, answer in calls]
    assert [look.remote_id for look in looks] == [scenario.executions[0].id for scenario in scenarios]
