"""Running scenarios of Make through the API: results, refusals, and what is not known."""

from typing import Any

import pytest

from orchestrator_app.domain.remote import RemoteAnswer
from orchestrator_app.errors import (
    CredentialRefused,
    OutcomeUnknown,
    ProviderBusy,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
    UnreadableAnswer,
)
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.make import MakeProvider
from tests.fakes.connections import make_connection, remote_call
from tests.fakes.make import FakeMake
from tests.fakes.make_scenario import FakeScenario
from tests.fakes.server import FakeServer
from tests.fakes.wire import Received, Reply, json_reply


@pytest.fixture
def provider(http_client: HttpClient) -> MakeProvider:
    return MakeProvider(http_client)


@pytest.fixture
def make(fake_server: FakeServer) -> FakeMake:
    return fake_server.make


async def started(
    provider: MakeProvider, make: FakeMake, scenario: FakeScenario, **settings: Any
) -> RemoteAnswer:
    call = remote_call("make", **{"workflow_id": str(scenario.id), "body": {"email": "a@b.c"}} | settings)
    return await provider.execute(make_connection(make), call)


def sent(make: FakeMake, scenario: FakeScenario) -> dict[str, Any]:
    (call,) = make.server.calls(f"{make.api}/scenarios/{scenario.id}/run", method="POST")
    return call.json


# --- results ---


async def test_regression_a_scenario_is_run_at_its_run_address(make: FakeMake, provider: MakeProvider):
    """It called an address that Make does not have."""
    scenario = make.add_scenario("Invoices")
    answer = await started(provider, make, scenario)
    assert (answer.state, answer.output) == ("completed", {"got": {"email": "a@b.c"}})
    assert sent(make, scenario) == {"data": {"email": "a@b.c"}, "responsive": True}
    (run,) = scenario.executions
    assert answer.remote_id == run.id
    assert answer.link == f"{make.base}/16/scenarios/{scenario.id}/logs/{run.id}"


@pytest.mark.parametrize(
    ("completion", "extra"), [("poll", {}), ("callback", {"callbackUrl": "http://us/cb"})]
)
async def test_a_run_whose_end_comes_later_is_not_waited_for(
    make: FakeMake, provider: MakeProvider, completion: str, extra: dict[str, str]
):
    scenario = make.add_scenario("Invoices", seconds=None)
    answer = await started(provider, make, scenario, completion=completion, callback_url="http://us/cb")
    (run,) = scenario.executions
    assert (answer.state, answer.remote_id) == ("running", run.id)
    assert answer.memo["executionId"] == run.id
    assert sent(make, scenario) == {"data": {"email": "a@b.c"}, "responsive": False, **extra}


async def test_the_run_carries_the_token_and_our_ids(make: FakeMake, provider: MakeProvider):
    scenario = make.add_scenario("Invoices")
    await started(provider, make, scenario, headers={"Authorization": "mine", "X-Own": "1"})
    call = make.server.journal[-1]
    assert call.headers["authorization"] == f"Token {make.token}"
    assert call.headers["x-own"] == "1"
    assert call.headers["x-correlation-id"] == "0192-run:node-1"
    assert call.headers["content-type"] == "application/json"


async def test_a_failed_run_gives_makes_reason(make: FakeMake, provider: MakeProvider):
    answer = await started(provider, make, make.add_scenario("Invoices", fails="Remote answered 500"))
    assert answer.state == "failed"
    assert answer.message == "module http:ActionSendData: Remote answered 500"


async def test_a_run_with_warnings_is_completed(make: FakeMake, provider: MakeProvider):
    answer = await started(provider, make, make.add_scenario("Invoices", warns="slow"))
    assert (answer.state, answer.output) == ("completed", {"got": {"email": "a@b.c"}})


async def test_a_scenario_without_return_output_has_no_result(make: FakeMake, provider: MakeProvider):
    answer = await started(provider, make, make.add_scenario("Invoices", outputs=None))
    assert (answer.state, answer.output) == ("completed", None)


async def test_no_inputs_are_sent_as_none(make: FakeMake, provider: MakeProvider):
    scenario = make.add_scenario("Invoices")
    await started(provider, make, scenario, body=None)
    assert sent(make, scenario) == {"responsive": True}


