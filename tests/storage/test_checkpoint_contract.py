"""What every checkpoint store must do; another implementation joins by another ``journal``."""

import asyncio
from typing import Any

import pytest

from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.domain.ports import ClaimedRun, NodeRecord
from orchestrator_app.domain.runs import (
    AttemptEnded,
    AttemptStarted,
    Fact,
    Failure,
    Logged,
    NodeEnded,
    NodeParked,
    NodeStarted,
    NodeState,
    RunEnded,
    RunState,
    WaitOpened,
)
from orchestrator_app.errors import LeaseLost
from tests.storage.journal import GRAPH, Journal

LARGE: JsonValue = {"text": "x" * 20_000}
FAILURE = Failure("node_failed", "It failed.", "Try again.", {"status": 500})
ENDS = [RunState.COMPLETED, RunState.FAILED, RunState.CANCELLED]


async def claim(journal: Journal, run_id: str = "", data: Any = None) -> ClaimedRun:
    run = await journal.store.claim(run_id or await journal.new_run(data), "me")
    assert run is not None
    return run


async def end(journal: Journal, state: RunState) -> ClaimedRun:
    run = await claim(journal)
    if state is RunState.CANCELLED:
        assert await journal.cancel(run.run_id)
    else:
        await journal.store.record(run, [RunEnded(state, journal.now)])
    return run


async def with_wait(journal: Journal) -> ClaimedRun:
    run = await claim(journal)
    await journal.store.record(run, [WaitOpened("wait-1", "b", 0, "cb_1", journal.now)])
    run.waits = await journal.store.arrivals(run)
    return run


# --- claim ---


async def test_a_new_run_is_claimed_with_its_input_and_its_graph(journal: Journal):
    run_id = await journal.new_run({"order": 1})
    run = await claim(journal, run_id)
    assert (run.epoch, run.wake, run.seq, run.is_new) == (1, 0, 1, True)
    assert (run.input, run.definition, run.nodes, run.waits, run.variables) == (
        {"order": 1},
        GRAPH,
        {},
        [],
        {},
    )
    assert (run.orchestrator_name, run.created_at) == ("Nightly", 1_000)
    row = await journal.run(run_id)
    assert (row.state, row.seq, row.started_date) == ("RUNNING", 1, 1_000)
    assert journal.changes == [(run.workspace_id, run.orchestrator_id, run_id, 1)]


async def test_a_run_that_is_claimed_again_goes_over_to_the_new_owner(journal: Journal):
    first = await claim(journal)
    journal.now = 2_000
    second = await claim(journal, first.run_id)
    assert (second.epoch, second.is_new, second.seq) == (2, False, 2)
    assert (await journal.run(first.run_id)).started_date == 1_000


async def test_a_run_that_does_not_exist_cannot_be_claimed(journal: Journal):
    assert await journal.store.claim("nobody", "me") is None
    assert journal.changes == []


@pytest.mark.parametrize("state", ENDS)
async def test_a_run_that_has_ended_cannot_be_claimed(journal: Journal, state: RunState):
    run = await end(journal, state)
    before = await journal.everything(run.run_id)
    assert await journal.store.claim(run.run_id, "me") is None
    assert await journal.everything(run.run_id) == before


async def test_only_one_of_many_who_claim_at_once_may_go_on(journal: Journal):
    run_id = await journal.new_run()
    claimed = await asyncio.gather(*(claim(journal, run_id) for _ in range(10)))
    assert sorted(run.epoch for run in claimed) == list(range(1, 11))
    last = max(claimed, key=lambda run: run.epoch)
    results = await asyncio.gather(
        *(journal.store.record(run, [Logged(f"epoch {run.epoch}", 1)]) for run in claimed),
        return_exceptions=True,
    )
    assert [type(result) for result in results].count(LeaseLost) == 9
    assert await journal.log(run_id) == [f"epoch {last.epoch}"]


