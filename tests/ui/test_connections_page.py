"""The page of connections, used as a page uses it. Secrets never pass through its state."""

from typing import Any

import pytest

from orchestrator_app.errors import Unavailable
from orchestrator_app.providers.base import Capability
from orchestrator_app.providers.registry import PROVIDERS
from orchestrator_app.services.application import DEFAULT_WORKSPACE as HERE
from orchestrator_app.services.connections import Connections
from orchestrator_app.services.views import ConnectionView, ProviderView
from orchestrator_app.services.workflow_views import SyncView
from orchestrator_app.ui.pages.connections import state as connections_state
from orchestrator_app.ui.pages.connections.form_state import ConnectionFormState
from orchestrator_app.ui.pages.connections.platforms import ABILITIES, LOOKS, ConnectionRow, platform_rows
from orchestrator_app.ui.pages.connections.state import ConnectionsState
from tests.builders import a_definition, a_node
from tests.fakes.server import FakeServer
from tests.ui.tabs import CLOSED, OPEN, Tab, Tabs


async def connected(tabs: Tabs, fake: FakeServer, name: str = "Ours") -> str:
    credentials = {"baseUrl": fake.n8n2.base, "apiKey": fake.n8n2.key}
    return (await tabs.application.connections.connect(HERE, "n8n", name=name, credentials=credentials)).id


def shown(tab: Tab, name: str) -> Any:
    return tab.shows(ConnectionsState, name)


def in_form(tab: Tab, name: str) -> Any:
    return tab.shows(ConnectionFormState, name)


def rows(tab: Tab) -> list[tuple[str, str]]:
    return [
        (row["name"], row["status"])
        for platform in shown(tab, "platforms")
        for row in platform["connections"]
    ]


async def test_platforms_are_shown_with_their_connections_and_no_secret(tabs: Tabs, fake_server: FakeServer):
    await connected(tabs, fake_server)
    tab = await tabs.open("/connections")
    assert rows(tab) == [("Ours", "connected")]
    assert "n8n" in [platform["key"] for platform in shown(tab, "platforms")]
    assert fake_server.n8n2.key not in str(tab.vars)


async def test_the_form_of_a_new_connection_posts_to_the_api(tabs: Tabs):
    tab = await tabs.open("/connections")
    await tab.send(ConnectionFormState.open_new, "n8n")
    assert (in_form(tab, "is_open"), in_form(tab, "method")) == (True, "POST")
    assert in_form(tab, "url") == "/api/v1/orchestrator/providers/n8n/connect"
    assert in_form(tab, "test_url") == "/api/v1/orchestrator/providers/n8n/test"
    assert in_form(tab, "fields")[0]["key"] == "name"
    await tab.send(ConnectionFormState.show_form, CLOSED)
    for nothing_to_connect in ("no-such-platform", "simulated"):
        await tab.send(ConnectionFormState.open_new, nothing_to_connect)
        assert in_form(tab, "is_open") is False


async def test_a_further_connection_is_proposed_a_name_that_is_free(tabs: Tabs, fake_server: FakeServer):
    for name in ("n8n", "n8n 2"):
        await connected(tabs, fake_server, name)
    tab = await tabs.open("/connections")
    await tab.send(ConnectionFormState.open_new, "n8n")
    assert in_form(tab, "fields")[0]["value"] == "n8n 3"


async def test_an_address_can_ask_for_the_form_and_forgets_it_then(tabs: Tabs):
    tab = await tabs.open("/connections?connect=n8n")
    await tab.until(lambda: in_form(tab, "is_open") is True)
    assert in_form(tab, "title") == "Connect n8n"
    assert any("history.replaceState" in script and '"/connections"' in script for script in tab.said)
    other = await tabs.open("/connections?connect=no-such-platform")
    assert in_form(other, "is_open") is False


async def test_the_form_of_a_stored_connection_leaves_its_secret_where_it_is(
    tabs: Tabs, fake_server: FakeServer
):
    connection_id = await connected(tabs, fake_server)
    tab = await tabs.open("/connections")
    await tab.send(ConnectionFormState.open_existing, connection_id)
    fields = {field["key"]: field for field in in_form(tab, "fields")}
    assert (fields["apiKey"]["value"], fields["apiKey"]["isStored"]) == ("", True)
    assert "stored" in fields["apiKey"]["placeholder"]
    assert fields["baseUrl"]["value"] == fake_server.n8n2.base
    assert (in_form(tab, "method"), in_form(tab, "connection_id")) == ("PUT", connection_id)
    assert fake_server.n8n2.key not in str(tab.vars)
    await tab.send(ConnectionFormState.open_existing, "gone")
    await tab.until_said("no such connection")


