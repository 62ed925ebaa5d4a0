"""What every checkpoint store must do about runs that wait: no event is lost, and none counts twice."""

import asyncio

import pytest

from orchestrator_app.domain.ports import ClaimedRun, OpenRun
from orchestrator_app.domain.runs import (
    Logged,
    NodeEnded,
    NodeState,
    RunEnded,
    RunState,
    WaitOpened,
    WaitReopened,
)
from tests.storage.journal import Journal


async def claim(journal: Journal, run_id: str = "") -> ClaimedRun:
    run = await journal.store.claim(run_id or await journal.new_run(), "me")
    assert run is not None
    return run


async def with_waits(journal: Journal, *tokens: str) -> ClaimedRun:
    run = await claim(journal)
    opened = [WaitOpened(f"wait-{token}", f"node-{token}", 0, token, journal.now) for token in tokens]
    await journal.store.record(run, opened)
    run.waits = await journal.store.arrivals(run)
    return run


async def test_a_run_is_parked_until_its_time(journal: Journal):
    run = await claim(journal)
    assert await journal.store.park(run, 5_000, 1_000)
    row = await journal.run(run.run_id)
    assert (row.state, row.wake_at, row.seq) == ("WAITING", 5_000, run.seq)
    assert run.seq == 2
    assert journal.changes[-1] == (run.workspace_id, run.orchestrator_id, run.run_id, 2)
    again = await claim(journal, run.run_id)
    assert (again.epoch, (await journal.run(run.run_id)).state) == (2, "RUNNING")
    assert (await journal.run(run.run_id)).wake_at is None


async def test_a_run_to_which_something_happened_is_not_parked(journal: Journal):
    run = await with_waits(journal, "cb_1")
    assert await journal.arrive(run.run_id, "cb_1", {"n": 1}) == "accepted"
    before, changes = await journal.everything(run.run_id), list(journal.changes)
    assert not await journal.store.park(run, 5_000, 1_000)
    assert not await journal.store.park(run, 5_000, 1_000)
    assert await journal.everything(run.run_id) == before
    assert journal.changes == changes
    (wait,) = await journal.store.arrivals(run)
    assert (wait.has_arrived, wait.body, wait.received_at) == (True, {"n": 1}, 1_000)
    assert await journal.store.park(run, 5_000, 1_000)


async def test_what_happened_before_the_claim_is_part_of_it_and_hinders_no_parking(journal: Journal):
    run = await with_waits(journal, "cb_1")
    await journal.arrive(run.run_id, "cb_1")
    again = await claim(journal, run.run_id)
    assert again.waits[0].has_arrived
    assert again.waits[0].body is None
    assert await journal.store.park(again, None, 1_000)


async def test_what_arrives_while_a_run_is_parked_is_there_at_its_next_claim(journal: Journal):
    run = await with_waits(journal, "cb_1", "cb_2")
    assert await journal.store.park(run, None, 1_000)
    assert await journal.arrive(run.run_id, "cb_2", "second") == "accepted"
    again = await claim(journal, run.run_id)
    assert {wait.token: (wait.has_arrived, wait.body) for wait in again.waits} == {
        "cb_1": (False, None),
        "cb_2": (True, "second"),
    }


@pytest.mark.parametrize("arrivals", [1, 3])
async def test_no_event_is_lost_however_it_meets_the_parking(journal: Journal, arrivals: int):
    tokens = [f"cb_{number}" for number in range(arrivals)]
    for _ in range(10):
        run = await with_waits(journal, *(tokens := [f"{token}x" for token in tokens]))

        async def park(run: ClaimedRun = run) -> None:
            while not await journal.store.park(run, None, 1_000):
                run.waits = await journal.store.arrivals(run)

        steps = [park(), *(journal.arrive(run.run_id, token) for token in tokens)]
        results = await asyncio.gather(*(steps if len(tokens[0]) % 2 else reversed(steps)))
        assert results.count("accepted") == arrivals
        assert (await journal.run(run.run_id)).state == "WAITING"
        again = await claim(journal, run.run_id)
        assert [wait.has_arrived for wait in again.waits] == [True] * arrivals


async def test_a_token_is_good_for_one_callback(journal: Journal):
    run = await with_waits(journal, "cb_1")
    outcomes = await asyncio.gather(*(journal.arrive(run.run_id, "cb_1", {"n": n}) for n in range(100)))
    assert outcomes.count("accepted") == 1
    assert outcomes.count("duplicate") == 99
    assert (await claim(journal, run.run_id)).wake == 1


async def test_the_end_of_a_node_closes_its_own_waits_only(journal: Journal):
    run = await with_waits(journal, "cb_1", "cb_2")
    await journal.store.record(run, [NodeEnded("node-cb_1", NodeState.CANCELLED, 1_000)])
    assert await journal.arrive(run.run_id, "cb_1") == "unknown"
    assert await journal.arrive(run.run_id, "cb_2") == "accepted"


