"""The use cases on a real database, with an engine whose surroundings are in the hands of the test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator_app.security.vault import Vault
from orchestrator_app.storage.database import Database
from tests.running import World, open_world
from tests.services.platforms import Office, open_office


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    """The test runs on SQLite and on PostgreSQL."""
    async with open_world(database) as opened:
        yield opened


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault.open(None, tmp_path / "encryption.key")


@pytest.fixture
async def office(database: Database, vault: Vault) -> AsyncIterator[Office]:
    """The connections to a platform in memory, on SQLite and on PostgreSQL."""
    opened = open_office(database, vault)
    yield opened
    await opened.catalog.close()
