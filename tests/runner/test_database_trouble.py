"""The database is locked, full or read-only while runs are under way: they wait for it, and go on without a restart."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from typing import TypeAlias

import pytest
from sqlalchemy import make_url

from orchestrator_app.errors import Unavailable
from orchestrator_app.storage import engines
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.sql import Connection
from tests.running import WORKSPACE, World, graph, nodes_of, token_in, wait, webhook
from tests.storage.jobs import Job

Trouble: TypeAlias = Callable[[Database, pytest.MonkeyPatch], AbstractAsyncContextManager[None]]
RUNS = 5


def command(words: str) -> Job:
    return lambda connection: connection.command(words).fetchone()


@asynccontextmanager
async def locked(database: Database, patch: pytest.MonkeyPatch) -> AsyncGenerator[None]:
    """Another program holds the lock for writing, longer than anybody waits for it."""
    patch.setitem(engines.SQLITE_ARGUMENTS, "timeout", 0.05)
    await database.write(command("PRAGMA busy_timeout = 50"))
    with closing(sqlite3.connect(make_url(database.url).database or "", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@asynccontextmanager
async def full(database: Database, patch: pytest.MonkeyPatch) -> AsyncGenerator[None]:
    """Not one more page fits on the disk."""
    (pages,) = await database.write(command("PRAGMA page_count"))
    async with _writing_with(database, patch, f"PRAGMA max_page_count = {pages}"):
        yield


@asynccontextmanager
async def read_only(database: Database, patch: pytest.MonkeyPatch) -> AsyncGenerator[None]:
    """Nothing can be written."""
    async with _writing_with(database, patch, "PRAGMA query_only = ON"):
        yield


@asynccontextmanager
async def _writing_with(database: Database, patch: pytest.MonkeyPatch, words: str) -> AsyncGenerator[None]:
    """Every connection that writes has this handicap until the end of the block."""
    open_writer = engines.open_writer

    def handicapped(url: str) -> Connection:
        connection = open_writer(url)
        connection.command(words)
        return connection

    patch.setattr(engines, "open_writer", handicapped)
    await database.write(command(words))
    yield
    patch.setattr(engines, "open_writer", open_writer)


@pytest.mark.parametrize("trouble", [locked, full, read_only], ids=lambda trouble: trouble.__name__)
async def test_runs_wait_for_a_database_in_trouble_and_go_on_by_themselves(
    sqlite_world: World,
    trouble: Trouble,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    world = sqlite_world
    held = world.platform.hold("a")
    # What is answered needs pages of its own, so that a full disk is one for every run.
    answer = {"text": "x" * 50_000}
    definition_id = await world.keep(graph([webhook("a"), webhook("b"), wait("w")], "a b, b w"))
    starts = [world.runs.start(WORKSPACE, definition_id, {"n": 1}, trigger="api") for _ in range(RUNS)]
    ids = [run.id for run, _ in await asyncio.gather(*starts)]
    await world.platform.called("a", RUNS)
    async with trouble(world.database, monkeypatch):
        held.answer(answer)
        await world.clock.paused(3 * RUNS)
        assert world.platform.calls_of("b") == []  # nothing follows from what is not on disk
        with pytest.raises(Unavailable) as caught:
            await world.runs.start(WORKSPACE, definition_id, {"n": "x" * 50_000}, trigger="api")
        assert "disk space" in caught.value.hint
        for run_id in ids:  # reading goes on
            assert (await world.runs.get(WORKSPACE, run_id)).summary.state == "RUNNING"
    assert "s for the database" in caplog.text
    for run_id in ids:
        run = await world.parked(run_id)
        assert (
            await world.call_back(run_id, token_in(nodes_of(run)["w"].callback_url), {"ok": 1}) == "accepted"
        )
        assert (await world.ended(run_id)).output == {"ok": 1}
    assert len(world.platform.calls_of("a")) == len(world.platform.calls_of("b")) == RUNS
    page = await world.runs.page(WORKSPACE)
    assert sorted(item.id for item in page.items) == sorted(ids)  # what was refused left nothing behind
    assert await world.database.read(command("PRAGMA integrity_check")) == ("ok",)
