"""A real application on a database of its own, and tabs that use it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from reflex.istate.manager.memory import StateManagerMemory
from reflex_base.event.processor import BaseStateEventProcessor

from orchestrator_app.config import Settings
from orchestrator_app.orchestrator_app import app
from orchestrator_app.services import application as installed
from orchestrator_app.services.application import Application, install
from orchestrator_app.ui.pages.canvas import live_state, remote_state
from orchestrator_app.ui.pages.connections import state as connections_state
from orchestrator_app.ui.pages.orchestrators import state as orchestrators_state
from orchestrator_app.ui.pages.run import state as run_state
from orchestrator_app.ui.pages.runs import state as runs_state
from orchestrator_app.ui.session import show_error
from orchestrator_app.ui.workflows import state as browser_state
from tests.applications import opened_quickly
from tests.ui.tabs import Tabs

WATCHING = (
    live_state,
    remote_state,
    browser_state,
    connections_state,
    orchestrators_state,
    run_state,
    runs_state,
)


@pytest.fixture(autouse=True)
def _watchers_are_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that look for changes do so often, so that tests need not wait."""
    for module in WATCHING:
        monkeypatch.setattr(module, "PAUSE_SECONDS", 0.01)


@pytest.fixture
async def application(tmp_path: Path, fresh_sqlite_url: str) -> AsyncIterator[Application]:
    """Everything behind the pages."""
    settings = Settings(data_dir=tmp_path, database_url=fresh_sqlite_url, demo=False)
    async with opened_quickly(settings) as opened:
        install(opened)
        yield opened
    installed._installed.clear()


@pytest.fixture
async def tabs(application: Application) -> AsyncIterator[Tabs]:
    """Opens tabs; when the test is over, all of them are closed."""
    processor = BaseStateEventProcessor(middleware=app, backend_exception_handler=show_error)
    opened = Tabs(processor, application)
    namespace: Any = opened
    manager = StateManagerMemory()
    async with processor.configure(state_manager=manager, event_namespace=namespace):
        yield opened
    await manager.close()
