"""Worlds to run in: a real engine on a real database, the rest in the hands of the test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator_app.providers.base import Provider
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.custom import CustomProvider
from orchestrator_app.providers.flowise import FlowiseProvider
from orchestrator_app.providers.make import MakeProvider
from orchestrator_app.providers.n8n import N8nProvider
from orchestrator_app.providers.simulated import SimulatedProvider
from orchestrator_app.providers.zapier import ZapierProvider
from orchestrator_app.security import tokens
from orchestrator_app.security.vault import Vault
from orchestrator_app.services.connections import Connections
from orchestrator_app.services.gateway import Gateway
from orchestrator_app.storage.database import Database
from tests.fakes.server import FakeServer
from tests.runner.outside import Platforms
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
async def http_world(database: Database, http_client: HttpClient, tmp_path: Path) -> AsyncIterator[World]:
    """A world whose calls go over real HTTP."""
    async with open_world(database) as opened:
        providers = {
            "custom": CustomProvider(http_client),
            "simulated": SimulatedProvider(http_client, clock=lambda: opened.clock.ms / 1000),
        }
        vault = Vault.open(None, tmp_path / "key")
        connections = Connections(
            database, vault, providers, opened.hub, now=opened.clock.now, new_id=tokens.new_id
        )
        opened.gateway = Gateway(providers, connections, vault)
        await opened.restart()
        yield opened


@pytest.fixture
async def platforms(
    sqlite_database: Database,
    http_client: HttpClient,
    fake_server: FakeServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Platforms]:
    """A world whose calls go to all platforms of the fake server."""
    kinds: tuple[type[Provider], ...] = (N8nProvider, MakeProvider, ZapierProvider, FlowiseProvider)
    for kind in kinds:
        # The limit of looks is kept in real time, of which none passes here.
        monkeypatch.setattr(kind, "looks_per_minute", 60_000)
    async with open_world(sqlite_database) as world:
        simulated = SimulatedProvider(http_client, clock=lambda: world.clock.ms / 1000)
        providers = {kind.key: kind(http_client) for kind in kinds} | {"simulated": simulated}
        vault = Vault.open(None, tmp_path / "key")
        connections = Connections(
            sqlite_database, vault, providers, world.hub, now=world.clock.now, new_id=tokens.new_id
        )
        world.gateway = Gateway(providers, connections, vault)
        await world.restart()
        yield Platforms(world, fake_server, connections, simulated)


@pytest.fixture
def shortest_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is drawn at random is the least that can be drawn."""
    monkeypatch.setattr("random.uniform", lambda least, _: least)
