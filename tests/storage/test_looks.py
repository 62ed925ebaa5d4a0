import asyncio
from typing import Any

import pytest

from orchestrator_app.domain.looks import Seen, Watch
from orchestrator_app.domain.ports import ClaimedRun, DueLook
from orchestrator_app.domain.remote import RemoteCall, RemoteLook
from orchestrator_app.domain.runs import (
    Failure,
    NodeEnded,
    NodeParked,
    NodeStarted,
    NodeState,
    RunEnded,
    RunState,
    WaitOpened,
)
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.looks import SqlLookStore
from orchestrator_app.storage.sql import text
from tests.storage.journal import SqlJournal, unseal

LEASE = 100_000


@pytest.fixture
def journal(database: Database) -> SqlJournal:
    return SqlJournal(database)


@pytest.fixture
def looks(journal: SqlJournal) -> SqlLookStore:
    return SqlLookStore(journal.database, unseal=unseal, changed=journal.note)


def watch(completion: str = "poll", **settings: Any) -> Watch:
    call = RemoteCall("n8n", "c", "w", completion=completion, is_idempotent=True)
    return Watch(call, {"id": 1}, 2_000, 30_000, 60_000, **settings)


async def parked(
    journal: SqlJournal, look_at: int | None, node_id: str = "a", run: ClaimedRun | None = None
) -> ClaimedRun:
    """A run with a node whose execution is to be looked at."""
    run = run or await journal.claimed()
    await journal.store.record(
        run,
        [
            NodeStarted(node_id, None, 1_000),
            NodeParked(node_id, "poll", None, watch().as_json(), 1_000, look_at),
        ],
    )
    return run


async def taken(looks: SqlLookStore, now: int, limit: int = 100) -> list[DueLook]:
    due, _ = await looks.take(now, lease=LEASE, limit=limit)
    return due


async def column(journal: SqlJournal, run: ClaimedRun, name: str) -> Any:
    statement = text(f"SELECT {name} FROM node_run WHERE run_id = :id AND node_id = 'a'")  # noqa: S608
    return await journal.database.read(
        lambda connection: connection.execute(statement, {"id": run.run_id}).scalar_one()
    )


async def test_looks_that_are_due_are_taken_the_oldest_first(journal: SqlJournal, looks: SqlLookStore):
    runs = {at: await parked(journal, at) for at in (3_000, 1_000, 2_000, 9_000)}
    due, next_at = await looks.take(5_000, lease=LEASE, limit=2)
    assert {look.run_id for look in due} == {runs[1_000].run_id, runs[2_000].run_id}
    assert next_at == 3_000
    assert all((look.workspace_id, look.lease, look.watch) == ("default", LEASE, watch()) for look in due)
    due, next_at = await looks.take(5_000, lease=LEASE, limit=2)
    assert [look.run_id for look in due] == [runs[3_000].run_id]
    assert next_at == 9_000


async def test_when_nothing_is_due_nothing_is_written(journal: SqlJournal, looks: SqlLookStore):
    assert await looks.take(5_000, lease=LEASE, limit=2) == ([], None)
    await parked(journal, 9_000)
    commits = journal.database.commits
    assert await looks.take(5_000, lease=LEASE, limit=2) == ([], 9_000)
    await looks.put_off([])
    assert journal.database.commits == commits


async def test_a_lease_keeps_others_away_until_it_is_over(journal: SqlJournal, looks: SqlLookStore):
    await parked(journal, 1_000)
    assert len(await taken(looks, 5_000)) == 1
    assert await taken(looks, LEASE - 1) == []
    assert len(await taken(looks, LEASE)) == 1


async def test_no_look_is_taken_twice_at_the_same_time(journal: SqlJournal, looks: SqlLookStore):
    for _ in range(20):
        await parked(journal, 1_000)
    many = await asyncio.gather(*(taken(looks, 5_000, limit=7) for _ in range(5)))
    found = [look.run_id for due in many for look in due]
    assert len(found) == len(set(found)) == 20


async def test_a_look_may_be_given_back(journal: SqlJournal, looks: SqlLookStore):
    run = await parked(journal, 1_000)
    (look,) = await taken(looks, 5_000)
    await looks.put_off([(look, 7_000)])
    assert await column(journal, run, "look_at") == 7_000
    assert await taken(looks, 6_999) == []


async def test_a_callback_is_looked_up_by_its_token(journal: SqlJournal, looks: SqlLookStore):
    run = await parked(journal, None)
    opened = [
        WaitOpened("w1", "a", 1, "cb_old", 1_000),
        WaitOpened("w2", "a", 2, "cb_new", 1_000),
        WaitOpened("w3", "a", 0, "cb_other", 1_000),
    ]
    parking = NodeParked("a", "callback", 9_000, watch("callback").as_json(), 1_000, 1_000)
    await journal.store.record(run, [*opened, parking])
    await journal.database.write(
        lambda connection: connection.execute(text("UPDATE node_run SET attempt = 2"))
    )
    (look,) = await taken(looks, 5_000)
    assert look.watch.call.callback_token == "cb_new"


