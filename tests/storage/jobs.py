"""Pieces of work for the tests of the database, and a way to keep its writer busy."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from orchestrator_app.storage import settings
from orchestrator_app.storage.database import Database
from orchestrator_app.storage.sql import Connection

Job = Callable[[Connection], Any]


def putting(name: str, value: str = "x") -> Job:
    return lambda connection: settings.put(connection, name, value)


def getting(name: str) -> Job:
    return lambda connection: settings.get(connection, name)


def failing(error: BaseException) -> Job:
    def work(connection: Connection) -> None:
        settings.put(connection, "failed", "x")
        raise error

    return work


@contextmanager
def opened(url: str) -> Generator[Database]:
    database = Database(url)
    try:
        yield database
    finally:
        database.close()


@asynccontextmanager
async def busy(database: Database) -> AsyncGenerator[None]:
    """The writer is kept busy, so that what is written in the block waits in the queue until its end."""
    has_begun, is_released = threading.Event(), threading.Event()

    def work(_: Connection) -> None:
        has_begun.set()
        assert is_released.wait(10)

    blocking = asyncio.create_task(database.write(work))
    assert await asyncio.to_thread(has_begun.wait, 10)
    yield
    await asyncio.sleep(0)
    is_released.set()
    await blocking


async def together(database: Database, *jobs: Job) -> list[Any]:
    """What becomes of jobs that all wait in the queue when the writer looks into it: results and errors."""
    async with busy(database):
        tasks = [asyncio.create_task(database.write(job)) for job in jobs]
    return await asyncio.gather(*tasks, return_exceptions=True)