async def test_the_callback_address_is_no_input_unless_the_scenario_declares_it(
    make: FakeMake, provider: MakeProvider
):
    ours = {"callback_url": "http://us/cb", "callback_token": "t-1"}
    body = {"a": 1, "callbackUrl": "http://us/cb", "correlationToken": "t-1"}
    plain = make.add_scenario("Plain")
    await started(provider, make, plain, completion="callback", body=body, **ours)
    assert plain.executions[0].data == {"a": 1}

    asks = make.add_scenario("Asks", inputs=[{"name": "callbackUrl", "type": "text"}])
    await started(provider, make, asks, completion="callback", body=body, **ours)
    assert asks.executions[0].data == {"a": 1, "callbackUrl": "http://us/cb"}

    # With another completion it is the address of a node behind this one, which only the scenario can call.
    await started(provider, make, make.add_scenario("Other"), completion="poll", body=body, **ours)
    assert make.server.journal[-1].json["data"] == body


# --- runs that take longer than Make lets anybody wait ---


async def test_a_run_that_takes_longer_goes_on_and_can_be_followed_if_its_id_is_told(
    make: FakeMake, provider: MakeProvider
):
    make.responsive_seconds, make.timeout_tells_id = 0.02, True
    scenario = make.add_scenario("Slow", seconds=None)
    answer = await started(provider, make, scenario)
    assert (answer.state, answer.remote_id) == ("running", scenario.executions[0].id)
    scenario.executions[0].finish()
    call = remote_call("make", workflow_id=str(scenario.id))
    look = await provider.poll(make_connection(make), call, answer.memo)
    assert (look.state, look.output) == ("completed", {"got": {"email": "a@b.c"}})


@pytest.mark.parametrize("is_idempotent", [True, False])
async def test_a_run_that_takes_longer_without_an_id_is_unknown_and_never_repeated(
    make: FakeMake, provider: MakeProvider, *, is_idempotent: bool
):
    make.responsive_seconds = 0.02
    with pytest.raises(OutcomeUnknown, match="It may go on there") as caught:
        await started(provider, make, make.add_scenario("Slow", seconds=None), is_idempotent=is_idempotent)
    assert not caught.value.retryable
    assert "poll or callback" in caught.value.hint


async def test_our_own_timeout_is_an_unknown_outcome(make: FakeMake, provider: MakeProvider):
    with pytest.raises(OutcomeUnknown):
        await started(provider, make, make.add_scenario("Slow", seconds=None), timeout_seconds=0.1)


@pytest.mark.parametrize(
    ("body", "status", "completion", "state"),
    [
        ({"executionId": "e1", "outputs": {"a": 1}}, 200, "response", "completed"),
        ({"executionId": "e1"}, 200, "response", "running"),
        ({"executionId": "e1", "message": "Request timeout"}, 500, "response", "running"),
        ({"executionId": "e1", "statusUrl": "https://elsewhere.invalid"}, 200, "poll", "running"),
        ({}, 200, "callback", "running"),
    ],
)
async def test_other_shapes_of_the_answer_are_understood(
    make: FakeMake,
    provider: MakeProvider,
    monkeypatch: pytest.MonkeyPatch,
    *,
    body: dict[str, Any],
    status: int,
    completion: str,
    state: str,
):
    answer = await started(
        provider, make, answering(make, monkeypatch, json_reply(body, status)), completion=completion
    )
    assert (answer.state, answer.remote_id) == (state, body.get("executionId", ""))


@pytest.mark.parametrize(
    ("reply", "settings", "error"),
    [
        (json_reply({}), {"completion": "poll"}, OutcomeUnknown),
        (json_reply({}), {}, OutcomeUnknown),
        (json_reply([]), {}, UnreadableAnswer),
        (
            Reply(200, b"<html><body>Sign in</body></html>", {"Content-Type": "text/html"}),
            {},
            UnreadableAnswer,
        ),
        (Reply(504, b"<html></html>", {"Content-Type": "text/html"}), {"completion": "poll"}, OutcomeUnknown),
        (
            Reply(504, b"<html></html>", {"Content-Type": "text/html"}),
            {"completion": "poll", "is_idempotent": True},
            ProviderUnavailable,
        ),
        (json_reply({"message": "down", "code": "SC503"}, 503), {}, ProviderUnavailable),
        (Reply(302, b"", {"Location": "https://elsewhere.invalid/x"}), {}, ProviderRefused),
        (Reply(action="drop"), {}, OutcomeUnknown),
        (Reply(action="drop"), {"is_idempotent": True}, ProviderUnavailable),
    ],
)
async def test_answers_that_are_none_end_as_what_they_are(
    make: FakeMake,
    provider: MakeProvider,
    monkeypatch: pytest.MonkeyPatch,
    *,
    reply: Reply,
    settings: dict[str, Any],
    error: type[ProviderError],
):
    with pytest.raises(error) as caught:
        await started(provider, make, answering(make, monkeypatch, reply), **settings)
    assert type(caught.value) is error


