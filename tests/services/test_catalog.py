import pytest

from orchestrator_app.errors import (
    CredentialRefused,
    InvalidInput,
    NotFound,
    NotSupported,
    ProviderUnavailable,
)
from orchestrator_app.providers.client import HttpClient
from orchestrator_app.providers.connection import Connection
from orchestrator_app.providers.registry import build_providers
from orchestrator_app.runner.hub import Hub
from orchestrator_app.security import tokens
from orchestrator_app.security.vault import Vault
from orchestrator_app.services.catalog import Catalog
from orchestrator_app.services.connections import Connections
from orchestrator_app.storage.database import Database
from tests.fakes.server import FakeServer
from tests.services.platforms import FLOW, KEY, WS, Office
from tests.steered import SteeredClock


async def test_the_workflows_of_a_connection_are_listed_and_previewed(office: Office):
    connection_id = await office.connect()
    page = await office.catalog.workflows(WS, "memory", connection_id=connection_id, query="n", cursor="c")
    assert (page.workflows, page.cursor) == ((FLOW,), "next")
    preview = await office.catalog.preview(WS, "memory", "w1", connection_id=connection_id)
    assert preview.workflow == FLOW
    assert [seen.values["apiKey"] for seen in office.memory.seen[-2:] if seen] == [KEY, KEY]


async def test_the_only_connection_need_not_be_named(office: Office):
    with pytest.raises(InvalidInput, match="Memory has no connection yet"):
        await office.catalog.workflows(WS, "memory")
    await office.connect("One")
    assert (await office.catalog.workflows(WS, "memory")).workflows == (FLOW,)
    await office.connect("Two")
    with pytest.raises(InvalidInput, match="Memory has several connections") as caught:
        await office.catalog.preview(WS, "memory", "w1")
    assert caught.value.hint == "Say which one: connectionId."


async def test_a_platform_without_a_form_needs_no_connection(office: Office):
    assert (await office.catalog.workflows(WS, "open")).workflows == (FLOW,)
    assert office.open.seen == [Connection("open", "open", "Open")]


async def test_what_a_platform_cannot_do_is_refused_before_anything_else(office: Office):
    with pytest.raises(NotSupported):
        await office.catalog.preview(WS, "open", "w1")
    assert office.open.seen == []


async def test_an_unknown_platform_or_connection_is_not_found(office: Office):
    with pytest.raises(NotFound, match="There is no provider “nope”") as caught:
        await office.catalog.workflows(WS, "nope")
    assert caught.value.hint == "Known providers: memory, open."
    connection_id = await office.connect()
    for workspace, wanted in ((WS, "deleted"), ("another", connection_id)):
        with pytest.raises(NotFound, match="There is no such connection"):
            await office.catalog.workflows(workspace, "memory", connection_id=wanted)


async def test_a_connection_of_another_platform_is_refused(office: Office):
    connection_id = await office.connect()
    with pytest.raises(InvalidInput, match="“Ours” is for another platform"):
        await office.catalog.workflows(WS, "open", connection_id=connection_id)


async def test_a_refused_key_marks_its_connection(office: Office):
    connection_id = await office.connect()
    office.memory.listing = CredentialRefused("The key is not accepted.")
    for trying in (office.catalog.workflows(WS, "memory"), office.catalog.preview(WS, "memory", "w1")):
        await office.connections.mark(WS, connection_id, "connected", "")
        with pytest.raises(CredentialRefused):
            await trying
        view = await office.connections.get(WS, connection_id)
        assert (view.status, view.status_detail) == ("refused", "The key is not accepted.")


async def test_other_errors_mark_nothing(office: Office):
    connection_id = await office.connect()
    office.memory.listing = ProviderUnavailable("It is down.")
    with pytest.raises(ProviderUnavailable):
        await office.catalog.workflows(WS, "memory")
    assert (await office.connections.get(WS, connection_id)).status == "connected"


async def test_the_workflows_of_an_n8n_are_listed_over_http(
    database: Database, vault: Vault, http_client: HttpClient, fake_server: FakeServer
):
    providers, clock = build_providers(http_client), SteeredClock()
    connections = Connections(database, vault, providers, Hub(), now=clock.now, new_id=tokens.new_id)
    catalog = Catalog(providers, connections)
    n8n = fake_server.n8n2
    flow = n8n.add_workflow("Orders", path="orders")
    credentials = {"baseUrl": n8n.base, "apiKey": n8n.key}
    view = await connections.connect(WS, "n8n", name="Ours", credentials=credentials)
    assert view.status == "connected"
    page = await catalog.workflows(WS, "n8n", connection_id=view.id)
    assert [workflow.name for workflow in page.workflows] == ["Orders"]
    assert (await catalog.preview(WS, "n8n", flow.id)).url == flow.url
    await connections.update(WS, view.id, name=None, credentials={"apiKey": "a-wrong-key-123"})
    assert (await connections.get(WS, view.id)).status == "refused"
    with pytest.raises(CredentialRefused):
        await catalog.workflows(WS, "n8n")
