import asyncio
from typing import Any

import pytest

from orchestrator_app.domain.runs import RunEnded, RunState
from orchestrator_app.errors import BadRequest
from orchestrator_app.storage import orchestrators
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.orchestrators import OrchestratorRow
from orchestrator_app.storage.sql import Connection, text
from orchestrator_app.storage.workspaces import DEFAULT_WORKSPACE
from tests.storage.journal import SqlJournal

OTHER = "another-workspace"


async def page(journal: SqlJournal, **wishes: Any) -> tuple[list[OrchestratorRow], str]:
    wishes = {"limit": 50} | wishes
    return await journal.database.read(
        lambda connection: orchestrators.page(connection, DEFAULT_WORKSPACE, **wishes)
    )


async def names(journal: SqlJournal, query: str = "") -> list[str]:
    rows, _ = await page(journal, query=query)
    return [row.name for row in rows]


async def save(
    journal: SqlJournal, orchestrator_id: str, expected: int | None, version_id: str, **also: Any
) -> int | None:
    def work(connection: Connection) -> int | None:
        return orchestrators.save_version(
            connection,
            also.get("workspace_id", DEFAULT_WORKSPACE),
            orchestrator_id=orchestrator_id,
            expected_version=expected,
            version_id=version_id,
            name=also.get("name", "Renamed"),
            description="new",
            definition='{"nodes":[]}',
            node_count=7,
            now=9_000,
        )

    return await journal.database.write(work)


async def delete(journal: SqlJournal, orchestrator_id: str, workspace_id: str = DEFAULT_WORKSPACE) -> bool:
    return await journal.database.write(
        lambda connection: orchestrators.mark_deleted(connection, workspace_id, orchestrator_id, 9_000)
    )


async def get(journal: SqlJournal, orchestrator_id: str, workspace_id: str = DEFAULT_WORKSPACE) -> Any:
    return await journal.database.read(
        lambda connection: orchestrators.get(connection, workspace_id, orchestrator_id)
    )


async def test_a_new_orchestrator_is_found_with_its_first_graph(journal: SqlJournal):
    orchestrator_id = await journal.new_orchestrator("Invoices", description="Sends them.")
    found = await get(journal, orchestrator_id)
    assert (found.id, found.name, found.description, found.version) == (
        orchestrator_id,
        "Invoices",
        "Sends them.",
        1,
    )
    assert '"nodes"' in found.definition
    assert (found.created_date, found.updated_date) == (1_000, 1_000)
    ((row,), cursor) = await page(journal)
    assert (row.node_count, row.last_run_id, row.last_run_state, row.last_run_date, cursor) == (
        2,
        None,
        None,
        None,
        "",
    )


async def test_saving_makes_a_new_version_and_keeps_the_old_one(journal: SqlJournal):
    orchestrator_id = await journal.new_orchestrator()
    first = await get(journal, orchestrator_id)
    assert await save(journal, orchestrator_id, 1, "version-b") == 2
    found = await get(journal, orchestrator_id)
    assert (found.version, found.version_id, found.name, found.description) == (
        2,
        "version-b",
        "Renamed",
        "new",
    )
    assert (found.definition, found.updated_date, found.created_date) == ('{"nodes":[]}', 9_000, 1_000)
    assert [row[:3] for row in await journal.rows("orchestrator_version")] == [
        (first.version_id, orchestrator_id, 1),
        ("version-b", orchestrator_id, 2),
    ]


async def test_saving_over_a_version_that_is_not_the_newest_changes_nothing(journal: SqlJournal):
    orchestrator_id = await journal.new_orchestrator()
    assert await save(journal, orchestrator_id, 1, "version-b", name="First") == 2
    for outdated in (0, 1, 3):
        assert await save(journal, orchestrator_id, outdated, "version-c", name="Second") is None
    assert (await get(journal, orchestrator_id)).name == "First"
    assert len(await journal.rows("orchestrator_version")) == 2


async def test_of_many_who_save_the_same_version_at_once_one_succeeds(journal: SqlJournal):
    orchestrator_id = await journal.new_orchestrator()
    saved = await asyncio.gather(*(save(journal, orchestrator_id, 1, f"version-{n}") for n in range(20)))
    assert sorted(saved, key=str) == [2] + [None] * 19


async def test_saving_without_an_expected_version_overwrites(journal: SqlJournal):
    orchestrator_id = await journal.new_orchestrator()
    assert await save(journal, orchestrator_id, None, "version-b") == 2
    assert await save(journal, orchestrator_id, None, "version-c") == 3


async def test_a_deleted_orchestrator_is_gone_for_everybody_but_the_history(journal: SqlJournal):
    orchestrator_id = await journal.new_orchestrator()
    run_id = await journal.new_run(orchestrator_id=orchestrator_id)
    assert await delete(journal, orchestrator_id)
    assert not await delete(journal, orchestrator_id)
    assert await get(journal, orchestrator_id) is None
    assert await save(journal, orchestrator_id, None, "version-b") is None
    assert await names(journal) == []
    assert (await journal.run(run_id)).orchestrator_id == orchestrator_id


