import asyncio

import pytest

from orchestrator_app.domain.remote import RemoteAnswer
from orchestrator_app.errors import Conflict, ProviderBusy
from tests.running import WORKSPACE, World, graph, mapper, messages_of, states_of, wait, webhook
from tests.steered import Held


async def cancelled(world: World, run_id: str):
    """The run after a cancel, when nobody works on it any more."""
    summary = await world.runs.cancel(WORKSPACE, run_id)
    assert summary.state == "CANCELLED"
    await world.at_rest()
    run = await world.ended(run_id)
    told = run.summary.seq - summary.seq
    assert told == len(world.platform.stops), "something else than what the platforms did was written"
    return run


async def test_a_cancel_cuts_the_calls_under_way(world: World):
    world.platform.hold("a")
    world.platform.hold("b")
    run_id = await world.start(graph([webhook("a"), webhook("b"), webhook("c")], "a c"))
    await world.platform.called("a")
    await world.platform.called("b")
    run = await cancelled(world, run_id)
    assert sorted(world.platform.cut) == ["a", "b"]
    assert states_of(run) == {"a": "CANCELLED", "b": "CANCELLED", "c": "SKIPPED"}
    attempts = [attempt for node in run.nodes for attempt in node.attempts]
    assert [(attempt.number, attempt.ended_date) for attempt in attempts] == [(1, world.clock.ms)] * 2
    stopped = "The execution was stopped."
    assert messages_of(run) == ["The run started.", "The run was cancelled.", stopped, stopped]
    assert run.summary.ended_date == world.clock.ms
    assert world.dispatcher.active == 0


async def test_a_waiting_run_is_cancelled(world: World):
    run_id = await world.start(graph([wait("w")]))
    await world.parked(run_id)
    run = await cancelled(world, run_id)
    assert states_of(run) == {"w": "CANCELLED"}
    world.advance(10_000_000)
    await world.at_rest()
    assert (await world.ended(run_id)).summary.seq == run.summary.seq


async def test_a_run_between_two_tries_is_cancelled(world: World):
    world.platform.on_call("a", ProviderBusy("Wait.", retry_after_seconds=600))
    run_id = await world.start(graph([webhook("a")]))
    await world.parked(run_id)
    await cancelled(world, run_id)
    world.advance(600_000)
    await world.at_rest()
    assert len(world.platform.calls) == 1


async def test_a_run_that_lingers_over_a_short_pause_is_cancelled(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", ProviderBusy("Wait.", retry_after_seconds=1.5))
    run_id = await world.start(graph([webhook("a")]))
    await world.waiting_at(run_id, "a")
    run = await cancelled(world, run_id)
    assert states_of(run) == {"a": "CANCELLED"}


async def test_a_polled_run_is_cancelled_in_the_middle_of_a_look(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", RemoteAnswer("running"))
    held = Held()
    world.platform.on_look("a", held)
    run_id = await world.start(graph([webhook("a", completion="poll", pollingInterval=100)]))
    await world.waiting_at(run_id, "a")
    world.advance(200)
    await world.platform.looked_at("a", 1)
    await world.runs.cancel(WORKSPACE, run_id)
    held.answer({"n": 1})
    await world.at_rest()
    run = await world.ended(run_id)
    assert (run.summary.state, states_of(run), run.output) == ("CANCELLED", {"a": "CANCELLED"}, None)
    world.advance(1_000_000)
    await world.at_rest()
    assert world.platform.looks_at("a") == 1


async def test_a_run_that_nobody_has_begun_is_cancelled(world: World):
    await world.crash()
    run_id = await world.start(graph([mapper("a", n="=1")]))
    summary = await world.runs.cancel(WORKSPACE, run_id)
    assert summary.state == "CANCELLED"
    await world.begin()
    await world.at_rest()
    assert states_of(await world.ended(run_id)) == {"a": "SKIPPED"}


async def test_a_run_that_waits_for_its_turn_is_cancelled(sqlite_world: World):
    world = sqlite_world
    world.run_concurrency = 1
    await world.restart()
    held = world.platform.hold("a")
    first = await world.start(graph([webhook("a")]))
    await world.platform.called("a")
    second = await world.start(graph([webhook("b")]))
    await world.runs.cancel(WORKSPACE, second)
    held.answer({})
    await world.ended(first)
    await world.at_rest()
    assert world.platform.calls_of("b") == []


async def test_an_ended_run_cannot_be_cancelled(world: World):
    run = await world.run(graph([mapper("a", n="=1")]))
    with pytest.raises(Conflict, match="The run has ended already: COMPLETED"):
        await world.runs.cancel(WORKSPACE, run.summary.id)
    assert (await world.ended(run.summary.id)).summary == run.summary


async def test_a_cancel_counts_even_if_its_hint_is_lost(world: World, monkeypatch: pytest.MonkeyPatch):
    held = world.platform.hold("a")
    monkeypatch.setattr(world.dispatcher, "cancel_hint", lambda _: None)
    run_id = await world.start(graph([webhook("a"), webhook("b")], "a b"))
    await world.platform.called("a")
    summary = await world.runs.cancel(WORKSPACE, run_id)
    held.answer({"n": 1})
    await world.at_rest()
    run = await world.ended(run_id)
    assert (run.summary.state, run.summary.seq) == ("CANCELLED", summary.seq + len(world.platform.stops))
    assert states_of(run) == {"a": "CANCELLED", "b": "SKIPPED"}
    assert world.platform.calls_of("b") == []


async def test_only_the_cancelled_run_ends(sqlite_world: World):
    world = sqlite_world
    held = world.platform.hold("a")
    first, second = await asyncio.gather(*(world.start(graph([webhook("a")])) for _ in range(2)))
    await world.platform.called("a", 2)
    await world.runs.cancel(WORKSPACE, first)
    held.answer({"n": 1})
    assert (await world.ended(second)).output == {"n": 1}
    assert world.platform.cut == ["a"]