async def test_the_form_closes_when_the_connection_is_stored_and_tells_if_it_does_not_work(tabs: Tabs):
    tab = await tabs.open("/connections")
    await tab.send(ConnectionFormState.open_new, "n8n")
    await tab.send(ConnectionFormState.stored, {"ok": False, "status": 422, "body": {}})
    assert (in_form(tab, "is_open"), tab.said) == (True, [])
    await tab.send(ConnectionFormState.stored, {"ok": True, "status": 200, "body": {"status": "connected"}})
    assert in_form(tab, "is_open") is False
    assert "Connection saved" in tab.said[-1]
    answer = {"status": "unreachable", "statusDetail": "Nothing listens there."}
    await tab.send(ConnectionFormState.stored, {"ok": True, "status": 200, "body": answer})
    assert "does not work yet" in tab.said[-1]
    assert "Nothing listens there." in tab.said[-1]


async def test_a_connection_is_checked_and_turns_red_everywhere(tabs: Tabs, fake_server: FakeServer):
    connection_id = await connected(tabs, fake_server)
    tab, other = await tabs.open("/connections"), await tabs.open("/connections")
    await tab.send(ConnectionsState.check, connection_id)
    assert (shown(tab, "testing_id"), rows(tab)) == ("", [("Ours", "connected")])
    connection = await tabs.application.connections.open(HERE, connection_id)
    await tabs.application.connections.mark(HERE, connection, "refused", "The key is not accepted.")
    await other.until(lambda: rows(other) == [("Ours", "refused")])
    await tab.send(ConnectionsState.check, "gone")
    assert "no such connection" in tab.said[-1]
    assert shown(tab, "testing_id") == ""


async def test_the_question_before_a_connection_goes_names_the_orchestrators_that_use_it(
    tabs: Tabs, fake_server: FakeServer
):
    connection_id = await connected(tabs, fake_server)
    tab = await tabs.open("/connections")
    await tab.send(ConnectionsState.ask_delete, connection_id, "Ours")
    assert (shown(tab, "is_deleting"), shown(tab, "usage")) == (True, [])
    assert "No orchestrator uses it" in shown(tab, "deleting_text")
    config = {"provider": "n8n", "connectionId": connection_id, "workflowId": "1"}
    nodes = [a_node(name, "RemoteWebhook", config, label=name) for name in ("First", "Second")]
    orders = await tabs.application.orchestrators.create(
        HERE, name="Orders", definition=a_definition(nodes).as_json()
    )
    await tab.send(ConnectionsState.ask_delete, connection_id, "Ours")
    assert shown(tab, "usage") == [{"orchestrator_id": orders.id, "name": "Orders", "nodes": "First, Second"}]
    assert "One orchestrator uses it" in shown(tab, "deleting_text")
    await tabs.application.orchestrators.create(
        HERE, name="Refunds", definition=a_definition(nodes[:1]).as_json()
    )
    await tab.send(ConnectionsState.ask_delete, connection_id, "Ours")
    assert "2 orchestrators use it" in shown(tab, "deleting_text")
    await tab.send(ConnectionsState.show_delete, CLOSED)
    await tab.send(ConnectionsState.ask_delete, "gone", "Ours")
    assert shown(tab, "is_deleting") is False
    await tab.until_said("no such connection")


async def test_a_connection_is_deleted_after_a_question_also_twice(tabs: Tabs, fake_server: FakeServer):
    connection_id = await connected(tabs, fake_server)
    tab = await tabs.open("/connections")
    await tab.send(ConnectionsState.ask_delete, connection_id, "Ours")
    await tab.send(ConnectionsState.show_delete, CLOSED)
    assert rows(tab) == [("Ours", "connected")]
    await tab.send(ConnectionsState.show_delete, OPEN)
    for _ in range(2):
        await tab.send(ConnectionsState.delete)
        assert (shown(tab, "is_deleting"), rows(tab)) == (False, [])
    assert "Disconnected “Ours”" in tab.said[-1]


