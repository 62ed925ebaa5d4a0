"""A shared database, a process that serves (the test's own), and workers beside it."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from orchestrator_app.config import Settings
from orchestrator_app.services.application import Application
from orchestrator_app.wiring import open_application
from tests.databases import new_postgres_database
from tests.distribution.worker_process import WorkerProcess
from tests.processes import free_port

NewWorker = Callable[..., WorkerProcess]


@pytest.fixture
def shared_url() -> Iterator[str]:
    with new_postgres_database() as url:
        yield url


@pytest.fixture
def settings(tmp_path: Path, shared_url: str) -> Settings:
    return Settings(
        data_dir=tmp_path / "data",
        demo=False,
        port=free_port(),
        database_url=shared_url,
        workers="external",
    )


@pytest.fixture
async def serving(settings: Settings) -> AsyncIterator[Application]:
    """The application of a process that only serves."""
    async with open_application(settings) as application:
        yield application


@pytest.fixture
def new_worker(settings: Settings) -> Iterator[NewWorker]:
    """Starts a worker; all are killed at the end."""
    with ExitStack() as stack:

        def start(**values: str) -> WorkerProcess:
            process = WorkerProcess(
                settings.data_dir, settings.database_url, ORCHESTRATOR_PORT=str(settings.port), **values
            )
            return stack.enter_context(process)

        yield start
