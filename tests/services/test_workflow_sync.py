import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator_app.errors import (
    CredentialRefused,
    ProviderBusy,
    ProviderError,
    ProviderUnavailable,
    Unavailable,
    UnreadableAnswer,
)
from orchestrator_app.providers.connection import ConnectionCheck
from orchestrator_app.security.vault import Vault
from orchestrator_app.services.workflow_sync import AT_ONCE, FRESH_MS, PAUSE_AFTER_FAILURE_MS
from orchestrator_app.services.workflow_views import SyncView, WorkflowQuery
from orchestrator_app.storage.database import Database
from tests.services.platforms import FLOW, KEY, WS, Office, flows, open_office
from tests.steered import PATIENCE_SECONDS

ALL = WorkflowQuery()


async def settled(office: Office) -> tuple[SyncView, ...]:
    """How the lists fare as soon as none is being read any more."""
    async with asyncio.timeout(PATIENCE_SECONDS), office.hub.subscribe(WS) as changes:
        while office.connections.syncing:
            await changes.take(0.05)
    return tuple(view.sync for view in await office.connections.list(WS) if view.sync)


async def shown(office: Office) -> list[str]:
    """The names in the list, by which a reading begins if it is old."""
    return [row.workflow.name for row in (await office.catalog.browse(WS, "memory", ALL)).rows]


async def test_the_first_look_at_a_list_begins_to_read_it(office: Office):
    connection_id = await office.connect()
    office.memory.flows, office.memory.page_size = flows(5), 2
    found = await office.catalog.browse(WS, "memory", ALL)
    assert (found.total, found.syncs) == (0, (SyncView(connection_id, is_syncing=True),))
    (sync,) = await settled(office)
    assert sync == SyncView(connection_id, 5, synced_date=office.clock.ms)
    assert office.memory.cursors == ["", "2", "4"]


async def test_an_old_list_is_shown_at_once_and_read_anew_behind_it(office: Office):
    await office.connect()
    await office.catalog.browse_fully(WS, "memory", ALL)
    office.memory.flows = [replace(FLOW, name="Renamed")]
    office.clock.ms += FRESH_MS - 1
    await shown(office)
    assert not office.connections.syncing
    office.clock.ms += 1
    assert await shown(office) == ["Nightly orders"]
    await settled(office)
    assert await shown(office) == ["Renamed"]


async def test_a_list_is_read_once_at_a_time(office: Office):
    await office.connect()
    gate = asyncio.Event()

    async def wait() -> None:
        await gate.wait()

    office.memory.list_steps = [wait]
    for _ in range(3):
        await office.catalog.refresh(WS, "memory")
        await office.catalog.browse(WS, "memory", ALL)
    gate.set()
    await settled(office)
    assert office.memory.cursors == [""]


async def test_only_some_lists_are_read_at_the_same_time(office: Office):
    for number in range(AT_ONCE + 2):
        await office.connect(f"C{number}")
    gate, under_way = asyncio.Event(), 0
    most = 0

    async def wait() -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        if under_way == AT_ONCE:
            gate.set()
        await gate.wait()
        under_way -= 1

    office.memory.list_steps = [wait] * (AT_ONCE + 2)
    await office.catalog.refresh(WS, "memory")
    syncs = await settled(office)
    assert most == AT_ONCE
    assert [sync.workflows for sync in syncs] == [1] * (AT_ONCE + 2)


async def test_readers_learn_how_far_it_is_and_when_it_is_over(office: Office):
    connection_id = await office.connect()
    office.memory.flows, office.memory.page_size = flows(3), 1
    seen: list[tuple[int, bool]] = []
    async with office.hub.subscribe(WS) as changes:
        await office.catalog.refresh(WS, "memory", connection_id)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not seen or seen[-1][1]:
                if any(change.kind == "workflows" for change in await changes.take(5)):
                    view = await office.connections.get(WS, connection_id)
                    assert view.sync is not None
                    seen.append((view.sync.workflows, view.sync.is_syncing))
    assert seen[-1] == (3, False)
    assert seen[0][1] is True


async def test_what_is_gone_or_put_away_leaves_the_list(office: Office):
    await office.connect()
    office.memory.flows = flows(3)
    await office.catalog.browse_fully(WS, "memory", ALL)
    office.memory.flows = [
        office.memory.flows[0],
        replace(office.memory.flows[1], is_archived=True),
        replace(FLOW, id=""),
        replace(FLOW, id="x" * 256),
    ]
    await office.catalog.browse_fully(WS, "memory", ALL, refresh=True)
    assert await shown(office) == ["Flow 0001"]


