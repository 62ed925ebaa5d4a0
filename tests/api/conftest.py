"""A real application on a database of its own, and the API in front of it."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from orchestrator_app.api.app import build_api
from orchestrator_app.config import Settings
from orchestrator_app.services.application import Application
from tests.api.calls import BASE_URL
from tests.applications import opened_quickly
from tests.fakes.fixtures import fake_server

__all__ = ["fake_server"]

# HTTPX asks for this package at each call; to look for what is not there takes longer than the rest of the call.
sys.modules.setdefault("sniffio", None)  # pyright: ignore[reportArgumentType, reportCallIssue]


@pytest.fixture
def settings(tmp_path: Path, fresh_sqlite_url: str) -> Settings:
    return Settings(data_dir=tmp_path, database_url=fresh_sqlite_url, demo=False)


@pytest.fixture
async def application(settings: Settings) -> AsyncIterator[Application]:
    async with opened_quickly(settings) as opened:
        yield opened


@pytest.fixture
async def api(application: Application, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API. What breaks inside is answered, as by a real server."""
    app = build_api(lambda: application, settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        yield client
