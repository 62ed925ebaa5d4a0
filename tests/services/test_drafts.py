"""Unsaved edits: written a moment later, found again by the same tab, and kept while the database is in trouble."""

import asyncio

import pytest

from orchestrator_app.domain.definition import Definition, Node
from orchestrator_app.errors import Unavailable
from orchestrator_app.runner.hub import Hub
from orchestrator_app.security.tokens import new_id
from orchestrator_app.services import drafts as drafts_module
from orchestrator_app.services.drafts import Drafts
from orchestrator_app.services.orchestrators import Orchestrators
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.workspaces import DEFAULT_WORKSPACE

GRAPH = Definition((Node("a", "Parallel", "Unsaved"),))


@pytest.fixture
async def orchestrator_id(database: Database) -> str:
    made = await Orchestrators(database, Hub(), now=lambda: 1, new_id=new_id).create(
        DEFAULT_WORKSPACE, name="Orders"
    )
    return made.id


@pytest.fixture
async def kept(database: Database, orchestrator_id: str) -> Drafts:
    drafts = Drafts(database, now=lambda: 1)
    drafts.keep(DEFAULT_WORKSPACE, "tab", orchestrator_id, 4, GRAPH)
    return drafts


async def test_a_tab_finds_its_own_unsaved_graph_and_no_other_does(
    kept: Drafts, orchestrator_id: str
) -> None:
    found = await kept.find(DEFAULT_WORKSPACE, "tab", orchestrator_id)
    assert found is not None
    assert (found.version, found.definition) == (4, GRAPH.as_json())
    assert await kept.find(DEFAULT_WORKSPACE, "other tab", orchestrator_id) is None
    await kept.close()


async def test_a_restart_finds_what_was_pending_at_the_stop(
    kept: Drafts, database: Database, orchestrator_id: str
) -> None:
    await kept.close()
    later = Drafts(database, now=lambda: 2)
    assert await later.find(DEFAULT_WORKSPACE, "tab", orchestrator_id) is not None
    await later.close()


async def test_what_was_saved_is_no_draft_any_more(kept: Drafts, orchestrator_id: str) -> None:
    await kept.flush()
    kept.forget(DEFAULT_WORKSPACE, "tab", orchestrator_id)
    assert await kept.find(DEFAULT_WORKSPACE, "tab", orchestrator_id) is None
    await kept.close()


async def test_edits_wait_for_a_database_in_trouble(
    kept: Drafts, database: Database, orchestrator_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drafts_module, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(drafts_module, "RETRY_SECONDS", 0.0)
    write, refused = database.write, asyncio.Event()

    async def refuse(_work: object) -> None:
        refused.set()
        raise Unavailable("The disk is full.")

    monkeypatch.setattr(database, "write", refuse)
    with pytest.raises(Unavailable):
        await kept.find(DEFAULT_WORKSPACE, "tab", orchestrator_id)
    kept.keep(DEFAULT_WORKSPACE, "tab", orchestrator_id, 5, GRAPH)
    async with asyncio.timeout(5):
        await refused.wait()
    monkeypatch.setattr(database, "write", write)
    found = await kept.find(DEFAULT_WORKSPACE, "tab", orchestrator_id)
    assert found is not None
    assert found.version == 5
    await kept.close()
    await kept.close()