def answering(make: FakeMake, monkeypatch: pytest.MonkeyPatch, reply: Reply) -> FakeScenario:
    """A scenario whose run is answered with this reply."""

    async def run(_scenario: FakeScenario, _received: Received) -> Reply:
        return reply

    monkeypatch.setattr(make, "_run", run)
    return make.add_scenario("Odd")


# --- refusals: nothing ran ---


async def refusal(
    provider: MakeProvider, make: FakeMake, scenario: FakeScenario, **settings: Any
) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await started(provider, make, scenario, **settings)
    assert make.token not in caught.value.message + caught.value.hint
    assert caught.value.provider == "make"
    return caught.value


async def test_an_inactive_scenario_is_said_to_be_inactive(make: FakeMake, provider: MakeProvider):
    scenario = make.add_scenario("Invoices", is_active=False)
    error = await refusal(provider, make, scenario)
    assert error.message == "The scenario “Invoices” is not active in Make: “Scenario is not activated”."
    assert (type(error), error.remote_status) == (ProviderRefused, 422)
    scenario.is_active = True
    assert (await started(provider, make, scenario)).state == "completed"


async def test_inputs_of_a_scheduled_scenario_are_refused_with_the_remedy(
    make: FakeMake, provider: MakeProvider
):
    inputs = [{"name": "email", "type": "text"}]
    error = await refusal(provider, make, make.add_scenario("Daily", inputs=inputs, scheduling="daily"))
    assert "takes no inputs as it is scheduled" in error.message
    assert "On demand" in error.hint


async def test_missing_inputs_are_named(make: FakeMake, provider: MakeProvider):
    inputs = [{"name": "name", "type": "text", "required": True}, {"name": "age", "type": "number"}]
    error = await refusal(provider, make, make.add_scenario("Leads", inputs=inputs))
    assert "Missing value of required parameter 'name'" in error.message
    assert "age, name" in error.hint


async def test_a_scenario_that_is_running_already_may_be_tried_again(make: FakeMake, provider: MakeProvider):
    scenario = make.add_scenario("Slow", seconds=None)
    await started(provider, make, scenario, completion="poll")
    error = await refusal(provider, make, scenario, completion="poll")
    assert isinstance(error, ProviderBusy)
    assert "only once at a time: “Scenario is already being executed”." in error.message


async def test_an_unknown_scenario_is_said_to_be_unknown(make: FakeMake, provider: MakeProvider):
    scenario = make.add_scenario("Gone")
    await started(provider, make, scenario)
    del make.scenarios[scenario.id]
    for _ in ("found by the run", "found by the look-up"):
        error = await refusal(provider, make, scenario)
        assert f"no scenario {scenario.id}" in error.message
        assert error.remote_status == 404


async def test_a_token_that_may_not_run_scenarios_is_told_the_scope(make: FakeMake, provider: MakeProvider):
    make.tokens[make.token] = {"scenarios:read"}
    error = await refusal(provider, make, make.add_scenario("Invoices"))
    assert isinstance(error, CredentialRefused)
    assert "scenarios:run" in error.hint


@pytest.mark.parametrize(
    ("settings", "what"), [({"body": [1]}, "a list"), ({"body": "x"}, "text"), ({"text_body": "x"}, "text")]
)
async def test_inputs_without_names_are_refused_before_the_run(
    make: FakeMake, provider: MakeProvider, settings: dict[str, Any], what: str
):
    scenario = make.add_scenario("Invoices")
    error = await refusal(provider, make, scenario, **settings)
    assert f"the body is {what}." in error.message
    assert scenario.executions == []


async def test_neither_scenario_nor_address_is_a_clear_refusal(make: FakeMake, provider: MakeProvider):
    with pytest.raises(ProviderRefused, match="neither a webhook nor a scenario"):
        await provider.execute(make_connection(make), remote_call("make"))


# --- look-ups before the run ---


async def test_what_starts_a_scenario_is_looked_up_once_for_some_time(make: FakeMake, provider: MakeProvider):
    scenario = make.add_scenario("Invoices")
    for _ in range(3):
        await started(provider, make, scenario)
    assert len(make.server.calls(f"{make.api}/scenarios/{scenario.id}")) == 1
    assert len(scenario.executions) == 3


async def test_the_rate_limit_of_the_organization_spares_runs(make: FakeMake, provider: MakeProvider):
    scenario = make.add_scenario("Invoices")
    await started(provider, make, scenario)
    make.limit_rate()
    assert (await started(provider, make, scenario)).state == "completed"
    with pytest.raises(ProviderBusy):
        await provider.workflows(make_connection(make))