async def test_a_claim_brings_everything_that_is_known(journal: Journal):
    run = await with_wait(journal)
    facts: tuple[Fact, ...] = (
        NodeStarted("a", LARGE, 1_001),
        AttemptStarted("a", 1, {"url": "x"}, 1_002),
        AttemptEnded(
            "a", 1, 1_003, status_code=500, response={"body": "no"}, failure=FAILURE, next_try_at=2_000
        ),
        NodeParked("a", "retry", 2_000, {"poll": 3}, 1_004),
        NodeStarted("b", {"b": 1}, 1_005),
        AttemptStarted("b", 1, {}, 1_006),
        NodeEnded(
            "c",
            NodeState.FAILED,
            1_007,
            output=LARGE,
            handles=("error",),
            failure=FAILURE,
            input=1,
            has_input=True,
        ),
    )
    await journal.store.record(run, facts)
    assert await journal.arrive(run.run_id, "cb_1", {"ok": True}) == "accepted"
    again = await claim(journal, run.run_id)
    assert again.nodes == {
        "a": NodeRecord(
            "a",
            NodeState.WAITING,
            attempt=1,
            input=LARGE,
            wait_reason="retry",
            wake_at=2_000,
            memo={"poll": 3},
            started_at=1_001,
        ),
        "b": NodeRecord(
            "b",
            NodeState.RUNNING,
            attempt=1,
            attempt_is_open=True,
            attempt_began_at=1_006,
            input={"b": 1},
            started_at=1_005,
        ),
        "c": NodeRecord(
            "c",
            NodeState.FAILED,
            input=1,
            output=LARGE,
            handles=("error",),
            failure=FAILURE,
            started_at=1_007,
            ended_at=1_007,
        ),
    }
    (wait,) = again.waits
    assert (wait.wait_id, wait.node_id, wait.number, wait.token) == ("wait-1", "b", 0, "cb_1")
    assert (wait.has_arrived, wait.body, wait.received_at) == (True, {"ok": True}, 1_000)
    assert again.wake == 1


# --- record ---


async def test_each_record_is_one_change_however_many_facts_it_has(journal: Journal):
    run = await claim(journal)
    for facts in ([Logged("one", 1)], [Logged("two", 1), Logged("three", 1), NodeStarted("a", None, 1)], []):
        before = run.seq
        await journal.store.record(run, facts)
        assert run.seq == before + 1 == (await journal.run(run.run_id)).seq
        assert journal.changes[-1] == (run.workspace_id, run.orchestrator_id, run.run_id, run.seq)
    assert await journal.log(run.run_id) == ["one", "two", "three"]


async def test_the_facts_of_a_record_are_written_all_or_not_at_all(journal: Journal):
    run = await claim(journal)
    before, changes = await journal.everything(run.run_id), list(journal.changes)
    unwritable: Any = {"request": object()}
    facts = [NodeStarted("a", LARGE, 1), Logged("x", 1), AttemptStarted("a", 1, unwritable, 1)]
    with pytest.raises(TypeError):
        await journal.store.record(run, facts)
    assert await journal.everything(run.run_id) == before
    assert journal.changes == changes


EVERY_FACT: tuple[Fact, ...] = (
    Logged("late", 9),
    NodeStarted("b", LARGE, 9),
    AttemptStarted("a", 2, {}, 9),
    AttemptEnded("a", 1, 9, status_code=200),
    NodeParked("a", "poll", 99, {}, 9),
    NodeEnded("a", NodeState.COMPLETED, 9, output=LARGE),
    WaitOpened("wait-2", "b", 0, "cb_2", 9),
    RunEnded(RunState.COMPLETED, 9, output=LARGE),
)


@pytest.mark.parametrize("how", ["taken over", "cancelled", "ended"])
async def test_who_lost_a_run_can_change_nothing(journal: Journal, how: str):
    run = await with_wait(journal)
    await journal.store.record(run, [NodeStarted("a", None, 1), AttemptStarted("a", 1, {}, 1)])
    if how == "taken over":
        await claim(journal, run.run_id)
    elif how == "cancelled":
        await journal.cancel(run.run_id)
    else:
        await journal.store.record(run, [RunEnded(RunState.FAILED, 1, failure=FAILURE)])
    before, changes = await journal.everything(run.run_id), list(journal.changes)
    records = [journal.store.record(run, [fact]) for fact in EVERY_FACT]
    others = [journal.store.record(run, []), journal.store.park(run, 99, 9), journal.store.arrivals(run)]
    results = await asyncio.gather(*records, *others, return_exceptions=True)
    assert {type(result) for result in results} == {LeaseLost}
    assert await journal.everything(run.run_id) == before
    assert journal.changes == changes


async def test_a_run_ends_with_output_or_failure(journal: Journal):
    completed, failed = await claim(journal), await claim(journal)
    await journal.store.record(completed, [RunEnded(RunState.COMPLETED, 1_500, output=LARGE)])
    await journal.store.record(failed, [RunEnded(RunState.FAILED, 1_600, failure=FAILURE)])
    row = await journal.run(completed.run_id)
    assert (row.state, row.ended_date, row.failure, row.wake_at) == ("COMPLETED", 1_500, None, None)
    assert await journal.output(completed.run_id) == LARGE
    row = await journal.run(failed.run_id)
    assert (row.state, row.ended_date) == ("FAILED", 1_600)
    assert "It failed." in (row.failure or "")
    assert await journal.output(failed.run_id) is None


@pytest.mark.parametrize("state", ENDS)
async def test_the_end_of_a_run_is_written_once(journal: Journal, state: RunState):
    run = await end(journal, state)
    before = await journal.everything(run.run_id)
    assert not await journal.cancel(run.run_id)
    for other in ENDS:
        with pytest.raises(LeaseLost):
            await journal.store.record(run, [RunEnded(other, 9)])
    assert await journal.everything(run.run_id) == before


