import pytest

from orchestrator_app.domain.ports import NodeRecord
from orchestrator_app.domain.remote import RemoteAnswer
from orchestrator_app.domain.runs import NodeState
from orchestrator_app.errors import ProviderUnavailable
from orchestrator_app.runner import limits
from orchestrator_app.runner.limits import OutputRoom
from orchestrator_app.storage import orchestrator_settings
from tests.running import (
    WORKSPACE,
    World,
    failure_of,
    graph,
    mapper,
    messages_of,
    nodes_of,
    states_of,
    token_in,
    wait,
    webhook,
)

HOUR = 3_600_000


async def begun(world: World, definition: object, deadline_ms: int | None = HOUR) -> str:
    """The id of a run of an orchestrator with a deadline."""
    orchestrator_id = await world.keep(definition)  # pyright: ignore[reportArgumentType]
    await world.database.write(
        lambda connection: orchestrator_settings.put_limits(
            connection, WORKSPACE, orchestrator_id, concurrency=None, deadline_ms=deadline_ms, now=1
        )
    )
    summary, _ = await world.runs.start(WORKSPACE, orchestrator_id, {}, trigger="api")
    return summary.id


async def test_a_waiting_run_past_its_deadline_fails_in_words(world: World):
    run_id = await begun(
        world, graph([mapper("a", got="data"), wait("w"), mapper("b", got="data")], "a w, w b")
    )
    token = token_in((await world.parked(run_id)).nodes[1].callback_url)
    world.advance(HOUR - 1)
    assert (await world.parked(run_id)).summary.state == "WAITING"
    world.advance(1)
    run = await world.ended(run_id)
    assert run.summary.state == "FAILED"
    assert failure_of(run.summary)["code"] == "run_deadline"
    assert "deadline" in messages_of(run)[-1]
    assert states_of(run) == {"a": "COMPLETED", "w": "CANCELLED", "b": "SKIPPED"}
    with pytest.raises(Exception, match="no such callback"):
        await world.call_back(run_id, token)


async def test_calls_under_way_are_cut_and_their_platforms_told(world: World):
    world.platform.hold("a")
    run_id = await begun(world, graph([webhook("a", connectionId="c1"), mapper("b", got="data")], "a b"))
    (call,) = await world.platform.called("a")
    world.advance(HOUR)
    run = await world.ended(run_id)
    assert failure_of(run.summary)["code"] == "run_deadline"
    (attempt,) = nodes_of(run)["a"].attempts
    assert failure_of(attempt)["code"] == "run_deadline"
    assert attempt.ended_date == world.clock.ms
    await world.at_rest()
    ((told, memo),) = world.platform.stops
    assert (told.correlation_id, memo) == (call.correlation_id, {})


async def test_what_is_polled_is_stopped_at_the_deadline(world: World):
    world.platform.on_call("a", RemoteAnswer("running", remote_id="77", memo={"id": "77"}))
    run_id = await begun(
        world, graph([webhook("a", completion="poll", pollingInterval=HOUR * 24, connectionId="c1")])
    )
    await world.parked(run_id)
    world.advance(HOUR)
    assert failure_of((await world.ended(run_id)).summary)["code"] == "run_deadline"
    await world.at_rest()
    assert [memo for _, memo in world.platform.stops] == [{"id": "77"}]


async def test_a_deadline_that_passed_while_the_process_was_down_counts(world: World):
    world.platform.hold("a")
    run_id = await begun(world, graph([webhook("a", idempotent=True)]))
    await world.platform.called("a")
    await world.crash()
    world.clock.ms += HOUR
    await world.begin()
    run = await world.ended(run_id)
    assert failure_of(run.summary)["code"] == "run_deadline"
    # It is not called again before that.
    assert len(world.platform.calls) == 1


async def test_a_short_wait_is_not_lingered_beyond_the_deadline(world: World):
    run_id = await begun(world, graph([wait("w")]), deadline_ms=50)
    await world.until(run_id, lambda run: bool(run.nodes[0].callback_url))
    world.advance(50)
    assert failure_of((await world.ended(run_id)).summary)["code"] == "run_deadline"


async def test_a_run_that_is_done_in_time_knows_nothing_of_it(world: World):
    run_id = await begun(world, graph([mapper("a", got="data")]))
    assert (await world.ended(run_id)).summary.state == "COMPLETED"
    world.advance(HOUR)
    assert (await world.runs.get(WORKSPACE, run_id)).summary.state == "COMPLETED"


async def test_a_failed_node_keeps_its_own_reason_when_nothing_else_is_open(world: World):
    world.platform.on_call("a", ProviderUnavailable("It is down."))
    run_id = await begun(world, graph([webhook("a", retryAttempts=0)]))
    run = await world.ended(run_id)
    assert failure_of(run.summary)["code"] == "provider_unavailable"


async def test_the_outputs_of_a_run_have_one_limit_together(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "MAX_RUN_BYTES", 250)
    text = "x" * 100
    chain = graph([mapper(name, text=f"'{text}'") for name in "abc"], "a b, b c")
    run = await world.run(chain)
    assert states_of(run) == {"a": "COMPLETED", "b": "COMPLETED", "c": "FAILED"}
    assert failure_of(nodes_of(run)["c"])["code"] == "run_too_large"


async def test_what_was_given_out_before_a_restart_counts_too(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "MAX_RUN_BYTES", 250)
    text = "x" * 150
    run_id = await world.start(graph([mapper("a", text=f"'{text}'"), wait("w")], "a w"))
    run = await world.parked(run_id)
    await world.restart()
    await world.call_back(run_id, token_in(run.nodes[1].callback_url), {"text": text})
    run = await world.ended(run_id)
    assert failure_of(nodes_of(run)["w"])["code"] == "run_too_large"


def test_room_is_counted_anew_when_something_was_taken_back(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "MAX_RUN_BYTES", 10)
    records = {"a": NodeRecord("a", NodeState.COMPLETED, output="12")}
    room = OutputRoom(records)
    room.take(6)
    with pytest.raises(limits.NodeFailed, match="at most 10"):
        room.take(1)
    room.count_anew()
    room.take(6)


async def test_a_run_makes_so_many_attempts_and_no_more(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "MAX_ATTEMPTS", 2)
    world.platform.on_call("a", ProviderUnavailable("It is down."), RemoteAnswer("completed"))
    run_id = await world.start(graph([webhook("a", retryDelay=1), webhook("b")], "a b"))
    run = await world.until(run_id, lambda run: bool(run.nodes[0].attempts) or run.summary.state == "FAILED")
    while run.summary.state != "FAILED":
        world.advance(60_000)
        run = await world.runs.get(WORKSPACE, run_id)
    assert len(world.platform.calls) == 2
    assert failure_of(nodes_of(run)["b"])["code"] == "too_many_attempts"
