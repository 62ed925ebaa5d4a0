"""Who may write about a run, and that no event is lost between two that look at it."""

import asyncio
from collections.abc import Sequence

import pytest

from orchestrator_app.domain.ports import ClaimedRun
from orchestrator_app.domain.runs import AttemptStarted, Fact
from orchestrator_app.errors import ProviderBusy
from orchestrator_app.runner import node_work
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.sql import text
from tests.running import (
    WORKSPACE,
    Life,
    World,
    graph,
    mapper,
    messages_of,
    nodes_of,
    open_world,
    states_of,
    token_in,
    wait,
    webhook,
)


async def test_a_callback_between_the_last_look_and_the_parking_is_not_lost(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    # The run is told of the callback neither before nor after: only what is on disk tells.
    async def arrive() -> None:
        token = (await world.tokens_of(run_id))["w"][0]
        monkeypatch.setattr(world.dispatcher, "enqueue", lambda _: None)
        assert await world.call_back(run_id, token, {"ok": True}) == "accepted"

    run_id = ""
    world.store.before("park", arrive)
    held = world.platform.hold("a")
    run_id = await world.start(graph([webhook("a"), wait("w")], "a w"))
    await world.platform.called("a")
    held.answer({})
    assert (await world.ended(run_id)).output == {"ok": True}


async def test_a_callback_right_after_the_parking_is_not_lost(world: World):
    run_id = await world.start(graph([wait("w"), wait("x")], "w x"))
    for name in ("w", "x"):
        # As soon as the wait is on disk the callback comes, while the run is about to be parked.
        run = await world.waiting_at(run_id, name)
        await world.call_back(run_id, token_in(nodes_of(run)[name].callback_url), {"of": name})
    assert (await world.ended(run_id)).output == {"of": "x"}


async def test_many_callbacks_at_the_same_time_are_all_taken(world: World):
    names = [f"w{number}" for number in range(12)]
    run_id = await world.start(graph([wait(name) for name in names]))
    tokens = await world.until(run_id, lambda run: set(states_of(run).values()) == {"WAITING"})
    urls = {view.node_id: token_in(view.callback_url) for view in tokens.nodes}
    await asyncio.gather(*(world.call_back(run_id, urls[name], {name: 1}) for name in names))
    assert (await world.ended(run_id)).output == dict.fromkeys(names, 1)


async def test_what_is_enqueued_while_it_is_advanced_is_advanced_once_more(world: World):
    held = world.platform.hold("a")
    run_id = await world.start(graph([webhook("a"), wait("w")], "a w"))
    await world.platform.called("a")
    for _ in range(3):
        world.dispatcher.enqueue(run_id)
    held.answer({})
    await world.parked(run_id)
    assert len(world.platform.calls) == 1


async def test_a_callback_does_not_disturb_what_works(world: World):
    held = world.platform.hold("a")
    run_id = await world.start(graph([webhook("a"), wait("w"), mapper("b", got="data.n")], "w b"))
    run = await world.waiting_at(run_id, "w")
    await world.call_back(run_id, token_in(nodes_of(run)["w"].callback_url), {"n": 5})
    run = await world.until(run_id, lambda run: states_of(run)["b"] == "COMPLETED")
    assert states_of(run)["a"] == "RUNNING"
    assert world.platform.cut == []
    held.answer({"a": 1})
    assert (await world.ended(run_id)).output == {"a": 1, "got": 5}


async def test_a_worker_whose_run_was_taken_over_writes_nothing_more(world: World):
    held = world.platform.hold("a")
    run_id = await world.start(graph([webhook("a", method="PUT"), webhook("b")], "a b"), {"n": 1})
    await world.platform.called("a")
    # Another process takes the run, while this one still works on it.
    other = Life(world, world.gateway)
    world.platform.on_call("a", {"by": "the other"})
    await other.engine.start()
    run = await world.ended(run_id)
    held.answer({"by": "the first"})
    await world.at_rest()
    assert run.output == {"by": "the other"}
    after = await world.ended(run_id)
    assert after.summary.seq == run.summary.seq
    assert nodes_of(after)["a"].output == {"by": "the other"}
    assert len(world.platform.calls_of("b")) == 1
    await other.engine.stop(0)


@pytest.mark.parametrize("taken_by", ["", "other"])
async def test_who_was_held_between_the_commit_and_the_call_asks_whether_the_run_is_still_its_own(
    sqlite_world: World, monkeypatch: pytest.MonkeyPatch, taken_by: str
):
    world = sqlite_world
    record, seconds = world.store.record, [0.0]

    async def recorded_and_held(run: ClaimedRun, facts: Sequence[Fact]) -> None:
        await record(run, facts)
        if any(isinstance(fact, AttemptStarted) for fact in facts):
            seconds[0] += 60.0
            if taken_by:
                await Life(world, world.gateway).store.claim(run.run_id, taken_by)

    monkeypatch.setattr(world.store, "record", recorded_and_held)
    monkeypatch.setattr(node_work, "monotonic", lambda: seconds[0])
    run_id = await world.start(graph([webhook("a")]))
    if taken_by:
        await world.at_rest()
    else:
        await world.ended(run_id)
    assert len(world.platform.calls_of("a")) == (0 if taken_by else 1)


async def test_a_stale_worker_cannot_park_the_run(world: World):
    other = Life(world, world.gateway)

    async def take_over() -> None:
        await other.store.claim(run_id, "other")

    run_id = ""
    held = world.platform.hold("a")
    run_id = await world.start(graph([webhook("a"), wait("w")], "a w"))
    await world.platform.called("a")
    world.store.before("park", take_over)
    held.answer({})
    await world.waiting_at(run_id, "w")
    await world.at_rest()
    assert (await world.runs.get(WORKSPACE, run_id)).summary.state == "RUNNING"


async def test_a_stale_worker_cuts_its_other_calls(sqlite_world: World):
    world = sqlite_world
    held = world.platform.hold("a")
    world.platform.hold("b")
    run_id = await world.start(graph([webhook("a"), webhook("b")]))
    await world.platform.called("a")
    await world.platform.called("b")
    await Life(world, world.gateway).store.claim(run_id, "other")
    held.answer({})
    await world.at_rest()
    assert world.platform.cut == ["b"]


async def test_two_processes_on_one_database_share_no_work(database: Database):
    async with open_world(database) as first, open_world(database) as second:
        runs = [await first.run(graph([mapper("a", n="data.n")]), {"n": n}) for n in range(3)]
        runs += [await second.run(graph([mapper("a", n="data.n")]), {"n": n}) for n in range(3)]
    assert [run.output for run in runs] == [{"n": n} for n in (0, 1, 2, 0, 1, 2)]
    assert all(messages_of(run) == ["The run started.", "The run completed."] for run in runs)


async def test_a_run_that_does_not_exist_or_has_ended_is_left_alone(world: World):
    run = await world.run(graph([mapper("a", n="=1")]))
    await world.life.engine.advance("no-such-run")
    await world.life.engine.advance(run.summary.id)
    assert (await world.ended(run.summary.id)).summary.seq == run.summary.seq


async def test_a_stop_lets_calls_end_within_the_grace_and_starts_nothing_new(world: World):
    held = world.platform.hold("a")
    run_id = await world.start(graph([webhook("a"), webhook("b")], "a b"), {"n": 1})
    await world.platform.called("a")
    stopping = asyncio.create_task(world.life.engine.stop(20))
    await asyncio.sleep(0)
    held.answer({"n": 2})
    await stopping
    run = await world.runs.get(WORKSPACE, run_id)
    assert states_of(run) == {"a": "COMPLETED", "b": "PENDING"}
    assert run.summary.state == "RUNNING"
    assert world.platform.cut == []
    await world.begin()
    assert (await world.ended(run_id)).output == {"n": 2}
    assert len(world.platform.calls_of("a")) == 1


async def test_after_the_grace_calls_are_cut_and_taken_up_at_the_next_start(world: World):
    world.platform.hold("a")
    run_id = await world.start(graph([webhook("a", method="PUT")]), {"n": 1})
    await world.platform.called("a")
    await world.life.engine.stop(0)
    assert world.platform.cut == ["a"]
    run = await world.runs.get(WORKSPACE, run_id)
    assert (run.summary.state, states_of(run)) == ("RUNNING", {"a": "RUNNING"})
    world.platform.on_call("a", {"n": 2})
    await world.begin()
    assert (await world.ended(run_id)).output == {"n": 2}


async def test_a_stopping_process_takes_no_callback_up_but_the_next_one_does(sqlite_world: World):
    world = sqlite_world
    held = world.platform.hold("a")
    run_id = await world.start(graph([webhook("a"), wait("w")]))
    run = await world.waiting_at(run_id, "w")
    stopping = asyncio.create_task(world.life.engine.stop(20))
    await asyncio.sleep(0)
    await world.call_back(run_id, token_in(nodes_of(run)["w"].callback_url), {"ok": True})
    held.answer({"a": 1})
    await stopping
    assert states_of(await world.runs.get(WORKSPACE, run_id)) == {"a": "COMPLETED", "w": "WAITING"}
    await world.begin()
    assert (await world.ended(run_id)).output == {"a": 1, "ok": True}


async def test_a_short_pause_ends_without_anybody_saying_so(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", ProviderBusy("Wait.", retry_after_seconds=0.05), {"n": 1})
    run_id = await world.start(graph([webhook("a")]))
    await world.waiting_at(run_id, "a")
    world.clock.ms += 50
    assert (await world.ended(run_id)).output == {"n": 1}


async def test_a_wait_without_a_deadline_is_ended_by_its_callback_alone(world: World):
    run_id = await world.start(graph([wait("w")]))
    token = token_in((await world.parked(run_id)).nodes[0].callback_url)
    without = text("UPDATE node_run SET wake_at = NULL")
    await world.database.write(lambda connection: connection.execute(without))
    world.advance(10_000_000)
    run = await world.parked(run_id)
    assert (run.summary.wake_at, run.nodes[0].state) == (None, "WAITING")
    await world.call_back(run_id, token, {"n": 1})
    assert (await world.ended(run_id)).output == {"n": 1}


async def test_a_stop_ends_a_run_that_lingers_over_a_short_pause(sqlite_world: World):
    world = sqlite_world
    world.platform.on_call("a", ProviderBusy("Wait.", retry_after_seconds=1))
    run_id = await world.start(graph([webhook("a")]))
    await world.waiting_at(run_id, "a")
    await asyncio.wait_for(world.life.engine.stop(20), 1)
    assert (await world.runs.get(WORKSPACE, run_id)).summary.state == "RUNNING"


async def test_a_run_that_lingers_makes_room_for_others(sqlite_world: World):
    world = sqlite_world
    world.run_concurrency = 1
    await world.restart()
    held = world.platform.hold("a")
    run_id = await world.start(graph([webhook("a")]))
    await world.platform.called("a")
    other = await world.start(graph([mapper("b", n="=1")]))
    held.answer(ProviderBusy("Wait.", retry_after_seconds=1.5))
    assert (await world.ended(other)).output == {"n": 1}
    await world.runs.cancel(WORKSPACE, run_id)


async def test_a_run_cancelled_right_before_it_is_claimed_stays_cancelled(world: World):
    async def cancel() -> None:
        await world.runs.cancel(WORKSPACE, run_id)

    run_id = await world.start(graph([wait("w")]))
    await world.parked(run_id)
    world.store.before("claim", cancel)
    world.dispatcher.enqueue(run_id)
    await world.at_rest()
    assert (await world.ended(run_id)).summary.state == "CANCELLED"


async def test_a_run_cancelled_right_before_it_takes_a_callback_stays_cancelled(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    async def cancel() -> None:
        await world.runs.cancel(WORKSPACE, run_id)

    # Nobody tells the worker: it must find out by itself.
    monkeypatch.setattr(world.dispatcher, "cancel_hint", lambda _: None)
    world.platform.hold("a")
    run_id = await world.start(graph([webhook("a"), wait("w")]))
    run = await world.waiting_at(run_id, "w")
    world.store.before("arrivals", cancel)
    await world.call_back(run_id, token_in(nodes_of(run)["w"].callback_url), {})
    run = await world.ended(run_id)
    await world.at_rest()
    assert states_of(run) == {"a": "CANCELLED", "w": "CANCELLED"}
    assert world.platform.cut == ["a"]
