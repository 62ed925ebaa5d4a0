import asyncio
from pathlib import Path

import pytest

from orchestrator_app.errors import Unavailable
from orchestrator_app.providers.connection import Connection, ConnectionCheck
from orchestrator_app.security.vault import Vault
from orchestrator_app.services.connection_watch import (
    AT_ONCE,
    CONNECTED_MS,
    LONGEST_OUTAGE_MS,
    MINUTE_MS,
    PASS_SECONDS,
    REFUSED_MS,
    UNTESTED_MS,
    ConnectionWatch,
)
from orchestrator_app.storage.database import Database
from tests.services.platforms import WS, Office, open_office
from tests.steered import PATIENCE_SECONDS


def watch_of(office: Office, jitter: float = 1.0) -> ConnectionWatch:
    return ConnectionWatch(
        office.database, office.providers, office.connections, office.clock, jitter=lambda: jitter
    )


async def tried_after(office: Office, watch: ConnectionWatch, milliseconds: int) -> bool:
    """Whether a look after that time tries the only connection."""
    office.clock.ms += milliseconds
    before = len(office.memory.seen)
    await watch.look()
    return len(office.memory.seen) > before


async def test_a_connected_one_is_tried_every_few_minutes(office: Office):
    connection_id = await office.connect()
    watch = watch_of(office)
    assert not await tried_after(office, watch, CONNECTED_MS - 1)
    assert await tried_after(office, watch, 1)
    assert (await office.connections.get(WS, connection_id)).checked_date == office.clock.ms
    assert not await tried_after(office, watch, CONNECTED_MS - 1)
    office.memory.check = ConnectionCheck("refused", "Its key is not accepted any more.")
    assert await tried_after(office, watch, 1)
    view = await office.connections.get(WS, connection_id)
    assert (view.status, view.status_detail) == ("refused", "Its key is not accepted any more.")


async def test_a_refused_one_is_tried_once_an_hour(office: Office):
    office.memory.check = ConnectionCheck("refused", "No.")
    await office.connect()
    watch = watch_of(office)
    assert not await tried_after(office, watch, REFUSED_MS - 1)
    assert await tried_after(office, watch, 1)


async def test_one_that_does_not_answer_is_tried_at_growing_intervals(office: Office):
    office.memory.check = ConnectionCheck("unreachable", "It does not answer.")
    connection_id = await office.connect()
    watch = watch_of(office)
    for minutes in (1, 2, 4, 8, 16, 30, 30):
        assert not await tried_after(office, watch, minutes * MINUTE_MS - 1), minutes
        assert await tried_after(office, watch, 1), minutes
    office.memory.check = ConnectionCheck("connected", "It answers.")
    assert await tried_after(office, watch, 30 * MINUTE_MS)
    office.memory.check = ConnectionCheck("unreachable", "Again.")
    assert await tried_after(office, watch, CONNECTED_MS)
    assert (await office.connections.get(WS, connection_id)).status == "unreachable"
    assert await tried_after(office, watch, MINUTE_MS), "a new outage begins with a short pause"


async def test_one_that_was_never_tried_is_tried_at_the_start(office: Office):
    connection_id = await office.connect()
    await office.connections.mark(WS, await office.connections.open(WS, connection_id), "untested", "")
    assert await tried_after(office, watch_of(office), UNTESTED_MS)


async def test_what_a_run_saw_counts_as_a_look(office: Office):
    connection_id = await office.connect()
    watch = watch_of(office)
    office.clock.ms += CONNECTED_MS - 1
    await office.connections.mark(
        WS, await office.connections.open(WS, connection_id), "connected", "A call went well."
    )
    assert not await tried_after(office, watch, 1)


async def test_connections_are_not_tried_all_at_the_same_moment(office: Office):
    await office.connect()
    early, late = watch_of(office, 0.9), watch_of(office, 1.1)
    assert not await tried_after(office, late, round(CONNECTED_MS * 0.9))
    assert await tried_after(office, early, 0)


async def test_only_some_connections_are_tried_at_the_same_time(
    office: Office, monkeypatch: pytest.MonkeyPatch
):
    for number in range(AT_ONCE + 2):
        await office.connect(f"C{number}")
    under_way = most = 0
    is_full = asyncio.Event()

    async def test(connection: Connection) -> ConnectionCheck:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        if under_way == AT_ONCE:
            is_full.set()
        await is_full.wait()
        under_way -= 1
        return ConnectionCheck("connected", connection.name)

    monkeypatch.setattr(office.memory, "test", test)
    office.clock.ms += CONNECTED_MS
    async with asyncio.timeout(PATIENCE_SECONDS):
        await watch_of(office).look()
    assert most == AT_ONCE
    assert [view.status_detail for view in await office.connections.list(WS)] == [
        f"C{number}" for number in range(AT_ONCE + 2)
    ]


async def test_one_that_cannot_be_opened_is_left_alone_for_a_while(
    database: Database, office: Office, tmp_path: Path
):
    await office.connect()
    later = open_office(database, Vault.open(None, tmp_path / "another.key"))
    watch = watch_of(later)
    assert not await tried_after(later, watch, CONNECTED_MS)
    read = later.database.commits
    assert not await tried_after(later, watch, LONGEST_OUTAGE_MS - 1)
    assert later.database.commits == read


async def test_a_deleted_connection_is_forgotten(office: Office):
    connection_id = await office.connect()
    watch = watch_of(office)
    await watch.look()
    await office.connections.delete(WS, connection_id)
    assert not await tried_after(office, watch, CONNECTED_MS)


async def test_a_connection_of_a_platform_that_is_gone_is_left_alone(office: Office):
    await office.connect()
    del office.providers["memory"]
    assert not await tried_after(office, watch_of(office), CONNECTED_MS)


async def test_the_watch_goes_on_until_it_is_stopped_whatever_happens(
    office: Office, monkeypatch: pytest.MonkeyPatch
):
    watch, looks = watch_of(office), 0
    has_looked = asyncio.Event()

    async def look() -> None:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise Unavailable("The database is away.")
        if looks == 2:
            raise RuntimeError("a bug")
        has_looked.set()

    monkeypatch.setattr(watch, "look", look)
    watch.start()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await has_looked.wait()
    await watch.stop()
    assert office.clock.pauses[:2] == [PASS_SECONDS, PASS_SECONDS]
    stopped = looks
    await asyncio.sleep(0)
    assert looks == stopped
    await watch.stop()
