import asyncio
from typing import Any

import pytest

from orchestrator_app.domain.json_values import JsonValue
from orchestrator_app.domain.runs import (
    AttemptEnded,
    AttemptStarted,
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
from orchestrator_app.storage import callbacks, run_parts, runs
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.sql import Connection, text
from orchestrator_app.storage.workspaces import DEFAULT_WORKSPACE
from tests.storage.journal import SqlJournal, seal

OTHER = "another-workspace"
LARGE: JsonValue = {"text": "x" * 20_000}
FAILURE = Failure("node_failed", "It failed.")


async def page(journal: SqlJournal, **wishes: Any) -> tuple[list[str], str]:
    wishes = {"limit": 50} | wishes
    rows, cursor = await journal.database.read(
        lambda connection: runs.page(connection, DEFAULT_WORKSPACE, **wishes)
    )
    return [row.id for row in rows], cursor


async def insert(
    journal: SqlJournal, orchestrator_id: str, run_id: str, key: str | None, digest: str
) -> runs.InsertedRun:
    def work(connection: Connection) -> runs.InsertedRun:
        return runs.insert_run(
            connection,
            DEFAULT_WORKSPACE,
            run_id=run_id,
            orchestrator_id=orchestrator_id,
            orchestrator_name="Nightly",
            version_id=orchestrator_id.replace("orchestrator", "version"),
            version=1,
            trigger="api",
            data={"of": run_id},
            input_digest=digest,
            idempotency_key=key,
            parent_run_id=None,
            owner="",
            now=1_000,
        )

    return await journal.database.write(work)


# --- starts ---


@pytest.mark.parametrize("data", [None, {"order": 1}, LARGE], ids=["none", "small", "large"])
async def test_a_new_run_is_pending_with_its_input(journal: SqlJournal, data: Any):
    run_id = await journal.new_run(data)
    row = await journal.run(run_id)
    assert (row.id, row.workspace_id, row.state, row.seq, row.trigger) == (
        run_id,
        "default",
        "PENDING",
        0,
        "api",
    )
    assert (row.orchestrator_name, row.version, row.created_date) == ("Nightly", 1, 1_000)
    assert (row.wake_at, row.parent_run_id, row.failure, row.started_date, row.ended_date) == (None,) * 5
    assert await journal.database.read(lambda connection: runs.input_of(connection, run_id)) == data
    assert await journal.output(run_id) is None


async def test_starting_again_with_the_same_key_gives_the_first_run(journal: SqlJournal):
    orchestrator_id = await journal.new_orchestrator()
    first = await insert(journal, orchestrator_id, "run-a", "key", "digest of a")
    again = await insert(journal, orchestrator_id, "run-b", "key", "digest of b")
    assert first == runs.InsertedRun("run-a", is_new=True, input_digest="digest of a")
    assert again == runs.InsertedRun("run-a", is_new=False, input_digest="digest of a")
    assert (await page(journal))[0] == ["run-a"]
    assert await journal.database.read(lambda connection: runs.input_of(connection, "run-a")) == {
        "of": "run-a"
    }


async def test_a_key_belongs_to_one_orchestrator_and_no_key_to_none(journal: SqlJournal):
    one, other = await journal.new_orchestrator(), await journal.new_orchestrator()
    starts = [(one, "key"), (other, "key"), (one, None), (one, None)]
    inserted = [await insert(journal, place, f"run-{n}", key, "") for n, (place, key) in enumerate(starts)]
    assert all(run.is_new for run in inserted)


async def test_of_many_starts_with_one_key_at_once_one_is_new(journal: SqlJournal):
    orchestrator_id = await journal.new_orchestrator()
    inserted = await asyncio.gather(
        *(insert(journal, orchestrator_id, f"run-{n:02}", "key", "") for n in range(30))
    )
    assert [run.is_new for run in inserted].count(True) == 1
    assert len({run.run_id for run in inserted}) == 1


# --- the history ---


async def test_the_history_is_paged_newest_first_without_gaps_or_repeats(journal: SqlJournal):
    ids = [await journal.new_run() for _ in range(12)]
    seen: list[str] = []
    cursor = ""
    for expected in (5, 5, 2):
        found, cursor = await page(journal, limit=5, cursor=cursor)
        assert len(found) == expected
        seen += found
        await journal.new_run()
    assert cursor == ""
    assert seen == ids[::-1]


async def test_the_history_is_filtered_by_state_orchestrator_and_time(journal: SqlJournal):
    one, other = await journal.new_orchestrator(), await journal.new_orchestrator()
    first = await journal.new_run(orchestrator_id=one, now=1_000)
    second = await journal.new_run(orchestrator_id=one, now=2_000)
    third = await journal.new_run(orchestrator_id=other, now=3_000)
    await journal.cancel(second)
    await journal.store.claim(third, "me")
    assert (await page(journal, states=["CANCELLED"]))[0] == [second]
    assert (await page(journal, states=["CANCELLED", "RUNNING"]))[0] == [third, second]
    assert (await page(journal, orchestrator_id=one))[0] == [second, first]
    assert (await page(journal, from_ms=2_000))[0] == [third, second]
    assert (await page(journal, to_ms=2_000))[0] == [first]
    assert (await page(journal, from_ms=1_001, to_ms=3_000))[0] == [second]
    assert (await page(journal, from_ms=0, to_ms=0))[0] == []
    everything = {
        "states": ["PENDING"],
        "orchestrator_id": one,
        "from_ms": 0,
        "to_ms": 9_000,
        "query": "run",
        "cursor": second,
    }
    assert (await page(journal, **everything))[0] == [first]


async def test_the_history_is_searched_by_the_beginning_of_an_id_or_a_part_of_a_name(journal: SqlJournal):
    first = await journal.new_run(name="Äpfel & Birnen")
    second = await journal.new_run(name="100% run-")
    assert (await page(journal, query="äpfel"))[0] == [first]
    assert (await page(journal, query=f" {second.upper()} "))[0] == [second]
    assert (await page(journal, query=first[1:]))[0] == []
    assert (await page(journal, query="%"))[0] == [second]
    assert (await page(journal, query="' OR 1=1 --"))[0] == []


@pytest.mark.parametrize("cursor", ["no id", "' OR 1=1 --", "%"])
async def test_a_cursor_can_do_no_harm(journal: SqlJournal, cursor: str):
    await journal.new_run()
    found, following = await page(journal, cursor=cursor)
    assert len(found) <= 1
    assert following == ""


async def test_runs_are_counted_by_state(journal: SqlJournal):
    run_ids = [await journal.new_run() for _ in range(5)]
    await journal.cancel(run_ids[0])
    await journal.cancel(run_ids[1])
    await journal.store.claim(run_ids[2], "me")
    counts = await journal.database.read(lambda connection: runs.state_counts(connection, DEFAULT_WORKSPACE))
    assert counts == {"PENDING": 2, "RUNNING": 1, "WAITING": 0, "COMPLETED": 0, "FAILED": 0, "CANCELLED": 2}
    assert set((await journal.database.read(lambda c: runs.state_counts(c, OTHER))).values()) == {0}


async def test_nobody_reaches_into_another_workspace(journal: SqlJournal):
    run_id = await journal.new_run()
    before = await journal.everything(run_id)
    assert await journal.database.read(lambda connection: runs.get(connection, OTHER, run_id)) is None
    assert await journal.database.read(lambda connection: runs.state_of(connection, OTHER, run_id)) is None
    assert await journal.database.read(lambda connection: runs.page(connection, OTHER, limit=9)) == ([], "")
    assert not await journal.database.write(lambda connection: runs.cancel(connection, OTHER, run_id, 9))
    assert await journal.everything(run_id) == before


async def test_the_state_of_a_run_is_told_without_the_rest(journal: SqlJournal):
    run_id = await journal.new_run()
    assert await journal.database.read(lambda c: runs.state_of(c, DEFAULT_WORKSPACE, run_id)) == "PENDING"
    assert await journal.database.read(lambda c: runs.state_of(c, DEFAULT_WORKSPACE, "none")) is None


@pytest.mark.parametrize(
    ("wishes", "index"),
    [
        ({}, "ix_run_list"),
        ({"orchestrator_id": "o"}, "ix_run_of_orchestrator"),
        ({"states": ["FAILED"]}, "ix_run_state"),
        ({"orchestrator_id": "o", "states": ["FAILED"]}, "ix_run_of_orchestrator"),
        ({"query": "01a2"}, "ix_run_list"),
    ],
    ids=["all", "of one orchestrator", "in one state", "of one orchestrator in one state", "by an id"],
)
async def test_the_history_is_read_by_index(sqlite_database: Database, wishes: dict[str, Any], index: str):
    def plan(connection: Connection) -> str:
        statements: list[str] = []
        driver: Any = connection.driver
        driver.set_trace_callback(statements.append)
        runs.page(connection, DEFAULT_WORKSPACE, limit=50, **wishes)
        driver.set_trace_callback(None)
        return str(connection.command(f"EXPLAIN QUERY PLAN {statements[-1]}").fetchall())

    found = await sqlite_database.read(plan)
    assert index in found
    assert "TEMP B-TREE" not in found


# --- parts ---


async def test_everything_about_a_run_can_be_read(journal: SqlJournal):
    run = await journal.claimed()
    await journal.store.record(
        run,
        [
            NodeStarted("a", LARGE, 10),
            AttemptStarted("a", 1, {"url": "u"}, 11),
            AttemptEnded("a", 1, 12, status_code=500, response={"b": 1}, failure=FAILURE, next_try_at=20),
            NodeParked("a", "retry", 20, {}, 12),
            WaitOpened("wait-1", "b", 0, "cb_1", 12),
            Logged("a failed", 12, "a", "warning"),
            Logged("well", 13),
        ],
    )
    await journal.store.record(
        run,
        [NodeEnded("b", NodeState.FAILED, 14, output=1, handles=("error",), failure=FAILURE, has_input=True)],
    )

    def read(connection: Connection) -> tuple[Any, ...]:
        run_id = run.run_id
        return (
            run_parts.whole(connection, DEFAULT_WORKSPACE, run_id),
            run_parts.nodes(connection, run_id),
            callbacks.waits(connection, run_id),
        )

    whole, light_nodes, waits = await journal.database.read(read)
    assert whole is not None
    nodes, attempts, logs = whole.nodes, whole.attempts, whole.logs
    assert whole.has_waits
    assert nodes == [
        run_parts.NodeRow("a", "WAITING", 1, (), None, "retry", 20, 10, None, LARGE, None),
        run_parts.NodeRow("b", "FAILED", 0, ("error",), FAILURE.as_json(), None, None, 14, 14, None, 1),
    ]
    assert [(node.state, node.input, node.output) for node in light_nodes] == [
        ("WAITING", None, None),
        ("FAILED", None, None),
    ]
    assert attempts == [
        run_parts.AttemptRow("a", 1, {"url": "u"}, {"b": 1}, 500, FAILURE.as_json(), 20, 11, 12)
    ]
    assert logs == [
        run_parts.LogRow(12, "warning", "a failed", "a"),
        run_parts.LogRow(13, "info", "well", ""),
    ]
    assert waits == [callbacks.WaitRow("wait-1", "b", 0, seal("cb_1", "wait-1"), None, 14, 12, None)]


async def test_the_graph_of_a_run_stays_what_it_was(journal: SqlJournal):
    run_id = await journal.new_run()
    version_id = (await journal.run(run_id)).version_id
    assert '"nodes"' in await journal.database.read(
        lambda connection: runs.definition_of(connection, version_id)
    )


# --- cancel ---


async def test_cancelling_ends_the_run_its_open_nodes_and_its_waits(journal: SqlJournal):
    run = await journal.claimed()
    await journal.store.record(
        run,
        [
            NodeEnded("done", NodeState.COMPLETED, 5, output=1, has_input=True),
            NodeStarted("busy", None, 5),
            AttemptStarted("busy", 1, {}, 5),
            NodeStarted("parked", None, 5),
            NodeParked("parked", "callback", 99, {"a": 1}, 5),
            WaitOpened("wait-1", "parked", 0, "cb_1", 5),
        ],
    )
    await journal.store.park(run, 99, 5)
    journal.now = 7_000
    assert await journal.cancel(run.run_id)
    row = await journal.run(run.run_id)
    assert (row.state, row.seq, row.wake_at, row.ended_date) == ("CANCELLED", run.seq + 1, None, 7_000)
    for node_id, state, ended in (
        ("done", "COMPLETED", 5),
        ("busy", "CANCELLED", 7_000),
        ("parked", "CANCELLED", 7_000),
    ):
        node = await journal.node(run.run_id, node_id)
        assert node is not None
        assert (node.state, node.ended_date, node.wait_reason, node.wake_at) == (state, ended, None, None)
    assert await journal.log(run.run_id) == ["The run was cancelled."]
    assert await journal.arrive(run.run_id, "cb_1") == "unknown"
    assert await journal.store.claim(run.run_id, "me") is None
    (attempt,) = await journal.attempts(run.run_id)
    assert (attempt.ended_date, (attempt.failure or {})["code"]) == (7_000, "run_cancelled")


async def test_cancelling_tells_what_may_still_go_on_outside(journal: SqlJournal):
    run = await journal.claimed()
    await journal.store.record(
        run,
        [
            NodeStarted("busy", None, 5),
            AttemptStarted("busy", 1, {}, 6),
            NodeStarted("polled", None, 5),
            AttemptStarted("polled", 1, {}, 6),
            AttemptEnded("polled", 1, 7),
            NodeParked("polled", "poll", None, {"a": 1}, 7, 99),
            NodeStarted("retrying", None, 5),
            AttemptStarted("retrying", 1, {}, 6),
            AttemptEnded("retrying", 1, 7, failure=FAILURE),
            NodeParked("retrying", "retry", 99, {}, 7),
            NodeStarted("called", None, 5),
            WaitOpened("wait-1", "called", 1, "cb_1", 5),
            WaitOpened("wait-0", "called", 0, "cb_0", 5),
            AttemptStarted("called", 1, {}, 8),
        ],
    )
    calls = await journal.database.write(
        lambda connection: runs.cancel(connection, "default", run.run_id, 7_000)
    )
    assert calls is not None
    assert sorted(calls, key=lambda call: call.node_id) == [
        runs.OpenCallRow("busy", {}, 6, "", ""),
        runs.OpenCallRow("called", {}, 8, "wait-1", seal("cb_1", "wait-1")),
        runs.OpenCallRow("polled", {"a": 1}, 0, "", ""),
    ]
    (row,) = await journal.rows("node_run", "node_id = 'polled'")
    assert 99 not in row


async def test_what_a_waiting_node_remembers_can_be_read_while_it_waits(journal: SqlJournal):
    run = await journal.claimed()
    parking = NodeParked("a", "poll", None, {"says": "It waits."}, 5, 50)
    await journal.store.record(run, [NodeStarted("a", None, 5), parking])
    node = await journal.node(run.run_id, "a")
    assert node is not None
    assert (node.memo, node.wake_at) == ({"says": "It waits."}, 50)
    await journal.store.record(run, [NodeEnded("a", NodeState.COMPLETED, 6)])
    node = await journal.node(run.run_id, "a")
    assert node is not None
    assert (node.memo, node.wake_at) == ({}, None)


async def test_a_run_that_nobody_took_up_yet_can_be_cancelled_once(journal: SqlJournal):
    run_id = await journal.new_run()
    assert await journal.cancel(run_id)
    assert not await journal.cancel(run_id)
    assert (await journal.run(run_id)).started_date is None
    assert len(await journal.log(run_id)) == 1


async def test_a_run_that_has_ended_cannot_be_cancelled(journal: SqlJournal):
    run = await journal.claimed()
    await journal.store.record(run, [RunEnded(RunState.COMPLETED, 5)])
    assert not await journal.cancel(run.run_id)
    assert not await journal.cancel("nobody")
    assert (await journal.run(run.run_id)).state == "COMPLETED"


async def test_with_a_run_goes_all_that_belongs_to_it(journal: SqlJournal):
    run = await journal.claimed(LARGE)
    await journal.store.record(
        run,
        [
            NodeStarted("a", None, 1),
            AttemptStarted("a", 1, {}, 1),
            WaitOpened("wait-1", "a", 1, "cb_1", 1),
            Logged("x", 1),
        ],
    )
    await journal.database.write(
        lambda connection: connection.execute(text("DELETE FROM orchestrator_run")).rowcount
    )
    assert not any((await journal.everything(run.run_id)).values())