@pytest.mark.parametrize(
    "error", [ProviderUnavailable(f"Down: {KEY}.", hint="Wait."), CredentialRefused("No.")]
)
async def test_what_goes_wrong_keeps_the_list_and_is_told(office: Office, error: ProviderError):
    connection_id = await office.connect()
    office.memory.flows, office.memory.page_size = flows(4), 2
    await office.catalog.browse_fully(WS, "memory", ALL)
    synced = office.clock.ms
    office.clock.ms += 10
    office.memory.down = error
    await office.catalog.refresh(WS, "memory")
    (sync,) = await settled(office)
    reason = "Down: ***. Wait." if isinstance(error, ProviderUnavailable) else "No."
    assert sync == SyncView(connection_id, 4, synced_date=synced, failed_date=office.clock.ms, failure=reason)
    view = await office.connections.get(WS, connection_id)
    expected = "refused" if isinstance(error, CredentialRefused) else "connected"
    assert view.status == expected, "a refused key turns the connection red at once, an outage does not"
    assert len(await shown(office)) == 4


async def test_a_platform_that_is_down_is_not_asked_by_every_page_load(office: Office):
    await office.connect()
    office.memory.down = ProviderUnavailable("Down.")
    await shown(office)
    await settled(office)
    office.clock.ms += PAUSE_AFTER_FAILURE_MS - 1
    await shown(office)
    assert len(office.memory.cursors) == 1
    office.clock.ms += 1
    await shown(office)
    await settled(office)
    assert len(office.memory.cursors) == 2
    await office.catalog.refresh(WS, "memory")
    await settled(office)
    assert len(office.memory.cursors) == 3, "who asks for it gets it tried at once"


async def test_a_short_outage_in_the_middle_of_a_list_is_waited_for(office: Office):
    await office.connect()
    office.memory.flows, office.memory.page_size = flows(4), 2
    office.memory.list_steps = [
        None,
        ProviderUnavailable("Down."),
        ProviderBusy("Slower.", retry_after_seconds=30),
    ]
    found = await office.catalog.browse_fully(WS, "memory", ALL)
    assert (found.total, found.syncs[0].failure) == (4, "")
    assert office.clock.pauses == [1.0, 30]


@pytest.mark.parametrize(
    ("errors", "pauses"),
    [
        ([ProviderBusy("Slower.", retry_after_seconds=3_600)], []),
        ([ProviderUnavailable("Down.")] * 4, [1.0, 4.0, 15.0]),
        ([UnreadableAnswer("What is this?")], []),
    ],
)
async def test_a_long_outage_in_the_middle_of_a_list_ends_the_reading(
    office: Office, errors: list[ProviderError], pauses: list[float]
):
    await office.connect()
    office.memory.flows, office.memory.page_size = flows(4), 2
    office.memory.list_steps = [None, *errors]
    await office.catalog.refresh(WS, "memory")
    (sync,) = await settled(office)
    assert (sync.workflows, sync.synced_date, sync.failure) == (2, None, errors[0].message)
    assert office.clock.pauses == pauses


async def test_a_list_that_leads_in_a_circle_is_stopped(office: Office):
    await office.connect()
    office.memory.has_no_end = True
    await office.catalog.refresh(WS, "memory")
    (sync,) = await settled(office)
    assert sync.failure.startswith("The list of workflows on Memory has no end")
    assert await shown(office) == ["Nightly orders"]


async def test_a_connection_that_leads_elsewhere_shows_nothing_of_before(office: Office):
    connection_id = await office.connect()
    await office.catalog.browse_fully(WS, "memory", ALL)
    office.clock.ms += 5
    office.memory.flows = [replace(FLOW, id="other", name="Other")]
    moved = {"baseUrl": "https://new.example", "apiKey": KEY}
    await office.connections.update(WS, connection_id, name=None, credentials=moved)
    assert await shown(office) == []
    await settled(office)
    assert await shown(office) == ["Other"]


async def test_a_changed_connection_is_read_anew_soon(office: Office):
    connection_id = await office.connect()
    await office.catalog.browse_fully(WS, "memory", ALL)
    office.clock.ms += 5
    office.memory.flows = [replace(FLOW, name="Of Europe")]
    await office.connections.update(WS, connection_id, name=None, credentials={"region": "eu"})
    assert await shown(office) == ["Nightly orders"]
    await settled(office)
    assert await shown(office) == ["Of Europe"]