async def test_every_attempt_of_a_node_is_kept(journal: Journal):
    run = await claim(journal)
    await journal.store.record(
        run, [NodeStarted("a", {"n": 1}, 10), AttemptStarted("a", 1, {"url": "u"}, 11)]
    )
    await journal.store.record(
        run,
        [AttemptEnded("a", 1, 12, failure=FAILURE, next_try_at=20), NodeParked("a", "retry", 20, {}, 12)],
    )
    node = await journal.node(run.run_id, "a")
    assert node is not None
    assert (node.state, node.attempt, node.wait_reason, node.wake_at) == ("WAITING", 1, "retry", 20)
    await journal.store.record(run, [AttemptStarted("a", 2, {"url": "u"}, 20)])
    node = await journal.node(run.run_id, "a")
    assert node is not None
    assert (node.state, node.attempt, node.wait_reason, node.wake_at) == ("RUNNING", 2, None, None)
    await journal.store.record(
        run,
        [
            AttemptEnded("a", 2, 21, status_code=200, response={"ok": True}),
            NodeEnded("a", NodeState.COMPLETED, 22, output={"ok": True}, handles=("out",)),
        ],
    )
    first, second = await journal.attempts(run.run_id)
    assert (first.number, first.failure, first.next_try_at, first.ended_date) == (
        1,
        FAILURE.as_json(),
        20,
        12,
    )
    assert (second.number, second.status_code, second.response, second.ended_date) == (
        2,
        200,
        {"ok": True},
        21,
    )
    node = await journal.node(run.run_id, "a")
    assert node is not None
    assert (node.state, node.input, node.output, node.handles) == (
        "COMPLETED",
        {"n": 1},
        {"ok": True},
        ("out",),
    )
    assert (node.started_date, node.ended_date) == (10, 22)


async def test_the_outcome_of_an_attempt_is_written_once(journal: Journal):
    run = await claim(journal)
    await journal.store.record(run, [NodeStarted("a", None, 1), AttemptStarted("a", 1, {}, 1)])
    await journal.store.record(run, [AttemptEnded("a", 1, 2, status_code=200)])
    await journal.store.record(run, [AttemptEnded("a", 1, 3, status_code=500)])
    (attempt,) = await journal.attempts(run.run_id)
    assert (attempt.status_code, attempt.ended_date) == (200, 2)


async def test_the_end_of_a_node_is_written_once(journal: Journal):
    run = await claim(journal)
    await journal.store.record(run, [NodeStarted("a", "mine", 1)])
    await journal.store.record(run, [NodeEnded("a", NodeState.COMPLETED, 2, output="kept", handles=("out",))])
    before = await journal.node(run.run_id, "a")
    late: tuple[Fact, ...] = (
        NodeStarted("a", "other", 9),
        AttemptStarted("a", 2, {}, 9),
        NodeParked("a", "poll", 99, {}, 9),
        NodeEnded("a", NodeState.FAILED, 9, failure=FAILURE),
        NodeEnded("a", NodeState.SKIPPED, 9),
        NodeEnded("a", NodeState.FAILED, 9, input="other", has_input=True),
    )
    for fact in late:
        await journal.store.record(run, [fact])
        assert await journal.node(run.run_id, "a") == before


async def test_a_node_may_end_without_having_begun(journal: Journal):
    run = await claim(journal)
    ends = [NodeEnded("a", NodeState.SKIPPED, 5), NodeEnded("b", NodeState.CANCELLED, 6)]
    await journal.store.record(run, ends)
    for node_id, state, at in (("a", "SKIPPED", 5), ("b", "CANCELLED", 6)):
        node = await journal.node(run.run_id, node_id)
        assert node is not None
        assert (node.state, node.started_date, node.ended_date) == (state, None, at)


async def test_facts_may_be_recorded_again_when_it_was_unclear_whether_they_were(journal: Journal):
    run = await claim(journal)
    facts: tuple[Fact, ...] = (
        NodeStarted("a", {"n": 1}, 1),
        WaitOpened("wait-1", "a", 1, "cb_1", 1),
        AttemptStarted("a", 1, {"url": "u"}, 1),
        AttemptEnded("a", 1, 2, status_code=200),
        NodeEnded("a", NodeState.COMPLETED, 3, output=LARGE),
    )
    await journal.store.record(run, facts)
    node, attempts = await journal.node(run.run_id, "a"), await journal.attempts(run.run_id)
    await journal.store.record(run, facts)
    assert await journal.node(run.run_id, "a") == node
    assert await journal.attempts(run.run_id) == attempts
    assert len(await journal.store.arrivals(run)) == 1
