"""Finding what a call of Make started whose answer never came: in the webhook's log, and by what executions carry."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from orchestrator_app.domain.remote import RemoteCall, RemoteLook
from orchestrator_app.errors import CredentialRefused, ProviderBusy, ProviderRefused
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.make import MakeProvider
from tests.fakes.connections import CORRELATION, make_connection, remote_call
from tests.fakes.make import FakeMake
from tests.fakes.make_scenario import FakeExecution, FakeHookCall, FakeScenario, now
from tests.fakes.server import FakeServer
from tests.fakes.wire import Received

INPUT = {"name": "correlationId", "type": "text"}


@pytest.fixture
def provider(http_client: HttpClient) -> MakeProvider:
    return MakeProvider(http_client)


@pytest.fixture
def make(fake_server: FakeServer) -> FakeMake:
    return fake_server.make


def call_of(scenario: FakeScenario, completion: str = "response", **settings: Any) -> RemoteCall:
    defaults = {"workflow_id": str(scenario.id), "completion": completion, "started_at": now()}
    return remote_call("make", **defaults | settings)


async def searched(
    provider: MakeProvider, make: FakeMake, call: RemoteCall, *, sends: bool = True, looks: int = 1
) -> RemoteLook:
    """The last of so many looks for a call whose answer is not known."""
    if sends:
        await provider.execute(make_connection(make), call)
    look = RemoteLook("unknown")
    for _ in range(looks):
        look = await provider.poll(make_connection(make), call, look.memo)
    return look


def history(make: FakeMake, scenario: FakeScenario) -> str:
    return f"{make.base}/16/scenarios/{scenario.id}/logs"


# --- runs through the API ---


@pytest.mark.parametrize("completion", ["response", "poll"])
async def test_a_run_whose_outputs_carry_the_id_of_the_call_is_found(
    make: FakeMake, provider: MakeProvider, completion: str
):
    scenario = make.add_scenario("Invoices", inputs=[INPUT])
    make.start(scenario, FakeExecution(scenario, {"correlationId": f"{CORRELATION}0"}))
    call = call_of(scenario, completion, body={})
    look = await searched(provider, make, call)
    run = scenario.executions[-1]
    assert run.data == {"correlationId": CORRELATION}
    assert (look.state, look.remote_id, look.is_certain) == ("completed", run.id, True)
    assert look.output == {"got": {"correlationId": CORRELATION}}
    assert look.link == f"{history(make, scenario)}/{run.id}"


async def test_an_input_of_the_node_for_the_id_is_left_as_it_is(make: FakeMake, provider: MakeProvider):
    scenario = make.add_scenario("Invoices", inputs=[INPUT])
    await provider.execute(make_connection(make), call_of(scenario, body={"correlationId": "mine"}))
    assert scenario.executions[0].data == {"correlationId": "mine"}


async def test_a_run_whose_name_carries_the_id_is_found_while_it_goes_on(
    make: FakeMake, provider: MakeProvider, monkeypatch: pytest.MonkeyPatch
):
    scenario = make.add_scenario("Invoices", seconds=None)
    as_log = FakeExecution.as_log
    monkeypatch.setattr(FakeExecution, "as_log", lambda run: as_log(run) | {"name": f"Order {CORRELATION}"})
    call = call_of(scenario, "poll")
    look = await searched(provider, make, call)
    assert (look.state, look.is_certain) == ("running", True)
    scenario.executions[0].finish()
    assert (await provider.poll(make_connection(make), call, look.memo)).state == "completed"


@pytest.mark.parametrize(
    ("runs", "told"),
    [
        (0, "Make's log shows no execution since the call."),
        (1, "Make's log shows 1 execution since the call, and none that carries the id of the call."),
        (2, "Make's log shows 2 executions since the call, and none that carries the id of the call."),
    ],
)
async def test_runs_that_carry_no_id_are_not_taken_for_the_call_but_it_is_said_where_they_are(
    make: FakeMake, provider: MakeProvider, *, runs: int, told: str
):
    scenario = make.add_scenario("Invoices")
    for _ in range(runs):
        make.start(scenario, FakeExecution(scenario, {"a": 1}))
    look = await searched(provider, make, call_of(scenario), sends=False)
    assert (look.state, look.is_certain, look.output) == ("running", False, None)
    assert (look.message, look.link) == (f"{told} See {history(make, scenario)}", history(make, scenario))


async def test_of_several_runs_with_the_id_none_is_taken(make: FakeMake, provider: MakeProvider):
    scenario = make.add_scenario("Invoices")
    for _ in range(2):  # as somebody who replays a run makes another one
        make.start(scenario, FakeExecution(scenario, {"id": CORRELATION}))
    look = await searched(provider, make, call_of(scenario), sends=False)
    assert (look.state, look.is_certain) == ("running", False)
    assert "2 executions carry the id of the call" in look.message


async def test_runs_are_looked_into_a_few_at_a_time_the_nearest_first_and_once_each(
    make: FakeMake, provider: MakeProvider
):
    scenario = make.add_scenario("Invoices")
    begun = now()
    for number in range(8):
        run = FakeExecution(scenario, {"n": number}, started_at=begun + number, has_ended=True)
        scenario.executions.append(run)
    wanted = FakeExecution(scenario, {"id": CORRELATION}, started_at=begun + 10, has_ended=True)
    scenario.executions.append(wanted)
    going_on = FakeExecution(scenario, {"id": CORRELATION}, started_at=begun)
    older = FakeExecution(scenario, {"id": CORRELATION}, started_at=begun - 61_000, has_ended=True)
    scenario.executions += [going_on, older]
    call = call_of(scenario, started_at=begun)
    first = await searched(provider, make, call, sends=False)
    assert first.is_certain is False
    assert [run.looks for run in scenario.executions] == [1] * 5 + [0] * 6
    second = await provider.poll(make_connection(make), call, first.memo)
    assert (second.state, second.remote_id) == ("completed", wanted.id)
    assert max(run.looks for run in scenario.executions if run is not wanted) == 1


async def test_a_run_that_is_logged_but_not_shown_yet_is_looked_into_again(
    make: FakeMake, provider: MakeProvider
):
    scenario = make.add_scenario("Invoices", inputs=[INPUT], hidden_looks=1)
    look = await searched(provider, make, call_of(scenario, "poll", body={}), looks=2)
    assert (look.state, look.is_certain) == ("completed", True)


# --- webhooks ---


async def test_what_a_webhook_answered_is_read_in_its_log(make: FakeMake, provider: MakeProvider):
    scenario = make.add_hook_scenario("Leads", respond=(200, {"total": 3}))
    look = await searched(provider, make, call_of(scenario))
    assert (look.state, look.output, look.is_certain) == ("completed", {"total": 3}, True)
    assert "webhook log shows that the call arrived" in look.message
    plain = make.add_hook_scenario("Plain")
    assert (await searched(provider, make, call_of(plain))).output == "Accepted"


async def test_a_webhook_without_an_answer_yet_is_looked_at_again(make: FakeMake, provider: MakeProvider):
    scenario = make.add_hook_scenario("Leads", respond=(200, {"total": 3}), seconds=None)
    call = call_of(scenario)
    calling = asyncio.create_task(provider.execute(make_connection(make), call))
    await make.server.arrived(f"{make.prefix}/hook/{scenario.udid}")
    look = await searched(provider, make, call, sends=False)
    assert (look.state, look.is_certain) == ("running", False)
    assert "arrived" in look.message
    scenario.executions[0].finish()
    await calling
    assert (await provider.poll(make_connection(make), call, look.memo)).state == "completed"


async def test_a_webhook_that_refused_the_call_is_a_bad_end(make: FakeMake, provider: MakeProvider):
    scenario = make.add_hook_scenario("Leads")
    call = call_of(scenario)
    make.is_queue_full = True
    with pytest.raises(ProviderBusy, match="Queue is full"):
        await provider.execute(make_connection(make), call)
    look = await searched(provider, make, call, sends=False)
    assert (look.state, look.is_certain) == ("failed", True)
    assert look.message.endswith("the answer was “Queue is full” (status 400).")


async def test_a_call_that_arrived_is_waited_for_until_the_scenario_calls_back(
    make: FakeMake, provider: MakeProvider
):
    scenario = make.add_hook_scenario("Leads")
    call = call_of(scenario, "callback")
    look = await searched(provider, make, call)
    assert (look.state, look.is_certain) == ("running", True)
    later = await provider.poll(make_connection(make), call, look.memo)
    assert (later.state, later.message[:20]) == ("running", "Make tells no id of ")


async def test_what_a_webhook_started_is_found_by_its_outputs_only(make: FakeMake, provider: MakeProvider):
    tells = make.add_hook_scenario("Tells")
    body = {"id": CORRELATION}
    look = await searched(provider, make, call_of(tells, "poll", body=body))
    assert (look.state, look.output, look.is_certain) == ("completed", {"got": body}, True)
    silent = make.add_hook_scenario("Silent", outputs=None)
    look = await searched(provider, make, call_of(silent, "poll"))
    assert (look.state, look.is_certain) == ("running", False)
    assert "arrived" in look.message
    assert look.message.endswith(f"none that carries the id of the call. See {history(make, silent)}")


async def test_a_call_that_never_arrived_is_not_in_the_log(make: FakeMake, provider: MakeProvider):
    scenario = make.add_hook_scenario("Leads")
    other = call_of(scenario, correlation_id="another")
    await provider.execute(make_connection(make), other)
    look = await searched(provider, make, call_of(scenario), sends=False, looks=2)
    assert (look.state, look.is_certain) == ("running", False)
    assert look.message == f"Make's webhook log does not show the call. See {history(make, scenario)}"
    details = f"{make.api}/hooks/{scenario.hook_id}/logs/{scenario.hook_calls[0].id}"
    assert len(make.server.calls(details)) == 1


async def test_of_several_attempts_with_one_id_the_newest_counts(make: FakeMake, provider: MakeProvider):
    scenario = make.add_hook_scenario("Leads", respond=(200, {"n": 1}))
    call = call_of(scenario)
    make.hook_limited_times = 1
    with pytest.raises(ProviderBusy, match="Too many requests"):
        await provider.execute(make_connection(make), call)
    scenario.hook_calls[0].logged_at -= 1_000
    look = await searched(provider, make, call)
    assert (look.state, look.output) == ("completed", {"n": 1})


async def test_a_webhook_is_found_by_the_blueprint_too(make: FakeMake, provider: MakeProvider):
    scenario = make.add_hook_scenario("Leads", shows_hook=False)
    assert (await searched(provider, make, call_of(scenario))).output == "Accepted"


async def test_an_entry_without_data_says_nothing(make: FakeMake, provider: MakeProvider):
    scenario = make.add_hook_scenario("Leads")
    scenario.hook_calls.append(FakeHookCall(Received("POST", "/", "", {}, b"")))
    assert (await searched(provider, make, call_of(scenario), sends=False)).is_certain is False


# --- what cannot be asked ---


async def test_without_a_scenario_there_is_no_log_to_search(make: FakeMake, provider: MakeProvider):
    call = remote_call("make", completion="response")
    look = await searched(provider, make, call, sends=False)
    assert (look.state, look.is_certain) == ("unknown", False)
    assert make.server.journal == []


async def test_a_token_that_may_not_see_the_webhook_is_named(make: FakeMake, provider: MakeProvider):
    scenario = make.add_hook_scenario("Leads")
    few = make_connection(
        make, apiToken=make.add_token(make.token.replace("1234", "4321"), {"scenarios:read"})
    )
    with pytest.raises(CredentialRefused, match="may not do this"):
        await provider.poll(few, call_of(scenario), {})


async def test_a_scenario_that_is_gone_is_named(make: FakeMake, provider: MakeProvider):
    scenario = make.add_scenario("Invoices")
    make.scenarios.clear()
    with pytest.raises(ProviderRefused, match="has no scenario"):
        await provider.poll(make_connection(make), call_of(scenario), {})


async def test_looks_beside_a_callback_find_a_run_without_an_id_by_its_outputs(
    make: FakeMake, provider: MakeProvider
):
    scenario = make.add_scenario("Invoices", inputs=[INPUT])
    call = replace(call_of(scenario, "callback", body={}), callback_url=f"{make.server.url}/echo/back")
    look = await searched(provider, make, call)
    assert (look.state, look.is_certain) == ("completed", True)


async def test_that_no_run_carries_the_id_says_nothing_while_make_itself_may_call_back(
    make: FakeMake, provider: MakeProvider
):
    scenario = make.add_scenario("Invoices", seconds=None)
    call = replace(call_of(scenario, "callback"), callback_url=f"{make.server.url}/echo/back")
    look = await searched(provider, make, call)
    assert (look.state, look.is_certain, look.link) == ("unknown", False, history(make, scenario))
    scenario.executions[0].finish()
    (received,) = await make.server.arrived("/echo/back", method="POST")
    told = await provider.called_back(make_connection(make), call, look.memo, received.json)
    assert (told.state, told.output) == ("completed", {"got": {"a": 1}})
