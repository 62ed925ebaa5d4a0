"""Ending simulated executions, and what becomes of their callbacks."""

import asyncio
from typing import Any

import pytest

from orchestrator_app.domain.remote import RemoteCall
from orchestrator_app.errors import OutcomeUnknown
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.simulated import SimulatedProvider
from tests.fakes.connections import remote_call
from tests.fakes.server import FakeServer


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


def simulated(workflow: str, body: Any = None, **settings: Any) -> RemoteCall:
    return remote_call("simulated", workflow_id=workflow, body=body, **settings)


async def test_a_polled_execution_is_really_ended(provider: SimulatedProvider, clock: Clock):
    call = simulated("polling", {"seconds": 60}, completion="poll")
    answer = await provider.execute(None, call)
    other = await provider.execute(None, call)
    said = await provider.cancel(None, call, answer.memo)
    assert said == f"Simulated execution {answer.remote_id} was stopped."
    clock.now += 3_600
    look = await provider.poll(None, call, answer.memo)
    assert (look.state, look.output) == ("cancelled", None)
    assert (await provider.poll(None, call, other.memo)).state == "completed"
    assert "had ended already" in await provider.cancel(None, call, answer.memo)


async def test_an_ended_execution_stays_as_it_ended(provider: SimulatedProvider, clock: Clock):
    call = simulated("polling", {"seconds": 1}, completion="poll")
    answer = await provider.execute(None, call)
    clock.now += 1
    assert "had ended already" in await provider.cancel(None, call, answer.memo)
    assert (await provider.poll(None, call, answer.memo)).state == "completed"


async def test_an_execution_of_before_a_restart_is_ended_by_its_memo(
    http_client: HttpClient, provider: SimulatedProvider, clock: Clock
):
    call = simulated("polling", {"seconds": 60}, completion="poll")
    answer = await provider.execute(None, call)
    restarted = SimulatedProvider(http_client, clock=clock)
    assert "was stopped" in await restarted.cancel(None, call, answer.memo)
    assert (await restarted.poll(None, call, answer.memo)).state == "cancelled"


async def test_a_call_that_waits_for_its_answer_ends_when_it_is_cancelled(provider: SimulatedProvider):
    call = simulated("slow", {"seconds": 3_000}, timeout_seconds=3_600, correlation_id="run:slow")
    other = simulated("slow", {"seconds": 3_000}, timeout_seconds=3_600, correlation_id="run:other")
    waiting, going_on = (asyncio.create_task(provider.execute(None, one)) for one in (call, other))
    await asyncio.sleep(0)
    said = await provider.cancel(None, call, {})
    assert said.endswith("was stopped.")
    answer = await waiting
    assert (answer.state, answer.message) == ("cancelled", "The simulated execution was cancelled.")
    assert not going_on.done()
    going_on.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going_on
    # Whoever hangs up does not end what was started.
    assert (await provider.cancel(None, other, {})).endswith("was stopped.")
    assert "was under way any more" in await provider.cancel(None, other, {})


@pytest.mark.parametrize("has_memo", [True, False])
async def test_a_cancelled_execution_does_not_call_back(
    fake_server: FakeServer, provider: SimulatedProvider, *, has_memo: bool
):
    call = simulated(
        "calling-back", {"seconds": 0}, completion="callback", callback_url=fake_server.url + "/echo/back"
    )
    answer = await provider.execute(None, call)
    (task,) = provider._executions.callbacks
    assert "was stopped" in await provider.cancel(None, call, answer.memo if has_memo else {})
    with pytest.raises(asyncio.CancelledError):
        await task
    assert fake_server.journal == []
    assert (await provider.poll(None, call, answer.memo)).state == "cancelled"


async def test_the_result_of_a_callback_that_was_lost_is_polled(provider: SimulatedProvider, clock: Clock):
    call = simulated("calling-back", {"x": 1}, completion="callback", callback_url="http://127.0.0.1:1/x")
    answer = await provider.execute(None, call)
    await provider.close()  # as a restart does
    clock.now += 2
    assert (await provider.poll(None, call, answer.memo)).state == "running"
    clock.now += 5
    look = await provider.poll(None, call, answer.memo)
    assert (look.state, look.output) == ("completed", {"message": "Done.", "input": {"x": 1}})


async def test_what_was_started_is_not_remembered_without_bound(
    provider: SimulatedProvider, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("orchestrator_app.providers.simulated_executions._MOST", 3)
    call = simulated("polling", {"seconds": 1}, completion="poll")
    for _ in range(5):
        answer = await provider.execute(None, call)
        await provider.cancel(None, call, answer.memo)
        await provider.execute(None, call)
        clock.now += 2
    assert len(provider._executions._started) <= 3
    assert len(provider._executions._cancelled) <= 3


# --- calls whose answer was lost ---


@pytest.mark.parametrize(
    ("workflow", "body", "state", "output"),
    [
        ("echo", {"x": 1}, "completed", {"x": 1}),
        ("failing", {"message": "No luck."}, "failed", None),
        ("polling", {"seconds": 0, "failure": "Broken."}, "failed", None),
    ],
)
async def test_an_execution_whose_answer_was_lost_is_found_by_its_correlation_id(
    provider: SimulatedProvider, workflow: str, body: Any, *, state: str, output: Any
):
    call = simulated(workflow, body, correlation_id="run:a")
    await provider.execute(None, call)
    await provider.execute(None, simulated("echo", "another", correlation_id="run:b"))
    look = await provider.poll(None, call, {})
    assert (look.state, look.output, look.is_certain) == (state, output, True)
    assert look.remote_id.startswith(workflow)


async def test_an_execution_goes_on_after_its_caller_gave_up(provider: SimulatedProvider, clock: Clock):
    call = simulated("slow", {"seconds": 60}, timeout_seconds=0.01)
    with pytest.raises(OutcomeUnknown):
        await provider.execute(None, call)
    first = await provider.poll(None, call, {})
    assert (first.state, first.is_certain) == ("running", True)
    clock.now += 60
    assert (await provider.poll(None, call, first.memo)).state == "completed"


async def test_what_has_answered_and_does_not_call_back_is_still_awaited(provider: SimulatedProvider):
    call = simulated("echo", {"x": 1}, completion="callback", callback_url="http://x")
    answer = await provider.execute(None, call)
    for memo in (answer.memo, {}):
        look = await provider.poll(None, call, memo)
        assert (look.state, look.is_certain) == ("running", True)
        assert "does not call back" in look.message


@pytest.mark.parametrize(("completion", "state"), [("poll", "unknown"), ("callback", "running")])
async def test_nothing_is_known_of_a_call_that_never_arrived(
    provider: SimulatedProvider, *, completion: str, state: str
):
    look = await provider.poll(None, simulated("echo", completion=completion), {})
    assert (look.state, look.is_certain) == (state, False)
    assert "No simulated execution of this call is known" in look.message


async def test_of_those_that_have_answered_only_the_newest_are_remembered(
    provider: SimulatedProvider, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("orchestrator_app.providers.simulated_executions._MOST_ANSWERED", 3)
    calls = [simulated("echo", correlation_id=f"run:{number}") for number in range(5)]
    for call in calls:
        await provider.execute(None, call)
    states = [(await provider.poll(None, call, {})).state for call in calls]
    assert states == ["unknown"] * 2 + ["completed"] * 3
    assert len(provider._executions._started) == 3
