"""What tabs have not saved, on both databases."""

import pytest

from orchestrator_app.storage import drafts, orchestrators
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.workspaces import DEFAULT_WORKSPACE

ORCHESTRATOR = "o-1"


@pytest.fixture
async def with_orchestrator(database: Database) -> Database:
    await database.write(
        lambda connection: orchestrators.insert(
            connection,
            DEFAULT_WORKSPACE,
            orchestrator_id=ORCHESTRATOR,
            version_id="v-1",
            name="Orders",
            description="",
            definition="{}",
            node_count=0,
            now=1,
        )
    )
    return database


async def put(database: Database, tab: str, definition: str, now: int = 5) -> None:
    await database.write(
        lambda connection: drafts.put(
            connection,
            DEFAULT_WORKSPACE,
            tab=tab,
            orchestrator_id=ORCHESTRATOR,
            version=3,
            definition=definition,
            now=now,
        )
    )


async def get(database: Database, tab: str, workspace_id: str = DEFAULT_WORKSPACE) -> drafts.Draft | None:
    return await database.read(
        lambda connection: drafts.get(connection, workspace_id, tab=tab, orchestrator_id=ORCHESTRATOR)
    )


async def test_each_tab_has_a_draft_of_its_own_and_the_newest_counts(with_orchestrator: Database) -> None:
    await put(with_orchestrator, "a", "1")
    await put(with_orchestrator, "a", "2")
    await put(with_orchestrator, "b", "3")
    assert await get(with_orchestrator, "a") == drafts.Draft(3, "2")
    assert await get(with_orchestrator, "b") == drafts.Draft(3, "3")
    assert await get(with_orchestrator, "c") is None


async def test_a_draft_of_another_workspace_is_not_found(with_orchestrator: Database) -> None:
    await put(with_orchestrator, "a", "1")
    assert await get(with_orchestrator, "a", "other") is None


async def test_a_forgotten_draft_is_gone_and_old_ones_are_pruned(with_orchestrator: Database) -> None:
    await put(with_orchestrator, "a", "1", now=10)
    await put(with_orchestrator, "b", "2", now=20)
    await put(with_orchestrator, "c", "3", now=20)
    await with_orchestrator.write(
        lambda connection: drafts.delete(connection, tab="b", orchestrator_id=ORCHESTRATOR)
    )
    await with_orchestrator.write(lambda connection: drafts.prune(connection, 20))
    assert [await get(with_orchestrator, tab) for tab in "abc"] == [None, None, drafts.Draft(3, "3")]
