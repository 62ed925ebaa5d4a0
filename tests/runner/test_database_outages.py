import gc

import pytest

from orchestrator_app.errors import InvalidInput, LeaseLost, Unavailable
from orchestrator_app.runner import segment
from orchestrator_app.runner.dispatcher import LocalDispatcher
from tests.running import (
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

AWAY = Unavailable("The database cannot be used right now.")


async def test_an_outcome_is_kept_until_the_database_takes_it(world: World, caplog: pytest.LogCaptureFixture):
    held = world.platform.hold("a")
    run_id = await world.start(graph([webhook("a"), mapper("b", got="data.n")], "a b"))
    await world.platform.called("a")
    world.store.failing("record", *[AWAY] * 7)
    held.answer({"n": 1})
    run = await world.ended(run_id)
    assert run.output == {"got": 1}
    assert len(world.platform.calls) == 1
    assert len(run.nodes[0].attempts) == 1
    assert world.clock.pauses == [0.1, 0.5, 1.0, 2.0, 5.0, 5.0, 5.0]
    assert f"run {run_id} waits 0.1 s for the database" in caplog.text
    assert messages_of(run) == ["The run started.", "The run completed."]


async def test_nothing_is_sent_before_its_attempt_is_on_disk(world: World):
    seen: list[int] = []

    async def look() -> None:
        seen.append(len(world.platform.calls))
        raise AWAY

    # The first write says that the call is about to leave.
    world.store.before("record", look, look)
    run = await world.run(graph([webhook("a")]), {"n": 1})
    assert run.summary.state == "COMPLETED"
    assert seen == [0, 0]
    assert len(world.platform.calls) == 1


async def test_a_run_that_cannot_be_claimed_now_is_claimed_later(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(LocalDispatcher, "claim_name", lambda _: "")  # as while others wait for their turn
    world.store.failing("claim", AWAY)
    run_id = await world.start(graph([mapper("a", n="=1")]))
    await world.at_rest()
    assert f"run {run_id} pauses: {AWAY.message}" in caplog.text
    world.advance(999)
    await world.at_rest()
    assert (await world.runs.get("default", run_id)).summary.state == "PENDING"
    world.advance(1)
    assert (await world.ended(run_id)).output == {"n": 1}


async def test_a_run_that_cannot_be_parked_now_is_parked_later(world: World):
    world.store.failing("park", AWAY, AWAY)
    run_id = await world.start(graph([wait("w")]))
    run = await world.parked(run_id)
    assert run.nodes[0].state == "WAITING"
    assert world.clock.pauses == [0.1, 0.5]


async def test_calls_are_not_cut_because_a_callback_cannot_be_read_now(world: World):
    held = world.platform.hold("a")
    run_id = await world.start(graph([webhook("a"), wait("w")]))
    run = await world.waiting_at(run_id, "w")
    world.store.failing("arrivals", AWAY, AWAY)
    await world.call_back(run_id, token_in(nodes_of(run)["w"].callback_url), {"w": 1})
    await world.until(run_id, lambda run: states_of(run)["w"] == "COMPLETED")
    assert world.platform.cut == []
    held.answer({"a": 1})
    run = await world.ended(run_id)
    assert run.output == {"a": 1, "w": 1}
    assert len(world.platform.calls) == 1


async def test_a_result_that_the_database_does_not_take_fails_its_node(sqlite_world: World):
    world = sqlite_world
    held = world.platform.hold("a")
    run_id = await world.start(graph([webhook("a")]))
    await world.platform.called("a")
    # Together with the end of the run, then alone.
    world.store.failing("record", *[InvalidInput("The database cannot hold this.")] * 2)
    held.answer({"odd": 1})
    run = await world.ended(run_id)
    assert failure_of(run.nodes[0])["message"] == "The database cannot hold this."
    (attempt,) = run.nodes[0].attempts
    assert attempt.ended_date is not None
    assert run.nodes[0].input is None


async def test_a_wait_that_the_database_does_not_take_fails_its_node(sqlite_world: World):
    world = sqlite_world

    async def refuse() -> None:
        raise InvalidInput("The database cannot hold this.")

    async def pass_by() -> None:
        return

    # Together, then what opens the wait alone, then what parks the node.
    world.store.before("record", refuse, pass_by, refuse)
    run = await world.run(graph([wait("w")]), {"n": 1})
    assert failure_of(run.nodes[0])["code"] == "invalid_input"
    assert run.nodes[0].input == {"n": 1}


async def test_a_mistake_of_ours_ends_the_run_and_is_found_in_the_log(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    # Also on a slow machine the end of a is written together with what follows from it.
    monkeypatch.setattr(segment, "NOTED_SECONDS", 0.5)
    held = world.platform.hold("a")
    world.platform.hold("b")
    run_id = await world.start(graph([webhook("a"), webhook("b"), webhook("c"), wait("w")], "a c"))
    await world.platform.called("b")
    await world.waiting_at(run_id, "w")
    # The end of the one node is written with the beginning of the next, however slow this machine is.
    monkeypatch.setattr(segment, "NOTED_SECONDS", 0.5)
    world.store.failing("record", RuntimeError("first"), RuntimeError("second"))
    held.answer({})
    run = await world.ended(run_id)
    assert run.summary.state == "FAILED"
    failure = failure_of(run.summary)
    assert failure["code"] == "internal_error"
    reference = failure["hint"].removesuffix(".").split()[-1]
    assert f"run {run_id} broke ({reference})" in caplog.text
    assert states_of(run) == {"a": "COMPLETED", "b": "CANCELLED", "c": "FAILED", "w": "CANCELLED"}
    assert world.platform.cut == ["b"]
    assert nodes_of(run)["b"].attempts[0].failure == failure
    assert nodes_of(run)["c"].attempts == ()
    assert "An unexpected error happened inside Orchestrator." in messages_of(run)


async def test_a_run_whose_end_cannot_be_written_is_taken_up_again(
    world: World, caplog: pytest.LogCaptureFixture
):
    async def fail() -> None:
        raise RuntimeError("a mistake of ours")

    # The end of the run with all that led to it, and the end because of the mistake.
    world.store.before("record", fail, fail)
    run_id = await world.start(graph([mapper("a", n="=1")]))
    await world.at_rest()
    assert f"advancing run {run_id} failed" in caplog.text
    assert (await world.runs.get("default", run_id)).summary.state == "RUNNING"
    world.advance(30_000)
    assert (await world.ended(run_id)).output == {"n": 1}


async def test_who_lost_the_run_does_not_end_it(sqlite_world: World, caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO")
    world = sqlite_world
    world.store.failing("record", LeaseLost("Taken over."))
    run_id = await world.start(graph([mapper("a", n="=1")]))
    await world.at_rest()
    assert f"run {run_id} was cancelled or taken over" in caplog.text
    assert (await world.runs.get("default", run_id)).summary.state == "RUNNING"


async def test_who_lost_the_run_leaves_no_error_behind_that_nobody_looked_at(
    sqlite_world: World, caplog: pytest.LogCaptureFixture
):
    world = sqlite_world
    world.store.failing("record", LeaseLost("Taken over."))
    await world.start(graph([webhook("a")]))
    await world.at_rest()
    gc.collect()
    assert "never retrieved" not in caplog.text


async def test_what_is_refused_is_not_reported_as_overlooked(world: World, caplog: pytest.LogCaptureFixture):
    world.store.failing("record", RuntimeError("a mistake of ours"))
    run = await world.ended(await world.start(graph([webhook("a")])))
    await world.at_rest()
    gc.collect()
    assert run.summary.state == "FAILED"
    assert "never retrieved" not in caplog.text


async def test_what_follows_from_a_result_that_is_refused_does_not_happen(
    sqlite_world: World, monkeypatch: pytest.MonkeyPatch
):
    world = sqlite_world
    held = world.platform.hold("a")
    run_id = await world.start(graph([webhook("a"), webhook("b")], "a b"))
    await world.platform.called("a")
    monkeypatch.setattr(
        segment, "NOTED_SECONDS", 5.0
    )  # the end of the one comes with the beginning of the other
    world.store.failing("record", *[InvalidInput("The database cannot hold this.")] * 2)
    held.answer({"odd": 1})
    run = await world.ended(run_id)
    assert states_of(run) == {"a": "FAILED", "b": "SKIPPED"}
    assert len(world.platform.calls) == 1
