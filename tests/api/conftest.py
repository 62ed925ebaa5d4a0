"""A real application on a database of its own, and the API in front of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from orchestrator_app.api.app import build_api
from orchestrator_app.config import Settings
from orchestrator_app.services.application import Application
from orchestrator_app.wiring import open_application
from tests.api.calls import BASE_URL
from tests.fakes.fixtures import fake_server

__all__ = ["fake_server"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, demo=False)


@pytest.fixture
async def application(settings: Settings) -> AsyncIterator[Application]:
    async with open_application(settings) as opened:
        yield opened


@pytest.fixture
async def api(application: Application, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API. What breaks inside is answered, as by a real server."""
    app = build_api(lambda: application, settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        yield client
