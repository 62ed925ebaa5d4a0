import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator_app.config import Settings, load_settings
from orchestrator_app.errors import ConfigurationError
from orchestrator_app.storage import run_queue
from orchestrator_app.storage.database import Database
from orchestrator_app.wiring import open_application
from orchestrator_app.worker import work
from tests.databases import new_postgres_database
from tests.processes import free_port


@pytest.fixture
def shared_url() -> Iterator[str]:
    with new_postgres_database() as url:
        yield url


async def worked(settings: Settings) -> asyncio.Task[None]:
    """A worker that takes runs."""
    is_ready = asyncio.Event()
    task = asyncio.create_task(work(settings, on_ready=is_ready.set))
    waiting = asyncio.create_task(is_ready.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    return task


async def test_a_worker_needs_a_database_that_can_be_shared(tmp_path: Path):
    settings = Settings(data_dir=tmp_path)
    with pytest.raises(ConfigurationError, match="needs a PostgreSQL database"):
        await work(settings, on_ready=lambda: None)


def test_a_process_that_only_serves_needs_it_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ORCHESTRATOR_WORKERS", "external")
    with pytest.raises(
        ConfigurationError, match="ORCHESTRATOR_WORKERS may only be external with a PostgreSQL"
    ):
        load_settings()


@pytest.mark.postgres
async def test_while_a_worker_lives_no_process_takes_its_runs_for_its_own(tmp_path: Path, shared_url: str):
    settings = Settings(data_dir=tmp_path, database_url=shared_url, demo=False, port=free_port())
    task = await worked(settings)
    with pytest.raises(ConfigurationError, match="Workers work on the runs of this database"):
        async with open_application(settings):
            pass
    os.kill(os.getpid(), signal.SIGTERM)
    await task
    # It has told that it is gone.
    async with open_application(settings) as application:
        assert await application.health.problems() == []


@pytest.mark.postgres
async def test_the_tables_of_the_queue_are_made_once(shared_url: str):
    await asyncio.gather(*(asyncio.to_thread(run_queue.create, shared_url) for _ in range(4)))
    database = Database(shared_url)
    try:
        assert await database.read(run_queue.live_workers) == 0
    finally:
        database.close()
