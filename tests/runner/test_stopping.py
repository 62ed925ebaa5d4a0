import asyncio

import pytest

from orchestrator_app.domain.remote import RemoteAnswer
from orchestrator_app.errors import NotSupported, ProviderRefused, ProviderUnavailable, Unavailable
from orchestrator_app.runner import stopping
from tests.runner.outside import Platforms
from tests.running import (
    WORKSPACE,
    World,
    failure_of,
    graph,
    mapper,
    node,
    nodes_of,
    states_of,
    wait,
    webhook,
)
from tests.steered import Held

STARTED = RemoteAnswer("running", remote_id="77", memo={"id": "77"})
DOWN = ProviderUnavailable("The platform is down.")


def polled(node_id: str = "a", **config: object):
    return webhook(
        node_id, **{"completion": "poll", "pollingInterval": 3_600_000, "connectionId": "c1", **config}
    )


async def lines_of(world: World, run_id: str) -> list[tuple[str, str, str]]:
    """What the log says of stopped executions: node, level and sentence."""
    await world.at_rest()
    run = await world.runs.get(WORKSPACE, run_id)
    return [
        (line.node_id, line.level, line.message)
        for line in run.logs
        if line.message not in {"The run started.", "The run was cancelled."}
        and not line.message.startswith(("Started on", "Waiting for"))
    ]


async def test_a_waiting_execution_is_stopped_when_its_run_is_cancelled(world: World):
    world.platform.on_call("a", STARTED)
    world.platform.on_cancel("a", "n8n stopped execution 77.")
    run_id = await world.start(graph([polled()]))
    await world.parked(run_id)
    call = world.platform.calls[0]
    await world.runs.cancel(WORKSPACE, run_id)
    assert await lines_of(world, run_id) == [("a", "info", "n8n stopped execution 77.")]
    ((told, memo),) = world.platform.stops
    assert memo == {"id": "77"}
    for name in ("provider", "connection_id", "workflow_id", "correlation_id", "started_at"):
        assert getattr(told, name) == getattr(call, name)


async def test_a_call_under_way_is_stopped_by_its_correlation_id(world: World):
    world.platform.hold("a")
    run_id = await world.start(graph([webhook("a", connectionId="c1"), mapper("b")], "a b"))
    (call,) = await world.platform.called("a")
    await world.runs.cancel(WORKSPACE, run_id)
    assert await lines_of(world, run_id) == [("a", "info", "The execution was stopped.")]
    ((told, memo),) = world.platform.stops
    assert (told.correlation_id, told.connection_id, memo) == (call.correlation_id, "c1", {})
    assert told.started_at == call.started_at
    (attempt,) = nodes_of(await world.ended(run_id))["a"].attempts
    assert attempt.ended_date == world.clock.ms
    assert failure_of(attempt)["code"] == "run_cancelled"


async def test_what_waits_for_a_callback_is_stopped_by_its_token(world: World):
    world.platform.on_call("a", STARTED)
    run_id = await world.start(graph([webhook("a", completion="callback"), wait("w")]))
    await world.waiting_at(run_id, "a")
    await world.parked(run_id)
    await world.runs.cancel(WORKSPACE, run_id)
    await world.at_rest()
    ((told, _),) = world.platform.stops
    assert told.callback_token == world.platform.calls[0].callback_token


async def test_an_execution_is_stopped_only_after_the_end_of_its_node_is_on_disk(world: World):
    """Otherwise a crash in between would leave a node that waits for what was stopped."""
    world.platform.on_call("a", STARTED)
    seen: list[str] = []

    async def look(_: object) -> str:
        seen.append(states_of(await world.runs.get(WORKSPACE, run_id))["a"])
        return "It was stopped."

    world.platform.on_cancel("a", look)
    held = world.platform.hold("b")
    run_id = await world.start(graph([polled(), webhook("b")]))
    await world.waiting_at(run_id, "a")
    held.answer(ProviderRefused("No."))
    assert (await world.ended(run_id)).summary.state == "FAILED"
    await world.at_rest()
    assert seen == ["CANCELLED"]


async def test_what_makes_no_calls_needs_no_stop(world: World):
    world.platform.on_call("a", DOWN)
    run_id = await world.start(graph([webhook("a", retryDelay=3_600_000), wait("w")]))
    await world.waiting_at(run_id, "a")
    await world.waiting_at(run_id, "w")
    await world.runs.cancel(WORKSPACE, run_id)
    await world.at_rest()
    assert world.platform.stops == []


async def test_what_a_failed_run_waits_for_is_stopped(world: World):
    world.platform.on_call("a", STARTED)
    run_id = await world.start(graph([polled(), wait("w")]))
    await world.waiting_at(run_id, "a")
    await world.parked(run_id)
    world.clock.ms += 3_600_000
    world.platform.on_look("a", Held())
    world.advance(0)
    run = await world.ended(run_id)
    assert (run.summary.state, states_of(run)["a"]) == ("FAILED", "CANCELLED")
    await world.stopped()
    assert [memo for _, memo in world.platform.stops] == [{"id": "77"}]


async def test_a_run_that_breaks_stops_what_it_has_begun(
    sqlite_world: World, monkeypatch: pytest.MonkeyPatch
):
    world = sqlite_world
    world.platform.on_call("a", STARTED)
    run_id = await world.start(graph([polled(), wait("w")]))
    await world.waiting_at(run_id, "a")
    await world.parked(run_id)

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("orchestrator_app.runner.segment.next_step", broken)
    world.dispatcher.enqueue(run_id)
    assert (await world.ended(run_id)).summary.state == "FAILED"
    await world.at_rest()
    assert [memo for _, memo in world.platform.stops] == [{"id": "77"}]


