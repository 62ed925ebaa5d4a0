"""The page of connections, used as a page uses it. Secrets never pass through its state."""

from typing import Any

import pytest

from orchestrator_app.errors import Unavailable
from orchestrator_app.services.application import DEFAULT_WORKSPACE as HERE
from orchestrator_app.services.connections import Connections
from orchestrator_app.ui.pages.connections import state as connections_state
from orchestrator_app.ui.pages.connections.state import ConnectionsState
from tests.fakes.server import FakeServer
from tests.ui.tabs import CLOSED, OPEN, Tab, Tabs


async def connected(tabs: Tabs, fake: FakeServer, name: str = "Ours") -> str:
    credentials = {"baseUrl": fake.n8n2.base, "apiKey": fake.n8n2.key}
    return (await tabs.application.connections.connect(HERE, "n8n", name=name, credentials=credentials)).id


def shown(tab: Tab, name: str) -> Any:
    return tab.shows(ConnectionsState, name)


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
    await tab.send(ConnectionsState.open_new, "n8n")
    assert (shown(tab, "is_editing"), shown(tab, "form_method")) == (True, "POST")
    assert shown(tab, "form_url") == "/api/v1/orchestrator/providers/n8n/connect"
    assert shown(tab, "form_fields")[0]["key"] == "name"
    await tab.send(ConnectionsState.show_form, CLOSED)
    await tab.send(ConnectionsState.open_new, "no-such-platform")
    assert shown(tab, "is_editing") is False


async def test_the_form_of_a_stored_connection_leaves_its_secret_where_it_is(
    tabs: Tabs, fake_server: FakeServer
):
    connection_id = await connected(tabs, fake_server)
    tab = await tabs.open("/connections")
    await tab.send(ConnectionsState.open_existing, connection_id)
    fields = {field["key"]: field for field in shown(tab, "form_fields")}
    assert (fields["apiKey"]["value"], fields["apiKey"]["required"]) == ("", False)
    assert fields["baseUrl"]["value"] == fake_server.n8n2.base
    assert shown(tab, "form_method") == "PUT"
    await tab.send(ConnectionsState.stored, {"ok": False})
    assert shown(tab, "is_editing") is True
    await tab.send(ConnectionsState.stored, {"ok": True})
    assert shown(tab, "is_editing") is False
    assert "Connection saved" in tab.said[-1]
    await tab.send(ConnectionsState.open_existing, "gone")
    await tab.until_said("no such connection")


async def test_a_connection_is_checked_and_turns_red_everywhere(tabs: Tabs, fake_server: FakeServer):
    connection_id = await connected(tabs, fake_server)
    tab, other = await tabs.open("/connections"), await tabs.open("/connections")
    await tab.send(ConnectionsState.check, connection_id)
    assert (shown(tab, "testing_id"), rows(tab)) == ("", [("Ours", "connected")])
    await tabs.application.connections.mark(HERE, connection_id, "refused", "The key is not accepted.")
    await other.until(lambda: rows(other) == [("Ours", "refused")])
    await tab.send(ConnectionsState.check, "gone")
    assert "no such connection" in tab.said[-1]
    assert shown(tab, "testing_id") == ""


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
    await tab.send(ConnectionsState.show_form, CLOSED)
    assert all("platforms" not in update for update in tab.updates)