async def test_a_wait_that_cannot_be_read_does_not_keep_the_others_from_their_looks(
    journal: SqlJournal, looks: SqlLookStore
):
    unreadable = await parked(journal, 1_000)
    token = WaitOpened("w1", "a", 0, "cb_a", 1_000)
    parking = NodeParked("a", "callback", 9_000, watch("callback").as_json(), 1_000, 1_000)
    await journal.store.record(unreadable, [token, parking])
    foreign = await parked(journal, 1_000, "b")
    await journal.store.record(
        foreign, [NodeParked("b", "poll", None, {"of": "an older release"}, 1_000, 1_000)]
    )
    readable = await parked(journal, 2_000)
    await journal.database.write(
        lambda connection: connection.execute(text("UPDATE callback_wait SET number = 1, token_sealed = 'x'"))
    )
    await journal.database.write(
        lambda connection: connection.execute(text("UPDATE node_run SET attempt = 1"))
    )
    due, next_at = await looks.take(5_000, lease=LEASE, limit=100)
    assert [look.run_id for look in due] == [readable.run_id]
    assert next_at == LEASE, "they are tried again when their lease is over"


async def test_what_goes_on_is_kept_without_touching_its_run(journal: SqlJournal, looks: SqlLookStore):
    run = await parked(journal, 1_000)
    before, changes = await journal.run(run.run_id), list(journal.changes)
    (look,) = await taken(looks, 5_000)
    assert await looks.keep([(look, Seen(watch(looks=1), 6_000))], 5_000) == []
    assert await journal.run(run.run_id) == before
    assert journal.changes == changes
    (again,) = await taken(looks, 6_000)
    assert again.watch == watch(looks=1)


async def test_news_reach_the_log_and_open_pages(journal: SqlJournal, looks: SqlLookStore):
    run = await parked(journal, 1_000)
    (look,) = await taken(looks, 5_000)
    seen = Seen(watch(says="It waits."), 6_000, says="It waits.", level="warning", is_news=True)
    assert await looks.keep([(look, seen)], 5_000) == []
    assert await journal.log(run.run_id) == ["It waits."]
    assert journal.changes[-1] == (run.workspace_id, run.orchestrator_id, run.run_id, run.seq + 1)
    assert (await journal.run(run.run_id)).wake_at is None
    assert await column(journal, run, "look_at") == 6_000


@pytest.mark.parametrize(
    "over", [watch(result=RemoteLook("completed", {"n": 1})), watch(failure=Failure("c", "It failed."))]
)
async def test_an_end_wakes_the_run(journal: SqlJournal, looks: SqlLookStore, over: Watch):
    run = await parked(journal, 1_000)
    assert await journal.store.park(run, None, 1_000)
    (look,) = await taken(looks, 5_000)
    assert await looks.keep([(look, Seen(over, None, is_news=True))], 5_000) == [run.run_id]
    # Should the process die now, the run is due at the next start.
    assert await journal.store.due_runs(5_000) == [run.run_id]
    again = await journal.store.claim(run.run_id, "me")
    assert again is not None
    assert (again.nodes["a"].wake_at, again.nodes["a"].memo) == (5_000, over.as_json())
    assert await taken(looks, 10**12) == []


async def test_a_run_that_is_being_worked_on_learns_of_an_end(journal: SqlJournal, looks: SqlLookStore):
    run = await parked(journal, 1_000)
    run.nodes["a"] = (await claimed_again(journal, run)).nodes["a"]
    run.nodes["gone"] = run.nodes["a"]
    (look,) = await taken(looks, 5_000)
    over = watch(result=RemoteLook("completed", {"n": 1}))
    await looks.keep([(look, Seen(over, None, is_news=True))], 5_000)
    assert not await journal.store.park(run, None, 6_000)
    await journal.store.arrivals(run)
    assert (run.nodes["a"].wake_at, run.nodes["a"].memo) == (5_000, over.as_json())
    # It must take it up before it rests.
    assert not await journal.store.park(run, None, 6_000)
    await journal.store.record(run, [NodeEnded("a", NodeState.COMPLETED, 6_000)])
    assert await journal.store.park(run, None, 6_000)


async def claimed_again(journal: SqlJournal, run: ClaimedRun) -> ClaimedRun:
    again = await journal.store.claim(run.run_id, "me")
    assert again is not None
    run.epoch, run.wake, run.seq = again.epoch, again.wake, again.seq
    return again


@pytest.mark.parametrize("ending", ["node", "run", "cancel", "parked anew"])
async def test_a_late_look_changes_nothing(journal: SqlJournal, looks: SqlLookStore, ending: str):
    run = await parked(journal, 1_000)
    (look,) = await taken(looks, 5_000)
    if ending == "cancel":
        await journal.cancel(run.run_id)
    elif ending == "parked anew":
        await parked(journal, 7_000, run=run)
    else:
        ends = [NodeEnded("a", NodeState.COMPLETED, 5_000), RunEnded(RunState.COMPLETED, 5_000)]
        await journal.store.record(run, ends[: 1 if ending == "node" else 2])
    before, changes = await journal.everything(run.run_id), list(journal.changes)
    over = Seen(watch(failure=Failure("c", "It failed.")), None, says="It failed.", is_news=True)
    for seen in (over, Seen(watch(looks=9), 6_000)):
        assert await looks.keep([(look, seen)], 5_000) == []
    await looks.put_off([(look, 8_000)])
    assert await journal.everything(run.run_id) == before
    assert journal.changes == changes


async def test_many_looks_are_kept_in_one_commit(journal: SqlJournal, looks: SqlLookStore):
    runs = [await parked(journal, 1_000) for _ in range(10)]
    due = await taken(looks, 5_000)
    over = Seen(watch(failure=Failure("c", "It failed.")), None, is_news=True)
    commits = journal.database.commits
    woken = await looks.keep(
        [(look, over if number % 2 else Seen(watch(), 6_000)) for number, look in enumerate(due)], 5_000
    )
    assert journal.database.commits == commits + 1
    assert woken == sorted(woken)
    assert len(woken) == 5
    assert set(woken) < {run.run_id for run in runs}
