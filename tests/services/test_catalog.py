from dataclasses import replace

import pytest

from orchestrator_app.errors import (
    CredentialRefused,
    InvalidInput,
    NotFound,
    NotSupported,
    ProviderUnavailable,
)
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.registry import build_providers
from orchestrator_app.runner.hub import Hub
from orchestrator_app.security import tokens
from orchestrator_app.security.vault import Vault
from orchestrator_app.services.catalog import Catalog
from orchestrator_app.services.connections import Connections
from orchestrator_app.services.workflow_views import WorkflowList, WorkflowQuery
from orchestrator_app.storage.database import Database
from tests.fakes.server import FakeServer
from tests.services.platforms import FLOW, WS, Office, flows
from tests.steered import SteeredClock

ALL = WorkflowQuery()


def names(found: WorkflowList) -> list[str]:
    return [row.workflow.name for row in found.rows]


async def test_workflows_are_browsed_from_what_was_listed_last(office: Office):
    connection_id = await office.connect()
    office.memory.flows = flows(5, tags=("a",), folder="F", team="T")
    await office.catalog.browse_fully(WS, "memory", ALL)
    office.memory.down = ProviderUnavailable("It is down.")
    found = await office.catalog.browse(WS, "memory", ALL, offset=1, limit=2)
    assert [(row.connection_id, row.connection_name) for row in found.rows] == [(connection_id, "Ours")] * 2
    assert [row.workflow for row in found.rows] == office.memory.flows[1:3]
    assert (found.total, found.offset) == (5, 1)
    assert (found.tags, found.folders, found.teams) == (("a",), ("F",), ("T",))
    (sync,) = found.syncs
    assert (sync.connection_id, sync.workflows, sync.is_syncing) == (connection_id, 5, False)
    assert sync.synced_date == office.clock.ms


async def test_a_platform_without_connections_has_an_empty_list(office: Office):
    assert await office.catalog.browse(WS, "memory", ALL) == WorkflowList((), 0, 0, ())
    with pytest.raises(InvalidInput, match="Memory has no connection yet"):
        await office.catalog.browse_fully(WS, "memory", ALL)


async def test_the_lists_of_several_connections_are_one(office: Office):
    one = await office.connect("One")
    two = await office.connect("Two")
    found = await office.catalog.browse_fully(WS, "memory", ALL)
    assert {row.connection_id for row in found.rows} == {one, two}
    assert {sync.connection_id for sync in found.syncs} == {one, two}
    found = await office.catalog.browse(WS, "memory", WorkflowQuery(connection_id=two))
    assert [row.connection_name for row in found.rows] == ["Two"]
    assert await office.catalog.counts(WS) == {"memory": 2, "open": 1}


async def test_counting_begins_to_read_a_list_that_was_never_read(office: Office):
    connection_id = await office.connect()
    async with office.hub.subscribe(WS) as changes:
        assert await office.catalog.counts(WS) == {"open": 1}
        while not any(change.kind == "workflows" for change in await changes.take(5)):
            pass
    found = await office.catalog.browse_fully(WS, "memory", ALL)
    assert [row.connection_id for row in found.rows] == [connection_id]
    assert await office.catalog.counts(WS) == {"memory": 1, "open": 1}


async def test_what_is_wanted_of_a_list_is_found(office: Office):
    await office.connect()
    office.memory.flows = [
        replace(FLOW, id="1", name="Alpha", tags=("x",), updated_at=1),
        replace(FLOW, id="2", name="beta", is_active=False, folder="F", updated_at=3),
        replace(FLOW, id="3", name="Gamma", team="T", updated_at=2),
    ]
    office.open.flows = office.memory.flows
    await office.catalog.browse_fully(WS, "memory", ALL)
    # A platform that needs no connection is filtered and sorted in the same way, without a cache.
    for provider in ("memory", "open"):
        for query, wanted in (
            (WorkflowQuery(text="A"), ["Alpha", "beta", "Gamma"]),
            (WorkflowQuery(text="ET"), ["beta"]),
            (WorkflowQuery(activity="active"), ["Alpha", "Gamma"]),
            (WorkflowQuery(activity="inactive"), ["beta"]),
            (WorkflowQuery(tag="x"), ["Alpha"]),
            (WorkflowQuery(folder="F"), ["beta"]),
            (WorkflowQuery(team="T"), ["Gamma"]),
            (WorkflowQuery(sort="-name"), ["Gamma", "beta", "Alpha"]),
            (WorkflowQuery(sort="updated"), ["Alpha", "Gamma", "beta"]),
            (WorkflowQuery(sort="-updated"), ["beta", "Gamma", "Alpha"]),
        ):
            found = await office.catalog.browse(WS, provider, query)
            assert (names(found), found.total) == (wanted, len(wanted)), (provider, query)
            assert (found.tags, found.folders, found.teams) == (("x",), ("F",), ("T",))


async def test_a_platform_that_needs_no_connection_is_listed_page_by_page_at_once(office: Office):
    office.open.flows = [*flows(5), replace(FLOW, id="old", is_archived=True)]
    office.open.page_size = 2
    found = await office.catalog.browse_fully(WS, "open", ALL, offset=3, limit=1)
    assert (names(found), found.total, found.offset, found.syncs) == (["Flow 0004"], 5, 3, ())
    assert office.open.cursors == ["", "2", "4"]


async def test_what_a_platform_cannot_do_is_refused_before_anything_else(office: Office):
    with pytest.raises(NotSupported, match="Open cannot do this: preview"):
        await office.catalog.look(WS, "open", "w1")
    assert office.open.seen == []


