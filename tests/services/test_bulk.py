import pytest

from orchestrator_app.errors import InvalidInput, OutcomeUnknown
from orchestrator_app.services import bulk
from orchestrator_app.services.bulk import Bulk, BulkResult
from orchestrator_app.storage.run_filters import RunsWanted
from tests.running import WORKSPACE, World, graph, mapper, wait, webhook


def bulk_of(world: World) -> Bulk:
    return Bulk(world.database, world.runs, world.interventions)


async def waiting(world: World, count: int) -> list[str]:
    """Runs that wait, the oldest first."""
    orchestrator_id = await world.keep(graph([wait("w")]))
    ids: list[str] = []
    for _ in range(count):
        world.clock.ms += 1
        ids.append((await world.runs.start(WORKSPACE, orchestrator_id, {}, trigger="api"))[0].id)
        await world.parked(ids[-1])
    return ids


async def states(world: World, ids: list[str]) -> list[str]:
    return [(await world.runs.get(WORKSPACE, run_id)).summary.state for run_id in ids]


async def test_more_runs_than_one_call_takes_are_left_for_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(bulk, "MOST_AT_ONCE", 2)
    monkeypatch.setattr(bulk, "_TOGETHER", 1)
    ids = await waiting(world, 5)
    many, everything = bulk_of(world), RunsWanted()
    assert await many.count(WORKSPACE, "cancel", everything) == 5
    first = await many.carry_out(WORKSPACE, "cancel", everything, trigger="ui")
    assert first == BulkResult(2, 0, (), 3, ids[3])
    assert await states(world, ids) == ["WAITING"] * 3 + ["CANCELLED"] * 2
    second = await many.carry_out(WORKSPACE, "cancel", everything, cursor=first.cursor, trigger="ui")
    assert second == BulkResult(2, 0, (), 1, ids[1])
    third = await many.carry_out(WORKSPACE, "cancel", everything, cursor=second.cursor, trigger="ui")
    assert third == BulkResult(1, 0, (), 0, "")
    assert await many.count(WORKSPACE, "cancel", everything) == 0


async def test_a_filter_that_nothing_can_be_done_to_changes_nothing(world: World):
    ids = await waiting(world, 1)
    done = await world.run(graph([mapper("a", x="=1")]))
    many = bulk_of(world)
    for wanted in (
        RunsWanted(states=["COMPLETED"]),
        RunsWanted(orchestrator_id=done.summary.orchestrator_id),
        RunsWanted(query="nothing like it"),
        RunsWanted(to_ms=1),
        RunsWanted(from_ms=world.clock.ms + 1),
    ):
        assert await many.count(WORKSPACE, "cancel", wanted) == 0
        assert await many.carry_out(WORKSPACE, "cancel", wanted, trigger="ui") == BulkResult(0, 0, (), 0, "")
    assert await many.count("another", "cancel", RunsWanted()) == 0
    assert await states(world, ids) == ["WAITING"]
    with pytest.raises(InvalidInput):
        await many.carry_out(WORKSPACE, "cancel", RunsWanted(states=["DONE"]), trigger="ui")


async def test_failed_runs_are_retried_but_not_what_must_be_decided_first(world: World):
    world.platform.can -= {"poll"}
    world.platform.on_call("lost", OutcomeUnknown("No answer came."))
    await world.run(graph([webhook("lost")]))
    world.platform.on_call("a", OutcomeUnknown("No answer came."), {"n": 1})
    failed = await world.run(graph([webhook("a", method="PUT", retryAttempts=0)]))
    await world.interventions.decide(WORKSPACE, failed.summary.id, "a", "fail", trigger="ui")
    result = await bulk_of(world).carry_out(WORKSPACE, "retry", RunsWanted(), trigger="ui")
    assert (result.done, result.refused) == (1, 1)
    assert "call of “lost” had its effect" in result.reasons[0]
    assert (await world.ended(failed.summary.id)).output == {"n": 1}
    assert len(world.platform.calls_of("lost")) == 1