@pytest.mark.parametrize(
    ("step", "level", "message"),
    [
        (NotSupported("Make cannot stop one execution."), "info", "Make cannot stop one execution."),
        (
            ProviderRefused("There is no execution 77."),
            "warning",
            "The execution outside could not be stopped: There is no execution 77.",
        ),
        (
            ZeroDivisionError(),
            "warning",
            "The execution outside could not be stopped: the server's log says why.",
        ),
    ],
)
async def test_what_does_not_work_is_told_once(world: World, step: Exception, level: str, message: str):
    world.platform.on_call("a", STARTED)
    world.platform.on_cancel("a", step)
    run_id = await world.start(graph([polled()]))
    await world.parked(run_id)
    await world.runs.cancel(WORKSPACE, run_id)
    assert await lines_of(world, run_id) == [("a", level, message)]
    assert len(world.platform.stops) == 1


async def test_a_platform_that_is_down_is_told_again(world: World):
    world.platform.on_call("a", STARTED)
    world.platform.on_cancel("a", DOWN, DOWN, "Stopped at last.")
    run_id = await world.start(graph([polled()]))
    await world.parked(run_id)
    await world.runs.cancel(WORKSPACE, run_id)
    assert await lines_of(world, run_id) == [("a", "info", "Stopped at last.")]
    assert world.clock.pauses == list(stopping.PAUSES_SECONDS[:2])


async def test_a_platform_that_stays_away_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stopping, "TRY_SECONDS", 0.0)
    world.platform.on_call("a", STARTED)
    world.platform.on_cancel("a", Held())
    run_id = await world.start(graph([polled()]))
    await world.parked(run_id)
    await world.runs.cancel(WORKSPACE, run_id)
    sentence = "The execution outside could not be stopped: It did not answer within 0 s."
    assert await lines_of(world, run_id) == [("a", "warning", sentence)]
    assert world.clock.pauses == list(stopping.PAUSES_SECONDS)


async def test_a_log_that_cannot_be_written_ends_nothing(
    sqlite_world: World, caplog: pytest.LogCaptureFixture
):
    world = sqlite_world
    world.platform.on_call("a", STARTED)
    run_id = await world.start(graph([polled()]))
    await world.parked(run_id)
    world.store.failing("note", Unavailable("The database cannot be used right now."))
    await world.runs.cancel(WORKSPACE, run_id)
    assert await lines_of(world, run_id) == []
    assert "The execution was stopped." in caplog.text


@pytest.mark.parametrize("kind", ["prediction", "webhook", "flow"])
async def test_a_flow_that_is_called_by_its_address_alone_is_stopped(platforms: Platforms, kind: str):
    world, flowise = platforms.world, platforms.fake.flowise
    start = {"start": "webhook"} if kind == "webhook" else {}
    flow = flowise.add_flow("Slow", seconds=None, **start)
    path = f"/api/v1/{'prediction' if kind == 'flow' else kind}/{flow.id}"
    calling = node("a", "RemoteWebhook", provider="flowise", url=flowise.base + path)
    if kind == "flow":
        calling = node("a", "LocalFlow", baseURL=flowise.base, flowId=flow.id)
    run_id = await world.start(graph([calling]))
    await platforms.fake.arrived(flowise.prefix + path)
    await world.runs.cancel(WORKSPACE, run_id)
    said = "Flowise was told to stop the flow, which ends before its next step."
    assert await lines_of(world, run_id) == [("a", "info", said)]
    (run,) = flowise.runs
    assert run.is_aborted


async def test_the_end_of_the_process_waits_a_little_for_what_is_being_stopped(sqlite_world: World):
    world = sqlite_world
    held = Held()
    world.platform.on_call("a", STARTED)
    world.platform.on_cancel("a", held)
    run_id = await world.start(graph([polled()]))
    await world.parked(run_id)
    await world.runs.cancel(WORKSPACE, run_id)
    ending = asyncio.create_task(world.life.engine.stop(20))
    await asyncio.sleep(0)
    held.answer("n8n stopped execution 77.")
    await asyncio.wait_for(ending, stopping.CLOSE_SECONDS)
    run = await world.ended(run_id)
    assert run.logs[-1].message == "n8n stopped execution 77."


async def test_the_end_of_the_process_does_not_wait_long_for_a_platform_and_says_so(
    sqlite_world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(stopping, "CLOSE_SECONDS", 0.02)
    world = sqlite_world
    world.platform.on_call("a", STARTED)
    world.platform.on_cancel("a", Held())
    run_id = await world.start(graph([polled()]))
    await world.parked(run_id)
    await world.runs.cancel(WORKSPACE, run_id)
    await asyncio.wait_for(world.life.engine.stop(20), 5)
    run = await world.ended(run_id)
    assert run.summary.state == "CANCELLED"
    assert (run.logs[-1].level, run.logs[-1].message) == (
        "warning",
        "Orchestrator stopped before it could tell the platform to stop, so the execution may go on there.",
    )


async def test_a_database_that_is_away_does_not_hold_up_the_end_of_the_process(
    sqlite_world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(stopping, "CLOSE_SECONDS", 0.02)
    monkeypatch.setattr(stopping, "NOTE_SECONDS", 0.02)
    world = sqlite_world
    world.platform.on_call("a", STARTED)
    world.platform.on_cancel("a", Held())
    run_id = await world.start(graph([polled()]))
    await world.parked(run_id)
    await world.runs.cancel(WORKSPACE, run_id)
    world.store.before("note", asyncio.Event().wait)
    await asyncio.wait_for(world.life.engine.stop(20), 5)
    assert (await world.ended(run_id)).summary.state == "CANCELLED"