async def test_a_connection_that_lists_nothing_is_not_asked(office: Office):
    view = await office.connections.connect(
        WS, "modal", name="", credentials={"hook": "https://hooks.example/1"}
    )
    found = await office.catalog.browse_fully(WS, "modal", ALL, refresh=True)
    assert (found.rows, found.syncs) == ((), ())
    await office.catalog.refresh(WS, "modal")
    assert office.modal.cursors == []
    with pytest.raises(
        NotSupported, match="Modal does not offer this with this kind of connection: showing a workflow"
    ):
        await office.catalog.look(WS, "modal", "w1", connection_id=view.id)


async def test_an_unknown_platform_or_connection_is_not_found(office: Office):
    with pytest.raises(NotFound, match="There is no provider “nope”") as caught:
        await office.catalog.browse(WS, "nope", ALL)
    assert caught.value.hint == "Known providers: memory, open, modal."
    connection_id = await office.connect()
    for workspace, wanted in ((WS, "deleted"), ("another", connection_id)):
        for trying in (
            office.catalog.browse(workspace, "memory", WorkflowQuery(connection_id=wanted)),
            office.catalog.browse_fully(workspace, "memory", WorkflowQuery(connection_id=wanted)),
            office.catalog.refresh(workspace, "memory", wanted),
            office.catalog.look(workspace, "memory", "w1", connection_id=wanted),
            office.catalog.node_for(workspace, "memory", "w1", connection_id=wanted),
        ):
            with pytest.raises(NotFound, match="There is no such connection"):
                await trying


async def test_a_connection_of_another_platform_is_refused(office: Office):
    connection_id = await office.connect()
    query = WorkflowQuery(connection_id=connection_id)
    for trying in (
        office.catalog.browse(WS, "modal", query),
        office.catalog.refresh(WS, "modal", connection_id),
        office.catalog.look(WS, "modal", "w1", connection_id=connection_id),
    ):
        with pytest.raises(InvalidInput, match="“Ours” is for another platform"):
            await trying


async def test_the_only_connection_need_not_be_named_for_a_look(office: Office):
    with pytest.raises(InvalidInput, match="Memory has no connection yet"):
        await office.catalog.look(WS, "memory", "w1")
    await office.connect("One")
    assert (await office.catalog.look(WS, "memory", "w1")).preview.workflow == FLOW
    await office.connect("Two")
    with pytest.raises(InvalidInput, match="Memory has several connections") as caught:
        await office.catalog.look(WS, "memory", "w1")
    assert caught.value.hint == "Say which one: connectionId."


async def test_a_first_list_that_cannot_be_read_is_an_error_for_who_waits_for_it(office: Office):
    await office.connect()
    office.memory.down = ProviderUnavailable("It is down.")
    with pytest.raises(ProviderUnavailable):
        await office.catalog.browse_fully(WS, "memory", ALL)
    office.memory.down = None
    assert (await office.catalog.browse_fully(WS, "memory", ALL)).total == 1
    office.memory.down = ProviderUnavailable("It is down.", hint="Wait.")
    found = await office.catalog.browse_fully(WS, "memory", ALL, refresh=True)
    assert (found.total, found.syncs[0].failure) == (1, "It is down. Wait.")


async def test_a_workflow_that_needs_no_connection_is_looked_at_and_made_a_node(
    database: Database, vault: Vault, http_client: HttpClient
):
    providers, clock, hub = build_providers(http_client), SteeredClock(), Hub()
    connections = Connections(database, vault, providers, hub, now=clock.now, new_id=tokens.new_id)
    catalog = Catalog(database, providers, connections, hub, now=clock.now, sleep=clock.sleep)
    shown = await catalog.look(WS, "simulated", "echo")
    assert (shown.connection_id, shown.fetched_date, shown.failure) == ("", clock.ms, "")
    made = await catalog.node_for(WS, "simulated", "echo")
    assert (made.kind, made.label) == ("RemoteWebhook", shown.preview.workflow.name)
    assert made.config["workflowId"] == "echo"
    assert "connectionId" not in made.config
    with pytest.raises(NotFound, match="no workflow nope on Simulated"):
        await catalog.look(WS, "simulated", "nope")


async def test_the_workflows_of_an_n8n_are_browsed_over_http(
    database: Database, vault: Vault, http_client: HttpClient, fake_server: FakeServer
):
    providers, clock, hub = build_providers(http_client), SteeredClock(), Hub()
    connections = Connections(database, vault, providers, hub, now=clock.now, new_id=tokens.new_id)
    catalog = Catalog(database, providers, connections, hub, now=clock.now, sleep=clock.sleep)
    n8n = fake_server.n8n2
    flow = n8n.add_workflow("Orders", path="orders")
    credentials = {"baseUrl": n8n.base, "apiKey": n8n.key}
    view = await connections.connect(WS, "n8n", name="Ours", credentials=credentials)
    assert view.status == "connected"
    assert names(await catalog.browse_fully(WS, "n8n", ALL)) == ["Orders"]
    assert (await catalog.look(WS, "n8n", flow.id)).preview.url == flow.url
    await connections.update(WS, view.id, name=None, credentials={"apiKey": "a-wrong-key-123"})
    assert (await connections.get(WS, view.id)).status == "refused"
    found = await catalog.browse_fully(WS, "n8n", ALL, refresh=True)
    assert names(found) == ["Orders"]
    assert found.syncs[0].failure
    shown = await catalog.look(WS, "n8n", flow.id, fresh=True)
    assert shown.failure
    with pytest.raises(CredentialRefused):
        await catalog.look(WS, "n8n", "never-seen")
    await catalog.close()
