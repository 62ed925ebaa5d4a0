"""What processes tell each other: two of them in one test, each with connections of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import psycopg
import pytest

from orchestrator_app.distribution.exchange import Exchange
from orchestrator_app.distribution.shared_hub import SharedHub
from orchestrator_app.runner.hub import Change
from orchestrator_app.storage.database import Database
from tests.databases import open_quickly

pytestmark = pytest.mark.postgres

PATIENCE_SECONDS = 10


class Heard:
    """What one process has heard about the topic ``word``."""

    def __init__(self, exchange: Exchange) -> None:
        self.items: list[Any] = []
        self._arrival = asyncio.Event()
        exchange.on("word", self._hear)

    def _hear(self, item: Any) -> None:
        self.items.append(item)
        self._arrival.set()

    async def until(self, number: int) -> list[Any]:
        """The items as soon as there are so many."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.items) < number:
                self._arrival.clear()
                await self._arrival.wait()
        return self.items


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[tuple[Exchange, Database]]:
    with open_quickly(url) as database:
        exchange = Exchange(database)
        await exchange.start()
        try:
            yield exchange, database
        finally:
            await exchange.stop()


@pytest.fixture
async def two(fresh_postgres_url: str) -> AsyncIterator[tuple[Exchange, Exchange]]:
    async with AsyncExitStack() as stack:
        one, _ = await stack.enter_async_context(listening(fresh_postgres_url))
        other, _ = await stack.enter_async_context(listening(fresh_postgres_url))
        yield one, other


async def test_the_other_process_hears_what_is_told_and_the_teller_does_not(two: tuple[Exchange, Exchange]):
    one, other = two
    here, there = Heard(one), Heard(other)
    one.tell("word", "a", {"n": 1})
    assert await there.until(1) == [{"n": 1}]
    other.tell("word", "b", "back")
    assert await here.until(1) == ["back"]
    assert there.items == [{"n": 1}]


async def test_what_is_told_at_once_travels_in_one_message_with_the_newest_of_each_thing(
    two: tuple[Exchange, Exchange], monkeypatch: pytest.MonkeyPatch
):
    one, other = two
    messages: list[str] = []
    hear = other._hear  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(other, "_hear", lambda words: (messages.append(words), hear(words)))
    there = Heard(other)
    for number in range(10):
        one.tell("word", "same", number)
        one.tell("word", f"{number}", f"x{number}")
    assert set(await there.until(11)) == {9, *(f"x{number}" for number in range(10))}
    assert len(messages) == 1


async def test_more_than_fits_into_one_message_arrives_in_several(two: tuple[Exchange, Exchange]):
    one, other = two
    there = Heard(other)
    items = [f"{number}:" + "ö" * 200 for number in range(300)]
    for item in items:
        one.tell("word", item, item)
    assert await there.until(300) == items


async def test_a_topic_that_nobody_here_knows_does_no_harm(two: tuple[Exchange, Exchange]):
    one, other = two
    one.tell("of a newer release", "a", 1)
    there = Heard(other)
    one.tell("word", "a", 2)
    assert await there.until(1) == [2]


async def test_a_lost_connection_is_opened_again(two: tuple[Exchange, Exchange], fresh_postgres_url: str):
    one, other = two
    there = Heard(other)
    with psycopg.connect(fresh_postgres_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not there.items:
            one.tell("word", "a", "still there")
            await asyncio.sleep(0.1)
    assert there.items[0] == "still there"


async def test_what_cannot_be_told_is_dropped_and_the_next_is_told(
    fresh_postgres_url: str, caplog: pytest.LogCaptureFixture
):
    async with listening(fresh_postgres_url) as (exchange, database):
        await asyncio.to_thread(database.close)
        exchange.tell("word", "a", 1)
    assert "could not be told" in caplog.text


async def test_readers_of_both_hubs_are_told_of_a_change(two: tuple[Exchange, Exchange]):
    one, other = (SharedHub(exchange) for exchange in two)
    change = Change("run", "w", "r", 7, "o", is_end=True)
    async with one.subscribe("w") as here, other.subscribe("w") as there:
        one.publish(change)
        assert await here.take(PATIENCE_SECONDS) == [change]
        assert await there.take(PATIENCE_SECONDS) == [change]
        assert await here.take(0.05) == []
