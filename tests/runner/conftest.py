"""Worlds to run in: a real engine on a real database, the rest in the hands of the test."""

from collections.abc import AsyncIterator

import pytest

from orchestrator_app.storage.database import Database
from tests.running import World, open_world


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    """The test runs on SQLite and on PostgreSQL."""
    async with open_world(database) as opened:
        yield opened


@pytest.fixture
async def sqlite_world(sqlite_database: Database) -> AsyncIterator[World]:
    """For what has nothing to do with the database."""
    async with open_world(sqlite_database) as opened:
        yield opened


@pytest.fixture
def shortest_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is drawn at random is the least that can be drawn."""
    monkeypatch.setattr("random.uniform", lambda least, _: least)