async def test_a_connection_that_is_changed_while_its_list_is_read_is_read_from_the_beginning(
    office: Office,
):
    connection_id = await office.connect()
    office.memory.flows, office.memory.page_size = flows(4), 2

    async def change() -> None:
        office.clock.ms += 5
        await office.connections.update(WS, connection_id, name=None, credentials={"region": "eu"})

    office.memory.list_steps = [None, change]
    found = await office.catalog.browse_fully(WS, "memory", ALL)
    assert (found.total, office.memory.cursors) == (4, ["", "2", "", "2"])


async def test_a_connection_that_is_deleted_while_its_list_is_read_ends_it(office: Office):
    connection_id = await office.connect()
    office.memory.flows, office.memory.page_size = flows(4), 2

    async def delete() -> None:
        await office.connections.delete(WS, connection_id)

    office.memory.list_steps = [None, delete]
    await office.catalog.refresh(WS, "memory")
    assert await settled(office) == ()


async def test_a_list_that_can_be_read_again_clears_what_was_seen_of_its_connection(office: Office):
    connection_id = await office.connect()
    await office.connections.mark(
        WS, await office.connections.open(WS, connection_id), "unreachable", "It was down."
    )
    await office.catalog.browse_fully(WS, "memory", ALL)
    assert (await office.connections.get(WS, connection_id)).status == "connected"
    await office.connections.mark(WS, await office.connections.open(WS, connection_id), "refused", "No.")
    office.memory.check = ConnectionCheck("refused", "Still not.")
    await office.catalog.browse_fully(WS, "memory", ALL, refresh=True)
    view = await office.connections.get(WS, connection_id)
    assert (view.status, view.status_detail) == ("refused", "Still not.")


async def test_a_connection_that_no_key_opens_is_told_and_not_asked(
    database: Database, office: Office, tmp_path: Path
):
    await office.connect()
    await office.catalog.browse_fully(WS, "memory", ALL)
    later = open_office(database, Vault.open(None, tmp_path / "another.key"))
    later.clock.ms += FRESH_MS
    found = await later.catalog.browse(WS, "memory", ALL)
    assert (found.total, found.syncs[0].is_syncing) == (1, False)
    assert later.memory.seen == []


async def test_an_adapter_that_breaks_leaves_the_list_and_ends_the_reading(office: Office):
    await office.connect()
    await office.catalog.browse_fully(WS, "memory", ALL)

    async def break_() -> None:
        raise RuntimeError("a bug")

    office.memory.list_steps = [break_]
    await office.catalog.refresh(WS, "memory")
    (sync,) = await settled(office)
    assert (sync.workflows, sync.failure) == (
        1,
        "The workflows could not be read because of a defect. The log of Orchestrator says more.",
    )


async def test_a_list_that_the_database_does_not_take_is_read_again_later(
    office: Office, monkeypatch: pytest.MonkeyPatch
):
    await office.connect()
    away = Unavailable("The database is away.")

    async def refuse() -> None:
        async def write(*_: Any) -> Any:
            raise away

        monkeypatch.setattr(office.database, "write", write)

    office.memory.list_steps = [refuse]
    with pytest.raises(Unavailable):
        await office.catalog.browse_fully(WS, "memory", ALL)
    monkeypatch.undo()
    assert (await office.catalog.browse_fully(WS, "memory", ALL)).total == 1


async def test_closing_stops_what_is_being_read_and_a_restart_begins_clean(
    database: Database, vault: Vault, office: Office
):
    connection_id = await office.connect()
    has_begun, never = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        has_begun.set()
        await never.wait()

    office.memory.list_steps = [wait]
    await office.catalog.refresh(WS, "memory")
    async with asyncio.timeout(PATIENCE_SECONDS):
        await has_begun.wait()
    await office.catalog.close()
    assert not office.connections.syncing
    await office.catalog.refresh(WS, "memory")
    await settled(office)
    assert office.memory.cursors == [""], "nothing is begun any more"
    later = open_office(database, vault)
    assert (await later.connections.get(WS, connection_id)).sync == SyncView(connection_id)
    assert (await later.catalog.browse_fully(WS, "memory", ALL)).total == 1
    await later.catalog.close()


async def test_five_thousand_workflows_are_read_without_stopping_anything_else(office: Office):
    await office.connect()
    office.memory.flows, office.memory.page_size = flows(5_000), 250
    await office.catalog.refresh(WS, "memory")
    loop = asyncio.get_running_loop()
    longest, looks = 0.0, 0
    while office.connections.syncing:
        began = loop.time()
        await office.connections.list(WS)
        longest, looks = max(longest, loop.time() - began), looks + 1
    assert (await office.catalog.browse(WS, "memory", ALL)).total == 5_000
    assert looks > 1
    assert longest < 1, "a reader waited for the whole list"