async def test_nobody_reaches_into_another_workspace(journal: SqlJournal):
    orchestrator_id = await journal.new_orchestrator()
    assert await get(journal, orchestrator_id, OTHER) is None
    assert not await delete(journal, orchestrator_id, OTHER)
    assert await save(journal, orchestrator_id, None, "version-b", workspace_id=OTHER) is None
    found = await journal.database.read(lambda connection: orchestrators.page(connection, OTHER, limit=9))
    assert found == ([], "")
    open_runs = await journal.database.read(
        lambda connection: orchestrators.count_open_runs(connection, OTHER, orchestrator_id)
    )
    assert open_runs == 0


async def test_a_row_of_the_list_tells_of_the_newest_run(journal: SqlJournal):
    quiet, busy = await journal.new_orchestrator("Quiet"), await journal.new_orchestrator("Busy")
    await journal.new_run(orchestrator_id=quiet, now=3_000)
    await journal.new_run(orchestrator_id=busy)
    newest = await journal.store.claim(await journal.new_run(orchestrator_id=busy), "me")
    assert newest is not None
    await journal.store.record(newest, [RunEnded(RunState.FAILED, 5_000)])
    rows, _ = await page(journal)
    told = {row.name: (row.last_run_id, row.last_run_state, row.last_run_date) for row in rows}
    assert told["Busy"] == (newest.run_id, "FAILED", 5_000)
    assert told["Quiet"][1:] == ("PENDING", 3_000)


async def test_the_list_is_paged_by_the_newest_change_without_gaps_or_repeats(journal: SqlJournal):
    for number in range(25):
        await journal.new_orchestrator(f"o{number:02}", now=1_000 + number // 5)
    seen: list[str] = []
    cursor = ""
    for expected in (10, 10, 5):
        rows, cursor = await page(journal, limit=10, cursor=cursor)
        assert len(rows) == expected
        seen += [row.name for row in rows]
    assert cursor == ""
    assert seen == [f"o{number:02}" for number in reversed(range(25))]


async def test_a_page_that_is_just_full_is_the_last_one(journal: SqlJournal):
    for _ in range(3):
        await journal.new_orchestrator()
    rows, cursor = await page(journal, limit=3)
    assert (len(rows), cursor) == (3, "")


async def test_a_new_entry_does_not_shift_the_next_page(journal: SqlJournal):
    for number in range(4):
        await journal.new_orchestrator(f"o{number}")
    _, cursor = await page(journal, limit=2)
    await journal.new_orchestrator("late", now=9_000)
    rows, _ = await page(journal, limit=2, cursor=cursor)
    assert [row.name for row in rows] == ["o1", "o0"]


@pytest.mark.parametrize("cursor", ["x", ".", "1e3.a", "-1.a", "٣.a", "9" * 30 + ".a", "' OR 1=1 --"])
async def test_a_cursor_that_is_none_is_refused(journal: SqlJournal, cursor: str):
    with pytest.raises(BadRequest):
        await page(journal, cursor=cursor)


async def test_a_search_looks_into_names_and_descriptions_whatever_the_case(journal: SqlJournal):
    await journal.new_orchestrator("Ärger & Söhne")
    await journal.new_orchestrator("Other", description="about ÄRGER")
    await journal.new_orchestrator("Nothing")
    assert sorted(await names(journal, "  äRGER ")) == ["Other", "Ärger & Söhne"]
    assert sorted(await names(journal, " ")) == ["Nothing", "Other", "Ärger & Söhne"]


async def test_a_search_takes_every_character_as_it_is(journal: SqlJournal):
    odd = ["100% sure", "100 sure", "a_b", "axb", "a!b", "back\\slash", "it's", 'say "x"', ":name"]
    for name in odd:
        await journal.new_orchestrator(name)
    for query in ("0%", "a_b", "!", "\\", "'", '"x"', ":name"):
        assert await names(journal, query) == [name for name in reversed(odd) if query in name]
    assert await names(journal, "x' OR '1'='1") == []
    assert await names(journal, "a\0_b") == ["a_b"]


async def test_only_open_runs_of_the_orchestrator_are_counted(journal: SqlJournal):
    orchestrator_id, other = await journal.new_orchestrator(), await journal.new_orchestrator()
    runs = [await journal.new_run(orchestrator_id=orchestrator_id) for _ in range(4)]
    await journal.new_run(orchestrator_id=other)
    await journal.cancel(runs[0])
    waiting = await journal.store.claim(runs[1], "me")
    assert waiting is not None
    await journal.store.park(waiting, None, 1)
    await journal.store.claim(runs[2], "me")
    count = await journal.database.read(
        lambda connection: orchestrators.count_open_runs(connection, DEFAULT_WORKSPACE, orchestrator_id)
    )
    assert count == 3


async def test_the_list_looks_up_newest_runs_by_index(sqlite_database: Database):
    statement = text(f"EXPLAIN QUERY PLAN {orchestrators._PAGE}{orchestrators._PAGE_END}")
    plan = await sqlite_database.read(
        lambda connection: str(connection.execute(statement, {"workspace_id": "w", "limit": 9}).all())
    )
    assert "ix_orchestrator_list" in plan
    assert "ix_run_of_orchestrator" in plan
    assert "TEMP B-TREE" not in plan
