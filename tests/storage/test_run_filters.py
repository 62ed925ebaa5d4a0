"""Runs of the history by the names of their orchestrators."""

from collections.abc import Sequence

from orchestrator_app.storage import run_filters
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.run_filters import RunsWanted
from orchestrator_app.storage.sql import Connection, text
from orchestrator_app.storage.workspaces import DEFAULT_WORKSPACE
from tests.storage.journal import SqlJournal


async def ids(
    journal: SqlJournal, query: str, cursor: str = "", *, states: Sequence[str] = (), limit: int = 100
) -> list[str]:
    wanted = RunsWanted(states, query=query)
    return await journal.database.read(
        lambda connection: run_filters.ids(connection, DEFAULT_WORKSPACE, wanted, cursor, limit=limit)
    )


async def count(journal: SqlJournal, query: str) -> int:
    wanted = RunsWanted(query=query)
    return await journal.database.read(
        lambda connection: run_filters.count(connection, DEFAULT_WORKSPACE, wanted)
    )


async def test_runs_under_several_names_come_newest_first_page_by_page(journal: SqlJournal):
    made = [await journal.new_run(name=name) for name in ("Nightly", "Import", "Nighthawk", "Nightly") * 3]
    expected = [run_id for number, run_id in enumerate(made) if number % 4 != 1][::-1]
    await journal.cancel(expected[1])
    assert await ids(journal, "nigh") == expected
    first = await ids(journal, "nigh", limit=4)
    second = await ids(journal, "nigh", first[-1], limit=4)
    third = await ids(journal, "nigh", second[-1], limit=4)
    assert [first, second, third] == [expected[:4], expected[4:8], expected[8:]]
    assert await ids(journal, "nigh", states=["CANCELLED"]) == [expected[1]]
    assert await ids(journal, "weekly") == []
    assert [await count(journal, query) for query in ("nigh", "import", "weekly")] == [9, 3, 0]


async def test_a_text_may_begin_an_id_and_stand_in_a_name(journal: SqlJournal):
    first = await journal.new_run(name="Nightly")
    second = await journal.new_run(name=f"After {first}")
    assert await ids(journal, first) == [second, first]


async def test_a_text_that_very_many_names_have_is_found_too(journal: SqlJournal):
    made = [await journal.new_run(name=f"Nightly {number}") for number in range(60)]
    await journal.new_run(name="Import")
    assert await ids(journal, "nightly") == made[::-1]
    assert await ids(journal, "NIGHTLY 7") == [made[7]]
    assert await count(journal, "nightly") == 60


async def test_each_name_is_read_in_the_order_of_its_index(sqlite_database: Database):
    journal = SqlJournal(sqlite_database)
    for name in ("Nightly", "Nighthawk"):
        await journal.new_run(name=name)

    def plan(connection: Connection) -> str:
        clause, values = run_filters.newest(
            connection, DEFAULT_WORKSPACE, RunsWanted(["FAILED"], query="nigh")
        )
        asked = text("EXPLAIN QUERY PLAN SELECT id FROM orchestrator_run WHERE " + clause)  # noqa: S608 - our own words
        return str(connection.execute(asked, values | {"limit": 50}).all())

    found = await sqlite_database.read(plan)
    assert found.count("ix_run_name (workspace_id=? AND orchestrator_name=?)") == 2
