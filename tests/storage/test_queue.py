import asyncio

from orchestrator_app.storage import orchestrator_settings, queue
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.queue import QueueRow
from orchestrator_app.storage.sql import text
from orchestrator_app.storage.workspaces import DEFAULT_WORKSPACE
from tests.storage.jobs import opened
from tests.storage.journal import SqlJournal


async def limit(journal: SqlJournal, orchestrator_id: str, concurrency: int) -> None:
    await journal.database.write(
        lambda connection: orchestrator_settings.put_limits(
            connection, DEFAULT_WORKSPACE, orchestrator_id, concurrency=concurrency, deadline_ms=None, now=1
        )
    )


async def runs_of(journal: SqlJournal, orchestrator_id: str, number: int) -> list[str]:
    return [await journal.new_run(orchestrator_id=orchestrator_id) for _ in range(number)]


async def test_open_runs_are_counted_by_orchestrator_the_longest_queue_first(journal: SqlJournal):
    first, second = await journal.new_orchestrator("First"), await journal.new_orchestrator("Second")
    await limit(journal, second, 1)
    free = await runs_of(journal, first, 2)
    runs = await runs_of(journal, second, 3)
    for run_id in (*free, runs[0]):
        assert await journal.store.claim(run_id, "me") is not None
    await journal.cancel(free[1])
    claimed = await journal.store.claim(free[0], "me")
    assert claimed is not None
    await journal.store.park(claimed, None, 1)
    found = await journal.database.read(lambda connection: queue.counts(connection, DEFAULT_WORKSPACE))
    assert found == [
        QueueRow(second, "Nightly", 1, queued=2, running=1, waiting=0),
        QueueRow(first, "Nightly", None, queued=0, running=0, waiting=1),
    ]
    assert await journal.database.read(lambda connection: queue.counts(connection, "elsewhere")) == []


async def test_who_comes_first_has_its_turn_first_whoever_asks(journal: SqlJournal):
    orchestrator_id = await journal.new_orchestrator()
    await limit(journal, orchestrator_id, 2)
    runs = await runs_of(journal, orchestrator_id, 4)
    assert await journal.store.claim(runs[3], "me") is None
    assert await journal.store.claim(runs[2], "me") is None
    assert await journal.store.claim(runs[1], "me") is not None
    assert await journal.store.claim(runs[2], "me") is None
    # Who has begun may be claimed again, for instance after a wait.
    assert await journal.store.claim(runs[1], "other") is not None


async def test_two_processes_together_keep_to_the_limit(postgres_database: Database):
    journal = SqlJournal(postgres_database)
    with opened(postgres_database.url) as second:
        other = SqlJournal(second)
        for _ in range(5):
            orchestrator_id = await journal.new_orchestrator()
            await limit(journal, orchestrator_id, 3)
            runs = await runs_of(journal, orchestrator_id, 8)
            claims = [
                store.claim(run, "me") for run in reversed(runs) for store in (journal.store, other.store)
            ]
            claims += [store.claim(run, "me") for run in runs for store in (other.store, journal.store)]
            claimed = {run.run_id for run in await asyncio.gather(*claims) if run is not None}
            assert claimed == set(runs[:3])


async def test_however_long_the_queue_is_the_index_tells_whose_turn_it_is(sqlite_database: Database):
    await sqlite_database.read(queue.limits)
    key = {"orchestrator_id": "o", "id": "r", "concurrency": 1, "room": 1}
    for statement in (queue._AHEAD, queue._BEGUN, queue._OLDEST, queue._PENDING):
        plan = await sqlite_database.read(
            lambda connection, words=statement.sqlite: [
                row[3] for row in connection.execute(text(f"EXPLAIN QUERY PLAN {words}"), key)
            ]
        )
        touched = [line for line in plan if "orchestrator_run" in line]
        assert touched
        assert all("USING COVERING INDEX ix_run_queue" in line for line in touched), plan