@pytest.mark.parametrize("is_known", [True, False])
async def test_the_end_of_a_run_closes_all_waits(journal: Journal, is_known: bool):  # noqa: FBT001
    run = await with_waits(journal, "cb_1", "cb_2")
    if not is_known:
        run.waits = []
    await journal.arrive(run.run_id, "cb_2")
    await journal.store.record(run, [RunEnded(RunState.COMPLETED, 1_000)])
    assert await journal.arrive(run.run_id, "cb_1") == "unknown"
    assert await journal.arrive(run.run_id, "cb_2") == "duplicate"


async def test_a_wait_that_opens_and_ends_in_one_record_is_closed(journal: Journal):
    run = await claim(journal)
    facts = [WaitOpened("wait-1", "a", 1, "cb_1", 1), NodeEnded("a", NodeState.FAILED, 1)]
    await journal.store.record(run, facts)
    assert await journal.arrive(run.run_id, "cb_1") == "unknown"


async def test_open_runs_are_all_that_have_not_ended(journal: Journal):
    pending = await journal.new_run()
    running, waiting, ended, cancelled = [await claim(journal) for _ in range(4)]
    await journal.store.park(waiting, 7_000, 1_000)
    await journal.store.record(ended, [RunEnded(RunState.COMPLETED, 1_000)])
    await journal.cancel(cancelled.run_id)
    found = await journal.store.open_runs()
    assert sorted(found, key=lambda run: run.run_id) == [
        OpenRun(pending, RunState.PENDING, None),
        OpenRun(running.run_id, RunState.RUNNING, None),
        OpenRun(waiting.run_id, RunState.WAITING, 7_000),
    ]


async def test_due_runs_are_those_whose_time_has_come_the_earliest_first(journal: Journal):
    late, early, forever, exact = [await claim(journal) for _ in range(4)]
    await claim(journal)
    await journal.store.park(late, 6_000, 1_000)
    await journal.store.park(early, 4_000, 1_000)
    await journal.store.park(forever, None, 1_000)
    await journal.store.park(exact, 5_000, 1_000)
    assert await journal.store.due_runs(3_999) == []
    assert await journal.store.due_runs(5_000) == [early.run_id, exact.run_id]
    await journal.cancel(early.run_id)
    assert await journal.store.due_runs(9_000) == [exact.run_id, late.run_id]


async def test_a_token_may_be_opened_again_for_the_end(journal: Journal):
    run = await with_waits(journal, "cb_1")
    await journal.arrive(run.run_id, "cb_1", "half way")
    (wait,) = await journal.store.arrivals(run)
    await journal.store.record(run, [WaitReopened("wait-cb_1", wait.received_at, 1_000)])
    (wait,) = await journal.store.arrivals(run)
    assert (wait.has_arrived, wait.body, wait.received_at) == (False, None, None)
    assert await journal.arrive(run.run_id, "cb_1", "the end") == "accepted"
    assert await journal.arrive(run.run_id, "cb_1", "once more") == "duplicate"
    (wait,) = await journal.store.arrivals(run)
    assert wait.body == "the end"


async def test_opening_a_token_again_does_not_lose_what_arrived_since(journal: Journal):
    run = await with_waits(journal, "cb_1")
    await journal.arrive(run.run_id, "cb_1", "the end")
    (wait,) = await journal.store.arrivals(run)
    assert wait.received_at is not None
    await journal.store.record(run, [WaitReopened("wait-cb_1", wait.received_at - 1, 1_000)])
    assert await journal.store.arrivals(run) == [wait]


async def test_an_arrival_whose_news_is_lost_is_due_at_the_next_start(journal: Journal):
    run = await with_waits(journal, "cb_1")
    await journal.store.park(run, 90_000, 1_000)
    await journal.arrive(run.run_id, "cb_1")
    assert await journal.store.due_runs(journal.now) == [run.run_id]


async def test_a_line_may_be_added_after_the_end(journal: Journal):
    run = await claim(journal)
    await journal.store.record(run, [Logged("One.", 1), RunEnded(RunState.COMPLETED, 1)])
    await journal.store.note(run.run_id, Logged("Two.", 2, "a", "warning"))
    await journal.store.note(run.run_id, Logged("Three.", 2))
    assert await journal.log(run.run_id) == ["One.", "Two.", "Three."]
    row = await journal.run(run.run_id)
    assert (row.state, row.seq) == ("COMPLETED", run.seq + 2)
    assert journal.changes[-1] == (run.workspace_id, run.orchestrator_id, run.run_id, run.seq + 2)