async def test_live_updates_outlive_trouble_with_the_database(
    tabs: Tabs, fake_server: FakeServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(connections_state, "LOOK_AGAIN_SECONDS", 0.01)
    tab = await tabs.open("/connections")
    real, failures = Connections.providers, [1, 1, 1]

    async def flaky(self: Connections, workspace_id: str) -> Any:
        if failures:
            failures.pop()
            raise Unavailable("The database is busy.")
        return await real(self, workspace_id)

    monkeypatch.setattr(Connections, "providers", flaky)
    await connected(tabs, fake_server)
    await tab.until(lambda: rows(tab) == [("Ours", "connected")])
    assert failures == []


async def test_changes_of_other_things_are_not_looked_at(tabs: Tabs):
    tab = await tabs.open("/connections")
    tab.updates.clear()
    await tabs.application.orchestrators.create(HERE, name="Orders")
    await tab.send(ConnectionsState.show_delete, CLOSED)
    assert all("platforms" not in update for update in tab.updates)


# --- the cards ---

KIND = {
    "key": "mode",
    "isOrigin": False,
    "options": [{"value": "hook", "label": "Hook"}, {"value": "token", "label": "Token"}],
}
ADDRESS = {"key": "apiUrl", "isOrigin": True, "options": []}


def a_connection(**values: Any) -> ConnectionView:
    plain = {
        "id": "c1",
        "provider": "zapier",
        "name": "Ours",
        "settings": {},
        "secrets_set": (),
        "status": "connected",
        "status_detail": "",
        "checked_date": None,
        "created_date": 1,
        "updated_date": 1,
    }
    return ConnectionView(**(plain | values))


def a_platform(*connections: ConnectionView, **values: Any) -> ProviderView:
    plain: dict[str, Any] = {
        "key": "zapier",
        "title": "Zapier",
        "capabilities": ("list", "poll"),
        "fields": (KIND, ADDRESS),
        "connections": connections,
    }
    return ProviderView(**(plain | values))


def row_of(connection: ConnectionView) -> ConnectionRow:
    return platform_rows([a_platform(connection)])[0].connections[0]


def test_every_platform_that_can_be_connected_says_what_it_is_for():
    connectable = {key for key, kind in PROVIDERS.items() if kind.credential_fields}
    assert connectable <= LOOKS.keys()
    assert all(LOOKS[key].purpose for key in connectable)
    assert ABILITIES.keys() == set(Capability)


def test_platforms_stand_in_one_order_those_without_a_form_are_left_out_and_unknown_ones_come_last():
    keys = ("simulated", "elsewhere", "custom", "n8n")
    views = [a_platform(key=key, fields=() if key == "simulated" else (ADDRESS,)) for key in keys]
    assert [row.key for row in platform_rows(views)] == ["n8n", "custom", "elsewhere"]


def test_a_card_tells_what_the_platform_can_do_where_only_partly_and_why_not_the_rest():
    (card,) = platform_rows(
        [a_platform(limits={"poll": "token mode"}, refusals={"cancel": "Zapier cannot stop a Zap."})]
    )
    told = {ability.label: (ability.can, ability.note) for ability in card.abilities}
    assert told[ABILITIES[Capability.LIST]] == ("yes", "")
    assert told[ABILITIES[Capability.POLL]] == ("partly", "Partly: token mode")
    assert told[ABILITIES[Capability.CANCEL]] == ("no", "Zapier cannot stop a Zap.")
    assert card.ability_count == f"2 of {len(Capability)}"


def test_a_connection_tells_its_kind_its_address_and_what_this_kind_lacks():
    row = row_of(
        a_connection(settings={"mode": "hook", "apiUrl": "https://zap.example.org"}, capabilities=("list",))
    )
    assert (row.mode, row.address) == ("Hook", "https://zap.example.org")
    assert row.lacks == "Not with this connection: ask for the result until it is there."
    assert row_of(a_connection(capabilities=("list", "poll"))).lacks == ""


def test_a_connection_that_no_key_opens_is_not_said_to_lack_anything():
    assert row_of(a_connection(status="unreadable", capabilities=())).lacks == ""


@pytest.mark.parametrize(
    ("sync", "workflows", "synced"),
    [
        (None, "", 0),
        (SyncView("c1"), "", 0),
        (SyncView("c1", failed_date=5, failure="It is down."), "", 0),
        (SyncView("c1", workflows=100, is_syncing=True), "100 workflows", 0),
        (SyncView("c1", workflows=1, synced_date=7), "1 workflow", 7),
        (SyncView("c1", workflows=1250, synced_date=7), "1,250 workflows", 7),
    ],
)
def test_a_connection_tells_how_its_list_of_workflows_fares(
    sync: SyncView | None, workflows: str, synced: int
):
    row = row_of(a_connection(sync=sync, capabilities=("list",)))
    assert (row.workflows, row.synced_date) == (workflows, synced)
    assert row.is_syncing == bool(sync and sync.is_syncing)
    assert row.sync_failure == (sync.failure if sync else "")
    assert row.browse_path == "/workflows?provider=zapier&connection=c1"
    assert row_of(a_connection(sync=sync)).browse_path == ""
    assert row_of(a_connection(sync=sync, status="refused")).sync_failure == ""
